//! Multipart uploads.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use md5_simd::{Digest as _, DigestMd5 as Md5};
use nuee_access::{Action, Permit};
use nuee_base::{Context, ObjectKey, Timestamp, UploadId};
use nuee_journal::{Entry, Subject};
use nuee_metadata::{PartRow, Transaction, UploadRow};
use sha2::Sha256;

use crate::{
    Bucket, Checksum, ChecksumAlgorithm, ChecksumType, Conditions, Described, ETag, Error, Object,
    ObjectInfo, Store,
    blob_write::{Body, blocking},
    object::{Change, MAX_PUT_BYTES, full_object, part_digest},
    record::{
        self, ChecksumRecord, Content as Stored, Encryption, Part, PartRecord, Upload, UploadRecord, Version,
    },
    store::{part_fields, upload_fields},
    version::{release_part, release_parts},
};

/// What the journal calls the requests of a multipart upload; one action of policies stands for all of them.
pub(crate) const CREATE_UPLOAD: &str = "s3:CreateMultipartUpload";
pub(crate) const PUT_PART: &str = "s3:UploadPart";
pub(crate) const COMPLETE_UPLOAD: &str = "s3:CompleteMultipartUpload";

/// The highest part number, as at S3.
pub const MAX_PART_NUMBER: u16 = 10_000;
/// The largest object, as at S3: 5 TiB.
pub const MAX_OBJECT_BYTES: u64 = 5 << 40;

/// An upload under way, in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadInfo {
    /// Its id.
    pub id: UploadId,
    /// The key of the object to be.
    pub key: ObjectKey,
    /// When it was created.
    pub created_at: Timestamp,
    /// The checksum that it was created with.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
}

/// A part, in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartInfo {
    /// Its number.
    pub number: u16,
    /// Its size, in bytes.
    pub size: u64,
    /// Its entity tag.
    pub etag: ETag,
    /// When it was written.
    pub modified_at: Timestamp,
    /// Its checksum.
    pub checksum: Checksum,
}

impl PartInfo {
    fn new(number: u16, part: &Part) -> Self {
        let checksum = Checksum { algorithm: part.checksum.algorithm, value: part.checksum.value.clone() };
        let modified_at = Timestamp::from_micros(part.modified_at_micros);
        Self { number, size: part.size, etag: part.etag, modified_at, checksum }
    }
}

/// What the object that an upload makes is to be.
#[derive(Debug, Clone, Default)]
pub struct UploadOptions {
    /// What is written beside its content.
    pub described: Described,
    /// Its checksum, and what that is computed over.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
    /// How it is to be shown; as its bucket has it if `None`.
    pub encryption: Option<Encryption>,
}

/// What names an upload in a request.
#[derive(Debug, Clone)]
pub struct UploadTarget {
    /// The bucket.
    pub bucket: Arc<Bucket>,
    /// The key.
    pub key: ObjectKey,
    /// The upload's id.
    pub id: UploadId,
}

/// A part that a completion names.
#[derive(Debug, Clone)]
pub struct CompletedPart {
    /// Its number.
    pub number: u16,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// Its checksum, if the client says it.
    pub checksum: Option<Checksum>,
}

/// A completion.
#[derive(Debug, Clone, Default)]
pub struct Completion {
    /// The parts, in ascending order of their numbers.
    pub parts: Vec<CompletedPart>,
    /// The checksum of the whole, if the client says it.
    pub checksum: Option<Checksum>,
    /// The size of the whole, if the client says it, in bytes.
    pub size: Option<u64>,
    /// When the object is to be made.
    pub conditions: Conditions,
}

