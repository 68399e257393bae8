//! Uploads by HTML form, `POST` of `multipart/form-data` to a bucket
//! ([S3's description](https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html)).
//!
//! A form is signed in its fields: somebody with an access key signs a *policy*, which says what the holder of the form
//! may upload, until when. For example, La Suite's Drive gives its users forms for one key and one content type each.
//! The fields come before the file; when the file begins, they are all there, and everything is decided: who signed,
//! what the policy says, what the project's and the bucket's rules allow. The file then streams as any upload does.
//!
//! Promised: nothing of the file is read before all of that holds; the fields mean what the headers of their names mean
//! to a `PUT`, and what is refused there is refused here; a body that is cut makes no object.

mod fields;
mod policy;
mod signature;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header, request::Parts};
use http_body::Body;
use http_body_util::BodyExt;
use multer::{Field, Multipart};
use nuee_base::Principal;
use nuee_store::{BodyError, ObjectInfo};
use nuee_tenancy::Bounds;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::{S3Error, S3ErrorCode, S3Result};

use self::{fields::Fields, policy::Policy, signature::Signed};
use crate::{
    Credentials, Filter, Refusal,
    auth::find,
    filter::SESSION_TOKEN,
    handlers::{Handlers, PostedObject},
    pace,
};

/// What is encoded of a key in the path of an address.
const IN_PATHS: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// What answers forms.
pub(crate) struct Forms {
    handlers: Handlers,
    credentials: Arc<dyn Credentials>,
    filter: Filter,
    bounds: Bounds,
}

/// A form of which everything but the file has come, and may be carried out.
struct Accepted {
    fields: Fields,
    headers: HeaderMap,
    principal: Principal,
    least: u64,
    most: u64,
}

impl Forms {
    pub(crate) fn new(
        handlers: Handlers,
        credentials: Arc<dyn Credentials>,
        (filter, bounds): (Filter, Bounds),
    ) -> Self {
        Self { handlers, credentials, filter, bounds }
    }

    /// Answers a form.
    pub(crate) async fn answer<B>(&self, mut parts: Parts, body: B) -> S3Result<Response<s3s::Body>>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let bucket = self.filter.bucket_of(&parts).ok_or_else(|| {
            S3Error::with_message(S3ErrorCode::InvalidBucketName, "The form must be sent to a bucket.")
        })?;
        let mut form = Multipart::new(pieces(body), boundary(&parts.headers)?);
        let mut fields = Fields::default();
        let file = loop {
            let field = form.next_field().await.map_err(unreadable)?;
            let Some(field) = field else {
                let message = "POST requires exactly one file upload per request.";
                return Err(Refusal::incorrect_number_of_files(message).into());
            };
            if field.name().is_some_and(|name| name.eq_ignore_ascii_case("file")) {
                break field;
            }
            read_field(field, &mut fields).await?;
        };
        let accepted = self.accept(&bucket, fields, &file).await?;
        parts.headers = accepted.headers.clone();
        let sent = limited(file, accepted.least, accepted.most);
        let posted = PostedObject {
            parts: &parts,
            principal: accepted.principal.clone(),
            bucket: &bucket,
            key: accepted.fields.needed("key")?,
            tagging: accepted.fields.get("tagging").map(String::as_str),
            stream: Box::pin(sent),
        };
        let info = self.handlers.post_object(posted).await?;
        Ok(success(&accepted.fields, (&bucket, accepted.fields.needed("key")?), &info))
    }

    /// Decides about a form whose file begins.
    async fn accept(&self, bucket: &str, mut fields: Fields, file: &Field<'_>) -> S3Result<Accepted> {
        fields.expand(file.file_name().unwrap_or_default());
        let mut accepted = Accepted {
            headers: fields.headers()?,
            principal: Principal::Anonymous,
            least: 0,
            most: u64::MAX,
            fields,
        };
        // A form may name its bucket; if it does, it is this one.
        if accepted.fields.get("bucket").is_some_and(|named| named != bucket) {
            return Err(Refusal::malformed_form("The field bucket is not the bucket of the request.").into());
        }
        if let Some(signed) = Signed::of(&accepted.fields)? {
            let credential = find(self.credentials.as_ref(), signed.access_key()).await?;
            let policy = Policy::parse(&signed.open(&credential.secret)?)?;
            let token = accepted.fields.get(SESSION_TOKEN).map(String::as_str);
            credential.check(token, self.handlers.now())?;
            pace::admit(&self.bounds, &credential.principal)?;
            let mut named = accepted.fields.clone();
            if named.get("bucket").is_none() {
                named.insert("bucket", bucket.to_owned())?;
            }
            (accepted.least, accepted.most) = policy.check(&named, self.handlers.now())?;
            accepted.principal = credential.principal;
        }
        self.filter.check_form(&accepted.headers)?;
        if accepted.headers.get(header::CONTENT_TYPE).is_none()
            && let Some(kind) = file.content_type()
            && let Ok(kind) = HeaderValue::from_str(kind.as_ref())
        {
            accepted.headers.insert(header::CONTENT_TYPE, kind);
        }
        Ok(accepted)
    }
}

