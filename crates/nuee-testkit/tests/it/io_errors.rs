//! Disks that fail at any call: an object that was acknowledged is there, afterwards and after a new start, and once the
//! disk is well the server is too.
//!
//! Faults are put into the site's n-th call of each kind, under uploads that go to segments, to files, and in parts; and
//! by strace into the calls that SQLite makes.

use std::{collections::BTreeMap, fs, io, os::unix::fs::PermissionsExt};

use nuee::Tuning;
use nuee_access::{Action, Resource};
use nuee_sites::{FaultPlan, Operation};
use nuee_testkit::{Answer, Client, Place, Program, Running, TestServer, Wire, signer::sha256};
use tokio::runtime::Runtime;

const SMALL: usize = 3_000;
const LARGE: usize = 400 << 10;
const PART: usize = 160 << 10;

/// The kinds of calls that uploads make.
const OPERATIONS: [Operation; 7] = [
    Operation::CreateFile,
    Operation::CreateDirectory,
    Operation::Preallocate,
    Operation::Write,
    Operation::SyncFile,
    Operation::SyncDirectory,
    Operation::Rename,
];

struct Bench {
    runtime: Runtime,
    server: Option<TestServer>,
    client: Client,
    plan: FaultPlan,
    /// The SHA-256 of each object that was acknowledged last.
    kept: BTreeMap<String, String>,
    /// Objects whose last upload failed: they may be as they were or as they should have become.
    unsure: BTreeMap<String, String>,
    written: u64,
    refused: usize,
}

impl Bench {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let plan = FaultPlan::default();
        let mut tuning = Tuning::default();
        tuning.site.faults = Some(plan.clone());
        // Small segments, so that new ones are begun all the time.
        tuning.site.small_blob_max_bytes = 256 << 10;
        tuning.site.segment_size_bytes = 300 << 10;
        tuning.store.minimum_part_bytes = 1_024;
        let server = runtime.block_on(TestServer::start_tuned(tuning, |_| {})).unwrap();
        let mut client = server.client(Place::Schools);
        assert_eq!(client.put("/bucket", "").unwrap().status, 200);
        let (kept, unsure) = (BTreeMap::new(), BTreeMap::new());
        Self { runtime, server: Some(server), client, plan, kept, unsure, written: 0, refused: 0 }
    }

    fn content(&mut self, size: usize) -> Vec<u8> {
        self.written += 1;
        self.written.to_le_bytes().into_iter().cycle().take(size).collect()
    }

    fn note(&mut self, path: String, content: &[u8], answer: &Answer) {
        let hash = sha256(content);
        if answer.status == 200 && answer.code().is_empty() && answer.elements("Error").is_empty() {
            self.unsure.remove(&path);
            self.kept.insert(path, hash);
            return;
        }
        assert!(matches!(answer.status, 500 | 503), "{path}: {} {}", answer.status, answer.text());
        self.refused += 1;
        self.unsure.insert(path, hash);
    }

    /// One upload of each kind, over what is there.
    fn upload_all(&mut self) {
        for (name, size) in [("small", SMALL), ("tiny", 8), ("large", LARGE)] {
            let (path, content) = (format!("/bucket/{name}"), self.content(size));
            let answer = self.client.put(&path, content.clone()).unwrap();
            self.note(path, &content, &answer);
        }
        let parts = [self.content(PART), self.content(SMALL), self.content(PART)];
        let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let answer = self.client.put_parts("/bucket/parts", &slices).unwrap();
        self.note("/bucket/parts".into(), &parts.concat(), &answer);
    }

    fn check(&mut self, moment: &str) {
        for path in ["/bucket/small", "/bucket/tiny", "/bucket/large", "/bucket/parts"] {
            let answer = self.client.get(path).unwrap();
            let found = (answer.status == 200).then(|| sha256(&answer.body));
            let possible = [self.kept.get(path), self.unsure.get(path)];
            let fits = match &found {
                Some(found) => possible.contains(&Some(found)),
                None => answer.status == 404 && !self.kept.contains_key(path),
            };
            assert!(fits, "{moment}: {path} is lost or altered: {} {}", answer.status, answer.code());
        }
    }

    fn restart(&mut self) {
        let server = self.server.take().unwrap();
        let server = self.runtime.block_on(server.restart()).unwrap();
        self.client = server.client(Place::Schools);
        self.server = Some(server);
    }

    fn verify(&self) {
        let platform = self.server.as_ref().unwrap().platform();
        let permit =
            platform.decider().decide(&platform.operator(), Action::Verify, Resource::Platform).unwrap();
        let report = self.runtime.block_on(platform.store().verify(&permit, true, |_| {})).unwrap();
        assert_eq!(report.damaged, 0, "{report:?}");
    }
}

