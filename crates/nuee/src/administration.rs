//! Administration: what an operator asks of a platform, and what comes back.
//!
//! A [`Request`] is a value, so that it can be carried out here or sent to the server that has the data directory open;
//! [`Administration::execute`] does it in either place. Whoever can send one is the operator: the socket checks its
//! peer, and the data directory belongs to its owner.
//!
//! Deliberately absent: objects. An operator does not see what tenants store.

mod execute;
mod exposure;
mod identity;
mod journal;
mod operator;
mod project;
mod remote;

use std::{net::SocketAddr, path::PathBuf};

use nuee_base::{AccessKeyId, BucketName, EmailAddress, Role, Secret, SessionId, Slug, Timestamp, Zone};
use nuee_tenancy::ShownKey;
use serde::{Deserialize, Serialize};

pub use execute::Administration;
pub use exposure::{Exposure, ExposureRequest, ExposureTerms};
pub(crate) use identity::{AssumableRole, Session, Terms};
pub use operator::OperatorRequest;
pub(crate) use operator::{Invited, Operator, OperatorInvitation};
pub use project::Project;
pub(crate) use project::{Placement, ProjectDetails, Quota, Site};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How the platform stands.
    Status,
    /// Make a service account and its access key.
    CreateServiceAccount {
        /// The project it acts in.
        place: Place,
        /// Its name, unique in the project.
        #[serde(with = "crate::text")]
        name: Slug,
        /// What it may do there.
        #[serde(with = "crate::text")]
        role: Role,
    },
    /// List the service accounts of a project.
    ListServiceAccounts {
        /// The project.
        place: Place,
    },
    /// Revoke a service account: its access keys stop to work at once.
    RevokeServiceAccount {
        /// The project it acts in.
        place: Place,
        /// Its name.
        #[serde(with = "crate::text")]
        name: Slug,
    },
    /// Make another access key of a service account.
    CreateAccessKey {
        /// The project it acts in.
        place: Place,
        /// The account's name.
        #[serde(with = "crate::text")]
        account: Slug,
        /// After how many days it works no more; for ever if there is no number.
        days: Option<u32>,
    },
    /// Delete an access key of a service account: it stops to work at once.
    DeleteAccessKey {
        /// The project it acts in.
        place: Place,
        /// The account's name.
        #[serde(with = "crate::text")]
        account: Slug,
        /// The key.
        #[serde(with = "crate::text")]
        key: AccessKeyId,
    },
    /// What a project holds, and may.
    ShowProject {
        /// The project.
        place: Place,
    },
    /// Change how much a project may hold and ask.
    SetQuota {
        /// The project.
        place: Place,
        /// The whole quota: what it does not name is unbounded.
        quota: Quota,
    },
    /// Change how many copies of a project's objects there are, and where they may lie.
    SetPlacement {
        /// The project.
        place: Place,
        /// The whole placement.
        placement: Placement,
    },
    /// Change the widest zone that a project may be exposed to.
    SetZoneCeiling {
        /// The project.
        place: Place,
        /// `rie` or `internet`.
        #[serde(with = "crate::text")]
        ceiling: Zone,
    },
    /// Expose something of a project to a zone, list that, or end it.
    Exposures {
        /// The project.
        place: Place,
        /// Which of these.
        exposures: ExposureRequest,
    },
    /// Tell who may do what, and why.
    ExplainAccess(AccessQuestion),
    /// Make an assumable role.
    CreateAssumableRole {
        /// The project that it is in.
        place: Place,
        /// Its name, unique in the project.
        #[serde(with = "crate::text")]
        name: Slug,
        /// What it is to be.
        terms: Terms,
    },
    /// List the assumable roles of a project.
    ListAssumableRoles {
        /// The project.
        place: Place,
    },
    /// Delete an assumable role, and end the sessions in it.
    DeleteAssumableRole {
        /// The project that it is in.
        place: Place,
        /// Its name.
        #[serde(with = "crate::text")]
        name: Slug,
    },
    /// List the sessions of a project that go on.
    ListSessions {
        /// The project.
        place: Place,
    },
    /// End a session before its time.
    RevokeSession {
        /// The project that it acts in.
        place: Place,
        /// Its id.
        #[serde(with = "crate::text")]
        id: SessionId,
    },
    /// Make an organisation and its key.
    CreateOrganisation {
        /// Its name, unique on the platform.
        #[serde(with = "crate::text")]
        name: Slug,
        /// What people call it.
        #[serde(default)]
        title: Option<String>,
        /// Its SIREN.
        #[serde(default)]
        siren: Option<String>,
        /// Whom to write to.
        #[serde(default)]
        contact: Option<String>,
    },
    /// Invite the first owner of an organisation.
    InviteOwner {
        /// The organisation.
        #[serde(with = "crate::text")]
        organisation: Slug,
        /// Whom.
        #[serde(with = "crate::text")]
        email: EmailAddress,
    },
    /// List the organisations.
    ListOrganisations,
    /// See who runs the platform, and change that.
    Operators {
        /// Which of these.
        operators: OperatorRequest,
    },
    /// Make a project in an organisation.
    CreateProject {
        /// The organisation.
        #[serde(with = "crate::text")]
        organisation: Slug,
        /// Its name, unique in the organisation.
        #[serde(with = "crate::text")]
        name: Slug,
    },
    /// List the projects of an organisation.
    ListProjects {
        /// The organisation.
        #[serde(with = "crate::text")]
        organisation: Slug,
    },
    /// Check everything that is stored.
    Verify {
        /// Whether every byte is read, or only that everything is there.
        content: bool,
        /// A checkpoint of the journal that was kept elsewhere.
        checkpoint: Option<String>,
    },
    /// Tell the state of the journal, signed.
    Checkpoint,
    /// Tell the public key by which the journal's checkpoints are checked.
    JournalKey,
    /// List what an organisation's leaves of the journal say.
    ListJournal {
        /// The organisation.
        #[serde(with = "crate::text")]
        organisation: Slug,
        /// Which leaves.
        query: JournalQuery,
    },
    /// List what the leaves of the journal say that are of no organisation: of operators, and of the platform itself.
    ListPlatformJournal {
        /// Which leaves.
        query: JournalQuery,
    },
    /// Write an organisation's leaves of the journal to a file.
    ExportJournal {
        /// The organisation.
        #[serde(with = "crate::text")]
        organisation: Slug,
        /// From when on (RFC 3339).
        since: Option<String>,
        /// Before when (RFC 3339).
        until: Option<String>,
        /// The file, which must not exist.
        file: PathBuf,
    },
    /// Tell what witnesses have signed of the journal.
    JournalWitnesses,
    /// Carry out a bucket's lifecycle rules.
    RunLifecycle {
        /// The bucket.
        #[serde(with = "crate::text")]
        bucket: BucketName,
        /// Whether what would go is only counted.
        dry_run: bool,
    },
    /// Make a new version of keys.
    RotateKeys {
        /// The project whose key it is; none for every project.
        place: Option<Place>,
    },
}

