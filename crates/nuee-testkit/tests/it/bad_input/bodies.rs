//! Bodies that are not what was announced: their length, their digests, their pace.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use nuee_testkit::signer::Draft;

use super::{Bench, Case, Code, Status, case, replace};

/// Longer than what is held in memory, so that its writing begins before its end is known.
const LARGE: usize = 400 << 10;

const ALGORITHMS: [(&str, usize); 5] = [
    ("x-amz-checksum-crc32", 4),
    ("x-amz-checksum-crc32c", 4),
    ("x-amz-checksum-crc64nvme", 8),
    ("x-amz-checksum-sha1", 20),
    ("x-amz-checksum-sha256", 32),
];

fn put(body: impl Into<Vec<u8>>) -> Draft {
    Draft::put("/bucket/new", body)
}

fn part(bench: &Bench, body: impl Into<Vec<u8>>) -> Draft {
    Draft::put("/bucket/parts", body).query("partNumber", "1").query("uploadId", &bench.upload)
}

#[test]
fn lengths_that_are_wrong() {
    let bench = Bench::start();
    let announced = |length: &str| bench.signed(put("content").set("content-length", length));
    let chunked = bench.signed(put("").without("content-length").header("transfer-encoding", "chunked"));
    let both = bench.signed(put("content").header("transfer-encoding", "chunked"));
    let twice = put("content").header("content-length", "8");
    let decoded = |length: &str| {
        let draft =
            bench.signer.unsigned_chunks(put(""), &[b"content"], ("x-amz-checksum-crc32", "AAAAAA=="));
        let draft = draft.without("authorization").without("x-amz-date");
        bench.signed(draft.set("x-amz-decoded-content-length", length))
    };
    let five_gib = ((5_u64 << 30) + 1).to_string();
    bench.refuse_all(vec![
        case("no length", &bench.signed(put("").without("content-length")), Code("MissingContentLength")),
        case("chunks of HTTP without a length", &chunked, Code("MissingContentLength")),
        case("a negative length", &announced("-1"), Status(400)),
        case("a length that is no number", &announced("seven"), Status(400)),
        case("a length with a sign", &announced("+7"), Status(400)),
        case("a length over all numbers", &announced("99999999999999999999"), Status(400)),
        case("over 5 GiB", &announced(&five_gib), Code("EntityTooLarge")),
        case(
            "a part over 5 GiB",
            &bench.signed(part(&bench, "").set("content-length", &five_gib)),
            Code("EntityTooLarge"),
        ),
        case("two lengths", &bench.signed(twice), Status(400)),
        case("a length and chunks", &both, Code("AccessDenied")),
        case("no decoded length", &decoded("seven"), Code("InvalidArgument")),
        case("a negative decoded length", &decoded("-1"), Code("InvalidArgument")),
        case("a decoded length over 5 GiB", &decoded(&five_gib), Code("EntityTooLarge")),
        case("a decoded length that is too long", &decoded("8"), Code("IncompleteBody")),
        case("a decoded length that is too short", &decoded("6"), Code("InvalidRequest")),
        case(
            "a body where none belongs",
            &bench.signed(Draft::with_body(Method::DELETE, "/bucket/kept", "x")),
            Code("InvalidRequest"),
        ),
    ]);
}

#[test]
fn bodies_that_stop_or_stall() {
    let bench = Bench::start();
    let mut cases: Vec<Case> = Vec::new();
    for (size, ends) in [(100, true), (100, false), (LARGE, true), (LARGE, false)] {
        let content = vec![b'x'; size];
        let crc = ("x-amz-checksum-crc32", "AAAAAA==");
        let halves: [&[u8]; 2] = content.split_at(size / 2).into();
        let forms = [
            ("as it is", bench.signed(put(content.clone()))),
            ("a part", bench.signed(part(&bench, content.clone()))),
            ("presigned", bench.signer.presign(put(content.clone()))),
            ("signed chunks", bench.signer.chunked(put(""), &halves, None)),
            ("signed chunks with a trailer", bench.signer.chunked(put(""), &halves, Some(crc))),
            ("unsigned chunks", bench.signer.unsigned_chunks(put(""), &halves, crc)),
        ];
        for (form, draft) in forms {
            let half = Draft { body: draft.body[..draft.body.len() * 3 / 4].to_vec(), ..draft };
            let name = format!("{form}, {size} bytes, {}", if ends { "cut" } else { "stalled" });
            let code = if ends { Code("IncompleteBody") } else { Code("RequestTimeout") };
            cases.push(Case { ends, ..case(name, &half, code) });
        }
    }
    let document =
        Draft::with_body(Method::POST, "/bucket", "<Delete><Object><Key>kept</Key></Object></Delete>");
    let document = bench.signed(document.query("delete", ""));
    let half = Draft { body: document.body[..20].to_vec(), ..document };
    cases.push(Case { ends: true, ..case("a document, cut", &half, Code("IncompleteBody")) });
    cases.push(case("a document, stalled", &half, Code("RequestTimeout")));
    bench.refuse_all(cases);
}

