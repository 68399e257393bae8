//! What a crash or a bad disk leaves behind, and what is found in it.

use std::{fs, os::unix::fs::FileExt, path::Path};

use nuee_base::BlobId;

use super::{Bench, body, read_blob, small_options};
use crate::{
    DirectorySite, Error, Locator, Operation, Options, SegmentNumber,
    record::{HEADER_BYTES, Header, Position, body_checksum, footprint_bytes},
};

/// Copies a site as it stands on the disk, as if the machine had stopped now.
fn copy_site(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_site(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn segment_path(site: &Path, locator: &Locator) -> std::path::PathBuf {
    site.join(format!("segments/{}.segment", locator.segment_number().unwrap()))
}

#[test]
fn a_record_torn_at_any_byte_is_forgotten_and_all_before_it_stay() {
    let bench =
        Bench::new(Options { small_blob_max_bytes: 1_000, segment_size_bytes: 8 << 10, ..small_options() });
    let first = bench.put(&body(1, 333)).unwrap();
    let second = bench.put(&body(2, 100)).unwrap();
    let start = footprint_bytes(333);
    let end = start + footprint_bytes(100);
    assert_ne!(body(2, 100)[99], 0, "a zero at the end of the body would not be missed");
    // The padding of the last record is not part of what must be whole.
    let whole = start + HEADER_BYTES as u64 + 100;
    let crashed = tempfile::TempDir::new().unwrap();
    for cut in start..=end {
        let site_path = crashed.path().join(cut.to_string());
        copy_site(bench.path(), &site_path);
        // What was not written yet is zeros, which is what was reserved.
        let path = segment_path(&site_path, &second.1);
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(cut).unwrap();
        file.set_len(8 << 10).unwrap();
        let site = DirectorySite::open(&site_path, bench.options.clone()).unwrap();
        assert_eq!(read_blob(&site, first.0, &first.1).unwrap(), body(1, 333), "cut at {cut}");
        let found: Vec<_> = site.blobs().map(|blob| blob.unwrap().id).collect();
        let survives = cut >= whole;
        let expected = if survives { vec![first.0, second.0] } else { vec![first.0] };
        assert_eq!(found, expected, "cut at {cut}");
        let length = fs::metadata(&path).unwrap().len();
        let kept_end = if survives { end } else { start };
        assert_eq!(length, kept_end + HEADER_BYTES as u64, "the tail is cut off and the segment closed");
    }
}

#[test]
fn what_is_put_after_a_torn_tail_survives_the_next_crash_too() {
    let bench = Bench::new(small_options());
    let first = bench.put(&body(1, 2_000)).unwrap();
    bench.put(&body(2, 2_000)).unwrap();
    let crashed = tempfile::TempDir::new().unwrap();
    copy_site(bench.path(), crashed.path());
    let path = segment_path(crashed.path(), &first.1);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xAA; 500], footprint_bytes(2_000) + 1_000).unwrap();

    let site = DirectorySite::open(crashed.path(), bench.options.clone()).unwrap();
    let id = super::fresh_id();
    let third = bench.runtime.block_on(site.put(id, body(3, 2_000).into())).unwrap();
    let again = tempfile::TempDir::new().unwrap();
    copy_site(crashed.path(), again.path());
    let site = DirectorySite::open(again.path(), bench.options.clone()).unwrap();
    assert_eq!(read_blob(&site, first.0, &first.1).unwrap(), body(1, 2_000));
    assert_eq!(read_blob(&site, id, &third).unwrap(), body(3, 2_000));
    assert_eq!(site.blobs().flatten().count(), 2);
}

