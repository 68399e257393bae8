//! Versions of a key, how they follow each other, and what keeps them.

use std::sync::Arc;

use nuee_access::{Action, Permit};
use nuee_base::Timestamp;
use nuee_store::{
    Bucket, Conditions, Deleted, Deletion, Described, Error, LegalHold, ListQuery, ListedVersion, Lock,
    ObjectInfo, Retention, RetentionMode, VersionTarget, Versioning, VersionsQuery,
};

use crate::{
    clock::TestClock,
    platform::{Platform, body, content, key},
};

const DAY: u64 = 24;

impl Platform {
    /// The bucket as it is now.
    fn present(&self, bucket: &Bucket) -> Arc<Bucket> {
        self.store.find_bucket(&bucket.name).unwrap()
    }

    async fn keeping(&self, versioning: Versioning) -> Arc<Bucket> {
        self.set_versioning(&self.home, versioning).await;
        self.present(&self.home)
    }

    async fn write_locked(&self, bucket: &Arc<Bucket>, name: &str, lock: Lock) -> ObjectInfo {
        let (owner, permit) = (self.owner(bucket), self.permit(bucket, Action::PutObject));
        let written = (body(&content(100, 1), 100), Described { lock, ..Described::default() });
        let target = (bucket, key(name));
        self.store.put_object(&owner, &permit, target, written, Conditions::default()).await.unwrap()
    }

    fn by_id(&self, bucket: &Arc<Bucket>, name: &str, version: &str) -> Result<ObjectInfo, Error> {
        let permit = self.permit(bucket, Action::GetObjectVersion);
        self.store.object_version(&permit, bucket, (&key(name), version)).map(|object| object.info)
    }

    async fn remove(&self, bucket: &Arc<Bucket>, name: &str, version: Option<&str>) -> Deleted {
        self.try_remove(bucket, self.deletion(bucket, name, version)).await.unwrap()
    }

    async fn try_remove(&self, bucket: &Arc<Bucket>, deletion: Deletion) -> Result<Deleted, Error> {
        let done = self.store.delete_objects(&self.owner(bucket), bucket, vec![deletion]).await.unwrap();
        done.into_iter().next().unwrap()
    }

    fn bypass(&self, bucket: &Bucket) -> Permit {
        self.permit(bucket, Action::BypassGovernanceRetention)
    }

    async fn listed(
        &self,
        bucket: &Arc<Bucket>,
        keys: ListQuery,
        limit: usize,
    ) -> (Vec<ListedVersion>, Vec<String>) {
        let (mut versions, mut prefixes) = (Vec::new(), Vec::new());
        let mut query = VersionsQuery { keys: ListQuery { limit, ..keys }, after_version: None };
        loop {
            let permit = self.permit(bucket, Action::ListVersions);
            let page = self.store.list_versions(&permit, bucket, query.clone()).await.unwrap();
            assert!(page.versions.len() + page.prefixes.len() <= limit);
            versions.extend(page.versions);
            prefixes.extend(page.prefixes);
            let Some((after, version)) = page.next else { return (versions, prefixes) };
            (query.keys.after, query.after_version) = (after, version);
        }
    }
}

