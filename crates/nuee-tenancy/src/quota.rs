//! How much a project may hold and ask.
//!
//! A quota bounds the bytes of objects (their versions and the parts of uploads included), the objects, the buckets, and
//! the requests in a second; what it does not name is unbounded. For example, a project of 10 GiB whose objects have 9 GiB
//! is refused an object of 2 GiB, and can always read and delete. Who enforces it is who spends: the store in the
//! transaction of a write, the S3 surface once it knows who asks.

use nuee_access::{Action, Permit, Resource};
use nuee_base::{Context, ProjectId};
use nuee_metadata::Transaction;
use serde::{Deserialize, Serialize};

use crate::{Error, Project, Tenancy};

/// How much a project may hold and ask. What is `None` is unbounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Bytes of objects, versions and parts.
    pub bytes: Option<u64>,
    /// Objects and versions.
    pub objects: Option<u64>,
    /// Buckets.
    pub buckets: Option<u32>,
    /// Requests in a second.
    pub requests_per_second: Option<u32>,
}

/// What a project holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Bytes of objects, versions and parts.
    pub bytes: u64,
    /// Objects and versions.
    pub objects: u64,
    /// Buckets.
    pub buckets: u64,
}

impl Quota {
    /// Whether it bounds nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What the journal says of it.
    pub(crate) fn said(&self) -> String {
        let named = [
            ("bytes", self.bytes),
            ("objects", self.objects),
            ("buckets", self.buckets.map(u64::from)),
            ("requests per second", self.requests_per_second.map(u64::from)),
        ];
        let bounds = named.into_iter().filter_map(|(name, bound)| Some(format!("{} {name}", bound?)));
        let bounds = bounds.collect::<Vec<_>>().join(", ");
        if bounds.is_empty() { "unbounded".to_owned() } else { bounds }
    }
}

impl Tenancy {
    /// Changes how much a project of the organisation that the permit is for may hold and ask. What it holds already it
    /// keeps.
    pub async fn set_quota(
        &self,
        context: &Context,
        permit: &Permit,
        project: ProjectId,
        quota: Quota,
    ) -> Result<Project, Error> {
        permit.require(Action::SetQuota, permit.resource())?;
        let forget = self.0.known_bounds.forget(move |of, _| *of == project);
        let change = move |transaction: &Transaction<'_>, changed: &mut Project| {
            changed.quota = quota;
            Ok(transaction.count_usage(project)?)
        };
        self.change_project(context, (permit, project), ((Action::SetQuota, quota.said()), forget), change)
            .await
    }

    /// What the project that the permit is for holds.
    pub fn holdings(&self, permit: &Permit) -> Result<Holdings, Error> {
        permit.require(Action::GetUsage, permit.resource())?;
        let Resource::Project { project, .. } = permit.resource() else {
            return Err(Error::NotFound { kind: "project", name: permit.resource().to_string() });
        };
        let (usage, buckets) = self.0.metadata.read_consistent(|snapshot| {
            Ok::<_, Error>((snapshot.summed_usage(project)?, snapshot.count_buckets(project)?))
        })?;
        let number = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(Holdings { bytes: number(usage.bytes), objects: number(usage.objects), buckets: number(buckets) })
    }
}
