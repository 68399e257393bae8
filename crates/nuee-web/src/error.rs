//! What can go wrong before a listener serves.

use std::{io, net::SocketAddr};

use nuee_base::ErrorKind;

/// A listener or a metric could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}; choose another with {setting}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why, in a few words.
        reason: String,
        /// The option or setting that chooses the address.
        setting: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A limit has a value that cannot work.
    #[error("the limit `{name}` cannot be {value}: {reason}")]
    Limit {
        /// Name of the limit.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        reason: &'static str,
    },
    /// A metric is declared twice, or with a name that Prometheus does not take.
    #[error("a metric cannot be declared or shown")]
    Metric(#[from] prometheus::Error),
    /// The limit on open files can be neither read nor raised.
    #[error("cannot raise the limit on open files")]
    OpenFiles(#[source] io::Error),
}

impl Error {
    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Listen { .. } => ErrorKind::Unavailable,
            Self::Limit { .. } => ErrorKind::Invalid,
            Self::Metric(_) | Self::OpenFiles(_) => ErrorKind::Internal,
        }
    }

    pub(crate) fn listen(address: SocketAddr, setting: &str, source: io::Error) -> Self {
        let reason = match source.kind() {
            io::ErrorKind::AddrInUse => "address in use".to_owned(),
            io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
            io::ErrorKind::PermissionDenied => "not permitted (ports below 1024 need a privilege)".to_owned(),
            _ => source.to_string(),
        };
        Self::Listen { address, reason, setting: setting.to_owned(), source }
    }
}
