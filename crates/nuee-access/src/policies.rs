//! The policies, compiled: the one module that speaks with Cedar.
//!
//! It answers questions and remembers nothing. Whatever Cedar cannot evaluate without error is denied: Cedar itself
//! skips a policy that fails, which for a `forbid` would be an opening.

mod entities;

use std::{fmt, str::FromStr};

use cedar_policy::{
    Authorizer, Context, Decision, PolicySet, Request, Response, Schema, ValidationMode, Validator,
};

use crate::question::Question;
use entities::Vocabulary;

/// The policies that every platform starts with.
const SHIPPED_POLICIES: &str = include_str!("../policies/shipped.cedar");
/// What principals, actions and resources are in these policies.
const SHIPPED_SCHEMA: &str = include_str!("../policies/schema.cedarschema");

/// The policies whose refusal has a reason of its own.
const REASONS: [(&str, Reason); 4] = [
    ("anonymous-does-nothing", Reason::Anonymous),
    ("organisations-are-closed", Reason::OutsideOrganisation),
    ("service-accounts-stay-in-their-project", Reason::OutsideProject),
    ("operators-stay-out-of-buckets", Reason::OperatorInBucket),
];

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
    fn denied(reason: Reason) -> Self {
        Self { verdict: Err(reason), policies: Vec::new() }
    }
}

/// Policies and their schema, ready to be evaluated.
pub(crate) struct Policies {
    authorizer: Authorizer,
    set: PolicySet,
    schema: Schema,
    vocabulary: Vocabulary,
}

impl Policies {
    /// The policies that are part of the program.
    pub(crate) fn shipped() -> Result<Self, InvalidPolicies> {
        Self::compile(SHIPPED_POLICIES, SHIPPED_SCHEMA)
    }

    /// Parses and validates in strict mode; warnings are refused too. Each policy must have an `@id` of its own.
    fn compile(policies: &str, schema: &str) -> Result<Self, InvalidPolicies> {
        let schema = Schema::from_str(schema).map_err(InvalidPolicies::new)?;
        let policies = name_by_annotation(&policies.parse().map_err(InvalidPolicies::new)?)?;
        let validator = Validator::new(schema);
        let result = validator.validate(&policies, ValidationMode::Strict);
        if !result.validation_passed_without_warnings() {
            return Err(InvalidPolicies::new(result));
        }
        Ok(Self {
            authorizer: Authorizer::new(),
            set: policies,
            schema: validator.schema().clone(),
            vocabulary: Vocabulary::new().map_err(InvalidPolicies::new)?,
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
        // No schema is given here: it would be checked at each evaluation, and a test checks these entities once.
        let Ok(entities) = self.vocabulary.entities(question, None) else {
            return Answer::denied(Reason::EvaluationFailed);
        };
        conclude(&self.authorizer.is_authorized(&request, &self.set, &entities))
    }
}

/// Gives each policy its `@id` annotation as its id, instead of its place in the file.
fn name_by_annotation(parsed: &PolicySet) -> Result<PolicySet, InvalidPolicies> {
    let named = parsed.policies().map(|policy| {
        let id = policy.annotation("id").ok_or_else(|| InvalidPolicies::new("a policy has no @id"))?;
        Ok(policy.new_id(id.parse().map_err(InvalidPolicies::new)?))
    });
    PolicySet::from_policies(named.collect::<Result<Vec<_>, _>>()?).map_err(InvalidPolicies::new)
}

fn conclude(response: &Response) -> Answer {
    if response.diagnostics().errors().next().is_some() {
        return Answer::denied(Reason::EvaluationFailed);
    }
    let mut policies: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
    policies.sort();
    let verdict = match response.decision() {
        Decision::Allow => Ok(()),
        Decision::Deny => {
            let known = REASONS.iter().find(|(id, _)| policies.iter().any(|policy| policy == id));
            Err(known.map_or(Reason::NotPermitted, |(_, reason)| *reason))
        }
    };
    Answer { verdict, policies }
}

#[cfg(test)]
mod tests;
