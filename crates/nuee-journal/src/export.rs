//! Exports: an organisation's leaves in a file that shows by itself that it is whole.
//!
//! A file of lines of JSON: a head with the signed checkpoint; a line for each leaf, with its body and the proof that it is
//! in the tree of the checkpoint; an end with a seal, the platform's signature of all before it. The seal shows what was
//! changed after the export; the proofs show, against a checkpoint that somebody else kept, what the platform itself would
//! change; and each leaf names the one before it, so that none is left out between two.

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use nuee_base::{OrganisationId, Timestamp};
use nuee_metadata::LeafRow;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::{
    Checkpoint, Error, Journal, SignedCheckpoint,
    content::{self, Content},
    note::{Note, Signature, VerifierKey},
    proof,
    tiles::Tiles,
};

/// The version of the form of exports.
pub(crate) const FORM: u32 = 1;
/// Leaves that are read at once.
const PAGE: u32 = 1_000;

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    pub(crate) nuee_journal_export: u32,
    pub(crate) journal: String,
    pub(crate) organisation: String,
    /// The signed checkpoint in whose tree the leaves are.
    pub(crate) checkpoint: String,
}

/// The line of a leaf.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    pub(crate) leaf: i64,
    /// When it happened: RFC 3339, to the microsecond.
    pub(crate) at: String,
    /// The organisation's leaf before it, and the commitment to the body: what form 1 has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commitment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) salt: Option<String>,
    /// What it says, unless that was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Box<RawValue>>,
    /// That it is in the tree.
    pub(crate) proof: Vec<String>,
}

/// The last line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct End {
    pub(crate) leaves: u64,
    /// A signed note of what [`seal_text`] says.
    pub(crate) seal: String,
}

/// What the seal says: whose export it is, of how many leaves, and the hash of all lines before the last.
pub(crate) fn seal_text(head: &Head, leaves: u64, digest: &[u8]) -> String {
    let Head { journal, organisation, .. } = head;
    format!("nuee journal export\n{journal}\n{organisation}\n{leaves}\n{}\n", STANDARD.encode(digest))
}

/// Which leaves are exported: from the first at or after `since` to the last before `until`, and all between.
#[derive(Debug, Clone, Copy)]
pub struct ExportRange {
    /// Whose.
    pub organisation: OrganisationId,
    /// From when on.
    pub since: Option<Timestamp>,
    /// Before when.
    pub until: Option<Timestamp>,
}

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// How many leaves.
    pub leaves: u64,
    /// How many of them have no body any more.
    pub erased: u64,
    /// In whose tree they are.
    pub checkpoint: Checkpoint,
}

/// Writes lines and digests them.
struct Lines<W> {
    out: W,
    digest: Sha256,
}

impl<W: Write> Lines<W> {
    fn write(&mut self, line: &impl Serialize) -> Result<(), Error> {
        let mut text = serde_json::to_vec(line).map_err(|error| Error::Export(error.into()))?;
        text.push(b'\n');
        self.digest.update(&text);
        self.out.write_all(&text).map_err(Error::Export)
    }
}

impl Journal {
    /// Writes an export, with the leaves that the last checkpoint has.
    ///
    /// Witnesses that have signed that checkpoint too are named there.
    pub fn export(
        &self,
        range: ExportRange,
        witnesses: &[VerifierKey],
        out: impl Write,
    ) -> Result<Exported, Error> {
        let mut signed = self.checkpoint()?.ok_or_else(|| Error::Checkpoint("there is none yet".into()))?;
        signed.note.signatures.extend(self.cosignatures(&signed.note.text, witnesses)?);
        let (first, last) = self.ends(range, &signed)?;
        let head = Head {
            nuee_journal_export: FORM,
            journal: self.origin().to_owned(),
            organisation: range.organisation.to_string(),
            checkpoint: signed.to_string(),
        };
        let mut lines = Lines { out, digest: Sha256::new() };
        lines.write(&head)?;
        let mut exported = Exported { leaves: 0, erased: 0, checkpoint: signed.checkpoint };
        let mut after = first - 1;
        while after < last {
            let page = self.page(range.organisation, (after, last), exported.checkpoint.size)?;
            let Some(end) = page.last() else { break };
            after = end.leaf;
            for line in page {
                exported.leaves += 1;
                exported.erased += u64::from(line.body.is_none());
                lines.write(&line)?;
            }
        }
        let text = seal_text(&head, exported.leaves, &lines.digest.clone().finalize());
        let signatures = vec![Signature::of_note(&text, self.origin(), &*self.0.keys.signing_key()?)];
        lines.write(&End { leaves: exported.leaves, seal: Note { text, signatures }.to_string() })?;
        lines.out.flush().map_err(Error::Export)?;
        Ok(exported)
    }

    /// The numbers of the first and of the last leaf of a range; an empty one if there are none.
    fn ends(&self, range: ExportRange, signed: &SignedCheckpoint) -> Result<(i64, i64), Error> {
        let all = (1, i64::try_from(signed.checkpoint.size).unwrap_or(i64::MAX));
        if range.since.is_none() && range.until.is_none() {
            return Ok(all);
        }
        let in_time =
            |at| range.since.is_none_or(|since| at >= since) && range.until.is_none_or(|until| at < until);
        let (mut ends, mut after) = (None, 0);
        while after < all.1 {
            let rows = self.0.metadata.read(|snapshot| snapshot.bare_leaves(after, PAGE))?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            let ours = |row: &&LeafRow| row.organisation == range.organisation && in_time(row.at);
            for row in rows.iter().filter(|row| row.id <= all.1).filter(ours) {
                ends = Some((ends.map_or(row.id, |(first, _)| first), row.id));
            }
        }
        Ok(ends.unwrap_or((1, 0)))
    }

    /// The next lines after a leaf, up to the last one, for a tree of this size.
    fn page(
        &self,
        organisation: OrganisationId,
        (after, last): (i64, i64),
        size: u64,
    ) -> Result<Vec<Line>, Error> {
        self.0.metadata.read_consistent(|snapshot| {
            let tiles = Tiles::new(snapshot);
            let rows = snapshot.leaves_of(organisation, (after, last), PAGE)?;
            let line = |row: &LeafRow| {
                let index = u64::try_from(row.id - 1).unwrap_or(0);
                self.line(row, &proof::inclusion(&tiles, index, size)?)
            };
            rows.iter().map(line).collect()
        })
    }

    fn line(&self, row: &LeafRow, proof: &[crate::Hash]) -> Result<Line, Error> {
        let opened = content::open(&self.0.keys, row)?;
        let (previous, commitment) = match Content::read(row)? {
            Content::Body(_) => (None, None),
            Content::Committed { previous, commitment } => {
                (Some(previous), Some(STANDARD.encode(commitment)))
            }
        };
        let damaged = |detail: String| Error::Damaged { leaf: row.id, detail };
        let raw = |body: &[u8]| {
            let text = String::from_utf8(body.to_vec()).map_err(|error| damaged(error.to_string()))?;
            RawValue::from_string(text).map_err(|error| damaged(error.to_string()))
        };
        Ok(Line {
            leaf: row.id,
            at: row.at.to_string(),
            previous,
            commitment,
            salt: opened.as_ref().and_then(|opened| opened.salt).map(|salt| STANDARD.encode(salt)),
            body: opened.map(|opened| raw(&opened.body)).transpose()?,
            proof: proof.iter().map(|hash| STANDARD.encode(hash)).collect(),
        })
    }
}
