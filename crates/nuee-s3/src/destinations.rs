//! To whom buckets may tell their events.

use std::{collections::BTreeMap, sync::Arc};

use nuee_base::ProjectId;

/// The names of destinations, and the projects whose buckets may use each. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Destinations(Arc<BTreeMap<String, Vec<ProjectId>>>);

impl Destinations {
    /// These.
    #[must_use]
    pub fn new(projects: BTreeMap<String, Vec<ProjectId>>) -> Self {
        Self(Arc::new(projects))
    }

    /// Whether there is one of this name for the buckets of a project.
    pub(crate) fn allows(&self, name: &str, project: ProjectId) -> bool {
        self.0.get(name).is_some_and(|projects| projects.contains(&project))
    }
}
