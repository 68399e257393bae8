//! Sessions: somebody acts in an assumable role for a while, by a temporary access key.
//!
//! A key has three parts: its id and its secret, as every access key, and a *session token*, which comes with each request
//! and of which only a digest is kept. A session ends at its time, when it is revoked, when its role is deleted, when the
//! service account that began it is revoked, and when its issuer is no longer in the settings; the rows of ended ones are
//! kept for a day, so that their bearers are told what happened, and then swept.

use std::{sync::Arc, time::Duration};

use nuee_access::{Action, Identity, Permit, Resource, SessionPolicy};
use nuee_base::{
    AccessKeyId, Context, Narrowing, OrganisationId, Principal, ProjectId, Role, Secret, SessionId, Slug,
    Timestamp,
};
use nuee_journal::{Entry, Subject};
use nuee_keys::{RowBuilder, TokenDigest};
use nuee_metadata::{RowCache, SessionRow, Snapshot, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    AssumableRole, Error, Tenancy,
    assumable_role::{SHORTEST_SESSION, Trusted, role_arn},
    project_keys::{decode, encode},
    service_account::project_of,
};

/// What ids of temporary access keys begin with.
const KEY_PREFIX: &str = "NUET";
/// How long rows of ended sessions are kept.
const KEPT_AFTER_END: Duration = Duration::from_hours(24);
/// How many rows go in one transaction of a sweep.
const SWEPT_AT_ONCE: u32 = 500;
/// The longest name of a session, in bytes, as at AWS.
const MAX_NAME_BYTES: usize = 64;
/// Sessions that are kept in memory, unsealed.
pub(crate) const KNOWN_SESSIONS: usize = 4_096;
/// Rows that are read at once to be shown.
const PAGE: u32 = 500;

/// Sessions that were used.
pub(crate) type KnownSessions = RowCache<AccessKeyId, Arc<Known>>;

/// What a temporary access key makes known.
#[derive(Debug)]
pub struct Known {
    /// Who acts with it.
    pub principal: Principal,
    /// What signs its requests.
    pub secret: Secret,
    /// When it ends.
    pub expires_at: Timestamp,
    token: TokenDigest,
    /// The issuer by which it began, if it was one.
    issuer: Option<Slug>,
}

impl Known {
    /// Whether this is the session's token. Takes the same time whatever is wrong with it.
    #[must_use]
    pub fn has_token(&self, token: &str) -> bool {
        self.token.is_of(token)
    }

    pub(crate) fn project(&self) -> Option<ProjectId> {
        self.principal.place().map(|(_, project)| project)
    }

    pub(crate) fn assumed(&self) -> Option<&Slug> {
        match &self.principal {
            Principal::Session { assumed, .. } => Some(assumed),
            _ => None,
        }
    }

    fn id(&self) -> Option<SessionId> {
        match &self.principal {
            Principal::Session { id, .. } => Some(*id),
            _ => None,
        }
    }
}

/// Who begins a session.
#[derive(Debug)]
pub enum Beginner<'a> {
    /// Somebody whom an issuer knows.
    Identity(&'a Identity),
    /// A service account, with the permit for [`Action::AssumeRole`] in its project.
    Account(&'a Permit, Role),
}

/// How a session is to be.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// How long it is to last; brought into the bounds of the role.
    pub duration: Option<Duration>,
    /// What it is to be called.
    pub name: Option<String>,
    /// What is to be taken away beside what the role takes away.
    pub policy: Option<String>,
}

/// A session that has begun, with what is shown this once.
#[derive(Debug)]
pub struct TemporaryKey {
    /// The public half.
    pub id: AccessKeyId,
    /// The secret half.
    pub secret: Secret,
    /// What comes with each request.
    pub token: Secret,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Who acts with it.
    pub principal: Principal,
}

/// A session, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The public half of its key.
    pub access_key: AccessKeyId,
    /// The name of its role.
    pub role: Slug,
    /// Who began it: `issuer/NAME` or `service-account/ID`.
    pub parent: String,
    /// Who that is to the issuer, or the service account.
    pub subject: String,
    /// What it is called.
    pub name: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
enum Record {
    V1 { created_at_micros: i64, sealed: Vec<u8> },
}

/// What is sealed of a session.
#[derive(Serialize, Deserialize)]
struct Sealed {
    secret: String,
    token_digest: [u8; 32],
    grants: String,
    subject: String,
    name: String,
    policies: Vec<String>,
}

