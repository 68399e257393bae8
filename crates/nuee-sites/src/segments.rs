//! What the parts of a site share about its segments: their files, and how much of each is alive.
//!
//! The counts are kept in memory only. For segments of earlier runs they are found by walking headers in the
//! background (`compaction`); until then such a segment is neither compacted nor dropped.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use nuee_base::BlobId;

use crate::{
    Deleted, Error, Locator, Options, Result, SegmentNumber,
    deletions::Deletions,
    direct::Buffers,
    directory::Directory,
    disk::Disk,
    open_files::OpenFiles,
    record::{DEAD, DEAD_OFFSET, HEADER_BYTES, Header, Position, footprint_bytes},
};

/// Everything about the segments of a site that more than one thread needs.
#[derive(Debug)]
pub(crate) struct Segments {
    pub(crate) disk: Disk,
    pub(crate) directory: Directory,
    pub(crate) options: Options,
    pub(crate) open: OpenFiles,
    pub(crate) deletions: Deletions,
    /// For large blobs.
    pub(crate) buffers: Buffers,
    ledger: Mutex<HashMap<SegmentNumber, Entry>>,
    /// Held while a record is marked dead, and while dead records are counted.
    pub(crate) marking: Mutex<()>,
    /// Where the blobs of a segment under compaction have gone, until the segment is dropped.
    moved: Mutex<HashMap<(SegmentNumber, u64), (BlobId, Locator)>>,
}

/// What is wrong with a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Something of it could not be read: hands off in this run.
    Unreadable,
    /// Somewhere are bytes that are no record: hands off, even if nothing seems to live in it.
    Damaged,
}

/// What is known of one segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// Nothing is appended any more.
    pub(crate) closed: bool,
    /// The end of the last acknowledged record.
    pub(crate) end: u64,
    /// Bytes of dead records, of those before `counted_to`.
    pub(crate) dead: u64,
    /// Up to where dead records have been counted.
    pub(crate) counted_to: u64,
    /// What keeps it from being counted and compacted.
    pub(crate) trouble: Option<Trouble>,
    /// Every live record was copied elsewhere.
    pub(crate) relocated: bool,
}

impl Entry {
    /// A segment to which records are being appended.
    pub(crate) fn active() -> Self {
        Self { closed: false, end: 0, dead: 0, counted_to: u64::MAX, trouble: None, relocated: false }
    }

    /// A segment that an earlier run closed.
    pub(crate) fn closed_earlier(end: u64) -> Self {
        Self { closed: true, end, counted_to: 0, ..Self::active() }
    }

    /// Whether every dead record is in the count.
    pub(crate) fn counted(&self) -> bool {
        self.counted_to >= self.end
    }

    fn all_dead(&self) -> bool {
        self.closed && self.trouble != Some(Trouble::Damaged) && self.counted() && self.dead == self.end
    }
}

impl Segments {
    pub(crate) fn new(disk: Disk, directory: Directory, options: Options) -> Self {
        let open = OpenFiles::new(options.open_segments);
        Self {
            disk,
            directory,
            options,
            open,
            deletions: Deletions::default(),
            buffers: Buffers::default(),
            ledger: Mutex::default(),
            marking: Mutex::default(),
            moved: Mutex::default(),
        }
    }

    /// What is known of every segment.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, HashMap<SegmentNumber, Entry>> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where blobs have gone whose old segment is still there.
    pub(crate) fn moved(&self) -> MutexGuard<'_, HashMap<(SegmentNumber, u64), (BlobId, Locator)>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of a segment, open for reading and for marking.
    pub(crate) fn file(&self, number: SegmentNumber) -> io::Result<Arc<File>> {
        self.open
            .get(number, || OpenOptions::new().read(true).write(true).open(self.directory.segment(number)))
    }

    /// An error about the file of a segment.
    pub(crate) fn failed(&self, action: &'static str, number: SegmentNumber, error: io::Error) -> Error {
        Error::io(action, &self.directory.segment(number), error)
    }

    /// Damage in a segment: from now on it is neither compacted nor dropped.
    pub(crate) fn damaged(&self, number: SegmentNumber, offset: u64, detail: &str) -> Error {
        if let Some(entry) = self.ledger().get_mut(&number) {
            entry.trouble = Some(Trouble::Damaged);
        }
        Error::Damaged { path: self.directory.segment(number), offset, detail: detail.to_owned() }
    }

    /// The segment cannot be read: nothing tries again in this run, so that the others get their turn.
    pub(crate) fn skip(&self, number: SegmentNumber, error: &Error) {
        tracing::error!(%error, segment = %number, "a segment is left alone until the next start: its space stays taken");
        if let Some(entry) = self.ledger().get_mut(&number) {
            entry.trouble.get_or_insert(Trouble::Unreadable);
        }
    }

    /// The segment takes records from now on.
    pub(crate) fn activate(&self, number: SegmentNumber, file: Arc<File>) {
        self.ledger().insert(number, Entry::active());
        self.open.insert(number, file);
    }

