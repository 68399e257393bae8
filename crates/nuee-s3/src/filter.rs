//! What is refused from the head of a request alone, before anything reads its body.
//!
//! The filter closes holes of `s3s` (Signature Version 2, `x-amz-*` headers outside the signature, repeated or
//! unreadable credentials taken for none, presigned requests without a limit) and answers `NotImplemented` to whatever
//! would change the meaning of a request and is not offered. For example, a presigned PUT to which somebody added
//! `x-amz-copy-source` stops here, and so does a PUT with `x-amz-acl: public-read`.
//!
//! Promised: what passes is read by `s3s` as the operation of its [`Admission`]; its credential, if it has one, is in a
//! form that `s3s` checks; every `x-amz-*` header is signed, once there, and known to that operation. The filter is a
//! pure function of the head, and takes about a microsecond.
//!
//! Deliberately absent: signatures, the time of the request, and who may do what.

mod authentication;
mod operation;
mod payload;
mod query;
#[cfg(test)]
mod reference;
mod refusal;
mod rules;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header, request::Parts};

use self::{
    authentication::Authentication,
    operation::{BodyUse, Level},
    query::Query,
};
use crate::Hosts;

pub(crate) use self::{
    authentication::{Authorization, SESSION_TOKEN, Scope, check_date},
    payload::{document_too_long, max_document_bytes},
};
pub use self::{operation::Operation, payload::Payload, refusal::Refusal};

/// The filter of one surface.
#[derive(Debug, Clone)]
pub struct Filter {
    hosts: Hosts,
}

/// What the filter knows of a request that it lets pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// What is asked for.
    pub operation: Operation,
    /// How the body arrives, and what it must be.
    pub payload: Payload,
    /// Whether the body is the content of an object or a part.
    pub is_upload: bool,
    /// Headers that a presigned query carries as parameters: they are signed, and mean the same.
    pub hoisted: Vec<(HeaderName, HeaderValue)>,
}

impl Filter {
    /// A filter for a surface that is reached under these hosts.
    #[must_use]
    pub fn new(hosts: Hosts) -> Self {
        Self { hosts }
    }

    /// Lets a request pass, or says why not.
    pub fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Admission, Refusal> {
        let query = Query::parse(uri.query());
        let authentication = Authentication::of(headers, &query)?;
        authentication.check_signed_headers(headers)?;
        let hoisted = hoist(&authentication, &query, headers)?;
        let copies = headers.contains_key("x-amz-copy-source")
            || hoisted.iter().any(|(name, _)| name.as_str() == "x-amz-copy-source");
        let (operation, body) = self.operation(method, uri, headers, (&query, copies))?;
        if operation == Operation::PostObject {
            return check_form_head(headers, &authentication);
        }
        check_headers(operation, headers, &hoisted)?;
        check_parameters(operation, &query)?;
        let sha256 = query.get("x-amz-content-sha256").0;
        let payload = Payload::of(headers, &authentication, sha256, (operation, body))?;
        Ok(Admission { operation, payload, is_upload: body == BodyUse::Content, hoisted })
    }

