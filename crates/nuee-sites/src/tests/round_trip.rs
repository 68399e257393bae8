//! What was kept is read back; what is wrong is refused.

use std::{fs, path::Path, sync::Arc};

use nuee_base::ErrorKind;

use super::{Bench, body, fresh_id, read_blob, small_options, write_file};
use crate::{Deleted, DirectorySite, Error, Locator, Operation, Options};

#[test]
fn small_blobs_are_read_back_before_and_after_a_reopening() {
    let mut bench = Bench::new(small_options());
    let bodies: Vec<_> = (0..100).map(|n| body(n, n * 83 % 8_193)).collect();
    let put: Vec<_> = bench.put_all(&bodies).into_iter().map(Result::unwrap).collect();
    for _ in 0..2 {
        for ((id, locator), body) in put.iter().zip(&bodies) {
            assert_eq!(&bench.read(*id, locator).unwrap(), body);
        }
        let mut expected = put.clone();
        expected.sort_by_key(|(id, _)| *id);
        let (found, errors) = bench.walk();
        assert_eq!((found, errors.len()), (expected, 0));
        bench.reopen();
    }
}

#[test]
fn large_blobs_are_read_back_before_and_after_a_reopening() {
    let mut bench = Bench::new(Options { free_space_reserve_bytes: 0, ..Options::default() });
    let lengths = [0, 1, 300 << 10, (9 << 20) + 1];
    let blobs: Vec<_> = lengths.iter().map(|length| (fresh_id(), body(*length, *length))).collect();
    let locators: Vec<_> =
        blobs.iter().map(|(id, body)| write_file(bench.site(), *id, body).unwrap()).collect();
    for _ in 0..2 {
        for ((id, body), locator) in blobs.iter().zip(&locators) {
            assert_eq!(locator.length(), body.len() as u64);
            assert!(&bench.read(*id, locator).unwrap() == body, "{} bytes", body.len());
        }
        assert_eq!(bench.walk().0.len(), blobs.len());
        bench.reopen();
    }
}

#[test]
fn what_the_page_cache_holds_is_read_without_waiting() {
    let bench = Bench::new(small_options());
    let (id, locator) = bench.put(&body(1, 5_000)).unwrap();
    let reader = bench.site().open_blob(id, &locator).unwrap();
    let mut bytes = vec![0; 1_000];
    assert!(reader.read_cached(3_000, &mut bytes).unwrap(), "it was written a moment ago");
    assert_eq!(bytes, body(1, 5_000)[3_000..4_000]);
}

#[test]
fn a_read_beyond_the_end_of_a_blob_is_refused() {
    let bench = Bench::new(small_options());
    let (id, locator) = bench.put(&body(1, 100)).unwrap();
    bench.put(&body(2, 100)).unwrap();
    let reader = bench.site().open_blob(id, &locator).unwrap();
    for (offset, length) in [(0, 101), (100, 1), (u64::MAX, 1)] {
        let mut bytes = vec![0; length];
        assert!(matches!(reader.read_at(offset, &mut bytes), Err(Error::OutOfRange { .. })));
        assert!(matches!(reader.read_cached(offset, &mut bytes), Err(Error::OutOfRange { .. })));
    }
}

#[test]
fn a_blob_is_written_once() {
    let bench = Bench::new(small_options());
    let id = fresh_id();
    let writer = bench.site().create(id).unwrap();
    assert_eq!(bench.site().create(id).unwrap_err().kind(), ErrorKind::Conflict, "it is being written");
    let locator = writer.finish().unwrap();
    let mut again = bench.site().create(id).unwrap();
    again.write(b"other").unwrap();
    assert_eq!(again.finish().unwrap_err().kind(), ErrorKind::Conflict, "it is there");
    assert_eq!(bench.read(id, &locator).unwrap(), b"");
}

