//! The project's own commands, run as `cargo xtask <command>`.
//!
//! One module per command. They check the shape of the code, install what the tests need and run them, and
//! measure the built program from outside. They depend on no other crate of the workspace, so that they still
//! run when one of those does not build, and nothing that is shipped depends on them.

#![expect(clippy::print_stdout, reason = "these commands speak to the person who runs them")]

mod bench;
mod check_layers;
mod ci;
mod crash;
mod deny;
mod fuzz;
mod load;
mod model;
mod mutate;
mod powercut;
mod process;
mod provision;
mod server;
mod test;
mod tidy;
mod workload;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use workspace::Workspace;

/// Checks, tests and measurements of Nuée.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Refuse a crate that depends on a layer it may not see
    CheckLayers,
    /// Refuse files and functions that are too long, missing headers, and what must not be committed
    Tidy(tidy::Options),
    /// Check licences, sources and banned crates with cargo-deny
    Deny,
    /// Every check that runs no test: format, layers, tidy, cargo-deny, clippy
    Check,
    /// Install what the tests need, build everything, run every test
    Test(test::Options),
    /// `check`, then `test`, with the duration of each step
    Ci,
    /// Put a load on an S3 server and print one line of JSON
    Load(load::Options),
    /// Measure `nuee` on this machine and write docs/performance.md
    Bench(bench::Options),
    /// Cut the power at every sync of a trace and read everything back
    Powercut(powercut::Options),
    /// Kill the server again and again under load and read everything back
    Crash(crash::Options),
    /// Feed the parsers of what strangers send with input that is almost right, for as long as one likes
    Fuzz(fuzz::Options),
    /// Compare random operations with a model of S3, for as long as one likes
    Model(model::Options),
    /// Break the code on purpose and want to see a test fail
    Mutate(mutate::Options),
}

fn main() -> ExitCode {
    match perform(&Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(command: &Command) -> anyhow::Result<()> {
    if let Command::Load(options) = command {
        return load::command(options);
    }
    let workspace = Workspace::load()?;
    match command {
        Command::CheckLayers => check_layers::command(&workspace),
        Command::Tidy(options) => tidy::command(&workspace, options),
        Command::Deny => deny::command(&workspace),
        Command::Check => ci::check(&workspace),
        Command::Test(options) => test::command(&workspace, options),
        Command::Ci => ci::command(&workspace),
        Command::Load(_) => Ok(()),
        Command::Bench(options) => bench::command(&workspace, options),
        Command::Powercut(options) => powercut::command(&workspace, options),
        Command::Crash(options) => crash::command(&workspace, options),
        Command::Fuzz(options) => fuzz::command(&workspace, options),
        Command::Model(options) => model::command(&workspace, options),
        Command::Mutate(options) => mutate::command(&workspace, options),
    }
}
