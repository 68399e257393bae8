//! Clients that send or take next to nothing, thousands of them: the others are served as before, memory stays bounded,
//! and each slow one is told, cut or, when it goes on after all, served.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use http::Method;
use nuee_testkit::{Program, Running, Wire, signer::Draft};

const BETWEEN_BYTES: Duration = Duration::from_millis(500);
const CLIENTS: usize = 4;
const REQUESTS: usize = 250;
/// The size of a body that is held in memory, if there is room.
const SMALL_BYTES: usize = (128 << 10) - 1;
/// What a connection may take for its state.
const CONNECTION_BYTES: u64 = 64 << 10;
/// What it may take to read, once much was sent, with what the allocator keeps of that.
const READ_BYTES: u64 = 256 << 10;
/// What is held of a body that streams and waits for its client, at most.
const CHUNK_BYTES: u64 = 64 << 10;
/// What one slow upload may take.
const UPLOAD_BYTES: u64 = CHUNK_BYTES + READ_BYTES + CONNECTION_BYTES;
/// What all bodies that are held in memory may take together.
const BODY_ROOM_BYTES: u64 = 32 << 20;
/// What all steps of large uploads may take together.
const STEPS_BYTES: u64 = 64 << 20;

/// Where a client does not get on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Slow {
    Head,
    SmallBody,
    LargeBody,
}

/// How a connection ended.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Answered(u16, String),
    HungUp,
}

/// A connection that does not get on, and the bytes that it could still send.
struct Connection {
    slow: Slow,
    wire: Wire,
    rest: Vec<u8>,
}

impl Connection {
    /// Sends all of a head or of a small body but a little, or half of a large body.
    fn begin(running: &Running, slow: Slow, index: usize) -> Self {
        let size = if slow == Slow::LargeBody { 3 << 20 } else { SMALL_BYTES };
        let draft = Draft::put(&format!("/bucket/{slow:?}-{index}"), vec![index as u8; size]);
        let mut bytes = running.client().unwrap().signer().header(draft).to_bytes();
        let left = match slow {
            Slow::Head => size + 100,
            Slow::SmallBody => 100,
            Slow::LargeBody => size / 2,
        };
        let rest = bytes.split_off(bytes.len() - left);
        let mut wire = Wire::open(running.address()).unwrap();
        wire.write(&bytes).unwrap();
        Self { slow, wire, rest }
    }

    fn end(mut self) -> (Slow, End) {
        let end = match self.wire.read(false) {
            Ok(answer) => End::Answered(answer.status, answer.code()),
            Err(error) => {
                let gone = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset].contains(&error.kind());
                assert!(gone, "{:?}: {error}", self.slow);
                End::HungUp
            }
        };
        (self.slow, end)
    }
}

fn start(limits: &[(&str, &str)]) -> (Program, Running) {
    nuee_web::raise_open_file_limit().unwrap();
    let program = Program::new(env!("CARGO_BIN_EXE_nuee-under-test"), limits).unwrap();
    let running = program.up().unwrap();
    assert_eq!(running.client().unwrap().put("/bucket", "").unwrap().status, 200);
    (program, running)
}

/// What well-behaved clients wait for each of their requests, sorted. All of them must succeed.
fn work(running: &Running, round: &str) -> Vec<Duration> {
    let client = |number: usize| {
        let mut client = running.client().unwrap();
        let mut times = Vec::with_capacity(2 * REQUESTS);
        for index in 0..REQUESTS {
            let (path, content) = (format!("/bucket/{round}-{number}-{index}"), vec![number as u8; 4_096]);
            let begun = Instant::now();
            let stored = client.put(&path, content.clone()).unwrap();
            times.push(begun.elapsed());
            assert_eq!(stored.status, 200, "{}", stored.text());
            let begun = Instant::now();
            let found = client.get(&path).unwrap();
            times.push(begun.elapsed());
            assert!(found.status == 200 && found.body == content, "{}", found.status);
        }
        times
    };
    let client = &client;
    let mut times: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = (0..CLIENTS).map(|number| scope.spawn(move || client(number))).collect();
        running.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    println!("{round}: p50 {:?}, p99 {:?}, longest {:?}", at(50), at(99), at(100));
    times
}

/// Demands that the server's memory grew by at most so much.
fn bounded(running: &Running, before: u64, most: u64, what: &str) {
    let growth = running.resident_bytes().unwrap().saturating_sub(before);
    println!("{what}: {} MiB, and {} MiB more of {} allowed", before >> 20, growth >> 20, most >> 20);
    assert!(growth <= most, "{what}: memory grew by {growth} bytes, more than {most}");
}

