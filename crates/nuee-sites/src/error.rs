//! What can go wrong on a site.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use nuee_base::{BlobId, ErrorKind};

/// The result of an operation on a site.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of a site. Cheap to clone, since one failed group answers everybody in it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The site holds no such blob at that locator.
    #[error("blob {id} is not where its locator says")]
    Missing {
        /// The blob.
        id: BlobId,
    },
    /// A blob is written once, and this one is there already or is being written.
    #[error("blob {id} exists already: blobs are written once")]
    Exists {
        /// The blob.
        id: BlobId,
    },
    /// No space is left for new blobs.
    #[error("no space is left for blobs at {path}: delete objects, or enlarge the disk")]
    Full {
        /// Where space is missing.
        path: PathBuf,
    },
    /// The disk or the file system refused.
    #[error("cannot {action} {path}: check the disk and the permissions")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system answered.
        source: Arc<io::Error>,
    },
    /// Bytes on the disk are not what was written.
    #[error("{path} is damaged at byte {offset}: {detail}; restore it from a copy")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        detail: String,
    },
    /// The blob is too large for a segment.
    #[error("a blob of {length} bytes is too large for a segment (at most {maximum}): write it as a file")]
    TooLarge {
        /// The blob's length.
        length: usize,
        /// The longest that a segment takes.
        maximum: usize,
    },
    /// A read beyond the end of a blob.
    #[error("bytes {offset} to {end} were asked of a blob of {length} bytes")]
    OutOfRange {
        /// The first byte asked for.
        offset: u64,
        /// One past the last byte asked for.
        end: u64,
        /// The blob's length.
        length: u64,
    },
    /// Bytes that are not a locator of this site.
    #[error("{0} bytes that are not a locator this program knows: was the row written by a newer nuee?")]
    InvalidLocator(usize),
    /// The directory holds something else.
    #[error("{path} is not a directory site and is not empty: choose an empty directory")]
    NotASite {
        /// The directory.
        path: PathBuf,
    },
    /// The directory was written by a newer Nuée.
    #[error("{path} says {found:?}, this program knows {known:?}: run a newer nuee")]
    UnknownFormat {
        /// The file that tells the format.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What this program expects.
        known: &'static str,
    },
    /// Options that contradict each other.
    #[error("the options of the site are wrong: {0}")]
    InvalidOptions(&'static str),
    /// A segment that holds live blobs that no relocation copied must stay.
    #[error("segment {0} holds blobs that were not relocated: relocate them first")]
    StillLive(crate::SegmentNumber),
    /// The site is closing.
    #[error("the site is closed")]
    Closed,
}

impl Error {
    /// A failed call to the operating system; a full disk becomes [`Error::Full`].
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        if is_full(&source) {
            return Self::Full { path };
        }
        Self::Io { action, path, source: Arc::new(source) }
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing { .. } => ErrorKind::NotFound,
            Self::Exists { .. } => ErrorKind::Conflict,
            Self::Full { .. } => ErrorKind::LimitExceeded,
            Self::Io { .. } | Self::Closed => ErrorKind::Unavailable,
            Self::Damaged { .. } | Self::InvalidLocator(_) => ErrorKind::Corrupt,
            Self::NotASite { .. } | Self::UnknownFormat { .. } | Self::InvalidOptions(_) => {
                ErrorKind::Invalid
            }
            Self::TooLarge { .. } | Self::OutOfRange { .. } | Self::StillLive(_) => ErrorKind::Internal,
        }
    }
}

/// Whether the operating system says that no space is left.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
