//! Requests that must be refused, each with its S3 code, and with nothing written.

use http::{Method, StatusCode};

use crate::{
    memory::{Memory, send},
    signer::{
        ACCESS_KEY, Build, Draft, EMPTY_SHA256, SECRET, Signer, forger, get, owner, owner_at, put, sha256,
    },
};

type Case = (&'static str, &'static str, Draft);

const FORGED: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn signed() -> Draft {
    owner().header(put(b"content"))
}

fn presigned() -> Draft {
    owner().presign(put(b"content"))
}

/// A signed request whose `Authorization` header was edited.
fn edited(from: &str, to: &str) -> Draft {
    let value = signed().value("authorization");
    assert!(value.contains(from), "{from} is not in {value}");
    signed().set("authorization", &value.replacen(from, to, 1))
}

fn signer(change: impl FnOnce(&mut Signer)) -> Signer {
    let mut signer = owner();
    change(&mut signer);
    signer
}

fn by(change: impl FnOnce(&mut Signer)) -> Draft {
    signer(change).header(put(b"content"))
}

fn presigned_by(change: impl FnOnce(&mut Signer)) -> Draft {
    signer(change).presign(put(b"content"))
}

/// A correctly signed upload with one more header.
fn with(name: &str, value: &str) -> Draft {
    owner().header(put(b"content").header(name, value))
}

#[expect(clippy::print_stdout, reason = "how many there are is a figure that somebody wants to read")]
async fn all_are_refused(cases: Vec<Case>) {
    println!("{} requests that must be refused", cases.len());
    for (name, code, draft) in cases {
        let memory = Memory::default();
        let answer = send(&memory, draft.build()).await;
        assert_eq!(answer.code, code, "{name}: {answer:?}");
        assert!(answer.status.is_client_error() || answer.status == StatusCode::NOT_IMPLEMENTED, "{name}");
        assert!(memory.is_untouched(), "{name}: a handler finished");
    }
}

#[tokio::test]
async fn good_requests_pass() {
    let sha256 = sha256(b"content");
    let pieces: [&[u8]; 2] = [b"con", b"tent"];
    let trailer = ("x-amz-checksum-crc32", "AAAAAA==");
    let put = || put(b"content");
    let virtual_host = Draft { path: "/key".into(), ..put() }.set("host", "bucket.s3.localhost:9000");
    let good = [
        ("header", signed()),
        ("query", presigned()),
        ("hashed", owner().header(put().header("x-amz-content-sha256", &sha256))),
        ("chunked", owner().chunked(put(), &pieces, None)),
        ("chunked, trailer", owner().chunked(put(), &pieces, Some(trailer))),
        ("unsigned chunks", owner().unsigned_chunks(put(), &pieces, trailer)),
        ("metadata", with("x-amz-meta-colour", "blue")),
        ("private", with("x-amz-acl", "private")),
        ("x-id", owner().header(put().query("x-id", "PutObject"))),
        ("hoisted", owner().presign(put().query("X-Amz-Meta-Colour", "blue"))),
        ("virtual host", owner().header(virtual_host)),
        ("a week", presigned_by(|signer| signer.expires = "604800".into())),
        ("14 minutes ago", owner_at(-14 * 60).header(put())),
        ("unsigned type", signed().header("content-type", "text/plain")),
    ];
    for (name, draft) in good {
        let memory = Memory::default();
        let answer = send(&memory, draft.build()).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {answer:?}");
        assert_eq!(memory.object("key").unwrap(), b"content", "{name}");
    }
}

