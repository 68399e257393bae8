//! Every call that changes the disk passes here, so that tests can make any of them fail.
//!
//! Nothing here retries and nothing here decides; paths and meaning belong to the callers.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, IoSlice},
    os::unix::fs::FileExt,
    path::Path,
};

use rustix::{
    fs::{CWD, FallocateFlags, OFlags, RenameFlags, fcntl_getfl, fcntl_setfl},
    io::{Errno, pwritev},
};

use crate::{Options, direct::BLOCK_BYTES, faults::Operation};

/// The disk under a site.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    #[cfg(any(test, feature = "faults"))]
    faults: Option<crate::FaultPlan>,
}

impl Disk {
    /// The disk; where faults can be planned, with those that were.
    #[cfg(any(test, feature = "faults"))]
    pub(crate) fn new(options: &Options) -> Self {
        Self { faults: options.faults.clone() }
    }

    #[cfg(not(any(test, feature = "faults")))]
    pub(crate) fn new(_options: &Options) -> Self {
        Self {}
    }

    #[cfg(any(test, feature = "faults"))]
    fn call(&self, operation: Operation) -> io::Result<()> {
        self.faults.as_ref().map_or(Ok(()), |faults| faults.call(operation))
    }

    #[cfg(not(any(test, feature = "faults")))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the seam where tests put faults")]
    fn call(&self, _operation: Operation) -> io::Result<()> {
        Ok(())
    }

    /// Makes a file that must not exist, open for reading and writing.
    pub(crate) fn create_file(&self, path: &Path) -> io::Result<File> {
        self.call(Operation::CreateFile)?;
        OpenOptions::new().read(true).write(true).create_new(true).open(path)
    }

    /// Makes a directory; one that exists already is fine.
    pub(crate) fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.call(Operation::CreateDirectory)?;
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            result => result,
        }
    }

    /// Reserves `length` bytes for a file. False where the file system cannot.
    pub(crate) fn preallocate(&self, file: &File, length: u64) -> io::Result<bool> {
        self.call(Operation::Preallocate)?;
        match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, length) {
            Ok(()) => Ok(true),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads into `bytes` from `offset`, less where the file ends; returns how much.
    pub(crate) fn read_at(&self, file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.call(Operation::Read)?;
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(&mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Writes all of `bytes` at `offset`.
    pub(crate) fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        if let Err(error) = self.call(Operation::Write) {
            let half = bytes.len() / 2;
            let blocks = half / BLOCK_BYTES * BLOCK_BYTES;
            file.write_all_at(&bytes[..if blocks > 0 { blocks } else { half }], offset)?;
            return Err(error);
        }
        file.write_all_at(bytes, offset)
    }

    /// Has what is written to a file from now on go past the page cache, or through it again. An error where the file
    /// system knows no other way than the cache.
    #[expect(clippy::unused_self, reason = "whatever is done to the disk is done here")]
    pub(crate) fn set_direct(&self, file: &File, direct: bool) -> io::Result<()> {
        let mut flags = fcntl_getfl(file)?;
        flags.set(OFlags::DIRECT, direct);
        Ok(fcntl_setfl(file, flags)?)
    }

    /// Writes all of `slices`, one after the other, at `offset`.
    pub(crate) fn write_slices_at(
        &self,
        file: &File,
        mut slices: &mut [IoSlice<'_>],
        mut offset: u64,
    ) -> io::Result<()> {
        if let Err(error) = self.call(Operation::Write) {
            let half = slices.len() / 2;
            pwritev(file, &slices[..half], offset)?;
            return Err(error);
        }
        while !slices.is_empty() {
            match pwritev(file, slices, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    offset += written as u64;
                    IoSlice::advance_slices(&mut slices, written);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Makes a file's bytes, and what is needed to find them, durable. After an error the file must not be written or
    /// synced again: the kernel has dropped what it could not write, and would say that all is well.
    pub(crate) fn sync_data(&self, file: &File) -> io::Result<()> {
        self.call(Operation::SyncFile)?;
        file.sync_data()
    }

    /// As [`sync_data`](Self::sync_data), with everything else the file system knows about the file.
    pub(crate) fn sync_file(&self, file: &File) -> io::Result<()> {
        self.call(Operation::SyncFile)?;
        file.sync_all()
    }

    /// Makes the names in a directory durable.
    pub(crate) fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.call(Operation::SyncDirectory)?;
        File::open(path)?.sync_all()
    }

    /// Renames a file to a name that must not be taken.
    pub(crate) fn rename_to_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(Operation::Rename)?;
        match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // Some file systems cannot refuse to replace. Ids are unique, so looking first is enough there.
            Err(Errno::INVAL | Errno::NOSYS) if to.exists() => Err(io::ErrorKind::AlreadyExists.into()),
            Err(Errno::INVAL | Errno::NOSYS) => fs::rename(from, to),
            result => Ok(result?),
        }
    }

    /// Renames a file over whatever has that name.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(Operation::Rename)?;
        fs::rename(from, to)
    }

    /// Shortens a file.
    pub(crate) fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        self.call(Operation::Truncate)?;
        file.set_len(length)
    }

    /// Removes a file; one that is not there is fine.
    pub(crate) fn unlink(&self, path: &Path) -> io::Result<()> {
        self.call(Operation::Unlink)?;
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

/// Whether a tenth of the file system of `path` is free.
pub(crate) fn has_plenty(path: &Path) -> io::Result<bool> {
    let system = rustix::fs::statvfs(path)?;
    Ok(system.f_bavail >= system.f_blocks / 10)
}

/// How many bytes the file system of `path` still takes from this process.
pub(crate) fn free_bytes(path: &Path) -> io::Result<u64> {
    let system = rustix::fs::statvfs(path)?;
    Ok(system.f_bavail.saturating_mul(system.f_frsize))
}
