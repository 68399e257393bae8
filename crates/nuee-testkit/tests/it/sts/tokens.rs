//! Session tokens with requests to S3: in headers, in presigned queries, in forms, and where they do not belong.

use http::Method;
use nuee_base::Role;
use nuee_tenancy::Trusted;
use nuee_testkit::{Place, form::Form, signer::Draft};
use serde_json::json;

use super::bench::{Bench, Keys, signer};

fn get() -> Draft {
    Draft::new(Method::GET, "/bucket/key")
}

fn with(draft: Draft, token: &str) -> Draft {
    draft.header("x-amz-security-token", token)
}

#[test]
fn a_temporary_key_is_good_with_its_own_token_alone() {
    let bench = Bench::start(|_| {});
    let mut client = bench.client();
    assert_eq!(client.put("/bucket", "").unwrap().status, 200);
    assert_eq!(client.put("/bucket/key", "content").unwrap().status, 200);
    let owner = bench.server().owner(Place::Schools);
    let arn = bench.role("reads", Role::Reader, Trusted::ServiceAccounts, None);
    let (keys, other) = (bench.assume(owner, &arn, &[]), bench.assume(owner, &arn, &[]));
    let (session, permanent) = (keys.signer(), signer(owner));
    let presigned = |token: &str| session.presign(get().query("X-Amz-Security-Token", token));
    let refused = (403, "InvalidToken");
    let cases = [
        ("the header", keys.sign(get()), (200, "")),
        ("the query", presigned(&keys.token), (200, "")),
        ("no token", session.header(get()), refused),
        ("no token in the query", session.presign(get()), refused),
        ("an empty token", session.header(with(get(), "")), refused),
        ("another session's", session.header(with(get(), &other.token)), refused),
        ("another session's in the query", presigned(&other.token), refused),
        ("a token cut short", session.header(with(get(), &keys.token[1..])), refused),
        ("a permanent key with a token", permanent.header(with(get(), &keys.token)), refused),
        ("a permanent key with an empty token", permanent.header(with(get(), "")), refused),
        ("nobody with a token", with(get(), &keys.token), (400, "InvalidToken")),
        (
            "nobody with a token in the query",
            get().query("X-Amz-Security-Token", &keys.token),
            (400, "InvalidToken"),
        ),
        ("a token that is not signed", with(session.header(get()), &keys.token), (403, "AccessDenied")),
        (
            "a token added to a query",
            session.presign(get()).query("X-Amz-Security-Token", &keys.token),
            (403, "SignatureDoesNotMatch"),
        ),
        (
            "a token twice",
            session.presign(with(get().query("X-Amz-Security-Token", &keys.token), &keys.token)),
            (400, "InvalidRequest"),
        ),
        (
            "a wrong secret",
            session.with_wrong_secret().header(with(get(), &keys.token)),
            (403, "SignatureDoesNotMatch"),
        ),
    ];
    for (what, draft, expected) in cases {
        let answer = bench.send(&draft);
        assert_eq!((answer.status, &*answer.code()), expected, "{what}: {}", answer.text());
    }
}

/// Browsers complete what they have a piece of, and name whose piece it is.
#[test]
fn a_range_counts_where_the_entity_is_the_one_that_is_named() {
    let bench = Bench::start(|_| {});
    let mut client = bench.client();
    assert_eq!(client.put("/bucket", "").unwrap().status, 200);
    let tag = client.put("/bucket/key", "content").unwrap().header("etag").unwrap().to_owned();
    for (named, answer) in [
        (tag.as_str(), (206, "ten")),
        ("\"another\"", (200, "content")),
        (&format!("W/{tag}"), (200, "content")),
        ("Thu, 26 Nov 2026 00:00:00 GMT", (200, "content")),
    ] {
        let draft = get().header("range", "bytes=3-5").header("if-range", named);
        let found = client.send(draft).unwrap();
        assert_eq!((found.status, &*found.text()), answer, "{named}");
    }
}

#[test]
fn a_form_carries_the_token_of_who_signed_it() {
    let bench = Bench::start(|_| {});
    assert_eq!(bench.client().put("/bucket", "").unwrap().status, 200);
    let owner = bench.server().owner(Place::Schools);
    let arn = bench.role("writes", Role::Developer, Trusted::ServiceAccounts, None);
    let (keys, other) = (bench.assume(owner, &arn, &[]), bench.assume(owner, &arn, &[]));
    let filled = |keys: &Keys, token: Option<&str>| {
        let form = Form::new("/bucket", "key", "content");
        let form = match token {
            Some(token) => {
                form.condition(json!({ "x-amz-security-token": token })).field("x-amz-security-token", token)
            }
            None => form,
        };
        let answer = bench.send(&form.signed(&keys.signer()));
        (answer.status, answer.code())
    };
    assert_eq!(filled(&keys, Some(&keys.token)), (204, String::new()));
    for token in [None, Some(""), Some(&*other.token)] {
        assert_eq!(filled(&keys, token), (403, "InvalidToken".to_owned()), "{token:?}");
    }
    let permanent = Keys {
        id: owner.access_key_id.to_string(),
        secret: owner.secret.expose().to_owned(),
        token: String::new(),
    };
    assert_eq!(filled(&permanent, Some("a token")), (403, "InvalidToken".to_owned()));
}
