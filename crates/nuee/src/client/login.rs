//! Who is signed in, kept in a file for its owner alone.

use std::{
    env,
    fs::{self, File},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

/// Who is signed in, and where.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Login {
    /// The server.
    pub(crate) url: String,
    /// PEM file of the authorities that vouch for it, if not the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_bundle: Option<PathBuf>,
    /// Who.
    pub(crate) email: String,
    /// Of which organisation; none if it is an operator.
    pub(crate) organisation: String,
    /// Whether it runs the platform.
    #[serde(default)]
    pub(crate) operator: bool,
    /// What requests show.
    pub(crate) token: String,
    /// From when on the token is renewed (RFC 3339).
    pub(crate) renew_at: String,
    /// When it ends (RFC 3339).
    pub(crate) expires_at: String,
}

impl Login {
    /// Where it is kept: `$NUEE_LOGIN`, or a file among this user's settings.
    pub(crate) fn usual_file() -> Result<PathBuf> {
        if let Some(file) = env::var_os("NUEE_LOGIN") {
            return Ok(file.into());
        }
        let directory = match env::var_os("XDG_CONFIG_HOME").filter(|value| !value.is_empty()) {
            Some(directory) => PathBuf::from(directory),
            None => {
                let home =
                    env::var_os("HOME").context("neither NUEE_LOGIN, XDG_CONFIG_HOME nor HOME is set")?;
                PathBuf::from(home).join(".config")
            }
        };
        Ok(directory.join("nuee/login.json"))
    }

    /// What a file says; `None` if nobody is signed in.
    pub(crate) fn read(file: &Path) -> Result<Option<Self>> {
        match fs::read(file) {
            Ok(text) => {
                let read = serde_json::from_slice(&text);
                Ok(Some(read.with_context(|| format!("{} is damaged: `nuee login` again", file.display()))?))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }

    /// Writes it, whole or not at all.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let directory = file.parent().unwrap_or(Path::new("."));
        let cannot = || format!("cannot write {}", file.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).with_context(cannot)?;
        let mut new = tempfile::NamedTempFile::new_in(directory).with_context(cannot)?;
        new.write_all(&serde_json::to_vec_pretty(self)?).with_context(cannot)?;
        new.persist(file).with_context(cannot)?;
        Ok(())
    }

    /// Forgets who is signed in.
    pub(crate) fn forget(file: &Path) -> Result<()> {
        match fs::remove_file(file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", file.display()))
            }
            _ => Ok(()),
        }
    }
}

/// Waits until no other command changes a login; ends when it is dropped.
pub(super) fn lock(file: &Path) -> Result<File> {
    let path = file.with_extension("lock");
    let open = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let lock = open.with_context(|| format!("cannot open {}", path.display()))?;
    flock(&lock, FlockOperation::LockExclusive).with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(lock)
}
