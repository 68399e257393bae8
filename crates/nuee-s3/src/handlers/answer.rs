//! What clients are told when something fails: the codes of S3
//! ([error responses](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)).
//!
//! Text about what is inside stays inside: it goes to the log, and the client gets the code and what it can do.

use http::{
    HeaderMap, HeaderValue,
    header::{ALLOW, CONTENT_TYPE, LAST_MODIFIED},
};
use nuee_access::Reason;
use nuee_base::{ErrorKind, Principal};
use nuee_store::Error;
use s3s::{S3Error, S3ErrorCode, dto};

use crate::{UploadError, handlers::object::timestamp};

/// The answer to a failure of the store.
pub(crate) fn from_store(error: Error) -> S3Error {
    let code = match &error {
        Error::NoSuchBucket(_) => S3ErrorCode::NoSuchBucket,
        Error::BucketExists { yours: true, .. } => S3ErrorCode::BucketAlreadyOwnedByYou,
        Error::BucketExists { yours: false, .. } => S3ErrorCode::BucketAlreadyExists,
        Error::BucketNotEmpty(_) => S3ErrorCode::BucketNotEmpty,
        Error::NoSuchKey => S3ErrorCode::NoSuchKey,
        Error::NoSuchVersion => S3ErrorCode::NoSuchVersion,
        Error::DeleteMarker { .. } => return from_marker(&error),
        Error::Locked(_) => S3ErrorCode::AccessDenied,
        Error::InvalidBucketState(_) => S3ErrorCode::InvalidBucketState,
        Error::InvalidArgument(_) => S3ErrorCode::InvalidArgument,
        Error::TooManyBuckets { .. } => S3ErrorCode::TooManyBuckets,
        Error::QuotaExceeded { .. } => return forbidden("QuotaExceeded", &error),
        Error::PlacementNotMet(_) => return forbidden("PlacementNotMet", &error),
        Error::InvalidTag(_) => S3ErrorCode::InvalidTag,
        // S3 has no better word for it.
        Error::TooManyTags { .. } => return bad_request("BadRequest", error.to_string()),
        Error::SourceChanged => S3ErrorCode::OperationAborted,
        Error::NoSuchUpload => S3ErrorCode::NoSuchUpload,
        Error::InvalidPart(_) => S3ErrorCode::InvalidPart,
        Error::InvalidPartOrder => S3ErrorCode::InvalidPartOrder,
        Error::PartTooSmall { .. } => S3ErrorCode::EntityTooSmall,
        Error::TooLarge { what: "the user metadata", .. } => S3ErrorCode::MetadataTooLarge,
        Error::TooLarge { .. } => S3ErrorCode::EntityTooLarge,
        Error::InvalidRange { .. } => S3ErrorCode::InvalidRange,
        Error::BadDigest | Error::BadChecksum(_) => S3ErrorCode::BadDigest,
        Error::IncompleteBody { .. } => S3ErrorCode::IncompleteBody,
        Error::Invalid(_) => S3ErrorCode::InvalidRequest,
        Error::PreconditionFailed | Error::NotModified => S3ErrorCode::PreconditionFailed,
        Error::Body(_) => return from_body(error),
        Error::Stopping => S3ErrorCode::ServiceUnavailable,
        _ => return from_inside(&error),
    };
    S3Error::with_message(code, error.to_string())
}

/// A project is at its quota (the code is that of Ceph), or its placement is not met (ours): S3 has neither.
fn forbidden(code: &str, error: &Error) -> S3Error {
    let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::AccessDenied);
    let mut answer = S3Error::with_message(code, error.to_string());
    answer.set_status_code(http::StatusCode::FORBIDDEN);
    answer
}

/// What was asked for is a delete marker: nothing is there, or, of one that was asked for by its id, nothing can be read.
fn from_marker(error: &Error) -> S3Error {
    let Error::DeleteMarker { version, modified_at, by_id } = error else {
        return S3Error::new(S3ErrorCode::InternalError);
    };
    let code = if *by_id { S3ErrorCode::MethodNotAllowed } else { S3ErrorCode::NoSuchKey };
    let mut headers = HeaderMap::new();
    // These take the place of those that an error has by itself.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
    if let Ok(version) = version.parse() {
        headers.insert("x-amz-version-id", version);
    }
    if *by_id {
        headers.insert(ALLOW, HeaderValue::from_static("DELETE"));
        let mut date = Vec::new();
        if timestamp(*modified_at).format(dto::TimestampFormat::HttpDate, &mut date).is_ok()
            && let Ok(date) = HeaderValue::from_bytes(&date)
        {
            headers.insert(LAST_MODIFIED, date);
        }
    }
    let mut answer = S3Error::with_message(code, error.to_string());
    answer.set_headers(headers);
    answer
}

