//! Objects: put, get, head, delete.

use std::{ops::Range, sync::Arc};

use nuee_access::{Action, Permit};
use nuee_base::{BlobId, Context, ErrorKind, ObjectKey, Timestamp};
use nuee_journal::{Entry, Subject};
use nuee_keys::RowMacKey;
use nuee_metadata::{PartRow, Transaction, Usage, VersionRow};
use sha2::{Digest as _, Sha256};

use crate::{
    Bucket, Checksum, ChecksumType, Details, ETag, Error, Store,
    blob_read::{Content, Piece},
    blob_write::{Body, Unrecorded, Written},
    lease::Lease,
    record::{self, BlobRecord, ChecksumRecord, Content as Stored, ListedRecord, Version, VersionRecord},
    store::{PartsOwner, listed_fields, version_fields},
};

/// The largest object that one request can write, as at S3: 5 GiB.
pub const MAX_PUT_BYTES: u64 = 5 << 30;

/// When a write is to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WriteCondition {
    /// Always.
    #[default]
    None,
    /// Only if the object does not exist.
    Absent,
    /// Only if the object has this entity tag, without quotes.
    Matches(String),
}

/// What is known of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its size, in bytes.
    pub size: u64,
    /// Its entity tag.
    pub etag: ETag,
    /// When it was written.
    pub modified_at: Timestamp,
    /// Its checksum, and what that was computed over.
    pub checksum: Option<(Checksum, ChecksumType)>,
    /// The number of parts it was uploaded in, if it was.
    pub parts: Option<u16>,
}

impl ObjectInfo {
    pub(crate) fn new(version: &Version) -> Self {
        let checksum = version
            .checksum
            .as_ref()
            .map(|kept| (Checksum { algorithm: kept.algorithm, value: kept.value.clone() }, kept.kind));
        let parts = match version.content {
            Stored::Blob(_) => None,
            Stored::Parts { count, .. } => Some(count),
        };
        Self { size: version.size, etag: version.etag, modified_at: version.modified_at(), checksum, parts }
    }
}

/// An object that was found, ready to be read.
#[derive(Debug, Clone)]
pub struct Object {
    /// What is known of it.
    pub info: ObjectInfo,
    /// What its writer said of it.
    pub details: Details,
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) version: Version,
    /// The key, and the row that was the latest version of it; `None` if it was not found by its key.
    pub(crate) row: Option<(ObjectKey, i64)>,
}

/// What a version's replacement or removal needs to know inside the transaction.
#[derive(Clone)]
pub(crate) struct Change {
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) key: ObjectKey,
    pub(crate) row_key: Arc<RowMacKey>,
    pub(crate) reclaim_at: Timestamp,
}

impl Store {
    /// Writes an object. When this returns, the object survives a power cut.
    pub async fn put_object(
        &self,
        context: &Context,
        permit: &Permit,
        (bucket, key): (&Arc<Bucket>, ObjectKey),
        (body, details): (Body, Details),
        condition: WriteCondition,
    ) -> Result<ObjectInfo, Error> {
        permit.require_bucket(Action::PutObject, bucket.id)?;
        if condition != WriteCondition::None {
            // Looked at again when it is committed; but what cannot be made now need not be read.
            let row = self.0.metadata.read(|snapshot| snapshot.latest_version(bucket.number, &key))?;
            let etag = row.as_ref().and_then(|row| Some(self.open_version(bucket, row).ok()?.etag));
            check_condition(&condition, row.is_some(), etag)?;
        }
        let details = self.seal_details(bucket, &details)?;
        let written = self.write_blob(context, bucket, body, MAX_PUT_BYTES).await?;
        let version = self.version_of(context, details, &written);
        self.commit_version(context, (bucket, key), version, condition, written.unrecorded).await
    }

    fn version_of(&self, context: &Context, details: Vec<u8>, written: &Written) -> Version {
        Version {
            modified_at_micros: context.now().as_micros(),
            size: written.size,
            etag: self.etag_of(written),
            checksum: Some(full_object(&written.checksum)),
            details,
            content: Stored::Blob(written.blob.clone()),
        }
    }

    /// The entity tag of what was written.
    pub(crate) fn etag_of(&self, written: &Written) -> ETag {
        match written.md5 {
            Some(md5) => ETag::Md5(md5),
            None => {
                let mut random = [0; 16];
                self.0.environment.fill_random(&mut random);
                ETag::Opaque(random)
            }
        }
    }

