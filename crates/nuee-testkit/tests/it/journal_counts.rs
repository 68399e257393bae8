//! Denials and reads in the journal: counted, so that a flood of them takes no room, and every one of them is there.

use http::Method;
use nuee_base::Role;
use nuee_journal::{Filter, ListedLeaf};
use nuee_testkit::{Client, Place, TestServer, signer::Draft};
use tokio::runtime::Runtime;

const FLOOD: u64 = 300;

/// The leaves of the schools' organisation that say this was done.
fn leaves(server: &TestServer, action: &str) -> Vec<ListedLeaf> {
    let organisation = server.project(Place::Schools).organisation;
    let filter = Filter { action: Some(action.to_owned()), ..Filter::default() };
    server.platform().journal().list(organisation, &filter, 100).unwrap()
}

fn count(leaves: &[ListedLeaf]) -> u64 {
    leaves.iter().filter_map(|listed| listed.leaf.as_ref()?.count).sum()
}

#[test]
fn a_flood_of_denials_is_a_few_leaves_that_count_all_of_them() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(TestServer::start()).unwrap();
    let mut owner = server.client(Place::Schools);
    assert_eq!(owner.put("/papers", "").unwrap().status, 200);
    assert_eq!(owner.put("/papers/secret", "content").unwrap().status, 200);
    let auditor = runtime.block_on(server.create_account(Place::Schools, Role::Auditor, None)).unwrap();
    let mut reader =
        Client::new(server.addresses().s3, auditor.access_key_id.as_str(), auditor.secret.expose());
    let mut stranger = server.client(Place::Hospitals);
    for _ in 0..FLOOD {
        assert_eq!(reader.get("/papers/secret").unwrap().status, 403);
        assert_eq!(stranger.get("/papers/secret").unwrap().status, 403);
    }
    assert_eq!(stranger.send(Draft::new(Method::DELETE, "/papers")).unwrap().status, 403);
    // What is counted is written when its minute is over, or the server stops.
    let server = runtime.block_on(server.restart()).unwrap();
    let denied = leaves(&server, "denied s3:GetObject");
    assert_eq!(count(&denied), 2 * FLOOD);
    assert!(denied.len() <= 10, "{denied:?}");
    let mut by: Vec<_> = denied.iter().map(|listed| listed.leaf.clone().unwrap().by).collect();
    by.sort();
    by.dedup();
    assert_eq!(by.len(), 2, "{by:?}");
    assert!(denied.iter().all(|listed| listed.leaf.as_ref().unwrap().on == "bucket/papers"));
    assert_eq!(count(&leaves(&server, "denied s3:DeleteBucket")), 1);
    runtime.block_on(server.stop()).unwrap();
}

#[test]
fn reads_are_counted_where_the_bucket_is_not_public() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(TestServer::start()).unwrap();
    let mut owner = server.client(Place::Schools);
    for bucket in ["/closed", "/open"] {
        assert_eq!(owner.put(bucket, "").unwrap().status, 200);
        assert_eq!(owner.put(&format!("{bucket}/object"), "content").unwrap().status, 200);
    }
    let unblock = "<PublicAccessBlockConfiguration><BlockPublicPolicy>false</BlockPublicPolicy>\
        <RestrictPublicBuckets>false</RestrictPublicBuckets></PublicAccessBlockConfiguration>";
    let unblocked = owner.send(Draft::put("/open", unblock).query("publicAccessBlock", "")).unwrap();
    assert_eq!(unblocked.status, 200, "{}", unblocked.text());
    let policy = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\
        \"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::open/*\"}]}";
    let opened = owner.send(Draft::put("/open", policy).query("policy", "")).unwrap();
    assert_eq!(opened.status, 204, "{}", opened.text());
    for _ in 0..7 {
        for bucket in ["/closed", "/open"] {
            assert_eq!(owner.get(&format!("{bucket}/object")).unwrap().status, 200);
        }
    }
    let server = runtime.block_on(server.restart()).unwrap();
    let read = leaves(&server, "s3:GetObject");
    assert_eq!(count(&read), 7);
    assert!(read.iter().all(|listed| listed.leaf.as_ref().unwrap().on == "bucket/closed"), "{read:?}");
    runtime.block_on(server.stop()).unwrap();
}
