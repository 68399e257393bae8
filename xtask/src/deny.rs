//! `cargo xtask deny`: licences, sources and banned crates, by cargo-deny and `deny.toml`.
//!
//! Known vulnerabilities are looked up too, but their database comes from the network: when it cannot be had the
//! look-up is skipped, and says so. Bans are about what is shipped, so tests' own dependencies are left out there.

use anyhow::{Result, bail};

use crate::provision;
use crate::workspace::{Workspace, run};

/// Seconds that fetching the database of advisories may take.
const ADVISORIES_LIMIT_SECONDS: &str = "120";

/// Runs all four checks.
pub(crate) fn command(workspace: &Workspace) -> Result<()> {
    provision::extension(workspace, &provision::DENY)?;
    run(&mut workspace.cargo(&["deny", "--log-level", "error", "check", "licenses", "sources"]))?;
    run(&mut workspace.cargo(&["deny", "--log-level", "error", "--exclude-dev", "check", "bans"]))?;
    advisories(workspace)
}

fn advisories(workspace: &Workspace) -> Result<()> {
    let mut check = workspace.command("timeout");
    check.args([ADVISORIES_LIMIT_SECONDS, "cargo", "deny", "--log-level", "error", "check", "advisories"]);
    let output = check.output()?;
    let message = String::from_utf8_lossy(&output.stderr);
    // An advisory that applies is printed as `error[vulnerability]` and the like; a database that cannot be had is
    // not. 124 is how `timeout` says that the time was up.
    let found = message.contains("error[");
    if output.status.success() {
        println!("advisories: none applies");
    } else if output.status.code() == Some(124) || !found {
        let reason = message.lines().find(|line| !line.trim().is_empty()).unwrap_or("the time was up");
        println!("advisories: SKIPPED, the database could not be had ({})", reason.trim());
    } else {
        println!("{message}");
        bail!("an advisory applies to a dependency");
    }
    Ok(())
}