#[test]
fn damage_in_the_middle_is_told_and_hides_nothing_behind_it() {
    for crashed in [false, true] {
        let mut bench = Bench::new(small_options());
        let put: Vec<_> = (0..5).map(|n| bench.put(&body(n, 1_500)).unwrap()).collect();
        let path = segment_path(bench.path(), &put[0].1);
        let record = footprint_bytes(1_500);
        let target = tempfile::TempDir::new().unwrap();
        if crashed {
            copy_site(bench.path(), target.path());
        } else {
            bench.close();
            copy_site(bench.path(), target.path());
        }
        // The header of the second record, the body of the fourth.
        let path = target.path().join("segments").join(path.file_name().unwrap());
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&[0xFF; 3], record + 9).unwrap();
        file.write_all_at(&[0xFF; 3], 3 * record + 700).unwrap();

        let site = DirectorySite::open(target.path(), bench.options.clone()).unwrap();
        let mut found = Vec::new();
        let mut damaged = Vec::new();
        for blob in site.blobs() {
            match blob {
                Ok(blob) => found.push(blob.id),
                Err(Error::Damaged { offset, .. }) => damaged.push(offset),
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(found, [put[0].0, put[2].0, put[4].0], "crashed: {crashed}");
        assert_eq!(damaged, [record, 3 * record], "crashed: {crashed}");
        for n in [0, 2, 4] {
            site.delete(put[n].0, &put[n].1).unwrap();
        }
        while site.scan_segment().is_ok_and(|number| number.is_some()) {}
        assert_eq!(site.compaction_candidate(), None, "a damaged segment is left for whoever repairs it");
        assert!(path.exists());
    }
}

const TORN: SegmentNumber = SegmentNumber(1 << 32);

/// Appends to the bytes of a segment what was written with one sync; gives the ids.
fn write_group(segment: &mut Vec<u8>, bodies: &[Vec<u8>]) -> Vec<BlobId> {
    let group = Some(segment.len() as u64);
    let write = |body: &Vec<u8>| {
        let (id, offset) = (super::fresh_id(), segment.len() as u64);
        let length = u32::try_from(body.len()).unwrap();
        let header = Header::Blob { id, length, body_checksum: body_checksum(body), group, dead: false };
        segment.extend(header.encode(Position { segment: TORN, offset }));
        segment.extend(body);
        segment.resize(usize::try_from(offset + footprint_bytes(length)).unwrap(), 0);
        id
    };
    bodies.iter().map(write).collect()
}

/// A site with one open segment: a blob, and a group of three behind it. The sector at `torn_at` was never written.
fn torn_site(torn_at: u64) -> (tempfile::TempDir, Vec<BlobId>) {
    let directory = tempfile::TempDir::new().unwrap();
    drop(DirectorySite::open(directory.path(), small_options()).unwrap());
    let mut segment = Vec::new();
    let mut ids = write_group(&mut segment, &[body(0, 1_500)]);
    ids.extend(write_group(&mut segment, &[body(1, 1_500), body(2, 1_500), body(3, 1_500)]));
    segment[usize::try_from(torn_at).unwrap()..][..512].fill(0);
    segment.resize(64 << 10, 0);
    fs::write(directory.path().join(format!("segments/{TORN}.segment")), segment).unwrap();
    (directory, ids)
}

#[test]
fn a_torn_group_that_nobody_was_told_of_is_no_damage() {
    let record = footprint_bytes(1_500);
    for (gone, torn_at) in [(1, record), (1, record + 700), (2, 2 * record)] {
        let (directory, mut ids) = torn_site(torn_at);
        ids.remove(gone);
        for _ in 0..2 {
            let site = DirectorySite::open(directory.path(), small_options()).unwrap();
            let found: Vec<_> = site.blobs().map(|blob| blob.unwrap().id).collect();
            assert_eq!(found, ids, "what is whole stays, also at the second start");
            site.scan_segment().unwrap();
            assert_eq!(site.usage().unwrap().dead_bytes, record);
        }
        let site = DirectorySite::open(directory.path(), small_options()).unwrap();
        let doomed = site.blobs().next().unwrap().unwrap();
        site.delete(doomed.id, &doomed.locator).unwrap();
        site.scan_segment().unwrap();
        assert_eq!(site.compaction_candidate(), Some(TORN));
        assert_eq!(site.relocate(TORN).unwrap().len(), 2);
        site.drop_segment(TORN).unwrap();
    }
}

#[test]
fn what_is_torn_before_the_last_group_is_damage() {
    let (directory, ids) = torn_site(700);
    let site = DirectorySite::open(directory.path(), small_options()).unwrap();
    assert!(site.blobs().any(|blob| matches!(blob, Err(Error::Damaged { offset: 0, .. }))));
    assert_eq!(site.blobs().flatten().map(|blob| blob.id).collect::<Vec<_>>(), ids[1..]);
}

#[test]
fn a_torn_group_is_repaired_before_its_segment_is_closed() {
    for operation in [Operation::Write, Operation::SyncFile] {
        let (directory, _) = torn_site(footprint_bytes(1_500));
        let plan = crate::FaultPlan::default();
        // The first of each counts the opening.
        plan.fail_nth(operation, 2, std::io::ErrorKind::Other);
        let options = Options { faults: Some(plan), ..small_options() };
        drop(DirectorySite::open(directory.path(), options).unwrap());
        let length = fs::metadata(directory.path().join(format!("segments/{TORN}.segment"))).unwrap().len();
        assert_eq!(length, 64 << 10, "{operation:?}: it must not be closed");
        let site = DirectorySite::open(directory.path(), small_options()).unwrap();
        assert_eq!(site.blobs().map(Result::unwrap).count(), 3, "{operation:?}: the next start repairs it");
    }
}

#[test]
fn every_record_tells_where_its_group_begins() {
    let bench = Bench::new(Options { segment_size_bytes: 4 << 20, ..small_options() });
    let bodies: Vec<_> = (0..300).map(|n| body(n, 100)).collect();
    let put: Vec<_> = bench.put_all(&bodies).into_iter().map(Result::unwrap).collect();
    let bytes = fs::read(segment_path(bench.path(), &put[0].1)).unwrap();
    let record = usize::try_from(footprint_bytes(100)).unwrap();
    let mut together = 0;
    for place in (0..300 * record).step_by(record) {
        let position = Position { segment: put[0].1.segment_number().unwrap(), offset: place as u64 };
        let Some(Header::Blob { group: Some(group), .. }) = Header::decode(&bytes[place..], position) else {
            panic!("no record, or one without a group, at {place}");
        };
        assert!(group <= place as u64 && group.is_multiple_of(record as u64));
        together += usize::from(group < place as u64);
    }
    assert!(together > 0, "one group for each is no group");
}

#[test]
fn bytes_of_a_record_inside_a_blob_are_not_a_record() {
    let bench = Bench::new(small_options());
    let (_, locator) = bench.put(&body(1, 500)).unwrap();
    let segment = fs::read(segment_path(bench.path(), &locator)).unwrap();
    let record = segment[..usize::try_from(footprint_bytes(500)).unwrap()].to_vec();
    let (id, second) = bench.put(&record).unwrap();
    let crashed = tempfile::TempDir::new().unwrap();
    copy_site(bench.path(), crashed.path());
    // With its own header gone, the walk looks for the next record right through the copy in its body.
    let path = segment_path(crashed.path(), &second);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0; HEADER_BYTES], footprint_bytes(500)).unwrap();
    let site = DirectorySite::open(crashed.path(), bench.options.clone()).unwrap();
    assert_eq!(site.blobs().flatten().count(), 1);
    assert_ne!(site.blobs().next().unwrap().unwrap().id, id);
}

