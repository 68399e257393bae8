//! What can go wrong in the metadata store.

use std::{path::PathBuf, sync::Arc};

use nuee_base::ErrorKind;
use rusqlite::{ErrorCode, ffi::SQLITE_IOERR_SHMSIZE};

/// A failure of the metadata store. Cheap to clone, since one failed commit answers everybody in its group.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// SQLite refused or failed.
    #[error("the metadata database failed: {0}")]
    Sqlite(Arc<rusqlite::Error>),
    /// A name or an id is already taken.
    #[error("a row with this name or id exists already")]
    Duplicate,
    /// A row cannot be read as what it should be.
    #[error("table {table} holds a row that cannot be read: {detail}")]
    Malformed {
        /// The table.
        table: &'static str,
        /// What is wrong with the row.
        detail: String,
    },
    /// The database was written by a newer Nuée.
    #[error("{path} has schema version {found}, this program knows up to {known}: run a newer nuee")]
    TooNew {
        /// The database file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program can read.
        known: i64,
    },
    /// An earlier write could not be made durable, so nothing more is accepted until a restart.
    #[error(
        "the metadata database accepts no more writes since an fsync or a write failed: check the disk, then restart nuee"
    )]
    Poisoned,
    /// No room is left for what would be added.
    #[error("no space is left for metadata at {path}: delete objects, or enlarge the disk")]
    Full {
        /// Where space is missing.
        path: PathBuf,
    },
    /// The store is closing.
    #[error("the metadata store is closed")]
    Closed,
    /// The closure of a write panicked; its change was undone.
    #[error("a metadata change failed inside nuee; it was undone")]
    Panicked,
}

impl Error {
    /// Whether the disk had no room. The index of the log says so in its own way: it is memory that stands in a file,
    /// and holds nothing that must be durable.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::Sqlite(error) => {
                let extended = error.sqlite_error().map(|error| error.extended_code);
                error.sqlite_error_code() == Some(ErrorCode::DiskFull)
                    || extended == Some(SQLITE_IOERR_SHMSIZE)
            }
            _ => false,
        }
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Sqlite(_) if self.is_full() => ErrorKind::LimitExceeded,
            Self::Sqlite(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => ErrorKind::Corrupt,
                Some(ErrorCode::DatabaseBusy | ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => {
                    ErrorKind::Unavailable
                }
                _ => ErrorKind::Internal,
            },
            Self::Full { .. } => ErrorKind::LimitExceeded,
            Self::Duplicate => ErrorKind::Conflict,
            Self::Malformed { .. } => ErrorKind::Corrupt,
            Self::TooNew { .. } => ErrorKind::Invalid,
            Self::Poisoned | Self::Closed => ErrorKind::Unavailable,
            Self::Panicked => ErrorKind::Internal,
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => Self::Duplicate,
            _ => Self::Sqlite(Arc::new(error)),
        }
    }
}
