//! A server with a clock that can be set forward, an issuer, and those who ask for temporary keys.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use nuee::{IssuerSettings, Settings};
use nuee_access::Action;
use nuee_base::{Clock, Environment, Role, SystemClock, SystemRandom, Timestamp};
use nuee_tenancy::{RoleTerms, Trusted, role_arn};
use nuee_testkit::{
    Account, Answer, Client, Place, TestServer,
    signer::{Draft, Signer},
};
use tokio::runtime::Runtime;

use crate::clients::session::{bare_command, clients_directory};

/// A clock that is set forward.
#[derive(Debug, Clone, Default)]
pub(super) struct Ahead(Arc<AtomicU64>);

impl Ahead {
    fn by(&self) -> Duration {
        Duration::from_secs(self.0.load(SeqCst))
    }

    pub(super) fn seconds(&self) -> i64 {
        i64::try_from(self.by().as_secs()).unwrap()
    }

    pub(super) fn pass(&self, time: Duration) {
        self.0.fetch_add(time.as_secs(), SeqCst);
    }
}

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().saturating_add(self.by())
    }

    fn uptime(&self) -> Duration {
        SystemClock.uptime() + self.by()
    }
}

/// A temporary key.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) token: String,
}

impl Keys {
    /// Those of an answer, which must be one.
    pub(super) fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let one = |name: &str| answer.elements(name).remove(0);
        Self { id: one("AccessKeyId"), secret: one("SecretAccessKey"), token: one("SessionToken") }
    }

    pub(super) fn signer(&self) -> Signer {
        Signer::new(&self.id, &self.secret)
    }

    /// Signs in the header, with the token.
    pub(super) fn sign(&self, draft: Draft) -> Draft {
        self.signer().header(draft.header("x-amz-security-token", &self.token))
    }
}

pub(super) struct Bench {
    pub(super) runtime: Runtime,
    server: Option<TestServer>,
    pub(super) clock: Ahead,
}

impl Bench {
    pub(super) fn start(adapt: impl FnOnce(&mut Settings)) -> Self {
        let runtime = Runtime::new().unwrap();
        let clock = Ahead::default();
        let environment = Environment::new(clock.clone(), SystemRandom::default());
        let server = runtime.block_on(TestServer::start_with(environment, adapt)).unwrap();
        Self { runtime, server: Some(server), clock }
    }

    pub(super) fn server(&self) -> &TestServer {
        self.server.as_ref().unwrap()
    }

    pub(super) fn restart_with(&mut self, adapt: impl FnOnce(&mut Settings)) {
        let server = self.server.take().unwrap();
        self.server = Some(self.runtime.block_on(server.restart_with(adapt)).unwrap());
    }

    /// Makes a role in the project `schools`; gives its ARN.
    pub(super) fn role(&self, name: &str, grants: Role, trusted: Trusted, policy: Option<&str>) -> String {
        let terms = RoleTerms {
            grants,
            trusted,
            longest: Duration::from_hours(2),
            policy: policy.map(str::to_owned),
        };
        let platform = self.server().platform();
        let project = self.server().project(Place::Schools);
        let context = platform.operator();
        let permit = platform.decider().decide(&context, Action::CreateAssumableRole, project.resource());
        let permit = permit.unwrap();
        let made = platform.tenancy().create_assumable_role(&context, &permit, name.parse().unwrap(), terms);
        let made = self.runtime.block_on(made).unwrap();
        role_arn(made.project, &made.name)
    }

    pub(super) fn account(&self, place: Place, role: Role, name: &str) -> Account {
        self.runtime.block_on(self.server().create_account(place, role, Some(name))).unwrap()
    }

    pub(super) fn client(&self) -> Client {
        self.server().client(Place::Schools)
    }

    pub(super) fn send(&self, draft: &Draft) -> Answer {
        self.client().send_as_it_is(draft).unwrap()
    }

    /// What somebody with this key is answered who asks for these fields.
    pub(super) fn ask(&self, signer: &Signer, fields: &[(&str, &str)]) -> Answer {
        let signer = Signer { service: "sts".into(), ..signer.at(self.clock.seconds()) };
        self.send(&signer.header(form(fields).header("x-amz-content-sha256", &sha256(&form(fields).body))))
    }

