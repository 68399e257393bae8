//! The aws CLI.

use std::{fs, process::Command};

use crate::clients::{
    files::{
        AWKWARD_NAMES, MIB, SIZES, assert_same_file, assert_same_tree, longest_name, names_below, write_file,
        write_tree,
    },
    session::{Session, alone_with_large_files, fails, fetch, succeeds},
};

/// `aws`, with these words.
fn aws(session: &Session, words: &[&str]) -> Command {
    let mut command = session.command("aws");
    command.args(words);
    command
}

fn session_with_bucket() -> Session {
    let session = Session::start();
    succeeds(&mut aws(&session, &["s3", "mb", "s3://papers"]));
    session
}

#[test]
fn files_of_every_size_come_back() {
    let session = session_with_bucket();
    for size in SIZES {
        write_file(&session.path("there"), size, size);
        succeeds(&mut aws(&session, &["s3", "cp", "there", "s3://papers/reports/file"]));
        succeeds(&mut aws(&session, &["s3", "cp", "s3://papers/reports/file", "back"]));
        assert_same_file(&session.path("there"), &session.path("back"));
    }
}

#[test]
fn a_file_of_300_mebibytes_comes_back() {
    let session = session_with_bucket();
    let _alone = alone_with_large_files();
    write_file(&session.path("there"), 300 * MIB, 1);
    succeeds(&mut aws(&session, &["s3", "cp", "there", "s3://papers/archive.tar", "--only-show-errors"]));
    succeeds(&mut aws(&session, &["s3", "cp", "s3://papers/archive.tar", "back", "--only-show-errors"]));
    assert_same_file(&session.path("there"), &session.path("back"));
    assert_eq!(session.parts("archive.tar").as_deref(), Some("38"));
}

#[test]
fn directories_with_awkward_names_are_synced_both_ways() {
    let session = session_with_bucket();
    write_tree(&session.path("there"), AWKWARD_NAMES);
    succeeds(&mut aws(&session, &["s3", "sync", "there", "s3://papers/documents"]));
    succeeds(&mut aws(&session, &["s3", "sync", "s3://papers/documents", "back"]));
    assert_same_tree(&session.path("there"), &session.path("back"));
    for (from, to) in [("there", "s3://papers/documents"), ("s3://papers/documents", "back")] {
        let told = succeeds(&mut aws(&session, &["s3", "sync", from, to]));
        assert_eq!(told, "", "what is the same is not sent again");
    }
}

#[test]
fn a_sync_sends_what_changed_and_deletes_what_is_gone() {
    let session = session_with_bucket();
    for (seed, name) in (1..).zip(["kept", "changed", "gone", "in/gone"]) {
        write_file(&session.path("there").join(name), 100, seed);
    }
    let sync = ["s3", "sync", "--delete", "there", "s3://papers"];
    succeeds(&mut aws(&session, &sync));
    write_file(&session.path("there/changed"), 200, 9);
    write_file(&session.path("there/new"), 1, 1);
    fs::remove_file(session.path("there/gone")).unwrap();
    fs::remove_dir_all(session.path("there/in")).unwrap();
    let told = succeeds(&mut aws(&session, &sync));
    assert!(!told.contains("kept"), "{told}");
    succeeds(&mut aws(&session, &["s3", "sync", "s3://papers", "back"]));
    assert_same_tree(&session.path("there"), &session.path("back"));
    assert_eq!(names_below(&session.path("back")).len(), 3);
}

#[test]
fn empty_files_among_others_hold_nobody_up() {
    // The client asks to be told to go on even for an empty body, and takes an answer without that badly if it then
    // sends more on the same connection.
    let session = session_with_bucket();
    for number in 0..40 {
        write_file(&session.path("there").join(number.to_string()), (number % 2) * 10, number);
    }
    succeeds(&mut aws(&session, &["s3", "sync", "--cli-read-timeout", "10", "there", "s3://papers"]));
    succeeds(&mut aws(&session, &["s3", "sync", "s3://papers", "back"]));
    assert_same_tree(&session.path("there"), &session.path("back"));
}

