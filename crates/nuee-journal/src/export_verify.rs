//! Verification of an export, with nothing but the public key.

use std::io::{BufRead, Read};

use base64::{Engine, engine::general_purpose::STANDARD};
use nuee_base::{OrganisationId, Timestamp};
use nuee_metadata::LeafRow;
use sha2::{Digest, Sha256};

use crate::{
    Checkpoint, SignedCheckpoint,
    content::{self, Content},
    export::{End, FORM, Head, Line, seal_text},
    note::{Note, VerifierKey},
    proof::{MAX_PROOF, check_inclusion},
    tree::{Hash, entry, leaf_hash},
};

/// The longest line, in bytes.
const LONGEST_LINE: u64 = 1 << 20;

/// What a sound export has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedExport {
    /// Whose leaves.
    pub organisation: OrganisationId,
    /// How many.
    pub leaves: u64,
    /// How many of them have no body any more.
    pub erased: u64,
    /// The first and the last one, by their numbers and times.
    pub ends: Option<[(i64, Timestamp); 2]>,
    /// In whose tree they are.
    pub checkpoint: Checkpoint,
    /// Those of the given witnesses who have signed that too.
    pub witnesses: Vec<String>,
}

/// Why an export is not what was written.
#[derive(Debug, thiserror::Error)]
pub enum InvalidExport {
    /// Something in it is wrong.
    #[error("line {line} of the export: {detail}")]
    Line {
        /// The line, from 1 on.
        line: u64,
        /// What is wrong with it.
        detail: String,
    },
    /// It cannot be read.
    #[error("the export cannot be read: {0}")]
    Io(#[from] std::io::Error),
}

/// Reads an export and checks all of it: the seal, the checkpoint, and of each leaf that the body is the one that it was
/// committed to, that it is in the tree, and that it follows the one before.
pub fn verify_export(
    input: impl BufRead,
    key: &VerifierKey,
    witnesses: &[VerifierKey],
) -> Result<VerifiedExport, InvalidExport> {
    let mut reader = Reader { input, number: 0, digest: Sha256::new() };
    let verified = reader.verify(key, witnesses);
    verified.map_err(|failure| match failure {
        Failure::Io(error) => InvalidExport::Io(error),
        Failure::Invalid(detail) => InvalidExport::Line { line: reader.number, detail },
    })
}

enum Failure {
    Io(std::io::Error),
    Invalid(String),
}

impl<T: std::fmt::Display> From<T> for Failure {
    fn from(detail: T) -> Self {
        Self::Invalid(detail.to_string())
    }
}

struct Reader<R> {
    input: R,
    number: u64,
    /// Of all lines before the one that was read last.
    digest: Sha256,
}

impl<R: BufRead> Reader<R> {
    fn next(&mut self) -> Result<Vec<u8>, Failure> {
        self.number += 1;
        let mut line = Vec::new();
        (&mut self.input).take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(Failure::Io)?;
        match line.pop() {
            Some(b'\n') => Ok(line),
            Some(_) => Err("it is too long, or cut".into()),
            None => Err("it is missing: the export was cut".into()),
        }
    }

    fn digest(&mut self, line: &[u8]) {
        self.digest.update(line);
        self.digest.update(b"\n");
    }

    fn verify(&mut self, key: &VerifierKey, witnesses: &[VerifierKey]) -> Result<VerifiedExport, Failure> {
        let line = self.next()?;
        let head: Head = serde_json::from_slice(&line)?;
        self.digest(&line);
        if head.nuee_journal_export != FORM {
            return Err(
                format!("its form is {}, and this program knows {FORM}", head.nuee_journal_export).into()
            );
        }
        let signed = SignedCheckpoint::open(&head.checkpoint, key)?;
        let by = |witness: &&VerifierKey| signed.note.verify(witness).is_ok();
        let mut verified = VerifiedExport {
            organisation: head.organisation.parse()?,
            leaves: 0,
            erased: 0,
            ends: None,
            witnesses: witnesses.iter().filter(by).map(|witness| witness.name().to_owned()).collect(),
            checkpoint: signed.checkpoint,
        };
        let mut previous = None;
        loop {
            let line = self.next()?;
            if let Ok(end) = serde_json::from_slice::<End>(&line) {
                self.verify_end(&line, &head, &end, key, verified.leaves)?;
                return Ok(verified);
            }
            verify_leaf(&serde_json::from_slice(&line)?, &mut verified, &mut previous)?;
            self.digest(&line);
        }
    }