impl Store {
    /// Begins an upload.
    pub async fn create_upload(
        &self,
        context: &Context,
        permit: &Permit,
        (bucket, key): (&Arc<Bucket>, ObjectKey),
        options: UploadOptions,
    ) -> Result<UploadId, Error> {
        permit.require_bucket(Action::PutObject, bucket.id)?;
        self.require_room()?;
        self.met(bucket.project)?;
        let id = UploadId::generate(&self.0.environment);
        let upload = Upload {
            created_at_micros: context.now().as_micros(),
            details: self.seal_details(bucket, &options.described.details)?,
            tags: self.seal_tags(bucket, &options.described.tags)?,
            lock: self.lock_of_new(bucket, options.described.lock)?,
            checksum: options.checksum,
            encryption: options.encryption.unwrap_or(bucket.encryption),
        };
        let record = record::encode(&UploadRecord::V2(upload))?;
        let row_key = self.row_key(bucket.organisation)?;
        let mac = upload_fields(bucket, id.to_bytes(), key.as_str(), &record).mac(&row_key);
        let entry = self.entry(context, bucket)?;
        let (store, bucket) = (self.clone(), Arc::clone(bucket));
        let create = move |transaction: &Transaction<'_>| {
            store.present_bucket(transaction, &bucket)?;
            entry.append(transaction, CREATE_UPLOAD, Subject::upload(&key, id))?;
            transaction.insert_upload(&UploadRow { id, bucket: bucket.number, key, record, mac })?;
            Ok(id)
        };
        self.0.metadata.write(create).await
    }

    pub(crate) fn open_upload(&self, bucket: &Bucket, row: &UploadRow) -> Result<Upload, Error> {
        let row_key = self.row_key(bucket.organisation)?;
        let fields = upload_fields(bucket, row.id.to_bytes(), row.key.as_str(), &row.record);
        if fields.verify(&row_key, &row.mac).is_err() {
            return Err(Error::damaged(format!("upload {}", row.id), "its row's code is wrong"));
        }
        Ok(record::decode::<UploadRecord>("uploads", &row.record)?.into())
    }

    fn find_upload(&self, target: &UploadTarget) -> Result<Upload, Error> {
        let UploadTarget { bucket, key, id } = target;
        let row = self.0.metadata.read(|snapshot| snapshot.upload(bucket.number, key, *id))?;
        self.open_upload(bucket, &row.ok_or(Error::NoSuchUpload)?)
    }

    /// The checksum that an upload was created with: what its parts are checked by. For who may write or list parts.
    pub fn upload_checksum(
        &self,
        permit: &Permit,
        target: &UploadTarget,
    ) -> Result<Option<(ChecksumAlgorithm, ChecksumType)>, Error> {
        permit
            .require_bucket(Action::PutObject, target.bucket.id)
            .or_else(|_| permit.require_bucket(Action::ListParts, target.bucket.id))?;
        Ok(self.find_upload(target)?.checksum)
    }

    /// Writes a part, in the place of one that has this number already.
    pub async fn put_part(
        &self,
        context: &Context,
        permit: &Permit,
        (target, number): (&UploadTarget, u16),
        mut body: Body,
    ) -> Result<PartInfo, Error> {
        permit.require_bucket(Action::PutObject, target.bucket.id)?;
        if number == 0 || number > MAX_PART_NUMBER {
            return Err(Error::Invalid(format!("a part number is 1 to {MAX_PART_NUMBER}, not {number}")));
        }
        body.encryption = Some(self.find_upload(target)?.encryption);
        let written = self.write_blob(context, &target.bucket, body, MAX_PUT_BYTES).await?;
        let part = Part {
            modified_at_micros: context.now().as_micros(),
            size: written.size,
            etag: self.etag_of(&written),
            checksum: full_object(&written.checksum),
            blob: written.blob.clone(),
        };
        let (info, blob) = (PartInfo::new(number, &part), part.blob.id());
        let record = record::encode(&PartRecord::V1(part))?;
        let upload = target.id;
        let change = self.change(context, &target.bucket, target.key.clone())?;
        let mac =
            part_fields(target.bucket.parts_owner(), upload.to_bytes(), number, &record).mac(&change.row_key);
        let row = PartRow { upload, number, record, mac };
        let entry = self.entry(context, &target.bucket)?;
        let (store, mut unrecorded) = (self.clone(), written.unrecorded);
        let put = move |transaction: &Transaction<'_>| {
            let bucket = &change.bucket;
            if transaction.upload(bucket.number, &change.key, upload)?.is_none() {
                return Err(Error::NoSuchUpload);
            }
            let mut bytes = info.size.cast_signed();
            if let Some(old) = transaction.part(upload, number)? {
                // A damaged row is no reason to count wrongly for ever: what it said is not known.
                bytes -= store.open_part(bucket.parts_owner(), &old).map_or(0, |old| old.size.cast_signed());
                release_part(transaction, (bucket.parts_owner(), change.reclaim_at), &old, &store)?;
            }
            transaction.put_part(&row)?;
            transaction.add_upload_bytes(bucket.place(), upload, bytes)?;
            if bytes > 0 {
                store.check_bounds(transaction, bucket.project)?;
            }
            let subject = Subject { part: Some((number, blob)), ..Subject::upload(&change.key, upload) };
            entry.append(transaction, PUT_PART, subject)?;
            unrecorded.record(transaction)?;
            Ok((unrecorded, info))
        };
        Ok(self.0.metadata.write(put).await?.1)
    }

    /// Writes a part that is a range of an object, which was found with a permit to read it.
    pub async fn copy_part(
        &self,
        context: &Context,
        (permit, source, range): (&Permit, &Object, Range<u64>),
        (target, number): (&UploadTarget, u16),
    ) -> Result<PartInfo, Error> {
        if range.is_empty() && source.info.size > 0 || range.end > source.info.size {
            return Err(Error::InvalidRange { size: source.info.size });
        }
        let told = self.upload_checksum(permit, target)?;
        let algorithm = told.map_or(ChecksumAlgorithm::Crc64Nvme, |(algorithm, _)| algorithm);
        let body = self.body_of(source, range, algorithm).await?;
        self.put_part(context, permit, (target, number), body).await
    }

    /// Up to `limit` parts of an upload whose numbers come after `after`.
    pub async fn list_parts(
        &self,
        permit: &Permit,
        target: &UploadTarget,
        after: u16,
        limit: u32,
    ) -> Result<Vec<PartInfo>, Error> {
        permit.require_bucket(Action::ListParts, target.bucket.id)?;
        let (store, target) = (self.clone(), target.clone());
        blocking(&self.0.listing, move || {
            store.find_upload(&target)?;
            let rows = store.0.metadata.read(|snapshot| snapshot.parts(target.id, after, limit))?;
            let open = |row: &PartRow| store.open_part(target.bucket.parts_owner(), row);
            rows.iter().map(|row| Ok(PartInfo::new(row.number, &open(row)?))).collect()
        })
        .await
    }

    /// Up to `limit` uploads of a bucket after this key, or after this upload of this key.
    pub async fn list_uploads(
        &self,
        permit: &Permit,
        bucket: &Arc<Bucket>,
        (after_key, after_id): (&[u8], Option<UploadId>),
        limit: u32,
    ) -> Result<Vec<UploadInfo>, Error> {
        permit.require_bucket(Action::ListUploads, bucket.id)?;
        let after_id = after_id.map_or([u8::MAX; 16], UploadId::to_bytes);
        let (store, bucket, after_key) = (self.clone(), Arc::clone(bucket), after_key.to_vec());
        blocking(&self.0.listing, move || {
            let rows = store
                .0
                .metadata
                .read(|snapshot| snapshot.uploads(bucket.number, &after_key, after_id, limit))?;
            let info = |row: UploadRow| {
                let upload = store.open_upload(&bucket, &row)?;
                let created_at = Timestamp::from_micros(upload.created_at_micros);
                Ok(UploadInfo { id: row.id, key: row.key, created_at, checksum: upload.checksum })
            };
            rows.into_iter().map(info).collect()
        })
        .await
    }

    /// Gives up an upload and its parts.
    pub async fn abort_upload(
        &self,
        context: &Context,
        permit: &Permit,
        target: &UploadTarget,
    ) -> Result<(), Error> {
        permit.require_bucket(Action::AbortUpload, target.bucket.id)?;
        let change = self.change(context, &target.bucket, target.key.clone())?;
        let entry = self.entry(context, &target.bucket)?;
        let upload = target.id;
        let abort = move |transaction: &Transaction<'_>| abort(transaction, &change, upload, &entry);
        self.0.metadata.write(abort).await
    }

    /// Makes an object of an upload's parts.
    pub async fn complete_upload(
        &self,
        context: &Context,
        permit: &Permit,
        target: &UploadTarget,
        completion: Completion,
    ) -> Result<ObjectInfo, Error> {
        permit.require_bucket(Action::PutObject, target.bucket.id)?;
        self.met(target.bucket.project)?;
        let (store, asked, now) = (self.clone(), target.clone(), context.now());
        let conditions = completion.conditions.clone();
        // The parts are checked on a blocking thread; the transaction only makes sure that they are still the same.
        let prepared =
            blocking(&self.0.blocking, move || store.prepare_completion(&asked, &completion, now)).await?;
        let mut change = self.change(context, &target.bucket, target.key.clone())?;
        let entry = self.entry(context, &target.bucket)?;
        let (store, upload) = (self.clone(), target.id);
        let complete = move |transaction: &Transaction<'_>| {
            let info = store.commit_completion(transaction, &mut change, (upload, prepared), &conditions)?;
            entry.append(transaction, COMPLETE_UPLOAD, Subject::upload(&change.key, upload))?;
            Ok(info)
        };
        self.0.metadata.write(complete).await
    }

    fn prepare_completion(
        &self,
        target: &UploadTarget,
        completion: &Completion,
        now: Timestamp,
    ) -> Result<Prepared, Error> {
        let upload = self.find_upload(target)?;
        let rows = self.0.metadata.read(|snapshot| snapshot.parts(target.id, 0, u32::MAX))?;
        let mut codes = BTreeMap::new();
        let mut parts = BTreeMap::new();
        // A part that is not named is not looked at: it may be damaged, or come this very moment.
        let named = completion.parts.iter().map(|part| part.number).collect::<BTreeSet<_>>();
        for row in rows.iter().filter(|row| named.contains(&row.number)) {
            codes.insert(row.number, row.mac);
            parts.insert(row.number, self.open_part(target.bucket.parts_owner(), row)?);
        }
        let chosen = choose_parts(completion, &parts, self.0.options.minimum_part_bytes)?;
        let size = chosen.iter().map(|(_, part)| part.size).sum::<u64>();
        if size > MAX_OBJECT_BYTES {
            return Err(Error::TooLarge { what: "the object", limit: MAX_OBJECT_BYTES });
        }
        if completion.size.is_some_and(|told| told != size) {
            return Err(Error::Invalid(format!(
                "the parts have {size} bytes, not the number that was given"
            )));
        }
        let (etag, digest) = multipart_digests(upload.encryption, &chosen);
        let checksum = checksum_of(upload.checksum, &chosen)?;
        check_told(completion.checksum.as_ref(), checksum.as_ref())?;
        let count = u16::try_from(chosen.len()).unwrap_or(u16::MAX);
        let version = Version {
            modified_at_micros: now.as_micros(),
            size,
            etag,
            checksum,
            details: upload.details,
            tags: upload.tags,
            is_null: false,
            lock: upload.lock,
            content: Stored::Parts { upload: target.id.to_bytes(), count, digest },
        };
        Ok(Prepared { version, codes })
    }

    fn commit_completion(
        &self,
        transaction: &Transaction<'_>,
        change: &mut Change,
        (upload, prepared): (UploadId, Prepared),
        conditions: &Conditions,
    ) -> Result<ObjectInfo, Error> {
        if !transaction.delete_upload(change.bucket.place(), (&change.key, upload))? {
            return Err(Error::NoSuchUpload);
        }
        let mut unused = Vec::new();
        let mut found = 0;
        for row in transaction.parts(upload, 0, u32::MAX)? {
            match prepared.codes.get(&row.number) {
                Some(code) if *code == row.mac => found += 1,
                // It was replaced since it was looked at.
                Some(_) => return Err(Error::InvalidPart(row.number)),
                None => unused.push(row),
            }
        }
        if found != prepared.codes.len() {
            return Err(Error::NoSuchUpload);
        }
        for row in unused {
            release_part(transaction, (change.bucket.parts_owner(), change.reclaim_at), &row, self)?;
            transaction.delete_part(upload, row.number)?;
        }
        let mut info = ObjectInfo::new(&change.bucket, 0, &prepared.version);
        let id = self.add_version(transaction, change, prepared.version, conditions)?;
        info.version = change.shown_id(id);
        Ok(info)
    }
}

