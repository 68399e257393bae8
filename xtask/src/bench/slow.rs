//! The same loads alone and beside a crowd of slow connections.
//!
//! Both are measured in turn on one server, so that what it has done before weighs on both alike.

use std::path::Path;

use anyhow::Result;

use super::crowd::{Count, Crowd};
use super::{Options, load};
use crate::load::{Figures, Operation, Plan, Target, make_bucket};
use crate::process::Usage;
use crate::server::Server;

/// The size of the object that slow readers read, in bytes.
const LARGE_BYTES: usize = 8 << 20;

/// PUT and GET of small objects.
#[derive(Default)]
pub(super) struct Loads {
    pub(super) put: Vec<Figures>,
    pub(super) get: Vec<Figures>,
}

/// Both measurements.
#[derive(Default)]
pub(super) struct Slow {
    /// How many slow connections.
    pub(super) number: usize,
    pub(super) alone: Loads,
    pub(super) beside: Loads,
    /// What became of them in each run.
    pub(super) counts: Vec<Count>,
    /// The server's resident memory before they came and at the end with them, in MiB, in each run.
    pub(super) resident_mib: Vec<(u64, u64)>,
}

/// Measures alone and beside so many slow connections.
pub(super) fn measure(binary: &Path, directory: &Path, options: &Options, number: usize) -> Result<Slow> {
    let server = Server::start(binary, directory, None)?;
    let target = server.target("slow");
    make_bucket(&target)?;
    let plan = Plan { seconds: options.seconds, pid: Some(server.process()), ..Plan::new(Operation::Put) };
    let large = Plan { size: LARGE_BYTES, clients: 1, count: 1, prefix: "large/".to_owned(), ..plan.clone() };
    load(&target, &large)?;
    let mut slow = Slow { number, ..Slow::default() };
    for run in 1..=options.runs {
        println!("run {run} of {}: alone", options.runs);
        let with_prefix = |name: &str| Plan { prefix: format!("{name}-{run}/"), ..plan.clone() };
        put_and_get(&target, &with_prefix("alone"), &mut slow.alone)?;
        let before = Usage::of(server.process())?.resident_mib;
        println!("run {run} of {}: beside {number} slow connections", options.runs);
        let crowd = Crowd::gather(&target, number, "/slow/large/00000000")?;
        put_and_get(&target, &with_prefix("beside"), &mut slow.beside)?;
        let with = Usage::of(server.process())?.resident_mib;
        let count = crowd.disperse()?;
        println!(
            "{} of {number} were alive at the end, {} had been replaced; memory {before} MiB, {with} MiB with them",
            count.alive, count.replaced
        );
        slow.counts.push(count);
        slow.resident_mib.push((before, with));
    }
    server.stop()?;
    Ok(slow)
}

fn put_and_get(target: &Target, plan: &Plan, loads: &mut Loads) -> Result<()> {
    let put = load(target, plan)?;
    let get = Plan { operation: Operation::Get, keys: put.operations, ..plan.clone() };
    loads.put.push(put);
    loads.get.push(load(target, &get)?);
    Ok(())
}