#[test]
fn a_fault_at_any_call_acknowledges_nothing_that_is_lost() {
    let mut bench = Bench::start();
    let before = OPERATIONS.map(|operation| bench.plan.calls(operation));
    bench.upload_all();
    bench.upload_all();
    let calls = OPERATIONS.map(|operation| bench.plan.calls(operation));
    for ((operation, before), after) in OPERATIONS.into_iter().zip(before).zip(calls) {
        assert!(after > before, "uploads never call {operation:?}: the test sees nothing of it");
        // Half as many calls as two rounds made: each call of one round.
        let refused = bench.refused;
        for nth in 1..=(after - before).div_ceil(2) {
            let kind = if nth % 2 == 0 { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
            bench.plan.fail_nth(operation, nth, kind);
            bench.upload_all();
            bench.check(&format!("{operation:?} number {nth} failed"));
            bench.plan.heal();
            bench.upload_all();
            bench.check(&format!("{operation:?} number {nth}, healed"));
        }
        println!(
            "{operation:?}: {} calls, {} uploads refused",
            (after - before).div_ceil(2),
            bench.refused - refused
        );
        bench.restart();
        bench.check(&format!("after faults of {operation:?}, started again"));
    }
    assert!(bench.refused > 10, "the faults did not reach the uploads");
    bench.verify();
}

#[test]
fn a_disk_that_fails_for_a_while_is_used_again() {
    let mut bench = Bench::start();
    for operation in [Operation::Write, Operation::SyncFile] {
        bench.upload_all();
        let refused = bench.refused;
        bench.plan.fail_all(operation, io::ErrorKind::Other);
        for _ in 0..3 {
            bench.upload_all();
        }
        assert_eq!(bench.refused - refused, 12, "{operation:?}: something was acknowledged");
        bench.check(&format!("while {operation:?} fails"));
        bench.plan.heal();
        let refused = bench.refused;
        bench.upload_all();
        assert_eq!(bench.refused, refused, "{operation:?}: the server does not recover");
        bench.check(&format!("after {operation:?} failed"));
    }
    bench.restart();
    bench.check("started again");
    bench.verify();
}

/// The program, started so that calls on the files of metadata fail.
struct Traced {
    /// Holds the script that the program is started by.
    _directory: tempfile::TempDir,
    script: std::path::PathBuf,
    program: Program,
    key: (String, String),
    /// What each object may be: as it was acknowledged last, and as later uploads that were refused would have made it.
    possible: BTreeMap<String, Vec<Option<String>>>,
    written: u64,
}

/// What a round under faults came to.
#[derive(Default)]
struct Round {
    refused: usize,
    last_refused: bool,
    unready: bool,
}

impl Traced {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("nuee");
        let program = Program::new(&script, &[]).unwrap();
        let key = (String::new(), String::new());
        let mut traced =
            Self { _directory: directory, script, program, key, possible: BTreeMap::new(), written: 0 };
        let running = traced.up(None).unwrap();
        let (id, secret) = running.key().unwrap();
        traced.key = (id.to_owned(), secret.to_owned());
        assert_eq!(traced.client(&running).put("/bucket", "").unwrap().status, 200);
        traced
    }

    /// Starts the program; what `fault` names fails.
    fn up(&self, fault: Option<&str>) -> anyhow::Result<Running> {
        let binary = env!("CARGO_BIN_EXE_nuee-under-test");
        let mut traced = String::new();
        if let Some(fault) = fault {
            let data = self.program.data();
            let files =
                ["", "-wal", "-shm"].map(|end| format!("-P '{}/metadata.sqlite{end}' ", data.display()));
            // The tracer is the grandchild, so that what is killed is the program itself.
            traced =
                format!("strace -D -f -qq -o '{}' {} -e {fault} ", self.trace().display(), files.concat());
        }
        fs::write(&self.script, format!("#!/bin/sh\nexec {traced}'{binary}' \"$@\"\n")).unwrap();
        fs::set_permissions(&self.script, fs::Permissions::from_mode(0o700)).unwrap();
        // One that was killed leaves it.
        let _ = fs::remove_file(self.program.path("ready"));
        self.program.up()
    }

    fn trace(&self) -> std::path::PathBuf {
        self.program.path("trace")
    }

    fn client(&self, running: &Running) -> Client {
        Client::new(running.address(), &self.key.0, &self.key.1)
    }

    /// Uploads and deletes, new objects and old ones.
    fn load(&mut self, running: &Running) -> Round {
        let (mut client, mut round) = (self.client(running), Round::default());
        for index in 0..24 {
            self.written += 1;
            let name = if index % 2 == 0 { self.written } else { index };
            let (path, content) = (format!("/bucket/{name}"), self.written.to_le_bytes());
            let (answer, after) = if index % 6 == 5 {
                (client.delete(&path).unwrap(), None)
            } else {
                (client.put(&path, content).unwrap(), Some(sha256(&content)))
            };
            round.last_refused = !matches!(answer.status, 200 | 204);
            let possible = self.possible.entry(path).or_insert_with(|| vec![None]);
            if round.last_refused {
                assert!(matches!(answer.status, 500 | 503), "{}: {}", answer.status, answer.text());
                round.refused += 1;
            } else {
                possible.clear();
            }
            possible.push(after);
        }
        round.unready = !self.is_ready();
        round
    }

    fn is_ready(&self) -> bool {
        let told: serde_json::Value =
            serde_json::from_slice(&fs::read(self.program.path("ready")).unwrap()).unwrap();
        let address = told["admin"].as_str().unwrap().trim_start_matches("http://").parse().unwrap();
        let mut wire = Wire::open(address).unwrap();
        wire.write(format!("GET /health/ready HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).unwrap();
        wire.read(false).unwrap().status == 200
    }

    /// Each object is what it may be.
    fn check(&self, running: &Running, moment: &str) {
        let mut client = self.client(running);
        for (path, possible) in &self.possible {
            let answer = client.get(path).unwrap();
            assert!(matches!(answer.status, 200 | 404), "{moment}: {path}: {}", answer.text());
            let found = (answer.status == 200).then(|| sha256(&answer.body));
            assert!(possible.contains(&found), "{moment}: {path} is lost or altered: {}", answer.status);
        }
    }
}

/// Calls on the files of metadata, and which of them fail, counted in each thread: once, or from then on.
const METADATA_FAULTS: [(&str, &[&str]); 3] = [
    ("fdatasync,fsync", &["1", "2", "3", "4", "6+", "9", "13", "21+"]),
    ("write,pwrite64", &["1", "2", "4", "8", "16+", "32", "64", "128+"]),
    ("ftruncate,fallocate", &["1", "2+"]),
];

#[test]
fn a_failing_disk_of_metadata_loses_nothing_acknowledged() {
    let mut traced = Traced::start();
    for (calls, numbers) in METADATA_FAULTS {
        let (mut refused, mut unstarted, mut injected) = (0, 0, 0);
        for number in numbers {
            let moment = format!("{calls}, number {number}");
            match traced.up(Some(&format!("inject={calls}:error=EIO:when={number}"))) {
                Ok(running) => {
                    let round = traced.load(&running);
                    traced.check(&running, &moment);
                    assert_eq!(round.unready, round.last_refused, "{moment}: health tells what writes meet");
                    refused += round.refused;
                }
                // It may well say that it cannot begin.
                Err(_) => unstarted += 1,
            }
            injected += fs::read_to_string(traced.trace()).unwrap_or_default().matches("(INJECTED)").count();
            let running = traced.up(None).unwrap();
            traced.check(&running, &format!("{moment}, started again"));
            assert_eq!(traced.load(&running).refused, 0, "{moment}: the server does not recover");
            traced.check(&running, &format!("{moment}, recovered"));
            // Killed, so that the next start finds a log.
        }
        println!("{calls}: {injected} failed, {refused} writes were refused, {unstarted} starts failed");
        assert!(injected > 0, "{calls}: the faults did not reach the metadata");
        assert!(refused > 0 || !calls.contains("sync"), "{calls}: no write met a fault");
    }
    assert_eq!(traced.program.verify().unwrap()["damaged"], 0);
}
