//! What is secret stands in no file in clear: strings that are put into everything that is sealed are looked for in every
//! file that the program writes, and in its logs.
//!
//! Keys of objects, names of buckets and of accounts stand in clear in the metadata by design: it is ordered by them.
//! Keys of objects stand nowhere else, least of all in logs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use nuee_testkit::{Answer, Client, Program, Running, Wire, signer::Draft};

const PASSPHRASE: &str = "canary passphrase that nobody wrote down";

/// Where keys of objects may stand, and the root key.
const METADATA: &[&str] = &["metadata.sqlite", "metadata.sqlite-wal"];
const ROOT_KEY: &[&str] = &["root.key"];

/// Bytes that are looked for, and the files in which they may stand.
struct Canary {
    name: &'static str,
    bytes: Vec<u8>,
    allowed: &'static [&'static str],
}

impl Canary {
    fn new(name: &'static str, text: &str) -> Self {
        Self { name, bytes: text.as_bytes().to_vec(), allowed: &[] }
    }
}

fn canaries() -> Vec<Canary> {
    let names = [
        "small body",
        "large body",
        "part",
        "unfinished part",
        "replaced body",
        "deleted body",
        "refused body",
        "metadata name",
        "metadata value",
        "content type",
        "content disposition",
        "content encoding",
        "cache control",
        "content language",
        "expiry",
        "upload's metadata",
        "opaque body",
        "copied metadata",
    ];
    let mut canaries: Vec<_> = names.iter().map(|name| Canary::new(name, &text(name))).collect();
    canaries.push(Canary { allowed: METADATA, ..Canary::new("object's key", &text("object's key")) });
    canaries
}

fn text(name: &str) -> String {
    match name {
        // Nothing but a date is taken.
        "expiry" => "Sun, 17 Feb 2047 03:41:59 GMT".to_owned(),
        _ => format!("canary-{}-9f3a1c7e", name.replace([' ', '\''], "-")),
    }
}

/// `length` bytes of one canary after the other.
fn body(name: &str, length: usize) -> Vec<u8> {
    text(name).into_bytes().into_iter().cycle().take(length).collect()
}

/// The forms in which a program could leave bytes somewhere: as they are, in hexadecimal digits, and in base64 at each of
/// its three alignments, without the digits that depend on what stands beside.
fn forms(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut forms =
        vec![bytes.to_vec(), bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes()];
    for padding in 0..3 {
        let encoded = STANDARD.encode([&vec![0; padding], bytes].concat());
        let digits = encoded.trim_end_matches('=').as_bytes();
        forms.push(digits[padding + 1..digits.len() - 1].to_vec());
    }
    forms
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let (first, rest) = needle.split_first().unwrap();
    let starts = haystack.iter().enumerate().filter(|(_, byte)| *byte == first);
    starts.map(|(start, _)| start + 1).any(|start| haystack[start..].starts_with(rest))
}

