//! What can go wrong with keys.

use std::{io, path::PathBuf};

use nuee_base::{ErrorKind, OrganisationId};

/// A failure of keys.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Bytes do not open: they were changed, or belong elsewhere, or another key sealed them.
    #[error("sealed bytes do not open: they were altered, or are not where they belong")]
    Tampered,
    /// Sealed bytes have a form that this program does not know.
    #[error("the form of {0} is unknown: a newer nuee may have written it")]
    UnknownForm(&'static str),
    /// There is no custody where it should be.
    #[error(
        "there are no keys in {0}: without them the data cannot be read. Give the right --key-dir, or bring them back with `nuee key restore`"
    )]
    NoCustody(PathBuf),
    /// A new custody would overwrite one that exists.
    #[error("{0} holds something already: give an empty or a new directory")]
    NotEmpty(PathBuf),
    /// A file of the custody can be read by others.
    #[error("{0} can be read by other users of this machine: run `chmod -R go= {0}`")]
    Exposed(PathBuf),
    /// A file of the custody is not what it should be.
    #[error("{path} is not a key file of nuee: {detail}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: &'static str,
    },
    /// The custody has no key for an organisation.
    #[error("the custody has no key for organisation {0}: it was destroyed, or these are other keys")]
    NoOrganisationKey(OrganisationId),
    /// The organisation has a key already.
    #[error("organisation {0} has a key already")]
    OrganisationKeyExists(OrganisationId),
    /// The file system failed.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A backup does not open.
    #[error("the backup does not open: the passphrase is wrong, or the file was altered")]
    BackupRefused,
    /// A stream is longer than the format allows.
    #[error("a blob cannot be longer than 256 TiB")]
    TooLong,
    /// A caller cut a stream into chunks wrongly: it would be sealed, and never open.
    #[error("a chunk of {0} bytes cannot be sealed: this is a defect of nuee, please report it")]
    WrongChunk(usize),
}

impl Error {
    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Tampered | Self::UnknownForm(_) | Self::Malformed { .. } => ErrorKind::Corrupt,
            Self::NoCustody(_) | Self::NoOrganisationKey(_) | Self::Io { .. } => ErrorKind::Unavailable,
            Self::NotEmpty(_) | Self::OrganisationKeyExists(_) => ErrorKind::Conflict,
            Self::Exposed(_) | Self::BackupRefused => ErrorKind::Denied,
            Self::TooLong => ErrorKind::LimitExceeded,
            Self::WrongChunk(_) => ErrorKind::Internal,
        }
    }

    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }
}
