//! Writing a large blob to a file of its own.

use std::{fs::File, io, path::PathBuf, sync::Arc};

use nuee_base::BlobId;

use crate::{Error, Locator, Result, directory::sync_directory, disk::free_bytes, segments::Segments};

/// How much is written before it is synced, while more is coming. Measured with 8 MiB blobs and four writers at once:
/// one sync at the end 250 to 800 MB/s, another half-way 1,300 to 1,500, one each MiB 500 to 700.
const SYNC_STEP_BYTES: u64 = 4 << 20;

/// A large blob being written. Dropping it before [`finish`](Self::finish) removes what was written.
#[derive(Debug)]
pub struct BlobWriter {
    segments: Arc<Segments>,
    id: BlobId,
    incoming: PathBuf,
    file: File,
    length: u64,
    synced: u64,
    /// After a failure this file is not written or synced again.
    failed: Option<Error>,
}

impl BlobWriter {
    pub(crate) fn create(segments: Arc<Segments>, id: BlobId) -> Result<Self> {
        check_space(&segments)?;
        let incoming = segments.directory.incoming(id);
        let file = match segments.disk.create_file(&incoming) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(Error::Exists { id }),
            file => file.map_err(|error| Error::io("create", &incoming, error))?,
        };
        Ok(Self { segments, id, incoming, file, length: 0, synced: 0, failed: None })
    }

    /// Adds bytes to the blob. Large steps are fastest: 1 MiB, say.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = self.add(bytes);
        self.failed = result.clone().err();
        result
    }

    fn add(&mut self, bytes: &[u8]) -> Result<()> {
        check_space(&self.segments)?;
        if self.length - self.synced >= SYNC_STEP_BYTES {
            self.sync()?;
        }
        let written = self.segments.disk.write_at(&self.file, bytes, self.length);
        written.map_err(|error| Error::io("write", &self.incoming, error))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Makes the blob durable under its name. Only then may anything refer to it.
    pub fn finish(mut self) -> Result<Locator> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.sync()?;
        let disk = &self.segments.disk;
        let shard = self.segments.directory.durable_shard(disk, self.id)?;
        let path = self.segments.directory.file(self.id);
        match disk.rename_to_new(&self.incoming, &path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Error::Exists { id: self.id });
            }
            renamed => renamed.map_err(|error| Error::io("rename", &self.incoming, error))?,
        }
        if let Err(error) = sync_directory(disk, &shard) {
            // Nobody will refer to it: keep the site free of it if that is still possible.
            let _ = disk.unlink(&path);
            return Err(error);
        }
        Ok(Locator::file(self.length))
    }

    fn sync(&mut self) -> Result<()> {
        let synced = self.segments.disk.sync_data(&self.file);
        synced.map_err(|error| Error::io("sync", &self.incoming, error))?;
        self.synced = self.length;
        Ok(())
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        // After a finish there is nothing of that name.
        if let Err(error) = self.segments.disk.unlink(&self.incoming) {
            tracing::debug!(%error, path = %self.incoming.display(), "an unfinished file stays until the next start");
        }
    }
}

fn check_space(segments: &Segments) -> Result<()> {
    let path = segments.directory.root();
    let free = free_bytes(path).map_err(|error| Error::io("look at", path, error))?;
    if free < segments.options.free_space_reserve_bytes {
        return Err(Error::Full { path: path.to_path_buf() });
    }
    Ok(())
}
