//! A server whose clock can be set, with versions that are locked and those who attack them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use http::Method;
use nuee::{Administration, Reply, Request};
use nuee_access::Action;
use nuee_base::{Clock, Environment, Role, SystemClock, SystemRandom, Timestamp};
use nuee_metadata::{Metadata, Options};
use nuee_testkit::{
    Answer, Client, Place, TestServer,
    signer::{Draft, Signer},
};
use tokio::runtime::Runtime;

/// Until when versions are retained.
pub(super) const UNTIL: &str = "2100-01-01T00:00:00Z";
pub(super) const MINUTE: Duration = Duration::from_mins(1);
/// Longer than versions are retained.
pub(super) const CENTURY: Duration = Duration::from_hours(24 * 36_525);

/// What keeps a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Held {
    Compliance,
    Governance,
    LegalHold,
}

impl Held {
    fn mode(self) -> Option<&'static str> {
        match self {
            Self::Compliance => Some("COMPLIANCE"),
            Self::Governance => Some("GOVERNANCE"),
            Self::LegalHold => None,
        }
    }
}

/// A clock that somebody sets forward, while the time that passes is what it is unless it is said to have passed.
#[derive(Debug, Clone, Default)]
pub(super) struct SetClock {
    ahead_ms: Arc<AtomicU64>,
    passed_ms: Arc<AtomicU64>,
}

impl SetClock {
    /// Sets it so far ahead of the time that it is.
    pub(super) fn set_forward(&self, ahead: Duration) {
        self.ahead_ms.store(u64::try_from(ahead.as_millis()).unwrap(), SeqCst);
    }

    /// Lets so much time pass.
    pub(super) fn pass(&self, time: Duration) {
        self.passed_ms.fetch_add(u64::try_from(time.as_millis()).unwrap(), SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().saturating_add(Duration::from_millis(self.ahead_ms.load(SeqCst)))
    }

    fn uptime(&self) -> Duration {
        SystemClock.uptime() + Duration::from_millis(self.passed_ms.load(SeqCst))
    }
}

/// The server, and everybody.
pub(super) struct Bench {
    runtime: Runtime,
    server: Option<TestServer>,
    pub(super) clock: SetClock,
    signers: BTreeMap<&'static str, Signer>,
    made: usize,
    /// Versions that are attacked again and again: key and id of each.
    kept: BTreeMap<Held, (String, String)>,
    keeps: bool,
}

/// Somebody who attacks a version.
pub(super) struct Attacker<'a> {
    bench: &'a mut Bench,
    client: Client,
    held: Held,
    name: &'static str,
    /// `/vault/` and the key.
    pub(super) path: String,
    pub(super) key: String,
    /// The id of the version.
    pub(super) version: String,
    /// Status and code of all that was answered.
    pub(super) answers: Vec<String>,
}

impl Bench {
    pub(super) fn start() -> Self {
        let (runtime, clock) = (Runtime::new().unwrap(), SetClock::default());
        let environment = Environment::new(clock.clone(), SystemRandom::default());
        let server = runtime.block_on(TestServer::start_with(environment, |_| {})).unwrap();
        let mut signers = BTreeMap::new();
        let owners =
            [("owner", Place::Schools), ("another project", Place::Exams), ("another", Place::Hospitals)];
        for (name, place) in owners {
            let account = server.owner(place);
            signers.insert(name, Signer::new(account.access_key_id.as_str(), account.secret.expose()));
        }
        for role in [Role::Maintainer, Role::Developer, Role::Reader, Role::Auditor] {
            let account = runtime.block_on(server.create_account(Place::Schools, role, None)).unwrap();
            let signer = Signer::new(account.access_key_id.as_str(), account.secret.expose());
            signers.insert(role.as_str(), signer);
        }
        let mut client = server.client(Place::Schools);
        let vault = Draft::put("/vault", "").header("x-amz-bucket-object-lock-enabled", "true");
        for bucket in [vault, Draft::put("/open", "")] {
            assert_eq!(client.send(bucket).unwrap().status, 200);
        }
        let (kept, server) = (BTreeMap::new(), Some(server));
        Self { runtime, server, clock, signers, made: 0, kept, keeps: false }
    }

    pub(super) fn server(&self) -> &TestServer {
        self.server.as_ref().unwrap()
    }

