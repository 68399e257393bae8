//! Reading a blob: from the page cache at once, or from the disk by waiting.

use std::{fs::File, io, io::IoSliceMut, os::unix::fs::FileExt, path::PathBuf, sync::Arc};

use nuee_base::BlobId;
use rustix::io::{Errno, ReadWriteFlags, preadv2};

use crate::{Error, Result, SegmentNumber};

/// An open blob. It stays readable for as long as this lives, whatever is deleted or compacted meanwhile.
#[derive(Debug, Clone)]
pub struct BlobReader {
    file: Arc<File>,
    id: BlobId,
    segment: Option<SegmentNumber>,
    start: u64,
    length: u64,
}

impl BlobReader {
    pub(crate) fn new(
        file: Arc<File>,
        id: BlobId,
        segment: Option<SegmentNumber>,
        start: u64,
        length: u64,
    ) -> Self {
        Self { file, id, segment, start, length }
    }

    /// The blob's stored length in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Fills `buffer` with the bytes at `offset`, if all of them are in the page cache. Never waits for the disk, so it
    /// may be called where waiting is forbidden. False means: call [`read_at`](Self::read_at) where waiting is
    /// allowed; `buffer` then holds nothing of meaning.
    pub fn read_cached(&self, offset: u64, buffer: &mut [u8]) -> Result<bool> {
        self.check_range(offset, buffer.len())?;
        let wanted = buffer.len();
        let slices = &mut [IoSliceMut::new(buffer)];
        match preadv2(&*self.file, slices, self.start + offset, ReadWriteFlags::NOWAIT) {
            Ok(read) => Ok(read == wanted),
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INTR) => Ok(false),
            Err(error) => Err(self.failed(offset, error.into())),
        }
    }

    /// Fills `buffer` with the bytes at `offset`, waiting for the disk if need be.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.check_range(offset, buffer.len())?;
        self.file.read_exact_at(buffer, self.start + offset).map_err(|error| self.failed(offset, error))
    }

    fn check_range(&self, offset: u64, length: usize) -> Result<()> {
        match offset.checked_add(length as u64) {
            Some(end) if end <= self.length => Ok(()),
            end => Err(Error::OutOfRange { offset, end: end.unwrap_or(u64::MAX), length: self.length }),
        }
    }

    fn failed(&self, offset: u64, error: io::Error) -> Error {
        let path = match self.segment {
            Some(segment) => PathBuf::from(format!("segments/{segment}.segment")),
            None => crate::directory::shard(self.id).join(self.id.to_string()),
        };
        if error.kind() == io::ErrorKind::UnexpectedEof {
            let detail = format!("the file ends within blob {}", self.id);
            return Error::Damaged { path, offset: self.start + offset, detail };
        }
        Error::io("read", &path, error)
    }
}
