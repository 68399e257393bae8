//! The description of the API, in OpenAPI 3.1, made from its handlers.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use utoipa::{
    OpenApi,
    openapi::{
        OpenApi as Document,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::router::routes;

/// What is said of the API as a whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Nuée management API",
        description = "Organisations, projects, people, keys, buckets and the journal.\n\nFailures are problem documents \
(RFC 9457) whose `code` does not change. A POST that creates something takes an `Idempotency-Key`: sent again with the same \
key within a day, it is answered as the first time.",
        license(name = "EUPL-1.2", identifier = "EUPL-1.2"),
    ),
    security(("signIn" = []), ("accessKey" = [])),
)]
struct Described;

/// The description.
#[must_use]
pub fn document() -> Document {
    let (_, mut document) =
        OpenApiRouter::with_openapi(Described::openapi()).nest("/api/v1", routes()).split_for_parts();
    let scheme = |scheme, description: &str| {
        SecurityScheme::Http(HttpBuilder::new().scheme(scheme).description(Some(description)).build())
    };
    let components = document.components.get_or_insert_default();
    let token = "The token of a sign-in: `POST /api/v1/sign-ins`.";
    components.add_security_scheme("signIn", scheme(HttpAuthScheme::Bearer, token));
    let key = "An access key of a service account: its id, and its secret.";
    components.add_security_scheme("accessKey", scheme(HttpAuthScheme::Basic, key));
    document
}

/// This description.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "describe", tag = "description", security(()),
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json"))
)]
pub(crate) async fn show() -> Response {
    Json(document()).into_response()
}
