//! A server with people, and a small client of its API.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use nuee::Settings;
use nuee_access::{Action, Permit, Resource};
use nuee_base::{
    Assurance, Clock, Context, Environment, Grants, Principal, Role, Scope, Secret, SystemClock,
    SystemRandom, Timestamp, UserId,
};
use nuee_tenancy::{Binding, Client, Joining, Offer, Realm, Shown};
use nuee_testkit::{Answer, Place, TestServer, Wire};
use serde_json::Value;
use tokio::runtime::Runtime;

/// A password that everybody here has.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A clock that a test sets forward.
#[derive(Clone, Default)]
struct Forward(Arc<AtomicI64>);

impl Clock for Forward {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(SystemClock.now().as_micros() + self.0.load(Ordering::Relaxed))
    }

    fn uptime(&self) -> Duration {
        SystemClock.uptime()
    }
}

/// A user who has signed in.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) email: String,
    pub(crate) token: String,
}

/// A running server.
pub(crate) struct Bench {
    pub(crate) runtime: Runtime,
    pub(crate) server: TestServer,
    clock: Forward,
}

impl Bench {
    pub(crate) fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// With settings that `adapt` changes.
    pub(crate) fn start_with(adapt: impl FnOnce(&mut Settings)) -> Self {
        let runtime = Runtime::new().unwrap();
        let clock = Forward::default();
        let environment = Environment::new(clock.clone(), SystemRandom::default());
        let server = runtime.block_on(TestServer::start_with(environment, adapt)).unwrap();
        Self { runtime, server, clock }
    }

    /// Stops the server and starts it again, with settings that `adapt` changes.
    pub(crate) fn restart_with(self, adapt: impl FnOnce(&mut Settings)) -> Self {
        let Self { runtime, server, clock } = self;
        let server = runtime.block_on(server.restart_with(adapt)).unwrap();
        Self { runtime, server, clock }
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Duration) {
        self.clock.0.fetch_add(i64::try_from(time.as_micros()).unwrap(), Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The organisation of a project.
    pub(crate) fn organisation(&self, place: Place) -> Resource {
        Resource::Organisation(self.server.project(place).organisation)
    }

    fn permit(&self, context: &Context, action: Action, place: Resource) -> Permit {
        self.server.platform().decider().decide(context, action, place).unwrap()
    }

    /// A context in which somebody acts who may do everything in an organisation.
    fn owner_of(&self, place: Resource) -> Context {
        let (Resource::Organisation(organisation) | Resource::Project { organisation, .. }) = place else {
            panic!("{place:?}")
        };
        let principal = Principal::User {
            id: UserId::from_bytes([7; 16]),
            organisation,
            grants: Grants::new(vec![(Scope::Organisation, Role::Owner)]),
            assurance: Assurance::MultiFactor,
        };
        Context::new(self.server.platform().environment().clone(), principal)
    }

    /// Has somebody join who gets a role at a place, and signs them in by two factors.
    pub(crate) fn join(&self, email: &str, place: Resource, role: Role) -> Person {
        self.join_until(email, (place, role), None)
    }

    /// The same, of a role that ends.
    pub(crate) fn join_until(
        &self,
        email: &str,
        (place, role): (Resource, Role),
        role_expires_at: Option<Timestamp>,
    ) -> Person {
        let (tenancy, context) = (self.server.platform().tenancy(), self.owner_of(place));
        let permit = self.permit(&context, Action::CreateInvitation, place);
        let offer = Offer { email: email.parse().unwrap(), role, role_expires_at };
        let id = self.runtime.block_on(async {
            let (_, token) = tenancy.invite(&context, &permit, offer).await.unwrap();
            let password = Secret::new(PASSWORD.to_owned());
            let credential = tenancy.new_credential(&email.parse().unwrap(), password).await.unwrap();
            let joining = (email.to_owned(), Joining::Local(credential));
            tenancy.accept_invitation(&context, (Realm::Organisations, &token), joining).await.unwrap().id
        });
        let token = self.sign_in(id, Assurance::MultiFactor);
        Person { id, email: email.to_owned(), token }
    }

    /// Gives somebody another role.
    pub(crate) fn grant(&self, person: &Person, place: Resource, role: Role) {
        let (tenancy, context) = (self.server.platform().tenancy(), self.owner_of(place));
        let permit = self.permit(&context, Action::GrantRole, place);
        let grant = tenancy.grant_role(&context, &permit, (person.id, role), None);
        self.runtime.block_on(grant).unwrap();
    }

    /// The token of a new sign-in of somebody at this machine.
    pub(crate) fn sign_in(&self, id: UserId, assurance: Assurance) -> String {
        let binding = Binding { client: Client::CommandLine, zone: "local".to_owned() };
        let shown = Shown { assurance, by: "a test".to_owned() };
        let context = self.server.platform().operator();
        let begun = self.server.platform().tenancy().begin_sign_in(&context, id, (binding, shown));
        self.runtime.block_on(begun).unwrap().token.expose().to_owned()
    }

    /// Asks something of the API.
    pub(crate) fn send(&self, asked: (&str, &str), headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        self.send_to("console.localhost", asked, headers, body)
    }

    /// The same, by a name that it has.
    pub(crate) fn send_to(
        &self,
        host: &str,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answer {
        send_at(self.server.addresses().s3, host, (method, path), headers, body)
    }

    /// The same, with a token.
    pub(crate) fn call(&self, token: &str, asked: (&str, &str), body: Option<&Value>) -> (u16, Value) {
        let bearer = format!("Bearer {token}");
        let body = body.map(Value::to_string);
        let answer = self.send(asked, &[("authorization", &bearer)], body.as_deref());
        let value =
            if answer.body.is_empty() { Value::Null } else { serde_json::from_slice(&answer.body).unwrap() };
        (answer.status, value)
    }
}

/// Asks something of the API at an address.
pub(crate) fn send_at(
    address: SocketAddr,
    host: &str,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Answer {
    let mut wire = Wire::open(address).unwrap();
    let mut text = format!("{method} /api/v1{path} HTTP/1.1\r\nhost: {host}\r\n");
    for (name, value) in headers {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    if let Some(body) = body {
        write!(text, "content-type: application/json\r\ncontent-length: {}\r\n", body.len()).unwrap();
    }
    write!(text, "connection: close\r\n\r\n{}", body.unwrap_or_default()).unwrap();
    wire.write(text.as_bytes()).unwrap();
    wire.read(method == "HEAD").unwrap()
}

/// The code of a device at an instant ([RFC 6238](https://www.rfc-editor.org/rfc/rfc6238)), by a second implementation.
pub(crate) fn code_of(secret: &str, now: Timestamp) -> String {
    use sha1::{Digest, Sha1};
    let mut key = Vec::new();
    let (mut bits, mut held) = (0_u32, 0_u32);
    for letter in secret.bytes() {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| *known == letter).unwrap();
        (bits, held) = ((bits << 5) | u32::try_from(value).unwrap(), held + 5);
        if held >= 8 {
            held -= 8;
            key.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    key.resize(64, 0);
    let pad = |with: u8| key.iter().map(|byte| byte ^ with).collect::<Vec<_>>();
    let step = (now.as_micros() / 30_000_000).to_be_bytes();
    let inner = Sha1::digest([&pad(0x36)[..], &step].concat());
    let tag = Sha1::digest([&pad(0x5c)[..], &inner].concat());
    let at = usize::from(tag[19] & 15);
    let number = u32::from_be_bytes(tag[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}
