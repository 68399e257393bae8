//! Assumable roles, sessions in them, and why somebody may do something: by the API, for the people of a project.

use nuee_access::Action;
use nuee_base::{Principal, Role};
use nuee_tenancy::{Beginner, Wanted};
use nuee_testkit::{Account, Place};
use serde_json::{Value, json};

use super::{Bench, Person};

const SCHOOLS: &str = "/organisations/education/projects/schools";
const EXAMS: &str = "/organisations/education/projects/exams";

/// A server with an issuer, an owner of `schools`, and one of `exams`.
fn start() -> (Bench, Person, Person) {
    let bench = Bench::start_with(|settings| {
        let issuer = nuee::IssuerSettings {
            url: "https://login.example.org".into(),
            audiences: vec!["lab".into()],
            algorithms: vec!["ES256".into()],
            jwks_url: Some("https://login.example.org/keys".into()),
            ca_bundle: None,
        };
        settings.identity.issuers.insert("datalab".into(), issuer);
    });
    let [schools, exams] = [Place::Schools, Place::Exams].map(|place| bench.server.project(place).resource());
    let owner = bench.join("ada@education.example", schools, Role::Owner);
    let other = bench.join("grace@education.example", exams, Role::Owner);
    (bench, owner, other)
}

/// Has a service account begin a session in a role of `schools`; gives its id and its key's id.
pub(super) fn begin(bench: &Bench, account: &Account, role: &str) -> (String, String) {
    let tenancy = bench.server.platform().tenancy();
    let project = bench.server.project(Place::Schools);
    let role = tenancy.find_assumable_role(project.id, &role.parse().unwrap()).unwrap().unwrap();
    let permit = bench.server.permit(account, Action::AssumeRole, project.resource()).unwrap();
    let context = bench.server.context(account);
    let beginner = Beginner::Account(&permit, Role::Owner);
    let begun = tenancy.begin_session(&context, &role, beginner, Wanted::default());
    let key = bench.runtime.block_on(begun).unwrap();
    let Principal::Session { id, .. } = key.principal else { panic!("{:?}", key.principal) };
    (id.to_string(), key.id.to_string())
}

#[test]
fn roles_and_sessions_are_made_seen_and_ended_by_the_people_of_a_project() {
    let (bench, owner, other) = start();
    let roles = format!("{SCHOOLS}/roles");
    let call = |person: &Person, asked: (&str, &str), body: Option<Value>| {
        bench.call(&person.token, asked, body.as_ref())
    };
    let (status, made) = call(
        &owner,
        ("POST", &roles),
        Some(json!({
            "name": "lab", "grants": "maintainer", "issuer": "datalab", "conditions": ["groups contains researchers"],
            "longest_seconds": 3600
        })),
    );
    assert_eq!(status, 201, "{made}");
    assert_eq!((&made["grants"], &made["is_default"]), (&json!("maintainer"), &json!(false)), "{made}");
    let ci = json!({ "name": "ci", "grants": "developer" });
    assert_eq!(call(&owner, ("POST", &roles), Some(ci.clone())).0, 201);
    assert_eq!(call(&owner, ("POST", &roles), Some(ci)).0, 409);
    for wrong in [
        json!({ "name": "a", "grants": "developer", "issuer": "nowhere" }),
        json!({ "name": "a", "grants": "developer", "conditions": ["groups=a"] }),
        json!({ "name": "a", "grants": "king" }),
        json!({ "name": "a", "grants": "developer", "longest_seconds": 1 }),
        json!({ "name": "a", "grants": "developer", "issuer": "datalab", "is_default": true }),
        json!({ "name": "a", "grants": "developer", "policy": "{}" }),
    ] {
        let (status, refused) = call(&owner, ("POST", &roles), Some(wrong.clone()));
        assert_eq!((status, &refused["code"]), (422, &json!("invalid")), "{wrong}: {refused}");
    }
    let (_, listed) = call(&owner, ("GET", &roles), None);
    let names: Vec<_> = listed["items"].as_array().unwrap().iter().map(|role| &role["name"]).collect();
    assert_eq!(names, ["ci", "lab"]);

    let account = bench.server.owner(Place::Schools).clone();
    let begun: Vec<_> = (0..3).map(|_| begin(&bench, &account, "ci").0).collect();
    let sessions = format!("{SCHOOLS}/sessions");
    let (_, first) = call(&owner, ("GET", &format!("{sessions}?limit=2")), None);
    let next = format!("{sessions}?limit=2&after={}", first["next"].as_str().unwrap());
    let (_, last) = call(&owner, ("GET", &next), None);
    let pages = [&first, &last].map(|page| page["items"].as_array().unwrap().clone()).concat();
    let mut seen: Vec<_> = pages.iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect();
    seen.sort();
    let mut expected = begun.clone();
    expected.sort();
    assert_eq!((seen, &last["next"]), (expected, &Value::Null));

    let of_others = format!("{EXAMS}/sessions/{}", begun[0]);
    assert_eq!(call(&other, ("DELETE", &of_others), None).0, 404, "it is not of that project");
    let one = format!("{sessions}/{}", begun[0]);
    assert_eq!(call(&owner, ("DELETE", &one), None).0, 204);
    assert_eq!(call(&owner, ("DELETE", &one), None).0, 404);
    assert_eq!(call(&other, ("DELETE", &format!("{EXAMS}/roles/ci")), None).0, 404);
    let (status, ended) = call(&owner, ("DELETE", &format!("{roles}/ci")), None);
    assert_eq!((status, &ended), (200, &json!({ "ended": 2 })));
    let (_, listed) = call(&owner, ("GET", &sessions), None);
    assert_eq!(listed["items"], json!([]));
}

