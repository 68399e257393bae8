//! Writing leaves.

use nuee_base::{BlobId, Context, ObjectKey, OrganisationId, Timestamp, UploadId};
use nuee_metadata::Transaction;

use crate::{Error, leaf::Body};

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
}

impl Entry {
    /// The entry of what `context`'s principal does `on` a resource of `organisation`.
    #[must_use]
    pub fn new(context: &Context, organisation: OrganisationId, on: String) -> Self {
        Self { by: context.principal().to_string(), at: context.now(), organisation, on }
    }

    /// Writes the leaf; gives its number.
    pub fn append(
        &self,
        transaction: &Transaction<'_>,
        action: &'static str,
        subject: Subject<'_>,
    ) -> Result<i64, Error> {
        let body = Body::new(&self.by, action, &self.on, subject);
        Ok(transaction.append_leaf(self.at, self.organisation, &body.to_json()?)?)
    }
}