    /// Records up to `end` are durable.
    pub(crate) fn advance(&self, number: SegmentNumber, end: u64) {
        if let Some(entry) = self.ledger().get_mut(&number) {
            entry.end = end;
        }
    }

    /// The segment takes no more records.
    pub(crate) fn retire(&self, number: SegmentNumber) {
        if let Some(entry) = self.ledger().get_mut(&number) {
            entry.closed = true;
        }
        self.remove_if_dead(number);
    }

    /// The segment failed to write or to sync: its descriptor is not used again, not even to read.
    pub(crate) fn abandon(&self, number: SegmentNumber) {
        self.open.remove(number);
        self.retire(number);
    }

    /// Marks a blob dead, in the segment and wherever a relocation has taken it.
    pub(crate) fn delete(&self, id: BlobId, segment: SegmentNumber, offset: u64) -> Result<Deleted> {
        let deleted = self.mark_dead(id, segment, offset)?;
        let moved = self.moved().remove(&(segment, offset));
        if let Some((copied_to, offset)) = moved.and_then(|(_, locator)| record_of(&locator)) {
            self.mark_dead(id, copied_to, offset)?;
            self.remove_if_dead(copied_to);
        }
        // Not earlier: removing the segment forgets where its blobs have gone.
        self.remove_if_dead(segment);
        Ok(deleted)
    }

    /// Marks one record dead. The mark is not synced (`deletions`). One that is there already is made again: it may be
    /// that of a process that was killed, or one that could not be synced, and then nothing else would bring it to the
    /// disk.
    fn mark_dead(&self, id: BlobId, segment: SegmentNumber, offset: u64) -> Result<Deleted> {
        let _marking = self.marking.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match self.file(segment) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.deletions.removed_segment(segment);
                return Ok(Deleted::SegmentGone);
            }
            file => file.map_err(|error| self.failed("open", segment, error))?,
        };
        let (found, length, dead) = match self.header(&file, segment, offset)? {
            Header::Blob { id, length, dead, .. } => (id, length, dead),
            Header::Void { .. } => return Ok(Deleted::Done),
            Header::End => {
                return Err(self.damaged(segment, offset, "the end of the segment where a blob should be"));
            }
        };
        if found != id {
            let detail = format!("blob {found} where blob {id} should be");
            return Err(Error::Damaged { path: self.directory.segment(segment), offset, detail });
        }
        let marked = self.disk.write_at(&file, &[DEAD], offset + DEAD_OFFSET);
        marked.map_err(|error| self.failed("write", segment, error))?;
        self.deletions.marked(segment);
        if !dead
            && let Some(entry) = self.ledger().get_mut(&segment)
            && offset < entry.counted_to
        {
            entry.dead += footprint_bytes(length);
        }
        Ok(Deleted::Done)
    }

    /// Whether the record at `offset` is dead, with all of its segment or alone.
    pub(crate) fn is_dead(&self, segment: SegmentNumber, offset: u64) -> Result<bool> {
        let file = match self.file(segment) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            file => file.map_err(|error| self.failed("open", segment, error))?,
        };
        Ok(matches!(self.header(&file, segment, offset)?, Header::Blob { dead: true, .. }))
    }

    /// Removes a closed segment in which nothing lives.
    pub(crate) fn remove_if_dead(&self, number: SegmentNumber) {
        if self.ledger().get(&number).is_some_and(Entry::all_dead)
            && let Err(error) = self.remove(number)
        {
            tracing::warn!(%error, segment = %number, "an empty segment could not be removed");
        }
    }

    /// Removes a segment. The removal is not synced (`deletions`): a power cut may bring the segment back, and whoever
    /// dropped it drops it again.
    pub(crate) fn remove(&self, number: SegmentNumber) -> Result<()> {
        let path = self.directory.segment(number);
        self.disk.unlink(&path).map_err(|error| Error::io("remove", &path, error))?;
        self.deletions.removed_segment(number);
        self.ledger().remove(&number);
        self.open.remove(number);
        self.moved().retain(|(segment, _), _| *segment != number);
        Ok(())
    }

    fn header(&self, file: &File, segment: SegmentNumber, offset: u64) -> Result<Header> {
        let mut bytes = [0; HEADER_BYTES];
        let read = self.disk.read_at(file, &mut bytes, offset);
        let read = read.map_err(|error| self.failed("read", segment, error))?;
        let header = Header::decode(&bytes[..read], Position { segment, offset });
        header.ok_or_else(|| self.damaged(segment, offset, "no record where a blob should be"))
    }
}

/// The segment and the offset that a locator names.
fn record_of(locator: &Locator) -> Option<(SegmentNumber, u64)> {
    match locator.place() {
        crate::locator::Place::Segment { segment, offset, .. } => Some((segment, offset)),
        crate::locator::Place::File { .. } => None,
    }
}
