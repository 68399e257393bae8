//! What every layer shares: ids, validated names, times, error kinds, and the [`Context`] of a request.
//!
//! A value of one of these types is valid by construction, so no layer below checks it again. This crate does no
//! input or output, and knows nothing of storage, keys or protocols.

mod context;
mod country;
mod email;
mod error;
mod grants;
mod id;
mod name;
mod narrowing;
mod network;
mod principal;
mod secret;
mod siren;
mod timestamp;
mod zone;

pub use context::{Clock, Context, Environment, InvalidOrigin, Origin, Random, SystemClock, SystemRandom};
pub use country::Country;
pub use email::EmailAddress;
pub use error::ErrorKind;
pub use grants::{Grants, Scope};
pub use id::{
    BlobId, BucketId, ExposureId, InvalidId, InvitationId, OrganisationId, ProjectId, ServiceAccountId,
    SessionId, SignInId, SiteId, UploadId, UserId,
};
pub use name::{AccessKeyId, BucketName, InvalidName, ObjectKey, Slug};
pub use narrowing::Narrowing;
pub use network::{InvalidNetwork, Network};
pub use principal::{Assurance, Principal, Role};
pub use secret::Secret;
pub use siren::Siren;
pub use timestamp::{InvalidTimestamp, Timestamp};
pub use zone::{InvalidZone, Zone};