/// A body that could not be read: what its carrier says, if it has a word for it.
fn from_body(error: Error) -> S3Error {
    let Error::Body(source) = error else { return from_store(error) };
    let source = match source.downcast::<S3Error>() {
        Ok(answer) => return *answer,
        Err(source) => source,
    };
    let source = match source.downcast::<Error>() {
        Ok(inner) => return from_store(*inner),
        Err(source) => source,
    };
    match source.downcast::<UploadError>() {
        Ok(error) => (*error).into(),
        Err(source) => {
            tracing::debug!(error = %source, "a body could not be read");
            S3Error::with_message(S3ErrorCode::IncompleteBody, "the body could not be read to its end")
        }
    }
}

/// A failure that is not the client's: logged whole, told in a word.
fn from_inside(error: &Error) -> S3Error {
    let (code, message) = match error.kind() {
        ErrorKind::LimitExceeded => {
            (S3ErrorCode::ServiceUnavailable, "the disk is full: delete something, or ask the operator")
        }
        ErrorKind::Unavailable => {
            (S3ErrorCode::ServiceUnavailable, "the service cannot answer now: try again later")
        }
        ErrorKind::Corrupt => (
            S3ErrorCode::InternalError,
            "stored data is damaged: tell the operator, who finds it with `nuee verify`",
        ),
        _ => {
            (S3ErrorCode::InternalError, "the service failed: try again, and tell the operator if it goes on")
        }
    };
    tracing::error!(%error, "a request failed inside");
    S3Error::with_message(code, message)
}

/// The answer to a denial. The reason is logged; a stranger learns nothing of it.
#[expect(clippy::needless_pass_by_value, reason = "it is the last that anybody needs of the denial")]
pub(crate) fn from_denial(denied: nuee_access::Denied) -> S3Error {
    tracing::info!(
        principal = %denied.principal(), action = %denied.action(), resource = %denied.resource(),
        reason = ?denied.reason(), "denied"
    );
    // That a policy denies is told to those who belong to the platform: it is where they have to look.
    let by_policy =
        denied.reason() == Reason::DeniedByBucketPolicy && *denied.principal() != Principal::Anonymous;
    let message = denied.to_string();
    let message =
        if by_policy { format!("{message}, with an explicit deny in the bucket's policy") } else { message };
    S3Error::with_message(S3ErrorCode::AccessDenied, message)
}

/// The answer to who is refused before anything is looked at.
pub(crate) fn access_denied() -> S3Error {
    S3Error::with_message(S3ErrorCode::AccessDenied, "Access Denied")
}

/// The answer to who takes a bucket for somebody else's. It is that of a denial, as at S3.
pub(crate) fn not_the_owner() -> S3Error {
    S3Error::with_message(S3ErrorCode::AccessDenied, "The bucket is not of the owner that was expected.")
}

/// The answer to who asks for a configuration that a bucket does not have.
pub(crate) fn absent(code: &'static str, what: &str) -> S3Error {
    // `s3s` does not know all of the codes.
    let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InvalidRequest);
    let mut error = S3Error::with_message(code, format!("the bucket has no {what}"));
    error.set_status_code(http::StatusCode::NOT_FOUND);
    error
}

/// A request that asks for what is not offered.
pub(crate) fn not_implemented(what: &str) -> S3Error {
    S3Error::with_message(S3ErrorCode::NotImplemented, format!("{what} is not offered by this server"))
}

/// A code that `s3s` does not know.
pub(crate) fn bad_request(code: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InvalidRequest);
    let mut error = S3Error::with_message(code, message);
    error.set_status_code(http::StatusCode::BAD_REQUEST);
    error
}

/// A request that is wrong.
pub(crate) fn invalid(message: impl Into<String>) -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidRequest, message.into())
}

/// An argument that is wrong.
pub(crate) fn invalid_argument(message: impl Into<String>) -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidArgument, message.into())
}
