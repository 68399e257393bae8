//! The reclaimer: gives back the space of what nothing references any more.
//!
//! A pass is idempotent and may be cut anywhere: a blob is first deleted at its site, then its row is forgotten; a
//! segment's live blobs are first durable elsewhere, then noted as moved, then the segment is dropped. Work is done in
//! small batches, so that nobody waits for it.

use std::time::Duration;

use nuee_base::BlobId;
use nuee_metadata::{GarbageRow, Transaction};
use nuee_sites::Locator;
use tokio::sync::watch;

use crate::{Error, Store, blob_write::blocking};

/// In a garbage row: the blob's writing never ended, so that nobody knows how far it came.
const NO_LOCATOR: &[u8] = &[];
/// Rows that one transaction touches.
const BATCH: u32 = 200;
/// How long the reclaimer rests when it finds nothing to do.
const REST: Duration = Duration::from_secs(2);

/// What a pass of the reclaimer did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReclaimReport {
    /// Blobs deleted because nothing references them any more.
    pub deleted: usize,
    /// Blobs deleted because their writing never ended.
    pub abandoned: usize,
    /// Blobs moved out of segments that were mostly dead.
    pub moved: usize,
}

impl Store {
    /// Runs the reclaimer until `stop` says so. At its start, blobs that an earlier process left unfinished are found.
    pub async fn reclaim_until(&self, mut stop: watch::Receiver<bool>) {
        report(self.find_unfinished().await.map(|_| ReclaimReport::default()));
        let mut counted = false;
        while !*stop.borrow() {
            if !counted {
                let site = self.0.site.clone();
                let scanned = blocking(&self.0.blocking, move || Ok(site.scan_segment()?)).await;
                counted = !matches!(scanned, Ok(Some(_)));
            }
            // Keys that nobody uses any more leave memory too.
            self.0.keys.forget_expired();
            let done = self.reclaim().await;
            let idle = done.as_ref().map_or(true, |done| *done == ReclaimReport::default());
            report(done);
            if idle && counted {
                let _ = tokio::time::timeout(REST, stop.changed()).await;
            }
        }
    }

    /// Notes every blob that an earlier process began and never recorded as abandoned.
    async fn find_unfinished(&self) -> Result<usize, Error> {
        // What this process writes is pending too, but it is not unfinished.
        let started = self.0.started_at;
        let earlier = self.0.metadata.read(|snapshot| snapshot.pending_blobs(started))?;
        self.delete_unfinished(earlier).await
    }

    /// One pass.
    pub async fn reclaim(&self) -> Result<ReclaimReport, Error> {
        let abandoned = self.delete_unfinished(self.0.abandoned.take()).await?;
        let deleted = self.delete_garbage().await?;
        let moved = self.compact().await?;
        Ok(ReclaimReport { deleted, abandoned, moved })
    }

    /// Those of `blobs` that are still pending become garbage; the others were recorded in time.
    async fn delete_unfinished(&self, blobs: Vec<BlobId>) -> Result<usize, Error> {
        let mut unfinished = 0;
        for blob in blobs {
            let now = self.0.environment.now();
            // Asked of the writer, which has by now made whatever commit would record the blob.
            let give_up = move |transaction: &Transaction<'_>| {
                let pending = transaction.delete_pending_blob(blob)?;
                if pending {
                    transaction.insert_garbage(blob, NO_LOCATOR, now)?;
                }
                Ok::<_, Error>(pending)
            };
            unfinished += usize::from(self.0.metadata.write(give_up).await?);
        }
        Ok(unfinished)
    }

    async fn delete_garbage(&self) -> Result<usize, Error> {
        let now = self.0.environment.now();
        let rows = self.0.metadata.read(|snapshot| snapshot.garbage(now, BATCH))?;
        if rows.is_empty() {
            return Ok(0);
        }
        let store = self.clone();
        let rows = blocking(&self.0.blocking, move || {
            let deleted = rows.into_iter().filter(|row| {
                let result = store.delete_blob(row);
                result
                    .inspect_err(|error| tracing::warn!(%error, blob = %row.blob, "a blob was not deleted"))
                    .is_ok()
            });
            Ok(deleted.collect::<Vec<_>>())
        })
        .await?;
        let count = rows.len();
        let forget = move |transaction: &Transaction<'_>| {
            rows.iter().try_for_each(|row: &GarbageRow| transaction.delete_garbage(row))
        };
        self.0.metadata.write(forget).await?;
        Ok(count)
    }

    /// Deletes a blob at its site, wherever it was moved to.
    fn delete_blob(&self, row: &GarbageRow) -> Result<(), Error> {
        if row.locator == NO_LOCATOR {
            return Ok(self.0.site.discard(row.blob)?);
        }
        let moved = self.0.metadata.read(|snapshot| snapshot.moved_blob(row.blob))?;
        let locator = Locator::try_from(&moved.as_ref().unwrap_or(&row.locator)[..])?;
        self.0.site.delete(row.blob, &locator)?;
        Ok(())
    }

    /// Empties one segment that is mostly dead.
    async fn compact(&self) -> Result<usize, Error> {
        let Some(segment) = self.0.site.compaction_candidate() else { return Ok(0) };
        let site = self.0.site.clone();
        let moves = blocking(&self.0.blocking, move || Ok(site.relocate(segment)?)).await?;
        for batch in moves.chunks(BATCH as usize) {
            let batch = batch.iter().map(|(blob, _, to)| (*blob, *to)).collect::<Vec<_>>();
            let note = move |transaction: &Transaction<'_>| {
                batch.iter().try_for_each(|(blob, to)| transaction.put_moved_blob(*blob, to.as_bytes()))
            };
            self.0.metadata.write(note).await?;
        }
        let site = self.0.site.clone();
        blocking(&self.0.blocking, move || Ok(site.drop_segment(segment)?)).await?;
        Ok(moves.len())
    }
}

fn report(result: Result<ReclaimReport, Error>) {
    match result {
        Ok(report) if report == ReclaimReport::default() => {}
        Ok(report) => tracing::debug!(?report, "space was given back"),
        Err(error) => tracing::warn!(%error, "space could not be given back; it is tried again"),
    }
}
