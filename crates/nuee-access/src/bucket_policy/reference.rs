//! A second evaluator, written from AWS's documents: slow, direct, and without Cedar. The compiled policies are compared
//! with it; it shares the parsed document with them, and reads every text in it in its own way.
//!
//! Sources: [evaluation logic](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html),
//! [operators](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html),
//! [sets](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html),
//! [variables](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html).

use std::net::IpAddr;

use base64::{Engine, prelude::BASE64_STANDARD};
use nuee_base::{Principal, ProjectId, Role};

use super::{
    ConditionKey, Values,
    condition::Condition,
    document::{Document, NamedPrincipal, Statement},
    facts::Asked,
    operator::{Comparison, Order, Quantifier},
    public,
};
use crate::{Action, Resource, action::Level};

/// What the statements of a policy say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Allowed,
    Denied,
    Neither,
}

/// One unit of a pattern: a character, or a wildcard.
#[derive(Clone, Copy, PartialEq)]
enum Unit {
    Character(char),
    Star,
    Question,
}

/// Evaluates a whole policy of a bucket.
pub(super) fn evaluate(document: &Document, asked: &Asked<'_>, restricted: bool) -> Outcome {
    conclude(document, asked, (restricted, false))
}

/// Evaluates a whole policy of a session.
pub(super) fn evaluate_alone(document: &Document, asked: &Asked<'_>) -> Outcome {
    conclude(document, asked, (false, true))
}

fn conclude(document: &Document, asked: &Asked<'_>, (restricted, narrows): (bool, bool)) -> Outcome {
    let applying: Vec<&Statement> =
        document.statements.iter().filter(|statement| applies(document, statement, asked)).collect();
    let kept = matches!(
        asked.question.action,
        Action::GetBucketPolicy | Action::PutBucketPolicy | Action::DeleteBucketPolicy
    );
    let own = in_own_project(asked);
    let keeper = !narrows && kept && own && owns(asked);
    if applying.iter().any(|statement| !statement.allows && !keeper) {
        return Outcome::Denied;
    }
    let counts = |statement: &Statement| {
        let blocked = restricted && public::is_public(document, statement);
        statement.allows && (own || !blocked)
    };
    if applying.iter().any(|statement| counts(statement)) { Outcome::Allowed } else { Outcome::Neither }
}

fn in_own_project(asked: &Asked<'_>) -> bool {
    match (&asked.question.principal, &asked.question.resource) {
        (principal, Resource::Bucket { project, .. }) => {
            let of_user = user_project(asked).is_some_and(|own| own == *project);
            of_user || principal.place().is_some_and(|(_, own)| own == *project)
        }
        _ => false,
    }
}

/// The project of a user is the one that the bucket is in, if it has a role there.
fn user_project(asked: &Asked<'_>) -> Option<ProjectId> {
    match (&asked.question.principal, &asked.question.resource) {
        (
            Principal::User { organisation: own, grants, .. },
            Resource::Bucket { organisation, project, .. },
        ) if own == organisation => grants.in_project(*project).next().map(|_| *project),
        _ => None,
    }
}

fn owns(asked: &Asked<'_>) -> bool {
    match &asked.question.principal {
        Principal::ServiceAccount { role, .. } => *role == Role::Owner,
        Principal::User { grants, .. } => user_project(asked)
            .is_some_and(|project| grants.in_project(project).any(|role| role == Role::Owner)),
        _ => false,
    }
}

fn applies(document: &Document, statement: &Statement, asked: &Asked<'_>) -> bool {
    let principals = &statement.principals;
    let meant = principals.anyone || principals.named.iter().any(|named| is(named, asked));
    if meant == principals.negated {
        return false;
    }
    let name = asked.question.action.as_str();
    let spoken = statement.actions.texts.iter().any(|text| {
        covers(&units(&text.to_lowercase(), true, None).unwrap_or_default(), &name.to_lowercase())
    });
    if spoken == statement.actions.negated {
        return false;
    }
    let resource = match (asked.question.action.level(), asked.facts.object_key()) {
        (Level::Object, Some(key)) => format!("{}/{key}", asked.bucket),
        _ => asked.bucket.to_string(),
    };
    let variables = document.variables.then_some(asked);
    let about = statement
        .resources
        .texts
        .iter()
        .any(|text| units(text, true, variables).is_some_and(|pattern| covers(&pattern, &resource)));
    about != statement.resources.negated
        && statement.conditions.iter().all(|condition| holds(condition, asked, variables))
}