#[tokio::test]
async fn credentials_that_cannot_be_used() {
    let put = || put(b"content");
    all_are_refused(vec![
        ("no secret", "SignatureDoesNotMatch", forger().header(put())),
        ("unknown key", "InvalidAccessKeyId", by(|signer| signer.access_key = "TESTACCESSKEY0000002".into())),
        ("no access key", "AuthorizationHeaderMalformed", by(|signer| signer.access_key = String::new())),
        ("a strange access key", "InvalidAccessKeyId", by(|signer| signer.access_key = "lower".into())),
        (
            "a path as access key",
            "AuthorizationHeaderMalformed",
            by(|signer| signer.access_key = "../root".into()),
        ),
        ("empty header", "AuthorizationHeaderMalformed", put().header("authorization", "")),
        ("scheme only", "AuthorizationHeaderMalformed", put().header("authorization", "AWS4-HMAC-SHA256")),
        (
            "scheme and space",
            "AuthorizationHeaderMalformed",
            put().header("authorization", "AWS4-HMAC-SHA256 "),
        ),
        ("basic", "InvalidArgument", put().header("authorization", "Basic dXNlcjpwYXNz")),
        ("bearer", "InvalidArgument", put().header("authorization", "Bearer token")),
        ("negotiate", "AuthorizationHeaderMalformed", put().header("authorization", "Negotiate")),
        ("version 2", "InvalidRequest", put().header("authorization", &format!("AWS {ACCESS_KEY}:{SECRET}"))),
        ("version 2, empty", "InvalidRequest", put().header("authorization", "AWS ")),
        (
            "version 2 in query",
            "InvalidRequest",
            put().query("Signature", "x").query("AWSAccessKeyId", ACCESS_KEY),
        ),
        ("version 2, signature alone", "InvalidRequest", put().query("Signature", "x")),
        ("version 2, key alone", "InvalidRequest", put().query("AWSAccessKeyId", ACCESS_KEY)),
        (
            "version 2, lower case",
            "InvalidRequest",
            put().query("signature", "x").query("awsaccesskeyid", ACCESS_KEY),
        ),
        ("version 2 beside 4", "InvalidRequest", owner().header(put().query("Signature", "x"))),
        ("version 4A", "InvalidArgument", by(|signer| signer.algorithm = "AWS4-ECDSA-P256-SHA256".into())),
        ("other algorithm", "InvalidArgument", by(|signer| signer.algorithm = "AWS4-HMAC-SHA512".into())),
        (
            "algorithm in lower case",
            "InvalidArgument",
            by(|signer| signer.algorithm = "aws4-hmac-sha256".into()),
        ),
    ])
    .await;
}

#[tokio::test]
async fn credentials_that_are_twice_there_incomplete_or_forged() {
    let put = || put(b"content");
    let both = Draft { query: presigned().query, ..signed() };
    all_are_refused(vec![
        ("two headers", "InvalidRequest", signed().header("authorization", &signed().value("authorization"))),
        ("two different", "InvalidRequest", signed().header("authorization", "AWS x:y")),
        ("header and query", "InvalidArgument", both),
        ("session token", "InvalidToken", with("x-amz-security-token", "token")),
        ("empty session token", "InvalidToken", with("x-amz-security-token", "")),
        (
            "session token in query",
            "InvalidToken",
            owner().presign(put().query("X-Amz-Security-Token", "token")),
        ),
        ("session token of nobody", "InvalidToken", put().header("x-amz-security-token", "token")),
        ("no signature", "AuthorizationHeaderMalformed", edited(", Signature=", ", ")),
        ("no signed headers", "AuthorizationHeaderMalformed", edited("SignedHeaders=", "Headers=")),
        ("no credential", "AuthorizationHeaderMalformed", edited("Credential=", "")),
        ("another field", "AuthorizationHeaderMalformed", edited("Signature=", "More=1, Signature=")),
        ("empty signature", "AuthorizationHeaderMalformed", edited("Signature=", "Signature=, ")),
        (
            "short signature",
            "AuthorizationHeaderMalformed",
            signed().set("authorization", &signed().value("authorization")[..100]),
        ),
        ("forged signature", "SignatureDoesNotMatch", {
            let value = signed().value("authorization");
            let start = value.len() - 64;
            signed().set("authorization", &format!("{}{FORGED}", &value[..start]))
        }),
        ("signature in upper case", "AuthorizationHeaderMalformed", {
            let value = signed().value("authorization");
            let start = value.len() - 64;
            signed().set("authorization", &format!("{}{}", &value[..start], "A".repeat(64)))
        }),
    ])
    .await;
}

