//! What the tree has of a leaf beside its number, its time and its organisation, and how the body is kept apart from it.
//!
//! In *form 2*, the content has a commitment to the body: the hash of a random salt and the body. Salt and body are sealed
//! under the organisation's key in a row of their own. When that row goes, what happened is forgotten, and nobody can find
//! it out by guessing; the leaf stays, so the tree does, and all proofs. In *form 1* the content was the body itself.
//!
//! ```text
//! form 1   the body, JSON, which begins with {
//! form 2   2, number of the organisation's leaf before this one (8 bytes, big-endian; 0 if none), commitment (32 bytes)
//! sealed   AES-256-GCM-SIV of salt (32 bytes) and body; associated: all that the tree has of the leaf
//! ```
//!
//! The number of the leaf before makes those of an organisation a chain: whoever has some of them knows whether one between
//! is missing, without seeing those of others.

use nuee_base::{Environment, ErrorKind};
use nuee_keys::{JournalKey, KeyRing};
use nuee_metadata::LeafRow;
use zeroize::Zeroizing;

use crate::{
    Error,
    tree::{Hash, entry, hash},
};

const FORM_2: u8 = 2;
const LABEL: &[u8] = b"nuee journal body, form 2\n";
const SALT: usize = 32;

/// The content of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    /// Form 1.
    Body(&'a [u8]),
    /// Form 2.
    Committed { previous: i64, commitment: Hash },
}

impl<'a> Content<'a> {
    pub(crate) fn read(row: &'a LeafRow) -> Result<Self, Error> {
        match row.content.split_first() {
            Some((b'{', _)) => Ok(Self::Body(&row.content)),
            Some((&FORM_2, rest)) => {
                let (previous, commitment) = rest.split_first_chunk().ok_or_else(|| unknown(row))?;
                let commitment = commitment.try_into().map_err(|_| unknown(row))?;
                Ok(Self::Committed { previous: i64::from_be_bytes(*previous), commitment })
            }
            _ => Err(unknown(row)),
        }
    }

    /// The content in form 2.
    pub(crate) fn committed(previous: i64, commitment: Hash) -> Vec<u8> {
        [&[FORM_2][..], &previous.to_be_bytes(), &commitment].concat()
    }
}

fn unknown(row: &LeafRow) -> Error {
    Error::Damaged { leaf: row.id, detail: "its form is none that this program knows".into() }
}

/// The commitment to a body.
pub(crate) fn commitment(salt: &[u8], body: &[u8]) -> Hash {
    hash(&[LABEL, salt, body])
}

/// A body, and the salt of the commitment to it, which form 1 has not.
pub(crate) struct Opened {
    pub(crate) salt: Option<[u8; SALT]>,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// A salt and a body that are to be sealed, and the commitment to them.
pub(crate) struct Unsealed {
    plain: Vec<u8>,
    pub(crate) commitment: Hash,
}

impl Unsealed {
    pub(crate) fn new(environment: &Environment, body: &[u8]) -> Self {
        let mut salt = [0; SALT];
        environment.fill_random(&mut salt);
        // With room for the tag.
        let mut plain = Vec::with_capacity(SALT + body.len() + 16);
        plain.extend_from_slice(&salt);
        plain.extend_from_slice(body);
        Self { commitment: commitment(&salt, body), plain }
    }

    /// Seals it for this leaf, whose content has the commitment.
    pub(crate) fn seal(self, key: &JournalKey, row: &LeafRow) -> Result<Vec<u8>, Error> {
        Ok(key.seal(&self.commitment, &entry(row), self.plain)?)
    }
}

/// Opens the body of a leaf; `None` if it was erased, or its organisation's key was destroyed.
pub(crate) fn open(keys: &KeyRing, row: &LeafRow) -> Result<Option<Opened>, Error> {
    let commitment_of_leaf = match Content::read(row)? {
        Content::Body(body) => return Ok(Some(Opened { salt: None, body: Zeroizing::new(body.to_vec()) })),
        Content::Committed { commitment, .. } => commitment,
    };
    let Some(sealed) = &row.sealed else { return Ok(None) };
    let key = match keys.journal_key(row.organisation) {
        Err(nuee_keys::Error::NoOrganisationKey(_)) => return Ok(None),
        key => key?,
    };
    let damaged = |detail: &str| Error::Damaged { leaf: row.id, detail: detail.into() };
    let plain = key.open(&commitment_of_leaf, &entry(row), sealed).map_err(|error| match error.kind() {
        ErrorKind::Corrupt => damaged("its body does not open"),
        _ => error.into(),
    })?;
    let (salt, body) = plain.split_first_chunk().ok_or_else(|| damaged("its body is too short"))?;
    if commitment(salt, body) != commitment_of_leaf {
        return Err(damaged("its body is not the one that it was committed to"));
    }
    Ok(Some(Opened { salt: Some(*salt), body: Zeroizing::new(body.to_vec()) }))
}
