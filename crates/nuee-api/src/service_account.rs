//! Service accounts of a project, and their access keys.

use std::time::Duration;

use axum::Json;
use http::StatusCode;
use nuee_access::Action;
use nuee_base::{AccessKeyId, Slug};
use nuee_tenancy::{ServiceAccount, ShownKey};
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

/// The longest life of a key that is made for a time, in days.
const MAX_DAYS: u32 = 3_650;

/// A service account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServiceAccountView {
    /// Its id.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// What it may do.
    pub(crate) role: String,
    /// Its access keys.
    pub(crate) access_keys: Vec<AccessKeyView>,
    /// When it was made (RFC 3339).
    pub(crate) created_at: String,
    /// When it was revoked (RFC 3339).
    pub(crate) revoked_at: Option<String>,
}

/// An access key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccessKeyView {
    /// Its public half.
    pub(crate) id: String,
    /// When it was made (RFC 3339).
    pub(crate) created_at: String,
    /// From when on it works no more (RFC 3339).
    pub(crate) expires_at: Option<String>,
    /// When it was last used, within a minute (RFC 3339).
    pub(crate) last_used_at: Option<String>,
}

/// An access key with its secret, which is shown once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewAccessKeyView {
    /// Its public half.
    pub(crate) access_key_id: String,
    /// Its secret.
    pub(crate) secret_access_key: String,
    /// From when on it works no more (RFC 3339).
    pub(crate) expires_at: Option<String>,
}

/// A service account with the secret of its key, which is shown once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewServiceAccountView {
    /// The account.
    pub(crate) account: ServiceAccountView,
    /// Its key.
    pub(crate) key: NewAccessKeyView,
}

/// A service account to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewServiceAccount {
    /// Its name, unique in the project.
    #[schema(example = "pipeline")]
    name: String,
    /// What it may do.
    #[schema(example = "developer")]
    role: String,
}

/// An access key to be made.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccessKey {
    /// After how many days it works no more: 1 to 3,650; it works for ever if this is absent.
    #[schema(minimum = 1, maximum = 3650)]
    days: Option<u32>,
}

/// An account in a path.
#[derive(Deserialize)]
pub(crate) struct AccountPath {
    organisation: String,
    project: String,
    account: String,
}

/// A key in a path.
#[derive(Deserialize)]
pub(crate) struct KeyPath {
    organisation: String,
    project: String,
    account: String,
    key: String,
}

impl From<&ShownKey> for AccessKeyView {
    fn from(key: &ShownKey) -> Self {
        Self {
            id: key.id.to_string(),
            created_at: key.created_at.to_string(),
            expires_at: key.expires_at.as_ref().map(ToString::to_string),
            last_used_at: key.last_used_at.as_ref().map(ToString::to_string),
        }
    }
}

fn show(account: &ServiceAccount, keys: &[ShownKey]) -> ServiceAccountView {
    ServiceAccountView {
        id: account.id.to_string(),
        name: account.name.to_string(),
        role: account.role.to_string(),
        access_keys: keys.iter().map(AccessKeyView::from).collect(),
        created_at: account.created_at.to_string(),
        revoked_at: account.revoked_at.as_ref().map(ToString::to_string),
    }
}

fn account_name(text: &str) -> Answer<Slug> {
    text.parse()
        .map_err(|_| Failure::not_found(format!("there is no service account {text:?} in this project")))
}

/// The service accounts of a project, with their keys.
#[utoipa::path(
    get, path = "/organisations/{organisation}/projects/{project}/service-accounts", operation_id = "listServiceAccounts",
    tag = "service accounts",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
    ),
    responses((status = 200, description = "By name", body = Page<ServiceAccountView>), (status = 403, body = ProblemDocument))
)]
pub(crate) async fn list(
    caller: Caller,
    Path(path): Path<ProjectPath>,
) -> Answer<Json<Page<ServiceAccountView>>> {
    let permit = caller.permit(Action::ListServiceAccounts, caller.project(&path)?)?;
    let accounts = caller.parts.tenancy.service_accounts(&permit)?;
    Ok(Json(Page::whole(accounts.iter().map(|(account, keys)| show(account, keys)).collect())))
}

