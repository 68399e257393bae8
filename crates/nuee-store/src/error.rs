//! What can go wrong in the store.

use nuee_base::{ErrorKind, Timestamp};
use nuee_tenancy::UnmetPlacement;

use crate::ChecksumAlgorithm;

/// A failure of the store. What a surface tells its client follows from the variant; the text is for people.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No bucket has this name.
    #[error("the bucket {0} does not exist")]
    NoSuchBucket(String),
    /// The bucket name is taken, by this project or by another.
    #[error("the bucket name {name} is taken: choose another")]
    BucketExists {
        /// The name.
        name: String,
        /// Whether the project that asked owns it.
        yours: bool,
    },
    /// The project has as many buckets as it may.
    #[error("the project has {most} buckets, and may not have more: delete one, or ask for a larger quota")]
    TooManyBuckets {
        /// How many it may have.
        most: u32,
    },
    /// The project would hold more than it may.
    #[error("the project may hold {most} {what}: delete something, or ask for a larger quota")]
    QuotaExceeded {
        /// What there would be too many of.
        what: &'static str,
        /// How many there may be.
        most: u64,
    },
    /// The platform does not meet the project's placement.
    #[error("nothing is written: {0}")]
    PlacementNotMet(#[from] UnmetPlacement),
    /// A bucket that holds something cannot be deleted.
    #[error("the bucket {0} is not empty: delete its objects and abort its uploads first")]
    BucketNotEmpty(String),
    /// No object has this key.
    #[error("the object does not exist")]
    NoSuchKey,
    /// The object has no version of this id.
    #[error("the object has no such version")]
    NoSuchVersion,
    /// What was asked for is a delete marker.
    #[error("what was asked for is a delete marker, which has no content")]
    DeleteMarker {
        /// The marker's id.
        version: String,
        /// When it was made.
        modified_at: Timestamp,
        /// Whether it was asked for by its id; it was found as the latest of its key if not.
        by_id: bool,
    },
    /// A lock keeps the version.
    #[error("the version is locked: {0}")]
    Locked(String),
    /// What a request asks for is not a state that the bucket can have, or needs another one.
    #[error("{0}")]
    InvalidBucketState(String),
    /// The source of a copy was replaced or deleted while it was copied.
    #[error("the source of the copy was changed meanwhile: try again")]
    SourceChanged,
    /// No upload has this id, or it was completed or aborted.
    #[error("the upload does not exist: it may have been completed or aborted")]
    NoSuchUpload,
    /// A part named in a completion does not exist, or has another entity tag or checksum.
    #[error("part {0} does not exist, or its entity tag or checksum is not the one given")]
    InvalidPart(u16),
    /// The parts of a completion are not in ascending order.
    #[error("the parts must be listed in ascending order")]
    InvalidPartOrder,
    /// A part other than the last is too small.
    #[error("part {number} has {size} bytes; every part but the last needs at least {minimum}")]
    PartTooSmall {
        /// The part.
        number: u16,
        /// Its size, in bytes.
        size: u64,
        /// The least size, in bytes.
        minimum: u64,
    },
    /// A body, an object or a number is over a limit.
    #[error("{what} is over the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The range lies outside the object.
    #[error("the range is outside the object, which has {size} bytes")]
    InvalidRange {
        /// The object's size, in bytes.
        size: u64,
    },
    /// The body does not have the MD5 that came with it.
    #[error("the Content-MD5 does not match the body that was received")]
    BadDigest,
    /// The body does not have the checksum that came with it.
    #[error("the {0:?} checksum does not match the body that was received")]
    BadChecksum(ChecksumAlgorithm),
    /// The body was shorter than announced, or stopped.
    #[error("the body ended before the {expected} bytes that were announced: {received} came")]
    IncompleteBody {
        /// Bytes announced.
        expected: u64,
        /// Bytes that came.
        received: u64,
    },
    /// The body could not be read to its end.
    #[error("the body could not be read")]
    Body(#[source] BodyError),
    /// The request contradicts itself or the state.
    #[error("{0}")]
    Invalid(String),
    /// An argument is not one that could be meant.
    #[error("{0}")]
    InvalidArgument(String),
    /// More tags than there may be.
    #[error("the tags cannot be more than {limit}")]
    TooManyTags {
        /// How many there may be.
        limit: usize,
    },
    /// A tag is none.
    #[error("{0}")]
    InvalidTag(String),
    /// Whoever asks has the object already.
    #[error("the object was not modified")]
    NotModified,
    /// A condition of the request does not hold.
    #[error("a condition of the request does not hold")]
    PreconditionFailed,
    /// The permit given is for something else: a defect of the caller.
    #[error(transparent)]
    Permit(#[from] nuee_access::Mismatch),
    /// The server's own work is not permitted: a defect of its policies.
    #[error(transparent)]
    Denied(#[from] nuee_access::Denied),
    /// Stored bytes or rows are not what was written.
    #[error("{what} is damaged: {detail}")]
    Damaged {
        /// What is damaged.
        what: String,
        /// How that shows.
        detail: String,
    },
    /// Metadata.
    #[error(transparent)]
    Metadata(#[from] nuee_metadata::Error),
    /// A site.
    #[error(transparent)]
    Site(#[from] nuee_sites::Error),
    /// Keys.
    #[error(transparent)]
    Keys(#[from] nuee_keys::Error),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] nuee_journal::Error),
    /// Tenancy: a project's key.
    #[error(transparent)]
    Tenancy(#[from] nuee_tenancy::Error),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// Why a body could not be read: what the surface that carries it says.
pub type BodyError = Box<dyn std::error::Error + Send + Sync + 'static>;

impl Error {
    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuchBucket(_)
            | Self::NoSuchKey
            | Self::NoSuchVersion
            | Self::DeleteMarker { .. }
            | Self::NoSuchUpload => ErrorKind::NotFound,
            Self::BucketExists { .. }
            | Self::BucketNotEmpty(_)
            | Self::InvalidBucketState(_)
            | Self::PlacementNotMet(_)
            | Self::SourceChanged => ErrorKind::Conflict,
            Self::Locked(_) | Self::Denied(_) => ErrorKind::Denied,
            Self::InvalidPart(_)
            | Self::InvalidPartOrder
            | Self::PartTooSmall { .. }
            | Self::InvalidRange { .. }
            | Self::BadDigest
            | Self::BadChecksum(_)
            | Self::IncompleteBody { .. }
            | Self::InvalidArgument(_)
            | Self::InvalidTag(_)
            | Self::TooManyTags { .. }
            | Self::Invalid(_) => ErrorKind::Invalid,
            Self::TooLarge { .. } | Self::TooManyBuckets { .. } | Self::QuotaExceeded { .. } => {
                ErrorKind::LimitExceeded
            }
            Self::PreconditionFailed | Self::NotModified => ErrorKind::PreconditionFailed,
            Self::Body(_) => ErrorKind::Cancelled,
            Self::Permit(mismatch) => mismatch.kind(),
            Self::Damaged { .. } => ErrorKind::Corrupt,
            Self::Metadata(error) => error.kind(),
            Self::Site(error) => error.kind(),
            Self::Keys(error) => error.kind(),
            Self::Journal(error) => error.kind(),
            Self::Tenancy(error) => error.kind(),
            Self::Stopping => ErrorKind::Unavailable,
        }
    }

    pub(crate) fn damaged(what: impl Into<String>, detail: impl std::fmt::Display) -> Self {
        Self::Damaged { what: what.into(), detail: format!("{detail}") }
    }
}
