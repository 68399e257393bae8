//! Buckets.

use std::sync::Arc;

use nuee_access::{Action, BucketRules, Permit, Resource};
use nuee_base::{BucketId, BucketName, Context, OrganisationId, ProjectId, Timestamp};
use nuee_journal::Subject;
use nuee_keys::RowBuilder;
use nuee_metadata::{BucketRow, Forget, RowCache, Snapshot, Transaction, Usage};
use serde::{Deserialize, Serialize};

use crate::{
    BucketPolicy, DefaultRetention, Encryption, Error, ObjectLock, Setting, Settings, Store, TagSet,
    record::{self, BucketRecord, BucketState},
    store::PartsOwner,
};

/// A bucket.
#[derive(Debug, Clone)]
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
    /// Whether it keeps versions.
    pub versioning: Versioning,
    /// Whether its versions can be locked, and how they are by themselves.
    pub object_lock: Option<ObjectLock>,
    /// What else it is set to.
    pub settings: Settings,
    /// What decisions about it look at, made of its settings.
    rules: BucketRules,
    /// Its record, as it was read.
    record: Vec<u8>,
}

/// What a bucket is created with.
#[derive(Debug, Clone, Default)]
pub struct NewBucket {
    /// Its default encryption.
    pub encryption: Encryption,
    /// Whether its versions are kept, and can be locked.
    pub object_lock: bool,
    /// Its tags.
    pub tags: TagSet,
}

/// Everything else follows from these.
impl PartialEq for Bucket {
    fn eq(&self, other: &Self) -> bool {
        (self.number, self.id) == (other.number, other.id)
            && self.record == other.record
            && self.settings == other.settings
    }
}

impl Eq for Bucket {}

/// Whether a bucket keeps the versions of its objects that are replaced or deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    /// It never did.
    #[default]
    Unversioned,
    /// It does.
    Enabled,
    /// It keeps those that it has, and no new ones.
    Suspended,
}

impl Bucket {
    /// A bucket without settings.
    pub(crate) fn new(
        (number, id): (i64, BucketId),
        name: BucketName,
        (organisation, project): (OrganisationId, ProjectId),
        (created_at, encryption): (Timestamp, Encryption),
    ) -> Self {
        Self {
            number,
            id,
            name,
            organisation,
            project,
            created_at,
            encryption,
            versioning: Versioning::Unversioned,
            object_lock: None,
            settings: Settings::default(),
            rules: BucketRules::default(),
            record: Vec::new(),
        }
    }

    /// What decisions about this bucket are about.
    #[must_use]
    pub fn resource(&self) -> Resource {
        Resource::Bucket { organisation: self.organisation, project: self.project, bucket: self.id }
    }

    /// What decisions about this bucket look at.
    #[must_use]
    pub fn rules(&self) -> &BucketRules {
        &self.rules
    }

    /// Its policy, as text and as decisions have it.
    #[must_use]
    pub fn policy(&self) -> Option<(&str, &nuee_access::BucketPolicy)> {
        Some((self.settings.policy.as_ref()?.text(), self.rules.policy.as_ref()?))
    }

    /// What its usage is counted under: its number, and its project.
    pub(crate) fn place(&self) -> (i64, ProjectId) {
        (self.number, self.project)
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
        let Self { encryption, versioning, object_lock, .. } = *self;
        let created_at_micros = self.created_at.as_micros();
        BucketRecord::V2(BucketState { created_at_micros, encryption, versioning, object_lock })
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
        let versions = match self.versioning {
            Versioning::Unversioned => "",
            Versioning::Enabled => KEEPS_VERSIONS,
            Versioning::Suspended => KEPT_VERSIONS,
        };
        let lock = self.object_lock.map(|lock| format!(", {lock}")).unwrap_or_default();
        format!("{} with {encryption}{versions}{lock}", self.id)
    }
}

/// In a bucket's state: whether it keeps versions.
pub(crate) const KEEPS_VERSIONS: &str = ", versions";
/// In a bucket's state: that it did.
pub(crate) const KEPT_VERSIONS: &str = ", versions suspended";

