//! `cargo xtask crash`: kills the server again and again while clients write, and looks for what was acknowledged.
//!
//! Each cycle starts the release binary on the same data directory, puts a mixed load on it, and kills it without a
//! warning at a moment that the seed decides. The next start must serve soon, and hold everything that was
//! acknowledged in the cycle and a sample of what was acknowledged before; at the end everything is read back. Clients
//! also delete most of what the cycle before made, and the server keeps nothing for those who still read, so that kills
//! meet it at giving space back. A kill leaves the page cache whole, so this finds what is acknowledged too early or
//! recovered wrongly; a missing `fsync` is found by `cargo xtask powercut`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::load::{Random, Target, make_bucket};
use crate::server::{Credentials, Launch, Server};
use crate::workload::{Bodies, Checker, Client, Deck, History, Kind, Moment, Runner};
use crate::workspace::{Workspace, run};

/// The bucket of all objects.
const BUCKET: &str = "crash";

/// A server that is not ready by then fails the command.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// Of the objects of a cycle, one in so many is not deleted in the next.
const KEPT: usize = 8;

/// With fewer cycles than this, it may be that no segment was emptied yet.
const CYCLES_UNTIL_RECLAIMED: usize = 5;

/// Keys of earlier cycles that are read in each cycle.
const SAMPLE: usize = 300;

/// The deck of every cycle.
const DECK: &[(Kind, usize)] = &[
    (Kind::Small, 640),
    (Kind::Overwrite, 180),
    (Kind::Delete, 110),
    (Kind::Copy, 60),
    (Kind::Large, 6),
    (Kind::OverwriteLarge, 2),
    (Kind::Multipart, 2),
];

/// What to do.
#[derive(clap::Args, Clone)]
pub(crate) struct Options {
    /// How often the server is killed
    #[arg(long, default_value_t = 200)]
    cycles: usize,
    /// Requests that are acknowledged in a cycle before the kill, at least; at most half as many more
    #[arg(long, default_value_t = 600)]
    operations: usize,
    /// Decides requests and kills; how threads interleave, it does not
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Clients, with one request in flight each
    #[arg(long, default_value_t = 16)]
    clients: u64,
    /// Where the data is kept meanwhile [default: below the target directory]
    #[arg(long, env = "NUEE_SCRATCH")]
    directory: Option<PathBuf>,
    /// The program, built already [default: built now]
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// Kills, checks, and reports; a loss fails the command and keeps the data.
pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<()> {
    let binary = match &options.binary {
        Some(binary) => std::path::absolute(binary)?,
        None => {
            run(&mut workspace.cargo(&["build", "--release", "--package", "nuee"]))?;
            workspace.target.join("release/nuee")
        }
    };
    let base = options.directory.clone().unwrap_or_else(|| workspace.target.clone());
    let directory = std::path::absolute(base.join(format!("nuee-crash-{}", std::process::id())))?;
    std::fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
    let mut crashes = Crashes::begin(&binary, &directory, options)?;
    let outcome = crashes.run();
    crashes.print();
    match outcome {
        Ok(()) => Ok(std::fs::remove_dir_all(&directory)?),
        Err(error) => Err(error.context(format!("the data is kept in {}", directory.display()))),
    }
}

struct Crashes<'a> {
    binary: &'a Path,
    directory: &'a Path,
    options: &'a Options,
    bodies: Bodies,
    random: Random,
    credentials: Credentials,
    /// Everything that was ever sent.
    history: History,
    keys: Vec<String>,
    /// Objects of the last cycle, to be deleted in the next.
    doomed: Vec<String>,
    cycles: usize,
    checked: usize,
    starts: Vec<Duration>,
}

impl<'a> Crashes<'a> {
    /// The first start.
    fn begin(binary: &'a Path, directory: &'a Path, options: &'a Options) -> Result<Self> {
        let server = launch(binary, directory, None).start()?;
        make_bucket(&server.target(BUCKET))?;
        let credentials = server.credentials();
        server.kill()?;
        Ok(Self {
            binary,
            directory,
            options,
            bodies: Bodies::new(options.seed),
            random: Random::new(options.seed),
            credentials,
            history: History::default(),
            keys: Vec::new(),
            doomed: Vec::new(),
            cycles: 0,
            checked: 0,
            starts: Vec::new(),
        })
    }

    fn run(&mut self) -> Result<()> {
        let mut server = self.start()?;
        while self.cycles < self.options.cycles {
            let cycle = self.load_and_kill(server)?;
            self.cycles += 1;
            server = self.start()?;
            self.check(&server.target(BUCKET), cycle)?;
        }
        let everything = std::mem::take(&mut self.keys);
        self.check_keys(&server.target(BUCKET), everything)?;
        server.stop()?;
        let left = self.segments_left()?;
        println!("{left} segments are left of those of {} starts", self.starts.len());
        let reclaimed = self.cycles < CYCLES_UNTIL_RECLAIMED || left < self.starts.len();
        ensure!(reclaimed, "no segment was ever emptied: the kills met no reclaiming");
        Ok(())
    }

