//! How many requests a project makes in a second, as S3 answers it.

use nuee_base::Principal;
use nuee_tenancy::{Bounds, Error};
use s3s::{S3Error, S3ErrorCode, S3Result};

/// Lets one more request of this principal pass, or says that there are too many.
pub(crate) fn admit(bounds: &Bounds, principal: &Principal) -> S3Result<()> {
    let Some((_, project)) = principal.place() else { return Ok(()) };
    bounds.admit(project).map_err(|error| match error {
        Error::TooManyRequests { most } => {
            let message = format!("The project makes more than {most} requests a second: slow down.");
            S3Error::with_message(S3ErrorCode::SlowDown, message)
        }
        error => {
            tracing::error!(error = &error as &dyn std::error::Error, "a request was not counted");
            let message = "The service cannot answer now: retry later.";
            S3Error::with_message(S3ErrorCode::ServiceUnavailable, message)
        }
    })
}
