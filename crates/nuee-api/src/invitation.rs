//! Invitations.

use axum::Json;
use http::StatusCode;
use nuee_access::{Action, Resource};
use nuee_base::Secret;
use nuee_tenancy::{Invitation, Joining, Offer};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    caller::{Caller, SignedIn, Visitor},
    failure::{Answer, Failure, ProblemDocument},
    member::{instant, role},
    page::Page,
    place::{OrganisationPath, Path, ProjectPath},
    router::Body,
    user::UserView,
};

/// An invitation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InvitationView {
    /// Its id.
    pub(crate) id: String,
    /// Whom it is for.
    pub(crate) email: String,
    /// The role that is offered.
    pub(crate) role: String,
    /// Until when the role is given (RFC 3339).
    pub(crate) role_expires_at: Option<String>,
    /// Who invites.
    pub(crate) invited_by: String,
    /// When it was made (RFC 3339).
    pub(crate) created_at: String,
    /// Until when it can be accepted (RFC 3339).
    pub(crate) expires_at: String,
}

/// An invitation, with the token that is shown once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewInvitationView {
    /// It.
    #[serde(flatten)]
    pub(crate) invitation: InvitationView,
    /// What is to be passed on: whoever has it accepts the invitation.
    pub(crate) token: String,
}

/// An invitation to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewInvitation {
    /// Whom it is for.
    #[schema(example = "ada@ministry.example")]
    email: String,
    /// The role that is offered.
    #[schema(example = "developer")]
    role: String,
    /// Until when the role is given (RFC 3339); for ever if it is absent.
    role_expires_at: Option<String>,
}

/// An acceptance by somebody who is no user yet.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acceptance {
    /// The token of the invitation.
    token: String,
    /// What people will call the user.
    #[schema(example = "Ada Lovelace")]
    name: String,
    /// The password: at least 12 characters.
    #[schema(min_length = 12)]
    password: String,
}

/// An acceptance by somebody who is signed in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnAcceptance {
    /// The token of the invitation.
    token: String,
}

/// An invitation in a path.
#[derive(Deserialize)]
pub(crate) struct OrganisationInvitationPath {
    organisation: String,
    invitation: String,
}

/// An invitation to a project, in a path.
#[derive(Deserialize)]
pub(crate) struct ProjectInvitationPath {
    organisation: String,
    project: String,
    invitation: String,
}

impl From<&Invitation> for InvitationView {
    fn from(invitation: &Invitation) -> Self {
        Self {
            id: invitation.id.to_string(),
            email: invitation.email.to_string(),
            role: invitation.role.to_string(),
            role_expires_at: invitation.role_expires_at.as_ref().map(ToString::to_string),
            invited_by: invitation.invited_by.clone(),
            created_at: invitation.created_at.to_string(),
            expires_at: invitation.expires_at.to_string(),
        }
    }
}

impl Caller {
    async fn invite(&self, place: Resource, new: NewInvitation) -> Answer<NewInvitationView> {
        let permit = self.permit(Action::CreateInvitation, place)?;
        let offer = Offer {
            email: new.email.parse().map_err(|error| Failure::invalid(format!("{error}")))?,
            role: role(&new.role)?,
            role_expires_at: instant(new.role_expires_at.as_deref())?,
        };
        let (invitation, token) = self.parts.tenancy.invite(&self.context, &permit, offer).await?;
        let token = token.expose().to_owned();
        Ok(NewInvitationView { invitation: InvitationView::from(&invitation), token })
    }

    fn invitations(&self, place: Resource) -> Answer<Page<InvitationView>> {
        let permit = self.permit(Action::ListInvitations, place)?;
        let found = self.parts.tenancy.invitations(&self.context, &permit)?;
        Ok(Page::whole(found.iter().map(InvitationView::from).collect()))
    }

    async fn take_back(&self, place: Resource, id: &str) -> Answer<StatusCode> {
        let permit = self.permit(Action::RevokeInvitation, place)?;
        let id = id.parse().map_err(|_| Failure::not_found(format!("there is no invitation {id:?} here")))?;
        self.parts.tenancy.revoke_invitation(&self.context, &permit, id).await?;
        Ok(StatusCode::NO_CONTENT)
    }
}

/// Invite somebody to have a role in an organisation.
#[utoipa::path(
    post, path = "/organisations/{organisation}/invitations", operation_id = "inviteToOrganisation", tag = "invitations",
    params(("organisation" = String, Path, description = "Its name")),
    request_body = NewInvitation,
    responses((status = 201, description = "Made", body = NewInvitationView), (status = 403, body = ProblemDocument))
)]
pub(crate) async fn invite_to_organisation(
    caller: Caller,
    Path(path): Path<OrganisationPath>,
    Body(new): Body<NewInvitation>,
) -> Answer<(StatusCode, Json<NewInvitationView>)> {
    let place = caller.organisation(&path.organisation)?;
    Ok((StatusCode::CREATED, Json(caller.invite(place, new).await?)))
}

