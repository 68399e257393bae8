//! What compiled statements look at in Cedar's context: a condition key, in the form that an operator compares.

use std::borrow::Cow;

use cedar_policy::RestrictedExpression;

use super::{facts::Asked, key::ConditionKey, value};

/// In which form a key's value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is.
    Text,
    /// In lower case.
    Folded,
    /// In ten-thousandths.
    Number,
    /// In microseconds since 1970.
    Instant,
    Address,
    /// Its six parts.
    Arn,
    /// The values of a key of several.
    Texts,
    /// These in lower case.
    FoldedTexts,
}

impl Form {
    /// Whether a value can be there without having this form.
    pub(super) fn can_fail(self) -> bool {
        matches!(self, Self::Number | Self::Instant | Self::Address | Self::Arn)
    }
}

/// An attribute of the context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) key: ConditionKey,
    pub(super) form: Form,
}

impl Attribute {
    /// Its name in the context.
    pub(super) fn name(&self) -> String {
        let form = match self.form {
            Form::Text | Form::Texts => return self.key.to_string(),
            Form::Folded | Form::FoldedTexts => "in lower case",
            Form::Number => "as a number",
            Form::Instant => "as an instant",
            Form::Address => "as an address",
            Form::Arn => "as an ARN",
        };
        format!("{form}: {}", self.key)
    }

    /// Its type in the schema.
    pub(super) fn type_name(&self) -> &'static str {
        match self.form {
            Form::Text | Form::Folded => "String",
            Form::Number | Form::Instant => "Long",
            Form::Address => "ipaddr",
            Form::Arn => {
                "{ part0: String, part1: String, part2: String, part3: String, part4: String, part5: String }"
            }
            Form::Texts | Form::FoldedTexts => "Set<String>",
        }
    }

    /// What the request has for it; `None` if nothing, or nothing of this form.
    pub(super) fn read(&self, asked: &Asked<'_>) -> Option<RestrictedExpression> {
        let text = |text: Cow<'_, str>| RestrictedExpression::new_string(text.into_owned());
        if matches!(self.form, Form::Texts | Form::FoldedTexts) {
            let values = asked.several(&self.key);
            let folded = self.form == Form::FoldedTexts;
            let fold = |value: Cow<'_, str>| {
                RestrictedExpression::new_string(if folded {
                    value::folded(&value)
                } else {
                    value.into_owned()
                })
            };
            return (!values.is_empty()).then(|| RestrictedExpression::new_set(values.into_iter().map(fold)));
        }
        let value = asked.one(&self.key)?;
        match self.form {
            Form::Folded => Some(RestrictedExpression::new_string(value::folded(&value))),
            Form::Number => value::request_number(&value).map(RestrictedExpression::new_long),
            Form::Instant => {
                value::instant(&value).map(|instant| RestrictedExpression::new_long(instant.as_micros()))
            }
            Form::Address => value::address(&value)
                .map(|address| RestrictedExpression::new_ip(value::cedar_address(address))),
            Form::Arn => {
                let parts: Vec<&str> = value.splitn(6, ':').collect();
                let fields = parts.iter().enumerate().map(|(number, part)| {
                    (format!("part{number}"), RestrictedExpression::new_string((*part).to_owned()))
                });
                (parts.len() == 6).then(|| RestrictedExpression::new_record(fields).ok()).flatten()
            }
            Form::Text | Form::Texts | Form::FoldedTexts => Some(text(value)),
        }
    }
}
