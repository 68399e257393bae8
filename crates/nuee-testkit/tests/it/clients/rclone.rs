//! rclone.

use std::{
    fs::{self, File},
    process::Command,
    time::{Duration, UNIX_EPOCH},
};

use crate::clients::{
    files::{
        AWKWARD_NAMES, MIB, SIZES, assert_same_file, assert_same_tree, longest_name, write_file, write_tree,
    },
    session::{Session, alone_with_large_files, fails, fetch, succeeds, succeeds_telling},
};

/// `rclone`, with these words; `:s3:` is this server.
fn rclone(session: &Session, words: &[&str]) -> Command {
    let mut command = session.command("rclone");
    command.env("RCLONE_S3_PROVIDER", "Other").env("RCLONE_S3_ENV_AUTH", "true");
    command.env("RCLONE_S3_ENDPOINT", session.server().endpoint()).env("RCLONE_S3_REGION", "fr1");
    command.args(["--retries", "1", "--low-level-retries", "1", "--config", ""]).args(words);
    command
}

fn session_with_bucket() -> Session {
    let session = Session::start();
    succeeds(&mut rclone(&session, &["mkdir", ":s3:papers"]));
    session
}

#[test]
fn files_of_every_size_come_back() {
    let session = session_with_bucket();
    for size in SIZES {
        write_file(&session.path("there"), size, size);
        succeeds(&mut rclone(&session, &["copyto", "there", ":s3:papers/reports/file"]));
        succeeds(&mut rclone(&session, &["copyto", ":s3:papers/reports/file", "back"]));
        assert_same_file(&session.path("there"), &session.path("back"));
    }
}

#[test]
fn a_file_of_300_mebibytes_comes_back() {
    let session = session_with_bucket();
    let _alone = alone_with_large_files();
    write_file(&session.path("there"), 300 * MIB, 1);
    succeeds(&mut rclone(&session, &["copyto", "there", ":s3:papers/archive.tar"]));
    succeeds(&mut rclone(&session, &["copyto", ":s3:papers/archive.tar", "back"]));
    assert_same_file(&session.path("there"), &session.path("back"));
    assert_eq!(session.parts("archive.tar").as_deref(), Some("60"));
}

#[test]
fn directories_with_awkward_names_are_synced_both_ways_and_checked() {
    let session = session_with_bucket();
    write_tree(&session.path("there"), AWKWARD_NAMES);
    succeeds(&mut rclone(&session, &["sync", "there", ":s3:papers/documents"]));
    succeeds(&mut rclone(&session, &["check", "there", ":s3:papers/documents"]));
    succeeds(&mut rclone(&session, &["check", "--download", "there", ":s3:papers/documents"]));
    succeeds(&mut rclone(&session, &["sync", ":s3:papers/documents", "back"]));
    assert_same_tree(&session.path("there"), &session.path("back"));
}

#[test]
fn names_with_line_ends_are_synced() {
    let session = session_with_bucket();
    write_tree(&session.path("there"), &["new\nline", "carriage\rreturn", "tab\there", "\u{1}\u{7f}"]);
    succeeds(&mut rclone(&session, &["sync", "there", ":s3:papers"]));
    succeeds(&mut rclone(&session, &["sync", ":s3:papers", "back"]));
    assert_same_tree(&session.path("there"), &session.path("back"));
}

#[test]
fn keys_that_are_no_paths_are_what_the_client_makes_of_them() {
    // rclone has paths and no keys, and the library that it sends with tidies them up: what stands at a key with empty
    // names or with dots is out of its reach.
    let session = session_with_bucket();
    write_file(&session.path("there"), 100, 1);
    for (path, key) in [
        ("a//b", "a/b"),
        ("a//b/c", "a/b/c"),
        ("/first", "first"),
        ("a/../b", "b"),
        ("a/./b", "a/b"),
        ("%2e%2e%2f", "%2e%2e%2f"),
    ] {
        succeeds(&mut rclone(&session, &["copyto", "there", &format!(":s3:papers/{path}")]));
        succeeds(&mut rclone(&session, &["copyto", &format!(":s3:papers/{key}"), "back"]));
        assert_same_file(&session.path("there"), &session.path("back"));
        let list = ["s3api", "list-objects-v2", "--bucket", "papers", "--query", "Contents[].Key"];
        let told = succeeds(session.command("aws").args(list).args(["--output", "text"]));
        assert_eq!(told, format!("{key}\n"), "{path}");
        succeeds(&mut rclone(&session, &["deletefile", &format!(":s3:papers/{key}")]));
    }
    for path in ["..", "../up", "last/"] {
        fails(&mut rclone(&session, &["copyto", "there", &format!(":s3:papers/{path}")]));
    }
    assert_eq!(succeeds(&mut rclone(&session, &["lsf", "-R", ":s3:papers"])), "");
}

