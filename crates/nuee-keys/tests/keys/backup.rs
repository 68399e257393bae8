//! The backup of a custody: what comes back, and what is refused.

use std::{collections::BTreeMap, fs, path::Path};

use nuee_base::{ErrorKind, Secret};
use nuee_keys::{DirectoryCustody, Error, KeyCustody, backup, restore};

use crate::support::{Platform, Seeded, environment, organisation};

fn passphrase() -> Secret {
    Secret::new("correct horse battery staple".into())
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn what_is_restored_equals_what_was_backed_up() {
    let platform = Platform::new(environment(1));
    let wrapped = platform.custody.wrap(organisation(2), b"place", b"secret").unwrap();
    let file = backup(platform.custody.directory(), &passphrase(), &environment(2)).unwrap();
    let target = platform.custody.directory().with_file_name("restored/keys");
    restore(&file, &passphrase(), &target).unwrap();
    assert_eq!(files(&target), files(platform.custody.directory()));
    let restored = DirectoryCustody::open(&target, environment(3)).unwrap();
    assert_eq!(restored.instance(), platform.custody.instance());
    assert_eq!(&*restored.unwrap(organisation(2), b"place", &wrapped).unwrap(), b"secret");
    // No content of a key file, nor a part of it, stands in the backup in clear.
    for content in files(&target).values() {
        for part in content.chunks(16) {
            assert!(!file.windows(part.len()).any(|window| window == part) || part.len() < 8);
        }
    }
}

#[test]
fn a_wrong_passphrase_and_an_altered_backup_are_refused_alike() {
    let platform = Platform::new(environment(4));
    let file = backup(platform.custody.directory(), &passphrase(), &environment(5)).unwrap();
    let target = platform.custody.directory().with_file_name("restored");
    let refused = |file: &[u8], passphrase: &Secret| {
        let error = restore(file, passphrase, &target).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Denied | ErrorKind::Corrupt), "{error}");
        assert!(!target.exists(), "what is refused writes nothing");
    };
    for wrong in ["", "correct horse battery stapl", "Correct horse battery staple"] {
        refused(&file, &Secret::new(wrong.into()));
    }
    for length in [0, 1, 8, 36, 37, 38, 69, file.len() - 17, file.len() - 1] {
        refused(&file[..length], &passphrase());
    }
    refused(&[&file[..], &[0]].concat(), &passphrase());
    // The salt of the passphrase, the salt of the sealing, the content, the tag: one bit of each.
    for at in [0, 8, 21, 36, 37, 38, 69, 70, file.len() / 2, file.len() - 1] {
        let mut altered = file.clone();
        altered[at] ^= 1 << (Seeded::new(at as u64).next() % 8);
        refused(&altered, &passphrase());
    }
    restore(&file, &passphrase(), &target).unwrap();
}

#[test]
fn a_cost_that_would_exhaust_the_machine_is_not_paid() {
    let platform = Platform::new(environment(6));
    let file = backup(platform.custody.directory(), &passphrase(), &environment(7)).unwrap();
    let target = platform.custody.directory().with_file_name("restored");
    // Memory, passes, lanes: too much of one, of all, and what Argon2 does not know. None of it may be tried: the
    // least of these would take a terabyte or a day.
    for cost in [
        [u32::MAX, 3, 1],
        [(1 << 20) + 1, 3, 1],
        [64 << 10, u32::MAX, 1],
        [64 << 10, 3, u32::MAX],
        [u32::MAX; 3],
        [0; 3],
        [64 << 10, 0, 1],
        [7, 3, 1],
    ] {
        let mut hostile = file.clone();
        for (place, number) in hostile[9..21].chunks_exact_mut(4).zip(cost) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        assert!(matches!(restore(&hostile, &passphrase(), &target), Err(Error::BackupRefused)), "{cost:?}");
        assert!(!target.exists());
    }
}

#[test]
fn a_custody_that_exists_is_not_restored_over() {
    let platform = Platform::new(environment(8));
    let keys = platform.custody.directory();
    let file = backup(keys, &passphrase(), &environment(9)).unwrap();
    let before = files(keys);
    assert!(matches!(restore(&file, &passphrase(), keys), Err(Error::NotEmpty(path)) if path == keys));
    assert_eq!(files(keys), before);
}

#[test]
fn where_there_is_no_root_key_there_is_nothing_to_back_up() {
    let platform = Platform::new(environment(10));
    let nowhere = platform.custody.directory().with_file_name("nowhere");
    assert!(matches!(backup(&nowhere, &passphrase(), &environment(11)), Err(Error::NoCustody(_))));
    fs::remove_file(platform.custody.directory().join("root.key")).unwrap();
    let error = backup(platform.custody.directory(), &passphrase(), &environment(11)).unwrap_err();
    assert!(
        matches!(error, Error::NoCustody(_)),
        "a backup without the root key would open nothing: {error}"
    );
}