/// Make a service account and its first key.
#[utoipa::path(
    post, path = "/organisations/{organisation}/projects/{project}/service-accounts",
    operation_id = "createServiceAccount", tag = "service accounts",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
    ),
    request_body = NewServiceAccount,
    responses(
        (status = 201, description = "Made", body = NewServiceAccountView),
        (status = 403, body = ProblemDocument),
        (status = 409, description = "The name is taken", body = ProblemDocument),
    )
)]
pub(crate) async fn create(
    caller: Caller,
    Path(path): Path<ProjectPath>,
    Body(new): Body<NewServiceAccount>,
) -> Answer<(StatusCode, Json<NewServiceAccountView>)> {
    let permit = caller.permit(Action::CreateServiceAccount, caller.project(&path)?)?;
    let name = new.name.parse().map_err(|error| Failure::invalid(format!("{error}")))?;
    let tenancy = &caller.parts.tenancy;
    let (account, key) =
        tenancy.create_service_account(&caller.context, &permit, name, role(&new.role)?).await?;
    let created_at = account.created_at;
    let shown = ShownKey { id: key.id.clone(), created_at, expires_at: None, last_used_at: None };
    let key = NewAccessKeyView {
        access_key_id: key.id.to_string(),
        secret_access_key: key.secret.expose().to_owned(),
        expires_at: None,
    };
    Ok((StatusCode::CREATED, Json(NewServiceAccountView { account: show(&account, &[shown]), key })))
}

/// Revoke a service account: its keys work no more.
#[utoipa::path(
    delete, path = "/organisations/{organisation}/projects/{project}/service-accounts/{account}",
    operation_id = "revokeServiceAccount", tag = "service accounts",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
        ("account" = String, Path, description = "Its name"),
    ),
    responses((status = 204, description = "Revoked"), (status = 404, body = ProblemDocument))
)]
pub(crate) async fn revoke(caller: Caller, Path(path): Path<AccountPath>) -> Answer<StatusCode> {
    let AccountPath { organisation, project, account } = path;
    let place = caller.project(&ProjectPath { organisation, project })?;
    let permit = caller.permit(Action::RevokeServiceAccount, place)?;
    let name = account_name(&account)?;
    caller.parts.tenancy.revoke_service_account(&caller.context, &permit, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make another key of a service account, for the time of a rotation.
#[utoipa::path(
    post, path = "/organisations/{organisation}/projects/{project}/service-accounts/{account}/access-keys",
    operation_id = "createAccessKey", tag = "service accounts",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
        ("account" = String, Path, description = "Its name"),
    ),
    request_body = NewAccessKey,
    responses(
        (status = 201, description = "Made", body = NewAccessKeyView),
        (status = 403, body = ProblemDocument),
        (status = 422, description = "It has two already", body = ProblemDocument),
    )
)]
pub(crate) async fn create_key(
    caller: Caller,
    Path(path): Path<AccountPath>,
    Body(new): Body<NewAccessKey>,
) -> Answer<(StatusCode, Json<NewAccessKeyView>)> {
    let AccountPath { organisation, project, account } = path;
    let place = caller.project(&ProjectPath { organisation, project })?;
    let permit = caller.permit(Action::CreateAccessKey, place)?;
    if new.days.is_some_and(|days| !(1..=MAX_DAYS).contains(&days)) {
        return Err(Failure::invalid(format!("`days` is 1 to {MAX_DAYS}")));
    }
    let day = Duration::from_hours(24);
    let ends = new.days.map(|days| caller.context.now().saturating_add(day * days));
    let name = account_name(&account)?;
    let key = caller.parts.tenancy.create_access_key(&caller.context, &permit, &name, ends).await?;
    let view = NewAccessKeyView {
        access_key_id: key.id.to_string(),
        secret_access_key: key.secret.expose().to_owned(),
        expires_at: ends.as_ref().map(ToString::to_string),
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// Delete a key of a service account: it works no more.
#[utoipa::path(
    delete, path = "/organisations/{organisation}/projects/{project}/service-accounts/{account}/access-keys/{key}",
    operation_id = "deleteAccessKey", tag = "service accounts",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
        ("account" = String, Path, description = "Its name"),
        ("key" = String, Path, description = "The key's id"),
    ),
    responses((status = 204, description = "Deleted"), (status = 404, body = ProblemDocument))
)]
pub(crate) async fn delete_key(caller: Caller, Path(path): Path<KeyPath>) -> Answer<StatusCode> {
    let KeyPath { organisation, project, account, key } = path;
    let place = caller.project(&ProjectPath { organisation, project })?;
    let permit = caller.permit(Action::DeleteAccessKey, place)?;
    let unknown = |_| Failure::not_found(format!("there is no access key {key:?} of this account"));
    let id: AccessKeyId = key.parse().map_err(unknown)?;
    let name = account_name(&account)?;
    caller.parts.tenancy.delete_access_key(&caller.context, &permit, (&name, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
