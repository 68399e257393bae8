//! Which buckets are to be seen from where a request came in, before anybody is known and anything is decided.

use std::sync::Arc;

use nuee_access::{Approach, Decider, Extent};
use nuee_base::{Environment, Origin};
use nuee_store::{Bucket, Store};

/// A view of buckets from outside.
#[derive(Clone)]
pub(crate) struct Window {
    pub(crate) store: Store,
    pub(crate) decider: Decider,
    pub(crate) environment: Environment,
}

impl Window {
    /// The bucket of this name, if some of it is exposed there: to a member of its project, or to anyone.
    pub(crate) fn bucket(&self, name: &str, origin: Option<Origin>, by_member: bool) -> Option<Arc<Bucket>> {
        let bucket = self.store.find_bucket(&name.parse().ok()?).ok()?;
        let (project, extent, now) = (bucket.project, Extent::PartOf(bucket.id), self.environment.now());
        let seen = |origin| self.decider.exposes(&Approach { origin, now, project, by_member, extent });
        origin.is_none_or(seen).then_some(bucket)
    }
}
