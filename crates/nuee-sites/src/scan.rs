//! Walking the records of a segment in order.
//!
//! Where a record should be and is not, the walk looks for the next one: bytes that went bad in the middle must not hide
//! the blobs after them. What is found in between is told as damage, never skipped in silence.

use std::{fs::File, io, sync::Arc};

use rustix::{
    fs::{SeekFrom, seek},
    io::Errno,
};

use crate::{
    SegmentNumber,
    disk::Disk,
    record::{ALIGNMENT, HEADER_BYTES, Header, Position, begins_record, body_checksum, footprint_bytes},
};

const HEADERS_WINDOW_BYTES: usize = 64 << 10;
/// What is read for one header where bodies are long, and from which length on they are.
const ONE_HEADER_BYTES: usize = 512;
const LONG_RECORD_BYTES: u64 = 16 << 10;
const BODIES_WINDOW_BYTES: usize = 1 << 20;

/// What a walk meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// A record: of a blob, dead or alive, or a void.
    Record { offset: u64, header: Header },
    /// Bytes that are no record, with a record after them, at the offset of the walk.
    Damage { from: u64 },
    /// Bytes that are no record, to the very end: a torn tail, or damage where the end is known.
    Rest { from: u64 },
}

/// How much of each record a walk checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// Headers only; bodies are passed over, and where they are long not even read.
    Headers,
    /// Every byte.
    Bodies,
}

/// A walk through a segment.
pub(crate) struct Scan {
    disk: Disk,
    file: Arc<File>,
    segment: SegmentNumber,
    check: Check,
    limit: u64,
    offset: u64,
    ended: bool,
    /// How long the last record was.
    last_bytes: u64,
    read_bytes: u64,
    window: Vec<u8>,
    window_start: u64,
}

impl Scan {
    /// A walk from `offset` to `limit`.
    pub(crate) fn new(
        disk: &Disk,
        (segment, file): (SegmentNumber, Arc<File>),
        check: Check,
        range: std::ops::Range<u64>,
    ) -> Self {
        Self {
            disk: disk.clone(),
            file,
            segment,
            check,
            limit: range.end,
            offset: range.start,
            ended: false,
            last_bytes: 0,
            read_bytes: 0,
            window: Vec::new(),
            window_start: 0,
        }
    }

