//! Copies of the keys, and what happens without them.

use std::fs;

use rustix::process::Signal;

use crate::support::{Finished, Home, text};

const PASSPHRASE: &str = "four words of a passphrase";

fn with_passphrase(home: &Home, arguments: &[&str]) -> Finished {
    let file = home.path("passphrase");
    fs::write(&file, format!("{PASSPHRASE}\n")).unwrap();
    home.run(&[arguments, &["--passphrase-file", text(&file)]].concat())
}

#[test]
fn lost_keys_come_back_from_a_backup() {
    let home = Home::new();
    home.start(&["up"]).stop(Signal::TERM);
    let made = with_passphrase(&home, &["key", "backup", "backup"]);
    assert!(made.success, "{}", made.stderr);
    let again = with_passphrase(&home, &["key", "backup", "backup"]);
    assert!(!again.success && again.stderr.contains("exists already"), "{}", again.stderr);

    fs::remove_dir_all(home.keys()).unwrap();
    let said = home.refusal(&["up", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    assert!(said.contains("without them nothing") && said.contains("nuee key restore"), "{said}");
    assert!(!home.keys().exists(), "no new keys are made for old data");

    let output =
        home.command(&["key", "restore", "backup"]).env("NUEE_PASSPHRASE", "another one").output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("the passphrase is wrong"));
    let restored = with_passphrase(&home, &["key", "restore", "backup"]);
    assert!(restored.success, "{}", restored.stderr);
    let running = home.start(&["up"]);
    assert_eq!(home.json(&["verify"])["damaged"], 0);
    running.stop(Signal::TERM);
}

#[test]
fn a_short_passphrase_and_a_missing_one_are_refused() {
    let home = Home::new();
    home.start(&["up"]).stop(Signal::TERM);
    let said = home.refusal(&["key", "backup", "backup"]);
    assert!(said.contains("NUEE_PASSPHRASE") && said.contains("--passphrase-file"), "{said}");
    let output = home.command(&["key", "backup", "backup"]).env("NUEE_PASSPHRASE", "short").output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("at least 12"));
    assert!(!home.path("backup").exists());
}

#[test]
fn keys_inside_the_data_directory_are_refused() {
    let home = Home::new();
    let inside = home.data().join("keys");
    let said = home.refusal(&["up", "--key-dir", text(&inside)]);
    assert!(said.contains("one inside the other"), "{said}");
    assert!(!home.data().exists(), "nothing was begun");
}

#[test]
fn keys_of_another_instance_are_refused() {
    let (home, other) = (Home::new(), Home::new());
    home.start(&["up"]).stop(Signal::TERM);
    other.start(&["up"]).stop(Signal::TERM);
    let keys = fs::read_dir(other.keys()).unwrap().next().unwrap().unwrap().path();
    let said = home.refusal(&["serve", "--key-dir", text(&keys)]);
    assert!(said.contains("belong to instance"), "{said}");
}
