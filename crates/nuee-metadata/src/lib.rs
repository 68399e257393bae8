//! Metadata: everything about organisations, buckets, objects and the journal that is not a blob's bytes, in SQLite.
//!
//! - **One writer.** [`Metadata::write`] takes a closure; the writer thread runs all the closures that wait, each in a
//!   savepoint of its own, and commits them with one `fsync`. When the future resolves to `Ok`, the change survives a
//!   power cut. A closure that fails leaves no trace and disturbs no other.
//! - **Many readers.** [`Metadata::read`] runs a closure on a read-only connection of a pool, in the calling thread:
//!   a point read takes microseconds. Long reads belong on a blocking thread.
//! - **Rows, not meaning.** A table has the columns that SQL must see, a `record` that the layer above encodes with
//!   its version, and a `mac` that the layer above computes and checks. This crate holds no key.
//!
//! SQLite is visible here only. A second engine (PostgreSQL) will be a second adapter behind the same public types;
//! there is no trait before there are two.

mod answer;
mod assumable_role;
mod ballast;
mod blob;
mod bucket;
mod bucket_setting;
mod cache;
mod checkpoint;
mod engine;
mod error;
mod exposure;
mod history;
mod journal;
mod log;
mod organisation;
mod platform;
mod project;
mod readers;
mod room;
mod row;
mod schema;
mod service_account;
mod session;
mod settle;
#[cfg(test)]
mod tests;
mod transaction;
mod upload;
mod usage;
mod user;
mod version;
mod writer;

pub use assumable_role::AssumableRoleRow;
pub use blob::GarbageRow;
pub use bucket::BucketRow;
pub use bucket_setting::BucketSettingRow;
pub use cache::{Forget, RowCache};
pub use engine::{Metadata, Options};
pub use error::Error;
pub use exposure::ExposureRow;
pub use history::{HistoryRow, ListedVersionRow, VersionsFrom};
pub use journal::{LeafRow, TileRow};
pub use organisation::OrganisationRow;
pub use project::{ProjectKeyRow, ProjectRow};
pub use row::Mac;
pub use service_account::{AccessKeyRow, ServiceAccountRow};
pub use session::SessionRow;
pub use transaction::{Snapshot, Transaction};
pub use upload::{PartRow, UploadRow};
pub use usage::Usage;
pub use user::{CredentialRow, GrantRow, IdentityRow, InvitationRow, SignInRow, UserRow};
pub use version::{ListedRow, VersionRow};
