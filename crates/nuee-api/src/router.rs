//! The routes, and what holds for all of them.

use std::sync::Arc;

use axum::{
    Json,
    extract::{DefaultBodyLimit, FromRequest, Request},
    middleware,
    response::Response,
};
use http::{HeaderValue, StatusCode, header};
use nuee_access::Decider;
use nuee_base::Environment;
use nuee_store::Store;
use nuee_tenancy::{Bounds, Realm, Tenancy};
use nuee_web::{Handler, RequestBody};
use serde::de::DeserializeOwned;
use tower::ServiceExt;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    access, account, assumable_role, bucket, exposure,
    failure::{Answer, Failure},
    idempotency, invitation,
    issuer::{self, Browsers, Issuers},
    journal, member, object, openapi,
    operator::{self, Administer},
    organisation, project, service_account, session, sign_in, user,
};

/// The longest body of a request, the contents of objects apart.
pub(crate) const MAX_BODY_BYTES: usize = 64 << 10;

/// What handlers work on.
pub struct Parts {
    /// Organisations, projects and people.
    pub tenancy: Tenancy,
    /// What bounds projects.
    pub(crate) bounds: Bounds,
    /// Buckets and objects.
    pub store: Store,
    /// Who may do what.
    pub decider: Decider,
    /// Where time and randomness come from.
    pub environment: Environment,
    /// Where people sign in elsewhere.
    pub issuers: Box<dyn Issuers>,
    /// Browsers that are on their way to an issuer or from it.
    pub(crate) browsers: Browsers,
    /// What operators ask; there where tenants are, nobody carries it out.
    pub(crate) administration: Option<Box<dyn Administer>>,
}

impl Parts {
    /// These.
    #[must_use]
    pub fn new(
        tenancy: Tenancy,
        (store, decider): (Store, Decider),
        environment: Environment,
        issuers: Box<dyn Issuers>,
    ) -> Self {
        let (browsers, administration) = (Browsers::default(), None);
        let bounds = tenancy.bounds();
        Self { tenancy, bounds, store, decider, environment, issuers, browsers, administration }
    }

    /// The same for operators, who have this carry out what they ask.
    #[must_use]
    pub fn for_operators(self, administration: Box<dyn Administer>) -> Self {
        Self { administration: Some(administration), ..self }
    }

    /// Whose accounts are known here.
    pub(crate) fn realm(&self) -> Realm {
        if self.administration.is_some() { Realm::Platform } else { Realm::Organisations }
    }
}

/// The management API, as a handler of a listener.
pub struct Service(axum::Router);

/// A body of JSON.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Answer<Self> {
        let Json(value) = Json::<T>::from_request(request, state).await?;
        Ok(Self(value))
    }
}

/// Every route of a realm, under `/api/v1`.
pub(crate) fn routes(realm: Realm) -> OpenApiRouter<Arc<Parts>> {
    let shared = OpenApiRouter::new()
        .routes(routes!(sign_in::sign_in, sign_in::list))
        .routes(routes!(sign_in::whoami, sign_in::sign_out))
        .routes(routes!(sign_in::renew))
        .routes(routes!(account::change_password))
        .routes(routes!(account::begin_device))
        .routes(routes!(account::confirm_device))
        .routes(routes!(account::reset_password))
        .routes(routes!(invitation::accept))
        .routes(routes!(invitation::accept_own))
        .routes(routes!(openapi::show));
    match realm {
        Realm::Organisations => shared.merge(of_organisations()),
        Realm::Platform => shared.routes(routes!(operator::carry_out)),
    }
}

fn of_organisations() -> OpenApiRouter<Arc<Parts>> {
    OpenApiRouter::new()
        .routes(routes!(issuer::list))
        .routes(routes!(issuer::finish))
        .routes(routes!(issuer::signed_out))
        .routes(routes!(issuer::exchange))
        .routes(routes!(issuer::begin))
        .routes(routes!(organisation::list))
        .routes(routes!(organisation::get, organisation::update))
        .routes(routes!(user::list))
        .routes(routes!(user::rights))
        .routes(routes!(user::suspend, user::resume))
        .routes(routes!(user::reset))
        .routes(routes!(member::list_in_organisation, member::grant_in_organisation))
        .routes(routes!(member::revoke_in_organisation))
        .routes(routes!(member::list, member::grant))
        .routes(routes!(member::revoke))
        .routes(routes!(invitation::list_in_organisation, invitation::invite_to_organisation))
        .routes(routes!(invitation::revoke_in_organisation))
        .routes(routes!(invitation::list, invitation::invite))
        .routes(routes!(invitation::revoke))
        .routes(routes!(project::list, project::create))
        .routes(routes!(project::get))
        .routes(routes!(project::usage))
        .routes(routes!(project::set_quota))
        .routes(routes!(project::set_placement))
        .routes(routes!(service_account::list, service_account::create))
        .routes(routes!(service_account::revoke))
        .routes(routes!(service_account::create_key))
        .routes(routes!(service_account::delete_key))
        .routes(routes!(assumable_role::list, assumable_role::create))
        .routes(routes!(assumable_role::delete))
        .routes(routes!(session::list))
        .routes(routes!(session::revoke))
        .routes(routes!(access::explain))
        .routes(routes!(exposure::list, exposure::create))
        .routes(routes!(exposure::delete))
        .routes(routes!(bucket::list, bucket::create))
        .routes(routes!(bucket::delete))
        .routes(routes!(object::list))
        .routes(routes!(object::get, object::put, object::delete))
        .routes(routes!(journal::list))
        .routes(routes!(journal::export))
        .routes(routes!(journal::key))
}

impl Service {
    /// The API over these.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let parts = Arc::new(parts);
        let (routes, _) = OpenApiRouter::new().nest("/api/v1", routes(parts.realm())).split_for_parts();
        let routes = routes
            .fallback(|| async { Failure::not_found("there is no such route: see /api/v1/openapi.json") })
            .method_not_allowed_fallback(|| async {
                Failure::new(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "invalid",
                    "the method is not one of this route's",
                )
            })
            .layer(middleware::from_fn_with_state(Arc::clone(&parts), idempotency::once))
            .layer(middleware::map_response(protect))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(parts);
        Self(routes)
    }
}

/// No answer is kept by caches, or taken for a page.
async fn protect(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    response
}

impl Handler for Service {
    type Body = axum::body::Body;

    async fn handle(&self, request: http::Request<RequestBody>) -> Response {
        let request = request.map(axum::body::Body::new);
        match self.0.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}