/// Buckets whose rows were read, by name.
pub(crate) type BucketCache = RowCache<BucketName, Arc<Bucket>>;

/// Buckets kept in memory.
pub(crate) const CACHED_BUCKETS: usize = 10_000;

impl Store {
    /// The bucket of this name. Anybody may ask: what the answer reveals is decided by the surface.
    pub fn find_bucket(&self, name: &BucketName) -> Result<Arc<Bucket>, Error> {
        let found = self.0.buckets.get_or_read(name, || {
            self.0.metadata.read_consistent(|snapshot| {
                let row = snapshot.bucket(name)?;
                row.map(|row| self.open_whole_bucket(snapshot, &row).map(Arc::new)).transpose()
            })
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
        let state = BucketState::from(record::decode::<BucketRecord>("buckets", &row.record)?);
        let BucketState { created_at_micros, encryption, versioning, object_lock } = state;
        let written = (Timestamp::from_micros(created_at_micros), encryption);
        let place = (row.organisation, row.project);
        let bucket = Bucket::new((row.number, row.id), row.name.clone(), place, written);
        Ok(Bucket { versioning, object_lock, record: row.record.clone(), ..bucket })
    }

    /// A bucket with its settings.
    fn open_whole_bucket(&self, snapshot: &Snapshot<'_>, row: &BucketRow) -> Result<Bucket, Error> {
        let bucket = self.open_bucket(row)?;
        let settings = self.open_settings(snapshot, &bucket)?;
        let parse = |policy: &BucketPolicy| {
            let parsed = nuee_access::BucketPolicy::parse(policy.text(), &bucket.name);
            parsed.map_err(|error| Error::damaged(format!("the policy of bucket {}", bucket.name), error))
        };
        let policy = settings.policy.as_ref().map(parse).transpose()?;
        let rules = BucketRules { policy, public_access: settings.public_access.into() };
        Ok(Bucket { settings, rules, ..bucket })
    }

    /// Inside a transaction that depends on it: the bucket as it is now.
    pub(crate) fn present_bucket(
        &self,
        transaction: &Transaction<'_>,
        bucket: &Arc<Bucket>,
    ) -> Result<Arc<Bucket>, Error> {
        let gone = || Error::NoSuchBucket(bucket.name.to_string());
        let record = transaction.bucket_record(bucket.number)?.ok_or_else(gone)?;
        if record == bucket.record {
            return Ok(Arc::clone(bucket));
        }
        let row = transaction.bucket_by_number(bucket.number)?.ok_or_else(gone)?;
        Ok(Arc::new(self.open_bucket(&row)?))
    }

    /// Creates a bucket in the project that the permit is for.
    pub async fn create_bucket(
        &self,
        context: &Context,
        permit: &Permit,
        name: BucketName,
        new: NewBucket,
    ) -> Result<Bucket, Error> {
        permit.require(Action::CreateBucket, permit.resource())?;
        self.require_room()?;
        let Resource::Project { organisation, project } = permit.resource() else {
            return Err(Error::Invalid("a bucket is created in a project".into()));
        };
        let id = BucketId::generate(&self.0.environment);
        let mut bucket = Bucket::new((0, id), name, (organisation, project), (context.now(), new.encryption));
        if new.object_lock {
            (bucket.versioning, bucket.object_lock) = (Versioning::Enabled, Some(ObjectLock::default()));
        }
        bucket.record = record::encode(&bucket.record())?;
        let row_key = self.row_key(organisation)?;
        let (entry, store) = (self.entry(context, &bucket)?, self.clone());
        let create = move |transaction: &Transaction<'_>| {
            if let Some(row) = transaction.bucket(&bucket.name)? {
                let yours = row.project == project;
                return Err(Error::BucketExists { name: row.name.to_string(), yours });
            }
            store.check_bucket_quota(transaction, project)?;
            bucket.number = transaction.next_bucket_number()?;
            let (number, name, record) = (bucket.number, bucket.name.clone(), bucket.record.clone());
            let mut row = BucketRow { number, id, name, organisation, project, record, mac: [0; 32] };
            row.mac = Bucket::fields(&row).mac(&row_key);
            transaction.insert_bucket(&row)?;
            entry.append(transaction, Action::CreateBucket.as_str(), Subject::detail(&bucket.state()))?;
            if !new.tags.is_empty() {
                let (row, detail) = store.setting_to_put(&bucket, &Setting::Tags(new.tags))?;
                transaction.put_bucket_setting(&row)?;
                entry.append(transaction, Action::PutBucketTagging.as_str(), Subject::detail(&detail))?;
            }
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
        let change = move |bucket: &mut Bucket| {
            bucket.encryption = encryption;
            Ok(())
        };
        self.change_bucket(context, (permit, Action::PutBucketEncryption), bucket, change).await
    }

    /// Changes whether a bucket keeps versions from now on.
    pub async fn set_versioning(
        &self,
        context: &Context,
        permit: &Permit,
        bucket: &Bucket,
        versioning: Versioning,
    ) -> Result<(), Error> {
        let change = move |bucket: &mut Bucket| match versioning {
            Versioning::Unversioned => {
                Err(Error::InvalidBucketState("a bucket that kept versions can only be suspended".into()))
            }
            Versioning::Suspended if bucket.object_lock.is_some() => {
                // S3's words, which the provider of Terraform looks for.
                let message = "An Object Lock configuration is present on this bucket, so the versioning state cannot be \
                               changed.";
                Err(Error::InvalidBucketState(message.into()))
            }
            _ => {
                bucket.versioning = versioning;
                Ok(())
            }
        };
        self.change_bucket(context, (permit, Action::PutBucketVersioning), bucket, change).await
    }

    /// Lets a bucket's versions be locked, for ever, and says how new ones are by themselves.
    pub async fn set_object_lock(
        &self,
        context: &Context,
        permit: &Permit,
        bucket: &Bucket,
        default: Option<DefaultRetention>,
    ) -> Result<(), Error> {
        default.map_or(Ok(()), DefaultRetention::check)?;
        let change = move |bucket: &mut Bucket| {
            if bucket.versioning != Versioning::Enabled {
                let message = "versions can be locked where they are kept: enable versioning first";
                return Err(Error::InvalidBucketState(message.into()));
            }
            bucket.object_lock = Some(ObjectLock { default });
            Ok(())
        };
        self.change_bucket(context, (permit, Action::PutObjectLockConfiguration), bucket, change).await
    }

    /// Changes the record of a bucket, as it is when that is committed.
    async fn change_bucket(
        &self,
        context: &Context,
        (permit, action): (&Permit, Action),
        bucket: &Bucket,
        change: impl FnOnce(&mut Bucket) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        permit.require_bucket(action, bucket.id)?;
        let row_key = self.row_key(bucket.organisation)?;
        let (entry, forget) = (self.entry(context, bucket)?, self.forget_bucket(bucket));
        let (store, number, name) = (self.clone(), bucket.number, bucket.name.clone());
        let commit = move |transaction: &Transaction<'_>| {
            let row = transaction.bucket_by_number(number)?;
            let mut row = row.ok_or_else(|| Error::NoSuchBucket(name.to_string()))?;
            let mut bucket = store.open_bucket(&row)?;
            change(&mut bucket)?;
            row.record = record::encode(&bucket.record())?;
            let mac = Bucket::fields(&row).mac(&row_key);
            transaction.update_bucket(row.number, &row.record, mac)?;
            entry.append(transaction, action.as_str(), Subject::detail(&bucket.state()))?;
            Ok::<_, Error>(forget)
        };
        self.0.metadata.write(commit).await.map(drop)
    }

    /// Deletes a bucket that holds nothing.
    pub async fn delete_bucket(
        &self,
        context: &Context,
        permit: &Permit,
        bucket: &Bucket,
    ) -> Result<(), Error> {
        permit.require_bucket(Action::DeleteBucket, bucket.id)?;
        let (entry, forget) = (self.entry(context, bucket)?, self.forget_bucket(bucket));
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
