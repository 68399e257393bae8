//! Any call to the disk may fail: what was acknowledged is there after a reopening, and the site goes on.

use std::io;

use nuee_base::{BlobId, ErrorKind};

use super::{Bench, body, fresh_id, small_options, write_file};
use crate::{DirectorySite, FaultPlan, Locator, Operation, Options, Result};

type Acknowledged = Vec<(BlobId, Locator, Vec<u8>)>;

fn faulty_options(plan: &FaultPlan) -> Options {
    Options { faults: Some(plan.clone()), ..small_options() }
}

/// Small blobs through several segments, large ones, a deletion and a compaction; errors are allowed everywhere.
fn work(bench: &Bench, seed: usize) -> Acknowledged {
    let mut kept: Acknowledged = Vec::new();
    for round in 0..4 {
        let bodies: Vec<_> = (0..6).map(|n| body(seed + round * 10 + n, 6_000)).collect();
        let results = bench.put_all(&bodies);
        kept.extend(results.into_iter().zip(bodies).filter_map(|(result, body)| {
            let (id, locator) = result.ok()?;
            Some((id, locator, body))
        }));
        let (id, large) = (fresh_id(), body(seed + round * 10 + 9, 100_000));
        if let Ok(locator) = write_file(bench.site(), id, &large) {
            kept.push((id, locator, large));
        }
    }
    kept
}

/// Deletes every other small blob, and compacts what that leaves.
fn reclaim(site: &DirectorySite, kept: &mut Acknowledged) {
    let mut small = 0;
    kept.retain(|(id, locator, _)| {
        small += usize::from(locator.segment_number().is_some());
        let doomed = locator.segment_number().is_some() && !small.is_multiple_of(3);
        // A deletion that failed may or may not have happened: nothing is expected of it.
        !(doomed && site.delete(*id, locator).map_or(true, |_| true))
    });
    while let Some(number) = site.compaction_candidate() {
        let Ok(moved) = site.relocate(number) else { return };
        for (id, _, new) in moved {
            if let Some(blob) = kept.iter_mut().find(|(other, ..)| *other == id) {
                blob.1 = new;
            }
        }
        if site.drop_segment(number).is_err() {
            return;
        }
    }
}

fn check(bench: &Bench, kept: &Acknowledged, what: &str) {
    for (id, locator, body) in kept {
        assert!(
            bench.read(*id, locator).is_ok_and(|found| &found == body),
            "{what}: lost {id} at {locator:?}"
        );
    }
    let (found, errors) = bench.walk();
    assert!(errors.is_empty(), "{what}: {errors:?}");
    for (id, locator, _) in kept {
        assert!(found.contains(&(*id, *locator)), "{what}: the walk does not tell {id}");
    }
}

#[test]
fn a_fault_at_any_call_acknowledges_nothing_that_is_lost() {
    let quiet = FaultPlan::default();
    let bench = Bench::new(faulty_options(&quiet));
    reclaim(bench.site(), &mut work(&bench, 0));
    drop(bench);
    let kinds = [io::ErrorKind::Other, io::ErrorKind::StorageFull];
    for operation in Operation::ALL {
        assert!(quiet.calls(operation) > 0, "{operation:?} is never called: the test sees nothing of it");
        for nth in 1..=quiet.calls(operation) {
            let plan = FaultPlan::default();
            let mut bench = Bench::new(faulty_options(&plan));
            plan.fail_nth(operation, nth, kinds[usize::try_from(nth % 2).unwrap()]);
            let mut kept = work(&bench, 0);
            reclaim(bench.site(), &mut kept);
            plan.heal();
            let what = format!("{operation:?} number {nth}");
            check(&bench, &kept, &what);
            kept.extend(work(&bench, 100));
            assert!(kept.len() >= 28, "{what}: the site does not go on");
            bench.reopen();
            check(&bench, &kept, &format!("{what}, reopened"));
        }
    }
}

