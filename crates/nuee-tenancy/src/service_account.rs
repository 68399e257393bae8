//! Service accounts and their access keys.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use nuee_access::{Action, Permit, Resource};
use nuee_base::{
    AccessKeyId, Context, ErrorKind, OrganisationId, Principal, ProjectId, Role, Secret, ServiceAccountId,
    Slug, Timestamp,
};
use nuee_journal::{Entry, Subject};
use nuee_keys::{RowBuilder, TokenDigest};
use nuee_metadata::{AccessKeyRow, RowCache, ServiceAccountRow, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    Error, ShownKey, Tenancy,
    project_keys::{decode, encode},
    session::parent_of_account,
};

/// The characters of an access key's id, 32 of them, so that a random byte gives one without bias.
const ID_LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// The characters of a secret, 64 of them, none of which needs quoting in a shell or a URL.
pub(crate) const SECRET_LETTERS: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

/// What ids of access keys of service accounts begin with.
pub(crate) const KEY_PREFIX: &str = "NUEE";

/// A service account: a principal that is not a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its id.
    pub id: ServiceAccountId,
    /// The organisation it belongs to.
    pub organisation: OrganisationId,
    /// The project it acts in.
    pub project: ProjectId,
    /// Its name, unique in the project.
    pub name: Slug,
    /// What it may do there.
    pub role: Role,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// An access key. Its secret is known when it is created and when it is used, and never shown again.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// Its public id.
    pub id: AccessKeyId,
    /// Its secret.
    pub secret: Secret,
}

/// Access keys that were used, with the principals that they make known.
pub(crate) type KnownKeys = RowCache<AccessKeyId, Arc<KnownKey>>;
/// How long the use of a key is not noted again, in microseconds.
const NOTED_FOR_MICROS: i64 = 60_000_000;
/// Access keys whose secrets are kept in memory, unsealed.
pub(crate) const KNOWN_KEYS: usize = 1_024;

#[derive(Serialize, Deserialize)]
enum AccountRecord {
    V1 { role: String, created_at_micros: i64, revoked_at_micros: Option<i64> },
}

/// What an access key makes known to whoever checks a signature.
#[derive(Debug)]
pub struct KnownKey {
    /// Who acts with it.
    pub principal: Principal,
    /// What signs its requests.
    pub secret: Secret,
    /// From when on it works no more.
    expires_at: Option<Timestamp>,
    /// When its use was last noted, in microseconds.
    noted_at: AtomicI64,
}

#[derive(Serialize, Deserialize)]
enum KeyRecord {
    V1 { created_at_micros: i64, sealed_secret: Vec<u8> },
    V2 { created_at_micros: i64, sealed_secret: Vec<u8>, expires_at_micros: Option<i64> },
}

/// The present form of [`KeyRecord`].
struct KeyState {
    created_at: Timestamp,
    sealed_secret: Vec<u8>,
    expires_at: Option<Timestamp>,
}

impl From<KeyRecord> for KeyState {
    fn from(record: KeyRecord) -> Self {
        let (created_at, sealed_secret, expires_at) = match record {
            KeyRecord::V1 { created_at_micros, sealed_secret } => (created_at_micros, sealed_secret, None),
            KeyRecord::V2 { created_at_micros, sealed_secret, expires_at_micros } => {
                (created_at_micros, sealed_secret, expires_at_micros)
            }
        };
        let created_at = Timestamp::from_micros(created_at);
        Self { created_at, sealed_secret, expires_at: expires_at.map(Timestamp::from_micros) }
    }
}

impl KnownKey {
    /// Whether this is its secret. Takes the same time whatever is wrong with it.
    #[must_use]
    pub fn has_secret(&self, secret: &Secret) -> bool {
        TokenDigest::of(self.secret.expose()).is_of(secret.expose())
    }
}

