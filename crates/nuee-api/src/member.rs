//! Members: who has which role in an organisation or a project.

use std::collections::HashMap;

use axum::{
    Json,
    extract::{Query, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use nuee_access::{Action, Resource};
use nuee_base::{Role, Timestamp, UserId};
use nuee_tenancy::{Grant, Member, MembersAfter};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    caller::Caller,
    failure::{Answer, Failure, ProblemDocument},
    page::{Page, PageQuery},
    place::{OrganisationPath, Path, ProjectPath},
    router::Body,
    user::{UserView, csv, wants_csv},
};

/// A role that somebody has.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct RightView {
    /// The project, by its name; none if the role is for the whole organisation.
    pub(crate) project: Option<String>,
    /// The role: `owner`, `maintainer`, `developer`, `reader` or `auditor`.
    pub(crate) role: String,
    /// When it was given (RFC 3339).
    pub(crate) granted_at: String,
    /// Who gave it.
    pub(crate) granted_by: String,
    /// From when on it gives nothing (RFC 3339).
    pub(crate) expires_at: Option<String>,
    /// Whether it gives something now.
    pub(crate) active: bool,
}

/// A member.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct MemberView {
    /// Who.
    pub(crate) user: UserView,
    /// Which role.
    #[serde(flatten)]
    pub(crate) right: RightView,
}

/// A role to be given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMember {
    /// The user, by its address.
    #[schema(example = "ada@ministry.example")]
    email: String,
    /// The role: `owner`, `maintainer`, `developer`, `reader` or `auditor`.
    #[schema(example = "developer")]
    role: String,
    /// From when on it gives nothing (RFC 3339); never if it is absent.
    expires_at: Option<String>,
}

/// A role of a member, in a path.
#[derive(Deserialize)]
pub(crate) struct OrganisationRolePath {
    organisation: String,
    user: String,
    role: String,
}

/// A role of a member of a project, in a path.
#[derive(Deserialize)]
pub(crate) struct ProjectRolePath {
    organisation: String,
    project: String,
    user: String,
    role: String,
}

