//! Witnesses: others who sign checkpoints, each of which must continue the last one that they have signed
//! ([C2SP tlog-witness](https://c2sp.org/tlog-witness)).
//!
//! A journal that was rewritten has a tree that does not begin with the one that the witness knows, and no proof that it
//! does. So whoever trusts a witness that is not the platform's knows that there is one history.

use std::str::FromStr;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    Checkpoint, Hash, SignedCheckpoint,
    note::{InvalidNote, Note, VerifierKey},
    proof::{MAX_PROOF, check_consistency},
    tree::empty_root,
};

/// What a witness is sent: a checkpoint, and the proof that it continues one of the size `old`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// How many leaves the tree had that the witness is taken to know.
    pub old: u64,
    /// That it is the beginning of the new one.
    pub proof: Vec<Hash>,
    /// The new checkpoint, signed.
    pub note: Note,
}

/// Why a witness does not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It was asked wrongly: 400.
    #[error("the request is wrong: {0}")]
    Wrong(String),
    /// It does not know the journal: 404.
    #[error("the witness does not know the journal {0}")]
    Unknown(String),
    /// The journal has not signed: 403.
    #[error("{0}")]
    Unsigned(InvalidNote),
    /// It knows another checkpoint than it was taken to: 409.
    #[error(
        "the last checkpoint that the witness has signed has {0} leaves, and is not the one that the proof begins with"
    )]
    Conflict(u64),
    /// The proof does not hold: 422.
    #[error("the journal is not the one that the witness knows: its history was rewritten")]
    Rewritten,
}

impl Refusal {
    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Wrong(_) => 400,
            Self::Unsigned(_) => 403,
            Self::Unknown(_) => 404,
            Self::Conflict(_) => 409,
            Self::Rewritten => 422,
        }
    }
}

impl Submission {
    /// Whose journal it is of, as it says.
    pub fn origin(&self) -> Result<String, Refusal> {
        Ok(self.checkpoint()?.origin)
    }

    fn checkpoint(&self) -> Result<Checkpoint, Refusal> {
        self.note.text.parse().map_err(|error| Refusal::Wrong(format!("{error}")))
    }

    /// Whether a witness may sign this, who trusts this key and has signed `known` last; gives what it then knows.
    pub fn check(&self, key: &VerifierKey, known: Option<&Checkpoint>) -> Result<Checkpoint, Refusal> {
        let SignedCheckpoint { checkpoint, .. } = SignedCheckpoint::open(&self.note.to_string(), key)
            .map_err(|refused| match refused {
                crate::RefusedCheckpoint::Note(error) => Refusal::Unsigned(error),
                other => Refusal::Wrong(other.to_string()),
            })?;
        if self.old > checkpoint.size {
            return Err(Refusal::Wrong("the old size is larger than the checkpoint's".into()));
        }
        let (size, root) = known.map_or((0, empty_root()), |known| (known.size, known.root));
        if self.old != size || (self.old == checkpoint.size && root != checkpoint.root && known.is_some()) {
            return Err(Refusal::Conflict(size));
        }
        if check_consistency((size, root), (checkpoint.size, checkpoint.root), &self.proof) {
            Ok(checkpoint)
        } else {
            Err(Refusal::Rewritten)
        }
    }
}

impl std::fmt::Display for Submission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", STANDARD.encode(hash)))?;
        write!(f, "\n{}", self.note)
    }
}

