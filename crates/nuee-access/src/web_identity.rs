//! Who somebody is, by a token of an issuer of the web: [JSON Web Tokens](https://www.rfc-editor.org/rfc/rfc7519), signed,
//! as providers of [OpenID Connect](https://openid.net/specs/openid-connect-core-1_0.html) give them.
//!
//! A [`Token`] is read, and tells whose it claims to be; an [`Issuer`] of the settings checks it with the [`KeySet`] that
//! it publishes, and gives an [`Identity`], which nothing else makes. For example, a data lab's page sends the access
//! token of its user, and the identity has the claim `preferred_username`.
//!
//! Promised: the algorithms are those of the settings, and a key serves for its own kind alone, so a token cannot choose;
//! keys that a token brings along are not looked at; what is written twice, too large, of another issuer, for others, too
//! old or too young is refused ([RFC 8725](https://www.rfc-editor.org/rfc/rfc8725)).
//!
//! Deliberately absent: encrypted tokens, shared secrets, fetching of keys, and what an identity may do.

mod claims;
mod keys;
mod token;

use nuee_base::{ErrorKind, Slug, Timestamp};

pub use claims::{ClaimCondition, Claims, Comparison as ClaimComparison, UnusableClaim};
pub use keys::{InvalidKeys, KeySet};
pub use token::{Algorithm, Token};

/// How far the clocks of issuers may be off, in seconds.
pub(crate) const LEEWAY_SECONDS: i64 = 60;
/// The longest subject, in bytes, as at OpenID Connect.
const MAX_SUBJECT_BYTES: usize = 255;

/// An issuer whose tokens are accepted.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// Its name in the settings.
    pub name: Slug,
    /// What tokens call it, letter by letter.
    pub url: String,
    /// For whom tokens must be, or through whom they must have been asked for.
    pub audiences: Vec<String>,
    /// How tokens may be signed.
    pub algorithms: Vec<Algorithm>,
}

/// Somebody whom an issuer knows. Made by [`Issuer::verify`] alone.
#[derive(Debug, Clone)]
pub struct Identity {
    issuer: Slug,
    subject: String,
    claims: Claims,
}

impl Identity {
    /// The issuer's name in the settings.
    #[must_use]
    pub fn issuer(&self) -> &Slug {
        &self.issuer
    }

    /// Who that is to the issuer.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What the issuer says of them.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// Why a token makes nobody known. Fit for whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// It cannot be read, or is not such as is accepted.
    #[error("the token is malformed: {0}")]
    Malformed(String),
    /// No issuer of the settings has given it.
    #[error("no issuer that is known here has given the token")]
    UnknownIssuer,
    /// Its signature is not that of the issuer.
    #[error("the token's signature is not that of a key of its issuer")]
    Signature,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// What it says is refused.
    #[error("the token is refused: {0}")]
    Refused(String),
}

impl InvalidToken {
    /// Always [`ErrorKind::Denied`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Denied
    }
}

impl Issuer {
    /// Who has sent a token of this issuer, which publishes these keys.
    pub fn verify(&self, token: &Token<'_>, keys: &KeySet, now: Timestamp) -> Result<Identity, InvalidToken> {
        self.believe(token, keys)?;
        let claims = token.claims();
        check_times(claims, now)?;
        self.check_audience(claims)?;
        let subject = claims.text("sub").filter(|subject| !subject.is_empty());
        let subject = subject.filter(|it| it.len() <= MAX_SUBJECT_BYTES && !it.contains(char::is_control));
        let subject = subject.ok_or_else(|| InvalidToken::Refused("it has no usable sub".to_owned()))?;
        Ok(Identity { issuer: self.name.clone(), subject: subject.to_owned(), claims: claims.clone() })
    }

    /// That a token is of this issuer, and signed as it may be.
    pub(crate) fn believe(&self, token: &Token<'_>, keys: &KeySet) -> Result<(), InvalidToken> {
        if token.issuer() != self.url {
            return Err(InvalidToken::UnknownIssuer);
        }
        if !self.algorithms.contains(&token.algorithm()) {
            let message = format!("tokens of this issuer are not signed with {}", token.algorithm());
            return Err(InvalidToken::Refused(message));
        }
        if !keys.have_signed(token) {
            return Err(InvalidToken::Signature);
        }
        Ok(())
    }

    fn check_audience(&self, claims: &Claims) -> Result<(), InvalidToken> {
        let named = |text: &str| self.audiences.iter().any(|audience| audience == text);
        let audiences = claims.texts("aud");
        let through = claims.text("azp");
        if audiences.iter().any(|text| named(text)) || through.is_some_and(named) {
            return Ok(());
        }
        Err(InvalidToken::Refused(
            "it is for others: neither aud nor azp is an audience of the settings".into(),
        ))
    }
}

/// That a token is neither too old nor too young.
pub(crate) fn check_times(claims: &Claims, now: Timestamp) -> Result<(), InvalidToken> {
    let now = now.as_micros().div_euclid(1_000_000);
    let instant = |name: &str| {
        let wrong = || InvalidToken::Refused(format!("its {name} is no time"));
        claims.has(name).then(|| claims.seconds(name).ok_or_else(wrong)).transpose()
    };
    let expires = instant("exp")?.ok_or_else(|| InvalidToken::Refused("it has no exp".to_owned()))?;
    if expires.saturating_add(LEEWAY_SECONDS) <= now {
        return Err(InvalidToken::Expired);
    }
    let latest = now.saturating_add(LEEWAY_SECONDS);
    for name in ["nbf", "iat"] {
        if instant(name)?.is_some_and(|at| at > latest) {
            return Err(InvalidToken::Refused(format!("its {name} lies ahead: compare the clocks")));
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
