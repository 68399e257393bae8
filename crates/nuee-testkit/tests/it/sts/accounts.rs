//! Service accounts that assume roles, and who they are told to be.

use std::time::Duration;

use http::Method;
use nuee_access::Action;
use nuee_base::{Principal, Role};
use nuee_tenancy::Trusted;
use nuee_testkit::{
    Place,
    signer::{Draft, Signer},
};

use super::bench::{Bench, Keys, form, signer};

const OWN_BUCKET: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*",
    "Resource": ["arn:aws:s3:::own", "arn:aws:s3:::own/*"]}]}"#;

fn get(path: &str) -> Draft {
    Draft::new(Method::GET, path)
}

#[test]
fn who_signs_is_told_who_that_is() {
    let bench = Bench::start(|_| {});
    let owner = bench.server().owner(Place::Schools);
    let Principal::ServiceAccount { id, organisation, project, .. } = owner.principal else { unreachable!() };
    let answer = bench.ask(&signer(owner), &[("Action", "GetCallerIdentity")]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(
        answer
            .text()
            .contains(r#"<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">"#)
    );
    assert_eq!(answer.elements("Account"), [project.to_string()]);
    assert_eq!(answer.elements("Arn"), [format!("arn:aws:iam::{organisation}:user/{id}")]);
    assert_eq!(answer.elements("UserId"), [id.to_string()]);
    let arn = bench.role("lab", Role::Reader, Trusted::ServiceAccounts, None);
    let keys = bench.assume(owner, &arn, &[]);
    let answer = bench.ask_with(&keys, &[("Action", "GetCallerIdentity")]);
    assert_eq!(answer.elements("Arn"), [format!("arn:aws:sts::{project}:assumed-role/lab/a-test")]);
    assert_eq!(answer.elements("Account"), [project.to_string()]);
}

#[test]
fn what_is_signed_wrongly_is_refused() {
    let bench = Bench::start(|_| {});
    let owner = signer(bench.server().owner(Place::Schools));
    let fields = [("Action", "GetCallerIdentity")];
    let hour = Signer { service: "sts".into(), ..owner.at(3_600) };
    let sts = Signer { service: "sts".into(), ..owner.clone() };
    let empty = nuee_testkit::signer::EMPTY_SHA256;
    let asked =
        |draft: Draft| draft.query("Action", "GetCallerIdentity").header("x-amz-content-sha256", empty);
    let good = sts.header(asked(Draft::with_body(Method::POST, "/", "")));
    assert_eq!(bench.send(&good).status, 200, "with its fields in the query");
    let by_get = sts.header(asked(get("/")));
    assert_eq!(bench.send(&by_get).status, 200);
    for (what, draft, code) in [
        ("nobody", form(&fields), "MissingAuthenticationToken"),
        ("for S3", owner.header(form(&fields)), "IncompleteSignature"),
        ("an hour ahead", hour.header(asked(get("/"))), "SignatureDoesNotMatch"),
        ("a wrong secret", sts.with_wrong_secret().header(asked(get("/"))), "SignatureDoesNotMatch"),
        (
            "an unknown key",
            Signer { access_key: "NUEEAAAAAAAAAAAAAAAA".into(), ..sts.clone() }.header(asked(get("/"))),
            "InvalidClientTokenId",
        ),
        (
            "a body that was not signed",
            Draft { body: b"a".to_vec(), ..good.clone() }.set("content-length", "1"),
            "SignatureDoesNotMatch",
        ),
        ("a parameter more", good.clone().query("RoleArn", "x"), "SignatureDoesNotMatch"),
        ("another action", good.clone().set_query("Action", "AssumeRole"), "SignatureDoesNotMatch"),
        ("a header that is not signed", good.clone().header("x-amz-meta-a", "b"), "IncompleteSignature"),
        (
            "a token with a permanent key",
            sts.header(asked(get("/")).header("x-amz-security-token", "t")),
            "InvalidClientTokenId",
        ),
        ("a token of nobody", form(&fields).header("x-amz-security-token", "t"), "IncompleteSignature"),
        ("presigned", sts.presign(asked(get("/"))), "IncompleteSignature"),
        ("twice the action", sts.header(asked(get("/")).query("Action", "AssumeRole")), "ValidationError"),
        (
            "what is not offered",
            sts.header(get("/").query("Action", "GetSessionToken").header("x-amz-content-sha256", empty)),
            "InvalidAction",
        ),
        ("an old version", sts.header(asked(get("/")).query("Version", "2010-01-01")), "ValidationError"),
    ] {
        let answer = bench.send(&draft);
        assert_eq!(answer.code(), code, "{what}: {}", answer.text());
        assert!(answer.text().starts_with("<ErrorResponse xmlns="), "{what}: {}", answer.text());
    }
}

#[test]
fn a_temporary_key_does_what_its_role_grants_and_its_policies_leave() {
    let bench = Bench::start(|_| {});
    let owner = bench.server().owner(Place::Schools);
    let mut client = bench.client();
    for path in ["/own", "/other"] {
        assert_eq!(client.put(path, "").unwrap().status, 200);
        assert_eq!(client.put(&format!("{path}/kept"), "content").unwrap().status, 200);
    }
    let maintains = bench.role("maintains", Role::Maintainer, Trusted::ServiceAccounts, None);
    let narrow = bench.role("narrow", Role::Maintainer, Trusted::ServiceAccounts, Some(OWN_BUCKET));
    let read = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}}"#;
    let cases = [
        (bench.assume(owner, &maintains, &[]), "yyyyyn"),
        (bench.assume(owner, &narrow, &[]), "ynynnn"),
        (bench.assume(owner, &maintains, &[("Policy", read)]), "yynnnn"),
        (bench.assume(owner, &narrow, &[("Policy", read)]), "ynnnnn"),
        (bench.assume(owner, &maintains, &[("Policy", OWN_BUCKET)]), "ynynnn"),
    ];
    for (keys, expected) in cases {
        let project = Draft::put("/fresh", "");
        let answers = [
            get("/own/kept"),
            get("/other/kept"),
            Draft::put("/own/new", "content"),
            Draft::put("/other/new", "content"),
            get("/"),
            Draft::new(Method::DELETE, "/own/kept")
                .header("x-amz-bypass-governance-retention", "true")
                .set("host", "127.0.0.1:9000"),
        ]
        .map(|draft| bench.answered(&keys, draft));
        let done: String =
            answers[..5].iter().map(|(status, _)| if *status == 200 { 'y' } else { 'n' }).collect();
        assert_eq!(done, expected[..5], "{answers:?}");
        let created = bench.answered(&keys, project);
        let may = expected == "yyyyyn";
        assert_eq!(created.0 == 200, may, "{created:?}");
        client.put("/own/kept", "content").unwrap();
        client.delete("/fresh").unwrap();
    }
    bench.assert_sound();
}

