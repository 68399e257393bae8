//! What a project is told that is at its quota, and keys that come and go.

use std::time::Duration;

use http::Method;
use nuee_access::{Action, Resource};
use nuee_base::{Clock, Environment, Role, SystemClock, SystemRandom, Timestamp};
use nuee_tenancy::Quota;
use nuee_testkit::{Client, Place, TestServer, signer::Draft};
use tokio::runtime::Runtime;

struct Bench {
    runtime: Runtime,
    server: TestServer,
    client: Client,
}

/// A clock that stands still.
struct Still(Timestamp);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn uptime(&self) -> Duration {
        SystemClock.uptime()
    }
}

impl Bench {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let environment = Environment::new(Still(SystemClock.now()), SystemRandom::default());
        let server = runtime.block_on(TestServer::start_with(environment, |_| {})).unwrap();
        let mut client = server.client(Place::Schools);
        assert_eq!(client.put("/bucket", "").unwrap().status, 200);
        Self { runtime, server, client }
    }

    fn bound(&self, quota: Quota) {
        let platform = self.server.platform();
        let project = self.server.project(Place::Schools);
        let operator = platform.operator();
        let resource = Resource::Organisation(project.organisation);
        let permit = platform.decider().decide(&operator, Action::SetQuota, resource).unwrap();
        let set = platform.tenancy().set_quota(&operator, &permit, project.id, quota);
        self.runtime.block_on(set).unwrap();
    }
}

#[test]
fn a_project_that_is_full_is_told_so_and_can_read_and_delete() {
    let mut bench = Bench::start();
    bench.bound(Quota { bytes: Some(10), buckets: Some(1), ..Quota::default() });
    assert_eq!(bench.client.put("/bucket/a", "content").unwrap().status, 200);
    let refused = bench.client.put("/bucket/b", "content").unwrap();
    assert_eq!((refused.status, &*refused.code()), (403, "QuotaExceeded"));
    let copy = Draft::put("/bucket/b", "").header("x-amz-copy-source", "/bucket/a");
    assert_eq!(bench.client.send(copy).unwrap().code(), "QuotaExceeded");
    let begin = Draft::with_body(Method::POST, "/bucket/parts", "").query("uploads", "");
    let upload = bench.client.send(begin).unwrap().elements("UploadId").remove(0);
    let part = Draft::put("/bucket/parts", "content").query("partNumber", "1").query("uploadId", &upload);
    assert_eq!(bench.client.send(part).unwrap().code(), "QuotaExceeded");
    assert_eq!(bench.client.put("/other", "").unwrap().code(), "TooManyBuckets");
    assert_eq!(bench.client.get("/bucket/a").unwrap().text(), "content");
    assert_eq!(bench.client.delete("/bucket/a").unwrap().status, 204);
    assert_eq!(bench.client.put("/bucket/b", "content").unwrap().status, 200);
}

#[test]
fn a_project_that_asks_too_fast_is_told_to_slow_down_and_others_are_not() {
    let mut bench = Bench::start();
    bench.bound(Quota { requests_per_second: Some(2), ..Quota::default() });
    let answers: Vec<_> = (0..6).map(|_| bench.client.get("/bucket/none").unwrap().code()).collect();
    assert_eq!(answers.join(" "), "NoSuchKey NoSuchKey NoSuchKey NoSuchKey SlowDown SlowDown");
    let mut other = bench.server.client(Place::Exams);
    assert_eq!(other.put("/exams", "").unwrap().status, 200);
    bench.bound(Quota::default());
    assert_eq!(bench.client.get("/bucket/none").unwrap().code(), "NoSuchKey");
}

#[test]
fn a_key_is_rotated_without_a_pause() {
    let bench = Bench::start();
    let account = bench.runtime.block_on(bench.server.create_account(Place::Schools, Role::Reader, None));
    let account = account.unwrap();
    let platform = bench.server.platform();
    let (operator, project) = (platform.operator(), bench.server.project(Place::Schools).resource());
    let permit = |action| platform.decider().decide(&operator, action, project).unwrap();
    let listed = || platform.tenancy().service_accounts(&permit(Action::ListServiceAccounts)).unwrap();
    let (name, first) = listed()
        .into_iter()
        .find_map(|(found, keys)| {
            let key = keys.into_iter().find(|key| key.id == account.access_key_id)?;
            Some((found.name, key))
        })
        .unwrap();
    assert_eq!(first.last_used_at, None);
    let mut with_first = Client::of(bench.server.addresses().s3, &account);
    assert_eq!(with_first.list("/bucket").unwrap(), [""; 0]);

    let of_keys = permit(Action::CreateAccessKey);
    let make = platform.tenancy().create_access_key(&operator, &of_keys, &name, None);
    let second = bench.runtime.block_on(make).unwrap();
    let address = bench.server.addresses().s3;
    let mut with_second = Client::new(address, second.id.as_str(), second.secret.expose());
    assert_eq!(with_second.list("/bucket").unwrap(), [""; 0]);
    assert_eq!(with_first.list("/bucket").unwrap(), [""; 0]);

    bench.runtime.block_on(platform.tenancy().note_uses());
    let used = |id: &nuee_base::AccessKeyId| {
        let keys = listed().into_iter().flat_map(|(_, keys)| keys);
        keys.into_iter().find(|key| key.id == *id).map(|key| key.last_used_at.is_some())
    };
    assert_eq!((used(&first.id), used(&second.id)), (Some(true), Some(true)));
    let permit = permit(Action::DeleteAccessKey);
    let delete = platform.tenancy().delete_access_key(&operator, &permit, (&name, &first.id));
    bench.runtime.block_on(delete).unwrap();
    assert_eq!(with_first.get("/bucket/none").unwrap().code(), "InvalidAccessKeyId");
    assert_eq!(with_second.list("/bucket").unwrap(), [""; 0]);
}
