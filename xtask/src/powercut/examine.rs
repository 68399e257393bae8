//! Starting the server on each image, and reading everything back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::BUCKET;
use super::disk::Disk;
use super::image::{self, Shared};
use super::moments::{Cut, Moments};
use super::trace::Event;
use crate::server::{Credentials, Launch};
use crate::workload::{Bodies, Checker, Client, Finding, History, Moment};

/// After so many images with a loss the rest would say nothing new.
const LOSSES_BEFORE_STOP: usize = 10;

/// So many images are kept and described.
const IMAGES_KEPT: usize = 20;

/// One image in so many must take a new object, too.
const WRITES_ARE_TRIED: usize = 10;

/// On one image in so many, `nuee verify` reads the content of everything too. On the others it looks at the rest, for
/// every object that was acknowledged is read and compared anyway.
const CONTENT_IS_VERIFIED: usize = 20;

/// Everything that images are made of and compared with.
pub(super) struct Images<'a> {
    pub(super) binary: &'a Path,
    pub(super) directory: &'a Path,
    pub(super) keys: Keys<'a>,
    pub(super) credentials: Credentials,
    /// From when on the credentials must be good.
    pub(super) shown: Moment,
    pub(super) history: History,
    pub(super) bodies: &'a Bodies,
    pub(super) jobs: usize,
    /// Images are numbered from here, for those that are kept.
    pub(super) number_from: usize,
}

/// Where the keys of an image come from.
#[derive(Clone, Copy)]
pub(super) enum Keys<'a> {
    /// Every image gets those of this directory, beside the data that is modelled.
    Copied(&'a Path),
    /// They are modelled as well, as `keys` beside `data` in an image, and every image is made here.
    Modelled { root: &'a Path },
}

/// An image to be examined.
struct Task {
    number: usize,
    cut: Cut,
    disk: Disk,
    /// What came next in the trace.
    next: String,
}

/// What was found.
#[derive(Default)]
pub(super) struct Report {
    images: usize,
    objects: usize,
    /// Images on which something that was acknowledged was lost or altered.
    losses: usize,
    /// Further images, on which `nuee verify` sees damage although nothing was lost.
    alarms: usize,
    longest_start: Duration,
}

impl Report {
    /// Says it in two lines.
    pub(super) fn print(&self) {
        println!(
            "{} images examined, {} objects read back; the longest start took {} ms",
            self.images,
            self.objects,
            self.longest_start.as_millis()
        );
        println!(
            "{} images with something acknowledged lost or altered, {} others with damage that `nuee verify` sees",
            self.losses, self.alarms
        );
    }

    /// Images that were examined.
    pub(super) fn images(&self) -> usize {
        self.images
    }

    /// Images that are not as they must be.
    pub(super) fn failures(&self) -> usize {
        self.losses + self.alarms
    }

    /// Takes over what another report counted.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.images += other.images;
        self.objects += other.objects;
        self.losses += other.losses;
        self.alarms += other.alarms;
        self.longest_start = self.longest_start.max(other.longest_start);
    }

    /// Counts an image; whether it is to be kept.
    fn add(&mut self, seen: &Seen) -> bool {
        self.images += 1;
        self.objects += seen.objects;
        self.longest_start = self.longest_start.max(seen.start);
        if self.images.is_multiple_of(250) {
            println!("{} images examined", self.images);
        }
        if !seen.losses.is_empty() {
            self.losses += 1;
        } else if seen.alarm.is_some() {
            self.alarms += 1;
        } else {
            return false;
        }
        self.failures() <= IMAGES_KEPT
    }
}

