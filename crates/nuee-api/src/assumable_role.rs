//! Assumable roles of a project: what others may act as for a while.

use std::time::Duration;

use axum::Json;
use http::StatusCode;
use nuee_access::Action;
use nuee_base::Slug;
use nuee_tenancy::{AssumableRole, RoleTerms, Trusted, role_arn};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    caller::Caller,
    failure::{Answer, Failure, ProblemDocument},
    member::role,
    page::Page,
    place::{Path, ProjectPath},
    router::Body,
};

/// How long a session lasts at most where nothing is said, in seconds.
const USUAL_LONGEST: u64 = 12 * 60 * 60;

/// An assumable role.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AssumableRoleView {
    /// Its name.
    name: String,
    /// What requests for temporary keys call it.
    arn: String,
    /// What it grants in its project.
    grants: String,
    /// The issuer whose users may assume it; the service accounts of the project if it is absent.
    issuer: Option<String>,
    /// What is asked of their claims.
    conditions: Vec<String>,
    /// Whether they have it if they name no role.
    is_default: bool,
    /// How long a session lasts at most, in seconds.
    longest_seconds: u64,
    /// What is left of what it grants, in AWS's policy language.
    policy: Option<String>,
    /// When it was made (RFC 3339).
    created_at: String,
}

/// An assumable role to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAssumableRole {
    /// Its name, unique in the project.
    #[schema(example = "lab")]
    name: String,
    /// What it grants in the project.
    #[schema(example = "developer")]
    grants: String,
    /// The issuer of the settings whose users may assume it; the service accounts of the project, whose own role includes
    /// the one that is granted, if it is absent.
    issuer: Option<String>,
    /// What is asked of their claims, each as `CLAIM=VALUE` or `CLAIM contains VALUE`.
    #[serde(default)]
    #[schema(max_items = 16)]
    conditions: Vec<String>,
    /// How long a session lasts at most, in seconds: from 15 minutes to 7 days.
    #[serde(default = "usual_longest")]
    #[schema(minimum = 900, maximum = 604_800, default = 43_200)]
    longest_seconds: u64,
    /// What is left of what it grants, in AWS's policy language; `${jwt:CLAIM}` stands for a claim.
    policy: Option<String>,
}

fn usual_longest() -> u64 {
    USUAL_LONGEST
}

/// What ended with a role.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletedRoleView {
    /// How many sessions.
    ended: usize,
}

/// A role in a path.
#[derive(Deserialize)]
pub(crate) struct RolePath {
    organisation: String,
    project: String,
    role: String,
}

impl From<&AssumableRole> for AssumableRoleView {
    fn from(role: &AssumableRole) -> Self {
        let RoleTerms { grants, trusted, longest, policy } = &role.terms;
        let (issuer, conditions, is_default) = match trusted {
            Trusted::ServiceAccounts => (None, Vec::new(), false),
            Trusted::Issuer { name, conditions, is_default } => {
                (Some(name.to_string()), conditions.iter().map(ToString::to_string).collect(), *is_default)
            }
        };
        Self {
            name: role.name.to_string(),
            arn: role_arn(role.project, &role.name),
            grants: grants.to_string(),
            issuer,
            conditions,
            is_default,
            longest_seconds: longest.as_secs(),
            policy: policy.clone(),
            created_at: role.created_at.to_string(),
        }
    }
}

impl Caller {
    /// What a role is to be. Which role users of an issuer have by default concerns every project, so operators say it.
    fn role_terms(&self, new: NewAssumableRole) -> Answer<RoleTerms> {
        let NewAssumableRole { name: _, grants, issuer, conditions, longest_seconds, policy } = new;
        let issuer = issuer.map(|issuer| issuer.parse::<Slug>()).transpose();
        let issuer = issuer.map_err(|error| Failure::invalid(error.to_string()))?;
        let trusted = self.parts.tenancy.trusted(issuer, &conditions, false)?;
        Ok(RoleTerms {
            grants: role(&grants)?,
            trusted,
            longest: Duration::from_secs(longest_seconds),
            policy,
        })
    }
}

/// The assumable roles of a project.
#[utoipa::path(
    get, path = "/organisations/{organisation}/projects/{project}/roles", operation_id = "listAssumableRoles",
    tag = "assumable roles",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
    ),
    responses((status = 200, description = "By name", body = Page<AssumableRoleView>), (status = 403, body = ProblemDocument))
)]
pub(crate) async fn list(
    caller: Caller,
    Path(path): Path<ProjectPath>,
) -> Answer<Json<Page<AssumableRoleView>>> {
    let permit = caller.permit(Action::ListAssumableRoles, caller.project(&path)?)?;
    let roles = caller.parts.tenancy.assumable_roles(&permit)?;
    Ok(Json(Page::whole(roles.iter().map(AssumableRoleView::from).collect())))
}

/// Make a role that others may act in for a while.
#[utoipa::path(
    post, path = "/organisations/{organisation}/projects/{project}/roles", operation_id = "createAssumableRole",
    tag = "assumable roles",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
    ),
    request_body = NewAssumableRole,
    responses(
        (status = 201, description = "Made", body = AssumableRoleView),
        (status = 403, body = ProblemDocument),
        (status = 409, description = "The name is taken", body = ProblemDocument),
        (status = 422, description = "There is no such issuer, or the role is not possible", body = ProblemDocument),
    )
)]
pub(crate) async fn create(
    caller: Caller,
    Path(path): Path<ProjectPath>,
    Body(new): Body<NewAssumableRole>,
) -> Answer<(StatusCode, Json<AssumableRoleView>)> {
    let permit = caller.permit(Action::CreateAssumableRole, caller.project(&path)?)?;
    let name = new.name.parse().map_err(|error| Failure::invalid(format!("{error}")))?;
    let terms = caller.role_terms(new)?;
    let made = caller.parts.tenancy.create_assumable_role(&caller.context, &permit, name, terms).await?;
    Ok((StatusCode::CREATED, Json(AssumableRoleView::from(&made))))
}

/// Delete an assumable role: sessions in it end at once.
#[utoipa::path(
    delete, path = "/organisations/{organisation}/projects/{project}/roles/{role}",
    operation_id = "deleteAssumableRole", tag = "assumable roles",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
        ("role" = String, Path, description = "Its name"),
    ),
    responses((status = 200, description = "Deleted", body = DeletedRoleView), (status = 404, body = ProblemDocument))
)]
pub(crate) async fn delete(caller: Caller, Path(path): Path<RolePath>) -> Answer<Json<DeletedRoleView>> {
    let RolePath { organisation, project, role } = path;
    let place = caller.project(&ProjectPath { organisation, project })?;
    let permit = caller.permit(Action::DeleteAssumableRole, place)?;
    let unknown = |_| Failure::not_found(format!("there is no assumable role {role:?} in this project"));
    let name: Slug = role.parse().map_err(unknown)?;
    let ended = caller.parts.tenancy.delete_assumable_role(&caller.context, &permit, &name).await?;
    Ok(Json(DeletedRoleView { ended }))
}
