//! The policies, compiled: the one module that asks Cedar. (Those of buckets are written for it in `bucket_policy`.)
//!
//! It answers questions and remembers no answer. Whatever Cedar cannot evaluate without error is denied: Cedar itself
//! skips a policy that fails, which for a `forbid` would be an opening.

mod entities;

use std::{fmt, str::FromStr, sync::Arc};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, PolicySet, Request, Response, Schema, ValidationMode, Validator,
};
use nuee_base::Principal;
use quick_cache::sync::Cache;

use crate::{
    Resource,
    bucket_policy::{self, Asked, Circumstances, Compiled},
    question::Question,
};
use entities::{Unrepresentable, Vocabulary};

/// For how many principals on how many resources entities are remembered: a few MB at most.
const REMEMBERED_ENTITIES: usize = 1_024;

/// The policies that every platform starts with.
const SHIPPED_POLICIES: &str =
    concat!(include_str!("../policies/boundaries.cedar"), include_str!("../policies/shipped.cedar"));
/// What principals, actions and resources are in these policies.
const SHIPPED_SCHEMA: &str = concat!(
    "namespace Nuee {",
    include_str!("../policies/entities.cedarschema"),
    include_str!("../policies/actions.cedarschema"),
    "}"
);
/// The policies that stand beside the statements of a bucket's policy.
const BUCKET_POLICIES: &str =
    concat!(include_str!("../policies/boundaries.cedar"), include_str!("../policies/bucket.cedar"));

/// The policies whose refusal has a reason of its own. What else forbids is a statement of a bucket's policy.
const REASONS: [(&str, Reason); 8] = [
    ("organisations-are-closed-to-users", Reason::OutsideOrganisation),
    ("organisations-are-closed-to-sessions", Reason::OutsideOrganisation),
    ("organisations-are-closed", Reason::OutsideOrganisation),
    ("operators-stay-out-of-buckets", Reason::OperatorInBucket),
    ("operating-needs-two-factors", Reason::SingleFactor),
    ("giving-away-needs-two-factors", Reason::SingleFactor),
    ("opening-needs-two-factors", Reason::SingleFactor),
    (PUBLIC_ACCESS_IS_RESTRICTED, Reason::PublicAccessBlocked),
];
const PUBLIC_ACCESS_IS_RESTRICTED: &str = "public-access-is-restricted";

/// The policy by which a bucket's decision knows what the role permits.
pub(crate) const ROLES_PERMIT: &str = "roles-permit";

/// Why something is denied. For logs and the journal: it can tell that something exists, which the message of
/// [`Denied`](crate::Denied) does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The request had no credentials.
    Anonymous,
    /// The resource is not in the principal's organisation.
    OutsideOrganisation,
    /// The resource is in the principal's organisation, but not in its project.
    OutsideProject,
    /// An operator would act on what a tenant stores.
    OperatorInBucket,
    /// It is not exposed to the zone that the request came in from.
    NotExposed,
    /// A statement of the bucket's policy denies it.
    DeniedByBucketPolicy,
    /// The bucket's policy would allow it as public, and public access is blocked.
    PublicAccessBlocked,
    /// The user has signed in by one factor, and this needs two.
    SingleFactor,
    /// A policy that narrows the session does not allow it.
    NarrowedAway,
    /// No policy permits it.
    NotPermitted,
    /// The action has no meaning for such a resource, such as getting an object of the platform: a defect of the
    /// caller.
    NotApplicable,
    /// A policy failed while it was evaluated.
    EvaluationFailed,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "anonymous",
            Self::OutsideOrganisation => "outside the principal's organisation",
            Self::OutsideProject => "outside the principal's project",
            Self::OperatorInBucket => "operators stay out of buckets",
            Self::NotExposed => "not exposed to the zone",
            Self::DeniedByBucketPolicy => "the bucket's policy denies it",
            Self::PublicAccessBlocked => "public access is blocked",
            Self::SingleFactor => "it needs a sign-in by two factors",
            Self::NarrowedAway => "the session's policies do not allow it",
            Self::NotPermitted => "no policy permits it",
            Self::NotApplicable => "the action does not apply to the resource",
            Self::EvaluationFailed => "a policy failed",
        })
    }
}

