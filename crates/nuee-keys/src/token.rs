//! What is kept of a token that its bearer shows: enough to know it again, and not enough to show it.

use aws_lc_rs::{constant_time, digest};

/// The digest of a token. Tokens are random and long, so that nobody finds one by its digest.
#[derive(Debug, Clone, Copy)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// That of this token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        Self(bytes)
    }

    /// One that was kept.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// As it is kept.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// Whether it is that of this token. Takes the same time whatever is wrong with it.
    #[must_use]
    pub fn is_of(&self, token: &str) -> bool {
        constant_time::verify_slices_are_equal(&Self::of(token).0, &self.0).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_again_and_no_other() {
        let kept = TokenDigest::from_bytes(TokenDigest::of("a token").to_bytes());
        assert!(kept.is_of("a token"));
        for other in ["", "a toke", "a token ", "A token"] {
            assert!(!kept.is_of(other), "{other:?}");
        }
    }
}
