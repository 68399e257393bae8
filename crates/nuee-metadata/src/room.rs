//! Room on the disk under the database.
//!
//! Deletions need room too: they go to the write-ahead log and the journal before anything is given back. So whoever adds
//! something asks first whether the reserve is untouched ([`Metadata::require_room`]), and as the disk fills, the log is
//! kept short, for what is in it needs its room a second time when it is copied into the database.

use std::path::Path;

use crate::{Error, Metadata};

/// The size of a page of the database, in bytes.
const PAGE_BYTES: u64 = 4_096;
/// The write-ahead log takes at most this part of the room that is left, before it is emptied.
const LOG_SHARE_OF_ROOM: u64 = 4;

impl Metadata {
    /// [`Error::Full`] if the disk has no more room than the reserve that is kept for deletions.
    pub fn require_room(&self) -> Result<(), Error> {
        let path = self.path();
        let directory = path.parent().unwrap_or(path);
        match free_bytes(directory) {
            Some(free) if free < self.free_space_reserve_bytes() => {
                Err(Error::Full { path: directory.to_path_buf() })
            }
            _ => Ok(()),
        }
    }
}

/// Whether a log of so many pages is too long for the room that is left around it.
pub(crate) fn is_short_for(log_pages: u32, database: &Path) -> bool {
    let log_bytes = u64::from(log_pages) * PAGE_BYTES;
    let directory = database.parent().unwrap_or(database);
    free_bytes(directory).is_some_and(|free| log_bytes > free / LOG_SHARE_OF_ROOM)
}

/// How much the file system still takes; `None` if it does not say.
fn free_bytes(path: &Path) -> Option<u64> {
    let status = rustix::fs::statvfs(path).ok()?;
    Some(status.f_bavail.saturating_mul(status.f_frsize))
}
