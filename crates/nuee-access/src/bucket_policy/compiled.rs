//! A policy compiled: each statement a policy of Cedar, and what tells quickly that a statement cannot concern a
//! question.
//!
//! Cedar evaluates every policy that it is given. So statements are found by their action, then by the beginnings of
//! their resources and by their principals; the rest is not given to it. This only leaves out what could not apply:
//! whether a statement that is left does apply is Cedar's to say, and so is the verdict.

use std::str::FromStr;

use cedar_policy::{Context, Policy, PolicySet, RestrictedExpression, Schema, ValidationMode, Validator};
use nuee_base::Principal;

use super::{
    attribute::Attribute,
    comparison::Computed,
    document::{Document, NamedPrincipal, Principals, Statement},
    expression::{Writer, Written, quoted},
    facts::Asked,
    key::ConditionKey,
    public,
};
use crate::{Action, action::Level};

/// What a policy is once it is compiled.
#[derive(Debug)]
pub(crate) struct Compiled {
    statements: Vec<Entry>,
    /// For each action, by its number, the statements that speak of it.
    by_action: Vec<Vec<usize>>,
    attributes: Vec<(String, Attribute)>,
    computed: Vec<Computed>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    public: bool,
    policy: Policy,
    principals: Principals,
    /// What the resources begin with; none if it speaks of whatever is not named.
    heads: Vec<String>,
    attributes: Vec<usize>,
    computed: Vec<usize>,
}

/// What Cedar is told besides the facts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances {
    /// What the role permits by itself.
    pub(crate) role_permits: bool,
    /// The policy is public, and public access is restricted.
    pub(crate) public_access_restricted: bool,
}

impl Compiled {
    /// Compiles each statement, and validates it strictly against the schema of this policy.
    pub(super) fn new(document: &Document) -> Result<Self, String> {
        let mut writer = Writer::new(document.variables);
        let mut written = Vec::new();
        for statement in &document.statements {
            let public = public::is_public(document, statement);
            written.push((public, writer.statement(statement, public)?));
        }
        let attributes: Vec<(String, Attribute)> =
            writer.attributes.into_iter().map(|attribute| (attribute.name(), attribute)).collect();
        let mut statements = Vec::new();
        for (number, (statement, (public, written))) in document.statements.iter().zip(written).enumerate() {
            statements.push(entry(number, statement, public, written)?);
        }
        validate(document, &statements, &attributes)?;
        let by_action = Action::ALL.iter().map(|action| speaking_of(*action, document)).collect();
        Ok(Self { statements, by_action, attributes, computed: writer.computed })
    }

    /// The statements that may apply.
    pub(crate) fn concerning(&self, asked: &Asked<'_>) -> Vec<usize> {
        let Some(speaking) = self.by_action.get(asked.question.action as usize) else { return Vec::new() };
        let key = asked.object_key().map_or("", |key| key.as_str());
        let bucket = asked.bucket.as_str();
        let begins = |head: &String| resource_begins(bucket, key, head);
        let may_apply = |number: &&usize| {
            self.statements.get(**number).is_some_and(|statement| {
                (statement.heads.is_empty() || statement.heads.iter().any(begins))
                    && may_mean(&statement.principals, &asked.question.principal)
            })
        };
        speaking.iter().filter(may_apply).copied().collect()
    }

    /// These statements, as policies of Cedar.
    pub(crate) fn policies(&self, numbers: &[usize]) -> impl Iterator<Item = Policy> {
        numbers.iter().filter_map(|number| self.statements.get(*number)).map(|entry| entry.policy.clone())
    }

    /// Whether one of these statements allows something to anybody.
    pub(crate) fn any_public(&self, numbers: &[usize]) -> bool {
        numbers.iter().filter_map(|number| self.statements.get(*number)).any(|entry| entry.public)
    }

    /// Whether some statement allows something to anybody.
    pub(crate) fn is_public(&self) -> bool {
        self.statements.iter().any(|entry| entry.public)
    }

    /// The keys that statements which speak of an action look at.
    pub(crate) fn keys(&self, action: Action) -> impl Iterator<Item = &ConditionKey> {
        let speaking = self.by_action.get(action as usize).into_iter().flatten();
        speaking.filter_map(|number| self.statements.get(*number)).flat_map(|entry| {
            let attributes = entry.attributes.iter().filter_map(|number| self.attributes.get(*number));
            let computed = entry.computed.iter().filter_map(|number| self.computed.get(*number));
            attributes.map(|(_, attribute)| &attribute.key).chain(computed.flat_map(Computed::keys))
        })
    }

