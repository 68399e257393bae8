//! Signatures that anybody can check with a public key: Ed25519 ([RFC 8032](https://www.rfc-editor.org/rfc/rfc8032)).

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::Error;

/// The length of a signature, in bytes.
pub const SIGNATURE_SIZE: usize = 64;

/// A key that signs.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: VerifyingKey,
}

impl SigningKey {
    /// The key that this secret makes.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| Error::Tampered)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| Error::Tampered)?;
        Ok(Self { pair, public: VerifyingKey(public) })
    }

    /// Signs a message.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_SIZE] {
        let mut signature = [0; SIGNATURE_SIZE];
        signature.copy_from_slice(self.pair.sign(message).as_ref());
        signature
    }

    /// What its signatures are checked with.
    #[must_use]
    pub fn public(&self) -> VerifyingKey {
        self.public
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?})", self.public)
    }
}

/// The public half of a [`SigningKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyingKey([u8; 32]);

impl VerifyingKey {
    /// The key that these bytes are.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// Whether `signature` is this key's, of `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_standard() {
        // RFC 8032, section 7.1, TEST 2.
        let seed = hex::decode("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").unwrap();
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        let key = SigningKey::from_seed(&seed.try_into().unwrap()).unwrap();
        assert_eq!(hex::encode(key.public().to_bytes()), public);
        assert_eq!(hex::encode(key.sign(&[0x72])), signature);
        assert!(key.public().verifies(&[0x72], &key.sign(&[0x72])));
        assert!(!key.public().verifies(&[0x73], &key.sign(&[0x72])));
        assert!(!VerifyingKey::from_bytes([7; 32]).verifies(&[0x72], &key.sign(&[0x72])));
    }
}
