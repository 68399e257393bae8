//! A platform: a data directory and its keys, opened, with the layers that work on them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use nuee_access::{Action, Decider, Decision, Observer, Resource};
use nuee_base::{Context, Environment, Principal};
use nuee_journal::{Counted, Journal, Kind, Place, Recorder};
use nuee_keys::{DirectoryCustody, InstanceId, KeyCustody, KeyRing};
use nuee_metadata::Metadata;
use nuee_sites::DirectorySite;
use nuee_store::Store;
use nuee_tenancy::{Configured, Tenancy};
use tokio::task::spawn_blocking;

use crate::{
    data_directory::{DataDirectory, sync_directory},
    first_start::FirstStart,
    settings::Settings,
    witnesses::Witnesses,
};

/// A data directory and its keys, opened by this process alone. Cheap to clone; the data directory is free for others
/// when the last clone is dropped.
#[derive(Clone)]
pub struct Platform(Arc<Parts>);

/// How the layers below work. Users have settings for little of this; tests shrink it, and put faults into it.
#[derive(Debug, Clone, Default)]
pub struct Tuning {
    /// The site.
    pub site: nuee_sites::Options,
    /// The store.
    pub store: nuee_store::Options,
}

struct Parts {
    custody: Arc<DirectoryCustody>,
    environment: Environment,
    metadata: Metadata,
    site: DirectorySite,
    journal: Journal,
    witnesses: Witnesses,
    tenancy: Tenancy,
    store: Store,
    decider: Decider,
    // Dropped last: whoever opens the directory next finds everything closed.
    directory: DataDirectory,
}

impl Platform {
    /// Opens the platform that the settings name. Where there is none, makes one or refuses, as `first_start` says; in
    /// a new one there is no organisation yet.
    pub(crate) async fn open(
        settings: &Settings,
        environment: &Environment,
        first_start: FirstStart,
        tuning: Tuning,
    ) -> Result<Self> {
        let places = settings.places()?;
        if let Some(given) = &places.given {
            places.refuse_nesting(given)?;
        }
        let path = places.data.clone();
        let (directory, metadata) = spawn_blocking(move || open_metadata(&path, first_start)).await??;
        let custody = match first_start {
            FirstStart::Refused => places.open(&metadata, environment).await?,
            _ => places.establish(&metadata, environment).await?,
        };
        let site_path = directory.site();
        let site = spawn_blocking(move || DirectorySite::open(&site_path, tuning.site))
            .await?
            .with_context(|| format!("cannot open the site in {}", directory.site().display()))?;
        sync_directory(directory.path())?;
        let custody = Arc::new(custody);
        let keeper: Arc<dyn KeyCustody> = Arc::<DirectoryCustody>::clone(&custody);
        let keys = Arc::new(KeyRing::new(keeper, environment.clone(), KeyRing::LIFETIME));
        let origin = format!("nuee/{}", custody.instance());
        let journal = Journal::new(metadata.clone(), Arc::clone(&keys), origin);
        let configured = Configured { issuers: crate::issuers::names(settings), site: settings.site() };
        let given = (journal.clone(), configured);
        let tenancy = Tenancy::configured(metadata.clone(), Arc::clone(&keys), environment.clone(), given);
        let store = Store::new(
            metadata.clone(),
            site.clone(),
            keys,
            environment.clone(),
            (tenancy.bounds(), tuning.store),
        );
        let environment = environment.clone();
        let decider = Decider::observed_with(Counting(journal.recorder().clone()), tenancy.exposed());
        let witnesses = Witnesses::open(settings)?;
        let parts = Parts {
            custody,
            environment,
            metadata,
            site,
            journal,
            witnesses,
            tenancy,
            store,
            decider,
            directory,
        };
        Ok(Self(Arc::new(parts)))
    }

    /// A context in which whoever runs the platform acts.
    #[must_use]
    pub fn operator(&self) -> Context {
        Context::new(self.0.environment.clone(), Principal::Operator)
    }

    /// What was done.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.0.journal
    }

    /// Those who sign the journal too.
    pub(crate) fn witnesses(&self) -> &Witnesses {
        &self.0.witnesses
    }

    /// Sends each witness the journal's last checkpoint, unless it has signed that already. A server does so by itself.
    pub async fn ask_witnesses(&self) -> Result<()> {
        self.0.witnesses.submit(&self.0.journal).await
    }

    /// Organisations, projects and accounts.
    #[must_use]
    pub fn tenancy(&self) -> &Tenancy {
        &self.0.tenancy
    }

    /// Buckets and objects.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Who may do what.
    #[must_use]
    pub fn decider(&self) -> &Decider {
        &self.0.decider
    }

    /// Where time and randomness come from.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.0.environment
    }

    /// Where the data is.
    #[must_use]
    pub fn data_directory(&self) -> &Path {
        self.0.directory.path()
    }

    /// Where the keys are.
    #[must_use]
    pub fn key_directory(&self) -> PathBuf {
        self.0.custody.directory().to_path_buf()
    }

    /// Which instance this is: data and keys of one instance belong together.
    #[must_use]
    pub fn instance(&self) -> InstanceId {
        self.0.custody.instance()
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }

    pub(crate) fn site(&self) -> &DirectorySite {
        &self.0.site
    }

    pub(crate) fn custody(&self) -> &DirectoryCustody {
        &self.0.custody
    }

    /// Brings what is acknowledged to rest and closes. Later operations fail.
    pub(crate) async fn close(self) -> Result<()> {
        // Also drops the last clone where waiting is allowed: the site closes its segment.
        spawn_blocking(move || self.0.store.close()).await.context("closing the platform was interrupted")
    }
}

/// Counts for the journal what is denied, and who may read objects that are not open to everybody.
struct Counting(Recorder);

impl Observer for Counting {
    fn decided(&self, decision: &Decision<'_>) {
        let Decision { context, action, resource, is_allowed, is_unexposed, is_public } = *decision;
        let kind = match action {
            _ if is_unexposed => Kind::Unexposed,
            _ if !is_allowed => Kind::Denied,
            Action::GetObject | Action::GetObjectVersion if !is_public => Kind::Read,
            _ => return,
        };
        let place = match resource {
            Resource::Platform => Place::Platform,
            Resource::Organisation(organisation) => Place::Organisation(organisation),
            Resource::Project { organisation, project } => Place::Project(organisation, project),
            Resource::Bucket { organisation, bucket, .. } => Place::Bucket(organisation, bucket),
        };
        let (principal, action) = (context.principal().clone(), action.as_str());
        self.0.record(Counted { kind, principal, action, place }, context.now());
    }
}

fn open_metadata(path: &Path, first_start: FirstStart) -> Result<(DataDirectory, Metadata)> {
    let directory = match first_start {
        FirstStart::Refused => DataDirectory::open(path)?,
        _ => DataDirectory::create(path)?,
    };
    let metadata = Metadata::open(&directory.metadata(), nuee_metadata::Options::default())
        .with_context(|| format!("cannot open {}", directory.metadata().display()))?;
    Ok((directory, metadata))
}
