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
    /// The journal has fewer leaves than were signed.
    #[error(
        "the journal has {found} leaves, and {signed} were signed: it was cut, or an older copy was put back. Nothing more is \
         signed"
    )]
    Cut {
        /// What it has.
        found: u64,
        /// What was signed.
        signed: u64,
    },
    /// The checkpoint that is kept is not one of this journal.
    #[error("the checkpoint that is kept of the journal does not fit: {0}")]
    Checkpoint(String),
    /// Keys.
    #[error(transparent)]
    Keys(#[from] nuee_keys::Error),
    /// Metadata.
    #[error(transparent)]
    Metadata(#[from] nuee_metadata::Error),
    /// An export cannot be written.
    #[error("the export cannot be written: {0}")]
    Export(std::io::Error),
    /// The work was interrupted.
    #[error("work on the journal was interrupted")]
    Interrupted,
}

impl Error {
    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Damaged { .. } | Self::Cut { .. } | Self::Checkpoint(_) => ErrorKind::Corrupt,
            Self::Keys(error) => error.kind(),
            Self::Metadata(error) => error.kind(),
            Self::Export(_) | Self::Interrupted => ErrorKind::Unavailable,
        }
    }
}
