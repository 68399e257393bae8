//! Ballast: a file that holds room on a disk that fills up, and is removed when a write finds none.
//!
//! The reserve that [`crate::room`] keeps is a number, and somebody else, or a change larger than any before, may take
//! it. Without a block free, the log could neither be emptied nor its index be made at the next start, and no deletion
//! could begin. With the ballast thrown off, both can.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::FallocateFlags;

/// The file beside a database, there or not.
pub(crate) struct Ballast {
    path: PathBuf,
    size_bytes: u64,
    held: bool,
    /// The file system reserves no room for files.
    unsupported: bool,
}

impl Ballast {
    /// The ballast of a database, as an earlier process left it.
    pub(crate) fn find(database: &Path, size_bytes: u64) -> Self {
        let path = beside(database, "-ballast");
        let held = path.exists();
        Self { path, size_bytes, held, unsupported: false }
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Takes room, if none is held.
    pub(crate) fn take(&mut self) {
        if self.held || self.unsupported || self.size_bytes == 0 {
            return;
        }
        match self.create() {
            Ok(()) => self.held = true,
            Err(error) => {
                tracing::debug!(%error, path = %self.path.display(), "no room is held for a full disk");
                self.unsupported = error.kind() == io::ErrorKind::Unsupported;
                // What was created in part holds nothing that is needed.
                let _ = fs::remove_file(&self.path);
            }
        }
    }

    fn create(&self) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let file = options.create(true).write(true).truncate(true).mode(0o600).open(&self.path)?;
        Ok(rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, self.size_bytes)?)
    }

    /// Gives the room back; `false` if none was held.
    pub(crate) fn release(&mut self) -> bool {
        if !self.held {
            return false;
        }
        self.held = false;
        match fs::remove_file(&self.path) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, path = %self.path.display(), "room held for a full disk was not given back");
                false
            }
        }
    }
}

/// A file that belongs to the database.
pub(crate) fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
