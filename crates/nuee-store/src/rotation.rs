//! Rotation of a project's key: a new version seals from now on, and every row that the older versions wrapped is
//! wrapped anew. Blobs are not touched. Older versions stay, only to open what was being written meanwhile.
//!
//! Rows are walked until a whole walk changes nothing, so that what was written during one is found by the next. Each
//! row is read in the transaction that changes it. A damaged row is counted and left; it keeps no other from its new key.

use std::sync::Arc;

use nuee_access::{Permit, Resource};
use nuee_base::{Context, ErrorKind, ProjectId, UploadId};
use nuee_keys::{ProjectKey, WrappedDataKey};
use nuee_metadata::{BucketSettingRow, PartRow, Transaction, UploadRow, VersionRow};

use crate::{
    Bucket, Error, Store,
    record::{self, BlobRecord, Content as Stored, PartRecord, UploadRecord},
    sealing::{DETAILS, TAGS},
    store::{identity, part_fields, upload_fields},
};

/// Rows that one transaction rewraps.
const BATCH: u32 = 200;
/// Walks at most: of what is written during one, the next finds little.
const WALKS: usize = 10;

/// What a rotation did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Data keys that were wrapped anew.
    pub rewrapped: usize,
    /// Rows that are damaged, and stay under the key that they had.
    pub damaged: usize,
}

impl Rotation {
    fn add(&mut self, other: Self) {
        self.rewrapped += other.rewrapped;
        self.damaged += other.damaged;
    }

    /// The outcome of one row.
    fn of(result: Result<usize, Error>) -> Result<Self, Error> {
        match result {
            Ok(rewrapped) => Ok(Self { rewrapped, damaged: 0 }),
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::error!(%error, "a damaged row keeps its key");
                Ok(Self { rewrapped: 0, damaged: 1 })
            }
            Err(error) => Err(error),
        }
    }
}

/// The key that rows are to be under.
#[derive(Clone)]
struct Target {
    project: ProjectId,
    version: u32,
    key: Arc<ProjectKey>,
}

impl Store {
    /// Makes a new version of a project's key and rewraps what the older ones wrapped.
    pub async fn rotate_project_key(&self, context: &Context, permit: &Permit) -> Result<Rotation, Error> {
        let Resource::Project { organisation, project } = permit.resource() else {
            return Err(Error::Invalid("a key is rotated by project".into()));
        };
        let version = self.0.project_keys.add_version(context, permit).await?;
        let target = Target { project, version, key: self.project_key(organisation, project, version)? };
        let mut total = Rotation::default();
        for _ in 0..WALKS {
            let mut walk = self.rewrap_versions(&target).await?;
            walk.add(self.rewrap_uploads(&target).await?);
            total.rewrapped += walk.rewrapped;
            total.damaged = walk.damaged;
            if walk.rewrapped == 0 {
                break;
            }
        }
        Ok(total)
    }

