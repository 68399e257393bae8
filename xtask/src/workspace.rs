//! Where the workspace is, and how a child process is run in it.
//!
//! Everything comes from `cargo metadata`, read once. Children that run tests lose the variables that would make
//! a client leave the machine or use somebody's real credentials.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Variables that cargo sets for this program alone: left in place they make build scripts run again.
const CARGO_PREFIXES: &[&str] = &["CARGO_PKG_", "CARGO_MANIFEST_"];

/// Variables that would send a test's client through a proxy, or to another account.
const CLIENT_PREFIXES: &[&str] =
    &["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "FTP_PROXY", "AWS_", "RCLONE_"];

/// A file system in memory, where Linux has one.
const MEMORY: &str = "/dev/shm";

/// The workspace that the command was started in.
pub(crate) struct Workspace {
    /// The directory of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo builds; outside the checkout when `CARGO_TARGET_DIR` says so.
    pub(crate) target: PathBuf,
    /// The workspace's packages as `cargo metadata` describes them.
    pub(crate) packages: Vec<Value>,
}

impl Workspace {
    /// Asks cargo; needs no network.
    pub(crate) fn load() -> Result<Self> {
        let output = Command::new(cargo_program())
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .output()
            .context("cargo could not be started")?;
        if !output.status.success() {
            bail!("cargo metadata failed:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?;
        let path = |key: &str| {
            metadata[key].as_str().map(PathBuf::from).with_context(|| format!("cargo metadata has no {key}"))
        };
        let packages = metadata["packages"].as_array().cloned().context("cargo metadata has no packages")?;
        Ok(Self { root: path("workspace_root")?, target: path("target_directory")?, packages })
    }

    /// Where programs that cargo installs for us are kept: `NUEE_TOOLS`, or below the target directory.
    pub(crate) fn tools(&self) -> PathBuf {
        std::env::var_os("NUEE_TOOLS").map_or_else(|| self.target.join("tools"), PathBuf::from)
    }

    /// A directory in memory, or the target directory where there is none.
    pub(crate) fn memory(&self) -> PathBuf {
        let memory = PathBuf::from(MEMORY);
        if memory.is_dir() { memory } else { self.target.clone() }
    }

    /// A command that runs in the root with our installed tools on its `PATH`.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("PATH", self.search_path());
        remove_prefixed(&mut command, CARGO_PREFIXES);
        command
    }

    /// `cargo <arguments>`, run in the root.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&cargo_program());
        command.args(arguments);
        command
    }

    fn search_path(&self) -> OsString {
        let mut path = self.tools().join("bin").into_os_string();
        if let Some(inherited) = std::env::var_os("PATH") {
            path.push(":");
            path.push(inherited);
        }
        path
    }
}

/// Takes proxies and credentials of the surrounding session away from a command that runs tests.
pub(crate) fn isolate(command: &mut Command) {
    remove_prefixed(command, CLIENT_PREFIXES);
}

/// Runs a command with our own output; an unsuccessful end is an error that names it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{} could not be started", describe(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", describe(command));
    }
    Ok(())
}

/// Whether the command can be started and succeeds; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn describe(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy().into_owned()));
    words.join(" ")
}

fn remove_prefixed(command: &mut Command, prefixes: &[&str]) {
    for (name, _) in std::env::vars_os() {
        let upper = name.to_string_lossy().to_ascii_uppercase();
        if prefixes.iter().any(|prefix| upper.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
}

fn cargo_program() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}
