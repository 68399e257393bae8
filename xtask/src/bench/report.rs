//! The page: generated sections between markers, and whatever people wrote around them.
//!
//! Only the section that was measured is replaced, so that a short run does not throw a long one away.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result};

use super::machine::Machine;
use super::scale::{Level, Scale};
use super::slow::Slow;
use super::table::{Row, Table, Unit};
use super::{Options, median};
use crate::load::Figures;

/// A page that was never written before.
pub(super) const TEMPLATE: &str = "# Performance

Written by `cargo xtask bench`. The sections between markers are generated; the rest is written by hand.

## How it is measured

The release binary runs as `nuee up` starts it: defaults, one directory site, sealed, durable before acknowledged,
journal rows and row MACs included. The client, `cargo xtask load`, runs on the same machine and takes its share of the
processors. A client is one connection with one request in flight, signed with Signature Version 4; every byte of
every GET is compared with what was PUT. The server's processor time and memory are read from `/proc`. MB are
millions of bytes, latencies are the client's.

## Figures

<!-- figures: begin -->
<!-- figures: end -->

## With versions and a policy

`cargo xtask bench --governed`: the same loads on buckets that keep versions and have a policy of 50 statements. One of
them is about every request; nothing that is replaced or deleted goes.

<!-- governed: begin -->
<!-- governed: end -->

## Many objects in one bucket

`cargo xtask bench --objects <number>`. Keys arrive in no order.

<!-- many: begin -->
<!-- many: end -->

## Slow clients

`cargo xtask bench --slow`. A quarter each of the slow connections sends its head a byte a second, stops near the end of a
body of 128 KiB, stops in the middle of one of 8 MiB, or reads 1,000 bytes a second of an object of 8 MiB. Those that the
server cuts are replaced at once.

<!-- slow: begin -->
<!-- slow: end -->
";

/// The page with the table replaced.
pub(super) fn with_table(page: &str, machine: &Machine, options: &Options, table: &Table) -> Result<String> {
    let mut section = describe(machine);
    let _ =
        writeln!(section, "Each figure is the median of {} runs of {} s.\n", options.runs, options.seconds);
    section.push_str("| load | clients | rate | p50 ms | p99 ms | max ms | server CPU an operation, µs |\n");
    section.push_str("|---|---|---|---|---|---|---|\n");
    for row in &table.rows {
        let _ = writeln!(section, "{}", line(row));
    }
    let _ = writeln!(
        section,
        "\nThe server's resident memory after all runs: {} MiB; its peak: {} MiB.",
        table.server.resident_mib, table.server.peak_resident_mib
    );
    replace(page, if options.governed { "governed" } else { "figures" }, &section)
}

/// The page with the section on many objects replaced.
pub(super) fn with_scale(page: &str, machine: &Machine, scale: &Scale) -> Result<String> {
    let mut section = describe(machine);
    let _ = writeln!(
        section,
        "Objects of {} bytes; PUT and GET with 16 clients, LIST with 1.\n",
        scale.object_size
    );
    section.push_str(
        "| objects | PUT/s | p99 ms | GET/s | p99 ms | LIST, keys/s |\n|---|---|---|---|---|---|\n",
    );
    for level in &scale.levels {
        let _ = writeln!(section, "{}", level_line(level));
    }
    let mut starts: Vec<Duration> = scale.starts.clone();
    starts.sort_unstable();
    let middle = starts.get(starts.len() / 2).copied().unwrap_or_default();
    let _ = writeln!(
        section,
        "\nFrom starting the program to its first answer, with all objects: {} ms (median of {} starts, files in \
         the page cache).",
        middle.as_millis(),
        starts.len()
    );
    replace(page, "many", &section)
}