    /// What these statements look at, of this request.
    pub(crate) fn context(
        &self,
        numbers: &[usize],
        asked: &Asked<'_>,
        circumstances: Circumstances,
    ) -> Option<Context> {
        let entries = || numbers.iter().filter_map(|number| self.statements.get(*number));
        let mut pairs = vec![("resource".to_owned(), RestrictedExpression::new_string(asked.resource()))];
        if circumstances.public_access_restricted {
            let name = "public_access_restricted".to_owned();
            pairs.push((name, RestrictedExpression::new_bool(true)));
        }
        let mut used: Vec<usize> = entries().flat_map(|entry| &entry.attributes).copied().collect();
        used.sort_unstable();
        used.dedup();
        for (name, attribute) in used.into_iter().filter_map(|number| self.attributes.get(number)) {
            pairs.extend(attribute.read(asked).map(|value| (name.clone(), value)));
        }
        let holds = |number: &usize| self.computed.get(*number).is_some_and(|computed| computed.holds(asked));
        let matching: Vec<RestrictedExpression> = entries()
            .flat_map(|entry| &entry.computed)
            .copied()
            .filter(holds)
            .filter_map(|number| i64::try_from(number).ok().map(RestrictedExpression::new_long))
            .collect();
        if !matching.is_empty() {
            pairs.push(("matching".to_owned(), RestrictedExpression::new_set(matching)));
        }
        Context::from_pairs(pairs).ok()
    }

    /// What explanations call the statement with this id in Cedar; `None` if it is no statement.
    pub(crate) fn name_of(&self, id: &str) -> Option<String> {
        let number: usize = id.strip_prefix(STATEMENT)?.parse().ok()?;
        self.statements.get(number).map(|entry| format!("statement {:?}", entry.name))
    }
}

/// What the ids of statements begin with in Cedar.
const STATEMENT: &str = "statement-";

fn entry(number: usize, statement: &Statement, public: bool, written: Written) -> Result<Entry, String> {
    let id = format!("{STATEMENT}{number}").parse().map_err(|error| format!("{error}"))?;
    let policy =
        Policy::parse(Some(id), &written.text).map_err(|error| format!("{}: {error}", statement.name))?;
    let resources = &statement.resources;
    let heads = resources.patterns.iter().map(|pattern| pattern.head().to_owned());
    Ok(Entry {
        name: statement.name.clone(),
        public,
        policy,
        principals: statement.principals.clone(),
        heads: if resources.negated { Vec::new() } else { heads.collect() },
        attributes: written.attributes,
        computed: written.computed,
    })
}

/// The statements that speak of an action; never those whose principals are nobody.
fn speaking_of(action: Action, document: &Document) -> Vec<usize> {
    let speaks = |statement: &Statement| {
        let nobody = statement.principals.negated && statement.principals.anyone;
        !nobody && statement.actions.resolved.contains(&action)
    };
    let statements = document.statements.iter().enumerate();
    statements.filter(|(_, statement)| speaks(statement)).map(|(number, _)| number).collect()
}

/// Whether `bucket`, or `bucket/key`, begins with `head`.
fn resource_begins(bucket: &str, key: &str, head: &str) -> bool {
    match head.strip_prefix(bucket) {
        Some("") => true,
        Some(rest) => rest.strip_prefix('/').is_some_and(|rest| key.starts_with(rest)),
        None => false,
    }
}

fn may_mean(principals: &Principals, principal: &Principal) -> bool {
    if principals.anyone || principals.negated {
        return !(principals.anyone && principals.negated);
    }
    let Principal::ServiceAccount { id, organisation, project, .. } = principal else { return false };
    principals.named.iter().any(|named| match named {
        NamedPrincipal::All(all) => all == organisation || all.to_bytes() == project.to_bytes(),
        NamedPrincipal::Account(of, account) => of == organisation && account == id,
    })
}

/// Validates statements strictly, for each action that some statement speaks of: the schema declares these alone.
fn validate(
    document: &Document,
    statements: &[Entry],
    attributes: &[(String, Attribute)],
) -> Result<(), String> {
    let spoken_of = |action: &Action| {
        document.statements.iter().any(|statement| statement.actions.resolved.contains(action))
    };
    let actions: Vec<Action> = Action::ALL.iter().copied().filter(spoken_of).collect();
    let schema = schema(&actions, attributes)?;
    let policies = PolicySet::from_policies(statements.iter().map(|entry| entry.policy.clone()))
        .map_err(|error| error.to_string())?;
    let result = Validator::new(schema).validate(&policies, ValidationMode::Strict);
    if result.validation_passed() { Ok(()) } else { Err(result.to_string()) }
}

/// The schema of every action on buckets, for policies that look at no condition key.
pub(crate) fn bare_schema() -> Result<Schema, String> {
    let on_buckets = Action::ALL.iter().copied().filter(|action| action.level() != Level::Elsewhere);
    schema(&on_buckets.collect::<Vec<_>>(), &[])
}

/// A schema: entities as everywhere, and these actions, with the context that a policy looks at.
fn schema(actions: &[Action], attributes: &[(String, Attribute)]) -> Result<Schema, String> {
    let actions: Vec<String> = actions.iter().map(|action| format!("\"{action}\"")).collect();
    let attributes: Vec<String> = attributes
        .iter()
        .map(|(name, attribute)| format!("{}?: {},", quoted(name), attribute.type_name()))
        .collect();
    let text = format!(
        "namespace Nuee {{ {} action {} appliesTo {{ principal: [Anonymous, Operator, ServiceAccount], resource: \
         [Bucket], context: {{ resource: String, matching?: Set<Long>, public_access_restricted?: Bool, {} }} }}; }}",
        include_str!("../../policies/entities.cedarschema"),
        actions.join(", "),
        attributes.join(" ")
    );
    Schema::from_str(&text).map_err(|error| error.to_string())
}
