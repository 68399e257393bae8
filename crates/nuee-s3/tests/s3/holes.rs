//! What `s3s` 0.14.1 lets pass, and the filter does not. When one of these goes red because `s3s` alone refuses too, the
//! filter's rule can be looked at again.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use nuee_base::Principal;

use crate::{
    memory::{Answer, Memory, send, send_to_s3s_alone},
    signer::{ACCESS_KEY, Build, Draft, SECRET, Signer, owner, owner_at, put},
};

/// Sends the same request to `s3s` alone, and through the filter, which must refuse it with `code`.
async fn compare(draft: &Draft, code: &str) -> (Memory, Answer) {
    let (alone, filtered) = (Memory::default(), Memory::default());
    let answer = send_to_s3s_alone(&alone, draft.build()).await;
    let refused = send(&filtered, draft.build()).await;
    assert_eq!(refused.code, code, "{refused:?}");
    assert!(filtered.is_untouched(), "a refused request reached a handler");
    (alone, answer)
}

fn hmac_sha1(text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET.as_bytes());
    STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

#[tokio::test]
async fn signature_version_2_in_a_header() {
    let date = "Tue, 27 Mar 2007 19:36:42 +0000";
    let signature = hmac_sha1(&format!("PUT\n\n\n{date}\n/bucket/key"));
    let draft =
        put(b"old").header("date", date).header("authorization", &format!("AWS {ACCESS_KEY}:{signature}"));
    let (alone, answer) = compare(&draft, "InvalidRequest").await;
    assert!(answer.status.is_success(), "{answer:?}");
    assert_eq!(alone.object("key").unwrap(), b"old");
}

#[tokio::test]
async fn signature_version_2_in_the_query() {
    let signature = hmac_sha1("PUT\n\n\n4102444800\n/bucket/key");
    let draft = put(b"old")
        .query("AWSAccessKeyId", ACCESS_KEY)
        .query("Expires", "4102444800")
        .query("Signature", &signature);
    let (alone, answer) = compare(&draft, "InvalidRequest").await;
    assert!(answer.status.is_success(), "{answer:?}");
    assert_eq!(alone.object("key").unwrap(), b"old");
}

#[tokio::test]
async fn a_copy_source_added_to_a_presigned_put() {
    let draft = owner().presign(put(b"")).header("x-amz-copy-source", "/other/secret");
    let (alone, answer) = compare(&draft, "AccessDenied").await;
    assert!(answer.status.is_success(), "{answer:?}");
    assert_eq!(alone.last_call().unwrap().0, "CopyObject");
}

#[tokio::test]
async fn a_header_of_s3_added_to_a_signed_request() {
    let draft = owner().header(put(b"x")).header("x-amz-meta-added", "by somebody else");
    let (_, answer) = compare(&draft, "AccessDenied").await;
    assert!(answer.status.is_success(), "{answer:?}");
}

#[tokio::test]
async fn two_authorization_headers() {
    let signed = owner().header(put(b"x"));
    let draft = signed.clone().header("authorization", &signed.value("authorization"));
    let (alone, answer) = compare(&draft, "InvalidRequest").await;
    assert!(answer.status.is_success(), "{answer:?}");
    assert_eq!(alone.last_call().unwrap().1, Some(Principal::Anonymous));
}

#[tokio::test]
async fn an_authorization_header_that_is_no_text() {
    let mut request = owner().header(put(b"x")).build();
    let value = http::HeaderValue::from_bytes(b"AWS4-HMAC-SHA256 \xff").unwrap();
    request.headers_mut().insert("authorization", value);
    let alone = Memory::default();
    assert!(send_to_s3s_alone(&alone, request.clone()).await.status.is_success());
    assert_eq!(alone.last_call().unwrap().1, Some(Principal::Anonymous));
    let filtered = Memory::default();
    assert_eq!(send(&filtered, request).await.code, "AuthorizationHeaderMalformed");
    assert!(filtered.is_untouched());
}

#[tokio::test]
async fn a_signature_in_the_query_spelled_otherwise() {
    let draft = put(b"x").query("x-amz-signature", &"0".repeat(64)).query("x-amz-credential", "anything");
    let (alone, answer) = compare(&draft, "AuthorizationQueryParametersError").await;
    assert!(answer.status.is_success(), "{answer:?}");
    assert_eq!(alone.last_call().unwrap().1, Some(Principal::Anonymous));
}

#[tokio::test]
async fn a_presigned_request_for_more_than_a_week() {
    let signer = Signer { expires: "604801".into(), ..owner_at(-60) };
    let (alone, answer) = compare(&signer.presign(put(b"x")), "AuthorizationQueryParametersError").await;
    assert!(answer.status.is_success(), "{answer:?}");
    assert!(alone.object("key").is_some());
}

