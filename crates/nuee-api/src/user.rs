//! Users of an organisation, and what each may do.

use axum::{
    Json,
    extract::Query,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use nuee_access::Action;
use nuee_base::UserId;
use nuee_tenancy::User;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    caller::Caller,
    failure::{Answer, Failure, ProblemDocument},
    member::RightView,
    page::{Page, PageQuery},
    place::{OrganisationPath, Path},
};

/// A user.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct UserView {
    /// Its id.
    pub(crate) id: String,
    /// By what it signs in.
    pub(crate) email: String,
    /// What people call it.
    pub(crate) name: String,
    /// When it joined (RFC 3339).
    pub(crate) created_at: String,
    /// Since when it may not sign in (RFC 3339).
    pub(crate) suspended_at: Option<String>,
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email.to_string(),
            name: user.name.clone(),
            created_at: user.created_at.to_string(),
            suspended_at: user.suspended_at.as_ref().map(ToString::to_string),
        }
    }
}

/// Every right of a user.
#[derive(Serialize, ToSchema)]
pub(crate) struct RightsView {
    /// The user.
    pub(crate) user: UserView,
    /// Its roles, and where it has them.
    pub(crate) rights: Vec<RightView>,
}

/// A token to be passed on, shown once.
#[derive(Serialize, ToSchema)]
pub(crate) struct ResetView {
    /// With it the user chooses another password, within a day.
    pub(crate) token: String,
}

/// A user in a path.
#[derive(Deserialize)]
pub(crate) struct UserPath {
    organisation: String,
    user: String,
}

/// Which users of a list.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsersQuery {
    /// The most items: 1 to 1,000.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// Where to go on: `next` of the page before.
    after: Option<String>,
    /// Only the user with this address.
    email: Option<String>,
}

fn user_id(text: &str) -> Answer<UserId> {
    text.parse().map_err(|_| Failure::not_found(format!("there is no user {text:?} in this organisation")))
}

/// The users of an organisation, in the order in which they joined.
#[utoipa::path(
    get, path = "/organisations/{organisation}/users", operation_id = "listUsers", tag = "users",
    params(("organisation" = String, Path, description = "Its name"), UsersQuery),
    responses((status = 200, description = "A page", body = Page<UserView>), (status = 403, body = ProblemDocument))
)]
pub(crate) async fn list(
    caller: Caller,
    Path(path): Path<OrganisationPath>,
    query: Result<Query<UsersQuery>, axum::extract::rejection::QueryRejection>,
) -> Answer<Json<Page<UserView>>> {
    let Query(UsersQuery { limit, after, email }) = query?;
    let page = PageQuery { limit, after };
    let place = caller.organisation(&path.organisation)?;
    let permit = caller.permit(Action::ListUsers, place)?;
    let tenancy = &caller.parts.tenancy;
    if let Some(email) = email {
        let email = email.parse().map_err(|error| Failure::invalid(format!("{error}")))?;
        let found = tenancy.user_by_email(&permit, &email)?;
        return Ok(Json(Page::whole(found.iter().map(UserView::from).collect())));
    }
    let limit = page.limit()?;
    let after = page.after::<String>()?.map(|id| user_id(&id)).transpose()?;
    let users = tenancy.users(&permit, after, limit + 1)?;
    Page::new(users, limit, |user| user.id.to_string(), |user| UserView::from(&user)).map(Json)
}

/// Every right of a user, as JSON, or as CSV for whoever accepts `text/csv`.
#[utoipa::path(
    get, path = "/organisations/{organisation}/users/{user}/rights", operation_id = "listRights", tag = "users",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("user" = String, Path, description = "The user's id"),
    ),
    responses(
        (status = 200, description = "Its roles, those that have ended among them", body = RightsView),
        (status = 403, body = ProblemDocument),
        (status = 404, body = ProblemDocument),
    )
)]
pub(crate) async fn rights(
    caller: Caller,
    Path(path): Path<UserPath>,
    headers: HeaderMap,
) -> Answer<Response> {
    let place = caller.organisation(&path.organisation)?;
    let permit = caller.permit(Action::ListUsers, place)?;
    let (user, grants) = caller.parts.tenancy.rights(&permit, user_id(&path.user)?)?;
    let rights = caller.rights(&grants)?;
    if wants_csv(&headers) {
        let mut text = String::from("email,place,role,granted_at,granted_by,expires_at\r\n");
        for right in &rights {
            text.push_str(&right.to_csv(user.email.as_str()));
        }
        return Ok(csv(text));
    }
    Ok(Json(RightsView { user: UserView::from(&user), rights }).into_response())
}

/// Keep a user from signing in, and end its sign-ins.
#[utoipa::path(
    put, path = "/organisations/{organisation}/users/{user}/suspension", operation_id = "suspendUser", tag = "users",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("user" = String, Path, description = "The user's id"),
    ),
    responses(
        (status = 200, description = "Suspended", body = UserView),
        (status = 403, body = ProblemDocument),
        (status = 409, description = "It is the only owner", body = ProblemDocument),
    )
)]
pub(crate) async fn suspend(caller: Caller, Path(path): Path<UserPath>) -> Answer<Json<UserView>> {
    set_suspended(&caller, &path, true).await
}

/// Let a user sign in again.
#[utoipa::path(
    delete, path = "/organisations/{organisation}/users/{user}/suspension", operation_id = "resumeUser", tag = "users",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("user" = String, Path, description = "The user's id"),
    ),
    responses((status = 200, description = "It may sign in", body = UserView), (status = 403, body = ProblemDocument))
)]
pub(crate) async fn resume(caller: Caller, Path(path): Path<UserPath>) -> Answer<Json<UserView>> {
    set_suspended(&caller, &path, false).await
}

async fn set_suspended(caller: &Caller, path: &UserPath, suspended: bool) -> Answer<Json<UserView>> {
    let place = caller.organisation(&path.organisation)?;
    let permit = caller.permit(Action::SuspendUser, place)?;
    let change = (user_id(&path.user)?, suspended);
    let user = caller.parts.tenancy.suspend_user(&caller.context, &permit, change).await?;
    Ok(Json(UserView::from(&user)))
}

/// Make a user choose another password and another device.
#[utoipa::path(
    post, path = "/organisations/{organisation}/users/{user}/sign-in-resets", operation_id = "resetSignIn", tag = "users",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("user" = String, Path, description = "The user's id"),
    ),
    responses((status = 201, description = "A token to pass on", body = ResetView), (status = 403, body = ProblemDocument))
)]
pub(crate) async fn reset(
    caller: Caller,
    Path(path): Path<UserPath>,
) -> Answer<(StatusCode, Json<ResetView>)> {
    let place = caller.organisation(&path.organisation)?;
    let permit = caller.permit(Action::ResetSignIn, place)?;
    let id = user_id(&path.user)?;
    let token = caller.parts.tenancy.reset_sign_in(&caller.context, &permit, id).await?;
    Ok((StatusCode::CREATED, Json(ResetView { token: token.expose().to_owned() })))
}

/// Whether a table is wanted.
pub(crate) fn wants_csv(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .any(|value| value.to_str().is_ok_and(|value| value.contains("text/csv")))
}

/// A table (RFC 4180) as an answer.
pub(crate) fn csv(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present")], text).into_response()
}
