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
mod bounds;
mod bucket;
mod bucket_policy;
mod checksum;
mod condition;
mod copy;
mod cors;
mod deletion;
mod details;
mod error;
mod etag;
mod event;
mod lease;
mod lifecycle;
mod list;
mod lock;
mod lock_clock;
mod notification;
mod object;
mod reclaim;
mod record;
mod retention;
mod rotation;
mod sealing;
mod setting;
mod store;
mod tags;
mod upload;
mod verify;
mod version;
mod version_change;
mod version_id;

pub use blob_read::Content;
pub use blob_write::{Body, ExpectedChecksum, TrailingChecksum};
pub use bucket::{Bucket, NewBucket, Versioning};
pub use bucket_policy::{BucketPolicy, PublicAccess};
pub use checksum::{Checksum, ChecksumAlgorithm, ChecksumType, Hasher};
pub use condition::{Conditions, Tags};
pub use copy::CopyOptions;
pub use cors::{CorsRule, CorsRules};
pub use deletion::{Deleted, Deletion};
pub use details::Details;
pub use error::{BodyError, Error};
pub use etag::ETag;
pub use event::{Event, Events, Happening};
pub use lifecycle::{
    Expiration, Lifecycle, LifecycleCount, LifecycleFilter, LifecycleReport, LifecycleRound, LifecycleRule,
    NoncurrentExpiration, TransitionMinimum,
};
pub use list::{ListQuery, ListedObject, ListedVersion, MAX_PAGE, Page, VersionPage, VersionsQuery};
pub use lock::{DefaultRetention, LegalHold, Lock, ObjectLock, Retention, RetentionMode, RetentionPeriod};
pub use notification::{EventName, NotificationRule, Notifications};
pub use object::{Described, MAX_PUT_BYTES, Object, ObjectInfo, Origin};
pub use reclaim::ReclaimReport;
pub use record::Encryption;
pub use rotation::Rotation;
pub use setting::{Setting, SettingName, Settings};
pub use store::{Options, Store};
pub use tags::TagSet;
pub use upload::{
    CompletedPart, Completion, MAX_OBJECT_BYTES, MAX_PART_NUMBER, PartInfo, UploadInfo, UploadOptions,
    UploadTarget,
};
pub use verify::{Finding, VerifyReport};
pub use version_change::{ObjectPart, VersionTarget};
pub use version_id::is_version_id;
