//! The policy of an upload by form: what its signer lets the holder of the form send
//! ([S3's description](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html)).
//!
//! Promised: every condition holds, and every field of the form is named by one, or the upload is refused; whatever is
//! not understood is refused. Names of fields are compared in lower case, values after `${filename}` was put in.

use nuee_base::Timestamp;
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::Fields;
use crate::Refusal;

/// The most conditions of a policy.
const MAX_CONDITIONS: usize = 200;

/// What a policy lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Policy {
    expires_at: OffsetDateTime,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition {
    Equals(String, String),
    StartsWith(String, String),
    Length { least: u64, most: u64 },
}

/// Fields that no condition needs to name: they prove the policy, say what the address says, or are said to be ignored.
fn is_free(name: &str) -> bool {
    matches!(name, "policy" | "x-amz-signature" | "file" | "bucket") || name.starts_with("x-ignore-")
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::invalid_policy(format!("Invalid Policy: {}", message.into()))
}

fn broken(message: impl Into<String>) -> Refusal {
    Refusal::access_denied(format!("Invalid according to Policy: {}", message.into()))
}

impl Policy {
    /// Reads the JSON of a policy.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Refusal> {
        let value: Value = serde_json::from_slice(text).map_err(|_| invalid("Invalid JSON."))?;
        let Value::Object(members) = value else { return Err(invalid("it is no object.")) };
        if let Some(other) =
            members.keys().find(|name| !["expiration", "conditions"].contains(&name.as_str()))
        {
            return Err(invalid(format!("Unexpected: '{other}'.")));
        }
        let expires_at = members.get("expiration").and_then(Value::as_str);
        let expires_at = expires_at.ok_or_else(|| invalid("Policy missing expiration."))?;
        let expires_at = OffsetDateTime::parse(expires_at, &Rfc3339)
            .map_err(|_| invalid(format!("Invalid 'expiration' value: '{expires_at}'")))?;
        let Some(Value::Array(conditions)) = members.get("conditions") else {
            return Err(invalid("Policy missing conditions."));
        };
        if conditions.len() > MAX_CONDITIONS {
            return Err(invalid(format!("it has more than {MAX_CONDITIONS} conditions.")));
        }
        let conditions = conditions.iter().map(Condition::read).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { expires_at, conditions })
    }

    /// Holds the fields of a form against the policy, and gives the least and the greatest length of the file.
    pub(super) fn check(&self, fields: &Fields, now: Timestamp) -> Result<(u64, u64), Refusal> {
        if self.expires_at <= now.to_date_time() {
            return Err(broken("Policy expired."));
        }
        let (mut least, mut most) = (0, u64::MAX);
        for condition in &self.conditions {
            match condition {
                Condition::Length { least: from, most: to } => {
                    (least, most) = (least.max(*from), most.min(*to));
                }
                _ if condition.holds(fields) => {}
                _ => return Err(broken(format!("Policy Condition failed: {condition}"))),
            }
        }
        let named = |name: &str| self.conditions.iter().any(|condition| condition.field() == Some(name));
        match fields.names().find(|name| !is_free(name) && !named(name)) {
            Some(extra) => Err(broken(format!("Extra input fields: {extra}"))),
            None => Ok((least, most)),
        }
    }
}

impl Condition {
    fn read(value: &Value) -> Result<Self, Refusal> {
        let malformed = || invalid(format!("Invalid condition: {value}"));
        match value {
            Value::Object(members) => {
                let mut members = members.iter();
                let (Some((name, Value::String(text))), None) = (members.next(), members.next()) else {
                    return Err(invalid(format!("Invalid Simple-Condition: {value}")));
                };
                Ok(Self::Equals(name.to_ascii_lowercase(), text.clone()))
            }
            Value::Array(parts) => match &parts[..] {
                [Value::String(operator), Value::String(field), Value::String(text)] => {
                    let field = field.strip_prefix('$').ok_or_else(malformed)?.to_ascii_lowercase();
                    match operator.to_ascii_lowercase().as_str() {
                        "eq" => Ok(Self::Equals(field, text.clone())),
                        "starts-with" => Ok(Self::StartsWith(field, text.clone())),
                        _ => Err(malformed()),
                    }
                }
                [Value::String(operator), from, to] if operator == "content-length-range" => {
                    let (least, most) = (number(from), number(to));
                    let (least, most) =
                        least.zip(most).filter(|(least, most)| least <= most).ok_or_else(malformed)?;
                    Ok(Self::Length { least, most })
                }
                _ => Err(malformed()),
            },
            _ => Err(malformed()),
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::Equals(field, _) | Self::StartsWith(field, _) => Some(field),
            Self::Length { .. } => None,
        }
    }