/// The page with the section on slow clients replaced.
pub(super) fn with_slow(page: &str, machine: &Machine, options: &Options, slow: &Slow) -> Result<String> {
    let mut section = describe(machine);
    let _ = writeln!(
        section,
        "Each figure is the median of {} runs of {} s, 16 clients, alone and beside in turn.\n",
        options.runs, options.seconds
    );
    section.push_str("| load | slow connections | rate | p50 ms | p99 ms | p99, times that alone |\n");
    section.push_str("|---|---|---|---|---|---|\n");
    for (title, alone, beside) in
        [("PUT 4 KiB", &slow.alone.put, &slow.beside.put), ("GET 4 KiB", &slow.alone.get, &slow.beside.get)]
    {
        let base = median(alone, |figures| figures.p99_ms);
        for (number, runs) in [(0, alone), (slow.number, beside)] {
            let of = |value: fn(&Figures) -> f64| median(runs, value);
            let _ = writeln!(
                section,
                "| {title} | {} | {}/s | {:.2} | {:.2} | {:.2} |",
                separated(&number.to_string()),
                grouped(of(|figures| figures.operations_per_second)),
                of(|figures| figures.p50_ms),
                of(|figures| figures.p99_ms),
                of(|figures| figures.p99_ms) / base
            );
        }
    }
    let alive = slow.counts.iter().map(|count| count.alive).min().unwrap_or_default();
    let replaced = slow.counts.iter().map(|count| count.replaced).max().unwrap_or_default();
    let before = slow.resident_mib.iter().map(|(before, _)| *before).max().unwrap_or_default();
    let with = slow.resident_mib.iter().map(|(_, with)| *with).max().unwrap_or_default();
    let _ = writeln!(
        section,
        "\nAt the end of each run, at least {} slow connections were alive; at most {} had been cut by the server and \
         replaced meanwhile. The server's resident memory: at most {before} MiB before they came, {with} MiB with them.",
        separated(&alive.to_string()),
        separated(&replaced.to_string())
    );
    replace(page, "slow", &section)
}

fn describe(machine: &Machine) -> String {
    format!(
        "| | |\n|---|---|\n| date | {} |\n| revision | {} |\n| processor | {} |\n| memory | {} |\n| system | {}, \
         {} filesystem |\n| compiler | {} |\n\n",
        machine.date,
        machine.revision,
        machine.processor,
        machine.memory,
        machine.kernel,
        machine.filesystem,
        machine.compiler
    )
}

fn line(row: &Row) -> String {
    let of = |value: fn(&Figures) -> f64| median(&row.runs, value);
    let rate = match row.unit {
        Unit::Operations => format!("{}/s", grouped(of(|figures| figures.operations_per_second))),
        Unit::Megabytes => format!("{} MB/s", grouped(of(|figures| figures.megabytes_per_second))),
        Unit::Keys => keys_per_second(&row.runs) + " keys/s",
    };
    format!(
        "| {} | {} | {rate} | {:.2} | {:.2} | {:.1} | {} |",
        row.title,
        row.clients,
        of(|figures| figures.p50_ms),
        of(|figures| figures.p99_ms),
        of(|figures| figures.max_ms),
        grouped(of(|figures| figures.server_cpu_us_per_operation().unwrap_or_default()))
    )
}

fn level_line(level: &Level) -> String {
    let rate = |runs: &[Figures]| grouped(median(runs, |figures| figures.operations_per_second));
    let p99 = |runs: &[Figures]| median(runs, |figures| figures.p99_ms);
    format!(
        "| {} | {} | {:.2} | {} | {:.2} | {} |",
        separated(&level.objects.to_string()),
        rate(&level.put),
        p99(&level.put),
        rate(&level.get),
        p99(&level.get),
        keys_per_second(&level.list)
    )
}

fn keys_per_second(runs: &[Figures]) -> String {
    grouped(median(runs, |figures| figures.keys_per_second.unwrap_or_default()))
}

/// A whole number with a comma between thousands.
fn grouped(value: f64) -> String {
    separated(&format!("{value:.0}"))
}

fn separated(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Puts the section between its markers.
fn replace(page: &str, name: &str, section: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let missing = || format!("the page has lost its markers `{}` and `{end}`: put them back", begin.trim());
    let (before, rest) = page.split_once(&begin).with_context(missing)?;
    let (_, after) = rest.split_once(&end).with_context(missing)?;
    Ok(format!("{before}{begin}\n{section}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_and_the_rest_kept() {
        let once = replace(TEMPLATE, "figures", "first\n").unwrap();
        let twice = replace(&once, "figures", "second\n").unwrap();
        assert!(once.contains("first") && !twice.contains("first") && twice.contains("second"));
        assert_eq!(once.len() + 1, twice.len());
        assert!(replace("# a page\n", "figures", "").is_err());
    }

    #[test]
    fn thousands_are_separated() {
        assert_eq!([grouped(999.4), grouped(1000.0), grouped(1_234_567.0)], ["999", "1,000", "1,234,567"]);
    }
}