    async fn rewrap_versions(&self, target: &Target) -> Result<Rotation, Error> {
        let (mut total, mut after) = (Rotation::default(), 0);
        loop {
            let (store, to) = (self.clone(), target.clone());
            let rewrap = move |transaction: &Transaction<'_>| {
                let rows = transaction.versions(after, BATCH)?;
                let (mut done, mut uploads) = (Rotation::default(), Vec::new());
                for row in &rows {
                    let bucket = transaction.bucket_by_number(row.bucket)?;
                    let Some(bucket) = bucket.filter(|bucket| bucket.project == to.project) else { continue };
                    let bucket = store.open_bucket(&bucket)?;
                    let rewrapped = store.rewrap_version(transaction, &bucket, row, &to);
                    done.add(Rotation::of(rewrapped.map(|(rewrapped, upload)| {
                        uploads.extend(upload.map(|upload| (bucket, upload)));
                        rewrapped
                    }))?);
                }
                Ok::<_, Error>((done, uploads, rows.last().map(|row| row.id)))
            };
            let (done, uploads, last) = self.0.metadata.write(rewrap).await?;
            total.add(done);
            for (bucket, upload) in uploads {
                total.add(self.rewrap_parts(&bucket, upload, target).await?);
            }
            match last {
                Some(last) => after = last,
                None => return Ok(total),
            }
        }
    }

    /// Rewraps what a version's row holds. Gives how many data keys that were, and the upload that has more.
    fn rewrap_version(
        &self,
        transaction: &Transaction<'_>,
        bucket: &Bucket,
        row: &VersionRow,
        to: &Target,
    ) -> Result<(usize, Option<UploadId>), Error> {
        let mut version = self.open_version(bucket, row)?;
        let (mut changed, mut parts) = (0, None);
        match &mut version.content {
            Stored::Blob(blob) => changed += usize::from(self.rewrap_blob(bucket, blob, to)?),
            Stored::Parts { upload, .. } => parts = Some(UploadId::from_bytes(*upload)),
        }
        version.details = self.reseal(bucket, DETAILS, version.details, to)?;
        version.tags = self.reseal(bucket, TAGS, version.tags, to)?;
        self.rewrite_version(transaction, (bucket, row), version)?;
        Ok((changed, parts))
    }

    /// Rewraps the uploads under way, and their parts; reseals what buckets are set to.
    async fn rewrap_uploads(&self, target: &Target) -> Result<Rotation, Error> {
        let (mut total, mut after) = (Rotation::default(), 0);
        loop {
            let rows = self.0.metadata.read(|snapshot| snapshot.all_buckets(after, BATCH))?;
            let Some(last) = rows.last() else { return Ok(total) };
            after = last.number;
            for row in rows.iter().filter(|row| row.project == target.project) {
                let bucket = self.open_bucket(row)?;
                total.add(self.reseal_settings(&bucket, target).await?);
                total.add(self.rewrap_uploads_of(&bucket, target).await?);
            }
        }
    }

    async fn rewrap_uploads_of(&self, bucket: &Bucket, target: &Target) -> Result<Rotation, Error> {
        let (mut total, mut key, mut id) = (Rotation::default(), Vec::new(), [0; 16]);
        loop {
            let (store, to, bucket_of_rows) = (self.clone(), target.clone(), bucket.clone());
            let (after_key, after_id) = (key, id);
            let rewrap = move |transaction: &Transaction<'_>| {
                let rows = transaction.uploads(bucket_of_rows.number, &after_key, after_id, BATCH)?;
                let mut done = Rotation::default();
                for row in &rows {
                    let rewrapped = store.rewrap_upload(transaction, &bucket_of_rows, row, &to);
                    done.add(Rotation::of(rewrapped.map(|()| 0))?);
                }
                Ok::<_, Error>((done, rows))
            };
            let (done, rows) = self.0.metadata.write(rewrap).await?;
            total.add(done);
            let Some(last) = rows.last() else { return Ok(total) };
            (key, id) = (last.key.as_bytes().to_vec(), last.id.to_bytes());
            for row in &rows {
                total.add(self.rewrap_parts(bucket, row.id, target).await?);
            }
        }
    }

    fn rewrap_upload(
        &self,
        transaction: &Transaction<'_>,
        bucket: &Bucket,
        row: &UploadRow,
        to: &Target,
    ) -> Result<(), Error> {
        let mut upload = self.open_upload(bucket, row)?;
        upload.details = self.reseal(bucket, DETAILS, upload.details, to)?;
        upload.tags = self.reseal(bucket, TAGS, upload.tags, to)?;
        let record = record::encode(&UploadRecord::V2(upload))?;
        if record != row.record {
            let row_key = self.row_key(bucket.organisation)?;
            let mac = upload_fields(bucket, row.id.to_bytes(), row.key.as_str(), &record).mac(&row_key);
            transaction.update_upload(&UploadRow { record, mac, ..row.clone() })?;
        }
        Ok(())
    }

    /// Rewraps the parts of an upload, or of the object that it became, some in each transaction.
    async fn rewrap_parts(
        &self,
        bucket: &Bucket,
        upload: UploadId,
        target: &Target,
    ) -> Result<Rotation, Error> {
        let (mut total, mut after) = (Rotation::default(), 0);
        loop {
            let (store, to, bucket) = (self.clone(), target.clone(), bucket.clone());
            let rewrap = move |transaction: &Transaction<'_>| {
                let rows = transaction.parts(upload, after, BATCH)?;
                let mut done = Rotation::default();
                for row in &rows {
                    done.add(Rotation::of(store.rewrap_part(transaction, &bucket, row, &to))?);
                }
                Ok::<_, Error>((done, rows.last().map(|row| row.number)))
            };
            let (done, last) = self.0.metadata.write(rewrap).await?;
            total.add(done);
            match last {
                Some(last) => after = last,
                None => return Ok(total),
            }
        }
    }

    fn rewrap_part(
        &self,
        transaction: &Transaction<'_>,
        bucket: &Bucket,
        row: &PartRow,
        to: &Target,
    ) -> Result<usize, Error> {
        let mut part = self.open_part(bucket.parts_owner(), row)?;
        if !self.rewrap_blob(bucket, &mut part.blob, to)? {
            return Ok(0);
        }
        let record = record::encode(&PartRecord::V1(part))?;
        let row_key = self.row_key(bucket.organisation)?;
        let mac = part_fields(bucket.parts_owner(), row.upload.to_bytes(), row.number, &record).mac(&row_key);
        transaction.put_part(&PartRow { upload: row.upload, number: row.number, record, mac })?;
        Ok(1)
    }

    /// Rewraps a blob's data key; `false` if the new key wraps it already.
    fn rewrap_blob(&self, bucket: &Bucket, blob: &mut BlobRecord, to: &Target) -> Result<bool, Error> {
        let wrapped = WrappedDataKey::from_bytes(&blob.key)?;
        if wrapped.key_version() == to.version {
            return Ok(false);
        }
        let old = self.project_key(bucket.organisation, bucket.project, wrapped.key_version())?;
        blob.key =
            nuee_keys::rewrap(&old, &to.key, identity(bucket, blob.id()), &wrapped)?.to_bytes().to_vec();
        Ok(true)
    }

    /// What was sealed for a purpose, sealed by the new key.
    fn reseal(&self, bucket: &Bucket, purpose: &str, sealed: Vec<u8>, to: &Target) -> Result<Vec<u8>, Error> {
        if sealed.is_empty() || nuee_keys::record_key_version(&sealed)? == to.version {
            return Ok(sealed);
        }
        let plain = self.open_sealed(bucket, purpose, &sealed)?;
        Ok(to.key.seal_record(&self.0.environment, purpose, &bucket.organisation.to_bytes(), &plain)?)
    }

    /// Reseals the settings of a bucket.
    async fn reseal_settings(&self, bucket: &Bucket, target: &Target) -> Result<Rotation, Error> {
        let (store, to, bucket) = (self.clone(), target.clone(), bucket.clone());
        let reseal = move |transaction: &Transaction<'_>| {
            let mut done = Rotation::default();
            for row in transaction.bucket_settings(bucket.number)? {
                done.add(Rotation::of(store.reseal_setting(transaction, &bucket, row, &to))?);
            }
            Ok::<_, Error>(done)
        };
        self.0.metadata.write(reseal).await
    }

    fn reseal_setting(
        &self,
        transaction: &Transaction<'_>,
        bucket: &Bucket,
        row: BucketSettingRow,
        to: &Target,
    ) -> Result<usize, Error> {
        let (_, plain) = self.open_setting(bucket, &row)?;
        if nuee_keys::record_key_version(&row.record)? != to.version {
            transaction.put_bucket_setting(&self.setting_row(bucket, row.name, &plain)?)?;
        }
        Ok(0)
    }
}
