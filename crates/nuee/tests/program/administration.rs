//! Administration of a running server through its socket, and of a data directory that no server has open.

use std::fs;

use nuee::{FirstStart, Server, ServerOptions, Settings, Tuning};
use nuee_base::Environment;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::support::{Home, text};

/// Everything that can be asked, and what must come back, whoever carries it out.
fn ask_everything(home: &Home) {
    let created = home.json(&["service-account", "create", "press", "--role", "reader"]);
    assert_eq!(created["reply"], "service-account-created");
    assert_eq!(created["account"]["role"], "reader");
    assert_eq!(created["secret_access_key"].as_str().unwrap().len(), 40);
    let said = home.refusal(&["service-account", "create", "press"]);
    assert!(said.contains("there is a service account named press already"), "{said}");

    home.json(&["organisation", "create", "health"]);
    home.json(&["project", "create", "hospitals", "--organisation", "health"]);
    let place = ["--organisation", "health", "--project", "hospitals"];
    home.json(&[&["service-account", "create", "press"], &place[..]].concat());
    let listed = home.json(&[&["service-account", "list"], &place[..]].concat());
    assert_eq!(names(&listed["accounts"]), ["press"], "the account of another organisation is not there");
    assert_eq!(names(&home.json(&["organisation", "list"])["organisations"]), ["health", "local"]);
    assert_eq!(names(&home.json(&["project", "list"])["projects"]), ["default"]);

    ask_about_access_keys(home);
    ask_about_quotas(home);
    ask_about_exposures(home);
    assert_eq!(home.json(&["service-account", "revoke", "press"])["reply"], "service-account-revoked");
    let listed = home.json(&["service-account", "list"]);
    assert_eq!(names(&listed["accounts"]), ["owner", "press"]);
    assert_eq!(listed["accounts"][1]["access_keys"], json!([]));
    assert!(listed["accounts"][1]["revoked_at"].is_string());

    let said = home.refusal(&["bucket", "lifecycle", "nowhere", "--dry-run"]);
    assert!(said.contains("the bucket nowhere does not exist"), "{said}");

    ask_the_journal(home);
    assert_eq!(home.json(&["key", "rotate", "--all"])["projects"], 2);
    assert_eq!(home.json(&["verify"])["damaged"], 0);
    let said = home.refusal(&["project", "list", "--organisation", "absent"]);
    assert!(said.contains("nuee organisation list"), "{said}");
}

/// What a project may be exposed to, and is.
fn ask_about_exposures(home: &Home) {
    let place = ["--organisation", "health", "--project", "hospitals"];
    let with = |words: &[&str]| -> Vec<String> {
        words.iter().chain(&place).map(|word| (*word).to_owned()).collect()
    };
    let json = |words: &[&str]| home.json(&with(words).iter().map(String::as_str).collect::<Vec<_>>());
    let refusal = |words: &[&str]| home.refusal(&with(words).iter().map(String::as_str).collect::<Vec<_>>());
    let create = ["exposure", "create", "--zone", "internet", "--days", "30"];
    let said = refusal(&create);
    assert!(said.contains("beyond rie") && said.contains("nuee project ceiling"), "{said}");
    let raised = home.json(&["project", "ceiling", "hospitals", "internet", "--organisation", "health"]);
    assert_eq!(raised["ceiling"], "internet");
    let made = json(&[&create[..], &["--network", "192.0.2.0/24", "--audience", "anyone"]].concat());
    assert_eq!(made["terms"]["zone"], "internet");
    assert_eq!(made["terms"]["networks"], json!(["192.0.2.0/24"]));
    assert_eq!(made["created_by"], "operator");
    let listed = json(&["exposure", "list"]);
    assert_eq!(listed["exposures"].as_array().unwrap().len(), 1);
    let explained = |from: &str| {
        let asked = ["access", "explain", "anonymous", "s3:ListAllMyBuckets", "health/hospitals"];
        home.run(&[&asked[..], &["--from", from]].concat()).stdout
    };
    for from in ["rie", "internet", "internet@198.51.100.7"] {
        assert_eq!(explained(from), "Denied: not exposed to the zone.\n", "{from}");
    }
    assert_eq!(
        explained("internet@192.0.2.7"),
        "Denied: anonymous.\n",
        "the way is open, and permits nothing"
    );
    let id = made["id"].as_str().unwrap();
    assert_eq!(json(&["exposure", "delete", id])["reply"], "exposure-deleted");
    assert!(refusal(&["exposure", "delete", id]).contains("there is no exposure"));
    for wrong in [
        &["exposure", "create", "--zone", "local", "--days", "1"][..],
        &["exposure", "create", "--zone", "rie", "--until", "2020-01-01"],
        &["exposure", "create", "--zone", "rie"],
        &["exposure", "create", "--zone", "rie", "--days", "1", "--bucket", "nowhere"],
        &["exposure", "create", "--zone", "rie", "--days", "1", "--prefix", "a"],
    ] {
        assert!(!refusal(wrong).is_empty(), "{wrong:?}");
    }
}

