//! The machine that a measurement was made on, in words for a page.
//!
//! What Linux does not say is left out as "unknown"; nothing here identifies the machine or its owner.

use std::path::Path;

use anyhow::Result;
use time::OffsetDateTime;

use crate::workspace::Workspace;

/// Date and machine.
pub(super) struct Machine {
    pub(super) date: String,
    pub(super) revision: String,
    pub(super) processor: String,
    pub(super) memory: String,
    pub(super) kernel: String,
    pub(super) filesystem: String,
    pub(super) compiler: String,
}

/// Describes this machine, now, and the filesystem of the directory.
pub(super) fn describe(workspace: &Workspace, directory: &Path) -> Result<Machine> {
    let now = OffsetDateTime::now_utc();
    let cores = std::thread::available_parallelism()?;
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let filesystem = answer(workspace.command("df").arg("--output=fstype").arg(directory));
    Ok(Machine {
        date: format!("{:04}-{:02}-{:02}", now.year(), u8::from(now.month()), now.day()),
        revision: revision(workspace),
        processor: format!("{model}, {cores} cores, shared with the client"),
        memory: field("/proc/meminfo", "MemTotal").map_or_else(unknown, |total| gib(&total)),
        kernel: format!("Linux {}", line("/proc/sys/kernel/osrelease").unwrap_or_else(unknown)),
        // The first line is the heading of the column.
        filesystem: filesystem.lines().last().unwrap_or("unknown").to_owned(),
        compiler: answer(workspace.command("rustc").arg("--version")),
    })
}

fn revision(workspace: &Workspace) -> String {
    answer(workspace.command("git").args(["describe", "--always", "--dirty", "--exclude", "*"]))
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn answer(command: &mut std::process::Command) -> String {
    let output = command.output().ok().filter(|output| output.status.success());
    output.map_or_else(unknown, |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn line(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()?.lines().next().map(str::to_owned)
}

/// The value of the first line `name : value`.
fn field(path: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned()).next()
}

/// `24680000 kB` as whole GiB.
fn gib(kilobytes: &str) -> String {
    let count = kilobytes.split_whitespace().next().and_then(|number| number.parse::<u64>().ok());
    count.map_or_else(unknown, |count| format!("{} GiB", (count + (1 << 19)) >> 20))
}
