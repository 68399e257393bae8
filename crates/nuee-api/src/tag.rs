//! Entity tags: what a resource was when somebody looked at it (RFC 9110, section 8.8.3).

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::failure::{Answer, Failure};

/// A resource with its entity tag.
pub(crate) struct Tagged<T>(pub(crate) T);

/// The entity tag of a resource as it is shown.
fn tag_of(shown: &impl Serialize) -> String {
    let text = serde_json::to_vec(shown).unwrap_or_default();
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&Sha256::digest(&text)[..16]))
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let tag = HeaderValue::from_str(&tag_of(&self.0));
        let mut response = Json(self.0).into_response();
        if let Ok(tag) = tag {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

/// That a resource is still what somebody looked at, if the request says so by `If-Match`; says whether it did.
pub(crate) fn check_match(headers: &HeaderMap, present: &impl Serialize) -> Answer<bool> {
    let mut wanted = headers.get_all(header::IF_MATCH).iter().peekable();
    if wanted.peek().is_none() {
        return Ok(false);
    }
    let tag = tag_of(present);
    let fits = wanted.any(|value| {
        let value = value.to_str().unwrap_or_default();
        value.split(',').any(|one| one.trim() == "*" || one.trim() == tag)
    });
    let changed = "it is not what `If-Match` says: read it again, and change that";
    if fits { Ok(true) } else { Err(Failure::new(StatusCode::PRECONDITION_FAILED, "changed", changed)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_needs_what_was_looked_at() {
        let headers = |tag: &str| HeaderMap::from_iter([(header::IF_MATCH, tag.parse().unwrap())]);
        let tag = tag_of(&"a");
        assert!(!check_match(&HeaderMap::new(), &"a").unwrap());
        assert!(check_match(&headers(&tag), &"a").unwrap());
        assert!(check_match(&headers("*"), &"a").unwrap());
        assert!(check_match(&headers(&format!("\"x\", {tag}")), &"a").unwrap());
        assert!(check_match(&headers(&tag), &"b").is_err());
        assert!(check_match(&headers(&format!("W/{tag}")), &"a").is_err());
    }
}
