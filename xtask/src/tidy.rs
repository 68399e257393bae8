//! `cargo xtask tidy`: what every file of the repository must look like.
//!
//! Limits on the length of files and functions, a header on every module, nothing unfinished, nothing that
//! belongs to one machine, nothing large. It reads files that git tracks or would track. It does not judge style
//! inside a line: that is rustfmt's and clippy's.

mod source;
mod text;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// Larger files belong in a release or a download, not in history; test data is allowed.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Directories whose files are data for tests, kept byte for byte.
const TEST_DATA: &[&str] = &["testdata", "fixtures"];

/// How much is printed.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Also print files over 400 lines and functions over 40
    #[arg(long)]
    pub(crate) notes: bool,
}

/// What one file has to be told.
#[derive(Default)]
struct Findings {
    /// Must be mended.
    errors: Vec<String>,
    /// Worth splitting when next touched.
    notes: Vec<String>,
}

/// Checks every file; any error fails the command.
pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<()> {
    let files = listed(workspace)?;
    let mut all = Findings::default();
    for path in &files {
        let found = check(&workspace.root, path)?;
        let place = |message: String| format!("{}{message}", path.display());
        all.errors.extend(found.errors.into_iter().map(place));
        all.notes.extend(found.notes.into_iter().map(place));
    }
    for note in all.notes.iter().filter(|_| options.notes) {
        println!("note: {note}");
    }
    for error in &all.errors {
        println!("error: {error}");
    }
    if !all.errors.is_empty() {
        bail!("{} untidy places", all.errors.len());
    }
    println!("tidy: {} files, {} notes (--notes prints them)", files.len(), all.notes.len());
    Ok(())
}

/// Files tracked by git, and those that `git add .` would take.
fn listed(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let output = workspace
        .command("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .context("git could not be started")?;
    if !output.status.success() {
        bail!("git ls-files failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let names = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
    let mut files: Vec<PathBuf> =
        names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect();
    // A file deleted but not yet committed is still listed.
    files.retain(|path| workspace.root.join(path).is_file());
    files.sort();
    files.dedup();
    Ok(files)
}

fn check(root: &Path, path: &Path) -> Result<Findings> {
    let mut findings = Findings::default();
    if is_test_data(path) {
        return Ok(findings);
    }
    let content = std::fs::read(root.join(path)).with_context(|| format!("reading {}", path.display()))?;
    if content.len() as u64 > MAX_FILE_BYTES {
        findings.errors.push(format!(": {} bytes, the limit is {MAX_FILE_BYTES}", content.len()));
    }
    let Ok(content) = String::from_utf8(content) else {
        return Ok(findings);
    };
    text::check(&content, &mut findings);
    if path.extension().is_some_and(|extension| extension == "rs") {
        source::check(&content, &mut findings);
    }
    Ok(findings)
}

fn is_test_data(path: &Path) -> bool {
    path.components().any(|part| TEST_DATA.iter().any(|name| part.as_os_str() == *name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors_of(name: &str, content: &[u8]) -> usize {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        check(directory.path(), Path::new(name)).unwrap().errors.len()
    }

    #[test]
    fn a_large_file_is_refused_unless_it_is_test_data() {
        let mut large = vec![b'a'; 1 << 20];
        large.push(b'\n');
        assert_eq!(errors_of("docs/large.txt", &large), 1);
        assert_eq!(errors_of("docs/large.bin", &vec![0xff; (1 << 20) + 1]), 1);
        assert_eq!(errors_of("crates/nuee/testdata/large.bin", &large), 0);
        assert_eq!(errors_of("docs/small.txt", b"a\n"), 0);
    }
}
