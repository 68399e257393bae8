//! Room on the disk under the database.
//!
//! Deletions need room too: they go to the write-ahead log and the journal before anything is given back. So whoever adds
//! something asks first whether the reserve is untouched ([`Metadata::require_room`]). What counts is
//!
//! - what the file system still takes,
//! - less what the database grows by when the log is copied into it: what the log holds needs its room twice,
//! - and the pages that the database has free, which deletions leave and SQLite fills first. They are no room for the
//!   log, so half of the reserve must be there without them.
//!
//! The file system is asked each time, since it is not ours alone; the rest is as the writer saw it last.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use rusqlite::Connection;

use crate::{Error, Metadata, ballast::beside};

/// The size of a page of the database, in bytes.
pub(crate) const PAGE_BYTES: u64 = 4_096;
/// The write-ahead log takes at most this part of the room that is left, before it is emptied; so does a group.
const LOG_SHARE_OF_ROOM: u64 = 4;
/// What the largest changes, such as a hundred deletions, add to the log.
const CHANGE_BYTES: u64 = 1 << 20;

/// What is known of the room under a database.
pub(crate) struct Room {
    database: PathBuf,
    log: PathBuf,
    reserve_bytes: u64,
    /// Pages of the database that hold nothing.
    reusable_bytes: AtomicU64,
    /// What the database grows by when the log is copied.
    owed_bytes: AtomicU64,
    /// What is had back when the log is emptied.
    log_bytes: AtomicU64,
    /// Somebody was refused who would not have been, were the log empty.
    wanted: AtomicBool,
}

/// What the writer saw.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "units stand last")]
pub(crate) struct View {
    pub(crate) free_bytes: u64,
    log_bytes: u64,
    reserve_bytes: u64,
}

impl View {
    /// So little is left that each commit counts.
    pub(crate) fn is_short(&self) -> bool {
        self.free_bytes < self.reserve_bytes.saturating_mul(2)
    }

    pub(crate) fn log_is_long(&self) -> bool {
        self.log_bytes > self.free_bytes / LOG_SHARE_OF_ROOM
    }

    pub(crate) fn log_is_empty(&self) -> bool {
        self.log_bytes == 0
    }

    /// How many changes may go into one group, so that it fits whatever they do.
    pub(crate) fn group_limit(&self, most: usize) -> usize {
        let fits = self.free_bytes / LOG_SHARE_OF_ROOM / CHANGE_BYTES;
        usize::try_from(fits).unwrap_or(most).clamp(1, most)
    }
}

impl Room {
    pub(crate) fn new(database: &Path, reserve_bytes: u64) -> Self {
        Self {
            database: database.to_path_buf(),
            log: beside(database, "-wal"),
            reserve_bytes,
            reusable_bytes: AtomicU64::new(0),
            owed_bytes: AtomicU64::new(0),
            log_bytes: AtomicU64::new(0),
            wanted: AtomicBool::new(false),
        }
    }

    fn directory(&self) -> &Path {
        self.database.parent().unwrap_or(&self.database)
    }

    pub(crate) fn reserve_bytes(&self) -> u64 {
        self.reserve_bytes
    }

    /// How much the file system still takes; `None` if it does not say.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        let status = rustix::fs::statvfs(self.directory()).ok()?;
        Some(status.f_bavail.saturating_mul(status.f_frsize))
    }

    pub(crate) fn full(&self) -> Error {
        Error::Full { path: self.directory().to_path_buf() }
    }

    /// Whether something may be added when the file system takes so much.
    fn suffices(&self, free_bytes: u64) -> bool {
        let left = free_bytes.saturating_sub(self.owed_bytes.load(Relaxed));
        let with_reusable = left.saturating_add(self.reusable_bytes.load(Relaxed));
        left >= self.reserve_bytes / 2 && with_reusable >= self.reserve_bytes
    }

    /// Whether somebody has asked for the log's room since this was last called.
    pub(crate) fn take_wanted(&self) -> bool {
        self.wanted.load(Relaxed) && self.wanted.swap(false, Relaxed)
    }

    /// Looks at the disk, and where it is not large at the database too.
    pub(crate) fn look(&self, connection: &Connection, log_pages: u32) -> View {
        let free_bytes = self.free_bytes().unwrap_or(u64::MAX);
        let mut log_bytes = u64::from(log_pages) * PAGE_BYTES;
        let (mut owed, mut reusable) = (0, 0);
        if free_bytes / 2 < self.reserve_bytes.saturating_add(log_bytes) {
            let length = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
            let bytes = |pragma| pages(connection, pragma).saturating_mul(PAGE_BYTES);
            // The file keeps its length when the log in it is begun anew.
            log_bytes = length(&self.log);
            owed = bytes("PRAGMA page_count").saturating_sub(length(&self.database));
            reusable = bytes("PRAGMA freelist_count");
        }
        self.log_bytes.store(log_bytes, Relaxed);
        self.owed_bytes.store(owed, Relaxed);
        self.reusable_bytes.store(reusable, Relaxed);
        View { free_bytes, log_bytes, reserve_bytes: self.reserve_bytes }
    }
}

/// A number of pages that the database tells; 0 if it does not.
fn pages(connection: &Connection, pragma: &str) -> u64 {
    let count =
        connection.prepare_cached(pragma).and_then(|mut statement| statement.query_row([], |row| row.get(0)));
    count.map_or(0, |count: i64| u64::try_from(count).unwrap_or(0))
}

impl Metadata {
    /// [`Error::Full`] if there is no more room than the reserve that is kept for deletions.
    pub fn require_room(&self) -> Result<(), Error> {
        let room = self.room();
        let Some(free) = room.free_bytes() else { return Ok(()) };
        if room.suffices(free) {
            return Ok(());
        }
        let log_bytes = room.log_bytes.load(Relaxed);
        if log_bytes > 0 && room.suffices(free.saturating_add(log_bytes)) && !room.wanted.swap(true, Relaxed)
        {
            self.wake_writer();
        }
        Err(room.full())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESERVE: u64 = 16 << 20;

    fn room(reusable: u64, owed: u64) -> Room {
        let room = Room::new(Path::new("/"), RESERVE);
        room.reusable_bytes.store(reusable, Relaxed);
        room.owed_bytes.store(owed, Relaxed);
        room
    }

    #[test]
    fn free_pages_are_room_and_what_the_log_owes_is_not() {
        assert!(room(0, 0).suffices(RESERVE) && !room(0, 0).suffices(RESERVE - 1));
        assert!(room(RESERVE, 0).suffices(RESERVE / 2), "the database needs no more of the disk");
        assert!(!room(u64::MAX, 0).suffices(RESERVE / 2 - 1), "the log does");
        assert!(!room(0, 1).suffices(RESERVE));
    }

    #[test]
    fn groups_are_small_where_room_is() {
        let view = |free_bytes| View { free_bytes, log_bytes: 0, reserve_bytes: RESERVE };
        let limits = [0, 4 << 20, 32 << 20, 1 << 40].map(|free| view(free).group_limit(512));
        assert_eq!(limits, [1, 1, 8, 512]);
    }
}
