//! Deleting: by key, which in a bucket that keeps versions leaves a delete marker, or a version by its id, for good.

use std::sync::Arc;

use nuee_access::{Action, Permit};
use nuee_base::{Context, ErrorKind, ObjectKey, Timestamp};
use nuee_journal::{Entry, Subject};
use nuee_metadata::Transaction;

use crate::{Bucket, Conditions, Error, Store, object::Change, version::Found, version_id};

/// Deletions that one transaction carries.
pub(crate) const DELETIONS_PER_COMMIT: usize = 100;

/// What the journal says when a delete marker was made, one of the null version, or that one was removed.
pub(crate) const MARKER: &str = "marker";
pub(crate) const NULL_MARKER: &str = "null marker";
pub(crate) const NULL: &str = version_id::NULL;

/// What is to be deleted.
#[derive(Debug)]
pub struct Deletion {
    /// Leave to delete the object, or the version if one is named.
    pub permit: Permit,
    /// The key.
    pub key: ObjectKey,
    /// The id of the version that is to be removed for good.
    pub version: Option<String>,
    /// When it is to be done: what the key names now must be so.
    pub conditions: Conditions,
    /// Leave to pass over a retention in the GOVERNANCE mode, if that was asked for.
    pub bypass: Option<Permit>,
}

/// What was deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Whether there was something to delete. That there was nothing is no error, as at S3.
    pub existed: bool,
    /// The id of the version that was removed, or of the delete marker that was made.
    pub version: Option<String>,
    /// Whether what was removed or made is a delete marker.
    pub is_marker: bool,
}

/// A deletion that may be made.
#[derive(Clone)]
pub(crate) struct Prepared {
    change: Change,
    version: Option<String>,
    conditions: Conditions,
}

impl Store {
    /// Deletes; says for each what became of it. One that is refused keeps no other from being made.
    pub async fn delete_objects(
        &self,
        context: &Context,
        bucket: &Arc<Bucket>,
        mut deletions: Vec<Deletion>,
    ) -> Result<Vec<Result<Deleted, Error>>, Error> {
        let mut deleted = Vec::with_capacity(deletions.len());
        // Not all at once, so that others' commits need not wait for a thousand deletions.
        while !deletions.is_empty() {
            let batch = deletions.drain(..deletions.len().min(DELETIONS_PER_COMMIT));
            let prepared = batch.map(|deletion| self.prepare(context, bucket, deletion));
            let mut prepared = prepared.collect::<Result<Vec<_>, _>>()?;
            let (store, entry, now) = (self.clone(), self.entry(context, bucket)?, context.now());
            let delete = move |transaction: &Transaction<'_>| {
                let done =
                    prepared.iter_mut().map(|deletion| store.delete(transaction, deletion, (&entry, now)));
                done.map(refusal).collect::<Result<Vec<_>, Error>>()
            };
            deleted.extend(self.0.metadata.write(delete).await?);
        }
        Ok(deleted)
    }

    /// A deletion that its permits are for.
    pub(crate) fn prepare(
        &self,
        context: &Context,
        bucket: &Arc<Bucket>,
        deletion: Deletion,
    ) -> Result<Prepared, Error> {
        let Deletion { permit, key, version, conditions, bypass } = deletion;
        let action = if version.is_some() { Action::DeleteObjectVersion } else { Action::DeleteObject };
        permit.require_bucket(action, bucket.id)?;
        if let Some(bypass) = &bypass {
            bypass.require_bucket(Action::BypassGovernanceRetention, bucket.id)?;
        }
        let change = Change { bypass: bypass.is_some(), ..self.change(context, bucket, key)? };
        Ok(Prepared { change, version, conditions })
    }

    /// Inside a transaction: makes one deletion.
    pub(crate) fn delete(
        &self,
        transaction: &Transaction<'_>,
        Prepared { change, version, conditions }: &mut Prepared,
        (entry, now): (&Entry, Timestamp),
    ) -> Result<Deleted, Error> {
        let Some(version) = version else {
            let Some(marker) = self.add_marker(transaction, change, (conditions, now))? else {
                return Ok(Deleted::default());
            };
            let shown = marker.and_then(|id| change.shown_id(id));
            let detail = marker.map(|_| if shown.as_deref() == Some(NULL) { NULL_MARKER } else { MARKER });
            let subject = Subject { detail, ..Subject::key(&change.key) };
            entry.append(transaction, Action::DeleteObject.as_str(), subject)?;
            return Ok(Deleted { existed: true, version: shown, is_marker: marker.is_some() });
        };
        let deleted = Deleted { version: Some(version.clone()), ..Deleted::default() };
        change.bucket = self.present_bucket(transaction, &change.bucket)?;
        let latest = transaction.latest_version(change.bucket.number, &change.key)?;
        self.check_conditions(&change.bucket, latest.as_ref(), conditions)?;
        let found = match self.find_version(transaction, (&change.bucket, &change.key), version) {
            Err(Error::NoSuchVersion) => return Ok(deleted),
            found => found?,
        };
        self.remove_version(transaction, change, &found)?;
        let (id, is_marker) = match found {
            Found::Latest(id) => (id, false),
            Found::History(row) => (row.version, row.is_marker),
        };
        let detail = (version == NULL).then_some(NULL);
        let subject = Subject { version: Some(id), detail, ..Subject::key(&change.key) };
        entry.append(transaction, Action::DeleteObjectVersion.as_str(), subject)?;
        Ok(Deleted { existed: true, is_marker, ..deleted })
    }
}

/// What concerns one deletion alone stays with it; anything else fails them all. A refusal has changed nothing.
fn refusal(result: Result<Deleted, Error>) -> Result<Result<Deleted, Error>, Error> {
    match result {
        Err(error)
            if matches!(error.kind(), ErrorKind::Denied | ErrorKind::PreconditionFailed)
                || matches!(error, Error::NoSuchKey) =>
        {
            Ok(Err(error))
        }
        result => result.map(Ok),
    }
}
