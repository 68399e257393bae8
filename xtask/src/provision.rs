//! What the tests need beyond cargo: system programs, Python clients, cargo's own extensions.
//!
//! Each is installed only when it is missing, so a second run costs nothing. System programs come from Debian
//! packages and need root; without root the error is the command to run. Nothing is installed outside the target
//! directory, the tools directory (`NUEE_TOOLS`) and Debian's own places.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::{Workspace, run, succeeds};

/// System programs: what shows that one is there, and the Debian package that brings it.
const PROGRAMS: &[(&[&str], &str)] = &[
    (&["strace", "-V"], "strace"),
    (&["rclone", "version"], "rclone"),
    (&["mkfs.ext4", "-V"], "e2fsprogs"),
    // An authority for tests, and the names that it looks up.
    (&["pebble", "-h"], "pebble"),
    (&["python3", "--version"], "python3"),
    // Debian splits `venv` from Python, and `ensurepip` is the part that is missing then.
    (&["python3", "-c", "import ensurepip, venv"], "python3-venv"),
];

/// The programs that the virtual environment must offer.
const CLIENTS: &[&str] = &["python", "aws", "s3cmd"];

/// cargo-nextest, which runs the tests.
pub(crate) const NEXTEST: Extension = Extension { name: "nextest", version: "0.9.143" };

/// cargo-deny, which reads the tree of dependencies.
pub(crate) const DENY: Extension = Extension { name: "deny", version: "0.20.2" };

/// A subcommand of cargo, and the version that is built when none is found.
pub(crate) struct Extension {
    name: &'static str,
    version: &'static str,
}

/// Makes sure that system programs are there.
pub(crate) fn programs(workspace: &Workspace) -> Result<()> {
    let is_missing = |words: &[&str]| !succeeds(workspace.command(words[0]).args(&words[1..]));
    let missing: Vec<&str> =
        PROGRAMS.iter().filter(|(words, _)| is_missing(words)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    if !is_root() {
        bail!(
            "the tests need Debian packages that are not installed. Run:\n    sudo apt-get install -y {packages}"
        );
    }
    println!("installing Debian packages: {packages}");
    run(apt_get(workspace).arg("update").arg("-qq"))?;
    run(apt_get(workspace).args(["install", "-y", "-qq", "--no-install-recommends"]).args(&missing))
        .with_context(|| format!("installing {packages}; by hand: apt-get install {packages}"))
}

fn apt_get(workspace: &Workspace) -> Command {
    let mut command = workspace.command("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

/// Makes sure that the S3 clients of `xtask/clients.txt` are there, and gives the directory of their programs.
///
/// The stamp is the list that was installed: it is written last, so an interrupted installation starts again.
pub(crate) fn clients(workspace: &Workspace) -> Result<PathBuf> {
    let list = workspace.root.join("xtask/clients.txt");
    let wanted = std::fs::read_to_string(&list).with_context(|| format!("reading {}", list.display()))?;
    let directory = workspace.target.join("clients");
    let (environment, stamp) = (directory.join("venv"), directory.join("installed.txt"));
    let programs = environment.join("bin");
    let installed = std::fs::read_to_string(&stamp).is_ok_and(|stamped| stamped == wanted);
    if installed && work(workspace, &programs) {
        return Ok(programs);
    }
    println!("installing the S3 clients of {} (about a minute)", list.display());
    std::fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
    run(workspace.command("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
    run(workspace
        .command(&programs.join("python").to_string_lossy())
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(&list))
    .context("the S3 clients come from PyPI: is the network there?")?;
    std::fs::write(&stamp, wanted).with_context(|| format!("writing {}", stamp.display()))?;
    Ok(programs)
}

/// An environment that was moved with its cache keeps its files but not its interpreter: ask that one to start.
fn work(workspace: &Workspace, programs: &Path) -> bool {
    CLIENTS.iter().all(|name| programs.join(name).is_file())
        && succeeds(
            workspace.command(&programs.join("python").to_string_lossy()).args(["-c", "import boto3"]),
        )
}

/// Makes sure that a subcommand of cargo is there, and builds it otherwise.
pub(crate) fn extension(workspace: &Workspace, extension: &Extension) -> Result<()> {
    if succeeds(workspace.cargo(&[extension.name]).arg("--version")) {
        return Ok(());
    }
    let package = format!("cargo-{}", extension.name);
    println!("building {package} {} (some minutes, once)", extension.version);
    let mut install = workspace.cargo(&["install", "--locked", "--quiet", &package]);
    install.args(["--version", extension.version, "--root"]).arg(workspace.tools());
    // In the workspace's target directory its artefacts would stay for ever.
    install.env_remove("CARGO_TARGET_DIR");
    run(&mut install)
}
