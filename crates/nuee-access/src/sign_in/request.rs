//! Where a browser is sent: the [authorisation
//! request](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest), and the
//! [logout](https://openid.net/specs/openid-connect-rpinitiated-1_0.html).

use std::time::Duration;

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use form_urlencoded::Serializer;
use nuee_base::{Environment, Secret};
use serde_json::json;
use zeroize::Zeroizing;

use super::{Expected, Parameters, RelyingParty};

/// Random bytes of a state, a nonce and a verifier: 43 characters, where ProConnect wants 32 and PKCE 43.
const RANDOM_BYTES: usize = 32;
/// The longest hint, in bytes; longer ones are left out.
const MAX_HINT_BYTES: usize = 254;

/// What is wished of a sign-in.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// More than one factor is demanded.
    pub multi_factor: bool,
    /// What the issuer may ask of the person.
    pub prompt: Option<Prompt>,
    /// The address or login that the issuer's form begins with.
    pub login_hint: Option<String>,
    /// The identity provider that ProConnect leads to. Other issuers are not told.
    pub idp_hint: Option<String>,
    /// How old an authentication may be.
    pub max_age: Option<Duration>,
}

/// What an issuer may ask of the person ([`prompt`](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt {
    /// Nothing: whoever is not signed in there comes back with `login_required`.
    Nothing,
    /// To sign in again.
    Login,
}

/// The issuer does not take what is wished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ProConnect does not take {0}")]
pub struct UnsupportedWish(&'static str);

/// A request that was made.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Where the browser is sent. State and nonce are in it.
    pub url: Secret,
    /// What comes back with it, and nobody else knows.
    pub state: Secret,
    /// What must hold then.
    pub expected: Expected,
}

impl RelyingParty {
    /// Makes a request to the authorisation endpoint, from which the browser comes back to `redirect_uri`.
    pub fn ask(
        &self,
        endpoint: &str,
        redirect_uri: &str,
        wishes: &Wishes,
        environment: &Environment,
    ) -> Result<Asked, UnsupportedWish> {
        if self.parameters == Parameters::ProConnect {
            let login = wishes.prompt == Some(Prompt::Login);
            let unsupported = [(login, "prompt=login"), (wishes.max_age.is_some(), "max_age")];
            if let Some((_, name)) = unsupported.into_iter().find(|(is_wished, _)| *is_wished) {
                return Err(UnsupportedWish(name));
            }
        }
        let (state, nonce) = (random_secret(environment), random_secret(environment));
        let verifier = self.pkce.then(|| random_secret(environment));
        let mut query = Serializer::new(String::new());
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", &self.scope())
            .append_pair("state", state.expose())
            .append_pair("nonce", nonce.expose());
        if let Some(verifier) = &verifier {
            let challenge = digest::digest(&digest::SHA256, verifier.expose().as_bytes());
            query
                .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(challenge))
                .append_pair("code_challenge_method", "S256");
        }
        self.add_wishes(&mut query, wishes);
        let (multi_factor, max_age) = (wishes.multi_factor, wishes.max_age);
        let expected = Expected { nonce, verifier, multi_factor, max_age };
        Ok(Asked { url: Secret::new(with_query(endpoint, &query.finish())), state, expected })
    }

    fn scope(&self) -> String {
        let others = self.scopes.iter().map(String::as_str).filter(|scope| *scope != "openid");
        std::iter::once("openid").chain(others).collect::<Vec<_>>().join(" ")
    }

    fn add_wishes(&self, query: &mut Serializer<'_, String>, wishes: &Wishes) {
        if wishes.multi_factor && !self.multi_factor.is_empty() {
            let acr = json!({ "essential": true, "values": self.multi_factor });
            query.append_pair("claims", &json!({ "id_token": { "acr": acr } }).to_string());
        }
        if let Some(prompt) = wishes.prompt {
            query.append_pair("prompt", if prompt == Prompt::Nothing { "none" } else { "login" });
        }
        if let Some(max_age) = wishes.max_age {
            query.append_pair("max_age", &max_age.as_secs().to_string());
        }
        let usable = |hint: &&String| hint.len() <= MAX_HINT_BYTES && !hint.contains(char::is_control);
        if let Some(hint) = wishes.login_hint.as_ref().filter(usable) {
            query.append_pair("login_hint", hint);
        }
        let is_proconnect = self.parameters == Parameters::ProConnect;
        if let Some(hint) = wishes.idp_hint.as_ref().filter(usable).filter(|_| is_proconnect) {
            query.append_pair("idp_hint", hint);
        }
    }
}

/// The way out: ends the session at the issuer.
#[derive(Debug, Clone)]
pub struct Leave {
    /// Where the browser is sent. It holds the ID token.
    pub url: Secret,
    /// What comes back with the browser.
    pub state: Secret,
}

impl Leave {
    /// A request to the end-session endpoint, from which the browser comes back to `back`, which the issuer must know.
    #[must_use]
    pub fn new(endpoint: &str, id_token: &Secret, back: &str, environment: &Environment) -> Self {
        let state = random_secret(environment);
        let mut query = Serializer::new(String::new());
        query
            .append_pair("id_token_hint", id_token.expose())
            .append_pair("state", state.expose())
            .append_pair("post_logout_redirect_uri", back);
        Self { url: Secret::new(with_query(endpoint, &query.finish())), state }
    }
}

/// A text that nobody guesses: 43 characters, of 32 random bytes. For a state, a cookie, or another token.
#[must_use]
pub fn random_secret(environment: &Environment) -> Secret {
    let mut bytes = Zeroizing::new([0; RANDOM_BYTES]);
    environment.fill_random(&mut *bytes);
    Secret::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()))
}

/// An endpoint may have a query of its own, which stays ([RFC 6749](https://www.rfc-editor.org/rfc/rfc6749#section-3.1)).
fn with_query(endpoint: &str, query: &str) -> String {
    let mark = if endpoint.contains('?') { '&' } else { '?' };
    format!("{endpoint}{mark}{query}")
}
