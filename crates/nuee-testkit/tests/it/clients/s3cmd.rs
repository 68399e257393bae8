//! s3cmd.

use std::{
    fs::{self, File},
    process::Command,
};

use crate::clients::{
    files::{
        AWKWARD_NAMES, MIB, SIZES, assert_same_file, assert_same_tree, longest_name, names_below, write_file,
        write_tree,
    },
    session::{Session, alone_with_large_files, fails, fetch, succeeds},
};

/// `s3cmd`, with these words.
fn s3cmd(session: &Session, words: &[&str]) -> Command {
    let mut command = session.command("s3cmd");
    command
        .arg("--config")
        .arg(session.path("s3cmd.ini"))
        .args(["--no-progress", "--max-retries", "0"])
        .args(words);
    command
}

fn session() -> Session {
    let session = Session::start();
    let (owner, host) = (session.owner(), session.authority());
    let settings = format!(
        "[default]\naccess_key = {}\nsecret_key = {}\nhost_base = {host}\nhost_bucket = {host}\nbucket_location = fr1\n\
        use_https = False\n",
        owner.access_key_id,
        owner.secret.expose()
    );
    fs::write(session.path("s3cmd.ini"), settings).unwrap();
    session
}

fn session_with_bucket() -> Session {
    let session = session();
    succeeds(&mut s3cmd(&session, &["mb", "s3://papers"]));
    session
}

#[test]
fn files_of_every_size_come_back() {
    let session = session_with_bucket();
    for size in SIZES {
        write_file(&session.path("there"), size, size);
        succeeds(&mut s3cmd(&session, &["put", "there", "s3://papers/reports/file"]));
        succeeds(&mut s3cmd(&session, &["get", "--force", "s3://papers/reports/file", "back"]));
        assert_same_file(&session.path("there"), &session.path("back"));
    }
}

#[test]
fn a_file_of_300_mebibytes_comes_back() {
    let session = session_with_bucket();
    let _alone = alone_with_large_files();
    write_file(&session.path("there"), 300 * MIB, 1);
    succeeds(&mut s3cmd(&session, &["put", "there", "s3://papers/archive.tar"]));
    succeeds(&mut s3cmd(&session, &["get", "s3://papers/archive.tar", "back"]));
    assert_same_file(&session.path("there"), &session.path("back"));
    assert_eq!(session.parts("archive.tar").as_deref(), Some("20"));
}

#[test]
fn directories_with_awkward_names_are_synced_both_ways() {
    let session = session_with_bucket();
    write_tree(&session.path("there"), AWKWARD_NAMES);
    succeeds(&mut s3cmd(&session, &["sync", "there/", "s3://papers/documents/"]));
    fs::create_dir(session.path("back")).unwrap();
    succeeds(&mut s3cmd(&session, &["sync", "s3://papers/documents/", "back/"]));
    assert_same_tree(&session.path("there"), &session.path("back"));
    let told = succeeds(&mut s3cmd(&session, &["sync", "there/", "s3://papers/documents/"]));
    assert!(!told.contains("upload:"), "what is the same is not sent again: {told}");
}

#[test]
fn a_sync_sends_what_changed_and_deletes_what_is_gone() {
    let session = session_with_bucket();
    for (seed, name) in (1..).zip(["kept", "changed", "gone", "in/gone"]) {
        write_file(&session.path("there").join(name), 100, seed);
    }
    let sync = ["sync", "--delete-removed", "there/", "s3://papers/"];
    succeeds(&mut s3cmd(&session, &sync));
    write_file(&session.path("there/changed"), 200, 9);
    fs::remove_file(session.path("there/gone")).unwrap();
    fs::remove_dir_all(session.path("there/in")).unwrap();
    let told = succeeds(&mut s3cmd(&session, &sync));
    assert!(told.contains("changed") && !told.contains("kept"), "{told}");
    fs::create_dir(session.path("back")).unwrap();
    succeeds(&mut s3cmd(&session, &["sync", "s3://papers/", "back/"]));
    assert_same_tree(&session.path("there"), &session.path("back"));
    assert_eq!(names_below(&session.path("back")).len(), 2);
}

