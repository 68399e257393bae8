//! The way of one request: filter, `s3s`, response.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body::Body;
use nuee_base::Environment;
use s3s::{S3Error, S3ErrorCode, service::S3Service};

use crate::{
    Admission, Filter, Operation, Payload, Refusal,
    cross_origin::{CrossOrigin, is_preflight},
    form::Forms,
    upload,
    xml_body::{DocumentBody, DocumentRoom},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");

/// Everything that answers requests: the filter, and `s3s` with its handlers.
pub struct Front {
    filter: Filter,
    service: S3Service,
    environment: Environment,
    room: DocumentRoom,
    cross_origin: Option<CrossOrigin>,
    forms: Option<Forms>,
}

/// The id of a request, as its answer says: in the extensions of each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

impl Front {
    /// A front that asks `filter`, then `service`.
    pub fn new(filter: Filter, service: S3Service, environment: Environment) -> Self {
        Self { filter, service, environment, room: DocumentRoom::default(), cross_origin: None, forms: None }
    }

    /// The same, which takes uploads by form.
    pub(crate) fn with_forms(mut self, forms: Forms) -> Self {
        self.forms = Some(forms);
        self
    }

    /// The same, which tells browsers what buckets say of other sites.
    pub(crate) fn with_cross_origin(mut self, cross_origin: CrossOrigin) -> Self {
        self.cross_origin = Some(cross_origin);
        self
    }

    /// Answers a request. Every failure is an answer.
    pub async fn call<B>(&self, request: Request<B>) -> Response<s3s::Body>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let id = self.request_id(&request);
        let (parts, body) = request.into_parts();
        let told = self.cross_origin.as_ref().and_then(|cross_origin| cross_origin.told(&parts));
        let mut response = if is_preflight(&parts.method)
            && let Some(cross_origin) = &self.cross_origin
        {
            cross_origin.preflight(&parts).unwrap_or_else(|error| error_response(error, &id))
        } else {
            self.answer(parts, body, &id).await
        };
        if let Some(told) = told {
            told.add_to(&mut response);
        }
        if let Ok(value) = HeaderValue::from_str(&id.0) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }

    async fn answer<B>(&self, parts: Parts, body: B, id: &RequestId) -> Response<s3s::Body>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match self.filter.check(&parts.method, &parts.uri, &parts.headers) {
            Ok(admission) if admission.operation == Operation::PostObject => self.post(parts, body, id).await,
            Ok(admission) => self.admitted(parts, body, admission, id).await,
            Err(refusal) => Err(refusal),
        }
        .unwrap_or_else(|refusal| error_response(refusal.into(), id))
    }

    async fn post<B>(&self, mut parts: Parts, body: B, id: &RequestId) -> Result<Response<s3s::Body>, Refusal>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Some(forms) = &self.forms else { return Err(Refusal::not_implemented("Forms are not offered.")) };
        parts.extensions.insert(id.clone());
        let mut answer = forms.answer(parts, body).await.unwrap_or_else(|error| error_response(error, id));
        escape_control_characters(&mut answer);
        answer.extensions_mut().insert(Operation::PostObject);
        Ok(answer)
    }

    async fn admitted<B>(
        &self,
        mut parts: Parts,
        body: B,
        admission: Admission,
        id: &RequestId,
    ) -> Result<Response<s3s::Body>, Refusal>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        parts.headers.extend(admission.hoisted);
        parts.extensions.insert(id.clone());
        parts.extensions.insert(admission.operation);
        let document = self.room.document();
        let body = if admission.is_upload {
            upload::park(&mut parts.extensions, body, admission.payload);
            s3s::Body::empty()
        } else if admission.payload == Payload::Nothing {
            s3s::Body::empty()
        } else {
            let expected = (admission.operation, &admission.payload);
            let body = DocumentBody::new(body, expected, &parts.headers, Arc::clone(&document))?;
            s3s::Body::http_body_unsync(body)
        };
        let answer = self.service.call(Request::from_parts(parts, body)).await;
        if let Some(refusal) = document.fault() {
            return Err(refusal.clone());
        }
        let mut answer = answer.unwrap_or_else(|error| {
            tracing::error!(?error, "a response could not be written");
            error_response(S3Error::new(S3ErrorCode::InternalError), id)
        });
        // `s3s` looks at no status of its handlers, and answers every HEAD of an object with 200.
        if answer.status() == StatusCode::OK && answer.headers().contains_key(header::CONTENT_RANGE) {
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        explain(&mut answer, id);
        if admission.operation == Operation::GetObjectAttributes {
            unquote_entity_tag(&mut answer);
        }
        escape_control_characters(&mut answer);
        // Whoever counts requests counts them by operation.
        answer.extensions_mut().insert(admission.operation);
        Ok(answer)
    }

    /// The id that the listener gave the request, which logs show too; one of our own if there was no listener.
    fn request_id<B>(&self, request: &Request<B>) -> RequestId {
        let given =
            request.extensions().get::<nuee_web::Arrival>().map(|arrival| arrival.request_id.header_value());
        if let Some(given) = given.as_ref().and_then(|value| value.to_str().ok()) {
            return RequestId(given.to_owned());
        }
        let mut id = [0; 8];
        self.environment.fill_random(&mut id);
        RequestId(hex::encode_upper(id))
    }
}

