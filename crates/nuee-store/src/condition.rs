//! Conditions of requests ([RFC 9110, section 13](https://www.rfc-editor.org/rfc/rfc9110#section-13)): those of a write
//! are looked at in the transaction that makes it, so that of two who would replace the same version one is refused.

use nuee_base::Timestamp;

use crate::{ETag, Error};

/// Entity tags that a condition names, without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tags {
    /// `*`: that of any object.
    Any,
    /// One of these.
    These(Vec<String>),
}

impl Tags {
    fn match_one(&self, etag: ETag) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => {
                let etag = etag.to_string();
                tags.contains(&etag)
            }
        }
    }
}

/// When a request is to be carried out. By default, always.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// `If-Match`: the object has one of these. Weak tags, which equal none here, are left out.
    pub matches: Option<Tags>,
    /// `If-None-Match`: it has none of these.
    pub differs: Option<Tags>,
    /// `If-Modified-Since`: it was written later, in seconds since 1970.
    pub modified_since: Option<i64>,
    /// `If-Unmodified-Since`: it was not.
    pub unmodified_since: Option<i64>,
}

/// What conditions are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Present {
    /// There is no object.
    Nothing,
    /// There is one, of which nothing is known: its row is damaged.
    Unknown,
    /// There is one, with its entity tag and when it was written.
    Object(ETag, Timestamp),
}

impl Conditions {
    /// Whether there is no condition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Of a read: [`Error::PreconditionFailed`], or [`Error::NotModified`] for who has the object already.
    pub fn check_read(&self, etag: ETag, modified_at: Timestamp) -> Result<(), Error> {
        self.check(Present::Object(etag, modified_at))
    }

    /// Of a write: [`Error::PreconditionFailed`], or [`Error::NoSuchKey`] if `If-Match` asks for what is not there.
    pub(crate) fn check_write(&self, present: Present) -> Result<(), Error> {
        match self.check(present) {
            Err(Error::NotModified) => Err(Error::PreconditionFailed),
            checked => checked,
        }
    }

    fn check(&self, present: Present) -> Result<(), Error> {
        if self.is_empty() {
            return Ok(());
        }
        let (etag, modified_at) = match present {
            Present::Object(etag, modified_at) => (etag, modified_at.to_date_time().unix_timestamp()),
            Present::Nothing if self.matches.is_some() => return Err(Error::NoSuchKey),
            // What does not exist has no date, and equals no tag.
            Present::Nothing => return Ok(()),
            Present::Unknown if self.only_asks_for_any() => return Ok(()),
            Present::Unknown => return Err(Error::PreconditionFailed),
        };
        // Dates of HTTP have whole seconds.
        let failed = match (&self.matches, self.unmodified_since) {
            (Some(tags), _) => !tags.match_one(etag),
            (None, Some(date)) => modified_at > date,
            (None, None) => false,
        };
        if failed {
            return Err(Error::PreconditionFailed);
        }
        let unchanged = match (&self.differs, self.modified_since) {
            (Some(tags), _) => tags.match_one(etag),
            (None, Some(date)) => modified_at <= date,
            (None, None) => false,
        };
        if unchanged { Err(Error::NotModified) } else { Ok(()) }
    }

    fn only_asks_for_any(&self) -> bool {
        *self == Self { matches: Some(Tags::Any), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: ETag = ETag::Md5([1; 16]);

    fn check(conditions: &Conditions, present: Present) -> &'static str {
        match conditions.check(present) {
            Ok(()) => "yes",
            Err(Error::NoSuchKey) => "absent",
            Err(Error::PreconditionFailed) => "failed",
            Err(Error::NotModified) => "unchanged",
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn conditions_hold_as_the_rfc_says() {
        let tags = |tag: ETag| Some(Tags::These(vec![tag.to_string()]));
        let other = ETag::Md5([2; 16]);
        let at = Timestamp::from_micros(1_000_500_000);
        let none = Conditions::default();
        let cases = [
            (none.clone(), "yes", "yes", "yes"),
            (Conditions { matches: tags(TAG), ..none.clone() }, "yes", "absent", "failed"),
            (Conditions { matches: tags(other), ..none.clone() }, "failed", "absent", "failed"),
            (Conditions { matches: Some(Tags::Any), ..none.clone() }, "yes", "absent", "yes"),
            (Conditions { differs: Some(Tags::Any), ..none.clone() }, "unchanged", "yes", "failed"),
            (Conditions { differs: tags(TAG), ..none.clone() }, "unchanged", "yes", "failed"),
            (Conditions { differs: tags(other), ..none.clone() }, "yes", "yes", "failed"),
            (Conditions { modified_since: Some(999), ..none.clone() }, "yes", "yes", "failed"),
            (Conditions { modified_since: Some(1_000), ..none.clone() }, "unchanged", "yes", "failed"),
            (Conditions { unmodified_since: Some(1_000), ..none.clone() }, "yes", "yes", "failed"),
            (Conditions { unmodified_since: Some(999), ..none.clone() }, "failed", "yes", "failed"),
            // A tag decides, and the date beside it does not.
            (
                Conditions { matches: tags(TAG), unmodified_since: Some(1), ..none.clone() },
                "yes",
                "absent",
                "failed",
            ),
            (
                Conditions { differs: tags(other), modified_since: Some(5_000), ..none },
                "yes",
                "yes",
                "failed",
            ),
        ];
        for (conditions, object, nothing, unknown) in cases {
            assert_eq!(check(&conditions, Present::Object(TAG, at)), object, "{conditions:?}");
            assert_eq!(check(&conditions, Present::Nothing), nothing, "{conditions:?}");
            assert_eq!(check(&conditions, Present::Unknown), unknown, "{conditions:?}");
        }
    }
}