#[test]
fn large_blobs_of_every_length_around_a_block_come_back_past_and_through_the_page_cache() {
    for direct_writes in [true, false] {
        let bench = Bench::new(Options { direct_writes, ..small_options() });
        for (seed, length) in
            [0, 1, 4_095, 4_096, 4_097, 65_536, 65_552, 300_001, 5 << 20].into_iter().enumerate()
        {
            for step in [1_000, 65_552, 1 << 20] {
                let (id, expected) = (fresh_id(), body(seed, length));
                let mut writer = bench.site().create(id).unwrap();
                for bytes in expected.chunks(step) {
                    writer.write(bytes).unwrap();
                }
                let locator = writer.finish().unwrap();
                assert_eq!(locator, Locator::file(length as u64));
                assert!(bench.read(id, &locator).unwrap() == expected, "{length} bytes in steps of {step}");
            }
        }
    }
}

#[test]
fn bytes_that_could_not_be_made_are_not_added() {
    let bench = Bench::new(small_options());
    let id = fresh_id();
    let mut writer = bench.site().create(id).unwrap();
    writer.write(b"first").unwrap();
    let failed: Result<(), Error> = writer.write_with(100, |buffer| {
        buffer.extend_from_slice(b"half");
        Err(Error::InvalidOptions("for this test"))
    });
    assert!(matches!(failed, Err(Error::InvalidOptions(_))));
    writer.write(b", second").unwrap();
    let locator = writer.finish().unwrap();
    assert_eq!(bench.read(id, &locator).unwrap(), b"first, second");
}

#[test]
fn an_unfinished_large_blob_leaves_nothing() {
    let mut bench = Bench::new(small_options());
    let incoming = bench.path().join("incoming");
    let count = |path: &Path| fs::read_dir(path).unwrap().count();
    let mut writer = bench.site().create(fresh_id()).unwrap();
    writer.write(&body(1, 1_000)).unwrap();
    assert_eq!(count(&incoming), 1);
    drop(writer);
    assert_eq!(count(&incoming), 0);

    bench.close();
    fs::write(incoming.join("left by a crash"), b"half").unwrap();
    bench.reopen();
    assert_eq!(count(&incoming), 0);
    assert_eq!(bench.walk().0, []);
}

#[test]
fn deleting_is_final_and_can_be_repeated() {
    let mut bench = Bench::new(small_options());
    let (small, small_locator) = bench.put(&body(1, 1_000)).unwrap();
    let (kept, kept_locator) = bench.put(&body(2, 1_000)).unwrap();
    let large = fresh_id();
    let large_locator = write_file(bench.site(), large, &body(3, 100_000)).unwrap();
    for _ in 0..2 {
        assert_eq!(bench.site().delete(small, &small_locator).unwrap(), Deleted::Done);
        assert_eq!(bench.site().delete(large, &large_locator).unwrap(), Deleted::Done);
        assert_eq!(bench.walk().0, [(kept, kept_locator)]);
        bench.reopen();
    }
    assert_eq!(bench.read(large, &large_locator).unwrap_err().kind(), ErrorKind::NotFound);
    let error = bench.site().delete(fresh_id(), &kept_locator).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "another blob is there, and must stay");
    assert_eq!(bench.read(kept, &kept_locator).unwrap(), body(2, 1_000));
}

#[test]
fn a_segment_number_is_never_used_twice() {
    let mut bench = Bench::new(small_options());
    let mut seen = std::collections::HashSet::new();
    for n in 0..5 {
        let (id, locator) = bench.put(&body(n, 100)).unwrap();
        assert!(seen.insert(locator.segment_number().unwrap()));
        bench.reopen();
        bench.site().delete(id, &locator).unwrap();
        bench.site().scan_segment().unwrap();
        assert_eq!(bench.segment_files().len(), 0, "nothing lives in it");
        assert_eq!(bench.site().delete(id, &locator).unwrap(), Deleted::SegmentGone);
        assert!(matches!(bench.site().open_blob(id, &locator), Err(Error::Missing { .. })));
    }
}

