//! Keys: who keeps them, how they depend on each other, and what they seal.
//!
//! The *hierarchy* is root key → organisation key → project key versions → one data key per blob. For example, to read
//! a blob, the custody unwraps the project's key with the organisation's, which opens the blob's data key, from which
//! come an encryption key and a commitment; the commitment is compared before anything is decrypted. What the platform
//! itself has, such as the key that signs its journal, is derived from the root key.
//!
//! Promised: a blob that was flipped, cut, extended, reordered or moved to another place does not open; a data key
//! seals one stream; rotating a project's key touches no blob; a row whose code does not fit is refused. Keys are wiped
//! from memory when they are dropped, and kept there for a limited time.
//!
//! Deliberately absent: storage (callers keep what was wrapped) and primitives, which are those of AWS-LC.

mod backup;
mod custody;
mod error;
mod hierarchy;
mod journal_key;
mod once;
mod row;
mod sealed;
mod signature;
mod token;

pub use backup::{backup, restore};
pub use custody::{DirectoryCustody, InstanceId, KeyCustody};
pub use error::Error;
pub use hierarchy::{KeyRing, ProjectKey, record_key_version, rewrap};
pub use journal_key::JournalKey;
pub use row::{RowBuilder, RowMacKey};
pub use sealed::{
    BlobIdentity, CHUNK_SIZE, DataKey, HEADER_SIZE, Opener, Sealer, TAG_SIZE, WrappedDataKey, sealed_size,
};
pub use signature::{SIGNATURE_SIZE, SigningKey, VerifyingKey};
pub use token::TokenDigest;
