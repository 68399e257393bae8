//! What a process did to the files below one directory, read from a log of `strace`.
//!
//! The log has one line for a call that nothing interrupted and two for others, in the order in which calls began
//! and ended. A thread that `strace` shows to have ended a call goes on only after the line was written, so whatever
//! depends on a call stands below its end. A call that changes files in a way which is not modelled is an error.

mod line;

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::workload::Moment;
use line::{Call, Lines};

/// The calls that are noted.
const CALLS: &str = "write,pwrite64,writev,pwritev,pwritev2,lseek,ftruncate,truncate,fallocate,open,openat,creat,\
    rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,fsync,fdatasync,\
    sync_file_range,sync,syncfs,mmap,msync,copy_file_range,sendfile,splice,io_uring_setup";

/// The words that run a program under `strace`, as if it ran alone: its process is the one that was started.
pub(super) fn wrapper(log: &Path) -> Vec<String> {
    let words = ["strace", "-D", "-f", "-qq", "-xx", "-y", "-s", "33554432", "-ttt", "-T", "--seccomp-bpf"];
    let mut words: Vec<String> = words.map(str::to_owned).to_vec();
    words.extend(["-e".to_owned(), "signal=none".to_owned(), "-e".to_owned(), format!("trace={CALLS}")]);
    words.extend(["-o".to_owned(), log.to_string_lossy().into_owned()]);
    words
}

/// A change, or a promise that changes are kept. Paths are relative to the directory.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    Write {
        path: String,
        offset: u64,
        data: Arc<[u8]>,
    },
    Resize {
        path: String,
        length: u64,
    },
    /// The file is at least so long; what was not written is zeros.
    Reserve {
        path: String,
        length: u64,
    },
    /// Makes the file if it is not there.
    Create {
        path: String,
        truncate: bool,
    },
    MakeDirectory {
        path: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Remove {
        path: String,
    },
    /// What was done to the file or to the names in the directory is durable.
    Sync {
        path: String,
    },
}

impl Action {
    /// The file, the directory, or the name that it is about.
    pub(super) fn path(&self) -> &str {
        match self {
            Self::Write { path, .. }
            | Self::Resize { path, .. }
            | Self::Reserve { path, .. }
            | Self::Create { path, .. }
            | Self::MakeDirectory { path }
            | Self::Rename { from: path, .. }
            | Self::Remove { path }
            | Self::Sync { path } => path,
        }
    }
}

impl Display for Action {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let path = self.path();
        match self {
            Self::Write { offset, data, .. } => {
                write!(f, "write of {} bytes at {offset} of {path}", data.len())
            }
            Self::Resize { length, .. } => write!(f, "{path} made {length} bytes long"),
            Self::Reserve { length, .. } => write!(f, "{length} bytes reserved for {path}"),
            Self::Create { .. } => write!(f, "{path} opened or made"),
            Self::MakeDirectory { .. } => write!(f, "directory {path} made"),
            Self::Rename { to, .. } => write!(f, "{path} renamed to {to}"),
            Self::Remove { .. } => write!(f, "{path} removed"),
            Self::Sync { .. } if path.is_empty() => write!(f, "sync of the data directory"),
            Self::Sync { .. } => write!(f, "sync of {path}"),
        }
    }
}

/// An action, and where and when in the log its call began and ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub(super) action: Action,
    pub(super) began: usize,
    pub(super) ended: usize,
    pub(super) at: Moment,
}

/// Reads the log, in the order in which calls ended.
pub(super) fn read(log: &[u8], directory: &Path) -> Result<Vec<Event>> {
    let mut reader = Reader { directory: directory.to_string_lossy().into_owned(), offsets: HashMap::new() };
    let mut events = Vec::new();
    for call in Lines::new(log) {
        let call = call?;
        if !call.succeeded() {
            continue;
        }
        let action = reader.action(&call).with_context(|| format!("a call of {} in the trace", call.name))?;
        if let Some(action) = action {
            events.push(Event { action, began: call.began, ended: call.ended, at: call.at });
        }
    }
    Ok(events)
}

struct Reader {
    directory: String,
    /// The position of each descriptor that is written to without saying where.
    offsets: HashMap<String, u64>,
}

impl Reader {
    fn action(&mut self, call: &Call<'_>) -> Result<Option<Action>> {
        Ok(match call.name {
            "open" | "openat" | "creat" => self.open(call)?,
            "lseek" => {
                if let Some((descriptor, _)) = self.file(call)? {
                    self.offsets.insert(descriptor, call.result);
                }
                None
            }
            "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" => self.write(call)?,
            "ftruncate" => self.resize(call)?,
            "fallocate" => self.reserve(call)?,
            "fsync" | "fdatasync" => self.file(call)?.map(|(_, path)| Action::Sync { path }),
            "rename" | "renameat" | "renameat2" => self.rename(call)?,
            "unlink" | "unlinkat" | "rmdir" => self.one_path(call)?.map(|path| Action::Remove { path }),
            "mkdir" | "mkdirat" => self.one_path(call)?.map(|path| Action::MakeDirectory { path }),
            // Less than what it seems: it promises nothing.
            "sync_file_range" => None,
            "mmap" if !(call.says("PROT_WRITE") && call.says("MAP_SHARED")) || call.names("-shm") => None,
            name => {
                let everywhere = matches!(name, "io_uring_setup" | "sync" | "syncfs" | "msync");
                if everywhere || call.names(&self.directory) {
                    bail!("the model of the disk does not know it");
                }
                None
            }
        })
    }

