//! Names that no bucket and no key can have.

use http::Method;
use nuee_testkit::signer::Draft;

use super::{Bench, Case, Code, case};

#[test]
fn bucket_names_that_cannot_be() {
    let bench = Bench::start();
    let too_long = "b".repeat(64);
    let names = [
        "ab",
        "Upper",
        "under_score",
        "-dash",
        "dash-",
        ".dot",
        "dot.",
        "two..dots",
        "10.0.0.1",
        "xn--name",
        "name-s3alias",
        "%20space",
        "caf%C3%A9",
        "%00",
        "..",
        "%2e%2e",
        &too_long,
    ];
    let create = |name: &str| bench.signed(Draft::put(&format!("/{name}"), ""));
    let cases = names.iter().map(|name| case(*name, &create(name), Code("InvalidBucketName")));
    bench.refuse_all(cases.collect());
}

#[test]
fn buckets_that_do_not_exist() {
    let bench = Bench::start();
    let copy = Draft::put("/bucket/new", "").header("x-amz-copy-source", "/absent/kept");
    let drafts = [
        ("put", Draft::put("/absent/key", "content")),
        ("get", Draft::new(Method::GET, "/absent/key")),
        ("delete", Draft::new(Method::DELETE, "/absent/key")),
        ("list", Draft::new(Method::GET, "/absent")),
        ("begin", Draft::with_body(Method::POST, "/absent/key", "").query("uploads", "")),
        ("copy", copy),
    ];
    let cases = drafts.map(|(name, draft)| case(name, &bench.signed(draft), Code("NoSuchBucket")));
    bench.refuse_all(cases.into_iter().collect());
}

#[test]
fn keys_that_are_too_long_or_no_text() {
    let bench = Bench::start();
    let mut cases: Vec<Case> = Vec::new();
    let keys = [
        ("1,025 bytes", "k".repeat(1_025), "KeyTooLongError"),
        ("1,026 bytes of 513 letters", "%C3%A9".repeat(513), "KeyTooLongError"),
        ("no UTF-8", "%FF%FE".to_owned(), "InvalidURI"),
        ("half a letter", "caf%C3".to_owned(), "InvalidURI"),
    ];
    for (name, key, code) in &keys {
        let path = format!("/bucket/{key}");
        let copy = Draft::put(&path, "").header("x-amz-copy-source", "/bucket/kept");
        let drafts = [
            ("put", Draft::put(&path, "content")),
            ("copy", copy),
            ("begin", Draft::with_body(Method::POST, &path, "").query("uploads", "")),
            ("get", Draft::new(Method::GET, &path)),
            ("delete", Draft::new(Method::DELETE, &path)),
        ];
        for (operation, draft) in drafts {
            cases.push(case(format!("{operation}, {name}"), &bench.signed(draft), Code(code)));
        }
    }
    bench.refuse_all(cases);
}

#[test]
fn uploads_that_do_not_exist() {
    let bench = Bench::start();
    let unknown = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let mut cases: Vec<Case> = Vec::new();
    for id in [unknown, "x", "../../etc/passwd", "%00", &"u".repeat(2_000)] {
        let part = Draft::put("/bucket/parts", "x").query("partNumber", "1").query("uploadId", id);
        let complete = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>\
                        </CompleteMultipartUpload>";
        let drafts = [
            ("part", part),
            ("complete", Draft::with_body(Method::POST, "/bucket/parts", complete).query("uploadId", id)),
            ("abort", Draft::new(Method::DELETE, "/bucket/parts").query("uploadId", id)),
            ("list", Draft::new(Method::GET, "/bucket/parts").query("uploadId", id)),
        ];
        for (operation, draft) in drafts {
            cases.push(case(format!("{operation}, {id:.20}"), &bench.signed(draft), Code("NoSuchUpload")));
        }
    }
    let another = Draft::put("/bucket/other", "x").query("partNumber", "1").query("uploadId", &bench.upload);
    cases.push(case("the upload of another key", &bench.signed(another), Code("NoSuchUpload")));
    for number in ["0", "-1", "10001", "one", "1.5", "99999999999999999999"] {
        let draft =
            Draft::put("/bucket/parts", "x").query("partNumber", number).query("uploadId", &bench.upload);
        cases.push(case(format!("part {number}"), &bench.signed(draft), Code("InvalidArgument")));
    }
    bench.refuse_all(cases);
}
