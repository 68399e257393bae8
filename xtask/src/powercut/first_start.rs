//! Power cuts during the very first start, up to the first object that was acknowledged.
//!
//! Nothing is there before, and both the data and the keys lie below the directory that is modelled: a name, a key or
//! a row that the first start leaves unsynced shows here and nowhere else. Whatever is left of it, the next start must
//! succeed; once the owner's key was shown it must be accepted, and what was acknowledged must be there.

use std::path::Path;

use anyhow::{Result, bail};

use super::disk::Disk;
use super::examine::{Images, Keys, Report};
use super::{BUCKET, Options, moments, read_trace, trace};
use crate::load::make_bucket;
use crate::server::Launch;
use crate::workload::{Bodies, Client, Deck, Kind, Moment, Runner};

/// One image in so many is one of the first start.
const SHARE: usize = 10;

/// The first objects: one that goes to a segment, one that gets a file.
const DECK: &[(Kind, usize)] = &[(Kind::Small, 1), (Kind::Large, 1)];

/// How many images are asked for; every sync gets its own in any case.
pub(super) fn images(options: &Options) -> usize {
    options.images / SHARE
}

/// Traces a first start, and examines what a power cut leaves of it.
pub(super) fn simulate(
    binary: &Path,
    directory: &Path,
    options: &Options,
    bodies: &Bodies,
) -> Result<Report> {
    let root = directory.join("first");
    std::fs::create_dir_all(&root)?;
    let mut disk = Disk::load(&root)?;
    let log = directory.join("first.trace");
    let launch = Launch { log: directory.join("first.log"), ..Launch::on(binary, &root, None) };
    let server = Launch { wrapper: trace::wrapper(&log), ..launch }.start()?;
    let shown = Moment::now();
    make_bucket(&server.target(BUCKET))?;
    let mut runner =
        Runner::new(Client::new(server.target(BUCKET))?, bodies, "first".to_owned(), options.seed);
    runner.run(&Deck::new(DECK, DECK.len(), options.seed), || ())?;
    let (credentials, history) = (server.credentials(), runner.into_history());
    server.stop()?;
    let events = read_trace(&log, &root)?;
    let moments = moments::plan(&events, images(options), options.seed);
    println!(
        "the first start: {} changes and syncs traced, {} of them syncs; {} images",
        events.len(),
        moments.syncs,
        moments.cuts.len()
    );
    // The metadata know the absolute path of the keys, so every image stands where the first start was traced.
    let left = directory.join("first-left");
    std::fs::rename(&root, &left)?;
    let images = Images {
        binary,
        directory,
        keys: Keys::Modelled { root: &root },
        credentials,
        shown,
        history,
        bodies,
        jobs: 1,
        number_from: 0,
    };
    let report = images.examine(&mut disk, &events, &moments)?;
    if let Some(difference) = disk.difference(&left)? {
        bail!("the trace does not explain what the first start left behind: {difference}");
    }
    Ok(report)
}
