//! Comparisons that Cedar has no words for, made before it is asked.

use super::{facts::Asked, key::ConditionKey, operator::Quantifier, pattern::Pattern};

/// What is compared.
#[derive(Debug)]
pub(super) enum Subject {
    /// `bucket` or `bucket/key`.
    Resource,
    /// The value of a key.
    Key(ConditionKey),
}

/// A comparison that is made beforehand.
#[derive(Debug)]
pub(super) enum Computed {
    /// Compares with nothing.
    Never,
    /// The subject matches a pattern; with `fold`, in any case.
    Like { subject: Subject, pattern: Pattern, fold: bool },
    /// The six parts of the key's value match.
    Arn { key: ConditionKey, parts: [Pattern; 6] },
    /// Some or all values of the key match some pattern; negated, each of these matches none.
    Several { key: ConditionKey, quantifier: Quantifier, negated: bool, fold: bool, patterns: Vec<Pattern> },
}

impl Computed {
    /// The keys that its variables look at.
    pub(super) fn keys(&self) -> impl Iterator<Item = &ConditionKey> {
        let patterns = match self {
            Self::Never => &[],
            Self::Like { pattern, .. } => std::slice::from_ref(pattern),
            Self::Arn { parts, .. } => parts.as_slice(),
            Self::Several { patterns, .. } => patterns.as_slice(),
        };
        patterns.iter().flat_map(Pattern::variables)
    }

    /// Whether it holds for this question.
    pub(super) fn holds(&self, asked: &Asked<'_>) -> bool {
        let matches = |pattern: &Pattern, text: &str, fold| pattern.matches(text, fold, |key| asked.one(key));
        match self {
            Self::Never => false,
            Self::Like { subject: Subject::Resource, pattern, fold } => {
                matches(pattern, &asked.resource(), *fold)
            }
            Self::Like { subject: Subject::Key(key), pattern, fold } => {
                asked.one(key).is_some_and(|value| matches(pattern, &value, *fold))
            }
            Self::Arn { key, parts } => asked.one(key).is_some_and(|value| {
                let values: Vec<&str> = value.splitn(6, ':').collect();
                values.len() == parts.len()
                    && parts.iter().zip(values).all(|(pattern, value)| matches(pattern, value, false))
            }),
            Self::Several { key, quantifier, negated, fold, patterns } => {
                let values = asked.several(key);
                let mut stands = values
                    .iter()
                    .map(|value| patterns.iter().any(|pattern| matches(pattern, value, *fold)) != *negated);
                match quantifier {
                    Quantifier::ForAnyValue => stands.any(|stands| stands),
                    Quantifier::ForAllValues => stands.all(|stands| stands),
                }
            }
        }
    }
}
