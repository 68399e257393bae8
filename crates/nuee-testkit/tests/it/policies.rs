//! Policies of buckets, by the requests that they allow and deny.

use http::Method;
use nuee_base::Principal;
use nuee_testkit::{Answer, Client, Place, TestServer, signer::Draft};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

struct Bench {
    _runtime: Runtime,
    server: TestServer,
    owner: Client,
}

impl Bench {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(TestServer::start()).unwrap();
        let mut owner = server.client(Place::Schools);
        for (path, body) in [("/bucket", ""), ("/bucket/open/a", "open"), ("/bucket/closed/a", "closed")] {
            assert_eq!(owner.put(path, body).unwrap().status, 200);
        }
        Self { _runtime: runtime, server, owner }
    }

    fn set(&mut self, statements: &Value) -> Answer {
        let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        self.owner.send(Draft::put("/bucket", policy).query("policy", "")).unwrap()
    }

    /// Sets a policy that may be public.
    fn open(&mut self, statements: &Value) {
        let answer = self.owner.send(Draft::new(Method::DELETE, "/bucket").query("publicAccessBlock", ""));
        assert_eq!(answer.unwrap().status, 204);
        let answer = self.set(statements);
        assert_eq!(answer.status, 204, "{}", answer.text());
    }

    fn stranger(&mut self, draft: &Draft) -> Answer {
        self.owner.send_as_it_is(draft).unwrap()
    }

    fn get_as_stranger(&mut self, path: &str) -> u16 {
        self.stranger(&Draft::new(Method::GET, path)).status
    }

    /// How policies name the owner of a place.
    fn arn(&self, place: Place) -> String {
        let Principal::ServiceAccount { organisation, id, .. } = self.server.owner(place).principal else {
            panic!("owners are service accounts")
        };
        format!("arn:aws:iam::{organisation}:user/{id}")
    }
}

fn read(resource: &str) -> Value {
    json!({ "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{resource}") })
}

#[test]
fn the_world_reads_what_a_policy_opens_and_nothing_else() {
    let mut bench = Bench::start();
    assert_eq!(bench.get_as_stranger("/bucket/open/a"), 403);
    let answer = bench.set(&json!([read("bucket/open/*")]));
    assert_eq!(answer.code(), "AccessDenied", "public access is blocked by default: {}", answer.text());
    bench.open(&json!([read("bucket/open/*")]));
    assert_eq!(bench.get_as_stranger("/bucket/open/a"), 200);
    assert_eq!(bench.stranger(&Draft::new(Method::HEAD, "/bucket/open/a")).status, 200);
    assert_eq!(bench.get_as_stranger("/bucket/open/absent"), 404);
    for path in ["/bucket/closed/a", "/bucket/open", "/bucket", "/"] {
        assert_eq!(bench.get_as_stranger(path), 403, "{path}");
    }
    let version = Draft::new(Method::GET, "/bucket/open/a").query("versionId", "null");
    assert_eq!(bench.stranger(&version).status, 403, "a version by its id is another action");
    for draft in [Draft::put("/bucket/open/b", "x"), Draft::new(Method::DELETE, "/bucket/open/a")] {
        assert_eq!(bench.stranger(&draft).code(), "AccessDenied");
    }
    // Blocking the effect of a public policy closes the bucket again.
    let block = "<PublicAccessBlockConfiguration><RestrictPublicBuckets>true</RestrictPublicBuckets>\
                 </PublicAccessBlockConfiguration>";
    bench.owner.send(Draft::put("/bucket", block).query("publicAccessBlock", "")).unwrap();
    assert_eq!(bench.get_as_stranger("/bucket/open/a"), 403);
    let status = bench.owner.send(Draft::new(Method::GET, "/bucket").query("policyStatus", "")).unwrap();
    assert_eq!(status.elements("IsPublic"), ["true"]);
    bench.owner.send(Draft::new(Method::DELETE, "/bucket").query("policy", "")).unwrap();
    bench.owner.send(Draft::new(Method::DELETE, "/bucket").query("publicAccessBlock", "")).unwrap();
    assert_eq!(bench.get_as_stranger("/bucket/open/a"), 403, "without its policy, nothing is open");
}

#[test]
fn a_listing_is_open_for_a_prefix() {
    let mut bench = Bench::start();
    bench.open(&json!([{
        "Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::bucket",
        "Condition": { "StringLike": { "s3:prefix": "open/*" } },
    }]));
    let list =
        |prefix: &str| Draft::new(Method::GET, "/bucket").query("list-type", "2").query("prefix", prefix);
    assert_eq!(bench.stranger(&list("open/")).elements("Key"), ["open/a"]);
    assert_eq!(bench.stranger(&list("closed/")).status, 403);
    assert_eq!(bench.stranger(&Draft::new(Method::GET, "/bucket").query("list-type", "2")).status, 403);
}