#[test]
fn a_path_of_1024_bytes_is_synced_and_one_of_1025_is_refused() {
    let session = session_with_bucket();
    let name = longest_name();
    assert_eq!(name.len(), 1_024);
    write_file(&session.path("there").join(&name), 100, 1);
    succeeds(&mut rclone(&session, &["sync", "there", ":s3:papers"]));
    succeeds(&mut rclone(&session, &["sync", ":s3:papers", "back"]));
    assert_same_tree(&session.path("there"), &session.path("back"));
    write_file(&session.path("file"), 100, 1);
    let told = fails(&mut rclone(&session, &["copyto", "file", &format!(":s3:papers/{name}x")]));
    // It asks for the object first, by a request whose answer has no body that could say more.
    assert!(told.contains("status code: 400"), "{told}");
    succeeds(&mut rclone(&session, &["deletefile", &format!(":s3:papers/{name}")]));
    assert_eq!(succeeds(&mut rclone(&session, &["lsf", "-R", ":s3:papers"])), "");
}

#[test]
fn a_sync_sends_what_changed_and_deletes_what_is_gone() {
    let session = session_with_bucket();
    for (seed, name) in (1..).zip(["kept", "changed", "gone", "in/gone"]) {
        write_file(&session.path("there").join(name), 100, seed);
    }
    succeeds(&mut rclone(&session, &["sync", "there", ":s3:papers"]));
    write_file(&session.path("there/changed"), 200, 9);
    fs::remove_file(session.path("there/gone")).unwrap();
    fs::remove_dir_all(session.path("there/in")).unwrap();
    let told = succeeds_telling(&mut rclone(&session, &["sync", "-v", "there", ":s3:papers"]));
    assert!(told.contains("changed: Copied") && !told.contains("kept"), "{told}");
    assert_eq!(succeeds(&mut rclone(&session, &["lsf", "-R", ":s3:papers"])), "changed\nkept\n");
}

#[test]
fn the_time_of_a_file_is_kept_and_set_without_sending_it_again() {
    let session = session_with_bucket();
    write_file(&session.path("there/a"), 7 * MIB, 1);
    let set = |seconds: u64| {
        let file = File::options().write(true).open(session.path("there/a")).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::new(seconds, 123_456_789)).unwrap();
    };
    // The second time that is set on the server is written by a copy of the object onto itself.
    for (seconds, told) in
        [(1_000_000_000, "2001-09-09 01:46:40\n"), (1_234_567_890, "2009-02-13 23:31:30\n")]
    {
        set(seconds);
        let sync = ["sync", "-vv", "--s3-upload-cutoff", "20M", "there", ":s3:papers"];
        let log = succeeds_telling(&mut rclone(&session, &sync));
        assert_eq!(log.contains("Updated modification time"), seconds != 1_000_000_000, "{log}");
        assert_eq!(succeeds(&mut rclone(&session, &["lsf", "--format", "t", ":s3:papers"])), told);
    }
    succeeds(&mut rclone(&session, &["sync", ":s3:papers", "back"]));
    assert_same_tree(&session.path("there"), &session.path("back"));
    let modified = fs::metadata(session.path("back/a")).unwrap().modified().unwrap();
    assert_eq!(modified, UNIX_EPOCH + Duration::new(1_234_567_890, 123_456_789));
}

#[test]
fn objects_are_copied_and_moved_on_the_server() {
    let session = session_with_bucket();
    write_tree(&session.path("there"), AWKWARD_NAMES);
    succeeds(&mut rclone(&session, &["sync", "there", ":s3:papers/a"]));
    let told = succeeds_telling(&mut rclone(&session, &["copy", "-v", ":s3:papers/a", ":s3:papers/b"]));
    assert!(told.contains("Copied (server-side copy)"), "{told}");
    succeeds(&mut rclone(&session, &["mkdir", ":s3:other"]));
    succeeds(&mut rclone(&session, &["copy", ":s3:papers/b", ":s3:other"]));
    succeeds(&mut rclone(&session, &["moveto", ":s3:papers/a", ":s3:papers/c"]));
    // In parts too.
    let cutoff = ["--s3-copy-cutoff", "5M", "--s3-chunk-size", "5M"];
    let large = [":s3:papers/c/sizes/5242881", ":s3:papers/b/sizes/5242881"];
    succeeds(rclone(&session, &["copyto", "--ignore-times", large[0], large[1]]).args(cutoff));
    for from in [":s3:papers/b", ":s3:papers/c", ":s3:other"] {
        succeeds(&mut rclone(&session, &["check", "--download", "there", from]));
    }
    assert_eq!(succeeds(&mut rclone(&session, &["lsf", ":s3:papers"])), "b/\nc/\n");
}

#[test]
fn a_file_is_sent_in_parts_and_in_one_request_from_a_pipe() {
    let session = session_with_bucket();
    for size in [1_000, 12 * MIB] {
        write_file(&session.path("there"), size, size);
        let mut put = rclone(&session, &["rcat", ":s3:papers/piped", "--s3-chunk-size", "5M"]);
        succeeds(put.stdin(File::open(session.path("there")).unwrap()));
        succeeds(&mut rclone(&session, &["copyto", ":s3:papers/piped", "back"]));
        assert_same_file(&session.path("there"), &session.path("back"));
    }
}