#[tokio::test]
async fn scopes_and_dates_that_are_wrong() {
    let put = || put(b"content");
    let date = signed().value("x-amz-date");
    let far_date = format!("{}X{}", &date[..8], &date[9..]);
    all_are_refused(vec![
        ("other service", "AuthorizationHeaderMalformed", by(|signer| signer.service = "sqs".into())),
        ("sts", "AuthorizationHeaderMalformed", by(|signer| signer.service = "sts".into())),
        ("other end", "AuthorizationHeaderMalformed", by(|signer| signer.end = "aws5_request".into())),
        ("no region", "AuthorizationHeaderMalformed", by(|signer| signer.region = String::new())),
        ("longer scope", "AuthorizationHeaderMalformed", by(|signer| signer.end = "aws4_request/x".into())),
        ("scope of another day", "AuthorizationHeaderMalformed", by(|signer| signer.day = "20130524".into())),
        ("scope without a day", "AuthorizationHeaderMalformed", by(|signer| signer.day = String::new())),
        ("no date", "AccessDenied", signed().without("x-amz-date")),
        ("date in another form", "AuthorizationHeaderMalformed", by(|signer| signer.date = far_date.clone())),
        (
            "date of another month",
            "AuthorizationHeaderMalformed",
            by(|signer| signer.date = "20131324T000000Z".into()),
        ),
        (
            "a day that is none",
            "InvalidRequest",
            by(|signer| {
                signer.date = "20130230T000000Z".into();
                signer.day = "20130230".into();
            }),
        ),
        ("two dates", "InvalidRequest", {
            let twice = put().header("x-amz-date", &date);
            Signer { date: date.clone(), day: date[..8].into(), ..owner() }.header(twice)
        }),
        ("16 minutes ago", "RequestTimeTooSkewed", owner_at(-16 * 60).header(put())),
        ("16 minutes ahead", "RequestTimeTooSkewed", owner_at(16 * 60).header(put())),
        (
            "years ago",
            "RequestTimeTooSkewed",
            by(|signer| {
                signer.date = "20130524T000000Z".into();
                signer.day = "20130524".into();
            }),
        ),
    ])
    .await;
}

#[tokio::test]
async fn signatures_that_do_not_cover_the_request() {
    let leaving_out = |name: &str| Signer { unsigned: vec![name.into()], ..owner() };
    let put = || put(b"content");
    all_are_refused(vec![
        ("another key", "SignatureDoesNotMatch", Draft { path: "/bucket/other".into(), ..signed() }),
        ("another bucket", "SignatureDoesNotMatch", Draft { path: "/bucket2/key".into(), ..signed() }),
        (
            "another method",
            "SignatureDoesNotMatch",
            Draft { method: Method::GET, ..owner().header(Draft::new(Method::PUT, "/bucket/key")) },
        ),
        ("a parameter more", "SignatureDoesNotMatch", signed().query("x-id", "PutObject")),
        (
            "a parameter more, presigned",
            "SignatureDoesNotMatch",
            presigned().query("partNumber", "1").query("uploadId", "1"),
        ),
        ("another host", "SignatureDoesNotMatch", signed().set("host", "127.0.0.1:9001")),
        ("another date", "SignatureDoesNotMatch", signed().set("x-amz-date", &crate::signer::date_in(-1))),
        ("another region", "SignatureDoesNotMatch", edited("/fr1/", "/us-east-1/")),
        ("another hash", "SignatureDoesNotMatch", signed().set("x-amz-content-sha256", EMPTY_SHA256)),
        (
            "another type",
            "SignatureDoesNotMatch",
            owner().header(put().header("content-type", "text/plain")).set("content-type", "text/html"),
        ),
        ("metadata added", "AccessDenied", signed().header("x-amz-meta-a", "b")),
        ("metadata changed", "SignatureDoesNotMatch", with("x-amz-meta-a", "b").set("x-amz-meta-a", "c")),
        ("access list added", "AccessDenied", signed().header("x-amz-acl", "private")),
        ("copy source added", "AccessDenied", signed().header("x-amz-copy-source", "/bucket/secret")),
        (
            "copy source added to presigned",
            "AccessDenied",
            presigned().header("x-amz-copy-source", "/bucket/secret"),
        ),
        ("metadata added to presigned", "AccessDenied", presigned().header("x-amz-meta-a", "b")),
        ("checksum added", "AccessDenied", signed().header("x-amz-checksum-crc32", "AAAAAA==")),
        ("hash not signed", "AccessDenied", leaving_out("x-amz-content-sha256").header(put())),
        ("date not signed", "AccessDenied", leaving_out("x-amz-date").header(put())),
        ("host not signed", "AccessDenied", leaving_out("host").header(put())),
        ("host not signed in query", "AccessDenied", leaving_out("host").presign(put())),
        ("a signed header is absent", "AccessDenied", edited("x-amz-date,", "x-amz-date;x-amz-acl,")),
        ("a signed header in upper case", "AccessDenied", edited("=content-length", "=Content-Length")),
        ("a signed header twice", "AccessDenied", edited("host;", "host;host;")),
        ("an empty signed header", "AccessDenied", edited("host;", "host;;")),
        ("no names", "AccessDenied", {
            let value = signed().value("authorization");
            let (head, tail) = value.split_once("SignedHeaders=").unwrap();
            let (_, tail) = tail.split_once(',').unwrap();
            signed().set("authorization", &format!("{head}SignedHeaders=,{tail}"))
        }),
    ])
    .await;
}

