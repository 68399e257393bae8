//! What went wrong, as callers are told: problem documents with a code each.

use std::time::Duration;

use axum::{
    extract::rejection::{JsonRejection, PathRejection, QueryRejection},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use nuee_access::{Denied, Reason};
use nuee_base::ErrorKind;
use nuee_web::Problem;
use serde::Serialize;
use utoipa::ToSchema;

/// A problem document (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument {
    /// A name of the kind of problem: `urn:nuee:problem:` and the code.
    r#type: String,
    /// The same in a few words that never vary.
    title: String,
    /// The status of the response.
    status: u16,
    /// What was wrong this time, and what to do.
    detail: Option<String>,
    /// What programs look at; it does not change.
    #[schema(example = "not-found")]
    code: String,
}

/// Why a request is not answered.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    code: &'static str,
    detail: String,
    /// After how long it is worth another attempt, if that is known.
    retry_after: Option<Duration>,
}

/// What handlers give.
pub(crate) type Answer<T> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), retry_after: None }
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    pub(crate) fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not-signed-in", detail)
    }

    fn placement_not_met(detail: String) -> Self {
        Self::new(StatusCode::CONFLICT, "placement-not-met", detail)
    }

    /// The same, with what to do about it.
    pub(crate) fn with_way(mut self, way: &str) -> Self {
        self.detail = format!("{}: {way}", self.detail);
        self
    }

    /// The same, with when to try again.
    pub(crate) fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    pub(crate) fn of_kind(kind: ErrorKind, detail: String) -> Self {
        let (status, code) = match kind {
            ErrorKind::NotFound => (StatusCode::NOT_FOUND, "not-found"),
            ErrorKind::Conflict => (StatusCode::CONFLICT, "conflict"),
            ErrorKind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            ErrorKind::Denied => (StatusCode::FORBIDDEN, "denied"),
            ErrorKind::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, "changed"),
            ErrorKind::LimitExceeded => (StatusCode::TOO_MANY_REQUESTS, "limit-exceeded"),
            ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            ErrorKind::Cancelled => (StatusCode::SERVICE_UNAVAILABLE, "interrupted"),
            ErrorKind::Corrupt | ErrorKind::Internal => {
                let detail = "look into the log of the server for this request";
                return Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail);
            }
        };
        Self::new(status, code, detail)
    }

    /// That of an error of a layer below; what an operator alone should see goes to the log.
    pub(crate) fn of_error(kind: ErrorKind, error: &(dyn std::error::Error + 'static)) -> Self {
        if matches!(kind, ErrorKind::Corrupt | ErrorKind::Internal) {
            tracing::error!(error, "a request to the API failed");
        }
        Self::of_kind(kind, error.to_string())
    }
}

impl From<nuee_tenancy::Error> for Failure {
    fn from(error: nuee_tenancy::Error) -> Self {
        use nuee_tenancy::Error;
        match &error {
            Error::NotSignedIn(detail) => Self::unauthenticated(*detail),
            Error::CodeNeeded => Self::new(StatusCode::UNAUTHORIZED, "code-needed", error.to_string()),
            Error::Incompatible { .. } => {
                Self::new(StatusCode::CONFLICT, "incompatible-roles", error.to_string())
            }
            Error::PlacementNotMet(_) => Self::placement_not_met(error.to_string()),
            _ => Self::of_error(error.kind(), &error),
        }
    }
}

impl From<nuee_store::Error> for Failure {
    fn from(error: nuee_store::Error) -> Self {
        match &error {
            nuee_store::Error::PlacementNotMet(_) => Self::placement_not_met(error.to_string()),
            _ => Self::of_error(error.kind(), &error),
        }
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        let reason = denied.reason();
        tracing::info!(
            principal = %denied.principal(), action = %denied.action(), resource = %denied.resource(), %reason, "denied"
        );
        let code = match reason {
            Reason::SingleFactor => "second-factor-needed",
            _ => "denied",
        };
        Self::new(StatusCode::FORBIDDEN, code, denied.to_string())
    }
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        let status = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            StatusCode::BAD_REQUEST => StatusCode::BAD_REQUEST,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, "invalid", rejection.body_text())
    }
}

impl From<QueryRejection> for Failure {
    fn from(rejection: QueryRejection) -> Self {
        Self::invalid(rejection.body_text())
    }
}

impl From<PathRejection> for Failure {
    fn from(rejection: PathRejection) -> Self {
        Self::not_found(rejection.body_text())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self { status, code, detail, retry_after } = self;
        let title = match code {
            "not-found" => "There is no such thing, or it is not for you",
            "conflict" => "It cannot be as things are now",
            "incompatible-roles" => "The roles do not go together",
            "placement-not-met" => "The platform does not meet the placement",
            "invalid" => "The request is not as it should be",
            "denied" => "You may not do this",
            "not-a-user" => "You are no user here",
            "second-factor-needed" => "This needs a sign-in by two factors",
            "not-signed-in" => "You are not signed in",
            "code-needed" => "A code is needed too",
            "changed" => "It has changed meanwhile",
            "limit-exceeded" => "A limit was met",
            "unavailable" | "interrupted" => "Try again later",
            _ => "Something went wrong here",
        };
        let problem = Problem::new(status)
            .with_kind(format!("urn:nuee:problem:{code}"), title)
            .with_detail(detail)
            .with_member("code", code);
        let mut response = problem.into_response().map(axum::body::Body::new);
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"nuee\", Basic realm=\"nuee\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(time) = retry_after {
            // A second more than what is cut off.
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(time.as_secs() + 1));
        }
        response
    }
}
