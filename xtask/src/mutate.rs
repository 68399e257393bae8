//! `cargo xtask mutate`: breaks the code on purpose, one seeded fault at a time, and wants to see a test fail.
//!
//! A fault is a patch in `mutations/`. Above the patch stand a sentence on what is broken, the figure that it belongs
//! to, the command that must fail, the tests that must fail if the command runs tests, and what must be said then:
//!
//! ```text
//! A group of small blobs is acknowledged although its fdatasync failed.
//! Figure: A12
//! Test: cargo nextest run --release --package nuee-testkit --test it io_errors
//! Fails: io_errors::a_disk_that_fails_for_a_while_is_used_again
//! Says: SyncFile: something was acknowledged
//! ```
//!
//! Patches are applied to a copy of the working tree, which has a target directory of its own, kept for the next
//! fault. A fault that no longer applies or does not compile is an error, as is one that its test does not notice, and
//! one that makes something fail for another reason: a broken test would notice every fault.

use std::fs::{self, File};
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
    /// The tests among those that the command runs that must fail.
    fails: Vec<String>,
    /// What the command must say when it fails.
    says: String,
}

/// What came of the command that must fail.
#[derive(Debug, PartialEq)]
enum Outcome {
    Passed,
    /// For the reason that the fault names.
    Failed,
    /// For another reason: this was not in what it said.
    FailedWithout(String),
}

/// Tries each fault; one that its test does not notice fails the command.
pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<()> {
    let faults = find(&workspace.root.join(FAULTS), &options.names)?;
    let directory = options.directory.clone().unwrap_or_else(|| workspace.target.join("mutate"));
    let copy = Copy { workspace, tree: directory.join("tree"), target: directory.join("target"), directory };
    let wanted = if options.unbroken { Outcome::Passed } else { Outcome::Failed };
    let (mut lines, mut others) = (Vec::new(), Vec::new());
    for fault in &faults {
        println!("== {}: {}", fault.name, fault.what);
        let outcome = copy.try_fault(fault, options.unbroken).with_context(|| fault.name.clone())?;
        let verdict = match &outcome {
            Outcome::Passed => "GREEN",
            Outcome::Failed => "red",
            Outcome::FailedWithout(_) => "OTHER",
        };
        lines.push(format!("{verdict:<6} {:<4} {:<40} {}", fault.figure, fault.name, fault.test.join(" ")));
        if let Outcome::FailedWithout(missing) = &outcome {
            lines.push(format!("{:<12}{} does not say: {missing}", "", copy.log(fault).display()));
        }
        if outcome != wanted {
            others.push(fault.name.as_str());
        }
    }
    println!("== faults\n{}", lines.join("\n"));
    let problem = if options.unbroken { "tests fail without a fault" } else { "not noticed as they must be" };
    ensure!(others.is_empty(), "{problem}: {}", others.join(", "));
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
        let find = |field: &str| header.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(": "));
        let field = |field: &str| {
            find(field).with_context(|| format!("{name} has no line `{field}: …` above its patch"))
        };
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let (test, fails) = (words(field("Test")?), words(find("Fails").unwrap_or_default()));
        ensure!(test.first().is_some_and(|word| word == "cargo"), "{name}: its test is no cargo command");
        ensure!(!fails.is_empty() || !runs_tests(&test), "{name} has no line `Fails: …` above its patch");
        let what = header.lines().next().unwrap_or_default().to_owned();
        let (figure, says) = (field("Figure")?.to_owned(), field("Says")?.to_owned());
        Ok(Self { name, patch, what, figure, test, fails, says })
    }

    /// What came of the command, from whether it succeeded and what it said.
    fn judge(&self, succeeded: bool, said: &str) -> Outcome {
        if succeeded {
            return Outcome::Passed;
        }
        let failed = |test: &str| {
            let mut lines = said.lines().map(str::trim).filter(|line| line.starts_with("FAIL ["));
            lines.any(|line| line.split_whitespace().last() == Some(test))
        };
        match self.fails.iter().find(|test| !failed(test)) {
            Some(test) => Outcome::FailedWithout(format!("FAIL {test}")),
            None if !said.contains(&self.says) => Outcome::FailedWithout(self.says.clone()),
            None => Outcome::Failed,
        }
    }

    /// The command that applies it below `tree`.
    fn apply(&self, mut git: Command, tree: &Path) -> Command {
        git.current_dir(tree).args(["apply", "--whitespace=nowarn"]).arg(&self.patch);
        // In a repository that the tree is a part of, git would pass over the patch without a word.
        if let Some(parent) = tree.parent() {
            git.env("GIT_CEILING_DIRECTORIES", parent);
        }
        git
    }
}

/// Whether a command runs tests, and says of each whether it failed.
fn runs_tests(test: &[String]) -> bool {
    test.get(1).is_some_and(|word| word == "nextest")
}

/// The copy of the working tree.
struct Copy<'a> {
    workspace: &'a Workspace,
    tree: PathBuf,
    target: PathBuf,
    directory: PathBuf,
}

