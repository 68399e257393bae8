//! The journal's leaves: one for each change, that says who did what on which resource, and none for anything else.

use http::Method;
use nuee_base::{OrganisationId, Principal, UploadId};
use nuee_metadata::LeafRow;
use nuee_testkit::signer::Draft;
use serde_json::{Value, json};

use crate::access_matrix::{Asker, Bench, rows};

/// The leaves that an operation of S3 appends when it is carried out, by the rows of the access matrix: action, resource,
/// key, detail, and what else. `#` is the number in the names of the things, `@` any id. What is not here appends none.
const LEAVES: &[(&str, [&str; 5])] = &[
    ("CreateBucket", ["s3:CreateBucket", "bucket/new-#", "", "@ with AES256", ""]),
    ("DeleteBucket", ["s3:DeleteBucket", "bucket/empty-#", "", "", ""]),
    ("PutBucketEncryption", ["s3:PutEncryptionConfiguration", "bucket/schools-#", "", "@ with AES256", ""]),
    (
        "DeleteBucketEncryption",
        ["s3:PutEncryptionConfiguration", "bucket/schools-#", "", "@ with AES256", ""],
    ),
    ("PutObject", ["s3:PutObject", "bucket/schools-#", "written", "", ""]),
    ("PutObject:replace", ["s3:PutObject", "bucket/schools-#", "kept", "", ""]),
    ("CopyObject", ["s3:PutObject", "bucket/schools-#", "copy", "copy from bucket/schools-#", ""]),
    ("DeleteObject", ["s3:DeleteObject", "bucket/schools-#", "kept", "", ""]),
    ("DeleteObject:marker", ["s3:DeleteObject", "bucket/vault-#", "kept", "marker", ""]),
    ("DeleteObject:version", ["s3:DeleteObjectVersion", "bucket/vault-#", "kept", "", "version @"]),
    ("DeleteObject:bypass", ["s3:DeleteObjectVersion", "bucket/vault-#", "held", "", "version @"]),
    ("DeleteObjects:version", ["s3:DeleteObjectVersion", "bucket/vault-#", "kept", "", "version @"]),
    (
        "PutBucketVersioning",
        ["s3:PutBucketVersioning", "bucket/schools-#", "", "@ with aws:kms, versions", ""],
    ),
    (
        "PutObjectLockConfiguration",
        [
            "s3:PutBucketObjectLockConfiguration",
            "bucket/vault-#",
            "",
            "@ with AES256, versions, locks, GOVERNANCE for 1 days",
            "",
        ],
    ),
    ("PutBucketCors", ["s3:PutBucketCORS", "bucket/schools-#", "", "cors @", ""]),
    ("DeleteBucketCors", ["s3:PutBucketCORS", "bucket/schools-#", "", "cors removed", ""]),
    ("PutBucketPolicy", ["s3:PutBucketPolicy", "bucket/schools-#", "", "policy @", ""]),
    ("DeleteBucketPolicy", ["s3:DeleteBucketPolicy", "bucket/vault-#", "", "policy removed", ""]),
    (
        "PutPublicAccessBlock",
        ["s3:PutBucketPublicAccessBlock", "bucket/schools-#", "", "public-access @", ""],
    ),
    (
        "DeletePublicAccessBlock",
        ["s3:PutBucketPublicAccessBlock", "bucket/schools-#", "", "public-access @", ""],
    ),
    ("PostObject", ["s3:PutObject", "bucket/schools-#", "written", "form", ""]),
    ("PutBucketTagging", ["s3:PutBucketTagging", "bucket/schools-#", "", "tags @", ""]),
    ("DeleteBucketTagging", ["s3:PutBucketTagging", "bucket/schools-#", "", "tags removed", ""]),
    (
        "PutBucketLifecycleConfiguration",
        ["s3:PutLifecycleConfiguration", "bucket/schools-#", "", "lifecycle @", ""],
    ),
    (
        "DeleteBucketLifecycle",
        ["s3:PutLifecycleConfiguration", "bucket/schools-#", "", "lifecycle removed", ""],
    ),
    ("PutObjectTagging", ["s3:PutObjectTagging", "bucket/schools-#", "kept", "tags @", "version @"]),
    (
        "PutObjectTagging:version",
        ["s3:PutObjectVersionTagging", "bucket/vault-#", "kept", "tags @", "version @"],
    ),
    ("DeleteObjectTagging", ["s3:DeleteObjectTagging", "bucket/schools-#", "kept", "tags @", "version @"]),
    (
        "PutObjectRetention",
        [
            "s3:PutObjectRetention",
            "bucket/vault-#",
            "held",
            "lock GOVERNANCE until 2101-01-01T00:00:00Z, no legal hold",
            "version @",
        ],
    ),
    (
        "PutObjectRetention:bypass",
        [
            "s3:PutObjectRetention",
            "bucket/vault-#",
            "held",
            "lock GOVERNANCE until 2099-01-01T00:00:00Z, no legal hold",
            "version @",
        ],
    ),
    (
        "PutObjectLegalHold",
        [
            "s3:PutObjectLegalHold",
            "bucket/vault-#",
            "held",
            "lock GOVERNANCE until 2100-01-01T00:00:00Z, legal hold",
            "version @",
        ],
    ),
    ("PutObject:retained", ["s3:PutObject", "bucket/vault-#", "written", "", ""]),
    ("PutObject:held", ["s3:PutObject", "bucket/vault-#", "written", "", ""]),
    ("PutObject:tagged", ["s3:PutObject", "bucket/vault-#", "written", "", ""]),
    // One of its two keys is not there.
    ("DeleteObjects", ["s3:DeleteObject", "bucket/schools-#", "kept", "", ""]),
    ("CreateMultipartUpload", ["s3:CreateMultipartUpload", "bucket/schools-#", "begun", "", "upload @"]),
    ("UploadPart", ["s3:UploadPart", "bucket/schools-#", "parts", "", "upload @ part 2 blob @"]),
    ("UploadPartCopy", ["s3:UploadPart", "bucket/schools-#", "parts", "", "upload @ part 2 blob @"]),
    ("CompleteMultipartUpload", ["s3:CompleteMultipartUpload", "bucket/schools-#", "parts", "", "upload @"]),
    ("AbortMultipartUpload", ["s3:AbortMultipartUpload", "bucket/schools-#", "parts", "", "upload @"]),
];

