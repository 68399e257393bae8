//! `cargo xtask model`: random operations against the server for as long as one likes, each answer compared with what a
//! model of S3 in memory says that it must be.
//!
//! It runs the test that every change passes in seconds, seed after seed, in one process: the test runner would end it.
//! The test prints its operations and seeds; a difference is told with the seed and the step, and the seed alone finds it
//! again.

use anyhow::Result;

use crate::workspace::{Workspace, isolate, run};

/// The test in `crates/nuee-testkit/tests/it/model.rs`.
const TEST: &str = "model::random_operations_are_answered_as_the_model_says";

/// For how long, and from where.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// For how long new runs begin
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// The first seed; each further run has the next
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs the test; a difference fails the command.
pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut test = workspace.cargo(&["test", "--release", "--package", "nuee-testkit", "--test", "it"]);
    test.args(["--", "--exact", TEST, "--nocapture"]);
    test.env("NUEE_MODEL_TEST_MINUTES", options.minutes.to_string());
    test.env("NUEE_MODEL_TEST_SEED", options.seed.to_string());
    isolate(&mut test);
    run(&mut test)
}
