//! `cargo xtask mutate`: breaks the code on purpose, one seeded fault at a time, and wants to see a test fail.
//!
//! A fault is a patch in `mutations/`. Above the patch stand a sentence on what is broken, the figure that it belongs
//! to, and the command that must fail:
//!
//! ```text
//! Acknowledges small objects before they are durable.
//! Figure: A1
//! Test: cargo xtask powercut --images 200
//! ```
//!
//! Patches are applied to a copy of the working tree, which has a target directory of its own, kept for the next
//! fault. A fault that no longer applies or does not compile is an error, as is one that its test does not notice.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::workspace::{Workspace, isolate, run};

/// Where faults are, from the root of the workspace.
const FAULTS: &str = "mutations";

/// Which faults.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Names of patches in `mutations/`, without their ending; without them every fault is tried
    names: Vec<String>,
    /// Run the tests without a fault instead, and want to see them pass
    #[arg(long)]
    unbroken: bool,
    /// Where the copy of the working tree and its target directory are [default: below the target directory]
    #[arg(long)]
    directory: Option<PathBuf>,
}

/// A seeded fault.
#[derive(Debug)]
struct Fault {
    name: String,
    patch: PathBuf,
    what: String,
    figure: String,
    /// The words of the command that must fail.
    test: Vec<String>,
}

/// Tries each fault; one that its test does not notice fails the command.
pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<()> {
    let faults = find(&workspace.root.join(FAULTS), &options.names)?;
    let directory = options.directory.clone().unwrap_or_else(|| workspace.target.join("mutate"));
    let copy = Copy { workspace, tree: directory.join("tree"), target: directory.join("target") };
    let mut lines = Vec::new();
    let mut unnoticed = Vec::new();
    for fault in &faults {
        println!("== {}: {}", fault.name, fault.what);
        let failed = copy.try_fault(fault, options.unbroken).with_context(|| fault.name.clone())?;
        if failed == options.unbroken {
            unnoticed.push(fault.name.as_str());
        }
        let verdict = if failed { "red" } else { "GREEN" };
        lines.push(format!("{verdict:<6} {:<4} {:<40} {}", fault.figure, fault.name, fault.test.join(" ")));
    }
    println!("== faults\n{}", lines.join("\n"));
    if options.unbroken {
        ensure!(unnoticed.is_empty(), "tests fail without a fault: {}", unnoticed.join(", "));
    } else {
        ensure!(unnoticed.is_empty(), "no test noticed: {}", unnoticed.join(", "));
    }
    Ok(())
}

fn find(directory: &Path, names: &[String]) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))? {
        let patch = entry?.path();
        let name = patch.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let wanted = names.is_empty() || names.contains(&name);
        if wanted && patch.extension().is_some_and(|extension| extension == "patch") {
            let text = fs::read_to_string(&patch)?;
            faults.push(Fault::parse(name, patch, &text)?);
        }
    }
    faults.sort_by(|one, other| one.name.cmp(&other.name));
    if let Some(missing) = names.iter().find(|name| !faults.iter().any(|fault| fault.name == **name)) {
        bail!("there is no {missing}.patch in {}", directory.display());
    }
    Ok(faults)
}

impl Fault {
    fn parse(name: String, patch: PathBuf, text: &str) -> Result<Self> {
        let (header, _) = text.split_once("diff --git").with_context(|| format!("{name} holds no patch"))?;
        let field = |field: &str| {
            let value = header.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(": "));
            value.with_context(|| format!("{name} has no line `{field}: …` above its patch"))
        };
        let test = field("Test")?.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        ensure!(test.first().is_some_and(|word| word == "cargo"), "{name}: its test is no cargo command");
        let what = header.lines().next().unwrap_or_default().to_owned();
        Ok(Self { figure: field("Figure")?.to_owned(), name, patch, what, test })
    }
}

/// The copy of the working tree.
struct Copy<'a> {
    workspace: &'a Workspace,
    tree: PathBuf,
    target: PathBuf,
}

