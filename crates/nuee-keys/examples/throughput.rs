//! What sealing and opening cost here: `cargo run --release -p nuee-keys --example throughput`.
//!
//! One thread, data in the processor's caches where they fit, no disk but for the custody's files.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement for whoever runs it")]
#![expect(clippy::cast_precision_loss, reason = "figures to look at")]

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use nuee_base::{BlobId, Environment, OrganisationId, ProjectId};
use nuee_keys::{
    BlobIdentity, DirectoryCustody, Error, HEADER_SIZE, KeyRing, Opener, ProjectKey, RowBuilder, Sealer,
};

/// How long each measurement lasts, at least.
const ENOUGH: Duration = Duration::from_millis(400);

/// Nanoseconds of one call.
fn nanoseconds(mut call: impl FnMut()) -> f64 {
    let (start, mut calls) = (Instant::now(), 0_u32);
    while start.elapsed() < ENOUGH {
        for _ in 0..8 {
            call();
        }
        calls += 8;
    }
    start.elapsed().as_nanos() as f64 / f64::from(calls)
}

fn report(what: &str, call: impl FnMut()) {
    println!("{what:<28} {:>9.0} ns", nanoseconds(call));
}

fn report_bytes(what: &str, size: usize, call: impl FnMut()) {
    let each = nanoseconds(call);
    println!("{what:<28} {each:>9.0} ns {:>7.2} GB/s", size as f64 / each);
}

fn blobs(environment: &Environment, key: &ProjectKey, identity: BlobIdentity) {
    for size in [4 << 10, 64 << 10, 1 << 20] {
        let plain = vec![7; size];
        let name = format!("{} KiB", size >> 10);
        report_bytes(&format!("seal {name}, key and header"), size, || {
            let (data_key, _) = key.fresh_data_key(environment, identity).unwrap();
            black_box(Sealer::new(data_key).seal_whole(black_box(&plain)).unwrap());
        });
        let (data_key, wrapped) = key.fresh_data_key(environment, identity).unwrap();
        let sealed = Sealer::new(data_key).seal_whole(&plain).unwrap();
        let (header, body) = sealed.split_at(HEADER_SIZE);
        let opener =
            || Opener::new(key.open_data_key(identity, &wrapped).unwrap(), &wrapped, header).unwrap();
        report_bytes(&format!("open {name}, key and copy"), size, || {
            black_box(opener().open_range(size as u64, &(0..size as u64), &mut body.to_vec()).unwrap());
        });
        // The copy stands for the read, which a caller pays anyway.
        report_bytes(&format!("copy {name}"), size, || {
            black_box(black_box(body).to_vec());
        });
        let opener = opener();
        report_bytes(&format!("open {name}, and copy"), size, || {
            black_box(opener.open_range(size as u64, &(0..size as u64), &mut body.to_vec()).unwrap());
        });
    }
}

fn main() {
    let environment = Environment::system();
    let directory = tempfile::tempdir().unwrap();
    let custody = DirectoryCustody::create(&directory.path().join("keys"), environment.clone()).unwrap();
    let ring = KeyRing::new(Arc::new(custody), environment.clone(), KeyRing::LIFETIME);
    let (organisation, project) = (OrganisationId::generate(&environment), ProjectId::generate(&environment));
    let identity = BlobIdentity { organisation, blob: BlobId::generate(&environment) };
    ring.create_organisation_key(organisation).unwrap();
    let wrapped = ring.create_project_key(organisation, project, 1).unwrap();
    let load = || Ok::<_, Error>(wrapped.clone());
    let key = ring.project_key(organisation, project, 1, load).unwrap();

    blobs(&environment, &key, identity);
    report("fresh data key", || {
        black_box(key.fresh_data_key(&environment, identity).unwrap());
    });
    let (_, data_key) = key.fresh_data_key(&environment, identity).unwrap();
    report("open data key", || {
        black_box(key.open_data_key(identity, &data_key).unwrap());
    });
    report("key ring, in memory", || {
        black_box(ring.project_key(organisation, project, 1, load).unwrap());
    });
    let secret = ring.wrap(organisation, b"place", &[7; 32]).unwrap();
    report("key ring, from the custody", || {
        black_box(ring.unwrap(organisation, b"place", &secret).unwrap());
    });
    let rows = ring.row_mac_key(organisation).unwrap();
    let field = [7; 300];
    report("code of a row of 300 bytes", || {
        black_box(RowBuilder::new("objects").bytes(black_box(&field)).mac(&rows));
    });
    let record = key.seal_record(&environment, "details", b"place", &field).unwrap();
    report("seal a record of 300 bytes", || {
        black_box(key.seal_record(&environment, "details", b"place", black_box(&field)).unwrap());
    });
    report("open a record of 300 bytes", || {
        black_box(key.open_record("details", b"place", black_box(&record)).unwrap());
    });
}
