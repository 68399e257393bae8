//! Verification: every row, key, blob and checksum against each other.
//!
//! It only reads. What it cannot see: a row that was deleted, or replaced by an older form of itself; only a
//! checkpoint of the journal, kept elsewhere, shows that.

use std::{collections::HashSet, sync::Arc};

use futures_util::StreamExt;
use nuee_access::{Action, Permit, Resource};
use nuee_base::{BlobId, UploadId};
use nuee_metadata::{Usage, VersionRow};

use crate::{
    Bucket, ChecksumType, Details, Error, Hasher, Object, ObjectInfo, Store,
    record::{Content as Stored, Version},
};

/// Rows read at once.
const BATCH: u32 = 500;
/// Findings that a report lists; beyond, they are only counted.
const LISTED_FINDINGS: usize = 1_000;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about; never an object's key.
    pub what: String,
    /// What is wrong with it.
    pub detail: String,
}

/// What a verification saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Buckets.
    pub buckets: u64,
    /// Objects.
    pub objects: u64,
    /// Blobs that objects and uploads reference.
    pub blobs: u64,
    /// Bytes that were read and opened.
    pub bytes: u64,
    /// Blobs that a site holds and nothing references: harmless, left by a crash.
    pub orphans: u64,
    /// How many things are not as they should be.
    pub damaged: u64,
    /// The first of them.
    pub findings: Vec<Finding>,
}

impl VerifyReport {
    fn add(&mut self, what: impl Into<String>, detail: impl std::fmt::Display) {
        self.damaged += 1;
        if self.findings.len() < LISTED_FINDINGS {
            self.findings.push(Finding { what: what.into(), detail: format!("{detail}") });
        }
    }
}

impl Store {
    /// Checks everything. With `content`, every byte is read and opened too; without, only that blobs are there.
    /// `progress` is called now and then with what was seen so far.
    pub async fn verify(
        &self,
        permit: &Permit,
        content: bool,
        progress: impl Fn(&VerifyReport) + Send + Sync,
    ) -> Result<VerifyReport, Error> {
        permit.require(Action::Verify, Resource::Platform)?;
        let mut report = VerifyReport::default();
        let mut referenced = HashSet::new();
        let mut after = 0;
        loop {
            let rows = self.0.metadata.read(|snapshot| snapshot.all_buckets(after, BATCH))?;
            let Some(last) = rows.last() else { break };
            after = last.number;
            for row in &rows {
                report.buckets += 1;
                match self.open_bucket(row) {
                    Ok(bucket) => {
                        let bucket = Arc::new(bucket);
                        self.verify_uploads(&bucket, &mut report, &mut referenced)?;
                    }
                    Err(error) => report.add(format!("bucket {}", row.name), error),
                }
            }
        }
        self.verify_versions(content, &mut report, &mut referenced, progress).await?;
        let (pointers, versions) = self.0.metadata.read(|snapshot| snapshot.dangling_versions())?;
        if pointers != 0 || versions != 0 {
            report.add(
                "latest versions",
                format!("{pointers} pointers and {versions} versions have no counterpart"),
            );
        }
        self.find_orphans(&mut report, &mut referenced).await?;
        Ok(report)
    }

    fn verify_uploads(
        &self,
        bucket: &Bucket,
        report: &mut VerifyReport,
        referenced: &mut HashSet<BlobId>,
    ) -> Result<(), Error> {
        let (mut key, mut id) = (Vec::new(), [0; 16]);
        loop {
            let uploads =
                self.0.metadata.read(|snapshot| snapshot.uploads(bucket.number, &key, id, BATCH))?;
            let Some(last) = uploads.last() else { return Ok(()) };
            (key, id) = (last.key.as_bytes().to_vec(), last.id.to_bytes());
            for upload in &uploads {
                self.reference_parts(bucket, upload.id, report, referenced)?;
            }
        }
    }

    /// The parts of an upload are referenced; gives them.
    fn reference_parts(
        &self,
        bucket: &Bucket,
        upload: UploadId,
        report: &mut VerifyReport,
        referenced: &mut HashSet<BlobId>,
    ) -> Result<(), Error> {
        for row in self.0.metadata.read(|snapshot| snapshot.parts(upload, 0, u32::MAX))? {
            match self.open_part(bucket, &row) {
                Ok(part) => {
                    report.blobs += u64::from(referenced.insert(part.blob.id()));
                }
                Err(error) => report.add(format!("part {} of upload {upload}", row.number), error),
            }
        }
        Ok(())
    }

