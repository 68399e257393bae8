//! Service accounts and their access keys.

use std::sync::Arc;

use nuee_access::{Action, Permit, Resource};
use nuee_base::{
    AccessKeyId, Context, ErrorKind, OrganisationId, Principal, ProjectId, Role, Secret, ServiceAccountId,
    Slug, Timestamp,
};
use nuee_journal::{Entry, Subject};
use nuee_keys::RowBuilder;
use nuee_metadata::{AccessKeyRow, RowCache, ServiceAccountRow, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Tenancy,
    project_keys::{decode, encode},
};

/// The characters of an access key's id, 32 of them, so that a random byte gives one without bias.
const ID_LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// The characters of a secret, 64 of them, none of which needs quoting in a shell or a URL.
const SECRET_LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

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
pub(crate) type KnownKeys = RowCache<AccessKeyId, Arc<(Principal, Secret)>>;
/// Access keys whose secrets are kept in memory, unsealed.
pub(crate) const KNOWN_KEYS: usize = 1_024;

#[derive(Serialize, Deserialize)]
enum AccountRecord {
    V1 { role: String, created_at_micros: i64, revoked_at_micros: Option<i64> },
}

#[derive(Serialize, Deserialize)]
enum KeyRecord {
    V1 { created_at_micros: i64, sealed_secret: Vec<u8> },
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
        let key = self.generate_key()?;
        let row_key = self.0.keys.row_mac_key(organisation)?;

        let created_at_micros = created_at.as_micros();
        let record = AccountRecord::V1 { role: role.to_string(), created_at_micros, revoked_at_micros: None };
        let mut row =
            ServiceAccountRow { id, project, name: name.clone(), record: encode(&record)?, mac: [0; 32] };
        row.mac = account_fields(organisation, &row).mac(&row_key);

        let secret = key.secret.expose().as_bytes();
        let sealed_secret = self.0.keys.wrap(organisation, &secret_context(&key.id), secret)?;
        let record = encode(&KeyRecord::V1 { created_at_micros, sealed_secret })?;
        let mut key_row = AccessKeyRow { id: key.id.clone(), service_account: id, record, mac: [0; 32] };
        key_row.mac = key_fields(organisation, &key_row).mac(&row_key);

        let entry = Entry::new(context, &self.0.keys, organisation, format!("service-account/{id}"))?;
        let create = move |transaction: &Transaction<'_>| {
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

    fn generate_key(&self) -> Result<AccessKey, Error> {
        let mut random = [0; 16 + 40];
        self.0.environment.fill_random(&mut random);
        let (id, secret) = random.split_at(16);
        let id: String = id.iter().map(|byte| char::from(ID_LETTERS[usize::from(byte & 31)])).collect();
        let id = format!("NUEE{id}").parse().map_err(|error| Error::damaged("a new access key", error))?;
        let secret = secret.iter().map(|byte| char::from(SECRET_LETTERS[usize::from(byte & 63)])).collect();
        Ok(AccessKey { id, secret: Secret::new(secret) })
    }

    /// The service accounts of the project that the permit is for, by name, with their access keys.
    pub fn service_accounts(
        &self,
        permit: &Permit,
    ) -> Result<Vec<(ServiceAccount, Vec<AccessKeyId>)>, Error> {
        permit.require(Action::ListServiceAccounts, permit.resource())?;
        let (organisation, project) = project_of(permit)?;
        let rows = self.0.metadata.read(|snapshot| snapshot.service_accounts(project))?;
        let with_keys = |row: ServiceAccountRow| {
            let keys = self.0.metadata.read(|snapshot| snapshot.access_keys(row.id))?;
            let account = self.open_account(organisation, &row)?;
            Ok((account, keys.into_iter().map(|key| key.id).collect()))
        };
        rows.into_iter().map(with_keys).collect()
    }

    /// Revokes the service account of this name, in the project that the permit is for, and forgets its access keys.
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
        let forget = self
            .0
            .known_keys
            .forget(move |_, known| matches!(known.0, Principal::ServiceAccount { id: of, .. } if of == id));
        let revoke = move |transaction: &Transaction<'_>| {
            transaction.update_service_account(row.id, &row.record, row.mac)?;
            transaction.delete_access_keys(row.id)?;
            entry.append(transaction, Action::RevokeServiceAccount.as_str(), Subject::default())?;
            Ok::<_, Error>(forget)
        };
        self.0.metadata.write(revoke).await.map(drop)
    }

    /// The principal that an access key makes known, and the secret to check its signatures with. `None` if the key
    /// does not exist or its account was revoked.
    pub fn credentials(&self, id: &AccessKeyId) -> Result<Option<Arc<(Principal, Secret)>>, Error> {
        self.0.known_keys.get_or_read(id, || Ok(self.read_credentials(id)?.map(Arc::new)))
    }

    pub(crate) fn read_credentials(&self, id: &AccessKeyId) -> Result<Option<(Principal, Secret)>, Error> {
        let Some(key) = self.0.metadata.read(|snapshot| snapshot.access_key(id))? else { return Ok(None) };
        let damaged = |detail: &str| Error::damaged(format!("access key {id}"), detail);
        let account = self.0.metadata.read(|snapshot| snapshot.service_account(key.service_account))?;
        let account = account.ok_or_else(|| damaged("its service account does not exist"))?;
        let project = self.0.metadata.read(|snapshot| snapshot.project(account.project))?;
        let project = self.open_project(project.ok_or_else(|| damaged("its project does not exist"))?)?;
        let organisation = project.organisation;
        let row_key = self.0.keys.row_mac_key(organisation)?;
        if key_fields(organisation, &key).verify(&row_key, &key.mac).is_err() {
            return Err(damaged("its row's code is wrong"));
        }
        let account = self.open_account(organisation, &account)?;
        if account.revoked_at.is_some() {
            return Ok(None);
        }
        let KeyRecord::V1 { sealed_secret, .. } = decode("access_keys", &key.record)?;
        let secret = self.0.keys.unwrap(organisation, &secret_context(id), &sealed_secret)?;
        let secret = std::str::from_utf8(&secret).map_err(|_| damaged("its secret is not text"))?.to_owned();
        let principal = Principal::ServiceAccount {
            id: account.id,
            organisation,
            project: project.id,
            role: account.role,
        };
        Ok(Some((principal, Secret::new(secret))))
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

fn project_of(permit: &Permit) -> Result<(OrganisationId, ProjectId), Error> {
    match permit.resource() {
        Resource::Project { organisation, project } => Ok((organisation, project)),
        other => Err(Error::NotFound { kind: "project", name: other.to_string() }),
    }
}
