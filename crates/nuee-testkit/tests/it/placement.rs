//! Where the objects of a project may lie: what the platform does not meet is not set, and nothing is written that does not
//! meet it.

use http::Method;
use nuee::Settings;
use nuee_access::{Action, Resource};
use nuee_base::Role;
use nuee_testkit::{Client, Place, form::Form, signer::Draft};
use serde_json::{Value, json};

use crate::api::{Bench, Person};

const PLACEMENT: &str = "/organisations/education/projects/schools/placement";
const PART: usize = 5 << 20;

fn country(name: Option<&str>) -> impl FnOnce(&mut Settings) {
    let country = name.map(|name| name.parse().unwrap());
    move |settings| settings.site.country = country
}

/// A server in France, and an owner of the organisation.
fn start() -> (Bench, Person) {
    let bench = Bench::start_with(country(Some("FR")));
    let owner = bench.join("ada@education.example", bench.organisation(Place::Schools), Role::Owner);
    (bench, owner)
}

fn set(bench: &Bench, owner: &Person, placement: &Value) -> (u16, Value) {
    bench.call(&owner.token, ("PUT", PLACEMENT), Some(placement))
}

/// That the rows are those that follow from the journal.
fn assert_rows_follow(bench: &Bench) {
    let platform = bench.server.platform();
    let permit = platform.decider().decide(&platform.operator(), Action::Verify, Resource::Platform).unwrap();
    assert_eq!(platform.tenancy().verify(&permit, None).unwrap(), []);
}

#[test]
fn a_placement_that_the_platform_does_not_meet_is_not_set() {
    let (bench, owner) = start();
    let in_france = json!({ "copies": 1, "countries": ["FR", "DE"] });
    let (status, set_to) = set(&bench, &owner, &in_france);
    assert_eq!((status, &set_to["placement"]["countries"]), (200, &json!(["DE", "FR"])), "{set_to}");
    assert_rows_follow(&bench);
    let refused = |bench: &Bench, placement: Value, said: &str| {
        let (status, refused) = set(bench, &owner, &placement);
        assert_eq!((status, &refused["code"]), (409, &json!("placement-not-met")), "{refused}");
        assert!(refused["detail"].as_str().unwrap().contains(said), "{refused}");
    };
    refused(&bench, json!({ "countries": ["DE"] }), "the platform's site is in FR");
    refused(&bench, json!({ "copies": 2 }), "the platform has 1 site");
    for invalid in [
        json!({ "copies": 0 }),
        json!({ "copies": -1 }),
        json!({ "countries": ["fr"] }),
        json!({ "countries": ["XX"] }),
        json!({ "countries": "FR" }),
        json!({ "sites": [] }),
    ] {
        let (status, refused) = set(&bench, &owner, &invalid);
        assert_eq!((status, &refused["code"]), (422, &json!("invalid")), "{invalid}: {refused}");
    }
    let path = PLACEMENT.trim_end_matches("/placement");
    let (_, shown) = bench.call(&owner.token, ("GET", path), None);
    assert_eq!(shown["placement"], json!({ "copies": 1, "countries": ["DE", "FR"] }), "{shown}");

    let bench = bench.restart_with(country(None));
    refused(&bench, in_france, "nothing says in which country");
    let (status, widened) = set(&bench, &owner, &json!({}));
    assert_eq!((status, &widened["placement"]), (200, &json!({ "copies": 1, "countries": [] })));
    assert_rows_follow(&bench);
}

/// Buckets with objects, and an upload that waits for its completion.
struct Stage {
    upload: String,
    etag: String,
}

impl Stage {
    fn set(client: &mut Client) -> Self {
        assert_eq!(client.put("/bucket", "").unwrap().status, 200);
        for key in ["/bucket/a", "/bucket/b"] {
            assert_eq!(client.put(key, "content").unwrap().status, 200);
        }
        let begun = Draft::with_body(Method::POST, "/bucket/parts", "").query("uploads", "");
        let upload = client.send(begun).unwrap().elements("UploadId").remove(0);
        let part = Draft::put("/bucket/parts", vec![b'a'; PART]).query("partNumber", "1");
        let written = client.send(part.query("uploadId", &upload)).unwrap();
        let etag = written.header("etag").unwrap().to_owned();
        Self { upload, etag }
    }

