//! Certificates of a running server: replaced without a restart, kept when the new one is of no use.

mod acme;
mod client;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use nuee::TlsMode;
use nuee_base::Environment;
use nuee_testkit::{Client, Program, TestServer};
use rustix::process::Signal;
use tempfile::TempDir;

use client::{Authority, SecureClient, roots_of};

/// Files of a certificate and its key, as an operator keeps them.
struct Files {
    directory: TempDir,
}

impl Files {
    fn new(authority: &Authority) -> Self {
        let files = Self { directory: TempDir::new().unwrap() };
        files.replace(authority);
        files
    }

    fn certificate(&self) -> PathBuf {
        self.directory.path().join("certificate.pem")
    }

    fn key(&self) -> PathBuf {
        self.directory.path().join("key.pem")
    }

    fn replace(&self, authority: &Authority) {
        let (certificate, key) = authority.issue("127.0.0.1");
        replace(&self.key(), &key);
        replace(&self.certificate(), &certificate);
    }

    async fn server(&self) -> TestServer {
        TestServer::start_with(Environment::system(), |settings| {
            settings.tls.mode = TlsMode::Files;
            settings.tls.certificate = Some(self.certificate());
            settings.tls.key = Some(self.key());
        })
        .await
        .unwrap()
    }

    fn program(&self) -> Program {
        let (certificate, key) = (self.certificate(), self.key());
        let variables = [
            ("NUEE_TLS__MODE", "files"),
            ("NUEE_TLS__CERTIFICATE", certificate.to_str().unwrap()),
            ("NUEE_TLS__KEY", key.to_str().unwrap()),
        ];
        Program::new(env!("CARGO_BIN_EXE_nuee-under-test"), &variables).unwrap()
    }
}

