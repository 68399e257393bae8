//! Lifecycle: the rules by which a bucket's objects, versions and uploads go by themselves ([S3's
//! description](https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html)).
//!
//! A *rule* has a filter, which says what it is about, and what becomes of that. For example: under `logs/`, objects go
//! 30 days after they were written, versions seven days after they were replaced, unfinished uploads after one.
//!
//! - Days are counted as at S3: from the writing, and on to the next midnight UTC. A version is *noncurrent* since the
//!   one after it was written.
//! - The *round* that carries rules out reads pages, and rests between them. What it deletes it deletes as a client
//!   would, with a permit for each deletion and a leaf in the journal; whether the rules say so is asked once more in the
//!   transaction that does it. It can be cut anywhere: where it is in a bucket is kept, and the next goes on from there.
//! - What is locked stays. The time is that of the [lock clock](crate::lock_clock): a clock that is set forward expires
//!   nothing that it would not have.
//!
//! Deliberately absent: transitions, since there is one class of storage.

mod apply;
mod day;
mod due;
mod filter;
mod pages;
mod place;
mod plan;
mod report;
mod round;
mod rule;

use nuee_base::Timestamp;

use crate::{Error, Object, Store, TagSet};

pub use filter::LifecycleFilter;
pub use report::{LifecycleCount, LifecycleReport, LifecycleRound};
pub use rule::{Expiration, Lifecycle, LifecycleRule, NoncurrentExpiration, TransitionMinimum};

impl Store {
    /// When an object that its key names expires, and by which rule; `None` if none says so.
    pub fn expiry(&self, object: &Object, key: &str) -> Result<Option<(Timestamp, String)>, Error> {
        let Some(lifecycle) = &object.bucket.settings.lifecycle else { return Ok(None) };
        let tags = match lifecycle.asks_for_tags() {
            true => self.open_tags(&object.bucket, &object.version.tags)?,
            false => TagSet::default(),
        };
        let (size, written) = (object.info.size, (object.info.modified_at, &tags));
        Ok(lifecycle.expiry(key, size, written).map(|(at, rule)| (at, rule.to_owned())))
    }
}