/// Who would do what, on what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessQuestion {
    /// `anonymous`, `operator`, or an access key's id.
    pub principal: String,
    /// An action in the words of policies, such as `s3:GetObject`.
    pub action: String,
    /// `platform`, `ORGANISATION`, `ORGANISATION/PROJECT`, `s3://BUCKET` or `s3://BUCKET/KEY`.
    pub resource: String,
    /// Where the request would come in, as `ZONE` or `ZONE@ADDRESS`; without it, where no exposure is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The project whose bucket it is, for members; operators name it by the resource alone.
    pub place: Place,
}

/// A project, by its names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The organisation.
    #[serde(with = "crate::text")]
    pub organisation: Slug,
    /// The project.
    #[serde(with = "crate::text")]
    pub project: Slug,
}

/// Which leaves of the journal are wanted: those that fit all that is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalQuery {
    /// What was done; a `*` at the end stands for anything.
    pub action: Option<String>,
    /// Who did it.
    pub by: Option<String>,
    /// On which resource.
    pub on: Option<String>,
    /// From when on (RFC 3339).
    pub since: Option<String>,
    /// Before when (RFC 3339).
    pub until: Option<String>,
    /// Before which leaf, by its number.
    pub before: Option<i64>,
    /// How many at most, the last ones.
    pub limit: usize,
}

