//! The surfaces as this program serves them: S3 behind its listener, and what health and metrics look at.

use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{Either, Full};
use nuee_base::Zone;
use nuee_keys::KeyCustody;
use nuee_s3::{Destinations, Operation};
use nuee_sites::DirectorySite;
use nuee_web::{AdminSurface, Arrival, Check, Handler, Metrics, OperationMetrics, Problem, RequestBody};
use tokio::task::spawn_blocking;

use crate::{
    Administration, Platform, Settings, SignIns, data_directory::metadata_file, issuers::Issuers,
    tls::Certificates,
};

/// Less free space than this, in bytes, is told as unready: new objects are refused soon.
const LEAST_FREE_BYTES: u64 = 64 << 20;

/// S3, as a handler of a listener.
pub(crate) struct S3Surface {
    service: nuee_s3::Service,
    /// The counters of each operation, in the order of [`Operation::ALL`].
    operations: Vec<OperationMetrics>,
}

impl S3Surface {
    pub(crate) fn new(
        platform: &Platform,
        settings: &Settings,
        destinations: Destinations,
        metrics: &Metrics,
    ) -> Result<Self> {
        let issuers = Issuers::open(settings, platform.environment())?;
        let options = nuee_s3::Options {
            domains: settings.s3.domains.clone(),
            destinations,
            browser_origins: settings.identity.browser_origins.clone(),
            identities: Arc::new(issuers),
        };
        let service = nuee_s3::Service::new(
            platform.store().clone(),
            platform.tenancy().clone(),
            platform.decider().clone(),
            platform.environment().clone(),
            &options,
        )
        .context("s3.domains cannot be used")?;
        let counters = |operation: &Operation| metrics.operation("s3", operation.as_str());
        Ok(Self { service, operations: Operation::ALL.iter().map(counters).collect() })
    }
}

impl Handler for S3Surface {
    type Body = nuee_s3::Body;

    async fn handle(&self, request: Request<RequestBody>) -> Response<nuee_s3::Body> {
        let mut response = self.service.call(request).await;
        let operation = response.extensions().get::<Operation>();
        if let Some(counters) = operation.and_then(|operation| self.operations.get(*operation as usize)) {
            response.extensions_mut().insert(counters.clone());
        }
        response
    }
}

/// The management API, or that of operators, as a handler of a listener.
pub(crate) struct ApiSurface {
    service: nuee_api::Service,
    requests: OperationMetrics,
}

impl ApiSurface {
    pub(crate) fn new(platform: &Platform, sign_ins: SignIns, metrics: &Metrics) -> Self {
        let parts = nuee_api::Parts::new(
            platform.tenancy().clone(),
            (platform.store().clone(), platform.decider().clone()),
            platform.environment().clone(),
            Box::new(sign_ins),
        );
        Self { service: nuee_api::Service::new(parts), requests: metrics.operation("api", "request") }
    }

    /// That of operators, who have this administration carry out what they ask.
    pub(crate) fn for_operators(
        administration: Administration,
        sign_ins: SignIns,
        metrics: &Metrics,
    ) -> Self {
        let platform = administration.platform();
        let parts = nuee_api::Parts::new(
            platform.tenancy().clone(),
            (platform.store().clone(), platform.decider().clone()),
            platform.environment().clone(),
            Box::new(sign_ins),
        );
        let service = nuee_api::Service::new(parts.for_operators(Box::new(administration)));
        Self { service, requests: metrics.operation("operators", "request") }
    }
}

impl Handler for ApiSurface {
    type Body = nuee_api::Body;

    async fn handle(&self, request: Request<RequestBody>) -> Response<nuee_api::Body> {
        let mut response = self.service.handle(request).await;
        response.extensions_mut().insert(self.requests.clone());
        response
    }
}

/// The names under which the management API answers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ApiNames(Arc<[String]>);

impl ApiNames {
    /// The name that needs no configuration.
    const LOCAL: &'static str = "console.localhost";

    pub(crate) fn new(domains: &[String]) -> Self {
        let all = domains.iter().map(|domain| domain.to_ascii_lowercase());
        Self(std::iter::once(Self::LOCAL.to_owned()).chain(all).collect())
    }

    /// Whether a request is for the API.
    fn have(&self, request: &Request<RequestBody>) -> bool {
        let authority = request.uri().authority().map(http::uri::Authority::as_str);
        let host = request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok());
        let Some(host) = authority.or(host) else { return false };
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let name = name.strip_suffix('.').unwrap_or(name);
        self.0.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// S3 and the management API on one listener, told apart by the name that a request is for.
pub(crate) struct ByHost {
    pub(crate) s3: Arc<S3Surface>,
    pub(crate) api: Arc<ApiSurface>,
    pub(crate) names: ApiNames,
}

impl Handler for ByHost {
    type Body = Either<nuee_s3::Body, nuee_api::Body>;

