//! The rows of the store, all in one snapshot.

use std::collections::HashMap;

use nuee_base::{BlobId, Timestamp, UploadId};
use nuee_journal::States;
use nuee_metadata::{BucketRow, HistoryRow, Snapshot, Usage, VersionRow};

use super::{
    BATCH, VerifyReport,
    journal::{self, OpenUploads},
};
use crate::{
    Bucket, Error, Store,
    record::{BlobRecord, Content as Stored, Version},
    setting,
};

/// A blob that rows reference, and its plain size in bytes.
pub(super) type Referenced = (BlobId, u64);

/// What the rows that were seen say together.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) buckets: HashMap<i64, Bucket>,
    pub(super) uploads: OpenUploads,
    /// What buckets are set to: fingerprints.
    pub(super) settings: States,
    blobs: Vec<Referenced>,
    usage: HashMap<i64, Usage>,
    /// How many versions reference what is shared.
    references: HashMap<[u8; 16], i64>,
}

impl Store {
    /// Checks every row; gives what is referenced, sorted.
    pub(super) fn verify_rows(&self, report: &mut VerifyReport) -> Result<Vec<Referenced>, Error> {
        self.0.metadata.read_consistent(|snapshot| {
            let mut seen = Seen::default();
            let shares = snapshot.shares()?;
            seen.references.extend(shares.iter().map(|(id, _)| (*id, 0)));
            self.verify_buckets(snapshot, report, &mut seen)?;
            self.verify_versions(snapshot, report, &mut seen)?;
            compare_usage(snapshot, report, &seen)?;
            journal::compare(self, snapshot, report, &seen)?;
            for (id, extra) in shares {
                let found = seen.references.get(&id).copied().unwrap_or(0);
                if found != extra + 1 {
                    let what = format!("what is shared as {}", UploadId::from_bytes(id));
                    report.add(what, format!("{} references kept, {found} counted", extra + 1));
                }
            }
            seen.blobs.sort_unstable();
            compare_garbage(snapshot, report, &mut seen.blobs, &seen.references)?;
            let pointers = snapshot.dangling_versions()?;
            if pointers != (0, 0) {
                let (pointers, versions) = pointers;
                let detail = format!("{pointers} pointers and {versions} versions have no counterpart");
                report.add("latest versions", detail);
            }
            report.blobs = seen.blobs.len() as u64;
            Ok(seen.blobs)
        })
    }

