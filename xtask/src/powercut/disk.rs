//! A model of a disk under a file system that keeps no promise but those of `fsync`.
//!
//! A file's bytes and length are durable when the file was synced, and a name when its directory was; neither brings
//! the other. All else is pending: it may be on the disk or not, one change without another. A name holds what it
//! held at one moment since its directory was synced, so replacing one file by another is atomic, but a file that is
//! moved to another directory may be found under both names or, if neither directory was synced, under none.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use super::trace::{Action, Event};

/// The number of a file or directory.
pub(super) type Node = usize;

/// The root of the tree.
pub(super) const ROOT: Node = 0;

/// Files that are no part of what survives: shared memory of processes that have ended.
const VOLATILE: &[&str] = &["-shm", ".sock"];

/// The bytes of a file; behind what is kept there are zeros up to its length.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) length: u64,
}

impl Content {
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start + data.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[start..end].copy_from_slice(data);
        self.length = self.length.max(end as u64);
    }

    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Write { offset, data } => self.write(*offset, data),
            Change::Resize(length) => {
                self.bytes.truncate(usize::try_from(*length).unwrap_or(usize::MAX));
                self.length = *length;
            }
            Change::Reserve(length) => self.length = self.length.max(*length),
        }
    }
}

/// A change of a file.
#[derive(Clone)]
pub(super) enum Change {
    Write { offset: u64, data: Arc<[u8]> },
    Resize(u64),
    Reserve(u64),
}

/// A file: what is durable, and what was done since, with the line of the trace at which each call ended.
#[derive(Clone, Default)]
pub(super) struct File {
    pub(super) durable: Content,
    pub(super) pending: Vec<(usize, Change)>,
    /// How often what is durable has changed.
    pub(super) generation: u64,
}

impl File {
    /// With every change applied.
    pub(super) fn current(&self) -> Content {
        let mut content = self.durable.clone();
        self.pending.iter().for_each(|(_, change)| content.apply(change));
        content
    }
}

/// A directory: the names that are durable, what became of names since, and what processes see.
#[derive(Clone, Default)]
pub(super) struct Directory {
    pub(super) durable: BTreeMap<String, Node>,
    pub(super) pending: Vec<(usize, String, Option<Node>)>,
    pub(super) current: BTreeMap<String, Node>,
}

#[derive(Clone)]
pub(super) enum Entry {
    File(File),
    Directory(Directory),
}

/// The disk. A clone shares all that does not change later.
#[derive(Clone)]
pub(super) struct Disk {
    nodes: Vec<Arc<Entry>>,
}

impl Disk {
    /// What a directory holds, all of it durable.
    pub(super) fn load(directory: &Path) -> Result<Self> {
        let mut disk = Self { nodes: vec![Arc::new(Entry::Directory(Directory::default()))] };
        disk.load_below(ROOT, directory)?;
        Ok(disk)
    }