impl FromStr for Submission {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let wrong = |what: &str| Refusal::Wrong(what.to_owned());
        let (head, note) = text.split_once("\n\n").ok_or_else(|| wrong("it has no empty line"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).unwrap_or_default();
        let size = old.parse().ok().filter(|size: &u64| size.to_string() == old);
        let hash = |line: &str| STANDARD.decode(line).ok()?.try_into().ok();
        let proof: Option<Vec<Hash>> = lines.map(hash).collect();
        let proof = proof.filter(|proof| proof.len() <= MAX_PROOF);
        Ok(Self {
            old: size.ok_or_else(|| wrong("its first line is not an old size"))?,
            proof: proof.ok_or_else(|| wrong("a line of the proof is no hash, or it is too long"))?,
            note: note.parse().map_err(|error: InvalidNote| Refusal::Wrong(error.to_string()))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use nuee_keys::SigningKey;

    use super::*;
    use crate::{
        Error,
        note::{Signature, SignatureKind},
        proof::{Nodes, consistency},
        tree::{complete_root, leaf_hash, tests::Tree},
    };

    /// A journal of which a witness is told, and which may have been rewritten from a leaf on.
    struct Log(Vec<Hash>);

    impl Nodes for Log {
        fn node(&self, height: u32, index: u64) -> Result<Hash, Error> {
            let start = usize::try_from(index << height).unwrap();
            Ok(complete_root(&self.0[start..start + (1 << height)]))
        }
    }

    fn signing_key() -> SigningKey {
        SigningKey::from_seed(&[7; 32]).unwrap()
    }

    fn key() -> VerifierKey {
        VerifierKey::new("nuee/example".into(), SignatureKind::Note, signing_key().public())
    }

    impl Log {
        fn new(size: u8, rewritten_from: u8) -> Self {
            let word = |number| if number < rewritten_from { "true" } else { "false" };
            Self((0..size).map(|number| leaf_hash(format!("{number} {}", word(number)).as_bytes())).collect())
        }

        fn submit(&self, old: u64) -> Submission {
            let mut tree = Tree::default();
            self.0.iter().for_each(|hash| tree.append_hash(*hash));
            let checkpoint =
                Checkpoint { origin: "nuee/example".into(), size: tree.size(), root: tree.root() };
            let text = checkpoint.to_string();
            let signatures = vec![Signature::of_note(&text, "nuee/example", &signing_key())];
            let proof = consistency(self, old, tree.size()).unwrap_or_default();
            Submission { old, proof, note: Note { text, signatures } }
        }
    }

    #[test]
    fn a_witness_signs_what_continues_what_it_has_signed() {
        let mut known = None;
        for (old, new) in [(0, 5), (5, 5), (5, 12), (12, 13)] {
            let submission = Log::new(new, 99).submit(old);
            assert_eq!(submission.to_string().parse(), Ok(submission.clone()));
            known = Some(submission.check(&key(), known.as_ref()).unwrap());
        }
        assert_eq!(known.unwrap().size, 13);
    }

    #[test]
    fn a_witness_refuses_a_rewritten_history() {
        let known = Log::new(9, 99).submit(0).check(&key(), None).unwrap();
        let refused = |log: &Log, old| log.submit(old).check(&key(), Some(&known)).unwrap_err();
        for rewritten_from in 0..9 {
            assert_eq!(refused(&Log::new(14, rewritten_from), 9), Refusal::Rewritten);
            assert_eq!(refused(&Log::new(9, rewritten_from), 9), Refusal::Conflict(9));
        }
        assert_eq!(refused(&Log::new(14, 99), 7), Refusal::Conflict(9));
        assert_eq!(refused(&Log::new(14, 99), 0), Refusal::Conflict(9));
        assert_eq!(refused(&Log::new(5, 99), 5), Refusal::Conflict(9), "a journal that was cut");
        let mut unproved = Log::new(14, 99).submit(9);
        unproved.proof.pop();
        assert_eq!(unproved.check(&key(), Some(&known)), Err(Refusal::Rewritten));
    }

    #[test]
    fn a_witness_refuses_who_has_not_signed_and_what_it_cannot_read() {
        let submission = Log::new(5, 99).submit(0);
        let other = SigningKey::from_seed(&[8; 32]).unwrap().public();
        let other = VerifierKey::new("nuee/example".into(), SignatureKind::Note, other);
        assert_eq!(submission.check(&other, None).unwrap_err().status(), 403);
        let late = Submission { old: 6, ..submission.clone() };
        assert_eq!(late.check(&key(), None).unwrap_err().status(), 400);
        let text = submission.to_string();
        for wrong in [
            text.replacen("old 0", "old 00", 1),
            text.replacen("old 0", "new 0", 1),
            text.replacen("old 0", "old 0\nAAAA", 1),
            text.replacen("\n\n", "\n", 1),
            String::new(),
        ] {
            assert!(wrong.parse::<Submission>().is_err(), "{wrong}");
        }
    }
}
