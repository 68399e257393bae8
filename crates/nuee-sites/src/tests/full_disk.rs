//! A small file system that fills up, and recovers once enough is deleted. Mounting needs root.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use bytes::Bytes;
use nuee_base::{BlobId, ErrorKind};
use tokio::runtime::{Builder, Runtime};

use super::{body, fresh_id, read_blob, write_file};
use crate::{DirectorySite, Locator, Options};

/// A file system in memory, of a few MiB.
struct SmallDisk {
    directory: tempfile::TempDir,
}

impl SmallDisk {
    fn mount(size: &str) -> Self {
        let directory = tempfile::TempDir::new().unwrap();
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "nuee-test"])
            .arg(directory.path())
            .status()
            .unwrap();
        assert!(status.success(), "this test mounts a file system: run it as root");
        Self { directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("site")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.directory.path()).status();
    }
}

fn options() -> Options {
    Options {
        segment_size_bytes: 1 << 20,
        small_blob_max_bytes: 64 << 10,
        free_space_reserve_bytes: 1 << 20,
        ..Options::default()
    }
}

/// Puts small blobs until the site is full.
fn fill(site: &DirectorySite, runtime: &Runtime) -> Vec<(BlobId, Locator, usize)> {
    let mut kept = Vec::new();
    for n in 0..100_000 {
        let id = fresh_id();
        match runtime.block_on(site.put(id, Bytes::from(body(n, 40_000)))) {
            Ok(locator) => kept.push((id, locator, n)),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
                return kept;
            }
        }
    }
    panic!("the disk never filled");
}

fn check(site: &DirectorySite, kept: &[(BlobId, Locator, usize)]) {
    for (id, locator, n) in kept {
        assert_eq!(read_blob(site, *id, locator).unwrap(), body(*n, 40_000));
    }
}

fn open(path: &Path) -> DirectorySite {
    DirectorySite::open(path, options()).unwrap()
}

#[test]
fn a_full_disk_refuses_new_blobs_and_takes_them_again_after_deletions() {
    let disk = SmallDisk::mount("12m");
    let runtime = Builder::new_current_thread().build().unwrap();
    let mut site = open(&disk.path());
    for round in 0..3 {
        let kept = fill(&site, &runtime);
        assert!(kept.len() > 100, "round {round}: only {} blobs of 40 kB in 12 MiB", kept.len());
        check(&site, &kept);
        drop(site);
        site = open(&disk.path());
        check(&site, &kept);
        while site.scan_segment().unwrap().is_some() {}
        for (id, locator, _) in &kept {
            site.delete(*id, locator).unwrap();
        }
    }
}

#[test]
fn a_full_disk_is_compacted_into_its_reserve() {
    let disk = SmallDisk::mount("12m");
    let runtime = Builder::new_current_thread().build().unwrap();
    let site = open(&disk.path());
    let mut kept = fill(&site, &runtime);
    let mut n = 0;
    kept.retain(|(id, locator, _)| {
        n += 1;
        n % 4 == 0 || site.delete(*id, locator).is_err()
    });
    // What went by itself is filled again: nothing but the reserve is left to compact into.
    kept.extend(fill(&site, &runtime));
    let mut dropped = 0;
    while let Some(number) = site.compaction_candidate() {
        for (id, old, new) in site.relocate(number).unwrap() {
            let blob = kept.iter_mut().find(|(other, locator, _)| *other == id && *locator == old).unwrap();
            blob.1 = new;
        }
        site.drop_segment(number).unwrap();
        dropped += 1;
    }
    assert!(dropped > 3, "{dropped}");
    check(&site, &kept);
    let more = fill(&site, &runtime);
    assert!(more.len() > 100, "only {} more blobs fit", more.len());
    check(&site, &kept);
    check(&site, &more);
}

#[test]
fn a_large_blob_that_does_not_fit_leaves_its_space() {
    let disk = SmallDisk::mount("12m");
    let site = open(&disk.path());
    for _ in 0..3 {
        let id = fresh_id();
        let error = write_file(&site, id, &body(1, 13 << 20)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
    }
    let id = fresh_id();
    let locator = write_file(&site, id, &body(2, 5 << 20)).unwrap();
    assert!(read_blob(&site, id, &locator).unwrap() == body(2, 5 << 20));
}
