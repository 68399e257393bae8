//! Writing leaves.

use std::sync::Arc;

use nuee_base::{BlobId, Context, Environment, ObjectKey, OrganisationId, Timestamp, UploadId};
use nuee_keys::{JournalKey, KeyRing};
use nuee_metadata::{LeafRow, Transaction};

use crate::{
    Error,
    content::{Content, Unsealed},
    leaf::Body,
};

/// What a change is about, beside the resource: as much as the rows that it leaves follow from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subject<'a> {
    /// The object.
    pub key: Option<&'a ObjectKey>,
    /// The version of it, by its number: that of the leaf that tells of its writing.
    pub version: Option<i64>,
    /// The upload of it.
    pub upload: Option<UploadId>,
    /// The part of that: its number and its blob.
    pub part: Option<(u16, BlobId)>,
    /// Whatever else there is to say.
    pub detail: Option<&'a str>,
    /// How often it happened, of what is counted; a change happens once and says nothing here.
    pub count: Option<u64>,
}

impl<'a> Subject<'a> {
    /// An object.
    #[must_use]
    pub fn key(key: &'a ObjectKey) -> Self {
        Self { key: Some(key), ..Self::default() }
    }

    /// A version of an object, and a word on it.
    #[must_use]
    pub fn version(key: &'a ObjectKey, version: i64, detail: &'a str) -> Self {
        Self { version: Some(version), detail: Some(detail), ..Self::key(key) }
    }

    /// An upload of an object.
    #[must_use]
    pub fn upload(key: &'a ObjectKey, upload: UploadId) -> Self {
        Self { upload: Some(upload), ..Self::key(key) }
    }

    /// A resource that needs a word.
    #[must_use]
    pub fn detail(detail: &'a str) -> Self {
        Self { detail: Some(detail), ..Self::default() }
    }
}

/// Who acts, when and where: what every leaf of one request has in common.
pub struct Entry {
    by: String,
    at: Timestamp,
    organisation: OrganisationId,
    on: String,
    key: Arc<JournalKey>,
    environment: Environment,
}

impl Entry {
    /// The entry of what `context`'s principal does `on` a resource of `organisation`.
    ///
    /// The key that seals is found here, so that a transaction never waits for the custody.
    pub fn new(
        context: &Context,
        keys: &KeyRing,
        organisation: OrganisationId,
        on: String,
    ) -> Result<Self, Error> {
        Self::by((context.principal().to_string(), context.now()), keys, organisation, on)
    }

    /// The entry of what somebody did at some time, as it is told afterwards.
    pub(crate) fn by(
        (by, at): (String, Timestamp),
        keys: &KeyRing,
        organisation: OrganisationId,
        on: String,
    ) -> Result<Self, Error> {
        let key = keys.journal_key(organisation)?;
        Ok(Self { by, at, organisation, on, key, environment: keys.environment().clone() })
    }

    /// Writes the leaf; gives its number.
    pub fn append(
        &self,
        transaction: &Transaction<'_>,
        action: &str,
        subject: Subject<'_>,
    ) -> Result<i64, Error> {
        let body = Body::new(&self.by, action, &self.on, subject).to_json()?;
        let unsealed = Unsealed::new(&self.environment, &body);
        let previous = transaction.last_leaf_of(self.organisation)?;
        let row = LeafRow {
            id: transaction.next_sequence(),
            at: self.at,
            organisation: self.organisation,
            content: Content::committed(previous, unsealed.commitment),
            sealed: None,
        };
        let sealed = unsealed.seal(&self.key, &row)?;
        Ok(transaction.append_leaf(self.at, self.organisation, &row.content, Some(&sealed))?)
    }
}
