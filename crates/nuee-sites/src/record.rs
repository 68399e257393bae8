//! The record of a small blob in a segment, version 1.
//!
//! ```text
//!  0  magic "NuBl"            16  checksum of the body
//!  4  version, 1              20  blob id
//!  5  kind: 1 blob, 2 end,    36  checksum of this header
//!     3 void                  40  body, then zeros up to a multiple of 8
//!  6  dead: 0xDD when deleted
//!  7  a zero
//!  8  length of the body
//! 12  distance to the start of the group, in eighths and plus one; zero where it is not known
//! ```
//!
//! Checksums are CRC-32C, numbers little-endian. The header's checksum covers the number of the segment and the offset
//! of the record too, so that bytes left by another file, or the body of a blob, are never taken for a record. It
//! leaves out the `dead` byte, which is the one thing that changes after the record was written. A record of kind `end`
//! has no body, and is the last thing in a segment that was closed. One of kind `void` covers bytes that never became
//! records (`recovery`): nobody was told of them, and its body means nothing.
//!
//! A group is what was appended with one sync. Where it began tells which records were durable before it: all that stand
//! in front of it, and of its own any or none.

use crc_fast::{CrcAlgorithm, checksum};
use nuee_base::BlobId;

use crate::SegmentNumber;

/// The length of a record's header, and of the record that ends a segment.
pub(crate) const HEADER_BYTES: usize = 40;
/// Records begin at multiples of this.
pub(crate) const ALIGNMENT: usize = 8;
/// Where in the header a record is marked dead.
pub(crate) const DEAD_OFFSET: u64 = 6;
/// The mark of a dead record. Any other value means live: when in doubt a blob is kept.
pub(crate) const DEAD: u8 = 0xDD;

const MAGIC: [u8; 4] = *b"NuBl";
const VERSION: u8 = 1;
const KIND_BLOB: u8 = 1;
const KIND_END: u8 = 2;
const KIND_VOID: u8 = 3;
const SUMMED_BYTES: usize = 36;

/// What the header of a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    /// A blob follows. `group` is the offset at which its group begins, if that is known.
    Blob { id: BlobId, length: u32, body_checksum: u32, group: Option<u64>, dead: bool },
    /// Bytes without a meaning follow.
    Void { length: u32 },
    /// The segment ends here.
    End,
}

/// Where a record lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    pub(crate) segment: SegmentNumber,
    pub(crate) offset: u64,
}

impl Header {
    /// How many bytes of the segment this record takes without use.
    pub(crate) fn dead_bytes(&self) -> u64 {
        match self {
            Self::Blob { length, dead: true, .. } | Self::Void { length } => footprint_bytes(*length),
            Self::Blob { .. } | Self::End => 0,
        }
    }

