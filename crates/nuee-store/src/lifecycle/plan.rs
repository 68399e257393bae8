//! What a round is to do in a bucket, as its rules are at one moment.

use std::sync::Arc;

use nuee_base::Timestamp;
use nuee_metadata::{BucketSettingRow, Snapshot, Transaction};

use super::rule::{Expiration, Lifecycle, LifecycleRule};
use crate::{Bucket, Error, Setting, SettingName, Store, list::successor};

/// The rules of a bucket, and the time at which they are carried out.
pub(super) struct Plan {
    pub(super) bucket: Arc<Bucket>,
    pub(super) lifecycle: Lifecycle,
    pub(super) now: Timestamp,
    /// What the keys start with whose versions are looked at.
    pub(super) versions: Prefixes,
    /// What the keys start with whose uploads are looked at.
    pub(super) uploads: Prefixes,
    /// The rules' row, by which a transaction knows whether they are still the same.
    pub(super) row: BucketSettingRow,
}

impl Plan {
    fn new(bucket: Bucket, lifecycle: Lifecycle, now: Timestamp, row: BucketSettingRow) -> Self {
        let prefixes = |concerns: fn(&LifecycleRule) -> bool| {
            let rules = lifecycle.enabled().filter(|(_, rule)| concerns(rule));
            Prefixes::new(rules.map(|(_, rule)| rule.filter.prefix()))
        };
        let expires = |rule: &LifecycleRule| {
            let removes = rule.expiration.is_some_and(|expiration| expiration != Expiration::Markers(false));
            removes || rule.noncurrent.is_some()
        };
        let (versions, uploads) = (prefixes(expires), prefixes(|rule| rule.abort_after_days.is_some()));
        Self { bucket: Arc::new(bucket), lifecycle, now, versions, uploads, row }
    }

    /// Inside a transaction: whether the bucket and its rules are still what they were.
    pub(super) fn holds(&self, store: &Store, transaction: &Transaction<'_>) -> Result<bool, Error> {
        match store.present_bucket(transaction, &self.bucket) {
            Ok(present) if Arc::ptr_eq(&present, &self.bucket) => {}
            Ok(_) | Err(Error::NoSuchBucket(_)) => return Ok(false),
            Err(error) => return Err(error),
        }
        Ok(transaction.bucket_settings(self.bucket.number)?.contains(&self.row))
    }
}

impl Store {
    /// What is to be done now in the bucket of this number; `None` if it has no rules.
    pub(super) fn lifecycle_plan(&self, number: i64) -> Result<Option<Arc<Plan>>, Error> {
        let now = self.0.lock_clock.now();
        self.0.metadata.read_consistent(|snapshot: &Snapshot<'_>| {
            let Some(bucket) = snapshot.bucket_by_number(number)? else { return Ok(None) };
            let name = SettingName::Lifecycle.as_str();
            let rows = snapshot.bucket_settings(number)?;
            let Some(row) = rows.into_iter().find(|row| row.name == name) else { return Ok(None) };
            let bucket = self.open_bucket(&bucket)?;
            match self.open_setting(&bucket, &row)? {
                (Setting::Lifecycle(rules), _) => Ok(Some(Arc::new(Plan::new(bucket, rules, now, row)))),
                _ => Ok(None),
            }
        })
    }
}

/// Beginnings of keys, none of which is the beginning of another.
pub(super) struct Prefixes(Vec<String>);

impl Prefixes {
    fn new<'a>(prefixes: impl Iterator<Item = &'a str>) -> Self {
        let mut sorted: Vec<_> = prefixes.map(str::to_owned).collect();
        sorted.sort_unstable();
        // After a prefix come those that it is the beginning of.
        sorted.dedup_by(|longer, shorter| longer.starts_with(&**shorter));
        Self(sorted)
    }

    /// The first that keys at or after this one can have.
    pub(super) fn next(&self, from: &[u8]) -> Option<&str> {
        let ahead = |prefix: &&String| prefix.as_bytes() >= from || from.starts_with(prefix.as_bytes());
        self.0.iter().find(ahead).map(String::as_str)
    }

    /// The least key after all that have this prefix, if there can be one.
    pub(super) fn after(prefix: &str) -> Option<Vec<u8>> {
        successor(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::Prefixes;

    #[test]
    fn every_key_that_a_rule_is_about_is_passed_once() {
        let prefixes = Prefixes::new(["b/", "a", "b/c", "ab", "d", "a"].into_iter());
        assert_eq!(prefixes.0, ["a", "b/", "d"]);
        for (from, next) in [
            ("", Some("a")),
            ("a", Some("a")),
            ("azz", Some("a")),
            ("b", Some("b/")),
            ("b/z", Some("b/")),
            ("b0", Some("d")),
            ("dé", Some("d")),
            ("e", None),
        ] {
            assert_eq!(prefixes.next(from.as_bytes()), next, "{from}");
        }
        assert_eq!(Prefixes::after("b/").as_deref(), Some(&b"b0"[..]));
        let all = Prefixes::new(["", "a"].into_iter());
        assert_eq!((all.next(b"anything"), Prefixes::after("")), (Some(""), None));
        assert_eq!(Prefixes::new(std::iter::empty()).next(b""), None);
    }
}
