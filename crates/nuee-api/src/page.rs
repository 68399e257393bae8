//! Lists in pages.
//!
//! A page has the items, and the cursor of the next one if there is more. A cursor is opaque: what it says may change with
//! any release, so that none is kept for long.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::{IntoParams, ToSchema};

use crate::failure::{Answer, Failure};

/// The most items of a page.
pub(crate) const MAX_LIMIT: u32 = 1_000;
const USUAL_LIMIT: u32 = 100;
/// The longest cursor that is read, in bytes.
const MAX_CURSOR_BYTES: usize = 4_096;

/// Which page of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// The most items: 1 to 1,000.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub(crate) limit: Option<u32>,
    /// Where to go on: `next` of the page before.
    pub(crate) after: Option<String>,
}

/// A cursor that says this.
pub(crate) fn cursor_of(place: &impl Serialize) -> Answer<String> {
    let text = serde_json::to_vec(place).map_err(|error| Failure::invalid(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(text))
}

/// A page of a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// If there is more: what is `after` in the request for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

impl PageQuery {
    /// How many items are wanted.
    pub(crate) fn limit(&self) -> Answer<u32> {
        match self.limit.unwrap_or(USUAL_LIMIT) {
            limit @ 1..=MAX_LIMIT => Ok(limit),
            _ => Err(Failure::invalid(format!("`limit` is 1 to {MAX_LIMIT}"))),
        }
    }

    /// What the cursor says.
    pub(crate) fn after<T: DeserializeOwned>(&self) -> Answer<Option<T>> {
        let Some(cursor) = &self.after else { return Ok(None) };
        let unknown = || Failure::invalid("`after` is no cursor of this list: use `next` of the page before");
        if cursor.len() > MAX_CURSOR_BYTES {
            return Err(unknown());
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| unknown())?;
        serde_json::from_slice(&bytes).map(Some).map_err(|_| unknown())
    }
}

impl<T> Page<T> {
    /// A page of `items`, of which one more than `limit` was looked for; `cursor` says where the one after an item is.
    pub(crate) fn new<I, C: Serialize>(
        mut items: Vec<I>,
        limit: u32,
        cursor: impl FnOnce(&I) -> C,
        show: impl FnMut(I) -> T,
    ) -> Answer<Self> {
        let limit = limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more).map(cursor);
        Ok(Self {
            next: last.as_ref().map(cursor_of).transpose()?,
            items: items.into_iter().map(show).collect(),
        })
    }

    /// All there is.
    pub(crate) fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}
