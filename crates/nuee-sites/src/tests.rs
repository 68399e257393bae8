//! Tests of the whole site, on real directories.

mod compaction;
mod deletions;
mod faults;
mod full_disk;
mod model;
mod recovery;
mod round_trip;

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use nuee_base::{BlobId, Environment};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::{DirectorySite, Error, Locator, Options, Result};

/// Small segments, so that a few blobs fill one.
fn small_options() -> Options {
    Options {
        segment_size_bytes: 64 << 10,
        small_blob_max_bytes: 8 << 10,
        free_space_reserve_bytes: 0,
        ..Options::default()
    }
}

/// A site in a directory of its own, and a runtime to call it from.
struct Bench {
    directory: TempDir,
    options: Options,
    runtime: Runtime,
    site: Option<DirectorySite>,
}

impl Bench {
    fn new(options: Options) -> Self {
        let directory = TempDir::new().unwrap();
        let runtime = Builder::new_current_thread().build().unwrap();
        let site = Some(DirectorySite::open(directory.path(), options.clone()).unwrap());
        Self { directory, options, runtime, site }
    }

    fn site(&self) -> &DirectorySite {
        self.site.as_ref().unwrap()
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn close(&mut self) {
        self.site = None;
    }

    fn reopen(&mut self) {
        self.close();
        self.site = Some(DirectorySite::open(self.directory.path(), self.options.clone()).unwrap());
    }

    fn put(&self, body: &[u8]) -> Result<(BlobId, Locator)> {
        let id = fresh_id();
        let put = self.site().put(id, Bytes::copy_from_slice(body));
        Ok((id, self.runtime.block_on(put)?))
    }

    /// Puts them all at once, so that they are appended in groups.
    fn put_all(&self, bodies: &[Vec<u8>]) -> Vec<Result<(BlobId, Locator)>> {
        self.runtime.block_on(async {
            let tasks: Vec<_> = bodies
                .iter()
                .map(|body| {
                    let (site, id, body) = (self.site().clone(), fresh_id(), Bytes::copy_from_slice(body));
                    tokio::spawn(async move { Ok((id, site.put(id, body).await?)) })
                })
                .collect();
            let mut results = Vec::new();
            for task in tasks {
                results.push(task.await.unwrap());
            }
            results
        })
    }

    fn read(&self, id: BlobId, locator: &Locator) -> Result<Vec<u8>> {
        read_blob(self.site(), id, locator)
    }

    /// Every live blob, sorted, and what is wrong.
    fn walk(&self) -> (Vec<(BlobId, Locator)>, Vec<Error>) {
        let mut found = Vec::new();
        let mut errors = Vec::new();
        for blob in self.site().blobs() {
            match blob {
                Ok(blob) => found.push((blob.id, blob.locator)),
                Err(error) => errors.push(error),
            }
        }
        found.sort_by_key(|(id, _)| *id);
        (found, errors)
    }

    fn segment_files(&self) -> Vec<PathBuf> {
        let mut paths: Vec<_> =
            fs::read_dir(self.path().join("segments")).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }
}

fn read_blob(site: &DirectorySite, id: BlobId, locator: &Locator) -> Result<Vec<u8>> {
    let reader = site.open_blob(id, locator)?;
    let mut bytes = vec![0; usize::try_from(reader.length()).unwrap()];
    reader.read_at(0, &mut bytes)?;
    Ok(bytes)
}

fn write_file(site: &DirectorySite, id: BlobId, body: &[u8]) -> Result<Locator> {
    let mut writer = site.create(id)?;
    for step in body.chunks(64 << 10) {
        writer.write(step)?;
    }
    writer.finish()
}

fn fresh_id() -> BlobId {
    BlobId::generate(&Environment::system())
}

/// Bytes that differ from seed to seed and from place to place.
fn body(seed: usize, length: usize) -> Vec<u8> {
    let mut state = (seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(length).collect()
}
