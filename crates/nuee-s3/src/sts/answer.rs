//! Answers, in XML as AWS writes it.

use std::borrow::Cow;

use http::{HeaderValue, Response, StatusCode, header};
use nuee_base::{ErrorKind, Principal};
use nuee_tenancy::{AssumableRole, TemporaryKey, role_arn};
use quick_xml::escape::escape;

use super::{InvalidToken, Unidentified, assumed_user, session_arn};
use crate::{RequestId, auth::Unusable};

/// The version of the interface.
pub(super) const VERSION: &str = "2011-06-15";
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Why nothing was done, in the words of AWS.
#[derive(Debug)]
pub(super) struct Fault {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
}

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident;)*) => {
        impl Fault {
            $($(#[$doc])* pub(super) fn $name<M: Into<Cow<'static, str>>>(message: M) -> Self {
                Self { code: $code, status: StatusCode::$status, message: message.into() }
            })*
        }
    };
}

faults! {
    validation = "ValidationError", BAD_REQUEST;
    incomplete_signature = "IncompleteSignature", BAD_REQUEST;
    malformed_policy = "MalformedPolicyDocument", BAD_REQUEST;
    invalid_token = "InvalidIdentityToken", BAD_REQUEST;
    expired_token = "ExpiredTokenException", BAD_REQUEST;
    unreachable = "IDPCommunicationError", BAD_REQUEST;
    rejected_claim = "IDPRejectedClaim", FORBIDDEN;
    client_token = "InvalidClientTokenId", FORBIDDEN;
    access_denied = "AccessDenied", FORBIDDEN;
    unavailable = "ServiceUnavailable", SERVICE_UNAVAILABLE;
}

impl Fault {
    fn new(code: &'static str, status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(super) fn unsigned() -> Self {
        let message = "Request is missing Authentication Token: sign it with an access key.";
        Self::new("MissingAuthenticationToken", StatusCode::FORBIDDEN, message)
    }

    pub(super) fn signature() -> Self {
        let message =
            "The signature does not match: check the secret key, and that it is made for the service sts.";
        Self::new("SignatureDoesNotMatch", StatusCode::FORBIDDEN, message)
    }

    pub(super) fn too_old() -> Self {
        let message = "Signature expired, or not yet current: the clock is more than 15 minutes off.";
        Self::new("SignatureDoesNotMatch", StatusCode::FORBIDDEN, message)
    }

