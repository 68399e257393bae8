//! One condition of a statement: an operator, a key, and the values that it compares with.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{
    key::ConditionKey,
    operator::{Comparison, Operator},
    pattern::{Dialect, Pattern},
    value,
};
use crate::json::Json;

/// A condition, checked. The values are kept as they are written.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) operator: Operator,
    pub(super) key: ConditionKey,
    pub(super) values: Vec<String>,
}

/// A headline in AWS's words, and what exactly is wrong.
pub(super) type Wrong = (&'static str, String);

impl Condition {
    /// Reads a condition and checks that its values are such as its operator compares.
    pub(super) fn parse(operator: &str, key: &str, values: Json, variables: bool) -> Result<Self, Wrong> {
        let invalid = |why| ("Policy has an invalid condition operator", why);
        let parsed = Operator::parse(operator).map_err(invalid)?;
        let key = ConditionKey::parse(key)
            .map_err(|error| ("Policy has an invalid condition key", error.to_string()))?;
        if key.is_multivalued() && parsed.comparison != Comparison::Null {
            if parsed.quantifier.is_none() {
                let why = format!(
                    "{key} has several values: write ForAnyValue:{operator} or ForAllValues:{operator}"
                );
                return Err(invalid(why));
            }
            if !parsed.is_textual() {
                return Err(invalid(format!("{key} has texts, which {operator} does not compare")));
            }
        }
        let condition = Self { operator: parsed, key, values: texts(values)? };
        for text in &condition.values {
            condition.check(text, variables).map_err(|why| {
                ("Policy has an invalid value in a condition", format!("{operator} {}: {why}", condition.key))
            })?;
        }
        Ok(condition)
    }

    /// Reads a value as a pattern.
    pub(super) fn pattern(&self, text: &str, variables: bool) -> Result<Pattern, String> {
        let wildcards = self.operator.takes_wildcards();
        Pattern::parse(text, Dialect { wildcards, variables })
    }

    fn check(&self, text: &str, variables: bool) -> Result<(), String> {
        let expected = |found: bool, what: &str| {
            if found { Ok(()) } else { Err(format!("{text:?} is not {what}")) }
        };
        match self.operator.comparison {
            Comparison::StringEquals | Comparison::StringEqualsIgnoreCase | Comparison::StringLike => {
                self.pattern(text, variables).map(drop)
            }
            Comparison::Arn => expected(
                self.pattern(text, variables)?.split_arn().is_some(),
                "an ARN, which has six parts between colons",
            ),
            Comparison::Numeric(_) => expected(
                value::policy_number(text).is_some(),
                "a number of at most 15 digits, with at most 4 decimals",
            ),
            Comparison::Date(_) => expected(
                value::instant(text).is_some(),
                "a date of ISO 8601 such as 2026-01-31T23:59:59Z, or seconds since 1970",
            ),
            Comparison::Bool | Comparison::Null => {
                let is_bool = text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
                expected(is_bool, "true or false")
            }
            Comparison::Binary => expected(BASE64_STANDARD.decode(text).is_ok(), "base64"),
            Comparison::IpAddress => expected(
                value::Network::parse(text).is_some(),
                "an address or a range of addresses such as 192.0.2.0/24",
            ),
        }
    }
}

fn texts(values: Json) -> Result<Vec<String>, Wrong> {
    let list = match values {
        Json::List(list) => list,
        one => vec![one],
    };
    let wrong = |why: &str| ("Policy has an invalid value in a condition", why.to_owned());
    if list.is_empty() {
        return Err(wrong("a list of values is empty: write at least one"));
    }
    let text = |value| match value {
        Json::Text(text) | Json::Number(text) => Ok(text),
        Json::Bool(value) => Ok(value.to_string()),
        other => Err(wrong(&format!("{} is no value", other.kind()))),
    };
    list.into_iter().map(text).collect()
}