    /// From now on versions are attacked again, once the server has written down how far its clock of locks came.
    pub(super) fn keep(&mut self) {
        for held in [Held::Compliance, Held::Governance] {
            let attacker = self.attacker(held);
            let victim = (attacker.key.clone(), attacker.version.clone());
            self.kept.insert(held, victim);
        }
        self.keeps = true;
        let file = self.server().data_directory().join("metadata.sqlite");
        let metadata = Metadata::open_read_only(&file, Options::default()).unwrap();
        while metadata.read(|snapshot| snapshot.platform_value("lock-clock")).unwrap().is_none() {
            std::thread::yield_now();
        }
    }

    pub(super) fn restart(&mut self) {
        let server = self.server.take().unwrap();
        self.server = Some(self.runtime.block_on(server.restart()).unwrap());
    }

    /// Somebody who may not remove the version that is attacked: a new one, or one that is attacked again.
    pub(super) fn attacker(&mut self, held: Held) -> Attacker<'_> {
        let mut client = self.server().client(Place::Schools);
        let (key, version) = match self.kept.get(&held).filter(|_| self.keeps) {
            Some(kept) => kept.clone(),
            None => self.make(&mut client, held),
        };
        let name = if held == Held::Compliance { "owner" } else { "developer" };
        let path = format!("/vault/{key}");
        Attacker { bench: self, client, held, name, path, key, version, answers: Vec::new() }
    }

    fn make(&mut self, client: &mut Client, held: Held) -> (String, String) {
        self.made += 1;
        let key = format!("held-{}", self.made);
        let draft = Draft::put(&format!("/vault/{key}"), format!("content {}", self.made));
        let draft = draft.header("x-amz-meta-note", "a note").header("x-amz-tagging", "a=b");
        let draft = match held.mode() {
            Some(mode) => draft
                .header("x-amz-object-lock-mode", mode)
                .header("x-amz-object-lock-retain-until-date", UNTIL),
            None => draft.header("x-amz-object-lock-legal-hold", "ON"),
        };
        let answer = client.send(draft).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        (key, answer.header("x-amz-version-id").unwrap().to_owned())
    }
}

