//! A valid access key with a wrong secret, and no key at all: in every form of authentication, for every operation that
//! writes.

use http::Method;
use nuee_testkit::signer::{Draft, Signer, sha256};

use super::{Bench, Case, Code, case};

const TRAILER: (&str, &str) = ("x-amz-checksum-crc32", "AAAAAA==");

/// Every operation that writes, and whether its body is content, which may come in chunks.
fn writes(upload: &str) -> Vec<(&'static str, Draft, bool)> {
    let document = |method: Method, path: &str, text: &str| Draft::with_body(method, path, text);
    let delete = "<Delete><Object><Key>kept</Key></Object></Delete>";
    let complete = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        super::documents::md5_of("a part")
    );
    let encrypt = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
                   <SSEAlgorithm>aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>\
                   </ServerSideEncryptionConfiguration>";
    let part =
        |body: &str| Draft::put("/bucket/parts", body).query("partNumber", "2").query("uploadId", upload);
    let copy = |draft: Draft| draft.header("x-amz-copy-source", "/bucket/kept");
    vec![
        ("CreateBucket", Draft::put("/another", ""), false),
        ("PutBucketEncryption", document(Method::PUT, "/bucket", encrypt).query("encryption", ""), false),
        ("DeleteBucketEncryption", Draft::new(Method::DELETE, "/bucket").query("encryption", ""), false),
        ("PutObject", Draft::put("/bucket/new", "content"), true),
        ("PutObject over another", Draft::put("/bucket/kept", "content"), true),
        ("CopyObject", copy(Draft::put("/bucket/copy", "")), false),
        ("CreateMultipartUpload", document(Method::POST, "/bucket/new", "").query("uploads", ""), false),
        ("UploadPart", part("content"), true),
        ("UploadPartCopy", copy(part("")), false),
        (
            "CompleteMultipartUpload",
            document(Method::POST, "/bucket/parts", &complete).query("uploadId", upload),
            false,
        ),
        (
            "AbortMultipartUpload",
            Draft::new(Method::DELETE, "/bucket/parts").query("uploadId", upload),
            false,
        ),
        ("DeleteObject", Draft::new(Method::DELETE, "/bucket/kept"), false),
        ("DeleteObjects", document(Method::POST, "/bucket", delete).query("delete", ""), false),
        ("DeleteBucket", Draft::new(Method::DELETE, "/bucket"), false),
    ]
}

/// A request in every form in which `signer` can sign it.
fn forms(signer: &Signer, draft: &Draft, is_content: bool) -> Vec<(&'static str, Draft)> {
    let hashed = draft.clone().header("x-amz-content-sha256", &sha256(&draft.body));
    let mut forms = vec![
        ("header, unsigned payload", signer.header(draft.clone())),
        ("header, signed payload", signer.header(hashed)),
        ("presigned", signer.presign(draft.clone())),
    ];
    if is_content {
        let pieces: [&[u8]; 1] = [&draft.body];
        forms.push(("signed chunks", signer.chunked(draft.clone(), &pieces, None)));
        forms.push(("signed chunks and trailer", signer.chunked(draft.clone(), &pieces, Some(TRAILER))));
        forms.push(("unsigned chunks and trailer", signer.unsigned_chunks(draft.clone(), &pieces, TRAILER)));
    }
    forms
}

#[test]
fn a_wrong_secret_writes_nothing() {
    let bench = Bench::start();
    let forger = bench.signer.with_wrong_secret();
    let mut cases: Vec<Case> = Vec::new();
    for (operation, draft, is_content) in writes(&bench.upload) {
        for (form, draft) in forms(&forger, &draft, is_content) {
            cases.push(case(format!("{operation}, {form}"), &draft, Code("SignatureDoesNotMatch")));
        }
    }
    bench.refuse_all(cases);
}

#[test]
fn chunks_of_a_wrong_secret_under_a_right_head_write_nothing() {
    let bench = Bench::start();
    let forger = bench.signer.with_wrong_secret();
    let mut cases: Vec<Case> = Vec::new();
    for (operation, draft, is_content) in writes(&bench.upload) {
        let pieces: [&[u8]; 1] = [&draft.body];
        for trailer in [None, Some(TRAILER)].into_iter().filter(|_| is_content) {
            let right = bench.signer.chunked(draft.clone(), &pieces, trailer);
            let forged = forger.chunked(draft.clone(), &pieces, trailer);
            let mixed = Draft { body: forged.body, ..right };
            cases.push(case(format!("{operation}, {trailer:?}"), &mixed, Code("SignatureDoesNotMatch")));
        }
    }
    bench.refuse_all(cases);
}

#[test]
fn nobody_writes_anything() {
    let bench = Bench::start();
    let mut cases: Vec<Case> = Vec::new();
    for (operation, draft, is_content) in writes(&bench.upload) {
        cases.push(case(format!("{operation}, bare"), &draft, Code("AccessDenied")));
        for (form, signed) in forms(&bench.signer, &draft, is_content) {
            let stripped = Draft {
                query: signed.query.iter().filter(|(name, _)| !name.starts_with("X-Amz-")).cloned().collect(),
                ..signed.without("authorization")
            };
            let code = if form.contains("chunks") { "NotImplemented" } else { "AccessDenied" };
            cases.push(case(format!("{operation}, {form} without its signature"), &stripped, Code(code)));
        }
    }
    bench.refuse_all(cases);
}

/// Every request above is one that the right secret opens the door for: otherwise its refusal would prove nothing.
#[test]
fn the_right_secret_is_told_apart() {
    let bench = Bench::start();
    for (operation, draft, is_content) in writes(&bench.upload) {
        for (form, draft) in forms(&bench.signer, &draft, is_content) {
            let answer = bench.answer_to(&case(operation, &draft, Code(""))).unwrap();
            let refused = ["SignatureDoesNotMatch", "AccessDenied", "NotImplemented"];
            assert!(!refused.contains(&answer.code().as_str()), "{operation}, {form}: {}", answer.text());
        }
    }
}
