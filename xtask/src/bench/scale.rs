//! The same operations with few and with many objects in one bucket, and starting with them.
//!
//! Keys are scattered: they arrive in no order, as most users' do, which is the harder case for any index.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Options, load};
use crate::load::{Figures, Operation, Plan, Target, make_bucket};
use crate::server::Server;

/// The few objects that the many are compared with.
const FEW: u64 = 10_000;

/// How often the server is started.
const STARTS: usize = 5;

/// One number of objects.
pub(super) struct Level {
    pub(super) objects: u64,
    pub(super) put: Vec<Figures>,
    pub(super) get: Vec<Figures>,
    pub(super) list: Vec<Figures>,
}

/// Both levels, and the starts at the higher one.
pub(super) struct Scale {
    pub(super) levels: Vec<Level>,
    pub(super) object_size: usize,
    pub(super) starts: Vec<Duration>,
}

/// Fills a bucket to each level and measures there.
pub(super) fn measure(binary: &Path, directory: &Path, options: &Options, objects: u64) -> Result<Scale> {
    let mut server = Server::start(binary, directory, None)?;
    let target = server.target("many");
    make_bucket(&target)?;
    let plan = Plan {
        size: options.object_size,
        seconds: options.seconds,
        prefix: "many/".to_owned(),
        scattered: true,
        pid: Some(server.process()),
        ..Plan::new(Operation::Put)
    };
    let mut levels = Vec::new();
    let mut present = 0;
    for wanted in [FEW, objects] {
        let missing = wanted.saturating_sub(present);
        println!("writing {missing} objects");
        load(
            &target,
            &Plan { first: present, count: missing, seconds: f64::from(u32::MAX), ..plan.clone() },
        )?;
        present += missing;
        levels.push(measure_level(&target, &plan, present, options.runs)?);
    }
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let credentials = server.credentials();
        server.stop()?;
        let begun = Instant::now();
        server = Server::start(binary, directory, Some(credentials))?;
        // The first answer counts, not the first line of output.
        let probe = Plan { clients: 1, count: 1, page: 1, seconds: 60.0, ..Plan::new(Operation::List) };
        crate::load::run(&server.target("many"), &probe)?;
        starts.push(begun.elapsed());
    }
    server.stop()?;
    Ok(Scale { levels, object_size: options.object_size, starts })
}

fn measure_level(target: &Target, plan: &Plan, objects: u64, runs: usize) -> Result<Level> {
    let mut level = Level { objects, put: Vec::new(), get: Vec::new(), list: Vec::new() };
    for _ in 0..runs {
        let with = |operation| Plan { operation, keys: objects, ..plan.clone() };
        level.get.push(load(target, &with(Operation::Get))?);
        level.list.push(load(target, &Plan { clients: 1, ..with(Operation::List) })?);
        let put = load(target, &Plan { first: objects, ..with(Operation::Put) })?;
        // What was written to measure PUT goes again, so that the next run meets the same number.
        let written = Plan { first: objects, keys: put.operations, seconds: 3600.0, ..plan.clone() };
        load(target, &Plan { operation: Operation::Delete, ..written })?;
        level.put.push(put);
    }
    Ok(level)
}
