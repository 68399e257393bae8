//! What every layer shares: ids, validated names, times, error kinds, and the [`Context`] of a request.
//!
//! A value of one of these types is valid by construction, so no layer below checks it again. This crate does no
//! input or output, and knows nothing of storage, keys or protocols.

mod context;
mod error;
mod id;
mod name;
mod narrowing;
mod network;
mod principal;
mod secret;
mod timestamp;
mod zone;

pub use context::{Clock, Context, Environment, Origin, Random, SystemClock, SystemRandom};
pub use error::ErrorKind;
pub use id::{
    BlobId, BucketId, ExposureId, InvalidId, OrganisationId, ProjectId, ServiceAccountId, SessionId, SiteId,
    UploadId,
};
pub use name::{AccessKeyId, BucketName, InvalidName, ObjectKey, Slug};
pub use narrowing::Narrowing;
pub use network::{InvalidNetwork, Network};
pub use principal::{Principal, Role};
pub use secret::Secret;
pub use timestamp::{InvalidTimestamp, Timestamp};
pub use zone::{InvalidZone, Zone};
