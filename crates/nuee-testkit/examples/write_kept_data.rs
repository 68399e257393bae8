//! Writes the kept data of `tests/it/kept_data.rs`: `cargo run --release -p nuee-testkit --example write_kept_data DIR`.
//!
//! `DIR` gets `platform.tar`, a data directory and its keys as a stopped server leaves them, and `manifest.tsv`, what a
//! server must find there: one line each, of fields between tabs, that begins with what it tells.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use http::Method;
use nuee::Tuning;
use nuee_access::{Action, Resource};
use nuee_base::{Assurance, Context as Acting, Grants, Principal, Role, Scope, Secret, Zone};
use nuee_tenancy::{Audience, ExposureTerms, Joining, Offer, Quota, Realm, User};
use nuee_testkit::{
    Answer, Client, Place, TestServer,
    signer::{Draft, sha256},
};

/// Bytes that look random and are the same each time.
fn content(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

/// What is written, and what the manifest tells of it.
struct Writer {
    client: Client,
    place: &'static str,
    manifest: String,
}

fn good(answer: io::Result<Answer>) -> Result<Answer> {
    let answer = answer?;
    ensure!(answer.status < 300, "{} {}", answer.status, answer.text());
    Ok(answer)
}

impl Writer {
    fn new(server: &TestServer, place: Place) -> Self {
        let owner = server.owner(place);
        let (id, secret) = (owner.access_key_id.as_str(), owner.secret.expose());
        let manifest = format!("account\t{}\t{id}\t{secret}\n", place.project());
        Self { client: server.client(place), place: place.project(), manifest }
    }

    fn send(&mut self, draft: Draft) -> Result<Answer> {
        good(self.client.send(draft))
    }

    /// Notes what a reader must find at `path`; `headers` are those that it must get.
    fn note(&mut self, path: &str, body: &[u8], headers: &[&str]) -> Result<()> {
        let found = self.send(Draft::new(Method::HEAD, path).header("x-amz-checksum-mode", "ENABLED"))?;
        let mut fields = vec![format!("{}\t{path}\t{}\t{}", self.place, body.len(), sha256(body))];
        for name in ["etag", "last-modified"].iter().chain(headers) {
            let value = found.header(name).with_context(|| format!("{path} has no {name}"))?;
            fields.push(format!("{name}={value}"));
        }
        writeln!(self.manifest, "object\t{}", fields.join("\t"))?;
        Ok(())
    }

    fn put(&mut self, path: &str, body: &[u8], headers: &[(&str, &str)]) -> Result<()> {
        let draft =
            headers.iter().fold(Draft::put(path, body), |draft, (name, value)| draft.header(name, value));
        self.send(draft)?;
        let told: Vec<_> =
            headers.iter().map(|(name, _)| *name).filter(|name| *name != "content-md5").collect();
        self.note(path, body, &told)
    }

    fn copy(&mut self, source: &str, path: &str, body: &[u8]) -> Result<()> {
        self.send(Draft::put(path, "").header("x-amz-copy-source", source))?;
        self.note(path, body, &[])
    }

    /// Begins an upload and leaves it there, with its parts.
    fn begin(&mut self, path: &str, parts: &[(u16, &[u8])]) -> Result<()> {
        let begun = self.send(Draft::with_body(Method::POST, path, "").query("uploads", ""))?;
        let id = begun.elements("UploadId").into_iter().next().context("an upload has an id")?;
        for (number, part) in parts {
            let draft = Draft::put(path, *part).query("partNumber", &number.to_string());
            let stored = self.send(draft.query("uploadId", &id))?;
            let etag = stored.header("etag").context("a part has an entity tag")?;
            writeln!(self.manifest, "part\t{}\t{path}\t{id}\t{number}\t{}\t{etag}", self.place, part.len())?;
        }
        Ok(())
    }
}

impl Writer {
    /// Notes that what is answered to a GET must stay as it is.
    fn note_same(&mut self, path: &str, query: &[(&str, &str)]) -> Result<()> {
        let draft =
            query.iter().fold(Draft::new(Method::GET, path), |draft, (name, value)| draft.query(name, value));
        let body = self.send(draft)?.body;
        let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        writeln!(self.manifest, "same\t{}\t{path}\t{}\t{}", self.place, query.join("&"), sha256(&body))?;
        Ok(())
    }

    fn set(&mut self, path: &str, document: &str, query: &[(&str, &str)]) -> Result<()> {
        let put =
            query.iter().fold(Draft::put(path, document), |draft, (name, value)| draft.query(name, value));
        self.send(put)?;
        self.note_same(path, query)
    }

    fn version(&mut self, draft: Draft) -> Result<String> {
        let answer = self.send(draft)?;
        Ok(answer.header("x-amz-version-id").context("a version has an id")?.to_owned())
    }
}

const VERSIONING: &str = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
const SUSPENDED: &str = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
const LOCK: &str = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
                    <Mode>GOVERNANCE</Mode><Days>2</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
const TAGS: &str = "<Tagging><TagSet><Tag><Key>colour</Key><Value>bleu</Value></Tag></TagSet></Tagging>";
const CORS: &str = "<CORSConfiguration><CORSRule><ID>a</ID><AllowedOrigin>https://site.example</AllowedOrigin>\
                    <AllowedMethod>GET</AllowedMethod><AllowedHeader>*</AllowedHeader><MaxAgeSeconds>60</MaxAgeSeconds>\
                    </CORSRule></CORSConfiguration>";
const BLOCK: &str = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>";
const LIFECYCLE: &str = "<LifecycleConfiguration><Rule><ID>old</ID><Status>Enabled</Status><Filter><And><Prefix>tmp/</Prefix>\
                         <Tag><Key>a</Key><Value>b</Value></Tag></And></Filter><Expiration><Days>3650</Days></Expiration>\
                         </Rule></LifecycleConfiguration>";
const NOTIFICATION: &str = "<NotificationConfiguration><TopicConfiguration><Id>a</Id><Topic>arn:aws:sns:::portal</Topic>\
                            <Event>s3:ObjectCreated:*</Event></TopicConfiguration></NotificationConfiguration>";

/// Versions, locks, and what buckets are set to.
fn write_exams(server: &TestServer) -> Result<Writer> {
    let mut exams = Writer::new(server, Place::Exams);
    exams.send(Draft::put("/versions", ""))?;
    let null = Draft::put("/versions/a", "before there were versions");
    exams.send(null)?;
    exams.send(Draft::put("/versions", VERSIONING).query("versioning", ""))?;
    let first = exams.version(Draft::put("/versions/a", "first").header("x-amz-tagging", "a=b"))?;
    exams.version(Draft::put("/versions/a", content(7, 140_000)))?;
    exams.version(Draft::put("/versions/deleted", "under a marker"))?;
    exams.version(Draft::new(Method::DELETE, "/versions/deleted"))?;
    exams.set("/versions", SUSPENDED, &[("versioning", "")])?;
    exams.version(Draft::put("/versions/b", "null again"))?;
    for version in [first.as_str(), "null"] {
        exams.note_same("/versions/a", &[("versionId", version)])?;
    }
    exams.note_same("/versions/a", &[("tagging", ""), ("versionId", &first)])?;
    exams.set("/versions/b", TAGS, &[("tagging", "")])?;
    exams.note_same("/versions", &[("versions", "")])?;
    for (document, query) in [
        (TAGS, "tagging"),
        (CORS, "cors"),
        (BLOCK, "publicAccessBlock"),
        (LIFECYCLE, "lifecycle"),
        (NOTIFICATION, "notification"),
    ] {
        exams.set("/versions", document, &[(query, "")])?;
    }
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:DeleteBucket","Resource":"arn:aws:s3:::versions"}}"#;
    exams.set("/versions", policy, &[("policy", "")])?;
    exams.send(Draft::put("/locked", "").header("x-amz-bucket-object-lock-enabled", "true"))?;
    exams.set("/locked", LOCK, &[("object-lock", "")])?;
    exams.version(Draft::put("/locked/by-default", "retained"))?;
    let held = Draft::put("/locked/held", "held").header("x-amz-object-lock-mode", "COMPLIANCE");
    let held = held.header("x-amz-object-lock-retain-until-date", "2026-12-31T00:00:00Z");
    exams.version(held.header("x-amz-object-lock-legal-hold", "ON"))?;
    for (path, query) in
        [("/locked/by-default", "retention"), ("/locked/held", "retention"), ("/locked/held", "legal-hold")]
    {
        exams.note_same(path, &[(query, "")])?;
    }
    exams.note_same("/locked", &[("versions", "")])?;
    Ok(exams)
}

/// The receiver that a bucket tells its events to.
fn add_receiver(settings: &mut nuee::Settings, secret_file: PathBuf) {
    let projects = vec!["education/exams".to_owned()];
    let url = "http://127.0.0.1:9/".to_owned();
    let webhook = nuee::WebhookSettings { url, secret_file, projects, ca_bundle: None };
    settings.webhooks.insert("portal".to_owned(), webhook);
}

fn write_schools(server: &TestServer) -> Result<Writer> {
    let mut schools = Writer::new(server, Place::Schools);
    for bucket in ["/papers", "/second"] {
        schools.send(Draft::put(bucket, ""))?;
    }
    let (small, large) = (content(1, 3_000), content(2, 140_000));
    schools.put("/papers/empty", b"", &[])?;
    schools.put("/papers/small", &small, &[])?;
    schools.put("/papers/large", &large, &[])?;
    let described = [
        ("content-type", "text/csv; charset=utf-8"),
        ("cache-control", "max-age=60"),
        ("content-disposition", "attachment; filename=\"a.csv\""),
        ("content-encoding", "identity"),
        ("content-language", "fr"),
        ("expires", "Thu, 01 Dec 2033 16:00:00 GMT"),
        ("x-amz-meta-colour", "blue"),
        ("x-amz-meta-author", "somebody"),
    ];
    schools.put("/papers/described.csv", b"a;b\n1;2\n", &described)?;
    let checksums = [
        ("crc32", "NSRBwg=="),
        ("crc32c", "Nks/tw=="),
        ("crc64nvme", "BeXKuz/B+us="),
        ("sha1", "qZk+NkcGgWq6PiVxeFDCbJzQ2J0="),
        ("sha256", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="),
    ];
    for (algorithm, value) in checksums {
        let header = format!("x-amz-checksum-{algorithm}");
        schools.put(&format!("/papers/abc.{algorithm}"), b"abc", &[(&header, value)])?;
    }
    for key in ["a%20b", "caf%C3%A9/%E6%9B%B8", "x//y", "../../etc", "%25%2B%26%3D", "-", "."] {
        schools.put(&format!("/papers/{key}"), key.as_bytes(), &[])?;
    }
    schools.put(&format!("/papers/{}", "k".repeat(1_024)), b"a long key", &[])?;
    schools.copy("/papers/small", "/papers/copy-of-small", &small)?;
    schools.copy("/papers/large", "/second/copy-of-large", &large)?;
    let parts = [content(3, 40_000), content(4, 150_000), content(5, 1)];
    let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    good(schools.client.put_parts("/second/in-parts", &slices))?;
    schools.note("/second/in-parts", &parts.concat(), &[])?;
    schools.copy("/second/in-parts", "/second/copy-of-parts", &parts.concat())?;
    schools.begin("/second/unfinished", &[(2, &parts[0]), (7, b"seven")])?;
    // What was replaced and what was deleted must not come back.
    schools.put("/second/gone", b"gone", &[])?;
    good(schools.client.delete("/second/gone"))?;
    schools.manifest = schools
        .manifest
        .lines()
        .filter(|line| !line.contains("/second/gone\t"))
        .fold(String::new(), |kept, line| kept + line + "\n");
    writeln!(schools.manifest, "absent\tschools\t/second/gone")?;
    Ok(schools)
}

fn write_hospitals(server: &TestServer) -> Result<Writer> {
    let mut hospitals = Writer::new(server, Place::Hospitals);
    hospitals.send(Draft::put("/opaque", ""))?;
    let document = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
                    <SSEAlgorithm>aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>\
                    </ServerSideEncryptionConfiguration>";
    hospitals.send(Draft::put("/opaque", document).query("encryption", ""))?;
    hospitals.put("/opaque/small", b"small", &[])?;
    hospitals.put("/opaque/large", &content(6, 140_000), &[("x-amz-meta-colour", "red")])?;
    writeln!(hospitals.manifest, "encryption\thospitals\t/opaque\taws:kms")?;
    writeln!(hospitals.manifest, "denied\thospitals\t/papers/small")?;
    Ok(hospitals)
}

/// A password of everybody here.
const PASSWORD: &str = "correct horse battery staple";

/// Somebody who accepts an invitation, and what they are invited to.
struct Joiner {
    realm: Realm,
    place: Resource,
    email: &'static str,
    role: Role,
}

/// Has somebody join; notes how they sign in, and the role that they then have.
async fn join(server: &TestServer, joiner: Joiner) -> Result<(User, String)> {
    let Joiner { realm, place, email, role } = joiner;
    let (platform, tenancy) = (server.platform(), server.platform().tenancy());
    let context = platform.operator();
    let permit = platform.decider().decide(&context, Action::CreateInvitation, place)?;
    let offer = Offer { email: email.parse()?, role, role_expires_at: None };
    let (_, token) = tenancy.invite(&context, &permit, offer).await?;
    let credential = tenancy.new_credential(&email.parse()?, Secret::new(PASSWORD.to_owned())).await?;
    let joining = ("Somebody".to_owned(), Joining::Local(credential));
    let user = tenancy.accept_invitation(&context, (realm, &token), joining).await?;
    Ok((
        user,
        format!(
            "person\t{}\t{email}\t{PASSWORD}\t{role}\n",
            if realm == Realm::Platform { "operators" } else { "api" }
        ),
    ))
}

/// People, what they are invited to, and what is exposed.
async fn write_people(server: &TestServer) -> Result<String> {
    let (platform, tenancy) = (server.platform(), server.platform().tenancy());
    let project = server.project(Place::Schools);
    let organisation = Resource::Organisation(project.organisation);
    let (owner, mut manifest) = join(
        server,
        Joiner {
            realm: Realm::Organisations,
            place: organisation,
            email: "ada@education.example",
            role: Role::Owner,
        },
    )
    .await?;
    let operator = Joiner {
        realm: Realm::Platform,
        place: Resource::Platform,
        email: "oscar@state.example",
        role: Role::Owner,
    };
    manifest += &join(server, operator).await?.1;
    let principal = Principal::User {
        id: owner.id,
        organisation: project.organisation,
        grants: Grants::new(vec![(Scope::Organisation, Role::Owner)]),
        assurance: Assurance::MultiFactor,
    };
    let context = Acting::new(platform.environment().clone(), principal);
    let permit = |action, place| platform.decider().decide(&context, action, place);
    let in_a_year = context.now().saturating_add(Duration::from_hours(24 * 365));
    tenancy
        .grant_role(
            &context,
            &permit(Action::GrantRole, project.resource())?,
            (owner.id, Role::Developer),
            Some(in_a_year),
        )
        .await?;
    let invited =
        Offer { email: "grace@education.example".parse()?, role: Role::Reader, role_expires_at: None };
    tenancy.invite(&context, &permit(Action::CreateInvitation, project.resource())?, invited).await?;
    let terms = ExposureTerms {
        bucket: None,
        zone: Zone::Rie,
        audience: Audience::Credentials,
        expires_at: in_a_year,
        networks: vec!["10.0.0.0/8".parse()?],
    };
    tenancy.create_exposure(&context, &permit(Action::CreateExposure, project.resource())?, terms).await?;
    let quota = Quota { objects: Some(100_000), ..Quota::default() };
    tenancy.set_quota(&context, &permit(Action::SetQuota, organisation)?, project.id, quota).await?;
    Ok(manifest)
}

fn pack(directory: &Path, to: &Path) -> Result<()> {
    let names = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--sparse"];
    let status = Command::new("tar")
        .args(names)
        .arg("-cf")
        .arg(to)
        .arg("-C")
        .arg(directory)
        .args(["data", "keys"])
        .status()?;
    if !status.success() {
        bail!("tar ended with {status}");
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let to: PathBuf = env::args_os().nth(1).context("give the directory to write to")?.into();
    fs::create_dir_all(&to)?;
    let mut tuning = Tuning::default();
    // So that parts, which count from 5 MiB otherwise, have room in a repository.
    tuning.store.minimum_part_bytes = 1_024;
    let server = TestServer::start_tuned(tuning, |_| {}).await?;
    let secret = server.key_directory().with_file_name("secret");
    fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
    let server = server.restart_with(|settings| add_receiver(settings, secret)).await?;
    let written = [write_schools(&server)?, write_hospitals(&server)?, write_exams(&server)?];
    let people = write_people(&server).await?;
    let (_, directory) = server.stop().await?;
    pack(directory.path(), &to.join("platform.tar"))?;
    fs::write(to.join("manifest.tsv"), written.map(|writer| writer.manifest).concat() + &people)?;
    Ok(())
}
