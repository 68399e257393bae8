//! Objects: put, get, head, delete.

use std::{ops::Range, sync::Arc};

use nuee_access::{Action, Permit};
use nuee_base::{BucketName, Context, ObjectKey, Timestamp};
use nuee_journal::Subject;
use nuee_keys::RowMacKey;
use nuee_metadata::{PartRow, Snapshot, Transaction, VersionRow};
use sha2::{Digest as _, Sha256};

use crate::{
    Bucket, Checksum, ChecksumType, Conditions, Details, ETag, Error, Lock, Store, TagSet, Versioning,
    blob_read::{Content, Piece},
    blob_write::{Body, Unrecorded, Written},
    lease::Lease,
    record::{self, BlobRecord, ChecksumRecord, Content as Stored, Version},
    version::Found,
    version_id::{self, VersionId},
};

/// The largest object that one request can write, as at S3: 5 GiB.
pub const MAX_PUT_BYTES: u64 = 5 << 30;

/// What is written beside the content of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    /// What its writer says of it.
    pub details: Details,
    /// Its tags.
    pub tags: TagSet,
    /// What is to keep it from being removed. Without a retention of its own it gets that of the bucket.
    pub lock: Lock,
    /// By what kind of request it is written.
    pub origin: Origin,
}

/// By what kind of request an object is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Origin {
    /// PUT.
    #[default]
    Put,
    /// A form.
    Form,
    /// A copy of an object of this bucket.
    Copy(BucketName),
}

/// How the journal calls a form.
pub(crate) const FROM_FORM: &str = "form";
/// How the journal begins to tell of a copy.
pub(crate) const FROM_COPY: &str = "copy from bucket/";

impl Origin {
    /// What the journal says of it.
    pub(crate) fn said(&self) -> Option<String> {
        match self {
            Self::Put => None,
            Self::Form => Some(FROM_FORM.to_owned()),
            Self::Copy(bucket) => Some(format!("{FROM_COPY}{bucket}")),
        }
    }
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
    /// The id of this version, where versions are kept or were.
    pub version: Option<String>,
    /// What keeps it from being removed.
    pub lock: Lock,
}

impl ObjectInfo {
    pub(crate) fn new(bucket: &Bucket, id: i64, version: &Version) -> Self {
        let checksum = version
            .checksum
            .as_ref()
            .map(|kept| (Checksum { algorithm: kept.algorithm, value: kept.value.clone() }, kept.kind));
        let parts = match version.content {
            Stored::Blob(_) => None,
            Stored::Parts { count, .. } => Some(count),
        };
        Self {
            size: version.size,
            etag: version.etag,
            modified_at: version.modified_at(),
            checksum,
            parts,
            version: shown_id(bucket, id, version.is_null),
            lock: version.lock,
        }
    }
}

/// The id that clients see of a version, where versions are kept or were.
pub(crate) fn shown_id(bucket: &Bucket, id: i64, is_null: bool) -> Option<String> {
    let shown = || if is_null { version_id::NULL.to_owned() } else { version_id::write(bucket, id) };
    (bucket.versioning != Versioning::Unversioned).then(shown)
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
    /// How many tags it has.
    pub tags: usize,
    /// The number of its version.
    pub(crate) id: i64,
}

/// What a version's replacement or removal needs to know inside the transaction.
#[derive(Clone)]
pub(crate) struct Change {
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) key: ObjectKey,
    pub(crate) row_key: Arc<RowMacKey>,
    pub(crate) reclaim_at: Timestamp,
    /// Whether a retention in the GOVERNANCE mode is to be passed over.
    pub(crate) bypass: bool,
}

impl Change {
    /// The id that clients see of a version that was made by this change.
    pub(crate) fn shown_id(&self, id: i64) -> Option<String> {
        shown_id(&self.bucket, id, self.bucket.versioning != Versioning::Enabled)
    }
}

