//! The server under test: `nuee up` as a user starts it, on free ports and directories of the caller.
//!
//! Its address and the keys of the first start are read from what it prints for pasting into clients' settings,
//! which are lines of the form `name = value`. It can be started under `strace`, which then notes what it does to
//! its files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::load::Target;
use crate::workspace::{isolate, succeeds};

/// A server that has not printed its settings by then will not.
const PATIENCE: Duration = Duration::from_mins(1);

const ENDPOINT: &str = "endpoint";
const ACCESS_KEY: &str = "access key";
const SECRET_KEY: &str = "secret key";
const REGION: &str = "region";

/// The names that the settings of S3 clients have for what we need.
const NAMES: &[(&str, &[&str])] = &[
    (ENDPOINT, &["endpoint", "endpoint_url", "aws_endpoint_url"]),
    (ACCESS_KEY, &["access_key", "access_key_id", "aws_access_key_id"]),
    (SECRET_KEY, &["secret_key", "secret_access_key", "aws_secret_access_key"]),
    (REGION, &["region", "aws_region", "aws_default_region"]),
];

/// A key pair, as the first start printed it.
#[derive(Clone)]
pub(crate) struct Credentials {
    access_key: String,
    secret_key: String,
}

/// A start of the server.
pub(crate) struct Launch<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) data: PathBuf,
    pub(crate) keys: PathBuf,
    /// Where its log goes.
    pub(crate) log: PathBuf,
    /// A first start gives its own credentials, later ones are told them.
    pub(crate) known: Option<Credentials>,
    /// A program that runs the server as its child's place: its words, before those of the server.
    pub(crate) wrapper: Vec<String>,
    /// How long it keeps what nothing references any more; as long as by default if none.
    pub(crate) reclaim_delay: Option<Duration>,
}

impl<'a> Launch<'a> {
    /// On the directories `data` and `keys` of a directory.
    pub(crate) fn on(binary: &'a Path, directory: &Path, known: Option<Credentials>) -> Self {
        let below = |name| directory.join(name);
        let (data, keys, log) = (below("data"), below("keys"), below("server.log"));
        Self { binary, data, keys, log, known, wrapper: Vec::new(), reclaim_delay: None }
    }

    fn command(&self) -> Result<Command> {
        let mut command = match self.wrapper.split_first() {
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(self.binary);
                command
            }
            None => Command::new(self.binary),
        };
        command.arg("up").arg("--data-dir").arg(&self.data).arg("--key-dir").arg(&self.keys);
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&self.log)?);
        if let Some(delay) = self.reclaim_delay {
            command.env("NUEE_STORAGE__RECLAIM_DELAY_SECONDS", delay.as_secs().to_string());
        }
        isolate(&mut command);
        Ok(command)
    }

    /// Starts, and waits until clients are served.
    pub(crate) fn start(self) -> Result<Server> {
        let spawned = self.command()?.spawn();
        let mut child = spawned.with_context(|| format!("starting {}", self.binary.display()))?;
        let settings = read_settings(&mut child, self.known.is_none());
        match settings.and_then(|(settings, output)| Ok((assemble(settings, self.known)?, output))) {
            Ok(((endpoint, region, credentials), output)) => {
                Ok(Server { child, output, endpoint, region, credentials })
            }
            Err(error) => {
                end(&mut child);
                Err(error.context(format!("the server did not start; its log:\n{}", tail(&self.log))))
            }
        }
    }
}

/// A running server; killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    output: Receiver<String>,
    endpoint: String,
    region: String,
    credentials: Credentials,
}

impl Server {
    /// Starts on the directory; a first start gives its own credentials, later ones are told them.
    pub(crate) fn start(binary: &Path, directory: &Path, known: Option<Credentials>) -> Result<Self> {
        Launch::on(binary, directory, known).start()
    }

    /// A bucket of this server.
    pub(crate) fn target(&self, bucket: &str) -> Target {
        Target {
            endpoint: self.endpoint.clone(),
            bucket: bucket.to_owned(),
            access_key: self.credentials.access_key.clone(),
            secret_key: self.credentials.secret_key.clone(),
            region: self.region.clone(),
        }
    }