#[tokio::test]
async fn an_algorithm_that_is_not_the_one_that_is_checked() {
    let signer = Signer { algorithm: "AWS4-NONE".into(), ..owner() };
    let (alone, answer) = compare(&signer.header(put(b"x")), "InvalidArgument").await;
    assert!(answer.status.is_success(), "{answer:?}");
    assert!(alone.object("key").is_some());
}

#[tokio::test]
async fn a_signed_header_that_is_not_there() {
    let signed = owner().header(put(b"x"));
    let value = signed.value("authorization").replace("x-amz-date,", "x-amz-date;x-amz-acl,");
    let (_, answer) = compare(&signed.set("authorization", &value), "AccessDenied").await;
    assert!(answer.status.is_success(), "{answer:?}");
}

#[tokio::test]
async fn the_host_outside_the_signature() {
    let signer = Signer { unsigned: vec!["host".into()], ..owner() };
    let (_, answer) = compare(&signer.header(put(b"x")), "AccessDenied").await;
    assert!(answer.status.is_success(), "{answer:?}");
}

#[tokio::test]
async fn a_credential_for_sts() {
    let signer = Signer { service: "sts".into(), ..owner() };
    let (_, answer) = compare(&signer.header(put(b"x")), "AuthorizationHeaderMalformed").await;
    assert!(answer.status.is_success(), "{answer:?}");
}

#[tokio::test]
async fn chunks_of_nobody_stored_with_their_framing() {
    let draft =
        put(b"1\r\nx\r\n0\r\n\r\n").header("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    let (alone, _) = compare(&draft, "NotImplemented").await;
    assert_eq!(alone.object("key").unwrap(), draft.body);
}

#[tokio::test]
async fn headers_that_would_be_ignored_in_a_presigned_query() {
    let draft = owner().presign(put(b"x").query("X-Amz-Acl", "public-read"));
    let (_, answer) = compare(&draft, "AccessControlListNotSupported").await;
    assert!(answer.status.is_success(), "{answer:?}");
}

#[tokio::test]
async fn a_document_with_a_cdata_section_names_another_object() {
    let document = "<Delete><Object><Key>key<![CDATA[-of-somebody-else]]></Key></Object></Delete>";
    let draft = Draft { body: document.into(), ..Draft::new(Method::POST, "/bucket") }
        .query("delete", "")
        .header("content-length", &document.len().to_string());
    let draft = owner().header(draft);
    let (alone, answer) = compare(&draft, "MalformedXML").await;
    assert!(answer.status.is_success(), "{answer:?}");
    assert_eq!(alone.last_call().unwrap().0, "DeleteObjects");
}

#[tokio::test]
async fn a_document_with_a_wrong_checksum() {
    for (name, value) in [
        ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
        ("x-amz-checksum-crc32", "AAAAAA=="),
        ("x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
    ] {
        wrong_checksum(name, value).await;
    }
}

async fn wrong_checksum(name: &str, value: &str) {
    let document = "<Delete><Object><Key>key</Key></Object></Delete>";
    let draft = Draft { body: document.into(), ..Draft::new(Method::POST, "/bucket") }
        .query("delete", "")
        .header("content-length", &document.len().to_string())
        .header(name, value);
    let (_, answer) = compare(&owner().header(draft), "BadDigest").await;
    assert!(answer.status.is_success(), "{answer:?}");
}

#[tokio::test]
async fn chunks_that_stop_early() {
    let pieces: [&[u8]; 2] = [b"the first chunk", b"the second chunk"];
    let mut draft = owner().chunked(put(b""), &pieces, None);
    let second = draft.body.windows(3).position(|window| window == b"10;").unwrap();
    draft.body.truncate(second);
    let alone = Memory::default();
    assert!(send_to_s3s_alone(&alone, draft.build()).await.status.is_success());
    assert_eq!(alone.object("key").unwrap(), pieces[0]);
    let filtered = Memory::default();
    assert_eq!(send(&filtered, draft.build()).await.code, "IncompleteBody");
    assert!(filtered.is_untouched());
}

#[tokio::test]
async fn a_document_without_a_length_that_is_too_long() {
    let memory = Memory::default();
    let draft =
        Draft { body: vec![b' '; (8 << 20) + 1], ..Draft::new(Method::POST, "/bucket") }.query("delete", "");
    let answer = send(&memory, owner().presign(draft).build()).await;
    assert_eq!(answer.code, "MaxMessageLengthExceeded", "{answer:?}");
    assert!(memory.is_untouched());
}
