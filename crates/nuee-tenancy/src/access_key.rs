//! The access keys of a service account: a second one for the time of a rotation, their end, and their last use.
//!
//! To rotate a key without a pause, another is made, programs are given that, and the first one is deleted: an account has
//! [`MAX_ACCESS_KEYS`] for as long as that takes. When a key was last used is noted once a minute at most, and may be lost
//! with a crash.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use nuee_access::{Action, Permit};
use nuee_base::{AccessKeyId, Context, OrganisationId, Slug, Timestamp};
use nuee_journal::{Entry, Subject};
use nuee_metadata::{AccessKeyRow, Snapshot, Transaction};
use tokio::sync::watch;

use crate::{
    AccessKey, Error, Tenancy,
    service_account::{KEY_PREFIX, ServiceAccount, project_of},
};

/// How many access keys an account has at most, those that have ended not counted.
pub const MAX_ACCESS_KEYS: usize = 2;
/// How often uses are noted.
const NOTE_INTERVAL: Duration = Duration::from_mins(1);
/// How many keys whose use is not yet noted are remembered.
const MAX_USES: usize = 65_536;

/// What is shown of an access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownKey {
    /// Its public id.
    pub id: AccessKeyId,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it works no more, if it was made for a time.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, as far as that was noted.
    pub last_used_at: Option<Timestamp>,
}

/// When keys were used, until that is noted.
#[derive(Default)]
pub(crate) struct KeyUses(Mutex<HashMap<AccessKeyId, Timestamp>>);

impl KeyUses {
    pub(crate) fn note(&self, id: &AccessKeyId, at: Timestamp) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.len() < MAX_USES || uses.contains_key(id) {
            uses.insert(id.clone(), at);
        }
    }

    fn take(&self) -> HashMap<AccessKeyId, Timestamp> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Tenancy {
    /// Makes another access key of the service account of this name, in the project that the permit is for.
    pub async fn create_access_key(
        &self,
        context: &Context,
        permit: &Permit,
        name: &Slug,
        expires_at: Option<Timestamp>,
    ) -> Result<AccessKey, Error> {
        permit.require(Action::CreateAccessKey, permit.resource())?;
        let now = context.now();
        if expires_at.is_some_and(|end| end <= now) {
            return Err(Error::Invalid { kind: "access key", why: "it must end in the future".into() });
        }
        let (organisation, account) = self.account_of(permit, name)?;
        let key = self.generate_key(KEY_PREFIX)?;
        let row = self.key_row((organisation, account.id), &key, (now, expires_at))?;
        let entry =
            Entry::new(context, &self.0.keys, organisation, format!("service-account/{}", account.id))?;
        let (tenancy, id) = (self.clone(), account.id);
        let by_operator = context.principal().is_operator();
        let create = move |transaction: &Transaction<'_>| {
            tenancy.refuse_operator(transaction, by_operator, organisation)?;
            let found = transaction.service_account(id)?.map(|row| tenancy.open_account(organisation, &row));
            let account = found.transpose()?.filter(|account| account.revoked_at.is_none());
            let account = account.ok_or_else(|| unknown(&id.to_string()))?;
            let mut working = 0;
            for row in transaction.access_keys(account.id)? {
                let end = tenancy.open_key(organisation, &row)?.expires_at;
                working += usize::from(end.is_none_or(|end| end > now));
            }
            if working >= MAX_ACCESS_KEYS {
                let why = format!("the service account has {MAX_ACCESS_KEYS} already: delete one first");
                return Err(Error::Invalid { kind: "access key", why });
            }
            transaction.insert_access_key(&row)?;
            entry.append(transaction, Action::CreateAccessKey.as_str(), Subject::detail(row.id.as_str()))?;
            Ok::<_, Error>(())
        };
        self.0.metadata.write(create).await?;
        Ok(key)
    }

    /// Deletes an access key of the service account of this name, in the project that the permit is for. Requests that
    /// were authenticated before may still end.
    pub async fn delete_access_key(
        &self,
        context: &Context,
        permit: &Permit,
        (name, key): (&Slug, &AccessKeyId),
    ) -> Result<(), Error> {
        permit.require(Action::DeleteAccessKey, permit.resource())?;
        let (organisation, account) = self.account_of(permit, name)?;
        let entry =
            Entry::new(context, &self.0.keys, organisation, format!("service-account/{}", account.id))?;
        let (key, account) = (key.clone(), account.id);
        let forgotten = key.clone();
        let forget = self.0.known_keys.forget(move |id, _| *id == forgotten);
        let delete = move |transaction: &Transaction<'_>| {
            let found = transaction.access_key(&key)?.filter(|row| row.service_account == account);
            if found.is_none() {
                return Err(Error::NotFound { kind: "access key", name: key.to_string() });
            }
            transaction.delete_access_key(&key)?;
            entry.append(transaction, Action::DeleteAccessKey.as_str(), Subject::detail(key.as_str()))?;
            Ok::<_, Error>(forget)
        };
        self.0.metadata.write(delete).await.map(drop)
    }

    /// The access keys of an account, as they are shown.
    pub(crate) fn shown_keys(
        &self,
        snapshot: &Snapshot<'_>,
        account: &ServiceAccount,
    ) -> Result<Vec<ShownKey>, Error> {
        let rows = snapshot.access_keys(account.id)?;
        let show = |row: &AccessKeyRow| {
            let last_used_at = snapshot.access_key_use(&row.id)?;
            Ok(ShownKey { last_used_at, ..self.open_key(account.organisation, row)? })
        };
        rows.iter().map(show).collect()
    }

    fn account_of(&self, permit: &Permit, name: &Slug) -> Result<(OrganisationId, ServiceAccount), Error> {
        let (organisation, project) = project_of(permit)?;
        let rows = self.0.metadata.read(|snapshot| snapshot.service_accounts(project))?;
        let row = rows.into_iter().find(|row| row.name == *name).ok_or_else(|| unknown(name.as_str()))?;
        Ok((organisation, self.open_account(organisation, &row)?))
    }

    /// Notes now and then which keys were used, until `stop` says so, and once more then.
    pub async fn note_uses_until(&self, mut stop: watch::Receiver<bool>) {
        loop {
            let stopped = tokio::select! {
                () = tokio::time::sleep(NOTE_INTERVAL) => false,
                _ = stop.wait_for(|stop| *stop) => true,
            };
            self.note_uses().await;
            if stopped {
                return;
            }
        }
    }

    /// Notes which keys were used.
    pub async fn note_uses(&self) {
        let uses = self.0.uses.take();
        if uses.is_empty() {
            return;
        }
        let note = move |transaction: &Transaction<'_>| {
            uses.iter().try_for_each(|(id, at)| transaction.note_access_key_use(id, *at))
        };
        // A use that is not noted harms nobody.
        if let Err(error) = self.0.metadata.write(note).await {
            tracing::warn!(%error, "uses of access keys were not noted");
        }
    }
}

fn unknown(name: &str) -> Error {
    Error::NotFound { kind: "service account", name: name.to_owned() }
}
