//! That a write leaves its project within its quota, and that the platform meets its placement.
//!
//! A write is refused twice: before its body is read, by what was announced, and in the transaction that would make it,
//! by what the project holds then. Both are counted together while one takes the place of the other. Reading and deleting
//! are never refused.

use std::sync::Arc;

use nuee_base::ProjectId;
use nuee_metadata::{Snapshot, Usage};
use nuee_tenancy::{Bound, Quota};

use crate::{Error, Store};

impl Store {
    /// That a project may write so many bytes more, as far as it can be told before.
    pub(crate) fn require_bounds(&self, project: ProjectId, bytes: u64) -> Result<(), Error> {
        let bound = self.met(project)?;
        let Some(most) = bound.quota.bytes else { return Ok(()) };
        let held = self.0.metadata.read(|snapshot| snapshot.counted_usage(project))?.unwrap_or_default();
        let asked = u64::try_from(held.bytes).unwrap_or(0).saturating_add(bytes);
        if asked > most { Err(over("bytes", most)) } else { Ok(()) }
    }

    /// Inside the transaction of a write that takes more: that its project is within its bounds now.
    pub(crate) fn check_bounds(&self, snapshot: &Snapshot<'_>, project: ProjectId) -> Result<(), Error> {
        let quota = self.met(project)?.quota;
        if quota.bytes.is_none() && quota.objects.is_none() {
            return Ok(());
        }
        within(&quota, snapshot.counted_usage(project)?.unwrap_or_default())
    }

    /// What bounds a project whose placement is met.
    pub(crate) fn met(&self, project: ProjectId) -> Result<Arc<Bound>, Error> {
        let bound = self.0.bounds.of(project)?;
        self.0.bounds.meet(&bound)?;
        Ok(bound)
    }

    /// Inside the transaction that makes a bucket: that its project may have one more.
    pub(crate) fn check_bucket_quota(
        &self,
        snapshot: &Snapshot<'_>,
        project: ProjectId,
    ) -> Result<(), Error> {
        let Some(most) = self.0.bounds.of(project)?.quota.buckets else { return Ok(()) };
        let held = u64::try_from(snapshot.count_buckets(project)?).unwrap_or(0);
        if held >= u64::from(most) { Err(Error::TooManyBuckets { most }) } else { Ok(()) }
    }
}

fn within(quota: &Quota, held: Usage) -> Result<(), Error> {
    let exceeds = |held: i64, most: Option<u64>| most.filter(|most| u64::try_from(held).unwrap_or(0) > *most);
    if let Some(most) = exceeds(held.bytes, quota.bytes) {
        return Err(over("bytes", most));
    }
    match exceeds(held.objects, quota.objects) {
        Some(most) => Err(over("objects", most)),
        None => Ok(()),
    }
}

fn over(what: &'static str, most: u64) -> Error {
    Error::QuotaExceeded { what, most }
}