    pub(super) fn packed_policy_too_large(limit: usize) -> Self {
        let message = format!("The policy has more than {limit} bytes.");
        Self::new("PackedPolicyTooLarge", StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn invalid_action(action: &str) -> Self {
        let action: String = action.chars().take(64).collect();
        let offered = "AssumeRole, AssumeRoleWithWebIdentity and GetCallerIdentity are";
        let message = format!("The action {action:?} is not offered: {offered}.");
        Self::new("InvalidAction", StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn denied(action: &str) -> Self {
        Self::access_denied(format!("Not authorized to perform sts:{action}"))
    }

    pub(super) fn inside(error: &nuee_tenancy::Error) -> Self {
        tracing::error!(%error, "a request failed inside");
        match error.kind() {
            ErrorKind::Unavailable | ErrorKind::LimitExceeded => Self::unavailable("Retry later."),
            _ => Self::new("InternalFailure", StatusCode::INTERNAL_SERVER_ERROR, "Tell the operator."),
        }
    }

    /// Why an access key is of no use.
    pub(super) fn of_credential(error: &s3s::S3Error) -> Self {
        match error.code() {
            s3s::S3ErrorCode::InvalidAccessKeyId => Self::client_token(
                "The security token included in the request is invalid: there is no such key.",
            ),
            _ => Self::unavailable("Access keys cannot be looked up at the moment. Retry later."),
        }
    }

    pub(super) fn of_unusable(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Expired => {
                let message = "The security token included in the request is expired";
                Self::new("ExpiredToken", StatusCode::FORBIDDEN, message)
            }
            Unusable::Token => Self::client_token("The session token is not that of this access key."),
        }
    }

    /// Why a token makes nobody known.
    pub(super) fn of_unidentified(error: &Unidentified) -> Self {
        match error {
            Unidentified::Token(error) => {
                tracing::info!(reason = %error, "a token was refused");
                match error {
                    InvalidToken::Expired => Self::expired_token(error.to_string()),
                    InvalidToken::Refused(_) => Self::rejected_claim(error.to_string()),
                    InvalidToken::Malformed(_) | InvalidToken::UnknownIssuer | InvalidToken::Signature => {
                        Self::invalid_token(error.to_string())
                    }
                }
            }
            Unidentified::Issuer { .. } => {
                tracing::warn!(%error, "a token was not checked");
                Self::unreachable("The issuer of the token cannot be asked for its keys. Retry later.")
            }
        }
    }

    /// Why a session did not begin.
    pub(super) fn of_session(error: &nuee_tenancy::Error, action: &str) -> Self {
        match error {
            nuee_tenancy::Error::Invalid { kind: "policy", .. } => Self::malformed_policy(error.to_string()),
            nuee_tenancy::Error::Invalid { .. } => Self::validation(error.to_string()),
            nuee_tenancy::Error::Claim(_) => Self::rejected_claim(error.to_string()),
            nuee_tenancy::Error::NotTrusted { .. } | nuee_tenancy::Error::NotFound { .. } => {
                Self::denied(action)
            }
            _ => Self::inside(error),
        }
    }
}

/// Who asks, as `GetCallerIdentity` tells it.
pub(super) struct Caller {
    arn: String,
    id: String,
    account: String,
}

impl Caller {
    /// An error if it is nobody that has a place.
    pub(super) fn of(principal: &Principal) -> Result<Self, Fault> {
        let (arn, id) = match principal {
            Principal::ServiceAccount { id, organisation, .. } => {
                (format!("arn:aws:iam::{organisation}:user/{id}"), id.to_string())
            }
            Principal::Session { id, project, assumed, name, .. } => {
                (session_arn(&role_arn(*project, assumed), name), format!("{id}:{name}"))
            }
            // Users sign in elsewhere, and sign no request with a key.
            Principal::Anonymous
            | Principal::Operator
            | Principal::OperatorAccount { .. }
            | Principal::Lifecycle
            | Principal::User { .. } => return Err(Fault::unsigned()),
        };
        let account = principal.place().map(|(_, project)| project.to_string()).unwrap_or_default();
        Ok(Self { arn, id, account })
    }

    pub(super) fn document(&self) -> String {
        [element("Arn", &self.arn), element("UserId", &self.id), element("Account", &self.account)].concat()
    }
}

fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// What is told of a session that has begun.
pub(super) fn assumed(role: &AssumableRole, key: &TemporaryKey, subject: Option<&str>) -> String {
    let (arn, id) = assumed_user(role, key);
    let credentials = [
        element("AccessKeyId", key.id.as_str()),
        element("SecretAccessKey", key.secret.expose()),
        element("SessionToken", key.token.expose()),
        element("Expiration", &key.expires_at.to_string()),
    ]
    .concat();
    let user = [element("Arn", &arn), element("AssumedRoleId", &id)].concat();
    let subject = subject.map(|subject| element("SubjectFromWebIdentityToken", subject)).unwrap_or_default();
    format!("<Credentials>{credentials}</Credentials><AssumedRoleUser>{user}</AssumedRoleUser>{subject}")
}

/// The answer to what was done.
pub(super) fn success(action: &str, result: &str, id: &RequestId) -> Response<s3s::Body> {
    let body = format!(
        "<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result>{result}</{action}Result><ResponseMetadata>{}\
         </ResponseMetadata></{action}Response>",
        element("RequestId", &id.0)
    );
    document(StatusCode::OK, body)
}

/// The answer to what was not done.
pub(super) fn fault(fault: &Fault, id: &RequestId) -> Response<s3s::Body> {
    let kind = if fault.status.is_server_error() { "Receiver" } else { "Sender" };
    let error =
        [element("Type", kind), element("Code", fault.code), element("Message", &fault.message)].concat();
    let body = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error>{error}</Error>{}</ErrorResponse>",
        element("RequestId", &id.0)
    );
    document(fault.status, body)
}

fn document(status: StatusCode, body: String) -> Response<s3s::Body> {
    let mut answer = Response::new(s3s::Body::from(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    // Secrets are for whoever asked.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