impl Copy<'_> {
    /// Whether the test of a fault fails, with the fault or without it.
    fn try_fault(&self, fault: &Fault, unbroken: bool) -> Result<bool> {
        self.renew()?;
        if !unbroken {
            let mut apply = self.command("git");
            // Outside of a repository, git applies to files alone.
            apply.env("GIT_CEILING_DIRECTORIES", &self.tree).args(["apply", "--whitespace=nowarn"]);
            run(apply.arg(&fault.patch)).context("the patch no longer applies: renew it")?;
        }
        for build in builds(&fault.test) {
            let mut command = self.command(&build[0]);
            run(command.args(&build[1..])).context("the fault does not compile")?;
        }
        // What a test that fails keeps, to be looked at, is of no use here.
        let scratch = self.workspace.memory().join(format!("nuee-mutate-{}", std::process::id()));
        let mut test = self.command(&fault.test[0]);
        isolate(test.args(&fault.test[1..]).env("NUEE_SCRATCH", &scratch));
        let status = test.status().with_context(|| format!("starting {}", fault.test.join(" ")))?;
        if scratch.exists() {
            fs::remove_dir_all(&scratch)?;
        }
        Ok(!status.success())
    }

    /// Makes the copy equal to the working tree. Files that are equal keep their time, so little is built anew.
    fn renew(&self) -> Result<()> {
        fs::create_dir_all(&self.tree).with_context(|| format!("making {}", self.tree.display()))?;
        let files = self.files()?;
        for file in &files {
            let content = fs::read(self.workspace.root.join(file))?;
            let target = self.tree.join(file);
            if fs::read(&target).is_ok_and(|present| present == content) {
                continue;
            }
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&target, content)?;
        }
        remove_others(&self.tree, &self.tree, &files)
    }

    /// What git knows or would add.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let mut command = self.workspace.command("git");
        let output =
            command.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).output()?;
        ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
        let names = String::from_utf8(output.stdout).context("a file name that is not UTF-8")?;
        let files = names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from);
        // A file that was removed but not from the index is in the list.
        Ok(files.filter(|file| self.workspace.root.join(file).is_file()).collect())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.workspace.command(program);
        command.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.target);
        command
    }
}

/// The commands that compile what a test runs: their failure is not the test's.
fn builds(test: &[String]) -> Vec<Vec<String>> {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    if test.get(1).is_some_and(|word| word == "nextest") {
        let mut build = test.to_vec();
        build.insert(3.min(test.len()), "--no-run".to_owned());
        return vec![build];
    }
    vec![
        words("cargo build --quiet --release --package xtask"),
        words("cargo build --release --package nuee"),
    ]
}

/// Removes files that are not in the list, which an earlier fault or an earlier state of the tree left.
fn remove_others(root: &Path, directory: &Path, files: &[PathBuf]) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(root, &path, files)?;
        } else if !path.strip_prefix(root).is_ok_and(|relative| files.iter().any(|file| file == relative)) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Fault> {
        Fault::parse("f".to_owned(), PathBuf::new(), text)
    }

    #[test]
    fn a_fault_says_what_it_breaks_and_which_test_must_notice() {
        let fault =
            parse("Breaks it.\n\nFigure: A1\nTest: cargo xtask powercut\n\ndiff --git a/x b/x\n").unwrap();
        assert_eq!((fault.what.as_str(), fault.figure.as_str()), ("Breaks it.", "A1"));
        assert_eq!(fault.test, ["cargo", "xtask", "powercut"]);
        assert!(
            parse("Breaks it.\nFigure: A1\ndiff --git a/x b/x\n").unwrap_err().to_string().contains("Test")
        );
        assert!(parse("Figure: A1\nTest: rm x\ndiff --git a/x b/x\n").is_err());
    }

    #[test]
    fn a_test_is_built_before_it_may_fail() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let built = builds(&words("cargo nextest run --release -p nuee-keys tamper"));
        assert_eq!(built, [words("cargo nextest run --no-run --release -p nuee-keys tamper")]);
        assert_eq!(builds(&words("cargo xtask crash")).len(), 2);
    }
}
