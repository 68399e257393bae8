//! Conditions of requests ([RFC 9110, section 13](https://www.rfc-editor.org/rfc/rfc9110#section-13)), and those on the
//! source of a copy. They are read from the headers: `s3s` takes a list of entity tags for one tag.

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{
        CACHE_CONTROL, ETAG, EXPIRES, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE,
        LAST_MODIFIED,
    },
};
use nuee_store::{Object, WriteCondition};
use s3s::{S3Error, S3ErrorCode, S3Result, dto};

use crate::handlers::{
    answer::{invalid_argument, not_implemented},
    object::timestamp,
};

/// Entity tags that a condition names.
enum Tags {
    Any,
    /// Each with whether it is weak.
    These(Vec<(String, bool)>),
}

impl Tags {
    fn of(headers: &HeaderMap, name: &HeaderName) -> S3Result<Option<Self>> {
        let Some(value) = headers.get(name) else { return Ok(None) };
        let text = value.to_str().map_err(|_| invalid_argument(format!("{name} is not text")))?.trim();
        if text == "*" {
            return Ok(Some(Self::Any));
        }
        // Clients of S3 leave the quotes out, too. No entity tag of ours has a comma.
        let tags = text.split(',').map(|tag| {
            let tag = tag.trim();
            let (tag, weak) = tag.strip_prefix("W/").map_or((tag, false), |tag| (tag, true));
            let bare = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            (bare.unwrap_or(tag).to_owned(), weak)
        });
        Ok(Some(Self::These(tags.collect())))
    }

    /// The strong comparison of RFC 9110, for which a weak tag equals none.
    fn match_strongly(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|(tag, weak)| !weak && tag == etag),
        }
    }

    /// The weak comparison.
    fn match_weakly(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|(tag, _)| tag == etag),
        }
    }
}

/// When a write is to be made, from `If-Match` and `If-None-Match`.
pub(crate) fn write_condition(headers: &HeaderMap) -> S3Result<WriteCondition> {
    match (Tags::of(headers, &IF_MATCH)?, Tags::of(headers, &IF_NONE_MATCH)?) {
        (None, None) => Ok(WriteCondition::None),
        (None, Some(Tags::Any)) => Ok(WriteCondition::Absent),
        (Some(Tags::These(tags)), None) => match &tags[..] {
            [(tag, false)] => Ok(WriteCondition::Matches(tag.clone())),
            _ => Err(not_implemented("a write with If-Match and other than one strong entity tag")),
        },
        _ => Err(not_implemented(
            "a write under a condition other than If-None-Match: * or If-Match with an entity tag",
        )),
    }
}

/// The conditions of a read, or of the source of a copy.
pub(crate) struct ReadConditions {
    matches: Option<Tags>,
    differs: Option<Tags>,
    /// In seconds since 1970.
    modified_since: Option<i64>,
    unmodified_since: Option<i64>,
}

impl ReadConditions {
    /// Those of a request for an object.
    pub(crate) fn of_request(headers: &HeaderMap) -> S3Result<Self> {
        Self::of(headers, [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE])
    }

    /// Those on the source of a copy.
    pub(crate) fn of_source(headers: &HeaderMap) -> S3Result<Self> {
        let name = HeaderName::from_static;
        Self::of(
            headers,
            [
                name("x-amz-copy-source-if-match"),
                name("x-amz-copy-source-if-none-match"),
                name("x-amz-copy-source-if-modified-since"),
                name("x-amz-copy-source-if-unmodified-since"),
            ],
        )
    }

    fn of(headers: &HeaderMap, names: [HeaderName; 4]) -> S3Result<Self> {
        let [matches, differs, modified_since, unmodified_since] = names;
        Ok(Self {
            matches: Tags::of(headers, &matches)?,
            differs: Tags::of(headers, &differs)?,
            modified_since: date(headers, &modified_since)?,
            unmodified_since: date(headers, &unmodified_since)?,
        })
    }

    /// [`S3ErrorCode::PreconditionFailed`] or [`S3ErrorCode::NotModified`] if the object is not to be read.
    pub(crate) fn check(&self, object: &Object) -> S3Result<()> {
        let tag = object.info.etag.to_string();
        // Dates of HTTP have whole seconds.
        let modified_at = object.info.modified_at.to_date_time().unix_timestamp();
        let failed = match (&self.matches, self.unmodified_since) {
            (Some(tags), _) => !tags.match_strongly(&tag),
            (None, Some(date)) => modified_at > date,
            (None, None) => false,
        };
        if failed {
            return Err(S3Error::new(S3ErrorCode::PreconditionFailed));
        }
        let unchanged = match (&self.differs, self.modified_since) {
            (Some(tags), _) => tags.match_weakly(&tag),
            (None, Some(date)) => modified_at <= date,
            (None, None) => false,
        };
        if unchanged { Err(not_modified(object, &tag)) } else { Ok(()) }
    }
}

fn date(headers: &HeaderMap, name: &HeaderName) -> S3Result<Option<i64>> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let date = value.to_str().ok().and_then(|text| {
        let date = dto::Timestamp::parse(dto::TimestampFormat::HttpDate, text).ok()?;
        Some(time::OffsetDateTime::from(date).unix_timestamp())
    });
    date.map(Some).ok_or_else(|| invalid_argument(format!("{name} is not a date of HTTP")))
}

/// The answer to who has the object already, with the headers that a cache renews.
fn not_modified(object: &Object, tag: &str) -> S3Error {
    let mut headers = HeaderMap::new();
    let mut insert = |name, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    insert(ETAG, &format!("\"{tag}\""));
    let mut modified_at = Vec::new();
    if timestamp(object.info.modified_at).format(dto::TimestampFormat::HttpDate, &mut modified_at).is_ok() {
        insert(LAST_MODIFIED, &String::from_utf8_lossy(&modified_at));
    }
    if let Some(value) = &object.details.cache_control {
        insert(CACHE_CONTROL, value);
    }
    if let Some(value) = &object.details.expires {
        insert(EXPIRES, value);
    }
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    error.set_headers(headers);
    error.set_status_code(StatusCode::NOT_MODIFIED);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &'static str) -> Tags {
        let headers = HeaderMap::from_iter([(IF_MATCH, HeaderValue::from_static(text))]);
        Tags::of(&headers, &IF_MATCH).unwrap().unwrap()
    }

    #[test]
    fn a_list_of_tags_is_a_list() {
        for text in ["*", "\"a\"", "a", "\"z\", \"a\"", " \"a\" ,W/\"b\""] {
            assert!(tags(text).match_strongly("a"), "{text}");
        }
        assert!(!tags("W/\"a\"").match_strongly("a"));
        assert!(tags("W/\"a\"").match_weakly("a"));
        assert!(!tags("\"aa\", \"\"").match_weakly("a"));
    }

    #[test]
    fn a_write_asks_for_one_tag_or_none() {
        let condition =
            |name, text| write_condition(&HeaderMap::from_iter([(name, HeaderValue::from_static(text))]));
        assert_eq!(condition(IF_MATCH, "\"abc\"").unwrap(), WriteCondition::Matches("abc".into()));
        assert_eq!(condition(IF_NONE_MATCH, "*").unwrap(), WriteCondition::Absent);
        for (name, text) in [(IF_MATCH, "*"), (IF_MATCH, "a, b"), (IF_NONE_MATCH, "a")] {
            assert!(condition(name, text).is_err(), "{text}");
        }
    }
}
