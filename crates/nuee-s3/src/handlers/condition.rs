//! Conditions of requests ([RFC 9110, section 13](https://www.rfc-editor.org/rfc/rfc9110#section-13)), and those on the
//! source of a copy. They are read from the headers: `s3s` takes a list of entity tags for one tag.

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{
        CACHE_CONTROL, ETAG, EXPIRES, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
        IF_UNMODIFIED_SINCE, LAST_MODIFIED,
    },
};
use nuee_store::{Conditions, Error, Object, Tags};
use s3s::{S3Error, S3ErrorCode, S3Result, dto};

use crate::handlers::{
    answer::{from_store, invalid_argument},
    object::timestamp,
};

/// The entity tags of a header. A weak tag equals none for `If-Match`, and what it says for `If-None-Match`.
fn tags(headers: &HeaderMap, name: &HeaderName, weak: bool) -> S3Result<Option<Tags>> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = value.to_str().map_err(|_| invalid_argument(format!("{name} is not text")))?.trim();
    if text == "*" {
        return Ok(Some(Tags::Any));
    }
    // Clients of S3 leave the quotes out, too. No entity tag of ours has a comma.
    let tags = text.split(',').filter_map(|tag| {
        let tag = tag.trim();
        let tag = match tag.strip_prefix("W/") {
            Some(tag) if weak => tag,
            Some(_) => return None,
            None => tag,
        };
        let bare = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        Some(bare.unwrap_or(tag).to_owned())
    });
    Ok(Some(Tags::These(tags.collect())))
}

/// The conditions of a request on the object that it names.
pub(crate) fn of_request(headers: &HeaderMap) -> S3Result<Conditions> {
    of(headers, [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE])
}

/// Whether a range that is asked for counts: not where `If-Range` names another entity than the one that is there, since
/// whoever holds a piece of that wants the whole of this then. Browsers ask so when they have a piece in their cache. A date
/// is taken for no name: the whole is right in any case.
pub(crate) fn keeps_range(headers: &HeaderMap, object: &Object) -> bool {
    let named = |value: &HeaderValue| value.as_bytes() == format!("\"{}\"", object.info.etag).as_bytes();
    headers.get(IF_RANGE).is_none_or(named)
}

/// Those on the source of a copy.
pub(crate) fn of_source(headers: &HeaderMap) -> S3Result<Conditions> {
    let name = HeaderName::from_static;
    of(
        headers,
        [
            name("x-amz-copy-source-if-match"),
            name("x-amz-copy-source-if-none-match"),
            name("x-amz-copy-source-if-modified-since"),
            name("x-amz-copy-source-if-unmodified-since"),
        ],
    )
}

fn of(headers: &HeaderMap, names: [HeaderName; 4]) -> S3Result<Conditions> {
    let [matches, differs, modified_since, unmodified_since] = names;
    Ok(Conditions {
        matches: tags(headers, &matches, false)?,
        differs: tags(headers, &differs, true)?,
        modified_since: date(headers, &modified_since)?,
        unmodified_since: date(headers, &unmodified_since)?,
    })
}

/// [`S3ErrorCode::PreconditionFailed`] or [`S3ErrorCode::NotModified`] if an object is not to be read.
pub(crate) fn check_read(conditions: &Conditions, object: &Object) -> S3Result<()> {
    match conditions.check_read(object.info.etag, object.info.modified_at) {
        Err(Error::NotModified) => Err(not_modified(object)),
        Err(error) => Err(from_store(error)),
        Ok(()) => Ok(()),
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
fn not_modified(object: &Object) -> S3Error {
    let mut headers = HeaderMap::new();
    let mut insert = |name, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    insert(ETAG, &format!("\"{}\"", object.info.etag));
    if let Some(version) = &object.info.version {
        insert(HeaderName::from_static("x-amz-version-id"), version);
    }
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

    fn these(name: &HeaderName, weak: bool, text: &'static str) -> Tags {
        let headers = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static(text))]);
        tags(&headers, name, weak).unwrap().unwrap()
    }

    #[test]
    fn a_list_of_tags_is_a_list() {
        let list = |tags: &[&str]| Tags::These(tags.iter().map(|tag| (*tag).to_owned()).collect());
        for (text, strong, weak) in [
            ("\"a\"", &["a"][..], &["a"][..]),
            ("a", &["a"], &["a"]),
            ("\"z\", \"a\"", &["z", "a"], &["z", "a"]),
            (" \"a\" ,W/\"b\"", &["a"], &["a", "b"]),
            ("W/\"a\"", &[], &["a"]),
            ("\"aa\", \"\"", &["aa", ""], &["aa", ""]),
        ] {
            assert_eq!(these(&IF_MATCH, false, text), list(strong), "{text}");
            assert_eq!(these(&IF_NONE_MATCH, true, text), list(weak), "{text}");
        }
        assert_eq!(these(&IF_MATCH, false, " * "), Tags::Any);
    }
}