/// Why texts are not usable policies.
#[derive(Debug, thiserror::Error)]
#[error("the policies cannot be used: {0}")]
pub(crate) struct InvalidPolicies(String);

impl InvalidPolicies {
    fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

/// What policies say to a question, and which of them said it.
pub(crate) struct Answer {
    pub(crate) verdict: Result<(), Reason>,
    /// The `@id`s of the policies that determined the verdict, sorted; none if nothing permits.
    pub(crate) policies: Vec<String>,
}

impl Answer {
    pub(crate) fn denied(reason: Reason) -> Self {
        Self { verdict: Err(reason), policies: Vec::new() }
    }
}

/// The policies that stand beside the statements of a bucket's policy, in each of the circumstances.
struct InBucket([[PolicySet; 2]; 2]);

impl InBucket {
    fn compile(schema: &Schema) -> Result<Self, InvalidPolicies> {
        let every = validated(BUCKET_POLICIES, schema)?;
        let set = |role_permits, restricted| {
            let stands = |id: &str| match id {
                ROLES_PERMIT => role_permits,
                PUBLIC_ACCESS_IS_RESTRICTED => restricted,
                _ => true,
            };
            let standing = every.policies().filter(|policy| stands(policy.id().as_ref()));
            PolicySet::from_policies(standing.cloned()).map_err(InvalidPolicies::new)
        };
        Ok(Self([[set(false, false)?, set(false, true)?], [set(true, false)?, set(true, true)?]]))
    }

    fn beside(&self, circumstances: Circumstances) -> &PolicySet {
        let Circumstances { role_permits, public_access_restricted } = circumstances;
        &self.0[usize::from(role_permits)][usize::from(public_access_restricted)]
    }
}

/// Policies and their schema, ready to be evaluated.
pub(crate) struct Policies {
    authorizer: Authorizer,
    set: PolicySet,
    in_bucket: InBucket,
    /// What stands beside the statements of a policy that narrows: nothing.
    alone: PolicySet,
    schema: Schema,
    vocabulary: Vocabulary,
    /// Making entities costs more than evaluating them, and they follow from principal and resource alone.
    entities: Cache<(Principal, Resource), Arc<Entities>>,
}

impl Policies {
    /// The policies that are part of the program.
    pub(crate) fn shipped() -> Result<Self, InvalidPolicies> {
        Self::compile(SHIPPED_POLICIES, SHIPPED_SCHEMA)
    }

    fn compile(policies: &str, schema: &str) -> Result<Self, InvalidPolicies> {
        let schema = Schema::from_str(schema).map_err(InvalidPolicies::new)?;
        let bucket_schema = bucket_policy::bare_schema().map_err(InvalidPolicies::new)?;
        Ok(Self {
            authorizer: Authorizer::new(),
            set: validated(policies, &schema)?,
            in_bucket: InBucket::compile(&bucket_schema)?,
            alone: PolicySet::new(),
            schema,
            vocabulary: Vocabulary::new().map_err(InvalidPolicies::new)?,
            entities: Cache::new(REMEMBERED_ENTITIES),
        })
    }

    /// Evaluates every policy: tens of microseconds.
    pub(crate) fn answer(&self, question: &Question) -> Answer {
        let principal = self.vocabulary.principal(&question.principal);
        let action = self.vocabulary.action(question.action);
        let resource = self.vocabulary.resource(&question.resource);
        let request = Request::new(principal, action, resource, Context::empty(), Some(&self.schema));
        let Ok(request) = request else {
            return Answer::denied(Reason::NotApplicable);
        };
        let Ok(entities) = self.entities(question) else {
            return Answer::denied(Reason::EvaluationFailed);
        };
        conclude(question, &self.authorizer.is_authorized(&request, &self.set, &entities))
    }

    fn entities(&self, question: &Question) -> Result<Arc<Entities>, Unrepresentable> {
        let key = (question.principal.clone(), question.resource);
        // No schema is given here: it would be checked each time, and a test checks these entities once.
        let make = || self.vocabulary.entities(question, None).map(Arc::new);
        self.entities.get_or_insert_with(&key, make)
    }

    /// Evaluates these statements of a bucket's policy, and what stands beside them.
    pub(crate) fn answer_in_bucket(
        &self,
        asked: &Asked<'_>,
        policy: &Compiled,
        statements: &[usize],
        circumstances: Circumstances,
    ) -> Answer {
        self.answer_by_statements(
            asked,
            policy,
            statements,
            (circumstances, self.in_bucket.beside(circumstances)),
        )
    }

