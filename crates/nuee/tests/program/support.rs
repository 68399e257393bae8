//! Running the binary in directories of its own.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// A home directory in which `nuee` is run.
pub(crate) struct Home(TempDir);

/// A `nuee up` or `nuee serve` that runs. Killed when dropped.
pub(crate) struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
    /// What it printed until it was ready.
    pub(crate) welcome: String,
    log: PathBuf,
}

/// What a finished command did.
pub(crate) struct Finished {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path(".local/share/nuee")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.path(".local/state/nuee/keys")
    }

    /// A command of the program that sees nothing of the environment of the tests.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nuee"));
        command.args(arguments).env_clear().env("HOME", self.0.path()).current_dir(self.0.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        Finished::new(self.command(arguments).output().unwrap())
    }

    /// Runs a command that must succeed; gives its JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let finished = self.run(&[arguments, &["--json"]].concat());
        assert!(finished.success, "{arguments:?}: {}", finished.stderr);
        serde_json::from_str(&finished.stdout).unwrap()
    }

    /// Runs a command that must fail; gives what it says.
    pub(crate) fn refusal(&self, arguments: &[&str]) -> String {
        let finished = self.run(arguments);
        assert!(!finished.success, "{arguments:?} succeeded: {}", finished.stdout);
        assert!(finished.stdout.is_empty(), "{}", finished.stdout);
        finished.stderr
    }

    /// Begins `nuee up` or `nuee serve` on free ports.
    pub(crate) fn begin(&self, arguments: &[&str]) -> Child {
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let ports = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        self.command(&[arguments, &ports].concat()).stderr(log).spawn().unwrap()
    }

    /// Starts `nuee up` or `nuee serve`, and waits until it is ready.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        self.started(self.begin(arguments), arguments)
    }

    /// The same, where the settings say which ports are taken.
    pub(crate) fn start_where_settings_say(&self, arguments: &[&str]) -> Running {
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        self.started(self.command(arguments).stderr(log).spawn().unwrap(), arguments)
    }

    fn started(&self, mut child: Child, arguments: &[&str]) -> Running {
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut running = Running { child, output, welcome: String::new(), log: self.path("log") };
        let last = if arguments[0] == "up" { "Ctrl-C stops." } else { "nuee is ready" };
        loop {
            let before = running.welcome.len();
            let read = running.output.read_line(&mut running.welcome).unwrap();
            assert_ne!(read, 0, "it ended: {}\n{}", running.welcome, self.log());
            if running.welcome[before..].starts_with(last) {
                return running;
            }
        }
    }

    /// All that was logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

impl Running {
    /// Asks it to stop, and waits; gives what it printed since it was ready.
    pub(crate) fn stop(mut self, signal: Signal) -> String {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {rest}\n{}", fs::read_to_string(&self.log).unwrap());
        rest
    }

    /// The value of a line `name=value` or `name = value` that it printed.
    pub(crate) fn setting(&self, name: &str) -> Option<String> {
        let value = |line: &str| {
            let (found, value) = line.trim().trim_start_matches("export ").split_once('=')?;
            (found.trim() == name).then(|| value.trim().to_owned())
        };
        self.welcome.lines().find_map(value)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where it was stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Finished {
    fn new(output: Output) -> Self {
        Self {
            success: output.status.success(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The text of a path.
pub(crate) fn text(path: &impl AsRef<Path>) -> &str {
    let path: &OsStr = path.as_ref().as_ref();
    path.to_str().unwrap()
}
