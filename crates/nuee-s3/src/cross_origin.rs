//! What answers tell browsers of sites that script a bucket's content: preflights, and headers on answers and errors.
//!
//! A *preflight* is the question of a browser whether a script of an origin may send a request. It has no credentials, and
//! its answer opens nothing: what the request itself may do is decided when it comes. A bucket without rules, and one that
//! does not exist, or not where the request came in, are told of to the origins of the settings alone.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
    request::Parts,
};
use nuee_store::CorsRule;
use nuee_web::Arrival;
use s3s::{S3Error, S3ErrorCode};

use crate::{Hosts, Refusal, window::Window};

/// The most headers that a preflight asks for.
const MAX_ASKED_HEADERS: usize = 64;
const VARIES: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

/// Answers for the buckets of a store.
pub(crate) struct CrossOrigin {
    window: Window,
    hosts: Hosts,
    /// Whose pages may use what has no rules of its own.
    origins: Vec<String>,
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
    pub(crate) fn new(window: Window, hosts: Hosts, origins: Vec<String>) -> Self {
        Self { window, hosts, origins }
    }

    /// What a rule of the bucket of a request says to its origin, if it has one.
    pub(crate) fn told(&self, parts: &Parts) -> Option<Told> {
        let origin = text(&parts.headers, &ORIGIN)?;
        self.headers(parts, origin, parts.method.as_str(), &[])
    }

    fn headers(&self, parts: &Parts, origin: &str, method: &str, asked: &[&str]) -> Option<Told> {
        let host = text(&parts.headers, &http::header::HOST)?;
        let Some(name) = self.hosts.bucket_of(host, parts.uri.path()) else {
            return self.at_root(origin, asked);
        };
        // What cannot be read is told of by whoever answers the request itself.
        let came_in = parts.extensions.get::<Arrival>().map(Arrival::origin);
        let bucket = self.window.bucket(&name, came_in, true);
        match bucket.as_ref().and_then(|bucket| bucket.settings.cors.as_ref()) {
            Some(rules) => Some(Told(headers_of(rules.find(origin, method, asked)?, origin, asked))),
            None => self.names(origin).then(|| Told(of_settings(origin, asked))),
        }
    }

    fn names(&self, origin: &str) -> bool {
        self.origins.iter().any(|known| known == "*" || known == origin)
    }

    /// At the root are the token service and the list of buckets. No cookie leads there, and whoever comes with a token or a
    /// signature has it from somewhere: without origins in the settings, each may come.
    fn at_root(&self, origin: &str, asked: &[&str]) -> Option<Told> {
        (self.origins.is_empty() || self.names(origin)).then(|| Told(of_settings(origin, asked)))
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

/// What the clients of S3 in browsers read of answers.
const EXPOSED: &str = "ETag, Content-Length, Content-Range, Accept-Ranges, Last-Modified, Content-Disposition, \
                       x-amz-version-id, x-amz-delete-marker, x-amz-request-id, x-amz-checksum-crc32, \
                       x-amz-checksum-crc32c, x-amz-checksum-crc64nvme, x-amz-checksum-sha1, x-amz-checksum-sha256, \
                       x-amz-checksum-type, x-amz-server-side-encryption";
/// For how long browsers may remember an answer that rests on the settings, in seconds.
const REMEMBERED_SECONDS: &str = "600";

/// What an origin of the settings is told: everything that S3's clients send and read.
fn of_settings(origin: &str, asked: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let asked = asked.join(", ").to_ascii_lowercase();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, origin),
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, PUT, POST, DELETE"),
        (ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED),
        (ACCESS_CONTROL_MAX_AGE, REMEMBERED_SECONDS),
        (ACCESS_CONTROL_ALLOW_HEADERS, &asked),
        (VARY, VARIES),
    ] {
        if let Ok(value) = HeaderValue::from_str(value)
            && !value.is_empty()
        {
            headers.insert(name, value);
        }
    }
    headers
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
