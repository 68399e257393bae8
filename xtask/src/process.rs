//! What Linux says about a process: its processor time and its memory, from `/proc`.
//!
//! The unit of processor time is the kernel's tick, a hundredth of a second: differences over seconds are meaningful,
//! over milliseconds they are not.

use anyhow::{Context, Result};

/// Ticks a second in `/proc/<pid>/stat`; every Linux that Rust supports reports 100 to programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process at one moment.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    /// User and system time since the process began, in seconds.
    pub(crate) cpu_seconds: f64,
    /// Resident memory now, in MiB.
    pub(crate) resident_mib: u64,
    /// The most resident memory so far, in MiB.
    pub(crate) peak_resident_mib: u64,
}

impl Usage {
    /// Of the process with this id; an error when it has ended.
    pub(crate) fn of(process: u32) -> Result<Self> {
        let read = |file: &str| {
            let path = format!("/proc/{process}/{file}");
            std::fs::read_to_string(&path).with_context(|| format!("reading {path}: is the process running?"))
        };
        let (stat, status) = (read("stat")?, read("status")?);
        Self::parse(&stat, &status).with_context(|| format!("/proc/{process} is not as expected"))
    }

    fn parse(stat: &str, status: &str) -> Option<Self> {
        // The second field is the program's name in brackets and may contain anything; count from its end.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
        let mib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib / 1024)
        };
        Some(Self {
            cpu_seconds: (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND,
            resident_mib: mib("VmRSS:")?,
            peak_resident_mib: mib("VmHWM:")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_is_skipped() {
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0\n";
        let status = "Name:\tx\nVmHWM:\t  4096 kB\nVmRSS:\t  2048 kB\n";
        let usage = Usage::parse(stat, status).unwrap();
        assert!((usage.cpu_seconds - 2.0).abs() < 1e-9, "{}", usage.cpu_seconds);
        assert_eq!((usage.resident_mib, usage.peak_resident_mib), (2, 4));
    }

    #[test]
    fn our_own_process_can_be_read() {
        assert!(Usage::of(std::process::id()).unwrap().peak_resident_mib > 0);
    }
}
