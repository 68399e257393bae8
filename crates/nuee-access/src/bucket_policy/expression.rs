//! A statement in the words of Cedar.
//!
//! Cedar compares texts, numbers, instants (in microseconds), addresses and the parts of an ARN itself, each in an
//! attribute of the context. What it has no words for is compared beforehand, and Cedar looks whether the number of the
//! comparison is in `context.matching`: patterns with `?` or with variables, and patterns that are compared with each of
//! several values. Presence, negation and all that joins comparisons stay Cedar's.

use std::fmt::Write;

use super::{
    attribute::{Attribute, Form},
    comparison::{Computed, Subject},
    condition::Condition,
    document::{NamedPrincipal, Principals, Statement},
    key::ConditionKey,
    operator::{Comparison, Order, Quantifier},
    pattern::{Pattern, Token},
    value,
};
use crate::Action;

/// The actions that an owner keeps, whatever a policy denies.
const KEPT_BY_OWNERS: [Action; 3] =
    [Action::GetBucketPolicy, Action::PutBucketPolicy, Action::DeleteBucketPolicy];

/// Writes statements; numbers what they look at.
pub(super) struct Writer {
    variables: bool,
    /// The policy narrows a session: nobody keeps anything in spite of it.
    narrows: bool,
    pub(super) attributes: Vec<Attribute>,
    pub(super) computed: Vec<Computed>,
    /// Which attributes and computed comparisons the statement at hand looks at.
    used_attributes: Vec<usize>,
    used_computed: Vec<usize>,
}

/// A statement written, and what it looks at, as numbers of the writer.
pub(super) struct Written {
    effect: &'static str,
    actions: Vec<Action>,
    condition: String,
    pub(super) attributes: Vec<usize>,
    pub(super) computed: Vec<usize>,
}

impl Written {
    /// The policy for Cedar.
    pub(super) fn text(&self) -> String {
        let Self { effect, condition, .. } = self;
        let actions = action_list(&self.actions);
        format!("{effect} (principal, action in {actions}, resource) when {{ {condition} }};")
    }

    /// The same for one action of the statement, if it has any.
    pub(super) fn for_one_action(&self) -> Option<String> {
        let Self { effect, condition, .. } = self;
        let action = action_list(self.actions.get(..1)?);
        Some(format!("{effect} (principal, action in {action}, resource) when {{ {condition} }};"))
    }

    /// The actions that a schema must have for [`for_one_action`](Self::for_one_action).
    pub(super) fn actions_named(&self) -> impl Iterator<Item = Action> {
        let kept = KEPT_BY_OWNERS.iter().filter(|action| self.actions.contains(action));
        self.actions.first().into_iter().chain(kept).copied()
    }
}

impl Writer {
    pub(super) fn new(variables: bool, narrows: bool) -> Self {
        Self {
            variables,
            narrows,
            attributes: Vec::new(),
            computed: Vec::new(),
            used_attributes: Vec::new(),
            used_computed: Vec::new(),
        }
    }

    /// The statement as a Cedar policy; the error says what could not be written.
    pub(super) fn statement(&mut self, statement: &Statement, public: bool) -> Result<Written, String> {
        let mut parts = Vec::new();
        parts.extend(principals(&statement.principals));
        parts.push(self.resources(&statement.resources.patterns, statement.resources.negated));
        for condition in &statement.conditions {
            parts.push(self.condition(condition)?);
        }
        if public {
            parts.push(format!("(!(context has public_access_restricted) || ({IN_PROJECT}))"));
        }
        let actions = &statement.actions.resolved;
        let kept: Vec<Action> =
            KEPT_BY_OWNERS.into_iter().filter(|action| actions.contains(action)).collect();
        if !statement.allows && !kept.is_empty() && !self.narrows {
            let owner = "principal in Nuee::Role::\"owner\"";
            parts.push(format!("!({OWN_PROJECT} && {owner} && action in {})", action_list(&kept)));
        }
        let effect = if statement.allows { "permit" } else { "forbid" };
        let condition = joined(parts, "&&").unwrap_or_else(|| "true".to_owned());
        Ok(Written {
            effect,
            actions: actions.clone(),
            condition,
            attributes: std::mem::take(&mut self.used_attributes),
            computed: std::mem::take(&mut self.used_computed),
        })
    }

