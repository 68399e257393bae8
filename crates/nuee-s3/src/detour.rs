//! Requests that `s3s` would read otherwise than S3 does, brought into a form that it reads right.
//!
//! `s3s` checks a signature and reads what was signed in one go, so what it is given cannot be put right before. A
//! request that needs that goes another way: once its signature is known to be good, this route takes it, and hands it
//! in another form to a second service, which has the same handlers and checks no signatures. For example, a
//! deletion of `&#128512;`, a reference that `s3s` refuses, arrives there as a deletion of the character itself.
//!
//! It is for documents, which are read whole and checked here, and for a `Range` that is malformed or names several
//! ranges, which S3 ignores.

use std::sync::Arc;

use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Uri, header, request::Parts};
use percent_encoding::percent_decode_str;
use s3s::{
    Body, S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto,
    route::S3Route,
    service::{S3Service, S3ServiceBuilder},
};

use crate::{
    Admission, Authenticator, Credentials, Filter, Gate, Hosts, Operation, Payload, Upload,
    document::DocumentRoom,
};

/// The parameter by which `s3s` knows a presigned request.
const SIGNATURE: &str = "X-Amz-Signature";

/// Marks a request that takes the detour.
#[derive(Clone)]
pub(crate) struct Marked {
    bucket: Option<String>,
    reads_document: bool,
}

impl Marked {
    /// The mark of a request that was let pass, if it needs one.
    pub(crate) fn of(parts: &Parts, admission: &Admission, filter: &Filter) -> Option<Self> {
        let reads_document = !admission.is_upload && admission.payload != Payload::Nothing;
        let needed = reads_document || parts.headers.get(header::RANGE).is_some_and(|range| !is_one(range));
        needed.then(|| Self { bucket: filter.bucket_of(parts), reads_document })
    }
}

/// Whether a `Range` is one that S3 does not ignore.
fn is_one(range: &HeaderValue) -> bool {
    // `s3s` reads the last nothing bytes in the one that has no number.
    range.to_str().is_ok_and(|range| range != "bytes=-" && dto::Range::parse(range).is_ok())
}

/// The document of a request, for a handler that reads in it what `s3s` does not know: an extension of the request.
#[derive(Clone)]
pub(crate) struct DocumentText(pub(crate) Arc<str>);

/// The service that checks signatures, with the way round those of its requests that need one.
pub fn service_with_detour(
    handlers: impl S3 + Clone,
    credentials: Arc<dyn Credentials>,
    gate: Gate,
    hosts: Hosts,
) -> S3Service {
    let mut inner = S3ServiceBuilder::new(handlers.clone());
    inner.set_host(hosts.clone());
    let mut outer = S3ServiceBuilder::new(handlers);
    outer.set_auth(Authenticator::new(credentials));
    outer.set_access(gate.clone());
    outer.set_route(Detour { gate, inner: inner.build(), room: DocumentRoom::default() });
    outer.set_host(hosts);
    outer.build()
}

/// The way round.
struct Detour {
    gate: Gate,
    inner: S3Service,
    room: DocumentRoom,
}

#[async_trait::async_trait]
impl S3Route for Detour {
    fn is_match(&self, _: &Method, _: &Uri, _: &HeaderMap, extensions: &mut Extensions) -> bool {
        extensions.get::<Marked>().is_some()
    }

    async fn check_access(&self, request: &mut S3Request<Body>) -> S3Result<()> {
        let bucket = request.extensions.get::<Marked>().and_then(|marked| marked.bucket.clone());
        let credentials = request.credentials.as_ref();
        let head = (&request.headers, request.extensions.get().copied());
        let (principal, signing) = self.gate.admit(credentials, bucket.as_deref(), head).await?;
        request.extensions.insert(principal);
        request.extensions.insert(signing);
        Ok(())
    }

    async fn call(&self, mut request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let mut place = None;
        let mut body = Body::empty();
        if request.extensions.get::<Marked>().is_some_and(|marked| marked.reads_document) {
            let operation = request.extensions.get::<Operation>().copied();
            let operation = operation.ok_or_else(|| S3Error::new(S3ErrorCode::InternalError))?;
            let upload = Upload::take(&request)?;
            let (document, held) = self.room.read(upload, operation, &request.headers).await?;
            if operation == Operation::CreateBucket {
                request.extensions.insert(DocumentText(document.as_str().into()));
            }
            body = Body::from(document);
            place = Some(held);
        }
        request.headers.remove(header::AUTHORIZATION);
        if request.headers.get(header::RANGE).is_some_and(|range| !is_one(range)) {
            request.headers.remove(header::RANGE);
        }
        let mut inner = Request::new(body);
        *inner.method_mut() = request.method;
        *inner.uri_mut() = without_signature(request.uri)?;
        *inner.headers_mut() = request.headers;
        *inner.extensions_mut() = request.extensions;
        let answer = self.inner.call(inner).await.map_err(|error| {
            tracing::error!(?error, "a response could not be written");
            S3Error::new(S3ErrorCode::InternalError)
        })?;
        drop(place);
        let (parts, body) = answer.into_parts();
        let mut response = S3Response::with_status(body, parts.status);
        response.headers = parts.headers;
        response.extensions = parts.extensions;
        Ok(response)
    }
}

/// The same address without the parameter that would make `s3s` look for a signature again.
fn without_signature(uri: Uri) -> S3Result<Uri> {
    let is_signature =
        |pair: &str| percent_decode_str(pair.split('=').next().unwrap_or_default()).eq(SIGNATURE.bytes());
    let Some(query) = uri.query().filter(|query| query.split('&').any(is_signature)) else { return Ok(uri) };
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_signature(pair)).collect();
    let path = format!("{}?{}", uri.path(), kept.join("&"));
    let mut parts = uri.into_parts();
    parts.path_and_query = path.try_into().ok();
    Uri::from_parts(parts).map_err(|_| S3Error::new(S3ErrorCode::InvalidURI))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_signature_is_taken_out_of_an_address() {
        let cases = [
            ("/papers?delete", "/papers?delete"),
            ("/papers?delete&X-Amz-Date=1&X-Amz-Signature=ab", "/papers?delete&X-Amz-Date=1"),
            ("/papers?X%2DAmz-Signature=ab&a=%26", "/papers?a=%26"),
            ("/papers?X-Amz-Signature-Other=1", "/papers?X-Amz-Signature-Other=1"),
            ("http://s3.localhost/a?X-Amz-Signature", "http://s3.localhost/a?"),
        ];
        for (given, kept) in cases {
            assert_eq!(without_signature(given.parse().unwrap()).unwrap().to_string(), kept);
        }
    }

    #[test]
    fn one_range_is_told_from_what_is_ignored() {
        for range in ["bytes=0-1", "bytes=5-", "bytes=-3"] {
            assert!(is_one(&HeaderValue::from_static(range)), "{range}");
        }
        for range in ["bytes=0-1,3-4", "bytes=a-b", "lines=0-1", "bytes=3-1", "bytes", "bytes=-"] {
            assert!(!is_one(&HeaderValue::from_static(range)), "{range}");
        }
    }
}