/// A cell of a table. What a spreadsheet would take for a formula is made a text.
fn cell(text: &str) -> String {
    let text =
        if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

impl RightView {
    /// A row of a table, of the user with this address.
    pub(crate) fn to_csv(&self, email: &str) -> String {
        let place = self.project.as_deref().unwrap_or("organisation");
        let ends = self.expires_at.as_deref().unwrap_or_default();
        let cells = [email, place, &self.role, &self.granted_at, &self.granted_by, ends].map(cell);
        cells.join(",") + "\r\n"
    }
}

/// An instant in a request.
pub(crate) fn instant(text: Option<&str>) -> Answer<Option<Timestamp>> {
    let read = |text: &str| text.parse().map_err(|error| Failure::invalid(format!("{error}")));
    text.map(read).transpose()
}

pub(crate) fn role(text: &str) -> Answer<Role> {
    text.parse().map_err(|error| Failure::invalid(format!("{error}")))
}

impl Caller {
    /// Grants as they are shown.
    pub(crate) fn rights(&self, grants: &[Grant]) -> Answer<Vec<RightView>> {
        let mut names = HashMap::new();
        let now = self.context.now();
        let mut shown = Vec::with_capacity(grants.len());
        for grant in grants {
            let project = match grant.place {
                Resource::Project { project, .. } => {
                    let name = match names.get(&project) {
                        Some(name) => String::clone(name),
                        None => self.parts.tenancy.project_name(project)?.to_string(),
                    };
                    names.insert(project, name.clone());
                    Some(name)
                }
                _ => None,
            };
            shown.push(right(grant, project, now));
        }
        Ok(shown)
    }

    fn user_by_email(&self, organisation: &str, email: &str) -> Answer<UserId> {
        let place = self.organisation(organisation)?;
        let email = email.parse().map_err(|error| Failure::invalid(format!("{error}")))?;
        let found = self.parts.tenancy.locate_user(place, &email)?;
        found.ok_or_else(|| {
            Failure::not_found(format!("nobody in this organisation has the address {email}: invite them"))
        })
    }

    fn members(&self, place: Resource, page: &PageQuery) -> Answer<Page<MemberView>> {
        let permit = self.permit(Action::ListMembers, place)?;
        let limit = page.limit()?;
        let unknown = || Failure::invalid("`after` is no cursor of this list: use `next` of the page before");
        let after = match page.after::<(String, String)>()? {
            None => None,
            Some((user, role)) => Some(MembersAfter {
                user: user.parse().map_err(|_| unknown())?,
                role: role.parse().map_err(|_| unknown())?,
            }),
        };
        let members = self.parts.tenancy.members(&permit, after.as_ref(), limit + 1)?;
        let (now, cursor) = (self.context.now(), |member: &Member| {
            (member.user.id.to_string(), member.grant.role.to_string())
        });
        let show = |member: Member| MemberView {
            user: UserView::from(&member.user),
            right: right(&member.grant, None, now),
        };
        Page::new(members, limit, cursor, show)
    }

    async fn grant(&self, place: Resource, organisation: &str, new: NewMember) -> Answer<RightView> {
        let permit = self.permit(Action::GrantRole, place)?;
        let user = self.user_by_email(organisation, &new.email)?;
        let (role, ends) = (role(&new.role)?, instant(new.expires_at.as_deref())?);
        let grant = self.parts.tenancy.grant_role(&self.context, &permit, (user, role), ends).await?;
        Ok(right(&grant, None, self.context.now()))
    }

    async fn revoke(&self, place: Resource, (user, named): (&str, &str)) -> Answer<StatusCode> {
        let permit = self.permit(Action::RevokeRole, place)?;
        let unknown = |_| Failure::not_found(format!("there is no user {user:?} in this organisation"));
        let user: UserId = user.parse().map_err(unknown)?;
        self.parts.tenancy.revoke_role(&self.context, &permit, (user, role(named)?)).await?;
        Ok(StatusCode::NO_CONTENT)
    }
}

fn right(grant: &Grant, project: Option<String>, now: Timestamp) -> RightView {
    RightView {
        project,
        role: grant.role.to_string(),
        granted_at: grant.granted_at.to_string(),
        granted_by: grant.granted_by.clone(),
        expires_at: grant.expires_at.as_ref().map(ToString::to_string),
        active: grant.holds_at(now),
    }
}

fn table(page: Page<MemberView>, headers: &HeaderMap) -> Response {
    if !wants_csv(headers) {
        return Json(page).into_response();
    }
    let mut text = String::from("email,place,role,granted_at,granted_by,expires_at\r\n");
    for member in &page.items {
        text.push_str(&member.right.to_csv(&member.user.email));
    }
    csv(text)
}

/// Who has a role in an organisation, as JSON, or as CSV for whoever accepts `text/csv`.
#[utoipa::path(
    get, path = "/organisations/{organisation}/members", operation_id = "listOrganisationMembers", tag = "members",
    params(("organisation" = String, Path, description = "Its name"), PageQuery),
    responses((status = 200, description = "A page", body = Page<MemberView>), (status = 403, body = ProblemDocument))
)]
pub(crate) async fn list_in_organisation(
    caller: Caller,
    Path(path): Path<OrganisationPath>,
    query: Result<Query<PageQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Answer<Response> {
    let place = caller.organisation(&path.organisation)?;
    Ok(table(caller.members(place, &query?.0)?, &headers))
}

/// Who has a role in a project, those of its organisation apart; as JSON, or as CSV for whoever accepts `text/csv`.
#[utoipa::path(
    get, path = "/organisations/{organisation}/projects/{project}/members", operation_id = "listMembers", tag = "members",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"), PageQuery,
    ),
    responses((status = 200, description = "A page", body = Page<MemberView>), (status = 403, body = ProblemDocument))
)]
pub(crate) async fn list(
    caller: Caller,
    Path(path): Path<ProjectPath>,
    query: Result<Query<PageQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Answer<Response> {
    let place = caller.project(&path)?;
    Ok(table(caller.members(place, &query?.0)?, &headers))
}

/// Give a user a role in an organisation, or change until when it has it.
#[utoipa::path(
    post, path = "/organisations/{organisation}/members", operation_id = "grantOrganisationRole", tag = "members",
    params(("organisation" = String, Path, description = "Its name")),
    request_body = NewMember,
    responses(
        (status = 201, description = "Given", body = RightView),
        (status = 403, body = ProblemDocument),
        (status = 409, description = "It does not go with a role that the user has", body = ProblemDocument),
    )
)]
pub(crate) async fn grant_in_organisation(
    caller: Caller,
    Path(path): Path<OrganisationPath>,
    Body(new): Body<NewMember>,
) -> Answer<(StatusCode, Json<RightView>)> {
    let place = caller.organisation(&path.organisation)?;
    Ok((StatusCode::CREATED, Json(caller.grant(place, &path.organisation, new).await?)))
}

