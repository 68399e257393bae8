//! Names that people and programs choose, validated once, at construction.

use std::{fmt, net::Ipv4Addr, str::FromStr};

/// Why a text is not a name of that kind, and what is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {kind}: {expected}")]
pub struct InvalidName {
    kind: &'static str,
    text: String,
    expected: &'static str,
}

impl InvalidName {
    /// `text` (its beginning is kept) is not a `kind`, because of what was `expected`.
    #[must_use]
    pub fn new(kind: &'static str, text: &str, expected: &'static str) -> Self {
        Self { kind, text: text.chars().take(80).collect(), expected }
    }
}

macro_rules! text_name {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.0)
            }
        }
    };
}

/// A bucket's name: 3 to 63 characters `a-z0-9.-`, as the
/// [rules of S3](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html) say for general purpose
/// buckets. Unique on a platform.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketName(Box<str>);

text_name!(BucketName);

impl FromStr for BucketName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let refuse = |expected| Err(InvalidName::new("bucket name", text, expected));
        let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = text.as_bytes();
        if !(3..=63).contains(&bytes.len()) {
            return refuse("expected 3 to 63 characters");
        }
        if !bytes.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-')) {
            return refuse("expected lower-case letters, digits, dots and hyphens only");
        }
        if !edge(bytes.first()) || !edge(bytes.last()) {
            return refuse("expected a letter or a digit at both ends");
        }
        if text.contains("..") || text.parse::<Ipv4Addr>().is_ok() {
            return refuse("two dots in a row and the form of an IP address are not allowed");
        }
        let reserved_prefix =
            ["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|prefix| text.starts_with(prefix));
        let reserved_suffix = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
        if reserved_prefix || reserved_suffix.iter().any(|suffix| text.ends_with(suffix)) {
            return refuse("this prefix or suffix is reserved by S3");
        }
        Ok(Self(text.into()))
    }
}

/// An object's key: 1 to 1,024 bytes of UTF-8, any characters, sorted by bytes. Never used as a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(Box<str>);

text_name!(ObjectKey);

impl ObjectKey {
    /// The longest key, in bytes, as at S3.
    pub const MAX_BYTES: usize = 1_024;

    /// The key's bytes, as storage sorts them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl FromStr for ObjectKey {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() || text.len() > Self::MAX_BYTES {
            return Err(InvalidName::new("object key", text, "expected 1 to 1,024 bytes of UTF-8"));
        }
        Ok(Self(text.into()))
    }
}

/// The short name of an organisation, a project or a service account: 1 to 63 characters `a-z0-9-`, with a letter or a
/// digit at both ends, so that it can stand in a host name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(Box<str>);

text_name!(Slug);

impl FromStr for Slug {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let bytes = text.as_bytes();
        let valid = (1..=63).contains(&bytes.len())
            && bytes.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && bytes.first() != Some(&b'-')
            && bytes.last() != Some(&b'-');
        if !valid {
            let expected = "expected 1 to 63 of a-z, 0-9 and hyphen, with no hyphen at either end";
            return Err(InvalidName::new("name", text, expected));
        }
        Ok(Self(text.into()))
    }
}

/// The public half of an access key: 16 to 128 characters `A-Z0-9`, as S3 clients expect.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessKeyId(Box<str>);

text_name!(AccessKeyId);

impl FromStr for AccessKeyId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let valid = (16..=128).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if !valid {
            return Err(InvalidName::new("access key id", text, "expected 16 to 128 of A-Z and 0-9"));
        }
        Ok(Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names_follow_the_rules_of_s3() {
        for good in ["abc", "a-b.c", "123", "0a0", &"a".repeat(63)] {
            assert!(good.parse::<BucketName>().is_ok(), "{good}");
        }
        let bad = [
            "ab",
            "Abc",
            "a_b",
            "-abc",
            "abc-",
            ".abc",
            "abc.",
            "a..b",
            "192.168.1.1",
            "xn--abc",
            "abc-s3alias",
            "a/b",
            "été",
            "",
            &"a".repeat(64),
        ];
        for bad in bad {
            assert!(bad.parse::<BucketName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn object_keys_are_any_text_up_to_1024_bytes() {
        for good in ["a", "..", "//", "../../etc/passwd", "é %2F\u{1}", &"k".repeat(1_024)] {
            assert!(good.parse::<ObjectKey>().is_ok(), "{good}");
        }
        assert!("".parse::<ObjectKey>().is_err());
        assert!("é".repeat(513).parse::<ObjectKey>().is_err(), "1,026 bytes are too many");
    }

    #[test]
    fn an_error_names_the_text_and_what_is_expected() {
        let error = "Ab".parse::<BucketName>().unwrap_err();
        assert_eq!(error.to_string(), r#""Ab" is not a bucket name: expected 3 to 63 characters"#);
    }
}
