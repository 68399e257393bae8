//! Requests that [schemathesis](https://schemathesis.readthedocs.io) makes of the description: none is answered by a
//! failure of the server, and every answer is one that the description names.

use std::{fs, process::Command};

use nuee_base::Role;
use nuee_testkit::Place;
use serde_json::json;

use super::Bench;
use crate::clients::session::clients_directory;

/// How many requests are made at least.
const CASES: u64 = 10_000;

/// Names that are there, so that requests get further than to a place that is not.
const SETTINGS: &str = r#"
[parameters]
"path.organisation" = "education"
"path.project" = "schools"
"path.bucket" = "registers"
"#;

#[test]
fn no_generated_request_makes_the_server_fail() {
    let bench = Bench::start();
    let owner = bench.join("ada@education.example", bench.organisation(Place::Schools), Role::Owner);
    let bucket = json!({ "name": "registers" });
    let buckets = "/organisations/education/projects/schools/buckets";
    assert_eq!(bench.call(&owner.token, ("POST", buckets), Some(&bucket)).0, 201);
    let directory = tempfile::tempdir().unwrap();
    let settings = directory.path().join("schemathesis.toml");
    fs::write(&settings, SETTINGS).unwrap();
    let schema = directory.path().join("openapi.json");
    fs::write(&schema, serde_json::to_vec(&nuee_api::document(nuee_tenancy::Realm::Organisations)).unwrap())
        .unwrap();
    let report = directory.path().join("report.ndjson");

    let mut command = Command::new(clients_directory().join("venv/bin/schemathesis"));
    command.arg("--config-file").arg(&settings).arg("run").arg(&schema);
    command.args(["--url", &format!("http://{}/api/v1", bench.server.addresses().s3)]);
    command.args(["--header", "Host: console.localhost"]);
    command.args(["--header", &format!("Authorization: Bearer {}", owner.token)]);
    // What ends or replaces the token that all the others are made with.
    for operation in ["signOut", "renewSignIn", "changePassword"] {
        command.args(["--exclude-operation-id", operation]);
    }
    command.args(["--checks", "not_a_server_error", "--phases", "coverage,fuzzing"]);
    command.args(["--max-examples", "250", "--seed", "2026", "--continue-on-failure", "--no-color"]);
    command.args(["--suppress-health-check", "all", "--warnings", "off"]);
    command.args(["--report", "ndjson", "--report-ndjson-path"]).arg(&report);
    let output = command.current_dir(directory.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let generated = said.lines().find_map(|line| {
        line.trim().strip_suffix(" generated").map(str::to_owned).or_else(|| cases_of(line))
    });
    let cases: u64 = generated.and_then(|text| text.replace(',', "").parse().ok()).unwrap_or(0);
    println!("{cases} requests were generated");
    assert!(cases >= CASES, "{cases} requests: {said}");
}

/// The number in a line such as `12,345 generated, 12,345 passed`.
fn cases_of(line: &str) -> Option<String> {
    let (before, _) = line.split_once(" generated")?;
    before.split_whitespace().last().map(str::to_owned)
}