/// Give a user a role in a project, or change until when it has it.
#[utoipa::path(
    post, path = "/organisations/{organisation}/projects/{project}/members", operation_id = "grantRole", tag = "members",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
    ),
    request_body = NewMember,
    responses(
        (status = 201, description = "Given", body = RightView),
        (status = 403, body = ProblemDocument),
        (status = 409, description = "It does not go with a role that the user has", body = ProblemDocument),
    )
)]
pub(crate) async fn grant(
    caller: Caller,
    Path(path): Path<ProjectPath>,
    Body(new): Body<NewMember>,
) -> Answer<(StatusCode, Json<RightView>)> {
    let place = caller.project(&path)?;
    Ok((StatusCode::CREATED, Json(caller.grant(place, &path.organisation, new).await?)))
}

/// Take a role in an organisation away from a user.
#[utoipa::path(
    delete, path = "/organisations/{organisation}/members/{user}/{role}", operation_id = "revokeOrganisationRole",
    tag = "members",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("user" = String, Path, description = "The user's id"),
        ("role" = String, Path, description = "The role"),
    ),
    responses(
        (status = 204, description = "Taken away"),
        (status = 403, body = ProblemDocument),
        (status = 409, description = "It is the only owner", body = ProblemDocument),
    )
)]
pub(crate) async fn revoke_in_organisation(
    caller: Caller,
    Path(path): Path<OrganisationRolePath>,
) -> Answer<StatusCode> {
    let place = caller.organisation(&path.organisation)?;
    caller.revoke(place, (&path.user, &path.role)).await
}

/// Take a role in a project away from a user.
#[utoipa::path(
    delete, path = "/organisations/{organisation}/projects/{project}/members/{user}/{role}", operation_id = "revokeRole",
    tag = "members",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
        ("user" = String, Path, description = "The user's id"),
        ("role" = String, Path, description = "The role"),
    ),
    responses((status = 204, description = "Taken away"), (status = 403, body = ProblemDocument))
)]
pub(crate) async fn revoke(caller: Caller, Path(path): Path<ProjectRolePath>) -> Answer<StatusCode> {
    let ProjectRolePath { organisation, project, user, role } = path;
    let place = caller.project(&ProjectPath { organisation, project })?;
    caller.revoke(place, (&user, &role)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_formula() {
        for (text, written) in
            [("a", "a"), ("a,b", "\"a,b\""), ("say \"a\"", "\"say \"\"a\"\"\""), ("=1", "'=1")]
        {
            assert_eq!(cell(text), written);
        }
        for text in ["+1", "-1", "@a", "\ta"] {
            assert!(cell(text).starts_with('\''), "{text:?}");
        }
    }
}