#[test]
fn keys_that_are_no_paths_name_objects() {
    let session = session_with_bucket();
    let long = "é".repeat(512);
    let keys = ["a//b", "/first", "..", "../up", "a/../b", "a/./b", "%2e%2e%2f", &*long];
    for (seed, key) in (1..).zip(keys) {
        write_file(&session.path("there"), 100, seed);
        let url = format!("s3://papers/{key}");
        succeeds(&mut s3cmd(&session, &["put", "there", &url]));
        succeeds(&mut s3cmd(&session, &["get", "--force", &url, "back"]));
        assert_same_file(&session.path("there"), &session.path("back"));
    }
    assert_eq!(succeeds(&mut s3cmd(&session, &["ls", "-r", "s3://papers"])).lines().count(), 8);
    for key in keys {
        succeeds(&mut s3cmd(&session, &["del", &format!("s3://papers/{key}")]));
    }
    // To a key that ends like a directory the client adds the name of the file.
    succeeds(&mut s3cmd(&session, &["put", "there", "s3://papers/last/"]));
    let told = succeeds(&mut s3cmd(&session, &["ls", "-r", "s3://papers"]));
    assert!(told.trim_end().ends_with(" s3://papers/last/there") && told.lines().count() == 1, "{told}");
}

#[test]
fn a_path_of_1024_bytes_is_synced_and_one_of_1025_is_refused() {
    let session = session_with_bucket();
    let name = longest_name();
    assert_eq!(name.len(), 1_024);
    write_file(&session.path("there").join(&name), 100, 1);
    succeeds(&mut s3cmd(&session, &["sync", "there/", "s3://papers/"]));
    fs::create_dir(session.path("back")).unwrap();
    succeeds(&mut s3cmd(&session, &["sync", "s3://papers/", "back/"]));
    assert_same_tree(&session.path("there"), &session.path("back"));
    write_file(&session.path("file"), 100, 1);
    let told = fails(&mut s3cmd(&session, &["put", "file", &format!("s3://papers/{name}x")]));
    assert!(told.contains("KeyTooLongError"), "{told}");
    succeeds(&mut s3cmd(&session, &["del", &format!("s3://papers/{name}")]));
    assert_eq!(succeeds(&mut s3cmd(&session, &["ls", "-r", "s3://papers"])), "");
}

#[test]
fn a_file_is_sent_in_parts_from_a_disk_and_from_a_pipe() {
    let session = session_with_bucket();
    write_file(&session.path("there"), 11 * MIB, 1);
    let in_parts = ["put", "--multipart-chunk-size-mb=5"];
    succeeds(s3cmd(&session, &in_parts).args(["there", "s3://papers/file"]));
    let mut piped = s3cmd(&session, &in_parts);
    succeeds(piped.args(["-", "s3://papers/piped"]).stdin(File::open(session.path("there")).unwrap()));
    for key in ["file", "piped"] {
        assert_eq!(session.parts(key).as_deref(), Some("3"), "{key}");
        succeeds(&mut s3cmd(&session, &["get", "--force", &format!("s3://papers/{key}"), "back"]));
        assert_same_file(&session.path("there"), &session.path("back"));
    }
}

#[test]
fn a_signed_url_of_version_two_is_refused() {
    // The client signs URLs in no other way.
    let session = session_with_bucket();
    write_file(&session.path("there"), 100, 1);
    succeeds(&mut s3cmd(&session, &["put", "there", "s3://papers/a"]));
    let url = succeeds(&mut s3cmd(&session, &["signurl", "s3://papers/a", "+60"]));
    assert!(url.contains("AWSAccessKeyId="), "{url}");
    let (status, body) = fetch(url.trim());
    let body = String::from_utf8(body).unwrap();
    assert_eq!(status, 400, "{body}");
    assert!(body.contains("<Code>InvalidRequest</Code>"), "{body}");
}

#[test]
fn a_recursive_delete_leaves_nothing() {
    let session = session_with_bucket();
    write_tree(&session.path("there"), AWKWARD_NAMES);
    succeeds(&mut s3cmd(&session, &["put", "--recursive", "there/", "s3://papers/"]));
    succeeds(&mut s3cmd(&session, &["del", "s3://papers/été à la plage.txt"]));
    assert!(fails(&mut s3cmd(&session, &["rb", "s3://papers"])).contains("BucketNotEmpty"));
    succeeds(&mut s3cmd(&session, &["del", "--recursive", "--force", "s3://papers"]));
    assert_eq!(succeeds(&mut s3cmd(&session, &["ls", "-r", "s3://papers"])), "");
    succeeds(&mut s3cmd(&session, &["rb", "s3://papers"]));
    assert_eq!(succeeds(&mut s3cmd(&session, &["ls"])), "");
}