#[test]
fn a_role_is_for_those_whom_it_trusts() {
    let bench = Bench::start(|_| {});
    let arn = bench.role("developers", Role::Developer, Trusted::ServiceAccounts, None);
    let trusted = [Role::Maintainer, Role::Developer];
    for role in [Role::Maintainer, Role::Developer, Role::Reader, Role::Auditor] {
        let account = bench.account(Place::Schools, role, role.as_str());
        let fields = [("Action", "AssumeRole"), ("RoleArn", &*arn), ("RoleSessionName", "ci")];
        let answer = bench.ask(&signer(&account), &fields);
        let code = if trusted.contains(&role) { "" } else { "AccessDenied" };
        assert_eq!(answer.code(), code, "{role}: {}", answer.text());
    }
    let assume = |place, arn: &str| {
        bench.ask(&signer(bench.server().owner(place)), &[("Action", "AssumeRole"), ("RoleArn", arn)]).code()
    };
    assert_eq!(assume(Place::Exams, &arn), "AccessDenied");
    assert_eq!(assume(Place::Hospitals, &arn), "AccessDenied");
    assert_eq!(assume(Place::Schools, &arn.replace("developers", "others")), "AccessDenied");
    assert_eq!(assume(Place::Schools, "arn:aws:iam::1:role/x"), "ValidationError");
    let keys = bench.assume(bench.server().owner(Place::Schools), &arn, &[]);
    let again = bench.ask_with(&keys, &[("Action", "AssumeRole"), ("RoleArn", &arn)]);
    assert_eq!(again.code(), "AccessDenied", "no role is assumed from a role");
    let of_issuer =
        Trusted::Issuer { name: "lab".parse().unwrap(), conditions: Vec::new(), is_default: false };
    let arn = bench.role("issued", Role::Developer, of_issuer, None);
    assert_eq!(assume(Place::Schools, &arn), "AccessDenied");
}