    /// Evaluates these statements of a policy that narrows, and nothing else.
    pub(crate) fn answer_alone(&self, asked: &Asked<'_>, policy: &Compiled, statements: &[usize]) -> Answer {
        let circumstances = Circumstances { role_permits: false, public_access_restricted: false };
        self.answer_by_statements(asked, policy, statements, (circumstances, &self.alone))
    }

    fn answer_by_statements(
        &self,
        asked: &Asked<'_>,
        policy: &Compiled,
        statements: &[usize],
        (circumstances, beside): (Circumstances, &PolicySet),
    ) -> Answer {
        let question = asked.question;
        let Some(context) = policy.context(statements, asked, circumstances) else {
            return Answer::denied(Reason::EvaluationFailed);
        };
        let principal = self.vocabulary.principal(&question.principal);
        let action = self.vocabulary.action(question.action);
        let resource = self.vocabulary.resource(&question.resource);
        // No schema is given here either; a test holds requests against it.
        let request = Request::new(principal, action, resource, context, None);
        let entities = self.entities(question);
        let set = policy.select(statements, circumstances, beside);
        let (Ok(request), Ok(entities), Some(set)) = (request, entities, set) else {
            return Answer::denied(Reason::EvaluationFailed);
        };
        conclude(question, &self.authorizer.is_authorized(&request, &set, &entities))
    }
}

/// Parses and validates in strict mode; warnings are refused too. Each policy must have an `@id` of its own.
fn validated(policies: &str, schema: &Schema) -> Result<PolicySet, InvalidPolicies> {
    let policies = name_by_annotation(&policies.parse().map_err(InvalidPolicies::new)?)?;
    let result = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
    if !result.validation_passed_without_warnings() {
        return Err(InvalidPolicies::new(result));
    }
    Ok(policies)
}

/// Gives each policy its `@id` annotation as its id, instead of its place in the file.
fn name_by_annotation(parsed: &PolicySet) -> Result<PolicySet, InvalidPolicies> {
    let named = parsed.policies().map(|policy| {
        let id = policy.annotation("id").ok_or_else(|| InvalidPolicies::new("a policy has no @id"))?;
        Ok(policy.new_id(id.parse().map_err(InvalidPolicies::new)?))
    });
    PolicySet::from_policies(named.collect::<Result<Vec<_>, _>>()?).map_err(InvalidPolicies::new)
}

fn conclude(question: &Question, response: &Response) -> Answer {
    if response.diagnostics().errors().next().is_some() {
        return Answer::denied(Reason::EvaluationFailed);
    }
    let mut policies: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
    policies.sort();
    let verdict = match response.decision() {
        Decision::Allow => Ok(()),
        Decision::Deny => {
            let known = REASONS.iter().find(|(id, _)| policies.iter().any(|policy| policy == id));
            Err(match known {
                Some((_, reason)) => *reason,
                None if policies.is_empty() => why_nothing_permits(question),
                None => Reason::DeniedByBucketPolicy,
            })
        }
    };
    Answer { verdict, policies }
}

/// What somebody who is denied because no policy permits it may be told to look at.
fn why_nothing_permits(question: &Question) -> Reason {
    let own = match &question.principal {
        Principal::Anonymous => return Reason::Anonymous,
        Principal::Operator | Principal::OperatorAccount { .. } | Principal::Lifecycle => {
            return Reason::NotPermitted;
        }
        Principal::ServiceAccount { project, .. } | Principal::Session { project, .. } => project,
        Principal::User { grants, .. } => {
            let has_roles = match question.resource {
                Resource::Platform => false,
                Resource::Organisation(_) => grants.in_organisation().next().is_some(),
                Resource::Project { project, .. } | Resource::Bucket { project, .. } => {
                    grants.in_project(project).next().is_some()
                }
            };
            return if has_roles { Reason::NotPermitted } else { Reason::OutsideProject };
        }
    };
    match &question.resource {
        Resource::Project { project, .. } | Resource::Bucket { project, .. } if project == own => {
            Reason::NotPermitted
        }
        _ => Reason::OutsideProject,
    }
}

#[cfg(test)]
mod tests;
