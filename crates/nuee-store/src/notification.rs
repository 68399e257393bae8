//! Which events of a bucket are told to whom
//! ([S3's description](https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventNotifications.html)).
//!
//! A rule names a *destination*, the events that it wants, and perhaps how the keys begin and end. For example,
//! `s3:ObjectCreated:*` of keys that begin with `incoming/` and end with `.csv` goes to the webhook `portal`.

use nuee_base::ObjectKey;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The most rules of a bucket, as at S3.
const MAX_RULES: usize = 100;
/// The longest name of a rule, in characters, as at S3.
const MAX_ID: usize = 255;

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventName {
    /// It was written by PUT.
    Put,
    /// It was written by a form.
    Post,
    /// It was copied from another.
    Copy,
    /// It was put together from parts.
    CompleteMultipartUpload,
    /// It, or a version of it, was removed for good.
    Delete,
    /// A delete marker took its place.
    DeleteMarkerCreated,
    /// A lifecycle rule removed it, or a version of it, for good.
    Expired,
    /// A lifecycle rule put a delete marker in its place.
    ExpiredToMarker,
    /// It was tagged.
    Tagged,
    /// Its tags were removed.
    Untagged,
}

impl EventName {
    /// Every event.
    const ALL: [Self; 10] = [
        Self::Put,
        Self::Post,
        Self::Copy,
        Self::CompleteMultipartUpload,
        Self::Delete,
        Self::DeleteMarkerCreated,
        Self::Expired,
        Self::ExpiredToMarker,
        Self::Tagged,
        Self::Untagged,
    ];

    /// Its name in messages, which is that of rules without `s3:`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Put => "ObjectCreated:Put",
            Self::Post => "ObjectCreated:Post",
            Self::Copy => "ObjectCreated:Copy",
            Self::CompleteMultipartUpload => "ObjectCreated:CompleteMultipartUpload",
            Self::Delete => "ObjectRemoved:Delete",
            Self::DeleteMarkerCreated => "ObjectRemoved:DeleteMarkerCreated",
            Self::Expired => "LifecycleExpiration:Delete",
            Self::ExpiredToMarker => "LifecycleExpiration:DeleteMarkerCreated",
            Self::Tagged => "ObjectTagging:Put",
            Self::Untagged => "ObjectTagging:Delete",
        }
    }
}

/// Whether an event is meant by a pattern such as `s3:ObjectCreated:*` or `s3:ObjectCreated:Put`.
fn is_meant(pattern: &str, event: EventName) -> bool {
    let Some(pattern) = pattern.strip_prefix("s3:") else { return false };
    match pattern.strip_suffix('*') {
        Some(kind) => kind.ends_with(':') && event.as_str().starts_with(kind),
        None => event.as_str() == pattern,
    }
}

/// A rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationRule {
    /// Its name, which messages tell.
    pub id: String,
    /// To whom events go: the name of a webhook.
    pub destination: String,
    /// Events, as S3 names them, or all of a kind: `s3:ObjectRemoved:*`.
    pub events: Vec<String>,
    /// How the keys begin.
    pub prefix: Option<String>,
    /// How the keys end.
    pub suffix: Option<String>,
}

impl NotificationRule {
    fn matches(&self, event: EventName, key: &ObjectKey) -> bool {
        self.events.iter().any(|pattern| is_meant(pattern, event))
            && self.prefix.as_ref().is_none_or(|prefix| key.as_str().starts_with(prefix.as_str()))
            && self.suffix.as_ref().is_none_or(|suffix| key.as_str().ends_with(suffix.as_str()))
    }