    fn attribute(&mut self, key: &ConditionKey, form: Form) -> String {
        let attribute = Attribute { key: key.clone(), form };
        let name = attribute.name();
        let number = self.attributes.iter().position(|known| *known == attribute).unwrap_or_else(|| {
            self.attributes.push(attribute);
            self.attributes.len() - 1
        });
        if !self.used_attributes.contains(&number) {
            self.used_attributes.push(number);
        }
        quoted(&name)
    }

    fn computed(&mut self, computed: Computed) -> String {
        self.computed.push(computed);
        let number = self.computed.len() - 1;
        self.used_computed.push(number);
        format!("(context has matching && context.matching.contains({number}))")
    }

    fn resources(&mut self, patterns: &[Pattern], negated: bool) -> String {
        let written = patterns.iter().map(|pattern| match like("context.resource", pattern) {
            Some(like) => like,
            None => self.computed(Computed::Like {
                subject: Subject::Resource,
                pattern: pattern.clone(),
                fold: false,
            }),
        });
        let named = any(written.collect());
        if negated { format!("!{named}") } else { named }
    }

    fn condition(&mut self, condition: &Condition) -> Result<String, String> {
        let operator = condition.operator;
        let form = match operator.comparison {
            Comparison::Null if condition.key.is_multivalued() => Form::Texts,
            Comparison::Null => Form::Text,
            _ if condition.key.is_multivalued() => return self.several(condition),
            Comparison::StringEquals | Comparison::StringLike | Comparison::Binary => Form::Text,
            Comparison::StringEqualsIgnoreCase | Comparison::Bool => Form::Folded,
            Comparison::Numeric(_) => Form::Number,
            Comparison::Date(_) => Form::Instant,
            Comparison::IpAddress => Form::Address,
            Comparison::Arn => Form::Arn,
        };
        let name = self.attribute(&condition.key, form);
        if operator.comparison == Comparison::Null {
            let absences = condition.values.iter().map(|value| {
                let not = if value.eq_ignore_ascii_case("true") { "!" } else { "" };
                format!("{not}(context has {name})")
            });
            return Ok(any(absences.collect()));
        }
        let holds = self.comparison(condition, &format!("context[{name}]"))?;
        let not = if operator.negated { "!" } else { "" };
        let mut otherwise = operator.holds_without_value().to_string();
        // A value that is there, but is no number, no instant and so on, is equal to nothing.
        if form.can_fail() && operator.holds_without_value() != operator.negated {
            let present = self.attribute(&condition.key, Form::Text);
            otherwise = format!("(if context has {present} then {} else {otherwise})", operator.negated);
        }
        Ok(format!("(if context has {name} then {not}{holds} else {otherwise})"))
    }

    /// Whether `value`, an attribute that is there, is one of those compared with.
    fn comparison(&mut self, condition: &Condition, value: &str) -> Result<String, String> {
        match condition.operator.comparison {
            Comparison::StringEquals | Comparison::StringLike => self.texts(condition, value, false),
            Comparison::StringEqualsIgnoreCase => self.texts(condition, value, true),
            Comparison::Bool => {
                let texts = condition.values.iter().map(|text| value::folded(text));
                Ok(self.one_of(&texts.collect::<Vec<_>>(), value))
            }
            Comparison::Binary => {
                let texts = condition.values.iter().filter_map(|text| value::binary_text(text));
                Ok(self.one_of(&texts.collect::<Vec<_>>(), value))
            }
            Comparison::Numeric(order) => ordered(condition, value, order, value::policy_number),
            Comparison::Date(order) => ordered(condition, value, order, |text| {
                value::instant(text).map(|instant| instant.as_micros())
            }),
            Comparison::IpAddress => each(condition, |text| {
                let network = value::Network::parse(text)?;
                Some(format!("{value}.isInRange(ip(\"{network}\"))"))
            }),
            Comparison::Arn => self.arns(condition, value),
            Comparison::Null => Err(unreadable("Null")),
        }
    }

