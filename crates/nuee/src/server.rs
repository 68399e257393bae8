//! The server: everything that runs, from the data directory to the listeners.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use anyhow::{Context as _, Result};
use nuee_base::{Environment, Zone};
use nuee_tenancy::AccessKey;
use nuee_web::{AdminSurface, Drained, Handler, Listener, ListenerOptions, Metrics, Tls};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    Administration, FirstStart, ListenerService, Platform, Settings, SignIns, Tuning,
    administration::{Listening, Serving},
    demonstration::Demonstration,
    first_start::{self, Made},
    retention,
    sequencing::Sequencing,
    sessions,
    settings::Planned,
    socket::Socket,
    surface::{self, ApiNames, ApiSurface, ByHost, ByPath, S3Surface},
    tls::{self, Certificates},
    webhooks::Webhooks,
};

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The settings.
    pub settings: Settings,
    /// What is done where there is no platform yet.
    pub first_start: FirstStart,
    /// Where time and randomness come from.
    pub environment: Environment,
    /// How the layers below work.
    pub tuning: Tuning,
}

/// Where a server listens, with the ports that were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// S3; the first listener's, where there are several.
    pub s3: SocketAddr,
    /// Health and metrics; the first listener's too.
    pub admin: SocketAddr,
    /// Whether S3 is spoken inside TLS.
    pub secure: bool,
    /// Whether health, metrics and the operators' API are.
    pub admin_secure: bool,
}

/// A running server. It must be stopped with [`Server::stop`]; dropping it leaves its tasks to the runtime.
pub struct Server {
    platform: Platform,
    addresses: Addresses,
    made: Made,
    certificates: Option<Arc<Certificates>>,
    shutdown: CancellationToken,
    stop_reclaiming: watch::Sender<bool>,
    reclaimer: JoinHandle<()>,
    lifecycle: JoinHandle<()>,
    socket: JoinHandle<()>,
    renewal: JoinHandle<()>,
    telling: JoinHandle<()>,
    noting: JoinHandle<()>,
    sweeping: JoinHandle<()>,
    witnessing: JoinHandle<()>,
    erasing: JoinHandle<()>,
    /// Ends last, so that what was done while the others ended is signed.
    sequencing: JoinHandle<()>,
    stop_sequencing: CancellationToken,
    listening: Vec<(String, SocketAddr)>,
    listeners: Vec<JoinHandle<Drained>>,
}

