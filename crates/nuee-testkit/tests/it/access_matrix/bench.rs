//! A server with things of two projects, and everybody who may or may not reach them.

use std::time::Duration;

use http::Method;
use nuee::Settings;
use nuee_access::Action;
use nuee_base::{Environment, Principal, Role};
use nuee_metadata::{LeafRow, Metadata, Options};
use nuee_tenancy::{Beginner, RoleTerms, Trusted, Wanted};
use nuee_testkit::{
    Account, Answer, Client, Place, TestServer,
    form::{Form, instant},
    signer::{Draft, Signer},
};
use tokio::runtime::Runtime;

/// A key in the form of those that the server makes.
const UNKNOWN_KEY: &str = "NUEEAAAAAAAAAAAAAAAA";

/// How a request is signed.
#[derive(Debug, Clone, Copy)]
enum Signing {
    /// In its header, by a clock that is so many seconds off.
    Header(i64),
    /// In its query, for one minute, so many seconds from now.
    Query(i64),
    Unsigned,
}

/// Somebody who sends requests.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    pub(crate) name: &'static str,
    /// Who that is to the server, if it knows.
    pub(crate) principal: Principal,
    key: String,
    secret: String,
    form: Signing,
    /// The token of a temporary key.
    token: Option<String>,
}

impl Asker {
    fn account(name: &'static str, account: &Account) -> Self {
        let (key, secret) = (account.access_key_id.as_str().to_owned(), account.secret.expose().to_owned());
        Self {
            name,
            principal: account.principal.clone(),
            key,
            secret,
            form: Signing::Header(0),
            token: None,
        }
    }

    fn stranger(name: &'static str, key: &str, secret: &str) -> Self {
        let (key, secret) = (key.to_owned(), secret.to_owned());
        Self { name, principal: Principal::Anonymous, key, secret, form: Signing::Header(0), token: None }
    }

    fn signing(self, name: &'static str, form: Signing) -> Self {
        Self { name, form, ..self }
    }

    /// A form, which is valid for a minute.
    fn fill(&self, path: &str, signer: &Signer) -> Draft {
        let form = Form::new(path, "written", "content");
        let form = match &self.token {
            Some(token) => form.with("x-amz-security-token", token),
            None => form,
        };
        match self.form {
            Signing::Unsigned => form.unsigned(),
            Signing::Header(seconds) | Signing::Query(seconds) => {
                let form = Form { expiration: instant(seconds + 60), ..form };
                form.signed(&signer.at(seconds))
            }
        }
    }

    /// Signs now: what is valid for a minute is so whenever a test comes to it.
    pub(crate) fn sign(&self, draft: Draft) -> Draft {
        let signer = Signer::new(&self.key, &self.secret);
        if draft.headers.iter().any(|(_, value)| value.starts_with("multipart/")) {
            return self.fill(&draft.path, &signer);
        }
        let draft = match &self.token {
            Some(token) => draft.header("x-amz-security-token", token),
            None => draft,
        };
        match self.form {
            Signing::Header(seconds) => signer.at(seconds).header(draft),
            Signing::Query(seconds) => signer.at(seconds).presign(draft),
            Signing::Unsigned => draft,
        }
    }
}

/// What a request is about: things of the project `schools`, which is asked for, and of `exams`, its neighbour.
///
/// `/schools-N` has tags and lifecycle rules, and holds the object `kept` with tags and the upload `parts` with one part; `/vault-N` keeps
/// versions, and holds `kept`, and `held` which is retained; `/empty-N` holds nothing; `/exams-N` is the neighbour's, with
/// an upload of its own.
#[derive(Debug, Clone, Default)]
pub(super) struct Things {
    pub(super) round: u32,
    pub(super) upload: String,
    pub(super) part_etag: String,
    pub(super) exams_upload: String,
    /// Of `kept` and of `held` in the vault.
    pub(super) version: String,
    pub(super) held_version: String,
}

/// A server, its things, and everybody who asks for them.
pub(crate) struct Bench {
    runtime: Runtime,
    server: TestServer,
    journal: Metadata,
    things: Things,
    /// In the order of the columns of the table.
    pub(crate) askers: Vec<Asker>,
}

impl Bench {
    pub(crate) fn start() -> Self {
        Self::start_with(|_| {})
    }

    pub(crate) fn start_with(adapt: impl FnOnce(&mut Settings)) -> Self {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(TestServer::start_with(Environment::system(), adapt)).unwrap();
        let file = server.data_directory().join("metadata.sqlite");
        let journal = Metadata::open_read_only(&file, Options::default()).unwrap();
        let mut bench = Self { runtime, server, journal, things: Things::default(), askers: Vec::new() };
        bench.askers = bench.everybody();
        bench.renew();
        bench
    }

