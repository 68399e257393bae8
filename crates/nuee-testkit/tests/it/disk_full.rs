//! Disks that are full, real ones of 64 MiB: nothing is acknowledged that is not kept, what is there can be read, listed
//! and deleted, and once enough is deleted there is room again, with nobody's help.
//!
//! Mounting needs root.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use http::Method;
use nuee::Tuning;
use nuee_access::{Action, Resource};
use nuee_testkit::{
    Client, Place, TestServer,
    signer::{Draft, sha256},
};
use rustix::fs::FallocateFlags;
use tokio::runtime::Runtime;

const DISK_BYTES: u64 = 64 << 20;
/// What is kept for deletions: see the options of sites and of metadata.
const RESERVE_BYTES: u64 = 16 << 20;
/// What somebody else leaves of that reserve, less than many deletions in one commit need.
const SQUEEZED_BYTES: u64 = 5 << 20;
/// How often a request is tried again until the reclaimer has given room back, and how long it is waited in between.
const ATTEMPTS: u32 = 300;
const PAUSE: Duration = Duration::from_millis(100);
/// How many clients work at once, where many do.
const CLIENTS: u64 = 64;

/// A file system in a file.
struct Disk {
    directory: tempfile::TempDir,
    at: PathBuf,
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}: this test mounts file systems: run it as root");
}

impl Disk {
    /// Mounts a fresh one at `at`, or beside its file.
    fn mount(at: Option<&Path>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let image = directory.path().join("image");
        File::create(&image).unwrap().set_len(DISK_BYTES).unwrap();
        let at = at.map_or_else(|| directory.path().join("mounted"), Path::to_path_buf);
        fs::create_dir_all(&at).unwrap();
        // Without blocks kept for root, so that root meets the same limit as everybody.
        run(Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(&image));
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&at));
        Self { directory, at }
    }

    fn free_bytes(&self) -> u64 {
        let status = rustix::fs::statvfs(&self.at).unwrap();
        status.f_bavail * status.f_frsize
    }

    /// Takes all that is free but `left` bytes; gives the file that holds it.
    fn occupy(&self, left: u64) -> PathBuf {
        let ballast = self.at.join("lost+found/ballast");
        let file = File::create(&ballast).unwrap();
        let (mut held, mut piece) = (0, 1 << 20);
        while piece >= 1_024 {
            let fits = self.free_bytes() >= left + piece;
            if fits && rustix::fs::fallocate(&file, FallocateFlags::empty(), held, piece).is_ok() {
                held += piece;
            } else {
                piece /= 2;
            }
        }
        ballast
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.at).status();
        let _ = &self.directory;
    }
}

/// A server on small disks, and what it acknowledged.
struct Bench {
    server: Option<TestServer>,
    client: Client,
    /// The path of each object, and the SHA-256 of its content.
    kept: BTreeMap<String, String>,
    written: u64,
    /// How many uploads were refused for want of room.
    refused: usize,
    runtime: Runtime,
}

impl Bench {
    fn start(data: &Path) -> Self {
        let runtime = Runtime::new().unwrap();
        let mut tuning = Tuning::default();
        tuning.store.reclaim_delay = Duration::ZERO;
        let adapt = |settings: &mut nuee::Settings| settings.storage.data_dir = Some(data.to_path_buf());
        let server = runtime.block_on(TestServer::start_tuned(tuning, adapt)).unwrap();
        let mut client = server.client(Place::Schools);
        assert_eq!(client.put("/bucket", "").unwrap().status, 200);
        Self { server: Some(server), client, kept: BTreeMap::new(), written: 0, refused: 0, runtime }
    }

    fn restart(&mut self) {
        let server = self.server.take().unwrap();
        let server = self.runtime.block_on(server.restart()).unwrap();
        self.client = server.client(Place::Schools);
        self.server = Some(server);
    }

    /// Content that is never the same twice.
    fn content(&mut self, size: usize) -> Vec<u8> {
        self.written += 1;
        self.written.to_le_bytes().into_iter().cycle().take(size.max(8)).collect()
    }

