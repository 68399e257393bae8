//! `cargo xtask powercut`: cuts the power at every moment at which something became durable, and some others.
//!
//! A process that is killed loses nothing, for the page cache outlives it; only a power cut shows a missing `fsync`.
//! So the release binary runs under `strace` while clients write, overwrite, copy and delete; a model of the disk
//! tells which of its changes were durable at each moment; and for each sync, before and after, directories are made
//! that a power cut could have left: without what was pending, with it, with parts of it. The same binary starts on
//! each and must hold every object as it was acknowledged before that moment, and verify without a finding.

mod disk;
mod examine;
mod first_start;
mod image;
mod moments;
mod trace;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::load::make_bucket;
use crate::server::{Credentials, Launch};
use crate::workload::{Bodies, Client, Deck, History, Kind, Moment, Runner};
use crate::workspace::{Workspace, run};
use disk::Disk;
use examine::{Images, Keys};
use trace::Action;

/// The bucket of all objects.
const BUCKET: &str = "powercut";

/// How long the server keeps what is deleted before the trace: longer than that takes, so that it is given back in the
/// trace.
const KEPT_BEFORE: Duration = Duration::from_secs(8);

/// Longer than anything here takes.
const NEVER: Duration = Duration::from_hours(24);

/// Cards of each kind in the deck of the traced run.
const TRACED: &[(Kind, usize)] = &[
    (Kind::Small, 84),
    (Kind::Overwrite, 36),
    (Kind::Delete, 32),
    (Kind::Copy, 24),
    (Kind::Large, 14),
    (Kind::OverwriteLarge, 6),
    (Kind::Multipart, 4),
];

/// The deck of what is there before: most of it is replaced or deleted, so that there is something to give back.
const BEFORE: &[(Kind, usize)] = &[
    (Kind::Small, 30),
    (Kind::Overwrite, 60),
    (Kind::Delete, 50),
    (Kind::Large, 6),
    (Kind::OverwriteLarge, 4),
];

