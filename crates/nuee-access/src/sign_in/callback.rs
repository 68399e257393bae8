//! What a browser brings back from an issuer
//! ([RFC 6749](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2), section 4.1.2), and what issuers say when they refuse.

use std::fmt;

use nuee_base::Secret;
use serde::Deserialize;

/// The longest query that is read, in bytes.
const MAX_QUERY_BYTES: usize = 8 << 10;
/// The longest text of an issuer that is told, in characters.
const MAX_TOLD: usize = 200;

/// What came back.
#[derive(Debug, Clone)]
pub struct Callback {
    /// What tells which request it answers.
    pub state: Secret,
    /// Who says that it answers ([RFC 9207](https://www.rfc-editor.org/rfc/rfc9207)).
    pub issuer: Option<String>,
    /// The code, or why there is none.
    pub outcome: Result<Secret, IssuerSays>,
}

/// Why a query is no answer of an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no answer of an issuer: {0}; sign in again from the beginning")]
pub struct MalformedCallback(&'static str);

/// What an issuer says when it refuses: a code of RFC 6749, RFC 6750 or OpenID Connect, and perhaps a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerSays {
    /// The code.
    pub error: String,
    /// The sentence.
    pub description: Option<String>,
}

#[derive(Deserialize)]
struct Document {
    error: String,
    error_description: Option<String>,
}

impl Callback {
    /// Reads the query of the request that a browser comes back with.
    pub fn parse(query: &str) -> Result<Self, MalformedCallback> {
        if query.len() > MAX_QUERY_BYTES {
            return Err(MalformedCallback("it is too long"));
        }
        let one = |name: &str| {
            let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(known, _)| known == name);
            match (values.next(), values.next()) {
                (_, Some(_)) => Err(MalformedCallback("it says something twice")),
                (value, None) => {
                    Ok(value.map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty()))
                }
            }
        };
        let state = one("state")?.ok_or(MalformedCallback("it has no state"))?;
        let outcome = match (one("code")?, one("error")?) {
            (Some(code), None) => Ok(Secret::new(code)),
            (None, Some(error)) => Err(IssuerSays::new(&error, one("error_description")?.as_deref())),
            (None, None) => return Err(MalformedCallback("it has neither a code nor an error")),
            (Some(_), Some(_)) => return Err(MalformedCallback("it has both a code and an error")),
        };
        Ok(Self { state: Secret::new(state), issuer: one("iss")?, outcome })
    }
}

impl IssuerSays {
    fn new(error: &str, description: Option<&str>) -> Self {
        // Texts of others are shown to people: nothing in them ends a line or changes its direction.
        let told = |text: &str| {
            let plain = |c: char| c.is_alphanumeric() || c == ' ' || c.is_ascii_punctuation();
            text.chars().take(MAX_TOLD).map(|c| if plain(c) { c } else { ' ' }).collect::<String>()
        };
        Self { error: told(error), description: description.map(told).filter(|text| !text.trim().is_empty()) }
    }

    /// What the token endpoint says in its body ([RFC 6749](https://www.rfc-editor.org/rfc/rfc6749#section-5.2), section
    /// 5.2), if it says something.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(body).ok()?;
        Some(Self::new(&document.error, document.error_description.as_deref()))
    }

    /// What the code means, in words.
    fn meaning(&self) -> Option<&'static str> {
        Some(match &*self.error {
            "access_denied" => "the person or the issuer did not agree",
            "login_required" | "interaction_required" | "account_selection_required" | "consent_required" => {
                "nobody is signed in there, or something must be asked first"
            }
            "unmet_authentication_requirements" => "the authentication that was demanded could not be had",
            "invalid_client" | "unauthorized_client" => {
                "client_id or client_secret_file is not what it has registered"
            }
            "invalid_grant" => "the code was used, is too old, or was given for another redirect URI",
            "invalid_scope" => "it has not registered one of the scopes",
            "invalid_request" | "unsupported_response_type" => "it does not take a parameter that was sent",
            "server_error" | "temporarily_unavailable" => "it cannot answer at present: try again later",
            _ => return None,
        })
    }
}

impl fmt::Display for IssuerSays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the issuer answers {}", self.error)?;
        if let Some(meaning) = self.meaning() {
            write!(f, ": {meaning}")?;
        }
        match &self.description {
            Some(description) => write!(f, " ({description})"),
            None => Ok(()),
        }
    }
}
