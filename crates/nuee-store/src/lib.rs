//! Buckets, objects and multipart uploads: what the surfaces ask for, over metadata, keys and sites.
//!
//! A *write* streams a body once (digests, sealing, site), and is acknowledged when one metadata transaction has
//! recorded it together with its usage and its journal leaf. For example, putting an object over an older one commits
//! the new version, the pointer to it, the older blob's way to the reclaimer and the leaf, or none of these.
//!
//! Promised: nothing is acknowledged before it is durable; a crash leaves the old state or the new one; a row or a chunk
//! that is not what was written is an error and never wrong bytes. Whoever calls shows a permit of `nuee-access` for
//! each bucket that is touched: two for a copy.
//!
//! Deliberately absent: protocols (names of headers, XML, status codes) and the decision itself.

mod blob_read;
mod blob_write;
mod bucket;
mod checksum;
mod copy;
mod details;
mod error;
mod etag;
mod lease;
mod list;
mod object;
mod reclaim;
mod record;
mod rotation;
mod store;
mod upload;
mod verify;

pub use blob_read::Content;
pub use blob_write::{Body, ExpectedChecksum, TrailingChecksum};
pub use bucket::Bucket;
pub use checksum::{Checksum, ChecksumAlgorithm, ChecksumType, Hasher};
pub use copy::CopyOptions;
pub use details::Details;
pub use error::{BodyError, Error};
pub use etag::ETag;
pub use list::{ListQuery, ListedObject, MAX_PAGE, Page};
pub use object::{MAX_PUT_BYTES, Object, ObjectInfo, WriteCondition};
pub use reclaim::ReclaimReport;
pub use record::Encryption;
pub use rotation::Rotation;
pub use store::{Options, Store};
pub use upload::{
    CompletedPart, Completion, MAX_OBJECT_BYTES, MAX_PART_NUMBER, PartInfo, UploadInfo, UploadOptions,
    UploadTarget,
};
pub use verify::{Finding, VerifyReport};