fn retained(mode: RetentionMode, clock: &TestClock, days: u64) -> Lock {
    let until = clock.environment().now().saturating_add(std::time::Duration::from_hours(days * DAY));
    Lock { retention: Some(Retention::new(mode, until)), legal_hold: LegalHold::Never }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_replaced_or_deleted_comes_back_by_its_id() {
    let platform = Platform::new().await;
    let before = platform.put(&platform.home, "a", &content(10, 0)).await;
    assert_eq!(before.version, None, "where no versions are kept, they have no ids");
    let bucket = platform.keeping(Versioning::Enabled).await;
    let mut ids = Vec::new();
    for size in [20, 30] {
        ids.push(platform.put(&bucket, "a", &content(size, 0)).await.version.unwrap());
    }
    let marker = platform.remove(&bucket, "a", None).await;
    assert!(marker.is_marker && marker.version.is_some(), "{marker:?}");
    assert!(matches!(platform.get(&bucket, "a").await, Err(Error::DeleteMarker { by_id: false, .. })));
    for (id, size) in [("null", 10), (&ids[0], 20), (&ids[1], 30)] {
        assert_eq!(platform.by_id(&bucket, "a", id).unwrap().size, size, "{id}");
    }
    let marker = marker.version.unwrap();
    assert!(matches!(platform.by_id(&bucket, "a", &marker), Err(Error::DeleteMarker { by_id: true, .. })));
    assert!(matches!(platform.by_id(&bucket, "b", &ids[0]), Err(Error::NoSuchVersion)));
    platform.assert_sound().await;
    // Each that goes makes the one before it the latest again.
    for (gone, latest) in [(marker.as_str(), 30), (&ids[1], 20), (&ids[0], 10)] {
        assert!(platform.remove(&bucket, "a", Some(gone)).await.existed, "{gone}");
        assert_eq!(platform.get(&bucket, "a").await.unwrap().len(), latest);
        platform.assert_sound().await;
    }
    platform.remove(&bucket, "a", Some("null")).await;
    assert!(matches!(platform.get(&bucket, "a").await, Err(Error::NoSuchKey)));
    assert!(!platform.remove(&bucket, "a", Some(&marker)).await.existed);
    platform.reclaim().await;
    platform.assert_sound().await;
    assert_eq!(platform.site.blobs().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_buckets_have_one_version_without_an_id() {
    let platform = Platform::new().await;
    platform.put(&platform.home, "a", &content(10, 0)).await;
    let bucket = platform.keeping(Versioning::Enabled).await;
    let kept = platform.put(&bucket, "a", &content(20, 0)).await.version.unwrap();
    let bucket = platform.keeping(Versioning::Suspended).await;
    for size in [30, 40] {
        let written = platform.put(&bucket, "a", &content(size, 0)).await;
        assert_eq!(written.version.as_deref(), Some("null"));
        let (versions, _) = platform.listed(&bucket, ListQuery::default(), 100).await;
        let ids: Vec<_> = versions.iter().map(|version| version.version.as_str()).collect();
        assert_eq!(ids, ["null", &kept]);
        assert_eq!(platform.by_id(&bucket, "a", "null").unwrap().size, size as u64);
    }
    let marker = platform.remove(&bucket, "a", None).await;
    assert_eq!((marker.version.as_deref(), marker.is_marker), (Some("null"), true));
    assert!(matches!(platform.by_id(&bucket, "a", "null"), Err(Error::DeleteMarker { .. })));
    platform.remove(&bucket, "a", None).await;
    assert_eq!(platform.listed(&bucket, ListQuery::default(), 100).await.0.len(), 2);
    platform.reclaim().await;
    platform.assert_sound().await;
    assert_eq!(platform.site.blobs().count(), 1);
    // What is written now takes the marker's place.
    platform.put(&bucket, "a", &content(50, 0)).await;
    assert_eq!(platform.listed(&bucket, ListQuery::default(), 100).await.0.len(), 2);
    platform.remove(&bucket, "a", Some("null")).await;
    assert_eq!(platform.get(&bucket, "a").await.unwrap().len(), 20);
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_parts_and_copies_share_and_go_one_by_one() {
    let platform = Platform::new().await;
    let bucket = platform.keeping(Versioning::Enabled).await;
    platform.upload(&bucket, "a", &[content(150_000, 1), content(10, 2)]).await;
    platform.copy(&bucket, "a", &bucket, "a").await;
    platform.copy(&bucket, "a", &bucket, "b").await;
    let (versions, _) = platform.listed(&bucket, ListQuery::default(), 100).await;
    assert_eq!(versions.len(), 3);
    platform.assert_sound().await;
    for version in &versions[..2] {
        platform.remove(&bucket, "a", Some(&version.version)).await;
        platform.reclaim().await;
        platform.assert_sound().await;
        assert_eq!(platform.get(&bucket, "b").await.unwrap().len(), 150_010);
    }
    platform.remove(&bucket, "b", Some(&versions[2].version)).await;
    platform.reclaim().await;
    assert_eq!(platform.site.blobs().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_any_size_list_the_same_versions() {
    let platform = Platform::new().await;
    platform.put(&platform.home, "d/old", &content(1, 0)).await;
    let bucket = platform.keeping(Versioning::Enabled).await;
    for name in ["a", "b/1", "b/2", "c", "d/old", "a", "b/1", "c", "a"] {
        platform.put(&bucket, name, &content(1, 0)).await;
    }
    for name in ["c", "b/2", "never"] {
        platform.remove(&bucket, name, None).await;
    }
    for (prefix, delimiter) in [("", None), ("b/", None), ("", Some("/")), ("d", Some("/"))] {
        let delimiter = delimiter.map(str::to_owned);
        let query = ListQuery { prefix: prefix.into(), delimiter, ..ListQuery::default() };
        let whole = platform.listed(&bucket, query.clone(), 100).await;
        for limit in 1..5 {
            assert_eq!(platform.listed(&bucket, query.clone(), limit).await, whole, "{query:?} by {limit}");
        }
        for pair in whole.0.windows(2) {
            assert_eq!(pair[1].is_latest, pair[0].key != pair[1].key, "{pair:?}");
        }
    }
    let (versions, _) = platform.listed(&bucket, ListQuery::default(), 3).await;
    assert_eq!(versions.len(), 10 + 3);
    assert_eq!(versions.iter().filter(|version| version.object.is_none() && version.is_latest).count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_removes_what_is_locked() {
    use RetentionMode::{Compliance, Governance};
    let clock = TestClock::new();
    let platform = Platform::with(clock.environment(), |_| {}).await;
    let vault = platform.vault().await;
    let held = Lock { legal_hold: LegalHold::On, ..Lock::default() };
    for (name, lock, bypass, goes) in [
        ("COMPLIANCE", retained(Compliance, &clock, 1), false, false),
        ("COMPLIANCE, bypassed", retained(Compliance, &clock, 1), true, false),
        ("GOVERNANCE", retained(Governance, &clock, 1), false, false),
        ("held", held, true, false),
        ("GOVERNANCE, bypassed", retained(Governance, &clock, 1), true, true),
        ("free", Lock::default(), false, true),
    ] {
        let version = platform.write_locked(&vault, name, lock).await.version.unwrap();
        // Replacing and deleting by key leave it where it is.
        platform.put(&vault, name, &content(10, 2)).await;
        platform.remove(&vault, name, None).await;
        let mut deletion = platform.deletion(&vault, name, Some(&version));
        deletion.bypass = bypass.then(|| platform.bypass(&vault));
        let removed = platform.try_remove(&vault, deletion).await;
        assert_eq!(removed.is_ok(), goes, "{name}: {removed:?}");
        assert_eq!(platform.by_id(&vault, name, &version).is_ok(), !goes, "{name}");
    }
    platform.assert_sound().await;
    let suspended = Versioning::Suspended;
    let (owner, permit) = (platform.owner(&vault), platform.permit(&vault, Action::PutBucketVersioning));
    let refused = platform.store.set_versioning(&owner, &permit, &vault, suspended).await;
    assert!(matches!(refused, Err(Error::InvalidBucketState(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_forward_frees_nothing() {
    let clock = TestClock::new();
    let mut platform = Platform::with(clock.environment(), |_| {}).await;
    let vault = platform.vault().await;
    let lock = retained(RetentionMode::Compliance, &clock, 10);
    let version = platform.write_locked(&vault, "a", lock).await.version.unwrap();
    let remove = |platform: &Platform| platform.deletion(&vault, "a", Some(&version));
    // How far the lock clock came is written down before the restart.
    platform.store.reclaim().await.unwrap();
    platform.store.keep_lock_clock().await.unwrap();
    for _ in ["at once", "after a restart"] {
        clock.set_forward(100 * 365 * DAY);
        let removed = platform.try_remove(&vault, remove(&platform)).await;
        assert!(matches!(removed, Err(Error::Locked(_))), "a clock was set forward: {removed:?}");
        let target =
            VersionTarget { bucket: Arc::clone(&vault), key: key("a"), version: Some(version.clone()) };
        let (owner, permit) = (platform.owner(&vault), platform.permit(&vault, Action::PutObjectRetention));
        let ended = platform.store.set_retention(&owner, (&permit, None), &target, None).await;
        assert!(matches!(ended, Err(Error::Locked(_))), "a clock was set forward: {ended:?}");
        platform.restart();
    }
    // Days that pass while the process runs are days, and the clock catches up by a tenth more.
    clock.pass(9 * DAY);
    assert!(platform.try_remove(&vault, remove(&platform)).await.is_err());
    clock.pass(DAY);
    assert!(platform.try_remove(&vault, remove(&platform)).await.unwrap().existed);
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_that_is_over_lets_go() {
    let clock = TestClock::new();
    let platform = Platform::with(clock.environment(), |_| {}).await;
    let vault = platform.vault().await;
    let lock = retained(RetentionMode::Compliance, &clock, 2);
    let version = platform.write_locked(&vault, "a", lock).await.version.unwrap();
    assert_eq!(platform.by_id(&vault, "a", &version).unwrap().lock, lock);
    clock.pass(2 * DAY - 1);
    assert!(platform.try_remove(&vault, platform.deletion(&vault, "a", Some(&version))).await.is_err());
    clock.pass(1);
    assert!(platform.remove(&vault, "a", Some(&version)).await.existed);
    assert!(clock.environment().now() > Timestamp::from_micros(0));
}
