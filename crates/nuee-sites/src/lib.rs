//! Blobs on disks: a site keeps immutable sealed bytes under a blob id, and knows nothing of keys or plaintext.
//!
//! A [`DirectorySite`] keeps small blobs in append-only segments, many to one `fdatasync`, and larger ones in a file
//! each. It promises that
//!
//! - a blob is durable before its locator is returned, and stays readable at that locator until it is deleted, or until
//!   the segment that a compaction emptied is dropped;
//! - a crash leaves every acknowledged blob readable, and at worst blobs that nobody acknowledged;
//! - a descriptor that failed to write or to sync is never written or synced again;
//! - a full disk refuses new blobs and nothing else, and takes new ones once enough is deleted.
//!
//! It deliberately does not decide what may be deleted, does not know which blobs are in use, and does not check
//! content when it reads: the seal does, and `blobs` does for whoever walks the whole site.
//!
//! ```text
//! format                      "nuee directory site, format 1"
//! opened                      how many times this site was opened: segment numbers are never used twice
//! incoming/<blob id>          files being written; emptied when the site is opened
//! files/<xx>/<blob id>        large blobs; xx is the id's last byte in hexadecimal
//! segments/<number>.segment   small blobs
//! ```

mod append;
mod compaction;
mod deletions;
mod direct;
mod directory;
mod disk;
mod error;
mod faults;
mod locator;
mod open_files;
mod reader;
mod record;
mod recovery;
mod scan;
mod segments;
mod site;
mod walk;
mod workshop;
mod writer;

#[cfg(test)]
mod tests;

pub use error::{Error, Result};
#[cfg(any(test, feature = "faults"))]
pub use faults::{FaultPlan, Operation};
pub use locator::{Locator, SegmentNumber};
pub use reader::BlobReader;
pub use site::{Deleted, DirectorySite, Options, SiteUsage};
pub use walk::{Blobs, StoredBlob};
pub use writer::BlobWriter;
