//! The limit on open files, which is also the limit on connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Error;

/// The limits on open files of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFiles {
    /// What holds now; `None` for no limit.
    pub now: Option<u64>,
    /// What held before.
    pub before: Option<u64>,
}

/// Raises this process's limit on open files as far as the system lets it.
///
/// Systems give 1,024 by default, for the sake of programs that use `select`; this one needs a file for every
/// connection and for many blobs.
pub fn raise_open_file_limit() -> Result<OpenFiles, Error> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised).map_err(|error| Error::OpenFiles(error.into()))?;
    }
    Ok(OpenFiles { now: limit.maximum, before: limit.current })
}
