//! Copies. A copy needs two permits: to read the source, and to write the destination.
//!
//! Within a project a copy references the same bytes, counted in the transaction that makes it; across projects, or
//! into one with another manner of entity tag, the bytes are read and sealed anew.

use std::{ops::Range, sync::Arc};

use futures_util::StreamExt;
use nuee_access::{Action, Permit};
use nuee_base::{Context, ObjectKey};
use nuee_journal::Subject;
use nuee_metadata::Transaction;

use crate::{
    Bucket, ChecksumAlgorithm, Details, Error, Object, ObjectInfo, Store, WriteCondition,
    blob_write::{Body, ExpectedChecksum},
    error::BodyError,
    object::MAX_PUT_BYTES,
    record::{Content as Stored, Encryption},
};

/// What a copy says of itself, where that differs from its source.
#[derive(Debug, Clone, Default)]
pub struct CopyOptions {
    /// The copy's own details; those of the source if `None`.
    pub details: Option<Details>,
    /// The checksum that the copy is to have; that of the source if `None`.
    pub checksum: Option<ChecksumAlgorithm>,
    /// How the copy is to be shown; as its bucket has it if `None`.
    pub encryption: Option<Encryption>,
}

impl Store {
    /// Copies an object that was found with a permit to read it. [`Error::SourceChanged`] if it is not the latest of
    /// its key any more: find it again.
    pub async fn copy_object(
        &self,
        context: &Context,
        (permit, source): (&Permit, &Object),
        (bucket, key): (&Arc<Bucket>, ObjectKey),
        options: CopyOptions,
    ) -> Result<ObjectInfo, Error> {
        permit.require_bucket(Action::PutObject, bucket.id)?;
        if source.info.size > MAX_PUT_BYTES {
            return Err(Error::TooLarge { what: "the source of a copy", limit: MAX_PUT_BYTES });
        }
        let details = options.details.as_ref().unwrap_or(&source.details);
        if can_share(source, bucket, &options) {
            return self.share(context, source, (bucket, key), details).await;
        }
        let kept = source.info.checksum.as_ref().map(|(checksum, _)| checksum.algorithm);
        let algorithm = options.checksum.or(kept).unwrap_or(ChecksumAlgorithm::Crc64Nvme);
        let mut body = self.body_of(source, 0..source.info.size, algorithm).await?;
        body.encryption = options.encryption;
        let copied = (body, details.clone());
        self.put_object(context, permit, (bucket, key), copied, WriteCondition::None).await
    }

    /// The bytes of `range` of an object, as the body of a write.
    pub(crate) async fn body_of(
        &self,
        source: &Object,
        range: Range<u64>,
        algorithm: ChecksumAlgorithm,
    ) -> Result<Body, Error> {
        let size = Some(range.end - range.start);
        let content = self.read_object(source, range).await?;
        let stream = content.into_stream().map(|piece| piece.map_err(BodyError::from));
        let checksum = ExpectedChecksum::Compute(algorithm);
        Ok(Body { stream: Box::pin(stream), size, md5: None, checksum, encryption: None })
    }

    async fn share(
        &self,
        context: &Context,
        source: &Object,
        (bucket, key): (&Arc<Bucket>, ObjectKey),
        details: &Details,
    ) -> Result<ObjectInfo, Error> {
        self.require_room()?;
        let mut version = source.version.clone();
        version.modified_at_micros = context.now().as_micros();
        version.details = self.seal_details(bucket, details)?;
        let info = ObjectInfo::new(&version);
        let entry = bucket.entry(context);
        let (source_bucket, source_content) = (Arc::clone(&source.bucket), source.version.content.clone());
        let source_row = source.row.clone();
        let change = self.change(context, bucket, key)?;
        let store = self.clone();
        let commit = move |transaction: &Transaction<'_>| {
            // Since it was found, the source may have been replaced, and its bytes be on their way out.
            let (source_key, source_id) = source_row.ok_or(Error::SourceChanged)?;
            let latest = transaction.latest_version(source_bucket.number, &source_key)?;
            if latest.is_none_or(|latest| latest.id != source_id) {
                return Err(Error::SourceChanged);
            }
            let shared = match &source_content {
                Stored::Blob(blob) => blob.id,
                Stored::Parts { upload, .. } => *upload,
            };
            // Counted first: if the copy replaces its own source, the bytes must not be released in between.
            transaction.add_reference(shared)?;
            store.replace_latest(transaction, &change, version, &WriteCondition::None)?;
            let from = format!("copy from bucket/{}", source_bucket.name);
            let subject = Subject { detail: Some(&from), ..Subject::key(&change.key) };
            entry.append(transaction, Action::PutObject.as_str(), subject)?;
            Ok(info)
        };
        self.0.metadata.write(commit).await
    }
}

/// Whether a copy can reference its source's bytes and be all that was asked.
fn can_share(source: &Object, bucket: &Bucket, options: &CopyOptions) -> bool {
    let kept = source.info.checksum.as_ref().map(|(checksum, _)| checksum.algorithm);
    source.bucket.project == bucket.project
        && source.info.etag.encryption() == options.encryption.unwrap_or(bucket.encryption)
        && (options.checksum.is_none() || options.checksum == kept)
}
