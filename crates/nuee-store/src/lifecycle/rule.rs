//! Rules, and what they must be.

use std::collections::BTreeSet;

use nuee_base::{Environment, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    day::{after_days, is_midnight},
    filter::LifecycleFilter,
};
use crate::{Error, TagSet};

/// The rules of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    rules: Vec<LifecycleRule>,
    transition_minimum: TransitionMinimum,
}

/// Below which size S3 leaves objects where they are. Nothing is moved here; clients ask whether it was kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransitionMinimum {
    /// 128 KiB.
    #[default]
    All128K,
    /// Another one for each class of storage.
    ByStorageClass,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleRule {
    /// Its name, unique in its bucket.
    pub id: String,
    /// Whether it is carried out.
    pub enabled: bool,
    /// What it is about.
    pub filter: LifecycleFilter,
    /// What becomes of what keys name.
    pub expiration: Option<Expiration>,
    /// What becomes of versions that were replaced or deleted.
    pub noncurrent: Option<NoncurrentExpiration>,
    /// After how many days an upload that is neither completed nor aborted is aborted.
    pub abort_after_days: Option<u32>,
}

/// When what a key names expires: an object is deleted, as if somebody had asked for it; a delete marker that nothing is
/// left under is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expiration {
    /// So many days after it was written.
    Days(u32),
    /// At this instant, in microseconds since 1970, which is a midnight UTC; also whatever is written later.
    DateMicros(i64),
    /// Delete markers alone, as soon as nothing is left under them, or not even these.
    Markers(bool),
}

/// When versions that are not the one their key names are removed for good, and delete markers under others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoncurrentExpiration {
    /// So many days after the next version was written.
    pub days: u32,
    /// So many versions are kept, the newest of those that were replaced or deleted.
    pub keep: Option<u32>,
}

impl Lifecycle {
    /// The most rules, as at S3.
    pub const MAX_RULES: usize = 1_000;
    /// The most versions that a rule can keep, as at S3.
    const MAX_KEPT: u32 = 100;
    /// The most characters of a rule's name, as at S3.
    const MAX_ID: usize = 255;

    /// Rules; those that have no name yet get one. [`Error::Invalid`] and [`Error::InvalidArgument`] tell what cannot be
    /// meant.
    pub fn new(
        environment: &Environment,
        mut rules: Vec<LifecycleRule>,
        transition_minimum: TransitionMinimum,
    ) -> Result<Self, Error> {
        let mut ids = BTreeSet::new();
        for rule in &mut rules {
            if rule.id.is_empty() {
                let mut random = [0; 16];
                environment.fill_random(&mut random);
                rule.id = hex::encode(random);
            }
            rule.check()?;
            if !ids.insert(&rule.id) {
                let problem = "Rule ID must be unique. Found same ID for more than one rule";
                return Err(Error::InvalidArgument(format!("{problem}: {:?}", rule.id)));
            }
        }
        Ok(Self { rules, transition_minimum })
    }

    /// The rules, in the order in which they were given.
    #[must_use]
    pub fn rules(&self) -> &[LifecycleRule] {
        &self.rules
    }

    /// What was said of transitions.
    #[must_use]
    pub fn transition_minimum(&self) -> TransitionMinimum {
        self.transition_minimum
    }

    /// The rules that are carried out, with their places.
    pub(super) fn enabled(&self) -> impl Iterator<Item = (usize, &LifecycleRule)> {
        self.rules.iter().enumerate().filter(|(_, rule)| rule.enabled)
    }

    /// Whether an object's tags matter to when it expires.
    pub(super) fn asks_for_tags(&self) -> bool {
        self.enabled().any(|(_, rule)| rule.expiration.is_some() && !rule.filter.tags.is_empty())
    }

    /// When an object that a key names expires, and by which rule; `None` if none says so.
    #[must_use]
    pub fn expiry(&self, key: &str, size: u64, written: (Timestamp, &TagSet)) -> Option<(Timestamp, &str)> {
        let (modified_at, tags) = written;
        let says = self.enabled().filter_map(|(_, rule)| {
            let filter = &rule.filter;
            let fits = filter.fits_key(key) && filter.fits_size(size) && filter.fits_tags(tags);
            let at = rule.expiration?.of_written(modified_at).filter(|_| fits)?;
            Some((at, rule.id.as_str()))
        });
        says.min_by_key(|(at, _)| *at)
    }
}

impl Expiration {
    fn days(self) -> Option<u32> {
        match self {
            Self::Days(days) => Some(days),
            Self::DateMicros(_) | Self::Markers(_) => None,
        }
    }

    /// When what was written at `modified_at` expires.
    pub(super) fn of_written(self, modified_at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Days(days) => Some(after_days(modified_at, days)),
            Self::DateMicros(micros) => Some(Timestamp::from_micros(micros)),
            Self::Markers(_) => None,
        }
    }

    /// When a delete marker of `modified_at` that nothing is left under goes.
    pub(super) fn of_marker(self, modified_at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Markers(removed) => removed.then_some(modified_at),
            _ => self.of_written(modified_at),
        }
    }
}

impl LifecycleRule {
    fn check(&self) -> Result<(), Error> {
        let wrong = |problem: String| Err(Error::InvalidArgument(problem));
        if self.id.chars().count() > Lifecycle::MAX_ID {
            return wrong(format!("ID length should not exceed allowed limit of {}", Lifecycle::MAX_ID));
        }
        self.filter.check()?;
        let days = [
            ("Days' for Expiration", self.expiration.and_then(Expiration::days)),
            (
                "NoncurrentDays' for NoncurrentVersionExpiration",
                self.noncurrent.map(|noncurrent| noncurrent.days),
            ),
            ("DaysAfterInitiation' for AbortIncompleteMultipartUpload", self.abort_after_days),
        ];
        if let Some((of, _)) = days.into_iter().find(|(_, days)| *days == Some(0)) {
            return wrong(format!("'{of} action must be a positive integer"));
        }
        if let Some(Expiration::DateMicros(micros)) = self.expiration
            && !is_midnight(Timestamp::from_micros(micros))
        {
            return wrong("'Date' must be at midnight GMT".into());
        }
        let kept = self.noncurrent.and_then(|noncurrent| noncurrent.keep);
        if kept.is_some_and(|kept| kept == 0 || kept > Lifecycle::MAX_KEPT) {
            return wrong(format!("'NewerNoncurrentVersions' is 1 to {}", Lifecycle::MAX_KEPT));
        }
        self.check_together()
    }

    /// That what it does can be done to what it is about.
    fn check_together(&self) -> Result<(), Error> {
        let wrong = |problem: &str| Err(Error::Invalid(problem.into()));
        if self.expiration.is_none() && self.noncurrent.is_none() && self.abort_after_days.is_none() {
            return wrong("At least one action needs to be specified in a rule");
        }
        if !self.filter.is_of_objects() {
            return Ok(());
        }
        if self.abort_after_days.is_some() {
            return wrong("AbortIncompleteMultipartUpload cannot be specified with Tags or object sizes");
        }
        if matches!(self.expiration, Some(Expiration::Markers(_))) {
            return wrong("ExpiredObjectDeleteMarker cannot be specified with Tags or object sizes");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