fn boundary(headers: &HeaderMap) -> Result<String, Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    multer::parse_boundary(kind).map_err(|_| {
        Refusal::malformed_form("The Content-Type must be multipart/form-data, with a boundary.")
    })
}

fn pieces<B>(body: B) -> impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let frames = body.map_err(Into::into).into_data_stream();
    frames.map_err(|error: BoxError| error)
}

async fn read_field(mut field: Field<'_>, fields: &mut Fields) -> S3Result<()> {
    let name = field.name().unwrap_or_default().to_owned();
    let mut value = Vec::new();
    while let Some(piece) = field.chunk().await.map_err(unreadable)? {
        if value.len() + piece.len() > fields::MAX_FIELDS_BYTES {
            let message = format!("The field {name} is too long.");
            return Err(Refusal::pre_data_too_long(message).into());
        }
        value.extend_from_slice(&piece);
    }
    let value = String::from_utf8(value)
        .map_err(|_| Refusal::malformed_form(format!("The field {name} is not UTF-8.")))?;
    Ok(fields.insert(&name, value)?)
}

/// Why a form could not be read.
fn unreadable(error: multer::Error) -> S3Error {
    match error {
        multer::Error::StreamReadFailed(source) if crate::upload::is_timeout(&source) => {
            Refusal::request_timeout("The body stopped, or came too slowly: send it without long pauses.")
                .into()
        }
        multer::Error::StreamReadFailed(_)
        | multer::Error::IncompleteFieldData { .. }
        | multer::Error::IncompleteHeaders
        | multer::Error::IncompleteStream => {
            Refusal::incomplete_body("The body ended before the form did.").into()
        }
        other => Refusal::malformed_form(format!("The form is malformed: {other}.")).into(),
    }
}

/// The bytes of a file whose length must lie between two numbers.
fn limited(
    file: Field<'static>,
    least: u64,
    most: u64,
) -> impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static {
    let too_small = move || {
        let message = "Your proposed upload is smaller than the minimum allowed size";
        S3Error::with_message(S3ErrorCode::EntityTooSmall, message)
    };
    let too_large = move || {
        let message = "Your proposed upload exceeds the maximum allowed size";
        S3Error::with_message(S3ErrorCode::EntityTooLarge, message)
    };
    let pieces = file.map_err(unreadable).map(Some).chain(futures_util::stream::iter([None]));
    pieces
        .scan(0_u64, move |received, piece| {
            let checked = match piece {
                Some(Ok(piece)) => {
                    *received += piece.len() as u64;
                    if *received > most { Err(too_large()) } else { Ok(piece) }
                }
                Some(Err(error)) => Err(error),
                None if *received < least => Err(too_small()),
                None => Ok(Bytes::new()),
            };
            std::future::ready(Some(checked))
        })
        .try_filter(|piece| std::future::ready(!piece.is_empty()))
        .map_err(BodyError::from)
}

/// The answer that the form asks for.
fn success(fields: &Fields, (bucket, key): (&str, &str), info: &ObjectInfo) -> Response<s3s::Body> {
    let etag = format!("\"{}\"", info.etag);
    let location = format!("/{bucket}/{}", utf8_percent_encode(key, IN_PATHS));
    let redirect = fields.get("success_action_redirect").or_else(|| fields.get("redirect"));
    let mut answer = Response::new(s3s::Body::empty());
    let mut target = location.clone();
    *answer.status_mut() = match fields.get("success_action_status").map(String::as_str) {
        _ if let Some(url) = redirect.and_then(|url| redirect_to(url, bucket, key, &etag)) => {
            target = url;
            StatusCode::SEE_OTHER
        }
        Some("200") => StatusCode::OK,
        Some("201") => {
            *answer.body_mut() = s3s::Body::from(document(&location, (bucket, key), &etag));
            answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
            StatusCode::CREATED
        }
        _ => StatusCode::NO_CONTENT,
    };
    let mut insert = |name: header::HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers_mut().insert(name, value);
        }
    };
    insert(header::ETAG, &etag);
    insert(header::LOCATION, &target);
    if let Some(version) = &info.version {
        insert(header::HeaderName::from_static("x-amz-version-id"), version);
    }
    answer
}

/// The page that the browser goes to, told what was uploaded; `None` if it is no page of the web.
fn redirect_to(url: &str, bucket: &str, key: &str, etag: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    matches!(uri.scheme_str(), Some("http" | "https")).then_some(())?;
    let told = form_urlencoded::Serializer::new(String::new())
        .append_pair("bucket", bucket)
        .append_pair("key", key)
        .append_pair("etag", etag)
        .finish();
    let separator = if uri.query().is_some() { '&' } else { '?' };
    Some(format!("{url}{separator}{told}"))
}

fn document(location: &str, (bucket, key): (&str, &str), etag: &str) -> String {
    let escape = |text: &str| quick_xml::escape::escape(text).into_owned();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><PostResponse><Location>{}</Location><Bucket>{}</Bucket>\
         <Key>{}</Key><ETag>{}</ETag></PostResponse>",
        escape(location),
        escape(bucket),
        escape(key),
        escape(etag)
    )
}
