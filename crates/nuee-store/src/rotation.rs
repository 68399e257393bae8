//! Rotation of a project's key: a new version seals from now on, and every row that the older versions wrapped is
//! wrapped anew. Blobs are not touched. Older versions stay, only to open what was being written meanwhile.

use std::sync::Arc;

use nuee_access::{Permit, Resource};
use nuee_base::{Context, ProjectId};
use nuee_keys::{ProjectKey, WrappedDataKey};
use nuee_metadata::{PartRow, Transaction, VersionRow};

use crate::{
    Bucket, Error, Store,
    object::DETAILS,
    record::{self, BlobRecord, Content as Stored, PartRecord, VersionRecord},
    store::{identity, part_fields, version_fields},
};

/// Rows that one transaction rewraps.
const BATCH: u32 = 200;

impl Store {
    /// Makes a new version of a project's key and rewraps what the older ones wrapped; gives the number of rows.
    pub async fn rotate_project_key(&self, context: &Context, permit: &Permit) -> Result<usize, Error> {
        let Resource::Project { organisation, project } = permit.resource() else {
            return Err(Error::Invalid("a key is rotated by project".into()));
        };
        let version = self.0.project_keys.add_version(context, permit).await?;
        let new = self.project_key(organisation, project, version)?;
        self.rewrap_project(project, version, new).await
    }

    async fn rewrap_project(
        &self,
        project: ProjectId,
        version: u32,
        new: Arc<ProjectKey>,
    ) -> Result<usize, Error> {
        let (mut rewrapped, mut after) = (0, 0);
        loop {
            let rows = self.0.metadata.read(|snapshot| snapshot.versions(after, BATCH))?;
            let Some(last) = rows.last() else { return Ok(rewrapped) };
            after = last.id;
            let (store, new) = (self.clone(), Arc::clone(&new));
            // Inside the transaction, since rows may be replaced meanwhile.
            let rewrap = move |transaction: &Transaction<'_>| {
                let mut done = 0;
                for row in rows {
                    let bucket = transaction.bucket_by_number(row.bucket)?;
                    let Some(bucket) = bucket.filter(|bucket| bucket.project == project) else { continue };
                    let bucket = store.open_bucket(&bucket)?;
                    done += store.rewrap_version(transaction, &bucket, &row, (version, &new))?;
                }
                Ok::<_, Error>(done)
            };
            rewrapped += self.0.metadata.write(rewrap).await?;
        }
    }

    fn rewrap_version(
        &self,
        transaction: &Transaction<'_>,
        bucket: &Bucket,
        row: &VersionRow,
        (key_version, new): (u32, &ProjectKey),
    ) -> Result<usize, Error> {
        let mut version = self.open_version(bucket, row)?;
        let mut changed = 0;
        match &mut version.content {
            Stored::Blob(blob) => {
                changed += usize::from(self.rewrap_blob(bucket, blob, (key_version, new))?);
            }
            Stored::Parts { upload, .. } => {
                let upload = nuee_base::UploadId::from_bytes(*upload);
                for part in transaction.parts(upload, 0, u32::MAX)? {
                    changed += self.rewrap_part(transaction, bucket, &part, (key_version, new))?;
                }
            }
        }
        if !version.details.is_empty() && nuee_keys::record_key_version(&version.details)? != key_version {
            let details = self.open_details(bucket, &version.details)?;
            let plain = record::encode(&details)?;
            let context = bucket.organisation.to_bytes();
            version.details = new.seal_record(&self.0.environment, DETAILS, &context, &plain)?;
        }
        let record = record::encode(&VersionRecord::V1(version))?;
        if record != row.record {
            let row_key = self.row_key(bucket.organisation)?;
            let mac = version_fields(bucket, row.id, row.key.as_str(), &record).mac(&row_key);
            // A row that was deleted meanwhile is not updated, and that is right.
            transaction.update_version(row.id, &record, mac)?;
        }
        Ok(changed)
    }

    fn rewrap_part(
        &self,
        transaction: &Transaction<'_>,
        bucket: &Bucket,
        row: &PartRow,
        new: (u32, &ProjectKey),
    ) -> Result<usize, Error> {
        let mut part = self.open_part(bucket, row)?;
        if !self.rewrap_blob(bucket, &mut part.blob, new)? {
            return Ok(0);
        }
        let record = record::encode(&PartRecord::V1(part))?;
        let row_key = self.row_key(bucket.organisation)?;
        let mac = part_fields(bucket, row.upload.to_bytes(), row.number, &record).mac(&row_key);
        transaction.put_part(&PartRow { upload: row.upload, number: row.number, record, mac })?;
        Ok(1)
    }

    /// Rewraps a blob's data key; `false` if the new key wraps it already.
    fn rewrap_blob(
        &self,
        bucket: &Bucket,
        blob: &mut BlobRecord,
        (key_version, new): (u32, &ProjectKey),
    ) -> Result<bool, Error> {
        let wrapped = WrappedDataKey::from_bytes(&blob.key)?;
        if wrapped.key_version() == key_version {
            return Ok(false);
        }
        let old = self.project_key(bucket.organisation, bucket.project, wrapped.key_version())?;
        blob.key = nuee_keys::rewrap(&old, new, identity(bucket, blob.id()), &wrapped)?.to_bytes().to_vec();
        Ok(true)
    }
}