    fn texts(&mut self, condition: &Condition, text: &str, fold: bool) -> Result<String, String> {
        let (mut exact, mut written) = (Vec::new(), Vec::new());
        for value in &condition.values {
            let pattern = condition.pattern(value, self.variables)?;
            if let Some(whole) = pattern.as_text() {
                exact.push(if fold { value::folded(whole) } else { whole.to_owned() });
            } else if let Some(like) = like(text, &pattern) {
                written.push(like);
            } else {
                let subject = Subject::Key(condition.key.clone());
                written.push(self.computed(Computed::Like { subject, pattern, fold }));
            }
        }
        if !exact.is_empty() {
            written.push(self.one_of(&exact, text));
        }
        Ok(any(written))
    }

    /// `text` is one of `values`; if there are none, what never holds.
    fn one_of(&mut self, values: &[String], text: &str) -> String {
        if values.is_empty() {
            return self.computed(Computed::Never);
        }
        format!("{}.contains({text})", text_list(values))
    }

    fn arns(&mut self, condition: &Condition, arn: &str) -> Result<String, String> {
        let mut written = Vec::new();
        for value in &condition.values {
            let pattern = condition.pattern(value, self.variables)?;
            let parts = pattern.split_arn().ok_or_else(|| unreadable(value))?;
            let compared: Option<Vec<String>> = parts
                .iter()
                .enumerate()
                .map(|(number, part)| like(&format!("{arn}.part{number}"), part))
                .collect();
            written.push(match compared {
                Some(compared) => joined(compared, "&&").unwrap_or_else(|| "true".to_owned()),
                None => self.computed(Computed::Arn { key: condition.key.clone(), parts }),
            });
        }
        Ok(any(written))
    }

    /// Whether the values of a key of several stand as the quantifier says.
    fn several(&mut self, condition: &Condition) -> Result<String, String> {
        let operator = condition.operator;
        let quantifier = operator.quantifier.ok_or_else(|| unreadable("a quantifier"))?;
        let fold = operator.comparison == Comparison::StringEqualsIgnoreCase;
        let form = if fold { Form::FoldedTexts } else { Form::Texts };
        let name = self.attribute(&condition.key, form);
        let mut patterns = Vec::new();
        for value in &condition.values {
            patterns.push(condition.pattern(value, self.variables)?);
        }
        let read = |text: &str| if fold { value::folded(text) } else { text.to_owned() };
        let exact: Option<Vec<String>> = patterns.iter().map(|pattern| pattern.as_text().map(read)).collect();
        let holds = if let Some(exact) = exact {
            let list = text_list(&exact);
            match (quantifier, operator.negated) {
                (Quantifier::ForAnyValue, false) => format!("{list}.containsAny(context[{name}])"),
                (Quantifier::ForAnyValue, true) => format!("!({list}.containsAll(context[{name}]))"),
                (Quantifier::ForAllValues, false) => format!("{list}.containsAll(context[{name}])"),
                (Quantifier::ForAllValues, true) => format!("!({list}.containsAny(context[{name}]))"),
            }
        } else {
            let (key, negated) = (condition.key.clone(), operator.negated);
            self.computed(Computed::Several { key, quantifier, negated, fold, patterns })
        };
        let otherwise = operator.holds_without_value();
        Ok(format!("(if context has {name} then {holds} else {otherwise})"))
    }
}

/// Whether a number or an instant stands in this order to one of the condition's values.
fn ordered(
    condition: &Condition,
    number: &str,
    order: Order,
    read: impl Fn(&str) -> Option<i64>,
) -> Result<String, String> {
    let operator = match order {
        Order::Equal => "==",
        Order::Less => "<",
        Order::LessOrEqual => "<=",
        Order::Greater => ">",
        Order::GreaterOrEqual => ">=",
    };
    each(condition, |text| Some(format!("{number} {operator} ({})", read(text)?)))
}

/// One of the condition's values holds.
fn each(condition: &Condition, write: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let written = condition.values.iter().map(|value| write(value).ok_or_else(|| unreadable(value)));
    Ok(any(written.collect::<Result<_, _>>()?))
}

