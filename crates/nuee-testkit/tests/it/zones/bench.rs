//! A server in three networks, with things of two projects, and those who ask for them.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use http::Method;
use nuee::{ListenerService, ListenerSettings, Settings};
use nuee_access::{Action, Resource};
use nuee_base::{Clock, Environment, ExposureId, Role, SystemClock, SystemRandom, Timestamp, Zone};
use nuee_tenancy::{Audience, ExposureTerms, RoleTerms, Trusted, role_arn};
use nuee_testkit::{Account, Answer, Client, Place, TestServer, Wire, signer::Draft};
use tokio::runtime::Runtime;

use super::networks::{INTERNET, INTERNET_CLIENT, Networks, RIE, address};

/// A clock that is set forward.
#[derive(Debug, Clone, Default)]
pub(super) struct Ahead(Arc<AtomicU64>);

impl Ahead {
    pub(super) fn pass(&self, seconds: u64) {
        self.0.fetch_add(seconds, SeqCst);
    }
}

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().saturating_add(Duration::from_secs(self.0.load(SeqCst)))
    }

    fn uptime(&self) -> Duration {
        SystemClock.uptime() + Duration::from_secs(self.0.load(SeqCst))
    }
}

/// The bucket `papers` of `schools` holds `public/a` (`what is open`) and `secret/b` (`what is closed`), and an upload in
/// each; its policy lets anyone read and list it. `notes` holds `n`, and nobody else may read it. `exams` of the project of
/// that name holds `x`.
pub(super) struct Bench {
    pub(super) runtime: Runtime,
    server: Option<TestServer>,
    pub(super) networks: Networks,
    pub(super) clock: Ahead,
    pub(super) role: String,
}

/// What anyone may do in `papers`, by its policy: as much as a policy may say.
const OPEN: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*",
    "Action": "s3:*", "Resource": ["arn:aws:s3:::papers", "arn:aws:s3:::papers/*"]}]}"#;

fn listener(ip: &str, zone: Zone) -> ListenerSettings {
    ListenerSettings {
        address: SocketAddr::new(address(ip), 0),
        zone,
        services: vec![ListenerService::S3],
        device: Some(zone.to_string()).filter(|_| zone != Zone::Local),
        trusted_proxies: Vec::new(),
        tls: None,
    }
}

fn settings(settings: &mut Settings) {
    settings.s3.domains = vec!["s3.rie.example".into(), "s3.example.org".into()];
    let mut add = |name: &str, listener| settings.listeners.insert(name.to_owned(), listener);
    add("local", listener("127.0.0.1", Zone::Local));
    add("rie", listener(RIE, Zone::Rie));
    add("internet", listener(INTERNET, Zone::Internet));
    let proxied = listener(INTERNET, Zone::Internet);
    add("proxied", ListenerSettings { trusted_proxies: vec![INTERNET_CLIENT.into()], ..proxied });
    // By whatever cable: only the address says which zone it is.
    add("routed", ListenerSettings { device: None, ..listener(RIE, Zone::Rie) });
}

impl Bench {
    pub(super) fn start() -> Self {
        let (networks, clock) = (Networks::new(), Ahead::default());
        let environment = Environment::new(clock.clone(), SystemRandom::default());
        let (runtime, server) = networks.within(Zone::Local, || {
            // Its threads are where it is made.
            let runtime = Runtime::new().unwrap();
            let server = runtime.block_on(TestServer::start_with(environment, settings)).unwrap();
            (runtime, server)
        });
        let mut bench = Self { runtime, server: Some(server), networks, clock, role: String::new() };
        bench.fill();
        bench.role = bench.role();
        bench
    }