/// The organisation and the body of a leaf that says this.
fn leaf(
    principal: &Principal,
    [action, on, key, detail, also]: [&str; 5],
    round: u32,
) -> (OrganisationId, Value) {
    let (organisation, _) = principal.place().expect("whoever changes something has a place");
    let numbered = |text: &str| text.replace('#', &round.to_string());
    let mut body = json!({ "v": 1, "by": principal.to_string(), "action": action, "on": numbered(on) });
    for (name, text) in [("key", key), ("detail", detail), ("also", also)] {
        if !text.is_empty() {
            body[name] = numbered(text).into();
        }
    }
    (organisation, body)
}

fn read(bench: &Bench, leaf: &LeafRow) -> (OrganisationId, Value) {
    let mut body: Value = serde_json::from_slice(&bench.body(leaf)).unwrap();
    let fields = body.as_object_mut().unwrap();
    let mut also = Vec::new();
    if fields.remove("version").is_some() {
        also.push("version @".to_owned());
    }
    for name in ["upload", "part", "blob"] {
        also.extend(fields.remove(name).map(|value| format!("{name} {}", without_ids(&value))));
    }
    if !also.is_empty() {
        fields.insert("also".into(), also.join(" ").into());
    }
    if let Some(detail) = fields.get_mut("detail") {
        *detail = without_ids(detail).into();
    }
    (leaf.organisation, body)
}

