//! The journal: what was done, by whom, on what, in the order in which it was committed.
//!
//! Each change appends one *leaf* in the transaction that makes it ([`Entry::append`]), and says enough for the rows that
//! must be there to follow from the leaves alone. What a leaf says, its *body*, is sealed under the key of the organisation
//! that it concerns, in a row that can be erased; the leaf has a commitment to it (`content.rs`). The tree over the leaves
//! ([`Journal::sequence`]) follows within a second, and its root is signed in a [`Checkpoint`]: kept elsewhere, it shows
//! whether the journal was rewritten or cut since.
//!
//! ```text
//! leaf         number, time, organisation, content
//! body         {"v":1,"by":"service-account/…","action":"s3:PutObject","on":"bucket/…","key":"…"}
//! checkpoint   nuee/<instance>
//!              <number of leaves>
//!              <root, base64>
//! ```
//!
//! Deliberately absent: content, metadata and secrets of objects, none of which is ever said in a leaf.

mod checkpoint;
mod content;
mod entry;
mod error;
mod export;
mod export_verify;
mod journal;
mod leaf;
mod list;
mod note;
mod proof;
mod recorder;
mod retention;
mod states;
mod tiles;
mod tree;
mod verify;
mod witness;
mod witnessed;

pub use checkpoint::{Checkpoint, InvalidCheckpoint, RefusedCheckpoint, SignedCheckpoint};
pub use entry::{Entry, Subject};
pub use error::Error;
pub use export::{ExportRange, Exported};
pub use export_verify::{InvalidExport, VerifiedExport, verify_export};
pub use journal::Journal;
pub use leaf::{Leaf, each_leaf};
pub use list::{Filter, ListedLeaf};
pub use note::{InvalidNote, Note, Signature, SignatureKind, VerifierKey, is_name};
pub use proof::{MAX_PROOF, check_consistency, check_inclusion};
pub use recorder::{Counted, Kind, Place, Recorder};
pub use retention::ErasedPage;
pub use states::{States, differences};
pub use tree::Hash;
pub use witness::{Refusal, Submission};
pub use witnessed::Witnessed;
