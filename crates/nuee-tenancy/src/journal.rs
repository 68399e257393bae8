//! What is said in the journal: one leaf for each change, in the transaction that makes it.

use nuee_base::{Context, ObjectKey, OrganisationId, Timestamp};
use nuee_metadata::Transaction;
use serde::Serialize;

use crate::Error;

/// The version of the body's form.
const FORM: u32 = 1;

/// A leaf's body: JSON, so that it can be read with no program of ours. Says who did what on which resource; never
/// content, metadata or secrets.
#[derive(Serialize)]
struct Body<'a> {
    v: u32,
    by: &'a str,
    action: &'static str,
    on: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
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
        key: Option<&ObjectKey>,
        detail: Option<&str>,
    ) -> Result<i64, Error> {
        let key = key.map(ObjectKey::as_str);
        let body = Body { v: FORM, by: &self.by, action, on: &self.on, key, detail };
        let body = serde_json::to_vec(&body).map_err(|error| Error::damaged("a journal leaf", error))?;
        Ok(transaction.append_leaf(self.at, self.organisation, &body)?)
    }
}
