//! The table of loads: each size of object with its number of clients.
//!
//! One server serves all runs, so that later ones meet the traces of earlier ones: free space, garbage, a grown
//! database. Its memory is read at the end.

use std::path::Path;

use anyhow::Result;

use super::{Options, load};
use crate::load::{Figures, Operation, Plan, Target, govern_bucket, make_bucket, seal_bucket_as_kms};
use crate::process::Usage;
use crate::server::Server;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Objects of 8 MiB that a run writes at most, so that it fits on a small disk.
const LARGE_OBJECTS: u64 = 600;

/// Statements of the policy of a bucket that is governed.
const STATEMENTS: usize = 50;

/// What the rate of a row counts.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Operations,
    Megabytes,
    Keys,
}

/// One line of the table.
pub(super) struct Row {
    pub(super) title: &'static str,
    pub(super) clients: usize,
    pub(super) unit: Unit,
    pub(super) runs: Vec<Figures>,
}

/// The whole table, and the server's memory after it.
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    pub(super) server: Usage,
}

/// Objects of one size, and the loads that are put on them.
struct Group {
    bucket: &'static str,
    size: usize,
    clients: usize,
    count: u64,
    unit: Unit,
    /// Operation and title; a title that is absent is for clearing up.
    loads: &'static [(Operation, Option<&'static str>)],
}

const GROUPS: &[Group] = &[
    Group {
        bucket: "bench",
        size: 4 * KIB,
        clients: 16,
        count: u64::MAX,
        unit: Unit::Operations,
        loads: &[
            (Operation::Put, Some("PUT 4 KiB")),
            (Operation::Get, Some("GET 4 KiB")),
            (Operation::Head, Some("HEAD 4 KiB")),
            (Operation::List, Some("LIST, pages of 1000")),
            (Operation::Delete, Some("DELETE 4 KiB")),
        ],
    },
    Group {
        bucket: "bench",
        size: 64 * KIB,
        clients: 16,
        count: u64::MAX,
        unit: Unit::Operations,
        loads: &[
            (Operation::Put, Some("PUT 64 KiB")),
            (Operation::Get, Some("GET 64 KiB")),
            (Operation::Delete, None),
        ],
    },
    Group {
        bucket: "bench",
        size: 8 * MIB,
        clients: 4,
        count: LARGE_OBJECTS,
        unit: Unit::Megabytes,
        loads: &[
            (Operation::Put, Some("PUT 8 MiB")),
            (Operation::Get, Some("GET 8 MiB")),
            (Operation::Delete, None),
        ],
    },
    Group {
        bucket: "bench-kms",
        size: 8 * MIB,
        clients: 4,
        count: LARGE_OBJECTS,
        unit: Unit::Megabytes,
        loads: &[(Operation::Put, Some("PUT 8 MiB, `aws:kms` bucket")), (Operation::Delete, None)],
    },
];

/// Measures every row on a fresh server.
pub(super) fn measure(binary: &Path, directory: &Path, options: &Options) -> Result<Table> {
    let server = Server::start(binary, directory, None)?;
    let kms = server.target("bench-kms");
    make_bucket(&server.target("bench"))?;
    make_bucket(&kms)?;
    seal_bucket_as_kms(&kms)?;
    if options.governed {
        for bucket in ["bench", "bench-kms"] {
            govern_bucket(&server.target(bucket), STATEMENTS)?;
        }
    }
    let mut rows = Vec::new();
    for run in 0..options.runs {
        for group in GROUPS {
            let plan = Plan {
                size: group.size,
                seconds: options.seconds,
                prefix: format!("{}-{run}/", group.size),
                pid: Some(server.process()),
                ..Plan::new(Operation::Put)
            };
            measure_group(&server.target(group.bucket), group, &plan, &mut rows)?;
        }
    }
    let usage = Usage::of(server.process())?;
    server.stop()?;
    Ok(Table { rows, server: usage })
}

fn measure_group(target: &Target, group: &Group, plan: &Plan, rows: &mut Vec<Row>) -> Result<()> {
    let mut keys = 0;
    for &(operation, title) in group.loads {
        let listing = operation == Operation::List;
        let clients = if listing { 1 } else { group.clients };
        let unit = if listing { Unit::Keys } else { group.unit };
        let mut plan = Plan { operation, clients, keys, ..plan.clone() };
        if operation == Operation::Put {
            plan.count = group.count;
        }
        if title.is_none() {
            // Clearing up ends when everything is gone.
            plan.seconds = 3600.0;
        }
        let figures = load(target, &plan)?;
        if operation == Operation::Put {
            keys = figures.operations;
        }
        if let Some(title) = title {
            note(rows, Row { title, clients, unit, runs: vec![figures] });
        }
    }
    Ok(())
}

/// Adds the run to its row, or begins the row.
fn note(rows: &mut Vec<Row>, run: Row) {
    match rows.iter_mut().find(|row| row.title == run.title) {
        Some(row) => row.runs.extend(run.runs),
        None => rows.push(run),
    }
}
