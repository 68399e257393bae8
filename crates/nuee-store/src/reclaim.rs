//! The reclaimer: gives back the space of what nothing references any more.
//!
//! A pass is idempotent and may be cut anywhere: a blob is first deleted at its site, then its row is forgotten; a
//! segment's live blobs are first durable elsewhere, then noted as moved, then the segment is dropped. Work is done in
//! small batches, so that nobody waits for it, and with rests between, unless the disk is nearly full.

use std::time::{Duration, Instant};

use nuee_base::{BlobId, UploadId};
use nuee_metadata::{GarbageRow, Transaction};
use nuee_sites::{Locator, SegmentNumber};
use tokio::sync::watch;

use crate::{
    Error, Store,
    blob_write::{AbandonedBlob, blocking},
    store::PartsOwner,
    version::release_part,
};

/// In a garbage row: the blob's writing never ended, so that nobody knows how far it came.
const NO_LOCATOR: &[u8] = &[];
/// Rows that one transaction touches.
const BATCH: u32 = 200;
/// Blobs that are deleted between two syncs of what was deleted.
const DELETIONS: u32 = 1_000;
/// How long the reclaimer rests when it finds nothing to do.
const REST: Duration = Duration::from_secs(2);
/// How many times as long as a pass took it rests before the next, while a tenth of the disk is free: reclaiming takes a
/// part of the disk and of the writer, and nobody waits for it.
const PASS_REST: u32 = 2;
/// How many times as long as it took to count a segment it rests before it counts the next.
const COUNTING_REST: u32 = 9;
/// How long what cannot be deleted is left alone.
const RETRY: Duration = Duration::from_mins(1);

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
        let (mut found, mut counted) = (false, false);
        while !*stop.borrow() {
            if !found {
                let unfinished = self.find_unfinished().await;
                found = unfinished.is_ok();
                report(unfinished.map(|_| ReclaimReport::default()));
            }
            let mut rest = REST;
            if !counted {
                let (site, begun) = (self.0.site.clone(), Instant::now());
                let scanned = blocking(&self.0.blocking, move || Ok(site.scan_segment()?)).await;
                counted = matches!(scanned, Ok(None));
                if let Ok(Some(_)) = scanned {
                    rest = begun.elapsed() * COUNTING_REST;
                }
                report(scanned.map(|_| ReclaimReport::default()));
            }
            report(self.keep_lock_clock().await.map(|()| ReclaimReport::default()));
            // Keys that nobody uses any more leave memory too.
            self.0.keys.forget_expired();
            let begun = Instant::now();
            let done = self.reclaim().await;
            let idle = done.as_ref().map_or(true, |done| *done == ReclaimReport::default());
            report(done);
            if !idle {
                let plenty = self.0.site.has_plenty().unwrap_or(false);
                rest = if plenty { begun.elapsed() * PASS_REST } else { Duration::ZERO };
            }
            let _ = tokio::time::timeout(rest, stop.changed()).await;
        }
    }

    /// Notes every blob that an earlier process began and never recorded as abandoned.
    async fn find_unfinished(&self) -> Result<usize, Error> {
        // What this process writes is pending too, but it is not unfinished.
        let started = self.0.started_at;
        let earlier = self.0.metadata.read(|snapshot| snapshot.pending_blobs(started))?;
        let abandoned = earlier.into_iter().map(|blob| AbandonedBlob { blob, locator: None });
        self.delete_unfinished(abandoned.collect()).await
    }

    /// One pass.
    pub async fn reclaim(&self) -> Result<ReclaimReport, Error> {
        let abandoned = self.delete_unfinished(self.0.unreferenced.take_abandoned()).await?;
        let deleted = self.delete_garbage().await?;
        let moved = self.compact().await?;
        Ok(ReclaimReport { deleted, abandoned, moved })
    }

    /// Those of `blobs` that nothing references become garbage; the others were recorded in time. Gives how many did.
    async fn delete_unfinished(&self, mut blobs: Vec<AbandonedBlob>) -> Result<usize, Error> {
        let mut unfinished = 0;
        while !blobs.is_empty() {
            let batch: Vec<_> = blobs.drain(..blobs.len().min(BATCH as usize)).collect();
            let (now, given_up) = (self.0.environment.now(), batch.clone());
            // Asked of the writer, which has by now made whatever commit would record a blob.
            let give_up = move |transaction: &Transaction<'_>| {
                let mut count = 0;
                for AbandonedBlob { blob, locator } in given_up {
                    if locator.is_some() || transaction.delete_pending_blob(blob)? {
                        let locator = locator.as_ref().map_or(NO_LOCATOR, Locator::as_bytes);
                        transaction.insert_garbage(blob, locator, now)?;
                        count += 1;
                    }
                }
                Ok::<_, Error>(count)
            };
            match self.0.metadata.write(give_up).await {
                Ok(count) => unfinished += count,
                Err(error) => {
                    blobs.extend(batch);
                    self.0.unreferenced.put_back(blobs);
                    return Err(error);
                }
            }
        }
        Ok(unfinished)
    }

    async fn delete_garbage(&self) -> Result<usize, Error> {
        let mut due = self.due_garbage().await?;
        let lists: Vec<_> =
            due.extract_if(.., |row| PartsOwner::from_bytes(&row.locator).is_some()).collect();
        for row in lists {
            if let Some(owner) = PartsOwner::from_bytes(&row.locator) {
                self.expand_parts(&row, owner).await?;
            }
        }
        let mut blobs = due;
        if blobs.is_empty() {
            // Parts that have just become garbage are due as well.
            blobs = self.due_garbage().await?;
            blobs.retain(|row| PartsOwner::from_bytes(&row.locator).is_none());
        }
        if blobs.is_empty() {
            return Ok(0);
        }
        let store = self.clone();
        let (deleted, failed) = blocking(&self.0.blocking, move || {
            let (deleted, failed): (Vec<_>, Vec<_>) = blobs.into_iter().partition(|row| {
                let result = store.delete_blob(row);
                result
                    .inspect_err(|error| tracing::warn!(%error, blob = %row.blob, "a blob was not deleted"))
                    .is_ok()
            });
            // Their rows may go when they cannot come back.
            store.0.site.sync_deletions()?;
            Ok((deleted, failed))
        })
        .await?;
        for batch in deleted.chunks(BATCH as usize) {
            let batch = batch.to_vec();
            let forget = move |transaction: &Transaction<'_>| {
                batch.iter().try_for_each(|row| transaction.delete_garbage(row))
            };
            self.0.metadata.write(forget).await?;
        }
        self.postpone(failed).await?;
        Ok(deleted.len())
    }

    /// What may be deleted now. The parts that somebody reads are put off.
    async fn due_garbage(&self) -> Result<Vec<GarbageRow>, Error> {
        let now = self.0.environment.now();
        let metadata = self.0.metadata.clone();
        let rows =
            blocking(
                &self.0.listing,
                move || Ok(metadata.read(|snapshot| snapshot.garbage(now, DELETIONS))?),
            )
            .await?;
        let is_read = |row: &GarbageRow| {
            PartsOwner::from_bytes(&row.locator).is_some() && self.0.leases.is_held(row.blob.to_bytes())
        };
        let (read, due): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_read);
        self.postpone(read).await?;
        Ok(due)
    }

    /// Puts off what cannot be deleted now, so that it does not keep the rest waiting.
    async fn postpone(&self, rows: Vec<GarbageRow>) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let later = self.0.environment.now().saturating_add(RETRY);
        let put_off = move |transaction: &Transaction<'_>| {
            rows.iter().try_for_each(|row| transaction.postpone_garbage(row.id, later))
        };
        Ok(self.0.metadata.write(put_off).await?)
    }

    /// Makes each part of an upload garbage of its own, some in each transaction.
    async fn expand_parts(&self, row: &GarbageRow, owner: PartsOwner) -> Result<(), Error> {
        let upload = UploadId::from_bytes(row.blob.to_bytes());
        loop {
            let (store, row, now) = (self.clone(), row.clone(), self.0.environment.now());
            let expand = move |transaction: &Transaction<'_>| {
                let parts = transaction.parts(upload, 0, BATCH)?;
                for part in &parts {
                    release_part(transaction, (owner, now), part, &store)?;
                    transaction.delete_part(upload, part.number)?;
                }
                let last = parts.len() < BATCH as usize;
                if last {
                    transaction.delete_garbage(&row)?;
                }
                Ok::<_, Error>(last)
            };
            if self.0.metadata.write(expand).await? {
                return Ok(());
            }
        }
    }

    /// Deletes a blob at its site: where it was, and where it was moved to.
    fn delete_blob(&self, row: &GarbageRow) -> Result<(), Error> {
        if row.locator == NO_LOCATOR {
            return Ok(self.0.site.discard(row.blob)?);
        }
        let moved = self.0.metadata.read(|snapshot| snapshot.moved_blob(row.blob))?;
        for locator in [Some(&row.locator), moved.as_ref()].into_iter().flatten() {
            self.0.site.delete(row.blob, &Locator::try_from(&locator[..])?)?;
        }
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
                let mut earlier = Vec::new();
                for (blob, to) in batch {
                    let moved = transaction.moved_blob(blob)?;
                    earlier.extend(moved.filter(|moved| moved != to.as_bytes()).map(|moved| (blob, moved)));
                    transaction.put_moved_blob(blob, to.as_bytes())?;
                }
                Ok::<_, Error>(earlier)
            };
            let earlier = self.0.metadata.write(note).await?;
            self.delete_earlier_copies(segment, earlier).await?;
        }
        let site = self.0.site.clone();
        blocking(&self.0.blocking, move || {
            site.drop_segment(segment)?;
            Ok(site.sync_deletions()?)
        })
        .await?;
        Ok(moves.len())
    }

    /// Deletes copies that were noted before a crash and are noted elsewhere now. Those in the segment that is emptied go
    /// with it.
    async fn delete_earlier_copies(
        &self,
        emptied: SegmentNumber,
        copies: Vec<(BlobId, Vec<u8>)>,
    ) -> Result<(), Error> {
        let site = self.0.site.clone();
        blocking(&self.0.blocking, move || {
            for (blob, locator) in copies {
                let locator = Locator::try_from(&locator[..])?;
                if locator.segment_number() != Some(emptied) {
                    site.delete(blob, &locator)?;
                }
            }
            Ok(())
        })
        .await
    }
}

fn report(result: Result<ReclaimReport, Error>) {
    match result {
        Ok(report) if report == ReclaimReport::default() => {}
        Ok(report) => tracing::debug!(?report, "space was given back"),
        Err(error) => tracing::warn!(%error, "space could not be given back; it is tried again"),
    }
}