/// Keys that are no paths, or not those that they seem to be.
const NO_PATHS: [&str; 9] =
    ["a//b", "/first", "..", "../up", "a/../b", "a/./b", "last/", "new\nline", "%2e%2e%2f"];

#[test]
fn keys_that_are_no_paths_name_objects() {
    let session = session_with_bucket();
    let long = "é".repeat(512);
    let keys = [&NO_PATHS[..], &[&*long]].concat();
    let of = |operation, key, more: &[&str]| {
        let words = [&["s3api", operation, "--bucket", "papers", "--key", key][..], more].concat();
        succeeds(&mut aws(&session, &words))
    };
    for (seed, key) in (1..).zip(&keys) {
        write_file(&session.path("there"), 100, seed);
        of("put-object", key, &["--body", "there"]);
        of("get-object", key, &["back"]);
        assert_same_file(&session.path("there"), &session.path("back"));
    }
    let count = ["s3api", "list-objects-v2", "--bucket", "papers", "--query", "length(Contents || `[]`)"];
    assert_eq!(succeeds(&mut aws(&session, &count)).trim(), "10");
    for key in keys {
        of("delete-object", key, &[]);
    }
    assert_eq!(succeeds(&mut aws(&session, &count)).trim(), "0");
}

#[test]
fn files_are_sent_to_keys_that_are_no_paths() {
    let session = session_with_bucket();
    let urls = NO_PATHS.map(|key| format!("s3://papers/{key}"));
    for (seed, url) in (1..).zip(&urls) {
        write_file(&session.path("there"), 100, seed);
        succeeds(&mut aws(&session, &["s3", "cp", "there", url]));
        // To a key that ends like a directory the client adds the name of the file.
        let sent = if url.ends_with('/') { format!("{url}there") } else { url.clone() };
        succeeds(&mut aws(&session, &["s3", "cp", &sent, "back"]));
        assert_same_file(&session.path("there"), &session.path("back"));
    }
    // The client writes nothing outside of the directory that it was told, and says what it leaves out.
    let told = fails(&mut aws(&session, &["s3", "sync", "s3://papers", "in"]));
    assert!(told.contains("File references a parent directory"), "{told}");
    assert!(!session.path("up").exists());
}

#[test]
fn a_path_of_1024_bytes_is_synced_and_one_of_1025_is_refused() {
    let session = session_with_bucket();
    let name = longest_name();
    assert_eq!(name.len(), 1_024);
    write_file(&session.path("there").join(&name), 100, 1);
    succeeds(&mut aws(&session, &["s3", "sync", "there", "s3://papers"]));
    succeeds(&mut aws(&session, &["s3", "sync", "s3://papers", "back"]));
    assert_same_tree(&session.path("there"), &session.path("back"));
    let longer = format!("s3://papers/{name}x");
    write_file(&session.path("file"), 100, 1);
    let told = fails(&mut aws(&session, &["s3", "cp", "file", &longer]));
    assert!(told.contains("KeyTooLongError"), "{told}");
    succeeds(&mut aws(&session, &["s3", "rm", &format!("s3://papers/{name}")]));
    assert_eq!(succeeds(&mut aws(&session, &["s3", "ls", "--recursive", "s3://papers"])), "");
}

#[test]
fn ranges_of_an_object_are_read() {
    let session = session_with_bucket();
    write_file(&session.path("there"), 5 * MIB + 1, 1);
    succeeds(&mut aws(&session, &["s3", "cp", "there", "s3://papers/a"]));
    let whole = fs::read(session.path("there")).unwrap();
    let get = |range| {
        aws(&session, &["s3api", "get-object", "--bucket", "papers", "--key", "a", "--range", range, "back"])
    };
    for (range, wanted) in [
        ("bytes=0-0", &whole[..1]),
        ("bytes=65535-65536", &whole[65_535..=65_536]),
        ("bytes=1000000-3999999", &whole[1_000_000..4_000_000]),
        ("bytes=5242880-", &whole[5_242_880..]),
        ("bytes=-70000", &whole[whole.len() - 70_000..]),
    ] {
        succeeds(&mut get(range));
        assert!(fs::read(session.path("back")).unwrap() == wanted, "{range}");
    }
    assert!(fails(&mut get("bytes=5242881-")).contains("InvalidRange"));
}