/// The account `press` gets a second key, and loses its first.
fn ask_about_access_keys(home: &Home) {
    let keys = || {
        let listed = home.json(&["access-key", "list"]);
        let accounts = listed["accounts"].as_array().unwrap().clone();
        let press = accounts.into_iter().find(|account| account["name"] == "press").unwrap();
        press["access_keys"].as_array().unwrap().clone()
    };
    let first = keys().remove(0)["id"].as_str().unwrap().to_owned();
    let made = home.json(&["access-key", "create", "press", "--expires-in-days", "90"]);
    assert_eq!(made["secret_access_key"].as_str().unwrap().len(), 40);
    let said = home.refusal(&["access-key", "create", "press"]);
    assert!(said.contains("has 2 already: delete one first"), "{said}");
    assert_eq!(home.json(&["access-key", "delete", "press", &first])["reply"], "access-key-deleted");
    let left = keys();
    assert_eq!((left.len(), &left[0]["id"]), (1, &made["access_key_id"]));
    assert_eq!(left[0]["expires_at"], made["expires_at"]);
    let said = home.refusal(&["access-key", "delete", "press", &first]);
    assert!(said.contains(&format!("there is no access key {first}")), "{said}");

    let id = made["access_key_id"].as_str().unwrap();
    let explained = |action: &str, resource: &str| home.json(&["access", "explain", id, action, resource]);
    let allowed = explained("s3:ListAllMyBuckets", "local/default");
    assert_eq!((&allowed["allowed"], &allowed["policies"]), (&json!(true), &json!(["listings-are-read"])));
    let said = home.refusal(&["access", "explain", id, "s3:GetObject", "s3://nowhere/key"]);
    assert!(said.contains("the bucket nowhere does not exist"), "{said}");
    let said = home.refusal(&["access", "explain", id, "s3:Everything", "platform"]);
    assert!(said.contains("there is no action \"s3:Everything\""), "{said}");
}

fn ask_about_quotas(home: &Home) {
    let bound = home.json(&["project", "quota", "default", "--bytes", "1.5GiB", "--buckets", "3"]);
    let quota =
        json!({ "bytes": 1_610_612_736_u64, "objects": null, "buckets": 3, "requests_per_second": null });
    assert_eq!(bound["quota"], quota);
    assert_eq!(home.json(&["project", "show", "default"]), bound);
    let unbound = home.json(&["project", "quota", "default"]);
    assert_eq!(unbound["quota"]["bytes"], Value::Null);
    let said = home.refusal(&["project", "quota", "default", "--bytes", "1.5GB"]);
    assert!(said.contains("write 1073741824 or 1GiB"), "{said}");

    let anywhere = home.json(&["project", "placement", "default", "--anywhere"]);
    assert_eq!(anywhere["placement"], json!({ "copies": 1, "countries": [] }));
    let said = home.refusal(&["project", "placement", "default", "--country", "FR", "DE"]);
    assert!(said.contains("DE, FR alone") && said.contains("site.country"), "{said}");
    let said = home.refusal(&["project", "placement", "default", "--anywhere", "--copies", "2"]);
    assert!(said.contains("the platform has 1 site"), "{said}");
    assert!(home.refusal(&["project", "placement", "default", "--country", "fr"]).contains("ISO 3166-1"));
}