    /// Whether an object of this size was taken. A refusal must be one for want of room.
    fn put(&mut self, size: usize) -> bool {
        let content = self.content(size);
        let path = format!("/bucket/{size}-{:06}", self.written);
        let answer = self.client.put(&path, content.clone()).unwrap();
        if answer.status == 200 {
            self.kept.insert(path, sha256(&content));
            return true;
        }
        assert_eq!((answer.status, answer.code().as_str()), (503, "ServiceUnavailable"), "{}", answer.text());
        assert!(answer.text().contains("full"), "{}", answer.text());
        self.refused += 1;
        false
    }

    /// Puts objects of this size until one is refused.
    fn fill(&mut self, size: usize) -> usize {
        let mut taken = 0;
        while self.put(size) {
            taken += 1;
            assert!(taken < 200_000, "the disk never fills");
        }
        taken
    }

    /// Puts small objects from many clients, each until it is refused once.
    fn fill_at_once(&mut self) -> usize {
        let server = self.server.as_ref().unwrap();
        let first = self.written;
        let fill = |number: u64| {
            let (mut client, mut kept) = (server.client(Place::Schools), Vec::new());
            for index in 0..10_000 {
                let content = (first + number * 10_000 + index).to_le_bytes();
                // Names without order, so that each is on a page of its own.
                let path = format!("/bucket/{}", sha256(&content));
                let answer = client.put(&path, content).unwrap();
                if answer.status != 200 {
                    assert_eq!(answer.status, 503, "{}", answer.text());
                    return kept;
                }
                kept.push((path, sha256(&content)));
            }
            panic!("client {number} was never refused")
        };
        let taken: Vec<_> = at_once(CLIENTS, &fill).into_iter().flatten().collect();
        self.written += CLIENTS * 10_000;
        self.refused += CLIENTS as usize;
        let count = taken.len();
        self.kept.extend(taken);
        count
    }

    /// Deletes everything from many clients, a thousand at a time; gives how many deletions were refused.
    fn delete_at_once(&mut self) -> usize {
        let server = self.server.as_ref().unwrap();
        let paths: Vec<_> = self.kept.keys().cloned().collect();
        let pages: Vec<_> = paths.chunks(paths.len().div_ceil(CLIENTS as usize).min(1_000)).collect();
        let delete = |number: u64| {
            let (mut client, mut refused) = (server.client(Place::Schools), Vec::new());
            for page in pages.iter().skip(number as usize).step_by(CLIENTS as usize) {
                let answer = client.send(deletion(page)).unwrap();
                assert_eq!(answer.status, 200, "{}", answer.text());
                refused.extend(answer.elements("Key"));
            }
            refused
        };
        let refused = at_once(CLIENTS, &delete).into_iter().flatten();
        let refused: BTreeSet<_> = refused.map(|key| format!("/bucket/{key}")).collect();
        self.kept.retain(|path, _| refused.contains(path));
        refused.len()
    }

    /// All that was acknowledged, and nothing else, is there.
    fn check(&mut self, moment: &str) {
        let mut listed = self.client.list("/bucket").unwrap();
        listed.sort();
        let told: Vec<_> = self.kept.keys().map(|path| path["/bucket/".len()..].to_owned()).collect();
        assert_eq!(listed, told, "{moment}");
        for (path, hash) in &self.kept {
            let answer = self.client.get(path).unwrap();
            assert_eq!(answer.status, 200, "{moment}: {path}: {}", answer.text());
            assert_eq!(&sha256(&answer.body), hash, "{moment}: {path}");
        }
    }

    /// Deletes this part of all objects; each deletion must be done.
    fn delete_one_in(&mut self, divisor: usize) {
        let doomed: Vec<_> = self.kept.keys().step_by(divisor).cloned().collect();
        for path in doomed {
            let answer = self.client.delete(&path).unwrap();
            assert_eq!(answer.status, 204, "{path}: {}", answer.text());
            self.kept.remove(&path);
        }
    }

    /// Puts until one is taken; nothing but time is needed for that.
    fn put_when_there_is_room(&mut self, size: usize) {
        for _ in 0..ATTEMPTS {
            if self.put(size) {
                return;
            }
            self.runtime.block_on(async { tokio::time::sleep(PAUSE).await });
        }
        panic!("there is no room for {size} bytes, although much was deleted");
    }

