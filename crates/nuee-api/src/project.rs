//! Projects.

use std::collections::HashMap;

use axum::{
    Json,
    extract::{Query, rejection::QueryRejection},
};
use http::{HeaderMap, StatusCode};
use nuee_access::{Action, Permit, Resource};
use nuee_base::{Country, InvalidName, Principal, Role, Scope};
use nuee_tenancy::{Placement, Project, Quota};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    caller::Caller,
    failure::{Answer, Failure, ProblemDocument},
    page::{Page, PageQuery},
    place::{OrganisationPath, Path, ProjectPath},
    router::Body,
    tag::{Tagged, check_match},
};

/// How much a project may hold and ask; what is absent is unbounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuotaView {
    /// Bytes of objects, versions and parts.
    pub(crate) bytes: Option<u64>,
    /// Objects and versions.
    pub(crate) objects: Option<u64>,
    /// Buckets.
    pub(crate) buckets: Option<u32>,
    /// Requests in a second.
    pub(crate) requests_per_second: Option<u32>,
}

impl From<Quota> for QuotaView {
    fn from(quota: Quota) -> Self {
        let Quota { bytes, objects, buckets, requests_per_second } = quota;
        Self { bytes, objects, buckets, requests_per_second }
    }
}

impl From<QuotaView> for Quota {
    fn from(quota: QuotaView) -> Self {
        let QuotaView { bytes, objects, buckets, requests_per_second } = quota;
        Self { bytes, objects, buckets, requests_per_second }
    }
}

/// How many copies of a project's objects there are, and where they may lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlacementView {
    /// Copies, each at another site.
    #[serde(default = "one")]
    #[schema(default = 1, minimum = 1)]
    pub(crate) copies: u32,
    /// The countries in which alone they may lie, by their codes of ISO 3166-1; none means anywhere.
    #[serde(default)]
    #[schema(max_items = 249, example = json!(["FR"]))]
    pub(crate) countries: Vec<String>,
}

fn one() -> u32 {
    1
}

impl From<&Placement> for PlacementView {
    fn from(placement: &Placement) -> Self {
        let countries = placement.countries.iter().map(Country::to_string).collect();
        Self { copies: placement.copies, countries }
    }
}

impl TryFrom<PlacementView> for Placement {
    type Error = Failure;

    fn try_from(view: PlacementView) -> Answer<Self> {
        let countries = view.countries.iter().map(|country| country.parse()).collect::<Result<_, _>>();
        let invalid = |error: InvalidName| Failure::invalid(error.to_string());
        Ok(Self { copies: view.copies, countries: countries.map_err(invalid)? })
    }
}

/// A project.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProjectView {
    /// Its id.
    pub(crate) id: String,
    /// Its organisation, by its name.
    pub(crate) organisation: String,
    /// Its name, which does not change.
    pub(crate) name: String,
    /// When it was made (RFC 3339).
    pub(crate) created_at: String,
    /// How much it may hold and ask.
    pub(crate) quota: QuotaView,
    /// The widest zone that anything of it may be exposed to.
    pub(crate) ceiling: String,
    /// How many copies of its objects there are, and where they may lie.
    pub(crate) placement: PlacementView,
    /// What whoever asks may do to it.
    pub(crate) capabilities: Vec<String>,
}

/// What a project holds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsageView {
    /// Bytes of objects, versions and parts.
    pub(crate) bytes: u64,
    /// Objects and versions.
    pub(crate) objects: u64,
    /// Buckets.
    pub(crate) buckets: u64,
    /// How much of each it may have.
    pub(crate) quota: QuotaView,
}

/// A project to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProject {
    /// Its name, unique in the organisation: 1 to 63 of `a-z`, `0-9` and hyphen.
    #[schema(example = "schools")]
    name: String,
}

/// What may be done to a project.
const ON_PROJECT: [Action; 24] = [
    Action::GetProject,
    Action::GetUsage,
    Action::ListMembers,
    Action::GrantRole,
    Action::RevokeRole,
    Action::CreateInvitation,
    Action::ListInvitations,
    Action::RevokeInvitation,
    Action::CreateServiceAccount,
    Action::ListServiceAccounts,
    Action::RevokeServiceAccount,
    Action::CreateAccessKey,
    Action::DeleteAccessKey,
    Action::CreateAssumableRole,
    Action::ListAssumableRoles,
    Action::DeleteAssumableRole,
    Action::ListSessions,
    Action::RevokeSession,
    Action::ExplainAccess,
    Action::CreateExposure,
    Action::ListExposures,
    Action::DeleteExposure,
    Action::ListBuckets,
    Action::CreateBucket,
];

