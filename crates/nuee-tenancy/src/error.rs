//! What can go wrong in tenancy.

use nuee_base::{ErrorKind, Slug};

/// A failure of tenancy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is taken.
    #[error("there is a {kind} named {name} already: choose another name")]
    Exists {
        /// What it would have named.
        kind: &'static str,
        /// The name.
        name: Slug,
    },
    /// Nothing has this name or id.
    #[error("there is no {kind} {name}")]
    NotFound {
        /// What was looked for.
        kind: &'static str,
        /// Its name or id.
        name: String,
    },
    /// What is asked for cannot be; the text says why.
    #[error("{0}")]
    Refused(String),
    /// A row is not what was written.
    #[error("{what} is damaged: {detail}")]
    Damaged {
        /// Which row.
        what: String,
        /// How that shows.
        detail: String,
    },
    /// The permit given is for something else: a defect of the caller.
    #[error(transparent)]
    Permit(#[from] nuee_access::Mismatch),
    /// Metadata.
    #[error(transparent)]
    Metadata(#[from] nuee_metadata::Error),
    /// Keys.
    #[error(transparent)]
    Keys(#[from] nuee_keys::Error),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] nuee_journal::Error),
}

impl Error {
    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Exists { .. } => ErrorKind::Conflict,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Refused(_) => ErrorKind::Invalid,
            Self::Damaged { .. } => ErrorKind::Corrupt,
            Self::Permit(mismatch) => mismatch.kind(),
            Self::Metadata(error) => error.kind(),
            Self::Keys(error) => error.kind(),
            Self::Journal(error) => error.kind(),
        }
    }

    pub(crate) fn damaged(what: impl Into<String>, detail: impl std::fmt::Display) -> Self {
        Self::Damaged { what: what.into(), detail: format!("{detail}") }
    }
}
