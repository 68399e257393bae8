//! Entity tags of objects.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Encryption;

/// An object's entity tag, without quotes.
///
/// The MD5 of the content; for a multipart object the MD5 of its parts' MD5s and `-n`; where `aws:kms` was asked for, an opaque
/// value that a dash marks as no MD5, so that no client takes it for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ETag {
    /// The MD5 of the content.
    Md5([u8; 16]),
    /// The MD5 of the parts' MD5s, and their number.
    Multipart([u8; 16], u16),
    /// Random bytes.
    Opaque([u8; 16]),
}

impl ETag {
    /// How what has this tag is shown to be encrypted.
    #[must_use]
    pub fn encryption(&self) -> Encryption {
        match self {
            Self::Md5(_) | Self::Multipart(..) => Encryption::Aes256,
            Self::Opaque(_) => Encryption::AwsKms,
        }
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let (Self::Md5(bytes) | Self::Multipart(bytes, _) | Self::Opaque(bytes)) = self;
        let mut text = [0; 32];
        for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)?;
        match self {
            Self::Md5(_) => Ok(()),
            Self::Multipart(_, parts) => write!(f, "-{parts}"),
            Self::Opaque(_) => f.write_str("-1"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ETag;

    #[test]
    fn only_the_md5_of_the_content_has_no_dash() {
        assert_eq!(ETag::Md5([0xAB; 16]).to_string(), "ab".repeat(16));
        assert_eq!(ETag::Multipart([1; 16], 12).to_string(), format!("{}-12", "01".repeat(16)));
        assert!(ETag::Opaque([1; 16]).to_string().contains('-'));
    }
}