impl Attacker<'_> {
    /// What the owner sees of the version. That no hold was ever said, or that one was ended, is the same here.
    pub(super) fn seen(&mut self) -> Vec<String> {
        let mut seen = Vec::new();
        for marker in ["", "retention", "legal-hold", "tagging"] {
            let draft = self.by_id(Draft::new(Method::GET, &self.path));
            let draft = if marker.is_empty() { draft } else { draft.query(marker, "") };
            let answer = self.client.send(draft).unwrap();
            let shown = |(name, value): &&(String, String)| {
                let is_off = name == "x-amz-object-lock-legal-hold" && value == "OFF";
                !is_off && !["date", "x-amz-request-id"].contains(&&**name)
            };
            let code = answer.code();
            if marker == "legal-hold" && answer.elements("Status") != ["ON"] {
                seen.push("not held".to_owned());
                continue;
            }
            // The body of an error has the number of the request.
            seen.push(if code.is_empty() { answer.text() } else { format!("{} {code}", answer.status) });
            let headers = answer.headers.iter().filter(shown).filter(|_| code.is_empty());
            seen.extend(headers.map(|(name, value)| format!("{name}: {value}")));
        }
        let list = Draft::new(Method::GET, "/vault").query("versions", "").query("prefix", &self.key);
        let is_listed = self.client.send(list).unwrap().elements("VersionId").contains(&self.version);
        seen.push(if is_listed { "listed" } else { "not listed" }.to_owned());
        seen
    }

    /// Sends a request as who attacks.
    pub(super) fn ask(&mut self, draft: Draft) -> Answer {
        self.ask_as(self.name, draft)
    }

    /// Sends a request as somebody else; a name that is nobody's signs nothing.
    pub(super) fn ask_as(&mut self, name: &str, draft: Draft) -> Answer {
        let draft = match self.bench.signers.get(name) {
            Some(signer) => signer.at(0).header(draft),
            None => draft,
        };
        self.ask_signed(&draft)
    }

    /// Sends a request that was signed before.
    pub(super) fn ask_signed(&mut self, draft: &Draft) -> Answer {
        let answer = self.client.send_as_it_is(draft).unwrap();
        // The refusals of many deletions at once are inside.
        let inner = answer.elements("Error").into_iter().any(|text| text.contains("<Code>AccessDenied"));
        let code = if inner && answer.status == 200 { "AccessDenied".to_owned() } else { answer.code() };
        self.answers.push(format!("{} {code}", answer.status).trim_end().to_owned());
        answer
    }

    /// Sends a request of which only the answer's status and code matter.
    pub(super) fn tries(&mut self, draft: Draft) {
        let _ = self.ask(draft);
    }

    /// The same as somebody else.
    pub(super) fn tries_as(&mut self, name: &str, draft: Draft) {
        let _ = self.ask_as(name, draft);
    }

    /// The same, signed before.
    pub(super) fn tries_signed(&mut self, draft: &Draft) {
        let _ = self.ask_signed(draft);
    }

    /// Signs a request in its query, as who attacks.
    pub(super) fn presign(&self, draft: Draft) -> Draft {
        self.bench.signers[self.name].at(0).presign(draft)
    }

    /// Whether the answers are these. Who may do less is refused what others are answered, with another code maybe.
    pub(super) fn was_answered(&self, expected: &str) -> bool {
        let expected: Vec<_> = expected.split(", ").collect();
        let fits = |(answer, expected): (&String, &&str)| {
            let refused = |text: &str| text.starts_with('4') || text.contains("AccessDenied");
            answer == expected || self.name != "owner" && refused(answer)
        };
        expected.len() == self.answers.len() && self.answers.iter().zip(&expected).all(fits)
    }

    pub(super) fn by_id(&self, draft: Draft) -> Draft {
        draft.query("versionId", &self.version)
    }

    /// The deletion of the version.
    pub(super) fn delete(&self) -> Draft {
        self.by_id(Draft::new(Method::DELETE, &self.path))
    }

    /// The deletion of what `objects` names, in one request.
    pub(super) fn delete_all(&self, objects: &str) -> Draft {
        let document = format!("<Delete>{}</Delete>", objects.replace("KEY", &self.key));
        let document = document.replace("VERSION", &self.version);
        Draft::with_body(Method::POST, "/vault", document).query("delete", "")
    }

    /// A change of the version's retention.
    pub(super) fn retention(&self, body: &str) -> Draft {
        self.by_id(self.of_key(&format!("<Retention>{body}</Retention>"), "retention"))
    }

    /// A retention in its own mode until another instant.
    pub(super) fn until(&self, until: &str) -> Draft {
        self.retained(self.mode(), until)
    }

    /// Another retention.
    pub(super) fn retained(&self, mode: &str, until: &str) -> Draft {
        self.retention(&format!("<Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate>"))
    }

    /// A change of its legal hold.
    pub(super) fn hold(&self, status: &str) -> Draft {
        let document = format!("<LegalHold><Status>{status}</Status></LegalHold>");
        self.by_id(self.of_key(&document, "legal-hold"))
    }

    /// The mode that it is retained in.
    pub(super) fn mode(&self) -> &'static str {
        self.held.mode().unwrap_or("COMPLIANCE")
    }

    /// A change of what the key names.
    pub(super) fn of_key(&self, document: &str, marker: &str) -> Draft {
        Draft::put(&self.path, document).query(marker, "")
    }

    /// A change of a setting of the bucket.
    pub(super) fn of_bucket(document: &str, marker: &str) -> Draft {
        Draft::put("/vault", document).query(marker, "")
    }

    /// A copy of the version onto its own key.
    pub(super) fn copy(&self) -> Draft {
        let source = format!("{}?versionId={}", self.path, self.version);
        Draft::put(&self.path, "").header("x-amz-copy-source", &source)
    }

    pub(super) fn restart(&mut self) {
        self.bench.restart();
        self.client = self.bench.server().client(Place::Schools);
    }

    /// Days pass, and the rules that the bucket has, if it has any, are carried out.
    pub(super) fn expire(&mut self) {
        let days = Duration::from_hours(24 * 3);
        self.bench.clock.pass(days);
        self.bench.clock.set_forward(days);
        let administration = Administration::new(self.bench.server().platform().clone(), None);
        let request = Request::RunLifecycle { bucket: "vault".parse().unwrap(), dry_run: false };
        if let Ok(reply) = self.bench.runtime.block_on(administration.execute(request, |_| {})) {
            let Reply::LifecycleRun(run) = reply else { panic!("{reply:?}") };
            assert!(run.locked > 0, "what is locked was not met: {run:?}");
        }
    }

    /// The operator gives the project another key.
    pub(super) fn rotate_keys(&mut self) {
        let platform = self.bench.server().platform();
        let (context, project) =
            (platform.operator(), self.bench.server().project(Place::Schools).resource());
        let permit = platform.decider().decide(&context, Action::RotateKey, project).unwrap();
        let rotate = platform.store().rotate_project_key(&context, &permit);
        assert_eq!(self.bench.runtime.block_on(rotate).unwrap().damaged, 0);
    }
}

/// The same with leave to pass over the GOVERNANCE mode.
pub(super) fn bypass(draft: Draft) -> Draft {
    draft.header("x-amz-bypass-governance-retention", "true")
}