    fn verify_end(
        &mut self,
        line: &[u8],
        head: &Head,
        end: &End,
        key: &VerifierKey,
        leaves: u64,
    ) -> Result<(), Failure> {
        let note: Note = end.seal.parse()?;
        note.verify(key)?;
        let digest = std::mem::take(&mut self.digest).finalize();
        if note.signatures.len() != 1 || end.leaves != leaves || note.text != seal_text(head, leaves, &digest)
        {
            return Err("the seal is of another export: lines were changed, removed, moved or added".into());
        }
        // The seal does not sign its own line, so that must have the one form that it is written in.
        let canonical = End { leaves, seal: note.to_string() };
        if serde_json::to_vec(&canonical)? != line {
            return Err("it was changed".into());
        }
        let mut rest = [0];
        if self.input.read(&mut rest).map_err(Failure::Io)? > 0 {
            self.number += 1;
            return Err("there is more after the end".into());
        }
        Ok(())
    }
}

/// Checks a leaf; `previous` is the last one in form 2.
fn verify_leaf(
    line: &Line,
    verified: &mut VerifiedExport,
    previous: &mut Option<i64>,
) -> Result<(), Failure> {
    let id = line.leaf;
    let at: Timestamp = line.at.parse()?;
    if verified.ends.is_some_and(|[_, (last, _)]| last >= id) || id < 1 {
        return Err("the leaves are not in their order".into());
    }
    let row =
        LeafRow { id, at, organisation: verified.organisation, content: content_of(line)?, sealed: None };
    if let Content::Committed { previous: said, .. } = Content::read(&row)? {
        // Before the first line nothing is known of the one before.
        if previous.is_some_and(|previous| previous != said) || said >= id {
            return Err(format!("the leaf before it is {said}, and is not in the line before").into());
        }
        *previous = Some(id);
    }
    if line.proof.len() > MAX_PROOF {
        return Err("its proof is too long".into());
    }
    let proof = line.proof.iter().map(|hash| decode(hash)).collect::<Result<Vec<Hash>, _>>()?;
    let index = u64::try_from(id - 1)?;
    let tree = (verified.checkpoint.size, verified.checkpoint.root);
    if !check_inclusion(leaf_hash(&entry(&row)), index, &proof, tree) {
        return Err(format!("leaf {id} is not in the tree of the checkpoint").into());
    }
    verified.leaves += 1;
    verified.erased += u64::from(line.body.is_none());
    let first = verified.ends.map_or((id, at), |[first, _]| first);
    verified.ends = Some([first, (id, at)]);
    Ok(())
}

/// What the tree has of a leaf beside its number, time and organisation; its body must be the one that this says.
fn content_of(line: &Line) -> Result<Vec<u8>, Failure> {
    let body = line.body.as_ref().map(|body| body.get().as_bytes());
    match (&line.commitment, line.previous, body) {
        (None, None, Some(body)) => Ok(body.to_vec()),
        (Some(said), Some(previous), body) => {
            let said = decode(said)?;
            let salt = line.salt.as_ref().map(|salt| decode(salt)).transpose()?;
            match (salt, body) {
                (Some(salt), Some(body)) if content::commitment(&salt, body) == said => {}
                (None, None) => {}
                _ => return Err("its body is not the one that it was committed to".into()),
            }
            Ok(Content::committed(previous, said))
        }
        _ => Err("it has parts of two forms".into()),
    }
}

fn decode(text: &str) -> Result<Hash, Failure> {
    STANDARD.decode(text)?.try_into().map_err(|_| "a hash has not 32 bytes".into())
}