    /// Every way of writing.
    fn writes(&self) -> Vec<(&'static str, Draft)> {
        let part = |number: &str, body: &'static str| {
            let draft = Draft::put("/bucket/parts", body).query("partNumber", number);
            draft.query("uploadId", &self.upload)
        };
        let copied = |draft: Draft| draft.header("x-amz-copy-source", "/bucket/a");
        let complete = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
            self.etag
        );
        let post = |path: &str, body: &str| Draft::with_body(Method::POST, path, body);
        vec![
            ("PutObject", Draft::put("/bucket/new", "content")),
            ("PutObject, large", Draft::put("/bucket/large", vec![b'a'; PART])),
            ("PutObject, in a place", Draft::put("/bucket/a", "content")),
            ("CopyObject", copied(Draft::put("/bucket/copy", ""))),
            (
                "CopyObject, sealed anew",
                copied(Draft::put("/bucket/sealed", "")).header("x-amz-checksum-algorithm", "SHA256"),
            ),
            ("CreateMultipartUpload", post("/bucket/other", "").query("uploads", "")),
            ("UploadPart", part("2", "content")),
            ("UploadPartCopy", copied(part("3", ""))),
            ("CompleteMultipartUpload", post("/bucket/parts", &complete).query("uploadId", &self.upload)),
        ]
    }
}

fn form(client: &mut Client) -> nuee_testkit::Answer {
    let form = Form::new("/bucket", "form", "content").signed(&client.signer());
    client.send_as_it_is(&form).unwrap()
}

fn by_api(bench: &Bench, owner: &Person) -> (u16, Value) {
    let path = "/organisations/education/projects/schools/buckets/bucket/object?key=api";
    bench.call(&owner.token, ("PUT", path), Some(&json!("content")))
}

fn assert_every_write_is_refused(bench: &Bench, owner: &Person, stage: &Stage) {
    let mut client = bench.server.client(Place::Schools);
    for (what, draft) in stage.writes() {
        let refused = client.send(draft).unwrap();
        assert_eq!(
            (refused.status, &*refused.code()),
            (403, "PlacementNotMet"),
            "{what}: {}",
            refused.text()
        );
        assert!(refused.text().contains("may lie in FR alone"), "{what}: {}", refused.text());
    }
    let refused = form(&mut client);
    assert_eq!((refused.status, &*refused.code()), (403, "PlacementNotMet"), "{}", refused.text());
    let (status, refused) = by_api(bench, owner);
    assert_eq!((status, &refused["code"]), (409, &json!("placement-not-met")), "{refused}");
}

#[test]
fn nothing_is_written_where_it_may_not_lie_and_what_is_there_is_read_and_deleted() {
    let (bench, owner) = start();
    assert_eq!(set(&bench, &owner, &json!({ "countries": ["FR"] })).0, 200);
    let stage = Stage::set(&mut bench.server.client(Place::Schools));
    let bench = bench.restart_with(country(Some("IT")));
    assert_every_write_is_refused(&bench, &owner, &stage);
    let mut client = bench.server.client(Place::Schools);
    assert_eq!(client.get("/bucket/a").unwrap().text(), "content");
    assert_eq!(client.list("/bucket").unwrap(), ["a", "b"], "nothing was written");
    assert_eq!(client.delete("/bucket/b").unwrap().status, 204);
    let mut neighbour = bench.server.client(Place::Exams);
    assert_eq!(neighbour.put("/exams", "").unwrap().status, 200);
    assert_eq!(neighbour.put("/exams/a", "content").unwrap().status, 200, "it may lie anywhere");
    drop((client, neighbour));

    // Nobody says where it is: that is not France either.
    let bench = bench.restart_with(country(None));
    assert_every_write_is_refused(&bench, &owner, &stage);
    assert_eq!(set(&bench, &owner, &json!({})).0, 200);
    let mut client = bench.server.client(Place::Schools);
    assert_eq!(client.put("/bucket/b", "content").unwrap().status, 200, "the placement was widened");
    drop(client);

    let bench = bench.restart_with(country(Some("FR")));
    assert_eq!(set(&bench, &owner, &json!({ "countries": ["FR"] })).0, 200);
    let mut client = bench.server.client(Place::Schools);
    for (what, draft) in stage.writes() {
        assert_eq!(client.send(draft).unwrap().status, 200, "{what}");
    }
    assert_eq!(form(&mut client).status, 204);
    assert_eq!(by_api(&bench, &owner).0, 201);
    assert_rows_follow(&bench);
}