/// What comes back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// How the platform stands.
    Status(Status),
    /// A service account was made.
    ServiceAccountCreated {
        /// The account.
        account: ServiceAccount,
        /// The secret of its access key, which is not shown again.
        #[serde(with = "crate::text::secret")]
        secret_access_key: Secret,
    },
    /// The service accounts of a project.
    ServiceAccounts {
        /// By name.
        accounts: Vec<ServiceAccount>,
    },
    /// A service account was revoked.
    ServiceAccountRevoked,
    /// An access key was made.
    AccessKeyCreated {
        /// Its public half.
        access_key_id: String,
        /// Its secret, which is not shown again.
        #[serde(with = "crate::text::secret")]
        secret_access_key: Secret,
        /// From when on it works no more (RFC 3339).
        expires_at: Option<String>,
    },
    /// An access key was deleted.
    AccessKeyDeleted,
    /// What a project holds, and may.
    Project(ProjectDetails),
    /// Something is exposed.
    ExposureCreated(Exposure),
    /// What of a project is exposed.
    Exposures {
        /// By age.
        exposures: Vec<Exposure>,
    },
    /// An exposure has ended.
    ExposureDeleted,
    /// Who may do what, and why.
    Access(AccessAnswer),
    /// An assumable role was made.
    AssumableRoleCreated(AssumableRole),
    /// The assumable roles of a project.
    AssumableRoles {
        /// By name.
        roles: Vec<AssumableRole>,
    },
    /// An assumable role was deleted.
    AssumableRoleDeleted {
        /// How many sessions in it have ended with it.
        ended: usize,
    },
    /// The sessions of a project that go on.
    Sessions {
        /// Oldest first.
        sessions: Vec<Session>,
    },
    /// A session has ended.
    SessionRevoked,
    /// An organisation was made.
    OrganisationCreated(Organisation),
    /// The first owner of an organisation was invited.
    OwnerInvited {
        /// Whom the invitation is for.
        email: String,
        /// What is passed on, which is not shown again.
        #[serde(with = "crate::text::secret")]
        token: Secret,
        /// Until when it can be accepted (RFC 3339).
        expires_at: String,
    },
    /// Who runs the platform.
    Operators {
        /// Those who do, or did.
        operators: Vec<Operator>,
        /// Those who are invited to.
        invitations: Vec<OperatorInvitation>,
    },
    /// Somebody was invited to run the platform.
    OperatorInvited(Invited),
    /// An operator must choose another password and another device.
    OperatorReset {
        /// Who.
        email: String,
        /// What is passed on, with which it does so; not shown again.
        #[serde(with = "crate::text::secret")]
        token: Secret,
    },
    /// What an operator may do has changed.
    OperatorChanged {
        /// What was done, in words.
        said: String,
    },
    /// The organisations.
    Organisations {
        /// By name.
        organisations: Vec<Organisation>,
    },
    /// A project was made.
    ProjectCreated(Project),
    /// The projects of an organisation.
    Projects {
        /// By name.
        projects: Vec<Project>,
    },
    /// What a verification found.
    Verified(Verified),
    /// The state of the journal.
    Checkpoint {
        /// To be kept elsewhere.
        checkpoint: String,
    },
    /// By what the journal's checkpoints are checked.
    JournalKey {
        /// A verifier key, as C2SP signed-note has it.
        key: String,
    },
    /// What leaves of the journal say.
    Journal {
        /// The last one first.
        leaves: Vec<JournalLeaf>,
    },
    /// What witnesses have signed of the journal.
    JournalWitnesses {
        /// In the order of the settings.
        witnesses: Vec<JournalWitness>,
        /// How many leaves the last signed checkpoint has.
        size: u64,
    },
    /// Leaves of the journal were written to a file.
    JournalExported {
        /// The file.
        file: PathBuf,
        /// How many.
        leaves: u64,
        /// How many of them say nothing any more.
        erased: u64,
        /// How many leaves the signed tree has that they are in.
        size: u64,
    },
    /// Leaves of the journal came from a server, and were written to a file.
    JournalReceived {
        /// The file.
        file: PathBuf,
    },
    /// What lifecycle rules let go, or would.
    LifecycleRun(LifecycleRun),
    /// Keys were rotated.
    KeysRotated {
        /// Projects whose key has a new version.
        projects: usize,
        /// Data keys that were wrapped anew.
        data_keys: usize,
        /// Rows that are damaged and keep the key that they had.
        damaged: usize,
    },
}

/// How a platform stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// The version of this program.
    pub version: String,
    /// The id of the instance.
    pub instance: String,
    /// Where the data is.
    pub data_dir: PathBuf,
    /// Where the keys are.
    pub key_dir: PathBuf,
    /// What the settings say of where objects lie.
    #[serde(default)]
    pub site: Site,
    /// The server that answers; none when none runs.
    pub server: Option<Serving>,
    /// Files that hold many small blobs.
    pub segments: usize,
    /// Bytes in them that are in use.
    pub live_bytes: u64,
    /// Bytes in them that nothing uses any more, to be had back.
    pub dead_bytes: u64,
    /// Bytes that the disk still takes.
    pub free_bytes: u64,
}

/// A running server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Serving {
    /// Its process.
    pub pid: u32,
    /// Where it speaks S3.
    pub listen: SocketAddr,
    /// Where it tells health and metrics.
    pub admin_listen: SocketAddr,
    /// Whether S3 is spoken inside TLS.
    #[serde(default)]
    pub secure: bool,
    /// Whether health, metrics and the operators' API are.
    #[serde(default)]
    pub admin_secure: bool,
    /// Every listener, with its zone.
    #[serde(default)]
    pub listeners: Vec<Listening>,
    /// Since when it runs (RFC 3339).
    pub started_at: String,
}