impl Images<'_> {
    /// Follows the trace, and examines an image for each cut. The disk is at the end of the trace afterwards.
    pub(super) fn examine(&self, disk: &mut Disk, events: &[Event], moments: &Moments) -> Result<Report> {
        let shared = Shared::new(self.directory.join("shared"))?;
        let report = Mutex::new(Report::default());
        let (sender, tasks) = sync_channel(self.jobs);
        let tasks = Mutex::new(tasks);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.jobs)
                .map(|number| {
                    let (tasks, report, shared) = (&tasks, &report, &shared);
                    scope.spawn(move || self.work(number, tasks, shared, report))
                })
                .collect();
            let mut cuts = moments.cuts.iter().enumerate().peekable();
            for place in 0..=events.len() {
                while let Some((number, cut)) = cuts.next_if(|(_, cut)| cut.after == place) {
                    let next =
                        events.get(place).map_or("the end".to_owned(), |event| event.action.to_string());
                    let number = self.number_from + number;
                    let task = Task { number, cut: *cut, disk: disk.clone(), next };
                    // The workers have given up: their error is the one to tell.
                    if sender.send(task).is_err() {
                        break;
                    }
                }
                if let Some(event) = events.get(place) {
                    disk.apply(event)?;
                }
            }
            drop(sender);
            let join = |worker: std::thread::ScopedJoinHandle<'_, Result<()>>| {
                worker.join().unwrap_or_else(|_| bail!("a thread that examines images panicked"))
            };
            workers.into_iter().try_for_each(join)
        })?;
        shared.check(disk)?;
        Ok(report.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn work(
        &self,
        number: usize,
        tasks: &Mutex<Receiver<Task>>,
        shared: &Shared,
        report: &Mutex<Report>,
    ) -> Result<()> {
        let place = match self.keys {
            Keys::Copied(_) => self.directory.join(format!("image-{number}")),
            Keys::Modelled { root } => root.to_path_buf(),
        };
        let report = || report.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let task = tasks.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(task) = task else { return Ok(()) };
            if report().losses >= LOSSES_BEFORE_STOP {
                continue;
            }
            let seen = self.image(&task, &place, shared)?;
            if report().add(&seen) {
                self.keep(&task, &place, shared, &seen)?;
            }
            fs::remove_dir_all(&place)?;
        }
    }

    /// Makes an image, starts the server on it, and reads everything back.
    fn image(&self, task: &Task, place: &Path, shared: &Shared) -> Result<Seen> {
        self.write(task, place, shared)?;
        let begun = Instant::now();
        let server = match Launch::on(self.binary, place, Some(self.credentials.clone())).start() {
            Ok(server) => server,
            Err(error) => return Ok(Seen::lost(format!("{error:#}"))),
        };
        let start = begun.elapsed();
        let mut checker = Checker::new(Client::new(server.target(BUCKET))?, self.bodies);
        let alarm = self.verify(place, task.number.is_multiple_of(CONTENT_IS_VERIFIED))?;
        if task.cut.at <= self.shown {
            server.kill()?;
            return Ok(Seen { objects: 0, losses: Vec::new(), alarm, start });
        }
        checker.check(&self.history, "never-written", task.cut.at);
        checker.check_all(&self.history, task.cut.at);
        if matches!(self.keys, Keys::Copied(_)) && task.number.is_multiple_of(WRITES_ARE_TRIED) {
            checker.check_writing();
        }
        server.kill()?;
        Ok(Seen { objects: checker.checked, losses: checker.findings, alarm, start })
    }

    /// Writes what the power cut left, and the keys.
    fn write(&self, task: &Task, place: &Path, shared: &Shared) -> Result<()> {
        let Keys::Copied(keys) = self.keys else {
            image::write(&task.disk, task.cut.fate, place, shared)?;
            return restrict(&place.join("keys"));
        };
        fs::create_dir_all(place)?;
        image::write(&task.disk, task.cut.fate, &place.join("data"), shared)?;
        copy_keys(keys, &place.join("keys"))
    }

    /// What `nuee verify` finds, which the server carries out.
    fn verify(&self, place: &Path, content: bool) -> Result<Option<Finding>> {
        let mut command = Command::new(self.binary);
        command.arg("verify").args((!content).then_some("--quick")).arg("--data-dir").arg(place.join("data"));
        command.arg("--key-dir").arg(place.join("keys"));
        let output = command.output().context("starting `nuee verify`")?;
        if output.status.success() {
            return Ok(None);
        }
        let (said, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Ok(Some(Finding { text: format!("`nuee verify` failed: {said}{errors}") }))
    }

    /// Keeps an image as the power cut left it, and says what is wrong.
    fn keep(&self, task: &Task, place: &Path, shared: &Shared, seen: &Seen) -> Result<()> {
        let kept: PathBuf = self.directory.join("lost").join(task.number.to_string());
        fs::create_dir_all(self.directory.join("lost"))?;
        self.write(task, &kept, shared)?;
        fs::copy(place.join("server.log"), kept.join("server.log"))?;
        println!(
            "image {}: cut at {} µs, after {} calls, before {}, pending changes {:?}: {}",
            task.number,
            task.cut.at.0,
            task.cut.after,
            task.next,
            task.cut.fate,
            kept.display()
        );
        let findings = seen.losses.iter().take(5).chain(&seen.alarm);
        findings.for_each(|finding| println!("    {}", finding.text));
        Ok(())
    }
}

/// What was seen on an image.
struct Seen {
    objects: usize,
    losses: Vec<Finding>,
    alarm: Option<Finding>,
    start: Duration,
}

impl Seen {
    fn lost(text: String) -> Self {
        Self { objects: 0, losses: vec![Finding { text }], alarm: None, start: Duration::ZERO }
    }
}

fn copy_keys(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    // The server refuses keys that others may read.
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Takes from a directory what others may do with it: the model of the disk does not keep it, and the server refuses
/// keys that others may read.
fn restrict(directory: &Path) -> Result<()> {
    if !directory.exists() {
        return Ok(());
    }
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            restrict(&entry.path())?;
        } else {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(())
}
