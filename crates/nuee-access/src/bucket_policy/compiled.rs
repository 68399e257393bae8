//! A policy compiled: each statement a policy of Cedar, and what tells quickly that a statement cannot concern a
//! question.
//!
//! Cedar evaluates every policy that it is given. So statements are found by their action, then by the beginnings of
//! their resources and by their principals; the rest is not given to it. This only leaves out what could not apply:
//! whether a statement that is left does apply is Cedar's to say, and so is the verdict.

use std::{collections::HashSet, str::FromStr, sync::Arc};

use cedar_policy::{Context, Policy, PolicySet, RestrictedExpression, Schema, ValidationMode, Validator};
use nuee_base::Principal;
use quick_cache::sync::Cache;

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
pub(crate) struct Compiled {
    statements: Vec<Entry>,
    /// For each action, by its number, the statements that speak of it.
    by_action: Vec<Vec<usize>>,
    attributes: Vec<(String, Attribute)>,
    computed: Vec<Computed>,
    /// Statements put together for Cedar, for the selections that were asked for of late.
    selections: Cache<(Vec<usize>, Circumstances), Arc<PolicySet>>,
}

/// How many selections of statements are remembered.
const REMEMBERED_SELECTIONS: usize = 64;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Circumstances {
    /// What the role permits by itself.
    pub(crate) role_permits: bool,
    /// The policy is public, and public access is restricted.
    pub(crate) public_access_restricted: bool,
}

impl Compiled {
    /// Compiles each statement, and validates it strictly against the schema of this policy.
    pub(super) fn new(document: &Document, narrows: bool) -> Result<Self, String> {
        let mut writer = Writer::new(document.variables, narrows);
        let mut written = Vec::new();
        for statement in &document.statements {
            let public = !narrows && public::is_public(document, statement);
            written.push((public, writer.statement(statement, public)?));
        }
        let attributes: Vec<(String, Attribute)> =
            writer.attributes.into_iter().map(|attribute| (attribute.name(), attribute)).collect();
        validate(written.iter().map(|(_, written)| written), &attributes)?;
        // Read at once, which is quicker; Cedar numbers them by itself.
        let texts: String = written.iter().map(|(_, written)| written.text()).collect();
        let policies: PolicySet = texts.parse().map_err(|error| format!("{error}"))?;
        let mut statements = Vec::new();
        for (number, (statement, (public, written))) in document.statements.iter().zip(written).enumerate() {
            let id = format!("{STATEMENT}{number}").parse().map_err(|error| format!("{error}"))?;
            let policy = policies.policy(&id).ok_or_else(|| format!("{id} is missing"))?;
            statements.push(entry(statement, public, written, policy.clone()));
        }
        let by_action = Action::ALL.iter().map(|action| speaking_of(*action, document)).collect();
        let selections = Cache::new(REMEMBERED_SELECTIONS);
        Ok(Self { statements, by_action, attributes, computed: writer.computed, selections })
    }

    /// The statements that may apply.
    pub(crate) fn concerning(&self, asked: &Asked<'_>) -> Vec<usize> {
        let Some(speaking) = self.by_action.get(asked.question.action as usize) else { return Vec::new() };
        let key = asked.object_key().map_or("", |key| key.as_str());
        let begins = |head: &String| resource_begins(asked.bucket, key, head);
        let may_apply = |number: &&usize| {
            self.statements.get(**number).is_some_and(|statement| {
                (statement.heads.is_empty() || statement.heads.iter().any(begins))
                    && may_mean(&statement.principals, &asked.question.principal)
            })
        };
        speaking.iter().filter(may_apply).copied().collect()
    }

