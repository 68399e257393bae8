//! The command line signs in at a real provider, and out again, with a browser that its user has.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    process::{Command, Output, Stdio},
};

use nuee::{SignInIssuerSettings, SignInKind, TokenEndpointAuth};
use nuee_base::Role;
use nuee_testkit::Place;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::bench::{Browser, CLIENT_SECRET, Script};
use crate::api::Bench;

/// A server, a provider that knows it, and the home of somebody at this machine.
struct Stage {
    bench: Bench,
    provider: Script,
    home: TempDir,
    url: String,
}

impl Stage {
    fn set() -> Self {
        let mut provider = Script::start("provider.js", &["openid"]);
        let home = tempfile::tempdir().unwrap();
        let secret = home.path().join("secret");
        fs::write(&secret, CLIENT_SECRET).unwrap();
        let mut issuer = SignInIssuerSettings::new(SignInKind::OpenId, &provider.told, "nuee", secret);
        issuer.token_endpoint_auth = TokenEndpointAuth::ClientSecretBasic;
        let bench = Bench::start_with(|settings| {
            settings.sign_in.issuers.insert("state".to_owned(), issuer);
        });
        let address = bench.server.addresses().s3;
        provider.tell(&format!("http://console.localhost:{}/api/v1/issuers/callback", address.port()));
        Self { bench, provider, home, url: format!("http://{address}") }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nuee-under-test"));
        command.args(arguments).env_clear().env("HOME", self.home.path()).current_dir(self.home.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs `nuee login --issuer state` with a browser that goes where the command says; gives what it prints then.
    fn login(&self, browser: &mut Browser, options: &[&str]) -> (bool, String) {
        let arguments = ["login", "--issuer", "state", "--url", &self.url];
        let mut child = self.command(&[&arguments, options].concat()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut link = String::new();
        while !link.trim().starts_with("http") {
            link.clear();
            let read = output.read_line(&mut link).unwrap();
            assert_ne!(read, 0, "it ended: {:?}", child.wait_with_output());
        }
        let page = browser.visit(link.trim(), "login=ada");
        assert_eq!(page.status, 200, "{}", page.text());
        assert!(page.text().contains("This window can be closed."), "{}", page.text());
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        let finished = child.wait_with_output().unwrap();
        (finished.status.success(), rest + &String::from_utf8(finished.stderr).unwrap())
    }

    /// A file with the token of an invitation for Ada.
    fn invite(&self) -> String {
        let place = self.bench.organisation(Place::Schools);
        let owner = self.bench.join("grace@education.example", place, Role::Owner);
        let offer = json!({ "email": "ada@example.org", "role": "owner" });
        let asked = ("POST", "/organisations/education/invitations");
        let (status, made) = self.bench.call(&owner.token, asked, Some(&offer));
        assert_eq!(status, 201, "{made}");
        let file = self.home.path().join("invitation");
        fs::write(&file, made["token"].as_str().unwrap()).unwrap();
        file.to_str().unwrap().to_owned()
    }
}

#[test]
fn somebody_signs_in_by_a_link_and_out_again_by_another() {
    let stage = Stage::set();
    let mut browser = Browser::default();
    let (success, said) = stage.login(&mut browser, &[]);
    assert!(!success && said.contains("ask an owner of your organisation for an invitation"), "{said}");
    let (success, said) = stage.login(&mut browser, &["--join", "--token-file", &stage.invite()]);
    assert!(success && said.contains("ada Lovelace, ada@example.org\nof education, signed in by"), "{said}");
    let (success, said) = stage.login(&mut browser, &[]);
    assert!(success, "{said}");
    let who = stage.run(&["whoami", "--json"]);
    let who: Value = serde_json::from_slice(&who.stdout).unwrap();
    assert_eq!(
        (&who["user"]["email"], &who["organisation"]),
        (&json!("ada@example.org"), &json!("education"))
    );
    let refused = stage.run(&["member", "invite", "bob@example.org", "reader"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(4), "{said}");
    assert!(
        said.contains("sign in again with two factors at your issuer: `nuee login --two-factors"),
        "{said}"
    );

    let ended = stage.run(&["logout"]);
    let said = String::from_utf8(ended.stdout).unwrap();
    assert!(ended.status.success() && said.contains("To sign out at state too"), "{said}");
    assert_eq!(stage.run(&["whoami"]).status.code(), Some(3));
    let link = said.lines().find(|line| line.trim().starts_with("http")).unwrap().trim();
    let place = browser.sign_out(link, &stage.provider.told);
    let page = browser.visit(&place, "");
    assert!(page.text().contains("You have signed out, here and at state."), "{}", page.text());
}

#[test]
fn a_port_that_is_taken_is_said_before_anybody_signs_in() {
    let stage = Stage::set();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let refused = stage.run(&["login", "--issuer", "state", "--url", &stage.url, "--port", &port]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains(&format!("127.0.0.1:{port}")), "{said}");
    assert!(refused.stdout.is_empty());
}