#[test]
fn after_a_failed_sync_the_segment_takes_nothing_more() {
    let plan = FaultPlan::default();
    let bench = Bench::new(faulty_options(&plan));
    let (first, first_locator) = bench.put(&body(1, 100)).unwrap();
    plan.fail_nth(Operation::SyncFile, 1, io::ErrorKind::Other);
    assert_eq!(bench.put(&body(2, 100)).unwrap_err().kind(), ErrorKind::Unavailable);
    let (_, third_locator) = bench.put(&body(3, 100)).unwrap();
    assert_ne!(first_locator.segment_number(), third_locator.segment_number());
    assert_eq!(bench.read(first, &first_locator).unwrap(), body(1, 100));
}

#[test]
fn a_failed_group_is_refused_to_everybody_in_it() {
    let plan = FaultPlan::default();
    let bench = Bench::new(faulty_options(&plan));
    plan.fail_all(Operation::SyncFile, io::ErrorKind::Other);
    let bodies: Vec<_> = (0..50).map(|n| body(n, 100)).collect();
    assert!(bench.put_all(&bodies).iter().all(Result::is_err));
    plan.heal();
    assert!(bench.put_all(&bodies).iter().all(Result::is_ok));
}

#[test]
fn every_step_to_durability_is_waited_for() {
    let large = [Operation::SyncFile, Operation::Rename, Operation::SyncDirectory];
    let small = [Operation::SyncFile, Operation::SyncDirectory];
    for operation in large {
        let plan = FaultPlan::default();
        let mut bench = Bench::new(faulty_options(&plan));
        plan.fail_all(operation, io::ErrorKind::Other);
        assert!(write_file(bench.site(), fresh_id(), &body(1, 1_000)).is_err(), "{operation:?}");
        plan.heal();
        bench.reopen();
        assert_eq!(bench.walk().0, [], "{operation:?}");
    }
    for operation in small {
        let plan = FaultPlan::default();
        let bench = Bench::new(faulty_options(&plan));
        plan.fail_all(operation, io::ErrorKind::Other);
        assert!(bench.put(&body(1, 1_000)).is_err(), "{operation:?}");
    }
}

#[test]
fn both_directories_of_a_large_blob_are_synced() {
    let plan = FaultPlan::default();
    let bench = Bench::new(faulty_options(&plan));
    let before = plan.calls(Operation::SyncDirectory);
    write_file(bench.site(), fresh_id(), &body(1, 1_000)).unwrap();
    assert_eq!(
        plan.calls(Operation::SyncDirectory) - before,
        2,
        "the new directory's parent, and the directory"
    );
}

#[test]
fn a_large_blob_that_failed_once_is_never_finished() {
    let plan = FaultPlan::default();
    let bench = Bench::new(faulty_options(&plan));
    let mut writer = bench.site().create(fresh_id()).unwrap();
    plan.fail_nth(Operation::Write, 1, io::ErrorKind::StorageFull);
    assert_eq!(writer.write(&body(1, 1_000)).unwrap_err().kind(), ErrorKind::LimitExceeded);
    assert!(writer.write(&body(1, 1_000)).is_err());
    assert!(writer.finish().is_err());
    assert_eq!(bench.walk().0, []);
}

#[test]
fn an_opening_that_fails_can_be_repeated() {
    let directory = tempfile::TempDir::new().unwrap();
    let deep = directory.path().join("a/b");
    let quiet = FaultPlan::default();
    drop(DirectorySite::open(&directory.path().join("quiet"), faulty_options(&quiet)).unwrap());
    for operation in Operation::ALL {
        for nth in 1..=quiet.calls(operation) {
            let plan = FaultPlan::default();
            let path = deep.join(format!("{operation:?}-{nth}"));
            plan.fail_nth(operation, nth, io::ErrorKind::Other);
            let first = DirectorySite::open(&path, faulty_options(&plan));
            assert!(first.is_err(), "{operation:?} number {nth} was ignored");
            DirectorySite::open(&path, faulty_options(&plan)).unwrap();
        }
    }
}
