//! Lifecycle rules, by a clock that the tests set.

use std::sync::Arc;

use nuee_access::{Action, Resource};
use nuee_base::{Context, Principal};
use nuee_store::{
    Body, Bucket, Conditions, Described, Expiration, LegalHold, Lifecycle, LifecycleCount, LifecycleFilter,
    LifecycleReport, LifecycleRound, LifecycleRule, ListQuery, Lock, NewBucket, NoncurrentExpiration,
    Retention, RetentionMode, Setting, SettingName, TagSet, TransitionMinimum, VersionTarget, Versioning,
    VersionsQuery,
};
use tokio::sync::watch;

use crate::{
    clock::TestClock,
    platform::{Platform, body, content, key},
};

const DAY: u64 = 24;

fn rule() -> LifecycleRule {
    LifecycleRule {
        id: String::new(),
        enabled: true,
        filter: LifecycleFilter::default(),
        expiration: None,
        noncurrent: None,
        abort_after_days: None,
    }
}

fn after_days(days: u32) -> LifecycleRule {
    LifecycleRule { expiration: Some(Expiration::Days(days)), ..rule() }
}

fn noncurrent(days: u32, keep: Option<u32>) -> LifecycleRule {
    LifecycleRule { noncurrent: Some(NoncurrentExpiration { days, keep }), ..rule() }
}

fn of(rule: LifecycleRule, filter: LifecycleFilter) -> LifecycleRule {
    LifecycleRule { filter, ..rule }
}

fn under(prefix: &str) -> LifecycleFilter {
    LifecycleFilter { prefix: Some(prefix.into()), ..LifecycleFilter::default() }
}

fn tags(pairs: &[(&str, &str)]) -> TagSet {
    let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    TagSet::new(pairs, TagSet::MAX_OF_OBJECT).unwrap()
}

/// A platform whose clock is set by hand; a page has so many rows.
async fn start(page: u32) -> (Platform, TestClock) {
    let clock = TestClock::new();
    (Platform::with(clock.environment(), |options| options.lifecycle_page = page).await, clock)
}

impl Platform {
    async fn set_rules(&self, bucket: &Bucket, rules: Vec<LifecycleRule>) {
        let rules = Lifecycle::new(&self.environment, rules, TransitionMinimum::default()).unwrap();
        let (owner, permit) = (self.owner(bucket), self.permit(bucket, Action::PutLifecycle));
        let leave = (&permit, Action::PutLifecycle);
        self.store.put_setting(&owner, leave, bucket, Setting::Lifecycle(rules)).await.unwrap();
    }

    pub(crate) async fn set_versioning(&self, bucket: &Arc<Bucket>, versioning: Versioning) {
        let (owner, permit) = (self.owner(bucket), self.permit(bucket, Action::PutBucketVersioning));
        self.store.set_versioning(&owner, &permit, bucket, versioning).await.unwrap();
    }

    async fn round(&self) -> LifecycleRound {
        let (_running, mut stop) = watch::channel(false);
        self.store.lifecycle_round(&self.decider, &mut stop).await.unwrap()
    }

    /// What a round lets go; nothing is to be wrong with it.
    async fn gone(&self) -> LifecycleCount {
        let round = self.round().await;
        assert_eq!((round.damaged, round.failed, round.is_cut), (0, 0, false), "{round:?}");
        round.gone
    }

    async fn run(&self, bucket: &Bucket, dry_run: bool) -> Option<LifecycleReport> {
        let operator = Context::new(self.environment.clone(), Principal::Operator);
        let permit = self.decider.decide(&operator, Action::RunLifecycle, Resource::Platform).unwrap();
        let asking = (&operator, &permit, &self.decider);
        self.store.run_lifecycle(asking, &bucket.name, dry_run, |_| ()).await.unwrap()
    }

    async fn keys(&self, bucket: &Arc<Bucket>) -> Vec<String> {
        let query = ListQuery { limit: 1_000, ..ListQuery::default() };
        let permit = self.permit(bucket, Action::ListObjects);
        let page = self.store.list_objects(&permit, bucket, query).await.unwrap();
        page.objects.into_iter().map(|object| object.key).collect()
    }

