//! The commands that cut the power and kill the server, on the release binary that was built beside them.
//!
//! Power cuts come in the full size that the command has by itself, kills in a size that every run of the tests can
//! afford.

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
    let (succeeded, said) = command(&["powercut"]).unwrap();
    let number = |words: &str| {
        said.lines().find_map(|line| line.split_once(words)?.0.rsplit(' ').next()?.parse::<usize>().ok())
    };
    assert!(succeeded, "{said}");
    assert!(number(" images examined, ").is_some_and(|images| images >= 2_000), "{said}");
    assert!(said.contains("the first start: "), "{said}");
}

#[test]
fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let (succeeded, said) = command(&["crash", "--cycles", "20", "--operations", "300"]).unwrap();
    assert!(succeeded && said.contains("20 kills"), "{said}");
}
