//! What operators ask of the platform.

use axum::Json;
use futures_util::future::BoxFuture;
use nuee_access::Denied;
use nuee_base::{Context, ErrorKind};
use serde_json::Value;

use crate::{
    caller::SignedIn,
    failure::{Answer, Failure, ProblemDocument},
    router::Body,
};

/// Carries out what operators ask.
pub trait Administer: Send + Sync + 'static {
    /// Carries out one request in this context; what is asked and what comes back are those of the command line's `--json`.
    fn carry_out(&self, context: Context, request: Value) -> BoxFuture<'_, Result<Value, Refusal>>;
}

/// Why something was not carried out.
#[derive(Debug)]
pub enum Refusal {
    /// The operator may not.
    Denied(Denied),
    /// Something of organisations and people cannot be so.
    Tenancy(nuee_tenancy::Error),
    /// Something that is stored cannot be so.
    Store(nuee_store::Error),
    /// The request is not one, or not one that is carried out from afar.
    Invalid(String),
    /// Something went wrong here.
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

/// Have the platform administered: one request, as the commands of `nuee` make them.
///
/// `request` names what is asked, such as `create-organisation` or `operators`; the other members say of what.
#[utoipa::path(
    post, path = "/requests", operation_id = "administer", tag = "administration",
    request_body(content = Object, example = json!({ "request": "list-organisations" })),
    responses(
        (status = 200, description = "What came of it", body = Object, example = json!({ "reply": "organisations", "organisations": [] })),
        (status = 401, description = "Nobody has signed in as an operator", body = ProblemDocument),
        (status = 403, description = "The operator may not, or has shown one factor alone", body = ProblemDocument),
        (status = 404, description = "What it is about is not there", body = ProblemDocument),
        (status = 409, description = "It cannot be as things are now", body = ProblemDocument),
        (status = 422, description = "It is no request", body = ProblemDocument),
    )
)]
pub(crate) async fn carry_out(signed_in: SignedIn, Body(request): Body<Value>) -> Answer<Json<Value>> {
    let SignedIn { caller, .. } = signed_in;
    let administration = caller.parts.administration.as_ref();
    let administration = administration.ok_or_else(|| Failure::not_found("this is not for operators"))?;
    let carried_out = administration.carry_out(caller.context.clone(), request).await;
    carried_out.map(Json).map_err(|refusal| match refusal {
        Refusal::Denied(denied) => caller.refused(denied),
        Refusal::Tenancy(error) => error.into(),
        Refusal::Store(error) => error.into(),
        Refusal::Invalid(detail) => Failure::invalid(detail),
        Refusal::Failed(error) => Failure::of_error(ErrorKind::Internal, &*error),
    })
}
