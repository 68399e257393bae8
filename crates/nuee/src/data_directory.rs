//! The data directory: what is in it, and the lock that says which process has it open.
//!
//! ```text
//! lock             held while a process has the directory open; tells its process id
//! metadata.sqlite  the metadata, with its write-ahead log, and ballast where the disk is nearly full
//! site             the blobs, sealed
//! tls              certificates that the server makes or was issued, with their keys
//! admin.sock       where a running server takes commands
//! ```

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{ErrorKind, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

const LOCK: &str = "lock";
const METADATA: &str = "metadata.sqlite";
const SITE: &str = "site";
const TLS: &str = "tls";
const SOCKET: &str = "admin.sock";
/// What a file system puts into its root by itself.
const LOST_AND_FOUND: &str = "lost+found";

/// A data directory that this process has open, alone.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    path: PathBuf,
    /// Unlocked by the system when it is closed, however the process ends.
    _lock: File,
}

impl DataDirectory {
    /// Opens the data directory at `path`, and makes one where there is nothing.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        if path.exists() {
            refuse_strangers(path)?;
        }
        if !holds_data(path) {
            create_durably(path)
                .with_context(|| format!("cannot make the data directory {}", path.display()))?;
        }
        Self::lock(path)
    }

    /// Opens the data directory at `path`, which must have been begun by a first start.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if !holds_data(path) {
            bail!(
                "there is no data in {}: give the right --data-dir, or make a platform there with `nuee up` (`nuee serve \
                 --init` where no account shall be made)",
                path.display()
            );
        }
        Self::lock(path)
    }

    fn lock(path: &Path) -> Result<Self> {
        let file = path.join(LOCK);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut lock = options.open(&file).with_context(|| format!("cannot open {}", file.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "the data directory {} is in use by process {}: stop that one first, or give another --data-dir",
                path.display(),
                holder(&mut lock)
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", file.display()));
            }
        }
        // The id is for people; should a full disk refuse it, the lock holds all the same.
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Self { path: path.to_path_buf(), _lock: lock })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The metadata's file.
    pub(crate) fn metadata(&self) -> PathBuf {
        metadata_file(&self.path)
    }

    /// The site's directory.
    pub(crate) fn site(&self) -> PathBuf {
        self.path.join(SITE)
    }
}

/// The file of the metadata in the data directory at `path`.
pub(crate) fn metadata_file(path: &Path) -> PathBuf {
    path.join(METADATA)
}

/// Where the server of the data directory at `path` takes commands.
pub(crate) fn socket_file(path: &Path) -> PathBuf {
    path.join(SOCKET)
}

/// Where the server of the data directory at `path` keeps its certificates.
pub(crate) fn tls_directory(path: &Path) -> PathBuf {
    path.join(TLS)
}

/// Whether a first start was begun in `path`, and got as far as keeping anything.
pub(crate) fn holds_data(path: &Path) -> bool {
    metadata_file(path).exists()
}

fn holder(lock: &mut File) -> String {
    let mut text = String::new();
    let read = lock.rewind().and_then(|()| lock.take(32).read_to_string(&mut text));
    match (read, text.trim()) {
        (Ok(_), id) if !id.is_empty() => id.to_owned(),
        _ => "(unknown)".to_owned(),
    }
}

/// Refuses a directory that holds what is not ours, so that a slip of the hand does not mix a platform into it.
fn refuse_strangers(path: &Path) -> Result<()> {
    let listing = || format!("cannot list the data directory {}", path.display());
    if holds_data(path) {
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(listing)? {
        let name = entry.with_context(listing)?.file_name();
        let ours = name.to_str().is_some_and(|name| {
            [LOCK, SITE, TLS, SOCKET, LOST_AND_FOUND].contains(&name) || name.starts_with(METADATA)
        });
        if !ours {
            bail!(
                "{} holds {}, which is not nuee's: give an empty or a new directory as --data-dir",
                path.display(),
                Path::new(&name).display()
            );
        }
    }
    Ok(())
}

/// Makes a directory that only its owner can enter, and makes its name survive a power cut.
fn create_durably(path: &Path) -> std::io::Result<()> {
    let absolute = std::path::absolute(path)?;
    match DirBuilder::new().recursive(true).mode(0o700).create(&absolute) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // Whoever made the directories, a start that was cut for instance, may not have made them durable.
    for parent in absolute.ancestors().skip(1) {
        match sync_directory(parent) {
            // One that we may not open was not made by us, and some file systems have nothing to sync.
            Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput) => {
                break;
            }
            synced => synced?,
        }
    }
    Ok(())
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_told_who_holds_the_directory() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/data");
        let held = DataDirectory::create(&path).unwrap();
        let said = DataDirectory::create(&path).unwrap_err().to_string();
        assert!(said.contains(&format!("process {}", std::process::id())), "{said}");
        assert!(said.contains("--data-dir"), "{said}");
        drop(held);
        assert!(DataDirectory::create(&path).is_ok());
    }

    #[test]
    fn a_directory_of_somebody_else_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("thesis.tex"), "").unwrap();
        let said = DataDirectory::create(directory.path()).unwrap_err().to_string();
        assert!(said.contains("thesis.tex"), "{said}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is written there");
    }

    #[test]
    fn opening_what_was_never_begun_says_how_to_begin() {
        let directory = tempfile::tempdir().unwrap();
        let said = DataDirectory::open(directory.path()).unwrap_err().to_string();
        assert!(said.contains("nuee up"), "{said}");
    }
}