fn show(caller: &Caller, organisation: &str, project: &Project) -> ProjectView {
    let capabilities = caller.capabilities(&ON_PROJECT, project.resource());
    view(organisation, project, capabilities.into_iter().map(str::to_owned).collect())
}

fn view(organisation: &str, project: &Project, capabilities: Vec<String>) -> ProjectView {
    ProjectView {
        id: project.id.to_string(),
        organisation: organisation.to_owned(),
        name: project.name.to_string(),
        created_at: project.created_at.to_string(),
        quota: project.quota.into(),
        ceiling: project.ceiling.to_string(),
        placement: (&project.placement).into(),
        capabilities,
    }
}

/// The same, of one of many: what a user may do to a project follows from the roles that it has there, so it is decided
/// once for each set of roles.
fn show_by_roles(
    caller: &Caller,
    organisation: &str,
    (project, known): (&Project, &mut HashMap<Vec<Role>, Vec<String>>),
) -> ProjectView {
    let Principal::User { grants, .. } = caller.context.principal() else {
        return show(caller, organisation, project);
    };
    let roles: Vec<Role> = grants.in_project(project.id).collect();
    let decide =
        || caller.capabilities(&ON_PROJECT, project.resource()).into_iter().map(str::to_owned).collect();
    let capabilities = known.entry(roles).or_insert_with(decide).clone();
    view(organisation, project, capabilities)
}

impl Caller {
    /// The projects that it has a role in, where it may not list all of them.
    fn own_projects(&self, organisation: Resource) -> Answer<Vec<Project>> {
        let (Resource::Organisation(id), Some(known)) = (organisation, self.known()) else {
            return Ok(Vec::new());
        };
        let now = self.context.now();
        let mut found = Vec::new();
        let places =
            known.grants().iter().filter(|grant| grant.holds_at(now)).filter_map(|grant| match grant.place {
                Resource::Project { project, .. } => Some(Scope::Project(project)),
                _ => None,
            });
        let mut places: Vec<Scope> = places.collect();
        places.sort_unstable();
        places.dedup();
        for place in places {
            let Scope::Project(project) = place else { continue };
            let permit = self.permit(Action::GetProject, Resource::Project { organisation: id, project })?;
            found.push(self.parts.tenancy.get_project(&permit)?);
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// A permit of the organisation for something that changes a project, and the project as it was looked at.
    fn to_change(
        &self,
        action: Action,
        path: &ProjectPath,
        headers: &HeaderMap,
    ) -> Answer<(Permit, Project)> {
        let place = self.project(path)?;
        let permit = self.permit(action, self.organisation(&path.organisation)?)?;
        let seen = self.permit(Action::GetProject, place)?;
        let present = self.parts.tenancy.get_project(&seen)?;
        check_match(headers, &show(self, &path.organisation, &present))?;
        Ok((permit, present))
    }
}

/// The projects of an organisation that whoever asks may see.
#[utoipa::path(
    get, path = "/organisations/{organisation}/projects", operation_id = "listProjects", tag = "projects",
    params(("organisation" = String, Path, description = "Its name"), PageQuery),
    responses((status = 200, description = "By name", body = Page<ProjectView>), (status = 404, body = ProblemDocument))
)]
pub(crate) async fn list(
    caller: Caller,
    Path(path): Path<OrganisationPath>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Answer<Json<Page<ProjectView>>> {
    let place = caller.organisation(&path.organisation)?;
    let page = query?.0;
    let limit = page.limit()?;
    let after = page.after::<String>()?.unwrap_or_default();
    let projects = if caller.may(Action::ListProjects, place) {
        let permit = caller.permit(Action::ListProjects, place)?;
        caller.parts.tenancy.list_projects(&permit, &after, limit + 1)?
    } else {
        let own = caller.own_projects(place)?;
        own.into_iter().filter(|project| project.name.as_str() > after.as_str()).collect()
    };
    let mut known = HashMap::new();
    let view = |project: Project| show_by_roles(&caller, &path.organisation, (&project, &mut known));
    Page::new(projects, limit, |project| project.name.to_string(), view).map(Json)
}

/// Make a project; whoever makes it owns it.
#[utoipa::path(
    post, path = "/organisations/{organisation}/projects", operation_id = "createProject", tag = "projects",
    params(("organisation" = String, Path, description = "Its name")),
    request_body = NewProject,
    responses(
        (status = 201, description = "Made", body = ProjectView),
        (status = 403, body = ProblemDocument),
        (status = 409, description = "The name is taken", body = ProblemDocument),
    )
)]
pub(crate) async fn create(
    caller: Caller,
    Path(path): Path<OrganisationPath>,
    Body(new): Body<NewProject>,
) -> Answer<(StatusCode, Tagged<ProjectView>)> {
    let place = caller.organisation(&path.organisation)?;
    let permit = caller.permit(Action::CreateProject, place)?;
    let name = new.name.parse().map_err(|error| Failure::invalid(format!("{error}")))?;
    let project = caller.parts.tenancy.create_project(&caller.context, &permit, name).await?;
    Ok((StatusCode::CREATED, Tagged(show(&caller, &path.organisation, &project))))
}

