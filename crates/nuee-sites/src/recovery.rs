//! Finding the segments when a site is opened.
//!
//! A segment that ends with the record that says so is taken as it is, unread: a site opens as fast with a hundred
//! segments as with one. The few that a crash left open are walked byte by byte: what follows their last whole record
//! was never acknowledged and is cut off, and they are closed. Nothing is ever appended to a segment of an earlier run.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::FileExt,
    sync::Arc,
};

use crate::{
    Error, Result, SegmentNumber,
    directory::segment_number,
    record::{HEADER_BYTES, Header, Position, footprint_bytes},
    scan::{Check, Found, Scan},
    segments::{Entry, Segments},
    workshop::write_end,
};

/// Fills the ledger of segments from the directory.
pub(crate) fn find_segments(segments: &Segments) -> Result<()> {
    let directory = segments.directory.segments();
    let listing = fs::read_dir(directory).map_err(|error| Error::io("list", directory, error))?;
    for entry in listing {
        let path = entry.map_err(|error| Error::io("list", directory, error))?.path();
        let Some(number) = segment_number(&path) else {
            tracing::warn!(path = %path.display(), "not the name of a segment; left alone");
            continue;
        };
        if let Some(entry) = examine(segments, number)? {
            segments.ledger().insert(number, entry);
        }
    }
    Ok(())
}

fn examine(segments: &Segments, number: SegmentNumber) -> Result<Option<Entry>> {
    let path = segments.directory.segment(number);
    let file = OpenOptions::new().read(true).write(true).open(&path);
    let file = Arc::new(file.map_err(|error| Error::io("open", &path, error))?);
    let length = file.metadata().map_err(|error| Error::io("look at", &path, error))?.len();
    if let Some(end) = closed_end(&file, number, length) {
        return Ok(Some(Entry::closed_earlier(end)));
    }
    let entry = walk(segments, number, &file, length)?;
    if entry.end == 0 {
        // Made ahead of need, and never used.
        segments.remove(number)?;
        return Ok(None);
    }
    tracing::info!(segment = %number, end = entry.end, "closed a segment that was open when the site stopped");
    if let Err(error) = write_end(segments, number, &file, entry.end) {
        tracing::warn!(%error, "the segment stays open; the next start will look at it again");
    }
    Ok(Some(entry))
}

/// Where the records of a closed segment end.
fn closed_end(file: &File, segment: SegmentNumber, length: u64) -> Option<u64> {
    let offset = length.checked_sub(HEADER_BYTES as u64)?;
    let mut bytes = [0; HEADER_BYTES];
    file.read_exact_at(&mut bytes, offset).ok()?;
    (Header::decode(&bytes, Position { segment, offset })? == Header::End).then_some(offset)
}

fn walk(segments: &Segments, number: SegmentNumber, file: &Arc<File>, length: u64) -> Result<Entry> {
    let mut entry = Entry { closed: true, ..Entry::active() };
    let mut scan = Scan::new(file.clone(), number, Check::Bodies, 0..length);
    while let Some(found) = scan.next().map_err(|error| segments.failed("read", number, error))? {
        match found {
            Found::Blob { header: Header::Blob { length, dead: true, .. }, .. } => {
                entry.dead += footprint_bytes(length);
            }
            Found::Blob { .. } | Found::Rest { .. } => {}
            Found::Damage { from } => {
                tracing::error!(segment = %number, offset = from, "bytes of a segment are damaged");
                entry.damaged = true;
            }
        }
    }
    entry.end = scan.offset();
    Ok(entry)
}