/// As everybody replaces such files: beside, for its owner alone, then in place.
fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("beside");
    fs::write(&beside, text).unwrap();
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(beside, path).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_certificate_is_presented_to_new_clients_and_old_ones_stay_connected() {
    let (old, new) = (Authority::new(), Authority::new());
    let files = Files::new(&old);
    let server = files.server().await;
    let address = server.addresses().s3;
    let mut early = SecureClient::connect(address, old.roots()).unwrap();
    assert!(early.get("/").unwrap().starts_with("HTTP/1.1 403 "));
    files.replace(&new);
    assert!(server.refresh_certificate().await.unwrap());
    assert!(SecureClient::connect(address, new.roots()).is_ok());
    assert!(SecureClient::connect(address, old.roots()).is_err());
    assert!(early.get("/").unwrap().starts_with("HTTP/1.1 403 "), "the connection goes on");
    drop(early);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_cannot_be_used_leaves_the_one_of_before() {
    let (old, new) = (Authority::new(), Authority::new());
    let files = Files::new(&old);
    let server = files.server().await;
    let (certificate, _) = new.issue("127.0.0.1");
    for broken in ["", "of no form", &certificate] {
        replace(&files.certificate(), broken);
        let said = format!("{:#}", server.refresh_certificate().await.unwrap_err());
        assert!(said.contains("certificate.pem"), "{said}");
        assert!(SecureClient::connect(server.addresses().s3, old.roots()).is_ok(), "{broken}");
    }
    fs::remove_file(files.certificate()).unwrap();
    assert!(server.refresh_certificate().await.is_err());
    assert!(SecureClient::connect(server.addresses().s3, old.roots()).is_ok());
    files.replace(&new);
    assert!(server.refresh_certificate().await.unwrap());
    assert!(SecureClient::connect(server.addresses().s3, new.roots()).is_ok());
    server.stop().await.unwrap();
}

#[test]
fn a_hang_up_has_the_files_read_again_and_ends_nothing() {
    let (old, new) = (Authority::new(), Authority::new());
    let files = Files::new(&old);
    let program = files.program();
    let running = program.up().unwrap();
    assert!(SecureClient::connect(running.address(), old.roots()).is_ok());
    files.replace(&new);
    running.send(Signal::HUP).unwrap();
    while SecureClient::connect(running.address(), new.roots()).is_err() {
        std::thread::yield_now();
    }
    running.stop().unwrap();
}

#[test]
fn the_server_looks_at_the_files_by_itself() {
    let (old, new) = (Authority::new(), Authority::new());
    let files = Files::new(&old);
    let program = files.program();
    let running = program.up().unwrap();
    replace(&files.certificate(), "of no form");
    while !program.log().unwrap().contains("the certificate of before stays") {
        std::thread::yield_now();
    }
    assert!(SecureClient::connect(running.address(), old.roots()).is_ok());
    files.replace(&new);
    while SecureClient::connect(running.address(), new.roots()).is_err() {
        std::thread::yield_now();
    }
    running.stop().unwrap();
}

#[test]
fn a_key_that_others_may_read_is_warned_of() {
    let files = Files::new(&Authority::new());
    fs::set_permissions(files.key(), fs::Permissions::from_mode(0o644)).unwrap();
    let program = files.program();
    let checked = program.run(&["config", "check"]).unwrap();
    assert!(checked.contains("certificate for 127.0.0.1") && checked.contains("chmod 600"), "{checked}");
    program.up().unwrap().stop().unwrap();
    assert!(program.log().unwrap().contains("chmod 600"));
}

#[test]
fn a_certificate_and_a_key_that_do_not_belong_together_are_told_before_the_start() {
    let authority = Authority::new();
    let files = Files::new(&authority);
    let program = files.program();
    replace(&files.key(), &authority.issue("127.0.0.1").1);
    let said = format!("{:#}", program.run(&["config", "check"]).unwrap_err());
    assert!(said.contains("does not belong") && said.contains("key.pem"), "{said}");
    let said = format!("{:#}", program.up().unwrap_err());
    assert!(said.contains("does not belong"), "{said}");
    fs::remove_file(files.key()).unwrap();
    let said = format!("{:#}", program.run(&["config", "check"]).unwrap_err());
    assert!(said.contains("cannot read tls.key") && said.contains("key.pem"), "{said}");
}

#[test]
fn a_mode_without_its_files_says_which_setting_is_missing() {
    let variables = [("NUEE_TLS__MODE", "files")];
    let program = Program::new(env!("CARGO_BIN_EXE_nuee-under-test"), &variables).unwrap();
    let said = format!("{:#}", program.run(&["config", "check"]).unwrap_err());
    assert!(said.contains("tls.certificate"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_self_signed_certificate_outlives_a_restart_and_readiness_tells_of_it() {
    let adapt = |settings: &mut nuee::Settings| settings.tls.mode = TlsMode::SelfSigned;
    let server = TestServer::start_with(Environment::system(), adapt).await.unwrap();
    assert!(server.endpoint().starts_with("https://"), "{}", server.endpoint());
    let roots = roots_of(&server.ca_certificate().unwrap());
    let mut client = SecureClient::connect(server.addresses().s3, roots.clone()).unwrap();
    assert_eq!(client.group(), rustls::NamedGroup::X25519MLKEM768);
    let mut watcher = Client::new(server.addresses().admin, "", "");
    let ready = watcher.get("/health/ready").unwrap().text();
    assert!(ready.contains("\"certificate\"") && ready.contains("valid until"), "{ready}");
    let metrics = watcher.get("/metrics").unwrap().text();
    assert!(metrics.contains("nuee_tls_certificate_expiry_timestamp_seconds "), "{metrics}");
    assert!(client.get("/").unwrap().starts_with("HTTP/1.1 403 "));
    drop((client, watcher));
    let server = server.restart().await.unwrap();
    assert!(SecureClient::connect(server.addresses().s3, roots).is_ok());
    server.stop().await.unwrap();
}