fn fields(organisation: OrganisationId, row: &SessionRow) -> RowBuilder {
    RowBuilder::new("sessions")
        .bytes(&organisation.to_bytes())
        .bytes(row.access_key.as_str().as_bytes())
        .bytes(&row.id.to_bytes())
        .bytes(&row.project.to_bytes())
        .bytes(row.role.as_str().as_bytes())
        .bytes(row.parent.as_bytes())
        .integer(row.expires_at.as_micros())
        .bytes(&row.record)
}

/// What binds what is sealed to its session.
fn sealed_context(key: &AccessKeyId) -> Vec<u8> {
    [b"session ", key.as_str().as_bytes()].concat()
}

/// What the journal says of a session that goes on until `ends`.
pub(crate) fn state(row: &SessionRow) -> String {
    let SessionRow { role, project, parent, expires_at, .. } = row;
    format!("{role} of {project} by {parent} until {expires_at}")
}

impl Tenancy {
    /// Begins a session in a role that trusts whoever begins it. An error of the kind denied if it does not.
    pub async fn begin_session(
        &self,
        context: &Context,
        role: &AssumableRole,
        beginner: Beginner<'_>,
        wanted: Wanted,
    ) -> Result<TemporaryKey, Error> {
        let (parent, subject, policies) = admit(role, &beginner, &wanted)?;
        let name = session_name(wanted.name.as_deref(), &subject)?;
        let longest = role.terms.longest;
        let duration = wanted.duration.unwrap_or(Duration::from_hours(1)).clamp(SHORTEST_SESSION, longest);
        let (created_at, id) = (context.now(), SessionId::generate(&self.0.environment));
        let ends_micros = created_at.saturating_add(duration).as_micros();
        let expires_at = Timestamp::from_micros(ends_micros - ends_micros.rem_euclid(1_000_000));
        let key = self.generate_key(KEY_PREFIX)?;
        let token = self.generate_token("");
        let sealed = Sealed {
            secret: key.secret.expose().to_owned(),
            token_digest: TokenDigest::of(token.expose()).to_bytes(),
            grants: role.terms.grants.to_string(),
            subject: subject.clone(),
            name: name.clone(),
            policies: policies.clone(),
        };
        let (organisation, project) = (role.organisation, role.project);
        let sealed = self.0.keys.wrap(organisation, &sealed_context(&key.id), &encode(&sealed)?)?;
        let record = encode(&Record::V1 { created_at_micros: created_at.as_micros(), sealed })?;
        let (access_key, assumed) = (key.id.clone(), role.name.clone());
        let mut row =
            SessionRow { access_key, id, project, role: assumed, parent, expires_at, record, mac: [0; 32] };
        row.mac = fields(organisation, &row).mac(&*self.0.keys.row_mac_key(organisation)?);
        let principal = Principal::Session {
            id,
            organisation,
            project,
            role: role.terms.grants,
            assumed: role.name.clone(),
            name: name.as_str().into(),
            narrowing: Narrowing::new(policies),
        };
        // Whoever has no key yet acts as what they become.
        let actor = match context.principal() {
            Principal::Anonymous => Context::new(context.environment().clone(), principal.clone()),
            _ => context.clone(),
        };
        let entry = Entry::new(&actor, &self.0.keys, organisation, format!("session/{id}"))?;
        let said = format!("{} for {subject:?} called {name:?}", state(&row));
        let account = match context.principal() {
            Principal::ServiceAccount { id, .. } => Some(*id),
            _ => None,
        };
        let begin = move |transaction: &Transaction<'_>| {
            if transaction.assumable_role(row.project, &row.role)?.is_none() {
                return Err(Error::NotFound { kind: "assumable role", name: row.role.to_string() });
            }
            // An account that was revoked since it was asked has no keys, and begins nothing.
            if let Some(account) = account
                && transaction.access_keys(account)?.is_empty()
            {
                return Err(Error::NotTrusted { role: role_arn(row.project, &row.role) });
            }
            transaction.insert_session(&row)?;
            entry.append(transaction, Action::AssumeRole.as_str(), Subject::detail(&said))?;
            Ok::<_, Error>(())
        };
        self.0.metadata.write(begin).await?;
        Ok(TemporaryKey { id: key.id, secret: key.secret, token, expires_at, principal })
    }

    /// What a temporary access key makes known, also when its time is over. `None` if there is no such key, or the
    /// session was ended.
    pub fn session_credentials(&self, key: &AccessKeyId) -> Result<Option<Arc<Known>>, Error> {
        if !key.as_str().starts_with(KEY_PREFIX) {
            return Ok(None);
        }
        let known = self.0.known_sessions.get_or_read(key, || {
            let row = self.0.metadata.read(|snapshot| snapshot.session(key))?;
            row.map(|row| self.open_session(&row).map(|(known, _)| Arc::new(known))).transpose()
        })?;
        // An issuer that is no longer trusted made nobody known.
        let trusted = |known: &Arc<Known>| {
            known.issuer.as_ref().is_none_or(|name| self.0.configured.issuers.contains(name))
        };
        Ok(known.filter(trusted))
    }

    /// The sessions of the project that the permit is for which have not ended, oldest first.
    pub fn sessions(&self, context: &Context, permit: &Permit) -> Result<Vec<Session>, Error> {
        self.list_sessions(context, permit, SessionId::from_bytes([0; 16]), usize::MAX)
    }

    /// The same, of those that began after a session; `limit` at most.
    pub fn list_sessions(
        &self,
        context: &Context,
        permit: &Permit,
        mut after: SessionId,
        limit: usize,
    ) -> Result<Vec<Session>, Error> {
        permit.require(Action::ListSessions, permit.resource())?;
        let (_, project) = project_of(permit)?;
        let mut found = Vec::new();
        while found.len() < limit {
            let rows = self.0.metadata.read(|snapshot| snapshot.sessions(project, after, PAGE))?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            let left = limit - found.len();
            for row in rows.iter().filter(|row| row.expires_at > context.now()).take(left) {
                found.push(self.open_session(row)?.1);
            }
        }
        Ok(found)
    }

    /// Who acts by an access key, of a service account or of a session, that goes on.
    pub fn principal_of_key(&self, key: &AccessKeyId) -> Result<Option<Principal>, Error> {
        if let Some(known) = self.session_credentials(key)? {
            let goes_on = known.expires_at > self.0.environment.now();
            return Ok(goes_on.then(|| known.principal.clone()));
        }
        Ok(self.credentials(key)?.map(|known| known.principal.clone()))
    }

    /// Ends a session of the project that the permit is for, before its time.
    pub async fn revoke_session(
        &self,
        context: &Context,
        permit: &Permit,
        id: SessionId,
    ) -> Result<(), Error> {
        permit.require(Action::RevokeSession, permit.resource())?;
        let (organisation, project) = project_of(permit)?;
        let entry = Entry::new(context, &self.0.keys, organisation, format!("session/{id}"))?;
        let forget = self.0.known_sessions.forget(move |_, known| known.id() == Some(id));
        let revoke = move |transaction: &Transaction<'_>| {
            if !transaction.delete_session(project, id)? {
                return Err(Error::NotFound { kind: "session", name: id.to_string() });
            }
            entry.append(transaction, Action::RevokeSession.as_str(), Subject::default())?;
            Ok::<_, Error>(forget)
        };
        self.0.metadata.write(revoke).await.map(drop)
    }

    /// Forgets sessions that ended a day ago, some in one transaction; gives how many. To be called now and then, until
    /// it gives none.
    pub async fn sweep_sessions(&self) -> Result<usize, Error> {
        let before = self.0.environment.now().saturating_sub(KEPT_AFTER_END);
        let sweep = move |transaction: &Transaction<'_>| {
            Ok::<_, Error>(transaction.delete_sessions_ended(before, SWEPT_AT_ONCE)?)
        };
        self.0.metadata.write(sweep).await
    }

    pub(crate) fn open_session(&self, row: &SessionRow) -> Result<(Known, Session), Error> {
        let damaged = |detail: &str| Error::damaged(format!("session {}", row.id), detail);
        let project = self.0.metadata.read(|snapshot| snapshot.project(row.project))?;
        let project = self.open_project(project.ok_or_else(|| damaged("its project does not exist"))?)?;
        let organisation = project.organisation;
        if fields(organisation, row).verify(&*self.0.keys.row_mac_key(organisation)?, &row.mac).is_err() {
            return Err(damaged("its row's code is wrong"));
        }
        let Record::V1 { created_at_micros, sealed } = decode("sessions", &row.record)?;
        let opened = self.0.keys.unwrap(organisation, &sealed_context(&row.access_key), &sealed)?;
        let Sealed { secret, token_digest, grants, subject, name, policies } = decode("sessions", &opened)?;
        let principal = Principal::Session {
            id: row.id,
            organisation,
            project: row.project,
            role: grants.parse().map_err(|_| damaged("its role is unknown"))?,
            assumed: row.role.clone(),
            name: name.as_str().into(),
            narrowing: Narrowing::new(policies),
        };
        let issuer = row.parent.strip_prefix(ISSUER).map(str::parse).transpose();
        let issuer = issuer.map_err(|_| damaged("its issuer has no name"))?;
        let secret = Secret::new(secret);
        let known = Known {
            principal,
            secret,
            expires_at: row.expires_at,
            token: TokenDigest::from_bytes(token_digest),
            issuer,
        };
        let session = Session {
            id: row.id,
            access_key: row.access_key.clone(),
            role: row.role.clone(),
            parent: row.parent.clone(),
            subject,
            name,
            created_at: Timestamp::from_micros(created_at_micros),
            expires_at: row.expires_at,
        };
        Ok((known, session))
    }

    /// Every session of a project, for verification.
    pub(crate) fn every_session(
        snapshot: &Snapshot<'_>,
        project: ProjectId,
        mut each: impl FnMut(SessionRow),
    ) -> Result<(), Error> {
        let mut after = SessionId::from_bytes([0; 16]);
        loop {
            let rows = snapshot.sessions(project, after, PAGE)?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.id;
            rows.into_iter().for_each(&mut each);
        }
    }
}

