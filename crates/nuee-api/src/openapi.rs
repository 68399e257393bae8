//! The description of the API, in OpenAPI 3.1, made from its handlers.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use nuee_tenancy::Realm;
use utoipa::{
    OpenApi,
    openapi::{
        OpenApi as Document,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::router::{Parts, routes};

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

/// What is said of the operators' API as a whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Nuée operators' API",
        description = "How those who run the platform sign in, and have it administered. Their accounts are known nowhere \
else.\n\nFailures are problem documents (RFC 9457) whose `code` does not change.",
        license(name = "EUPL-1.2", identifier = "EUPL-1.2"),
    ),
    security(("signIn" = [])),
)]
struct DescribedForOperators;

/// The description of the API of a realm.
#[must_use]
pub fn document(realm: Realm) -> Document {
    let described = match realm {
        Realm::Organisations => Described::openapi(),
        Realm::Platform => DescribedForOperators::openapi(),
    };
    let (_, mut document) =
        OpenApiRouter::with_openapi(described).nest("/api/v1", routes(realm)).split_for_parts();
    let scheme = |scheme, description: &str| {
        SecurityScheme::Http(HttpBuilder::new().scheme(scheme).description(Some(description)).build())
    };
    let components = document.components.get_or_insert_default();
    let token = "The token of a sign-in: `POST /api/v1/sign-ins`.";
    components.add_security_scheme("signIn", scheme(HttpAuthScheme::Bearer, token));
    if realm == Realm::Organisations {
        let key = "An access key of a service account: its id, and its secret.";
        components.add_security_scheme("accessKey", scheme(HttpAuthScheme::Basic, key));
    }
    document
}

/// This description.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "describe", tag = "description", security(()),
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json"))
)]
pub(crate) async fn show(State(parts): State<Arc<Parts>>) -> Response {
    Json(document(parts.realm())).into_response()
}
