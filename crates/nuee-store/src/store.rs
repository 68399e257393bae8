//! The handle on the store, and what its modules share: finding a project's keys, checking and making row codes.

use std::{sync::Arc, time::Duration};

use nuee_base::{BlobId, Context, Environment, OrganisationId, ProjectId, Timestamp};
use nuee_journal::Entry;
use nuee_keys::{BlobIdentity, KeyRing, ProjectKey, RowBuilder, RowMacKey};
use nuee_metadata::{Mac, Metadata, VersionRow};
use nuee_sites::DirectorySite;
use nuee_tenancy::{Bounds, ProjectKeys};
use tokio::sync::Semaphore;

use crate::{
    Bucket, Error,
    blob_read::LargeSteps,
    blob_write::{BodyRoom, StepBuffers, Unreferenced},
    bucket::{BucketCache, CACHED_BUCKETS},
    lease::Leases,
    lock_clock::LockClock,
    record::{self, Listed, ListedRecord, Part, PartRecord, Version, VersionRecord},
};

/// How the store works.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Bodies up to this size, in bytes, are held in memory and committed in groups; larger ones stream to a file.
    pub small_blob_bytes: usize,
    /// How long a blob that nothing references any more is kept for the readers that have begun to read it.
    pub reclaim_delay: Duration,
    /// Long reads and writes that use a thread at the same time; and as many listings.
    pub blocking_tasks: usize,
    /// The least size of a part that is not the last, in bytes.
    pub minimum_part_bytes: u64,
    /// How long after a round of lifecycle rules was begun the next one is.
    pub lifecycle_interval: Duration,
    /// Rows that a round of lifecycle rules looks at between two rests.
    pub lifecycle_page: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            small_blob_bytes: 128 << 10,
            reclaim_delay: Duration::from_mins(1),
            blocking_tasks: 8,
            minimum_part_bytes: 5 << 20,
            lifecycle_interval: Duration::from_hours(1),
            lifecycle_page: 1_000,
        }
    }
}

/// Buckets, objects and uploads of a platform. Cheap to clone.
#[derive(Clone)]
pub struct Store(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) metadata: Metadata,
    pub(crate) site: DirectorySite,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) environment: Environment,
    pub(crate) options: Options,
    pub(crate) bounds: Bounds,
    pub(crate) buckets: BucketCache,
    pub(crate) project_keys: ProjectKeys,
    pub(crate) blocking: Arc<Semaphore>,
    /// For what reads many rows, so that it does not wait for slow disks.
    pub(crate) listing: Arc<Semaphore>,
    pub(crate) leases: Leases,
    pub(crate) unreferenced: Unreferenced,
    pub(crate) buffers: StepBuffers,
    /// What bounds the memory of small bodies.
    pub(crate) body_room: BodyRoom,
    /// What bounds the memory of readers.
    pub(crate) large_steps: LargeSteps,
    /// By which retention ends.
    pub(crate) lock_clock: LockClock,
    pub(crate) started_at: Timestamp,
}

impl Store {
    /// A store over these.
    #[must_use]
    pub fn new(
        metadata: Metadata,
        site: DirectorySite,
        keys: Arc<KeyRing>,
        environment: Environment,
        (bounds, options): (Bounds, Options),
    ) -> Self {
        let started_at = environment.now();
        let project_keys = ProjectKeys::new(metadata.clone(), Arc::clone(&keys));
        let lock_clock = LockClock::new(&metadata, environment.clone());
        Self(Arc::new(Shared {
            metadata,
            site,
            keys,
            environment,
            options,
            bounds,
            buckets: BucketCache::new(CACHED_BUCKETS),
            project_keys,
            blocking: Arc::new(Semaphore::new(options.blocking_tasks)),
            listing: Arc::new(Semaphore::new(options.blocking_tasks)),
            leases: Leases::default(),
            unreferenced: Unreferenced::default(),
            buffers: StepBuffers::default(),
            body_room: BodyRoom::default(),
            large_steps: LargeSteps::default(),
            lock_clock,
            started_at,
        }))
    }

    /// The key that seals what a project writes now.
    pub(crate) fn sealing_key(
        &self,
        organisation: OrganisationId,
        project: ProjectId,
    ) -> Result<Arc<ProjectKey>, Error> {
        Ok(self.0.project_keys.sealing_key(organisation, project)?)
    }

    /// The key of a project that has this version.
    pub(crate) fn project_key(
        &self,
        organisation: OrganisationId,
        project: ProjectId,
        version: u32,
    ) -> Result<Arc<ProjectKey>, Error> {
        Ok(self.0.project_keys.key(organisation, project, version)?)
    }

    /// What every leaf of one request on a bucket has in common.
    pub(crate) fn entry(&self, context: &Context, bucket: &Bucket) -> Result<Entry, Error> {
        Ok(Entry::new(context, &self.0.keys, bucket.organisation, bucket.on())?)
    }

    /// The key that codes the rows of an organisation.
    pub(crate) fn row_key(&self, organisation: OrganisationId) -> Result<Arc<RowMacKey>, Error> {
        Ok(self.0.keys.row_mac_key(organisation)?)
    }

    /// A version, once its row's code has been checked.
    pub(crate) fn open_version(&self, bucket: &Bucket, row: &VersionRow) -> Result<Version, Error> {
        let row_key = self.row_key(bucket.organisation)?;
        let fields = version_fields(bucket, row.id, row.key.as_str(), &row.record);
        if fields.verify(&row_key, &row.mac).is_err() {
            return Err(Error::damaged(format!("version {}", row.id), "its row's code is wrong"));
        }
        Ok(record::decode::<VersionRecord>("versions", &row.record)?.into())
    }