fn is(named: &NamedPrincipal, asked: &Asked<'_>) -> bool {
    let (organisation, project, arn) = match &asked.question.principal {
        Principal::ServiceAccount { id, organisation, project, .. } => {
            (organisation.to_string(), project.to_string(), format!("{organisation}:user/{id}"))
        }
        Principal::Session { organisation, project, assumed, .. } => {
            (organisation.to_string(), project.to_string(), format!("{project}:role/{assumed}"))
        }
        Principal::User { id, organisation, .. } => {
            let project = user_project(asked).map(|project| project.to_string()).unwrap_or_default();
            (organisation.to_string(), project, format!("a user, {id}"))
        }
        _ => return false,
    };
    match named {
        NamedPrincipal::All(all) => [organisation, project].contains(&all.to_string()),
        NamedPrincipal::Account(of, account) => format!("{of}:user/{account}") == arn,
        NamedPrincipal::Role(of, role) => format!("{of}:role/{role}") == arn,
    }
}

/// A text as a pattern; `None` if a variable of it has no value.
fn units(text: &str, wildcards: bool, variables: Option<&Asked<'_>>) -> Option<Vec<Unit>> {
    let characters: Vec<char> = text.chars().collect();
    let (mut units, mut at) = (Vec::new(), 0);
    while at < characters.len() {
        let opens = characters[at] == '$' && characters.get(at + 1) == Some(&'{');
        if let (true, Some(asked)) = (opens, variables) {
            let end = at + characters[at..].iter().position(|character| *character == '}')?;
            let inside: String = characters[at + 2..end].iter().collect();
            units.extend(variable(&inside, asked)?.chars().map(Unit::Character));
            at = end + 1;
            continue;
        }
        units.push(match characters[at] {
            '*' if wildcards => Unit::Star,
            '?' if wildcards => Unit::Question,
            other => Unit::Character(other),
        });
        at += 1;
    }
    Some(units)
}

fn variable(inside: &str, asked: &Asked<'_>) -> Option<String> {
    if ["*", "?", "$"].contains(&inside) {
        return Some(inside.to_owned());
    }
    let mut halves = inside.splitn(2, ',');
    let key = ConditionKey::parse(halves.next()?.trim()).unwrap();
    let default = halves.next().map(|half| half.trim().trim_matches('\'').to_owned());
    values(&key, asked).first().cloned().or(default)
}

/// Whether a pattern covers a text, by a table of all beginnings of both.
fn covers(pattern: &[Unit], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut row: Vec<bool> = (0..=text.len()).map(|length| length == 0).collect();
    for unit in pattern {
        let mut next = vec![false; text.len() + 1];
        for length in 0..=text.len() {
            next[length] = match unit {
                Unit::Star => row[..=length].contains(&true),
                Unit::Question => length > 0 && row[length - 1],
                Unit::Character(character) => length > 0 && row[length - 1] && text[length - 1] == *character,
            };
        }
        row = next;
    }
    row[text.len()]
}