impl Store {
    /// Writes an object. When this returns, the object survives a power cut.
    pub async fn put_object(
        &self,
        context: &Context,
        permit: &Permit,
        (bucket, key): (&Arc<Bucket>, ObjectKey),
        (body, described): (Body, Described),
        conditions: Conditions,
    ) -> Result<ObjectInfo, Error> {
        permit.require_bucket(Action::PutObject, bucket.id)?;
        if !conditions.is_empty() {
            // Looked at again when it is committed; but what cannot be made now need not be read.
            let row = self.0.metadata.read(|snapshot| snapshot.latest_version(bucket.number, &key))?;
            self.check_conditions(bucket, row.as_ref(), &conditions)?;
        }
        let lock = self.lock_of_new(bucket, described.lock)?;
        let details = self.seal_details(bucket, &described.details)?;
        let tags = self.seal_tags(bucket, &described.tags)?;
        let written = self.write_blob(context, bucket, body, MAX_PUT_BYTES).await?;
        let version = Version {
            modified_at_micros: context.now().as_micros(),
            size: written.size,
            etag: self.etag_of(&written),
            checksum: Some(full_object(&written.checksum)),
            details,
            tags,
            content: Stored::Blob(written.blob.clone()),
            is_null: false,
            lock,
        };
        let commit = (version, described.origin.said(), written.unrecorded);
        self.commit_version(context, (bucket, key), commit, conditions).await
    }

