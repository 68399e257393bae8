//! Signing in at an issuer: people who are known elsewhere.
//!
//! A program on the machine of whoever signs in listens at an address of that machine, and sends a browser here, which is
//! sent on to the issuer. When it comes back, the browser is sent to the program with a code that does once, within two
//! minutes, and the program exchanges that for the token of a sign-in. Whoever the issuer knows and nobody here does is no
//! user: an invitation for the address that the issuer vouches for makes them one.
//!
//! Whoever signs out here is told where a browser ends the session at the issuer too; from there it comes back to a page that
//! says so.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use axum::{
    Json,
    extract::{Query, RawQuery, Request, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use nuee_access::ReturnTo;
use nuee_base::{Assurance, EmailAddress, ErrorKind, Secret, Zone};
use nuee_tenancy::{Client, IssuerSession, Joining, Realm, User};
use nuee_web::Arrival;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    caller::Visitor,
    failure::{Answer, Failure, ProblemDocument},
    page::Page,
    place::Path,
    router::{Body, Parts},
    sign_in::TokenView,
    waiting::Waiting,
};

/// The cookie by which a browser that comes back is known as the one that went.
const COOKIE: &str = "__Host-nuee-sign-in";
/// How long a code can be exchanged.
const CODE_LIFETIME: Duration = Duration::from_mins(2);
/// How long somebody may take to sign out at an issuer.
const LEAVE_LIFETIME: Duration = Duration::from_mins(10);
/// The path that issuers send browsers back to.
const CALLBACK: &str = "/api/v1/issuers/callback";
/// The same, once somebody has signed out there.
const SIGNED_OUT: &str = "/api/v1/issuers/signed-out";

/// Where people sign in.
pub trait Issuers: Send + Sync + 'static {
    /// Those that people of a zone can choose.
    fn choices(&self, zone: Zone) -> Vec<IssuerChoice>;

    /// Begins a sign-in at one of them.
    fn begin(&self, start: IssuerStart) -> BoxFuture<'_, Result<IssuerBegun, IssuerFailure>>;

    /// Ends a sign-in: the query with which a browser came back, and its cookie.
    fn finish(&self, query: String, browser: Secret) -> BoxFuture<'_, Result<KnownElsewhere, IssuerFailure>>;

    /// How a browser ends somebody's session at an issuer, from which it comes back to `back`; none if the issuer has no way.
    fn leave(
        &self,
        session: IssuerSession,
        back: String,
    ) -> BoxFuture<'_, Result<Option<IssuerLeave>, IssuerFailure>>;
}

/// An issuer that people can choose.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Issuer)]
pub struct IssuerChoice {
    /// Its name.
    pub name: String,
    /// What people read.
    pub title: String,
    /// Whether it is ProConnect, whose button looks as the State says.
    pub proconnect: bool,
}

/// How a sign-in begins.
#[derive(Debug)]
pub struct IssuerStart {
    /// The issuer's name.
    pub issuer: String,
    /// The zone by which the browser came.
    pub zone: Zone,
    /// The network address that it has.
    pub client: IpAddr,
    /// Where it comes back to.
    pub redirect_uri: String,
    /// Where somebody goes afterwards.
    pub return_to: ReturnTo,
    /// Whether two factors are demanded.
    pub multi_factor: bool,
    /// The cookie of an earlier start.
    pub browser: Option<Secret>,
}

/// A sign-in that has begun.
#[derive(Debug)]
pub struct IssuerBegun {
    /// Where the browser is sent.
    pub url: Secret,
    /// Its cookie.
    pub browser: Secret,
}

/// The way out of an issuer.
#[derive(Debug)]
pub struct IssuerLeave {
    /// Where the browser is sent. It holds the ID token.
    pub url: Secret,
    /// What comes back with it.
    pub state: Secret,
}

/// Somebody whom an issuer knows.
#[derive(Debug, Clone)]
pub struct KnownElsewhere {
    /// The issuer's name.
    pub issuer: String,
    /// Who that is to the issuer.
    pub subject: String,
    /// The address that the issuer vouches for.
    pub email: Option<String>,
    /// What people call them.
    pub name: Option<String>,
    /// Whether two factors were shown there.
    pub multi_factor: bool,
    /// The ID token, by which the session there is ended.
    pub id_token: Secret,
    /// Where they go now.
    pub return_to: ReturnTo,
}

/// Why nobody signed in there. The text is fit for whoever tried.
#[derive(Debug)]
pub struct IssuerFailure {
    /// What can be done about it.
    pub kind: ErrorKind,
    /// Why.
    pub detail: String,
    /// After how long it is worth another attempt, if that is known.
    pub retry_after: Option<Duration>,
}

impl From<IssuerFailure> for Failure {
    fn from(failure: IssuerFailure) -> Self {
        let IssuerFailure { kind, detail, retry_after } = failure;
        let failure = match kind {
            ErrorKind::Denied => Self::unauthenticated(detail),
            kind => Self::of_kind(kind, detail),
        };
        failure.with_retry_after(retry_after)
    }
}

