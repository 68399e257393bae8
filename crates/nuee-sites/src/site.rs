//! The directory site: what the layers above call.

use std::{fs::File, io, path::Path, sync::Arc};

use bytes::Bytes;
use nuee_base::BlobId;

use crate::{
    BlobReader, BlobWriter, Blobs, Error, Locator, Result, SegmentNumber,
    append::Appender,
    compaction, deletions,
    directory::Directory,
    disk::{Disk, free_bytes, has_plenty},
    locator::Place,
    record::{HEADER_BYTES, footprint_bytes},
    recovery::find_segments,
    segments::Segments,
};

const BLOCK_BYTES: u64 = 4_096;

/// How a site behaves. The defaults are measured (`cargo run --release -p nuee-sites --example ceilings`).
#[derive(Debug, Clone)]
pub struct Options {
    /// How large a segment is, in bytes.
    pub segment_size_bytes: u64,
    /// The longest blob that goes to a segment, in bytes; longer ones get a file each. Measured with 16 producers,
    /// blobs a second in segments and in files: 64 KiB 6,600 and 2,100, 256 KiB 2,950 and 1,350, 1 MiB 1,050 and 360.
    pub small_blob_max_bytes: u32,
    /// How many free bytes of the disk are kept from new blobs, so that deleting and compacting can always go on.
    pub free_space_reserve_bytes: u64,
    /// How many bytes of small blobs may wait to be appended; whoever brings more waits.
    pub queue_bytes: u32,
    /// How many bytes are written with one sync, a little more or less.
    pub group_bytes: u64,
    /// How many segments are kept open.
    pub open_segments: usize,
    /// Whether new segments are overwritten with zeros: each sync is shorter, but every byte is written twice.
    pub zero_fill_segments: bool,
    /// Whether large blobs are written past the page cache, where the file system can.
    pub direct_writes: bool,
    /// Which calls to the disk fail.
    #[cfg(any(test, feature = "faults"))]
    pub faults: Option<crate::FaultPlan>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_size_bytes: 64 << 20,
            small_blob_max_bytes: 1 << 20,
            free_space_reserve_bytes: 16 << 20,
            queue_bytes: 32 << 20,
            group_bytes: 4 << 20,
            open_segments: 512,
            zero_fill_segments: false,
            direct_writes: true,
            #[cfg(any(test, feature = "faults"))]
            faults: None,
        }
    }
}

impl Options {
    /// The smallest segment that holds the largest small blob.
    pub(crate) fn smallest_segment_bytes(&self) -> u64 {
        (footprint_bytes(self.small_blob_max_bytes) + HEADER_BYTES as u64).next_multiple_of(BLOCK_BYTES)
    }

    fn check(&self) -> Result<()> {
        if self.segment_size_bytes < self.smallest_segment_bytes() {
            return Err(Error::InvalidOptions("a segment must have room for the largest small blob"));
        }
        if u64::from(self.queue_bytes) < footprint_bytes(self.small_blob_max_bytes) {
            return Err(Error::InvalidOptions("the queue must have room for the largest small blob"));
        }
        if self.open_segments == 0 {
            return Err(Error::InvalidOptions("at least one segment must be open"));
        }
        Ok(())
    }
}

/// What became of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// The blob is not at that locator any more.
    Done,
    /// The whole segment is gone. Either all of it was deleted, or a compaction moved the blob: whoever keeps the new
    /// locators of moved blobs looks there, and deletes by the new one.
    SegmentGone,
}

/// How a site stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SiteUsage {
    /// How many segments there are.
    pub segments: usize,
    /// How many of them are not counted yet; their dead bytes pass for live.
    pub uncounted_segments: usize,
    /// Bytes of live records in segments.
    pub live_bytes: u64,
    /// Bytes of dead records in segments, to be had back by compaction.
    pub dead_bytes: u64,
    /// Bytes that the file system still takes.
    pub free_bytes: u64,
}

