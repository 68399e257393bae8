//! The management API: organisations, projects, people, keys, buckets and the journal, by REST under `/api/v1`.
//!
//! Whoever calls shows a token of a sign-in (`Authorization: Bearer`), or an access key of a service account
//! (`Authorization: Basic`). Each handler finds the place that it is about, asks for one decision, makes one call of the
//! layer below, and converts. Failures are problem documents (RFC 9457) with a `code` that does not change; lists come in
//! pages, what can be changed has an entity tag, and what is created can carry an `Idempotency-Key`. The description of
//! all that, in OpenAPI 3.1, is `/api/v1/openapi.json`, made from the handlers themselves.
//!
//! Promised: a place that somebody has no part in is answered as one that does not exist.
//!
//! Operators have the same API with routes of their own, at a listener of their own: no account, token or key of the one
//! is known at the other.
//!
//! Deliberately absent: cookies, but for the way to an issuer and back.

mod access;
mod account;
mod assumable_role;
mod bucket;
mod caller;
mod exposure;
mod failure;
mod idempotency;
mod invitation;
mod issuer;
mod journal;
mod member;
mod object;
mod openapi;
mod operator;
mod organisation;
mod page;
mod place;
mod project;
mod router;
mod service_account;
mod session;
mod sign_in;
mod tag;
mod user;
mod waiting;

pub use axum::body::Body;
pub use issuer::{
    IssuerBegun, IssuerChoice, IssuerFailure, IssuerLeave, IssuerStart, Issuers, KnownElsewhere,
};
pub use openapi::document;
pub use operator::{Administer, Refusal};
pub use router::{Parts, Service};
