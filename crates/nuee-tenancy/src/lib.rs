//! Organisations, projects and service accounts.
//!
//! An *organisation* is the tenant and the boundary of keys; a *project* is its unit of work; a *service account* acts
//! in one project, known by access keys. For example, the first start makes organisation `local`, project `default` in
//! it, and a service account that owns the project, whose secret is shown once.
//!
//! Promised: names are unique where they must be; a secret is never kept but sealed under the organisation's key; a
//! revoked account is refused from the moment its revocation returns; each change is journalled in its transaction.
//!
//! Deliberately absent: people, who come with sessions, and what is stored in a project.

mod error;
mod journal;
mod organisation;
mod project;
mod project_keys;
mod service_account;
mod verify;

use std::sync::Arc;

use nuee_base::Environment;
use nuee_journal::Journal;
use nuee_keys::KeyRing;
use nuee_metadata::Metadata;

pub use error::Error;
pub use organisation::Organisation;
pub use project::Project;
pub use project_keys::ProjectKeys;
pub use service_account::{AccessKey, ServiceAccount};
pub use verify::DamagedRow;

use service_account::{KNOWN_KEYS, KnownKeys};

/// Organisations, projects and service accounts of a platform. Cheap to clone.
#[derive(Clone)]
pub struct Tenancy(Arc<Shared>);

struct Shared {
    metadata: Metadata,
    keys: Arc<KeyRing>,
    environment: Environment,
    journal: Journal,
    known_keys: KnownKeys,
}

impl Tenancy {
    /// Tenancy over these.
    #[must_use]
    pub fn new(metadata: Metadata, keys: Arc<KeyRing>, environment: Environment, journal: Journal) -> Self {
        let known_keys = KnownKeys::new(KNOWN_KEYS);
        Self(Arc::new(Shared { metadata, keys, environment, journal, known_keys }))
    }
}
