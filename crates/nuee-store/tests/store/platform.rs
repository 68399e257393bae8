//! A platform for one test: two organisations, the first with two projects, a bucket in each project.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use nuee_access::{Action, Decider, Permit, Resource};
use nuee_base::{Context, Environment, ObjectKey, OrganisationId, Principal, Role, ServiceAccountId};
use nuee_journal::{Journal, Leaf};
use nuee_keys::{DirectoryCustody, KeyRing};
use nuee_metadata::Metadata;
use nuee_sites::DirectorySite;
use nuee_store::{
    Body, Bucket, ChecksumAlgorithm, CompletedPart, Completion, Conditions, CopyOptions, Deletion, Described,
    Details, Error, ExpectedChecksum, NewBucket, ObjectInfo, Options, Store, UploadOptions, UploadTarget,
};
use nuee_tenancy::{Configured, Project, SiteDescription, Tenancy};
use tempfile::TempDir;

/// Everything that a test needs; the directories live as long as this.
pub(crate) struct Platform {
    pub(crate) directory: TempDir,
    pub(crate) store: Store,
    pub(crate) site: DirectorySite,
    pub(crate) metadata: Metadata,
    pub(crate) tenancy: Tenancy,
    pub(crate) decider: Decider,
    pub(crate) environment: Environment,
    /// A bucket of the first project of the first organisation.
    pub(crate) home: Arc<Bucket>,
    /// A bucket of the second project of the first organisation.
    pub(crate) next_door: Arc<Bucket>,
    /// A bucket of the second organisation.
    pub(crate) abroad: Arc<Bucket>,
    keys: Arc<KeyRing>,
    options: Options,
}

