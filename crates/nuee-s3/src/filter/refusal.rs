//! How the filter says no.

use std::borrow::Cow;

use http::StatusCode;
use s3s::{S3Error, S3ErrorCode};

/// Why a request goes no further, as an S3 error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// S3's word for it.
    pub code: &'static str,
    /// The status of the response.
    pub status: StatusCode,
    /// What was wrong, and what to do.
    pub message: Cow<'static, str>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident;)*) => {
        impl Refusal {
            $($(#[$doc])* pub(crate) fn $name<M: Into<Cow<'static, str>>>(message: M) -> Self {
                Self { code: $code, status: StatusCode::$status, message: message.into() }
            })*
        }
    };
}

kinds! {
    acl_not_supported = "AccessControlListNotSupported", BAD_REQUEST;
    access_denied = "AccessDenied", FORBIDDEN;
    authorization_malformed = "AuthorizationHeaderMalformed", BAD_REQUEST;
    query_parameters = "AuthorizationQueryParametersError", BAD_REQUEST;
    bucket_acl_with_ownership = "InvalidBucketAclWithObjectOwnership", BAD_REQUEST;
    bad_digest = "BadDigest", BAD_REQUEST;
    entity_too_large = "EntityTooLarge", BAD_REQUEST;
    incorrect_number_of_files = "IncorrectNumberOfFilesInPostRequest", BAD_REQUEST;
    incomplete_body = "IncompleteBody", BAD_REQUEST;
    invalid_argument = "InvalidArgument", BAD_REQUEST;
    invalid_digest = "InvalidDigest", BAD_REQUEST;
    invalid_policy = "InvalidPolicyDocument", BAD_REQUEST;
    invalid_request = "InvalidRequest", BAD_REQUEST;
    invalid_token = "InvalidToken", BAD_REQUEST;
    invalid_uri = "InvalidURI", BAD_REQUEST;
    malformed_form = "MalformedPOSTRequest", BAD_REQUEST;
    malformed_xml = "MalformedXML", BAD_REQUEST;
    pre_data_too_long = "MaxPostPreDataLengthExceeded", BAD_REQUEST;
    message_too_long = "MaxMessageLengthExceeded", BAD_REQUEST;
    missing_length = "MissingContentLength", LENGTH_REQUIRED;
    request_timeout = "RequestTimeout", BAD_REQUEST;
    sha256_mismatch = "XAmzContentSHA256Mismatch", BAD_REQUEST;
    signature_does_not_match = "SignatureDoesNotMatch", FORBIDDEN;
    slow_down = "SlowDown", SERVICE_UNAVAILABLE;
    not_implemented = "NotImplemented", NOT_IMPLEMENTED;
}

impl From<Refusal> for S3Error {
    fn from(refusal: Refusal) -> Self {
        let code = S3ErrorCode::from_bytes(refusal.code.as_bytes()).unwrap_or(S3ErrorCode::InvalidRequest);
        let mut error = Self::with_message(code, refusal.message);
        error.set_status_code(refusal.status);
        error
    }
}
