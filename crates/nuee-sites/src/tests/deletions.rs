//! A deletion that was synced is durable, wherever it was made.

use std::io;

use super::{Bench, body, fresh_id, small_options, write_file};
use crate::{Deleted, FaultPlan, Operation, Options};

/// A site, and its calls to the disk.
fn counted() -> (Bench, FaultPlan) {
    let plan = FaultPlan::default();
    (Bench::new(Options { faults: Some(plan.clone()), ..small_options() }), plan)
}

/// How many files and directories the call synced.
fn synced(bench: &Bench, plan: &FaultPlan) -> (u64, u64) {
    let calls = || (plan.calls(Operation::SyncFile), plan.calls(Operation::SyncDirectory));
    let before = calls();
    bench.site().sync_deletions().unwrap();
    (calls().0 - before.0, calls().1 - before.1)
}

#[test]
fn every_place_of_a_deletion_is_synced_once() {
    let (mut bench, plan) = counted();
    let small: Vec<_> = (0..12).map(|n| bench.put(&body(n, 8_000)).unwrap()).collect();
    let large = fresh_id();
    let large_locator = write_file(bench.site(), large, &body(1, 100_000)).unwrap();
    bench.reopen();
    assert_eq!(bench.segment_files().len(), 2);
    assert_eq!(synced(&bench, &plan), (0, 0), "nothing was deleted");

    bench.site().delete(large, &large_locator).unwrap();
    assert_eq!(synced(&bench, &plan), (0, 1), "a file went from its directory");
    bench.site().discard(fresh_id()).unwrap();
    synced(&bench, &plan);
    for (id, locator) in [&small[0], &small[1], &small[11]] {
        bench.site().delete(*id, locator).unwrap();
    }
    assert_eq!(synced(&bench, &plan), (2, 0), "records of two segments were marked");
    assert_eq!(synced(&bench, &plan), (0, 0), "all of it is durable");
}

#[test]
fn the_removal_of_a_segment_is_synced() {
    let (mut bench, plan) = counted();
    let (id, locator) = bench.put(&body(1, 1_000)).unwrap();
    bench.reopen();
    bench.site().scan_segment().unwrap();
    bench.site().delete(id, &locator).unwrap();
    assert_eq!(bench.segment_files().len(), 0);
    assert_eq!(synced(&bench, &plan), (0, 1));
    assert_eq!(bench.site().delete(id, &locator).unwrap(), Deleted::SegmentGone);
    assert_eq!(synced(&bench, &plan), (0, 1), "an earlier process may have removed it");

    let put: Vec<_> = (0..4).map(|n| bench.put(&body(n, 8_000)).unwrap()).collect();
    bench.reopen();
    let number = put[0].1.segment_number().unwrap();
    bench.site().relocate(number).unwrap();
    bench.site().drop_segment(number).unwrap();
    assert_eq!(synced(&bench, &plan), (0, 1));
}

#[test]
fn what_an_earlier_process_deleted_is_synced_when_it_is_deleted_again() {
    let (mut bench, plan) = counted();
    let (small, small_locator) = bench.put(&body(1, 1_000)).unwrap();
    bench.put(&body(2, 1_000)).unwrap();
    let large = fresh_id();
    let large_locator = write_file(bench.site(), large, &body(3, 100_000)).unwrap();
    bench.site().delete(small, &small_locator).unwrap();
    bench.site().delete(large, &large_locator).unwrap();
    bench.reopen();
    let writes = plan.calls(Operation::Write);
    bench.site().delete(small, &small_locator).unwrap();
    bench.site().delete(large, &large_locator).unwrap();
    assert_eq!(plan.calls(Operation::Write), writes + 1, "only what is written is brought to the disk");
    assert_eq!(synced(&bench, &plan), (1, 1));
}

#[test]
fn what_could_not_be_synced_is_synced_by_the_next_call() {
    for operation in [Operation::SyncFile, Operation::SyncDirectory] {
        let (bench, plan) = counted();
        let (small, small_locator) = bench.put(&body(1, 1_000)).unwrap();
        let large = fresh_id();
        let large_locator = write_file(bench.site(), large, &body(3, 100_000)).unwrap();
        bench.site().delete(small, &small_locator).unwrap();
        bench.site().delete(large, &large_locator).unwrap();
        plan.fail_nth(operation, 1, io::ErrorKind::Other);
        bench.site().sync_deletions().unwrap_err();
        let expected = if operation == Operation::SyncFile { (1, 1) } else { (0, 1) };
        assert_eq!(synced(&bench, &plan), expected, "{operation:?}");
        assert!(bench.put(&body(2, 1_000)).is_ok(), "appending goes on");
    }
}
