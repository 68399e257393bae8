//! Signing in and out.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
};
use http::StatusCode;
use nuee_access::{Action, Resource};
use nuee_base::{Assurance, Secret};
use nuee_tenancy::{Client, GivenToken, Presented, RENEWED_AFTER, Realm};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    caller::{SignedIn, Visitor},
    failure::{Answer, Failure, ProblemDocument},
    issuer,
    member::RightView,
    page::Page,
    router::{Body, Parts},
    user::UserView,
};

/// With what somebody signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSignIn {
    /// The address.
    #[schema(example = "ada@ministry.example")]
    email: String,
    /// The password.
    password: String,
    /// A code of the device, or one on paper, if there is a device.
    code: Option<String>,
    /// With what it signs in.
    #[serde(default)]
    client: ClientKind,
}

/// With what somebody signs in.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ClientKind {
    /// A browser: the sign-in rests for an hour at most.
    Browser,
    /// A command line: it may rest for as long as it lasts.
    #[default]
    CommandLine,
}

impl From<ClientKind> for Client {
    fn from(kind: ClientKind) -> Self {
        match kind {
            ClientKind::Browser => Self::Browser,
            ClientKind::CommandLine => Self::CommandLine,
        }
    }
}

/// A token, shown once.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenView {
    /// What requests show: `Authorization: Bearer`.
    pub(crate) token: String,
    /// From when on it should be renewed.
    pub(crate) renew_at: String,
    /// When it ends, unless it is renewed.
    pub(crate) expires_at: String,
    /// Whether two factors were shown.
    pub(crate) multi_factor: bool,
    /// Who signed in.
    pub(crate) user: UserView,
}

impl From<GivenToken> for TokenView {
    fn from(given: GivenToken) -> Self {
        let GivenToken { token, sign_in, user } = given;
        Self {
            token: token.expose().to_owned(),
            renew_at: sign_in.renewed_at.saturating_add(RENEWED_AFTER).to_string(),
            expires_at: sign_in.expires_at.to_string(),
            multi_factor: sign_in.shown.assurance == Assurance::MultiFactor,
            user: UserView::from(&user),
        }
    }
}

/// A sign-in.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignInView {
    /// Its id.
    pub(crate) id: String,
    /// Whether it is the one that asks.
    pub(crate) current: bool,
    /// With what its user came: `browser` or `command-line`.
    pub(crate) client: String,
    /// By which network.
    pub(crate) zone: String,
    /// How its user has shown who it is.
    pub(crate) by: String,
    /// When it began (RFC 3339).
    pub(crate) began_at: String,
    /// When it ends, unless it is renewed (RFC 3339).
    pub(crate) expires_at: String,
}

/// Who is signed in, and what it may do.
#[derive(Serialize, ToSchema)]
pub(crate) struct Whoami {
    /// The user.
    pub(crate) user: UserView,
    /// The name of its organisation; none of an operator.
    pub(crate) organisation: Option<String>,
    /// Whether two factors were shown.
    pub(crate) multi_factor: bool,
    /// When the sign-in ends, unless it is renewed (RFC 3339).
    pub(crate) expires_at: String,
    /// The roles that it has.
    pub(crate) rights: Vec<RightView>,
    /// What it may do to the organisation, or to the platform.
    pub(crate) capabilities: Vec<String>,
}

/// What may be done to an organisation.
pub(crate) const ON_ORGANISATION: [Action; 16] = [
    Action::GetOrganisation,
    Action::UpdateOrganisation,
    Action::ListUsers,
    Action::SuspendUser,
    Action::ResetSignIn,
    Action::ListMembers,
    Action::GrantRole,
    Action::RevokeRole,
    Action::CreateInvitation,
    Action::ListInvitations,
    Action::RevokeInvitation,
    Action::CreateProject,
    Action::ListProjects,
    Action::SetQuota,
    Action::SetPlacement,
    Action::ReadJournal,
];

/// What may be done to the platform.
const ON_PLATFORM: [Action; 14] = [
    Action::CreateOrganisation,
    Action::ListOrganisations,
    Action::ListUsers,
    Action::SuspendUser,
    Action::ResetSignIn,
    Action::ListMembers,
    Action::GrantRole,
    Action::RevokeRole,
    Action::CreateInvitation,
    Action::ListInvitations,
    Action::RevokeInvitation,
    Action::ReadJournal,
    Action::Verify,
    Action::RunLifecycle,
];

/// Sign in by a password, and a code if there is a device.
#[utoipa::path(
    post, path = "/sign-ins", operation_id = "signIn", tag = "sign-in", security(()),
    request_body = NewSignIn,
    responses(
        (status = 201, description = "Signed in", body = TokenView),
        (status = 401, description = "Something shown is wrong, or a code is needed too", body = ProblemDocument),
        (status = 429, description = "Too many attempts failed", body = ProblemDocument),
    )
)]
pub(crate) async fn sign_in(
    visitor: Visitor,
    Body(new): Body<NewSignIn>,
) -> Answer<(StatusCode, Json<TokenView>)> {
    let wrong = || Failure::unauthenticated("the address, the password or the code is wrong");
    let presented = Presented {
        realm: visitor.parts.realm(),
        email: new.email.parse().map_err(|_| wrong())?,
        password: Secret::new(new.password),
        code: new.code.map(Secret::new),
    };
    let tenancy = &visitor.parts.tenancy;
    let (user, shown) = tenancy.check_credential(&visitor.context, presented).await?;
    let held = (visitor.binding(new.client.into()), shown);
    let given = tenancy.begin_sign_in(&visitor.context, user.id, held).await?;
    Ok((StatusCode::CREATED, Json(given.into())))
}

