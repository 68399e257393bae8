//! What was deleted since deletions were last made durable.
//!
//! A deletion is not synced when it is made: a crash brings the blob back, and whoever keeps a list of what is to be
//! deleted deletes it again. Before an entry of such a list may be forgotten, [`sync`] makes what was deleted durable.

use std::{
    collections::HashSet,
    fs::OpenOptions,
    io,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{Error, Result, SegmentNumber, directory::sync_directory, segments::Segments};

/// Where something was deleted that is not durable yet. Something is noted after it was done, and before its caller
/// hears of it.
#[derive(Debug, Default)]
pub(crate) struct Deletions(Mutex<Touched>);

#[derive(Debug, Default)]
struct Touched {
    /// Segments in which a record was marked dead.
    segments: HashSet<SegmentNumber>,
    /// Directories of files from which one was removed.
    shards: HashSet<PathBuf>,
    /// A segment was removed, or was found to be gone: the removal may be one of a process that was killed.
    names_of_segments: bool,
}

impl Deletions {
    fn touched(&self) -> MutexGuard<'_, Touched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A record of this segment was marked dead.
    pub(crate) fn marked(&self, segment: SegmentNumber) {
        self.touched().segments.insert(segment);
    }

    /// A file was removed from this directory.
    pub(crate) fn removed_from(&self, shard: PathBuf) {
        self.touched().shards.insert(shard);
    }

    /// This segment is gone.
    pub(crate) fn removed_segment(&self, segment: SegmentNumber) {
        let mut touched = self.touched();
        touched.segments.remove(&segment);
        touched.names_of_segments = true;
    }
}

/// Makes every deletion noted so far durable. What could not be synced stays noted, with what comes after it.
pub(crate) fn sync(segments: &Segments) -> Result<()> {
    let mut touched = std::mem::take(&mut *segments.deletions.touched());
    let synced = sync_all(segments, &mut touched);
    if synced.is_err() {
        let mut noted = segments.deletions.touched();
        noted.segments.extend(touched.segments);
        noted.shards.extend(touched.shards);
        noted.names_of_segments |= touched.names_of_segments;
    }
    synced
}

/// Takes from `touched` what is durable.
fn sync_all(segments: &Segments, touched: &mut Touched) -> Result<()> {
    while let Some(number) = touched.segments.iter().next().copied() {
        sync_marks(segments, number)?;
        touched.segments.remove(&number);
    }
    while let Some(shard) = touched.shards.iter().next().cloned() {
        match sync_directory(&segments.disk, &shard) {
            // Where there is no directory, there is no file.
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            synced => synced?,
        }
        touched.shards.remove(&shard);
    }
    if touched.names_of_segments {
        sync_directory(&segments.disk, segments.directory.segments())?;
        touched.names_of_segments = false;
    }
    Ok(())
}

/// On a descriptor of its own: an error of the disk is told once to each descriptor, and one that is told here must
/// not be missed by whoever appends to the segment.
fn sync_marks(segments: &Segments, number: SegmentNumber) -> Result<()> {
    let path = segments.directory.segment(number);
    let file = match OpenOptions::new().write(true).open(&path) {
        // Removed since, which `names_of_segments` tells.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file.map_err(|error| Error::io("open", &path, error))?,
    };
    segments.disk.sync_data(&file).map_err(|error| Error::io("sync", &path, error))
}