    async fn handle(&self, request: Request<RequestBody>) -> Response<Self::Body> {
        if self.names.have(&request) {
            self.api.handle(request).await.map(Either::Right)
        } else {
            self.s3.handle(request).await.map(Either::Left)
        }
    }
}

/// Health, metrics and the operators' API on one listener, told apart by the path that a request is for.
pub(crate) struct ByPath {
    pub(crate) admin: AdminSurface,
    pub(crate) operators: ApiSurface,
}

impl Handler for ByPath {
    type Body = Either<Full<Bytes>, nuee_api::Body>;

    async fn handle(&self, request: Request<RequestBody>) -> Response<Self::Body> {
        if !request.uri().path().starts_with("/api/") {
            return self.admin.handle(request).await.map(Either::Left);
        }
        // Passwords and tokens go over no network in clear.
        let arrival = request.extensions().get::<Arrival>();
        if arrival.is_some_and(|arrival| arrival.secure || arrival.zone == Zone::Local) {
            return self.operators.handle(request).await.map(Either::Right);
        }
        let detail =
            "operators sign in on the machine of the server, or inside TLS: set `tls` of this listener";
        Problem::new(StatusCode::FORBIDDEN).with_detail(detail).into_response().map(Either::Left)
    }
}

/// Declares what is shown of the site.
pub(crate) fn declare_metrics(metrics: &Metrics, site: &DirectorySite) -> Result<()> {
    let gauge = |name: &str, help: &str, pick: fn(&nuee_sites::SiteUsage) -> u64| {
        let site = site.clone();
        #[expect(clippy::cast_precision_loss, reason = "a metric is a floating-point number")]
        let read = move || site.usage().map_or(f64::NAN, |usage| pick(&usage) as f64);
        metrics.gauge_from(name, help, read)
    };
    gauge("nuee_site_free_bytes", "Bytes that the disk still takes", |usage| usage.free_bytes)?;
    gauge("nuee_site_segments", "Files that hold many small blobs", |usage| usage.segments as u64)?;
    gauge("nuee_site_live_bytes", "Bytes of small blobs in use", |usage| usage.live_bytes)?;
    gauge("nuee_site_dead_bytes", "Bytes of small blobs to be had back", |usage| usage.dead_bytes)?;
    Ok(())
}

/// What must work before requests are welcome.
pub(crate) async fn checks(platform: Platform, certificates: Option<Arc<Certificates>>) -> Vec<Check> {
    let looked = spawn_blocking(move || {
        let mut checks = vec![metadata(&platform), custody(&platform), space(&platform)];
        checks.extend(certificates.map(|certificates| check("certificate", certificates.state())));
        checks
    });
    looked.await.unwrap_or_else(|_| {
        vec![Check { name: "checks", ok: false, detail: "a check failed: look into the log".to_owned() }]
    })
}

fn check(name: &'static str, result: Result<String>) -> Check {
    match result {
        Ok(detail) => Check { name, ok: true, detail },
        Err(error) => Check { name, ok: false, detail: format!("{error:#}") },
    }
}

fn metadata(platform: &Platform) -> Check {
    let file = metadata_file(platform.data_directory());
    let read = crate::custody::instance(platform.metadata()).and_then(|found| {
        anyhow::ensure!(file.exists(), "{} is gone", file.display());
        anyhow::ensure!(
            !platform.metadata().is_poisoned(),
            "a write to {} failed, and no more are accepted: check the disk, then restart nuee",
            file.display()
        );
        found.context("the metadata has lost its instance id")
    });
    check("metadata", read.map(|_| String::new()))
}

fn custody(platform: &Platform) -> Check {
    let found = platform.custody().organisations().map_err(anyhow::Error::from).and_then(|keys| {
        let organisations = platform.metadata().read(|snapshot| snapshot.organisations())?;
        let lost = organisations.iter().filter(|organisation| !keys.contains(&organisation.id)).count();
        anyhow::ensure!(lost == 0, "the keys of {lost} organisations are not there");
        Ok(String::new())
    });
    check("custody", found)
}

fn space(platform: &Platform) -> Check {
    let free = platform.site().usage().map_err(anyhow::Error::from).and_then(|usage| {
        let free = usage.free_bytes;
        anyhow::ensure!(
            free >= LEAST_FREE_BYTES,
            "the disk has {free} bytes left: delete objects, or give it more space"
        );
        Ok(format!("{free} bytes free"))
    });
    check("space", free)
}
