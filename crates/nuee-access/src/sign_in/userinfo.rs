//! What an issuer says of a person when it is asked with the access token
//! ([OpenID Connect Core](https://openid.net/specs/openid-connect-core-1_0.html#UserInfoResponse), section 5.3.2): plain
//! JSON, or a signed token.

use aws_lc_rs::constant_time;
use nuee_base::Timestamp;

use super::{RelyingParty, SignInRefused};
use crate::{
    json::Json,
    web_identity::{Claims, InvalidToken, Issuer, KeySet, Token, check_times},
};

/// The longest answer that is read, in bytes.
const MAX_BYTES: usize = 64 << 10;

/// An answer that was read, and is not believed yet.
#[derive(Debug)]
pub struct Userinfo<'a>(Form<'a>);

#[derive(Debug)]
enum Form<'a> {
    Plain(Claims),
    Signed(Token<'a>),
}

impl<'a> Userinfo<'a> {
    /// Reads the answer: a token where its type is `application/jwt`, and JSON where it is `application/json`.
    pub fn parse(content_type: &str, body: &'a [u8]) -> Result<Self, SignInRefused> {
        let malformed = |why: String| SignInRefused::Userinfo(InvalidToken::Malformed(why));
        if body.len() > MAX_BYTES {
            return Err(malformed(format!("it has more than {MAX_BYTES} bytes")));
        }
        let text = std::str::from_utf8(body).map_err(|_| malformed("it is not UTF-8".to_owned()))?;
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/jwt") {
            let token = Token::parse(text.trim_ascii()).map_err(SignInRefused::Userinfo)?;
            return Ok(Self(Form::Signed(token)));
        }
        if !media_type.eq_ignore_ascii_case("application/json") {
            return Err(malformed("it is neither application/json nor application/jwt".to_owned()));
        }
        match Json::parse(text) {
            Ok(Json::Object(members)) => Ok(Self(Form::Plain(Claims::new(members)))),
            Ok(other) => Err(malformed(format!("an object is expected, and it is {}", other.kind()))),
            Err(error) => Err(malformed(error.to_string())),
        }
    }

    /// The key that it says it is signed with.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        match &self.0 {
            Form::Plain(_) => None,
            Form::Signed(token) => token.key_id(),
        }
    }

    /// Whether it is signed, whoever did it.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        matches!(self.0, Form::Signed(_))
    }
}

impl RelyingParty {
    /// What it says, if it is signed as it must be, and of the person of the ID token.
    pub(super) fn check_userinfo<'u>(
        &self,
        userinfo: &'u Userinfo<'_>,
        subject: &str,
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<&'u Claims, SignInRefused> {
        let claims = match &userinfo.0 {
            Form::Plain(claims) if self.userinfo_algorithms.is_empty() => claims,
            Form::Plain(_) => return Err(SignInRefused::Unsigned),
            Form::Signed(token) => self.check_signed(token, keys, now).map_err(SignInRefused::Userinfo)?,
        };
        let said = claims.text("sub").unwrap_or_default();
        match constant_time::verify_slices_are_equal(said.as_bytes(), subject.as_bytes()) {
            Ok(()) => Ok(claims),
            Err(_) => Err(SignInRefused::OtherPerson),
        }
    }

    fn check_signed<'t>(
        &self,
        token: &'t Token<'_>,
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<&'t Claims, InvalidToken> {
        let algorithms = match self.userinfo_algorithms.is_empty() {
            true => &self.issuer.algorithms,
            false => &self.userinfo_algorithms,
        };
        if token.is_access_token() {
            return Err(InvalidToken::Refused("it is an access token (typ)".to_owned()));
        }
        Issuer { algorithms: algorithms.clone(), ..self.issuer.clone() }.believe(token, keys)?;
        let claims = token.claims();
        // It is an answer that was asked for just now: it may do without a time.
        if claims.has("exp") {
            check_times(claims, now)?;
        }
        if !claims.texts("aud").contains(&&*self.client_id) {
            return Err(InvalidToken::Refused("it is for others: aud is not the client id".to_owned()));
        }
        Ok(claims)
    }
}
