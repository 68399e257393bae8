//! What an ID token must be ([OpenID Connect
//! Core](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation), section 3.1.3.7), and what was demanded.

use aws_lc_rs::constant_time;
use nuee_base::{Secret, Timestamp};

use super::{Expected, Profile, RelyingParty, SignInRefused, SignedIn, Userinfo};
use crate::web_identity::{Claims, InvalidToken, KeySet, LEEWAY_SECONDS, Token};

/// The longest text that is taken from a claim, in bytes.
const MAX_TEXT_BYTES: usize = 256;
/// The longest ID token, in bytes: it goes into the URL of a logout.
const MAX_ID_TOKEN_BYTES: usize = 6_000;

/// Whom an ID token makes known. Made by [`RelyingParty::check_id_token`] alone.
#[derive(Debug, Clone)]
pub struct KnownByToken {
    subject: String,
    claims: Claims,
    acr: Option<String>,
    is_multi_factor: bool,
    authenticated_at: Option<Timestamp>,
    id_token: Secret,
}

fn refused(why: impl Into<String>) -> SignInRefused {
    SignInRefused::IdToken(InvalidToken::Refused(why.into()))
}

impl RelyingParty {
    /// Whom this ID token makes known, which came for a code, if it is such as was `expected`. The keys are those that the
    /// issuer publishes.
    pub fn check_id_token(
        &self,
        id_token: &Secret,
        keys: &KeySet,
        expected: &Expected,
        now: Timestamp,
    ) -> Result<KnownByToken, SignInRefused> {
        if id_token.expose().len() > MAX_ID_TOKEN_BYTES {
            return Err(refused(format!("it has more than {MAX_ID_TOKEN_BYTES} bytes")));
        }
        let token = Token::parse(id_token.expose()).map_err(SignInRefused::IdToken)?;
        if token.is_access_token() {
            return Err(refused("it is an access token (typ)"));
        }
        let identity = self.issuer.verify(&token, keys, now).map_err(SignInRefused::IdToken)?;
        let claims = identity.claims();
        self.check_audience(claims)?;
        if claims.seconds("iat").is_none() {
            return Err(refused("it has no iat"));
        }
        let nonce = claims.text("nonce").unwrap_or_default();
        if constant_time::verify_slices_are_equal(nonce.as_bytes(), expected.nonce.expose().as_bytes())
            .is_err()
        {
            return Err(SignInRefused::Nonce);
        }
        let is_multi_factor = self.is_multi_factor(claims);
        if expected.multi_factor && !is_multi_factor {
            let told = claims.text("acr").and_then(usable).map(|acr| format!("{acr:?} (acr)"));
            return Err(SignInRefused::OneFactor(told.unwrap_or_else(|| "nothing of it".to_owned())));
        }
        let authenticated_at = claims.seconds("auth_time").and_then(|seconds| seconds.checked_mul(1_000_000));
        let authenticated_at = authenticated_at.map(Timestamp::from_micros);
        check_age(authenticated_at, expected, now)?;
        Ok(KnownByToken {
            subject: identity.subject().to_owned(),
            acr: claims.text("acr").and_then(usable),
            claims: claims.clone(),
            is_multi_factor,
            authenticated_at,
            id_token: id_token.clone(),
        })
    }

    /// It is for this server and, if for others too, was asked for by this server.
    fn check_audience(&self, claims: &Claims) -> Result<(), SignInRefused> {
        let audiences = claims.texts("aud");
        if !audiences.contains(&&*self.client_id) {
            return Err(refused("it is for others: aud is not the client id"));
        }
        match claims.text("azp") {
            Some(through) if through == self.client_id => Ok(()),
            None if audiences.len() == 1 && !claims.has("azp") => Ok(()),
            _ => Err(refused("it was not asked for by this server: azp is not the client id")),
        }
    }

    fn is_multi_factor(&self, claims: &Claims) -> bool {
        if self.multi_factor.is_empty() {
            return claims.texts("amr").contains(&"mfa");
        }
        claims.text("acr").is_some_and(|acr| self.multi_factor.iter().any(|value| value == acr))
    }

    /// Who signed in: whom the ID token makes known, with what userinfo says of them, if the issuer has such an endpoint.
    pub fn complete(
        &self,
        known: KnownByToken,
        userinfo: Option<&Userinfo<'_>>,
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<SignedIn, SignInRefused> {
        let said = match userinfo {
            Some(userinfo) => Some(self.check_userinfo(userinfo, &known.subject, keys, now)?),
            None if self.userinfo_algorithms.is_empty() => None,
            None => return Err(SignInRefused::Unsigned),
        };
        Ok(SignedIn {
            issuer: self.issuer.name.clone(),
            profile: Profile::of(said, &known.claims),
            subject: known.subject,
            acr: known.acr,
            is_multi_factor: known.is_multi_factor,
            authenticated_at: known.authenticated_at,
            id_token: known.id_token,
        })
    }
}

fn check_age(
    authenticated_at: Option<Timestamp>,
    expected: &Expected,
    now: Timestamp,
) -> Result<(), SignInRefused> {
    let Some(max_age) = expected.max_age else { return Ok(()) };
    let leeway = std::time::Duration::from_secs(LEEWAY_SECONDS.unsigned_abs());
    let is_young = |at: Timestamp| at.saturating_add(max_age).saturating_add(leeway) >= now;
    let is_past = |at: Timestamp| at <= now.saturating_add(leeway);
    let is_well = authenticated_at.is_some_and(|at| is_young(at) && is_past(at));
    if is_well { Ok(()) } else { Err(SignInRefused::TooLongAgo) }
}

/// A text that can be kept and shown.
fn usable(text: &str) -> Option<String> {
    let is_usable = !text.is_empty() && text.len() <= MAX_TEXT_BYTES && !text.contains(char::is_control);
    is_usable.then(|| text.to_owned())
}

impl Profile {
    /// What userinfo says, and the ID token where it says nothing. An address is verified by whoever tells it.
    fn of(userinfo: Option<&Claims>, id_token: &Claims) -> Self {
        let both = || userinfo.into_iter().chain([id_token]);
        let text = |name: &str| both().find_map(|claims| claims.text(name).and_then(usable));
        let address =
            |claims: &Claims| claims.text("email").and_then(usable).filter(|text| text.contains('@'));
        let mail = both().find_map(|claims| Some((address(claims)?, claims.is_true("email_verified"))));
        let (email, email_verified) =
            mail.map_or((None, false), |(email, is_verified)| (Some(email), is_verified));
        let is_siret = |text: &String| text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_digit());
        Self {
            email,
            email_verified,
            given_name: text("given_name"),
            usual_name: text("usual_name").or_else(|| text("family_name")),
            siret: text("siret").filter(is_siret),
        }
    }
}