    /// Keys and sizes of versions, newest first under each key; markers have no size.
    async fn versions(&self, bucket: &Arc<Bucket>) -> Vec<(String, Option<u64>)> {
        let keys = ListQuery { limit: 1_000, ..ListQuery::default() };
        let query = VersionsQuery { keys, after_version: None };
        let permit = self.permit(bucket, Action::ListVersions);
        let page = self.store.list_versions(&permit, bucket, query).await.unwrap();
        let of = |version: nuee_store::ListedVersion| (version.key, version.object.map(|object| object.size));
        page.versions.into_iter().map(of).collect()
    }

    /// Writes so many bytes.
    async fn write(&self, bucket: &Arc<Bucket>, name: &str, size: usize) {
        self.put(bucket, name, &content(size, size as u64)).await;
    }

    async fn write_described(&self, bucket: &Arc<Bucket>, name: &str, (size, described): (usize, Described)) {
        let (owner, permit) = (self.owner(bucket), self.permit(bucket, Action::PutObject));
        let body: Body = body(&content(size, 1), 50_000);
        let put = self.store.put_object(
            &owner,
            &permit,
            (bucket, key(name)),
            (body, described),
            Conditions::default(),
        );
        put.await.unwrap();
    }

    /// A bucket whose versions can be locked.
    pub(crate) async fn vault(&self) -> Arc<Bucket> {
        let owner = self.owner(&self.home);
        let (organisation, project) = (self.home.organisation, self.home.project);
        let resource = Resource::Project { organisation, project };
        let permit = self.decider.decide(&owner, Action::CreateBucket, resource).unwrap();
        let made = self.store.create_bucket(
            &owner,
            &permit,
            "vault".parse().unwrap(),
            NewBucket { object_lock: true, ..NewBucket::default() },
        );
        Arc::new(made.await.unwrap())
    }

    /// Who did what, after a leaf of the journal.
    fn done(&self, after: i64) -> Vec<String> {
        let told = |body: &String| {
            let field = |name: &str| {
                let (_, rest) = body.split_once(&format!("\"{name}\":\"")).unwrap_or_default();
                rest.split('"').next().unwrap_or_default().to_owned()
            };
            format!("{} {} {}", field("by"), field("action"), field("key"))
        };
        self.said(after).iter().map(told).collect()
    }

    fn last_leaf(&self) -> i64 {
        self.metadata.read(|snapshot| snapshot.last_sequence()).unwrap()
    }
}