    fn verify_buckets(
        &self,
        snapshot: &Snapshot<'_>,
        report: &mut VerifyReport,
        seen: &mut Seen,
    ) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let rows = snapshot.all_buckets(after, BATCH)?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.number;
            for row in &rows {
                report.buckets += 1;
                match self.open_bucket(row) {
                    Ok(bucket) => {
                        self.verify_uploads(snapshot, &bucket, report, seen)?;
                        self.verify_settings(snapshot, &bucket, report, seen)?;
                        self.verify_history(snapshot, &bucket, report)?;
                        seen.buckets.insert(row.number, bucket);
                    }
                    Err(error) => report.add(bucket_name(row), error),
                }
            }
        }
    }

    fn verify_uploads(
        &self,
        snapshot: &Snapshot<'_>,
        bucket: &Bucket,
        report: &mut VerifyReport,
        seen: &mut Seen,
    ) -> Result<(), Error> {
        let (mut key, mut id) = (Vec::new(), [0; 16]);
        loop {
            let uploads = snapshot.uploads(bucket.number, &key, id, BATCH)?;
            let Some(last) = uploads.last() else { return Ok(()) };
            (key, id) = (last.key.as_bytes().to_vec(), last.id.to_bytes());
            for row in &uploads {
                let opened = self.open_upload(bucket, row).and_then(|upload| {
                    self.open_details(bucket, &upload.details)?;
                    self.open_tags(bucket, &upload.tags)
                });
                if let Err(error) = opened {
                    report.add(format!("upload {}", row.id), error);
                }
                self.reference_parts(snapshot, bucket, row.id, report, seen)?;
            }
        }
    }

    /// The parts of an upload are referenced.
    fn reference_parts(
        &self,
        snapshot: &Snapshot<'_>,
        bucket: &Bucket,
        upload: UploadId,
        report: &mut VerifyReport,
        seen: &mut Seen,
    ) -> Result<(), Error> {
        let parts = seen.uploads.entry(upload).or_default();
        for row in snapshot.parts(upload, 0, u32::MAX)? {
            match self.open_part(bucket.parts_owner(), &row) {
                Ok(part) => {
                    parts.insert(row.number, part.blob.id());
                    seen.blobs.push((part.blob.id(), part.size));
                }
                Err(error) => report.add(format!("part {} of upload {upload}", row.number), error),
            }
        }
        Ok(())
    }

    fn verify_versions(
        &self,
        snapshot: &Snapshot<'_>,
        report: &mut VerifyReport,
        seen: &mut Seen,
    ) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let rows = snapshot.versions(after, BATCH)?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.id;
            for row in &rows {
                report.objects += 1;
                if let Err(error) = self.verify_version(snapshot, row, seen) {
                    report.add(version_name(row), error);
                }
            }
        }
    }

    fn verify_version(
        &self,
        snapshot: &Snapshot<'_>,
        row: &VersionRow,
        seen: &mut Seen,
    ) -> Result<(), Error> {
        let bucket = seen.buckets.get(&row.bucket).cloned();
        let bucket =
            bucket.ok_or_else(|| Error::damaged("its bucket", "it does not exist, or is damaged"))?;
        let version = self.open_version(&bucket, row)?;
        self.verify_listed(snapshot, &bucket, row, &version)?;
        let held = seen.usage.entry(row.bucket).or_default();
        held.objects += 1;
        held.bytes += version.size.cast_signed();
        match &version.content {
            Stored::Blob(blob) => {
                count(seen, blob.id);
                seen.blobs.push((BlobRecord::id(blob), version.size));
            }
            Stored::Parts { upload, digest, .. } => {
                let rows = snapshot.parts(UploadId::from_bytes(*upload), 0, u32::MAX)?;
                let parts = self.open_parts(&bucket, &rows, *digest)?;
                let sum: u64 = parts.iter().map(|(size, _)| size).sum();
                // Parts that are shared are referenced together, and so counted together.
                if count(seen, *upload) == 1 {
                    seen.blobs.extend(parts.iter().map(|(size, blob)| (BlobRecord::id(blob), *size)));
                }
                if sum != version.size {
                    return Err(Error::damaged(
                        "an object",
                        format!("its parts have {sum} bytes, not {}", version.size),
                    ));
                }
            }
        }
        self.open_details(&bucket, &version.details)?;
        self.open_tags(&bucket, &version.tags).map(drop)
    }
}

impl Store {
    /// That listings show of a version what it is. Versions that nothing points to are told of elsewhere.
    fn verify_listed(
        &self,
        snapshot: &Snapshot<'_>,
        bucket: &Bucket,
        row: &VersionRow,
        version: &Version,
    ) -> Result<(), Error> {
        let place = (row.id, row.key.as_str());
        let shown = match snapshot.latest(row.bucket, &row.key)?.filter(|latest| latest.0 == row.id) {
            Some((_, record, mac)) => self.open_listed(bucket, place, &record, &mac)?,
            None => match snapshot.history(row.bucket, &row.key, row.id)? {
                Some(history) => self.open_history(bucket, place, &history.record, &history.mac)?,
                None => return Ok(()),
            },
        };
        if shown == version.listed() {
            return Ok(());
        }
        Err(Error::damaged("its row in listings", "it shows something else"))
    }

    /// The rows of a bucket's history: each is older than what its key names, and the newest of a key that names nothing
    /// is a delete marker.
    fn verify_history(
        &self,
        snapshot: &Snapshot<'_>,
        bucket: &Bucket,
        report: &mut VerifyReport,
    ) -> Result<(), Error> {
        let mut after = (Vec::new(), i64::MAX);
        let mut latest = None;
        loop {
            let rows = snapshot.history_after(bucket.number, (&after.0, after.1), BATCH)?;
            let Some(last) = rows.last() else { return Ok(()) };
            let next = (last.key.as_bytes().to_vec(), last.version);
            for row in &rows {
                let is_newest = row.key.as_bytes() != after.0;
                if is_newest {
                    after.0 = row.key.as_bytes().to_vec();
                    latest = snapshot.latest(bucket.number, &row.key)?.map(|latest| latest.0);
                }
                if let Err(error) = self.verify_history_row(snapshot, bucket, row, (latest, is_newest)) {
                    report.add(
                        format!("version {} in the history of bucket {}", row.version, bucket.name),
                        error,
                    );
                }
            }
            after = next;
        }
    }

