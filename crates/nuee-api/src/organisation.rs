//! Organisations.

use axum::Json;
use http::HeaderMap;
use nuee_access::{Action, Resource};
use nuee_tenancy::{Organisation, Profile};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    caller::{Caller, SignedIn},
    failure::{Answer, ProblemDocument},
    page::Page,
    place::{OrganisationPath, Path},
    router::Body,
    sign_in::ON_ORGANISATION,
    tag::{Tagged, check_match},
};

/// An organisation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrganisationView {
    /// Its id.
    pub(crate) id: String,
    /// Its name, which does not change.
    pub(crate) name: String,
    /// What people call it.
    pub(crate) title: Option<String>,
    /// Its SIREN.
    pub(crate) siren: Option<String>,
    /// Whom to write to.
    pub(crate) contact: Option<String>,
    /// When it was made (RFC 3339).
    pub(crate) created_at: String,
    /// What whoever asks may do to it.
    pub(crate) capabilities: Vec<String>,
}

/// What is known about an organisation; what is absent is removed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganisationChange {
    /// What people call it.
    title: Option<String>,
    /// Its SIREN: nine digits.
    #[schema(example = "120027016")]
    siren: Option<String>,
    /// Whom to write to: an e-mail address.
    contact: Option<String>,
}

fn show(caller: &Caller, organisation: &Organisation) -> OrganisationView {
    let Organisation { id, name, created_at, profile } = organisation;
    let Profile { title, siren, contact } = profile.clone();
    let capabilities = caller.capabilities(&ON_ORGANISATION, Resource::Organisation(*id));
    OrganisationView {
        id: id.to_string(),
        name: name.to_string(),
        title,
        siren,
        contact,
        created_at: created_at.to_string(),
        capabilities: capabilities.into_iter().map(str::to_owned).collect(),
    }
}

/// The organisations that whoever asks belongs to: one.
#[utoipa::path(
    get, path = "/organisations", operation_id = "listOrganisations", tag = "organisations",
    responses((status = 200, description = "By name", body = Page<OrganisationView>), (status = 401, body = ProblemDocument))
)]
pub(crate) async fn list(signed_in: SignedIn) -> Answer<Json<Page<OrganisationView>>> {
    let caller = signed_in.caller;
    let place = Resource::Organisation(signed_in.known.user.organisation);
    let permit = caller.permit(Action::GetOrganisation, place)?;
    let organisation = caller.parts.tenancy.get_organisation(&permit)?;
    Ok(Json(Page::whole(vec![show(&caller, &organisation)])))
}

/// An organisation.
#[utoipa::path(
    get, path = "/organisations/{organisation}", operation_id = "getOrganisation", tag = "organisations",
    params(("organisation" = String, Path, description = "Its name")),
    responses((status = 200, description = "It", body = OrganisationView), (status = 404, body = ProblemDocument))
)]
pub(crate) async fn get(
    caller: Caller,
    Path(path): Path<OrganisationPath>,
) -> Answer<Tagged<OrganisationView>> {
    let place = caller.organisation(&path.organisation)?;
    let permit = caller.permit(Action::GetOrganisation, place)?;
    let organisation = caller.parts.tenancy.get_organisation(&permit)?;
    Ok(Tagged(show(&caller, &organisation)))
}

/// Change what is known about an organisation.
#[utoipa::path(
    put, path = "/organisations/{organisation}", operation_id = "updateOrganisation", tag = "organisations",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("If-Match" = Option<String>, Header, description = "Its entity tag, as it was when it was looked at"),
    ),
    request_body = OrganisationChange,
    responses(
        (status = 200, description = "Changed", body = OrganisationView),
        (status = 403, body = ProblemDocument),
        (status = 412, description = "It has changed since", body = ProblemDocument),
    )
)]
pub(crate) async fn update(
    caller: Caller,
    Path(path): Path<OrganisationPath>,
    headers: HeaderMap,
    Body(change): Body<OrganisationChange>,
) -> Answer<Tagged<OrganisationView>> {
    let place = caller.organisation(&path.organisation)?;
    let permit = caller.permit(Action::UpdateOrganisation, place)?;
    let seen = caller.permit(Action::GetOrganisation, place)?;
    let present = caller.parts.tenancy.get_organisation(&seen)?;
    let expected = check_match(&headers, &show(&caller, &present))?.then_some(&present.profile);
    let OrganisationChange { title, siren, contact } = change;
    let profile = Profile { title, siren, contact };
    let changed =
        caller.parts.tenancy.update_organisation(&caller.context, &permit, expected, profile).await?;
    Ok(Tagged(show(&caller, &changed)))
}
