//! What a rule is about.

use serde::{Deserialize, Serialize};

use crate::{Error, TagSet};

/// The longest prefix, in bytes: that of keys.
const MAX_PREFIX_BYTES: usize = 1_024;

/// What a rule is about: what fits all that is said here. By default, everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleFilter {
    /// Its key starts with this.
    pub prefix: Option<String>,
    /// It has these tags, and others or not.
    pub tags: TagSet,
    /// It has more bytes than this.
    pub larger_than: Option<u64>,
    /// It has fewer bytes than this.
    pub smaller_than: Option<u64>,
    /// Whether its prefix stands beside the filter, as in documents of the first years of S3: it is shown so again.
    pub beside: bool,
}

impl LifecycleFilter {
    /// How many things it says.
    #[must_use]
    pub fn predicates(&self) -> usize {
        let sizes = usize::from(self.larger_than.is_some()) + usize::from(self.smaller_than.is_some());
        usize::from(self.prefix.is_some()) + self.tags.len() + sizes
    }

    /// Whether it says something of what only objects have: tags, or a size.
    #[must_use]
    pub fn is_of_objects(&self) -> bool {
        !self.tags.is_empty() || self.larger_than.is_some() || self.smaller_than.is_some()
    }

    /// What keys start with.
    pub(super) fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or_default()
    }

    pub(super) fn fits_key(&self, key: &str) -> bool {
        key.starts_with(self.prefix())
    }

    pub(super) fn fits_size(&self, size: u64) -> bool {
        self.larger_than.is_none_or(|bound| size > bound)
            && self.smaller_than.is_none_or(|bound| size < bound)
    }

    pub(super) fn fits_tags(&self, tags: &TagSet) -> bool {
        self.tags.iter().all(|(key, value)| tags.get(key) == Some(value))
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        if self.prefix().len() > MAX_PREFIX_BYTES {
            return Err(Error::Invalid(format!("the maximum size of a prefix is {MAX_PREFIX_BYTES} bytes")));
        }
        match (self.larger_than, self.smaller_than) {
            (_, Some(0)) => Err(Error::Invalid("'ObjectSizeLessThan' must be at least 1".into())),
            (Some(larger), Some(smaller)) if smaller <= larger.saturating_add(1) => Err(Error::Invalid(
                "no size is between 'ObjectSizeGreaterThan' and 'ObjectSizeLessThan'".into(),
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> TagSet {
        let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        TagSet::new(pairs, TagSet::MAX_OF_OBJECT).unwrap()
    }

    #[test]
    fn a_filter_fits_what_has_all_that_it_says() {
        let all = LifecycleFilter::default();
        assert!(all.fits_key("a") && all.fits_size(0) && all.fits_tags(&tags(&[("a", "1")])));
        let filter = LifecycleFilter {
            prefix: Some("logs/".into()),
            tags: tags(&[("a", "1"), ("b", "2")]),
            larger_than: Some(10),
            smaller_than: Some(12),
            beside: false,
        };
        assert_eq!((filter.predicates(), filter.is_of_objects()), (5, true));
        assert!(filter.fits_key("logs/") && filter.fits_key("logs/a") && !filter.fits_key("log"));
        assert!(filter.fits_size(11) && !filter.fits_size(10) && !filter.fits_size(12));
        assert!(filter.fits_tags(&tags(&[("b", "2"), ("c", "3"), ("a", "1")])));
        for others in [&[][..], &[("a", "1")], &[("a", "1"), ("b", "3")], &[("A", "1"), ("b", "2")]] {
            assert!(!filter.fits_tags(&tags(others)), "{others:?}");
        }
    }

    #[test]
    fn a_filter_that_nothing_fits_is_refused() {
        let sizes =
            |larger_than, smaller_than| LifecycleFilter { larger_than, smaller_than, ..Default::default() };
        for (larger, smaller, sound) in [
            (None, None, true),
            (Some(0), None, true),
            (None, Some(1), true),
            (None, Some(0), false),
            (Some(1), Some(3), true),
            (Some(1), Some(2), false),
            (Some(u64::MAX), Some(1), false),
        ] {
            assert_eq!(sizes(larger, smaller).check().is_ok(), sound, "{larger:?} {smaller:?}");
        }
        let long = LifecycleFilter { prefix: Some("é".repeat(513)), ..Default::default() };
        assert!(long.check().is_err());
    }
}
