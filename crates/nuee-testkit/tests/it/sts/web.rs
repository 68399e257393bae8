//! Users of an issuer, and what their tokens bring them.

use std::time::Duration;

use http::Method;
use nuee_base::Role;
use nuee_tenancy::Trusted;
use nuee_testkit::signer::Draft;

use super::bench::{Bench, Issuer, Keys};

pub(super) const LAB: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "s3:*",
     "Resource": ["arn:aws:s3:::user-${jwt:preferred_username}", "arn:aws:s3:::user-${jwt:preferred_username}/*"]},
    {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::*/diffusion/*"},
    {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::*",
     "Condition": {"StringLike": {"s3:prefix": "diffusion/*"}}}]}"#;

fn trusted(conditions: &[&str], is_default: bool) -> Trusted {
    let conditions = conditions.iter().map(|text| text.parse().unwrap()).collect();
    Trusted::Issuer { name: "lab".parse().unwrap(), conditions, is_default }
}

fn bench(issuer: &Issuer) -> Bench {
    let section = issuer.settings();
    Bench::start(|settings| drop(settings.identity.issuers.insert("lab".to_owned(), section)))
}

fn get(path: &str) -> Draft {
    Draft::new(Method::GET, path)
}

#[test]
fn a_user_of_a_data_lab_has_a_bucket_and_no_other() {
    let issuer = Issuer::start(0, None);
    let bench = bench(&issuer);
    bench.role("lab", Role::Maintainer, trusted(&["groups contains researchers"], true), Some(LAB));
    let [ada, bob] = [0, 1].map(|program| {
        let answer = bench.identify(&issuer.token(program), &[("DurationSeconds", "604800")]);
        assert_eq!(answer.elements("SubjectFromWebIdentityToken"), [format!("program-{program}")]);
        Keys::of(&answer)
    });
    assert_eq!(bench.answered(&ada, Draft::put("/user-ada", "")).0, 200);
    assert_eq!(bench.answered(&bob, Draft::put("/user-bob", "")).0, 200);
    assert_eq!(bench.answered(&ada, Draft::put("/user-ada/secret", "content")).0, 200);
    assert_eq!(bench.answered(&ada, Draft::put("/user-ada/diffusion/open", "shared")).0, 200);
    assert_eq!(bench.answered(&ada, get("/user-ada/secret")).0, 200);
    assert_eq!(bench.answered(&bob, get("/user-ada/diffusion/open")).0, 200);
    let listed = get("/user-ada").query("list-type", "2");
    assert_eq!(bench.answered(&bob, listed.clone().query("prefix", "diffusion/")).0, 200);
    let denied = (403, "AccessDenied".to_owned());
    for draft in [
        listed.clone(),
        listed.query("prefix", ""),
        get("/user-ada/secret"),
        Draft::put("/user-ada/diffusion/mine", "x"),
        Draft::put("/user-bobby", ""),
        Draft::put("/other", ""),
        Draft::put("/user-bob/stolen", "").header("x-amz-copy-source", "/user-ada/secret"),
        Draft::new(Method::DELETE, "/user-ada/secret"),
        get("/"),
    ] {
        let asked = format!("{} {}", draft.method, draft.target());
        assert_eq!(bench.answered(&bob, draft), denied, "{asked}");
    }
    bench.assert_sound();
}

#[test]
fn who_is_not_trusted_gets_no_keys() {
    let issuer = Issuer::start(0, None);
    let bench = bench(&issuer);
    let arn =
        bench.role("lab", Role::Maintainer, trusted(&["groups contains researchers"], false), Some(LAB));
    let accounts = bench.role("accounts", Role::Maintainer, Trusted::ServiceAccounts, None);
    let asked = |token: &str, more: &[(&str, &str)]| {
        let answer = bench.identify(token, more);
        assert!(answer.elements("SecretAccessKey").is_empty() || answer.status == 200);
        answer.code()
    };
    let (ada, eve, mallory, star) = (issuer.token(0), issuer.token(2), issuer.token(3), issuer.token(4));
    let role = [("RoleArn", arn.as_str())];
    assert_eq!(asked(&ada, &role), "");
    assert_eq!(asked(&ada, &[]), "ValidationError", "there is no default");
    assert_eq!(asked(&eve, &role), "AccessDenied", "a claim is missing");
    assert_eq!(asked(&ada, &[("RoleArn", &accounts)]), "AccessDenied");
    assert_eq!(asked(&ada, &[("RoleArn", &arn.replace("lab", "root"))]), "AccessDenied");
    assert_eq!(asked(&mallory, &role), "IDPRejectedClaim", "a name that is none of a bucket");
    assert_eq!(asked(&star, &role), "IDPRejectedClaim", "a name that is a wildcard");
    let middle = ada.len() / 2;
    let changed = format!("{}{}", &ada[..middle], if ada[middle..].starts_with('A') { "B" } else { "A" });
    let changed = format!("{changed}{}", &ada[middle + 1..]);
    for (token, code) in
        [("", "ValidationError"), ("x", "InvalidIdentityToken"), (&*changed, "InvalidIdentityToken")]
    {
        assert_eq!(asked(token, &role), code, "{token}");
    }
    for (name, value, code) in [
        ("Policy", "{", "MalformedPolicyDocument"),
        ("RoleSessionName", "a b", "ValidationError"),
        ("DurationSeconds", "many", "ValidationError"),
        ("PolicyArns.member.1.arn", "x", "ValidationError"),
    ] {
        assert_eq!(asked(&ada, &[role[0], (name, value)]), code, "{name}");
    }
    bench.clock.pass(Duration::from_mins(12));
    assert_eq!(asked(&ada, &role), "ExpiredTokenException");
}

#[test]
fn a_token_in_the_query_is_taken_too_and_one_of_twenty_thousand_bytes_is_read() {
    let issuer = Issuer::start(0, None);
    let bench = bench(&issuer);
    bench.role("lab", Role::Maintainer, trusted(&[], true), Some(LAB));
    let asked = |token: &str| {
        let draft = Draft::with_body(Method::POST, "/", "")
            .query("Action", "AssumeRoleWithWebIdentity")
            .query("WebIdentityToken", token)
            .query("DurationSeconds", "604800")
            .query("Version", "2011-06-15");
        bench.send(&draft)
    };
    let keys = Keys::of(&asked(&issuer.token(0)));
    assert_eq!(bench.answered(&keys, Draft::put("/user-ada", "")).0, 200);
    let long = format!("{}x", "a".repeat(19_999));
    assert_eq!(asked(&long).code(), "InvalidIdentityToken");
    assert_eq!(bench.identify(&"a".repeat(20_001), &[]).code(), "InvalidIdentityToken");
}

#[test]
fn keys_of_an_issuer_change_and_issuers_are_away() {
    let issuer = Issuer::start(0, None);
    let port = issuer.port();
    let bench = bench(&issuer);
    bench.role("lab", Role::Reader, trusted(&[], true), None);
    let first = issuer.token(0);
    drop(issuer);
    assert_eq!(bench.identify(&first, &[]).code(), "IDPCommunicationError", "its keys were never had");
    let issuer = Issuer::start(port, None);
    let second = issuer.token(0);
    assert_eq!(
        bench.identify(&second, &[]).code(),
        "IDPCommunicationError",
        "asked again after a pause alone"
    );
    bench.clock.pass(Duration::from_secs(6));
    assert_eq!(bench.identify(&second, &[]).status, 200);
    assert_eq!(bench.identify(&first, &[]).code(), "InvalidIdentityToken", "signed by a key that is gone");
    drop(issuer);
    bench.clock.pass(Duration::from_mins(5));
    assert_eq!(bench.identify(&second, &[]).status, 200, "its keys are kept");
    let issuer = Issuer::start(port, None);
    let third = issuer.token(0);
    assert_eq!(bench.identify(&third, &[]).status, 200, "a new key is fetched at once");
}

#[test]
fn sessions_end_with_their_issuer_s_section() {
    let issuer = Issuer::start(0, None);
    let mut bench = bench(&issuer);
    bench.role("lab", Role::Reader, trusted(&[], true), None);
    let keys = Keys::of(&bench.identify(&issuer.token(0), &[]));
    bench.restart_with(|_| {});
    assert_eq!(bench.answered(&keys, get("/")).0, 200, "a restart changes nothing");
    bench.restart_with(|settings| settings.identity.issuers.clear());
    assert_eq!(bench.answered(&keys, get("/")), (403, "InvalidAccessKeyId".to_owned()));
    assert_eq!(bench.identify(&issuer.token(0), &[]).code(), "InvalidIdentityToken");
}
