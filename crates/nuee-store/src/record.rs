//! What rows say, versioned: the records that metadata keeps and does not read.
//!
//! A record is an enum with one variant per format version, encoded by `postcard`, so that a reader of today knows
//! every older form. A record says nothing that its row's code does not cover.

use nuee_base::{BlobId, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{ChecksumAlgorithm, ChecksumType, ETag, Error, Lock, ObjectLock, Versioning};

/// Encodes a record.
pub(crate) fn encode(record: &impl Serialize) -> Result<Vec<u8>, Error> {
    postcard::to_stdvec(record)
        .map_err(|error| Error::Invalid(format!("a record cannot be encoded: {error}")))
}

/// Decodes a record of `table`.
pub(crate) fn decode<T: DeserializeOwned>(table: &str, bytes: &[u8]) -> Result<T, Error> {
    postcard::from_bytes(bytes).map_err(|error| Error::damaged(format!("a row of {table}"), error))
}

/// A bucket's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum BucketRecord {
    V1 { created_at_micros: i64, encryption: Encryption },
    V2(BucketState),
}

/// The present form of [`BucketRecord`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BucketState {
    pub(crate) created_at_micros: i64,
    pub(crate) encryption: Encryption,
    pub(crate) versioning: Versioning,
    pub(crate) object_lock: Option<ObjectLock>,
}

impl From<BucketRecord> for BucketState {
    fn from(record: BucketRecord) -> Self {
        match record {
            BucketRecord::V1 { created_at_micros, encryption } => {
                Self { created_at_micros, encryption, versioning: Versioning::Unversioned, object_lock: None }
            }
            BucketRecord::V2(state) => state,
        }
    }
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
    V1(VersionV1),
    V2(Version),
}

/// The first form of [`VersionRecord`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VersionV1 {
    modified_at_micros: i64,
    size: u64,
    etag: ETag,
    checksum: Option<ChecksumRecord>,
    details: Vec<u8>,
    content: Content,
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
    /// [`crate::TagSet`], sealed; empty if there are none.
    pub(crate) tags: Vec<u8>,
    pub(crate) content: Content,
    /// Whether it is the one version of its key that has no id of its own.
    pub(crate) is_null: bool,
    pub(crate) lock: Lock,
}

impl From<VersionRecord> for Version {
    fn from(record: VersionRecord) -> Self {
        match record {
            VersionRecord::V1(VersionV1 { modified_at_micros, size, etag, checksum, details, content }) => {
                let (tags, is_null, lock) = (Vec::new(), true, Lock::default());
                Self { modified_at_micros, size, etag, checksum, details, tags, content, is_null, lock }
            }
            VersionRecord::V2(version) => version,
        }
    }
}

impl Version {
    pub(crate) fn modified_at(&self) -> Timestamp {
        Timestamp::from_micros(self.modified_at_micros)
    }

    /// What listings show of it.
    pub(crate) fn listed(&self) -> Listed {
        let checksum = self.checksum.as_ref().map(|checksum| (checksum.algorithm, checksum.kind));
        let object = ListedContent { size: self.size, etag: self.etag, checksum };
        Listed { modified_at_micros: self.modified_at_micros, is_null: self.is_null, object: Some(object) }
    }
}

/// What a listing shows of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ListedRecord {
    V1 { modified_at_micros: i64, size: u64, etag: ETag, checksum: Option<(ChecksumAlgorithm, ChecksumType)> },
    V2(Listed),
}

/// The present form of [`ListedRecord`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listed {
    pub(crate) modified_at_micros: i64,
    /// Whether it is the one version of its key that has no id of its own.
    pub(crate) is_null: bool,
    /// Nothing for a delete marker.
    pub(crate) object: Option<ListedContent>,
}

/// What a listing shows of a version that has content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListedContent {
    pub(crate) size: u64,
    pub(crate) etag: ETag,
    pub(crate) checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
}

impl From<ListedRecord> for Listed {
    fn from(record: ListedRecord) -> Self {
        match record {
            ListedRecord::V1 { modified_at_micros, size, etag, checksum } => Self {
                modified_at_micros,
                is_null: true,
                object: Some(ListedContent { size, etag, checksum }),
            },
            ListedRecord::V2(listed) => listed,
        }
    }
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
    V1 {
        created_at_micros: i64,
        details: Vec<u8>,
        checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
        encryption: Encryption,
    },
    V2(Upload),
}

/// The present form of [`UploadRecord`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Upload {
    pub(crate) created_at_micros: i64,
    pub(crate) details: Vec<u8>,
    pub(crate) tags: Vec<u8>,
    pub(crate) checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
    pub(crate) encryption: Encryption,
    pub(crate) lock: Lock,
}

impl From<UploadRecord> for Upload {
    fn from(record: UploadRecord) -> Self {
        match record {
            UploadRecord::V1 { created_at_micros, details, checksum, encryption } => {
                let (tags, lock) = (Vec::new(), Lock::default());
                Self { created_at_micros, details, tags, checksum, encryption, lock }
            }
            UploadRecord::V2(upload) => upload,
        }
    }
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