fn account_fields(organisation: OrganisationId, row: &ServiceAccountRow) -> RowBuilder {
    RowBuilder::new("service_accounts")
        .bytes(&organisation.to_bytes())
        .bytes(&row.project.to_bytes())
        .bytes(&row.id.to_bytes())
        .bytes(row.name.as_str().as_bytes())
        .bytes(&row.record)
}

fn key_fields(organisation: OrganisationId, row: &AccessKeyRow) -> RowBuilder {
    RowBuilder::new("access_keys")
        .bytes(&organisation.to_bytes())
        .bytes(&row.service_account.to_bytes())
        .bytes(row.id.as_str().as_bytes())
        .bytes(&row.record)
}

/// What binds a sealed secret to its key.
fn secret_context(id: &AccessKeyId) -> Vec<u8> {
    [b"access key ", id.as_str().as_bytes()].concat()
}

impl Tenancy {
    /// Creates a service account and its access key in the project that the permit is for.
    pub async fn create_service_account(
        &self,
        context: &Context,
        permit: &Permit,
        name: Slug,
        role: Role,
    ) -> Result<(ServiceAccount, AccessKey), Error> {
        permit.require(Action::CreateServiceAccount, permit.resource())?;
        let (organisation, project) = project_of(permit)?;
        let id = ServiceAccountId::generate(&self.0.environment);
        let created_at = context.now();
        let key = self.generate_key(KEY_PREFIX)?;
        let row_key = self.0.keys.row_mac_key(organisation)?;

        let created_at_micros = created_at.as_micros();
        let record = AccountRecord::V1 { role: role.to_string(), created_at_micros, revoked_at_micros: None };
        let mut row =
            ServiceAccountRow { id, project, name: name.clone(), record: encode(&record)?, mac: [0; 32] };
        row.mac = account_fields(organisation, &row).mac(&row_key);

        let key_row = self.key_row((organisation, id), &key, (created_at, None))?;
        let entry = Entry::new(context, &self.0.keys, organisation, format!("service-account/{id}"))?;
        let tenancy = self.clone();
        let by_operator = context.principal().is_operator();
        let create = move |transaction: &Transaction<'_>| {
            tenancy.refuse_operator(transaction, by_operator, organisation)?;
            match transaction.insert_service_account(&row) {
                Err(nuee_metadata::Error::Duplicate) => {
                    Err(Error::Exists { kind: "service account", name: row.name })
                }
                inserted => Ok(inserted?),
            }?;
            transaction.insert_access_key(&key_row)?;
            let key = key_row.id.to_string();
            entry.append(transaction, Action::CreateServiceAccount.as_str(), Subject::detail(&key))?;
            Ok::<_, Error>(())
        };
        self.0.metadata.write(create).await?;
        Ok((ServiceAccount { id, organisation, project, name, role, created_at, revoked_at: None }, key))
    }

    pub(crate) fn key_row(
        &self,
        (organisation, service_account): (OrganisationId, ServiceAccountId),
        key: &AccessKey,
        (created_at, expires_at): (Timestamp, Option<Timestamp>),
    ) -> Result<AccessKeyRow, Error> {
        let secret = key.secret.expose().as_bytes();
        let record = encode(&KeyRecord::V2 {
            created_at_micros: created_at.as_micros(),
            sealed_secret: self.0.keys.wrap(organisation, &secret_context(&key.id), secret)?,
            expires_at_micros: expires_at.map(|end| end.as_micros()),
        })?;
        let mut row = AccessKeyRow { id: key.id.clone(), service_account, record, mac: [0; 32] };
        row.mac = key_fields(organisation, &row).mac(&*self.0.keys.row_mac_key(organisation)?);
        Ok(row)
    }

    fn key_state(&self, organisation: OrganisationId, row: &AccessKeyRow) -> Result<KeyState, Error> {
        let row_key = self.0.keys.row_mac_key(organisation)?;
        if key_fields(organisation, row).verify(&row_key, &row.mac).is_err() {
            return Err(Error::damaged(format!("access key {}", row.id), "its row's code is wrong"));
        }
        Ok(decode::<KeyRecord>("access_keys", &row.record)?.into())
    }

    /// What is shown of a key beside its last use.
    pub(crate) fn open_key(
        &self,
        organisation: OrganisationId,
        row: &AccessKeyRow,
    ) -> Result<ShownKey, Error> {
        let KeyState { created_at, expires_at, .. } = self.key_state(organisation, row)?;
        Ok(ShownKey { id: row.id.clone(), created_at, expires_at, last_used_at: None })
    }

    pub(crate) fn generate_key(&self, prefix: &str) -> Result<AccessKey, Error> {
        let mut random = [0; 16 + 40];
        self.0.environment.fill_random(&mut random);
        let (id, secret) = random.split_at(16);
        let id: String = id.iter().map(|byte| char::from(ID_LETTERS[usize::from(byte & 31)])).collect();
        let id =
            format!("{prefix}{id}").parse().map_err(|error| Error::damaged("a new access key", error))?;
        let secret = secret.iter().map(|byte| char::from(SECRET_LETTERS[usize::from(byte & 63)])).collect();
        Ok(AccessKey { id, secret: Secret::new(secret) })
    }

    /// The service accounts of the project that the permit is for, by name, with their access keys.
    pub fn service_accounts(&self, permit: &Permit) -> Result<Vec<(ServiceAccount, Vec<ShownKey>)>, Error> {
        permit.require(Action::ListServiceAccounts, permit.resource())?;
        let (organisation, project) = project_of(permit)?;
        self.0.metadata.read_consistent(|snapshot| {
            let with_keys = |row: ServiceAccountRow| {
                let account = self.open_account(organisation, &row)?;
                let keys = self.shown_keys(snapshot, &account)?;
                Ok((account, keys))
            };
            snapshot.service_accounts(project)?.into_iter().map(with_keys).collect()
        })
    }

    /// Revokes the service account of this name, in the project that the permit is for, forgets its access keys, and ends
    /// its sessions.
    /// A request that was authenticated before may still end.
    pub async fn revoke_service_account(
        &self,
        context: &Context,
        permit: &Permit,
        name: &Slug,
    ) -> Result<(), Error> {
        permit.require(Action::RevokeServiceAccount, permit.resource())?;
        let (organisation, project) = project_of(permit)?;
        let rows = self.0.metadata.read(|snapshot| snapshot.service_accounts(project))?;
        let unknown = || Error::NotFound { kind: "service account", name: name.to_string() };
        let mut row = rows.into_iter().find(|row| row.name == *name).ok_or_else(unknown)?;
        // A damaged row is no reason to let its access keys work on: it is replaced by one that may do the least.
        let (role, created_at) = match self.open_account(organisation, &row) {
            Ok(account) => (account.role, account.created_at),
            Err(error) if error.kind() == ErrorKind::Corrupt => (Role::Auditor, context.now()),
            Err(error) => return Err(error),
        };
        row.record = encode(&AccountRecord::V1 {
            role: role.to_string(),
            created_at_micros: created_at.as_micros(),
            revoked_at_micros: Some(context.now().as_micros()),
        })?;
        row.mac = account_fields(organisation, &row).mac(&*self.0.keys.row_mac_key(organisation)?);
        let entry = Entry::new(context, &self.0.keys, organisation, format!("service-account/{}", row.id))?;
        let id = row.id;
        let forget = self.0.known_keys.forget(
            move |_, known| matches!(known.principal, Principal::ServiceAccount { id: of, .. } if of == id),
        );
        // Sessions do not say who began them once they are known: those of a whole project are read again.
        let forget_sessions = self.0.known_sessions.forget(move |_, known| known.project() == Some(project));
        let revoke = move |transaction: &Transaction<'_>| {
            transaction.update_service_account(row.id, &row.record, row.mac)?;
            transaction.delete_access_keys(row.id)?;
            transaction.delete_sessions_of(&parent_of_account(row.id))?;
            entry.append(transaction, Action::RevokeServiceAccount.as_str(), Subject::default())?;
            Ok::<_, Error>((forget, forget_sessions))
        };
        self.0.metadata.write(revoke).await.map(drop)
    }

    /// The principal that an access key makes known, and the secret to check its signatures with. `None` if the key
    /// does not exist or has ended, or its account was revoked.
    pub fn credentials(&self, id: &AccessKeyId) -> Result<Option<Arc<KnownKey>>, Error> {
        let read = || Ok::<_, Error>(self.read_credentials(id)?.map(Arc::new));
        let found = self.0.known_keys.get_or_read(id, read)?;
        let Some(known) = found else { return Ok(None) };
        let now = self.0.environment.now();
        if known.expires_at.is_some_and(|end| end <= now) {
            return Ok(None);
        }
        let noted_at = known.noted_at.load(Ordering::Relaxed);
        if now.as_micros().saturating_sub(noted_at) >= NOTED_FOR_MICROS {
            known.noted_at.store(now.as_micros(), Ordering::Relaxed);
            self.0.uses.note(id, now);
        }
        Ok(Some(known))
    }

    pub(crate) fn read_credentials(&self, id: &AccessKeyId) -> Result<Option<KnownKey>, Error> {
        let Some(key) = self.0.metadata.read(|snapshot| snapshot.access_key(id))? else { return Ok(None) };
        let damaged = |detail: &str| Error::damaged(format!("access key {id}"), detail);
        let account = self.0.metadata.read(|snapshot| snapshot.service_account(key.service_account))?;
        let account = account.ok_or_else(|| damaged("its service account does not exist"))?;
        let project = self.0.metadata.read(|snapshot| snapshot.project(account.project))?;
        let project = self.open_project(project.ok_or_else(|| damaged("its project does not exist"))?)?;
        let organisation = project.organisation;
        let KeyState { sealed_secret, expires_at, .. } = self.key_state(organisation, &key)?;
        let account = self.open_account(organisation, &account)?;
        if account.revoked_at.is_some() {
            return Ok(None);
        }
        let secret = self.0.keys.unwrap(organisation, &secret_context(id), &sealed_secret)?;
        let secret = std::str::from_utf8(&secret).map_err(|_| damaged("its secret is not text"))?.to_owned();
        let principal = Principal::ServiceAccount {
            id: account.id,
            organisation,
            project: project.id,
            role: account.role,
        };
        let (secret, noted_at) = (Secret::new(secret), AtomicI64::new(0));
        Ok(Some(KnownKey { principal, secret, expires_at, noted_at }))
    }

    pub(crate) fn open_account(
        &self,
        organisation: OrganisationId,
        row: &ServiceAccountRow,
    ) -> Result<ServiceAccount, Error> {
        let damaged = |detail: &str| Error::damaged(format!("service account {}", row.id), detail);
        let row_key = self.0.keys.row_mac_key(organisation)?;
        if account_fields(organisation, row).verify(&row_key, &row.mac).is_err() {
            return Err(damaged("its row's code is wrong"));
        }
        let AccountRecord::V1 { role, created_at_micros, revoked_at_micros } =
            decode("service_accounts", &row.record)?;
        Ok(ServiceAccount {
            id: row.id,
            organisation,
            project: row.project,
            name: row.name.clone(),
            role: role.parse().map_err(|_| damaged("its role is unknown"))?,
            created_at: Timestamp::from_micros(created_at_micros),
            revoked_at: revoked_at_micros.map(Timestamp::from_micros),
        })
    }
}

pub(crate) fn project_of(permit: &Permit) -> Result<(OrganisationId, ProjectId), Error> {
    match permit.resource() {
        Resource::Project { organisation, project } => Ok((organisation, project)),
        other => Err(Error::NotFound { kind: "project", name: other.to_string() }),
    }
}
