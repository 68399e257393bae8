//! Uploads by form: what is signed is what may be sent, and nothing else.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use nuee_testkit::{
    Answer, Client, Place, TestServer,
    form::{Form, instant},
    signer::Draft,
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

struct Bench {
    _runtime: Runtime,
    _server: TestServer,
    client: Client,
}

impl Bench {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(TestServer::start()).unwrap();
        let mut client = server.client(Place::Schools);
        assert_eq!(client.put("/bucket", "").unwrap().status, 200);
        Self { _runtime: runtime, _server: server, client }
    }

    fn send(&mut self, form: &Form) -> Answer {
        let draft = form.signed(&self.client.signer());
        self.client.send_as_it_is(&draft).unwrap()
    }

    fn assert_nothing_is_there(&mut self, what: &str) {
        assert_eq!(self.client.list("/bucket").unwrap(), Vec::<String>::new(), "{what}");
    }
}

/// A form as La Suite's Drive gives it to browsers.
fn drive() -> Form {
    Form::new("/bucket", "item/notes.txt", "what was written")
        .condition(json!(["content-length-range", 1, 1_000]))
        .condition(json!(["starts-with", "$Content-Type", "text/"]))
        .field("Content-Type", "text/plain")
        .with("acl", "private")
        .with("x-amz-meta-owner", "somebody")
}

#[test]
fn a_form_uploads_what_its_policy_lets_it() {
    let mut bench = Bench::start();
    let answer = bench.send(&drive());
    assert_eq!(answer.status, 204, "{}", answer.text());
    assert_eq!(answer.header("location"), Some("/bucket/item/notes.txt"));
    let object = bench.client.get("/bucket/item/notes.txt").unwrap();
    assert_eq!(object.text(), "what was written");
    assert_eq!(object.header("content-type"), Some("text/plain"));
    assert_eq!(object.header("x-amz-meta-owner"), Some("somebody"));
    assert_eq!(object.header("etag"), answer.header("etag"));
}

#[test]
fn a_form_says_how_it_is_answered() {
    let mut bench = Bench::start();
    let answer = bench.send(&drive().with("success_action_status", "201"));
    assert_eq!((answer.status, answer.elements("Key").remove(0)), (201, "item/notes.txt".to_owned()));
    assert_eq!(bench.send(&drive().with("success_action_status", "200")).status, 200);
    assert_eq!(bench.send(&drive().with("success_action_status", "500")).status, 204);
    let answer = bench.send(&drive().with("success_action_redirect", "https://site.example/done?a=b"));
    assert_eq!(answer.status, 303);
    let location = answer.header("location").unwrap();
    assert!(
        location.starts_with("https://site.example/done?a=b&bucket=bucket&key=item%2Fnotes.txt"),
        "{location}"
    );
    let answer = bench.send(&drive().with("success_action_redirect", "javascript:alert(1)"));
    assert_eq!(answer.status, 204, "what is no page is no redirect");
}

#[test]
fn the_name_of_the_file_stands_in_for_itself() {
    let mut bench = Bench::start();
    let mut form = Form::new("/bucket", "user/${filename}", "content");
    form.conditions = vec![json!({ "bucket": "bucket" }), json!(["starts-with", "$key", "user/"])];
    form.file_name = "C:\\Documents\\été.txt".into();
    assert_eq!(bench.send(&form).status, 204);
    // Listings of these clients encode names.
    assert_eq!(bench.client.list("/bucket").unwrap(), ["user/%C3%A9t%C3%A9.txt"]);
}

#[test]
fn a_form_can_tag_and_version_what_it_uploads() {
    let mut bench = Bench::start();
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    bench.client.send(Draft::put("/bucket", enabled).query("versioning", "")).unwrap();
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    let answer = bench.send(&drive().with("tagging", tags));
    assert_eq!(answer.status, 204, "{}", answer.text());
    let object = bench.client.get("/bucket/item/notes.txt").unwrap();
    assert_eq!(object.header("x-amz-tagging-count"), Some("1"));
    assert_eq!(object.header("x-amz-version-id"), answer.header("x-amz-version-id"));
}

/// A form to which something was done that its signer did not foresee.
fn altered(alter: impl FnOnce(&mut Form)) -> Form {
    let mut form = drive();
    alter(&mut form);
    form
}

fn set(form: &mut Form, name: &str, value: &str) {
    form.fields.iter_mut().find(|(known, _)| known == name).unwrap().1 = value.into();
}