    fn open(&mut self, call: &Call<'_>) -> Result<Option<Action>> {
        let flags = call.flags();
        let Some(path) = self.one_path(call)? else { return Ok(None) };
        self.offsets.insert(call.result.to_string(), 0);
        let has = |flag: &str| flags.split('|').any(|each| each == flag);
        if has("O_APPEND") || has("O_TMPFILE") {
            bail!("the model of the disk does not know {flags}");
        }
        let truncate = has("O_TRUNC");
        Ok((has("O_CREAT") || truncate).then_some(Action::Create { path, truncate }))
    }

    fn write(&mut self, call: &Call<'_>) -> Result<Option<Action>> {
        let Some((descriptor, path)) = self.file(call)? else { return Ok(None) };
        let data = call.written()?;
        let offset = match call.name {
            "pwrite64" | "pwritev" => call.number_from_end(0)?,
            // Without flags, strace shows `pwritev` of the C library in this form.
            "pwritev2" => call.number_from_end(1)?,
            _ => {
                let offset = self.offsets.get(&descriptor).copied();
                let offset = offset.context("a file was written that was not seen to be opened")?;
                self.offsets.insert(descriptor, offset + data.len() as u64);
                offset
            }
        };
        Ok(Some(Action::Write { path, offset, data: data.into() }))
    }

    fn resize(&self, call: &Call<'_>) -> Result<Option<Action>> {
        let Some((_, path)) = self.file(call)? else { return Ok(None) };
        Ok(Some(Action::Resize { path, length: call.number(1)? }))
    }

    fn reserve(&self, call: &Call<'_>) -> Result<Option<Action>> {
        let Some((_, path)) = self.file(call)? else { return Ok(None) };
        if call.argument(1)? != "0" {
            bail!("the model of the disk knows only mode 0");
        }
        Ok(Some(Action::Reserve { path, length: call.number(2)? + call.number(3)? }))
    }

    fn rename(&self, call: &Call<'_>) -> Result<Option<Action>> {
        let paths = call.paths()?;
        let below: Vec<_> = paths.iter().map(|path| self.below(path)).collect();
        match below.as_slice() {
            [Some(from), Some(to)] => Ok(Some(Action::Rename { from: from.clone(), to: to.clone() })),
            [None, None] => Ok(None),
            _ => bail!("a file came into the directory, or left it: {}", paths.join(" to ")),
        }
    }

    /// The descriptor and the path of the file that a call works on; none when it is another's or was removed.
    fn file(&self, call: &Call<'_>) -> Result<Option<(String, String)>> {
        let Some((descriptor, path)) = call.descriptor()? else { return Ok(None) };
        Ok(self.below(&path).map(|path| (descriptor, path)))
    }

    fn one_path(&self, call: &Call<'_>) -> Result<Option<String>> {
        let paths = call.paths()?;
        let path = paths.first().context("a call without a path")?;
        Ok(self.below(path))
    }

    /// The path relative to the directory, when it lies in it.
    fn below(&self, path: &str) -> Option<String> {
        let rest = path.strip_prefix(&self.directory)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::line::escaped as hex;
    use super::*;

    #[test]
    fn calls_are_read_in_the_order_in_which_they_ended() {
        let (file, other) = (hex("/d/a"), hex("/elsewhere"));
        let log = format!(
            "7  1.000001 openat(AT_FDCWD<{other}>, \"{file}\", O_RDWR|O_CREAT|O_TRUNC, 0600) = 4<{file}> <0.000010>\n\
             7  1.000100 pwritev2(4<{file}>, [{{iov_base=\"{}\", iov_len=2}}, {{iov_base=\"{}\", iov_len=1}}], 2, 9, 0 <unfinished ...>\n\
             8  1.000110 fdatasync(4<{file}> <unfinished ...>\n\
             7  1.000120 <... pwritev2 resumed>) = 3 <0.000020>\n\
             8  1.000150 <... fdatasync resumed>) = 0 <0.000050>\n\
             8  1.000160 write(5<{other}>, \"{}\", 1) = 1 <0.000001>\n\
             8  1.000170 unlink(\"{file}\") = -1 ENOENT (No such file or directory) <0.000001>\n\
             8  1.000180 rename(\"{file}\", \"{}\") = 0 <0.000001>\n",
            hex("ab"),
            hex("c"),
            hex("x"),
            hex("/d/b")
        );
        let events = read(log.as_bytes(), Path::new("/d")).unwrap();
        let path = || "a".to_owned();
        let data: Arc<[u8]> = Arc::from(*b"abc");
        let actions: Vec<Action> = events.iter().map(|event| event.action.clone()).collect();
        assert_eq!(
            actions,
            [
                Action::Create { path: path(), truncate: true },
                Action::Write { path: path(), offset: 9, data },
                Action::Sync { path: path() },
                Action::Rename { from: path(), to: "b".to_owned() },
            ]
        );
        assert_eq!((events[1].began, events[1].ended, events[1].at), (1, 3, Moment(1_000_120)));
        assert_eq!((events[2].began, events[2].ended, events[2].at), (2, 4, Moment(1_000_160)));
    }

    #[test]
    fn what_is_not_modelled_is_refused() {
        let log = format!("7 1.000001 link(\"{}\", \"{}\") = 0 <0.000001>\n", hex("/d/a"), hex("/d/b"));
        assert!(read(log.as_bytes(), Path::new("/d")).is_err());
        assert!(read(log.as_bytes(), Path::new("/e")).unwrap().is_empty());
    }
}
