//! How much a project may hold and ask.
//!
//! A quota bounds the bytes of objects (their versions and the parts of uploads included), the objects, the buckets, and
//! the requests in a second; what it does not name is unbounded. For example, a project of 10 GiB whose objects have 9 GiB
//! is refused an object of 2 GiB, and can always read and delete. Who enforces it is who spends: the store in the
//! transaction of a write, the S3 surface once it knows who asks.

use std::sync::Arc;

use nuee_access::{Action, Permit, Resource};
use nuee_base::{Context, ProjectId};
use nuee_journal::{Entry, Subject};
use nuee_metadata::{RowCache, Transaction};
use serde::{Deserialize, Serialize};

use crate::{Error, Project, Tenancy, project_keys::encode};

/// Quotas that are kept in memory.
pub(crate) const KNOWN_QUOTAS: usize = 4_096;

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

/// The quotas of projects, for those who enforce them. Cheap to clone: clones share what they keep.
#[derive(Clone)]
pub struct Quotas {
    pub(crate) tenancy: Tenancy,
    pub(crate) known: RowCache<ProjectId, Arc<Quota>>,
}

impl Quotas {
    /// The quota of a project. Answers from memory, mostly.
    pub fn of(&self, project: ProjectId) -> Result<Arc<Quota>, Error> {
        let read = || {
            let row = self.tenancy.0.metadata.read(|snapshot| snapshot.project(project))?;
            let found = row.map(|row| self.tenancy.open_project(row)).transpose()?;
            Ok::<_, Error>(found.map(|project| Arc::new(project.quota)))
        };
        Ok(self.known.get_or_read(&project, read)?.unwrap_or_default())
    }
}

impl Tenancy {
    /// The quotas of projects.
    #[must_use]
    pub fn quotas(&self) -> Quotas {
        Quotas { tenancy: self.clone(), known: self.0.known_quotas.clone() }
    }

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
        let Resource::Organisation(organisation) = permit.resource() else {
            return Err(Error::NotFound { kind: "organisation", name: permit.resource().to_string() });
        };
        let entry = Entry::new(context, &self.0.keys, organisation, format!("project/{project}"))?;
        let tenancy = self.clone();
        let forget = self.0.known_quotas.forget(move |of, _| *of == project);
        let set = move |transaction: &Transaction<'_>| {
            let row = transaction.project(project)?.filter(|row| row.organisation == organisation);
            let row = row.ok_or_else(|| Error::NotFound { kind: "project", name: project.to_string() })?;
            let changed = Project { quota, ..tenancy.open_project(row)? };
            let record = encode(&changed.record())?;
            let mac = tenancy.project_mac(&changed, &record)?;
            transaction.update_project(project, &record, mac)?;
            transaction.count_usage(project)?;
            entry.append(transaction, Action::SetQuota.as_str(), Subject::detail(&quota.said()))?;
            Ok::<_, Error>((changed, forget))
        };
        Ok(self.0.metadata.write(set).await?.0)
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
