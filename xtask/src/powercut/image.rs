//! Disks that a power cut could leave: what is durable, and of what is pending none, all, or some.
//!
//! Some of a file means: a prefix of its changes, any of its changes, or any sectors of 512 bytes of any of its
//! writes; and, apart from that, its last length, with zeros where nothing was written. A sector is written or not,
//! and a write changes nothing outside of itself: disks that do worse are not simulated.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

use super::disk::{Change, Content, Directory, Disk, Entry, File, Node, ROOT};
use crate::load::Random;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// Files below this directory are never written again once they are durable, so images may share them.
const UNCHANGING: &str = "site/files/";

/// Smaller files are not worth sharing.
const SHARED_BYTES: u64 = 64 << 10;

/// What became of the pending changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// None is on the disk.
    Dropped,
    /// All are.
    Applied,
    /// Some are, as a stream of numbers with this seed decides.
    Mixed(u64),
}

/// Files that images share.
pub(super) struct Shared {
    directory: PathBuf,
    files: Mutex<HashMap<(Node, u64), PathBuf>>,
}

impl Shared {
    /// Keeps them in this directory, which must be on the file system of the images.
    pub(super) fn new(directory: PathBuf) -> Result<Self> {
        fs::create_dir_all(&directory)?;
        Ok(Self { directory, files: Mutex::default() })
    }

    /// The shared form of a file that has nothing pending.
    fn path(&self, node: Node, file: &File) -> Result<PathBuf> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = files.get(&(node, file.generation)) {
            return Ok(path.clone());
        }
        let path = self.directory.join(format!("{node}-{}", file.generation));
        write_content(&path, &file.durable)?;
        files.insert((node, file.generation), path.clone());
        Ok(path)
    }

    /// That no server has written to a shared file: then images would not be what they claim to be.
    pub(super) fn check(&self, disk: &Disk) -> Result<()> {
        for ((node, generation), path) in self.files.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if let Entry::File(file) = disk.entry(*node) {
                let same = file.generation != *generation || fs::read(path)? == file.durable.bytes;
                anyhow::ensure!(same, "a server wrote to a finished file below {UNCHANGING}");
            }
        }
        Ok(())
    }
}

/// Writes an image into a directory, which it makes.
pub(super) fn write(disk: &Disk, fate: Fate, directory: &Path, shared: &Shared) -> Result<()> {
    let random = match fate {
        Fate::Mixed(seed) => Random::new(seed),
        _ => Random::new(0),
    };
    let mut writer = Writer { disk, fate, random, shared };
    writer.node(ROOT, directory, "").with_context(|| format!("writing the image {}", directory.display()))
}

struct Writer<'a> {
    disk: &'a Disk,
    fate: Fate,
    random: Random,
    shared: &'a Shared,
}

impl Writer<'_> {
    fn node(&mut self, node: Node, target: &Path, path: &str) -> Result<()> {
        match self.disk.entry(node) {
            Entry::Directory(directory) => {
                fs::create_dir(target)?;
                for (name, node) in self.names(directory) {
                    self.node(node, &target.join(&name), &format!("{path}{name}/"))?;
                }
                Ok(())
            }
            Entry::File(file) => {
                let settled = file.pending.is_empty() && file.durable.length >= SHARED_BYTES;
                if settled && path.starts_with(UNCHANGING) {
                    return Ok(fs::hard_link(self.shared.path(node, file)?, target)?);
                }
                write_content(target, &self.content(file))
            }
        }
    }

    /// The names in a directory: each is what it was at one moment since the last sync.
    fn names(&mut self, directory: &Directory) -> BTreeMap<String, Node> {
        match self.fate {
            Fate::Dropped => directory.durable.clone(),
            Fate::Applied => directory.current.clone(),
            Fate::Mixed(_) => {
                let mut names = directory.durable.clone();
                let mut states: BTreeMap<&String, Vec<Option<Node>>> = BTreeMap::new();
                for (_, name, node) in &directory.pending {
                    let before = names.get(name).copied();
                    states.entry(name).or_insert_with(|| vec![before]).push(*node);
                }
                for (name, states) in states {
                    match states[self.below(states.len())] {
                        Some(node) => names.insert(name.clone(), node),
                        None => names.remove(name),
                    };
                }
                names
            }
        }
    }

    fn content(&mut self, file: &File) -> Content {
        match self.fate {
            Fate::Dropped => file.durable.clone(),
            Fate::Applied => file.current(),
            Fate::Mixed(_) if file.pending.is_empty() => file.durable.clone(),
            Fate::Mixed(_) => self.mixed(file),
        }
    }

    /// By style: nothing, everything, a prefix, a prefix and a torn write behind it, anything, anything torn.
    fn mixed(&mut self, file: &File) -> Content {
        let mut content = file.durable.clone();
        let style = self.below(8);
        let prefix = self.below(file.pending.len() + 1);
        for (place, (_, change)) in file.pending.iter().enumerate() {
            let tears = style >= 6 || style == 3 && place == prefix;
            let whole = match style {
                0 => false,
                1 => true,
                2 | 3 => place < prefix,
                _ => self.below(2) == 0,
            };
            match change {
                Change::Write { offset, data } if tears => self.tear(&mut content, *offset, data),
                _ if whole => content.apply(change),
                _ => {}
            }
        }
        if self.below(2) == 0 {
            let length = file.current().length;
            content.apply(&Change::Resize(length));
        }
        content
    }

    /// Writes some of the sectors that a write touches.
    fn tear(&mut self, content: &mut Content, offset: u64, data: &[u8]) {
        let mut at = 0;
        while at < data.len() {
            let place = offset + at as u64;
            let into = usize::try_from(place % SECTOR_BYTES as u64).unwrap_or(0);
            let end = data.len().min(at + SECTOR_BYTES - into);
            if self.below(2) == 0 {
                content.write(place, &data[at..end]);
            }
            at = end;
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.random.below(limit as u64)).unwrap_or(0)
    }
}

fn write_content(path: &Path, content: &Content) -> Result<()> {
    let mut file = fs::File::create_new(path)?;
    file.write_all(&content.bytes)?;
    file.set_len(content.length)?;
    Ok(())
}