#[test]
fn an_upload_is_made_of_parts_by_hand() {
    let session = session_with_bucket();
    let of = |operation, more: &[&str]| {
        let words = ["s3api", operation, "--bucket", "papers", "--key", "a b", "--output", "text"];
        succeeds(aws(&session, &words).args(more)).trim().to_owned()
    };
    let mut parts = Vec::new();
    let id = of("create-multipart-upload", &["--query", "UploadId"]);
    for (number, size) in [("1", 5 * MIB), ("2", 5 * MIB + 1), ("3", 1)] {
        write_file(&session.path(number), size, size);
        let part = ["--upload-id", &id, "--part-number", number, "--body", number, "--query", "ETag"];
        parts.push(format!("{{\"PartNumber\": {number}, \"ETag\": {:?}}}", of("upload-part", &part)));
    }
    let listed = of("list-parts", &["--upload-id", &id, "--query", "Parts[].Size"]);
    assert_eq!(listed, "5242880\t5242881\t1");
    let parts = format!("{{\"Parts\": [{}]}}", parts.join(", "));
    let tag = of(
        "complete-multipart-upload",
        &["--upload-id", &id, "--multipart-upload", &parts, "--query", "ETag"],
    );
    assert!(tag.ends_with("-3\""), "{tag}");
    of("get-object", &["back"]);
    let sent = ["1", "2", "3"].map(|name| fs::read(session.path(name)).unwrap()).concat();
    assert!(fs::read(session.path("back")).unwrap() == sent);
    let id = of("create-multipart-upload", &["--query", "UploadId"]);
    of("abort-multipart-upload", &["--upload-id", &id]);
    let told = fails(
        aws(&session, &["s3api", "list-parts", "--bucket", "papers", "--key", "a b"])
            .args(["--upload-id", &id]),
    );
    assert!(told.contains("NoSuchUpload"), "{told}");
}

#[test]
fn listings_show_directories_and_pages_to_the_end() {
    let session = session_with_bucket();
    for number in 0..7 {
        write_file(&session.path("there").join(format!("in/{number}")), 10, number);
    }
    write_file(&session.path("there/é"), 1234, 8);
    succeeds(&mut aws(&session, &["s3", "sync", "there", "s3://papers"]));
    let told = succeeds(&mut aws(&session, &["s3", "ls", "s3://papers/"]));
    let lines: Vec<_> = told.lines().map(|line| line.split_whitespace().last().unwrap()).collect();
    assert_eq!(lines, ["in/", "é"]);
    assert!(told.contains(" 1234 é"), "{told}");
    let told = succeeds(&mut aws(&session, &["s3", "ls", "--recursive", "--page-size", "3", "s3://papers"]));
    assert_eq!(told.lines().count(), 8, "{told}");
    let v1 =
        ["s3api", "list-objects", "--bucket", "papers", "--page-size", "2", "--query", "length(Contents)"];
    assert_eq!(succeeds(&mut aws(&session, &v1)).trim(), "8");
}

#[test]
fn a_recursive_delete_leaves_nothing() {
    let session = session_with_bucket();
    write_tree(&session.path("there"), AWKWARD_NAMES);
    succeeds(&mut aws(&session, &["s3", "cp", "--recursive", "there", "s3://papers/"]));
    assert!(fails(&mut aws(&session, &["s3", "rb", "s3://papers"])).contains("BucketNotEmpty"));
    succeeds(&mut aws(&session, &["s3", "rm", "--recursive", "s3://papers/sizes"]));
    succeeds(&mut aws(&session, &["s3", "rb", "--force", "s3://papers"]));
    assert_eq!(succeeds(&mut aws(&session, &["s3", "ls"])), "");
}