    /// Nothing is damaged, and the disk was full indeed.
    fn verify(&self) {
        assert!(self.refused > 0, "nothing was ever refused");
        let server = self.server.as_ref().unwrap();
        let platform = server.platform();
        let permit =
            platform.decider().decide(&platform.operator(), Action::Verify, Resource::Platform).unwrap();
        let report = self.runtime.block_on(platform.store().verify(&permit, true, |_| {})).unwrap();
        assert_eq!(report.damaged, 0, "{report:?}");
        assert_eq!(report.objects, self.kept.len() as u64);
    }
}

/// Runs `work` on so many threads at once.
fn at_once<T: Send>(count: u64, work: &(impl Fn(u64) -> T + Sync)) -> Vec<T> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|number| scope.spawn(move || work(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// A request that deletes the objects of these paths, and tells of refusals only.
fn deletion(paths: &[String]) -> Draft {
    let key = |path: &String| format!("<Object><Key>{}</Key></Object>", &path["/bucket/".len()..]);
    let objects: String = paths.iter().map(key).collect();
    let document = format!("<Delete><Quiet>true</Quiet>{objects}</Delete>");
    Draft::with_body(Method::POST, "/bucket", document).query("delete", "")
}

/// Fills in every way, and recovers.
fn fill_and_recover(bench: &mut Bench, disk: &Disk) {
    for round in 0..2 {
        let taken: Vec<_> = [2 << 20, 100_000, 4_096, 8].map(|size| bench.fill(size)).into();
        println!(
            "round {round}: full after {taken:?} objects of 2 MiB, 100 kB, 4 KiB, 8 B; {} bytes free",
            disk.free_bytes()
        );
        bench.check("full");
        bench.restart();
        bench.check("full, started again");
        bench.delete_one_in(2);
        bench.check("half deleted");
        for size in [8, 4_096, 100_000, 2 << 20] {
            bench.put_when_there_is_room(size);
        }
        bench.check("room again");
    }
    bench.verify();
}

#[test]
fn one_full_disk_for_everything() {
    let disk = Disk::mount(None);
    let mut bench = Bench::start(&disk.at);
    fill_and_recover(&mut bench, &disk);
}

#[test]
fn full_disks_for_metadata_and_for_blobs() {
    let metadata = Disk::mount(None);
    let blobs = Disk::mount(Some(&metadata.at.join("site")));
    let mut bench = Bench::start(&metadata.at);
    fill_and_recover(&mut bench, &blobs);
    // With little left on the metadata's disk, it is that one which refuses.
    metadata.occupy(RESERVE_BYTES + (2 << 20));
    bench.delete_one_in(2);
    bench.put_when_there_is_room(8);
    let taken = bench.fill(8);
    println!("{taken} objects of 8 B more; {} bytes of the metadata's disk are free", metadata.free_bytes());
    bench.delete_one_in(3);
    // What the deletions freed in the database is room, although its file has not become shorter.
    bench.put_when_there_is_room(8);
    bench.verify();
    drop(bench);
    drop(blobs);
}

/// All clients delete at once when the metadata's disk is full: no group of deletions is too large for
/// what is left of the reserve, even if somebody else took most of it.
#[test]
fn many_deletions_at_once_on_a_full_disk_for_metadata() {
    let metadata = Disk::mount(None);
    let blobs = Disk::mount(Some(&metadata.at.join("site")));
    let mut bench = Bench::start(&metadata.at);
    metadata.occupy(RESERVE_BYTES + (16 << 20));
    // The second time, what the first round's deletions freed in the database is all the room that there is.
    for (round, left_to_delete) in [SQUEEZED_BYTES, RESERVE_BYTES].into_iter().enumerate() {
        let taken = bench.fill_at_once();
        println!("round {round}: {taken} objects of 8 B; {} bytes are free", metadata.free_bytes());
        assert!(taken > 1_000, "the room that deletions left is not used");
        metadata.occupy(left_to_delete);
        let refused = bench.delete_at_once();
        println!("round {round}: {refused} deletions refused; {} bytes are free", metadata.free_bytes());
        bench.check("deleted at once");
        bench.restart();
        bench.check("deleted at once, started again");
        bench.delete_one_in(1);
        metadata.occupy(RESERVE_BYTES);
        bench.put_when_there_is_room(8);
    }
    bench.verify();
    drop(bench);
    drop(blobs);
}

#[test]
fn small_objects_alone_fill_a_disk() {
    let disk = Disk::mount(None);
    let mut bench = Bench::start(&disk.at);
    // To fill the rest of the disk would take minutes.
    disk.occupy(RESERVE_BYTES + (3 << 20));
    let taken = bench.fill(8);
    println!("{taken} objects of 8 B; {} bytes are free", disk.free_bytes());
    bench.check("full");
    bench.restart();
    bench.check("full, started again");
    // All at once: what deletions need on the disk comes from the reserve.
    let paths: Vec<_> = bench.kept.keys().cloned().collect();
    for page in paths.chunks(1_000) {
        let answer = bench.client.send(deletion(page)).unwrap();
        assert_eq!((answer.status, answer.elements("Code").len()), (200, 0), "{}", answer.text());
    }
    bench.kept.clear();
    bench.check("all deleted");
    bench.put_when_there_is_room(100_000);
    bench.verify();
}

#[test]
fn what_adds_is_refused_and_what_removes_is_not() {
    let disk = Disk::mount(None);
    let mut bench = Bench::start(&disk.at);
    for _ in 0..20 {
        assert!(bench.put(10_000));
    }
    let begin = |path: &str| Draft::with_body(Method::POST, path, "").query("uploads", "");
    let begun = bench.client.send(begin("/bucket/upload")).unwrap().elements("UploadId").remove(0);
    let first = bench.kept.keys().next().unwrap().clone();
    disk.occupy(RESERVE_BYTES / 2);
    let part = Draft::put("/bucket/upload", "part").query("partNumber", "1").query("uploadId", &begun);
    let copied_part = Draft { body: Vec::new(), ..part.clone() }.set("content-length", "0");
    let adding = [
        ("an object", Draft::put("/bucket/new", "content")),
        ("a bucket", Draft::put("/another", "")),
        ("an upload", begin("/bucket/new")),
        ("a part", part),
        ("a copy", Draft::put("/bucket/copy", "").header("x-amz-copy-source", &first)),
        ("a copied part", copied_part.header("x-amz-copy-source", &first)),
    ];
    for (name, draft) in adding {
        let answer = bench.client.send(draft).unwrap();
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (503, "ServiceUnavailable"),
            "{name}: {}",
            answer.text()
        );
    }
    bench.check("full");
    let abort = Draft::new(Method::DELETE, "/bucket/upload").query("uploadId", &begun);
    assert_eq!(bench.client.send(abort).unwrap().status, 204);
    bench.delete_one_in(1);
    bench.check("all deleted");
    assert_eq!(bench.client.delete("/bucket").unwrap().status, 204);
}

/// Somebody else took even the reserve: deletions may be refused, but nothing is lost, nothing is said to be done that is
/// not, and all goes on by itself when that somebody gives room back.
#[test]
fn a_disk_without_a_single_free_block() {
    let disk = Disk::mount(None);
    let mut bench = Bench::start(&disk.at);
    for size in [100_000, 4_096, 8] {
        for _ in 0..50 {
            assert!(bench.put(size));
        }
    }
    let ballast = disk.occupy(0);
    println!("{} bytes are free", disk.free_bytes());
    for size in [2 << 20, 4_096, 8] {
        assert!(!bench.put(size));
    }
    bench.check("not a block free");
    let doomed: Vec<_> = bench.kept.keys().cloned().collect();
    let (mut done, mut refused) = (0, 0);
    for path in doomed {
        let answer = bench.client.delete(&path).unwrap();
        match answer.status {
            204 => {
                bench.kept.remove(&path);
                done += 1;
            }
            503 => refused += 1,
            _ => panic!("{path}: {}", answer.text()),
        }
    }
    println!("{done} deletions done, {refused} refused");
    bench.check("not a block free, after deletions");
    fs::remove_file(ballast).unwrap();
    bench.put_when_there_is_room(4_096);
    bench.delete_one_in(2);
    bench.put_when_there_is_room(2 << 20);
    bench.check("room again");
    bench.restart();
    bench.check("started again");
    bench.verify();
}