/// Every value that the request has for a key.
fn values(key: &ConditionKey, asked: &Asked<'_>) -> Vec<String> {
    let principal = &asked.question.principal;
    let account = match principal {
        Principal::ServiceAccount { id, .. } => Some(id.to_string()),
        Principal::User { id, .. } => Some(id.to_string()),
        _ => None,
    };
    let organisation = match principal {
        Principal::User { organisation, .. } => Some(organisation.to_string()),
        _ => principal.place().map(|(organisation, _)| organisation.to_string()),
    };
    let (kind, id, arn) = match principal {
        Principal::ServiceAccount { id, organisation, .. } => {
            ("User", Some(id.to_string()), Some(format!("arn:aws:iam::{organisation}:user/{id}")))
        }
        Principal::User { id, organisation, .. } => {
            ("User", Some(id.to_string()), Some(format!("arn:aws:iam::{organisation}:user/{id}")))
        }
        Principal::Session { id, name, project, assumed, .. } => (
            "AssumedRole",
            Some(format!("{id}:{name}")),
            Some(format!("arn:aws:iam::{project}:role/{assumed}")),
        ),
        _ => ("Anonymous", Some("anonymous".to_owned()), None),
    };
    let owner = match &asked.question.resource {
        Resource::Bucket { organisation, .. } => organisation.to_string(),
        _ => String::new(),
    };
    let micros = asked.now.as_micros();
    match key.to_string().as_str() {
        "aws:CurrentTime" => vec![asked.now.to_string()],
        "aws:EpochTime" => vec![(micros / 1_000_000).to_string()],
        "aws:PrincipalType" => vec![kind.to_owned()],
        "aws:userid" => id.into_iter().collect(),
        "aws:username" => account.into_iter().collect(),
        "aws:PrincipalArn" => arn.into_iter().collect(),
        "aws:PrincipalAccount" | "aws:PrincipalOrgID" => organisation.into_iter().collect(),
        "aws:ResourceAccount" | "aws:ResourceOrgID" | "s3:ResourceAccount" => vec![owner],
        _ if !key.applies_to(asked.question.action) => Vec::new(),
        _ => match asked.facts.values(key) {
            Values::Absent => Vec::new(),
            Values::One(value) => vec![value.into_owned()],
            Values::Several(values) => values.into_iter().map(|value| value.into_owned()).collect(),
        },
    }
}

fn holds(condition: &Condition, asked: &Asked<'_>, variables: Option<&Asked<'_>>) -> bool {
    let operator = condition.operator;
    let present = values(&condition.key, asked);
    if operator.comparison == Comparison::Null {
        return condition.values.iter().any(|value| (value.to_lowercase() == "true") == present.is_empty());
    }
    if present.is_empty() {
        // "…IfExists": true without the key. ForAllValues: true. ForAnyValue: false. Else negated operators are true.
        return operator.if_exists
            || match operator.quantifier {
                Some(Quantifier::ForAllValues) => true,
                Some(Quantifier::ForAnyValue) => false,
                None => operator.negated,
            };
    }
    // Several values of a policy are joined by OR; under a negated operator, by NOR.
    let passes = |value: &String| {
        let equal = condition.values.iter().any(|text| compares(operator.comparison, text, value, variables));
        equal != operator.negated
    };
    match operator.quantifier {
        Some(Quantifier::ForAllValues) => present.iter().all(passes),
        Some(Quantifier::ForAnyValue) => present.iter().any(passes),
        None => passes(&present[0]),
    }
}

fn compares(comparison: Comparison, text: &str, value: &str, variables: Option<&Asked<'_>>) -> bool {
    let exact = |wildcards| units(text, wildcards, variables);
    match comparison {
        Comparison::StringEquals => exact(false).is_some_and(|pattern| covers(&pattern, value)),
        Comparison::StringEqualsIgnoreCase => exact(false).is_some_and(|pattern| {
            let lower = |unit: Unit| match unit {
                Unit::Character(character) => character.to_lowercase().map(Unit::Character).collect(),
                wildcard => vec![wildcard],
            };
            let pattern: Vec<Unit> = pattern.into_iter().flat_map(lower).collect();
            covers(&pattern, &value.chars().flat_map(char::to_lowercase).collect::<String>())
        }),
        Comparison::StringLike => exact(true).is_some_and(|pattern| covers(&pattern, value)),
        Comparison::Numeric(order) => ordered(order, number(value), number(text)),
        Comparison::Date(order) => ordered(order, micros(value), micros(text)),
        Comparison::Bool => text.eq_ignore_ascii_case(value),
        Comparison::Binary => BASE64_STANDARD.decode(text).is_ok_and(|bytes| bytes == value.as_bytes()),
        Comparison::IpAddress => in_network(value, text),
        Comparison::Arn => arn_covers(text, value, variables),
        Comparison::Null => false,
    }
}