/// Browsers that are on their way.
pub(crate) struct Browsers {
    /// Whom issuers know, by the codes that wait to be exchanged.
    known: Waiting<KnownElsewhere>,
    /// The issuers that people sign out at, by what comes back with the browser.
    leaving: Waiting<String>,
}

impl Default for Browsers {
    fn default() -> Self {
        Self { known: Waiting::new(CODE_LIFETIME), leaving: Waiting::new(LEAVE_LIFETIME) }
    }
}

/// How a browser signs in at an issuer.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartQuery {
    /// Where the code goes: `http://127.0.0.1:PORT/`, where a program listens.
    return_to: String,
    /// Whether two factors are demanded.
    #[serde(default)]
    multi_factor: bool,
}

/// A code to be exchanged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    /// The code.
    code: String,
    /// The token of an invitation, for whoever is no user yet.
    invitation: Option<String>,
}

/// The issuers where people can sign in who come by this network.
#[utoipa::path(
    get, path = "/issuers", operation_id = "listIssuers", tag = "sign-in", security(()),
    responses((status = 200, description = "Those of the settings", body = Page<IssuerChoice>))
)]
pub(crate) async fn list(visitor: Visitor) -> Json<Page<IssuerChoice>> {
    Json(Page::whole(visitor.parts.issuers.choices(visitor.zone)))
}

/// Send a browser to an issuer.
#[utoipa::path(
    get, path = "/issuers/{issuer}/sign-in", operation_id = "beginIssuerSignIn", tag = "sign-in", security(()),
    params(("issuer" = String, Path, description = "Its name"), StartQuery),
    responses(
        (status = 303, description = "To the issuer"),
        (status = 404, description = "It is not offered here", body = ProblemDocument),
        (status = 429, description = "Too many sign-ins of this network address have not ended: see Retry-After", body = ProblemDocument),
    )
)]
pub(crate) async fn begin(
    visitor: Visitor,
    Path(issuer): Path<String>,
    query: Result<Query<StartQuery>, QueryRejection>,
    request: Request,
) -> Answer<Response> {
    let Query(StartQuery { return_to, multi_factor }) = query?;
    let return_to: ReturnTo = return_to.parse().map_err(|error| Failure::invalid(format!("{error}")))?;
    if !return_to.is_program() {
        return Err(Failure::invalid("`return_to` is http://127.0.0.1:PORT/, where a program listens"));
    }
    let arrival = request.extensions().get::<Arrival>();
    let start = IssuerStart {
        issuer,
        zone: visitor.zone,
        client: arrival.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |arrival| arrival.client),
        redirect_uri: address(&request, CALLBACK)?,
        return_to,
        multi_factor,
        browser: cookie(request.headers()),
    };
    let begun = visitor.parts.issuers.begin(start).await?;
    let cookie =
        format!("{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600", begun.browser.expose());
    redirect(begun.url.expose(), Some(&cookie))
}

/// Where an issuer sends a browser back to.
#[utoipa::path(
    get, path = "/issuers/callback", operation_id = "finishIssuerSignIn", tag = "sign-in", security(()),
    responses(
        (status = 303, description = "To the program, with a code"),
        (status = 401, description = "Nobody signed in", body = ProblemDocument),
    )
)]
pub(crate) async fn finish(
    visitor: Visitor,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Response> {
    let unknown = || Failure::unauthenticated("no sign-in has begun in this browser: begin again");
    let browser = cookie(&headers).ok_or_else(unknown)?;
    let parts = &visitor.parts;
    let known = parts.issuers.finish(query.unwrap_or_default(), browser).await?;
    let return_to = known.return_to.clone();
    let mut random = [0; 24];
    parts.environment.fill_random(&mut random);
    let code = Secret::new(hex::encode(random));
    if !parts.browsers.known.keep(&code, known, parts.environment.uptime()) {
        let detail = "too many people sign in: try again".to_owned();
        return Err(Failure::of_kind(ErrorKind::Unavailable, detail));
    }
    let joint = if return_to.as_str().contains('?') { '&' } else { '?' };
    redirect(&format!("{return_to}{joint}code={}", code.expose()), None)
}

/// Exchange a code for the token of a sign-in.
#[utoipa::path(
    post, path = "/issuers/exchanges", operation_id = "exchangeCode", tag = "sign-in", security(()),
    request_body = Exchange,
    responses(
        (status = 201, description = "Signed in", body = TokenView),
        (status = 401, description = "The code does not do", body = ProblemDocument),
        (status = 403, description = "Whoever the issuer knows is no user here", body = ProblemDocument),
    )
)]
pub(crate) async fn exchange(
    visitor: Visitor,
    Body(shown): Body<Exchange>,
) -> Answer<(StatusCode, Json<TokenView>)> {
    let parts = &visitor.parts;
    let known = parts.browsers.known.take(&Secret::new(shown.code), parts.environment.uptime());
    let known = known.ok_or_else(|| {
        Failure::unauthenticated("the code is unknown, was used, or has ended: sign in again")
    })?;
    let found = parts.tenancy.user_of_identity(&known.issuer, &known.subject)?;
    let user = match (found, shown.invitation) {
        (Some(user), _) => user,
        (None, Some(token)) => join(&visitor, &known, &Secret::new(token)).await?,
        (None, None) => {
            let detail = format!(
                "{} knows you, and you are no user here: ask an owner of your organisation for an invitation, and join by it",
                known.issuer
            );
            return Err(Failure::new(StatusCode::FORBIDDEN, "not-a-user", detail));
        }
    };
    let assurance = if known.multi_factor { Assurance::MultiFactor } else { Assurance::SingleFactor };
    let held = (visitor.binding(Client::CommandLine), assurance);
    let session = IssuerSession { issuer: known.issuer, id_token: known.id_token };
    let given = parts.tenancy.begin_sign_in_by_issuer(&visitor.context, user.id, held, &session).await?;
    Ok((StatusCode::CREATED, Json(given.into())))
}