#[test]
fn pieces_of_a_file_are_read() {
    let session = session_with_bucket();
    let lines: Vec<_> = (0..20_000).map(|number| format!("{number:05}")).collect();
    fs::write(session.path("there"), lines.join("\n") + "\n").unwrap();
    succeeds(&mut rclone(&session, &["copyto", "there", ":s3:papers/a"]));
    let cat = |words: &[&str]| succeeds(rclone(&session, &["cat", ":s3:papers/a"]).args(words));
    assert_eq!(cat(&["--head", "6"]), "00000\n");
    assert_eq!(cat(&["--tail", "6"]), "19999\n");
    assert_eq!(cat(&["--offset", "60000", "--count", "12"]), "10000\n10001\n");
    // Several requests, each of a range, side by side.
    write_file(&session.path("large"), 20 * MIB, 3);
    succeeds(&mut rclone(&session, &["copyto", "large", ":s3:papers/large"]));
    let streams = ["--multi-thread-cutoff", "1M", "--multi-thread-streams", "4"];
    succeeds(rclone(&session, &["copyto", ":s3:papers/large", "back"]).args(streams));
    assert_same_file(&session.path("large"), &session.path("back"));
}

#[test]
fn a_link_needs_no_client() {
    let session = session_with_bucket();
    write_file(&session.path("there"), 1_000, 1);
    succeeds(&mut rclone(&session, &["copyto", "there", ":s3:papers/a b/é"]));
    let url = succeeds(&mut rclone(&session, &["link", "--expire", "60s", ":s3:papers/a b/é"]));
    let (status, body) = fetch(url.trim());
    assert_eq!((status, body), (200, fs::read(session.path("there")).unwrap()));
}

#[test]
fn a_purge_leaves_nothing() {
    let session = session_with_bucket();
    write_tree(&session.path("there"), AWKWARD_NAMES);
    succeeds(&mut rclone(&session, &["copy", "there", ":s3:papers"]));
    succeeds(&mut rclone(&session, &["delete", ":s3:papers/sizes"]));
    assert!(!succeeds(&mut rclone(&session, &["lsf", "-R", ":s3:papers"])).contains("sizes"));
    succeeds(&mut rclone(&session, &["purge", ":s3:papers"]));
    assert_eq!(succeeds(&mut rclone(&session, &["lsd", ":s3:"])), "");
}

#[test]
fn listings_agree_however_they_are_asked_for() {
    let session = session_with_bucket();
    for number in 0..30 {
        write_file(&session.path("there").join(format!("{}/é {number}", number % 3)), 1, number);
    }
    succeeds(&mut rclone(&session, &["sync", "there", ":s3:papers"]));
    let list =
        |words: &[&str]| succeeds(rclone(&session, &["lsf", "-R", "--files-only", ":s3:papers"]).args(words));
    let plain = list(&[]);
    assert_eq!(plain.lines().count(), 30);
    let sorted = |text: String| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let plain = sorted(plain);
    for words in [
        &["--fast-list"][..],
        &["--s3-list-chunk", "7"],
        &["--fast-list", "--s3-list-chunk", "7", "--s3-list-version", "1"],
        &["--s3-list-version", "2", "--s3-list-url-encode", "false"],
    ] {
        assert_eq!(sorted(list(words)), plain, "{words:?}");
    }
}

#[test]
fn files_are_synced_with_a_bucket_that_has_the_look_of_kms() {
    let session = session_with_bucket();
    let rule = r#"{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"aws:kms"}}]}"#;
    let mut choose = session.command("aws");
    choose.args(["s3api", "put-bucket-encryption", "--bucket", "papers"]);
    succeeds(choose.args(["--server-side-encryption-configuration", rule]));
    write_tree(&session.path("there"), &["a", "b/c"]);
    succeeds(&mut rclone(&session, &["sync", "there", ":s3:papers"]));
    succeeds(&mut rclone(&session, &["check", "--download", "there", ":s3:papers"]));
    let told = succeeds_telling(&mut rclone(&session, &["sync", "-v", "there", ":s3:papers"]));
    assert!(!told.contains("Copied"), "{told}");
}

#[test]
fn a_reader_reads_and_writes_nothing() {
    let session = session_with_bucket();
    let reader = session.create_reader();
    write_file(&session.path("there/a"), 100, 1);
    succeeds(&mut rclone(&session, &["sync", "there", ":s3:papers"]));
    let as_reader = |words: &[&str]| {
        let mut command = rclone(&session, words);
        command.env("AWS_ACCESS_KEY_ID", reader.access_key_id.to_string());
        command.env("AWS_SECRET_ACCESS_KEY", reader.secret.expose());
        command
    };
    succeeds(&mut as_reader(&["check", "--download", "there", ":s3:papers"]));
    write_file(&session.path("there/a"), 200, 2);
    let told = fails(&mut as_reader(&["copy", "there", ":s3:papers"]));
    assert!(told.contains("AccessDenied"), "{told}");
    assert!(fails(&mut as_reader(&["deletefile", ":s3:papers/a"])).contains("AccessDenied"));
}
