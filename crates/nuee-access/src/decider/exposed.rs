//! Where a request came in, beside what policies say: from a zone, nothing is reached but what is exposed there.
//!
//! An exposure says what of a project may be reached from which zone, by whom, until when. Whoever keeps exposures
//! implements [`Exposures`], and is asked at each decision about a request that came in from a zone: the answer depends on
//! the time and on the address, and is never part of what the decider remembers. What is not exposed is denied before any
//! policy is asked, so that the answer tells nothing of what is there.
//!
//! An object is exposed by its key, a listing by the prefix that is asked for. What is set of a bucket needs the whole
//! bucket, and what is done in a project all of it. Without anybody who keeps exposures, nothing is. What is no use of data
//! but administration, such as giving a role or an exposure itself, needs none: it is reached where a listener offers it.

use nuee_base::{BucketId, Context, Origin, ProjectId, Timestamp, Zone};

use super::{Decider, Decision, Denied};
use crate::{Action, ConditionKey, Facts, Reason, Resource, Values, action::Level, question::Question};

/// What may be reached from zones.
pub trait Exposures: Send + Sync + 'static {
    /// Whether an exposure covers this. What cannot be looked up is not covered.
    fn cover(&self, approach: &Approach<'_>) -> bool;
}

/// Something that is to be reached from a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approach<'a> {
    /// Where the request came in.
    pub origin: Origin,
    /// When.
    pub now: Timestamp,
    /// The project that it is about.
    pub project: ProjectId,
    /// Whether it is one of the project who asks: a principal of it that signed.
    pub by_member: bool,
    /// What of the project.
    pub extent: Extent<'a>,
}

/// How much of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent<'a> {
    /// All of it.
    Project,
    /// All of a bucket.
    Bucket(BucketId),
    /// The objects of a bucket whose keys begin so.
    Keys(BucketId, &'a str),
    /// Anything of a bucket, however little.
    PartOf(BucketId),
}

/// The project of a resource, and its bucket; `None` if it is in no project.
fn place(resource: Resource) -> Option<(ProjectId, Option<BucketId>)> {
    match resource {
        Resource::Platform | Resource::Organisation(_) => None,
        Resource::Project { project, .. } => Some((project, None)),
        Resource::Bucket { project, bucket, .. } => Some((project, Some(bucket))),
    }
}

impl Decider {
    /// Whether something is exposed, for who has to know before there is anything to decide. What came in nowhere, or from
    /// this machine, needs no exposure.
    #[must_use]
    pub fn exposes(&self, approach: &Approach<'_>) -> bool {
        approach.origin.zone == Zone::Local
            || self.0.exposures.as_ref().is_some_and(|exposures| exposures.cover(approach))
    }

    /// Decides whether somebody who signs with no key, having proved otherwise who they are, may begin a session in this
    /// project from where the request came in. Whom a role trusts, its own terms say.
    ///
    /// Whoever calls tells the log of a denial.
    pub fn decide_session(&self, context: &Context, project: Resource) -> Result<(), Denied> {
        let principal = context.principal().clone();
        let question = Question { principal, action: Action::AssumeRole, resource: project };
        let exposed = match (context.origin(), place(project)) {
            (None, _) => true,
            (Some(origin), Some((project, _))) => {
                let extent = Extent::Project;
                self.exposes(&Approach { origin, now: context.now(), project, by_member: true, extent })
            }
            (Some(origin), None) => origin.zone == Zone::Local,
        };
        if exposed {
            return Ok(());
        }
        let (action, resource) = (question.action, question.resource);
        let (is_allowed, is_unexposed, is_public) = (false, true, false);
        self.observe(&Decision { context, action, resource, is_allowed, is_unexposed, is_public });
        Err(Denied(Box::new((question, Reason::NotExposed))))
    }

    /// Whether what is asked is exposed where the request came in.
    pub(super) fn exposed(
        &self,
        context: &Context,
        question: &Question,
        facts: Option<&dyn Facts>,
    ) -> Result<(), Reason> {
        let Some(origin) = context.origin().filter(|origin| origin.zone != Zone::Local) else {
            return Ok(());
        };
        if question.action.is_administrative() {
            return Ok(());
        }
        let Some((project, bucket)) = place(question.resource) else { return Err(Reason::NotExposed) };
        let listed = facts.filter(|_| question.action.lists_keys()).map(prefix);
        let key = facts.filter(|_| question.action.level() == Level::Object).and_then(Facts::object_key);
        let extent = match (bucket, key, &listed) {
            (None, ..) => Extent::Project,
            (Some(bucket), Some(key), _) => Extent::Keys(bucket, key.as_str()),
            (Some(bucket), None, Some(prefix)) => Extent::Keys(bucket, prefix),
            (Some(bucket), None, None) => Extent::Bucket(bucket),
        };
        let by_member = match question.resource {
            Resource::Project { organisation, project } | Resource::Bucket { organisation, project, .. } => {
                context.principal().is_of(organisation, project)
            }
            Resource::Platform | Resource::Organisation(_) => false,
        };
        let approach = Approach { origin, now: context.now(), project, by_member, extent };
        if self.exposes(&approach) { Ok(()) } else { Err(Reason::NotExposed) }
    }
}

/// The prefix of a listing; none is the empty one.
fn prefix(facts: &dyn Facts) -> String {
    match facts.values(&ConditionKey::Prefix) {
        Values::One(prefix) => prefix.into_owned(),
        Values::Absent | Values::Several(_) => String::new(),
    }
}