    /// What a listing shows of an object, once its row's code has been checked.
    pub(crate) fn open_listed(
        &self,
        bucket: &Bucket,
        (id, key): (i64, &str),
        record: &[u8],
        mac: &Mac,
    ) -> Result<Listed, Error> {
        let row_key = self.row_key(bucket.organisation)?;
        if listed_fields(bucket, id, key, record).verify(&row_key, mac).is_err() {
            return Err(Error::damaged(format!("the listing of version {id}"), "its row's code is wrong"));
        }
        Ok(record::decode::<ListedRecord>("latest", record)?.into())
    }

    /// What a listing shows of a version that its key does not name by itself, once its row's code has been checked.
    pub(crate) fn open_history(
        &self,
        bucket: &Bucket,
        (id, key): (i64, &str),
        record: &[u8],
        mac: &Mac,
    ) -> Result<Listed, Error> {
        let row_key = self.row_key(bucket.organisation)?;
        if history_fields(bucket, id, key, record).verify(&row_key, mac).is_err() {
            return Err(Error::damaged(format!("the listing of version {id}"), "its row's code is wrong"));
        }
        Ok(record::decode::<ListedRecord>("history", record)?.into())
    }

    /// A part, once its row's code has been checked.
    pub(crate) fn open_part(&self, owner: PartsOwner, row: &nuee_metadata::PartRow) -> Result<Part, Error> {
        let row_key = self.row_key(owner.organisation)?;
        let fields = part_fields(owner, row.upload.to_bytes(), row.number, &row.record);
        if fields.verify(&row_key, &row.mac).is_err() {
            let what = format!("part {} of upload {}", row.number, row.upload);
            return Err(Error::damaged(what, "its row's code is wrong"));
        }
        let PartRecord::V1(part) = record::decode("parts", &row.record)?;
        Ok(part)
    }

    /// Refuses what would take the room that deletions need. Whatever adds something asks first.
    pub(crate) fn require_room(&self) -> Result<(), Error> {
        self.0.metadata.require_room()?;
        Ok(self.0.site.require_room()?)
    }

    /// Stops the background work and closes the metadata. Blocks until all that was acknowledged is at rest.
    pub fn close(&self) {
        self.0.metadata.close();
    }
}

/// What binds a blob to its organisation.
pub(crate) fn identity(bucket: &Bucket, blob: BlobId) -> BlobIdentity {
    BlobIdentity { organisation: bucket.organisation, blob }
}

/// The fields that the code of a row of `versions` covers.
pub(crate) fn version_fields(bucket: &Bucket, id: i64, key: &str, record: &[u8]) -> RowBuilder {
    shown_fields("versions", bucket, id, key, record)
}

/// The fields of the tables whose rows are about one version.
fn shown_fields(table: &'static str, bucket: &Bucket, id: i64, key: &str, record: &[u8]) -> RowBuilder {
    RowBuilder::new(table)
        .bytes(&bucket.organisation.to_bytes())
        .bytes(&bucket.id.to_bytes())
        .bytes(key.as_bytes())
        .integer(id)
        .bytes(record)
}

/// The fields that the code of a row of `latest` covers.
pub(crate) fn listed_fields(bucket: &Bucket, id: i64, key: &str, record: &[u8]) -> RowBuilder {
    shown_fields("latest", bucket, id, key, record)
}

/// The fields that the code of a row of `history` covers.
pub(crate) fn history_fields(bucket: &Bucket, id: i64, key: &str, record: &[u8]) -> RowBuilder {
    shown_fields("history", bucket, id, key, record)
}

/// Whose parts are: an upload's object may be copied to other buckets of the project, and its parts outlive its bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartsOwner {
    pub(crate) organisation: OrganisationId,
    pub(crate) project: ProjectId,
}

impl PartsOwner {
    /// In the place of a locator: marks that all parts of an upload are garbage. No site has a locator like this one.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        [PARTS_MARK, &self.organisation.to_bytes(), &self.project.to_bytes()].concat()
    }

    /// What [`PartsOwner::to_bytes`] gave; `None` if it is something else.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (organisation, project) = bytes.strip_prefix(PARTS_MARK)?.split_at_checked(16)?;
        Some(Self {
            organisation: OrganisationId::from_bytes(organisation.try_into().ok()?),
            project: ProjectId::from_bytes(project.try_into().ok()?),
        })
    }
}

const PARTS_MARK: &[u8] = b"parts";

/// The fields that the code of a row of `parts` covers.
pub(crate) fn part_fields(owner: PartsOwner, upload: [u8; 16], number: u16, record: &[u8]) -> RowBuilder {
    RowBuilder::new("parts")
        .bytes(&owner.organisation.to_bytes())
        .bytes(&owner.project.to_bytes())
        .bytes(&upload)
        .integer(i64::from(number))
        .bytes(record)
}

/// The fields that the code of a row of `uploads` covers.
pub(crate) fn upload_fields(bucket: &Bucket, upload: [u8; 16], key: &str, record: &[u8]) -> RowBuilder {
    RowBuilder::new("uploads")
        .bytes(&bucket.organisation.to_bytes())
        .bytes(&bucket.id.to_bytes())
        .bytes(key.as_bytes())
        .bytes(&upload)
        .bytes(record)
}
