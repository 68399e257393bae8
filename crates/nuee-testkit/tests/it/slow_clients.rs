//! Two thousand clients that send next to nothing: the others are served as before, and memory stays where it was.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use nuee_testkit::{Program, Running, Wire, signer::Draft};

/// Half of them never finish a head, half never finish a body.
const SLOW: usize = 2_000;
const BETWEEN_BYTES: Duration = Duration::from_millis(500);
const CLIENTS: usize = 4;
const REQUESTS: usize = 250;
const MOST_GROWTH_BYTES: u64 = 64 << 20;

/// A connection that does not get on, and the bytes that it will still send, one at a time.
struct Slow {
    wire: Wire,
    rest: Vec<u8>,
}

fn begin(running: &Running) -> Vec<Slow> {
    let signer = running.client().unwrap().signer();
    let begin = |index: usize| {
        let draft = Draft::put(&format!("/bucket/slow-{index}"), vec![b'x'; 300 << 10]);
        let bytes = signer.header(draft).to_bytes();
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let sent = if index.is_multiple_of(2) { 20 } else { head + 100 };
        let mut wire = Wire::open(running.address()).unwrap();
        wire.write(&bytes[..sent]).unwrap();
        Slow { wire, rest: bytes[sent..sent + 100].to_vec() }
    };
    (0..SLOW).map(begin).collect()
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
    times
}

fn tell(name: &str, times: &[Duration]) {
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    println!("{name}: p50 {:?}, p99 {:?}, longest {:?}", at(50), at(99), at(100));
}

#[test]
fn two_thousand_slow_connections_hinder_nobody() {
    nuee_web::raise_open_file_limit().unwrap();
    let limits =
        [("NUEE_LIMITS__HEADER_TIMEOUT_SECONDS", "5"), ("NUEE_LIMITS__BODY_STALL_TIMEOUT_SECONDS", "5")];
    let program = Program::new(env!("CARGO_BIN_EXE_nuee-under-test"), &limits).unwrap();
    let running = program.up().unwrap();
    assert_eq!(running.client().unwrap().put("/bucket", "").unwrap().status, 200);
    tell("alone", &work(&running, "alone"));
    let before = running.resident_bytes().unwrap();

    let mut slow = begin(&running);
    let (stop, stopped) = mpsc::channel::<()>();
    let trickling = thread::spawn(move || {
        while stopped.recv_timeout(BETWEEN_BYTES) == Err(RecvTimeoutError::Timeout) {
            for each in &mut slow {
                if let Some(byte) = each.rest.pop() {
                    // Those whose time is over are cut.
                    let _ = each.wire.write(&[byte]);
                }
            }
        }
        slow
    });
    tell("beside 2,000 slow connections", &work(&running, "beside"));
    let growth = running.resident_bytes().unwrap().saturating_sub(before);
    println!("memory: {} MiB, and {} MiB more with them", before >> 20, growth >> 20);
    assert!(growth <= MOST_GROWTH_BYTES, "memory grew by {growth} bytes");
    drop(stop);

    // Each is answered, or cut: none stays.
    for mut each in trickling.join().unwrap() {
        let answer = each.wire.read(false);
        assert!(answer.as_ref().map_or(true, |answer| answer.status >= 400), "{answer:?}");
    }
    let mut client = running.client().unwrap();
    let listed = client.list("/bucket").unwrap();
    assert_eq!(listed.len(), 2 * CLIENTS * REQUESTS, "a slow upload was stored");
    running.stop().unwrap();
    assert_eq!(program.verify().unwrap()["damaged"], 0);
}

/// Uploads that stop when much has come, and how much of each.
const STOPPED: usize = 400;
const COME: usize = 1_200_000;
/// What each may hold: a chunk, what its connection reads ahead, and what the allocator keeps of both.
const MOST_EACH_BYTES: u64 = 800 << 10;

#[test]
fn uploads_that_stop_in_the_middle_take_little_memory() {
    nuee_web::raise_open_file_limit().unwrap();
    let program = Program::new(env!("CARGO_BIN_EXE_nuee-under-test"), &[]).unwrap();
    let running = program.up().unwrap();
    let mut client = running.client().unwrap();
    assert_eq!(client.put("/bucket", "").unwrap().status, 200);
    let before = running.resident_bytes().unwrap();
    let signer = client.signer();
    let mut stopped = Vec::new();
    for index in 0..STOPPED {
        let draft = Draft::put(&format!("/bucket/stopped-{index}"), vec![b'x'; 5 << 20]);
        let bytes = signer.header(draft).to_bytes();
        let mut wire = Wire::open(running.address()).unwrap();
        wire.write(&bytes[..COME]).unwrap();
        stopped.push(wire);
    }
    // Others are served meanwhile, large uploads among them.
    for round in 0..4 {
        let content = vec![round; 3 << 20];
        assert_eq!(client.put("/bucket/beside", content.clone()).unwrap().status, 200);
        assert!(client.get("/bucket/beside").unwrap().body == content);
    }
    let growth = running.resident_bytes().unwrap().saturating_sub(before);
    println!("{STOPPED} uploads that stopped: {} MiB more", growth >> 20);
    assert!(growth <= STOPPED as u64 * MOST_EACH_BYTES, "memory grew by {growth} bytes");
    drop(stopped);
    running.stop().unwrap();
}
