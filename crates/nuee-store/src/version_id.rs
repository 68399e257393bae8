//! Ids of versions, as clients see them.
//!
//! A version is known inside by its number, which is that of its journal leaf: numbers tell how much the whole platform
//! writes, which is nobody's business. So clients get the number enciphered under the bucket's id: 16 bytes of which the
//! first half authenticates the second, after the letter `v`, which keeps an id from ever being a number. Nothing secret
//! hangs on it: who guesses an id finds only what its key and bucket have.

use sha2::{Digest, Sha256};

use crate::Bucket;

/// What stands for the version without an id of its own.
pub(crate) const NULL: &str = "null";
const MARK: char = 'v';

/// Which version of a key a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VersionId {
    /// The one without an id of its own.
    Null,
    /// The one of this number.
    Number(i64),
}

impl VersionId {
    /// Reads an id; `None` if the bucket never gave it.
    pub(crate) fn parse(bucket: &Bucket, text: &str) -> Option<Self> {
        if text == NULL {
            return Some(Self::Null);
        }
        let bytes: [u8; 16] = hex::decode(text.strip_prefix(MARK)?).ok()?.try_into().ok()?;
        let (tag, hidden) = bytes.split_at(8);
        let tag: [u8; 8] = tag.try_into().ok()?;
        let number = i64::from_be_bytes(mask(bucket, "hide", tag, hidden.try_into().ok()?));
        (seal(bucket, number) == tag && text == write(bucket, number)).then_some(Self::Number(number))
    }
}

/// Whether this could be the id of a version of some bucket. One that could not is a mistake of whoever asks.
#[must_use]
pub fn is_version_id(text: &str) -> bool {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text == NULL || text.strip_prefix(MARK).is_some_and(|hex| hex.len() == 32 && hex.bytes().all(is_hex))
}

/// The id of the version of this number.
pub(crate) fn write(bucket: &Bucket, number: i64) -> String {
    let tag = seal(bucket, number);
    let hidden = mask(bucket, "hide", tag, number.to_be_bytes());
    format!("{MARK}{}{}", hex::encode(tag), hex::encode(hidden))
}

fn seal(bucket: &Bucket, number: i64) -> [u8; 8] {
    mask(bucket, "seal", number.to_be_bytes(), [0; 8])
}

/// `bytes`, changed by what nobody can compute without the bucket's id.
fn mask(bucket: &Bucket, purpose: &str, from: [u8; 8], mut bytes: [u8; 8]) -> [u8; 8] {
    let stream = Sha256::new()
        .chain_update(bucket.id.to_bytes())
        .chain_update("nuee/version/v1/")
        .chain_update(purpose)
        .chain_update(from)
        .finalize();
    for (byte, stream) in bytes.iter_mut().zip(stream) {
        *byte ^= stream;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use nuee_base::{BucketId, OrganisationId, ProjectId, Timestamp};

    use super::*;
    use crate::Encryption;

    fn bucket(id: u8) -> Bucket {
        Bucket::new(
            (1, BucketId::from_bytes([id; 16])),
            "papers".parse().unwrap(),
            (OrganisationId::from_bytes([2; 16]), ProjectId::from_bytes([3; 16])),
            (Timestamp::from_micros(0), Encryption::Aes256),
        )
    }

    #[test]
    fn an_id_leads_to_its_number_in_its_bucket_only() {
        let (bucket, other) = (bucket(1), bucket(4));
        let mut seen = HashSet::new();
        for number in (0..2_000).chain([i64::MAX, -1]) {
            let text = write(&bucket, number);
            assert_eq!(VersionId::parse(&bucket, &text), Some(VersionId::Number(number)), "{text}");
            assert_eq!(VersionId::parse(&other, &text), None);
            assert!(text.len() == 33 && text.starts_with('v') && seen.insert(text));
        }
    }

    #[test]
    fn what_is_no_id_leads_nowhere() {
        let bucket = bucket(1);
        let good = write(&bucket, 7);
        assert_eq!(VersionId::parse(&bucket, "null"), Some(VersionId::Null));
        let upper = good.to_uppercase();
        let cut = &good[..good.len() - 1];
        let longer = format!("{good}00");
        let zeroes = format!("v{}", "0".repeat(32));
        for bad in ["", "v", "NULL", "7", "é", &upper, cut, &longer, &zeroes, &good[1..]] {
            assert_eq!(VersionId::parse(&bucket, bad), None, "{bad}");
            assert_eq!(is_version_id(bad), bad == zeroes, "{bad}");
        }
        assert!(is_version_id(&good) && is_version_id("null"));
    }
}
