//! What is secret stands in no file in clear: strings that are put into everything that is sealed are looked for in every
//! file that the program writes, and in its logs.
//!
//! Keys of objects, names of buckets and of accounts stand in clear by design: metadata is ordered by them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use nuee_testkit::{Client, Program, Running, signer::Draft};

const PASSPHRASE: &str = "canary passphrase that nobody wrote down";

/// A string that is looked for.
struct Canary {
    name: &'static str,
    text: String,
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
        "cache control",
        "content language",
        "upload's metadata",
        "opaque body",
        "copied metadata",
    ];
    names
        .iter()
        .map(|name| Canary { name, text: format!("canary-{}-9f3a1c7e", name.replace([' ', '\''], "-")) })
        .collect()
}

fn text(name: &str) -> String {
    canaries().into_iter().find(|canary| canary.name == name).unwrap().text
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

/// No canary is in any file of the program's directory: data, keys, logs, and the backup of the keys.
fn look(program: &Program, canaries: &[Canary], moment: &str) -> Vec<PathBuf> {
    // It tells the secret to whoever started the server, and is not there without it.
    let files: Vec<_> =
        files(&program.path("")).into_iter().filter(|file| !file.ends_with("ready")).collect();
    for file in &files {
        let Ok(mut bytes) = fs::read(file) else { continue };
        // Segments end in reserved space.
        bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        for canary in canaries {
            for form in forms(canary.text.as_bytes()) {
                assert!(!contains(&bytes, &form), "{moment}: the {} is in {}", canary.name, file.display());
            }
        }
    }
    files
}

#[test]
fn nothing_secret_stands_in_any_file() {
    let variables = [("NUEE_LOG", "debug"), ("NUEE_PASSPHRASE", PASSPHRASE)];
    let program = Program::new(env!("CARGO_BIN_EXE_nuee-under-test"), &variables).unwrap();
    let running = program.up().unwrap();
    let mut canaries = canaries();
    canaries.push(Canary { name: "secret of the first account", text: running.key().unwrap().1.to_owned() });
    canaries.push(Canary { name: "passphrase", text: PASSPHRASE.to_owned() });
    let created = program.run(&["service-account", "create", "press", "--json"]).unwrap();
    let created: serde_json::Value = serde_json::from_str(&created).unwrap();
    let secret = created["secret_access_key"].as_str().unwrap().to_owned();
    canaries.push(Canary { name: "secret of another account", text: secret });
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
    assert!(program.log().unwrap().contains("DEBUG"), "the log is not as talkative as it was asked to be");
    // The search finds what is there: names stand in clear.
    let metadata = fs::read(program.data().join("metadata.sqlite")).unwrap();
    assert!(contains(&metadata, b"unfinished"));
}