#[test]
fn a_decision_is_explained_about_what_is_in_the_project_and_nothing_else() {
    let (bench, owner, other) = start();
    let bucket = json!({ "name": "registers" });
    assert_eq!(bench.call(&owner.token, ("POST", &format!("{SCHOOLS}/buckets")), Some(&bucket)).0, 201);
    let [own, foreign] =
        [Place::Schools, Place::Exams].map(|place| bench.server.owner(place).access_key_id.to_string());
    let ask = |(person, project): (&Person, &str), (principal, action, resource): (&str, &str, &str)| {
        let question = json!({ "principal": principal, "action": action, "resource": resource });
        bench.call(&person.token, ("POST", &format!("{project}/access/explanations")), Some(&question))
    };
    let explained = |principal, action, resource| ask((&owner, SCHOOLS), (principal, action, resource));
    let key = "s3://registers/2026/a.csv";
    let (status, allowed) = explained(&own, "s3:GetObject", key);
    let expected = json!({ "allowed": true, "reason": null, "policies": ["owners-do-everything"] });
    assert_eq!((status, &allowed), (200, &expected));
    let (_, denied) = explained("anonymous", "s3:GetObject", key);
    assert_eq!((&denied["allowed"], &denied["reason"]), (&json!(false), &json!("anonymous")), "{denied}");
    let (_, denied) = explained("operator", "s3:ListBucket", "s3://registers");
    assert_eq!(denied["policies"], json!(["operators-stay-out-of-buckets"]), "{denied}");
    let (_, allowed) = explained(&own, "nuee:CreateExposure", "education/schools");
    assert_eq!(allowed["allowed"], true, "{allowed}");
    let role = json!({ "name": "ci", "grants": "reader" });
    assert_eq!(bench.call(&owner.token, ("POST", &format!("{SCHOOLS}/roles")), Some(&role)).0, 201);
    let session = begin(&bench, &bench.server.owner(Place::Schools).clone(), "ci").1;
    let (_, denied) = explained(&session, "s3:PutObject", key);
    assert_eq!(denied["reason"], "no policy permits it", "{denied}");

    let from = json!({
        "principal": "anonymous", "action": "s3:GetObject", "resource": key, "from": "internet@192.0.2.7"
    });
    let path = format!("{SCHOOLS}/access/explanations");
    let (_, denied) = bench.call(&owner.token, ("POST", &path), Some(&from));
    assert_eq!(denied["reason"], "not exposed to the zone", "{denied}");
    let long = format!("s3://registers/{}", "a".repeat(1_025));
    for (principal, action, resource, status) in [
        ("anonymous", "s3:Everything", key, 422),
        ("anonymous", "s3:GetObject", &*long, 422),
        ("nobody", "s3:GetObject", key, 404),
        (&*foreign, "s3:GetObject", key, 404),
        (&own, "s3:GetObject", "s3://nowhere/a", 404),
        (&own, "nuee:GetProject", "education/exams", 404),
        (&own, "nuee:GetProject", "health/hospitals", 404),
        (&own, "nuee:ListProjects", "education", 404),
        (&own, "nuee:Verify", "platform", 404),
    ] {
        let (found, refused) = explained(principal, action, resource);
        assert_eq!(found, status, "{principal} {action} {resource}: {refused}");
    }
    // What another project has is answered as what nobody has, letter by letter.
    let there = ask((&other, EXAMS), (&foreign, "s3:GetObject", key)).1;
    let nowhere = ask((&other, EXAMS), (&foreign, "s3:GetObject", "s3://no-such-bucket/a")).1;
    assert_eq!(there.to_string().replace("registers", "no-such-bucket"), nowhere.to_string());
}