#[tokio::test]
async fn a_signed_header_that_is_not_utf_8() {
    let value = signed().value("authorization").replacen("x-amz-date,", "x-amz-date;x-amz-meta-a,", 1);
    let mut request = signed().set("authorization", &value).build();
    request.headers_mut().insert("x-amz-meta-a", http::HeaderValue::from_bytes(b"\xe9").unwrap());
    let memory = Memory::default();
    assert_eq!(send(&memory, request).await.code, "InvalidArgument");
    assert!(memory.is_untouched());
}

#[tokio::test]
async fn presigned_requests_that_are_not_in_order() {
    const WRONG: &str = "AuthorizationQueryParametersError";
    let expires = |value: &str| presigned_by(|signer| signer.expires = value.into());
    let late = |seconds| owner_at(seconds).presign(put(b"content"));
    all_are_refused(vec![
        ("wrong secret", "SignatureDoesNotMatch", forger().presign(put(b"content"))),
        ("expired", "AccessDenied", late(-61)),
        ("from the future", "RequestTimeTooSkewed", late(16 * 60)),
        ("valid for nothing", WRONG, expires("0")),
        ("negative", WRONG, expires("-1")),
        ("a week and a second", WRONG, expires("604801")),
        ("ages", WRONG, expires("4294967295")),
        ("more than fits", WRONG, expires("99999999999999999999")),
        ("no number", WRONG, expires("soon")),
        ("a fraction", WRONG, expires("1.5")),
        ("with a sign", WRONG, expires("+60")),
        ("empty", WRONG, expires("")),
        ("with a space", WRONG, expires(" 60")),
        ("other algorithm", WRONG, presigned_by(|signer| signer.algorithm = "AWS4-NONE".into())),
        ("other service", WRONG, presigned_by(|signer| signer.service = "sts".into())),
        ("other end", WRONG, presigned_by(|signer| signer.end = "aws4".into())),
        ("no region", WRONG, presigned_by(|signer| signer.region = String::new())),
        ("scope of another day", WRONG, presigned_by(|signer| signer.day = "20130524".into())),
        ("date in another form", WRONG, presigned_by(|signer| signer.date = "2013-05-24".into())),
    ])
    .await;
}

