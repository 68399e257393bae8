//! TLS of the S3 listener: where its certificate comes from, and how it stays fresh.
//!
//! A source gives certificates: files that somebody else keeps, this program, or an authority. [`Certificates`] presents what
//! its source gives, looks for something newer from time to time, and keeps what it has when that cannot be used:
//! a server that runs is never left without a certificate by a bad file. What it keeps itself is in the data directory,
//! keys readable by their owner alone.

mod acme;
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
use acme::Acme;
use files::Files;
use self_signed::SelfSigned;

/// From so long before its end on, a certificate is told of as one that ends soon.
const SOON: Duration = Duration::from_hours(14 * 24);
/// How soon an authority that refused is asked again; twice as long after each refusal, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_mins(1);
const LONGEST_PAUSE: Duration = Duration::from_hours(6);

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
    Acme(Box<Acme>),
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
            TlsMode::Acme => {
                let acme = Acme::new(settings, &directory)?;
                let identity = acme.open()?;
                (Source::Acme(Box::new(acme)), identity)
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
            Source::Files(_) | Source::Acme(_) => None,
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
            Source::Acme(acme) => acme.look(self.current().as_ref(), &self.environment, &self.tls).await?,
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
    /// How long to wait before looking again, after so many failures in a row.
    fn pause(&self, failures: u32) -> Duration {
        match self {
            Self::Files(_) => Duration::from_secs(5),
            Self::Acme(_) if failures > 0 => pause_after(failures),
            Self::SelfSigned(_) | Self::Acme(_) => Duration::from_hours(1),
        }
    }
}

/// How long an authority is left alone after so many refusals in a row.
fn pause_after(failures: u32) -> Duration {
    LONGEST_PAUSE.min(FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))))
}

/// Looks for newer certificates until `shutdown` is cancelled.
pub(crate) async fn keep_fresh(certificates: Option<Arc<Certificates>>, shutdown: CancellationToken) {
    let Some(certificates) = certificates else { return };
    let mut failures = 0;
    loop {
        let looked = select! {
            () = shutdown.cancelled() => return,
            looked = certificates.look() => looked,
        };
        failures = if looked.is_ok() { 0 } else { failures + 1 };
        let pause = certificates.source.pause(failures);
        if let Err(error) = looked {
            let next_look_seconds = pause.as_secs();
            let error = format!("{error:#}");
            tracing::error!(error, failures, next_look_seconds, "the certificate of before stays");
        }
        select! {
            () = shutdown.cancelled() => return,
            () = sleep(pause) => {}
        }
    }
}

/// Checks what the settings say of TLS, files included; gives remarks for people, a line each.
pub(crate) fn check(settings: &Settings) -> Result<String> {
    match settings.tls.mode {
        TlsMode::Files => Files::new(settings)?.check(),
        TlsMode::Acme => Acme::new(settings, Path::new("")).map(|_| String::new()),
        TlsMode::Off | TlsMode::SelfSigned => Ok(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_left_alone_for_longer_after_each_refusal() {
        let minutes = |failures| pause_after(failures).as_secs() / 60;
        assert_eq!([1, 2, 3, 8, 9, 10, u32::MAX].map(minutes), [1, 2, 4, 128, 256, 360, 360]);
    }
}
