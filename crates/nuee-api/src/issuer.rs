//! Signing in at an issuer: people who are known elsewhere.
//!
//! A program on the machine of whoever signs in listens at an address of that machine, and sends a browser here, which is
//! sent on to the issuer. When it comes back, the browser is sent to the program with a code that does once, within two
//! minutes, and the program exchanges that for the token of a sign-in. Whoever the issuer knows and nobody here does is no
//! user: an invitation for the address that the issuer vouches for makes them one.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
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
use nuee_base::{Assurance, EmailAddress, Environment, ErrorKind, Secret, Zone};
use nuee_keys::TokenDigest;
use nuee_tenancy::{Client, Joining, Realm, Shown, User};
use nuee_web::Arrival;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    caller::Visitor,
    failure::{Answer, Failure, ProblemDocument},
    page::Page,
    place::Path,
    router::Body,
    sign_in::TokenView,
};

/// The cookie by which a browser that comes back is known as the one that went.
const COOKIE: &str = "__Host-nuee-sign-in";
/// How long a code can be exchanged.
const CODE_LIFETIME: Duration = Duration::from_mins(2);
/// How many codes wait to be exchanged.
const MAX_CODES: usize = 10_000;
/// The path that issuers send browsers back to.
const CALLBACK: &str = "/api/v1/issuers/callback";

/// Where people sign in.
pub trait Issuers: Send + Sync + 'static {
    /// Those that people of a zone can choose.
    fn choices(&self, zone: Zone) -> Vec<IssuerChoice>;

    /// Begins a sign-in at one of them.
    fn begin(&self, start: IssuerStart) -> BoxFuture<'_, Result<IssuerBegun, IssuerFailure>>;

    /// Ends a sign-in: the query with which a browser came back, and its cookie.
    fn finish(&self, query: String, browser: Secret) -> BoxFuture<'_, Result<KnownElsewhere, IssuerFailure>>;
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
}

impl From<IssuerFailure> for Failure {
    fn from(failure: IssuerFailure) -> Self {
        let IssuerFailure { kind, detail } = failure;
        match kind {
            ErrorKind::Denied => Self::unauthenticated(detail),
            kind => Self::of_kind(kind, detail),
        }
    }
}

/// Codes that wait to be exchanged, by their digests.
#[derive(Default)]
pub(crate) struct Codes(Mutex<HashMap<[u8; 32], (KnownElsewhere, Duration)>>);

impl Codes {
    fn keep(&self, known: KnownElsewhere, environment: &Environment) -> Answer<Secret> {
        let mut random = [0; 24];
        environment.fill_random(&mut random);
        let code = Secret::new(hex::encode(random));
        let now = environment.uptime();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (_, ends)| *ends > now);
        if kept.len() >= MAX_CODES {
            return Err(Failure::of_kind(
                ErrorKind::Unavailable,
                "too many people sign in: try again".to_owned(),
            ));
        }
        kept.insert(TokenDigest::of(code.expose()).to_bytes(), (known, now + CODE_LIFETIME));
        Ok(code)
    }

    fn take(&self, code: &Secret, environment: &Environment) -> Option<KnownElsewhere> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, ends) = kept.remove(&TokenDigest::of(code.expose()).to_bytes())?;
        (ends > environment.uptime()).then_some(known)
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
    let start = IssuerStart {
        issuer,
        zone: visitor.zone,
        redirect_uri: redirect_uri(&request)?,
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
    let code = parts.codes.keep(known, &parts.environment)?;
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
    let known = parts.codes.take(&Secret::new(shown.code), &parts.environment);
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
    let held =
        (visitor.binding(Client::CommandLine), Shown { assurance, by: format!("issuer/{}", known.issuer) });
    let given = parts.tenancy.begin_sign_in(&visitor.context, user.id, held).await?;
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

/// Where the issuer sends browsers back to: this server, by the name that the request is for.
fn redirect_uri(request: &Request) -> Answer<String> {
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = authority.or(host).ok_or_else(|| Failure::invalid("the request names no host"))?;
    let secure = request.extensions().get::<Arrival>().is_some_and(|arrival| arrival.secure);
    Ok(format!("{}://{host}{CALLBACK}", if secure { "https" } else { "http" }))
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
