//! What seals the bodies of the journal's leaves: a key of the organisation that each leaf concerns.
//!
//! A leaf is a few hundred bytes and there is one for each change, so one key seals many: AES-256-GCM-SIV
//! ([RFC 8452](https://www.rfc-editor.org/rfc/rfc8452)), of which a nonce that came twice would tell no more than that two
//! bodies are equal. The nonce comes from the leaf's commitment, which is random, so none is kept.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::Error;

/// The key that seals what the journal says of an organisation, or of the platform itself.
pub struct JournalKey(LessSafeKey);

impl JournalKey {
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self, Error> {
        let key = UnboundKey::new(&AES_256_GCM_SIV, key).map_err(|_| Error::Tampered)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Seals a body for the leaf that is `leaf`, whose commitment to the body is `commitment`.
    pub fn seal(&self, commitment: &[u8; 32], leaf: &[u8], mut body: Vec<u8>) -> Result<Vec<u8>, Error> {
        let sealed = self.0.seal_in_place_append_tag(nonce(commitment), Aad::from(leaf), &mut body);
        sealed.map_err(|_| Error::Tampered)?;
        Ok(body)
    }

    /// Opens what [`JournalKey::seal`] sealed for the same leaf.
    pub fn open(
        &self,
        commitment: &[u8; 32],
        leaf: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut body = Zeroizing::new(sealed.to_vec());
        let opened = self.0.open_in_place(nonce(commitment), Aad::from(leaf), &mut body);
        let length = opened.map_err(|_| Error::Tampered)?.len();
        body.truncate(length);
        Ok(body)
    }
}

fn nonce(commitment: &[u8; 32]) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce.copy_from_slice(&commitment[..NONCE_LEN]);
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_opens_for_its_leaf_alone() {
        let (key, other) = (JournalKey::new(&[1; 32]).unwrap(), JournalKey::new(&[2; 32]).unwrap());
        let sealed = key.seal(&[3; 32], b"leaf", b"body".to_vec()).unwrap();
        assert_eq!(sealed.len(), 4 + 16);
        assert_eq!(**key.open(&[3; 32], b"leaf", &sealed).unwrap(), *b"body");
        assert!(key.open(&[4; 32], b"leaf", &sealed).is_err());
        assert!(key.open(&[3; 32], b"another", &sealed).is_err());
        assert!(other.open(&[3; 32], b"leaf", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open(&[3; 32], b"leaf", &changed).is_err());
        }
    }
}
