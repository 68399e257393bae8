//! s3fs, which mounts a bucket as a file system. It needs `/dev/fuse`.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::PathBuf,
};

use crate::clients::{
    files::{
        AWKWARD_NAMES, MIB, SIZES, assert_same_file, assert_same_tree, names_below, write_file, write_tree,
    },
    session::{Session, bare_command, fails, succeeds},
};

/// The bucket `papers`, mounted. It is unmounted when this is dropped, before its server stops.
struct Mount {
    path: PathBuf,
    session: Session,
}

impl Mount {
    fn new() -> Self {
        let session = Session::start();
        succeeds(session.command("aws").args(["s3", "mb", "s3://papers"]));
        let path = session.path("mounted");
        fs::create_dir(&path).unwrap();
        let owner = session.owner();
        let url = format!("url={}", session.server().endpoint());
        let mut mount = session.command("s3fs");
        mount.arg("papers").arg(&path).args([
            "-o",
            &url,
            "-o",
            "use_path_request_style,endpoint=fr1,retries=1",
        ]);
        mount.env("AWSACCESSKEYID", owner.access_key_id.to_string());
        // It goes to the background once it is mounted.
        succeeds(mount.env("AWSSECRETACCESSKEY", owner.secret.expose()));
        Self { path, session }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// What the bucket has.
    fn keys(&self) -> Vec<String> {
        let mut list = self.session.command("aws");
        list.args(["s3api", "list-objects-v2", "--bucket", "papers", "--query", "Contents[].[Key]"]);
        let told = succeeds(list.args(["--output", "text"]));
        told.lines().filter(|key| *key != "None").map(str::to_owned).collect()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmounted = bare_command("fusermount", &self.session.path("")).arg("-u").arg(&self.path).status();
        if !std::thread::panicking() {
            assert!(unmounted.unwrap().success(), "the bucket is unmounted");
        }
    }
}

#[test]
fn files_of_every_size_come_back() {
    let mount = Mount::new();
    for size in SIZES.into_iter().chain([23 * MIB]) {
        let there = mount.session.path("there");
        write_file(&there, size, size);
        // Not fs::copy, which sets permissions of a file that is not written yet: the client finds no object then.
        fs::write(mount.path("file"), fs::read(&there).unwrap()).unwrap();
        assert_same_file(&there, &mount.path("file"));
        assert_eq!(fs::metadata(mount.path("file")).unwrap().len(), size);
    }
    assert!(mount.session.parts("file").is_some(), "a large file is sent in parts");
}

#[test]
fn directories_with_awkward_names_come_back() {
    let mount = Mount::new();
    write_tree(&mount.session.path("there"), AWKWARD_NAMES);
    write_tree(&mount.path("documents"), AWKWARD_NAMES);
    assert_same_tree(&mount.session.path("there"), &mount.path("documents"));
    assert_eq!(names_below(&mount.path("documents")).len(), AWKWARD_NAMES.len() + SIZES.len());
    fs::remove_dir_all(mount.path("documents")).unwrap();
    assert_eq!(mount.keys(), Vec::<String>::new());
}

#[test]
fn files_and_directories_are_renamed() {
    let mount = Mount::new();
    fs::create_dir(mount.path("a")).unwrap();
    for name in ["a/1", "a/2"] {
        fs::write(mount.path(name), name).unwrap();
    }
    fs::rename(mount.path("a/1"), mount.path("a/é 3")).unwrap();
    fs::rename(mount.path("a"), mount.path("b")).unwrap();
    assert_eq!(mount.keys(), ["b/", "b/2", "b/é 3"]);
    assert_eq!(fs::read_to_string(mount.path("b/é 3")).unwrap(), "a/1");
}

#[test]
fn a_file_is_added_to() {
    let mount = Mount::new();
    fs::write(mount.path("log"), "first\n").unwrap();
    let mut file = OpenOptions::new().append(true).open(mount.path("log")).unwrap();
    file.write_all(b"second\n").unwrap();
    drop(file);
    assert_eq!(fs::read_to_string(mount.path("log")).unwrap(), "first\nsecond\n");
}

#[test]
fn what_other_clients_wrote_is_a_file() {
    let mount = Mount::new();
    write_file(&mount.session.path("there"), 6 * MIB, 1);
    succeeds(mount.session.command("aws").args(["s3", "cp", "there", "s3://papers/in/a b"]));
    assert_same_file(&mount.session.path("there"), &mount.path("in/a b"));
    fs::remove_file(mount.path("in/a b")).unwrap();
    fails(mount.session.command("aws").args([
        "s3api",
        "head-object",
        "--bucket",
        "papers",
        "--key",
        "in/a b",
    ]));
}