    fn everybody(&self) -> Vec<Asker> {
        let create = |role, name| self.server.create_account(Place::Schools, role, name);
        let create = |role, name| self.runtime.block_on(create(role, name)).unwrap();
        let role = |name, role| Asker::account(name, &create(role, None));
        let owner_of = |place| Asker::account("owner", self.server.owner(place));
        let (owner, session) = (owner_of(Place::Schools), self.session());
        vec![
            owner.clone(),
            role("maintainer", Role::Maintainer),
            role("developer", Role::Developer),
            role("reader", Role::Reader),
            role("auditor", Role::Auditor),
            Asker { name: "another project", ..owner_of(Place::Exams) },
            Asker { name: "another organisation", ..owner_of(Place::Hospitals) },
            self.revoked(&create(Role::Owner, Some("revoked"))),
            Asker::stranger("unknown key", UNKNOWN_KEY, &owner.secret),
            Asker::stranger("wrong secret", &owner.key, "another secret"),
            Asker::stranger("anonymous", "", "").signing("anonymous", Signing::Unsigned),
            owner.clone().signing("clock behind", Signing::Header(-3_600)),
            owner.clone().signing("clock ahead", Signing::Header(3_600)),
            owner.clone().signing("presigned, expired", Signing::Query(-120)),
            owner.signing("presigned", Signing::Query(0)),
            session.clone(),
            Asker { name: "temporary key without its token", token: None, ..session },
        ]
    }

    /// Somebody who acts in a role that grants `developer`.
    fn session(&self) -> Asker {
        let (platform, owner) = (self.server.platform(), self.server.owner(Place::Schools));
        let (tenancy, context) = (platform.tenancy(), platform.operator());
        let create = Action::CreateAssumableRole;
        let permit = platform.decider().decide(&context, create, owner.project).unwrap();
        let terms = RoleTerms {
            grants: Role::Developer,
            trusted: Trusted::ServiceAccounts,
            longest: Duration::from_hours(1),
            policy: None,
        };
        let role = tenancy.create_assumable_role(&context, &permit, "developers".parse().unwrap(), terms);
        let role = self.runtime.block_on(role).unwrap();
        let context = self.server.context(owner);
        let permit = self.server.permit(owner, Action::AssumeRole, owner.project).unwrap();
        let beginner = Beginner::Account(&permit, Role::Owner);
        let begun = tenancy.begin_session(&context, &role, beginner, Wanted::default());
        let key = self.runtime.block_on(begun).unwrap();
        Asker {
            name: "session",
            principal: key.principal,
            key: key.id.to_string(),
            secret: key.secret.expose().to_owned(),
            form: Signing::Header(0),
            token: Some(key.token.expose().to_owned()),
        }
    }

    /// An account that has worked before it was revoked.
    fn revoked(&self, account: &Account) -> Asker {
        let asker = Asker::account("revoked", account);
        assert_eq!(self.ask(&asker, Draft::new(Method::GET, "/")).status, 200);
        let platform = self.server.platform();
        let context = platform.operator();
        let project = self.server.project(Place::Schools).resource();
        let permit = platform.decider().decide(&context, Action::RevokeServiceAccount, project).unwrap();
        let name = "revoked".parse().unwrap();
        let revoked = platform.tenancy().revoke_service_account(&context, &permit, &name);
        self.runtime.block_on(revoked).unwrap();
        asker
    }

    /// What a row asks for.
    pub(crate) fn request(&self, row: &str) -> Draft {
        self.things.request(row)
    }

    /// The number that is in the names of the things.
    pub(crate) fn round(&self) -> u32 {
        self.things.round
    }

    pub(crate) fn ask(&self, asker: &Asker, draft: Draft) -> Answer {
        self.client(Place::Schools).send_as_it_is(&asker.sign(draft)).unwrap()
    }

    /// The same, at the listener of this name.
    pub(crate) fn ask_at(&self, listener: &str, asker: &Asker, draft: Draft) -> Answer {
        let address = self.server.listener(listener).unwrap();
        Client::new(address, "", "").send_as_it_is(&asker.sign(draft)).unwrap()
    }

    fn client(&self, place: Place) -> Client {
        self.server.client(place)
    }

    /// Makes new things, since a request may have used the others up.
    pub(crate) fn renew(&mut self) {
        let round = self.things.round + 1;
        let (bucket, exams) = (format!("/schools-{round}"), format!("/exams-{round}"));
        let (mut owner, mut neighbour) = (self.client(Place::Schools), self.client(Place::Exams));
        for path in [&bucket, &format!("/empty-{round}")] {
            answered(&mut owner, Draft::put(path, ""));
        }
        answered(&mut neighbour, Draft::put(&exams, ""));
        // Not the default, so that going back to the default is a change.
        let document = super::requests::encryption("aws:kms");
        answered(&mut owner, Draft::put(&bucket, document).query("encryption", ""));
        let kept = Draft::put(&format!("{bucket}/kept"), "what is kept").header("x-amz-meta-note", "a note");
        answered(&mut owner, kept.header("x-amz-tagging", "direction=culture"));
        let tags = Draft::put(&bucket, super::requests::tags("culture")).query("tagging", "");
        answered(&mut owner, tags);
        let cors = Draft::put(&bucket, super::requests::cors("GET")).query("cors", "");
        answered(&mut owner, cors);
        let rules = Draft::put(&bucket, super::requests::lifecycle(1)).query("lifecycle", "");
        answered(&mut owner, rules);
        let vault = format!("/vault-{round}");
        answered(&mut owner, Draft::put(&vault, "").header("x-amz-bucket-object-lock-enabled", "true"));
        let kept = Draft::put(&format!("{vault}/kept"), "kept").header("x-amz-tagging", "direction=culture");
        let held = super::requests::retained(Draft::put(&format!("{vault}/held"), "held"));
        let [version, held_version] = [kept, held]
            .map(|draft| answered(&mut owner, draft).header("x-amz-version-id").unwrap().to_owned());
        let begin = |client: &mut Client, bucket: &str| {
            let draft = Draft::with_body(Method::POST, &format!("{bucket}/parts"), "").query("uploads", "");
            answered(client, draft).elements("UploadId").remove(0)
        };
        let (upload, exams_upload) = (begin(&mut owner, &bucket), begin(&mut neighbour, &exams));
        let part = Draft::put(&format!("{bucket}/parts"), "a part").query("partNumber", "1");
        let part = answered(&mut owner, part.query("uploadId", &upload));
        let part_etag = part.header("etag").unwrap().to_owned();
        let policy = super::requests::policy(&vault, "Deny", "s3:DeleteBucket");
        assert_eq!(owner.send(Draft::put(&vault, policy).query("policy", "")).unwrap().status, 204);
        self.things = Things { round, upload, part_etag, exams_upload, version, held_version };
    }