/// Inside a transaction: gives up an upload.
pub(crate) fn abort(
    transaction: &Transaction<'_>,
    change: &Change,
    upload: UploadId,
    entry: &Entry,
) -> Result<(), Error> {
    if !transaction.delete_upload(change.bucket.place(), (&change.key, upload))? {
        return Err(Error::NoSuchUpload);
    }
    release_parts(transaction, change, upload.to_bytes())?;
    entry.append(transaction, Action::AbortUpload.as_str(), Subject::upload(&change.key, upload))?;
    Ok(())
}

/// The entity tag of an object that is made of these parts, and what binds the object to them.
fn multipart_digests(encryption: Encryption, chosen: &[(u16, &Part)]) -> (ETag, [u8; 32]) {
    let (mut md5, mut digest) = (Md5::new(), Sha256::new());
    for (number, part) in chosen {
        let (ETag::Md5(bytes) | ETag::Multipart(bytes, _) | ETag::Opaque(bytes)) = part.etag;
        md5.update(bytes);
        digest.update(part_digest(*number, part));
    }
    let count = u16::try_from(chosen.len()).unwrap_or(u16::MAX);
    let md5 = md5.finalize().into();
    let etag = match encryption {
        Encryption::Aes256 => ETag::Multipart(md5, count),
        Encryption::AwsKms => ETag::Opaque(md5),
    };
    (etag, digest.finalize().into())
}

