//! What clients are told when something fails: the codes of S3
//! ([error responses](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)).
//!
//! Text about what is inside stays inside: it goes to the log, and the client gets the code and what it can do.

use nuee_base::ErrorKind;
use nuee_store::Error;
use s3s::{S3Error, S3ErrorCode};

use crate::UploadError;

/// The answer to a failure of the store.
pub(crate) fn from_store(error: Error) -> S3Error {
    let code = match &error {
        Error::NoSuchBucket(_) => S3ErrorCode::NoSuchBucket,
        Error::BucketExists { yours: true, .. } => S3ErrorCode::BucketAlreadyOwnedByYou,
        Error::BucketExists { yours: false, .. } => S3ErrorCode::BucketAlreadyExists,
        Error::BucketNotEmpty(_) => S3ErrorCode::BucketNotEmpty,
        Error::NoSuchKey => S3ErrorCode::NoSuchKey,
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
        Error::PreconditionFailed => S3ErrorCode::PreconditionFailed,
        Error::Body(_) => return from_body(error),
        Error::Stopping => S3ErrorCode::ServiceUnavailable,
        _ => return from_inside(&error),
    };
    S3Error::with_message(code, error.to_string())
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
    S3Error::with_message(S3ErrorCode::AccessDenied, denied.to_string())
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
