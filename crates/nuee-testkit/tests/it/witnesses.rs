//! A witness signs a journal, and refuses one that was rewritten.

use std::{fs, path::Path};

use nuee::{Witness, WitnessOptions};
use nuee_base::Environment;
use nuee_journal::{ExportRange, VerifierKey, Witnessed, verify_export};
use nuee_testkit::{Place, TestServer};
use rusqlite::Connection;
use tempfile::TempDir;

async fn witness(directory: &Path, journal: VerifierKey) -> Witness {
    let options = WitnessOptions {
        name: "witness.example/one".into(),
        directory: directory.to_path_buf(),
        listen: "127.0.0.1:0".parse().unwrap(),
        journals: vec![journal],
        environment: Environment::system(),
    };
    Witness::start(options).await.unwrap()
}

/// What the server knows of its witness once it has asked.
async fn known(server: &TestServer, key: &VerifierKey) -> Witnessed {
    server.platform().journal().sequence().await.unwrap();
    server.platform().ask_witnesses().await.unwrap();
    server.platform().journal().witnessed(key).unwrap()
}

async fn served(server: TestServer, witness: &Witness) -> TestServer {
    let line = format!("http://{} {}", witness.address(), witness.key());
    server.restart_with(|settings| settings.journal.witnesses = vec![line]).await.unwrap()
}

fn put(server: &TestServer, name: &str) {
    let mut client = server.client(Place::Schools);
    assert_eq!(client.put(&format!("/{name}"), "").unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_signs_what_goes_on_and_refuses_what_was_rewritten() {
    let directory = TempDir::new().unwrap();
    let server = TestServer::start().await.unwrap();
    put(&server, "papers");
    let key = server.platform().journal().verifier_key().unwrap();
    let signing = witness(directory.path(), key.clone()).await;
    let server = served(server, &signing).await;
    put(&server, "more");
    let size = server.platform().journal().sequence().await.unwrap().checkpoint.size;
    let signed = known(&server, signing.key()).await;
    assert!(signed.size() >= size && signed.problem.is_none(), "{signed:?}");
    export_names_the_witness(&server, &signing, &key);

    // A witness that begins again knows what it has signed.
    let witness_key = signing.key().clone();
    signing.stop().await.unwrap();
    let signing = witness(directory.path(), key).await;
    assert_eq!(*signing.key(), witness_key);

    let data = server.data_directory().to_path_buf();
    let server = served(server, &signing).await;
    rewrite(&data, size);
    put(&server, "later");
    let refused = known(&server, signing.key()).await;
    assert!(refused.problem.is_some_and(|problem| problem.contains("history was rewritten")));
    server.stop().await.unwrap();
    signing.stop().await.unwrap();
}

/// Changes a leaf and makes all that follows from it anew, as whoever has the keys and the database could.
fn rewrite(data: &Path, size: u64) {
    let connection = Connection::open(data.join("metadata.sqlite")).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let sql = format!(
        "UPDATE journal SET at = at + 1 WHERE id = {};
         DELETE FROM journal_tiles;
         DELETE FROM platform WHERE name = 'journal-checkpoint';",
        size / 2
    );
    connection.execute_batch(&format!("BEGIN IMMEDIATE; {sql} COMMIT;")).unwrap();
}

fn export_names_the_witness(server: &TestServer, signing: &Witness, key: &VerifierKey) {
    let organisation = server.project(Place::Schools).organisation;
    let witnesses = [signing.key().clone()];
    let mut text = Vec::new();
    let range = ExportRange { organisation, since: None, until: None };
    server.platform().journal().export(range, &witnesses, &mut text).unwrap();
    let verified = verify_export(&text[..], key, &witnesses).unwrap();
    assert_eq!(verified.witnesses, ["witness.example/one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_whose_key_others_may_read_does_not_start() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    let server = TestServer::start().await.unwrap();
    let key = server.platform().journal().verifier_key().unwrap();
    witness(directory.path(), key.clone()).await.stop().await.unwrap();
    let file = directory.path().join("witness.key");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let options = WitnessOptions {
        name: "witness.example/one".into(),
        directory: directory.path().to_path_buf(),
        listen: "127.0.0.1:0".parse().unwrap(),
        journals: vec![key],
        environment: Environment::system(),
    };
    assert!(Witness::start(options).await.is_err());
    server.stop().await.unwrap();
}