/// A listener of a running server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Listening {
    /// Its name.
    pub name: String,
    /// What it serves.
    pub service: String,
    /// The network whose requests enter there.
    #[serde(with = "crate::text")]
    pub zone: Zone,
    /// Where.
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub secure: bool,
}

/// A service account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServiceAccount {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// What it may do.
    pub role: String,
    /// Its access keys; none once it is revoked.
    pub access_keys: Vec<AccessKey>,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// When it was revoked (RFC 3339).
    pub revoked_at: Option<String>,
}

impl ServiceAccount {
    fn new(account: &nuee_tenancy::ServiceAccount, keys: &[ShownKey]) -> Self {
        Self {
            name: account.name.to_string(),
            id: account.id.to_string(),
            role: account.role.to_string(),
            access_keys: keys.iter().map(AccessKey::from).collect(),
            created_at: account.created_at.to_string(),
            revoked_at: account.revoked_at.as_ref().map(Timestamp::to_string),
        }
    }
}

/// An access key of a service account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccessKey {
    /// Its public half.
    pub id: String,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// From when on it works no more (RFC 3339).
    pub expires_at: Option<String>,
    /// When it was last used, within a minute (RFC 3339).
    pub last_used_at: Option<String>,
}

impl From<&ShownKey> for AccessKey {
    fn from(key: &ShownKey) -> Self {
        let shown = |at: &Option<Timestamp>| at.as_ref().map(Timestamp::to_string);
        Self {
            id: key.id.to_string(),
            created_at: key.created_at.to_string(),
            expires_at: shown(&key.expires_at),
            last_used_at: shown(&key.last_used_at),
        }
    }
}

/// Who may do what, and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccessAnswer {
    /// Whether it is allowed.
    pub allowed: bool,
    /// Why not, if it is not.
    pub reason: Option<String>,
    /// The policies and statements that made it so.
    pub policies: Vec<String>,
}

/// An organisation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Organisation {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// When it was made (RFC 3339).
    pub created_at: String,
}

impl From<&nuee_tenancy::Organisation> for Organisation {
    fn from(from: &nuee_tenancy::Organisation) -> Self {
        Self { name: from.name.to_string(), id: from.id.to_string(), created_at: from.created_at.to_string() }
    }
}

/// What a verification found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Verified {
    /// Buckets.
    pub buckets: u64,
    /// Objects.
    pub objects: u64,
    /// Blobs that objects and uploads use.
    pub blobs: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Blobs that nothing uses: harmless, left by a crash.
    pub orphans: u64,
    /// How many things are not as they should be.
    pub damaged: u64,
    /// The first of them.
    pub findings: Vec<Finding>,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Finding {
    /// What it is about.
    pub what: String,
    /// What is wrong with it.
    pub detail: String,
}

/// A leaf of the journal.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct JournalLeaf {
    /// Its number.
    pub id: i64,
    /// When it happened (RFC 3339).
    pub at: String,
    /// Who did it.
    pub by: String,
    /// What was done.
    pub action: String,
    /// On which resource.
    pub on: String,
    /// On which object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// On which version of it, by its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// On which upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<String>,
    /// On which part of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u16>,
    /// What else there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Whether what it said was erased.
    pub erased: bool,
}

/// A witness of the journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JournalWitness {
    /// Its name.
    pub name: String,
    /// Where it is asked.
    pub url: String,
    /// How many leaves the last checkpoint has that it has signed.
    pub size: u64,
    /// When it signed that, by its own clock (RFC 3339).
    pub at: Option<String>,
    /// Why it has not signed the last one that it was sent.
    pub problem: Option<String>,
}

/// What the lifecycle rules of a bucket let go, or would. Rules are told by their places, as S3 shows them to members:
/// their names and filters are the tenant's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LifecycleRun {
    /// The bucket.
    pub bucket: String,
    /// Whether it was only counted.
    pub dry_run: bool,
    /// What each rule let go, in their order.
    pub rules: Vec<LifecycleCount>,
    /// Versions, delete markers and uploads that were looked at.
    pub seen: u64,
    /// Versions that a rule would let go, and a lock keeps.
    pub locked: u64,
    /// Things that are damaged, and stay.
    pub damaged: u64,
}

/// What a lifecycle rule let go, or would.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct LifecycleCount {
    /// The rule's place in the configuration, from 1 on.
    pub rule: usize,
    /// Objects deleted; in a bucket that keeps versions they became older versions.
    pub objects: u64,
    /// Older versions removed for good.
    pub versions: u64,
    /// Delete markers removed.
    pub markers: u64,
    /// Uploads aborted.
    pub uploads: u64,
    /// Bytes of objects and versions that are gone for good.
    pub bytes: u64,
}

/// How far a long request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Objects checked.
    pub objects: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Things that are not as they should be.
    pub damaged: u64,
}