    fn operation(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        (query, copies): (&Query<'_>, bool),
    ) -> Result<(Operation, BodyUse), Refusal> {
        let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else {
            return Err(Refusal::invalid_request("The request needs a Host header."));
        };
        let Some(level) = Level::of(uri.path(), self.hosts.bucket(host).is_some()) else {
            return Err(Refusal::invalid_uri("The path must begin with a slash."));
        };
        let not_offered =
            || Refusal::not_implemented("A header or the query asks for something that is not offered here.");
        if method == Method::POST && is_form(headers) {
            return match (level, query.iter().next()) {
                (Level::Bucket, None) => Ok((Operation::PostObject, BodyUse::Content)),
                _ => Err(not_offered()),
            };
        }
        let found = operation::resolve(method, level, query, copies).ok_or_else(not_offered)?;
        if found.0 == Operation::PostObject {
            return Err(Refusal::malformed_form("The body must be a form: multipart/form-data."));
        }
        Ok(found)
    }

    /// The name of the bucket that a request names.
    pub(crate) fn bucket_of(&self, parts: &Parts) -> Option<String> {
        let host = parts.headers.get(header::HOST)?.to_str().ok()?;
        self.hosts.bucket_of(host, parts.uri.path())
    }

    /// Lets the fields of a form pass that mean what headers of a PUT mean, or says why not.
    #[expect(clippy::unused_self, reason = "reads as what it is about")]
    pub(crate) fn check_form(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        check_headers(Operation::PutObject, headers, &[])
    }
}

/// The head of a form says nothing: everything is in its fields, where it is signed.
fn check_form_head(headers: &HeaderMap, authentication: &Authentication<'_>) -> Result<Admission, Refusal> {
    if *authentication != Authentication::Anonymous {
        let message = "A form is signed in its fields: send no Authorization with it.";
        return Err(Refusal::invalid_argument(message));
    }
    if let Some(name) = headers.keys().find(|name| name.as_str().starts_with("x-amz-")) {
        let message = format!("There were headers present in the request which were not signed: {name}.");
        return Err(Refusal::access_denied(message));
    }
    check_headers(Operation::PostObject, headers, &[])?;
    let (operation, hoisted) = (Operation::PostObject, Vec::new());
    let payload = Payload::of_form(headers)?;
    Ok(Admission { operation, payload, is_upload: true, hoisted })
}

fn is_form(headers: &HeaderMap) -> bool {
    let form = |value: &HeaderValue| {
        value
            .as_bytes()
            .trim_ascii_start()
            .get(..10)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"))
    };
    headers.get_all(header::CONTENT_TYPE).iter().any(form)
}

/// The most headers that a query carries. Each is compared with the others, before any signature is checked.
const MAX_HOISTED: usize = 64;

/// The headers that a presigned query carries as parameters. `s3s` would ignore them.
fn hoist(
    authentication: &Authentication<'_>,
    query: &Query<'_>,
    headers: &HeaderMap,
) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
    let mut hoisted = Vec::new();
    for (name, value) in query.iter() {
        let bytes = name.as_bytes();
        if !bytes.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"x-amz-")) {
            continue;
        }
        if !matches!(authentication, Authentication::Query { .. }) {
            let message = format!("The parameter {name} is for presigned requests: send it as a header.");
            return Err(Refusal::invalid_argument(message));
        }
        if authentication::is_parameter(name) {
            continue;
        }
        if hoisted.len() == MAX_HOISTED {
            let message = format!("At most {MAX_HOISTED} headers may stand in the query.");
            return Err(Refusal::invalid_argument(message));
        }
        let pair = HeaderName::from_bytes(bytes).ok().zip(HeaderValue::from_str(value).ok());
        let Some((header, value)) = pair else {
            return Err(Refusal::invalid_argument(format!("The parameter {name} is no header.")));
        };
        if headers.contains_key(&header) || hoisted.iter().any(|(earlier, _)| *earlier == header) {
            return Err(Refusal::invalid_request(format!("{header} is there several times: send it once.")));
        }
        hoisted.push((header, value));
    }
    Ok(hoisted)
}

fn check_headers(
    operation: Operation,
    headers: &HeaderMap,
    hoisted: &[(HeaderName, HeaderValue)],
) -> Result<(), Refusal> {
    let hoisted = hoisted.iter().map(|(name, value)| (name, value));
    let mut previous: Option<&HeaderName> = None;
    for (name, value) in headers.iter().chain(hoisted) {
        let Some(rule) = rules::of_header(name.as_str())? else { continue };
        // The values of one name come one after the other.
        if previous == Some(name) {
            return Err(Refusal::invalid_request(format!("There are several {name} headers: send one.")));
        }
        previous = Some(name);
        rule.check(operation, value.as_bytes())?;
    }
    Ok(())
}

fn check_parameters(operation: Operation, query: &Query<'_>) -> Result<(), Refusal> {
    for (name, value) in query.iter() {
        let Some(rule) = rules::of_parameter(name)? else { continue };
        if query.get(rule.name()).1 {
            return Err(Refusal::invalid_argument(format!("The parameter {name} is there several times.")));
        }
        rule.check(operation, value.as_bytes())?;
    }
    Ok(())
}
