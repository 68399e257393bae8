//! What a token says of somebody, what roles ask of it, and what policies take from it.

use std::{fmt, str::FromStr};

use nuee_base::InvalidName;

use crate::json::Json;

/// How a variable of a policy that stands for a claim begins.
const VARIABLE: &str = "${jwt:";
/// The longest value that a policy takes from a claim, in bytes.
const MAX_VALUE_BYTES: usize = 128;

/// The claims of a token.
#[derive(Debug, Clone)]
pub struct Claims(Vec<(String, Json)>);

/// A claim that a policy names cannot stand in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the claim {0} cannot stand in the role's policy: it must be a text of letters, digits and ._@+=- of at most \
     {MAX_VALUE_BYTES} bytes"
)]
pub struct UnusableClaim(String);

impl Claims {
    pub(crate) fn new(members: Vec<(String, Json)>) -> Self {
        Self(members)
    }

    /// The claim of this name or, if there is none, at this path of names with dots between them.
    fn find(&self, path: &str) -> Option<&Json> {
        fn within<'j>(members: &'j [(String, Json)], path: &str) -> Option<&'j Json> {
            if let Some((_, value)) = members.iter().find(|(name, _)| name == path) {
                return Some(value);
            }
            let (name, rest) = path.split_once('.')?;
            match members.iter().find(|(known, _)| known == name) {
                Some((_, Json::Object(inner))) => within(inner, rest),
                _ => None,
            }
        }
        within(&self.0, path)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// A claim that is a text.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        match self.find(path)? {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether a claim is true, and neither a text nor a number that stands for it.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        matches!(self.find(name), Some(Json::Bool(true)))
    }

    /// The texts of a claim that is a text or a list of texts; none if it is something else.
    pub(crate) fn texts(&self, path: &str) -> Vec<&str> {
        let list = match self.find(path) {
            Some(Json::List(list)) => list.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        let mut texts = Vec::with_capacity(list.len());
        for value in list {
            let Json::Text(text) = value else { return Vec::new() };
            texts.push(text.as_str());
        }
        texts
    }

    /// A claim that is an instant, in seconds since 1970.
    pub(crate) fn seconds(&self, name: &str) -> Option<i64> {
        let Json::Number(number) = self.find(name)? else { return None };
        let whole = number.split(['.', 'e', 'E']).next()?;
        let fraction = &number[whole.len()..];
        (!fraction.contains(['e', 'E'])).then(|| whole.parse().ok()).flatten()
    }

    /// A role's policy, with these claims in the place of its variables `${jwt:CLAIM}`. A value can only be such that it
    /// stays within one name of a bucket and one piece of a key, and adds no wildcard.
    pub fn fill_in(&self, policy: &str) -> Result<String, UnusableClaim> {
        fill_in(policy, |path| {
            let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"._@+=-".contains(&byte);
            let text = self.text(path).filter(|text| (1..=MAX_VALUE_BYTES).contains(&text.len()));
            text.filter(|text| text.bytes().all(harmless)).map(str::to_owned)
        })
    }

    /// The same policy for nobody in particular, so that it can be checked.
    pub fn fill_in_for_nobody(policy: &str) -> Result<String, UnusableClaim> {
        fill_in(policy, |path| (!path.is_empty()).then(|| "x".to_owned()))
    }
}

fn fill_in(policy: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, UnusableClaim> {
    let mut filled = String::with_capacity(policy.len());
    let mut rest = policy;
    while let Some((before, variable)) = rest.split_once(VARIABLE) {
        filled.push_str(before);
        let short = || UnusableClaim(variable.chars().take(40).collect());
        let (path, after) = variable.split_once('}').ok_or_else(short)?;
        filled.push_str(&value(path).ok_or_else(|| UnusableClaim(path.to_owned()))?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// How a claim is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// It is this text.
    Equals,
    /// It is a list with this text in it.
    Contains,
}

/// What a role asks of a claim: `CLAIM=VALUE`, or `CLAIM contains VALUE`. Values between bars are alternatives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimCondition {
    /// The name of the claim, or its path with dots.
    pub claim: String,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what: one of these.
    pub values: Vec<String>,
}

impl ClaimCondition {
    /// Whether these claims are such.
    #[must_use]
    pub fn holds(&self, claims: &Claims) -> bool {
        let wanted = |text: &&str| self.values.iter().any(|value| value == *text);
        match (self.comparison, claims.find(&self.claim)) {
            (Comparison::Equals, Some(Json::Text(text))) => wanted(&text.as_str()),
            (Comparison::Equals, Some(Json::Bool(value))) => wanted(&value.to_string().as_str()),
            (Comparison::Contains, Some(Json::List(_))) => claims.texts(&self.claim).iter().any(wanted),
            _ => false,
        }
    }
}

impl fmt::Display for ClaimCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let comparison = match self.comparison {
            Comparison::Equals => "=",
            Comparison::Contains => " contains ",
        };
        write!(f, "{}{comparison}{}", self.claim, self.values.join("|"))
    }
}

impl FromStr for ClaimCondition {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let (claim, values, comparison) = match (text.split_once(" contains "), text.split_once('=')) {
            (Some((claim, values)), _) => (claim, values, Comparison::Contains),
            (None, Some((claim, values))) => (claim, values, Comparison::Equals),
            (None, None) => ("", "", Comparison::Equals),
        };
        let values: Vec<String> = values.split('|').map(|value| value.trim().to_owned()).collect();
        let claim = claim.trim().to_owned();
        if claim.is_empty() || values.iter().any(String::is_empty) {
            let expected = "expected CLAIM=VALUE or 'CLAIM contains VALUE', where VALUE may be A|B";
            return Err(InvalidName::new("condition on a claim", text, expected));
        }
        Ok(Self { claim, comparison, values })
    }
}