impl Server {
    /// Starts; when this returns, clients are served.
    ///
    /// Nothing here takes longer the more is stored.
    pub async fn start(options: ServerOptions) -> Result<Self> {
        let ServerOptions { settings, first_start, environment, tuning } = options;
        let platform = Platform::open(&settings, &environment, first_start, tuning).await?;
        let made = first_start::complete(&platform, first_start).await?;
        let metrics = Metrics::new()?;
        surface::declare_metrics(&metrics, platform.site())?;
        let certificates = Certificates::open(&settings, platform.data_directory(), &environment)?;
        let tls = certificates.as_ref().map(|certificates| certificates.tls());
        let bound = bind(&settings, &metrics, tls.as_ref())?;
        let addresses = Addresses::of(&bound)?;
        let listening = bound.iter().map(Bound::shown).collect();
        let socket = Socket::bind(platform.data_directory())?;

        let shutdown = CancellationToken::new();
        let webhooks = Webhooks::open(&settings, &platform, &metrics)?;
        let sequencing = Sequencing::new(platform.journal().clone(), environment.clone(), &metrics)?;
        let serving = addresses.serving(listening, &environment);
        let administration = Administration::new(platform.clone(), Some(serving));
        let sign_ins = || SignIns::open(&settings, &environment);
        let operators = ApiSurface::for_operators(administration.clone(), sign_ins()?, &metrics);
        let surfaces = Surfaces {
            s3: Arc::new(S3Surface::new(&platform, &settings, webhooks.destinations(), &metrics)?),
            api: Arc::new(ApiSurface::new(&platform, sign_ins()?, &metrics)),
            names: ApiNames::new(&settings.api.domains),
            admin: Arc::new(ByPath {
                admin: admin_surface(&platform, certificates.clone(), metrics)?,
                operators,
            }),
        };
        let (stop_reclaiming, stopped) = watch::channel(false);
        let stop_sequencing = CancellationToken::new();
        let (store, tenancy) = (platform.store().clone(), platform.tenancy().clone());
        let noted_until = stopped.clone();
        let (expiring, decider, stop) = (store.clone(), platform.decider().clone(), stopped.clone());
        let erase = stopped.clone();
        Ok(Self {
            addresses,
            made,
            stop_reclaiming,
            reclaimer: tokio::spawn(async move { store.reclaim_until(stopped).await }),
            lifecycle: tokio::spawn(async move { expiring.lifecycle_until(&decider, stop).await }),
            socket: tokio::spawn(socket.serve(administration, shutdown.clone())),
            noting: tokio::spawn(async move { tenancy.note_uses_until(noted_until).await }),
            witnessing: tokio::spawn(
                platform.witnesses().clone().follow_until(platform.journal().clone(), shutdown.clone()),
            ),
            erasing: tokio::spawn(retention::erase_until(
                platform.clone(),
                settings.journal.retention_months,
                erase,
            )),
            telling: tokio::spawn(webhooks.tell_until(shutdown.clone())),
            sweeping: tokio::spawn(sessions::sweep_until(platform.tenancy().clone(), shutdown.clone())),
            sequencing: tokio::spawn(sequencing.follow_until(stop_sequencing.clone())),
            stop_sequencing,
            renewal: tokio::spawn(tls::keep_fresh(certificates.clone(), shutdown.clone())),
            certificates,
            listening: bound.iter().map(|each| (each.name.clone(), each.listener.local_address())).collect(),
            listeners: bound.into_iter().map(|each| surfaces.serve(each, &environment, &shutdown)).collect(),
            platform,
            shutdown,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Where the listener of this name listens, if there is one.
    #[must_use]
    pub fn listener(&self, name: &str) -> Option<SocketAddr> {
        self.listening.iter().find(|(known, _)| known == name).map(|(_, address)| *address)
    }

    /// The platform that it serves.
    #[must_use]
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The access key that the first start made, until somebody was shown it.
    #[must_use]
    pub fn owner_key(&self) -> Option<&AccessKey> {
        self.made.owner_key.as_ref()
    }

    /// The demonstration that the first start made, to be shown.
    pub(crate) fn demonstration(&self) -> Option<&Demonstration> {
        self.made.demonstration.as_ref()
    }

    /// Notes that the key of the first start was shown: no later start shows it again.
    pub async fn owner_key_was_shown(&self) -> Result<()> {
        match self.made.owner_key {
            Some(_) => first_start::finish(self.platform.metadata()).await,
            None => Ok(()),
        }
    }

    /// The authority that clients must be told to trust, as a file in PEM; none where they trust it already.
    #[must_use]
    pub fn ca_certificate(&self) -> Option<PathBuf> {
        self.certificates.as_ref()?.ca_certificate()
    }

    /// Looks now whether there is another certificate to present, and says whether it was replaced. Connections keep
    /// what they have. The server looks by itself too; after an error the certificate of before stays.
    pub async fn refresh_certificate(&self) -> Result<bool> {
        match &self.certificates {
            Some(certificates) => certificates.refresh().await,
            None => Ok(false),
        }
    }

    /// Takes no more requests, lets those under way finish within the drain time, and brings everything to rest. Gives
    /// the number of connections that had to be cut.
    pub async fn stop(self) -> Result<usize> {
        self.shutdown.cancel();
        let mut cut = 0;
        for listener in self.listeners {
            cut += listener.await?.cut;
        }
        self.socket.await?;
        self.renewal.await?;
        self.telling.await?;
        self.sweeping.await?;
        self.witnessing.await?;
        self.stop_reclaiming.send_replace(true);
        self.reclaimer.await?;
        self.lifecycle.await?;
        self.noting.await?;
        self.erasing.await?;
        self.stop_sequencing.cancel();
        self.sequencing.await?;
        self.platform.close().await?;
        Ok(cut)
    }
}

/// A listener, and what is served there.
struct Bound {
    name: String,
    service: ListenerService,
    with_api: bool,
    zone: Zone,
    secure: bool,
    listener: Listener,
}

impl Bound {
    fn shown(&self) -> Listening {
        Listening {
            name: self.name.clone(),
            service: self.service.to_string(),
            zone: self.zone,
            address: self.listener.local_address(),
            secure: self.secure,
        }
    }
}

/// Binds every address that the settings name.
fn bind(settings: &Settings, metrics: &Metrics, tls: Option<&Tls>) -> Result<Vec<Bound>> {
    let bind = |planned: Planned| {
        let Planned { name, service, with_api, address, zone, device, proxies, secure, setting } = planned;
        let tls = tls.filter(|_| secure).cloned();
        let secure = tls.is_some();
        let options = ListenerOptions {
            name: name.clone(),
            surface: service.as_str(),
            zone,
            device,
            proxies,
            tls,
            limits: settings.web_limits(),
            setting,
            metrics: metrics.clone(),
        };
        Ok(Bound { name, service, with_api, zone, secure, listener: Listener::bind(address, options)? })
    };
    settings.planned_listeners()?.into_iter().map(bind).collect()
}

/// What listeners serve.
struct Surfaces {
    s3: Arc<S3Surface>,
    api: Arc<ApiSurface>,
    names: ApiNames,
    admin: Arc<ByPath>,
}

impl Surfaces {
    fn serve(
        &self,
        bound: Bound,
        environment: &Environment,
        shutdown: &CancellationToken,
    ) -> JoinHandle<Drained> {
        match bound.service {
            ListenerService::S3 if !bound.with_api => {
                serve(bound.listener, Arc::clone(&self.s3), environment, shutdown)
            }
            ListenerService::S3 => {
                let (s3, api) = (Arc::clone(&self.s3), Arc::clone(&self.api));
                let handler = Arc::new(ByHost { s3, api, names: self.names.clone() });
                serve(bound.listener, handler, environment, shutdown)
            }
            ListenerService::Api => serve(bound.listener, Arc::clone(&self.api), environment, shutdown),
            ListenerService::Admin => serve(bound.listener, Arc::clone(&self.admin), environment, shutdown),
        }
    }
}

fn admin_surface(
    platform: &Platform,
    certificates: Option<Arc<Certificates>>,
    metrics: Metrics,
) -> Result<AdminSurface> {
    if let Some(certificates) = certificates.clone() {
        metrics.gauge_from(
            "nuee_tls_certificate_expiry_timestamp_seconds",
            "When the certificate of the S3 listener ends, in seconds since 1970; 0 while there is none",
            move || certificates.expiry_seconds(),
        )?;
    }
    let platform = platform.clone();
    Ok(AdminSurface::new(metrics, move || surface::checks(platform.clone(), certificates.clone())))
}

fn serve<H: Handler>(
    listener: Listener,
    handler: Arc<H>,
    environment: &Environment,
    shutdown: &CancellationToken,
) -> JoinHandle<Drained> {
    let (environment, shutdown) = (environment.clone(), shutdown.clone());
    tokio::spawn(async move { listener.serve(handler, &environment, shutdown).await })
}

impl Addresses {
    /// Those of the first listener of each.
    fn of(bound: &[Bound]) -> Result<Self> {
        let first = |service: ListenerService| {
            let found = bound.iter().find(|bound| bound.service == service);
            found.with_context(|| format!("no listener has the service `{service}`"))
        };
        let (s3, admin) = (first(ListenerService::S3)?, first(ListenerService::Admin)?);
        let (secure, admin_secure) = (s3.secure, admin.secure);
        let (s3, admin) = (s3.listener.local_address(), admin.listener.local_address());
        Ok(Self { s3, admin, secure, admin_secure })
    }

    /// What is told of the server that listens there, from now on.
    fn serving(&self, listeners: Vec<Listening>, environment: &Environment) -> Serving {
        Serving {
            pid: std::process::id(),
            listen: self.s3,
            admin_listen: self.admin,
            secure: self.secure,
            admin_secure: self.admin_secure,
            listeners,
            started_at: environment.now().to_string(),
        }
    }

    /// The URL that a client on this machine uses for S3.
    #[must_use]
    pub fn endpoint(&self) -> String {
        url(self.secure, self.s3)
    }

    /// The URL of health and metrics, for a client on this machine.
    #[must_use]
    pub fn admin_endpoint(&self) -> String {
        url(self.admin_secure, self.admin)
    }
}

/// The URL by which an address is reached from this machine.
pub(crate) fn url(secure: bool, mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("{}://{address}", if secure { "https" } else { "http" })
}
