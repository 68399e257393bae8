//! What witnesses have signed of this journal, and what they refused to.

use nuee_metadata::{Snapshot, Transaction};

use crate::{
    Checkpoint, Error, Journal, SignedCheckpoint,
    note::{Note, Signature, VerifierKey},
    proof,
    tiles::Tiles,
    witness::Submission,
};

/// What is known of a witness.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Witnessed {
    /// The last checkpoint that it has signed, with its signature.
    pub cosigned: Option<(Checkpoint, Note)>,
    /// Why it did not sign the last one that it was sent.
    pub problem: Option<String>,
}

impl Witnessed {
    /// How many leaves the last checkpoint has that it has signed.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.cosigned.as_ref().map_or(0, |(checkpoint, _)| checkpoint.size)
    }

    /// When it signed that, by its own clock.
    #[must_use]
    pub fn at(&self) -> Option<nuee_base::Timestamp> {
        self.cosigned.as_ref()?.1.signatures.last()?.witnessed_at()
    }
}

fn cosigned(witness: &VerifierKey) -> String {
    format!("journal-witness/{witness}")
}

fn problem(witness: &VerifierKey) -> String {
    format!("journal-witness-problem/{witness}")
}

impl Journal {
    /// What is known of a witness.
    pub fn witnessed(&self, witness: &VerifierKey) -> Result<Witnessed, Error> {
        self.0.metadata.read_consistent(|snapshot| {
            Ok(Witnessed {
                cosigned: read_cosigned(snapshot, witness)?,
                problem: text(snapshot, &problem(witness))?.filter(|text| !text.is_empty()),
            })
        })
    }

    /// The last checkpoint, for a witness that knows the one of the size `old`; `None` if the journal has fewer leaves.
    pub fn submission(&self, old: u64) -> Result<Option<Submission>, Error> {
        let proved = self.0.metadata.read_consistent(|snapshot| {
            let Some(signed) = self.checkpoint_in(snapshot)? else { return Ok(None) };
            let new = signed.checkpoint.size;
            if old > new {
                return Ok::<_, Error>(None);
            }
            Ok(Some((signed, proof::consistency(&Tiles::new(snapshot), old, new)?)))
        })?;
        Ok(proved.map(|(SignedCheckpoint { note, .. }, proof)| Submission { old, proof, note }))
    }

    /// Keeps the signature with which a witness answers a submission; an error if it is none of its.
    pub async fn keep_cosignature(
        &self,
        witness: &VerifierKey,
        submission: &Submission,
        answer: &str,
    ) -> Result<(), Error> {
        let text = submission.note.text.clone();
        let signatures = answer.lines().filter_map(|line| Signature::parse(line).ok());
        let signature = signatures.into_iter().find(|signature| signature.verifies(&text, witness));
        let signature = signature.ok_or_else(|| {
            Error::Checkpoint(format!("{} answers with no signature of its own", witness.name()))
        })?;
        let note = Note { text, signatures: vec![signature] }.to_string();
        let (cosigned, problem) = (cosigned(witness), problem(witness));
        let keep = move |transaction: &Transaction<'_>| {
            transaction.set_platform_value(&cosigned, note.as_bytes())?;
            Ok(transaction.set_platform_value(&problem, b"")?)
        };
        self.0.metadata.write(keep).await
    }

    /// Keeps why a witness did not sign.
    pub async fn keep_problem(&self, witness: &VerifierKey, detail: String) -> Result<(), Error> {
        let name = problem(witness);
        let keep = move |transaction: &Transaction<'_>| {
            Ok(transaction.set_platform_value(&name, detail.as_bytes())?)
        };
        self.0.metadata.write(keep).await
    }

    /// The signatures of witnesses under this very checkpoint.
    pub(crate) fn cosignatures(
        &self,
        text: &str,
        witnesses: &[VerifierKey],
    ) -> Result<Vec<Signature>, Error> {
        let mut signatures = Vec::new();
        for witness in witnesses {
            let known = self.0.metadata.read(|snapshot| read_cosigned(snapshot, witness))?;
            signatures.extend(
                known.filter(|(_, note)| note.text == text).into_iter().flat_map(|(_, note)| note.signatures),
            );
        }
        Ok(signatures)
    }
}

fn text(snapshot: &Snapshot<'_>, name: &str) -> Result<Option<String>, Error> {
    let unfit = |error: std::string::FromUtf8Error| Error::Checkpoint(error.to_string());
    snapshot.platform_value(name)?.map(|bytes| String::from_utf8(bytes).map_err(unfit)).transpose()
}

fn read_cosigned(
    snapshot: &Snapshot<'_>,
    witness: &VerifierKey,
) -> Result<Option<(Checkpoint, Note)>, Error> {
    let Some(text) = text(snapshot, &cosigned(witness))? else { return Ok(None) };
    let unfit = |detail: String| Error::Checkpoint(detail);
    let note: Note = text.parse().map_err(|error: crate::InvalidNote| unfit(error.to_string()))?;
    note.verify(witness).map_err(|error| unfit(error.to_string()))?;
    let checkpoint = note.text.parse().map_err(|error: crate::InvalidCheckpoint| unfit(error.to_string()))?;
    Ok(Some((checkpoint, note)))
}