/// `length` bytes that no compression shortens, told apart by `seed`.
pub(crate) fn content(length: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

pub(crate) fn key(text: &str) -> ObjectKey {
    text.parse().unwrap()
}

/// A body in pieces of `piece` bytes, of which nothing is told but the size.
pub(crate) fn body(content: &Bytes, piece: usize) -> Body {
    let pieces: Vec<_> =
        content.chunks(piece.max(1)).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Body {
        stream: Box::pin(stream::iter(pieces)),
        size: Some(content.len() as u64),
        md5: None,
        checksum: ExpectedChecksum::Compute(ChecksumAlgorithm::Crc64Nvme),
        encryption: None,
    }
}

/// A body that stops in the middle for ever.
pub(crate) fn stalled(content: Bytes, announced: u64) -> Body {
    let first = stream::iter([Ok(content)]).chain(stream::pending());
    Body { stream: Box::pin(first), size: Some(announced), ..body(&Bytes::new(), 1) }
}

impl Platform {
    pub(crate) async fn new() -> Self {
        Self::with(Environment::system(), |_| {}).await
    }

    /// A platform with another clock, whose store works as `adapt` says.
    pub(crate) async fn with(environment: Environment, adapt: impl FnOnce(&mut Options)) -> Self {
        let directory = TempDir::new().unwrap();
        // Keys have a clock of their own: a test that sets the other is not about them.
        let own = Environment::system();
        let custody = DirectoryCustody::create(&directory.path().join("keys"), own.clone()).unwrap();
        let keys = Arc::new(KeyRing::new(Arc::new(custody), own, KeyRing::LIFETIME));
        std::fs::create_dir(directory.path().join("data")).unwrap();
        let metadata =
            Metadata::open(&directory.path().join("data/metadata.db"), nuee_metadata::Options::default());
        let metadata = metadata.unwrap();
        let site = DirectorySite::open(&directory.path().join("data/site"), small_segments()).unwrap();
        let journal = Journal::new(metadata.clone(), Arc::clone(&keys), "nuee/test".into());
        let tenancy = Tenancy::new(metadata.clone(), Arc::clone(&keys), environment.clone(), journal);
        let decider = Decider::shipped();
        let mut options =
            Options { reclaim_delay: Duration::ZERO, minimum_part_bytes: 100_000, ..Options::default() };
        adapt(&mut options);
        let store = Store::new(
            metadata.clone(),
            site.clone(),
            Arc::clone(&keys),
            environment.clone(),
            (tenancy.bounds(), options),
        );
        let operator = Context::new(environment.clone(), Principal::Operator);
        let mut buckets = Vec::new();
        for (organisation, projects) in [("first", &["one", "two"][..]), ("second", &["one"])] {
            let permit = decider.decide(&operator, Action::CreateOrganisation, Resource::Platform).unwrap();
            let organisation = tenancy
                .create_organisation(
                    &operator,
                    &permit,
                    (organisation.parse().unwrap(), nuee_tenancy::Profile::default()),
                )
                .await
                .unwrap();
            for name in projects {
                let resource = Resource::Organisation(organisation.id);
                let permit = decider.decide(&operator, Action::CreateProject, resource).unwrap();
                let project =
                    tenancy.create_project(&operator, &permit, name.parse().unwrap()).await.unwrap();
                buckets.push(bucket(&store, &decider, &environment, &project).await);
            }
        }
        let [home, next_door, abroad] = buckets.try_into().unwrap();
        Self {
            directory,
            store,
            site,
            metadata,
            tenancy,
            decider,
            environment,
            home,
            next_door,
            abroad,
            keys,
            options,
        }
    }

    pub(crate) fn key_ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.keys)
    }

    /// What the journal says, after a leaf of it.
    pub(crate) fn said(&self, after: i64) -> Vec<String> {
        let leaves = self.metadata.read(|snapshot| snapshot.leaves(after, u32::MAX)).unwrap();
        let body = |leaf| String::from_utf8(Leaf::read_body(&self.keys, leaf).unwrap().unwrap()).unwrap();
        leaves.iter().map(body).collect()
    }

    /// Begins anew with the store, as another process would.
    pub(crate) fn restart(&mut self) {
        let (metadata, site) = (self.metadata.clone(), self.site.clone());
        let (keys, environment) = (Arc::clone(&self.keys), self.environment.clone());
        self.store = Store::new(metadata, site, keys, environment, (self.tenancy.bounds(), self.options));
    }

    /// Begins anew where the site is in this country, as its operator says.
    pub(crate) fn move_to(&mut self, country: &str) {
        let journal = Journal::new(self.metadata.clone(), Arc::clone(&self.keys), "nuee/test".into());
        let site = SiteDescription { country: Some(country.parse().unwrap()), ..SiteDescription::default() };
        let configured = Configured { site, ..Configured::default() };
        let (metadata, keys) = (self.metadata.clone(), Arc::clone(&self.keys));
        self.tenancy = Tenancy::configured(metadata, keys, self.environment.clone(), (journal, configured));
        self.restart();
    }

    /// The owner of a bucket's project.
    pub(crate) fn owner(&self, bucket: &Bucket) -> Context {
        owner(&self.environment, bucket.organisation, bucket.project)
    }

    pub(crate) fn permit(&self, bucket: &Bucket, action: Action) -> Permit {
        self.decider.decide(&self.owner(bucket), action, bucket.resource()).unwrap()
    }

    pub(crate) async fn try_put(
        &self,
        bucket: &Arc<Bucket>,
        name: &str,
        body: Body,
    ) -> Result<ObjectInfo, Error> {
        let permit = self.permit(bucket, Action::PutObject);
        let written = (body, Described::default());
        self.store
            .put_object(&self.owner(bucket), &permit, (bucket, key(name)), written, Conditions::default())
            .await
    }

    pub(crate) async fn put(&self, bucket: &Arc<Bucket>, name: &str, content: &Bytes) -> ObjectInfo {
        self.try_put(bucket, name, body(content, 50_000)).await.unwrap()
    }

    pub(crate) async fn get(&self, bucket: &Arc<Bucket>, name: &str) -> Result<Bytes, Error> {
        let object = self.store.object(&self.permit(bucket, Action::GetObject), bucket, &key(name))?;
        self.read(&object, 0..object.info.size).await
    }

    pub(crate) async fn read(
        &self,
        object: &nuee_store::Object,
        range: std::ops::Range<u64>,
    ) -> Result<Bytes, Error> {
        let stream = self.store.read_object(object, range).await?.into_stream();
        let pieces: Vec<Bytes> = stream.try_collect().await?;
        Ok(pieces.concat().into())
    }

    pub(crate) async fn delete(&self, bucket: &Arc<Bucket>, names: &[&str]) -> Vec<bool> {
        let deletions = names.iter().map(|name| self.deletion(bucket, name, None)).collect();
        let done = self.store.delete_objects(&self.owner(bucket), bucket, deletions).await.unwrap();
        done.into_iter().map(|deleted| deleted.unwrap().existed).collect()
    }

    pub(crate) fn deletion(&self, bucket: &Bucket, name: &str, version: Option<&str>) -> Deletion {
        let action = if version.is_some() { Action::DeleteObjectVersion } else { Action::DeleteObject };
        Deletion {
            permit: self.permit(bucket, action),
            key: key(name),
            version: version.map(str::to_owned),
            conditions: Conditions::default(),
            bypass: None,
        }
    }

    pub(crate) async fn copy(&self, from: &Arc<Bucket>, name: &str, to: &Arc<Bucket>, copy: &str) {
        let source = self.store.object(&self.permit(from, Action::GetObject), from, &key(name)).unwrap();
        let (owner, permit) = (self.owner(to), self.permit(to, Action::PutObject));
        let target = (to, key(copy));
        let copied = self.store.copy_object(&owner, (&permit, &source), target, CopyOptions::default());
        copied.await.unwrap();
    }

    /// Begins an upload that has one part.
    pub(crate) async fn begin_upload(&self, bucket: &Arc<Bucket>, name: &str, part: &Bytes) -> UploadTarget {
        let (owner, permit) = (self.owner(bucket), self.permit(bucket, Action::PutObject));
        let target = self.create_upload(bucket, name).await;
        self.store.put_part(&owner, &permit, (&target, 1), body(part, 50_000)).await.unwrap();
        target
    }

    /// Writes part 1 of the upload of this key, which is open, once more.
    pub(crate) async fn replace_part(&self, bucket: &Arc<Bucket>, name: &str, part: &Bytes) {
        let (owner, permit) = (self.owner(bucket), self.permit(bucket, Action::PutObject));
        let listed = self.permit(bucket, Action::ListUploads);
        let open = self.store.list_uploads(&listed, bucket, (b"", None), 10).await.unwrap();
        let upload = open.into_iter().find(|upload| upload.key == key(name)).unwrap();
        let target = UploadTarget { bucket: Arc::clone(bucket), key: upload.key, id: upload.id };
        self.store.put_part(&owner, &permit, (&target, 1), body(part, 50_000)).await.unwrap();
    }

    async fn create_upload(&self, bucket: &Arc<Bucket>, name: &str) -> UploadTarget {
        let (owner, permit) = (self.owner(bucket), self.permit(bucket, Action::PutObject));
        let details = Details { content_type: Some("text/plain".into()), ..Details::default() };
        let described = Described { details, ..Described::default() };
        let options = UploadOptions { described, ..UploadOptions::default() };
        let created = self.store.create_upload(&owner, &permit, (bucket, key(name)), options);
        UploadTarget { bucket: Arc::clone(bucket), key: key(name), id: created.await.unwrap() }
    }

    /// Completes an upload of one part.
    pub(crate) async fn complete(&self, target: &UploadTarget) {
        let (owner, permit) = (self.owner(&target.bucket), self.permit(&target.bucket, Action::PutObject));
        let listed = self.permit(&target.bucket, Action::ListParts);
        let parts = self.store.list_parts(&listed, target, 0, 10).await.unwrap();
        let parts = parts.iter().map(|part| CompletedPart {
            number: part.number,
            etag: part.etag.to_string(),
            checksum: None,
        });
        let completion = Completion { parts: parts.collect(), ..Completion::default() };
        self.store.complete_upload(&owner, &permit, target, completion).await.unwrap();
    }

    /// Changes the database behind the server's back, as whoever has its file could.
    pub(crate) fn damage(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.database()).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        assert!(connection.execute(sql, ()).unwrap() > 0, "{sql} changed nothing");
    }

    /// An object of these parts.
    pub(crate) async fn upload(&self, bucket: &Arc<Bucket>, name: &str, parts: &[Bytes]) {
        let (owner, permit) = (self.owner(bucket), self.permit(bucket, Action::PutObject));
        let target = self.create_upload(bucket, name).await;
        let mut completed = Vec::new();
        for (number, part) in (1..).zip(parts) {
            let put = self.store.put_part(&owner, &permit, (&target, number), body(part, 50_000));
            let etag = put.await.unwrap().etag.to_string();
            completed.push(CompletedPart { number, etag, checksum: None });
        }
        let completion = Completion { parts: completed, ..Completion::default() };
        self.store.complete_upload(&owner, &permit, &target, completion).await.unwrap();
    }

    /// The database as it is now.
    pub(crate) fn dump(&self) -> PathBuf {
        let copy = self.directory.path().join("copy.db");
        let _ = std::fs::remove_file(&copy);
        let connection = rusqlite::Connection::open(self.database()).unwrap();
        connection.execute("VACUUM INTO ?1", (copy.to_str().unwrap(),)).unwrap();
        copy
    }

    /// Lets the time pass that garbage is left alone for.
    pub(crate) fn make_garbage_due(&self) {
        let connection = rusqlite::Connection::open(self.database()).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection.execute("UPDATE garbage SET not_before = 0", ()).unwrap();
    }

    /// Puts all rows back.
    pub(crate) fn restore(&self, copy: &std::path::Path) {
        let connection = rusqlite::Connection::open(self.database()).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection.execute("ATTACH ?1 AS kept", (copy.to_str().unwrap(),)).unwrap();
        for table in [
            "uploads",
            "parts",
            "buckets",
            "shares",
            "usage",
            "garbage",
            "latest",
            "history",
            "bucket_settings",
        ] {
            let sql = format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept.{table};");
            connection.execute_batch(&sql).unwrap();
        }
    }

    /// Reclaims until there is nothing left to reclaim.
    pub(crate) async fn reclaim(&self) -> nuee_store::ReclaimReport {
        let mut total = nuee_store::ReclaimReport::default();
        loop {
            let report = self.store.reclaim().await.unwrap();
            if report == nuee_store::ReclaimReport::default() {
                return total;
            }
            total.deleted += report.deleted;
            total.abandoned += report.abandoned;
            total.moved += report.moved;
        }
    }

    pub(crate) async fn verify(&self) -> nuee_store::VerifyReport {
        self.verify_with(true).await
    }

    pub(crate) async fn verify_quickly(&self) -> nuee_store::VerifyReport {
        self.verify_with(false).await
    }

    async fn verify_with(&self, content: bool) -> nuee_store::VerifyReport {
        let operator = Context::new(self.environment.clone(), Principal::Operator);
        let permit = self.decider.decide(&operator, Action::Verify, Resource::Platform).unwrap();
        self.store.verify(&permit, content, |_| ()).await.unwrap()
    }

    /// That verification finds nothing wrong and nothing left over.
    pub(crate) async fn assert_sound(&self) {
        let report = self.verify().await;
        assert_eq!((report.damaged, report.orphans), (0, 0), "{report:?}");
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.directory.path().join("data/metadata.db")
    }
}

/// Segments of 1 MiB, so that a test sees them close.
fn small_segments() -> nuee_sites::Options {
    nuee_sites::Options {
        segment_size_bytes: 1 << 20,
        small_blob_max_bytes: 200 << 10,
        ..nuee_sites::Options::default()
    }
}

fn owner(environment: &Environment, organisation: OrganisationId, project: nuee_base::ProjectId) -> Context {
    let id = ServiceAccountId::from_bytes([1; 16]);
    let principal = Principal::ServiceAccount { id, organisation, project, role: Role::Owner };
    Context::new(environment.clone(), principal)
}

async fn bucket(
    store: &Store,
    decider: &Decider,
    environment: &Environment,
    project: &Project,
) -> Arc<Bucket> {
    let owner = owner(environment, project.organisation, project.id);
    let permit = decider.decide(&owner, Action::CreateBucket, project.resource()).unwrap();
    let name = format!("bucket-{}", project.id.to_string().to_lowercase()).parse().unwrap();
    Arc::new(store.create_bucket(&owner, &permit, name, NewBucket::default()).await.unwrap())
}