/// What the parent of a session that an issuer's user began is called before the issuer's name.
const ISSUER: &str = "issuer/";

/// What the parent of a session that a service account began is called.
pub(crate) fn parent_of_account(id: impl std::fmt::Display) -> String {
    format!("service-account/{id}")
}

/// Whether a role trusts whoever would begin a session in it: who that is, and the policies that narrow the session.
fn admit(
    role: &AssumableRole,
    beginner: &Beginner<'_>,
    wanted: &Wanted,
) -> Result<(String, String, Vec<String>), Error> {
    let refused = || Error::NotTrusted { role: role_arn(role.project, &role.name) };
    let mut policies = Vec::new();
    let (parent, subject) = match beginner {
        Beginner::Identity(identity) => {
            if !role.trusts(identity) {
                return Err(refused());
            }
            if let Some(policy) = &role.terms.policy {
                let filled = identity.claims().fill_in(policy);
                policies.push(filled.map_err(|error| Error::Claim(error.to_string()))?);
            }
            (format!("{ISSUER}{}", identity.issuer()), identity.subject().to_owned())
        }
        Beginner::Account(permit, own) => {
            permit.require(Action::AssumeRole, Resource::from(role))?;
            let Principal::ServiceAccount { id, project, .. } = permit.principal() else {
                return Err(refused());
            };
            if role.terms.trusted != Trusted::ServiceAccounts || !role.trusts_account(*project, *own) {
                return Err(refused());
            }
            policies.extend(role.terms.policy.clone());
            (parent_of_account(id), id.to_string())
        }
    };
    policies.extend(wanted.policy.clone());
    for policy in &policies {
        SessionPolicy::parse(policy)
            .map_err(|error| Error::Invalid { kind: "policy", why: error.to_string() })?;
    }
    Ok((parent, subject, policies))
}

/// What a session is called: as is wanted, or after its subject as far as that can be a name.
fn session_name(wanted: Option<&str>, subject: &str) -> Result<String, Error> {
    let valid = |character: char| character.is_ascii_alphanumeric() || "_+=,.@-".contains(character);
    match wanted {
        None => {
            let name: String = subject.chars().filter(|it| valid(*it)).take(MAX_NAME_BYTES).collect();
            Ok(if name.is_empty() { "session".to_owned() } else { name })
        }
        Some(name) if (2..=MAX_NAME_BYTES).contains(&name.len()) && name.chars().all(valid) => {
            Ok(name.to_owned())
        }
        Some(_) => {
            let why = "RoleSessionName has 2 to 64 letters, digits and _+=,.@-".to_owned();
            Err(Error::Invalid { kind: "session", why })
        }
    }
}
