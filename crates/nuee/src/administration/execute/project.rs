//! What projects hold, and may.

use anyhow::Result;
use nuee_access::{Action, Resource};
use nuee_base::Zone;

use super::Administration;
use crate::administration::{Place, Placement, ProjectDetails, Quota, Reply};

impl Administration {
    pub(super) fn show_project(&self, place: &Place) -> Result<Reply> {
        self.project_details(place, &self.project(place)?)
    }

    pub(super) async fn set_quota(&self, place: &Place, quota: Quota) -> Result<Reply> {
        let organisation = Resource::Organisation(self.organisation(&place.organisation)?.id);
        let (context, permit) = self.permit(Action::SetQuota, organisation)?;
        let project = self.project(place)?.id;
        let tenancy = self.platform.tenancy();
        let project = tenancy.set_quota(&context, &permit, project, quota.into()).await?;
        self.project_details(place, &project)
    }

    pub(super) async fn set_placement(&self, place: &Place, placement: Placement) -> Result<Reply> {
        let organisation = Resource::Organisation(self.organisation(&place.organisation)?.id);
        let (context, permit) = self.permit(Action::SetPlacement, organisation)?;
        let project = self.project(place)?.id;
        let tenancy = self.platform.tenancy();
        let project = tenancy.set_placement(&context, &permit, project, placement.try_into()?).await?;
        self.project_details(place, &project)
    }

    pub(super) async fn set_zone_ceiling(&self, place: &Place, ceiling: Zone) -> Result<Reply> {
        let organisation = Resource::Organisation(self.organisation(&place.organisation)?.id);
        let (context, permit) = self.permit(Action::SetZoneCeiling, organisation)?;
        let project = self.project(place)?.id;
        let project = self.platform.tenancy().set_zone_ceiling(&context, &permit, project, ceiling).await?;
        self.project_details(place, &project)
    }

    fn project_details(&self, place: &Place, project: &nuee_tenancy::Project) -> Result<Reply> {
        let (_, permit) = self.permit_in(place, Action::GetUsage)?;
        let held = self.platform.tenancy().holdings(&permit)?;
        Ok(Reply::Project(ProjectDetails {
            project: project.into(),
            bytes: held.bytes,
            objects: held.objects,
            buckets: held.buckets,
            quota: project.quota.into(),
            ceiling: project.ceiling.to_string(),
            placement: (&project.placement).into(),
        }))
    }
}
