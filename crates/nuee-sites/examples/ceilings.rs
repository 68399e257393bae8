//! Measures a site on the disk of the directory given as argument (or here): small blobs, where files begin to win over
//! segments, large blobs, reads, and opening.
//!
//! `cargo run --release -p nuee-sites --example ceilings -- /path/on/the/disk [small|crossover|large|read|open]`
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement for whoever runs it")]
#![expect(clippy::cast_precision_loss, reason = "figures to look at")]

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use nuee_base::{BlobId, Environment};
use nuee_sites::{DirectorySite, Locator, Options};
use tokio::runtime::Builder;

const PRODUCERS: usize = 16;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().unwrap_or_else(|| ".".to_owned());
    let wanted = arguments.next();
    let parent = Path::new(&directory).join("nuee-ceilings");
    for (name, measure) in MEASURES {
        if wanted.as_deref().is_none_or(|wanted| wanted == *name) {
            measure(&parent);
            let _ = std::fs::remove_dir_all(&parent);
        }
    }
}

type Measure = fn(&Path);
const MEASURES: &[(&str, Measure)] =
    &[("small", small), ("crossover", crossover), ("large", large), ("read", read), ("open", open)];

fn small(parent: &Path) {
    for zero_fill_segments in [false, true, false, true] {
        let options = Options { zero_fill_segments, ..Options::default() };
        let site = DirectorySite::open(&parent.join(zero_fill_segments.to_string()), options).unwrap();
        let (rate, latencies, _) = put_small(&site, 4_304, Duration::from_secs(4));
        println!("put 4,304 bytes, 16 producers, zeros ahead {zero_fill_segments}: {rate:.0}/s, {latencies}");
    }
}

fn crossover(parent: &Path) {
    for kib in [16, 64, 128, 256, 512, 1_024] {
        let options = Options { small_blob_max_bytes: 1 << 20, ..Options::default() };
        let site = DirectorySite::open(&parent.join(kib.to_string()), options).unwrap();
        let (segment, segment_latencies, _) = put_small(&site, kib << 10, Duration::from_secs(3));
        let (file, file_latencies, _) = put_files(&site, (kib << 10, PRODUCERS), Duration::from_secs(3));
        println!(
            "{kib} KiB, 16 producers: segment {segment:.0}/s ({segment_latencies}), file {file:.0}/s ({file_latencies})"
        );
        drop(site);
        std::fs::remove_dir_all(parent).unwrap();
    }
}

fn large(parent: &Path) {
    let site = DirectorySite::open(parent, Options::default()).unwrap();
    for writers in [1, 4, 4] {
        let (rate, latencies, blobs) = put_files(&site, (8 << 20, writers), Duration::from_secs(4));
        println!("write 8 MiB, {writers} writers: {:.0} MB/s, {latencies}", rate * 8.388_608);
        let start = Instant::now();
        let mut buffer = vec![0; 1 << 20];
        let mut cached = 0;
        for (id, locator) in &blobs {
            let reader = site.open_blob(*id, locator).unwrap();
            for step in 0..8 {
                cached += usize::from(reader.read_cached(step << 20, &mut buffer).unwrap());
            }
        }
        let rate = blobs.len() as f64 * 8.388_608 / start.elapsed().as_secs_f64();
        println!("  read back {rate:.0} MB/s, {cached} of {} steps from the page cache", blobs.len() * 8);
        for (id, locator) in &blobs {
            site.delete(*id, locator).unwrap();
        }
    }
}

fn read(parent: &Path) {
    let site = DirectorySite::open(parent, Options::default()).unwrap();
    let (_, _, blobs) = put_small(&site, 4_304, Duration::from_secs(2));
    for threads in [1, 2] {
        let start = Instant::now();
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let mut buffer = vec![0; 4_304];
                    for (id, locator) in &blobs {
                        assert!(site.open_blob(*id, locator).unwrap().read_cached(0, &mut buffer).unwrap());
                    }
                });
            }
        });
        let rate = (blobs.len() * threads) as f64 / start.elapsed().as_secs_f64();
        println!("open and read 4,304 cached bytes, {threads} threads: {rate:.0}/s");
    }
    let start = Instant::now();
    for (id, locator) in &blobs {
        site.delete(*id, locator).unwrap();
    }
    println!("delete: {:.0}/s", blobs.len() as f64 / start.elapsed().as_secs_f64());
}

