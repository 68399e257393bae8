//! The surface as a whole: what a listener calls.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use nuee_access::Decider;
use nuee_base::{AccessKeyId, Environment};
use nuee_store::Store;
use nuee_tenancy::Tenancy;

use crate::{
    Credential, Credentials, Destinations, Error, Filter, Front, Gate, Hosts, InvalidDomain,
    cross_origin::CrossOrigin, detour::service_with_detour, form::Forms, handlers::Handlers, pace::Pace,
};

/// How the surface is reached.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Domains under which buckets have names of their own, beside `s3.localhost`.
    pub domains: Vec<String>,
    /// To whom buckets may tell their events.
    pub destinations: Destinations,
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
        let pace = Arc::new(Pace::new(tenancy.quotas(), environment.clone()));
        let credentials: Arc<dyn Credentials> = Arc::new(AccessKeys(tenancy));
        let cross_origin = CrossOrigin::new(store.clone(), hosts.clone());
        // Only a policy opens something to strangers.
        let buckets = store.clone();
        let has_policy = move |name: &str| {
            let bucket = name.parse().ok().and_then(|name| buckets.find_bucket(&name).ok());
            bucket.is_some_and(|bucket| bucket.policy().is_some())
        };
        let destinations = options.destinations.clone();
        let handlers = Handlers { store, decider, environment: environment.clone(), destinations };
        let filter = Filter::new(hosts.clone());
        let forms =
            Forms::new(handlers.clone(), Arc::clone(&credentials), (filter.clone(), Arc::clone(&pace)));
        let gate = Gate::new(Arc::clone(&credentials)).open_to_strangers(has_policy).at(pace);
        let service = service_with_detour(handlers, credentials, gate, hosts);
        let front = Front::new(filter, service, environment);
        Ok(Self(Arc::new(front.with_cross_origin(cross_origin).with_forms(forms))))
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

/// The access keys of service accounts.
struct AccessKeys(Tenancy);

#[async_trait]
impl Credentials for AccessKeys {
    async fn find(&self, id: &AccessKeyId) -> Result<Option<Credential>, Error> {
        let found = self.0.credentials(id).map_err(|error| {
            Error::new(error.kind(), "an access key cannot be looked up").with_source(error)
        })?;
        Ok(found.map(|known| Credential { principal: known.principal.clone(), secret: known.secret.clone() }))
    }
}
