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
    Bucket, ChecksumAlgorithm, Conditions, Described, Details, Error, Lock, Object, ObjectInfo, Store,
    TagSet,
    blob_write::{Body, ExpectedChecksum},
    error::BodyError,
    object::{MAX_PUT_BYTES, Origin},
    record::{Content as Stored, Encryption, Version},
};

/// What a copy says of itself, where that differs from its source.
#[derive(Debug, Clone, Default)]
pub struct CopyOptions {
    /// The copy's own details; those of the source if `None`.
    pub details: Option<Details>,
    /// The copy's own tags; those of the source if `None`.
    pub tags: Option<TagSet>,
    /// What is to keep the copy from being removed, as for any new version.
    pub lock: Lock,
    /// When the copy is to be made: what its key names must be so.
    pub conditions: Conditions,
    /// The checksum that the copy is to have; that of the source if `None`.
    pub checksum: Option<ChecksumAlgorithm>,
    /// How the copy is to be shown; as its bucket has it if `None`.
    pub encryption: Option<Encryption>,
}

impl Store {
    /// Copies an object that was found with a permit to read it. [`Error::SourceChanged`] if it was replaced or
    /// removed since: find it again.
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
        let details = options.details.clone().unwrap_or_else(|| source.details.clone());
        let tags = match options.tags.clone() {
            Some(tags) => tags,
            None => self.open_tags(&source.bucket, &source.version.tags)?,
        };
        let described =
            Described { details, tags, lock: options.lock, origin: Origin::Copy(source.bucket.name.clone()) };
        if can_share(source, bucket, &options) {
            return self.share(context, source, (bucket, key), (described, options.conditions)).await;
        }
        let kept = source.info.checksum.as_ref().map(|(checksum, _)| checksum.algorithm);
        let algorithm = options.checksum.or(kept).unwrap_or(ChecksumAlgorithm::Crc64Nvme);
        let mut body = self.body_of(source, 0..source.info.size, algorithm).await?;
        body.encryption = options.encryption;
        self.put_object(context, permit, (bucket, key), (body, described), options.conditions).await
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
        (described, conditions): (Described, Conditions),
    ) -> Result<ObjectInfo, Error> {
        self.require_room()?;
        self.require_bounds(bucket.project, source.info.size)?;
        let version = Version {
            modified_at_micros: context.now().as_micros(),
            details: self.seal_details(bucket, &described.details)?,
            tags: self.seal_tags(bucket, &described.tags)?,
            lock: self.lock_of_new(bucket, described.lock)?,
            ..source.version.clone()
        };
        let mut info = ObjectInfo::new(bucket, 0, &version);
        let entry = self.entry(context, bucket)?;
        let from = described.origin.said();
        let (source_content, source_id) = (source.version.content.clone(), source.id);
        let mut change = self.change(context, bucket, key)?;
        let store = self.clone();
        let commit = move |transaction: &Transaction<'_>| {
            // Since it was found, the source may have been replaced or removed, and its bytes be on their way out.
            if transaction.version(source_id)?.is_none() {
                return Err(Error::SourceChanged);
            }
            let shared = match &source_content {
                Stored::Blob(blob) => blob.id,
                Stored::Parts { upload, .. } => *upload,
            };
            // Counted first: if the copy replaces its own source, the bytes must not be released in between.
            transaction.add_reference(shared)?;
            let id = store.add_version(transaction, &mut change, version, &conditions)?;
            let subject = Subject { detail: from.as_deref(), ..Subject::key(&change.key) };
            entry.append(transaction, Action::PutObject.as_str(), subject)?;
            info.version = change.shown_id(id);
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