/// Invite somebody to have a role in a project.
#[utoipa::path(
    post, path = "/organisations/{organisation}/projects/{project}/invitations", operation_id = "invite",
    tag = "invitations",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
    ),
    request_body = NewInvitation,
    responses((status = 201, description = "Made", body = NewInvitationView), (status = 403, body = ProblemDocument))
)]
pub(crate) async fn invite(
    caller: Caller,
    Path(path): Path<ProjectPath>,
    Body(new): Body<NewInvitation>,
) -> Answer<(StatusCode, Json<NewInvitationView>)> {
    let place = caller.project(&path)?;
    Ok((StatusCode::CREATED, Json(caller.invite(place, new).await?)))
}

/// The invitations to an organisation that nobody has accepted yet.
#[utoipa::path(
    get, path = "/organisations/{organisation}/invitations", operation_id = "listOrganisationInvitations",
    tag = "invitations",
    params(("organisation" = String, Path, description = "Its name")),
    responses((status = 200, description = "Oldest first", body = Page<InvitationView>), (status = 403, body = ProblemDocument))
)]
pub(crate) async fn list_in_organisation(
    caller: Caller,
    Path(path): Path<OrganisationPath>,
) -> Answer<Json<Page<InvitationView>>> {
    let place = caller.organisation(&path.organisation)?;
    caller.invitations(place).map(Json)
}

/// The invitations to a project that nobody has accepted yet.
#[utoipa::path(
    get, path = "/organisations/{organisation}/projects/{project}/invitations", operation_id = "listInvitations",
    tag = "invitations",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
    ),
    responses((status = 200, description = "Oldest first", body = Page<InvitationView>), (status = 403, body = ProblemDocument))
)]
pub(crate) async fn list(
    caller: Caller,
    Path(path): Path<ProjectPath>,
) -> Answer<Json<Page<InvitationView>>> {
    let place = caller.project(&path)?;
    caller.invitations(place).map(Json)
}

/// Take an invitation to an organisation back.
#[utoipa::path(
    delete, path = "/organisations/{organisation}/invitations/{invitation}", operation_id = "revokeOrganisationInvitation",
    tag = "invitations",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("invitation" = String, Path, description = "Its id"),
    ),
    responses((status = 204, description = "Taken back"), (status = 404, body = ProblemDocument))
)]
pub(crate) async fn revoke_in_organisation(
    caller: Caller,
    Path(path): Path<OrganisationInvitationPath>,
) -> Answer<StatusCode> {
    let place = caller.organisation(&path.organisation)?;
    caller.take_back(place, &path.invitation).await
}

/// Take an invitation to a project back.
#[utoipa::path(
    delete, path = "/organisations/{organisation}/projects/{project}/invitations/{invitation}",
    operation_id = "revokeInvitation", tag = "invitations",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
        ("invitation" = String, Path, description = "Its id"),
    ),
    responses((status = 204, description = "Taken back"), (status = 404, body = ProblemDocument))
)]
pub(crate) async fn revoke(caller: Caller, Path(path): Path<ProjectInvitationPath>) -> Answer<StatusCode> {
    let ProjectInvitationPath { organisation, project, invitation } = path;
    let place = caller.project(&ProjectPath { organisation, project })?;
    caller.take_back(place, &invitation).await
}

/// Accept an invitation, and become a user.
#[utoipa::path(
    post, path = "/invitations/acceptances", operation_id = "acceptInvitation", tag = "invitations", security(()),
    request_body = Acceptance,
    responses(
        (status = 201, description = "Joined", body = UserView),
        (status = 401, description = "The token does not do", body = ProblemDocument),
        (status = 409, description = "There is a user with this address", body = ProblemDocument),
    )
)]
pub(crate) async fn accept(
    visitor: Visitor,
    Body(acceptance): Body<Acceptance>,
) -> Answer<(StatusCode, Json<UserView>)> {
    let Visitor { parts, context, .. } = visitor;
    let token = Secret::new(acceptance.token);
    let invitation = parts.tenancy.find_invitation(&context, (parts.realm(), &token))?;
    let credential =
        parts.tenancy.new_credential(&invitation.email, Secret::new(acceptance.password)).await?;
    let joining = (acceptance.name, Joining::Local(credential));
    let user = parts.tenancy.accept_invitation(&context, (parts.realm(), &token), joining).await?;
    Ok((StatusCode::CREATED, Json(UserView::from(&user))))
}

/// Accept another invitation, as the user that one is.
#[utoipa::path(
    post, path = "/account/invitations", operation_id = "acceptOwnInvitation", tag = "invitations",
    request_body = OwnAcceptance,
    responses(
        (status = 201, description = "The role is given", body = UserView),
        (status = 401, description = "The token does not do", body = ProblemDocument),
        (status = 409, description = "It is for somebody else, or does not go with a role", body = ProblemDocument),
    )
)]
pub(crate) async fn accept_own(
    signed_in: SignedIn,
    Body(acceptance): Body<OwnAcceptance>,
) -> Answer<(StatusCode, Json<UserView>)> {
    let SignedIn { caller, known } = signed_in;
    let (token, joining) = (Secret::new(acceptance.token), Joining::AsUser(known.user.id));
    let accepted = (known.user.name.clone(), joining);
    let shown = (caller.parts.realm(), &token);
    let user = caller.parts.tenancy.accept_invitation(&caller.context, shown, accepted).await?;
    Ok((StatusCode::CREATED, Json(UserView::from(&user))))
}
