//! What can go wrong with the journal.

use nuee_base::ErrorKind;

/// A failure of the journal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A leaf is not what was written.
    #[error("leaf {leaf} of the journal is damaged: {detail}")]
    Damaged {
        /// Its number.
        leaf: i64,
        /// How that shows.
        detail: String,
    },
    /// Metadata.
    #[error(transparent)]
    Metadata(#[from] nuee_metadata::Error),
}

impl Error {
    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Damaged { .. } => ErrorKind::Corrupt,
            Self::Metadata(error) => error.kind(),
        }
    }
}
