//! `cargo xtask test`: installs what the tests need, builds everything, runs every test.
//!
//! Tests find the S3 clients in the directory `NUEE_CLIENTS`. They run without proxies and without the
//! credentials of whoever started them. Documentation tests run first, so that the last lines are the summary of
//! the tests.

use anyhow::Result;

use crate::provision;
use crate::workspace::{Workspace, isolate, run};

/// Which tests.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Names of tests, or any arguments of `cargo nextest run`; without them every test runs
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    filter: Vec<String>,
}

impl Options {
    /// Every test.
    pub(crate) fn all() -> Self {
        Self { filter: Vec::new() }
    }
}

/// Installs, builds, runs.
pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<()> {
    provision::programs(workspace)?;
    let clients = provision::clients(workspace)?;
    provision::extension(workspace, &provision::NEXTEST)?;

    // With all targets the dependencies are built once, with the features that the tests need.
    run(&mut workspace.cargo(&["build", "--release", "--workspace", "--all-targets"]))?;
    if options.filter.is_empty() {
        let mut documentation = workspace.cargo(&["test", "--release", "--workspace", "--doc", "--quiet"]);
        isolate(&mut documentation);
        run(&mut documentation)?;
    }
    let mut tests = workspace.cargo(&["nextest", "run", "--release", "--workspace"]);
    tests.args(&options.filter).env("NUEE_CLIENTS", clients);
    isolate(&mut tests);
    run(&mut tests)
}
