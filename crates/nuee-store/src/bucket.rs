//! Buckets.

use std::sync::Arc;

use nuee_access::{Action, Permit, Resource};
use nuee_base::{BucketId, BucketName, Context, OrganisationId, ProjectId, Timestamp};
use nuee_journal::{Entry, Subject};
use nuee_keys::RowBuilder;
use nuee_metadata::{BucketRow, Forget, RowCache, Transaction, Usage};

use crate::{
    Encryption, Error, Store,
    record::{self, BucketRecord},
    store::PartsOwner,
};

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    pub(crate) number: i64,
    /// Its id.
    pub id: BucketId,
    /// Its name.
    pub name: BucketName,
    /// The organisation it belongs to.
    pub organisation: OrganisationId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its default encryption.
    pub encryption: Encryption,
}

impl Bucket {
    /// What decisions about this bucket are about.
    #[must_use]
    pub fn resource(&self) -> Resource {
        Resource::Bucket { organisation: self.organisation, project: self.project, bucket: self.id }
    }

    pub(crate) fn parts_owner(&self) -> PartsOwner {
        PartsOwner { organisation: self.organisation, project: self.project }
    }

    fn fields(row: &BucketRow) -> RowBuilder {
        RowBuilder::new("buckets")
            .integer(row.number)
            .bytes(&row.id.to_bytes())
            .bytes(row.name.as_str().as_bytes())
            .bytes(&row.organisation.to_bytes())
            .bytes(&row.project.to_bytes())
            .bytes(&row.record)
    }

    fn record(&self) -> BucketRecord {
        BucketRecord::V1 { created_at_micros: self.created_at.as_micros(), encryption: self.encryption }
    }

    pub(crate) fn entry(&self, context: &Context) -> Entry {
        Entry::new(context, self.organisation, self.on())
    }

    /// What the journal calls it.
    pub(crate) fn on(&self) -> String {
        format!("bucket/{}", self.name)
    }

    /// What the journal says of it, so that what its row must say follows.
    pub(crate) fn state(&self) -> String {
        let encryption = match self.encryption {
            Encryption::Aes256 => "AES256",
            Encryption::AwsKms => "aws:kms",
        };
        format!("{} with {encryption}", self.id)
    }

    /// That this bucket still exists, inside a transaction that depends on it.
    pub(crate) fn still_exists(&self, transaction: &Transaction<'_>) -> Result<(), Error> {
        match transaction.bucket_exists(self.number)? {
            true => Ok(()),
            false => Err(Error::NoSuchBucket(self.name.to_string())),
        }
    }
}

/// Buckets whose rows were read, by name.
pub(crate) type BucketCache = RowCache<BucketName, Arc<Bucket>>;

/// Buckets kept in memory.
pub(crate) const CACHED_BUCKETS: usize = 10_000;

impl Store {
    /// The bucket of this name. Anybody may ask: what the answer reveals is decided by the surface.
    pub fn find_bucket(&self, name: &BucketName) -> Result<Arc<Bucket>, Error> {
        let found = self.0.buckets.get_or_read(name, || {
            let row = self.0.metadata.read(|snapshot| snapshot.bucket(name))?;
            row.map(|row| self.open_bucket(&row).map(Arc::new)).transpose()
        })?;
        found.ok_or_else(|| Error::NoSuchBucket(name.to_string()))
    }

    /// Forgets what is remembered of a bucket, when the result is dropped.
    pub(crate) fn forget_bucket(&self, bucket: &Bucket) -> Forget {
        let name = bucket.name.clone();
        self.0.buckets.forget(move |kept, _| *kept == name)
    }

    pub(crate) fn open_bucket(&self, row: &BucketRow) -> Result<Bucket, Error> {
        let row_key = self.row_key(row.organisation)?;
        if Bucket::fields(row).verify(&row_key, &row.mac).is_err() {
            return Err(Error::damaged(format!("bucket {}", row.name), "its row's code is wrong"));
        }
        let BucketRecord::V1 { created_at_micros, encryption } = record::decode("buckets", &row.record)?;
        Ok(Bucket {
            number: row.number,
            id: row.id,
            name: row.name.clone(),
            organisation: row.organisation,
            project: row.project,
            created_at: Timestamp::from_micros(created_at_micros),
            encryption,
        })
    }

