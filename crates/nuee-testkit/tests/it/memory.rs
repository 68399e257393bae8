//! Memory does not grow with what is stored and read. `NUEE_MEMORY_TEST_GIB` says how much of both; 1 without it.

use std::{env, thread};

use nuee_testkit::{Client, Program, Running};

const MOST_GROWTH_BYTES: u64 = 64 << 20;
const CLIENTS: u64 = 4;
const LARGE: usize = 8 << 20;
const SMALL: usize = 64 << 10;

/// Stores and reads large objects and small ones, `bytes` of both together.
fn work(client: &mut Client, number: u64, bytes: u64) {
    let (large, small) = (vec![number as u8; LARGE], vec![number as u8; SMALL]);
    let mut moved = 0;
    for round in 0_u64.. {
        if moved >= bytes {
            return;
        }
        // Over the same few keys, so that space is given back meanwhile.
        let slot = round % 4;
        for (name, content) in [("large", &large), ("small", &small)] {
            let path = format!("/bucket/{name}-{number}-{slot}");
            let stored = client.put(&path, content.clone()).unwrap();
            assert_eq!(stored.status, 200, "{}", stored.text());
            let found = client.get(&path).unwrap();
            assert!(found.status == 200 && found.body == *content, "{}", found.status);
            moved += 2 * content.len() as u64;
        }
    }
}

fn move_bytes(running: &Running, bytes: u64) {
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            scope.spawn(move || work(&mut running.client().unwrap(), number, bytes / CLIENTS));
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
    for _ in 0..gib * 8 {
        move_bytes(&running, 128 << 20);
        most = most.max(running.resident_bytes().unwrap());
    }
    println!("{gib} GiB: {} MiB at the start, {} MiB at most", before >> 20, most >> 20);
    assert!(most - before <= MOST_GROWTH_BYTES, "memory grew by {} MiB", (most - before) >> 20);
    running.stop().unwrap();
}