    /// The same with a temporary key.
    pub(super) fn ask_with(&self, keys: &Keys, fields: &[(&str, &str)]) -> Answer {
        let signer = Signer { service: "sts".into(), ..keys.signer().at(self.clock.seconds()) };
        let draft = form(fields).header("x-amz-security-token", &keys.token);
        let hash = sha256(&draft.body);
        self.send(&signer.header(draft.header("x-amz-content-sha256", &hash)))
    }

    /// A temporary key that a service account has from a role.
    pub(super) fn assume(&self, account: &Account, arn: &str, more: &[(&str, &str)]) -> Keys {
        let mut fields = vec![("Action", "AssumeRole"), ("RoleArn", arn), ("RoleSessionName", "a-test")];
        fields.extend(more);
        Keys::of(&self.ask(&signer(account), &fields))
    }

    /// What somebody with this token is answered.
    pub(super) fn identify(&self, token: &str, more: &[(&str, &str)]) -> Answer {
        let mut fields = vec![("Action", "AssumeRoleWithWebIdentity"), ("WebIdentityToken", token)];
        fields.extend(more);
        self.send(&form(&fields))
    }

    /// The status and the code that a request with a temporary key is answered.
    pub(super) fn answered(&self, keys: &Keys, draft: Draft) -> (u16, String) {
        let answer = self.send(&keys.sign(draft));
        (answer.status, answer.code())
    }

    /// Nothing that is stored is other than it was written.
    pub(super) fn assert_sound(&self) {
        let platform = self.server().platform();
        let permit =
            platform.decider().decide(&platform.operator(), Action::Verify, nuee_access::Resource::Platform);
        let damaged = platform.tenancy().verify(&permit.unwrap(), None).unwrap();
        assert_eq!(damaged, [], "rows follow from the journal");
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            let _ = self.runtime.block_on(server.stop());
        }
    }
}

pub(super) fn signer(account: &Account) -> Signer {
    Signer::new(account.access_key_id.as_str(), account.secret.expose())
}

/// A form with these fields, as SDKs send it.
pub(super) fn form(fields: &[(&str, &str)]) -> Draft {
    let encoded: Vec<String> = fields
        .iter()
        .chain([&("Version", "2011-06-15")])
        .map(|(n, v)| format!("{n}={}", percent(v)))
        .collect();
    Draft::with_body(Method::POST, "/", encoded.join("&"))
        .header("content-type", "application/x-www-form-urlencoded")
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An issuer: the provider of npm, in a process of its own.
pub(super) struct Issuer {
    child: Child,
    pub(super) url: String,
}

impl Issuer {
    pub(super) fn start(port: u16, callback: Option<&str>) -> Self {
        let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/sts/issuer.js");
        let mut command: Command = bare_command("node", &std::env::temp_dir());
        command.env("NODE_PATH", clients_directory().join("npm/node_modules"));
        command.arg(script).arg(port.to_string()).args(callback);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let url = url.trim().to_owned();
        assert!(
            url.starts_with("http://"),
            "the issuer did not start: does `node` run tests/it/sts/issuer.js?"
        );
        Self { child, url }
    }

    pub(super) fn port(&self) -> u16 {
        self.url.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// The section of the settings that trusts it.
    pub(super) fn settings(&self) -> IssuerSettings {
        IssuerSettings {
            url: self.url.clone(),
            audiences: vec!["nuee".to_owned()],
            algorithms: vec!["RS256".to_owned()],
            jwks_url: None,
            ca_bundle: None,
        }
    }

    /// The access token of one of its programs.
    pub(super) fn token(&self, program: usize) -> String {
        let secret = "the%20secret%20of%20a%20program%20of%20the%20tests";
        let credentials = STANDARD.encode(format!("program-{program}:{secret}"));
        let draft = Draft::with_body(Method::POST, "/token", "grant_type=client_credentials")
            .set("host", self.url.strip_prefix("http://").unwrap())
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", &format!("Basic {credentials}"));
        let address = self.url.strip_prefix("http://").unwrap().parse().unwrap();
        let answer = Client::new(address, "", "").send_as_it_is(&draft).unwrap();
        let told: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        told["access_token"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
