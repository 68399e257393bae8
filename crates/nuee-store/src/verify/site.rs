//! What the site holds, against what rows reference.

use nuee_base::{BlobId, Timestamp};
use nuee_sites::StoredBlob;

use super::{VerifyReport, rows::Referenced};
use crate::{Error, Store, blob_write::blocking};

/// What a walk of the site found.
#[derive(Default)]
struct Walk {
    /// Referenced, and not there.
    missing: Vec<Referenced>,
    /// There, and not referenced.
    orphans: Vec<StoredBlob>,
    /// There, with another length than it was written with.
    altered: Vec<StoredBlob>,
    errors: Vec<nuee_sites::Error>,
}

impl Store {
    /// Compares the site with what rows reference.
    pub(super) async fn verify_site(
        &self,
        referenced: Vec<Referenced>,
        tell_missing: bool,
        report: &mut VerifyReport,
    ) -> Result<(), Error> {
        let store = self.clone();
        let mut walk = blocking(&self.0.listing, move || Ok(store.walk_site(&referenced))).await?;
        walk.missing.retain(|_| tell_missing);
        for error in &walk.errors {
            report.add("a site", error);
        }
        if walk.missing.is_empty() && walk.orphans.is_empty() && walk.altered.is_empty() {
            return Ok(());
        }
        // Something may have come or gone since the rows were read: what do they say now?
        let store = self.clone();
        blocking(&self.0.listing, move || store.rows_now(walk)).await?.into_iter().for_each(|found| {
            match found {
                Found::Damage(blob, detail) => report.add(format!("blob {blob}"), detail),
                Found::Orphan => report.orphans += 1,
            }
        });
        Ok(())
    }

    fn walk_site(&self, referenced: &[Referenced]) -> Walk {
        let mut walk = Walk::default();
        let mut held = vec![false; referenced.len()];
        for blob in self.0.site.blobs() {
            let blob = match blob {
                Ok(blob) => blob,
                Err(error) => {
                    walk.errors.push(error);
                    continue;
                }
            };
            match referenced.binary_search_by_key(&blob.id, |(id, _)| *id) {
                Ok(index) => {
                    held[index] = true;
                    if blob.length != nuee_keys::sealed_size(referenced[index].1) {
                        walk.altered.push(blob);
                    }
                }
                Err(_) => walk.orphans.push(blob),
            }
        }
        let absent = referenced.iter().zip(held).filter(|(_, held)| !held);
        walk.missing.extend(absent.map(|(blob, _)| *blob));
        walk
    }

    /// What of a walk is so still.
    fn rows_now(&self, walk: Walk) -> Result<Vec<Found>, Error> {
        // Whose writers are about to record them, asked before the rows that they may have become.
        let mut expected = self.0.unreferenced.ids();
        let rows = self.verify_rows(&mut VerifyReport::default())?;
        let is_referenced = |id: BlobId| rows.binary_search_by_key(&id, |(other, _)| *other).is_ok();
        let mut found = Vec::new();
        for (id, _) in walk.missing.into_iter().filter(|(id, _)| is_referenced(*id)) {
            // It may have been written to a segment that was walked already, or moved to one.
            if !self.0.site.blobs().flatten().any(|blob| blob.id == id) {
                found.push(Found::Damage(id, "it is referenced, and its site does not have it"));
            }
        }
        for blob in walk.altered.into_iter().filter(|blob| is_referenced(blob.id)) {
            found.push(Found::Damage(blob.id, "it is not as long as it was written"));
        }
        let end = Timestamp::from_micros(i64::MAX);
        let (garbage, pending) = self.0.metadata.read(|snapshot| {
            Ok::<_, Error>((snapshot.garbage(end, u32::MAX)?, snapshot.pending_blobs(end)?))
        })?;
        expected.extend(garbage.into_iter().map(|row| row.blob).chain(pending));
        expected.sort_unstable();
        let is_orphan = |id: &BlobId| !is_referenced(*id) && expected.binary_search(id).is_err();
        let mut orphans: Vec<BlobId> =
            walk.orphans.into_iter().map(|blob| blob.id).filter(is_orphan).collect();
        if orphans.is_empty() {
            return Ok(found);
        }
        // And what was deleted since is there no more.
        orphans.sort_unstable();
        let there = self.0.site.blobs().flatten().filter(|blob| orphans.binary_search(&blob.id).is_ok());
        found.extend(there.map(|_| Found::Orphan));
        Ok(found)
    }
}

enum Found {
    Damage(BlobId, &'static str),
    Orphan,
}
