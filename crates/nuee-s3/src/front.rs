//! The way of one request: filter, `s3s`, response.

mod mend;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body::Body;
use nuee_base::Environment;
use s3s::{S3Error, S3ErrorCode, service::S3Service};

use crate::{
    Admission, Filter, Operation, Payload, Refusal,
    cross_origin::{CrossOrigin, is_preflight},
    detour::Marked,
    form::Forms,
    sts::{Sts, is_meant},
    upload,
};

pub(crate) use self::mend::VersionOrder;
use self::mend::{escape_control_characters, explain, interleave, unquote_entity_tag};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");

/// Everything that answers requests: the filter, and `s3s` with its handlers.
pub struct Front {
    filter: Filter,
    service: S3Service,
    environment: Environment,
    cross_origin: Option<CrossOrigin>,
    forms: Option<Forms>,
    sts: Option<Sts>,
}

/// The id of a request, as its answer says: in the extensions of each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

impl Front {
    /// A front that asks `filter`, then `service`.
    pub fn new(filter: Filter, service: S3Service, environment: Environment) -> Self {
        Self { filter, service, environment, cross_origin: None, forms: None, sts: None }
    }

    /// The same, which takes uploads by form.
    pub(crate) fn with_forms(mut self, forms: Forms) -> Self {
        self.forms = Some(forms);
        self
    }

    /// The same, which gives temporary keys.
    pub(crate) fn with_sts(mut self, sts: Sts) -> Self {
        self.sts = Some(sts);
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
        } else if let Some(sts) = self.sts_for(&parts) {
            sts.answer(&parts, body, &id).await
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

    /// The token service, if a request is for it.
    fn sts_for(&self, parts: &Parts) -> Option<&Sts> {
        let at_root = parts.uri.path() == "/" && self.filter.bucket_of(parts).is_none();
        self.sts.as_ref().filter(|_| at_root && is_meant(parts))
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
        let marked = Marked::of(&parts, &admission, &self.filter);
        parts.headers.extend(admission.hoisted);
        parts.extensions.insert(id.clone());
        parts.extensions.insert(admission.operation);
        if let Some(marked) = marked {
            parts.extensions.insert(marked);
        }
        if admission.payload != Payload::Nothing || admission.is_upload {
            upload::park(&mut parts.extensions, body, admission.payload);
        }
        let answer = self.service.call(Request::from_parts(parts, s3s::Body::empty())).await;
        let mut answer = answer.unwrap_or_else(|error| {
            tracing::error!(?error, "a response could not be written");
            error_response(S3Error::new(S3ErrorCode::InternalError), id)
        });
        // `s3s` looks at no status of its handlers, and answers every HEAD of an object with 200.
        if answer.status() == StatusCode::OK && answer.headers().contains_key(header::CONTENT_RANGE) {
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        explain(&mut answer, id);
        match admission.operation {
            Operation::GetObjectAttributes => unquote_entity_tag(&mut answer),
            Operation::ListObjectVersions => interleave(&mut answer),
            _ => {}
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

fn error_response(mut error: S3Error, id: &RequestId) -> Response<s3s::Body> {
    error.set_request_id(id.0.clone());
    error.to_http_response().unwrap_or_else(|_| {
        let mut response = Response::new(s3s::Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