/// What to simulate.
#[derive(clap::Args, Clone)]
pub(crate) struct Options {
    /// Requests in the trace
    #[arg(long, default_value_t = 200)]
    operations: usize,
    /// Images to start the server on; every sync gets at least one
    #[arg(long, default_value_t = 2000)]
    images: usize,
    /// Decides requests and images; how threads interleave, it does not
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Clients, with one request in flight each
    #[arg(long, default_value_t = 16)]
    clients: u64,
    /// Images examined at the same time
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Let nothing be given back in the trace of what is deleted
    #[arg(long)]
    fresh: bool,
    /// Where images are made [default: in memory]
    #[arg(long, env = "NUEE_SCRATCH")]
    directory: Option<PathBuf>,
    /// The program, built already [default: built now]
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// Traces, cuts, and reports; a loss fails the command.
pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<()> {
    let binary = match &options.binary {
        Some(binary) => std::path::absolute(binary)?,
        None => {
            run(&mut workspace.cargo(&["build", "--release", "--package", "nuee"]))?;
            workspace.target.join("release/nuee")
        }
    };
    let base = options.directory.clone().unwrap_or_else(|| workspace.memory());
    let directory = std::path::absolute(base.join(format!("nuee-powercut-{}", std::process::id())))?;
    std::fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
    let started = Instant::now();
    let outcome = simulate(&binary, &directory, options);
    println!("{:.0} s in all", started.elapsed().as_secs_f64());
    match outcome {
        Ok(0) => Ok(std::fs::remove_dir_all(&directory)?),
        Ok(failures) => bail!(
            "{failures} images are not as they must be (seed {}); the first are kept in {}",
            options.seed,
            directory.join("lost").display()
        ),
        Err(error) => {
            println!("what was made is kept in {}", directory.display());
            Err(error)
        }
    }
}

/// Gives the number of images that are not as they must be.
fn simulate(binary: &Path, directory: &Path, options: &Options) -> Result<usize> {
    let bodies = Bodies::new(options.seed);
    let mut report = first_start::simulate(binary, directory, options, &bodies)?;
    if report.failures() > 0 {
        report.print();
        return Ok(report.failures());
    }
    let before = prepare(binary, directory, options, &bodies)?;
    let mut disk = Disk::load(&directory.join("data"))?;
    let traced = trace(binary, directory, options, (&bodies, &before))?;
    let events = read_trace(&directory.join("trace"), &directory.join("data"))?;
    let images = options.images.saturating_sub(report.images());
    let moments = moments::plan(&events, images, options.seed);
    println!(
        "{} requests acknowledged by {} clients; {} changes and syncs traced; {} images",
        traced.history.acknowledged(Moment::END).0,
        options.clients,
        events.len(),
        moments.cuts.len()
    );
    println!("{} syncs: {}", moments.syncs, count(&events, |action| matches!(action, Action::Sync { .. })));
    println!("removals: {}", count(&events, |action| matches!(action, Action::Remove { .. })));
    let images = Images {
        binary,
        directory,
        keys: Keys::Copied(&directory.join("keys")),
        credentials: before.credentials,
        shown: Moment(0),
        history: traced.history,
        bodies: &bodies,
        jobs: options.jobs,
        number_from: report.images(),
    };
    report.absorb(&images.examine(&mut disk, &events, &moments)?);
    if let Some(difference) = disk.difference(&directory.join("data"))? {
        bail!("the trace does not explain what the server left behind: {difference}");
    }
    report.print();
    Ok(report.failures())
}

/// How many of these actions there are below each directory.
fn count(events: &[trace::Event], counted: impl Fn(&Action) -> bool) -> String {
    let mut places = BTreeMap::new();
    for event in events.iter().filter(|event| counted(&event.action)) {
        let directory = event.action.path().rsplit_once('/').map_or("data", |(directory, _)| directory);
        // There are many directories of files.
        let place = if directory.starts_with("site/files/") { "site/files/*" } else { directory };
        *places.entry(place).or_insert(0) += 1;
    }
    places.iter().map(|(place, count)| format!("{count} in {place}")).collect::<Vec<_>>().join(", ")
}

/// What a run of clients left.
struct Ran {
    history: History,
    credentials: Credentials,
}

/// The first start, and objects that are there before the trace.
fn prepare(binary: &Path, directory: &Path, options: &Options, bodies: &Bodies) -> Result<Ran> {
    let reclaim_delay = if options.fresh { NEVER } else { KEPT_BEFORE };
    let launch = Launch { reclaim_delay: Some(reclaim_delay), ..Launch::on(binary, directory, None) };
    let server = launch.start()?;
    make_bucket(&server.target(BUCKET))?;
    let deck = Deck::new(BEFORE, BEFORE.iter().map(|(_, count)| count).sum(), options.seed);
    let history = work(&server.target(BUCKET), options, bodies, ("before", &deck))?;
    let credentials = server.credentials();
    server.stop()?;
    if !options.fresh {
        // Nobody sends: this is the wait itself.
        let (_silent, silence) = mpsc::channel::<()>();
        let _ = silence.recv_timeout(KEPT_BEFORE);
    }
    Ok(Ran { history, credentials })
}

/// The run that is traced, from the start of the server to its end.
fn trace(
    binary: &Path,
    directory: &Path,
    options: &Options,
    (bodies, before): (&Bodies, &Ran),
) -> Result<Ran> {
    let wrapper = trace::wrapper(&directory.join("trace"));
    let known = Some(before.credentials.clone());
    let reclaim_delay = Some(if options.fresh { NEVER } else { Duration::ZERO });
    let server = Launch { wrapper, reclaim_delay, ..Launch::on(binary, directory, known) }.start()?;
    let deck = Deck::new(TRACED, options.operations, options.seed);
    let mut history = work(&server.target(BUCKET), options, bodies, ("traced", &deck))?;
    let credentials = server.credentials();
    server.stop().context("stopping the traced server; does its log say why?")?;
    history.absorb(before.history.clone());
    Ok(Ran { history, credentials })
}

/// What a log of `strace` says of the files below a directory; removes the log.
fn read_trace(path: &Path, directory: &Path) -> Result<Vec<trace::Event>> {
    let log = std::fs::read(path).context("there is no trace: can strace trace here?")?;
    let events = trace::read(&log, directory)?;
    std::fs::remove_file(path)?;
    ensure!(!events.is_empty(), "the trace is empty: can strace trace here?");
    Ok(events)
}

/// All clients draw from the deck until it is used up; every request must succeed.
fn work(
    target: &crate::load::Target,
    options: &Options,
    bodies: &Bodies,
    (name, deck): (&str, &Deck),
) -> Result<History> {
    let clients = std::thread::scope(|scope| {
        let begin = |number: u64| {
            let (target, prefix) = (target.clone(), format!("{name}-{number}"));
            scope.spawn(move || {
                let seed = options.seed ^ (number + 1) << 32;
                let mut runner = Runner::new(Client::new(target)?, bodies, prefix, seed);
                runner.run(deck, || ())?;
                Ok(runner.into_history())
            })
        };
        let threads: Vec<_> = (0..options.clients).map(begin).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<History>>| {
            thread.join().unwrap_or_else(|_| bail!("a client's thread panicked"))
        };
        threads.into_iter().map(join).collect::<Result<Vec<_>>>()
    })?;
    let mut history = History::default();
    for client in clients {
        history.absorb(client);
    }
    Ok(history)
}
