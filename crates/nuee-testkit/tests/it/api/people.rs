//! Ministries administer themselves: invitations, roles that end and do not go together, and who sees what.

use std::time::Duration;

use nuee_access::Action;
use nuee_base::Role;
use nuee_testkit::Place;
use serde_json::json;

use super::Bench;

const DAY: Duration = Duration::from_hours(24);

#[test]
fn a_team_makes_its_project_invites_its_people_and_sees_what_was_done() {
    let bench = Bench::start();
    let owner = bench.join("ada@education.example", bench.organisation(Place::Schools), Role::Owner);
    let (status, made) = bench.call(
        &owner.token,
        ("POST", "/organisations/education/projects"),
        Some(&json!({ "name": "maths" })),
    );
    assert_eq!(status, 201, "{made}");
    let offer = json!({ "email": "Grace@education.example", "role": "developer" });
    let (status, invited) = bench.call(
        &owner.token,
        ("POST", "/organisations/education/projects/maths/invitations"),
        Some(&offer),
    );
    assert_eq!((status, &invited["email"]), (201, &json!("grace@education.example")), "{invited}");

    let accept = json!({ "token": invited["token"], "name": "Grace", "password": super::bench::PASSWORD });
    let (status, joined) = bench.call("", ("POST", "/invitations/acceptances"), Some(&accept));
    assert_eq!(status, 201, "{joined}");
    let again = bench.call("", ("POST", "/invitations/acceptances"), Some(&accept));
    assert_eq!((again.0, &again.1["code"]), (401, &json!("not-signed-in")), "an invitation does once");

    let shown = json!({ "email": "grace@education.example", "password": super::bench::PASSWORD });
    let (status, signed_in) = bench.call("", ("POST", "/sign-ins"), Some(&shown));
    assert_eq!(status, 201, "{signed_in}");
    let grace = signed_in["token"].as_str().unwrap();
    let (status, who) = bench.call(grace, ("GET", "/sign-ins/current"), None);
    assert_eq!((status, &who["rights"][0]["role"]), (200, &json!("developer")), "{who}");
    let (_, projects) = bench.call(grace, ("GET", "/organisations/education/projects"), None);
    assert_eq!(projects["items"].as_array().unwrap().len(), 1, "{projects}");

    let (_, events) =
        bench.call(&owner.token, ("GET", "/organisations/education/journal?action=nuee:*"), None);
    let actions: Vec<_> = events["items"].as_array().unwrap().iter().map(|event| &event["action"]).collect();
    for action in [
        "nuee:CreateProject",
        "nuee:GrantRole",
        "nuee:CreateInvitation",
        "nuee:AcceptInvitation",
        "nuee:SignIn",
    ] {
        assert!(actions.contains(&&json!(action)), "{action}: {actions:?}");
    }
    assert!(!events.to_string().contains("grace@"), "the journal has no addresses: {events}");
    let damaged = {
        let platform = bench.server.platform();
        let permit =
            platform.decider().decide(&platform.operator(), Action::Verify, nuee_access::Resource::Platform);
        platform.tenancy().verify(&permit.unwrap(), None).unwrap()
    };
    assert_eq!(damaged, [], "the rows are those that follow from the journal");
}

#[test]
fn a_role_ends_when_it_is_said_to() {
    let bench = Bench::start();
    let schools = bench.server.project(Place::Schools).resource();
    let ends = bench.now().saturating_add(DAY / 4);
    let person = bench.join_until("ada@education.example", (schools, Role::Owner), Some(ends));
    let get = ("GET", "/organisations/education/projects/schools");
    assert_eq!(bench.call(&person.token, get, None).0, 200);
    bench.pass(DAY / 3);
    assert_eq!(bench.call(&person.token, get, None).0, 404);
}

#[test]
fn a_role_that_is_taken_away_gives_nothing_at_once() {
    let bench = Bench::start();
    let owner = bench.join("ada@education.example", bench.organisation(Place::Schools), Role::Owner);
    let person =
        bench.join("grace@education.example", bench.server.project(Place::Schools).resource(), Role::Reader);
    let get = ("GET", "/organisations/education/projects/schools");
    assert_eq!(bench.call(&person.token, get, None).0, 200);
    let path = format!("/organisations/education/projects/schools/members/{}/reader", person.id);
    assert_eq!(bench.call(&owner.token, ("DELETE", &path), None).0, 204);
    assert_eq!(bench.call(&person.token, get, None).0, 404);
}