    fn check(&self) -> Result<(), Error> {
        if self.id.chars().count() > MAX_ID {
            return Err(Error::InvalidArgument(format!("an Id has at most {MAX_ID} characters")));
        }
        if self.events.is_empty() {
            return Err(Error::InvalidArgument("a configuration has an Event at least".into()));
        }
        let is_known = |pattern: &&String| EventName::ALL.into_iter().any(|event| is_meant(pattern, event));
        match self.events.iter().find(|pattern| !is_known(pattern)) {
            Some(unknown) => Err(Error::InvalidArgument(format!("no event is named {unknown:?} here"))),
            None => Ok(()),
        }
    }
}

/// The rules of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notifications {
    rules: Vec<NotificationRule>,
    /// The journal's leaf after which they hold.
    pub(crate) since: i64,
}

impl Notifications {
    /// Rules that can be meant; an error says which one cannot.
    pub fn new(rules: Vec<NotificationRule>) -> Result<Self, Error> {
        if rules.len() > MAX_RULES {
            return Err(Error::InvalidArgument(format!("a bucket has at most {MAX_RULES} notifications")));
        }
        for (number, rule) in rules.iter().enumerate() {
            rule.check()?;
            if rules.iter().take(number).any(|earlier| earlier.id == rule.id) {
                return Err(Error::InvalidArgument(format!("the Id {:?} is there twice", rule.id)));
            }
        }
        Ok(Self { rules, since: 0 })
    }

    /// All of them.
    #[must_use]
    pub fn rules(&self) -> &[NotificationRule] {
        &self.rules
    }

    /// The first rule that sends an event to a destination.
    pub(crate) fn find(
        &self,
        destination: &str,
        event: EventName,
        key: &ObjectKey,
    ) -> Option<&NotificationRule> {
        self.rules.iter().find(|rule| rule.destination == destination && rule.matches(event, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(events: &[&str]) -> NotificationRule {
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        NotificationRule { id: "a".into(), destination: "portal".into(), events, ..Default::default() }
    }

    #[test]
    fn events_are_meant_by_their_name_or_their_kind() {
        assert!(is_meant("s3:ObjectCreated:*", EventName::Copy));
        assert!(is_meant("s3:ObjectCreated:Copy", EventName::Copy));
        for other in ["s3:ObjectCreated:Put", "s3:ObjectRemoved:*", "s3:*", "s3:Object*", "ObjectCreated:*"] {
            assert!(!is_meant(other, EventName::Copy), "{other}");
        }
    }

    #[test]
    fn rules_that_cannot_be_meant_are_refused() {
        let twice = vec![rule(&["s3:ObjectCreated:*"]), rule(&["s3:ObjectRemoved:*"])];
        let long = NotificationRule { id: "é".repeat(256), ..rule(&["s3:ObjectCreated:*"]) };
        let many = (0..=MAX_RULES)
            .map(|id| NotificationRule { id: id.to_string(), ..rule(&["s3:ObjectTagging:*"]) });
        let replication = vec![rule(&["s3:ObjectCreated:Put", "s3:Replication:*"])];
        for wrong in [vec![rule(&[])], replication, twice, vec![long], many.collect()] {
            assert!(Notifications::new(wrong).is_err());
        }
        assert!(Notifications::new(vec![rule(&["s3:ObjectTagging:Delete"])]).is_ok());
    }

    #[test]
    fn keys_are_meant_by_both_of_their_ends() {
        let rule = NotificationRule {
            prefix: Some("in/".into()),
            suffix: Some(".csv".into()),
            ..rule(&["s3:ObjectCreated:*"])
        };
        let rules = Notifications::new(vec![rule]).unwrap();
        let is_found = |destination: &str, key: &str, event: EventName| {
            rules.find(destination, event, &key.parse().unwrap()).is_some()
        };
        assert!(is_found("portal", "in/a.csv", EventName::Put));
        assert!(!is_found("portal", "in/a.txt", EventName::Put));
        assert!(!is_found("portal", "out/a.csv", EventName::Put));
        assert!(!is_found("portal", "in/a.csv", EventName::Delete));
        assert!(!is_found("other", "in/a.csv", EventName::Put));
    }
}