#[tokio::test]
async fn presigned_requests_that_were_changed() {
    const WRONG: &str = "AuthorizationQueryParametersError";
    all_are_refused(vec![
        ("forged signature", "SignatureDoesNotMatch", presigned().set_query("X-Amz-Signature", FORGED)),
        ("short signature", WRONG, presigned().set_query("X-Amz-Signature", "0")),
        ("longer validity", "SignatureDoesNotMatch", presigned().set_query("X-Amz-Expires", "61")),
        ("another key", "SignatureDoesNotMatch", Draft { path: "/bucket/other".into(), ..presigned() }),
        (
            "another method",
            "SignatureDoesNotMatch",
            Draft { method: Method::DELETE, ..owner().presign(get()) },
        ),
        (
            "in chunks",
            "NotImplemented",
            owner().presign(
                put(b"content").header("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            ),
        ),
        (
            "another hash",
            "XAmzContentSHA256Mismatch",
            owner().presign(put(b"content").header("x-amz-content-sha256", EMPTY_SHA256)),
        ),
        (
            "parameter twice",
            "InvalidRequest",
            owner().presign(put(b"content").query("x-amz-meta-a", "b").query("X-Amz-Meta-A", "c")),
        ),
        (
            "in the query and a header",
            "InvalidRequest",
            owner().presign(put(b"content").query("x-amz-meta-a", "b").header("x-amz-meta-a", "c")),
        ),
        ("parameter without a signature", "InvalidArgument", put(b"content").query("x-amz-meta-a", "b")),
        (
            "SSE-C in the query",
            "NotImplemented",
            owner().presign(put(b"content").query("x-amz-server-side-encryption-customer-key", "k")),
        ),
    ])
    .await;
}

#[tokio::test]
async fn presigned_requests_that_lack_a_parameter_or_repeat_it() {
    const WRONG: &str = "AuthorizationQueryParametersError";
    let mut cases: Vec<Case> = Vec::new();
    for name in [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
    ] {
        let value = presigned().query.iter().find(|(other, _)| other == name).unwrap().1.clone();
        cases.push(("missing", WRONG, presigned().without_query(name)));
        cases.push(("twice", WRONG, presigned().query(name, &value)));
        cases.push((
            "lower case",
            WRONG,
            presigned().without_query(name).query(&name.to_ascii_lowercase(), &value),
        ));
        cases.push(("alone", WRONG, put(b"content").query(name, &value)));
    }
    all_are_refused(cases).await;
}

#[tokio::test]
async fn payloads_that_are_announced_wrongly() {
    let put = || put(b"content");
    let sign = |draft: Draft| owner().header(draft);
    let hash = |value: &str| sign(put().header("x-amz-content-sha256", value));
    all_are_refused(vec![
        (
            "no hash",
            "InvalidRequest",
            signed()
                .without("x-amz-content-sha256")
                .set("authorization", &signed().value("authorization").replace("x-amz-content-sha256;", "")),
        ),
        ("empty hash", "InvalidArgument", hash("")),
        ("unknown", "InvalidArgument", hash("STREAMING-SOMETHING")),
        ("short hash", "InvalidArgument", hash("e3b0c442")),
        ("hash in upper case", "InvalidArgument", hash(&EMPTY_SHA256.to_ascii_uppercase())),
        ("ECDSA chunks", "NotImplemented", hash("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")),
        ("wrong hash", "XAmzContentSHA256Mismatch", hash(EMPTY_SHA256)),
        (
            "two hashes",
            "InvalidRequest",
            sign(
                put()
                    .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
                    .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
            ),
        ),
        ("no length", "MissingContentLength", sign(put().without("content-length"))),
        ("length and encoding", "InvalidRequest", sign(put().header("transfer-encoding", "chunked"))),
        ("length is no number", "InvalidArgument", sign(put().set("content-length", "7x"))),
        ("negative length", "InvalidArgument", sign(put().set("content-length", "-7"))),
        ("two lengths", "InvalidRequest", sign(put().header("content-length", "7"))),
        ("too large", "EntityTooLarge", sign(put().set("content-length", "5368709121"))),
        ("shorter than announced", "IncompleteBody", sign(put().set("content-length", "8"))),
        ("longer than announced", "InvalidRequest", sign(put().set("content-length", "6"))),
    ])
    .await;
}

#[tokio::test]
async fn chunks_that_are_announced_wrongly() {
    let put = || put(b"content");
    let sign = |draft: Draft| owner().header(draft);
    let chunked = || owner().chunked(put(), &[b"content"], None);
    let streaming = |change: fn(Draft) -> Draft| {
        let draft = put().header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
        owner().header(change(draft))
    };
    all_are_refused(vec![
        (
            "chunks of nobody",
            "NotImplemented",
            put().header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ),
        (
            "chunks for a copy",
            "NotImplemented",
            sign(
                Draft::new(Method::PUT, "/bucket/key")
                    .header("x-amz-copy-source", "/b/k")
                    .header("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            ),
        ),
        (
            "no decoded length",
            "MissingContentLength",
            sign(
                chunked()
                    .without("x-amz-decoded-content-length")
                    .without("authorization")
                    .without("x-amz-date"),
            ),
        ),
        (
            "decoded length is no number",
            "InvalidArgument",
            streaming(|draft| {
                draft
                    .header("x-amz-decoded-content-length", "5abc")
                    .header("x-amz-trailer", "x-amz-checksum-crc32")
            }),
        ),
        (
            "decoded length too large",
            "EntityTooLarge",
            streaming(|draft| {
                draft
                    .header("x-amz-decoded-content-length", "5368709121")
                    .header("x-amz-trailer", "x-amz-checksum-crc32")
            }),
        ),
    ])
    .await;
}

#[tokio::test]
async fn trailers_and_documents_that_are_announced_wrongly() {
    let put = || put(b"content");
    let sign = |draft: Draft| owner().header(draft);
    let streaming = |change: fn(Draft) -> Draft| {
        let draft = put().header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
        owner().header(change(draft))
    };
    all_are_refused(vec![
        (
            "no trailer announced",
            "InvalidRequest",
            streaming(|draft| draft.header("x-amz-decoded-content-length", "7")),
        ),
        (
            "unknown trailer",
            "InvalidRequest",
            streaming(|draft| {
                draft.header("x-amz-decoded-content-length", "7").header("x-amz-trailer", "x-amz-meta-a")
            }),
        ),
        (
            "two trailers",
            "InvalidRequest",
            streaming(|draft| {
                draft
                    .header("x-amz-decoded-content-length", "7")
                    .header("x-amz-trailer", "x-amz-checksum-crc32,x-amz-checksum-sha1")
            }),
        ),
        (
            "a body for a GET",
            "InvalidRequest",
            sign(Draft { body: b"x".to_vec(), ..get() }.header("content-length", "1")),
        ),
        (
            "a document too long",
            "MaxMessageLengthExceeded",
            sign(Draft::new(Method::POST, "/bucket").query("delete", "").header("content-length", "8388609")),
        ),
    ])
    .await;
}

#[tokio::test]
async fn headers_that_are_not_offered() {
    let mut cases: Vec<Case> = Vec::new();
    for (name, value) in [
        ("x-amz-acl", "public-read"),
        ("x-amz-grant-read", "uri=everyone"),
        ("x-amz-grant-full-control", "id=me"),
    ] {
        cases.push((name, "AccessControlListNotSupported", with(name, value)));
    }
    for (name, value) in [
        ("x-amz-server-side-encryption", "aws:kms:dsse"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "key"),
        ("x-amz-server-side-encryption-context", "e30="),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-server-side-encryption-customer-key", "key"),
        ("x-amz-storage-class", "GLACIER"),
        ("x-amz-website-redirect-location", "/"),
        ("x-amz-source-expected-bucket-owner", "1"),
        ("x-amz-mfa", "1 2"),
        ("x-amz-bypass-governance-retention", "true"),
        ("x-amz-write-offset-bytes", "7"),
        ("x-amz-something-new", "1"),
        ("x-amz-metadata-directive", "COPY"),
        ("content-range", "bytes 0-6/7"),
        ("if-range", "\"tag\""),
    ] {
        cases.push((name, "NotImplemented", with(name, value)));
    }
    cases.push(("no host", "InvalidRequest", put(b"content").without("host")));
    let two_hosts = owner().header(put(b"content").header("host", "127.0.0.1:9000"));
    cases.push(("two hosts", "InvalidRequest", two_hosts));
    all_are_refused(cases).await;
}

#[tokio::test]
async fn operations_that_are_not_offered() {
    let sign = |draft: Draft| owner().header(draft);
    let mut cases: Vec<Case> = Vec::new();
    for parameter in ["attributes", "torrent", "restore", "versionId", "renameObject"] {
        cases.push((parameter, "NotImplemented", sign(put(b"content").query(parameter, ""))));
    }
    for parameter in ["analytics", "inventory", "metrics", "session", "metadataTable", "intelligent-tiering"]
    {
        cases.push((
            parameter,
            "NotImplemented",
            sign(Draft::new(Method::GET, "/bucket").query(parameter, "")),
        ));
    }
    all_are_refused(cases).await;
}

#[tokio::test]
async fn requests_that_make_no_sense_or_ask_for_more() {
    let sign = |draft: Draft| owner().header(draft);
    let form = Draft::with_body(Method::POST, "/bucket", "a")
        .header("content-type", "Multipart/Form-Data; boundary=x");
    all_are_refused(vec![
        ("a form", "NotImplemented", form.clone()),
        ("a form beside a signature", "InvalidArgument", sign(form)),
        ("a preflight", "NotImplemented", Draft::new(Method::OPTIONS, "/bucket/key")),
        ("sts", "NotImplemented", Draft::new(Method::POST, "/").query("Action", "AssumeRoleWithWebIdentity")),
        ("replication", "NotImplemented", sign(Draft::new(Method::PUT, "/bucket").query("replication", ""))),
        ("website", "NotImplemented", sign(Draft::new(Method::PUT, "/bucket").query("website", ""))),
        (
            "two things at once",
            "NotImplemented",
            sign(Draft::new(Method::GET, "/bucket").query("policy", "").query("acl", "")),
        ),
        (
            "wrong case",
            "InvalidArgument",
            sign(put(b"content").query("uploadid", "1").query("partnumber", "1")),
        ),
        (
            "wrong listing",
            "InvalidArgument",
            sign(Draft::new(Method::GET, "/bucket").query("list-type", "3")),
        ),
        (
            "wrong encoding",
            "InvalidArgument",
            sign(Draft::new(Method::GET, "/bucket").query("encoding-type", "x")),
        ),
        (
            "twice",
            "InvalidArgument",
            sign(Draft::new(Method::GET, "/bucket").query("prefix", "a").query("prefix", "b")),
        ),
        (
            "two ranges",
            "InvalidRequest",
            sign(
                Draft::new(Method::GET, "/bucket/key")
                    .header("range", "bytes=0-1")
                    .header("range", "bytes=2-3"),
            ),
        ),
        (
            "two checksums",
            "InvalidRequest",
            sign(
                put(b"content")
                    .header("x-amz-checksum-crc32", "AAAAAA==")
                    .header("x-amz-checksum-crc32", "AAAAAA=="),
            ),
        ),
        ("an empty checksum", "InvalidArgument", with("x-amz-checksum-sha256", "")),
        (
            "no md5",
            "InvalidDigest",
            sign(
                Draft { body: b"<a/>".to_vec(), ..Draft::new(Method::POST, "/bucket") }
                    .query("delete", "")
                    .header("content-length", "4")
                    .header("content-md5", "!"),
            ),
        ),
    ])
    .await;
}

#[tokio::test]
async fn an_answer_names_its_request() {
    let memory = Memory::default();
    let answer = send(&memory, put(b"").header("authorization", "").build()).await;
    let id = answer.body.split_once("<RequestId>").unwrap().1.split_once("</RequestId>").unwrap().0;
    assert_eq!(id.len(), 16);
}