#[test]
fn more_segments_are_read_than_may_be_open() {
    let mut bench = Bench::new(Options { open_segments: 2, ..small_options() });
    let bodies: Vec<_> = (0..60).map(|n| body(n, 8_000)).collect();
    let put: Vec<_> = bench.put_all(&bodies).into_iter().map(Result::unwrap).collect();
    bench.reopen();
    assert!(bench.segment_files().len() > 4);
    for _ in 0..2 {
        for ((id, locator), body) in put.iter().zip(&bodies) {
            assert_eq!(&bench.read(*id, locator).unwrap(), body);
        }
    }
}

#[test]
fn a_group_shares_one_sync() {
    let plan = crate::FaultPlan::default();
    let options = Options { faults: Some(plan.clone()), segment_size_bytes: 4 << 20, ..small_options() };
    let bench = Bench::new(options);
    bench.put(&body(0, 100)).unwrap();
    let before = plan.calls(Operation::SyncFile);
    // The first task to run wakes the append thread, which finds the others behind it or in its next group.
    let bodies: Vec<_> = (0..300).map(|n| body(n, 100)).collect();
    assert!(bench.put_all(&bodies).iter().all(Result::is_ok));
    assert!(plan.calls(Operation::SyncFile) - before < 300, "one sync for each is no group");
}

#[test]
fn a_blob_too_large_for_a_segment_is_refused() {
    let bench = Bench::new(small_options());
    assert!(bench.put(&body(1, 8 << 10)).is_ok());
    assert!(matches!(bench.put(&body(1, (8 << 10) + 1)), Err(Error::TooLarge { .. })));
}

#[test]
fn zeros_written_ahead_change_nothing_that_is_read() {
    let mut bench = Bench::new(Options { zero_fill_segments: true, ..small_options() });
    let bodies: Vec<_> = (0..40).map(|n| body(n, 5_000)).collect();
    let put: Vec<_> = bench.put_all(&bodies).into_iter().map(Result::unwrap).collect();
    bench.reopen();
    for ((id, locator), body) in put.iter().zip(&bodies) {
        assert_eq!(&bench.read(*id, locator).unwrap(), body);
    }
}

#[test]
fn a_directory_of_something_else_is_refused() {
    let directory = tempfile::TempDir::new().unwrap();
    fs::write(directory.path().join("thesis.txt"), b"important").unwrap();
    let error = DirectorySite::open(directory.path(), small_options()).unwrap_err();
    assert!(matches!(error, Error::NotASite { .. }), "{error}");

    let mut bench = Bench::new(small_options());
    bench.close();
    fs::write(bench.path().join("format"), "nuee directory site, format 2\n").unwrap();
    let error = DirectorySite::open(bench.path(), small_options()).unwrap_err();
    assert!(error.to_string().contains("run a newer nuee"), "{error}");
}

#[test]
fn options_that_cannot_work_are_refused() {
    let directory = tempfile::TempDir::new().unwrap();
    let wrong = [
        Options { segment_size_bytes: 8 << 10, ..small_options() },
        Options { queue_bytes: 100, ..small_options() },
        Options { open_segments: 0, ..small_options() },
    ];
    for options in wrong {
        let error = DirectorySite::open(directory.path(), options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
}

#[test]
fn clones_may_be_used_from_many_threads() {
    let bench = Bench::new(small_options());
    let site = Arc::new(bench.site().clone());
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let site = site.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let mut kept: Vec<(_, Locator, _)> = Vec::new();
                for n in 0..50 {
                    let (id, body) = (fresh_id(), body(thread * 100 + n, 3_000));
                    let locator = runtime.block_on(site.put(id, body.clone().into())).unwrap();
                    kept.push((id, locator, body));
                }
                kept.iter().all(|(id, locator, body)| &read_blob(&site, *id, locator).unwrap() == body)
            })
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
}
