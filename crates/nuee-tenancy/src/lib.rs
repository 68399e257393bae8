//! Organisations, projects, what of them is exposed to which zone, users and what they may do, service accounts, and
//! sessions in assumable roles.
//!
//! An *organisation* is the tenant and the boundary of keys; a *project* is its unit of work; a *service account* acts
//! in one project, known by access keys. For example, the first start makes organisation `local`, project `default` in
//! it, and a service account that owns the project, whose secret is shown once. An *assumable role* is what others act as
//! for a while, in a *session* with a temporary access key. A *user* is a person, who joins by an *invitation*, has roles by
//! *grants*, and acts in a *sign-in*.
//!
//! Promised: names are unique where they must be; a secret is never kept but sealed under the organisation's key; a
//! revoked account is refused from the moment its revocation returns; each change is journalled in its transaction.
//!
//! Deliberately absent: speaking to issuers, who make people known too, and what is stored in a project.

mod access_key;
mod answer;
mod assumable_role;
mod bounds;
mod credential;
mod error;
mod exposure;
mod identity;
mod invitation;
mod journal;
mod membership;
mod organisation;
mod pace;
mod placement;
mod project;
mod project_keys;
mod quota;
mod service_account;
mod session;
mod sign_in;
mod user;
mod verify;

use std::{collections::BTreeSet, sync::Arc};

use nuee_base::{Environment, ProjectId, Slug};
use nuee_journal::Journal;
use nuee_keys::KeyRing;
use nuee_metadata::{Metadata, RowCache};
use tokio::sync::Semaphore;

pub use access_key::{MAX_ACCESS_KEYS, ShownKey};
pub use answer::{Asked, KeptAnswer};
pub use assumable_role::{
    AssumableRole, LONGEST_SESSION, RoleTerms, SHORTEST_SESSION, Trusted, parse_role_arn, role_arn,
};
pub use bounds::{Bound, Bounds};
pub use credential::{Enrolment, Presented, SecondFactor};
pub use error::Error;
pub use exposure::{Audience, Exposed, Exposure, ExposureTerms, Exposures, MAX_EXPOSURES, MAX_NETWORKS};
pub use invitation::{ACCEPT_INVITATION, Invitation, Joining, LocalCredential, Offer};
pub use membership::{Grant, Member, MembersAfter};
pub use organisation::{Organisation, Profile};
pub use placement::{Placement, SiteDescription, UnmetPlacement};
pub use project::Project;
pub use project_keys::ProjectKeys;
pub use quota::{Holdings, Quota};
pub use service_account::{AccessKey, KnownKey, ServiceAccount};
pub use session::{Beginner, Known, Session, TemporaryKey, Wanted};
pub use sign_in::{
    Binding, Client, GivenToken, IssuerSession, KnownUser, LONGEST_SIGN_IN, RENEWED_AFTER, Shown, SignIn,
};
pub use user::{Realm, User};
pub use verify::DamagedRow;

use access_key::KeyUses;
use bounds::KNOWN_BOUNDS;
use credential::Strangers;
use exposure::{KNOWN_PROJECTS, KnownExposures};
use pace::Pace;
use service_account::{KNOWN_KEYS, KnownKeys};
use session::{KNOWN_SESSIONS, KnownSessions};
use sign_in::{KNOWN_SIGN_INS, KnownUsers};

/// Organisations, projects and service accounts of a platform. Cheap to clone.
#[derive(Clone)]
pub struct Tenancy(Arc<Shared>);

struct Shared {
    metadata: Metadata,
    keys: Arc<KeyRing>,
    environment: Environment,
    journal: Journal,
    known_keys: KnownKeys,
    uses: KeyUses,
    known_bounds: RowCache<ProjectId, Arc<Bound>>,
    known_sessions: KnownSessions,
    known_users: KnownUsers,
    password_checks: Arc<Semaphore>,
    strangers: Strangers,
    pace: Pace,
    known_exposures: KnownExposures,
    configured: Configured,
}

/// What the settings say of the platform.
#[derive(Debug, Clone, Default)]
pub struct Configured {
    /// The issuers whose users' sessions go on.
    pub issuers: BTreeSet<Slug>,
    /// Where objects lie.
    pub site: SiteDescription,
}

impl Tenancy {
    /// Tenancy over these.
    #[must_use]
    pub fn new(metadata: Metadata, keys: Arc<KeyRing>, environment: Environment, journal: Journal) -> Self {
        Self::configured(metadata, keys, environment, (journal, Configured::default()))
    }

    /// The same, of which the settings say something.
    #[must_use]
    pub fn configured(
        metadata: Metadata,
        keys: Arc<KeyRing>,
        environment: Environment,
        (journal, configured): (Journal, Configured),
    ) -> Self {
        Self(Arc::new(Shared {
            metadata,
            keys,
            environment,
            journal,
            known_keys: KnownKeys::new(KNOWN_KEYS),
            uses: KeyUses::default(),
            known_bounds: RowCache::new(KNOWN_BOUNDS),
            known_sessions: KnownSessions::new(KNOWN_SESSIONS),
            known_users: KnownUsers::new(KNOWN_SIGN_INS),
            password_checks: credential::checks(),
            strangers: Strangers::default(),
            pace: Pace::default(),
            known_exposures: KnownExposures::new(KNOWN_PROJECTS),
            configured,
        }))
    }

    /// Whether the settings have an issuer of this name.
    #[must_use]
    pub fn knows_issuer(&self, name: &Slug) -> bool {
        self.0.configured.issuers.contains(name)
    }
}