    /// All that the owner of each project can see of the present things, and the names of the others.
    pub(crate) fn all_that_is_there(&self) -> [Vec<String>; 3] {
        let suffix = format!("-{}", self.things.round);
        Place::ALL.map(|place| {
            let mut client = self.client(place);
            let buckets = answered(&mut client, Draft::new(Method::GET, "/"));
            let names = buckets.elements("Name");
            let present = names.iter().filter(|name| name.ends_with(&suffix));
            let seen = present.flat_map(|name| all_in(&mut client, &format!("/{name}"))).collect::<Vec<_>>();
            [vec![buckets.text()], seen].concat()
        })
    }

    /// The leaves of the journal after the one of this number.
    pub(crate) fn leaves(&self, after: i64) -> Vec<LeafRow> {
        self.journal.read(|snapshot| snapshot.leaves(after, u32::MAX)).unwrap()
    }

    /// Those of them that tell of a change, and of nothing that is counted by the minute.
    pub(crate) fn changes(&self, after: i64) -> Vec<LeafRow> {
        let counts = |leaf: &LeafRow| String::from_utf8(self.body(leaf)).unwrap().contains("\"count\":");
        self.leaves(after).into_iter().filter(|leaf| !counts(leaf)).collect()
    }

    /// What a leaf says.
    pub(crate) fn body(&self, leaf: &LeafRow) -> Vec<u8> {
        self.server.platform().journal().read_body(leaf).unwrap().unwrap()
    }

    /// The number of the journal's last leaf.
    pub(crate) fn last_leaf(&self) -> i64 {
        self.journal.read(|snapshot| snapshot.last_sequence()).unwrap()
    }
}

fn answered(client: &mut Client, draft: Draft) -> Answer {
    let asked = format!("{} {}", draft.method, draft.target());
    let answer = client.send(draft).unwrap();
    assert_eq!(answer.status, 200, "{asked}: {}", answer.text());
    answer
}

/// The settings, keys, versions, uploads, parts, contents, metadata, tags and locks of a bucket.
fn all_in(client: &mut Client, bucket: &str) -> Vec<String> {
    let mut get = |path: &str, name: &str, value: &str| {
        answered(client, Draft::new(Method::GET, path).query(name, value))
    };
    let (listed, uploads) = (get(bucket, "versions", ""), get(bucket, "uploads", ""));
    let mut seen = vec![listed.text(), uploads.text()];
    for (key, id) in uploads.elements("Key").iter().zip(uploads.elements("UploadId")) {
        seen.push(get(&format!("{bucket}/{key}"), "uploadId", &id).text());
    }
    seen.extend(
        [
            "encryption",
            "versioning",
            "object-lock",
            "tagging",
            "cors",
            "policy",
            "publicAccessBlock",
            "lifecycle",
        ]
        .map(|name| told(client, bucket, name, "")),
    );
    for (key, version) in listed.elements("Key").iter().zip(listed.elements("VersionId")) {
        let path = format!("{bucket}/{key}");
        let object = client.send(Draft::new(Method::GET, &path).query("versionId", &version)).unwrap();
        seen.push(if object.status == 200 { object.text() } else { object.code() });
        // The others are those of the answer.
        let headers =
            object.headers.iter().filter(|(name, _)| !["date", "x-amz-request-id"].contains(&&**name));
        seen.extend(headers.map(|(name, value)| format!("{name}: {value}")));
        seen.push(told(client, &path, "tagging", &version));
    }
    seen
}

/// What is answered, or the code of the error.
fn told(client: &mut Client, path: &str, name: &str, version: &str) -> String {
    let draft = Draft::new(Method::GET, path).query(name, "");
    let draft = if version.is_empty() { draft } else { draft.query("versionId", version) };
    let answer = client.send(draft).unwrap();
    if answer.status == 200 { answer.text() } else { answer.code() }
}