    /// The offset after the last record that was met.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes the walk has read so far.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// Whether the walk has met the record that ends a segment.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// The next thing in the segment; none at its end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Found>> {
        if self.offset >= self.limit {
            return Ok(None);
        }
        let offset = self.offset;
        match self.record_at(offset, self.check)? {
            Some(Header::End) => {
                self.limit = offset;
                self.ended = true;
                Ok(None)
            }
            Some(header @ (Header::Blob { length, .. } | Header::Void { length })) => {
                self.last_bytes = footprint_bytes(length);
                self.offset += self.last_bytes;
                Ok(Some(Found::Record { offset, header }))
            }
            None => self.look_further().map(Some),
        }
    }

    /// The body of the record that [`next`](Self::next) returned last, when it checks bodies.
    pub(crate) fn body(&mut self, offset: u64, length: u32) -> io::Result<&[u8]> {
        let missing = || io::Error::from(io::ErrorKind::UnexpectedEof);
        self.bytes(offset + HEADER_BYTES as u64, length as usize)?.ok_or_else(missing)
    }

    fn look_further(&mut self) -> io::Result<Found> {
        let from = self.offset;
        let mut candidate = from + ALIGNMENT as u64;
        while candidate < self.limit {
            let Some(bytes) = self.bytes(candidate, ALIGNMENT)? else { break };
            if begins_record(bytes) {
                // Only a record that is right to its last byte ends the damage.
                if self.record_at(candidate, Check::Bodies)?.is_some() {
                    self.offset = candidate;
                    return Ok(Found::Damage { from });
                }
            } else if bytes == [0; ALIGNMENT] && candidate.is_multiple_of(HEADERS_WINDOW_BYTES as u64) {
                candidate = self.next_data(candidate)?;
                continue;
            }
            candidate += ALIGNMENT as u64;
        }
        self.limit = from;
        Ok(Found::Rest { from })
    }

    /// Passes over what was reserved and never written, which the file system knows without reading.
    fn next_data(&self, offset: u64) -> io::Result<u64> {
        match seek(&*self.file, SeekFrom::Data(offset)) {
            Ok(data) if data > offset => Ok(data.next_multiple_of(ALIGNMENT as u64)),
            Err(Errno::NXIO) => Ok(self.limit),
            Ok(_) | Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(offset + ALIGNMENT as u64),
            Err(error) => Err(error.into()),
        }
    }

    fn record_at(&mut self, offset: u64, check: Check) -> io::Result<Option<Header>> {
        let position = Position { segment: self.segment, offset };
        let Some(bytes) = self.bytes(offset, HEADER_BYTES)? else { return Ok(None) };
        let header = Header::decode(bytes, position);
        let (length, expected) = match header {
            Some(Header::Blob { length, body_checksum, .. }) => (length, Some(body_checksum)),
            Some(Header::Void { length }) => (length, None),
            Some(Header::End) | None => return Ok(header),
        };
        if offset + footprint_bytes(length) > self.limit {
            return Ok(None);
        }
        if let Some(expected) = expected.filter(|_| check == Check::Bodies) {
            let body = self.bytes(offset + HEADER_BYTES as u64, length as usize)?;
            if body.is_none_or(|body| body_checksum(body) != expected) {
                return Ok(None);
            }
        }
        Ok(header)
    }

    /// Bytes of the segment; none if it ends before.
    fn bytes(&mut self, offset: u64, length: usize) -> io::Result<Option<&[u8]>> {
        let end = offset + length as u64;
        if end > self.limit {
            return Ok(None);
        }
        let window_end = self.window_start + self.window.len() as u64;
        if offset < self.window_start || end > window_end {
            self.fill(offset, length)?;
        }
        let start = usize::try_from(offset - self.window_start).unwrap_or(usize::MAX);
        Ok(self.window.get(start..).and_then(|rest| rest.get(..length)))
    }

    fn fill(&mut self, offset: u64, length: usize) -> io::Result<()> {
        let wanted = match self.check {
            Check::Headers if self.last_bytes >= LONG_RECORD_BYTES => ONE_HEADER_BYTES,
            Check::Headers => HEADERS_WINDOW_BYTES,
            Check::Bodies => BODIES_WINDOW_BYTES,
        };
        let left = usize::try_from(self.limit - offset).unwrap_or(usize::MAX);
        self.window.resize(wanted.max(length).min(left), 0);
        self.window_start = offset;
        let read = self.disk.read_at(&self.file, &mut self.window, offset);
        let filled = *read.as_ref().unwrap_or(&0);
        self.window.truncate(filled);
        self.read_bytes += filled as u64;
        read.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use nuee_base::BlobId;

    use super::*;

    const SEGMENT: SegmentNumber = SegmentNumber(5);

    /// How much is read of a segment of `count` records with bodies of `length` bytes.
    fn read_for_headers(count: u64, length: u32) -> u64 {
        let file = tempfile::tempfile().unwrap();
        for offset in (0..count).map(|n| n * footprint_bytes(length)) {
            let id = BlobId::from_bytes([9; 16]);
            let header = Header::Blob { id, length, body_checksum: 0, group: None, dead: false };
            file.write_all_at(&header.encode(Position { segment: SEGMENT, offset }), offset).unwrap();
        }
        let end = count * footprint_bytes(length);
        file.set_len(end).unwrap();
        let disk = Disk::new(&crate::Options::default());
        let mut scan = Scan::new(&disk, (SEGMENT, Arc::new(file)), Check::Headers, 0..end);
        let mut found = 0;
        while let Some(Found::Record { .. }) = scan.next().unwrap() {
            found += 1;
        }
        assert_eq!(found, count);
        scan.read_bytes()
    }

    #[test]
    fn long_bodies_are_not_read_for_their_headers() {
        let long = read_for_headers(40, 500_000);
        assert!(long <= 64 * 1_024 + 40 * 512, "{long} bytes of 20 MB");
        let short = read_for_headers(2_000, 100);
        let all = 2_000 * footprint_bytes(100);
        // A header that crosses the edge of a window is read twice.
        assert!(
            (all..all + 1_000).contains(&short),
            "short records are read by the window, once: {short} bytes"
        );
    }
}
