//! What the API promises of all its routes: pages, entity tags, creations that are made once, problem documents; and what
//! is made of buckets, objects, keys and exposures.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use nuee_base::Role;
use nuee_testkit::{Client, Place};
use serde_json::{Value, json};

use super::{Bench, Person};

const SCHOOLS: &str = "/organisations/education/projects/schools";

fn start() -> (Bench, Person) {
    let bench = Bench::start();
    let owner = bench.join("ada@education.example", bench.organisation(Place::Schools), Role::Owner);
    (bench, owner)
}

#[test]
fn lists_come_in_pages_that_have_everything_once() {
    let (bench, owner) = start();
    for number in 0..7 {
        let new = json!({ "name": format!("project-{number}") });
        assert_eq!(
            bench.call(&owner.token, ("POST", "/organisations/education/projects"), Some(&new)).0,
            201
        );
    }
    let (mut names, mut after) = (Vec::new(), String::new());
    for page in 0.. {
        assert!(page < 10, "the list does not end");
        let path = format!("/organisations/education/projects?limit=2{after}");
        let (status, listed) = bench.call(&owner.token, ("GET", &path), None);
        assert_eq!(status, 200, "{listed}");
        names.extend(listed["items"].as_array().unwrap().iter().map(|item| item["name"].to_string()));
        let Some(next) = listed["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    let mut sorted = names.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!((names.len(), &sorted), (9, &names));
    for query in ["limit=0", "limit=1001", "limit=x", "after=x", "after=eyJhIjoxfQ", "unknown=1"] {
        let (status, refused) =
            bench.call(&owner.token, ("GET", &format!("/organisations/education/projects?{query}")), None);
        assert_eq!((status, &refused["code"]), (422, &json!("invalid")), "{query}: {refused}");
    }
}

#[test]
fn a_change_is_refused_if_somebody_else_was_first() {
    let (bench, owner) = start();
    let bearer = format!("Bearer {}", owner.token);
    let path = "/organisations/education";
    let read = bench.send(("GET", path), &[("authorization", &bearer)], None);
    let tag = read.header("etag").unwrap();
    let change = |tag: &str, title: &str| {
        let headers = [("authorization", bearer.as_str()), ("if-match", tag)];
        let body = json!({ "title": title, "siren": "120027016", "contact": "contact@education.example" })
            .to_string();
        bench.send(("PUT", path), &headers, Some(&body))
    };
    let changed = change(tag, "Ministry of Education");
    assert_eq!(changed.status, 200, "{}", changed.text());
    let refused = change(tag, "Another");
    assert_eq!(refused.status, 412, "{}", refused.text());
    assert_eq!(change(changed.header("etag").unwrap(), "Another").status, 200);
    let (status, wrong) = bench.call(&owner.token, ("PUT", path), Some(&json!({ "siren": "120027017" })));
    assert_eq!((status, &wrong["code"]), (422, &json!("invalid")), "{wrong}");
}

#[test]
fn what_is_asked_for_twice_with_a_key_is_made_once() {
    let (bench, owner) = start();
    let bearer = format!("Bearer {}", owner.token);
    let create = |key: &str, name: &str| {
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
        let body = json!({ "name": name, "role": "reader" }).to_string();
        bench.send(("POST", &format!("{SCHOOLS}/service-accounts")), &headers, Some(&body))
    };
    let first = create("one", "pipeline");
    assert_eq!(first.status, 201, "{}", first.text());
    let again = create("one", "pipeline");
    assert_eq!((again.status, &again.body), (201, &first.body), "the same secret, and no second account");
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(create("one", "another").status, 422, "the key is of another request");
    assert_eq!(create("two", "pipeline").status, 409, "the name is taken");
    assert_eq!(create("", "third").status, 422);
    let other = bench.join("grace@education.example", bench.organisation(Place::Schools), Role::Owner);
    let bearer = format!("Bearer {}", other.token);
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "one")];
    let body = json!({ "name": "of-grace", "role": "reader" }).to_string();
    let own = bench.send(("POST", &format!("{SCHOOLS}/service-accounts")), &headers, Some(&body));
    assert_eq!(own.status, 201, "keys are one's own");
    let nobody = bench.send(
        ("POST", &format!("{SCHOOLS}/service-accounts")),
        &[("idempotency-key", "x")],
        Some(&body),
    );
    assert_eq!(nobody.status, 401);
}

