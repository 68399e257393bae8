//! The program `nuee` in a process of its own, in directories of its own.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::client::Client;

/// Where a program is run: a directory with data, keys and logs, removed when this is dropped.
#[derive(Debug)]
pub struct Program {
    binary: PathBuf,
    directory: TempDir,
    variables: Vec<(String, String)>,
}

/// A server that runs. Killed when it is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    address: SocketAddr,
    key: Option<(String, String)>,
}

impl Program {
    /// A program that sees no environment but `variables`.
    pub fn new(binary: impl Into<PathBuf>, variables: &[(&str, &str)]) -> Result<Self> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables = variables.iter().map(owned).collect();
        Ok(Self { binary: binary.into(), directory: tempfile::tempdir()?, variables })
    }

    /// A path in its directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where the data is.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Where the keys are.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.path("keys")
    }

    /// All that servers logged.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.path("log"))?)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).env_clear().env("HOME", self.directory.path());
        command.env("NUEE_STORAGE__DATA_DIR", self.data()).env("NUEE_STORAGE__KEY_DIR", self.keys());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        command
    }

    /// Runs a command that must succeed; gives what it printed.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(arguments).output()?;
        if !output.status.success() {
            bail!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Runs `nuee verify`; gives its report. It must fail if, and only if, it found damage.
    pub fn verify(&self) -> Result<Value> {
        let output = self.command(&["verify", "--json"]).output()?;
        let report: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        if output.status.success() != (report["damaged"] == 0) {
            bail!("verification ended with {}: {report}", output.status);
        }
        Ok(report)
    }

    /// What the last start printed for whoever started it.
    pub fn welcome(&self) -> Result<String> {
        Ok(fs::read_to_string(self.path("welcome"))?)
    }

    /// Runs `nuee up`; when this returns, clients are served.
    pub fn up(&self) -> Result<Running> {
        let ready = self.path("ready");
        let log = File::options().create(true).append(true).open(self.path("log"))?;
        let path = ready.to_str().context("the path of a temporary directory is text")?;
        let mut command = self.command(&["up", "--ready-file", path]);
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        let welcome = File::create(self.path("welcome"))?;
        let mut child = command.stdout(welcome).stderr(log).spawn()?;
        while !ready.exists() {
            if let Some(status) = child.try_wait()? {
                bail!("the server ended with {status}: {}", self.log()?);
            }
            std::thread::yield_now();
        }
        let told: Value = serde_json::from_slice(&fs::read(&ready)?)?;
        let text = |name: &str| told[name].as_str().map(str::to_owned);
        let endpoint = text("endpoint").context("the ready file tells the endpoint")?;
        let (_, address) = endpoint.split_once("://").context("an endpoint is a URL")?;
        let address = address.parse()?;
        let key = text("access_key_id").zip(text("secret_access_key"));
        Ok(Running { child, address, key })
    }
}

impl Running {
    /// Where S3 is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The id and the secret of the access key that the first start made.
    pub fn key(&self) -> Result<(&str, &str)> {
        let (id, secret) = self.key.as_ref().context("only the first start tells a key")?;
        Ok((id, secret))
    }

    /// A client that acts with that key.
    pub fn client(&self) -> Result<Client> {
        let (id, secret) = self.key()?;
        Ok(Client::new(self.address, id, secret))
    }

    /// Its resident memory, in bytes.
    pub fn resident_bytes(&self) -> Result<u64> {
        resident_bytes(self.child.id())
    }

    /// Sends it a signal.
    pub fn send(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Asks it to stop, and waits; it must end well.
    pub fn stop(mut self) -> Result<()> {
        self.send(Signal::TERM)?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(())
    }
}

/// The resident memory of a process, in bytes.
pub fn resident_bytes(process: u32) -> Result<u64> {
    let status = fs::read_to_string(Path::new("/proc").join(process.to_string()).join("status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line.context("the kernel tells VmRSS")?.trim().trim_end_matches(" kB").parse()?;
    Ok(kib << 10)
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where it was stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