    fn verify_history_row(
        &self,
        snapshot: &Snapshot<'_>,
        bucket: &Bucket,
        row: &HistoryRow,
        (latest, is_newest): (Option<i64>, bool),
    ) -> Result<(), Error> {
        let listed = self.open_history(bucket, (row.version, row.key.as_str()), &row.record, &row.mac)?;
        let misplaced = |detail| Err(Error::damaged("its row", detail));
        if (row.is_null, row.is_marker) != (listed.is_null, listed.object.is_none()) {
            return misplaced("its columns do not say what its record says");
        }
        if latest.is_some_and(|latest| latest <= row.version) {
            return misplaced("it is newer than the version that its key names");
        }
        if latest.is_none() && is_newest && !row.is_marker {
            return misplaced("its key names nothing, and it is no delete marker");
        }
        if !row.is_marker && snapshot.version(row.version)?.is_none() {
            return misplaced("its version does not exist");
        }
        Ok(())
    }

    fn verify_settings(
        &self,
        snapshot: &Snapshot<'_>,
        bucket: &Bucket,
        report: &mut VerifyReport,
        seen: &mut Seen,
    ) -> Result<(), Error> {
        for row in snapshot.bucket_settings(bucket.number)? {
            let what = setting::on(&bucket.on(), &row.name);
            match self.open_setting(bucket, &row) {
                Ok((_, plain)) => drop(seen.settings.insert(what, self.fingerprint(bucket, &plain)?)),
                Err(error) => report.add(what, error),
            }
        }
        Ok(())
    }
}

pub(super) fn version_name(row: &VersionRow) -> String {
    format!("version {} in bucket number {}", row.id, row.bucket)
}

fn bucket_name(row: &BucketRow) -> String {
    format!("bucket {}", row.name)
}

/// Counts a reference to what may be shared; gives how many there are so far.
fn count(seen: &mut Seen, id: [u8; 16]) -> i64 {
    match seen.references.get_mut(&id) {
        Some(count) => {
            *count += 1;
            *count
        }
        None => 1,
    }
}

fn compare_usage(snapshot: &Snapshot<'_>, report: &mut VerifyReport, seen: &Seen) -> Result<(), Error> {
    let mut kept: HashMap<i64, Usage> = snapshot.all_usage()?.into_iter().collect();
    for number in seen.usage.keys() {
        kept.entry(*number).or_default();
    }
    for (bucket, kept) in kept {
        let counted = seen.usage.get(&bucket).copied().unwrap_or_default();
        if kept != counted {
            report.add(
                format!("usage of bucket number {bucket}"),
                format!("{kept:?} kept, {counted:?} counted"),
            );
        }
    }
    Ok(())
}

/// What is referenced waits for no deletion; and what is not counted as shared is referenced once. `blobs` is sorted, and
/// has each once after this.
fn compare_garbage(
    snapshot: &Snapshot<'_>,
    report: &mut VerifyReport,
    blobs: &mut Vec<Referenced>,
    shared: &HashMap<[u8; 16], i64>,
) -> Result<(), Error> {
    for pair in blobs.windows(2) {
        if pair[0].0 == pair[1].0 && !shared.contains_key(&pair[0].0.to_bytes()) {
            report.add(format!("blob {}", pair[0].0), "it is referenced more often than is counted");
        }
    }
    blobs.dedup();
    let end = Timestamp::from_micros(i64::MAX);
    let garbage = snapshot.garbage(end, u32::MAX)?.into_iter().map(|row| row.blob);
    for blob in garbage.chain(snapshot.pending_blobs(end)?) {
        if blobs.binary_search_by_key(&blob, |(id, _)| *id).is_ok() {
            report.add(format!("blob {blob}"), "it is referenced, and waits to be deleted");
        }
    }
    Ok(())
}