#[test]
fn objects_are_copied_moved_and_modified_on_the_server() {
    let session = session_with_bucket();
    write_file(&session.path("there"), 6 * MIB, 1);
    succeeds(&mut s3cmd(&session, &["put", "there", "s3://papers/é a"]));
    succeeds(&mut s3cmd(&session, &["cp", "s3://papers/é a", "s3://papers/b"]));
    succeeds(&mut s3cmd(&session, &["mv", "s3://papers/b", "s3://papers/c"]));
    succeeds(&mut s3cmd(&session, &["modify", "--add-header=Cache-Control:no-store", "s3://papers/c"]));
    let told = succeeds(&mut s3cmd(&session, &["ls", "s3://papers"]));
    let names: Vec<_> = told.lines().map(|line| line.split_once("s3://").unwrap().1).collect();
    assert_eq!(names, ["papers/c", "papers/é a"]);
    succeeds(&mut s3cmd(&session, &["get", "s3://papers/c", "back"]));
    assert_same_file(&session.path("there"), &session.path("back"));
}

#[test]
fn an_interrupted_download_goes_on_where_it_ended() {
    let session = session_with_bucket();
    write_file(&session.path("there"), 3 * MIB, 1);
    succeeds(&mut s3cmd(&session, &["put", "there", "s3://papers/a"]));
    let begun = fs::read(session.path("there")).unwrap();
    fs::write(session.path("back"), &begun[..1_000_000]).unwrap();
    succeeds(&mut s3cmd(&session, &["get", "--continue", "s3://papers/a", "back"]));
    assert_same_file(&session.path("there"), &session.path("back"));
}

#[test]
fn an_object_and_a_bucket_are_described() {
    let session = session_with_bucket();
    write_file(&session.path("there"), 1_234, 1);
    let put =
        ["put", "--mime-type=text/plain", "--add-header=x-amz-meta-author:Jeanne", "there", "s3://papers/a"];
    succeeds(&mut s3cmd(&session, &put));
    let told = succeeds(&mut s3cmd(&session, &["info", "s3://papers/a"]));
    for expected in ["1234", "text/plain", "x-amz-meta-author: Jeanne", "MD5 sum"] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let told = succeeds(&mut s3cmd(&session, &["info", "s3://papers"]));
    assert!(told.contains("Location:  fr1"), "{told}");
    let told = succeeds(&mut s3cmd(&session, &["du", "s3://papers"]));
    assert!(told.contains("1234"), "{told}");
}

#[test]
fn uploads_under_way_are_listed_and_aborted() {
    let session = session_with_bucket();
    let mut create = session.command("aws");
    create.args(["s3api", "create-multipart-upload", "--bucket", "papers", "--key", "a b"]);
    let id = succeeds(create.args(["--query", "UploadId", "--output", "text"]));
    let told = succeeds(&mut s3cmd(&session, &["multipart", "s3://papers"]));
    assert!(told.contains("s3://papers/a b") && told.contains(id.trim()), "{told}");
    succeeds(&mut s3cmd(&session, &["listmp", "s3://papers/a b", id.trim()]));
    succeeds(&mut s3cmd(&session, &["abortmp", "s3://papers/a b", id.trim()]));
    let told = succeeds(&mut s3cmd(&session, &["multipart", "s3://papers"]));
    assert!(!told.contains(id.trim()), "{told}");
}

#[test]
fn buckets_are_addressed_by_host_name() {
    let session = session();
    let port = session.authority().rsplit_once(':').unwrap().1.to_owned();
    let run = |words: &[&str]| {
        let mut command = s3cmd(&session, words);
        command.arg(format!("--host=s3.localhost:{port}"));
        command.arg(format!("--host-bucket=%(bucket)s.s3.localhost:{port}"));
        succeeds(Session::resolve_localhost(&mut command))
    };
    write_tree(&session.path("there"), &["été", "a b", "100%"]);
    run(&["mb", "s3://papers"]);
    run(&["sync", "there/", "s3://papers/"]);
    fs::create_dir(session.path("back")).unwrap();
    run(&["sync", "s3://papers/", "back/"]);
    assert_same_tree(&session.path("there"), &session.path("back"));
}

#[test]
fn a_wrong_secret_is_refused() {
    let session = session_with_bucket();
    let wrong = format!("--secret_key={}", "0".repeat(40));
    let told = fails(&mut s3cmd(&session, &[&wrong, "ls", "s3://papers"]));
    assert!(told.contains("SignatureDoesNotMatch"), "{told}");
}
