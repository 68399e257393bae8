//! The S3 surface: what clients of Amazon S3 speak, over the store; and the Security Token Service (`sts.rs`), which gives
//! them temporary keys.
//!
//! A request passes, in this order: the [`Filter`], which refuses what is malformed, forged or not offered from the
//! head of the request alone; `s3s`, which checks the signature and reads the request into a typed input; and a
//! handler. The content of an upload goes around `s3s` and is verified while it streams ([`Upload`]).
//!
//! Promised: a credential that is present but unusable is an error and never makes a request anonymous; a header that
//! would change the meaning of a request is honoured or refused, never ignored; a body that is truncated, altered or of
//! another length than announced never ends without an error.
//!
//! Deliberately absent: whether a principal may do something (`nuee-access`), and what happens to data (`nuee-store`).

mod auth;
mod cross_origin;
mod destinations;
mod detour;
mod document;
mod error;
mod event_message;
mod filter;
mod form;
mod front;
mod handlers;
mod host;
mod message_signer;
mod pace;
mod service;
mod sts;
mod upload;
mod window;

pub use auth::{Authenticator, Credential, Credentials, Gate, SessionKey};
pub use destinations::Destinations;
pub use detour::service_with_detour;
pub use error::Error;
pub use event_message::event_message;
pub use filter::{Admission, Filter, Operation, Payload, Refusal};
pub use front::{Front, RequestId};
pub use host::{Hosts, InvalidDomain};
pub use message_signer::{InvalidSecret, MessageSigner};
pub use s3s::Body;
pub use service::{Options, Service};
pub use sts::{NoIssuers, Unidentified, WebIdentities};
pub use upload::{Trailer, Upload, UploadError};

/// The name of this region, in answers; clients may sign for any.
pub const REGION: &str = "fr1";