#[test]
fn who_audits_does_nothing_that_is_to_be_audited() {
    let bench = Bench::start();
    let organisation = bench.organisation(Place::Schools);
    let owner = bench.join("ada@education.example", organisation, Role::Owner);
    let auditor = bench.join("grace@education.example", organisation, Role::Auditor);
    let schools = "/organisations/education/projects/schools/members";
    for role in ["owner", "maintainer", "developer"] {
        let wanted = json!({ "email": auditor.email, "role": role });
        let (status, refused) = bench.call(&owner.token, ("POST", schools), Some(&wanted));
        assert_eq!((status, &refused["code"]), (409, &json!("incompatible-roles")), "{refused}");
    }
    let wanted = json!({ "email": auditor.email, "role": "reader" });
    assert_eq!(bench.call(&owner.token, ("POST", schools), Some(&wanted)).0, 201);
    let own = json!({ "email": owner.email, "role": "auditor" });
    assert_eq!(bench.call(&owner.token, ("POST", schools), Some(&own)).1["code"], "incompatible-roles");
}

#[test]
fn an_organisation_keeps_an_owner() {
    let bench = Bench::start();
    let owner = bench.join("ada@education.example", bench.organisation(Place::Schools), Role::Owner);
    let role = format!("/organisations/education/members/{}/owner", owner.id);
    assert_eq!(bench.call(&owner.token, ("DELETE", &role), None).0, 409);
    let suspension = format!("/organisations/education/users/{}/suspension", owner.id);
    assert_eq!(bench.call(&owner.token, ("PUT", &suspension), None).0, 409);
    let other = bench.join("grace@education.example", bench.organisation(Place::Schools), Role::Owner);
    assert_eq!(bench.call(&other.token, ("PUT", &suspension), None).0, 200);
    let last = format!("/organisations/education/members/{}/owner", other.id);
    assert_eq!(bench.call(&other.token, ("DELETE", &last), None).0, 409, "the other owner is suspended");
}

/// Whoever runs the platform makes accounts until there is somebody who owns the organisation, and none after.
#[test]
fn the_operator_gives_no_keys_to_an_organisation_that_has_an_owner() {
    let bench = Bench::start();
    let create =
        || bench.runtime.block_on(bench.server.create_account(Place::Schools, Role::Reader, Some("another")));
    bench.join("ada@education.example", bench.organisation(Place::Schools), Role::Owner);
    let refused = create().unwrap_err();
    assert!(refused.to_string().contains("has owners"), "{refused:#}");
    let elsewhere =
        bench.runtime.block_on(bench.server.create_account(Place::Hospitals, Role::Reader, Some("another")));
    assert!(elsewhere.is_ok());
}

#[test]
fn rights_and_members_are_tables_too() {
    let bench = Bench::start();
    let owner = bench.join("ada@education.example", bench.organisation(Place::Schools), Role::Owner);
    let schools = bench.server.project(Place::Schools).resource();
    let person = bench.join("grace@education.example", schools, Role::Reader);
    bench.grant(&person, bench.server.project(Place::Exams).resource(), Role::Developer);
    let bearer = format!("Bearer {}", owner.token);
    let headers = [("authorization", bearer.as_str()), ("accept", "text/csv")];
    let rights = format!("/organisations/education/users/{}/rights", person.id);
    let rights = bench.send(("GET", &rights), &headers, None).text();
    let lines: Vec<_> = rights.lines().map(|line| line.split(',').take(3).collect::<Vec<_>>()).collect();
    assert_eq!(lines[0], ["email", "place", "role"]);
    assert!(lines.contains(&vec!["grace@education.example", "schools", "reader"]), "{lines:?}");
    assert!(lines.contains(&vec!["grace@education.example", "exams", "developer"]), "{lines:?}");
    let members = bench.send(("GET", "/organisations/education/projects/schools/members"), &headers, None);
    assert!(members.text().contains("grace@education.example"), "{}", members.text());
}
