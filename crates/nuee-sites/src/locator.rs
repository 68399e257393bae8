//! Where on a site a blob lies: opaque bytes for whoever stores them.

use std::fmt;

use crate::{Error, Result};

const VERSION: u8 = 1;
const KIND_SEGMENT: u8 = 1;
const KIND_FILE: u8 = 2;
const SEGMENT_BYTES: usize = 22;
const FILE_BYTES: usize = 10;

/// The number of a segment, never used twice on a site.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentNumber(pub(crate) u64);

impl fmt::Display for SegmentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SegmentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SegmentNumber({self})")
    }
}

/// Where a blob lies on its site: at most 22 bytes, to be stored with whatever refers to the blob. The bytes begin with
/// a version; nothing but the site that gave them understands them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Locator {
    bytes: [u8; SEGMENT_BYTES],
    used: u8,
}

/// What a locator says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A record of a segment: its offset is that of the record, not of the body.
    Segment { segment: SegmentNumber, offset: u64, length: u32 },
    /// A file of its own.
    File { length: u64 },
}

impl Locator {
    /// The longest locator, in bytes.
    pub const MAX_BYTES: usize = SEGMENT_BYTES;

    pub(crate) fn segment(segment: SegmentNumber, offset: u64, length: u32) -> Self {
        let mut bytes = [0; SEGMENT_BYTES];
        bytes[0] = VERSION;
        bytes[1] = KIND_SEGMENT;
        bytes[2..10].copy_from_slice(&segment.0.to_be_bytes());
        bytes[10..18].copy_from_slice(&offset.to_be_bytes());
        bytes[18..22].copy_from_slice(&length.to_be_bytes());
        Self { bytes, used: 22 }
    }

    pub(crate) fn file(length: u64) -> Self {
        let mut bytes = [0; SEGMENT_BYTES];
        bytes[0] = VERSION;
        bytes[1] = KIND_FILE;
        bytes[2..10].copy_from_slice(&length.to_be_bytes());
        Self { bytes, used: 10 }
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.used)]
    }

    /// The blob's stored length in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        match self.place() {
            Place::Segment { length, .. } => u64::from(length),
            Place::File { length } => length,
        }
    }

    /// The segment that holds the blob, if one does.
    #[must_use]
    pub fn segment_number(&self) -> Option<SegmentNumber> {
        match self.place() {
            Place::Segment { segment, .. } => Some(segment),
            Place::File { .. } => None,
        }
    }

    pub(crate) fn place(&self) -> Place {
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&self.bytes[at..at + 8]);
            u64::from_be_bytes(bytes)
        };
        if self.bytes[1] == KIND_FILE {
            return Place::File { length: number(2) };
        }
        let mut length = [0; 4];
        length.copy_from_slice(&self.bytes[18..22]);
        Place::Segment {
            segment: SegmentNumber(number(2)),
            offset: number(10),
            length: u32::from_be_bytes(length),
        }
    }
}

impl TryFrom<&[u8]> for Locator {
    type Error = Error;

    fn try_from(stored: &[u8]) -> Result<Self> {
        let used = match stored {
            [VERSION, KIND_SEGMENT, rest @ ..] if rest.len() + 2 == SEGMENT_BYTES => 22,
            [VERSION, KIND_FILE, rest @ ..] if rest.len() + 2 == FILE_BYTES => 10,
            _ => return Err(Error::InvalidLocator(stored.len())),
        };
        let mut bytes = [0; SEGMENT_BYTES];
        bytes[..stored.len()].copy_from_slice(stored);
        Ok(Self { bytes, used })
    }
}

impl fmt::Debug for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Locator({:?})", self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locator_survives_its_bytes() {
        for locator in [Locator::segment(SegmentNumber(7 << 32 | 9), 1 << 40, 4_304), Locator::file(1 << 33)]
        {
            assert_eq!(Locator::try_from(locator.as_bytes()).unwrap(), locator);
            let mut longer = locator.as_bytes().to_vec();
            longer.push(0);
            assert!(Locator::try_from(longer.as_slice()).is_err(), "a byte too many must be refused");
        }
    }

    #[test]
    fn bytes_of_another_version_are_refused() {
        let mut bytes = Locator::file(5).as_bytes().to_vec();
        bytes[0] = 2;
        assert!(matches!(Locator::try_from(bytes.as_slice()), Err(Error::InvalidLocator(10))));
        assert!(Locator::try_from(&[][..]).is_err());
    }
}
