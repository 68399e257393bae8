//! The keys that an issuer publishes: a [JSON Web Key Set](https://www.rfc-editor.org/rfc/rfc7517#section-5).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

use super::token::{Algorithm, Token};

/// The most keys of a set.
const MAX_KEYS: usize = 64;

/// Public keys of an issuer, as far as they can check signatures.
#[derive(Debug, Clone, Default)]
pub struct KeySet(Vec<Key>);

/// Why a document is no set of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the issuer's keys cannot be read: {0}")]
pub struct InvalidKeys(String);

#[derive(Debug, Clone)]
struct Key {
    id: Option<String>,
    algorithm: Option<String>,
    public: Public,
}

#[derive(Debug, Clone)]
enum Public {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// A point, not compressed.
    P256(Vec<u8>),
    /// A point, not compressed.
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

/// A key as it is written. Members that are not here say nothing of how it checks signatures.
#[derive(Deserialize)]
struct Written {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set of at most 64 keys. Those that are for other purposes or of other kinds are left out.
    pub fn parse(document: &[u8]) -> Result<Self, InvalidKeys> {
        let document: Document =
            serde_json::from_slice(document).map_err(|error| InvalidKeys(error.to_string()))?;
        if document.keys.len() > MAX_KEYS {
            return Err(InvalidKeys(format!("there are more than {MAX_KEYS}")));
        }
        let usable = document.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        Ok(Self(usable.filter_map(Key::of).collect()))
    }

    /// Whether it has a key of this id.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id.as_deref() == Some(id))
    }

    /// Whether one of the keys that the token may mean has signed it.
    pub(super) fn have_signed(&self, token: &Token<'_>) -> bool {
        let meant = |key: &&Key| {
            let named = token.key_id().is_none_or(|id| key.id.as_deref() == Some(id));
            named && key.algorithm.as_deref().is_none_or(|name| name == token.algorithm().as_str())
        };
        self.0.iter().filter(meant).any(|key| key.public.has_signed(token))
    }
}

impl Key {
    fn of(written: Written) -> Option<Self> {
        let verifies = written.key_ops.is_none_or(|operations| operations.iter().any(|it| it == "verify"));
        if !verifies || written.purpose.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        let public = match (&*written.kty, written.crv.as_deref()) {
            ("RSA", _) => Public::Rsa { modulus: bytes(written.n)?, exponent: bytes(written.e)? },
            ("EC", Some("P-256")) => Public::P256(point(bytes(written.x)?, bytes(written.y)?, 32)?),
            ("EC", Some("P-384")) => Public::P384(point(bytes(written.x)?, bytes(written.y)?, 48)?),
            ("OKP", Some("Ed25519")) => Public::Ed25519(bytes(written.x)?),
            _ => return None,
        };
        Some(Self { id: written.kid, algorithm: written.alg, public })
    }
}

fn point(x: Vec<u8>, y: Vec<u8>, length: usize) -> Option<Vec<u8>> {
    (x.len() == length && y.len() == length).then(|| [vec![4], x, y].concat())
}

impl Public {
    /// Whether it has signed the token. A key of one kind never serves for an algorithm of another.
    fn has_signed(&self, token: &Token<'_>) -> bool {
        let (message, signature) = (token.signed(), token.signature());
        let checked = match (self, token.algorithm()) {
            (Self::Rsa { modulus, exponent }, algorithm) => {
                let parameters = match algorithm {
                    Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
                    Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
                    Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
                    Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
                    Algorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
                    Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => return false,
                };
                RsaPublicKeyComponents { n: modulus, e: exponent }.verify(parameters, message, signature)
            }
            (Self::P256(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            (Self::P384(point), Algorithm::Es384) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message, signature)
            }
            (Self::Ed25519(key), Algorithm::EdDsa) => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature)
            }
            (Self::P256(_) | Self::P384(_) | Self::Ed25519(_), _) => return false,
        };
        checked.is_ok()
    }
}
