//! `cargo xtask fuzz`: feeds the parsers of what strangers send with input that is almost right, for as long as one likes.
//!
//! It runs the tests that every change passes with some thousand cases each, one after the other, in one process; each
//! prints its cases and the slowest, and a failure is told with its input.

use anyhow::Result;

use crate::workspace::{Workspace, isolate, run};

/// The tests: packages, their binaries, and the module there.
const TESTS: [(&str, &str, &str); 2] = [("nuee-keys", "keys", "fuzz::"), ("nuee-testkit", "it", "fuzz::")];

/// For how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// For how long each parser is fed
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Where cases come from; the same seed gives the same
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs the tests; a panic, a failure of the server or other bytes fail the command.
pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<()> {
    for (package, binary, module) in TESTS {
        let mut test = workspace.cargo(&["test", "--release", "--package", package, "--test", binary]);
        test.args(["--", module, "--nocapture", "--test-threads", "1"]);
        test.env("NUEE_FUZZ_MINUTES", options.minutes.to_string());
        test.env("NUEE_FUZZ_SEED", options.seed.to_string());
        isolate(&mut test);
        run(&mut test)?;
    }
    Ok(())
}