/// A project.
#[utoipa::path(
    get, path = "/organisations/{organisation}/projects/{project}", operation_id = "getProject", tag = "projects",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
    ),
    responses((status = 200, description = "It", body = ProjectView), (status = 404, body = ProblemDocument))
)]
pub(crate) async fn get(caller: Caller, Path(path): Path<ProjectPath>) -> Answer<Tagged<ProjectView>> {
    let permit = caller.permit(Action::GetProject, caller.project(&path)?)?;
    let project = caller.parts.tenancy.get_project(&permit)?;
    Ok(Tagged(show(&caller, &path.organisation, &project)))
}

/// What a project holds, and may.
#[utoipa::path(
    get, path = "/organisations/{organisation}/projects/{project}/usage", operation_id = "getUsage", tag = "projects",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
    ),
    responses((status = 200, description = "Now", body = UsageView), (status = 404, body = ProblemDocument))
)]
pub(crate) async fn usage(caller: Caller, Path(path): Path<ProjectPath>) -> Answer<Json<UsageView>> {
    let place = caller.project(&path)?;
    let permit = caller.permit(Action::GetUsage, place)?;
    let held = caller.parts.tenancy.holdings(&permit)?;
    let permit = caller.permit(Action::GetProject, place)?;
    let quota = caller.parts.tenancy.get_project(&permit)?.quota.into();
    Ok(Json(UsageView { bytes: held.bytes, objects: held.objects, buckets: held.buckets, quota }))
}

/// Change how much a project may hold and ask. What it holds already it keeps.
#[utoipa::path(
    put, path = "/organisations/{organisation}/projects/{project}/quota", operation_id = "setQuota", tag = "projects",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
        ("If-Match" = Option<String>, Header, description = "The project's entity tag, as it was when it was looked at"),
    ),
    request_body = QuotaView,
    responses(
        (status = 200, description = "Changed", body = ProjectView),
        (status = 403, body = ProblemDocument),
        (status = 412, description = "The project has changed since", body = ProblemDocument),
    )
)]
pub(crate) async fn set_quota(
    caller: Caller,
    Path(path): Path<ProjectPath>,
    headers: HeaderMap,
    Body(quota): Body<QuotaView>,
) -> Answer<Tagged<ProjectView>> {
    let (permit, present) = caller.to_change(Action::SetQuota, &path, &headers)?;
    let tenancy = &caller.parts.tenancy;
    let changed = tenancy.set_quota(&caller.context, &permit, present.id, quota.into()).await?;
    Ok(Tagged(show(&caller, &path.organisation, &changed)))
}

/// Change how many copies of a project's objects there are, and where they may lie; what the platform does not meet is
/// refused. What lies somewhere already stays there.
#[utoipa::path(
    put, path = "/organisations/{organisation}/projects/{project}/placement", operation_id = "setPlacement",
    tag = "projects",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
        ("If-Match" = Option<String>, Header, description = "The project's entity tag, as it was when it was looked at"),
    ),
    request_body = PlacementView,
    responses(
        (status = 200, description = "Changed", body = ProjectView),
        (status = 403, body = ProblemDocument),
        (status = 409, description = "The platform does not meet it", body = ProblemDocument),
        (status = 412, description = "The project has changed since", body = ProblemDocument),
    )
)]
pub(crate) async fn set_placement(
    caller: Caller,
    Path(path): Path<ProjectPath>,
    headers: HeaderMap,
    Body(placement): Body<PlacementView>,
) -> Answer<Tagged<ProjectView>> {
    let (permit, present) = caller.to_change(Action::SetPlacement, &path, &headers)?;
    let tenancy = &caller.parts.tenancy;
    let changed = tenancy.set_placement(&caller.context, &permit, present.id, placement.try_into()?).await?;
    Ok(Tagged(show(&caller, &path.organisation, &changed)))
}