    fn fill(&self) {
        let made = |draft: Draft, place| {
            let asked = format!("{} {}", draft.method, draft.target());
            let answer = self.ask(Zone::Local, &self.signed(draft, place));
            assert!(answer.status < 300, "{asked}: {}", answer.text());
        };
        for (path, content) in [
            ("/papers", ""),
            ("/papers/public/a", "what is open"),
            ("/papers/secret/b", "what is closed"),
            ("/notes", ""),
            ("/notes/n", "a note"),
        ] {
            made(Draft::put(path, content), Place::Schools);
        }
        for path in ["/papers/public/upload", "/papers/secret/upload"] {
            made(Draft::with_body(Method::POST, path, "").query("uploads", ""), Place::Schools);
        }
        made(Draft::new(Method::DELETE, "/papers").query("publicAccessBlock", ""), Place::Schools);
        made(Draft::put("/papers", OPEN).query("policy", ""), Place::Schools);
        let cors = "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>\
                    </CORSRule></CORSConfiguration>";
        made(Draft::put("/papers", cors).query("cors", ""), Place::Schools);
        for (path, content) in [("/exams", ""), ("/exams/x", "an exam")] {
            made(Draft::put(path, content), Place::Exams);
        }
    }

    /// A role that service accounts of `schools` may assume; gives its ARN.
    fn role(&self) -> String {
        let (platform, project) = (self.server().platform(), self.server().project(Place::Schools));
        let context = platform.operator();
        let action = Action::CreateAssumableRole;
        let permit = platform.decider().decide(&context, action, project.resource()).unwrap();
        let terms = RoleTerms {
            grants: Role::Reader,
            trusted: Trusted::ServiceAccounts,
            longest: Duration::from_hours(2),
            policy: None,
        };
        let name = "lab".parse().unwrap();
        let made = platform.tenancy().create_assumable_role(&context, &permit, name, terms);
        let made = self.runtime.block_on(made).unwrap();
        role_arn(made.project, &made.name)
    }

    pub(super) fn server(&self) -> &TestServer {
        self.server.as_ref().unwrap()
    }

    pub(super) fn restart(&mut self, between: impl FnOnce(&std::path::Path) + Send) {
        let server = self.server.take().unwrap();
        let runtime = &self.runtime;
        let started = self.networks.within(Zone::Local, move || {
            let adapt = |settings: &mut Settings| {
                between(&settings.storage.data_dir.clone().unwrap().join("metadata.sqlite"));
            };
            runtime.block_on(server.restart_with(adapt)).unwrap()
        });
        self.server = Some(started);
    }

    pub(super) fn owner(&self, place: Place) -> &Account {
        self.server().owner(place)
    }

    /// A request of the owner of a project.
    pub(super) fn signed(&self, draft: Draft, place: Place) -> Draft {
        let owner = self.owner(place);
        let signer = nuee_testkit::signer::Signer::new(owner.access_key_id.as_str(), owner.secret.expose());
        // Signatures are checked by the machine's clock.
        signer.header(draft)
    }

    /// Where a listener listens.
    pub(super) fn listener(&self, name: &str) -> SocketAddr {
        self.server().listener(name).unwrap()
    }

    /// What somebody in a zone is answered, by its listener.
    pub(super) fn ask(&self, zone: Zone, draft: &Draft) -> Answer {
        self.ask_at(zone, zone.as_str(), draft)
    }

    /// The same, by the listener of another name.
    pub(super) fn ask_at(&self, zone: Zone, listener: &str, draft: &Draft) -> Answer {
        let address = self.listener(listener);
        let ask = || Client::new(address, "", "").send_as_it_is(draft).unwrap();
        self.networks.within(zone, ask)
    }

    /// What bytes are answered that somebody in a zone sends.
    pub(super) fn send(&self, zone: Zone, bytes: &[u8], bodiless: bool) -> Answer {
        let address = self.listener(zone.as_str());
        self.networks.within(zone, || {
            let mut wire = Wire::open(address).unwrap();
            wire.write(bytes).unwrap();
            wire.read(bodiless).unwrap()
        })
    }

    /// Exposes something of `schools`, for an hour.
    pub(super) fn expose(
        &self,
        zone: Zone,
        what: Option<(&str, Option<&str>)>,
        audience: Audience,
    ) -> ExposureId {
        self.expose_to(zone, what, audience, &[])
    }

