//! What a session's own policies leave of what its role may do.
//!
//! The policies come with the principal, as texts; they are compiled once and kept by the digest of these texts. One that
//! does not compile allows nothing.

use std::sync::Arc;

use nuee_base::{BucketName, Context, Principal};
use quick_cache::sync::Cache;

use super::{Decider, Denied, Permit};
use crate::{
    Action, Facts, Reason, Resource, SessionPolicy, action::Level, bucket_policy::Asked, question::Question,
};

/// How many lists of policies are kept, compiled: a few tens of MB at most.
const KEPT: usize = 1_024;

/// What stands for all buckets, where an action is on none of them: `*` alone matches it.
const ALL_BUCKETS: &str = "*";

/// Policies of sessions, compiled, by the digest of their texts.
pub(super) struct Narrowings(Cache<[u8; 32], Arc<Vec<SessionPolicy>>>);

impl Default for Narrowings {
    fn default() -> Self {
        Self(Cache::new(KEPT))
    }
}

/// Refuses a principal that policies narrow.
pub(super) fn refuse_narrowed(principal: &Principal) -> Result<(), Reason> {
    match principal {
        Principal::Session { narrowing, .. } if !narrowing.policies().is_empty() => Err(Reason::NarrowedAway),
        _ => Ok(()),
    }
}

impl Decider {
    /// Decides whether the context's principal may do `action` on a project's buckets together, or on the one of
    /// `bucket`'s name that is not there yet.
    ///
    /// Whoever calls tells the log of a denial.
    pub fn decide_in_project(
        &self,
        context: &Context,
        action: Action,
        project: Resource,
        bucket: Option<&BucketName>,
        facts: &dyn Facts,
    ) -> Result<Permit, Denied> {
        let question = Question { principal: context.principal().clone(), action, resource: project };
        let place = bucket.map_or(ALL_BUCKETS, BucketName::as_str);
        let asked = Asked { question: &question, bucket: place, now: context.now(), facts };
        // A name that is not told cannot be held against policies.
        let nameless = action == Action::CreateBucket && bucket.is_none();
        let left = || match nameless {
            true => refuse_narrowed(&question.principal),
            false => self.left_by_policies(&asked),
        };
        let verdict = self.exposed(context, &question, None);
        let verdict = verdict.and_then(|()| self.verdict(&question)).and_then(|()| left());
        self.answer(context, question, verdict, false)
    }

    /// Whether the session's own policies leave it this, in the bucket that the facts name; whoever is no session keeps
    /// everything.
    pub(super) fn narrowed(
        &self,
        context: &Context,
        question: &Question,
        facts: &dyn Facts,
    ) -> Result<(), Reason> {
        let Some(bucket) = facts.bucket_name() else { return refuse_narrowed(&question.principal) };
        self.left_by_policies(&Asked { question, bucket: bucket.as_str(), now: context.now(), facts })
    }

    fn left_by_policies(&self, asked: &Asked<'_>) -> Result<(), Reason> {
        let Principal::Session { narrowing, .. } = &asked.question.principal else { return Ok(()) };
        let names_nothing = asked.is_about_an_object() && asked.object_key().is_none();
        let elsewhere =
            asked.question.action.level() == Level::Elsewhere && !asked.question.action.is_on_all_buckets();
        if !narrowing.policies().is_empty() && (names_nothing || elsewhere) {
            return Err(Reason::NarrowedAway);
        }
        let compile = || {
            let parsed = narrowing.policies().iter().map(|text| SessionPolicy::parse(text));
            parsed.collect::<Result<Vec<_>, _>>().map(Arc::new)
        };
        let policies = self.0.narrowings.0.get_or_insert_with(&narrowing.digest(), compile);
        let policies = policies.map_err(|_| Reason::EvaluationFailed)?;
        for policy in policies.iter() {
            let statements = policy.compiled().concerning(asked);
            let answer = self.0.policies.answer_alone(asked, policy.compiled(), &statements);
            answer.verdict.map_err(|_| Reason::NarrowedAway)?;
        }
        Ok(())
    }
}
