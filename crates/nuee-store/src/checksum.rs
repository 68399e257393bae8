//! Checksums that clients send, and that objects keep
//! ([S3: checking object integrity](https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html)).

use crc_fast::{CrcAlgorithm, Digest as Crc};
use md5_simd::{Digest as _, DigestMd5 as Md5};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::Sha256;

/// An algorithm of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChecksumAlgorithm {
    /// CRC-32 (ISO-HDLC), 4 bytes.
    Crc32,
    /// CRC-32C (Castagnoli), 4 bytes.
    Crc32c,
    /// CRC-64/NVME, 8 bytes.
    Crc64Nvme,
    /// SHA-1, 20 bytes.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
}

impl ChecksumAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// The length of a value, in bytes.
    #[must_use]
    pub fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Whether the checksum of a multipart object may be that of its whole content rather than that of its parts'
    /// checksums.
    #[must_use]
    pub fn allows_full_object(self) -> bool {
        matches!(self, Self::Crc32 | Self::Crc32c | Self::Crc64Nvme)
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }
}

/// What a multipart object's checksum was computed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChecksumType {
    /// The object's whole content.
    FullObject,
    /// The checksums of its parts, one after the other.
    Composite,
}

/// A checksum's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// How it was computed.
    pub algorithm: ChecksumAlgorithm,
    /// Its bytes, big-endian for a CRC.
    pub value: Vec<u8>,
}

impl Checksum {
    /// A checksum of the right length, or `None`.
    #[must_use]
    pub fn new(algorithm: ChecksumAlgorithm, value: Vec<u8>) -> Option<Self> {
        (value.len() == algorithm.length()).then_some(Self { algorithm, value })
    }

    /// The checksum of the content that follows `self`'s with `next`'s, which is `next_size` bytes long.
    /// `None` if the algorithm cannot tell, or differs.
    #[must_use]
    pub fn combine(&self, next: &Self, next_size: u64) -> Option<Self> {
        let algorithm = self.algorithm.crc().filter(|_| self.algorithm == next.algorithm)?;
        let combined =
            crc_fast::checksum_combine(algorithm, number(&self.value), number(&next.value), next_size);
        Some(Self { algorithm: self.algorithm, value: bytes(combined, self.algorithm.length()) })
    }

    /// The composite checksum of parts that have these checksums.
    #[must_use]
    pub fn composite<'a>(algorithm: ChecksumAlgorithm, parts: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut hasher = Hasher::new(algorithm);
        parts.for_each(|part| hasher.update(part));
        hasher.finish()
    }
}

fn number(value: &[u8]) -> u64 {
    value.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn bytes(number: u64, length: usize) -> Vec<u8> {
    number.to_be_bytes()[8 - length..].to_vec()
}

/// Computes a checksum over content that arrives in pieces.
pub struct Hasher {
    algorithm: ChecksumAlgorithm,
    state: State,
}

enum State {
    Crc(Crc),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hasher {
    /// Nothing hashed yet.
    #[must_use]
    pub fn new(algorithm: ChecksumAlgorithm) -> Self {
        let state = match (algorithm, algorithm.crc()) {
            (_, Some(crc)) => State::Crc(Crc::new(crc)),
            (ChecksumAlgorithm::Sha1, None) => State::Sha1(Sha1::new()),
            (_, None) => State::Sha256(Sha256::new()),
        };
        Self { algorithm, state }
    }

    /// Adds a piece.
    pub fn update(&mut self, piece: &[u8]) {
        match &mut self.state {
            State::Crc(crc) => crc.update(piece),
            State::Sha1(sha1) => sha1.update(piece),
            State::Sha256(sha256) => sha256.update(piece),
        }
    }

    /// The checksum of all pieces.
    #[must_use]
    pub fn finish(self) -> Checksum {
        let value = match self.state {
            State::Crc(crc) => bytes(crc.finalize(), self.algorithm.length()),
            State::Sha1(sha1) => sha1.finalize().to_vec(),
            State::Sha256(sha256) => sha256.finalize().to_vec(),
        };
        Checksum { algorithm: self.algorithm, value }
    }
}

/// What is computed over a body while it streams past: its MD5 unless nobody needs it, and one checksum.
pub(crate) struct Digests {
    md5: Option<Md5>,
    checksum: Hasher,
}

/// The results of [`Digests`].
pub(crate) struct Digested {
    pub(crate) md5: Option<[u8; 16]>,
    pub(crate) checksum: Checksum,
}

impl Digests {
    pub(crate) fn new(md5: bool, algorithm: ChecksumAlgorithm) -> Self {
        Self { md5: md5.then(Md5::new), checksum: Hasher::new(algorithm) }
    }

    pub(crate) fn update(&mut self, piece: &[u8]) {
        if let Some(md5) = &mut self.md5 {
            md5.update(piece);
        }
        self.checksum.update(piece);
    }

    pub(crate) fn finish(self) -> Digested {
        Digested { md5: self.md5.map(|md5| md5.finalize().into()), checksum: self.checksum.finish() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checksum(algorithm: ChecksumAlgorithm, content: &[u8]) -> Checksum {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(content);
        hasher.finish()
    }

    #[test]
    fn the_check_values_of_the_catalogue_are_met() {
        let hex = |algorithm| hex::encode(checksum(algorithm, b"123456789").value);
        assert_eq!(hex(ChecksumAlgorithm::Crc32), "cbf43926");
        assert_eq!(hex(ChecksumAlgorithm::Crc32c), "e3069283");
        assert_eq!(hex(ChecksumAlgorithm::Crc64Nvme), "ae8b14860a799888");
        assert_eq!(hex(ChecksumAlgorithm::Sha1), "f7c3bc1d808e04732adf679965ccc34ca7ae3441");
        assert!(hex(ChecksumAlgorithm::Sha256).starts_with("15e2b0d3c33891eb"));
    }

    #[test]
    fn combined_checksums_are_those_of_the_joined_content() {
        for algorithm in ChecksumAlgorithm::ALL {
            let combined = checksum(algorithm, b"1234").combine(&checksum(algorithm, b"56789"), 5);
            let expected = algorithm.allows_full_object().then(|| checksum(algorithm, b"123456789"));
            assert_eq!(combined, expected, "{algorithm:?}");
        }
    }
}