    /// The same, to some networks.
    pub(super) fn expose_to(
        &self,
        zone: Zone,
        what: Option<(&str, Option<&str>)>,
        audience: Audience,
        networks: &[&str],
    ) -> ExposureId {
        let (platform, project) = (self.server().platform(), self.server().project(Place::Schools));
        let context = platform.operator();
        let permit = platform.decider().decide(&context, Action::CreateExposure, project.resource()).unwrap();
        let key = |prefix: &str| prefix.parse().unwrap();
        let terms = ExposureTerms {
            bucket: what.map(|(name, prefix)| (name.parse().unwrap(), prefix.map(key))),
            zone,
            audience,
            expires_at: context.now().saturating_add(Duration::from_hours(1)),
            networks: networks.iter().map(|network| network.parse().unwrap()).collect(),
        };
        let made = platform.tenancy().create_exposure(&context, &permit, terms);
        self.runtime.block_on(made).unwrap().id
    }

    pub(super) fn hide(&self, id: ExposureId) {
        let (platform, project) = (self.server().platform(), self.server().project(Place::Schools));
        let context = platform.operator();
        let permit = platform.decider().decide(&context, Action::DeleteExposure, project.resource()).unwrap();
        self.runtime.block_on(platform.tenancy().delete_exposure(&context, &permit, id)).unwrap();
    }

    pub(super) fn set_ceiling(&self, ceiling: Zone) {
        let (platform, project) = (self.server().platform(), self.server().project(Place::Schools));
        let (context, resource) = (platform.operator(), Resource::Organisation(project.organisation));
        let permit = platform.decider().decide(&context, Action::SetZoneCeiling, resource).unwrap();
        let set = platform.tenancy().set_zone_ceiling(&context, &permit, project.id, ceiling);
        assert_eq!(self.runtime.block_on(set).unwrap().ceiling, ceiling);
    }

    /// Everything that is stored, as the owners see it from the machine itself.
    pub(super) fn all_that_is_there(&self) -> Vec<String> {
        let get = |path: &str, query: &str, place| {
            let draft = Draft::new(Method::GET, path);
            let draft = if query.is_empty() { draft } else { draft.query(query, "") };
            let answer = self.ask(Zone::Local, &self.signed(draft, place));
            assert!(answer.status == 200 || answer.status == 404, "{}", answer.text());
            answer.text()
        };
        let mut seen = vec![get("/", "", Place::Schools), get("/", "", Place::Exams)];
        for bucket in ["/papers", "/notes"] {
            for query in ["versions", "uploads", "policy", "cors", "tagging", "encryption", "versioning"] {
                seen.push(get(bucket, query, Place::Schools).split("<RequestId>").next().unwrap().to_owned());
            }
        }
        seen.push(get("/exams", "versions", Place::Exams));
        seen
    }

    /// What the journal says of denials, and why they were.
    pub(super) fn denials(&self) -> Vec<(String, String)> {
        let (platform, owner) = (self.server().platform(), self.server().project(Place::Schools));
        let (context, resource) = (platform.operator(), Resource::Organisation(owner.organisation));
        let over = context.now().saturating_add(Duration::from_mins(2));
        self.runtime.block_on(platform.journal().write_counts(over)).unwrap();
        let permit = platform.decider().decide(&context, Action::ReadJournal, resource).unwrap();
        let all = (nuee_journal::Filter::default(), 10_000);
        let leaves = self.runtime.block_on(platform.tenancy().list_journal(&context, &permit, all)).unwrap();
        let said = leaves.into_iter().filter_map(|listed| listed.leaf);
        said.map(|leaf| (leaf.action, leaf.detail.unwrap_or_default())).collect()
    }

    /// Nothing that is stored is other than it was written.
    pub(super) fn damaged(&self) -> Vec<(String, String)> {
        let platform = self.server().platform();
        let permit =
            platform.decider().decide(&platform.operator(), Action::Verify, Resource::Platform).unwrap();
        platform.tenancy().verify(&permit, None).unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            let runtime = &self.runtime;
            let _ = self.networks.within(Zone::Local, move || runtime.block_on(server.stop()).is_ok());
        }
    }
}