fn open(parent: &Path) {
    let site = DirectorySite::open(parent, Options::default()).unwrap();
    while site.usage().unwrap().segments < 100 {
        put_small(&site, 8 << 10, Duration::from_secs(1));
    }
    let usage = site.usage().unwrap();
    drop(site);
    let start = Instant::now();
    let site = DirectorySite::open(parent, Options::default()).unwrap();
    println!(
        "open {} segments of {} MB: {:?}",
        usage.segments,
        usage.live_bytes / 1_000_000,
        start.elapsed()
    );
    put_small(&site, 4_304, Duration::from_secs(2));
    // As after a crash: nothing is closed.
    let copy = parent.with_extension("crashed");
    let status = std::process::Command::new("cp").arg("-a").arg(parent).arg(&copy).status().unwrap();
    assert!(status.success());
    let start = Instant::now();
    DirectorySite::open(&copy, Options::default()).unwrap();
    println!("open them after a crash: {:?}, closing included", start.elapsed());
    std::fs::remove_dir_all(copy).unwrap();
}

type Measured = (f64, String, Vec<(BlobId, Locator)>);

fn put_small(site: &DirectorySite, length: usize, time: Duration) -> Measured {
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let body = Bytes::from(noise(length));
    let start = Instant::now();
    let tasks: Vec<_> = (0..PRODUCERS)
        .map(|_| {
            let (site, body) = (site.clone(), body.clone());
            runtime.spawn(async move {
                let environment = Environment::system();
                let mut done = Vec::new();
                while start.elapsed() < time {
                    let (id, began) = (BlobId::generate(&environment), Instant::now());
                    let locator = site.put(id, body.clone()).await.unwrap();
                    done.push((id, locator, began.elapsed()));
                }
                done
            })
        })
        .collect();
    let done: Vec<_> = tasks.into_iter().flat_map(|task| runtime.block_on(task).unwrap()).collect();
    summary(done, start.elapsed())
}

fn put_files(site: &DirectorySite, (length, writers): (usize, usize), time: Duration) -> Measured {
    let body = noise(length.min(1 << 20));
    let start = Instant::now();
    let done = thread::scope(|scope| {
        let writers: Vec<_> = (0..writers)
            .map(|_| {
                scope.spawn(|| {
                    let environment = Environment::system();
                    let mut done = Vec::new();
                    while start.elapsed() < time {
                        let (id, began) = (BlobId::generate(&environment), Instant::now());
                        let mut writer = site.create(id).unwrap();
                        for _ in 0..length / body.len() {
                            writer.write(&body).unwrap();
                        }
                        done.push((id, writer.finish().unwrap(), began.elapsed()));
                    }
                    done
                })
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect::<Vec<_>>()
    });
    summary(done, start.elapsed())
}

fn summary(done: Vec<(BlobId, Locator, Duration)>, elapsed: Duration) -> Measured {
    let mut latencies: Vec<_> = done.iter().map(|(_, _, latency)| *latency).collect();
    latencies.sort_unstable();
    let at = |percent: usize| latencies[(latencies.len() * percent / 1_000).min(latencies.len() - 1)];
    let text = format!("p50 {:?} p99 {:?} max {:?}", at(500), at(990), at(1_000));
    let rate = done.len() as f64 / elapsed.as_secs_f64();
    (rate, text, done.into_iter().map(|(id, locator, _)| (id, locator)).collect())
}

/// Bytes that no layer below can compress.
fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    Environment::system().fill_random(&mut bytes);
    bytes
}
