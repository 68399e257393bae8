//! Space comes back, and nothing that lives is lost on the way.

use std::io;

use super::{Bench, body, small_options};
use crate::{Deleted, Error, FaultPlan, Operation, Options, SegmentNumber};

/// A closed segment of the site, with the blobs in it.
fn closed_segment(bench: &mut Bench) -> (SegmentNumber, Vec<(nuee_base::BlobId, crate::Locator)>) {
    let bodies: Vec<_> = (0..12).map(|n| body(n, 5_000)).collect();
    let put: Vec<_> = bench.put_all(&bodies).into_iter().map(Result::unwrap).collect();
    bench.reopen();
    let number = put[0].1.segment_number().unwrap();
    assert!(put.iter().all(|(_, locator)| locator.segment_number() == Some(number)));
    (number, put)
}

#[test]
fn a_half_dead_segment_is_emptied_and_every_live_blob_stays_readable() {
    let mut bench = Bench::new(small_options());
    let (number, put) = closed_segment(&mut bench);
    for (id, locator) in &put[..5] {
        bench.site().delete(*id, locator).unwrap();
    }
    assert_eq!(bench.site().scan_segment().unwrap(), Some(number));
    assert_eq!(bench.site().scan_segment().unwrap(), None);
    assert_eq!(bench.site().compaction_candidate(), None, "less than half is dead");
    bench.site().delete(put[5].0, &put[5].1).unwrap();
    assert_eq!(bench.site().compaction_candidate(), Some(number));

    let before: Vec<_> =
        put[6..].iter().map(|(id, locator)| bench.site().open_blob(*id, locator).unwrap()).collect();
    let moved = bench.site().relocate(number).unwrap();
    assert_eq!(moved.len(), 6);
    for (n, (id, locator)) in put.iter().enumerate().skip(6) {
        assert_eq!(bench.read(*id, locator).unwrap(), body(n, 5_000), "the old copy is there until the drop");
    }
    bench.site().drop_segment(number).unwrap();
    bench.site().drop_segment(number).unwrap();
    for (id, old, new) in &moved {
        let n = put.iter().position(|(other, _)| other == id).unwrap();
        assert_eq!(bench.read(*id, new).unwrap(), body(n, 5_000));
        assert!(matches!(bench.site().open_blob(*id, old), Err(Error::Missing { .. })));
        assert_eq!(bench.site().delete(*id, old).unwrap(), Deleted::SegmentGone);
        let mut bytes = vec![0; 5_000];
        before[n - 6].read_at(0, &mut bytes).unwrap();
        assert_eq!(bytes, body(n, 5_000), "a reader that was open goes on");
    }
    bench.reopen();
    let mut expected: Vec<_> = moved.iter().map(|(id, _, new)| (*id, *new)).collect();
    expected.sort_by_key(|(id, _)| *id);
    assert_eq!(bench.walk().0, expected);
}

#[test]
fn a_deletion_between_copy_and_drop_reaches_both_copies() {
    let mut bench = Bench::new(small_options());
    let (number, put) = closed_segment(&mut bench);
    let moved = bench.site().relocate(number).unwrap();
    assert_eq!(bench.site().delete(put[3].0, &put[3].1).unwrap(), Deleted::Done);
    bench.site().drop_segment(number).unwrap();
    let (found, errors) = bench.walk();
    assert_eq!((found.len(), errors.len()), (11, 0));
    assert!(found.iter().all(|(id, _)| *id != put[3].0));
    assert_eq!(moved.len(), 12);
}

#[test]
fn deleting_everything_between_copy_and_drop_leaves_nothing() {
    let mut bench = Bench::new(small_options());
    let (number, put) = closed_segment(&mut bench);
    bench.site().scan_segment().unwrap();
    bench.site().relocate(number).unwrap();
    for (id, locator) in &put {
        assert_eq!(bench.site().delete(*id, locator).unwrap(), Deleted::Done);
    }
    assert_eq!(bench.walk().0, [], "no copy outlives its blob");
    bench.site().drop_segment(number).unwrap();
}

#[test]
fn a_relocation_that_is_asked_for_again_tells_the_same() {
    let mut bench = Bench::new(small_options());
    let (number, put) = closed_segment(&mut bench);
    let mut first = bench.site().relocate(number).unwrap();
    bench.site().delete(put[0].0, &put[0].1).unwrap();
    let mut again = bench.site().relocate(number).unwrap();
    first.retain(|(id, ..)| *id != put[0].0);
    first.sort_by_key(|(id, ..)| *id);
    again.sort_by_key(|(id, ..)| *id);
    assert_eq!(again, first);
    bench.site().drop_segment(number).unwrap();
    assert_eq!(bench.walk().0.len(), 11);
}