    /// These statements, and what stands `beside` them in the circumstances, for Cedar; `None` if they do not go together.
    pub(crate) fn select(
        &self,
        numbers: &[usize],
        circumstances: Circumstances,
        beside: &PolicySet,
    ) -> Option<Arc<PolicySet>> {
        let make = || {
            let mut set = beside.clone();
            let entries = numbers.iter().map(|number| self.statements.get(*number));
            let complete =
                entries.map(|entry| set.add(entry?.policy.clone()).ok()).all(|added| added.is_some());
            if complete { Ok(Arc::new(set)) } else { Err(()) }
        };
        self.selections.get_or_insert_with(&(numbers.to_vec(), circumstances), make).ok()
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
const STATEMENT: &str = "policy";

fn entry(statement: &Statement, public: bool, written: Written, policy: Policy) -> Entry {
    let resources = &statement.resources;
    let heads = resources.patterns.iter().map(|pattern| pattern.head().to_owned());
    Entry {
        name: statement.name.clone(),
        public,
        policy,
        principals: statement.principals.clone(),
        heads: if resources.negated { Vec::new() } else { heads.collect() },
        attributes: written.attributes,
        computed: written.computed,
    }
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
        None => bucket.starts_with(head),
    }
}

fn may_mean(principals: &Principals, principal: &Principal) -> bool {
    if principals.anyone || principals.negated {
        return !(principals.anyone && principals.negated);
    }
    if let Principal::User { .. } = principal {
        // Which project counts for a user depends on the bucket.
        return principals.named.iter().any(|named| matches!(named, NamedPrincipal::All(_)));
    }
    let Some((organisation, project)) = principal.place() else { return false };
    principals.named.iter().any(|named| match (named, principal) {
        (NamedPrincipal::All(all), _) => *all == organisation || all.to_bytes() == project.to_bytes(),
        (NamedPrincipal::Account(of, account), Principal::ServiceAccount { id, .. }) => {
            *of == organisation && account == id
        }
        (NamedPrincipal::Role(of, role), Principal::Session { assumed, .. }) => {
            *of == project && role == assumed
        }
        (NamedPrincipal::Account(..) | NamedPrincipal::Role(..), _) => false,
    })
}

/// Validates statements strictly. All actions on buckets have the same principals, resources and context, so a statement
/// is valid for each of its actions if it is for one; validating it for each costs fifty times as much.
fn validate<'a>(
    written: impl Iterator<Item = &'a Written> + Clone,
    attributes: &[(String, Attribute)],
) -> Result<(), String> {
    let named: HashSet<Action> = written.clone().flat_map(Written::actions_named).collect();
    let schema = schema(&named.into_iter().collect::<Vec<_>>(), attributes)?;
    let texts: String = written.filter_map(Written::for_one_action).collect();
    let policies: PolicySet = texts.parse().map_err(|error| format!("{error}"))?;
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
        "namespace Nuee {{ {} action {} appliesTo {{ principal: [Anonymous, Operator, ServiceAccount, Session, User], \
         resource: [Bucket, Project], context: {{ resource: String, matching?: Set<Long>, public_access_restricted?: Bool, {} }} }}; }}",
        include_str!("../../policies/entities.cedarschema"),
        actions.join(", "),
        attributes.join(" ")
    );
    Schema::from_str(&text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use cedar_policy::Request;
    use nuee_base::{BucketId, BucketName, OrganisationId, ProjectId, Timestamp};

    use super::*;
    use crate::{BucketPolicy, ConditionKey, FactList, Resource, question::Question};

    /// Every form in which a fact is compared, and both ways to compare what Cedar cannot.
    const EVERY_FORM: &str = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*",
        "Action": "s3:PutObject", "Resource": "arn:aws:s3:::data/?*", "Condition": {
            "StringEquals": {"aws:Referer": ["a", "${aws:userid}"]},
            "StringEqualsIgnoreCase": {"s3:RequestObjectTag/a \"b\" é": "A"},
            "NumericLessThanIfExists": {"s3:signatureAge": 1000},
            "DateGreaterThan": {"aws:CurrentTime": "1969"},
            "IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
            "ArnLikeIfExists": {"s3:x-amz-copy-source": "arn:aws:s3:::*"},
            "ForAllValues:StringLike": {"s3:RequestObjectTagKeys": "a*"},
            "ForAnyValue:StringEqualsIgnoreCase": {"s3:RequestObjectTagKeys": "A"}}}}"#;

    /// Requests are not held against the schema each time. They would pass.
    #[test]
    fn the_context_of_a_request_fits_the_schema() {
        let bucket: BucketName = "data".parse().unwrap();
        let policy = BucketPolicy::parse(EVERY_FORM, &bucket).unwrap();
        let mut facts = FactList::of_object("a".parse().unwrap());
        for (key, value) in [
            ("aws:Referer", "anonymous"),
            ("s3:RequestObjectTag/a \"b\" é", "a"),
            ("s3:signatureAge", "12"),
            ("aws:SourceIp", "10.1.2.3"),
            ("s3:x-amz-copy-source", "arn:aws:s3:::x"),
            ("s3:RequestObjectTagKeys", "a"),
        ] {
            facts = facts.with(ConditionKey::parse(key).unwrap(), value);
        }
        let resource = Resource::Bucket {
            organisation: OrganisationId::from_bytes([1; 16]),
            project: ProjectId::from_bytes([2; 16]),
            bucket: BucketId::from_bytes([3; 16]),
        };
        let question = Question { principal: Principal::Anonymous, action: Action::PutObject, resource };
        let asked = Asked {
            question: &question,
            bucket: bucket.as_str(),
            now: Timestamp::from_micros(0),
            facts: &facts,
        };
        let circumstances = Circumstances { role_permits: false, public_access_restricted: true };
        let compiled = policy.compiled();
        let context = compiled.context(&[0], &asked, circumstances).unwrap();
        for (name, attribute) in &compiled.attributes {
            assert!(context.get(name).is_some(), "{:?} is missing", attribute.form);
        }
        let schema = schema(&[Action::PutObject], &compiled.attributes).unwrap();
        let named = |text: &str| text.parse().unwrap();
        let request = Request::new(
            named(r#"Nuee::Anonymous::"anonymous""#),
            named(r#"Nuee::Action::"s3:PutObject""#),
            named(r#"Nuee::Bucket::"x""#),
            context,
            Some(&schema),
        );
        assert!(request.is_ok(), "{}", request.unwrap_err());
    }
}