#[test]
fn whatever_the_policy_does_not_let_through_is_refused() {
    let mut bench = Bench::start();
    let cases: Vec<(&str, Form, &str)> = vec![
        ("another key", altered(|form| set(form, "key", "item/other.txt")), "AccessDenied"),
        ("another type", altered(|form| set(form, "Content-Type", "image/png")), "AccessDenied"),
        (
            "a list of types",
            altered(|form| set(form, "Content-Type", "text/plain,image/png")),
            "AccessDenied",
        ),
        ("another acl", altered(|form| set(form, "acl", "public-read")), "AccessDenied"),
        ("other metadata", altered(|form| set(form, "x-amz-meta-owner", "another")), "AccessDenied"),
        ("a field more", drive().field("x-amz-meta-more", "a"), "AccessDenied"),
        ("a header more", drive().field("Cache-Control", "no-store"), "AccessDenied"),
        ("an encoding more", drive().field("Content-Encoding", "gzip"), "AccessDenied"),
        ("a redirect more", drive().field("success_action_redirect", "https://a.example"), "AccessDenied"),
        ("a copy", drive().field("x-amz-copy-source", "/other/secret"), "AccessDenied"),
        ("a signed copy", drive().with("x-amz-copy-source", "/other/secret"), "NotImplemented"),
        (
            "a public acl that is signed",
            altered(|form| {
                *form = form.clone().condition(json!({ "acl": "public-read" }));
                set(form, "acl", "public-read");
            }),
            "AccessDenied",
        ),
        ("too long", altered(|form| form.file = vec![b'a'; 1_001]), "EntityTooLarge"),
        ("empty", altered(|form| form.file = Vec::new()), "EntityTooSmall"),
        ("expired", altered(|form| form.expiration = instant(-1)), "AccessDenied"),
        ("no end", altered(|form| form.expiration = "tomorrow".into()), "InvalidPolicyDocument"),
        ("another bucket", altered(|form| form.conditions[0] = json!({ "bucket": "other" })), "AccessDenied"),
        ("a field of another bucket", drive().with("bucket", "other"), "MalformedPOSTRequest"),
        ("a key twice", drive().field("key", "other"), "MalformedPOSTRequest"),
        ("no key", altered(|form| form.fields.remove(0).0.clear()), "AccessDenied"),
        ("a wrong checksum", drive().with("x-amz-checksum-crc32", "AAAAAA=="), "BadDigest"),
        ("a wrong md5", drive().with("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA=="), "BadDigest"),
        ("a token", drive().with("x-amz-security-token", "token"), "InvalidToken"),
        (
            "an unknown condition",
            drive().condition(json!(["matches", "$key", ".*"])),
            "InvalidPolicyDocument",
        ),
        (
            "many fields",
            altered(|form| {
                for number in 0..200 {
                    *form = form.clone().field(&format!("x-ignore-{number}"), "");
                }
            }),
            "MaxPostPreDataLengthExceeded",
        ),
        ("a long field", drive().field("x-ignore-long", &"a".repeat(30_000)), "MaxPostPreDataLengthExceeded"),
    ];
    println!("{} forms that must be refused", cases.len());
    for (what, form, code) in cases {
        let answer = bench.send(&form);
        assert_eq!(answer.code(), code, "{what}: {} {}", answer.status, answer.text());
        bench.assert_nothing_is_there(what);
    }
}

fn with_length(draft: Draft) -> Draft {
    let length = draft.body.len().to_string();
    draft.set("content-length", &length)
}

/// A form whose policy is changed, and whose signature is not.
fn with_policy(draft: Draft, change: &dyn Fn(&mut Value)) -> Draft {
    let body = String::from_utf8(draft.body.clone()).unwrap();
    let (_, rest) = body.split_once("name=\"policy\"\r\n\r\n").unwrap();
    let (text, _) = rest.split_once("\r\n").unwrap();
    let mut value: Value = serde_json::from_slice(&STANDARD.decode(text).unwrap()).unwrap();
    change(&mut value);
    let body = body.replace(text, &STANDARD.encode(value.to_string()));
    Draft { body: body.into(), ..draft }
}

#[test]
fn a_form_that_is_not_what_was_signed_is_refused() {
    let mut bench = Bench::start();
    let signer = bench.client.signer();
    let replace = |from: &str, to: &str| {
        let draft = drive().signed(&signer);
        let body = String::from_utf8(draft.body.clone()).unwrap().replace(from, to);
        Draft { body: body.into(), ..draft }
    };
    let policy = |change: &dyn Fn(&mut Value)| with_length(with_policy(drive().signed(&signer), change));
    let cases: Vec<(&str, Draft, &str)> = vec![
        ("a wrong secret", drive().signed(&signer.with_wrong_secret()), "SignatureDoesNotMatch"),
        (
            "a longer life",
            policy(&|policy| policy["expiration"] = "2099-01-01T00:00:00Z".into()),
            "SignatureDoesNotMatch",
        ),
        ("no conditions", policy(&|policy| policy["conditions"] = json!([])), "SignatureDoesNotMatch"),
        ("nobody's", drive().unsigned(), "AccessDenied"),
        (
            "another algorithm",
            with_length(replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512")),
            "InvalidArgument",
        ),
        (
            "a signature of nothing",
            with_length(replace("name=\"x-amz-signature\"", "name=\"x-ignore-signature\"")),
            "MalformedPOSTRequest",
        ),
        (
            "an old signature",
            with_length(replace("name=\"x-amz-signature\"", "name=\"signature\"")),
            "InvalidRequest",
        ),
        (
            "no policy",
            with_length(replace("name=\"policy\"", "name=\"x-ignore-policy\"")),
            "MalformedPOSTRequest",
        ),
        (
            "no file",
            with_length(replace("name=\"file\"", "name=\"x-ignore-file\"")),
            "IncorrectNumberOfFilesInPostRequest",
        ),
        ("no end", replace("------a-boundary--", "x-----a-boundary--"), "IncompleteBody"),
        ("a header of S3", drive().signed(&signer).header("x-amz-acl", "private"), "AccessDenied"),
        ("a condition in the head", drive().signed(&signer).header("if-none-match", "*"), "NotImplemented"),
        ("two signatures", signer.header(drive().signed(&signer)), "InvalidArgument"),
        ("no form", Draft::with_body(Method::POST, "/bucket", "a"), "MalformedPOSTRequest"),
        (
            "no boundary",
            drive().signed(&signer).set("content-type", "multipart/form-data"),
            "MalformedPOSTRequest",
        ),
        ("an object", Draft { path: "/bucket/key".into(), ..drive().signed(&signer) }, "NotImplemented"),
        ("no bucket", Draft { path: "/nowhere".into(), ..drive().signed(&signer) }, "AccessDenied"),
    ];
    println!("{} forms that must be refused", cases.len());
    for (what, draft, code) in cases {
        let answer = bench.client.send_as_it_is(&draft).unwrap();
        assert_eq!(answer.code(), code, "{what}: {} {}", answer.status, answer.text());
        bench.assert_nothing_is_there(what);
    }
}