/// A site in a directory. Cheap to clone. Dropping the last clone answers what is queued and closes the active segment,
/// which takes some milliseconds.
///
/// One process has a directory open at a time; whoever opens it holds a lock on it. Everything but
/// [`put`](Self::put) waits for the disk, so it is called where waiting is allowed; [`open_blob`](Self::open_blob) of a
/// blob in a segment waits only when the segment is not open.
#[derive(Debug, Clone)]
pub struct DirectorySite {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    segments: Arc<Segments>,
    appender: Appender,
}

impl DirectorySite {
    /// Opens the site in `directory`, or makes one where nothing is. Segments that a crash left open are repaired.
    pub fn open(directory: &Path, options: Options) -> Result<Self> {
        options.check()?;
        let disk = Disk::new(&options);
        let directory = Directory::open(&disk, directory)?;
        let segments = Arc::new(Segments::new(disk, directory, options));
        find_segments(&segments)?;
        let appender = Appender::start(segments.clone())?;
        Ok(Self { inner: Arc::new(Inner { segments, appender }) })
    }

    /// The longest blob that [`put`](Self::put) takes, in bytes; longer ones are for [`create`](Self::create).
    #[must_use]
    pub fn small_blob_max_bytes(&self) -> u64 {
        u64::from(self.segments().options.small_blob_max_bytes)
    }

    /// Keeps a small blob. It is durable when this returns. If the caller goes away before, the blob may have been kept,
    /// and nothing refers to it.
    pub async fn put(&self, id: BlobId, sealed: Bytes) -> Result<Locator> {
        let maximum = self.segments().options.small_blob_max_bytes;
        let length = u32::try_from(sealed.len()).ok().filter(|length| *length <= maximum);
        let length = length.ok_or(Error::TooLarge { length: sealed.len(), maximum: maximum as usize })?;
        self.inner.appender.append(id, sealed, length).await
    }

    /// [`Error::Full`] if the disk has no more room than the reserve. Segments have room of their own before that is so;
    /// this is for whoever adds something beside blobs as well.
    pub fn require_room(&self) -> Result<()> {
        let root = self.segments().directory.root();
        let free = free_bytes(root).map_err(|error| Error::io("look at", root, error))?;
        if free < self.segments().options.free_space_reserve_bytes {
            return Err(Error::Full { path: root.to_path_buf() });
        }
        Ok(())
    }

    /// Whether a tenth of the disk is free, so that giving space back is not urgent.
    pub fn has_plenty(&self) -> Result<bool> {
        let root = self.segments().directory.root();
        has_plenty(root).map_err(|error| Error::io("look at", root, error))
    }

    /// Begins to write a large blob.
    pub fn create(&self, id: BlobId) -> Result<BlobWriter> {
        BlobWriter::create(self.inner.segments.clone(), id)
    }

    /// Opens a blob for reading. [`Error::Missing`] if it is not there; for a blob in a segment this means that the
    /// segment is gone.
    pub fn open_blob(&self, id: BlobId, locator: &Locator) -> Result<BlobReader> {
        match locator.place() {
            Place::Segment { segment, offset, length } => match self.segments().file(segment) {
                Ok(file) => {
                    let start = offset.saturating_add(HEADER_BYTES as u64);
                    Ok(BlobReader::new(file, id, Some(segment), start, length.into()))
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Missing { id }),
                Err(error) => Err(self.segments().failed("open", segment, error)),
            },
            Place::File { length } => {
                let path = self.segments().directory.file(id);
                match File::open(&path) {
                    Ok(file) => Ok(BlobReader::new(Arc::new(file), id, None, 0, length)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Missing { id }),
                    Err(error) => Err(Error::io("open", &path, error)),
                }
            }
        }
    }