    /// Its process id.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// To be told to the next start on the same directory.
    pub(crate) fn credentials(&self) -> Credentials {
        self.credentials.clone()
    }

    /// Stops it as Ctrl-C does, and waits, for what wraps it too.
    pub(crate) fn stop(mut self) -> Result<()> {
        let process = self.child.id().to_string();
        if !succeeds(Command::new("kill").args(["-INT", &process])) {
            bail!("the server has ended by itself");
        }
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the server stopped with {status}");
        }
        // Whoever holds the other end of its output has ended when this does.
        while self.output.recv().is_ok() {}
        Ok(())
    }

    /// Kills it as `kill -9` does, without a warning, and waits.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill().context("killing the server")?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Ends a child that may have ended already.
fn end(child: &mut Child) {
    // Both fail only when there is nothing left to end.
    let _ = child.kill();
    let _ = child.wait();
}

type Settings = BTreeMap<&'static str, String>;

fn read_settings(child: &mut Child, first: bool) -> Result<(Settings, Receiver<String>)> {
    let output = child.stdout.take().context("the server's output is not piped")?;
    let (sender, lines) = channel();
    // The thread goes on reading for the server's whole life, or the server would wait for a full pipe.
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(std::result::Result::ok) {
            let _ = sender.send(line);
        }
    });
    let wanted: &[&str] = if first { &[ENDPOINT, ACCESS_KEY, SECRET_KEY] } else { &[ENDPOINT] };
    Ok((collect(&lines, wanted)?, lines))
}

fn collect(lines: &Receiver<String>, wanted: &[&str]) -> Result<Settings> {
    let mut settings = BTreeMap::new();
    while !wanted.iter().all(|name| settings.contains_key(name)) {
        let line = lines
            .recv_timeout(PATIENCE)
            .map_err(|_| anyhow!("it printed no {} to paste into a client", wanted.join(", no ")))?;
        if let Some((name, value)) = setting(&line) {
            settings.entry(name).or_insert(value);
        }
    }
    Ok(settings)
}

/// `name = value`, with or without `export` and quotes, when it is one that we need.
fn setting(line: &str) -> Option<(&'static str, String)> {
    let line = line.trim();
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    let name = name.trim().to_ascii_lowercase();
    let (known, _) = NAMES.iter().find(|(_, names)| names.contains(&name.as_str()))?;
    Some((known, value.trim().trim_matches(['"', '\'']).to_owned()))
}

fn assemble(mut settings: Settings, known: Option<Credentials>) -> Result<(String, String, Credentials)> {
    let mut take = |name| settings.remove(name).with_context(|| format!("the server printed no {name}"));
    let endpoint = take(ENDPOINT)?;
    let credentials = match known {
        Some(credentials) => credentials,
        None => Credentials { access_key: take(ACCESS_KEY)?, secret_key: take(SECRET_KEY)? },
    };
    let region = take(REGION).unwrap_or_else(|_| "fr1".to_owned());
    Ok((endpoint, region, credentials))
}

fn tail(log: &PathBuf) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_in_every_form() {
        let forms = [
            "  endpoint = http://127.0.0.1:1",
            "AWS_ENDPOINT_URL=http://127.0.0.1:1",
            "export endpoint_url=\"http://127.0.0.1:1\"",
        ];
        for form in forms {
            assert_eq!(setting(form), Some((ENDPOINT, "http://127.0.0.1:1".to_owned())), "{form}");
        }
        assert_eq!(setting("provider = Other"), None);
        assert_eq!(setting("listening"), None);
    }

    #[test]
    fn a_start_that_ends_early_says_what_was_missing() {
        let (sender, lines) = channel();
        sender.send("endpoint = http://127.0.0.1:1".to_owned()).unwrap();
        drop(sender);
        assert!(collect(&lines, &[ENDPOINT]).is_ok());
        assert!(collect(&lines, &[ENDPOINT]).unwrap_err().to_string().contains("no endpoint"));
    }
}
