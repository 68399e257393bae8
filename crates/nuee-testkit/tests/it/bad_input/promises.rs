//! Requests that ask for more than is offered, or promise what does not come: none is carried out without it.

use http::Method;
use nuee_testkit::signer::{Draft, sha256};

use super::{Bench, Code, case};

/// What S3 offers by a parameter and Nuée does not, and what nobody offers.
const PARAMETERS: &[&str] = &[
    "abac",
    "annotation",
    "annotationName",
    "attributes",
    "events",
    "id",
    "intelligent-tiering",
    "max-directory-buckets",
    "metadataInventoryTable",
    "object-lock",
    "renameObject",
    "restore",
    "torrent",
    "version-id-marker",
    "versions",
    "invented",
];

#[test]
fn a_parameter_that_is_not_offered_is_never_left_out() {
    let bench = Bench::start();
    let mut cases = Vec::new();
    for name in PARAMETERS {
        for draft in [
            Draft::put("/bucket/kept", "replaced"),
            Draft::new(Method::DELETE, "/bucket/kept"),
            Draft::new(Method::DELETE, "/bucket"),
        ] {
            let what = format!("{} {} with {name}", draft.method, draft.path);
            cases.push(case(what, &bench.signed(draft.query(name, "")), Code("NotImplemented")));
        }
    }
    bench.refuse_all(cases);
}

#[test]
fn hashes_and_announcements_that_are_not_kept() {
    let bench = Bench::start();
    let put = || Draft::put("/bucket/new", "content");
    let wrong = sha256(b"something else");
    let delete = || {
        let document = "<Delete><Object><Key>kept</Key></Object></Delete>";
        Draft::with_body(Method::POST, "/bucket", document).query("delete", "")
    };
    let hashed = |draft: Draft| bench.signed(draft.header("x-amz-content-sha256", &wrong));
    let sha1 = "DTz1+s7Nf4sthS0Tl8mZ8VeZXsA=";
    bench.refuse_all(vec![
        case("a document with another hash", &hashed(delete()), Code("XAmzContentSHA256Mismatch")),
        case(
            "nothing with a hash",
            &hashed(Draft::new(Method::DELETE, "/bucket/kept")),
            Code("XAmzContentSHA256Mismatch"),
        ),
        case(
            "an empty document with a hash",
            &hashed(Draft::put("/another", "")),
            Code("XAmzContentSHA256Mismatch"),
        ),
        case(
            "an empty document with an MD5",
            &bench.signed(Draft::put("/another", "").header("content-md5", "mgNkuembtIDdJeHwKEyFVQ==")),
            Code("BadDigest"),
        ),
        case(
            "a trailer without chunks",
            &bench.signed(put().header("x-amz-trailer", "x-amz-checksum-sha256")),
            Code("InvalidRequest"),
        ),
        case(
            "another decoded length",
            &bench.signed(put().header("x-amz-decoded-content-length", "3")),
            Code("InvalidRequest"),
        ),
        case(
            "another algorithm than announced",
            &bench.signed(
                put().header("x-amz-sdk-checksum-algorithm", "SHA256").header("x-amz-checksum-sha1", sha1),
            ),
            Code("InvalidRequest"),
        ),
        case(
            "a document without the checksum announced",
            &bench.signed(delete().header("x-amz-sdk-checksum-algorithm", "SHA256")),
            Code("InvalidRequest"),
        ),
        case(
            "a checksum with something after it",
            &bench.signed(put().header("x-amz-checksum-crc32", "AAAAAA==-!")),
            Code("InvalidRequest"),
        ),
    ]);
}

#[test]
fn buckets_are_not_made_otherwise_than_asked() {
    let bench = Bench::start();
    let create = |inner: &str| {
        let document = format!("<CreateBucketConfiguration>{inner}</CreateBucketConfiguration>");
        bench.signed(Draft::put("/another", document))
    };
    let encrypt = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256\
                   </SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule>\
                   </ServerSideEncryptionConfiguration>";
    bench.refuse_all(vec![
        case(
            "elsewhere",
            &create("<LocationConstraint>eu-west-1</LocationConstraint>"),
            Code("InvalidLocationConstraint"),
        ),
        case(
            "with a tag that is none",
            &create("<Tags><Tag><Key>aws:a</Key><Value>b</Value></Tag></Tags>"),
            Code("InvalidTag"),
        ),
        case("a document over 64 KiB", &create(&" ".repeat(64 << 10)), Code("MaxMessageLengthExceeded")),
        case(
            "with a bucket key",
            &bench.signed(Draft::with_body(Method::PUT, "/bucket", encrypt).query("encryption", "")),
            Code("NotImplemented"),
        ),
    ]);
}

#[test]
fn nothing_of_a_stranger_is_read() {
    let bench = Bench::start();
    // Were it read, the answer would wait for eight million bytes that do not come.
    let length = (8 << 20).to_string();
    let head = |draft: Draft| Draft { body: Vec::new(), ..draft.set("content-length", &length) };
    bench.refuse_all(vec![
        case(
            "a deletion",
            &head(Draft::with_body(Method::POST, "/bucket", "x").query("delete", "")),
            Code("AccessDenied"),
        ),
        case("an upload", &head(Draft::put("/bucket/new", "x")), Code("AccessDenied")),
        case(
            "a completion",
            &head(Draft::with_body(Method::POST, "/bucket/parts", "x").query("uploadId", &bench.upload)),
            Code("AccessDenied"),
        ),
    ]);
}
