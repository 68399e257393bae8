//! Getting back the space of dead records.
//!
//! A segment that is half dead or more is emptied in three steps, the caller's transaction in the middle: `relocate`
//! copies what lives to the active segment, durably; the caller records the new locators; `drop_segment` removes the old
//! segment. Until that removal both copies can be read, and a deletion by the old locator reaches both.
//!
//! The site remembers what it copied for as long as it is open. If the caller dies before the removal, the segment is
//! back at the next start, all that lived in it lives, and it is a candidate again. So the caller
//!
//! - looks, for each blob that `relocate` tells, whether it has recorded a locator that is not the old one told now. Then
//!   that one is the blob's: it keeps its record, and deletes the new copy, to which nothing refers;
//! - deletes a blob both where it recorded that the blob is and where the blob was first, if these differ: the second may
//!   be in a segment that is back;
//! - calls `sync_deletions` before it forgets that something was to be deleted.

use std::{
    fs::File,
    io,
    ops::Range,
    sync::{Arc, PoisonError},
};

use bytes::Bytes;
use nuee_base::BlobId;
use rustix::fs::{Advice, fadvise};
use tokio::sync::oneshot;

use crate::{
    Error, Locator, Result, SegmentNumber,
    append::Appender,
    record::{Header, footprint_bytes},
    scan::{Check, Found, Scan},
    segments::Segments,
};

/// A segment is worth emptying when at least this much of it is dead.
const DEAD_PERCENT: u64 = 50;
/// How much a relocation has in flight.
const STEP_BYTES: u64 = 4 << 20;
/// How many headers are looked at before deletions get their turn.
const HEADERS_PER_TURN: usize = 256;

/// A copy that is on its way.
struct Copy {
    id: BlobId,
    old: Locator,
    answer: oneshot::Receiver<Result<Locator>>,
}

/// A blob that was moved: its id, where it was, where it is.
type Moved = (BlobId, Locator, Locator);

/// The closed segment with the largest dead part, if that part is worth the work.
pub(crate) fn candidate(segments: &Segments) -> Option<SegmentNumber> {
    let ledger = segments.ledger();
    let worth = ledger.iter().filter(|(_, entry)| {
        let dead_enough = entry.dead.saturating_mul(100) >= entry.end.saturating_mul(DEAD_PERCENT);
        entry.closed && entry.counted() && entry.trouble.is_none() && dead_enough
    });
    worth
        .max_by_key(|(_, entry)| entry.dead.saturating_mul(1_000) / entry.end.max(1))
        .map(|(number, _)| *number)
}

/// Counts the dead records of one segment of an earlier run. None when every segment is counted that can be.
pub(crate) fn count_next(segments: &Segments) -> Option<SegmentNumber> {
    let next = segments
        .ledger()
        .iter()
        .find(|(_, entry)| !entry.counted() && entry.trouble.is_none())
        .map(|(number, entry)| (*number, *entry));
    let (number, entry) = next?;
    match count(segments, number, entry.counted_to..entry.end) {
        Ok(()) => segments.remove_if_dead(number),
        Err(error) => segments.skip(number, &error),
    }
    Some(number)
}

/// On a descriptor of its own, on which nothing is read ahead: of long records only the headers are wanted.
fn count(segments: &Segments, number: SegmentNumber, range: Range<u64>) -> Result<()> {
    let path = segments.directory.segment(number);
    let file = match File::open(&path) {
        // Its last blob was deleted meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !segments.ledger().contains_key(&number) => {
            return Ok(());
        }
        file => file.map_err(|error| segments.failed("open", number, error))?,
    };
    if let Err(error) = fadvise(&file, 0, None, Advice::Random) {
        tracing::debug!(%error, "more will be read than is needed");
    }
    let mut scan = Scan::new(&segments.disk, (number, Arc::new(file)), Check::Headers, range);
    while count_some(segments, number, &mut scan)? {}
    tracing::debug!(segment = %number, read_bytes = scan.read_bytes(), "counted what is dead in a segment");
    Ok(())
}

/// Counts some records; deletions wait meanwhile, so that each dead record is counted once. True while there are more.
fn count_some(segments: &Segments, number: SegmentNumber, scan: &mut Scan) -> Result<bool> {
    let _marking = segments.marking.lock().unwrap_or_else(PoisonError::into_inner);
    let mut dead_bytes = 0;
    let mut more = true;
    for _ in 0..HEADERS_PER_TURN {
        match scan.next().map_err(|error| segments.failed("read", number, error))? {
            Some(Found::Record { header, .. }) => dead_bytes += header.dead_bytes(),
            Some(Found::Damage { from } | Found::Rest { from }) => {
                return Err(segments.damaged(number, from, "no record where one should be"));
            }
            None => {
                more = false;
                break;
            }
        }
    }
    if let Some(entry) = segments.ledger().get_mut(&number) {
        entry.dead += dead_bytes;
        entry.counted_to = scan.offset();
    }
    Ok(more)
}

