//! Signing in by a password and a device, and what becomes of tokens.

use std::time::Duration;

use nuee_base::{Assurance, Role};
use nuee_testkit::Place;
use serde_json::{Value, json};

use super::{Bench, Person, bench::PASSWORD, code_of};

const MINUTE: Duration = Duration::from_mins(1);
const WHOAMI: (&str, &str) = ("GET", "/sign-ins/current");

fn somebody(bench: &Bench) -> Person {
    bench.join("ada@education.example", bench.server.project(Place::Schools).resource(), Role::Owner)
}

fn sign_in(bench: &Bench, email: &str, password: &str, code: Option<&str>) -> (u16, Value) {
    let shown = json!({ "email": email, "password": password, "code": code });
    bench.call("", ("POST", "/sign-ins"), Some(&shown))
}

/// Gives somebody a device; gives its secret, and codes on paper.
fn enrol(bench: &Bench, token: &str) -> (String, Vec<String>) {
    let (status, device) = bench.call(token, ("POST", "/account/second-factor"), None);
    assert_eq!(status, 201, "{device}");
    let secret = device["secret"].as_str().unwrap().to_owned();
    let code = json!({ "code": code_of(&secret, bench.now()) });
    let (status, enrolled) = bench.call(token, ("POST", "/account/second-factor/confirmation"), Some(&code));
    assert_eq!(status, 201, "{enrolled}");
    let codes = enrolled["recovery_codes"].as_array().unwrap().iter();
    (secret, codes.map(|code| code.as_str().unwrap().to_owned()).collect())
}

#[test]
fn a_device_is_asked_for_once_there_is_one_and_no_code_does_twice() {
    let bench = Bench::start();
    let person = somebody(&bench);
    let (status, single) = sign_in(&bench, &person.email, PASSWORD, None);
    assert_eq!((status, &single["multi_factor"]), (201, &json!(false)));
    let token = single["token"].as_str().unwrap();
    let account = json!({ "name": "pipeline", "role": "reader" });
    let create = ("POST", "/organisations/education/projects/schools/service-accounts");
    let (status, refused) = bench.call(token, create, Some(&account));
    assert_eq!((status, &refused["code"]), (403, &json!("second-factor-needed")), "{refused}");
    let way = "nuee:CreateServiceAccount needs a sign-in by two factors: you have no device yet that shows codes: add one by \
               `nuee account second-factor`, or at /api/v1/account/second-factor";
    assert_eq!(refused["detail"], way);

    let (secret, recovery) = enrol(&bench, token);
    assert_eq!(sign_in(&bench, &person.email, PASSWORD, None).1["code"], "code-needed");
    let used = code_of(&secret, bench.now());
    assert_eq!(sign_in(&bench, &person.email, PASSWORD, Some(&used)).0, 401, "it was shown at the enrolment");
    bench.pass(MINUTE);
    let code = code_of(&secret, bench.now());
    let (status, double) = sign_in(&bench, &person.email, PASSWORD, Some(&code));
    assert_eq!((status, &double["multi_factor"]), (201, &json!(true)), "{double}");
    assert_eq!(sign_in(&bench, &person.email, PASSWORD, Some(&code)).0, 401);
    assert_eq!(bench.call(double["token"].as_str().unwrap(), create, Some(&account)).0, 201);
    let other = bench.sign_in(person.id, Assurance::SingleFactor);
    let (_, refused) = bench.call(&other, create, Some(&account));
    let way =
        "nuee:CreateServiceAccount needs a sign-in by two factors: sign in again with a code of your device";
    assert_eq!(refused["detail"], way);
    assert_eq!(recovery.len(), 10);
    assert_eq!(sign_in(&bench, &person.email, PASSWORD, Some(&recovery[0])).0, 201);
    assert_eq!(sign_in(&bench, &person.email, PASSWORD, Some(&recovery[0])).0, 401);
}

#[test]
fn after_failures_nothing_is_tried_for_a_while() {
    let bench = Bench::start();
    let person = somebody(&bench);
    let unknown = sign_in(&bench, "nobody@education.example", PASSWORD, None);
    let wrong = sign_in(&bench, &person.email, "another password", None);
    assert_eq!(unknown, wrong, "nobody learns who is known");
    for _ in 0..4 {
        assert_eq!(sign_in(&bench, &person.email, "another password", None).0, 401);
        assert_eq!(sign_in(&bench, "nobody@education.example", PASSWORD, None).0, 401);
    }
    assert_eq!(sign_in(&bench, "nobody@education.example", PASSWORD, None).0, 429, "nor by being closed out");
    let (status, locked) = sign_in(&bench, &person.email, PASSWORD, None);
    assert_eq!((status, &locked["code"]), (429, &json!("limit-exceeded")), "{locked}");
    bench.pass(2 * MINUTE);
    assert_eq!(sign_in(&bench, &person.email, PASSWORD, None).0, 201);
}

