//! Heads of requests: headers, ranges, dates and lengths that make no sense.

use http::Method;
use nuee_testkit::signer::{Draft, date_in};

use super::{Bench, Case, Code, Status, case, replace};

fn put() -> Draft {
    Draft::put("/bucket/new", "content")
}

fn raw(name: &str, bytes: Vec<u8>, expected: super::Expected) -> Case {
    Case { name: name.into(), bytes, expected, ends: false }
}

#[test]
fn headers_that_make_no_sense() {
    let bench = Bench::start();
    let with = |name: &str, value: &str| bench.signed(put().header(name, value));
    let twice = |name: &str, value: &str| bench.signed(put().header(name, value).header(name, value));
    let mark = "x-amz-meta-colour: MARK";
    let metadata =
        |value: &[u8]| replace(&with("x-amz-meta-colour", "MARK").to_bytes(), mark.as_bytes(), value);
    let authorization = bench.signed(put()).value("authorization");
    let many = (0..200).fold(put(), |draft, number| draft.header(&format!("x-amz-meta-{number}"), "x"));
    bench.refuse_all(vec![
        case(
            "Authorization twice",
            &bench.signed(put()).header("authorization", &authorization),
            Code("InvalidRequest"),
        ),
        case("x-amz-date twice", &twice("x-amz-date", &date_in(0)), Code("InvalidRequest")),
        case("Content-Type twice", &twice("content-type", "text/plain"), Code("InvalidRequest")),
        case("Content-MD5 twice", &twice("content-md5", "mgNkuembtIDdJeHwKEyFVQ=="), Code("InvalidRequest")),
        case("x-amz-acl twice", &twice("x-amz-acl", "private"), Code("InvalidRequest")),
        case("a header of 40 KiB", &with("x-amz-meta-large", &"x".repeat(40 << 10)), Status(431)),
        case("200 headers", &bench.signed(many), Status(431)),
        case("metadata of 3 KiB", &with("x-amz-meta-large", &"x".repeat(3 << 10)), Code("MetadataTooLarge")),
        raw("metadata that is no UTF-8", metadata(b"x-amz-meta-colour: \xff\xfe"), Code("InvalidArgument")),
        raw("a zero in a header", metadata(b"x-amz-meta-colour: a\0b"), Status(400)),
        raw("a header without a name", metadata(b": MARK"), Status(400)),
        raw("a header without a colon", metadata(b"x-amz-meta-colour MARK"), Status(400)),
        raw("a folded header", metadata(b"x-amz-meta-colour:\r\n MARK"), Status(400)),
        case("an unknown header of S3", &with("x-amz-invented", "x"), Code("NotImplemented")),
        case("a public object", &with("x-amz-acl", "public-read"), Code("AccessControlListNotSupported")),
        case("If-Match with what does not exist", &with("if-match", "\"x\""), Code("NoSuchKey")),
        case("If-Match with any", &with("if-match", "*"), Code("NoSuchKey")),
        raw("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), Status(400)),
        raw(
            "HTTP of the future",
            replace(&bench.signed(put()).to_bytes(), b"HTTP/1.1", b"HTTP/9.9"),
            Status(400),
        ),
        raw(
            "no host",
            replace(&bench.signed(put()).to_bytes(), b"host: 127.0.0.1:9000\r\n", b""),
            Code("AccessDenied"),
        ),
    ]);
}

#[test]
fn numbers_in_queries_that_are_none() {
    let bench = Bench::start();
    let list = |name: &str, value: &str| {
        bench.signed(Draft::new(Method::GET, "/bucket").query("list-type", "2").query(name, value))
    };
    let parts = |name: &str, value: &str| {
        let draft = Draft::new(Method::GET, "/bucket/parts").query("uploadId", &bench.upload);
        bench.signed(draft.query(name, value))
    };
    let mut cases = Vec::new();
    for value in ["-1", "one", "1.5", "99999999999999999999", "0x10", " 1"] {
        cases.push(case(format!("max-keys {value}"), &list("max-keys", value), Code("InvalidArgument")));
        cases.push(case(format!("max-parts {value}"), &parts("max-parts", value), Code("InvalidArgument")));
        let marker = parts("part-number-marker", value);
        cases.push(case(format!("part-number-marker {value}"), &marker, Code("InvalidArgument")));
    }
    cases.push(case("an invented token", &list("continuation-token", "%%%"), Code("InvalidArgument")));
    cases.push(case("an unknown encoding", &list("encoding-type", "rot13"), Code("InvalidArgument")));
    bench.refuse_all(cases);
}

#[test]
fn ranges_outside_or_without_sense() {
    let bench = Bench::start();
    let get = |range: &str| bench.signed(Draft::new(Method::GET, "/bucket/kept").header("range", range));
    let copy = |range: &str| {
        let draft = Draft::put("/bucket/parts", "").query("partNumber", "2").query("uploadId", &bench.upload);
        let draft = draft.header("x-amz-copy-source", "/bucket/kept");
        bench.signed(draft.header("x-amz-copy-source-range", range))
    };
    let mut cases = Vec::new();
    for range in ["bytes=12-", "bytes=99-100", "bytes=-0", "bytes=9223372036854775807-"] {
        cases.push(case(range, &get(range), Code("InvalidRange")));
    }
    for range in ["bytes=5-2", "bytes=0-12", "bytes=12-12"] {
        cases.push(case(format!("copy of {range}"), &copy(range), Code("InvalidRange")));
    }
    for range in ["bytes=x-y", "bytes=-3", "bytes=0-", "0-1", "bytes=0-1,3-4", ""] {
        cases.push(case(format!("copy of {range:?}"), &copy(range), Code("InvalidArgument")));
    }
    bench.refuse_all(cases);
}

#[test]
fn dates_that_are_skewed_or_malformed() {
    let bench = Bench::start();
    let at = |seconds: i64| bench.signer.at(seconds);
    let dated = |date: &str| {
        let mut signer = bench.signer.clone();
        signer.date = date.to_owned();
        signer.header(put())
    };
    let lasting = |expires: &str, seconds: i64| {
        let mut signer = at(seconds);
        signer.expires = expires.to_owned();
        signer.presign(put())
    };
    let mut cases = vec![
        case("16 minutes ago", &at(-16 * 60).header(put()), Code("RequestTimeTooSkewed")),
        case("in 16 minutes", &at(16 * 60).header(put()), Code("RequestTimeTooSkewed")),
        case("in 1970", &dated("19700101T000000Z"), Code("AuthorizationHeaderMalformed")),
        case("presigned, expired", &lasting("60", -61), Code("AccessDenied")),
        case("presigned in the future", &lasting("60", 16 * 60), Code("RequestTimeTooSkewed")),
    ];
    let day = &date_in(0)[..8];
    for date in ["", "yesterday", "20260230T000000Z", day, "2026-11-23T10:00:00Z"] {
        cases.push(case(format!("dated {date:?}"), &dated(date), Code("AuthorizationHeaderMalformed")));
    }
    for time in ["T250000Z", "T236000Z", "T235961Z"] {
        cases.push(case(time, &dated(&format!("{day}{time}")), Code("InvalidRequest")));
    }
    for expires in ["604801", "-1", "0", "one", "1.5", "99999999999999999999", ""] {
        let code = Code("AuthorizationQueryParametersError");
        cases.push(case(format!("presigned for {expires:?}"), &lasting(expires, 0), code));
    }
    for header in ["if-modified-since", "if-unmodified-since"] {
        for date in ["yesterday", "Mon, 99 Jan 2024 00:00:00 GMT"] {
            let draft = Draft::new(Method::GET, "/bucket/kept").header(header, date);
            cases.push(case(format!("{header}: {date}"), &bench.signed(draft), Code("InvalidArgument")));
        }
    }
    bench.refuse_all(cases);
}