#[test]
fn a_session_ends_at_its_time_and_its_duration_is_within_bounds() {
    let bench = Bench::start(|_| {});
    let owner = bench.server().owner(Place::Schools);
    let arn = bench.role("reads", Role::Reader, Trusted::ServiceAccounts, None);
    let hours = Duration::from_hours(1);
    let cases =
        [(None, hours), (Some("1"), hours / 4), (Some("604800"), hours * 2), (Some("5400"), hours * 3 / 2)];
    for (asked, lasts) in cases {
        let more: Vec<_> = asked.map(|seconds| ("DurationSeconds", seconds)).into_iter().collect();
        let keys = bench.assume(owner, &arn, &more);
        assert_eq!(bench.answered(&keys, get("/")).0, 200, "{asked:?}");
        bench.clock.pass(lasts.saturating_sub(Duration::from_mins(1)));
        assert_eq!(bench.answered(&keys, get("/")).0, 200, "{asked:?}, a minute before");
        bench.clock.pass(Duration::from_mins(1) + Duration::from_secs(1));
        assert_eq!(bench.answered(&keys, get("/")), (400, "ExpiredToken".to_owned()), "{asked:?}");
        let told = bench.ask_with(&keys, &[("Action", "GetCallerIdentity")]);
        assert_eq!(told.code(), "ExpiredToken");
        bench.assert_sound();
    }
    bench.clock.pass(Duration::from_hours(25));
    let tenancy = bench.server().platform().tenancy();
    assert_eq!(bench.runtime.block_on(tenancy.sweep_sessions()).unwrap(), 4);
    assert_eq!(bench.runtime.block_on(tenancy.sweep_sessions()).unwrap(), 0);
    bench.assert_sound();
}

#[test]
fn a_session_ends_when_it_or_what_it_rests_on_is_revoked() {
    let bench = Bench::start(|_| {});
    let arn = bench.role("reads", Role::Reader, Trusted::ServiceAccounts, None);
    let account = bench.account(Place::Schools, Role::Reader, "ci");
    let platform = bench.server().platform();
    let (tenancy, context) = (platform.tenancy(), platform.operator());
    let project = bench.server().project(Place::Schools).resource();
    let permit = |action| platform.decider().decide(&context, action, project).unwrap();
    let begin = || {
        let keys = bench.assume(&account, &arn, &[]);
        assert_eq!(bench.answered(&keys, get("/")).0, 200);
        keys
    };
    let gone = |keys: &Keys, what: &str| {
        assert_eq!(bench.answered(keys, get("/")), (403, "InvalidAccessKeyId".to_owned()), "{what}");
        bench.assert_sound();
    };
    let (kept, ended) = (begin(), begin());
    let list = permit(Action::ListSessions);
    let sessions = tenancy.sessions(&context, &list).unwrap();
    let id = sessions.iter().find(|session| session.access_key.as_str() == ended.id).unwrap().id;
    bench.runtime.block_on(tenancy.revoke_session(&context, &permit(Action::RevokeSession), id)).unwrap();
    gone(&ended, "revoked");
    assert_eq!(bench.answered(&kept, get("/")).0, 200);
    let name = "reads".parse().unwrap();
    let may = permit(Action::DeleteAssumableRole);
    let delete = tenancy.delete_assumable_role(&context, &may, &name);
    assert_eq!(bench.runtime.block_on(delete).unwrap(), 1);
    gone(&kept, "its role is deleted");
    bench.role("reads", Role::Reader, Trusted::ServiceAccounts, None);
    let keys = begin();
    let name = "ci".parse().unwrap();
    let may = permit(Action::RevokeServiceAccount);
    let revoke = tenancy.revoke_service_account(&context, &may, &name);
    bench.runtime.block_on(revoke).unwrap();
    gone(&keys, "its service account is revoked");
}
