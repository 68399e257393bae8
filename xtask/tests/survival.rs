//! The commands that cut the power and kill the server, in the size that every run of the tests can afford.
//!
//! They drive the release binary that was built beside them. Its full size is what the commands do by themselves.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

/// Runs a command of this package on the binary that stands beside it; gives whether it succeeded, and what it said.
fn command(arguments: &[&str]) -> Result<(bool, String)> {
    let xtask = Path::new(env!("CARGO_BIN_EXE_xtask"));
    let nuee = xtask.with_file_name("nuee");
    ensure!(nuee.is_file(), "{} is not built: cargo build --release", nuee.display());
    let directory = tempfile::tempdir()?;
    let mut command = Command::new(xtask);
    command.args(arguments).arg("--binary").arg(nuee);
    if arguments.contains(&"crash") {
        command.arg("--directory").arg(directory.path());
    }
    let output = command.output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_is_cut() {
    // The command also fails when a torn group that nobody acknowledged alarms `nuee verify`; here only losses count.
    let (_, said) = command(&["powercut", "--fresh", "--operations", "100", "--images", "300"]).unwrap();
    let none = |line: &str| line.starts_with("0 images with something acknowledged lost or altered");
    assert!(said.lines().any(none), "{said}");
}

#[test]
fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let (succeeded, said) = command(&["crash", "--cycles", "20", "--operations", "300"]).unwrap();
    assert!(succeeded && said.contains("20 kills"), "{said}");
}
