//! A server of one test's own, and clients' programs that know it and nothing else.

use std::{
    fs::File,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use nuee::TlsMode;
use nuee_base::{Environment, Role};
use nuee_testkit::{Account, Place, TestServer};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A running server, and a directory for files and the clients' settings.
pub(crate) struct Session {
    runtime: Runtime,
    server: Option<TestServer>,
    directory: TempDir,
}

impl Session {
    pub(crate) fn start() -> Self {
        Self::start_as(TlsMode::Off)
    }

    /// A server with a certificate of its own making, and clients that are told to trust it.
    pub(crate) fn start_secure() -> Self {
        Self::start_as(TlsMode::SelfSigned)
    }

    fn start_as(mode: TlsMode) -> Self {
        let runtime = Runtime::new().unwrap();
        let adapt = |settings: &mut nuee::Settings| settings.tls.mode = mode;
        let server = runtime.block_on(TestServer::start_with(Environment::system(), adapt)).unwrap();
        Self { runtime, server: Some(server), directory: TempDir::new().unwrap() }
    }

    pub(crate) fn server(&self) -> &TestServer {
        self.server.as_ref().unwrap()
    }

    /// The owner that the clients act as.
    pub(crate) fn owner(&self) -> &Account {
        self.server().owner(Place::Schools)
    }

    /// Makes an account that may only read what the owner has.
    pub(crate) fn create_reader(&self) -> Account {
        self.runtime.block_on(self.server().create_account(Place::Schools, Role::Reader, None)).unwrap()
    }

    /// The address and port of S3.
    pub(crate) fn authority(&self) -> String {
        self.server().endpoint().strip_prefix("http://").unwrap().to_owned()
    }

    /// A file or directory of the test, which need not exist.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A program of a client, with settings that lead to this server.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = bare_command(program, self.directory.path());
        let owner = self.owner();
        command.env("AWS_ENDPOINT_URL", self.server().endpoint()).env("AWS_DEFAULT_REGION", "fr1");
        command.env("AWS_ACCESS_KEY_ID", owner.access_key_id.to_string());
        command.env("AWS_SECRET_ACCESS_KEY", owner.secret.expose());
        if let Some(file) = self.server().ca_certificate() {
            // rclone does not start with the variable of the others.
            match program {
                "rclone" => command.env("RCLONE_CA_CERT", &file),
                "node" => command.env("NODE_EXTRA_CA_CERTS", &file),
                _ => command.env("AWS_CA_BUNDLE", &file).env("SSL_CERT_FILE", &file),
            };
        }
        // A second attempt would hide what went wrong with the first.
        command.env("AWS_MAX_ATTEMPTS", "1").env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    /// In how many parts an object of the bucket `papers` was sent: its entity tag says so after a dash.
    pub(crate) fn parts(&self, key: &str) -> Option<String> {
        let mut head = self.command("aws");
        head.args(["s3api", "head-object", "--bucket", "papers", "--key", key, "--query", "ETag"]);
        let tag = succeeds(head.args(["--output", "text"]));
        Some(tag.trim().trim_matches('"').split_once('-')?.1.to_owned())
    }

    /// Has a client in Python resolve `*.localhost`, which not every machine does.
    pub(crate) fn resolve_localhost(command: &mut Command) -> &mut Command {
        command.env("PYTHONPATH", script("resolver"))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let stopped = self.server.take().map(|server| self.runtime.block_on(server.stop()));
        if !std::thread::panicking() {
            stopped.unwrap().expect("a server stops cleanly");
        }
    }
}

/// A program of a client that knows no server, at work in a directory. Shells find the other clients.
pub(crate) fn bare_command(program: &str, directory: &Path) -> Command {
    let mut command = Command::new(clients_program(program));
    let inherited = std::env::var_os("PATH").unwrap();
    let path = [programs_directory()].into_iter().chain(std::env::split_paths(&inherited));
    command.current_dir(directory).env_clear().env("HOME", directory);
    command.env("PATH", std::env::join_paths(path).unwrap()).env("LANG", "C.UTF-8").env("TZ", "UTC");
    // Scripts are imported from the checkout, which tests do not write to.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// A file beside this one.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients").join(name)
}

fn clients_program(program: &str) -> PathBuf {
    if matches!(program, "rclone" | "bash" | "node" | "s3fs" | "fusermount") {
        return program.into();
    }
    programs_directory().join(program)
}

/// Where the clients' programs are.
fn programs_directory() -> PathBuf {
    clients_directory().join("venv/bin")
}

/// Where the clients are that `cargo xtask test` installed.
pub(crate) fn clients_directory() -> PathBuf {
    let directory = std::env::var_os("NUEE_CLIENTS").expect(
        "NUEE_CLIENTS does not say where the S3 clients are: run `cargo xtask test`, which installs them",
    );
    directory.into()
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| {
        panic!(
            "{command:?} could not be started ({error}): run `cargo xtask test`, which installs the clients"
        )
    })
}

fn told(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}\n{out}\n{err}", output.status)
}

/// Runs a program to its successful end; gives what it printed.
pub(crate) fn succeeds(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}", told(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// As [`succeeds`], but gives what it printed to standard error too.
pub(crate) fn succeeds_telling(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}", told(&output));
    told(&output)
}

/// Runs a program to its failure; gives what it printed.
pub(crate) fn fails(command: &mut Command) -> String {
    let output = run(command);
    assert!(!output.status.success(), "{command:?} succeeded: {}", told(&output));
    told(&output)
}

/// `GET`s a URL with nothing but HTTP; gives the status and the body.
pub(crate) fn fetch(url: &str) -> (u16, Vec<u8>) {
    let (authority, target) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    write!(stream, "GET /{target} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (status, answer.split_off(end + 4))
}

/// Waits until no other test moves a large file: on a small machine two at once only slow each other down.
pub(crate) fn alone_with_large_files() -> File {
    let lock = File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("large-files.lock")).unwrap();
    lock.lock().unwrap();
    lock
}