    async fn verify_versions(
        &self,
        content: bool,
        report: &mut VerifyReport,
        referenced: &mut HashSet<BlobId>,
        progress: impl Fn(&VerifyReport) + Send + Sync,
    ) -> Result<(), Error> {
        let mut after = 0;
        let mut usage = std::collections::HashMap::<i64, Usage>::new();
        loop {
            let rows = self.0.metadata.read(|snapshot| snapshot.versions(after, BATCH))?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            for row in &rows {
                report.objects += 1;
                let opened = self.open_any_version(row);
                if let Ok((_, version)) = &opened {
                    let held = usage.entry(row.bucket).or_default();
                    held.objects += 1;
                    held.bytes += version.size.cast_signed();
                }
                let checked = match opened {
                    Ok((bucket, version)) => {
                        self.verify_version(&bucket, version, content, (report, referenced)).await
                    }
                    Err(error) => Err(error),
                };
                if let Err(error) = checked {
                    report.add(format!("version {} in bucket number {}", row.id, row.bucket), error);
                }
            }
            progress(report);
        }
        for (bucket, counted) in usage {
            let kept = self.0.metadata.read(|snapshot| snapshot.usage(bucket))?;
            if kept != counted {
                report.add(
                    format!("usage of bucket number {bucket}"),
                    format!("{kept:?} kept, {counted:?} counted"),
                );
            }
        }
        Ok(())
    }

    fn open_any_version(&self, row: &VersionRow) -> Result<(Arc<Bucket>, Version), Error> {
        let bucket = self.0.metadata.read(|snapshot| snapshot.bucket_by_number(row.bucket))?;
        let bucket = bucket.ok_or_else(|| Error::damaged("a version", "its bucket does not exist"))?;
        let bucket = Arc::new(self.open_bucket(&bucket)?);
        let version = self.open_version(&bucket, row)?;
        Ok((bucket, version))
    }

    async fn verify_version(
        &self,
        bucket: &Arc<Bucket>,
        version: Version,
        content: bool,
        (report, referenced): (&mut VerifyReport, &mut HashSet<BlobId>),
    ) -> Result<(), Error> {
        match &version.content {
            Stored::Blob(blob) => report.blobs += u64::from(referenced.insert(blob.id())),
            Stored::Parts { upload, .. } => {
                self.reference_parts(bucket, UploadId::from_bytes(*upload), report, referenced)?;
            }
        }
        let details = self.open_details(bucket, &version.details)?;
        report.bytes += self.verify_content(bucket, version, details, content).await?;
        Ok(())
    }

    /// Reads an object to its end, or only its first byte; compares its checksum. Gives the bytes that were read.
    async fn verify_content(
        &self,
        bucket: &Arc<Bucket>,
        version: Version,
        details: Details,
        all: bool,
    ) -> Result<u64, Error> {
        let info = ObjectInfo::new(&version);
        let wanted = if all { info.size } else { info.size.min(1) };
        let object = Object { info, details, bucket: Arc::clone(bucket), version, row: None };
        let whole =
            object.info.checksum.as_ref().filter(|(_, kind)| all && *kind == ChecksumType::FullObject);
        let mut hasher = whole.map(|(checksum, _)| Hasher::new(checksum.algorithm));
        let mut stream = self.read_object(&object, 0..wanted).await?.into_stream();
        let mut read = 0;
        while let Some(piece) = stream.next().await {
            let piece = piece?;
            read += piece.len() as u64;
            if let Some(hasher) = &mut hasher {
                hasher.update(&piece);
            }
        }
        if read != wanted {
            return Err(Error::damaged("an object", format!("{read} of {wanted} bytes could be read")));
        }
        match (hasher.map(Hasher::finish), whole) {
            (Some(computed), Some((kept, _))) if computed != *kept => Err(Error::BadChecksum(kept.algorithm)),
            _ => Ok(read),
        }
    }

    async fn find_orphans(
        &self,
        report: &mut VerifyReport,
        referenced: &mut HashSet<BlobId>,
    ) -> Result<(), Error> {
        let end = nuee_base::Timestamp::from_micros(i64::MAX);
        let waiting = self.0.metadata.read(|snapshot| snapshot.garbage(end, u32::MAX))?;
        referenced.extend(waiting.iter().map(|row| row.blob));
        referenced.extend(self.0.metadata.read(|snapshot| snapshot.pending_blobs(end))?);
        let site = self.0.site.clone();
        let held =
            crate::blob_write::blocking(&self.0.blocking, move || Ok(site.blobs().collect::<Vec<_>>()))
                .await?;
        for blob in held {
            match blob {
                Ok(held) if !referenced.contains(&held.id) => report.orphans += 1,
                Ok(_) => {}
                Err(error) => report.add("a site", error),
            }
        }
        Ok(())
    }
}