    /// Every start begins at least one segment.
    fn segments_left(&self) -> Result<usize> {
        let path = self.directory.join("data/site/segments");
        let listing = std::fs::read_dir(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(listing.count())
    }

    /// Starts, and waits until the server has answered.
    fn start(&mut self) -> Result<Server> {
        let begun = Instant::now();
        let server = launch(self.binary, self.directory, Some(self.credentials.clone())).start()?;
        Client::new(server.target(BUCKET))?.get("never-written", &mut Vec::new())?;
        let spent = begun.elapsed();
        self.starts.push(spent);
        ensure!(spent <= READY_WITHIN, "the server was ready after {} ms only", spent.as_millis());
        Ok(server)
    }

    /// Puts the load on the server, and kills it when enough was acknowledged; gives what clients did.
    fn load_and_kill(&mut self, server: Server) -> Result<History> {
        let more = self.random.below(self.options.operations as u64 / 2);
        let wanted = self.options.operations + usize::try_from(more).unwrap_or(0);
        let clients_at_once = usize::try_from(self.options.clients)?;
        let deck = Deck::new(DECK, usize::MAX, self.random.next());
        let (acknowledged, killed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let target = server.target(BUCKET);
        let (reached, wait) = channel();
        let doomed = std::mem::take(&mut self.doomed);
        let mut history = History::default();
        std::thread::scope(|scope| {
            let begin = |number: u64| {
                let client = Client::new(target.clone())?;
                let prefix = format!("{:04}-{number}", self.cycles);
                let mut runner = Runner::new(client, &self.bodies, prefix, self.random.next());
                let mine = doomed.iter().skip(usize::try_from(number)?).step_by(clients_at_once);
                runner.doom(mine.cloned().collect());
                let (deck, acknowledged, killed, reached) = (&deck, &acknowledged, &killed, reached.clone());
                Ok(scope.spawn(move || {
                    let outcome = runner.run(deck, || {
                        if acknowledged.fetch_add(1, Relaxed) + 1 == wanted {
                            let _ = reached.send(());
                        }
                    });
                    // The kill ends every client's work; what fails before it is a failure.
                    let outcome =
                        outcome.or_else(|error| if killed.load(Relaxed) { Ok(()) } else { Err(error) });
                    (runner.into_history(), outcome)
                }))
            };
            let clients = (0..self.options.clients).map(begin).collect::<Result<Vec<_>>>()?;
            drop(reached);
            // Without an answer all clients have failed, and say so below.
            let _ = wait.recv();
            killed.store(true, Relaxed);
            server.kill()?;
            for client in clients {
                let Ok((did, outcome)) = client.join() else { bail!("a client's thread panicked") };
                outcome?;
                history.absorb(did);
            }
            Ok(history)
        })
    }

    /// Checks all keys of the cycle, and a sample of earlier ones; then both are earlier ones.
    fn check(&mut self, target: &Target, cycle: History) -> Result<()> {
        let mut keys: Vec<String> = cycle.keys().map(str::to_owned).collect();
        self.history.absorb(cycle);
        let made_now = format!("{:04}-", self.cycles - 1);
        let fresh: Vec<_> = keys.iter().filter(|key| key.starts_with(&made_now)).cloned().collect();
        self.doomed =
            fresh.iter().enumerate().filter(|(n, _)| n % KEPT != 0).map(|(_, k)| k.clone()).collect();
        for _ in 0..SAMPLE.min(self.keys.len()) {
            let place = self.random.below(self.keys.len() as u64);
            keys.push(self.keys[usize::try_from(place).unwrap_or(0)].clone());
        }
        self.keys.extend(fresh);
        self.check_keys(target, keys)
    }

    fn check_keys(&mut self, target: &Target, keys: Vec<String>) -> Result<()> {
        let mut checker = Checker::new(Client::new(target.clone())?, &self.bodies);
        let cut = Moment::now();
        for key in keys {
            let found = checker.check(&self.history, &key, cut);
            if let Some(held) = found
                && !self.history.expected(&key, cut).under_way.is_empty()
            {
                self.history.settle(&key, held);
            }
        }
        self.checked += checker.checked;
        for finding in checker.findings.iter().take(20) {
            println!("cycle {}: {}", self.cycles, finding.text);
        }
        let losses = checker.findings.len();
        ensure!(losses == 0, "{losses} objects are not as acknowledged (seed {})", self.options.seed);
        Ok(())
    }

    fn print(&self) {
        let (requests, objects) = self.history.acknowledged(Moment::END);
        let longest = self.starts.iter().max().copied().unwrap_or_default();
        println!(
            "{} kills; {requests} requests acknowledged, {objects} of them wrote an object; {} reads compared; the \
             longest start took {} ms",
            self.cycles,
            self.checked,
            longest.as_millis()
        );
    }
}

/// A server that gives back at once what nothing references any more.
fn launch<'a>(binary: &'a Path, directory: &Path, known: Option<Credentials>) -> Launch<'a> {
    Launch { reclaim_delay: Some(Duration::ZERO), ..Launch::on(binary, directory, known) }
}