#[test]
fn a_key_is_refused_where_no_credential_is_shown() {
    let (bench, owner) = start();
    let bearer = format!("Bearer {}", owner.token);
    for path in ["/sign-ins", "/issuers/exchanges", "/invitations/acceptances", "/password-resets"] {
        for shown in [None, Some(("authorization", bearer.as_str()))] {
            let headers: Vec<_> = [("idempotency-key", "one")].into_iter().chain(shown).collect();
            let answer = bench.send(("POST", path), &headers, Some("{}"));
            assert_eq!(answer.status, 422, "{path}: {}", answer.text());
            assert!(answer.text().contains("has no meaning here"), "{path}: {}", answer.text());
        }
    }
}

#[test]
fn keys_that_the_api_makes_open_buckets_that_it_makes() {
    let (bench, owner) = start();
    let account = json!({ "name": "pipeline", "role": "developer" });
    let (_, made) =
        bench.call(&owner.token, ("POST", &format!("{SCHOOLS}/service-accounts")), Some(&account));
    let key = |name: &str| made["key"][name].as_str().unwrap().to_owned();
    let bucket = json!({ "name": "registers" });
    assert_eq!(bench.call(&owner.token, ("POST", &format!("{SCHOOLS}/buckets")), Some(&bucket)).0, 201);
    let address = bench.server.addresses().s3;
    let mut client = Client::new(address, &key("access_key_id"), &key("secret_access_key"));
    assert_eq!(client.put("/registers/2026/a.csv", "content").unwrap().status, 200);

    let objects = format!("{SCHOOLS}/buckets/registers/objects");
    let (_, listed) = bench.call(&owner.token, ("GET", &format!("{objects}?delimiter=/")), None);
    assert_eq!(listed["items"][0]["key"], "2026/", "{listed}");
    let (_, listed) = bench.call(&owner.token, ("GET", &format!("{objects}?prefix=2026/")), None);
    assert_eq!(listed["items"][0]["key"], "2026/a.csv", "{listed}");
    let object = format!("{SCHOOLS}/buckets/registers/object?key=2026%2Fa.csv");
    let bearer = format!("Bearer {}", owner.token);
    let read = bench.send(("GET", &object), &[("authorization", &bearer)], None);
    assert_eq!((read.status, read.text().as_str()), (200, "content"));
    assert_eq!(read.header("content-disposition"), Some("attachment"));
    let written = format!("{SCHOOLS}/buckets/registers/object?key=b");
    assert_eq!(bench.send(("PUT", &written), &[("authorization", &bearer)], Some("more")).status, 201);
    assert_eq!(client.get("/registers/b").unwrap().text(), "more");
    assert_eq!(bench.call(&owner.token, ("DELETE", &written), None).0, 204);
    assert_eq!(client.get("/registers/b").unwrap().code(), "NoSuchKey");

    // The same key is a credential of the API, and its role holds there too.
    let basic =
        |secret: &str| format!("Basic {}", STANDARD.encode(format!("{}:{secret}", key("access_key_id"))));
    let with = |value: &str| bench.send(("GET", &objects), &[("authorization", value)], None).status;
    assert_eq!(with(&basic(&key("secret_access_key"))), 200);
    assert_eq!(with(&basic("another")), 401);
    let revoke = format!("{SCHOOLS}/service-accounts/pipeline");
    assert_eq!(bench.call(&owner.token, ("DELETE", &revoke), None).0, 204);
    assert_eq!(with(&basic(&key("secret_access_key"))), 401);
}

