//! Memory grows neither with the bytes that are stored and read nor with the number of requests. `NUEE_MEMORY_TEST_GIB`
//! says how much of both; 1 without it.

use std::{env, thread};

use nuee_testkit::{Client, Program, Running};

const MOST_GROWTH_BYTES: u64 = 64 << 20;
const CLIENTS: u64 = 4;
const LARGE: usize = 8 << 20;
const SMALL: usize = 64 << 10;
const TINY: usize = 4 << 10;
/// Each round moves so many bytes, and then makes so many requests for tiny objects.
const ROUNDS_A_GIB: u64 = 8;
const ROUND_BYTES: u64 = (1 << 30) / ROUNDS_A_GIB;
const ROUND_REQUESTS: u64 = 5_000;
/// In a run of the default length, a leak of this much with every request is seen.
const SEEN_LEAK_BYTES: u64 = 2 << 10;
const _: () = assert!(ROUNDS_A_GIB * ROUND_REQUESTS * SEEN_LEAK_BYTES > MOST_GROWTH_BYTES);

/// Stores and reads an object.
fn put_and_get(client: &mut Client, path: &str, content: &[u8]) {
    let stored = client.put(path, content).unwrap();
    assert_eq!(stored.status, 200, "{}", stored.text());
    let found = client.get(path).unwrap();
    assert!(found.status == 200 && found.body == content, "{}", found.status);
}

/// Stores and reads large objects and small ones, `bytes` of both together.
fn move_bytes(client: &mut Client, number: u64, bytes: u64) {
    let (large, small) = (vec![number as u8; LARGE], vec![number as u8; SMALL]);
    let mut moved = 0;
    for round in 0_u64.. {
        if moved >= bytes {
            return;
        }
        // Over the same few keys, so that space is given back meanwhile.
        let slot = round % 4;
        for (name, content) in [("large", &large), ("small", &small)] {
            put_and_get(client, &format!("/bucket/{name}-{number}-{slot}"), content);
            moved += 2 * content.len() as u64;
        }
    }
}

/// Stores, reads, lists and deletes tiny objects, with `requests` in all.
fn make_requests(client: &mut Client, number: u64, requests: u64) {
    let content = vec![number as u8; TINY];
    for index in 0..requests / 4 {
        let path = format!("/bucket/tiny-{number}-{}", index % 16);
        put_and_get(client, &path, &content);
        assert!(client.list("/bucket").unwrap().iter().any(|key| path.ends_with(key.as_str())));
        assert_eq!(client.delete(&path).unwrap().status, 204);
    }
}

fn round(running: &Running) {
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            scope.spawn(move || {
                let mut client = running.client().unwrap();
                move_bytes(&mut client, number, ROUND_BYTES / CLIENTS);
                make_requests(&mut client, number, ROUND_REQUESTS / CLIENTS);
            });
        }
    });
}

#[test]
fn memory_stays_bounded() {
    let gib: u64 = env::var("NUEE_MEMORY_TEST_GIB").map_or(1, |text| text.parse().unwrap());
    let program = Program::new(env!("CARGO_BIN_EXE_nuee-under-test"), &[]).unwrap();
    let running = program.up().unwrap();
    assert_eq!(running.client().unwrap().put("/bucket", "").unwrap().status, 200);
    let before = running.resident_bytes().unwrap();
    let mut most = before;
    for _ in 0..gib * ROUNDS_A_GIB {
        round(&running);
        most = most.max(running.resident_bytes().unwrap());
    }
    println!("{gib} GiB: {} MiB at the start, {} MiB at most", before >> 20, most >> 20);
    assert!(most - before <= MOST_GROWTH_BYTES, "memory grew by {} MiB", (most - before) >> 20);
    running.stop().unwrap();
}
