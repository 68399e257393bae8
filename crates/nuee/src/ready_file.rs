//! The ready file: tells a program that started `nuee` that it listens, and where.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::Server;

#[derive(Serialize)]
struct Content<'a> {
    endpoint: String,
    admin: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_certificate: Option<PathBuf>,
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_access_key: Option<&'a str>,
}

/// A ready file; removed when it is dropped.
pub(crate) struct ReadyFile(PathBuf);

impl ReadyFile {
    /// Writes it, whole or not at all, for its owner alone.
    pub(crate) fn write(path: &Path, server: &Server) -> Result<Self> {
        let (addresses, key) = (server.addresses(), server.owner_key());
        let content = Content {
            endpoint: addresses.endpoint(),
            admin: addresses.admin_endpoint(),
            ca_certificate: server.ca_certificate(),
            pid: std::process::id(),
            access_key_id: key.map(|key| key.id.as_str()),
            secret_access_key: key.map(|key| key.secret.expose()),
        };
        let written = replace(path, &serde_json::to_vec_pretty(&content)?);
        written.with_context(|| format!("cannot write the ready file {}", path.display()))?;
        Ok(Self(path.to_path_buf()))
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        // It may have been removed by whoever read it.
        let _ = fs::remove_file(&self.0);
    }
}

fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let temporary = PathBuf::from(name);
    // It may hold a secret: a file that is there already would keep its owner, and a link lead elsewhere.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(content)?;
    fs::rename(&temporary, path)
}
