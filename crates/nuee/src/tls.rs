//! TLS of the S3 listener: where its certificate comes from, and how it stays fresh.
//!
//! A source gives certificates: files that somebody else keeps, or this program. [`Certificates`] presents what
//! its source gives, looks for something newer from time to time, and keeps what it has when that cannot be used:
//! a server that runs is never left without a certificate by a bad file. What it keeps itself is in the data directory,
//! keys readable by their owner alone.

mod files;
mod kept;
mod self_signed;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Result, bail};
use nuee_base::Environment;
use nuee_web::{Identity, Tls};
use tokio::{select, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{Settings, TlsMode, data_directory::tls_directory};
use files::Files;
use self_signed::SelfSigned;

/// From so long before its end on, a certificate is told of as one that ends soon.
const SOON: Duration = Duration::from_hours(14 * 24);

/// What the S3 listener presents, and where that comes from.
pub(crate) struct Certificates {
    tls: Tls,
    source: Source,
    environment: Environment,
    current: Mutex<Option<Identity>>,
    /// Held by whoever looks for something newer.
    turn: tokio::sync::Mutex<()>,
}

enum Source {
    Files(Files),
    SelfSigned(SelfSigned),
}

impl Certificates {
    /// What the settings ask for; `None` without TLS. What should be there already must be usable.
    pub(crate) fn open(
        settings: &Settings,
        data_directory: &Path,
        environment: &Environment,
    ) -> Result<Option<Arc<Self>>> {
        let directory = tls_directory(data_directory);
        let (source, identity) = match settings.tls.mode {
            TlsMode::Off => return Ok(None),
            TlsMode::Files => {
                let files = Files::new(settings)?;
                let identity = files.read()?;
                (Source::Files(files), Some(identity))
            }
            TlsMode::SelfSigned => {
                let made = SelfSigned::new(settings, &directory);
                let identity = made.open(environment)?;
                (Source::SelfSigned(made), Some(identity))
            }
        };
        let (environment, turn) = (environment.clone(), tokio::sync::Mutex::default());
        let certificates = Self { tls: Tls::new(), source, environment, current: Mutex::default(), turn };
        if let Some(identity) = identity {
            certificates.present(identity);
        }
        Ok(Some(Arc::new(certificates)))
    }

    /// What the listener presents.
    pub(crate) fn tls(&self) -> Tls {
        self.tls.clone()
    }

    /// The authority that clients must be told to trust.
    pub(crate) fn ca_certificate(&self) -> Option<PathBuf> {
        match &self.source {
            Source::SelfSigned(made) => Some(made.ca_certificate()),
            Source::Files(_) => None,
        }
    }

    /// Takes what is newest, whether it looks new or not; says whether it was replaced.
    pub(crate) async fn refresh(&self) -> Result<bool> {
        if let Source::Files(files) = &self.source {
            files.forget();
        }
        self.look().await
    }

    /// Looks for something newer.
    async fn look(&self) -> Result<bool> {
        let _turn = self.turn.lock().await;
        let found = match &self.source {
            Source::Files(files) => files.look()?,
            Source::SelfSigned(made) => made.look(self.current().as_ref(), &self.environment)?,
        };
        let replaced = found.is_some();
        if let Some(identity) = found {
            self.present(identity);
        }
        Ok(replaced)
    }

    fn present(&self, identity: Identity) {
        let (names, until) = (identity.names().join(" "), identity.not_after());
        self.tls.present(&identity);
        if self.environment.now().saturating_add(SOON) >= until {
            tracing::warn!(names, %until, "the certificate ends soon, or has ended");
        } else {
            tracing::info!(names, %until, "presenting a certificate");
        }
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(identity);
    }

    fn current(&self) -> Option<Identity> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How the certificate stands, for those who watch the process. It fails if clients refuse it.
    pub(crate) fn state(&self) -> Result<String> {
        let Some(identity) = self.current() else { bail!("there is no certificate yet: look into the log") };
        let (now, until) = (self.environment.now(), identity.not_after());
        if now >= until {
            bail!("the certificate ended at {until}");
        }
        if now < identity.not_before() {
            bail!("the certificate begins at {}", identity.not_before());
        }
        Ok(format!("valid until {until}"))
    }

    /// When the certificate ends, in seconds since 1970; 0 while there is none.
    pub(crate) fn expiry_seconds(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a metric is a floating-point number")]
        let seconds = |identity: Identity| (identity.not_after().as_micros() / 1_000_000) as f64;
        self.current().map_or(0.0, seconds)
    }
}

impl Source {
    /// How long to wait before looking again.
    fn pause(&self) -> Duration {
        match self {
            Self::Files(_) => Duration::from_secs(5),
            Self::SelfSigned(_) => Duration::from_hours(1),
        }
    }
}

/// Looks for newer certificates until `shutdown` is cancelled.
pub(crate) async fn keep_fresh(certificates: Option<Arc<Certificates>>, shutdown: CancellationToken) {
    let Some(certificates) = certificates else { return };
    loop {
        select! {
            () = shutdown.cancelled() => return,
            () = sleep(certificates.source.pause()) => {}
        }
        if let Err(error) = certificates.look().await {
            tracing::error!(error = format!("{error:#}"), "the certificate of before stays");
        }
    }
}

/// Checks what the settings say of TLS, files included; gives remarks for people, a line each.
pub(crate) fn check(settings: &Settings) -> Result<String> {
    match settings.tls.mode {
        TlsMode::Files => Files::new(settings)?.check(),
        TlsMode::Off | TlsMode::SelfSigned => Ok(String::new()),
    }
}
