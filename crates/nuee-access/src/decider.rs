//! The one decision.
//!
//! Evaluating policies costs tens of microseconds, and each request asks; so decisions are remembered, in a bounded
//! cache, under the principal, the action and the resource. That is correct because policies can look at nothing else:
//! the schema declares no context, and entities are made from these three. A decision is valid for one sequence number
//! of the policies; [`Decider::invalidate`] moves to the next. What a bucket's policy says is not remembered: it depends
//! on the facts of a request (`in_bucket.rs`). Nor is where a request came in (`exposed.rs`).

mod exposed;
mod in_bucket;
mod narrowing;
mod permit;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use nuee_base::{Context, ErrorKind, Principal};
use quick_cache::sync::Cache;

pub use exposed::{Approach, Exposures, Extent};
pub use in_bucket::{BucketRules, PublicAccessBlock};
pub use permit::{Mismatch, Permit};

use narrowing::{Narrowings, refuse_narrowed};

use crate::{Action, Reason, Resource, policies::Policies, question::Question};

/// How many decisions are remembered: about 4 MB at most.
const REMEMBERED_DECISIONS: usize = 16_384;

/// Decides who may do what. Cheap to clone; clones share their memory of decisions.
#[derive(Clone)]
pub struct Decider(Arc<Shared>);

struct Shared {
    observer: Option<Box<dyn Observer>>,
    exposures: Option<Box<dyn Exposures>>,
    policies: Policies,
    sequence: AtomicU64,
    decisions: Cache<Question, Remembered>,
    narrowings: Narrowings,
}

/// Is told of decisions, while somebody waits for them.
pub trait Observer: Send + Sync + 'static {
    /// Something was decided.
    fn decided(&self, decision: &Decision<'_>);
}

/// What was decided.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'a> {
    /// Who asks, and when.
    pub context: &'a Context,
    /// What is to be done.
    pub action: Action,
    /// On what.
    pub resource: Resource,
    /// Whether it may be done.
    pub is_allowed: bool,
    /// Whether it may not because it is not exposed to the zone that the request came in from.
    pub is_unexposed: bool,
    /// Whether it is in a bucket that is open to the public.
    pub is_public: bool,
}

/// A verdict, and the sequence number of the policies that gave it.
#[derive(Clone, Copy)]
struct Remembered {
    verdict: Result<(), Reason>,
    sequence: u64,
}

impl Decider {
    /// Decides by the policies that are part of the program.
    #[must_use]
    pub fn shipped() -> Self {
        Self::of_shipped_policies(None, None)
    }

    /// The same, and `observer` is told of what is decided.
    #[must_use]
    pub fn observed(observer: impl Observer) -> Self {
        Self::of_shipped_policies(Some(Box::new(observer)), None)
    }

    /// The same, and `exposures` says what may be reached from zones.
    #[must_use]
    pub fn observed_with(observer: impl Observer, exposures: impl Exposures) -> Self {
        Self::of_shipped_policies(Some(Box::new(observer)), Some(Box::new(exposures)))
    }

