//! Where a round is, kept so that it goes on from there whatever becomes of the process.
//!
//! What is kept has no code: whoever changes it makes a round begin elsewhere, and nothing go that no rule lets go.

use nuee_metadata::Transaction;
use serde::{Deserialize, Serialize};

use crate::{Error, Store, record};

/// Under this name, where the round is.
const KEPT: &str = "lifecycle";

/// Where a round is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The number of the bucket; 0 before the first.
    pub(super) bucket: i64,
    /// Where in it the next page begins; `None` if it is done.
    pub(super) at: Option<At>,
}

/// Where in a bucket a page begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum At {
    /// Among versions and delete markers: at this key, or within it after a version.
    Versions { key: Vec<u8>, older_than: Option<i64> },
    /// Among uploads, after this one.
    Uploads { key: Vec<u8>, id: [u8; 16] },
}

/// The place as it is kept.
#[derive(Serialize, Deserialize)]
enum PlaceRecord {
    V1(Place),
}

impl At {
    /// The beginning of a bucket.
    pub(super) fn beginning() -> Self {
        Self::Versions { key: Vec::new(), older_than: None }
    }
}

impl Store {
    /// Where the last round was cut; before the first bucket if it came to its end.
    pub(super) fn lifecycle_place(&self) -> Result<Place, Error> {
        let kept = self.0.metadata.read(|snapshot| snapshot.platform_value(KEPT))?;
        let kept = kept.map(|bytes| record::decode("platform", &bytes)).transpose();
        // A place that cannot be read is none: everything is looked at again.
        Ok(kept.ok().flatten().map_or_else(Place::default, |PlaceRecord::V1(place)| place))
    }

    pub(super) async fn keep_lifecycle_place(&self, place: &Place) -> Result<(), Error> {
        let bytes = record::encode(&PlaceRecord::V1(place.clone()))?;
        let keep = move |transaction: &Transaction<'_>| {
            Ok::<_, Error>(transaction.set_platform_value(KEPT, &bytes)?)
        };
        self.0.metadata.write(keep).await
    }
}
