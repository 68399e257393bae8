//! The segments that are open: one shared descriptor each, and a bound on their number.
//!
//! Reading a blob takes one of these for the time of a look-up in a map under a lock that readers share. A descriptor
//! that is put out lives on in the readers that hold it.

use std::{
    collections::HashMap,
    fs::File,
    io,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::SegmentNumber;

/// Open segments, the least recently used of which make room for others.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    maximum: usize,
    opened: AtomicU64,
    files: RwLock<HashMap<SegmentNumber, OpenFile>>,
}

#[derive(Debug)]
struct OpenFile {
    file: Arc<File>,
    /// How many files had been opened when this one was last used: coarse, but nobody contends for it.
    used: AtomicU64,
}

impl OpenFiles {
    /// At most `maximum` open files.
    pub(crate) fn new(maximum: usize) -> Self {
        Self { maximum, opened: AtomicU64::new(0), files: RwLock::default() }
    }

    /// The file of a segment; `open` is called if it is not open.
    pub(crate) fn get(
        &self,
        number: SegmentNumber,
        open: impl FnOnce() -> io::Result<File>,
    ) -> io::Result<Arc<File>> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = files.get(&number) {
            open.used.store(self.opened.load(Ordering::Relaxed), Ordering::Relaxed);
            return Ok(open.file.clone());
        }
        drop(files);
        let file = Arc::new(open()?);
        self.insert(number, file.clone());
        Ok(file)
    }

    /// Adds an open file.
    pub(crate) fn insert(&self, number: SegmentNumber, file: Arc<File>) {
        let used = AtomicU64::new(self.opened.fetch_add(1, Ordering::Relaxed) + 1);
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        if files.len() >= self.maximum {
            let oldest = files.iter().min_by_key(|(_, open)| open.used.load(Ordering::Relaxed));
            if let Some(number) = oldest.map(|(number, _)| *number) {
                files.remove(&number);
            }
        }
        files.insert(number, OpenFile { file, used });
    }

    /// Forgets the file of a segment.
    pub(crate) fn remove(&self, number: SegmentNumber) {
        self.files.write().unwrap_or_else(PoisonError::into_inner).remove(&number);
    }
}