    #[expect(
        clippy::expect_used,
        reason = "these policies are constants of the program, and a test compiles them"
    )]
    fn of_shipped_policies(
        observer: Option<Box<dyn Observer>>,
        exposures: Option<Box<dyn Exposures>>,
    ) -> Self {
        let policies = Policies::shipped().expect("the shipped policies compile");
        let decisions = Cache::new(REMEMBERED_DECISIONS);
        let narrowings = Narrowings::default();
        let sequence = AtomicU64::new(0);
        Self(Arc::new(Shared { observer, exposures, policies, sequence, decisions, narrowings }))
    }

    /// Decides whether the context's principal may do `action` on `resource`. This alone mints permits. A session that is
    /// narrowed may do nothing here: its policies speak of names, which a resource does not have.
    ///
    /// Whoever calls tells the log of a denial.
    pub fn decide(&self, context: &Context, action: Action, resource: Resource) -> Result<Permit, Denied> {
        let question = Question { principal: context.principal().clone(), action, resource };
        let verdict = self.exposed(context, &question, None);
        let verdict = verdict.and_then(|()| self.verdict(&question));
        let verdict = verdict.and_then(|()| refuse_narrowed(&question.principal));
        self.answer(context, question, verdict, false)
    }

    /// Mints the permit, or says why there is none.
    fn answer(
        &self,
        context: &Context,
        question: Question,
        verdict: Result<(), Reason>,
        is_public: bool,
    ) -> Result<Permit, Denied> {
        let Question { action, resource, .. } = question;
        let (is_allowed, is_unexposed) = (verdict.is_ok(), verdict == Err(Reason::NotExposed));
        self.observe(&Decision { context, action, resource, is_allowed, is_unexposed, is_public });
        match verdict {
            Ok(()) => Ok(Permit::new(question)),
            Err(reason) => Err(Denied(Box::new((question, reason)))),
        }
    }

    fn observe(&self, decision: &Decision<'_>) {
        if let Some(observer) = &self.0.observer {
            observer.decided(decision);
        }
    }

    /// What [`decide`](Self::decide) answers in this context, and which policies make it so. Mints nothing and remembers
    /// nothing.
    #[must_use]
    pub fn explain(&self, context: &Context, action: Action, resource: Resource) -> Explanation {
        let question = Question { principal: context.principal().clone(), action, resource };
        if let Err(reason) = self.exposed(context, &question, None) {
            return Explanation { denied: Some(reason), policies: Vec::new() };
        }
        let answer = self.0.policies.answer(&question);
        let verdict = answer.verdict.and_then(|()| refuse_narrowed(&question.principal));
        Explanation { denied: verdict.err(), policies: answer.policies }
    }

    /// Whether [`decide`](Self::decide) would allow it, for whoever shows what somebody may do. Mints nothing, and tells
    /// the observer nothing.
    #[must_use]
    pub fn may(&self, principal: &Principal, action: Action, resource: Resource) -> bool {
        let question = Question { principal: principal.clone(), action, resource };
        self.verdict(&question).and_then(|()| refuse_narrowed(principal)).is_ok()
    }

    /// Forgets every decision: to be called after whatever policies depend on has changed. Decisions that are being
    /// made meanwhile are not remembered.
    pub fn invalidate(&self) {
        self.0.sequence.fetch_add(1, Ordering::AcqRel);
    }

    fn verdict(&self, question: &Question) -> Result<(), Reason> {
        // Read before evaluating: what is evaluated while the number changes is remembered under the old one.
        let sequence = self.0.sequence.load(Ordering::Acquire);
        if let Some(remembered) = self.0.decisions.get(question)
            && remembered.sequence == sequence
        {
            return remembered.verdict;
        }
        let verdict = self.0.policies.answer(question).verdict;
        self.0.decisions.insert(question.clone(), Remembered { verdict, sequence });
        verdict
    }
}

impl fmt::Debug for Decider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decider").field("remembered", &self.0.decisions.len()).finish_non_exhaustive()
    }
}

/// A refusal. Its text is fit for whoever asked: it does not tell whether a resource of somebody else exists. The
/// [`reason`](Self::reason) is for logs and the journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Denied(Box<(Question, Reason)>);

impl Denied {
    /// Who was refused.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.0.0.principal
    }

    /// What was refused.
    #[must_use]
    pub fn action(&self) -> Action {
        self.0.0.action
    }

    /// What it was refused on.
    #[must_use]
    pub fn resource(&self) -> Resource {
        self.0.0.resource
    }

    /// Why; not to be shown to whoever asked.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.0.1
    }

    /// Whether it is about the principal's own project.
    #[must_use]
    pub fn is_of_own_project(&self) -> bool {
        match self.resource() {
            Resource::Project { organisation, project } | Resource::Bucket { organisation, project, .. } => {
                self.principal().is_of(organisation, project)
            }
            Resource::Platform | Resource::Organisation(_) => false,
        }
    }

    /// Always [`ErrorKind::Denied`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Denied
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = self.action();
        if self.reason() == Reason::SingleFactor {
            return write!(f, "{action} needs a sign-in by two factors");
        }
        // Whoever is of the project may know that it is there.
        if self.reason() == Reason::NotExposed && self.is_of_own_project() {
            return write!(
                f,
                "{action} is not exposed to the network that you come from: an owner of the project can expose it, by \
                 `nuee exposure create`"
            );
        }
        match self.principal() {
            Principal::Anonymous => {
                write!(f, "{action} needs credentials: sign the request with an access key")
            }
            Principal::Operator => {
                write!(f, "an operator may not do {action} here: use a service account of the project")
            }
            operator @ Principal::OperatorAccount { .. } => write!(
                f,
                "{operator} may not do {action} here: an operator who is an owner may, or a member of the project"
            ),
            Principal::Lifecycle => write!(f, "lifecycle rules may not do {action} here"),
            session @ Principal::Session { assumed, .. } => write!(
                f,
                "{session}, in the role {assumed}, may not do {action} here: the role does not allow it, or a policy of \
                 the session takes it away"
            ),
            user @ Principal::User { .. } => write!(
                f,
                "{user} may not do {action} here: ask an owner of the project or of the organisation for a role that \
                 allows it"
            ),
            account @ Principal::ServiceAccount { role, .. } => write!(
                f,
                "{account}, with the role {role}, may not do {action} here: use a service account of the project \
                 whose role allows it, or ask an owner of the project for one"
            ),
        }
    }
}

