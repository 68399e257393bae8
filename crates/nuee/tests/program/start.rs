//! Starting and stopping.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Home, text};

#[test]
fn the_first_start_shows_a_secret_and_later_ones_do_not() {
    let home = Home::new();
    let first = home.start(&["up"]);
    let id = first.setting("AWS_ACCESS_KEY_ID").unwrap();
    let secret = first.setting("AWS_SECRET_ACCESS_KEY").unwrap();
    assert_eq!(first.setting("secret_access_key").as_ref(), Some(&secret));
    assert!(first.welcome.contains(text(&home.keys())), "it says where the keys are: {}", first.welcome);
    assert!(first.stop(Signal::INT).contains("stopped"));

    let second = home.start(&["up"]);
    assert_eq!(second.setting("AWS_ACCESS_KEY_ID"), Some(id));
    assert!(!second.welcome.contains(&secret), "{}", second.welcome);
    second.stop(Signal::TERM);
    assert!(!home.log().contains(&secret), "a secret was logged");
    assert!(home.log().lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{}", home.log());
}

#[test]
fn a_first_start_that_is_killed_anywhere_is_finished_by_the_next() {
    let milestones: [fn(&Home) -> PathBuf; 6] = [
        |home| home.data(),
        |home| home.data().join("metadata.sqlite"),
        |home| home.keys(),
        |home| home.data().join("site/format"),
        |home| home.data().join("admin.sock"),
        |home| home.path("ready"),
    ];
    for milestone in milestones {
        let home = Home::new();
        let ready = home.path("ready");
        let arguments = ["up", "--ready-file", text(&ready)];
        let mut child = home.begin(&arguments);
        while !milestone(&home).exists() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let shown = fs::read(&ready).ok();
        let next = home.start(&["up"]);
        assert!(shown.is_some() || next.setting("AWS_SECRET_ACCESS_KEY").is_some(), "{}", next.welcome);
        assert_eq!(fs::read_dir(home.keys()).unwrap().count(), 1, "there is one custody");
        let accounts = home.json(&["service-account", "list"]);
        assert_eq!(accounts["accounts"].as_array().unwrap().len(), 1, "{accounts}");
        next.stop(Signal::TERM);
    }
}

#[test]
fn the_ready_file_tells_a_program_what_it_needs_and_goes_with_the_server() {
    let home = Home::new();
    let ready = home.path("ready.json");
    let running = home.start(&["up", "--ready-file", text(&ready)]);
    // The welcome comes first; the file when it is complete.
    while !ready.exists() {
        std::thread::yield_now();
    }
    let told: Value = serde_json::from_slice(&fs::read(&ready).unwrap()).unwrap();
    assert_eq!(told["secret_access_key"].as_str(), running.setting("AWS_SECRET_ACCESS_KEY").as_deref());
    assert_eq!(told["endpoint"].as_str(), running.setting("AWS_ENDPOINT_URL").as_deref());
    assert!(told["admin"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    assert_eq!(fs::metadata(&ready).unwrap().permissions().mode() & 0o777, 0o600);
    running.stop(Signal::TERM);
    assert!(!ready.exists());
}

#[test]
fn a_data_directory_has_one_server() {
    let home = Home::new();
    let running = home.start(&["up"]);
    let said = home.refusal(&["up", "--listen", "127.0.0.1:0"]);
    assert!(said.contains("is in use by process"), "{said}");
    running.stop(Signal::TERM);
}

#[test]
fn an_address_that_is_taken_is_told_with_the_option_to_change() {
    let home = Home::new();
    let running = home.start(&["up"]);
    let taken = running.setting("AWS_ENDPOINT_URL").unwrap().replace("http://", "");
    let other = Home::new();
    let said = other.refusal(&["up", "--listen", &taken]);
    assert!(said.contains("address in use") && said.contains("--listen"), "{said}");
    running.stop(Signal::TERM);
}

#[test]
fn a_service_makes_a_platform_only_when_told_to_and_prints_no_secret() {
    let home = Home::new();
    let said = home.refusal(&["serve"]);
    assert!(said.contains("nuee up") && said.contains("--init"), "{said}");
    assert!(!home.data().exists());
    let running = home.start(&["serve", "--init"]);
    assert!(running.welcome.starts_with("nuee is ready"), "{}", running.welcome);
    let accounts = home.json(&["service-account", "list"]);
    assert_eq!(accounts["accounts"].as_array().unwrap().len(), 0, "{accounts}");
    running.stop(Signal::TERM);
    home.start(&["serve"]).stop(Signal::TERM);
}

#[test]
fn what_is_written_is_for_its_owner_alone() {
    let home = Home::new();
    fs::create_dir_all(home.data()).unwrap();
    fs::set_permissions(home.data(), fs::Permissions::from_mode(0o755)).unwrap();
    home.start(&["up"]).stop(Signal::TERM);
    for directory in [home.data(), home.data().join("site"), home.keys()] {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", entry.path().display());
        }
    }
}

#[test]
fn a_certificate_is_made_on_demand_and_clients_are_told_whom_to_trust() {
    let home = Home::new();
    let running = home.start(&["up", "--tls", "self-signed"]);
    assert!(running.setting("AWS_ENDPOINT_URL").unwrap().starts_with("https://127.0.0.1:"));
    let bundle = running.setting("AWS_CA_BUNDLE").unwrap();
    assert!(fs::read_to_string(&bundle).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(home.run(&["status"]).stdout.contains("https://"));
    running.stop(Signal::TERM);
    let said = home.refusal(&["up", "--tls", "files"]);
    assert!(said.contains("tls.certificate"), "{said}");
}

#[test]
fn settings_are_shown_and_checked() {
    let home = Home::new();
    let shown = home.run(&["config", "show"]);
    assert!(shown.success && shown.stdout.contains("#listen = \"127.0.0.1:9000\""), "{}", shown.stdout);
    fs::write(home.path("nuee.toml"), "[server]\nlisten = 9000\n").unwrap();
    let said = home.refusal(&["config", "check"]);
    assert!(said.contains("nuee.toml:2:10:"), "{said}");
    fs::write(home.path("nuee.toml"), "[server]\nlisten = \"127.0.0.1:9100\"\n").unwrap();
    assert!(home.run(&["config", "check"]).success);
    let output = home.command(&["config", "show"]).env("NUEE_LIMITS__CONNECTIONS", "9").output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("\nlisten = \"127.0.0.1:9100\"\n") && shown.contains("\nconnections = 9\n"),
        "{shown}"
    );
}