    fn load_below(&mut self, parent: Node, directory: &Path) -> Result<()> {
        for entry in
            std::fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))?
        {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_volatile(&name) {
                continue;
            }
            let node = if entry.file_type()?.is_dir() {
                let node = self.add(Entry::Directory(Directory::default()));
                self.load_below(node, &entry.path())?;
                node
            } else {
                let bytes = std::fs::read(entry.path())?;
                let durable = Content { length: bytes.len() as u64, bytes };
                self.add(Entry::File(File { durable, ..File::default() }))
            };
            let names = self.directory(parent)?;
            names.durable.insert(name.clone(), node);
            names.current.insert(name, node);
        }
        Ok(())
    }

    /// What a node is.
    pub(super) fn entry(&self, node: Node) -> &Entry {
        &self.nodes[node]
    }

    /// Does what a call did.
    pub(super) fn apply(&mut self, event: &Event) -> Result<()> {
        let done = self.perform(event);
        done.with_context(|| format!("line {} of the trace: {}", event.ended + 1, event.action))
    }

    fn perform(&mut self, event: &Event) -> Result<()> {
        match &event.action {
            action if is_volatile(action.path()) => Ok(()),
            Action::Write { path, offset, data } => {
                let change = Change::Write { offset: *offset, data: Arc::clone(data) };
                self.change(path, event.ended, change)
            }
            Action::Resize { path, length } => self.change(path, event.ended, Change::Resize(*length)),
            Action::Reserve { path, length } => self.change(path, event.ended, Change::Reserve(*length)),
            Action::Create { path, truncate } => {
                if self.find(path).is_none() {
                    let node = self.add(Entry::File(File::default()));
                    return self.name(path, event.ended, Some(node));
                }
                if *truncate { self.change(path, event.ended, Change::Resize(0)) } else { Ok(()) }
            }
            Action::MakeDirectory { path } => {
                let node = self.add(Entry::Directory(Directory::default()));
                self.name(path, event.ended, Some(node))
            }
            Action::Rename { from, to } => {
                let node = self.find(from).with_context(|| format!("{from} is not there"))?;
                self.name(to, event.ended, Some(node))?;
                self.name(from, event.ended, None)
            }
            Action::Remove { path } => self.name(path, event.ended, None),
            Action::Sync { path } => self.sync(path, event.began),
        }
    }

    fn change(&mut self, path: &str, ended: usize, change: Change) -> Result<()> {
        let node = self.find(path).with_context(|| format!("{path} is not there"))?;
        match Arc::make_mut(&mut self.nodes[node]) {
            Entry::File(file) => file.pending.push((ended, change)),
            Entry::Directory(_) => bail!("{path} is a directory"),
        }
        Ok(())
    }

    fn name(&mut self, path: &str, ended: usize, node: Option<Node>) -> Result<()> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = self.find(parent).with_context(|| format!("the directory {parent} is not there"))?;
        let directory = self.directory(parent)?;
        match node {
            Some(node) => directory.current.insert(name.to_owned(), node),
            None => Some(directory.current.remove(name).with_context(|| format!("{path} is not there"))?),
        };
        directory.pending.push((ended, name.to_owned(), node));
        Ok(())
    }

    /// What ended before the sync began is durable.
    fn sync(&mut self, path: &str, began: usize) -> Result<()> {
        let node = self.find(path).with_context(|| format!("{path} is not there"))?;
        match Arc::make_mut(&mut self.nodes[node]) {
            Entry::File(file) => {
                let covered = file.pending.partition_point(|(ended, _)| *ended < began);
                for (_, change) in file.pending.drain(..covered) {
                    file.durable.apply(&change);
                    file.generation += 1;
                }
            }
            Entry::Directory(directory) => {
                let covered = directory.pending.partition_point(|(ended, ..)| *ended < began);
                for (_, name, node) in directory.pending.drain(..covered) {
                    match node {
                        Some(node) => directory.durable.insert(name, node),
                        None => directory.durable.remove(&name),
                    };
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, entry: Entry) -> Node {
        self.nodes.push(Arc::new(entry));
        self.nodes.len() - 1
    }

    fn directory(&mut self, node: Node) -> Result<&mut Directory> {
        match Arc::make_mut(&mut self.nodes[node]) {
            Entry::Directory(directory) => Ok(directory),
            Entry::File(_) => bail!("a file where a directory should be"),
        }
    }

    /// What processes see at this path.
    fn find(&self, path: &str) -> Option<Node> {
        path.split('/').filter(|name| !name.is_empty()).try_fold(ROOT, |node, name| match self.entry(node) {
            Entry::Directory(directory) => directory.current.get(name).copied(),
            Entry::File(_) => None,
        })
    }

    /// Where what processes see differs from a directory; none when it does not.
    pub(super) fn difference(&self, directory: &Path) -> Result<Option<String>> {
        Self::load(directory)?.compare(ROOT, self, ROOT, "")
    }

    fn compare(&self, ours: Node, other: &Self, theirs: Node, path: &str) -> Result<Option<String>> {
        match (self.entry(ours), other.entry(theirs)) {
            (Entry::File(ours), Entry::File(theirs)) => {
                let (mut ours, mut theirs) = (ours.current(), theirs.current());
                let longest = ours.bytes.len().max(theirs.bytes.len());
                ours.bytes.resize(longest, 0);
                theirs.bytes.resize(longest, 0);
                Ok((ours != theirs).then(|| format!("{path}: its content")))
            }
            (Entry::Directory(ours), Entry::Directory(theirs)) => {
                if !ours.current.keys().eq(theirs.current.keys()) {
                    let names = |directory: &Directory| directory.current.keys().cloned().collect::<Vec<_>>();
                    return Ok(Some(format!("{path}: {:?} and {:?}", names(ours), names(theirs))));
                }
                for ((name, ours), theirs) in ours.current.iter().zip(theirs.current.values()) {
                    let found = self.compare(*ours, other, *theirs, &format!("{path}/{name}"))?;
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                Ok(None)
            }
            _ => Ok(Some(format!("{path}: a file and a directory"))),
        }
    }
}

/// Whether a file of this name is left out of the model.
fn is_volatile(name: &str) -> bool {
    VOLATILE.iter().any(|ending| name.ends_with(ending))
}