/// A decision explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Why it is denied; `None` if it is allowed.
    pub denied: Option<Reason>,
    /// The `@id`s of the policies that determined the decision, sorted: those that permit or, if any, those that forbid.
    /// None if no policy speaks of it.
    pub policies: Vec<String>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denied {
            None => f.write_str("allowed")?,
            Some(reason) => write!(f, "denied: {reason}")?,
        }
        if self.policies.is_empty() { Ok(()) } else { write!(f, " (policies: {})", self.policies.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use nuee_base::{Environment, OrganisationId, ProjectId, Role, ServiceAccountId};

    use super::*;

    fn owner_and_project() -> (Context, Resource) {
        let organisation = OrganisationId::from_bytes([2; 16]);
        let project = ProjectId::from_bytes([3; 16]);
        let id = ServiceAccountId::from_bytes([1; 16]);
        let owner = Principal::ServiceAccount { id, organisation, project, role: Role::Owner };
        (Context::new(Environment::system(), owner), Resource::Project { organisation, project })
    }

    /// Puts a false memory in place of the true one, to see whether it is believed.
    fn lie(decider: &Decider, context: &Context, resource: Resource) {
        let principal = context.principal().clone();
        let question = Question { principal, action: Action::ListBuckets, resource };
        let sequence = decider.0.sequence.load(Ordering::Acquire);
        let verdict = Err(Reason::NotPermitted);
        decider.0.decisions.insert(question, Remembered { verdict, sequence });
    }

    #[test]
    fn a_decision_is_remembered_until_policies_change() {
        let decider = Decider::shipped();
        let (context, project) = owner_and_project();
        assert!(decider.decide(&context, Action::ListBuckets, project).is_ok());
        assert_eq!(decider.0.decisions.len(), 1);
        lie(&decider, &context, project);
        assert!(decider.decide(&context, Action::ListBuckets, project).is_err(), "from memory");
        decider.clone().invalidate();
        assert!(decider.decide(&context, Action::ListBuckets, project).is_ok(), "evaluated again");
        assert!(decider.decide(&context, Action::ListBuckets, project).is_ok(), "and remembered");
    }

    #[test]
    fn an_explanation_is_never_taken_from_memory() {
        let decider = Decider::shipped();
        let (context, project) = owner_and_project();
        lie(&decider, &context, project);
        let explanation = decider.explain(&context, Action::ListBuckets, project);
        assert_eq!(explanation.to_string(), "allowed (policies: owners-do-everything)");
    }

    #[test]
    fn memory_is_bounded() {
        let decider = Decider::shipped();
        let (context, _) = owner_and_project();
        for number in 0..u128::try_from(REMEMBERED_DECISIONS).unwrap() * 5 / 4 {
            let organisation = OrganisationId::from_bytes(number.to_be_bytes());
            let _ = decider.decide(&context, Action::CreateProject, Resource::Organisation(organisation));
        }
        let remembered = decider.0.decisions.len();
        assert!(remembered <= REMEMBERED_DECISIONS * 9 / 8, "{remembered} decisions are remembered");
    }
}