/// Makes somebody a user by an invitation for the address that their issuer vouches for.
async fn join(visitor: &Visitor, known: &KnownElsewhere, token: &Secret) -> Answer<User> {
    let tenancy = &visitor.parts.tenancy;
    let invitation = tenancy.find_invitation(&visitor.context, (Realm::Organisations, token))?;
    let email: Option<EmailAddress> = known.email.as_ref().and_then(|email| email.parse().ok());
    if email.as_ref() != Some(&invitation.email) {
        let detail = format!("{} does not vouch for the address that the invitation is for", known.issuer);
        return Err(Failure::new(StatusCode::FORBIDDEN, "denied", detail));
    }
    let name = known.name.clone().unwrap_or_else(|| invitation.email.to_string());
    let joining = Joining::Issuer { issuer: known.issuer.clone(), subject: known.subject.clone() };
    Ok(tenancy.accept_invitation(&visitor.context, (Realm::Organisations, token), (name, joining)).await?)
}

/// What a browser brings from an issuer where somebody has signed out.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SignedOutQuery {
    /// What the issuer was given.
    #[serde(default)]
    state: String,
}

/// Where an issuer sends a browser back to once somebody has signed out there.
#[utoipa::path(
    get, path = "/issuers/signed-out", operation_id = "finishIssuerSignOut", tag = "sign-in", security(()),
    params(SignedOutQuery),
    responses(
        (status = 200, description = "A page that says so", body = String, content_type = "text/plain"),
        (status = 404, description = "Nobody who signed out here in the last ten minutes is meant", body = ProblemDocument),
    )
)]
pub(crate) async fn signed_out(
    visitor: Visitor,
    query: Result<Query<SignedOutQuery>, QueryRejection>,
) -> Answer<String> {
    let Query(SignedOutQuery { state }) = query?;
    let parts = &visitor.parts;
    let issuer = parts.browsers.leaving.find(&Secret::new(state), parts.environment.uptime());
    let unknown =
        "nobody who signed out here in the last ten minutes is meant: to sign out, run `nuee logout`";
    let issuer = issuer.ok_or_else(|| Failure::not_found(unknown))?;
    Ok(format!(
        "La déconnexion est faite, ici et chez {issuer}. Cette fenêtre peut être fermée.\n\
         You have signed out, here and at {issuer}. This window can be closed.\n"
    ))
}

/// Where a browser ends a session at an issuer; none if it has no way, or does not answer.
pub(crate) async fn way_out(parts: &Parts, session: IssuerSession, back: String) -> Option<Secret> {
    let issuer = session.issuer.clone();
    let leave = parts.issuers.leave(session, back).await;
    let leave = leave.unwrap_or_else(|failure| {
        tracing::warn!(%issuer, "nobody is told how to sign out there: {}", failure.detail);
        None
    })?;
    // Where too many wait, the page at the end does not know them; they sign out all the same.
    parts.browsers.leaving.keep(&leave.state, issuer, parts.environment.uptime());
    Some(leave.url)
}

/// Where an issuer sends the browser of whoever has signed out there.
pub(crate) fn signed_out_uri(request: &Request) -> Answer<String> {
    address(request, SIGNED_OUT)
}

/// An address of this server, by the name that the request is for.
fn address(request: &Request, path: &str) -> Answer<String> {
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = authority.or(host).ok_or_else(|| Failure::invalid("the request names no host"))?;
    let secure = request.extensions().get::<Arrival>().is_some_and(|arrival| arrival.secure);
    Ok(format!("{}://{host}{path}", if secure { "https" } else { "http" }))
}

fn cookie(headers: &HeaderMap) -> Option<Secret> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| Secret::new(value.to_owned()))
}

fn redirect(to: &str, cookie: Option<&str>) -> Answer<Response> {
    let unfit = |_| Failure::invalid("the address to go to cannot be sent");
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::from_str(to).map_err(unfit)?);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Some(cookie) = cookie {
        headers.insert(header::SET_COOKIE, HeaderValue::from_str(cookie).map_err(unfit)?);
    }
    Ok(response)
}
