//! Walking everything that a site holds, checking what it can: for whoever compares it with the metadata.

use std::{
    fs::{self, ReadDir},
    io,
    path::PathBuf,
    sync::Arc,
    vec,
};

use nuee_base::BlobId;

use crate::{
    Error, Locator, Result, SegmentNumber,
    record::Header,
    scan::{Check, Found, Scan},
    segments::Segments,
};

/// A blob that a site holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredBlob {
    /// Its id.
    pub id: BlobId,
    /// Where it lies.
    pub locator: Locator,
    /// Its stored length in bytes.
    pub length: u64,
}

/// Every live blob of a site, in no order. Blobs of segments are checked to the last byte; what is damaged is told as an
/// error, and the walk goes on behind it. Blobs that come or go meanwhile may be told or not.
pub struct Blobs {
    segments: Arc<Segments>,
    numbers: vec::IntoIter<(SegmentNumber, u64)>,
    scan: Option<(SegmentNumber, Scan)>,
    shards: Option<ReadDir>,
    files: Option<ReadDir>,
    failed: Option<Error>,
}

impl Blobs {
    pub(crate) fn new(segments: Arc<Segments>) -> Self {
        let mut numbers: Vec<_> =
            segments.ledger().iter().map(|(number, entry)| (*number, entry.end)).collect();
        numbers.sort_unstable();
        let path = segments.directory.files();
        let (shards, failed) = match fs::read_dir(&path) {
            Ok(shards) => (Some(shards), None),
            Err(error) => (None, Some(Error::io("list", &path, error))),
        };
        Self { segments, numbers: numbers.into_iter(), scan: None, shards, files: None, failed }
    }

    /// The next blob of a segment; none when all segments are walked.
    fn next_record(&mut self) -> Result<Option<StoredBlob>> {
        loop {
            let Some((number, scan)) = &mut self.scan else {
                let Some((number, end)) = self.numbers.next() else { return Ok(None) };
                self.scan = match self.segments.file(number) {
                    Ok(file) => {
                        Some((number, Scan::new(&self.segments.disk, (number, file), Check::Bodies, 0..end)))
                    }
                    // Dropped since the walk began.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                    Err(error) => return Err(self.segments.failed("open", number, error)),
                };
                continue;
            };
            let number = *number;
            match scan.next() {
                Ok(Some(Found::Record { offset, header: Header::Blob { id, length, dead: false, .. } })) => {
                    let locator = Locator::segment(number, offset, length);
                    return Ok(Some(StoredBlob { id, locator, length: length.into() }));
                }
                Ok(Some(Found::Record { .. })) => {}
                Ok(Some(Found::Damage { from } | Found::Rest { from })) => {
                    return Err(self.segments.damaged(number, from, "no whole record where one should be"));
                }
                Ok(None) => self.scan = None,
                Err(error) => {
                    self.scan = None;
                    return Err(self.segments.failed("read", number, error));
                }
            }
        }
    }

    /// The next blob that has a file of its own.
    fn next_file(&mut self) -> Result<Option<StoredBlob>> {
        loop {
            let Some(files) = &mut self.files else {
                let Some(shard) = self.shards.as_mut().and_then(Iterator::next) else { return Ok(None) };
                let root = self.segments.directory.files();
                let path = shard.map_err(|error| Error::io("list", &root, error))?.path();
                self.files = Some(fs::read_dir(&path).map_err(|error| Error::io("list", &path, error))?);
                continue;
            };
            match files.next() {
                None => self.files = None,
                Some(entry) => {
                    let root = self.segments.directory.files();
                    let path = entry.map_err(|error| Error::io("list", &root, error))?.path();
                    if let Some(stored) = stored_file(path)? {
                        return Ok(Some(stored));
                    }
                }
            }
        }
    }
}

/// The blob in this file; none if it was deleted since it was listed.
fn stored_file(path: PathBuf) -> Result<Option<StoredBlob>> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Ok(id) = name.parse() else {
        return Err(Error::Damaged {
            path,
            offset: 0,
            detail: "a file that is not named after a blob".to_owned(),
        });
    };
    match fs::metadata(&path) {
        Ok(metadata) => {
            let length = metadata.len();
            Ok(Some(StoredBlob { id, locator: Locator::file(length), length }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("look at", &path, error)),
    }
}

impl Iterator for Blobs {
    type Item = Result<StoredBlob>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.failed.take() {
            return Some(Err(error));
        }
        match self.next_record() {
            Ok(None) => self.next_file().transpose(),
            result => result.transpose(),
        }
    }
}