#[test]
fn a_segment_that_was_not_relocated_is_not_dropped() {
    let mut bench = Bench::new(small_options());
    let (number, put) = closed_segment(&mut bench);
    assert!(matches!(bench.site().drop_segment(number), Err(Error::StillLive(_))));
    bench.site().relocate(number).unwrap();
    bench.reopen();
    assert!(
        matches!(bench.site().drop_segment(number), Err(Error::StillLive(_))),
        "nobody recorded the copies"
    );
    assert_eq!(bench.read(put[0].0, &put[0].1).unwrap(), body(0, 5_000));
}

#[test]
fn a_segment_in_which_nothing_lives_goes_by_itself() {
    let mut bench = Bench::new(small_options());
    let (number, put) = closed_segment(&mut bench);
    for (id, locator) in &put[..6] {
        bench.site().delete(*id, locator).unwrap();
    }
    bench.site().scan_segment().unwrap();
    let dead = bench.site().usage().unwrap();
    assert_eq!((dead.live_bytes, dead.dead_bytes), (6 * 5_040, 6 * 5_040));
    for (id, locator) in put.iter().rev() {
        bench.site().delete(*id, locator).unwrap();
    }
    assert_eq!(bench.segment_files().len(), 0);
    assert_eq!(bench.site().relocate(number).unwrap(), []);
}

#[test]
fn deletions_before_and_after_the_count_are_each_counted_once() {
    let mut bench = Bench::new(small_options());
    let (_, put) = closed_segment(&mut bench);
    for (id, locator) in put[..4].iter().chain(&put[..4]) {
        bench.site().delete(*id, locator).unwrap();
    }
    assert_eq!(bench.site().usage().unwrap().dead_bytes, 0, "not counted yet");
    bench.site().scan_segment().unwrap();
    for (id, locator) in put[2..6].iter().chain(&put[2..6]) {
        bench.site().delete(*id, locator).unwrap();
    }
    assert_eq!(bench.site().usage().unwrap().dead_bytes, 6 * 5_040);
}

/// A site of several closed segments, most of each dead, and the calls to its disk.
fn several_segments() -> (Bench, FaultPlan, usize) {
    let plan = FaultPlan::default();
    let mut bench = Bench::new(Options { faults: Some(plan.clone()), ..small_options() });
    let bodies: Vec<_> = (0..40).map(|n| body(n, 6_000)).collect();
    let put: Vec<_> = bench.put_all(&bodies).into_iter().map(Result::unwrap).collect();
    bench.reopen();
    for (n, (id, locator)) in put.iter().enumerate() {
        if n % 4 != 0 {
            bench.site().delete(*id, locator).unwrap();
        }
    }
    let segments = bench.segment_files().len();
    assert!(segments >= 3);
    (bench, plan, segments)
}

#[test]
fn a_segment_that_cannot_be_counted_is_passed_over() {
    let (bench, plan, segments) = several_segments();
    plan.fail_nth(Operation::Read, 1, io::ErrorKind::Other);
    let mut seen = std::collections::HashSet::new();
    while let Some(number) = bench.site().scan_segment().unwrap() {
        assert!(seen.insert(number), "a second time the same");
    }
    assert_eq!(seen.len(), segments);
    assert_eq!(bench.site().usage().unwrap().uncounted_segments, 1);
}

#[test]
fn a_damaged_segment_does_not_keep_the_others_from_being_counted() {
    let (bench, _, segments) = several_segments();
    let first = &bench.segment_files()[0];
    let file = std::fs::OpenOptions::new().write(true).open(first).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0xFF; 3], 9).unwrap();
    let counted = std::iter::from_fn(|| bench.site().scan_segment().unwrap()).count();
    assert_eq!(counted, segments);
    assert_eq!(bench.site().usage().unwrap().uncounted_segments, 1);
}

#[test]
fn a_segment_that_cannot_be_moved_is_passed_over() {
    let (bench, plan, segments) = several_segments();
    while bench.site().scan_segment().unwrap().is_some() {}
    let first = bench.site().compaction_candidate().unwrap();
    plan.fail_nth(Operation::Read, 1, io::ErrorKind::Other);
    bench.site().relocate(first).unwrap_err();
    let mut emptied = 0;
    while let Some(number) = bench.site().compaction_candidate() {
        assert_ne!(number, first);
        bench.site().relocate(number).unwrap();
        bench.site().drop_segment(number).unwrap();
        emptied += 1;
    }
    assert!(emptied >= segments - 2, "{emptied} of {segments}");
}