impl Copy<'_> {
    /// What comes of the test of a fault, with the fault or without it.
    fn try_fault(&self, fault: &Fault, unbroken: bool) -> Result<Outcome> {
        self.renew()?;
        if !unbroken {
            let mut apply = fault.apply(self.command("git"), &self.tree);
            run(&mut apply).context("the patch no longer applies: renew it")?;
        }
        for build in builds(&fault.test) {
            let mut command = self.command(&build[0]);
            run(command.args(&build[1..])).context("the fault does not compile")?;
        }
        // What a test that fails keeps, to be looked at, is of no use here.
        let scratch = self.workspace.memory().join(format!("nuee-mutate-{}", std::process::id()));
        let log = File::create(self.log(fault))?;
        let mut test = self.command(&fault.test[0]);
        test.args(&fault.test[1..]).env("NUEE_SCRATCH", &scratch).env("CARGO_TERM_COLOR", "never");
        isolate(test.stdout(log.try_clone()?).stderr(log));
        let status = test.status().with_context(|| format!("starting {}", fault.test.join(" ")))?;
        if scratch.exists() {
            fs::remove_dir_all(&scratch)?;
        }
        let said = String::from_utf8_lossy(&fs::read(self.log(fault))?).into_owned();
        Ok(fault.judge(status.success(), &said))
    }

    /// What the command of a fault says.
    fn log(&self, fault: &Fault) -> PathBuf {
        self.directory.join(format!("{}.log", fault.name))
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
    if runs_tests(test) {
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

    const HEADER: &str =
        "Breaks it.\n\nFigure: A1\nTest: cargo nextest run -p x\nFails: it::fails\nSays: too bad\n\n";

    fn parse(header: &str) -> Result<Fault> {
        Fault::parse("f".to_owned(), PathBuf::new(), &format!("{header}diff --git a/x b/x\n"))
    }

    #[test]
    fn a_fault_says_what_it_breaks_and_which_test_must_notice() {
        let fault = parse(HEADER).unwrap();
        assert_eq!((fault.what.as_str(), fault.figure.as_str()), ("Breaks it.", "A1"));
        assert_eq!(fault.test, ["cargo", "nextest", "run", "-p", "x"]);
        assert_eq!((&fault.fails[..], fault.says.as_str()), (&["it::fails".to_owned()][..], "too bad"));
        for field in ["Figure", "Test", "Fails", "Says"] {
            let error = parse(&HEADER.replace(field, "Other")).unwrap_err().to_string();
            assert!(error.contains(field), "{error}");
        }
        assert!(parse(&HEADER.replace("cargo nextest", "cargo xtask").replace("Fails", "Other")).is_ok());
        assert!(parse(&HEADER.replace("cargo nextest", "rm")).is_err());
    }

    #[test]
    fn a_failure_counts_when_it_is_that_of_the_test_for_the_reason_that_was_named() {
        let fault = parse(HEADER).unwrap();
        let failed = "        FAIL [   0.322s] (1/2) nuee-x::it it::fails\n";
        assert_eq!(fault.judge(true, ""), Outcome::Passed);
        assert_eq!(fault.judge(false, &format!("{failed}panicked: too bad\n")), Outcome::Failed);
        let without = |text: &str| Outcome::FailedWithout(text.to_owned());
        assert_eq!(fault.judge(false, &format!("{failed}panicked: no server\n")), without("too bad"));
        for other in [failed.replace("FAIL", "PASS"), failed.replace("it::fails", "it::fails_too")] {
            let said = format!("{other}panicked: too bad\n");
            assert_eq!(fault.judge(false, &said), without("FAIL it::fails"));
        }
    }

    #[test]
    fn every_fault_can_be_seeded_and_names_tests_that_there_are() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let sources = ["crates", "xtask"].map(|directory| sources(&root.join(directory))).concat();
        let faults = find(&root.join(FAULTS), &[]).unwrap();
        assert!(!faults.is_empty());
        for fault in faults {
            let checked = fault.apply(Command::new("git"), root).arg("--check").output().unwrap();
            let said = String::from_utf8_lossy(&checked.stderr);
            assert!(checked.status.success(), "{}: renew the patch: {said}", fault.name);
            for test in fault.fails {
                let function = format!("fn {}(", test.rsplit("::").next().unwrap());
                assert!(sources.contains(&function), "{}: there is no test {test}", fault.name);
            }
        }
    }

    /// All Rust below a directory.
    fn sources(directory: &Path) -> String {
        let mut text = String::new();
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                text += &sources(&path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text += &fs::read_to_string(&path).unwrap();
            }
        }
        text
    }

    #[test]
    fn a_test_is_built_before_it_may_fail() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let built = builds(&words("cargo nextest run --release -p nuee-keys tamper"));
        assert_eq!(built, [words("cargo nextest run --no-run --release -p nuee-keys tamper")]);
        assert_eq!(builds(&words("cargo xtask crash")).len(), 2);
    }
}
