//! The journal: what was done, by whom, on what, in the order in which it was committed.
//!
//! Each change appends one *leaf* in the transaction that makes it ([`Entry::append`]), and says enough for the rows that
//! must be there to follow from the leaves alone. A [`Checkpoint`] is the root of the Merkle tree over the leaves at one
//! moment: kept elsewhere, it shows whether the journal was rewritten or cut since.
//!
//! ```text
//! leaf         number, time, organisation, body
//! body         {"v":1,"by":"service-account/…","action":"s3:PutObject","on":"bucket/…","key":"…"}
//! checkpoint   nuee/<instance>
//!              <number of leaves>
//!              <root, base64>
//! ```
//!
//! Deliberately absent: content, metadata and secrets, none of which is ever said in a leaf.

mod checkpoint;
mod entry;
mod error;
mod leaf;
mod states;

pub use checkpoint::{Checkpoint, InvalidCheckpoint, Tree};
pub use entry::{Entry, Subject};
pub use error::Error;
pub use leaf::{Leaf, each_leaf};
pub use states::{States, differences};
