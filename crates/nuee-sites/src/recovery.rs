//! Finding the segments when a site is opened.
//!
//! A segment that ends with the record that says so is taken as it is, unread: a site opens as fast with a hundred
//! segments as with one. The few that a crash left open are walked byte by byte: what follows their last whole record
//! was never acknowledged and is cut off, and they are closed. Nothing is ever appended to a segment of an earlier run.
//!
//! A power cut may keep the second record of a group and tear the first. Then nobody in that group was answered, for
//! the sync had not returned; but every group before it was durable when it began. So what is no record behind the
//! start of the last group is a gap that is filled with a void, and what is none before it is damage.

use std::{
    fs::{self, File, OpenOptions},
    io,
    ops::Range,
    sync::Arc,
};

use crate::{
    Error, Result, SegmentNumber,
    directory::segment_number,
    record::{HEADER_BYTES, Header, Position},
    scan::{Check, Found, Scan},
    segments::{Entry, Segments, Trouble},
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
    let walked = match closed_end(segments, number, &file, length) {
        Ok(Some(end)) => return Ok(Some(Entry::closed_earlier(end))),
        Ok(None) => walk(segments, number, &file, length),
        Err(error) => Err(error),
    };
    let Walked { mut entry, gaps } = match walked {
        Ok(walked) => walked,
        Err(error) => return Ok(Some(unreadable(segments, number, length, error))),
    };
    if entry.end == 0 {
        // Made ahead of need, and never used.
        segments.remove(number)?;
        return Ok(None);
    }
    tracing::info!(segment = %number, end = entry.end, "closed a segment that was open when the site stopped");
    if let Err(error) = fill(segments, number, &file, &gaps) {
        tracing::warn!(%error, "the segment is not repaired; the next start will look at it again");
        entry.trouble = Some(Trouble::Damaged);
        return Ok(Some(entry));
    }
    entry.dead += gaps.iter().map(|gap| gap.end - gap.start).sum::<u64>();
    if let Err(error) = write_end(segments, number, &file, entry.end) {
        tracing::warn!(%error, "the segment stays open; the next start will look at it again");
    }
    Ok(Some(entry))
}

/// A segment that cannot be read keeps nobody from the others: what of it can be read is served, and it is left as it is.
fn unreadable(segments: &Segments, number: SegmentNumber, length: u64, error: io::Error) -> Entry {
    let error = segments.failed("read", number, error);
    tracing::error!(%error, segment = %number, "a segment cannot be read; restore it from a copy");
    Entry { trouble: Some(Trouble::Damaged), ..Entry::closed_earlier(length) }
}

/// Where the records of a closed segment end.
fn closed_end(
    segments: &Segments,
    segment: SegmentNumber,
    file: &File,
    length: u64,
) -> io::Result<Option<u64>> {
    let Some(offset) = length.checked_sub(HEADER_BYTES as u64) else { return Ok(None) };
    let mut bytes = [0; HEADER_BYTES];
    let read = segments.disk.read_at(file, &mut bytes, offset)?;
    let header = Header::decode(&bytes[..read], Position { segment, offset });
    Ok((header == Some(Header::End)).then_some(offset))
}

/// What a walk through a segment that a crash left open has met.
struct Walked {
    entry: Entry,
    /// Where a group was torn that nobody was told of.
    gaps: Vec<Range<u64>>,
}

fn walk(segments: &Segments, number: SegmentNumber, file: &Arc<File>, length: u64) -> io::Result<Walked> {
    let mut entry = Entry { closed: true, ..Entry::active() };
    let mut scan = Scan::new(&segments.disk, (number, file.clone()), Check::Bodies, 0..length);
    let (mut gaps, mut last_group) = (Vec::new(), None);
    while let Some(found) = scan.next()? {
        match found {
            Found::Record { header, .. } => {
                entry.dead += header.dead_bytes();
                if let Header::Blob { group, .. } = header {
                    last_group = group;
                }
            }
            Found::Damage { from } => gaps.push(from..scan.offset()),
            Found::Rest { .. } => {}
        }
    }
    entry.end = scan.offset();
    // A segment is ended when all of it is durable: then no gap is that of a torn group.
    let last_group = last_group.filter(|_| !scan.ended());
    let torn = |gap: &Range<u64>| {
        last_group.is_some_and(|start| gap.start >= start) && gap.end - gap.start >= HEADER_BYTES as u64
    };
    for gap in gaps.iter().filter(|gap| !torn(gap)) {
        tracing::error!(segment = %number, offset = gap.start, "bytes of a segment are damaged");
        entry.trouble = Some(Trouble::Damaged);
    }
    gaps.retain(torn);
    Ok(Walked { entry, gaps })
}

/// Fills gaps with voids, durably: the segment must not be ended before, or a power cut could leave it ended with a gap.
fn fill(segments: &Segments, number: SegmentNumber, file: &File, gaps: &[Range<u64>]) -> Result<()> {
    if gaps.is_empty() {
        return Ok(());
    }
    for gap in gaps {
        let body_bytes = gap.end - gap.start - HEADER_BYTES as u64;
        let header = Header::Void { length: u32::try_from(body_bytes).unwrap_or(u32::MAX) };
        let header = header.encode(Position { segment: number, offset: gap.start });
        let written = segments.disk.write_at(file, &header, gap.start);
        written.map_err(|error| segments.failed("repair", number, error))?;
        tracing::info!(segment = %number, offset = gap.start, "a blob that nobody was told of was cut short");
    }
    segments.disk.sync_data(file).map_err(|error| segments.failed("sync", number, error))
}
