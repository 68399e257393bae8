//! The custody in a directory: what it keeps, from whom, and what it says when it cannot.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Arc, Barrier},
    thread,
};

use nuee_base::ErrorKind;
use nuee_keys::{DirectoryCustody, Error, KeyCustody};

use crate::support::{Platform, environment, organisation};

fn open(directory: &Path) -> Result<DirectoryCustody, Error> {
    DirectoryCustody::open(directory, environment(9))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_custody_that_is_opened_again_unwraps_what_it_wrapped() {
    let platform = Platform::new(environment(1));
    let wrapped = platform.custody.wrap(organisation(1), b"place", b"secret").unwrap();
    let again = open(platform.custody.directory()).unwrap();
    assert_eq!(again.instance(), platform.custody.instance());
    assert_eq!(&*again.unwrap(organisation(1), b"place", &wrapped).unwrap(), b"secret");
    assert_eq!(again.organisations().unwrap(), [organisation(1), organisation(2)]);
    let derived = |custody: &DirectoryCustody, of| custody.derive(organisation(of), b"use").unwrap();
    assert_eq!(derived(&again, 1), derived(&platform.custody, 1));
    assert_ne!(derived(&again, 1), derived(&again, 2));
    assert_ne!(*derived(&again, 1), *again.derive(organisation(1), b"other use").unwrap());
}

#[test]
fn what_was_wrapped_opens_in_its_place_only() {
    let custody = Platform::new(environment(2)).custody;
    let platform = Platform::new(environment(3));
    let wrapped = platform.custody.wrap(organisation(1), b"place", b"secret").unwrap();
    let refused = |result: Result<_, Error>| matches!(result.map(|_| ()), Err(Error::Tampered));
    assert!(refused(platform.custody.unwrap(organisation(2), b"place", &wrapped)));
    assert!(refused(platform.custody.unwrap(organisation(1), b"elsewhere", &wrapped)));
    assert!(refused(platform.custody.unwrap(organisation(1), b"place", &wrapped[..wrapped.len() - 1])));
    assert!(refused(platform.custody.unwrap(organisation(1), b"place", b"")));
    drop(custody);
}

#[test]
fn files_are_for_their_owner_alone_and_are_refused_otherwise() {
    let platform = Platform::new(environment(4));
    let directory = platform.custody.directory();
    let root = directory.join("root.key");
    let of = directory.join(format!("{}.key", organisation(1)));
    assert_eq!((mode(directory), mode(&root), mode(&of)), (0o700, 0o600, 0o600));
    for (path, private) in [(directory, 0o700), (&*root, 0o600)] {
        for bit in [0o040, 0o020, 0o010, 0o004, 0o002, 0o001] {
            fs::set_permissions(path, Permissions::from_mode(private | bit)).unwrap();
            let error = open(directory).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Denied);
            assert!(error.to_string().contains(&format!("chmod -R go= {}", path.display())), "{error}");
        }
        fs::set_permissions(path, Permissions::from_mode(private)).unwrap();
        assert!(open(directory).is_ok());
    }
    fs::set_permissions(&of, Permissions::from_mode(0o640)).unwrap();
    assert!(
        matches!(platform.custody.wrap(organisation(1), b"", b""), Err(Error::Exposed(path)) if path == of)
    );
}

#[test]
fn a_missing_custody_says_what_is_missing_and_what_to_do() {
    let platform = Platform::new(environment(5));
    let nowhere = platform.custody.directory().with_file_name("nowhere");
    let error = open(&nowhere).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(
        error.to_string(),
        format!(
            "there are no keys in {}: without them the data cannot be read. Give the right --key-dir, or bring them \
             back with `nuee key restore`",
            nowhere.display()
        )
    );
    assert!(!nowhere.exists(), "looking for a custody must not make one");
}

#[test]
fn a_custody_is_made_in_an_empty_or_new_directory_only() {
    let directory = tempfile::tempdir().unwrap();
    let deep = directory.path().join("a/b/keys");
    DirectoryCustody::create(&deep, environment(6)).unwrap();
    assert_eq!(mode(&deep), 0o700);
    let before = fs::read(deep.join("root.key")).unwrap();
    let error = DirectoryCustody::create(&deep, environment(7)).err().unwrap();
    assert!(matches!(&error, Error::NotEmpty(path) if *path == deep));
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(fs::read(deep.join("root.key")).unwrap(), before);

    let open_to_all = directory.path().join("open");
    fs::create_dir(&open_to_all).unwrap();
    fs::set_permissions(&open_to_all, Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(DirectoryCustody::create(&open_to_all, environment(8)), Err(Error::Exposed(_))));
}

#[test]
fn key_files_of_another_platform_do_not_open() {
    let (one, other) = (Platform::new(environment(10)), Platform::new(environment(11)));
    let name = format!("{}.key", organisation(1));
    fs::copy(other.custody.directory().join(&name), one.custody.directory().join(&name)).unwrap();
    assert!(matches!(one.custody.wrap(organisation(1), b"", b""), Err(Error::Tampered)));
    assert!(matches!(one.custody.derive(organisation(1), b""), Err(Error::Tampered)));
}

#[test]
fn key_files_of_two_organisations_cannot_be_exchanged() {
    let platform = Platform::new(environment(12));
    let file = |number| platform.custody.directory().join(format!("{}.key", organisation(number)));
    fs::copy(file(1), file(2)).unwrap();
    assert!(platform.custody.wrap(organisation(1), b"", b"").is_ok());
    assert!(matches!(platform.custody.wrap(organisation(2), b"", b""), Err(Error::Tampered)));
}