    /// The header's bytes, as they stand at `position`.
    pub(crate) fn encode(self, position: Position) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = VERSION;
        match self {
            Self::Blob { id, length, body_checksum, group, dead } => {
                bytes[5] = KIND_BLOB;
                bytes[6] = if dead { DEAD } else { 0 };
                bytes[8..12].copy_from_slice(&length.to_le_bytes());
                bytes[12..16].copy_from_slice(&distance(group, position.offset).to_le_bytes());
                bytes[16..20].copy_from_slice(&body_checksum.to_le_bytes());
                bytes[20..36].copy_from_slice(&id.to_bytes());
            }
            Self::Void { length } => {
                bytes[5] = KIND_VOID;
                bytes[8..12].copy_from_slice(&length.to_le_bytes());
            }
            Self::End => bytes[5] = KIND_END,
        }
        let sum = header_checksum(&bytes, position);
        bytes[SUMMED_BYTES..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// What these bytes say, if they are a header that was written at `position`.
    pub(crate) fn decode(bytes: &[u8], position: Position) -> Option<Self> {
        let bytes: &[u8; HEADER_BYTES] = bytes.get(..HEADER_BYTES)?.try_into().ok()?;
        if !begins_record(bytes) || bytes[4] != VERSION {
            return None;
        }
        if header_checksum(bytes, position).to_le_bytes() != bytes[SUMMED_BYTES..] {
            return None;
        }
        let number = |at: usize| Some(u32::from_le_bytes(bytes[at..at + 4].try_into().ok()?));
        match bytes[5] {
            KIND_BLOB => Some(Self::Blob {
                id: BlobId::from_bytes(bytes[20..36].try_into().ok()?),
                length: number(8)?,
                body_checksum: number(16)?,
                group: group_start(number(12)?, position.offset),
                dead: bytes[6] == DEAD,
            }),
            KIND_VOID => Some(Self::Void { length: number(8)? }),
            KIND_END => Some(Self::End),
            _ => None,
        }
    }
}

/// How far back the group of a record begins, as its header says it.
fn distance(group: Option<u64>, offset: u64) -> u32 {
    let back = group.and_then(|group| offset.checked_sub(group)).map(|bytes| bytes / ALIGNMENT as u64 + 1);
    back.and_then(|back| u32::try_from(back).ok()).unwrap_or(0)
}

/// Where the group of a record begins, of which the header says this.
fn group_start(distance: u32, offset: u64) -> Option<u64> {
    let back = u64::from(distance.checked_sub(1)?) * ALIGNMENT as u64;
    offset.checked_sub(back)
}

/// Whether these bytes may be the beginning of a record: a cheap test before the checksum.
pub(crate) fn begins_record(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// The checksum of a body.
pub(crate) fn body_checksum(body: &[u8]) -> u32 {
    crc32c(body)
}

/// How many bytes a record with a body of `length` bytes takes in its segment.
pub(crate) fn footprint_bytes(length: u32) -> u64 {
    (HEADER_BYTES as u64 + u64::from(length)).next_multiple_of(ALIGNMENT as u64)
}

fn header_checksum(header: &[u8; HEADER_BYTES], position: Position) -> u32 {
    let mut summed = [0; SUMMED_BYTES + 16];
    summed[..SUMMED_BYTES].copy_from_slice(&header[..SUMMED_BYTES]);
    summed[6] = 0;
    summed[SUMMED_BYTES..SUMMED_BYTES + 8].copy_from_slice(&position.segment.0.to_le_bytes());
    summed[SUMMED_BYTES + 8..].copy_from_slice(&position.offset.to_le_bytes());
    crc32c(&summed)
}

#[expect(clippy::cast_possible_truncation, reason = "a CRC of 32 bits")]
fn crc32c(bytes: &[u8]) -> u32 {
    checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Position = Position { segment: SegmentNumber(3), offset: 4_096 };

    fn header(dead: bool) -> Header {
        let (id, group) = (BlobId::from_bytes([7; 16]), Some(1_024));
        Header::Blob { id, length: 4_304, body_checksum: 0xDEAD_BEEF, group, dead }
    }

    #[test]
    fn the_checksum_is_crc_32c() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283, "the check value of RFC 3720");
    }

    #[test]
    fn a_header_is_read_where_it_was_written_and_nowhere_else() {
        let bytes = header(false).encode(HERE);
        assert_eq!(Header::decode(&bytes, HERE), Some(header(false)));
        assert_eq!(Header::decode(&bytes, Position { offset: 8, ..HERE }), None);
        assert_eq!(Header::decode(&bytes, Position { segment: SegmentNumber(4), ..HERE }), None);
        assert_eq!(Header::decode(&bytes[..39], HERE), None);
    }

    #[test]
    fn the_start_of_a_group_is_kept_wherever_it_is() {
        for (offset, group, kept) in [
            (0, Some(0), Some(0)),
            (4_096, Some(4_096), Some(4_096)),
            (1 << 40, Some((1 << 40) - (5 << 20)), Some((1 << 40) - (5 << 20))),
            (4_096, None, None),
            (1 << 40, Some(0), None),
        ] {
            let here = Position { offset, ..HERE };
            let Header::Blob { id, length, body_checksum, .. } = header(false) else { unreachable!() };
            let written = Header::Blob { id, length, body_checksum, group, dead: false };
            let read = Header::decode(&written.encode(here), here);
            assert_eq!(read, Some(Header::Blob { id, length, body_checksum, group: kept, dead: false }));
        }
    }

    #[test]
    fn only_the_dead_mark_may_change() {
        let bytes = header(false).encode(HERE);
        for bit in 0..HEADER_BYTES * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            let expected = (bit / 8 == 6).then_some(header(false));
            assert_eq!(Header::decode(&changed, HERE), expected, "bit {bit}");
        }
        let mut dead = bytes;
        dead[6] = DEAD;
        assert_eq!(Header::decode(&dead, HERE), Some(header(true)));
    }
}
