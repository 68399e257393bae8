//! Verification: every row, key, blob and checksum against each other, on a server at rest or at work.
//!
//! - *Rows* are read in one snapshot, so that they can be compared with each other: codes, details, parts, references,
//!   usage, pointers.
//! - The same rows are held against the *journal*, which says what must be there.
//! - *The site* is walked, and told what rows reference: what it lacks, what has another length, what nobody references.
//! - *Content*, if asked for, is read to the end and its checksums are computed.
//!
//! What looks wrong in the last two is looked at again: what was deleted or replaced meanwhile is not damage. It only
//! reads, and holds some 25 bytes for each blob, twice that while it looks again. A row that was deleted, or replaced by an
//! older form of itself, is not what the journal says; that the journal was not changed with it, only a checkpoint shows
//! that is kept elsewhere.

mod content;
mod journal;
mod rows;
mod site;

use nuee_access::{Action, Permit, Resource};

use crate::{Error, Store, blob_write::blocking};

/// Rows read at once.
const BATCH: u32 = 500;
/// Findings that a report lists; beyond, they are only counted.
const LISTED_FINDINGS: usize = 1_000;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about; never an object's key.
    pub what: String,
    /// What is wrong with it.
    pub detail: String,
}

/// What a verification saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Buckets.
    pub buckets: u64,
    /// Objects.
    pub objects: u64,
    /// Blobs that objects and uploads reference.
    pub blobs: u64,
    /// Bytes that were read and opened.
    pub bytes: u64,
    /// Blobs that a site holds and nothing references: harmless, left by a crash.
    pub orphans: u64,
    /// How many things are not as they should be.
    pub damaged: u64,
    /// The first of them.
    pub findings: Vec<Finding>,
}

impl VerifyReport {
    fn add(&mut self, what: impl Into<String>, detail: impl std::fmt::Display) {
        self.damaged += 1;
        if self.findings.len() < LISTED_FINDINGS {
            self.findings.push(Finding { what: what.into(), detail: format!("{detail}") });
        }
    }
}

impl Store {
    /// Checks everything. With `content`, every byte is read and opened too; without, only that blobs are there.
    /// `progress` is called now and then with what was seen so far.
    pub async fn verify(
        &self,
        permit: &Permit,
        content: bool,
        progress: impl Fn(&VerifyReport) + Send + Sync,
    ) -> Result<VerifyReport, Error> {
        permit.require(Action::Verify, Resource::Platform)?;
        let store = self.clone();
        let (mut report, referenced) = blocking(&self.0.listing, move || {
            let mut report = VerifyReport::default();
            let referenced = store.verify_rows(&mut report)?;
            Ok((report, referenced))
        })
        .await?;
        progress(&report);
        // Whoever reads content finds what is missing, and whose it is.
        self.verify_site(referenced, !content, &mut report).await?;
        progress(&report);
        if content {
            self.verify_all_content(&mut report, progress).await?;
        }
        Ok(report)
    }
}
