//! Reading leaves.

use std::borrow::Cow;

use nuee_base::{BlobId, InvalidId, ObjectKey, OrganisationId, UploadId};
use nuee_keys::KeyRing;
use nuee_metadata::{LeafRow, Snapshot};
use serde::{Deserialize, Serialize};

use crate::{Error, Subject, content};

/// The version of the body's form.
const FORM: u32 = 1;
/// Leaves read at once.
const BATCH: u32 = 1_000;

/// A leaf's body: JSON, so that it can be read with no program of ours.
#[derive(Serialize, Deserialize)]
pub(crate) struct Body<'a> {
    v: u32,
    by: Cow<'a, str>,
    action: Cow<'a, str>,
    on: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
}

impl<'a> Body<'a> {
    pub(crate) fn new(by: &'a str, action: &'a str, on: &'a str, subject: Subject<'a>) -> Self {
        Self {
            v: FORM,
            by: by.into(),
            action: action.into(),
            on: on.into(),
            key: subject.key.map(|key| key.as_str().into()),
            version: subject.version,
            upload: subject.upload.map(|upload| upload.to_string()),
            part: subject.part.map(|(number, _)| number),
            blob: subject.part.map(|(_, blob)| blob.to_string()),
            detail: subject.detail.map(Cow::from),
            count: subject.count,
        }
    }

    pub(crate) fn to_json(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self).map_err(|error| Error::Damaged { leaf: 0, detail: error.to_string() })
    }
}

/// A leaf, as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Its number.
    pub id: i64,
    /// The organisation that it concerns.
    pub organisation: OrganisationId,
    /// Who did it.
    pub by: String,
    /// What was done.
    pub action: String,
    /// On which resource.
    pub on: String,
    /// On which object.
    pub key: Option<ObjectKey>,
    /// On which version of it, by its number.
    pub version: Option<i64>,
    /// On which upload.
    pub upload: Option<UploadId>,
    /// On which part: its number and its blob.
    pub part: Option<(u16, BlobId)>,
    /// What else there is to say.
    pub detail: Option<String>,
    /// How often it happened, if it was counted: such a leaf tells of no change.
    pub count: Option<u64>,
}

impl Leaf {
    /// Reads a row that has its body, which `keys` open; `None` if the body was erased.
    pub fn read(keys: &KeyRing, row: &LeafRow) -> Result<Option<Self>, Error> {
        let opened = content::open(keys, row)?;
        opened.map(|opened| Self::parse(row, &opened.body)).transpose()
    }

    /// The same of the body itself, JSON.
    pub fn read_body(keys: &KeyRing, row: &LeafRow) -> Result<Option<Vec<u8>>, Error> {
        Ok(content::open(keys, row)?.map(|opened| opened.body.to_vec()))
    }

    fn parse(row: &LeafRow, body: &[u8]) -> Result<Self, Error> {
        let damaged = |detail: String| Error::Damaged { leaf: row.id, detail };
        let body: Body<'_> = serde_json::from_slice(body).map_err(|error| damaged(error.to_string()))?;
        if body.v != FORM {
            return Err(damaged(format!("its form is {}, and this program knows {FORM}", body.v)));
        }
        let invalid = |error: InvalidId| damaged(error.to_string());
        let upload = body.upload.map(|upload| upload.parse()).transpose().map_err(invalid)?;
        let blob = body.blob.map(|blob| blob.parse()).transpose().map_err(invalid)?;
        let key = body.key.map(|key| key.parse()).transpose();
        Ok(Self {
            id: row.id,
            organisation: row.organisation,
            by: body.by.into_owned(),
            action: body.action.into_owned(),
            on: body.on.into_owned(),
            key: key.map_err(|_| damaged("its key is none".into()))?,
            version: body.version,
            upload,
            part: body.part.zip(blob),
            detail: body.detail.map(Cow::into_owned),
            count: body.count,
        })
    }
}

/// Gives every row of the journal to `each`, in order; fewer leaves than their numbers say are damage.
pub fn each_leaf<E: From<Error>>(
    snapshot: &Snapshot<'_>,
    mut each: impl FnMut(&LeafRow) -> Result<(), E>,
) -> Result<(), E> {
    let mut last = 0;
    loop {
        let rows = snapshot.leaves(last, BATCH).map_err(Error::from)?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in &rows {
            last += 1;
            if row.id != last {
                return Err(Error::Damaged { leaf: last, detail: "it is missing".into() }.into());
            }
            each(row)?;
        }
    }
}