    /// Creates a bucket in the project that the permit is for.
    pub async fn create_bucket(
        &self,
        context: &Context,
        permit: &Permit,
        name: BucketName,
        encryption: Encryption,
    ) -> Result<Bucket, Error> {
        permit.require(Action::CreateBucket, permit.resource())?;
        self.require_room()?;
        let Resource::Project { organisation, project } = permit.resource() else {
            return Err(Error::Invalid("a bucket is created in a project".into()));
        };
        let id = BucketId::generate(&self.0.environment);
        let mut bucket =
            Bucket { number: 0, id, name, organisation, project, created_at: context.now(), encryption };
        let record = record::encode(&bucket.record())?;
        let row_key = self.row_key(organisation)?;
        let entry = bucket.entry(context);
        let create = move |transaction: &Transaction<'_>| {
            if let Some(row) = transaction.bucket(&bucket.name)? {
                let yours = row.project == project;
                return Err(Error::BucketExists { name: row.name.to_string(), yours });
            }
            bucket.number = transaction.next_bucket_number()?;
            let (number, name) = (bucket.number, bucket.name.clone());
            let mut row = BucketRow { number, id, name, organisation, project, record, mac: [0; 32] };
            row.mac = Bucket::fields(&row).mac(&row_key);
            transaction.insert_bucket(&row)?;
            entry.append(transaction, Action::CreateBucket.as_str(), Subject::detail(&bucket.state()))?;
            Ok(bucket)
        };
        self.0.metadata.write(create).await
    }

    /// Up to `limit` buckets of the permit's project whose names come after `after`, by name.
    pub fn list_buckets(&self, permit: &Permit, after: &str, limit: u32) -> Result<Vec<Bucket>, Error> {
        permit.require(Action::ListBuckets, permit.resource())?;
        let Resource::Project { project, .. } = permit.resource() else {
            return Err(Error::Invalid("buckets are listed by project".into()));
        };
        let rows = self.0.metadata.read(|snapshot| snapshot.buckets(project, after, limit))?;
        rows.iter().map(|row| self.open_bucket(row)).collect()
    }

    /// Changes a bucket's default encryption; objects that exist keep their entity tags.
    pub async fn set_bucket_encryption(
        &self,
        context: &Context,
        permit: &Permit,
        bucket: &Bucket,
        encryption: Encryption,
    ) -> Result<(), Error> {
        permit.require_bucket(Action::PutBucketEncryption, bucket.id)?;
        let changed = Bucket { encryption, ..bucket.clone() };
        let record = record::encode(&changed.record())?;
        let row_key = self.row_key(bucket.organisation)?;
        let (entry, forget) = (bucket.entry(context), self.forget_bucket(bucket));
        let change = move |transaction: &Transaction<'_>| {
            let row = transaction.bucket_by_number(changed.number)?;
            let mut row = row.ok_or_else(|| Error::NoSuchBucket(changed.name.to_string()))?;
            row.record = record;
            let mac = Bucket::fields(&row).mac(&row_key);
            transaction.update_bucket(row.number, &row.record, mac)?;
            entry.append(
                transaction,
                Action::PutBucketEncryption.as_str(),
                Subject::detail(&changed.state()),
            )?;
            Ok::<_, Error>(forget)
        };
        self.0.metadata.write(change).await.map(drop)
    }

    /// Deletes a bucket that holds nothing.
    pub async fn delete_bucket(
        &self,
        context: &Context,
        permit: &Permit,
        bucket: &Bucket,
    ) -> Result<(), Error> {
        permit.require_bucket(Action::DeleteBucket, bucket.id)?;
        let (entry, forget) = (bucket.entry(context), self.forget_bucket(bucket));
        let (number, name) = (bucket.number, bucket.name.clone());
        let delete = move |transaction: &Transaction<'_>| {
            if !transaction.bucket_is_empty(number)? {
                return Err(Error::BucketNotEmpty(name.to_string()));
            }
            if !transaction.delete_bucket(number)? {
                return Err(Error::NoSuchBucket(name.to_string()));
            }
            entry.append(transaction, Action::DeleteBucket.as_str(), Subject::default())?;
            Ok(forget)
        };
        self.0.metadata.write(delete).await.map(drop)
    }

    /// How much a bucket holds.
    pub fn bucket_usage(&self, permit: &Permit, bucket: &Bucket) -> Result<Usage, Error> {
        permit.require_bucket(Action::GetBucket, bucket.id)?;
        Ok(self.0.metadata.read(|snapshot| snapshot.usage(bucket.number))?)
    }
}
