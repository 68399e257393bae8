//! People who sign in at an issuer: the authorisation code flow of
//! [OpenID Connect](https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth), seen from the
//! *relying party*, which is this server; ProConnect, the State's federation, among the issuers.
//!
//! For example: [`RelyingParty::ask`] makes the URL to which a browser is sent, and a [`PendingSignIn`] is kept of it. The
//! browser comes back with a [`Callback`]; the code in it becomes an ID token, which [`RelyingParty::check_id_token`] holds
//! against what was asked; [`RelyingParty::complete`] adds what the issuer says of that person, and gives a [`SignedIn`],
//! which nothing else makes.
//!
//! Promised: what is demanded is checked here, whatever was asked of the issuer: nonce, multi-factor authentication, age;
//! tokens are signed as the settings say, and are for this server alone; userinfo is of the same person as the ID token; a
//! sign-in that has begun ends once, in the browser where it began, and leads to a place of ours.
//!
//! Deliberately absent: input and output; encrypted tokens; the implicit and the hybrid flow; and what somebody who signed
//! in may do: an issuer, ProConnect too, authorises nobody, and a SIRET alone makes nobody a member of anything.

mod callback;
mod check;
mod pending;
mod request;
mod return_to;
#[cfg(test)]
mod tests;
mod userinfo;

use std::time::Duration;

use nuee_base::{ErrorKind, Secret, Slug, Timestamp};

use crate::web_identity::{Algorithm, InvalidToken, Issuer};

pub use callback::{Callback, IssuerSays, MalformedCallback};
pub use check::KnownByToken;
pub use pending::{PendingSignIn, PendingSignIns, TooManySignIns, UnknownSignIn};
pub use request::{Asked, Leave, Prompt, UnsupportedWish, Wishes, random_secret};
pub use return_to::{InvalidReturn, ReturnTo};
pub use userinfo::Userinfo;

/// This server as an issuer knows it.
#[derive(Debug, Clone)]
pub struct RelyingParty {
    /// Who signs ID tokens, and how. Its audience is the client id alone.
    pub issuer: Issuer,
    /// What the issuer calls this server.
    pub client_id: String,
    /// What is asked about people; `openid` always is.
    pub scopes: Vec<String>,
    /// The values of `acr` that stand for more than one factor. Without any, `mfa` in `amr`
    /// ([RFC 8176](https://www.rfc-editor.org/rfc/rfc8176)) does.
    pub multi_factor: Vec<String>,
    /// Which parameters the issuer takes.
    pub parameters: Parameters,
    /// Whether codes are bound to their request by [PKCE](https://www.rfc-editor.org/rfc/rfc7636).
    pub pkce: bool,
    /// How userinfo must be signed. Without any, it may be plain, and if it is signed, then as ID tokens are.
    pub userinfo_algorithms: Vec<Algorithm>,
}

/// Which parameters an issuer takes in an authorisation request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameters {
    /// Those of OpenID Connect.
    OpenIdConnect,
    /// Those of ProConnect, which refuses all others: not `max_age`, and of `prompt` only `none`.
    ProConnect,
}

/// What was demanded when somebody was sent to an issuer, and must hold when they come back.
#[derive(Debug, Clone)]
pub struct Expected {
    nonce: Secret,
    verifier: Option<Secret>,
    multi_factor: bool,
    max_age: Option<Duration>,
}

impl Expected {
    /// What goes with the code to the token endpoint, where PKCE is used (RFC 7636, section 4.5).
    #[must_use]
    pub fn verifier(&self) -> Option<&Secret> {
        self.verifier.as_ref()
    }
}

/// Somebody who signed in. Made by [`RelyingParty::complete`] alone.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub(crate) issuer: Slug,
    pub(crate) subject: String,
    pub(crate) profile: Profile,
    pub(crate) acr: Option<String>,
    pub(crate) is_multi_factor: bool,
    pub(crate) authenticated_at: Option<Timestamp>,
    pub(crate) id_token: Secret,
}

/// What an issuer says of a person, as far as it can be used: texts of at most 256 bytes without control characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// `email`.
    pub email: Option<String>,
    /// `email_verified`: the issuer vouches for the address. ProConnect does not say so.
    pub email_verified: bool,
    /// `given_name`.
    pub given_name: Option<String>,
    /// `usual_name`, or `family_name`.
    pub usual_name: Option<String>,
    /// `siret`: the establishment that somebody belongs to, 14 digits. It is no proof of what they may do there.
    pub siret: Option<String>,
}

impl SignedIn {
    /// The issuer's name in the settings.
    #[must_use]
    pub fn issuer(&self) -> &Slug {
        &self.issuer
    }

    /// Who that is to the issuer (`sub`): what an account is known by, unlike an address, which can change hands.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What the issuer says of them.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// How they were authenticated (`acr`), in the issuer's words.
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.acr.as_deref()
    }

    /// Whether that was with more than one factor.
    #[must_use]
    pub fn is_multi_factor(&self) -> bool {
        self.is_multi_factor
    }

    /// When that was, if the issuer says so (`auth_time`).
    #[must_use]
    pub fn authenticated_at(&self) -> Option<Timestamp> {
        self.authenticated_at
    }

    /// The ID token, which [`Leave::new`] needs to end the session at the issuer too. To be kept sealed.
    #[must_use]
    pub fn id_token(&self) -> &Secret {
        &self.id_token
    }
}

/// Why nobody signed in. Fit for whoever tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInRefused {
    /// The ID token.
    #[error("ID token: {0}")]
    IdToken(InvalidToken),
    /// It answers another request.
    #[error("ID token: its nonce is not the one that was sent: sign in again from the beginning")]
    Nonce,
    /// One factor is not enough.
    #[error(
        "multi-factor authentication is demanded, and the issuer says {0}: sign in with a second factor, or set one up \
         there"
    )]
    OneFactor(String),
    /// That was too long ago.
    #[error("the issuer says that the authentication is older than was asked, or does not say how old it is")]
    TooLongAgo,
    /// The answer to userinfo.
    #[error("userinfo: {0}")]
    Userinfo(InvalidToken),
    /// It is plain, where a signature is demanded.
    #[error("userinfo is not signed, and the settings demand it (userinfo_algorithms)")]
    Unsigned,
    /// It is of another person than the ID token.
    #[error("userinfo is of another person than the ID token")]
    OtherPerson,
}

impl SignInRefused {
    /// Always [`ErrorKind::Denied`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Denied
    }
}
