//! The surface as a whole: what a listener calls.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use nuee_access::Decider;
use nuee_base::{AccessKeyId, Environment, Origin, Timestamp};
use nuee_store::Store;
use nuee_tenancy::{Known, KnownKey, Tenancy};

use crate::{
    Credential, Credentials, Destinations, Error, Filter, Front, Gate, Hosts, InvalidDomain, NoIssuers,
    SessionKey, WebIdentities, cross_origin::CrossOrigin, detour::service_with_detour, form::Forms,
    handlers::Handlers, sts::Sts, window::Window,
};

/// How the surface is reached.
#[derive(Clone)]
pub struct Options {
    /// Domains under which buckets have names of their own, beside `s3.localhost`.
    pub domains: Vec<String>,
    /// To whom buckets may tell their events.
    pub destinations: Destinations,
    /// Whose pages may use buckets that have no rules of their own for other sites; none: no one's.
    pub browser_origins: Vec<String>,
    /// Who tokens of the web make known.
    pub identities: Arc<dyn WebIdentities>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            destinations: Destinations::default(),
            browser_origins: Vec::new(),
            identities: Arc::new(NoIssuers),
        }
    }
}

/// The S3 surface. Cheap to clone.
#[derive(Clone)]
pub struct Service(Arc<Front>);

impl Service {
    /// The surface over these. An error if one of the domains is none.
    pub fn new(
        store: Store,
        tenancy: Tenancy,
        decider: Decider,
        environment: Environment,
        options: &Options,
    ) -> Result<Self, InvalidDomain> {
        let hosts = Hosts::new(options.domains.iter().map(String::as_str))?;
        let bounds = tenancy.bounds();
        let credentials: Arc<dyn Credentials> = Arc::new(AccessKeys(tenancy.clone()));
        let window =
            Window { store: store.clone(), decider: decider.clone(), environment: environment.clone() };
        let cross_origin = CrossOrigin::new(window.clone(), hosts.clone(), options.browser_origins.clone());
        // Only a policy opens something to strangers.
        let has_policy = move |name: &str, origin: Option<Origin>| {
            window.bucket(name, origin, false).is_some_and(|bucket| bucket.policy().is_some())
        };
        let destinations = options.destinations.clone();
        let sts = Sts {
            tenancy,
            decider: decider.clone(),
            environment: environment.clone(),
            credentials: Arc::clone(&credentials),
            identities: Arc::clone(&options.identities),
        };
        let handlers = Handlers { store, decider, environment: environment.clone(), destinations };
        let filter = Filter::new(hosts.clone());
        let forms = Forms::new(handlers.clone(), Arc::clone(&credentials), (filter.clone(), bounds.clone()));
        let gate = Gate::new(Arc::clone(&credentials), environment.clone());
        let gate = gate.open_to_strangers(has_policy).at(bounds);
        let service = service_with_detour(handlers, credentials, gate, hosts);
        let front = Front::new(filter, service, environment);
        Ok(Self(Arc::new(front.with_cross_origin(cross_origin).with_forms(forms).with_sts(sts))))
    }

    /// Answers a request. Every failure is an answer.
    pub async fn call<B>(&self, request: Request<B>) -> Response<s3s::Body>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.0.call(request).await
    }
}

/// The access keys of service accounts and of sessions.
struct AccessKeys(Tenancy);

#[async_trait]
impl Credentials for AccessKeys {
    async fn find(&self, id: &AccessKeyId) -> Result<Option<Credential>, Error> {
        let failed = |error: nuee_tenancy::Error| {
            Error::new(error.kind(), "an access key cannot be looked up").with_source(error)
        };
        if let Some(known) = self.0.session_credentials(id).map_err(failed)? {
            let (principal, secret) = (known.principal.clone(), known.secret.clone());
            return Ok(Some(Credential { principal, secret, session: Some(Arc::new(Temporary(known))) }));
        }
        let found = self.0.credentials(id).map_err(failed)?;
        let permanent = |known: Arc<KnownKey>| {
            let (principal, secret) = (known.principal.clone(), known.secret.clone());
            Credential { principal, secret, session: None }
        };
        Ok(found.map(permanent))
    }
}

/// The temporary access key of a session.
#[derive(Debug)]
struct Temporary(Arc<Known>);

impl SessionKey for Temporary {
    fn has_token(&self, token: &str) -> bool {
        self.0.has_token(token)
    }

    fn expires_at(&self) -> Timestamp {
        self.0.expires_at
    }
}