#[test]
fn two_thousand_slow_connections_hinder_nobody() {
    // Heads come last, so that their time is not over before the others are there.
    const SLOW: [(Slow, usize); 3] = [(Slow::LargeBody, 500), (Slow::SmallBody, 500), (Slow::Head, 1_000)];
    let (program, running) = start(&[
        ("NUEE_LIMITS__HEADER_TIMEOUT_SECONDS", "5"),
        ("NUEE_LIMITS__BODY_STALL_TIMEOUT_SECONDS", "5"),
    ]);
    work(&running, "alone");
    let before = running.resident_bytes().unwrap();

    let begin = |(slow, count)| (0..count).map(move |index| (slow, index));
    let begin = SLOW.into_iter().flat_map(begin);
    let mut slow: Vec<_> = begin.map(|(slow, index)| Connection::begin(&running, slow, index)).collect();
    let (stop, stopped) = mpsc::channel::<()>();
    let trickling = thread::spawn(move || {
        let mut at = 0;
        while stopped.recv_timeout(BETWEEN_BYTES) == Err(RecvTimeoutError::Timeout) {
            for each in &mut slow {
                // Those whose time is over are cut. Bodies never come to their end.
                let _ = each.wire.write(&each.rest[at..=at]);
            }
            at = (at + 1).min(90);
        }
        slow
    });
    work(&running, "beside");
    let most = BODY_ROOM_BYTES + STEPS_BYTES + 1_000 * (UPLOAD_BYTES + CONNECTION_BYTES);
    bounded(&running, before, most, "2,000 slow connections");
    drop(stop);

    let mut ends = BTreeMap::<_, usize>::new();
    for each in trickling.join().unwrap() {
        *ends.entry(each.end()).or_default() += 1;
    }
    let told = || End::Answered(400, "RequestTimeout".to_owned());
    let expected =
        SLOW.map(|(slow, count)| ((slow, if slow == Slow::Head { End::HungUp } else { told() }), count));
    assert_eq!(ends, BTreeMap::from(expected));
    let listed = running.client().unwrap().list("/bucket").unwrap();
    assert_eq!(listed.len(), 2 * CLIENTS * REQUESTS, "a slow upload was stored");
    running.stop().unwrap();
    assert_eq!(program.verify().unwrap()["damaged"], 0);
}

/// Long enough for none to be cut before it is asked to go on.
const PATIENT: [(&str, &str); 2] =
    [("NUEE_LIMITS__BODY_STALL_TIMEOUT_SECONDS", "600"), ("NUEE_LIMITS__WRITE_STALL_TIMEOUT_SECONDS", "600")];

/// Whether so many bodies come to stream, each of which has a file.
fn stream(program: &Program, count: usize) -> bool {
    let until = Instant::now() + Duration::from_mins(1);
    let streaming = || fs::read_dir(program.data().join("site/incoming")).unwrap().count();
    while streaming() < count {
        if Instant::now() > until {
            return false;
        }
        thread::yield_now();
    }
    true
}

/// Uploads stop, and then, when others were served beside them, come to their end. All but `held` of them stream.
fn stop_and_go_on(slow: Slow, count: usize, held: usize, most: u64) {
    let (program, running) = start(&PATIENT);
    work(&running, "alone");
    let before = running.resident_bytes().unwrap();
    let stopped: Vec<_> = (0..count).map(|index| Connection::begin(&running, slow, index)).collect();
    work(&running, "beside");
    let mut client = running.client().unwrap();
    for round in 0..4 {
        let content = vec![round; 3 << 20];
        assert_eq!(client.put("/bucket/large", content.clone()).unwrap().status, 200);
        assert!(client.get("/bucket/large").unwrap().body == content);
    }
    assert!(stream(&program, count - held), "more than {held} are held in memory");
    bounded(&running, before, most, &format!("{count} that stopped in a {slow:?}"));
    for (index, mut each) in stopped.into_iter().enumerate() {
        each.wire.write(&each.rest).unwrap();
        assert_eq!(each.end(), (slow, End::Answered(200, String::new())));
        let found = client.get(&format!("/bucket/{slow:?}-{index}")).unwrap();
        assert!(found.status == 200 && found.body.iter().all(|byte| *byte == index as u8), "{index}");
    }
    running.stop().unwrap();
    assert_eq!(program.verify().unwrap()["damaged"], 0);
}

#[test]
fn small_bodies_that_stop_before_their_end_share_their_room() {
    const COUNT: usize = 2_000;
    let held = BODY_ROOM_BYTES as usize / SMALL_BYTES;
    stop_and_go_on(Slow::SmallBody, COUNT, held, BODY_ROOM_BYTES + COUNT as u64 * UPLOAD_BYTES);
}

#[test]
fn uploads_that_stop_in_the_middle_take_little_memory() {
    const COUNT: usize = 400;
    stop_and_go_on(Slow::LargeBody, COUNT, 0, BODY_ROOM_BYTES + STEPS_BYTES + COUNT as u64 * UPLOAD_BYTES);
}

/// Readers that stop, and what each may hold: a step, the next one, what its connection queues, and what the allocator
/// keeps of all that.
const READERS: usize = 1_000;
const READER_BYTES: u64 = 6 * CHUNK_BYTES + CONNECTION_BYTES;
/// What all steps larger than that may take together.
const LARGE_STEPS_BYTES: u64 = 64 << 20;

#[test]
fn readers_that_stop_in_the_middle_take_little_memory() {
    let (_program, running) = start(&PATIENT);
    let mut client = running.client().unwrap();
    let content: Vec<u8> = (0..8_u32 << 20).map(|index| (index / 251) as u8).collect();
    assert_eq!(client.put("/bucket/large", content.clone()).unwrap().status, 200);
    assert!(client.get("/bucket/large").unwrap().body == content);
    work(&running, "alone");
    let before = running.resident_bytes().unwrap();
    let read = |_| {
        let mut wire = Wire::open(running.address()).unwrap();
        let draft = client.signer().header(Draft::new(Method::GET, "/bucket/large"));
        wire.write(&draft.to_bytes()).unwrap();
        assert!(!wire.is_hung_up().unwrap(), "nothing came");
        wire
    };
    let stopped: Vec<_> = (0..READERS).map(read).collect();
    work(&running, "beside");
    assert!(client.get("/bucket/large").unwrap().body == content);
    bounded(
        &running,
        before,
        LARGE_STEPS_BYTES + READERS as u64 * READER_BYTES,
        "1,000 that stopped to read",
    );
    for mut wire in stopped.into_iter().step_by(READERS / 20) {
        assert!(wire.read(false).unwrap().body == content);
    }
    running.stop().unwrap();
}