/// Copies every live record of a closed segment to the active one, durably.
pub(crate) fn relocate(
    segments: &Segments,
    appender: &Appender,
    number: SegmentNumber,
) -> Result<Vec<Moved>> {
    let entry = segments.ledger().get(&number).copied();
    let Some(entry) = entry.filter(|entry| entry.closed) else { return Ok(Vec::new()) };
    if entry.relocated {
        return Ok(relocated_before(segments, number));
    }
    let mut moved = Vec::new();
    let copied = copy_all(segments, appender, (number, entry.end), &mut moved);
    if let Err(error) = copied {
        for (id, _, new) in moved {
            forget(segments, id, &new);
        }
        segments.moved().retain(|(segment, _), _| *segment != number);
        return Err(error);
    }
    if let Some(entry) = segments.ledger().get_mut(&number) {
        entry.relocated = true;
    }
    Ok(moved)
}

/// What an earlier relocation told, without what was deleted since: its caller did not get as far as the drop.
fn relocated_before(segments: &Segments, number: SegmentNumber) -> Vec<Moved> {
    let moved = segments.moved();
    let of_segment = moved.iter().filter(|((segment, _), _)| *segment == number);
    let told = of_segment.map(|((segment, offset), (id, new))| {
        let length = u32::try_from(new.length()).unwrap_or(u32::MAX);
        (*id, Locator::segment(*segment, *offset, length), *new)
    });
    told.collect()
}

fn copy_all(
    segments: &Segments,
    appender: &Appender,
    (number, end): (SegmentNumber, u64),
    moved: &mut Vec<Moved>,
) -> Result<()> {
    let unreadable = |action, error| {
        let error = segments.failed(action, number, error);
        segments.skip(number, &error);
        error
    };
    let file = segments.file(number).map_err(|error| unreadable("open", error))?;
    let mut scan = Scan::new(&segments.disk, (number, file), Check::Bodies, 0..end);
    let mut copies = Vec::new();
    let mut bytes = 0;
    loop {
        let read = |error| unreadable("read", error);
        let found = match scan.next().map_err(read) {
            Ok(Some(Found::Damage { from } | Found::Rest { from })) => {
                Err(segments.damaged(number, from, "no whole record where one should be"))
            }
            found => found,
        };
        if let Ok(Some(Found::Record { offset, header: Header::Blob { id, length, dead: false, .. } })) =
            found
        {
            let body = Bytes::copy_from_slice(scan.body(offset, length).map_err(read)?);
            let old = Locator::segment(number, offset, length);
            copies.push(Copy { id, old, answer: appender.relocate(id, body, length)? });
            bytes += footprint_bytes(length);
        }
        if bytes >= STEP_BYTES || !matches!(found, Ok(Some(_))) {
            settle(segments, std::mem::take(&mut copies), moved)?;
            bytes = 0;
        }
        if found?.is_none() {
            return Ok(());
        }
    }
}

/// Waits for copies to be durable, and lets deletions know where they are. What was deleted meanwhile dies in the copy
/// too.
fn settle(segments: &Segments, copies: Vec<Copy>, moved: &mut Vec<Moved>) -> Result<()> {
    let mut failed = None;
    for Copy { id, old, answer } in copies {
        let new = match answer.blocking_recv().unwrap_or(Err(Error::Closed)) {
            Ok(new) => new,
            Err(error) => {
                failed = Some(error);
                continue;
            }
        };
        let crate::locator::Place::Segment { segment, offset, .. } = old.place() else { continue };
        segments.moved().insert((segment, offset), (id, new));
        // From here on a deletion finds the copy. One that came before has left its mark in the old record.
        let dead = segments.is_dead(segment, offset).inspect_err(|error| segments.skip(segment, error))?;
        if dead {
            segments.moved().remove(&(segment, offset));
            forget(segments, id, &new);
        } else {
            moved.push((id, old, new));
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Marks a copy dead that nobody will refer to. Failing loses its space and nothing else.
fn forget(segments: &Segments, id: BlobId, copy: &Locator) {
    let crate::locator::Place::Segment { segment, offset, .. } = copy.place() else { return };
    if let Err(error) = segments.delete(id, segment, offset) {
        tracing::warn!(%error, blob = %id, "a needless copy of a blob stays");
    }
}

/// Removes a segment whose live records were relocated. One that is gone already is fine.
pub(crate) fn drop_segment(segments: &Segments, number: SegmentNumber) -> Result<()> {
    match segments.ledger().get(&number) {
        None => return Ok(()),
        Some(entry) if !entry.relocated => return Err(Error::StillLive(number)),
        Some(_) => {}
    }
    segments.remove(number)
}