/// A completion whose parts were checked.
struct Prepared {
    version: Version,
    /// The codes of the parts that the object is made of, when they were checked.
    codes: BTreeMap<u16, nuee_metadata::Mac>,
}

/// The parts that a completion names, checked against those that exist.
fn choose_parts<'p>(
    completion: &Completion,
    parts: &'p BTreeMap<u16, Part>,
    minimum: u64,
) -> Result<Vec<(u16, &'p Part)>, Error> {
    if completion.parts.is_empty() {
        return Err(Error::Invalid("a completion names at least one part".into()));
    }
    if !completion.parts.is_sorted_by(|one, next| one.number < next.number) {
        return Err(Error::InvalidPartOrder);
    }
    let mut chosen = Vec::with_capacity(completion.parts.len());
    for asked in &completion.parts {
        let part = parts.get(&asked.number).ok_or(Error::InvalidPart(asked.number))?;
        let same_checksum = asked.checksum.as_ref().is_none_or(|checksum| {
            checksum.algorithm == part.checksum.algorithm && checksum.value == part.checksum.value
        });
        if part.etag.to_string() != asked.etag || !same_checksum {
            return Err(Error::InvalidPart(asked.number));
        }
        chosen.push((asked.number, part));
    }
    let (_, all_but_last) = chosen.split_last().unwrap_or((&chosen[0], &[]));
    match all_but_last.iter().find(|(_, part)| part.size < minimum) {
        Some((number, part)) => Err(Error::PartTooSmall { number: *number, size: part.size, minimum }),
        None => Ok(chosen),
    }
}

