//! Whether a policy makes a bucket public.
//!
//! As at AWS, a policy is public unless each of its statements that allow
//! [names whom it trusts](https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status):
//! principals, or a condition that holds for fixed values only. A fixed value has no wildcard and no variable, and a
//! range of addresses is fixed up to /8, or /32 in IPv6. Statements that deny do not make a policy less public.

use super::{
    condition::Condition,
    document::{Document, Statement},
    key::ConditionKey,
    operator::{Comparison, Quantifier},
    value::Network,
};

/// Whether the statement allows something to anybody.
pub(super) fn is_public(document: &Document, statement: &Statement) -> bool {
    statement.allows
        && statement.principals.anyone
        && !statement.conditions.iter().any(|condition| names_the_trusted(condition, document.variables))
}

fn names_the_trusted(condition: &Condition, variables: bool) -> bool {
    let operator = condition.operator;
    let holds_for_nobody_else =
        !operator.negated && !operator.if_exists && operator.quantifier != Some(Quantifier::ForAllValues);
    let fixed = |text: &String| match operator.comparison {
        Comparison::StringEquals
        | Comparison::StringEqualsIgnoreCase
        | Comparison::StringLike
        | Comparison::Arn => {
            let pattern = condition.pattern(text, variables);
            pattern.is_ok_and(|pattern| pattern.as_text().is_some_and(|text| !text.contains(['*', '?'])))
        }
        Comparison::IpAddress => Network::parse(text).is_some_and(|network| !network.is_wide()),
        _ => false,
    };
    let trusted = match condition.key {
        ConditionKey::SourceIp => operator.comparison == Comparison::IpAddress || operator.is_textual(),
        ConditionKey::PrincipalArn | ConditionKey::PrincipalAccount | ConditionKey::PrincipalOrgId => true,
        // Whoever has no credentials has this one too.
        ConditionKey::UserId => !condition.values.iter().any(|value| value.eq_ignore_ascii_case("anonymous")),
        _ => false,
    };
    trusted && holds_for_nobody_else && condition.values.iter().all(fixed)
}