    /// Makes `version` the latest one of its key.
    pub(crate) async fn commit_version(
        &self,
        context: &Context,
        (bucket, key): (&Arc<Bucket>, ObjectKey),
        version: Version,
        condition: WriteCondition,
        mut unrecorded: Unrecorded,
    ) -> Result<ObjectInfo, Error> {
        let info = ObjectInfo::new(&version);
        let entry = bucket.entry(context);
        let change = self.change(context, bucket, key)?;
        let store = self.clone();
        let commit = move |transaction: &Transaction<'_>| {
            store.replace_latest(transaction, &change, version, &condition)?;
            entry.append(transaction, Action::PutObject.as_str(), Subject::key(&change.key))?;
            unrecorded.record(transaction)?;
            Ok((info, unrecorded))
        };
        let result = self.0.metadata.write(commit).await.map(|(info, _recorded)| info);
        if let Err(Error::NoSuchBucket(_)) = result {
            drop(self.forget_bucket(bucket));
        }
        result
    }

    pub(crate) fn change(
        &self,
        context: &Context,
        bucket: &Arc<Bucket>,
        key: ObjectKey,
    ) -> Result<Change, Error> {
        Ok(Change {
            bucket: Arc::clone(bucket),
            key,
            row_key: self.row_key(bucket.organisation)?,
            reclaim_at: context.now().saturating_add(self.0.options.reclaim_delay),
        })
    }

    /// Inside a transaction: puts `version` in the place of the latest one. The journal's leaf comes right after.
    pub(crate) fn replace_latest(
        &self,
        transaction: &Transaction<'_>,
        change: &Change,
        version: Version,
        condition: &WriteCondition,
    ) -> Result<(), Error> {
        let Change { bucket, key, row_key, .. } = change;
        bucket.still_exists(transaction)?;
        let old = transaction.latest_version(bucket.number, key)?;
        let old = old.map(|row| Ok::<_, Error>((row.id, self.open_replaced(bucket, &row)?))).transpose()?;
        let etag = old.as_ref().and_then(|(_, version)| Some(version.as_ref()?.etag));
        check_condition(condition, old.is_some(), etag)?;
        let mut usage = Usage { objects: 1, bytes: version.size.cast_signed() };
        let id = transaction.next_sequence();
        let listed = record::encode(&ListedRecord::V1(version.listed()))?;
        let code = listed_fields(bucket, id, key.as_str(), &listed).mac(row_key);
        let record = record::encode(&VersionRecord::V1(version))?;
        let mac = version_fields(bucket, id, key.as_str(), &record).mac(row_key);
        let row = VersionRow { id, bucket: bucket.number, key: key.clone(), record, mac };
        transaction.insert_latest_version(&row, (&listed, code))?;
        if let Some((old_id, old)) = old {
            transaction.delete_version(old_id)?;
            usage.objects = 0;
            if let Some(old) = old {
                release(transaction, change, &old)?;
                usage.bytes -= old.size.cast_signed();
            }
        }
        Ok(transaction.add_usage(bucket.number, usage)?)
    }

    /// A version that is about to be replaced or removed; `None` if it is damaged. What a damaged row says is not to be
    /// followed, but its owner may get rid of it.
    fn open_replaced(&self, bucket: &Bucket, row: &VersionRow) -> Result<Option<Version>, Error> {
        match self.open_version(bucket, row) {
            Ok(version) => Ok(Some(version)),
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::error!(%error, "a damaged version is removed; its blob is left");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The object of this key, ready to be read.
    pub fn object(&self, permit: &Permit, bucket: &Arc<Bucket>, key: &ObjectKey) -> Result<Object, Error> {
        permit.require_bucket(Action::GetObject, bucket.id)?;
        let row = self.0.metadata.read(|snapshot| snapshot.latest_version(bucket.number, key))?;
        let row = row.ok_or(Error::NoSuchKey)?;
        let version = self.open_version(bucket, &row)?;
        let details = self.open_details(bucket, &version.details)?;
        let (info, bucket) = (ObjectInfo::new(&version), Arc::clone(bucket));
        Ok(Object { info, details, bucket, version, row: Some((row.key, row.id)) })
    }

    /// The bytes of `range` of an object; the range lies inside it.
    pub async fn read_object(&self, object: &Object, range: Range<u64>) -> Result<Content, Error> {
        if range.start > range.end || range.end > object.info.size {
            return Err(Error::InvalidRange { size: object.info.size });
        }
        let (pieces, lease) = self.pieces(object, range).await?;
        self.read_pieces(&object.bucket, pieces, lease).await
    }

    /// Where the bytes of `range` of an object are, and what keeps its parts from being reclaimed meanwhile.
    async fn pieces(&self, object: &Object, range: Range<u64>) -> Result<(Vec<Piece>, Option<Lease>), Error> {
        let (upload, digest) = match &object.version.content {
            Stored::Blob(blob) => {
                // Its one blob is open until it is read, which no deletion changes.
                return Ok((vec![Piece { blob: blob.clone(), size: object.info.size, range }], None));
            }
            Stored::Parts { upload, digest, .. } => (*upload, *digest),
        };
        let lease = self.0.leases.take(upload);
        let (store, bucket) = (self.clone(), Arc::clone(&object.bucket));
        let parts = move || store.parts_of(&bucket, upload, digest);
        let parts = crate::blob_write::blocking(&self.0.blocking, parts).await?;
        let mut start = 0;
        let mut pieces = Vec::new();
        for (size, blob) in parts {
            let (from, to) = (range.start.max(start), range.end.min(start + size));
            if from < to {
                pieces.push(Piece { blob, size, range: from - start..to - start });
            }
            start += size;
        }
        Ok((pieces, Some(lease)))
    }

    /// The sizes and blobs of an object's parts, in order, checked to be those that it was made of.
    fn parts_of(
        &self,
        bucket: &Bucket,
        upload: [u8; 16],
        digest: [u8; 32],
    ) -> Result<Vec<(u64, BlobRecord)>, Error> {
        let upload = nuee_base::UploadId::from_bytes(upload);
        let rows = self.0.metadata.read(|snapshot| snapshot.parts(upload, 0, u32::MAX))?;
        self.open_parts(bucket, &rows, digest)
    }

    /// [`Store::parts_of`], from the rows.
    pub(crate) fn open_parts(
        &self,
        bucket: &Bucket,
        rows: &[PartRow],
        digest: [u8; 32],
    ) -> Result<Vec<(u64, BlobRecord)>, Error> {
        let mut hasher = Sha256::new();
        let mut parts = Vec::with_capacity(rows.len());
        for row in rows {
            let part = self.open_part(bucket.parts_owner(), row)?;
            hasher.update(part_digest(row.number, &part));
            parts.push((part.size, part.blob));
        }
        if <[u8; 32]>::from(hasher.finalize()) != digest {
            return Err(Error::damaged("the parts of an object", "they are not those that it was made of"));
        }
        Ok(parts)
    }

    /// Deletes objects; says for each whether there was one. A key that does not exist is no error, as at S3.
    pub async fn delete_objects(
        &self,
        context: &Context,
        permit: &Permit,
        bucket: &Arc<Bucket>,
        keys: Vec<ObjectKey>,
    ) -> Result<Vec<bool>, Error> {
        permit.require_bucket(Action::DeleteObject, bucket.id)?;
        let mut deleted = Vec::with_capacity(keys.len());
        // Not all at once, so that others' commits need not wait for a thousand deletions.
        for keys in keys.chunks(DELETIONS_PER_COMMIT) {
            let changes = keys.iter().map(|key| self.change(context, bucket, key.clone()));
            let changes = changes.collect::<Result<Vec<_>, _>>()?;
            let (store, entry) = (self.clone(), bucket.entry(context));
            let delete = move |transaction: &Transaction<'_>| {
                changes.iter().map(|change| store.delete_latest(transaction, change, &entry)).collect()
            };
            let done: Result<Vec<bool>, Error> = self.0.metadata.write(delete).await;
            deleted.extend(done?);
        }
        Ok(deleted)
    }

    fn delete_latest(
        &self,
        transaction: &Transaction<'_>,
        change: &Change,
        entry: &Entry,
    ) -> Result<bool, Error> {
        let Change { bucket, key, .. } = change;
        let Some(row) = transaction.latest_version(bucket.number, key)? else { return Ok(false) };
        let mut usage = Usage { objects: -1, bytes: 0 };
        if let Some(version) = self.open_replaced(bucket, &row)? {
            release(transaction, change, &version)?;
            usage.bytes = -version.size.cast_signed();
        }
        transaction.add_usage(bucket.number, usage)?;
        transaction.delete_version(row.id)?;
        transaction.delete_latest(bucket.number, key)?;
        entry.append(transaction, Action::DeleteObject.as_str(), Subject::key(key))?;
        Ok(true)
    }

    pub(crate) fn seal_details(&self, bucket: &Bucket, details: &Details) -> Result<Vec<u8>, Error> {
        if *details == Details::default() {
            return Ok(Vec::new());
        }
        if details.metadata_bytes() > Details::MAX_METADATA_BYTES {
            let limit = Details::MAX_METADATA_BYTES as u64;
            return Err(Error::TooLarge { what: "the user metadata", limit });
        }
        let key = self.sealing_key(bucket.organisation, bucket.project)?;
        let plain = record::encode(details)?;
        Ok(key.seal_record(&self.0.environment, DETAILS, &bucket.organisation.to_bytes(), &plain)?)
    }

    pub(crate) fn open_details(&self, bucket: &Bucket, sealed: &[u8]) -> Result<Details, Error> {
        if sealed.is_empty() {
            return Ok(Details::default());
        }
        let damaged = |error: nuee_keys::Error| Error::damaged("an object's metadata", error);
        let version = nuee_keys::record_key_version(sealed).map_err(damaged)?;
        let key = self.project_key(bucket.organisation, bucket.project, version)?;
        let plain = key.open_record(DETAILS, &bucket.organisation.to_bytes(), sealed).map_err(damaged)?;
        record::decode("details", &plain)
    }
}

