//! Checkpoints: the root of the tree over the leaves at one moment ([C2SP tlog-checkpoint](https://c2sp.org/tlog-checkpoint)).

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    note::{InvalidNote, Note, VerifierKey},
    tree::{Hash, hash},
};

/// The state of a journal at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose journal it is.
    pub origin: String,
    /// How many leaves it had.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// A name for files about a journal, whatever its own name is.
    #[must_use]
    pub fn file_stem(origin: &str) -> String {
        hex::encode(&hash(&[origin.as_bytes()])[..16])
    }
}

/// Why a text is no checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no checkpoint: {0}")]
pub struct InvalidCheckpoint(&'static str);

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, STANDARD.encode(self.root))
    }
}

impl FromStr for Checkpoint {
    type Err = InvalidCheckpoint;

    /// Reads the three lines; what follows them is left to whoever checks signatures.
    fn from_str(text: &str) -> Result<Self, InvalidCheckpoint> {
        let mut lines = text.lines();
        let mut line = |what| lines.next().filter(|line| !line.is_empty()).ok_or(InvalidCheckpoint(what));
        let origin = line("its first line says whose it is")?.to_owned();
        let wrong_size = InvalidCheckpoint("its second line is a number of leaves");
        let size = line(wrong_size.0)?;
        let size = size.parse().ok().filter(|number: &u64| number.to_string() == size).ok_or(wrong_size)?;
        let wrong_root = "its third line is a root of 32 bytes in base64";
        let root = STANDARD.decode(line(wrong_root)?).ok().and_then(|root| root.try_into().ok());
        Ok(Self { origin, size, root: root.ok_or(InvalidCheckpoint(wrong_root))? })
    }
}

/// A checkpoint and the note that has it, whose signature was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// The text and its signatures.
    pub note: Note,
}

/// Why a signed checkpoint is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefusedCheckpoint {
    /// It is no checkpoint.
    #[error(transparent)]
    Invalid(#[from] InvalidCheckpoint),
    /// It is no note that this key has signed.
    #[error(transparent)]
    Note(#[from] InvalidNote),
    /// It is of another journal than the key.
    #[error("the checkpoint is of {found}, and the key is of {expected}")]
    OfAnother {
        /// Of whom.
        found: String,
        /// Whose it should be.
        expected: String,
    },
}

impl SignedCheckpoint {
    /// Reads a checkpoint that the holder of this key has signed.
    pub fn open(text: &str, key: &VerifierKey) -> Result<Self, RefusedCheckpoint> {
        let note: Note = text.parse()?;
        let checkpoint: Checkpoint = note.text.parse()?;
        note.verify(key)?;
        if checkpoint.origin != key.name() {
            let (found, expected) = (checkpoint.origin, key.name().to_owned());
            return Err(RefusedCheckpoint::OfAnother { found, expected });
        }
        Ok(Self { checkpoint, note })
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use nuee_keys::SigningKey;

    use super::*;
    use crate::note::{Signature, SignatureKind};

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: "nuee/example".into(), size: 7, root: [9; 32] }
    }

    #[test]
    fn a_checkpoint_is_read_as_it_is_written() {
        assert_eq!(checkpoint().to_string().parse(), Ok(checkpoint()));
        for text in ["", "nuee/x", "nuee/x\nmany\n", "nuee/x\n7\nAAAA\n", "nuee/x\n-1\n", "nuee/x\n07\n"] {
            assert!(text.parse::<Checkpoint>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn another_implementation_reads_it() {
        let theirs = tlog_tiles::Checkpoint::from_bytes(checkpoint().to_string().as_bytes()).unwrap();
        assert_eq!((theirs.origin(), theirs.size(), theirs.hash().0), ("nuee/example", 7, [9; 32]));
    }

    #[test]
    fn only_the_journal_itself_signs_its_checkpoints() {
        let key = SigningKey::from_seed(&[7; 32]).unwrap();
        let signed = |name: &str| {
            let text = checkpoint().to_string();
            let signatures = vec![Signature::of_note(&text, name, &key)];
            let verifier = VerifierKey::new(name.to_owned(), SignatureKind::Note, key.public());
            SignedCheckpoint::open(&Note { text, signatures }.to_string(), &verifier)
        };
        assert_eq!(signed("nuee/example").unwrap().checkpoint, checkpoint());
        assert!(matches!(signed("nuee/other"), Err(RefusedCheckpoint::OfAnother { .. })));
    }
}
