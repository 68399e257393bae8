//! Certificate and key in files that somebody else keeps: an operator, a configuration system, a client of ACME.
//!
//! They are looked at every few seconds, and read when they have changed. Of a pair that is being replaced one may be
//! seen new and the other old; that pair is refused, and the next look finds both.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result};
use nuee_web::Identity;

use crate::Settings;

/// Who may read a key besides its owner.
const OTHERS: u32 = 0o077;

/// What tells that a file was changed or replaced: device, inode, size, and when it was written.
type Trace = (u64, u64, u64, i64, i64);

/// The files that the settings name.
pub(super) struct Files {
    certificate: PathBuf,
    key: PathBuf,
    /// How they were when they were last read, whether that went well or not.
    seen: Mutex<Option<[Option<Trace>; 2]>>,
}

impl Files {
    /// The files of these settings, which must name both.
    pub(super) fn new(settings: &Settings) -> Result<Self> {
        let named = |name: &str, path: &Option<PathBuf>| {
            path.clone().with_context(|| format!("tls.mode is `files`, and tls.{name} names no file"))
        };
        Ok(Self {
            certificate: named("certificate", &settings.tls.certificate)?,
            key: named("key", &settings.tls.key)?,
            seen: Mutex::default(),
        })
    }

    /// Reads both, and warns of a key that others may read.
    pub(super) fn read(&self) -> Result<Identity> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.traces());
        let identity = self.identity()?;
        if let Some(remark) = self.exposure()? {
            tracing::warn!("{remark}");
        }
        Ok(identity)
    }

    /// Reads both if one has changed since they were read.
    pub(super) fn look(&self) -> Result<Option<Identity>> {
        if *self.seen.lock().unwrap_or_else(PoisonError::into_inner) == Some(self.traces()) {
            return Ok(None);
        }
        self.read().map(Some)
    }

    /// Has the next look read both.
    pub(super) fn forget(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Checks both; gives remarks for people, a line each.
    pub(super) fn check(&self) -> Result<String> {
        let identity = self.identity()?;
        let mut text = format!(
            "{}: certificate for {}, valid until {}\n",
            self.certificate.display(),
            identity.names().join(", "),
            identity.not_after()
        );
        if let Some(remark) = self.exposure()? {
            text.push_str(&remark);
            text.push('\n');
        }
        Ok(text)
    }

    fn identity(&self) -> Result<Identity> {
        let chain = read(&self.certificate, "certificate")?;
        let key = read(&self.key, "key")?;
        Identity::from_pem(&chain, &key).with_context(|| {
            format!(
                "tls.certificate {} and tls.key {} cannot be used",
                self.certificate.display(),
                self.key.display()
            )
        })
    }

    fn exposure(&self) -> Result<Option<String>> {
        let mode = fs::metadata(&self.key)
            .with_context(|| format!("cannot look at tls.key {}", self.key.display()))?
            .mode();
        Ok((mode & OTHERS != 0).then(|| {
            format!("warning: others may read the key {0}: run `chmod 600 {0}`", self.key.display())
        }))
    }

    fn traces(&self) -> [Option<Trace>; 2] {
        [&self.certificate, &self.key].map(|path| {
            let found = fs::metadata(path).ok()?;
            let written = (found.mtime(), found.mtime_nsec());
            Some((found.dev(), found.ino(), found.size(), written.0, written.1))
        })
    }
}

fn read(path: &Path, name: &str) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read tls.{name} {}", path.display()))
}