fn ordered(order: Order, value: Option<i128>, with: Option<i128>) -> bool {
    let (Some(value), Some(with)) = (value, with) else { return false };
    match order {
        Order::Equal => value == with,
        Order::Less => value < with,
        Order::LessOrEqual => value <= with,
        Order::Greater => value > with,
        Order::GreaterOrEqual => value >= with,
    }
}

/// A decimal number in millionths of millionths.
fn number(text: &str) -> Option<i128> {
    let digits = text.trim_start_matches(['-', '+']);
    if text.len() - digits.len() > 1 {
        return None;
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |text: &str| !text.is_empty() && text.chars().all(|character| character.is_ascii_digit());
    if !plain(whole) || !plain(fraction) || fraction.len() > 12 {
        return None;
    }
    let scaled: i128 = format!("{whole}{fraction:0<12}").parse().ok()?;
    Some(if text.starts_with('-') { -scaled } else { scaled })
}

/// An instant in microseconds: by hand, from the civil calendar.
fn micros(text: &str) -> Option<i128> {
    let bytes = text.as_bytes();
    if !text.is_ascii() {
        return None;
    }
    if bytes.len() != 4 && text.trim_start_matches(['-', '+']).bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<i64>().ok().map(|seconds| i128::from(seconds) * 1_000_000);
    }
    let field = |from: usize, to: usize| text.get(from..to)?.parse::<i128>().ok();
    let year = field(0, 4)?;
    let month = if bytes.len() > 4 { field(5, 7)? } else { 1 };
    let day = if bytes.len() > 7 { field(8, 10)? } else { 1 };
    let midnight = days(year, month, day) * 86_400;
    if bytes.len() <= 10 {
        return Some(midnight * 1_000_000);
    }
    let zone_at = 11 + text.get(11..)?.find(['Z', '+', '-'])?;
    let (clock, zone) = (text.get(11..zone_at)?, text.get(zone_at..)?);
    let offset = match zone.as_bytes()[0] {
        b'Z' => 0,
        sign => {
            let minutes =
                zone.get(1..3)?.parse::<i128>().ok()? * 60 + zone.get(4..6)?.parse::<i128>().ok()?;
            if sign == b'-' { -minutes } else { minutes }
        }
    };
    let mut parts = clock.split(':');
    let (hour, minute) = (parts.next()?.parse::<i128>().ok()?, parts.next()?.parse::<i128>().ok()?);
    let seconds = number(parts.next().unwrap_or("0"))? / 1_000_000;
    Some((midnight + hour * 3_600 + (minute - offset) * 60) * 1_000_000 + seconds)
}

/// Days since 1970-01-01.
fn days(year: i128, month: i128, day: i128) -> i128 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn in_network(address: &str, network: &str) -> bool {
    let (base, length) = network.split_once('/').unwrap_or((network, ""));
    let (Ok(address), Ok(base)) = (address.parse::<IpAddr>(), base.parse::<IpAddr>()) else { return false };
    let wide = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_ipv6_mapped()),
        IpAddr::V6(address) => u128::from(address),
    };
    let is_ipv4 = |bits: u128| bits >> 32 == 0xffff;
    let full = if base.is_ipv4() { 32 } else { 128 };
    let length = length.parse().unwrap_or(full) + if base.is_ipv4() { 96 } else { 0 };
    let (address, base) = (wide(address), wide(base));
    if (is_ipv4(base) && length >= 96) != is_ipv4(address) {
        return false;
    }
    (0..length).all(|bit| (address ^ base) >> (127 - bit) & 1 == 0)
}

/// Six parts, each a pattern of its own. A colon inside `${…}` divides nothing.
fn arn_covers(text: &str, value: &str, variables: Option<&Asked<'_>>) -> bool {
    let mut parts = vec![String::new()];
    let mut inside = false;
    for (at, character) in text.char_indices() {
        inside = inside || (variables.is_some() && text[at..].starts_with("${"));
        if character == ':' && !inside && parts.len() < 6 {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(character);
        }
        inside = inside && character != '}';
    }
    let values: Vec<&str> = value.splitn(6, ':').collect();
    values.len() == 6
        && parts
            .iter()
            .zip(values)
            .all(|(part, value)| units(part, true, variables).is_some_and(|pattern| covers(&pattern, value)))
}