/// What was done is listed and exported, and the export is checked without the platform.
fn ask_the_journal(home: &Home) {
    let listed = home.json(&["journal", "list", "--action", "nuee:*ServiceAccount"]);
    assert_eq!(listed["leaves"], json!([]), "a star stands at the end");
    let listed = home.json(&["journal", "list", "--action", "nuee:RevokeServiceAccount", "--limit", "5"]);
    assert_eq!(listed["leaves"][0]["by"], "operator", "{listed}");
    let key = home.json(&["journal", "key"])["key"].as_str().unwrap().to_owned();
    let file = home.path("journal.jsonl");
    let name = file.to_str().unwrap();
    let exported = home.json(&["journal", "export", name]);
    let verified = home.json(&["journal", "verify", name, "--key", &key]);
    assert_eq!(
        (&verified["leaves"], &verified["checkpoint_leaves"]),
        (&exported["leaves"], &exported["size"])
    );
    let said = home.refusal(&["journal", "export", name]);
    assert!(said.contains("cannot make"), "{said}");
    let changed = fs::read_to_string(&file).unwrap().replacen("operator", "nobody", 1);
    fs::write(&file, changed).unwrap();
    let said = home.refusal(&["journal", "verify", name, "--key", &key]);
    assert!(said.contains("line "), "{said}");
    fs::remove_file(&file).unwrap();
    let checkpoint = home.run(&["journal", "checkpoint"]);
    fs::write(&file, &checkpoint.stdout).unwrap();
    assert_eq!(home.json(&["verify", "--quick", "--checkpoint", name])["damaged"], 0);
    fs::write(&file, checkpoint.stdout.replacen("nuee/", "nuee/0", 1)).unwrap();
    home.refusal(&["verify", "--quick", "--checkpoint", name]);
    fs::remove_file(&file).unwrap();
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|each| each["name"].as_str().unwrap()).collect()
}

#[test]
fn a_running_server_is_administered_through_its_socket() {
    let home = Home::new();
    let running = home.start(&["up", "--empty"]);
    ask_everything(&home);
    let endpoint = running.setting("AWS_ENDPOINT_URL").unwrap();
    assert_eq!(format!("http://{}", home.json(&["status"])["server"]["listen"].as_str().unwrap()), endpoint);
    running.stop(Signal::TERM);
}

#[test]
fn a_data_directory_without_a_server_is_administered_directly() {
    let home = Home::new();
    home.start(&["up", "--empty"]).stop(Signal::TERM);
    ask_everything(&home);
    assert_eq!(home.json(&["status"])["server"], Value::Null);
}

#[test]
fn what_is_not_there_is_not_made_by_asking() {
    let home = Home::new();
    let said = home.refusal(&["status"]);
    assert!(said.contains("there is no data in") && said.contains("nuee up"), "{said}");
    assert!(!home.data().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_is_seen_at_once_by_the_server() {
    let home = Home::new();
    let (data, keys) = (home.path("data"), home.path("keys"));
    let mut settings = Settings::default();
    settings.server.listen.set_port(0);
    settings.server.admin_listen.set_port(0);
    settings.storage.data_dir = Some(data.clone());
    settings.storage.key_dir = Some(keys);
    let environment = Environment::system();
    let options = ServerOptions {
        settings,
        first_start: FirstStart::WithOwner,
        environment,
        tuning: Tuning::default(),
    };
    let server = Server::start(options.clone()).await.unwrap();
    let id = server.owner_key().unwrap().id.clone();
    let tenancy = server.platform().tenancy().clone();
    assert!(tenancy.credentials(&id).unwrap().is_some(), "and now it is known in memory");
    let run = move || {
        home.json(&["service-account", "revoke", "owner", "--data-dir", text(&data)]);
        home
    };
    let home = spawn_blocking(run).await.unwrap();
    assert!(tenancy.credentials(&id).unwrap().is_none());
    drop(tenancy);
    assert_eq!(server.stop().await.unwrap(), 0);

    // The account is not made anew, though nobody noted that its secret was shown.
    let server = Server::start(options).await.unwrap();
    assert!(server.owner_key().is_none());
    server.stop().await.unwrap();
    drop(home);
}
