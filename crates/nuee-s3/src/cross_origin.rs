//! What answers tell browsers of sites that script a bucket's content: preflights, and headers on answers and errors.
//!
//! A *preflight* is the question of a browser whether a script of an origin may send a request. It has no credentials, and
//! its answer opens nothing: what the request itself may do is decided when it comes. A bucket without rules, and one that
//! does not exist, are told nothing of.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
    request::Parts,
};
use nuee_store::{CorsRule, Store};
use s3s::{S3Error, S3ErrorCode};

use crate::{Hosts, Refusal};

/// The most headers that a preflight asks for.
const MAX_ASKED_HEADERS: usize = 64;
const VARIES: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

/// Answers for the buckets of a store.
pub(crate) struct CrossOrigin {
    store: Store,
    hosts: Hosts,
}

/// What the answer to a request is to tell the browser.
pub(crate) struct Told(HeaderMap);

impl Told {
    /// Adds it to an answer.
    pub(crate) fn add_to<B>(self, answer: &mut Response<B>) {
        answer.headers_mut().extend(self.0);
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

impl CrossOrigin {
    pub(crate) fn new(store: Store, hosts: Hosts) -> Self {
        Self { store, hosts }
    }

    /// What a rule of the bucket of a request says to its origin, if it has one.
    pub(crate) fn told(&self, parts: &Parts) -> Option<Told> {
        let origin = text(&parts.headers, &ORIGIN)?;
        self.headers(parts, origin, parts.method.as_str(), &[])
    }

    fn headers(&self, parts: &Parts, origin: &str, method: &str, asked: &[&str]) -> Option<Told> {
        let host = text(&parts.headers, &http::header::HOST)?;
        let name = self.hosts.bucket_of(host, parts.uri.path())?;
        // What cannot be read is told of by whoever answers the request itself.
        let bucket = self.store.find_bucket(&name.parse().ok()?).ok()?;
        let rule = bucket.settings.cors.as_ref()?.find(origin, method, asked)?;
        Some(Told(headers_of(rule, origin, asked)))
    }

    /// Answers a preflight.
    pub(crate) fn preflight(&self, parts: &Parts) -> Result<Response<s3s::Body>, S3Error> {
        let Some(origin) = text(&parts.headers, &ORIGIN) else {
            return Err(
                Refusal::invalid_request("Insufficient information. Origin request header needed.").into()
            );
        };
        let Some(method) = text(&parts.headers, &ACCESS_CONTROL_REQUEST_METHOD) else {
            let message =
                "Invalid Access-Control-Request-Method: it names the method of the request to come.";
            return Err(Refusal::invalid_request(message).into());
        };
        let asked = text(&parts.headers, &ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
        let asked: Vec<_> = asked.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        let told = match asked.len() {
            0..=MAX_ASKED_HEADERS => self.headers(parts, origin, method, &asked),
            _ => None,
        };
        let forbidden = || {
            let message = "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of \
                           Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are \
                           not whitelisted by the resource's CORS spec.";
            let mut error = S3Error::with_message(S3ErrorCode::AccessDenied, message);
            error.set_status_code(StatusCode::FORBIDDEN);
            error
        };
        let mut answer = Response::new(s3s::Body::empty());
        told.ok_or_else(forbidden)?.add_to(&mut answer);
        Ok(answer)
    }
}

/// Whether a request is a preflight.
pub(crate) fn is_preflight(method: &Method) -> bool {
    method == Method::OPTIONS
}

fn headers_of(rule: &CorsRule, origin: &str, asked: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut insert = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    if rule.origins.iter().any(|pattern| pattern == "*") {
        insert(ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    } else {
        insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    insert(ACCESS_CONTROL_ALLOW_METHODS, &rule.methods.join(", "));
    if !asked.is_empty() {
        insert(ACCESS_CONTROL_ALLOW_HEADERS, &asked.join(", ").to_ascii_lowercase());
    }
    if !rule.exposed.is_empty() {
        insert(ACCESS_CONTROL_EXPOSE_HEADERS, &rule.exposed.join(", "));
    }
    if let Some(seconds) = rule.max_age_seconds {
        insert(ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
    }
    insert(VARY, VARIES);
    headers
}