const IN_PROJECT: &str = "(principal is Nuee::ServiceAccount && resource in principal.project) || (principal is \
                          Nuee::Session && resource in principal.project) || (principal is Nuee::User && \
                          principal has project && resource in principal.project)";
/// Sessions are not among the owners that nobody locks out: an owner's own key is.
const OWN_PROJECT: &str = "((principal is Nuee::ServiceAccount && resource in principal.project) || (principal is \
                           Nuee::User && principal has project && resource in principal.project))";

/// The values were checked when the policy was read, so this is a defect; it refuses the policy.
fn unreadable(value: &str) -> String {
    format!("{value:?} could not be read again")
}

/// `None` if everybody is meant.
fn principals(principals: &Principals) -> Option<String> {
    if principals.anyone {
        return principals.negated.then(|| "false".to_owned());
    }
    let (mut accounts, mut sessions, mut users) = (Vec::new(), Vec::new(), Vec::new());
    for named in &principals.named {
        match named {
            NamedPrincipal::All(id) => {
                let all = format!(
                    "(principal.organisation == Nuee::Organisation::\"{id}\" || principal.project == \
                     Nuee::Project::\"{id}\")"
                );
                accounts.push(all.clone());
                sessions.push(all);
                // The project of a user is the one that the bucket is in, if it has a role there.
                users.push(format!(
                    "(principal.organisation == Nuee::Organisation::\"{id}\" || (principal has project && \
                     principal.project == Nuee::Project::\"{id}\"))"
                ));
            }
            NamedPrincipal::Account(organisation, account) => accounts.push(format!(
                "(principal == Nuee::ServiceAccount::\"{account}\" && principal.organisation == \
                 Nuee::Organisation::\"{organisation}\")"
            )),
            NamedPrincipal::Role(project, name) => sessions.push(format!(
                "(principal.project == Nuee::Project::\"{project}\" && principal.assumed == \"{name}\")"
            )),
        }
    }
    let mut kinds = Vec::new();
    for (kind, named) in [("ServiceAccount", accounts), ("Session", sessions), ("User", users)] {
        if !named.is_empty() {
            kinds.push(format!("(principal is Nuee::{kind} && {})", any(named)));
        }
    }
    let not = if principals.negated { "!" } else { "" };
    Some(format!("{not}{}", any(kinds)))
}

fn action_list(actions: &[Action]) -> String {
    let names: Vec<String> = actions.iter().map(|action| format!("Nuee::Action::\"{action}\"")).collect();
    format!("[{}]", names.join(", "))
}

fn text_list(values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    format!("[{}]", values.join(", "))
}

/// `subject` matches the pattern, if Cedar has words for it.
fn like(subject: &str, pattern: &Pattern) -> Option<String> {
    let mut text = String::new();
    for token in pattern.tokens() {
        match token {
            Token::Text(literal) => text.push_str(&escaped(literal, true)),
            Token::Any => text.push('*'),
            Token::One | Token::Variable { .. } => return None,
        }
    }
    Some(format!("{subject} like \"{text}\""))
}

/// A text between quotes, as Cedar reads it.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text, false))
}

/// A text between Cedar's quotes; in a pattern, `*` is written so that it is no wildcard.
fn escaped(text: &str, pattern: bool) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '*' if pattern => escaped.push_str("\\*"),
            '"' | '\\' => escaped.extend(['\\', character]),
            ' '..='~' => escaped.push(character),
            other => drop(write!(escaped, "\\u{{{:x}}}", u32::from(other))),
        }
    }
    escaped
}

/// One of the parts holds.
fn any(parts: Vec<String>) -> String {
    joined(parts, "||").unwrap_or_else(|| "false".to_owned())
}

/// The parts joined by `&&` or `||`, in parentheses; as a balanced tree, since Cedar evaluates by recursion.
fn joined(mut parts: Vec<String>, operator: &str) -> Option<String> {
    if parts.len() < 2 {
        return parts.pop().map(|part| format!("({part})"));
    }
    let right = joined(parts.split_off(parts.len() / 2), operator)?;
    let left = joined(parts, operator)?;
    Some(format!("({left} {operator} {right})"))
}