#[test]
fn a_token_is_renewed_and_whoever_shows_the_old_one_later_ends_the_sign_in() {
    let bench = Bench::start();
    let person = somebody(&bench);
    let (status, renewed) = bench.call(&person.token, ("POST", "/sign-ins/current/renewals"), None);
    assert_eq!(status, 201, "{renewed}");
    let next = renewed["token"].as_str().unwrap();
    assert_eq!(bench.call(&person.token, WHOAMI, None).0, 200, "requests may be on their way");
    assert_eq!(bench.call(&person.token, ("POST", "/sign-ins/current/renewals"), None).0, 401);
    assert_eq!(bench.call(next, WHOAMI, None).0, 200);
    bench.pass(2 * MINUTE);
    assert_eq!(bench.call(next, WHOAMI, None).0, 200);
    assert_eq!(bench.call(&person.token, WHOAMI, None).0, 401);
    assert_eq!(bench.call(next, WHOAMI, None).0, 401, "somebody had the old token: it ends for both");
}

#[test]
fn a_sign_in_ends_by_signing_out_by_suspension_and_by_its_time() {
    let bench = Bench::start();
    let owner = bench.join("grace@education.example", bench.organisation(Place::Schools), Role::Owner);
    let person = somebody(&bench);
    let ended = bench.call(&person.token, ("DELETE", "/sign-ins/current"), None);
    assert_eq!(ended, (200, json!({ "issuer_session": null })), "there is a password, and no issuer");
    assert_eq!(bench.call(&person.token, WHOAMI, None).0, 401);
    let token = bench.sign_in(person.id, Assurance::MultiFactor);
    let suspension = format!("/organisations/education/users/{}/suspension", person.id);
    assert_eq!(bench.call(&owner.token, ("PUT", &suspension), None).0, 200);
    assert_eq!(bench.call(&token, WHOAMI, None).0, 401);
    assert_eq!(sign_in(&bench, &person.email, PASSWORD, None).0, 401);
    assert_eq!(bench.call(&owner.token, ("DELETE", &suspension), None).0, 200);
    assert_eq!(bench.call(&token, WHOAMI, None).0, 401, "what has ended stays so");
    assert_eq!(sign_in(&bench, &person.email, PASSWORD, None).0, 201);
    bench.pass(Duration::from_hours(13));
    assert_eq!(bench.call(&owner.token, WHOAMI, None).0, 401);
}

#[test]
fn a_password_is_changed_and_is_reset_by_an_owner() {
    let bench = Bench::start();
    let owner = bench.join("grace@education.example", bench.organisation(Place::Schools), Role::Owner);
    let person = somebody(&bench);
    let other = bench.sign_in(person.id, Assurance::SingleFactor);
    let change = |present: &str, next: &str| json!({ "present": present, "next": next });
    let put = ("PUT", "/account/password");
    assert_eq!(bench.call(&person.token, put, Some(&change("not it at all", "a quite new password"))).0, 401);
    assert_eq!(bench.call(&person.token, put, Some(&change(PASSWORD, "short"))).0, 422);
    assert_eq!(bench.call(&person.token, put, Some(&change(PASSWORD, "a quite new password"))).0, 204);
    assert_eq!(bench.call(&person.token, WHOAMI, None).0, 200);
    assert_eq!(bench.call(&other, WHOAMI, None).0, 401);

    let reset = format!("/organisations/education/users/{}/sign-in-resets", person.id);
    let (status, made) = bench.call(&owner.token, ("POST", &reset), None);
    assert_eq!(status, 201, "{made}");
    assert_eq!(sign_in(&bench, &person.email, "a quite new password", None).0, 401);
    assert_eq!(bench.call(&person.token, WHOAMI, None).0, 401);
    let choose = json!({ "token": made["token"], "password": "yet another password" });
    assert_eq!(bench.call("", ("POST", "/password-resets"), Some(&choose)).0, 201);
    assert_eq!(bench.call("", ("POST", "/password-resets"), Some(&choose)).0, 401, "a token does once");
    assert_eq!(sign_in(&bench, &person.email, "yet another password", None).0, 201);
}

#[test]
fn what_is_present_and_of_no_use_is_never_nobody() {
    let bench = Bench::start();
    let person = somebody(&bench);
    let bearer = format!("Bearer {}", person.token);
    let cut = &bearer[..bearer.len() - 1];
    let longer = format!("{bearer}x");
    for value in ["Bearer", "Bearer ", "Basic ", "Basic !!!", "Basic YTpi", "Digest x", "", cut, &longer] {
        let answer = bench.send(WHOAMI, &[("authorization", value)], None);
        assert_eq!(answer.status, 401, "{value:?}: {}", answer.text());
        assert!(answer.header("www-authenticate").is_some());
    }
    let twice = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    assert_eq!(bench.send(WHOAMI, &twice, None).status, 401);
    let cookie = format!("token={}", person.token);
    assert_eq!(bench.send(WHOAMI, &[("cookie", &cookie)], None).status, 401);
}