    /// Deletes a blob. Deleting again is fine. Until [`sync_deletions`](Self::sync_deletions), a crash may bring it back:
    /// nothing refers to it then, so whoever would forget that it is to be deleted calls that first.
    pub fn delete(&self, id: BlobId, locator: &Locator) -> Result<Deleted> {
        match locator.place() {
            Place::Segment { segment, offset, .. } => self.segments().delete(id, segment, offset),
            Place::File { .. } => {
                let path = self.segments().directory.file(id);
                let unlinked = self.segments().disk.unlink(&path);
                unlinked.map_err(|error| Error::io("remove", &path, error))?;
                self.segments().deletions.removed_from(self.segments().directory.shard(id));
                Ok(Deleted::Done)
            }
        }
    }

    /// Removes what the writing of a large blob left, wherever it was cut. Doing it again is fine.
    pub fn discard(&self, id: BlobId) -> Result<()> {
        self.delete(id, &Locator::file(0)).map(drop)
    }

    /// Makes durable what was deleted, discarded or dropped since the last call: one `fdatasync` for each segment with a
    /// blob that was deleted, one `fsync` for each directory that lost a file, nothing when there was nothing. After an
    /// error, delete again whatever is to be durable, and call this again.
    pub fn sync_deletions(&self) -> Result<()> {
        deletions::sync(self.segments())
    }

    /// Walks every live blob.
    #[must_use]
    pub fn blobs(&self) -> Blobs {
        Blobs::new(self.inner.segments.clone())
    }

    /// Counts the dead records of one segment of an earlier run: until then that segment is never compacted. One that
    /// cannot be read, or is damaged, is logged as an error and left alone in this run, and the next call goes on with
    /// the next segment.
    ///
    /// To be called in the background until it returns none. It reads what it needs at the full speed of the disk, which
    /// is all of a segment whose records are short, so the caller rests after each call for some multiple of the time
    /// that the call took: after nine times as long, nobody loses more than a tenth of the disk to it.
    pub fn scan_segment(&self) -> Result<Option<SegmentNumber>> {
        Ok(compaction::count_next(self.segments()))
    }

    /// The closed segment that is most worth emptying: the largest part of it is dead, and at least half.
    #[must_use]
    pub fn compaction_candidate(&self) -> Option<SegmentNumber> {
        compaction::candidate(self.segments())
    }

    /// Copies every live blob of a closed segment elsewhere, durably, and returns for each its id, its old locator and
    /// its new one. On an error nothing has changed; asking again before the drop tells the same again. The caller
    /// records the new locators and then drops the segment; until then both locators can be read, and deleting by the
    /// old one deletes both copies. May draw on the reserve of free space.
    ///
    /// When the segment cannot be read or is damaged, it is no candidate any more in this run. After a crash between
    /// recording and dropping the segment is back: `compaction` in the source says what the caller does then.
    pub fn relocate(&self, segment: SegmentNumber) -> Result<Vec<(BlobId, Locator, Locator)>> {
        compaction::relocate(self.segments(), &self.inner.appender, segment)
    }

    /// Removes a segment that was relocated since this site was opened. Readers that are open go on.
    pub fn drop_segment(&self, segment: SegmentNumber) -> Result<()> {
        compaction::drop_segment(self.segments(), segment)
    }

    /// How the site stands.
    pub fn usage(&self) -> Result<SiteUsage> {
        let root = self.segments().directory.root();
        let free_bytes = free_bytes(root).map_err(|error| Error::io("look at", root, error))?;
        let ledger = self.segments().ledger();
        let dead_bytes = ledger.values().map(|entry| entry.dead).sum();
        let held_bytes: u64 = ledger.values().map(|entry| entry.end).sum();
        Ok(SiteUsage {
            segments: ledger.len(),
            uncounted_segments: ledger.values().filter(|entry| !entry.counted()).count(),
            live_bytes: held_bytes.saturating_sub(dead_bytes),
            dead_bytes,
            free_bytes,
        })
    }

    fn segments(&self) -> &Segments {
        &self.inner.segments
    }
}