#[test]
fn objects_are_copied_and_moved_on_the_server() {
    let session = session_with_bucket();
    succeeds(&mut aws(&session, &["s3", "mb", "s3://other"]));
    write_tree(&session.path("there"), &["été", "a b"]);
    succeeds(&mut aws(&session, &["s3", "sync", "there", "s3://papers"]));
    succeeds(&mut aws(&session, &["s3", "sync", "s3://papers", "s3://other/copy"]));
    succeeds(&mut aws(&session, &["s3", "mv", "--recursive", "s3://papers", "s3://papers/moved"]));
    for (from, to) in [("s3://other/copy", "copied"), ("s3://papers/moved", "moved")] {
        succeeds(&mut aws(&session, &["s3", "sync", from, to]));
        assert_same_tree(&session.path("there"), &session.path(to));
    }
    let rest = succeeds(&mut aws(&session, &["s3", "ls", "s3://papers"]));
    assert_eq!(rest.trim(), "PRE moved/");
}

#[test]
fn a_file_is_sent_from_a_pipe_and_read_into_one() {
    let session = session_with_bucket();
    write_file(&session.path("there"), 10 * MIB, 1);
    let shell = "aws s3 cp - s3://papers/piped <there && aws s3 cp s3://papers/piped - >back";
    succeeds(session.command("bash").args(["-c", shell]));
    assert_same_file(&session.path("there"), &session.path("back"));
}

#[test]
fn a_presigned_url_needs_no_client() {
    let session = session_with_bucket();
    write_file(&session.path("there"), 100_000, 1);
    succeeds(&mut aws(&session, &["s3", "cp", "there", "s3://papers/a b+c/é%"]));
    let url = succeeds(&mut aws(&session, &["s3", "presign", "s3://papers/a b+c/é%", "--expires-in", "60"]));
    let (status, body) = fetch(url.trim());
    assert_eq!(status, 200);
    assert!(body == fs::read(session.path("there")).unwrap());
    let (status, _) = fetch(&url.trim().replace("X-Amz-Expires=60", "X-Amz-Expires=61"));
    assert_eq!(status, 403);
}

#[test]
fn metadata_and_content_headers_come_back() {
    let session = session_with_bucket();
    write_file(&session.path("there"), 10, 1);
    let put = [
        "s3",
        "cp",
        "there",
        "s3://papers/a",
        "--metadata",
        "author=Jeanne",
        "--content-type",
        "text/plain",
        "--cache-control",
        "no-store",
        "--content-language",
        "fr",
        "--content-disposition",
        "inline",
    ];
    succeeds(&mut aws(&session, &put));
    let query = "[ContentType,CacheControl,ContentLanguage,ContentDisposition,Metadata.author,ContentLength]";
    let head =
        ["s3api", "head-object", "--bucket", "papers", "--key", "a", "--output", "text", "--query", query];
    assert_eq!(succeeds(&mut aws(&session, &head)).trim(), "text/plain\tno-store\tfr\tinline\tJeanne\t10");
}

#[test]
fn a_wrong_secret_is_refused() {
    let session = session_with_bucket();
    let mut command = aws(&session, &["s3", "ls"]);
    let told = fails(command.env("AWS_SECRET_ACCESS_KEY", "0".repeat(40)));
    assert!(told.contains("SignatureDoesNotMatch"), "{told}");
}

#[test]
fn buckets_are_addressed_by_host_name() {
    let session = Session::start();
    write_tree(&session.path("there"), &["été", "a b", "100%"]);
    fs::write(session.path("settings"), "[default]\ns3 =\n    addressing_style = virtual\n").unwrap();
    let port = session.authority().rsplit_once(':').unwrap().1.to_owned();
    let run = |words: &[&str]| {
        let mut command = aws(&session, words);
        command.env("AWS_ENDPOINT_URL", format!("http://s3.localhost:{port}"));
        command.env("AWS_CONFIG_FILE", session.path("settings"));
        succeeds(Session::resolve_localhost(&mut command))
    };
    run(&["s3", "mb", "s3://papers"]);
    run(&["s3", "sync", "there", "s3://papers"]);
    run(&["s3", "sync", "s3://papers", "back"]);
    assert_same_tree(&session.path("there"), &session.path("back"));
    run(&["s3", "rb", "--force", "s3://papers"]);
}