#[test]
fn heads_that_stop_or_stall() {
    let bench = Bench::start();
    let bytes = bench.signed(put("content")).to_bytes();
    for ends in [true, false] {
        let head =
            Case { name: "half a head".into(), bytes: bytes[..60].to_vec(), expected: Status(408), ends };
        // There is nobody to answer to, or nothing that could be answered: the server hangs up either way.
        let answered = bench.answer_to(&head).is_ok_and(|answer| answer.status < 400);
        assert!(!answered);
    }
    bench.refuse_all(Vec::new());
}

#[test]
fn digests_that_do_not_match() {
    let bench = Bench::start();
    let mut cases: Vec<Case> = Vec::new();
    for size in [7, LARGE] {
        let content = vec![b'x'; size];
        for (header, length) in ALGORITHMS {
            let wrong = STANDARD.encode(vec![7; length]);
            let draft = bench.signed(put(content.clone()).header(header, &wrong));
            cases.push(case(format!("{header}, {size} bytes"), &draft, Code("BadDigest")));
            let draft = bench.signed(part(&bench, content.clone()).header(header, &wrong));
            cases.push(case(format!("{header} of a part, {size} bytes"), &draft, Code("BadDigest")));
            let pieces: [&[u8]; 1] = [&content];
            let draft = bench.signer.unsigned_chunks(put(""), &pieces, (header, &wrong));
            cases.push(case(format!("trailing {header}, {size} bytes"), &draft, Code("BadDigest")));
            let draft = bench.signer.chunked(put(""), &pieces, Some((header, &wrong)));
            cases.push(case(format!("signed trailing {header}, {size} bytes"), &draft, Code("BadDigest")));
        }
        let md5 = STANDARD.encode([7; 16]);
        let draft = bench.signed(put(content.clone()).header("content-md5", &md5));
        cases.push(case(format!("Content-MD5, {size} bytes"), &draft, Code("BadDigest")));
        let hashed = bench.signed(put(content.clone()).header("x-amz-content-sha256", &"0".repeat(64)));
        cases.push(case(
            format!("x-amz-content-sha256, {size} bytes"),
            &hashed,
            Code("XAmzContentSHA256Mismatch"),
        ));
    }
    bench.refuse_all(cases);
}

#[test]
fn digests_that_are_none() {
    let bench = Bench::start();
    let mut cases: Vec<Case> = Vec::new();
    for value in ["AA==", "no base64!", "ZZZZZZZZ", "////////////////////////////////////////////////////"] {
        for (header, _) in ALGORITHMS {
            let draft = bench.signed(put("content").header(header, value));
            cases.push(case(format!("{header}: {value}"), &draft, Code("InvalidRequest")));
        }
        let draft = bench.signed(put("content").header("content-md5", value));
        cases.push(case(format!("content-md5: {value}"), &draft, Code("InvalidDigest")));
        let draft = bench.signed(put("content").header("x-amz-content-sha256", value));
        cases.push(case(format!("x-amz-content-sha256: {value}"), &draft, Code("InvalidArgument")));
    }
    let two =
        put("content").header("x-amz-checksum-crc32", "AAAAAA==").header("x-amz-checksum-crc32c", "AAAAAA==");
    cases.push(case("two checksums", &bench.signed(two), Code("InvalidRequest")));
    bench.refuse_all(cases);
}

#[test]
fn chunks_with_broken_framing() {
    let bench = Bench::start();
    let pieces: [&[u8]; 2] = [b"the first chunk,", b" the second chunk"];
    let signed = bench.signer.chunked(put(""), &pieces, None);
    let edit = |from: &str, to: &str| Draft {
        body: replace(&signed.body, from.as_bytes(), to.as_bytes()),
        ..signed.clone()
    };
    bench.refuse_all(vec![
        case("a changed byte", &edit("first", "worst"), Code("SignatureDoesNotMatch")),
        case("a size that is no number", &edit("10;", "xx;"), Code("InvalidRequest")),
        case("a size over all", &edit("10;", "ffffffffffffffff;"), Code("InvalidRequest")),
        case("a negative size", &edit("10;", "-10;"), Code("InvalidRequest")),
        case("no signature", &edit(";chunk-signature=", ";"), Code("InvalidRequest")),
    ]);
}