/// What sealed details are for, so that no other sealed record passes for them.
pub(crate) const DETAILS: &str = "details";
/// Deletions that one transaction carries.
const DELETIONS_PER_COMMIT: usize = 100;

/// What an object's digest of its parts takes of each: all that says which bytes they are, and nothing that a change
/// of keys changes.
pub(crate) fn part_digest(number: u16, part: &record::Part) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend_from_slice(&part.size.to_be_bytes());
    bytes.extend_from_slice(&part.blob.id);
    bytes
}

/// A checksum of an object's whole content, as rows keep it.
pub(crate) fn full_object(checksum: &Checksum) -> ChecksumRecord {
    ChecksumRecord {
        algorithm: checksum.algorithm,
        kind: ChecksumType::FullObject,
        value: checksum.value.clone(),
    }
}

/// Whether a write is to be made where there is, or is not, an object, which has this entity tag unless it is damaged.
fn check_condition(condition: &WriteCondition, exists: bool, etag: Option<ETag>) -> Result<(), Error> {
    match (condition, etag) {
        (WriteCondition::None, _) => Ok(()),
        (WriteCondition::Absent, _) if !exists => Ok(()),
        (WriteCondition::Matches(_), _) if !exists => Err(Error::NoSuchKey),
        (WriteCondition::Matches(expected), Some(etag)) if *expected == etag.to_string() => Ok(()),
        _ => Err(Error::PreconditionFailed),
    }
}