fn sizes(all: &[(&str, Option<u64>)]) -> Vec<(String, Option<u64>)> {
    all.iter().map(|(key, size)| ((*key).to_owned(), *size)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_deleted_at_the_midnight_after_their_days() {
    let (platform, clock) = start(1_000).await;
    let home = &platform.home;
    platform.set_rules(home, vec![after_days(1)]).await;
    platform.write(home, "a", 10).await;
    clock.pass(13);
    platform.write(home, "b", 20).await;
    clock.pass(DAY);
    assert_eq!(
        platform.gone().await,
        LifecycleCount::default(),
        "the day has passed, and midnight has not come"
    );
    clock.pass(1);
    let gone = LifecycleCount { objects: 2, bytes: 30, ..LifecycleCount::default() };
    let last = platform.last_leaf();
    assert_eq!(platform.gone().await, gone, "both were written on the 10th");
    assert_eq!(platform.done(last), ["lifecycle s3:DeleteObject a", "lifecycle s3:DeleteObject b"]);
    assert!(platform.versions(home).await.is_empty());
    assert_eq!(platform.gone().await, LifecycleCount::default(), "and nothing is left to do");
    platform.reclaim().await;
    assert_eq!(platform.site.blobs().count(), 0);
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_without_rules_and_rules_that_are_off_let_nothing_go() {
    let (platform, clock) = start(1_000).await;
    let off = LifecycleRule { enabled: false, ..after_days(1) };
    platform.set_rules(&platform.home, vec![off]).await;
    platform.set_rules(&platform.abroad, vec![after_days(1)]).await;
    let permit = platform.permit(&platform.abroad, Action::PutLifecycle);
    let leave = (&permit, Action::PutLifecycle);
    let owner = platform.owner(&platform.abroad);
    let taken = platform.store.delete_setting(&owner, leave, &platform.abroad, SettingName::Lifecycle);
    assert!(taken.await.unwrap());
    for bucket in [&platform.home, &platform.next_door, &platform.abroad] {
        platform.write(bucket, "a", 10).await;
    }
    clock.pass(100 * DAY);
    assert_eq!(platform.gone().await, LifecycleCount::default());
    assert_eq!(platform.run(&platform.abroad, false).await, None);
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_forward_expires_nothing() {
    let (platform, clock) = start(1_000).await;
    platform.set_rules(&platform.home, vec![after_days(30)]).await;
    platform.write(&platform.home, "a", 10).await;
    clock.set_forward(100 * DAY);
    assert_eq!(platform.gone().await, LifecycleCount::default());
    clock.pass(31 * DAY);
    assert_eq!(platform.gone().await.objects, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_versions_are_kept_an_expired_object_becomes_one_of_them() {
    let (platform, clock) = start(1_000).await;
    let home = &platform.home;
    platform.write(home, "null", 1).await;
    platform.set_versioning(home, Versioning::Enabled).await;
    platform.write(home, "a", 10).await;
    platform.set_rules(home, vec![after_days(1)]).await;
    clock.pass(2 * DAY);
    assert_eq!(platform.gone().await, LifecycleCount { objects: 2, ..LifecycleCount::default() });
    assert!(platform.keys(home).await.is_empty());
    let all = sizes(&[("a", None), ("a", Some(10)), ("null", None), ("null", Some(1))]);
    assert_eq!(platform.versions(home).await, all);
    clock.pass(9 * DAY);
    assert_eq!(platform.gone().await, LifecycleCount::default(), "a marker over versions stays");

    platform.set_versioning(home, Versioning::Suspended).await;
    platform.write(home, "null", 2).await;
    clock.pass(2 * DAY);
    let gone = LifecycleCount { objects: 1, bytes: 2, ..LifecycleCount::default() };
    assert_eq!(platform.gone().await, gone, "the null version is replaced by a null marker");
    let all = sizes(&[("a", None), ("a", Some(10)), ("null", None), ("null", None)]);
    assert_eq!(platform.versions(home).await, all);
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_go_when_they_were_replaced_long_enough_ago_but_for_the_newest() {
    let (platform, clock) = start(1_000).await;
    let home = &platform.home;
    platform.set_versioning(home, Versioning::Enabled).await;
    platform.set_rules(home, vec![noncurrent(10, Some(2))]).await;
    for size in 1..=5 {
        platform.write(home, "a", size).await;
        clock.pass(DAY);
    }
    platform.write(home, "b", 1).await;
    platform.write(home, "b", 2).await;
    clock.pass(7 * DAY);
    // Written on the 10th, the first version was replaced on the 11th, so that it goes on the 22nd.
    assert_eq!(platform.gone().await, LifecycleCount { versions: 1, bytes: 1, ..LifecycleCount::default() });
    clock.pass(100 * DAY);
    assert_eq!(platform.gone().await, LifecycleCount { versions: 1, bytes: 2, ..LifecycleCount::default() });
    let kept = [("a", Some(5)), ("a", Some(4)), ("a", Some(3)), ("b", Some(2)), ("b", Some(1))];
    assert_eq!(platform.versions(home).await, sizes(&kept));
    platform.set_rules(home, vec![noncurrent(10, None)]).await;
    assert_eq!(platform.gone().await.versions, 3);
    assert_eq!(platform.versions(home).await, sizes(&[("a", Some(5)), ("b", Some(2))]));
    platform.reclaim().await;
    assert_eq!(platform.site.blobs().count(), 2);
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn delete_markers_go_when_nothing_is_left_under_them() {
    let (platform, clock) = start(1_000).await;
    let home = &platform.home;
    platform.set_versioning(home, Versioning::Enabled).await;
    platform.write(home, "a", 1).await;
    platform.delete(home, &["a"]).await;
    platform.write(home, "b", 2).await;
    let markers = LifecycleRule { expiration: Some(Expiration::Markers(true)), ..rule() };
    platform.set_rules(home, vec![markers.clone()]).await;
    clock.pass(DAY);
    assert_eq!(platform.gone().await, LifecycleCount::default(), "a version is left");
    platform.set_rules(home, vec![markers, noncurrent(1, None)]).await;
    clock.pass(2 * DAY);
    assert_eq!(platform.gone().await, LifecycleCount { versions: 1, bytes: 1, ..LifecycleCount::default() });
    let last = platform.last_leaf();
    assert_eq!(platform.gone().await, LifecycleCount { markers: 1, ..LifecycleCount::default() });
    assert_eq!(platform.done(last), ["lifecycle s3:DeleteObjectVersion a"]);
    assert_eq!(platform.versions(home).await, sizes(&[("b", Some(2))]));

    // Under another version, a marker is a version that was replaced; alone, it is as old as any object.
    platform.write(home, "c", 3).await;
    platform.delete(home, &["c"]).await;
    platform.write(home, "c", 4).await;
    clock.pass(3 * DAY);
    let gone = LifecycleCount { versions: 1, markers: 1, bytes: 3, ..LifecycleCount::default() };
    assert_eq!(platform.gone().await, gone);
    let made = platform.deletion(home, "b", None);
    platform.store.delete_objects(&platform.owner(home), home, vec![made]).await.unwrap();
    platform.set_rules(home, vec![of(after_days(5), under("b")), noncurrent(1, None)]).await;
    clock.pass(2 * DAY);
    assert_eq!(platform.gone().await.versions, 1);
    assert_eq!(platform.gone().await, LifecycleCount::default());
    clock.pass(5 * DAY);
    assert_eq!(platform.gone().await.markers, 1);
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_nobody_ends_are_aborted() {
    let (platform, clock) = start(2).await;
    let home = &platform.home;
    let aborting = LifecycleRule { abort_after_days: Some(3), ..rule() };
    platform
        .set_rules(home, vec![of(aborting.clone(), under("films/")), of(aborting, under("songs/"))])
        .await;
    for name in ["films/a", "films/b", "films/c", "other", "songs/a"] {
        platform.begin_upload(home, name, &content(150_000, 1)).await;
    }
    clock.pass(3 * DAY);
    platform.begin_upload(home, "films/d", &content(150_000, 2)).await;
    assert_eq!(platform.gone().await, LifecycleCount::default());
    clock.pass(DAY);
    let last = platform.last_leaf();
    assert_eq!(platform.gone().await, LifecycleCount { uploads: 4, ..LifecycleCount::default() });
    assert_eq!(platform.done(last)[0], "lifecycle s3:AbortMultipartUpload films/a");
    let permit = platform.permit(home, Action::ListUploads);
    let left = platform.store.list_uploads(&permit, home, (b"", None), 10).await.unwrap();
    let left: Vec<_> = left.iter().map(|upload| upload.key.as_str().to_owned()).collect();
    assert_eq!(left, ["films/d", "other"]);
    platform.reclaim().await;
    assert_eq!(platform.site.blobs().count(), 2, "their parts went with them");
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_is_about_what_fits_its_filter() {
    let (platform, clock) = start(3).await;
    let home = &platform.home;
    let filter = LifecycleFilter {
        prefix: Some("logs/".into()),
        tags: tags(&[("kind", "draft")]),
        larger_than: Some(99),
        smaller_than: Some(201),
        beside: false,
    };
    let by_size = LifecycleFilter { larger_than: Some(999), ..LifecycleFilter::default() };
    platform.set_rules(home, vec![of(after_days(1), filter), of(after_days(1), by_size)]).await;
    let drafts = || Described { tags: tags(&[("kind", "draft"), ("more", "1")]), ..Described::default() };
    let finals = || Described { tags: tags(&[("kind", "final")]), ..Described::default() };
    for (name, size, described) in [
        ("logs/a", 99, drafts()),
        ("logs/b", 100, drafts()),
        ("logs/c", 200, drafts()),
        ("logs/d", 201, drafts()),
        ("logs/e", 150, finals()),
        ("logs/f", 150, Described::default()),
        ("other", 150, drafts()),
        ("others", 1_000, Described::default()),
    ] {
        platform.write_described(home, name, (size, described)).await;
    }
    clock.pass(2 * DAY);
    let report = platform.run(home, true).await.unwrap();
    let counts: Vec<_> = report.rules.iter().map(|count| (count.objects, count.bytes)).collect();
    assert_eq!(counts, [(2, 300), (1, 1_000)]);
    assert_eq!(platform.keys(home).await.len(), 8, "it was only counted");
    assert_eq!(platform.gone().await.objects, 3);
    assert_eq!(platform.keys(home).await, ["logs/a", "logs/d", "logs/e", "logs/f", "other"]);
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_locked_stays_until_it_is_not() {
    let (platform, clock) = start(1_000).await;
    let vault = platform.vault().await;
    platform.set_rules(&vault, vec![noncurrent(1, None)]).await;
    let until = platform.environment.now().saturating_add(std::time::Duration::from_hours(10 * DAY));
    let locks = [RetentionMode::Governance, RetentionMode::Compliance]
        .map(|mode| Lock { retention: Some(Retention::new(mode, until)), legal_hold: LegalHold::Never });
    let held = Lock { retention: None, legal_hold: LegalHold::On };
    for (name, lock) in [("a", locks[0]), ("b", locks[1]), ("c", held), ("d", Lock::default())] {
        platform.write_described(&vault, name, (10, Described { lock, ..Described::default() })).await;
        platform.write(&vault, name, 20).await;
    }
    clock.pass(3 * DAY);
    let round = platform.round().await;
    assert_eq!((round.gone.versions, round.locked), (1, 3));
    assert_eq!(platform.versions(&vault).await.len(), 7);
    clock.pass(10 * DAY);
    let round = platform.round().await;
    assert_eq!((round.gone.versions, round.locked), (2, 1), "a legal hold does not end of itself");
    assert_eq!(platform.versions(&vault).await.len(), 5);
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_written_anew_meanwhile_stays() {
    let (platform, clock) = start(1_000).await;
    let platform = Arc::new(platform);
    let home = &platform.home;
    platform.set_rules(home, vec![after_days(1)]).await;
    platform.write(home, "a", 10).await;
    platform.write(home, "b", 10).await;
    clock.pass(3 * DAY);
    let (writer, write) = (Arc::clone(&platform), |writer: Arc<Platform>| async move {
        writer.write(&writer.home, "a", 11).await;
    });
    clock.before_deletion(move || {
        let runtime = || tokio::runtime::Runtime::new().unwrap();
        std::thread::spawn(move || runtime().block_on(write(writer))).join().unwrap();
    });
    assert_eq!(platform.gone().await.objects, 1);
    assert_eq!(platform.versions(home).await, sizes(&[("a", Some(11))]));
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_are_taken_back_meanwhile_let_nothing_go() {
    let (platform, clock) = start(1_000).await;
    let platform = Arc::new(platform);
    platform.set_rules(&platform.home, vec![after_days(1)]).await;
    platform.write(&platform.home, "a", 10).await;
    clock.pass(3 * DAY);
    let other = Arc::clone(&platform);
    clock.before_deletion(move || {
        let change = async move { other.set_rules(&other.home, vec![after_days(9)]).await };
        let runtime = || tokio::runtime::Runtime::new().unwrap();
        std::thread::spawn(move || runtime().block_on(change)).join().unwrap();
    });
    assert_eq!(platform.gone().await, LifecycleCount::default());
    assert_eq!(platform.keys(&platform.home).await, ["a"]);
}

/// A bucket with versions, markers and uploads, of which some go by each of its rules.
async fn furnish(platform: &Platform, clock: &TestClock) {
    let home = &platform.home;
    platform.set_versioning(home, Versioning::Enabled).await;
    for number in 0..9 {
        for size in 1..=number {
            platform.write(home, &format!("a/{number}"), size).await;
        }
        platform.write(home, &format!("b/{number}"), 7).await;
        platform.begin_upload(home, &format!("c/{number}"), &content(150_000, 1)).await;
    }
    platform.delete(home, &["a/5", "b/1"]).await;
    let aborting = LifecycleRule { abort_after_days: Some(1), ..rule() };
    let rules = vec![
        of(noncurrent(1, Some(2)), under("a/")),
        of(after_days(2), under("b/")),
        of(aborting, under("c/")),
    ];
    platform.set_rules(home, rules).await;
    platform.set_rules(&platform.next_door, vec![after_days(1)]).await;
    platform.write(&platform.next_door, "a", 5).await;
    clock.pass(4 * DAY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_that_is_cut_goes_on_where_it_was_and_ends_as_another() {
    let (whole, clock) = start(1_000).await;
    furnish(&whole, &clock).await;
    let gone = whole.gone().await;
    assert_eq!((gone.objects, gone.versions, gone.uploads), (9, 16, 9), "{gone:?}");
    let (mut cut, clock) = start(7).await;
    furnish(&cut, &clock).await;
    let (_stopped, mut stop) = watch::channel(true);
    let (mut pages, mut total) = (0, LifecycleCount::default());
    loop {
        let round = cut.store.lifecycle_round(&cut.decider, &mut stop).await.unwrap();
        pages += 1;
        total.objects += round.gone.objects;
        total.versions += round.gone.versions;
        total.uploads += round.gone.uploads;
        total.bytes += round.gone.bytes;
        assert!(round.seen <= 7 && pages < 100, "{round:?} after {pages} pages");
        if !round.is_cut {
            break;
        }
        cut.restart();
    }
    assert!(pages > 10, "{pages} pages");
    assert_eq!(total, gone);
    assert_eq!(cut.versions(&cut.home).await, whole.versions(&whole.home).await);
    assert!(cut.keys(&cut.next_door).await.is_empty());
    assert_eq!(cut.gone().await, LifecycleCount::default());
    cut.reclaim().await;
    cut.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_lets_go_what_was_counted_and_tells_who_asked() {
    let (platform, clock) = start(7).await;
    furnish(&platform, &clock).await;
    let counted = platform.run(&platform.home, true).await.unwrap();
    let last = platform.last_leaf();
    assert_eq!(platform.run(&platform.home, false).await.unwrap().rules, counted.rules);
    let done = platform.done(last);
    assert_eq!(done[0], "operator nuee:RunLifecycle ");
    assert!(done[1..].iter().all(|leaf| leaf.starts_with("lifecycle s3:")), "{done:?}");
    assert_eq!(platform.keys(&platform.next_door).await, ["a"], "another bucket is not touched");
    platform.reclaim().await;
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_stays_and_keeps_nothing_else() {
    let (platform, clock) = start(1_000).await;
    platform.set_rules(&platform.home, vec![after_days(1)]).await;
    platform.write(&platform.home, "a", 10).await;
    platform.write(&platform.home, "b", 10).await;
    platform.damage("UPDATE versions SET mac = zeroblob(32) WHERE key = CAST('a' AS BLOB)");
    clock.pass(2 * DAY);
    let round = platform.round().await;
    assert_eq!((round.gone.objects, round.damaged), (1, 1));
    assert_eq!(platform.keys(&platform.home).await, ["a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_tells_when_it_expires() {
    let (platform, _clock) = start(1_000).await;
    let filter = LifecycleFilter { tags: tags(&[("kind", "draft")]), ..LifecycleFilter::default() };
    let named = |id: &str, rule: LifecycleRule| LifecycleRule { id: id.into(), ..rule };
    let rules = vec![named("late", after_days(5)), named("soon", of(after_days(1), filter))];
    platform.set_rules(&platform.home, rules).await;
    let home = platform.store.find_bucket(&platform.home.name).unwrap();
    platform.write(&home, "plain", 10).await;
    let drafts = Described { tags: tags(&[("kind", "draft")]), ..Described::default() };
    platform.write_described(&home, "draft", (10, drafts)).await;
    let told = |name: &str| {
        let read = platform.permit(&home, Action::GetObject);
        let object = platform.store.object(&read, &home, &key(name)).unwrap();
        let (at, by) = platform.store.expiry(&object, name).unwrap().unwrap();
        format!("{at} {by}")
    };
    assert_eq!(told("plain"), "2026-01-16T00:00:00Z late");
    assert_eq!(told("draft"), "2026-01-12T00:00:00Z soon");
    let target = VersionTarget { bucket: Arc::clone(&home), key: key("draft"), version: None };
    let permit = platform.permit(&home, Action::PutObjectTagging);
    let owner = platform.owner(&home);
    let changed = platform.store.set_object_tags(&owner, &permit, &target, TagSet::default());
    changed.await.unwrap();
    assert_eq!(told("draft"), "2026-01-16T00:00:00Z late", "its tags are not what they were");
}