#[test]
fn a_neighbour_reads_what_it_is_given_and_another_organisation_never() {
    let mut bench = Bench::start();
    let (neighbour, elsewhere) = (bench.arn(Place::Exams), bench.arn(Place::Hospitals));
    let answer = bench.set(&json!([{
        "Effect": "Allow", "Principal": { "AWS": [neighbour, elsewhere] }, "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": "arn:aws:s3:::bucket/open/*",
    }]));
    assert_eq!(answer.status, 204, "{}", answer.text());
    let (mut neighbour, mut elsewhere) =
        (bench.server.client(Place::Exams), bench.server.client(Place::Hospitals));
    assert_eq!(neighbour.get("/bucket/open/a").unwrap().text(), "open");
    assert_eq!(neighbour.get("/bucket/closed/a").unwrap().code(), "AccessDenied");
    assert_eq!(neighbour.put("/bucket/open/b", "from next door").unwrap().status, 200);
    assert_eq!(bench.owner.get("/bucket/open/b").unwrap().text(), "from next door");
    assert_eq!(neighbour.delete("/bucket/open/b").unwrap().code(), "AccessDenied");
    assert_eq!(elsewhere.get("/bucket/open/a").unwrap().code(), "AccessDenied");
    // A copy out needs both permits: the source's, which the policy gives, and the destination's.
    neighbour.put("/exams", "").unwrap();
    let copy = Draft::put("/exams/copy", "").header("x-amz-copy-source", "/bucket/open/a");
    assert_eq!(neighbour.send(copy).unwrap().status, 200);
    let copy = Draft::put("/exams/copy", "").header("x-amz-copy-source", "/bucket/closed/a");
    assert_eq!(neighbour.send(copy).unwrap().code(), "AccessDenied");
}

#[test]
fn a_denial_wins_over_every_role_and_locks_nobody_out() {
    let mut bench = Bench::start();
    let answer = bench.set(&json!([
        { "Effect": "Deny", "Principal": "*", "Action": "s3:*",
          "Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"] },
    ]));
    assert_eq!(answer.status, 204, "{}", answer.text());
    assert_eq!(bench.owner.get("/bucket/open/a").unwrap().code(), "AccessDenied");
    assert_eq!(bench.owner.put("/bucket/b", "x").unwrap().code(), "AccessDenied");
    let policy = Draft::new(Method::GET, "/bucket").query("policy", "");
    assert_eq!(bench.owner.send(policy).unwrap().status, 200);
    let remove = Draft::new(Method::DELETE, "/bucket").query("policy", "");
    assert_eq!(bench.owner.send(remove).unwrap().status, 204);
    assert_eq!(bench.owner.get("/bucket/open/a").unwrap().text(), "open");
}

#[test]
fn conditions_look_at_the_request_and_at_the_object() {
    let mut bench = Bench::start();
    let deny = |action: &str, condition: Value| {
        json!({ "Effect": "Deny", "Principal": "*", "Action": action, "Resource": "arn:aws:s3:::bucket/*",
                "Condition": condition })
    };
    let statements = json!([
        deny("s3:PutObject", json!({ "StringNotEquals": { "s3:x-amz-server-side-encryption": "aws:kms" } })),
        deny("s3:GetObject", json!({ "StringEquals": { "s3:ExistingObjectTag/state": "draft" } })),
        deny("s3:DeleteObject", json!({ "Bool": { "aws:SecureTransport": "false" } })),
        deny(
            "s3:GetObjectTagging",
            json!({ "NotIpAddress": { "aws:SourceIp": ["127.0.0.0/8", "::1/128"] } })
        ),
        deny("s3:GetObjectAcl", json!({ "IpAddress": { "aws:SourceIp": ["127.0.0.0/8", "::1/128"] } })),
    ]);
    let tagged = Draft::put("/bucket/draft", "x").header("x-amz-tagging", "state=draft");
    assert_eq!(bench.owner.send(tagged).unwrap().status, 200);
    assert_eq!(bench.set(&statements).status, 204);
    let put = |value: &str| Draft::put("/bucket/b", "x").header("x-amz-server-side-encryption", value);
    assert_eq!(bench.owner.put("/bucket/b", "x").unwrap().code(), "AccessDenied");
    assert_eq!(bench.owner.send(put("AES256")).unwrap().code(), "AccessDenied");
    assert_eq!(bench.owner.send(put("aws:kms")).unwrap().status, 200);
    assert_eq!(bench.owner.get("/bucket/draft").unwrap().code(), "AccessDenied");
    assert_eq!(bench.owner.get("/bucket/b").unwrap().status, 200);
    assert_eq!(bench.owner.delete("/bucket/b").unwrap().code(), "AccessDenied", "this is no TLS");
    let ask = |what: &str| Draft::new(Method::GET, "/bucket/b").query(what, "");
    assert_eq!(bench.owner.send(ask("tagging")).unwrap().status, 200);
    assert_eq!(bench.owner.send(ask("acl")).unwrap().code(), "AccessDenied");
}

#[test]
fn what_is_no_policy_is_refused_and_says_why() {
    let mut bench = Bench::start();
    let statement = |member: &str, value: Value| {
        let mut statement = json!({ "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
                                    "Resource": "arn:aws:s3:::bucket/*" });
        statement[member] = value;
        json!([statement])
    };
    for (statements, word) in [
        (statement("Effect", json!("Permit")), "Effect"),
        (statement("Action", json!("s3:Fly")), "action"),
        (statement("Resource", json!("arn:aws:s3:::other/*")), "resource"),
        (statement("Condition", json!({ "StringMatches": { "s3:prefix": "a" } })), "StringMatches"),
        (statement("Condition", json!({ "StringEquals": { "aws:Weather": "fine" } })), "aws:Weather"),
        (statement("Surprise", json!(1)), "Surprise"),
    ] {
        let answer = bench.set(&statements);
        assert_eq!(answer.code(), "MalformedPolicy");
        assert!(answer.text().contains(word), "{}", answer.text());
    }
    let policy = Draft::new(Method::GET, "/bucket").query("policy", "");
    assert_eq!(bench.owner.send(policy).unwrap().code(), "NoSuchBucketPolicy");
}
