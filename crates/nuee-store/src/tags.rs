//! Tags of objects and buckets. Sealed at rest.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Tags, in the order in which they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagSet(Vec<(String, String)>);

impl TagSet {
    /// The most tags of an object, as at S3.
    pub const MAX_OF_OBJECT: usize = 10;
    /// The most tags of a bucket, as at S3.
    pub const MAX_OF_BUCKET: usize = 50;
    /// The most characters of a tag's key.
    const MAX_KEY: usize = 128;
    /// The most characters of a tag's value.
    const MAX_VALUE: usize = 256;

    /// Up to `limit` tags with keys of their own. [`Error::TooManyTags`], or [`Error::InvalidTag`], which says which one is none.
    pub fn new(tags: Vec<(String, String)>, limit: usize) -> Result<Self, Error> {
        if tags.len() > limit {
            return Err(Error::TooManyTags { limit });
        }
        let mut keys = BTreeSet::new();
        for (key, value) in &tags {
            let problem = if key.is_empty() || key.chars().count() > Self::MAX_KEY {
                format!("a tag's key has 1 to {} characters", Self::MAX_KEY)
            } else if value.chars().count() > Self::MAX_VALUE {
                format!("a tag's value has at most {} characters", Self::MAX_VALUE)
            } else if key.chars().chain(value.chars()).any(|character| !is_allowed(character)) {
                "a tag has letters, digits, spaces and + - = . _ : / @ only".to_owned()
            } else if key.to_ascii_lowercase().starts_with("aws:") {
                "keys that begin with aws: are reserved".to_owned()
            } else if !keys.insert(key) {
                "a key is there several times".to_owned()
            } else {
                continue;
            };
            return Err(Error::InvalidTag(format!("{problem}: {key:?}")));
        }
        Ok(Self(tags))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The value of this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }
}

/// The characters of tags, at S3.
fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || character == ' ' || "+-=._:/@".contains(character)
}

#[cfg(test)]
mod tests {
    use super::TagSet;

    #[test]
    fn tags_are_those_of_s3() {
        let make = |tags: &[(&str, &str)]| {
            let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            TagSet::new(tags, TagSet::MAX_OF_OBJECT)
        };
        let tags = make(&[("état", "prêt"), ("a", ""), ("A", "b c+-=._:/@")]).unwrap();
        assert_eq!((tags.get("état"), tags.get("b"), tags.len()), (Some("prêt"), None, 3));
        let long = "k".repeat(129);
        let value = "v".repeat(257);
        for bad in [&[("", "a")][..], &[(&long, "")], &[("a", &value)], &[("a", "<")], &[("aws:a", "")]] {
            assert!(make(bad).is_err(), "{bad:?}");
        }
        assert!(make(&[("a", "1"), ("a", "2")]).is_err());
        let eleven: Vec<_> = (0..11).map(|number| (number.to_string(), String::new())).collect();
        assert!(TagSet::new(eleven.clone(), TagSet::MAX_OF_OBJECT).is_err());
        assert!(TagSet::new(eleven, TagSet::MAX_OF_BUCKET).is_ok());
    }
}