/// What is said with a code that came without a word: most of these are errors that `s3s` finds itself.
const MESSAGES: &[(&str, &str)] = &[
    ("SignatureDoesNotMatch", "The signature does not match: check the secret key and the signing method."),
    (
        "InvalidBucketName",
        "A bucket name has 3 to 63 of a-z, 0-9, hyphen and dot, with a letter or digit at both ends.",
    ),
    ("KeyTooLongError", "A key has at most 1,024 bytes."),
    (
        "RequestTimeTooSkewed",
        "The time of the request differs too much from that of the server: set the clock.",
    ),
    ("MalformedXML", "The document is not well-formed, or not the one that the operation expects."),
    ("PreconditionFailed", "A condition of the request does not hold."),
    ("InternalError", "The service failed: try again, and tell the operator if it goes on."),
];

/// Gives an error that has neither its message, if there is one for its code, and its request id.
fn explain(answer: &mut Response<s3s::Body>, id: &RequestId) {
    if answer.status().as_u16() < 400 {
        return;
    }
    let Some(text) = answer.body().bytes() else { return };
    let text = String::from_utf8_lossy(&text);
    let Some((head, rest)) = text.split_once("</Code>").filter(|_| !text.contains("<Message>")) else {
        return;
    };
    let code = head.rsplit_once("<Code>").map_or("", |(_, code)| code);
    let message = MESSAGES.iter().find(|(known, _)| *known == code).map(|(_, message)| *message);
    let message = message.map(|message| format!("<Message>{message}</Message>")).unwrap_or_default();
    let needs_id = !rest.contains("<RequestId>");
    let request_id = if needs_id { format!("<RequestId>{}</RequestId>", id.0) } else { String::new() };
    replace_body(answer, format!("{head}</Code>{message}{request_id}{rest}").into_bytes());
}

fn replace_body(answer: &mut Response<s3s::Body>, body: Vec<u8>) {
    if answer.headers().contains_key(header::CONTENT_LENGTH) {
        answer.headers_mut().insert(header::CONTENT_LENGTH, body.len().into());
    }
    *answer.body_mut() = s3s::Body::from(body);
}

/// Takes the quotes off the entity tag of an answer, where S3 has none, and `s3s` writes them all the same.
fn unquote_entity_tag(answer: &mut Response<s3s::Body>) {
    let Some(text) = answer.body().bytes() else { return };
    let text = String::from_utf8_lossy(&text);
    let quoted = |mark: &str| text.contains(&format!("<ETag>{mark}"));
    let Some(mark) = ["&quot;", "\""].into_iter().find(|mark| quoted(mark)) else { return };
    let unquoted =
        text.replace(&format!("<ETag>{mark}"), "<ETag>").replace(&format!("{mark}</ETag>"), "</ETag>");
    replace_body(answer, unquoted.into_bytes());
}

/// Writes the control characters of an XML answer as references, as S3 does: `s3s` leaves them as they are, and a reader
/// takes a carriage return for a line feed.
fn escape_control_characters(answer: &mut Response<s3s::Body>) {
    let is_xml = answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/xml");
    let Some(text) = answer.body().bytes().filter(|_| is_xml) else { return };
    let is_control = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n');
    if !text.iter().any(is_control) {
        return;
    }
    let mut escaped = Vec::with_capacity(text.len() + 64);
    for byte in text {
        if is_control(&byte) {
            escaped.extend_from_slice(format!("&#x{byte:X};").as_bytes());
        } else {
            escaped.push(byte);
        }
    }
    replace_body(answer, escaped);
}

fn error_response(mut error: S3Error, id: &RequestId) -> Response<s3s::Body> {
    error.set_request_id(id.0.clone());
    error.to_http_response().unwrap_or_else(|_| {
        let mut response = Response::new(s3s::Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
