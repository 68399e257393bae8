//! What rows say, versioned: the records that metadata keeps and does not read.
//!
//! A record is an enum with one variant per format version, encoded by `postcard`, so that a reader of today knows
//! every older form. A record says nothing that its row's code does not cover.

use nuee_base::{BlobId, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{ChecksumAlgorithm, ChecksumType, ETag, Error};

/// Encodes a record.
pub(crate) fn encode(record: &impl Serialize) -> Result<Vec<u8>, Error> {
    postcard::to_stdvec(record)
        .map_err(|error| Error::Invalid(format!("a record cannot be encoded: {error}")))
}

/// Decodes a record of `table`.
pub(crate) fn decode<T: DeserializeOwned>(table: &str, bytes: &[u8]) -> Result<T, Error> {
    postcard::from_bytes(bytes).map_err(|error| Error::damaged(format!("a row of {table}"), error))
}

/// A bucket's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum BucketRecord {
    V1 { created_at_micros: i64, encryption: Encryption },
}

/// How an object is shown to be encrypted, and what a bucket takes for those that say nothing of it. Everything is
/// sealed either way; what differs is what clients are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encryption {
    /// `AES256`: the entity tag of an object is the MD5 of its content.
    #[default]
    Aes256,
    /// `aws:kms`: entity tags are opaque, and no MD5 is computed.
    AwsKms,
}

/// Where a blob is, and what opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BlobRecord {
    pub(crate) id: [u8; 16],
    pub(crate) locator: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl BlobRecord {
    pub(crate) fn id(&self) -> BlobId {
        BlobId::from_bytes(self.id)
    }
}

/// A checksum as rows keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChecksumRecord {
    pub(crate) algorithm: ChecksumAlgorithm,
    pub(crate) kind: ChecksumType,
    pub(crate) value: Vec<u8>,
}

/// An object's version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum VersionRecord {
    V1(Version),
}

/// The present form of [`VersionRecord`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) modified_at_micros: i64,
    pub(crate) size: u64,
    pub(crate) etag: ETag,
    pub(crate) checksum: Option<ChecksumRecord>,
    /// [`crate::Details`], sealed; empty if there are none.
    pub(crate) details: Vec<u8>,
    pub(crate) content: Content,
}

impl Version {
    pub(crate) fn modified_at(&self) -> Timestamp {
        Timestamp::from_micros(self.modified_at_micros)
    }
}

impl Version {
    /// What listings show of it.
    pub(crate) fn listed(&self) -> Listed {
        let checksum = self.checksum.as_ref().map(|checksum| (checksum.algorithm, checksum.kind));
        let Self { modified_at_micros, size, etag, .. } = *self;
        Listed { modified_at_micros, size, etag, checksum }
    }
}

/// What a listing shows of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ListedRecord {
    V1(Listed),
}

/// The present form of [`ListedRecord`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listed {
    pub(crate) modified_at_micros: i64,
    pub(crate) size: u64,
    pub(crate) etag: ETag,
    pub(crate) checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
}

/// Where a version's bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Content {
    /// In one blob.
    Blob(BlobRecord),
    /// In the parts of an upload that was completed. The digest is the SHA-256 of the parts' row codes, in order.
    Parts { upload: [u8; 16], count: u16, digest: [u8; 32] },
}

/// What an upload was created with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum UploadRecord {
    V1(Upload),
}

/// The present form of [`UploadRecord`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Upload {
    pub(crate) created_at_micros: i64,
    pub(crate) details: Vec<u8>,
    pub(crate) checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
    pub(crate) encryption: Encryption,
}

/// A part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PartRecord {
    V1(Part),
}

/// The present form of [`PartRecord`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) modified_at_micros: i64,
    pub(crate) size: u64,
    pub(crate) etag: ETag,
    pub(crate) checksum: ChecksumRecord,
    pub(crate) blob: BlobRecord,
}