/// A text with `@` for each id in it, or a number.
fn without_ids(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let is_code = |word: &str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let word = |word| if str::parse::<UploadId>(word).is_ok() || is_code(word) { "@" } else { word };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_change_appends_its_leaf_and_nothing_else_does() {
    let mut bench = Bench::start();
    let mut wrong = Vec::new();
    for row in rows() {
        let said = LEAVES.iter().find(|(name, _)| *name == row.name).map(|(_, said)| *said);
        assert_eq!(said.is_some(), row.changes, "{}", row.name);
        for (asker, mark) in row.cells(&bench) {
            let last = bench.last_leaf();
            let answer = bench.ask(&asker, bench.request(row.name));
            let found = bench.changes(last).iter().map(|leaf| read(&bench, leaf)).collect::<Vec<_>>();
            let said = said.filter(|_| row.takes_effect(mark));
            let expected: Vec<_> =
                said.map(|said| leaf(&asker.principal, said, bench.round())).into_iter().collect();
            if found != expected {
                let (name, asked) = (row.name, asker.name);
                wrong.push(format!(
                    "{name}, {asked}, {}: expected {expected:?}, found {found:?}",
                    answer.status
                ));
            }
            if !found.is_empty() {
                bench.renew();
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Writes by somebody who may write, which fail for another reason.
fn failures(bench: &Bench) -> Vec<(Draft, &'static str)> {
    let bucket = bench.request("CreateBucket:taken").path;
    let (kept, absent) = (bench.request("GetObject").path, bench.request("GetObject:absent").path);
    let upload = |id: &str| Draft::put(&absent, "a part").query("partNumber", "1").query("uploadId", id);
    let id = &bench.request("ListParts").query.remove(0).1;
    let complete = "<CompleteMultipartUpload><Part><PartNumber>7</PartNumber><ETag>x</ETag></Part>\
                    </CompleteMultipartUpload>";
    let complete = Draft::with_body(Method::POST, &bench.request("ListParts").path, complete);
    let copy = |source: &str| Draft::put(&kept, "").header("x-amz-copy-source", source);
    vec![
        (Draft::put(&kept, "x").header("if-match", "\"0123\""), "PreconditionFailed"),
        (Draft::put(&kept, "x").header("if-none-match", "*"), "PreconditionFailed"),
        (Draft::put(&kept, "x").header("content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="), "BadDigest"),
        (Draft::put(&kept, "x").header("x-amz-checksum-crc32", "AAAAAA=="), "BadDigest"),
        (Draft::put("/nowhere/key", "x"), "NoSuchBucket"),
        (Draft::put("/Bad_Name", ""), "InvalidBucketName"),
        (copy(&absent), "NoSuchKey"),
        (copy(&kept), "InvalidRequest"),
        (upload(id), "NoSuchUpload"),
        (complete.query("uploadId", id), "InvalidPart"),
        (Draft::new(Method::DELETE, &absent).query("uploadId", id), "NoSuchUpload"),
        (Draft::new(Method::DELETE, &bucket), "BucketNotEmpty"),
        (Draft::with_body(Method::POST, &bucket, "<Delete></Delete>").query("delete", ""), "MalformedXML"),
        (Draft::put(&bucket, "<Nothing/>").query("encryption", ""), "MalformedXML"),
        (Draft::put(&bucket, "").query("acl", ""), "MissingSecurityHeader"),
        (Draft::put(&bucket, "").query("website", ""), "NotImplemented"),
    ]
}

#[test]
fn writes_that_fail_append_nothing() {
    let bench = Bench::start();
    let owner: &Asker = &bench.askers[0];
    let last = bench.last_leaf();
    for (draft, code) in failures(&bench) {
        let asked = format!("{} {}", draft.method, draft.target());
        let answer = bench.ask(owner, draft);
        assert_eq!(answer.code(), code, "{asked}: {}", answer.text());
        assert_eq!(bench.changes(last), [], "{asked}");
    }
}

/// Leaves are numbered without a gap, whatever failed between them.
#[test]
fn leaves_have_no_gaps() {
    let bench = Bench::start();
    let owner = &bench.askers[0];
    for (draft, _) in failures(&bench) {
        bench.ask(owner, draft);
        assert_eq!(bench.ask(owner, bench.request("PutObject")).status, 200);
    }
    let numbers: Vec<_> = bench.leaves(0).iter().map(|leaf| leaf.id).collect();
    assert_eq!(numbers, (1..=bench.last_leaf()).collect::<Vec<_>>());
}