/// Inside a transaction: takes away a version's reference to its bytes, and marks what nothing references any more.
pub(crate) fn release(
    transaction: &Transaction<'_>,
    change: &Change,
    version: &Version,
) -> Result<(), Error> {
    match &version.content {
        Stored::Blob(blob) => {
            if transaction.remove_reference(blob.id)? {
                transaction.insert_garbage(blob.id(), &blob.locator, change.reclaim_at)?;
            }
        }
        Stored::Parts { upload, .. } => {
            if transaction.remove_reference(*upload)? {
                release_parts(transaction, change, *upload)?;
            }
        }
    }
    Ok(())
}

/// Inside a transaction: marks all parts of an upload for deletion. Their rows stay until the reclaimer comes to them: for
/// those who read them now, and so that nobody waits while thousands are marked.
pub(crate) fn release_parts(
    transaction: &Transaction<'_>,
    change: &Change,
    upload: [u8; 16],
) -> Result<(), Error> {
    let owner = PartsOwner { organisation: change.bucket.organisation, project: change.bucket.project };
    Ok(transaction.insert_garbage(BlobId::from_bytes(upload), &owner.to_bytes(), change.reclaim_at)?)
}

/// Inside a transaction: marks the blob of a part for deletion. What a damaged row says is not followed, but its owner
/// may get rid of it.
pub(crate) fn release_part(
    transaction: &Transaction<'_>,
    (owner, reclaim_at): (PartsOwner, Timestamp),
    row: &PartRow,
    store: &Store,
) -> Result<(), Error> {
    match store.open_part(owner, row) {
        Ok(part) => Ok(transaction.insert_garbage(part.blob.id(), &part.blob.locator, reclaim_at)?),
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            tracing::error!(%error, "a damaged part is removed; its blob is left");
            Ok(())
        }
        Err(error) => Err(error),
    }
}
