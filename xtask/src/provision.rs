//! What the tests need beyond cargo: system programs, clients in Python and JavaScript, cargo's own extensions.
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
    // Networks of their own for zones.
    (&["ip", "-V"], "iproute2"),
    // An authority for tests, and the names that it looks up.
    (&["pebble", "-h"], "pebble"),
    (&["python3", "--version"], "python3"),
    // Debian splits `venv` from Python, and `ensurepip` is the part that is missing then.
    (&["python3", "-c", "import ensurepip, venv"], "python3-venv"),
    (&["node", "--version"], "nodejs"),
    (&["npm", "--version"], "npm"),
    (&["s3fs", "--version"], "s3fs"),
    // A browser, which has its own mind about which answers scripts may read.
    (&["chromium", "--version"], "chromium"),
];

/// The programs that the virtual environment must offer.
const CLIENTS: &[&str] = &["python", "aws", "s3cmd", "schemathesis"];

/// What says which clients are wanted: those in Python, those in Python that are installed apart, those in JavaScript.
const LISTS: &[&str] = &["clients.txt", "clients-apart.txt", "package.json", "package-lock.json"];

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

/// Makes sure that the S3 clients of [`LISTS`] are there, and gives the directory that has them: `venv` for Python,
/// `apart` for packages of Python that do not agree with the others, `npm` for JavaScript.
///
/// The stamp is the lists that were installed: it is written last, so an interrupted installation starts again.
pub(crate) fn clients(workspace: &Workspace) -> Result<PathBuf> {
    let lists = workspace.root.join("xtask");
    let mut wanted = String::new();
    for list in LISTS {
        let list = lists.join(list);
        wanted += &std::fs::read_to_string(&list).with_context(|| format!("reading {}", list.display()))?;
    }
    let directory = workspace.target.join("clients");
    let stamp = directory.join("installed.txt");
    let installed = std::fs::read_to_string(&stamp).is_ok_and(|stamped| stamped == wanted);
    if installed && work(workspace, &directory.join("venv/bin")) {
        return Ok(directory);
    }
    println!("installing the S3 clients that {} lists (some minutes)", lists.display());
    std::fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
    install_from_pypi(workspace, &lists, &directory)
        .context("the S3 clients come from PyPI: is the network there?")?;
    install_from_npm(workspace, &lists, &directory)
        .context("the S3 clients come from npm: is the network there?")?;
    std::fs::write(&stamp, wanted).with_context(|| format!("writing {}", stamp.display()))?;
    Ok(directory)
}

fn install_from_pypi(workspace: &Workspace, lists: &Path, directory: &Path) -> Result<()> {
    let (environment, apart) = (directory.join("venv"), directory.join("apart"));
    run(workspace.command("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
    let pip = || {
        let mut pip = workspace.command(&environment.join("bin/python").to_string_lossy());
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
        pip
    };
    run(pip().arg(lists.join("clients.txt")))?;
    remove(&apart)?;
    run(pip().arg(lists.join("clients-apart.txt")).arg("--target").arg(&apart))
}

fn install_from_npm(workspace: &Workspace, lists: &Path, directory: &Path) -> Result<()> {
    let directory = directory.join("npm");
    remove(&directory)?;
    std::fs::create_dir(&directory)?;
    for list in ["package.json", "package-lock.json"] {
        std::fs::copy(lists.join(list), directory.join(list))?;
    }
    let mut npm = workspace.command("npm");
    npm.current_dir(&directory).args(["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]);
    run(&mut npm)
}

fn remove(directory: &Path) -> Result<()> {
    if directory.exists() {
        std::fs::remove_dir_all(directory).with_context(|| format!("removing {}", directory.display()))?;
    }
    Ok(())
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