fn put(client: &mut Client, draft: Draft) {
    let answer = client.send(draft).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn work(running: &Running) {
    let mut client = running.client().unwrap();
    put(&mut client, Draft::put("/bucket", ""));
    let described = Draft::put("/bucket/small", body("small body", 2_000))
        .header(&format!("x-amz-meta-{}", text("metadata name")), "x")
        .header("x-amz-meta-note", &text("metadata value"))
        .header("content-type", &text("content type"))
        .header("content-disposition", &text("content disposition"))
        .header("content-encoding", &text("content encoding"))
        .header("expires", &text("expiry"))
        .header("cache-control", &text("cache control"))
        .header("content-language", &text("content language"));
    put(&mut client, described);
    put(&mut client, Draft::put("/bucket/large", body("large body", 3 << 20)));
    put(&mut client, Draft::put("/bucket/replaced", body("replaced body", 2_000)));
    put(&mut client, Draft::put("/bucket/replaced", "by this"));
    put(&mut client, Draft::put("/bucket/deleted", body("deleted body", 300_000)));
    assert_eq!(client.delete("/bucket/deleted").unwrap().status, 204);
    let refused = Draft::put("/bucket/refused", body("refused body", 300_000));
    let refused = client.send(refused.header("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")).unwrap();
    assert_eq!(refused.code(), "BadDigest");
    let (first, last) = (body("part", 5 << 20), body("part", 1_000));
    assert_eq!(client.put_parts("/bucket/parts", &[&first, &last]).unwrap().code(), "");
    let begin = Draft::with_body(Method::POST, "/bucket/unfinished", "").query("uploads", "");
    let begun = client.send(begin.header("x-amz-meta-note", &text("upload's metadata"))).unwrap();
    let id = &begun.elements("UploadId")[0];
    let part = Draft::put("/bucket/unfinished", body("unfinished part", 200_000));
    put(&mut client, part.query("partNumber", "1").query("uploadId", id));
    let copy = Draft::put("/bucket/copy", "").header("x-amz-copy-source", "/bucket/small");
    let copy = copy.header("x-amz-metadata-directive", "REPLACE");
    put(&mut client, copy.header("x-amz-meta-note", &text("copied metadata")));
    let encryption = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
                      <SSEAlgorithm>aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>\
                      </ServerSideEncryptionConfiguration>";
    put(&mut client, Draft::put("/opaque", ""));
    put(&mut client, Draft::put("/opaque", encryption).query("encryption", ""));
    put(&mut client, Draft::put("/opaque/small", body("opaque body", 2_000)));
    // Read too: what is opened must not be left anywhere either.
    for path in ["/bucket/small", "/bucket/large", "/bucket/parts", "/opaque/small"] {
        assert_eq!(client.get(path).unwrap().status, 200);
    }
    work_with_a_key(&mut client);
}

/// Does with a key what is done with keys, well and badly, and names it wherever a request can.
fn work_with_a_key(client: &mut Client) {
    let key = text("object's key");
    let path = format!("/bucket/{key}");
    put(client, Draft::put(&path, "content"));
    assert_eq!(client.get(&path).unwrap().status, 200);
    assert_eq!(client.put_parts(&path, &[b"part"]).unwrap().code(), "");
    put(client, Draft::put("/bucket/copy", "").header("x-amz-copy-source", &path));
    assert_eq!(client.get(&format!("{path}-that-is-not-there")).unwrap().code(), "NoSuchKey");
    let list = Draft::new(Method::GET, "/bucket").query("list-type", "2");
    put(client, list.clone().query("prefix", &key).query("start-after", &key));
    let refused = list.query("prefix", &key).query("continuation-token", &key);
    assert_eq!(client.send(refused).unwrap().status, 400);
    let forged = client.signer().with_wrong_secret().header(Draft::new(Method::GET, &path));
    assert_eq!(send_as_it_is(client, &forged).code(), "SignatureDoesNotMatch");
    let malformed = Draft::put(&path, "x").header("content-md5", &key);
    assert_eq!(client.send(malformed).unwrap().status, 400);
    let document = format!("<Delete><Object><Key>{key}</Key></Object></Delete>");
    put(client, Draft::with_body(Method::POST, "/bucket", document).query("delete", ""));
    put(client, Draft::put(&path, "content"));
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}

/// Sends a request that is signed already, or not at all.
fn send_as_it_is(client: &Client, draft: &Draft) -> Answer {
    let mut wire = Wire::open(client.address()).unwrap();
    wire.write(&draft.to_bytes()).unwrap();
    wire.read(false).unwrap()
}

/// No canary is in any file of the program's directory: data, keys, logs, and the backup of the keys.
fn look(program: &Program, canaries: &[Canary], moment: &str) -> Vec<PathBuf> {
    // Both tell the secret to whoever started the server.
    let told = |file: &PathBuf| file.ends_with("ready") || file.ends_with("welcome");
    let files: Vec<_> = files(&program.path("")).into_iter().filter(|file| !told(file)).collect();
    let mut found = Vec::new();
    for file in &files {
        let Ok(mut bytes) = fs::read(file) else { continue };
        // Segments end in reserved space.
        bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        for canary in canaries.iter().filter(|canary| !canary.allowed.iter().any(|name| file.ends_with(name)))
        {
            if forms(&canary.bytes).iter().any(|form| contains(&bytes, form)) {
                let name = file.file_name().unwrap().display();
                found.push(format!("the {} is in {name}", canary.name));
            }
        }
    }
    assert!(found.is_empty(), "{moment}: {found:#?}");
    files
}

/// The bytes of the root key, which its file has in hexadecimal digits.
fn root_key(program: &Program) -> Canary {
    let found = files(&program.keys()).into_iter().find(|file| file.ends_with("root.key")).unwrap();
    let text = fs::read_to_string(found).unwrap();
    let bytes = hex::decode(text.lines().last().unwrap()).unwrap();
    assert_eq!(bytes.len(), 32);
    Canary { name: "root key", bytes, allowed: ROOT_KEY }
}

/// Works with a program that logs as `level` says, or as it does by itself; gives its log.
fn nothing_secret_stands_in_clear(level: Option<&str>) -> String {
    let mut variables = vec![("NUEE_PASSPHRASE", PASSPHRASE)];
    variables.extend(level.map(|level| ("NUEE_LOG", level)));
    let program = Program::new(env!("CARGO_BIN_EXE_nuee-under-test"), &variables).unwrap();
    let running = program.up().unwrap();
    let mut canaries = canaries();
    canaries.push(Canary::new("secret of the first account", running.key().unwrap().1));
    canaries.push(Canary::new("passphrase", PASSPHRASE));
    canaries.push(root_key(&program));
    let created = program.run(&["service-account", "create", "press", "--json"]).unwrap();
    let created: serde_json::Value = serde_json::from_str(&created).unwrap();
    let secret = created["secret_access_key"].as_str().unwrap();
    canaries.push(Canary::new("secret of another account", secret));
    work(&running);
    program.run(&["key", "backup", "backup"]).unwrap();
    program.run(&["key", "rotate", "--all"]).unwrap();
    let seen = look(&program, &canaries, "while it runs");
    let names: Vec<_> = seen.iter().filter_map(|file| file.file_name()?.to_str()).collect();
    for name in ["metadata.sqlite", "metadata.sqlite-wal", "root.key", "backup", "log"] {
        assert!(names.contains(&name), "{name} was not looked at: {names:?}");
    }
    running.stop().unwrap();
    look(&program, &canaries, "after it stopped");
    // The search finds what is there: keys stand in clear in the metadata.
    let metadata = fs::read(program.data().join("metadata.sqlite")).unwrap();
    let key = canaries.iter().find(|canary| canary.name == "object's key").unwrap();
    assert!(contains(&metadata, &key.bytes));
    program.log().unwrap()
}

#[test]
fn nothing_secret_stands_in_any_file() {
    let log = nothing_secret_stands_in_clear(None);
    assert!(
        log.contains("INFO") && !log.contains("DEBUG"),
        "this is not the log that the program has by itself"
    );
}

#[test]
fn nothing_secret_stands_in_the_log_that_says_most() {
    let log = nothing_secret_stands_in_clear(Some("trace"));
    assert!(log.contains("DEBUG"), "the log is not as talkative as it was asked to be");
}