#[test]
fn a_quota_and_an_exposure_are_set_and_seen() {
    let (bench, owner) = start();
    let quota = json!({ "bytes": 10, "buckets": 1 });
    assert_eq!(bench.call(&owner.token, ("PUT", &format!("{SCHOOLS}/quota")), Some(&quota)).0, 200);
    let (_, usage) = bench.call(&owner.token, ("GET", &format!("{SCHOOLS}/usage")), None);
    assert_eq!((&usage["quota"]["bytes"], &usage["bytes"]), (&json!(10), &json!(0)), "{usage}");
    let terms = json!({ "zone": "rie", "audience": "credentials", "expires_at": "2099-01-01T00:00:00Z" });
    let (status, made) = bench.call(&owner.token, ("POST", &format!("{SCHOOLS}/exposures")), Some(&terms));
    assert_eq!(status, 201, "{made}");
    let (_, listed) = bench.call(&owner.token, ("GET", &format!("{SCHOOLS}/exposures")), None);
    assert_eq!(listed["items"][0]["id"], made["id"], "{listed}");
    let path = format!("{SCHOOLS}/exposures/{}", made["id"].as_str().unwrap());
    assert_eq!(bench.call(&owner.token, ("DELETE", &path), None).0, 204);
    assert_eq!(bench.call(&owner.token, ("DELETE", &path), None).0, 404);
}

#[test]
fn objects_are_asked_for_no_faster_than_the_project_may() {
    let (bench, owner) = start();
    let bucket = json!({ "name": "registers" });
    assert_eq!(bench.call(&owner.token, ("POST", &format!("{SCHOOLS}/buckets")), Some(&bucket)).0, 201);
    let list = format!("{SCHOOLS}/buckets/registers/objects");
    let ask = || bench.call(&owner.token, ("GET", &list), None);
    assert!((0..100).all(|_| ask().0 == 200), "nothing bounds it yet");
    let quota = json!({ "requests_per_second": 1 });
    assert_eq!(bench.call(&owner.token, ("PUT", &format!("{SCHOOLS}/quota")), Some(&quota)).0, 200);
    let refused = (0..10_000).map(|_| ask()).find(|(status, _)| *status != 200).unwrap();
    assert_eq!((refused.0, &refused.1["code"]), (429, &json!("limit-exceeded")), "{}", refused.1);
    bench.pass(Duration::from_mins(1));
    assert_eq!(ask().0, 200, "there is room again");
}

#[test]
fn bad_requests_are_told_in_problem_documents() {
    let (bench, owner) = start();
    let bearer = format!("Bearer {}", owner.token);
    let projects = "/organisations/education/projects";
    let long = format!("{{\"name\": \"{}\"}}", "a".repeat(70_000));
    let cases = [
        (("POST", projects), Some("{"), 400),
        (("POST", projects), Some("[]"), 422),
        (("POST", projects), Some("{\"name\": 1}"), 422),
        (("POST", projects), Some("{\"name\": \"A b\"}"), 422),
        (("POST", projects), Some("{\"name\": \"a\", \"more\": 1}"), 422),
        (("POST", projects), Some(long.as_str()), 413),
        (("POST", projects), None, 415),
        (("PATCH", projects), None, 405),
        (("GET", "/nothing"), None, 404),
        (("GET", "/organisations/health"), None, 404),
        (("GET", "/organisations/nowhere"), None, 404),
        (("GET", "/organisations/education/projects/hospitals"), None, 404),
        (("GET", "/organisations/%ff"), None, 404),
    ];
    for (asked, body, status) in cases {
        let answer = bench.send(asked, &[("authorization", &bearer)], body);
        let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        assert_eq!(answer.status, status, "{asked:?} {body:?}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{asked:?}");
        assert!(problem["code"].is_string() && problem["detail"].is_string(), "{asked:?}: {problem}");
        assert_eq!(problem["status"], status);
    }
}

#[test]
fn an_export_of_the_journal_is_what_its_verification_takes() {
    let (bench, owner) = start();
    let bearer = format!("Bearer {}", owner.token);
    let export =
        bench.send(("GET", "/organisations/education/journal/export"), &[("authorization", &bearer)], None);
    assert_eq!(export.status, 200, "{}", export.text());
    let key = bench.server.platform().journal().verifier_key().unwrap();
    let said = nuee_journal::verify_export(&export.body[..], &key, &[]);
    assert!(said.is_ok(), "{said:?}");
}

#[test]
fn the_description_names_every_route_once() {
    let document = serde_json::to_value(nuee_api::document(nuee_tenancy::Realm::Organisations)).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let operations = super::matrix::operations(nuee_tenancy::Realm::Organisations);
    let names: std::collections::BTreeSet<_> = operations.iter().map(|(_, _, name)| name).collect();
    assert_eq!(names.len(), operations.len());
}