    /// What keeps a new version from being removed, when its writer says this.
    pub(crate) fn lock_of_new(&self, bucket: &Bucket, asked: Lock) -> Result<Lock, Error> {
        let now = self.0.lock_clock.now();
        match bucket.object_lock {
            None if asked == Lock::default() => Ok(asked),
            None => Err(Error::Invalid("the bucket has no object lock: it must be created with it".into())),
            Some(_) if asked.retention.is_some_and(|retention| retention.until() <= now) => {
                Err(Error::InvalidArgument("the retain until date must be in the future".into()))
            }
            Some(configured) => {
                let default = || configured.default.map(|default| default.from(self.0.environment.now()));
                Ok(Lock { retention: asked.retention.or_else(default), ..asked })
            }
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
        (version, detail, mut unrecorded): (Version, Option<String>, Unrecorded),
        conditions: Conditions,
    ) -> Result<ObjectInfo, Error> {
        let mut info = ObjectInfo::new(bucket, 0, &version);
        let entry = self.entry(context, bucket)?;
        let mut change = self.change(context, bucket, key)?;
        let store = self.clone();
        let commit = move |transaction: &Transaction<'_>| {
            let id = store.add_version(transaction, &mut change, version, &conditions)?;
            let subject = Subject { detail: detail.as_deref(), ..Subject::key(&change.key) };
            entry.append(transaction, Action::PutObject.as_str(), subject)?;
            unrecorded.record(transaction)?;
            info.version = change.shown_id(id);
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
            bypass: false,
        })
    }

    /// The object of this key, ready to be read.
    pub fn object(&self, permit: &Permit, bucket: &Arc<Bucket>, key: &ObjectKey) -> Result<Object, Error> {
        permit.require_bucket(Action::GetObject, bucket.id)?;
        let row = self.0.metadata.read(|snapshot| snapshot.latest_version(bucket.number, key))?;
        match row {
            Some(row) => self.open_object(bucket, &row),
            None => Err(self.0.metadata.read(|snapshot| self.why_absent(snapshot, bucket, key))?),
        }
    }

    /// The version of this id of an object, ready to be read.
    pub fn object_version(
        &self,
        permit: &Permit,
        bucket: &Arc<Bucket>,
        (key, version): (&ObjectKey, &str),
    ) -> Result<Object, Error> {
        permit.require_bucket(Action::GetObjectVersion, bucket.id)?;
        let row =
            self.0.metadata.read_consistent(|snapshot| self.version_row(snapshot, (bucket, key), version))?;
        self.open_object(bucket, &row)
    }

    fn open_object(&self, bucket: &Arc<Bucket>, row: &VersionRow) -> Result<Object, Error> {
        let version = self.open_version(bucket, row)?;
        let details = self.open_details(bucket, &version.details)?;
        let tags = self.open_tags(bucket, &version.tags)?.len();
        let (info, bucket) = (ObjectInfo::new(bucket, row.id, &version), Arc::clone(bucket));
        Ok(Object { info, details, bucket, version, tags, id: row.id })
    }

    /// Why a key names no object: there is none, or the newest of its versions is a delete marker.
    pub(crate) fn why_absent(
        &self,
        snapshot: &Snapshot<'_>,
        bucket: &Bucket,
        key: &ObjectKey,
    ) -> Result<Error, Error> {
        if bucket.versioning == Versioning::Unversioned {
            return Ok(Error::NoSuchKey);
        }
        let newest = snapshot.newest_history(bucket.number, key)?;
        // What is newest and no marker was promoted in between.
        let Some(row) = newest.filter(|row| row.is_marker) else { return Ok(Error::NoSuchKey) };
        self.marker(bucket, &row, false)
    }

    fn marker(&self, bucket: &Bucket, row: &nuee_metadata::HistoryRow, by_id: bool) -> Result<Error, Error> {
        let listed = self.open_history(bucket, (row.version, row.key.as_str()), &row.record, &row.mac)?;
        let version = shown_id(bucket, row.version, listed.is_null).unwrap_or_default();
        let modified_at = Timestamp::from_micros(listed.modified_at_micros);
        Ok(Error::DeleteMarker { version, modified_at, by_id })
    }

    /// Which version of a key a request names.
    pub(crate) fn find_version(
        &self,
        snapshot: &Snapshot<'_>,
        (bucket, key): (&Bucket, &ObjectKey),
        version: &str,
    ) -> Result<Found, Error> {
        let latest = snapshot.latest(bucket.number, key)?;
        let latest_is_null = |(id, record, mac): &(i64, Vec<u8>, nuee_metadata::Mac)| {
            Ok::<_, Error>(self.open_listed(bucket, (*id, key.as_str()), record, mac)?.is_null)
        };
        let history = match VersionId::parse(bucket, version).ok_or(Error::NoSuchVersion)? {
            VersionId::Null => match latest {
                Some(row) if latest_is_null(&row)? => return Ok(Found::Latest(row.0)),
                _ => snapshot.null_history(bucket.number, key)?,
            },
            VersionId::Number(id) => match latest {
                Some(row) if row.0 == id => {
                    // The null version has no id, though its number would give one.
                    return if latest_is_null(&row)? {
                        Err(Error::NoSuchVersion)
                    } else {
                        Ok(Found::Latest(id))
                    };
                }
                _ => snapshot.history(bucket.number, key, id)?.filter(|row| !row.is_null),
            },
        };
        history.map(Found::History).ok_or(Error::NoSuchVersion)
    }

    /// The row of a version that has content.
    pub(crate) fn version_row(
        &self,
        snapshot: &Snapshot<'_>,
        (bucket, key): (&Bucket, &ObjectKey),
        version: &str,
    ) -> Result<VersionRow, Error> {
        let id = match self.find_version(snapshot, (bucket, key), version)? {
            Found::Latest(id) => id,
            Found::History(row) if row.is_marker => return Err(self.marker(bucket, &row, true)?),
            Found::History(row) => row.version,
        };
        let row = snapshot.version(id)?.ok_or(Error::NoSuchVersion)?;
        // The row's code tells whether it is the right one.
        Ok(VersionRow { bucket: bucket.number, key: key.clone(), ..row })
    }

    /// The bytes of `range` of an object; the range lies inside it.
    pub async fn read_object(&self, object: &Object, range: Range<u64>) -> Result<Content, Error> {
        if range.start > range.end || range.end > object.info.size {
            return Err(Error::InvalidRange { size: object.info.size });
        }
        let (pieces, lease) = self.pieces(object, range).await?;
        self.read_pieces(&object.bucket, pieces, lease).await
    }

    /// The bytes that came as the part of this number; of an object that was written at once, part 1 is all of it.
    /// `None` if there is no such part.
    pub async fn part_range(&self, object: &Object, number: u16) -> Result<Option<Range<u64>>, Error> {
        let Stored::Parts { upload, digest, .. } = object.version.content else {
            return Ok((number == 1).then_some(0..object.info.size));
        };
        let lease = self.0.leases.take(upload);
        let (store, bucket) = (self.clone(), Arc::clone(&object.bucket));
        let find = move || {
            let upload = nuee_base::UploadId::from_bytes(upload);
            let rows = store.0.metadata.read(|snapshot| snapshot.parts(upload, 0, u32::MAX))?;
            let parts = store.open_parts(&bucket, &rows, digest)?;
            let mut start = 0;
            for (row, (size, _)) in rows.iter().zip(parts) {
                if row.number == number {
                    return Ok(Some(start..start + size));
                }
                start += size;
            }
            Ok(None)
        };
        let found = crate::blob_write::blocking(&self.0.blocking, find).await;
        drop(lease);
        found
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
}

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
