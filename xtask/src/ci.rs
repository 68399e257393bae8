//! `cargo xtask check` and `cargo xtask ci`: every check, then every test, with the duration of each.
//!
//! A step that fails does not stop the others: one run says everything that is wrong.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::workspace::{Workspace, run};
use crate::{check_layers, deny, test, tidy};

type Step = (&'static str, fn(&Workspace) -> Result<()>);

const CHECKS: &[Step] = &[
    ("format", format),
    ("layers", check_layers::command),
    ("tidy", |workspace| tidy::command(workspace, &tidy::Options { notes: false })),
    ("deny", deny::command),
    ("clippy", clippy),
];

const TESTS: &[Step] = &[("test", |workspace| test::command(workspace, &test::Options::all()))];

/// Every check that runs no test.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    run_steps(workspace, CHECKS)
}

/// Every check and every test.
pub(crate) fn command(workspace: &Workspace) -> Result<()> {
    run_steps(workspace, &[CHECKS, TESTS].concat())
}

fn format(workspace: &Workspace) -> Result<()> {
    run(&mut workspace.cargo(&["fmt", "--all", "--check"]))
}

fn clippy(workspace: &Workspace) -> Result<()> {
    let arguments = ["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"];
    run(&mut workspace.cargo(&arguments))
}

fn run_steps(workspace: &Workspace, steps: &[Step]) -> Result<()> {
    let mut lines = Vec::new();
    let mut failed = Vec::new();
    for (name, step) in steps {
        println!("== {name}");
        let started = Instant::now();
        let result = step(workspace);
        let seconds = started.elapsed().as_secs_f64();
        if let Err(error) = &result {
            println!("{name}: {error:#}");
            failed.push(*name);
        }
        lines.push(format!("{name:<8} {:<6} {seconds:>8.1} s", if result.is_ok() { "ok" } else { "FAILED" }));
    }
    println!("== durations\n{}", lines.join("\n"));
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}