#[test]
fn files_that_are_no_keys_are_named() {
    let platform = Platform::new(environment(13));
    let directory = platform.custody.directory();
    let root = fs::read_to_string(directory.join("root.key")).unwrap();
    let lines: Vec<_> = root.lines().collect();
    let (title, instance, key) = (lines[0], lines[1], lines[2]);
    for content in [
        String::new(),
        format!("another title\n{instance}\n{key}\n"),
        format!("{title}\nnot an id\n{key}\n"),
        format!("{title}\n{instance}\n"),
        format!("{title}\n{instance}\n{}\n", &key[1..]),
        format!("{title}\n{instance}\n{}x\n", &key[1..]),
        format!("{title}\n{instance}\n{key}00\n"),
    ] {
        fs::write(directory.join("root.key"), &content).unwrap();
        let error = open(directory).err().unwrap();
        assert!(matches!(error, Error::Malformed { .. }), "{content:?}");
        assert!(error.to_string().contains("root.key is not a key file of nuee"), "{error}");
    }
    let of = directory.join(format!("{}.key", organisation(1)));
    for content in ["", "one line", "another title\n00\n", "nuee organisation key, form 1\nno digits\n"] {
        fs::write(&of, content).unwrap();
        assert!(matches!(platform.custody.wrap(organisation(1), b"", b""), Err(Error::Malformed { .. })));
    }
}

#[test]
fn what_a_destroyed_key_wrapped_is_lost() {
    let platform = Platform::new(environment(14));
    let wrapped = platform.custody.wrap(organisation(1), b"place", b"secret").unwrap();
    platform.custody.destroy_organisation_key(organisation(1)).unwrap();
    assert_eq!(platform.custody.organisations().unwrap(), [organisation(2)]);
    for custody in [&*platform.custody, &open(platform.custody.directory()).unwrap()] {
        let error = custody.unwrap(organisation(1), b"place", &wrapped).unwrap_err();
        assert!(matches!(error, Error::NoOrganisationKey(of) if of == organisation(1)));
        assert!(custody.destroy_organisation_key(organisation(1)).is_err());
    }
    // A new key of the same organisation is another key.
    platform.custody.create_organisation_key(organisation(1)).unwrap();
    assert!(matches!(platform.custody.unwrap(organisation(1), b"place", &wrapped), Err(Error::Tampered)));
}

#[test]
fn a_custody_that_went_away_is_not_taken_for_a_key_that_was_destroyed() {
    let platform = Platform::new(environment(15));
    let directory = platform.custody.directory();
    fs::rename(directory, platform.custody.directory().with_file_name("away")).unwrap();
    let assert_gone = || {
        let gone =
            |result: Result<(), Error>| matches!(result, Err(Error::NoCustody(path)) if path == directory);
        assert!(gone(platform.custody.wrap(organisation(1), b"", b"").map(drop)));
        assert!(gone(platform.custody.destroy_organisation_key(organisation(1))));
        assert!(gone(platform.custody.create_organisation_key(organisation(3))));
    };
    assert_gone();
    // A mount point of which the file system is not mounted is an empty directory: no key may be written there.
    fs::create_dir(directory).unwrap();
    assert_gone();
    assert_eq!(fs::read_dir(directory).unwrap().count(), 0);
}

#[test]
fn a_key_that_exists_is_never_written_over() {
    let platform = Platform::new(environment(16));
    let path = platform.custody.directory().join(format!("{}.key", organisation(1)));
    let before = fs::read(&path).unwrap();
    let error = platform.custody.create_organisation_key(organisation(1)).unwrap_err();
    assert!(matches!(error, Error::OrganisationKeyExists(of) if of == organisation(1)));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn of_many_who_make_one_key_at_once_one_succeeds() {
    let platform = Platform::new(environment(17));
    for number in 3..23 {
        let (start, custody) = (Barrier::new(4), Arc::clone(&platform.custody));
        let made = thread::scope(|scope| {
            let one = || {
                start.wait();
                custody.create_organisation_key(organisation(number)).is_ok()
            };
            let all: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
            all.into_iter().filter_map(|one| one.join().unwrap().then_some(())).count()
        });
        assert_eq!(made, 1);
        assert!(custody.wrap(organisation(number), b"", b"").is_ok());
    }
}

#[test]
fn what_an_attempt_that_was_cut_left_is_in_nobody_s_way() {
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("keys");
    fs::create_dir(&keys).unwrap();
    fs::set_permissions(&keys, Permissions::from_mode(0o700)).unwrap();
    let left = keys.join(".key-abc123.new");
    fs::write(&left, "half a k").unwrap();
    let custody = DirectoryCustody::create(&keys, environment(18)).unwrap();
    assert!(!left.exists());
    fs::write(&left, "half a k").unwrap();
    custody.create_organisation_key(organisation(1)).unwrap();
    assert_eq!(open(&keys).unwrap().organisations().unwrap(), [organisation(1)]);
}

#[test]
fn a_place_that_cannot_be_looked_at_is_not_taken_for_an_empty_one() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let within = file.join("keys");
    for error in
        [open(&within).err().unwrap(), DirectoryCustody::create(&within, environment(19)).err().unwrap()]
    {
        assert!(matches!(error, Error::Io { .. }), "{error}");
        assert!(error.to_string().contains("Not a directory"), "{error}");
    }
}
