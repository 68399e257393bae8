//! Reading tokens: the [compact form](https://www.rfc-editor.org/rfc/rfc7515#section-3.1) of a signature, before anything
//! is believed.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use nuee_base::InvalidName;

use super::{Claims, InvalidToken};
use crate::json::Json;

/// The longest token, in bytes.
const MAX_BYTES: usize = 20_000;
/// The kinds of tokens that make somebody known. Others, such as those that end a session, are no credentials.
const TYPES: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];

macro_rules! algorithms {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// A way to sign, by its [name](https://www.rfc-editor.org/rfc/rfc7518#section-3.1). There is none with a shared
        /// secret, and none without a signature.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Algorithm { $($(#[$doc])* $name,)* }

        impl Algorithm {
            /// Its name in tokens.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }

        impl FromStr for Algorithm {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                match text {
                    $($text => Ok(Self::$name),)*
                    _ => Err(InvalidName::new("algorithm", text, concat!("expected one of" $(, " ", $text)*))),
                }
            }
        }
    };
}

algorithms! {
    /// RSA, PKCS #1, SHA-256.
    Rs256 => "RS256",
    /// RSA, PKCS #1, SHA-384.
    Rs384 => "RS384",
    /// RSA, PKCS #1, SHA-512.
    Rs512 => "RS512",
    /// RSA, PSS, SHA-256.
    Ps256 => "PS256",
    /// RSA, PSS, SHA-384.
    Ps384 => "PS384",
    /// RSA, PSS, SHA-512.
    Ps512 => "PS512",
    /// ECDSA on P-256, SHA-256.
    Es256 => "ES256",
    /// ECDSA on P-384, SHA-384.
    Es384 => "ES384",
    /// Ed25519.
    EdDsa => "EdDSA",
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A token that was read, and is not believed yet.
#[derive(Debug)]
pub struct Token<'t> {
    algorithm: Algorithm,
    key_id: Option<String>,
    is_for_access: bool,
    signed: &'t str,
    signature: Vec<u8>,
    claims: Claims,
    issuer: String,
}

fn malformed(why: impl Into<String>) -> InvalidToken {
    InvalidToken::Malformed(why.into())
}

impl<'t> Token<'t> {
    /// Reads a token.
    pub fn parse(text: &'t str) -> Result<Self, InvalidToken> {
        if text.len() > MAX_BYTES {
            return Err(malformed(format!("it has more than {MAX_BYTES} bytes")));
        }
        let mut parts = text.split('.');
        let (Some(head), Some(body), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed("it has not three parts: a signed token in the compact form is expected"));
        };
        let header = object(head, "header")?;
        let text_of = |name: &str| match header.iter().find(|(known, _)| known == name) {
            None => Ok(None),
            Some((_, Json::Text(text))) => Ok(Some(text.clone())),
            Some(_) => Err(malformed(format!("{name} of its header is no text"))),
        };
        // What must be understood and is not here makes another thing of the token.
        if let Some((name, _)) =
            header.iter().find(|(name, _)| matches!(&**name, "crit" | "b64" | "zip" | "enc"))
        {
            return Err(malformed(format!("its header has {name}, which is not offered")));
        }
        let kind = text_of("typ")?.map(|kind| kind.to_ascii_lowercase());
        if kind.as_ref().is_some_and(|kind| !TYPES.contains(&&**kind)) {
            return Err(malformed("it is a token of another kind (typ)"));
        }
        let algorithm = text_of("alg")?.ok_or_else(|| malformed("its header has no alg"))?;
        let algorithm = algorithm.parse().map_err(|_| malformed("its alg is not accepted"))?;
        let claims = Claims::new(object(body, "body")?);
        let issuer = claims.text("iss").ok_or_else(|| malformed("it has no iss"))?.to_owned();
        Ok(Self {
            algorithm,
            key_id: text_of("kid")?,
            is_for_access: kind.is_some_and(|kind| kind.ends_with("at+jwt")),
            signed: &text[..head.len() + 1 + body.len()],
            signature: bytes(signature, "signature")?,
            claims,
            issuer,
        })
    }

    /// Who it says has given it: to find the issuer that can tell.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The key that it says it is signed with.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Whether it is for access to something ([RFC 9068](https://www.rfc-editor.org/rfc/rfc9068#section-2.1)), and so
    /// tells nobody who somebody is.
    pub(crate) fn is_access_token(&self) -> bool {
        self.is_for_access
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) fn claims(&self) -> &Claims {
        &self.claims
    }

    pub(super) fn signed(&self) -> &[u8] {
        self.signed.as_bytes()
    }

    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }
}

fn bytes(part: &str, what: &str) -> Result<Vec<u8>, InvalidToken> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed(format!("its {what} is not base64url")))
}

fn object(part: &str, what: &str) -> Result<Vec<(String, Json)>, InvalidToken> {
    let text =
        String::from_utf8(bytes(part, what)?).map_err(|_| malformed(format!("its {what} is not UTF-8")))?;
    match Json::parse(&text) {
        Ok(Json::Object(members)) => Ok(members),
        Ok(_) => Err(malformed(format!("its {what} is no JSON object"))),
        Err(error) => Err(malformed(format!("its {what}: {error}"))),
    }
}