#[test]
fn closed_segments_are_not_read_when_a_site_opens() {
    let mut bench = Bench::new(small_options());
    let bodies: Vec<_> = (0..100).map(|n| body(n, 4_000)).collect();
    let put = bench.put_all(&bodies);
    assert!(put.iter().all(Result::is_ok));
    bench.close();
    // If an opening walked these, it would find the damage, tell it, and count nothing.
    for path in bench.segment_files() {
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.write_all_at(&[0xFF; 8], 0).unwrap();
    }
    bench.reopen();
    let usage = bench.site().usage().unwrap();
    assert_eq!(usage.uncounted_segments, usage.segments);
    assert_eq!(usage.live_bytes, 100 * footprint_bytes(4_000));
}

#[test]
fn a_segment_made_ahead_and_never_used_is_removed() {
    let mut bench = Bench::new(small_options());
    for n in 0..12 {
        bench.put(&body(n, 8_000)).unwrap();
    }
    let crashed = tempfile::TempDir::new().unwrap();
    copy_site(bench.path(), crashed.path());
    fs::write(crashed.path().join("segments/00000001ffffffff.segment"), vec![0; 64 << 10]).unwrap();
    let site = DirectorySite::open(crashed.path(), bench.options.clone()).unwrap();
    assert!(!crashed.path().join("segments/00000001ffffffff.segment").exists());
    assert_eq!(site.blobs().flatten().count(), 12);
    bench.close();
    assert_eq!(bench.segment_files().len(), 2, "closing leaves no segment that holds nothing");
}

#[test]
fn opening_repairs_once() {
    let bench = Bench::new(small_options());
    bench.put(&body(1, 2_000)).unwrap();
    let crashed = tempfile::TempDir::new().unwrap();
    copy_site(bench.path(), crashed.path());
    for truncations in [1, 0] {
        let plan = crate::FaultPlan::default();
        let options = Options { faults: Some(plan.clone()), ..bench.options.clone() };
        drop(DirectorySite::open(crashed.path(), options).unwrap());
        assert_eq!(plan.calls(Operation::Truncate), truncations);
    }
}

#[test]
fn a_segment_whose_end_cannot_be_read_keeps_nobody_from_the_others() {
    let mut bench = Bench::new(small_options());
    let put: Vec<_> = (0..12).map(|n| bench.put(&body(n, 8_000)).unwrap()).collect();
    bench.close();
    for nth in 1..=2 {
        let plan = crate::FaultPlan::default();
        plan.fail_nth(Operation::Read, nth, std::io::ErrorKind::Other);
        let options = Options { faults: Some(plan), ..bench.options.clone() };
        let site = DirectorySite::open(bench.path(), options).unwrap();
        for (n, (id, locator)) in put.iter().enumerate() {
            assert_eq!(read_blob(&site, *id, locator).unwrap(), body(n, 8_000), "read {nth}");
        }
        while let Some(number) = site.scan_segment().unwrap() {
            assert!(put.iter().any(|(_, locator)| locator.segment_number() == Some(number)));
        }
        assert_eq!(site.usage().unwrap().uncounted_segments, 1, "the one is left as it is");
    }
    // An open one that cannot be walked is neither repaired nor closed.
    let (directory, ids) = torn_site(footprint_bytes(1_500));
    let plan = crate::FaultPlan::default();
    plan.fail_nth(Operation::Read, 2, std::io::ErrorKind::Other);
    let options = Options { faults: Some(plan), ..small_options() };
    let site = DirectorySite::open(directory.path(), options).unwrap();
    let offset = 2 * footprint_bytes(1_500);
    let locator = Locator::segment(TORN, offset, 1_500);
    assert_eq!(read_blob(&site, ids[2], &locator).unwrap(), body(2, 1_500));
    drop(site);
    let site = DirectorySite::open(directory.path(), small_options()).unwrap();
    assert_eq!(site.blobs().map(Result::unwrap).count(), 3, "the next start repairs it");
}
