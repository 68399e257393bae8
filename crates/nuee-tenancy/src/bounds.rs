//! What bounds a project, for those who hold it to that.

use std::sync::Arc;

use nuee_base::ProjectId;
use nuee_metadata::RowCache;

use crate::{Error, Placement, Quota, SiteDescription, Tenancy, UnmetPlacement};

/// Projects whose bounds are kept in memory.
pub(crate) const KNOWN_BOUNDS: usize = 4_096;

/// What bounds a project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bound {
    /// How much it may hold and ask.
    pub quota: Quota,
    /// Where its objects may lie.
    pub placement: Placement,
}

/// The bounds of projects. Cheap to clone: clones share what they keep.
#[derive(Clone)]
pub struct Bounds {
    tenancy: Tenancy,
    known: RowCache<ProjectId, Arc<Bound>>,
}

impl Bounds {
    /// What bounds a project. Answers from memory, mostly.
    pub fn of(&self, project: ProjectId) -> Result<Arc<Bound>, Error> {
        let read = || {
            let row = self.tenancy.0.metadata.read(|snapshot| snapshot.project(project))?;
            let found = row.map(|row| self.tenancy.open_project(row)).transpose()?;
            let bound =
                |project: crate::Project| Bound { quota: project.quota, placement: project.placement };
            Ok::<_, Error>(found.map(|project| Arc::new(bound(project))))
        };
        Ok(self.known.get_or_read(&project, read)?.unwrap_or_default())
    }

    /// That the platform meets a project's placement, as its site is described now.
    pub fn meet(&self, bound: &Bound) -> Result<(), UnmetPlacement> {
        bound.placement.met_by(self.site())
    }

    /// Lets one more request of a project pass, or says that it makes too many. Whoever serves what a project stores asks,
    /// by whatever surface.
    pub fn admit(&self, project: ProjectId) -> Result<(), Error> {
        let Some(most) = self.of(project)?.quota.requests_per_second else { return Ok(()) };
        let shared = &self.tenancy.0;
        if shared.pace.passes(project, most, shared.environment.now()) {
            return Ok(());
        }
        Err(Error::TooManyRequests { most })
    }

    fn site(&self) -> &SiteDescription {
        self.tenancy.site()
    }
}

impl Tenancy {
    /// The bounds of projects.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        Bounds { tenancy: self.clone(), known: self.0.known_bounds.clone() }
    }
}