    fn holds(&self, fields: &Fields) -> bool {
        match self {
            Self::Equals(field, text) => fields.get(field) == Some(text),
            Self::StartsWith(field, prefix) => match fields.get(field) {
                // A list of content types begins as the condition says in each of its members.
                Some(value) if field == "content-type" => {
                    value.split(',').all(|part| part.trim_start().starts_with(prefix))
                }
                Some(value) => value.starts_with(prefix),
                None => false,
            },
            Self::Length { .. } => true,
        }
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Equals(field, text) => write!(f, "[\"eq\", \"${field}\", \"{text}\"]"),
            Self::StartsWith(field, text) => write!(f, "[\"starts-with\", \"${field}\", \"{text}\"]"),
            Self::Length { least, most } => write!(f, "[\"content-length-range\", {least}, {most}]"),
        }
    }
}

/// A number, or one that was written as a text.
fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn policy(conditions: &str) -> Result<Policy, Refusal> {
        let text =
            format!("{{\"expiration\": \"2030-01-01T00:00:00.000Z\", \"conditions\": [{conditions}]}}");
        Policy::parse(text.as_bytes())
    }

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in pairs {
            fields.insert(name, (*value).to_owned()).unwrap();
        }
        fields
    }

    const CONDITIONS: &str = r#"{"bucket": "papers"}, ["starts-with", "$Key", "user/"], ["eq", "$acl", "private"],
        ["starts-with", "$content-type", "image/"], ["content-length-range", 1, "10"]"#;
    const FORM: &[(&str, &str)] = &[
        ("bucket", "papers"),
        ("key", "user/a"),
        ("acl", "private"),
        ("Content-Type", "image/png,image/jpeg"),
    ];

    #[test]
    fn every_condition_and_every_field_counts() {
        let policy = policy(CONDITIONS).unwrap();
        assert_eq!(policy.check(&fields(FORM), NOW), Ok((1, 10)));
        let free = [FORM, &[("x-ignore-this", "a"), ("policy", "p"), ("x-amz-signature", "s")]].concat();
        assert!(policy.check(&fields(&free), NOW).is_ok());
        for (index, (name, value)) in FORM.iter().enumerate() {
            let mut other = FORM.to_vec();
            other[index] = (name, "other");
            assert!(policy.check(&fields(&other), NOW).is_err(), "{name} is another than {value}");
            other.remove(index);
            assert!(policy.check(&fields(&other), NOW).is_err(), "{name} is missing");
        }
        let extra = [FORM, &[("x-amz-meta-a", "b")]].concat();
        assert!(policy.check(&fields(&extra), NOW).is_err());
        let late = Timestamp::from_micros(1_900_000_000_000_000);
        assert!(policy.check(&fields(FORM), late).is_err());
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for bad in [
            "5",
            "{}",
            r#"{"a": "b", "c": "d"}"#,
            r#"{"a": 1}"#,
            r#"["eq", "key", "a"]"#,
            r#"["ends-with", "$key", "a"]"#,
            r#"["eq", "$key"]"#,
            r#"["content-length-range", 10, 1]"#,
            r#"["content-length-range", -1, 1]"#,
            r#"["content-length-range", 1]"#,
        ] {
            assert!(policy(bad).is_err(), "{bad}");
        }
        for bad in ["", "[]", "{}", r#"{"expiration": "2030-01-01T00:00:00Z"}"#, r#"{"conditions": []}"#] {
            assert!(Policy::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let more = r#"{"expiration": "2030-01-01T00:00:00Z", "conditions": [], "more": 1}"#;
        assert!(Policy::parse(more.as_bytes()).is_err());
        assert!(policy(&vec!["{\"a\": \"b\"}"; 201].join(",")).is_err());
    }
}