/// The checksum of an object that is made of these parts, in the way that its upload was created with.
pub(crate) fn checksum_of(
    told: Option<(ChecksumAlgorithm, ChecksumType)>,
    parts: &[(u16, &Part)],
) -> Result<Option<ChecksumRecord>, Error> {
    let (algorithm, kind) = told.unwrap_or((ChecksumAlgorithm::Crc64Nvme, ChecksumType::FullObject));
    if let Some((number, _)) = parts.iter().find(|(_, part)| part.checksum.algorithm != algorithm) {
        // Without a checksum told at creation, each part may have come with another one.
        return if told.is_some() { Err(Error::InvalidPart(*number)) } else { Ok(None) };
    }
    let checksum = match kind {
        ChecksumType::Composite => {
            Some(Checksum::composite(algorithm, parts.iter().map(|(_, part)| &part.checksum.value[..])))
        }
        ChecksumType::FullObject => {
            let mut values = parts
                .iter()
                .map(|(_, part)| (Checksum { algorithm, value: part.checksum.value.clone() }, part.size));
            let first = values.next().map(|(checksum, _)| checksum);
            values.fold(first, |all, (next, size)| all?.combine(&next, size))
        }
    };
    Ok(checksum.map(|checksum| ChecksumRecord { algorithm, kind, value: checksum.value }))
}

/// That the checksum a client says of the whole is the one that its parts give.
fn check_told(told: Option<&Checksum>, computed: Option<&ChecksumRecord>) -> Result<(), Error> {
    match (told, computed) {
        (Some(told), Some(computed))
            if told.algorithm == computed.algorithm && told.value != computed.value =>
        {
            Err(Error::BadChecksum(told.algorithm))
        }
        (Some(told), None) => {
            Err(Error::Invalid(format!("the upload was not created with a {:?} checksum", told.algorithm)))
        }
        (Some(told), Some(computed)) if told.algorithm != computed.algorithm => {
            Err(Error::Invalid(format!("the upload was not created with a {:?} checksum", told.algorithm)))
        }
        _ => Ok(()),
    }
}