/// The sign-ins of whoever asks.
#[utoipa::path(
    get, path = "/sign-ins", operation_id = "listSignIns", tag = "sign-in",
    responses((status = 200, description = "Oldest first", body = Page<SignInView>), (status = 401, body = ProblemDocument))
)]
pub(crate) async fn list(signed_in: SignedIn) -> Answer<Json<Page<SignInView>>> {
    let SignedIn { caller, known } = signed_in;
    let current = known.sign_in.id;
    let show = |sign_in: nuee_tenancy::SignIn| SignInView {
        id: sign_in.id.to_string(),
        current: sign_in.id == current,
        client: match sign_in.binding.client {
            Client::Browser => "browser".to_owned(),
            Client::CommandLine => "command-line".to_owned(),
        },
        zone: sign_in.binding.zone,
        by: sign_in.shown.by,
        began_at: sign_in.began_at.to_string(),
        expires_at: sign_in.expires_at.to_string(),
    };
    let own = caller.parts.tenancy.own_sign_ins(&caller.context, &known)?;
    Ok(Json(Page::whole(own.into_iter().map(show).collect())))
}

/// Who asks, and what it may do.
#[utoipa::path(
    get, path = "/sign-ins/current", operation_id = "whoami", tag = "sign-in",
    responses((status = 200, description = "Who asks", body = Whoami), (status = 401, body = ProblemDocument))
)]
pub(crate) async fn whoami(signed_in: SignedIn) -> Answer<Json<Whoami>> {
    let SignedIn { caller, known } = signed_in;
    let (place, actions, organisation) = match caller.parts.realm() {
        Realm::Organisations => {
            let place = Resource::Organisation(known.user.organisation);
            let permit = caller.permit(Action::GetOrganisation, place)?;
            let organisation = caller.parts.tenancy.get_organisation(&permit)?;
            (place, &ON_ORGANISATION[..], Some(organisation.name.to_string()))
        }
        Realm::Platform => (Resource::Platform, &ON_PLATFORM[..], None),
    };
    Ok(Json(Whoami {
        user: UserView::from(&known.user),
        organisation,
        multi_factor: known.sign_in.shown.assurance == Assurance::MultiFactor,
        expires_at: known.sign_in.expires_at.to_string(),
        rights: caller.rights(known.grants())?,
        capabilities: caller.capabilities(actions, place).into_iter().map(str::to_owned).collect(),
    }))
}

/// Another token for the sign-in that asks; the present one does for a minute more.
#[utoipa::path(
    post, path = "/sign-ins/current/renewals", operation_id = "renewSignIn", tag = "sign-in",
    responses((status = 201, description = "Renewed", body = TokenView), (status = 401, body = ProblemDocument))
)]
pub(crate) async fn renew(signed_in: SignedIn) -> Answer<(StatusCode, Json<TokenView>)> {
    let SignedIn { caller, known } = signed_in;
    let given = caller.parts.tenancy.renew_sign_in(&caller.context, &known, None).await?;
    Ok((StatusCode::CREATED, Json(given.into())))
}

/// A sign-in that has ended.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignedOut {
    /// The session at the issuer where somebody signed in, which goes on there; null for a sign-in by a password.
    issuer_session: Option<IssuerSessionView>,
}

/// A session at an issuer.
#[derive(Serialize, ToSchema)]
pub(crate) struct IssuerSessionView {
    /// The issuer's name.
    issuer: String,
    /// Where the person's browser ends it; null if the issuer has no such address, or does not answer. The issuer's ID token
    /// is in it: it is for that browser alone.
    sign_out_url: Option<String>,
}

/// Sign out: the token does no more.
#[utoipa::path(
    delete, path = "/sign-ins/current", operation_id = "signOut", tag = "sign-in",
    responses((status = 200, description = "Signed out", body = SignedOut), (status = 401, body = ProblemDocument))
)]
pub(crate) async fn sign_out(
    State(parts): State<Arc<Parts>>,
    signed_in: SignedIn,
    request: Request,
) -> Answer<Json<SignedOut>> {
    let back = issuer::signed_out_uri(&request)?;
    let session = parts.tenancy.sign_out(&signed_in.caller.context, &signed_in.known).await?;
    let Some(session) = session else { return Ok(Json(SignedOut { issuer_session: None })) };
    let issuer = session.issuer.clone();
    let url = issuer::way_out(&parts, session, back).await;
    let sign_out_url = url.map(|url| url.expose().to_owned());
    Ok(Json(SignedOut { issuer_session: Some(IssuerSessionView { issuer, sign_out_url }) }))
}
