//! What can go wrong in tenancy.

use nuee_base::{ErrorKind, Role, Slug, Timestamp};

use crate::UnmetPlacement;

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
    /// What is asked for cannot be.
    #[error("the {kind} is not possible: {why}")]
    Invalid {
        /// What it would have been.
        kind: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The role does not go with one that the user has.
    #[error(
        "{user} has the role {present} on {place}, and nobody has that and {wanted} at one place: who audits does \
             nothing there that is to be audited"
    )]
    Incompatible {
        /// The user.
        user: String,
        /// The role that it has.
        present: Role,
        /// Where it has it.
        place: String,
        /// The role that it would have had.
        wanted: Role,
    },
    /// It has changed since whoever would change it looked.
    #[error("it has changed meanwhile: read it again, and change that")]
    Changed,
    /// It cannot be as things are now.
    #[error("{0}")]
    Conflict(String),
    /// What was shown to sign in, or to go on, is of no use. It does not say why.
    #[error("{0}")]
    NotSignedIn(&'static str),
    /// The password is right, and a code of the user's device is needed too.
    #[error("a code of your device is needed too")]
    CodeNeeded,
    /// Too many attempts to sign in failed.
    #[error("too many attempts failed: try again after {0}")]
    Locked(Timestamp),
    /// The project makes more requests than it may.
    #[error("the project makes more than {most} requests a second: slow down")]
    TooManyRequests {
        /// How many it may make in a second.
        most: u32,
    },
    /// The platform does not meet the placement.
    #[error(transparent)]
    PlacementNotMet(#[from] UnmetPlacement),
    /// The process is stopping.
    #[error("the work was interrupted: try again")]
    Interrupted,
    /// The role is not for whoever would assume it.
    #[error("the role {role} is not for you: it does not trust who you are")]
    NotTrusted {
        /// The role.
        role: String,
    },
    /// A claim does not fit the policy of the role.
    #[error("{0}")]
    Claim(String),
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
            Self::Exists { .. }
            | Self::Incompatible { .. }
            | Self::Conflict(_)
            | Self::PlacementNotMet(_) => ErrorKind::Conflict,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Invalid { .. } => ErrorKind::Invalid,
            Self::NotTrusted { .. } | Self::Claim(_) | Self::NotSignedIn(_) | Self::CodeNeeded => {
                ErrorKind::Denied
            }
            Self::Locked(_) | Self::TooManyRequests { .. } => ErrorKind::LimitExceeded,
            Self::Interrupted => ErrorKind::Unavailable,
            Self::Changed => ErrorKind::PreconditionFailed,
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
