//! The one decision, where a bucket has rules of its own.
//!
//! What the role permits is remembered as everywhere. Statements of the bucket's policy that may concern the question are
//! then evaluated with it; if there are none, what the role permits is the answer. In order, once what is asked is exposed
//! where the request came in (`exposed.rs`):
//!
//! 1. Nothing crosses organisations, and operators stay out of buckets, whatever a policy says.
//! 2. A statement that denies wins over everything, except that an owner of the bucket's project keeps reading, changing
//!    and removing the policy: nobody locks themselves out.
//! 3. A public policy allows nothing to anonymous requests while public access is restricted, and its public statements
//!    allow nothing to other projects.
//! 4. What the role permits, or a statement allows, is allowed; nothing else is.
//! 5. Of that, a session keeps what each of its own policies allows too.
//!
//! A policy speaks of the bucket and its objects. It can neither allow nor deny what is done elsewhere, such as creating
//! buckets.

use nuee_base::Context;

use super::{Decider, Denied, Explanation, Permit};
use crate::{
    Action, BucketPolicy, Facts, Reason, Resource,
    action::Level,
    bucket_policy::{Asked, Circumstances},
    policies::{Answer, ROLES_PERMIT},
    question::Question,
};

/// What a bucket adds to the policies of the platform.
#[derive(Debug, Clone, Default)]
pub struct BucketRules {
    /// Its policy, if it has one.
    pub policy: Option<BucketPolicy>,
    /// What is blocked of public access to it.
    pub public_access: PublicAccessBlock,
}

impl BucketRules {
    /// Whether its policy opens the bucket to the public.
    #[must_use]
    pub fn is_public(&self) -> bool {
        !self.public_access.restrict_public_buckets
            && self.policy.as_ref().is_some_and(BucketPolicy::is_public)
    }
}

/// What is blocked of public access to a bucket, as
/// [at AWS](https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html): everything,
/// unless somebody decided otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "these are the four switches of S3, each independent")]
pub struct PublicAccessBlock {
    /// Refuse access control lists that would open the bucket or an object. The surface's to observe.
    pub block_public_acls: bool,
    /// Do as if such lists were not there. The surface's to observe.
    pub ignore_public_acls: bool,
    /// Refuse a policy that is public: [`refuses`](Self::refuses).
    pub block_public_policy: bool,
    /// Let a public policy allow nothing to anonymous requests, nor its public statements to other projects.
    pub restrict_public_buckets: bool,
}

impl Default for PublicAccessBlock {
    fn default() -> Self {
        Self {
            block_public_acls: true,
            ignore_public_acls: true,
            block_public_policy: true,
            restrict_public_buckets: true,
        }
    }
}

impl PublicAccessBlock {
    /// Whether a bucket with this block may not be given this policy.
    #[must_use]
    pub fn refuses(&self, policy: &BucketPolicy) -> bool {
        self.block_public_policy && policy.is_public()
    }
}

impl Decider {
    /// Decides whether the context's principal may do `action` on `resource`, a bucket with these rules. `facts` says
    /// what conditions look at.
    ///
    /// Whoever calls tells the log of a denial.
    pub fn decide_in_bucket(
        &self,
        context: &Context,
        action: Action,
        resource: Resource,
        rules: &BucketRules,
        facts: &dyn Facts,
    ) -> Result<Permit, Denied> {
        let question = Question { principal: context.principal().clone(), action, resource };
        if let Err(reason) = self.exposed(context, &question, Some(facts)) {
            return self.answer(context, question, Err(reason), rules.is_public());
        }
        let by_role = self.verdict(&question);
        let verdict = match self.by_policy(context, &question, by_role.is_ok(), rules, facts) {
            None => by_role,
            Some(answer) => answer.verdict,
        };
        let verdict = verdict.and_then(|()| self.narrowed(context, &question, facts));
        self.answer(context, question, verdict, rules.is_public())
    }

    /// What [`decide_in_bucket`](Self::decide_in_bucket) answers, and which policies and which statements make it so.
    /// Mints nothing and remembers nothing.
    #[must_use]
    pub fn explain_in_bucket(
        &self,
        context: &Context,
        action: Action,
        resource: Resource,
        rules: &BucketRules,
        facts: &dyn Facts,
    ) -> Explanation {
        let question = Question { principal: context.principal().clone(), action, resource };
        if let Err(reason) = self.exposed(context, &question, Some(facts)) {
            return Explanation { denied: Some(reason), policies: Vec::new() };
        }
        let by_role = self.0.policies.answer(&question);
        let Some(answer) = self.by_policy(context, &question, by_role.verdict.is_ok(), rules, facts) else {
            let verdict = by_role.verdict.and_then(|()| self.narrowed(context, &question, facts));
            return Explanation { denied: verdict.err(), policies: by_role.policies };
        };
        let mut policies = Vec::new();
        for id in answer.policies {
            if id == ROLES_PERMIT {
                policies.extend(by_role.policies.iter().cloned());
            } else {
                let statement = rules.policy.as_ref().and_then(|policy| policy.compiled().name_of(&id));
                policies.push(statement.unwrap_or(id));
            }
        }
        let verdict = answer.verdict.and_then(|()| self.narrowed(context, &question, facts));
        Explanation { denied: verdict.err(), policies }
    }

    /// What the bucket's policy makes of it; `None` if no statement can concern it.
    fn by_policy(
        &self,
        context: &Context,
        question: &Question,
        role_permits: bool,
        rules: &BucketRules,
        facts: &dyn Facts,
    ) -> Option<Answer> {
        let policy = rules.policy.as_ref()?;
        if !matches!(question.resource, Resource::Bucket { .. })
            || question.action.level() == Level::Elsewhere
        {
            return None;
        }
        let asked = Asked { question, bucket: policy.bucket().as_str(), now: context.now(), facts };
        if asked.is_about_an_object() && asked.object_key().is_none() {
            return Some(Answer::denied(Reason::NotApplicable));
        }
        let compiled = policy.compiled();
        let statements = compiled.concerning(&asked);
        if statements.is_empty() {
            return None;
        }
        let restricted = rules.public_access.restrict_public_buckets && policy.is_public();
        let ask = |public_access_restricted| {
            let circumstances = Circumstances { role_permits, public_access_restricted };
            self.0.policies.answer_in_bucket(&asked, compiled, &statements, circumstances)
        };
        let mut answer = ask(restricted);
        let nothing_permits = answer.verdict.is_err() && answer.policies.is_empty();
        if restricted && nothing_permits && compiled.any_public(&statements) && ask(false).verdict.is_ok() {
            answer.verdict = Err(Reason::PublicAccessBlocked);
        }
        Some(answer)
    }
}
