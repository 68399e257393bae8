//! A data lab in a real browser: the page signs its user in at an issuer, asks for temporary keys, and acts on S3 with the
//! AWS SDK for JavaScript, from an origin that is not the server's.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::Stdio,
};

use nuee_base::Role;
use nuee_tenancy::Trusted;
use nuee_testkit::Place;
use serde_json::{Value, json};

use super::{
    bench::{Bench, Issuer},
    web::LAB,
};
use crate::clients::session::{bare_command, clients_directory};

#[test]
fn a_page_of_a_data_lab_works_in_chromium() {
    let directory = tempfile::tempdir().unwrap();
    let scripts = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/sts");
    let mut command = bare_command("node", directory.path());
    command.arg(scripts.join("browser.js")).arg(scripts.join("page.js"));
    command.env("NODE_PATH", clients_directory().join("npm/node_modules"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut browser = command.spawn().unwrap();
    let mut told = BufReader::new(browser.stdout.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    let origins: Value = serde_json::from_str(&line).unwrap();
    let origin = origins["origin"].as_str().unwrap().to_owned();

    let callback = format!("{origin}/callback");
    let issuer = Issuer::start(0, Some(&callback));
    let section = issuer.settings();
    let bench = Bench::start(|settings| {
        settings.identity.issuers.insert("lab".to_owned(), section);
        settings.identity.browser_origins.push(origin);
    });
    let trusted = Trusted::Issuer {
        name: "lab".parse().unwrap(),
        conditions: vec!["groups contains researchers".parse().unwrap()],
        is_default: true,
    };
    let role = bench.role("lab", Role::Maintainer, trusted, Some(LAB));
    let mut owner = bench.server().client(Place::Exams);
    assert_eq!(owner.put("/others", "").unwrap().status, 200);
    let config = json!({ "issuer": issuer.url, "callback": callback, "endpoint": bench.server().endpoint(),
                         "role": role, "name": "ada", "bucket": "others" });
    writeln!(browser.stdin.take().unwrap(), "{config}").unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    told.read_to_string(&mut out).unwrap();
    browser.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert!(browser.wait().unwrap().success(), "{out}{err}");
    assert_eq!(out.lines().collect::<Vec<_>>(), ["everything was done", "nothing was read"], "{err}");
    bench.assert_sound();
}
