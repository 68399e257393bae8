//! A whole server in the process of a test, and tenants to act as.
//!
//! [`TestServer::start`] runs what `nuee up` runs, on free ports and in directories of its own, with two organisations,
//! one of which has two projects ([`Place`]). Every test so has neighbours whose things it must not reach:
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use nuee_testkit::{Place, TestServer};
//! let server = TestServer::start().await?;
//! let owner = server.owner(Place::Schools);
//! println!("{} {} {}", server.endpoint(), owner.access_key_id, owner.secret.expose());
//! server.stop().await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Program`] is the same as a process of its own, for what only a process shows: its memory, its logs, its end.
//!
//! Most tests bring the client that they are about. For what no client sends there are [`signer`], whose drafts can be
//! changed at will, and [`Wire`], which sends any bytes; [`Client`] joins the two.

mod client;
pub mod form;
mod program;
pub mod signer;
mod wire;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use nuee::{Addresses, FirstStart, Platform, Server, ServerOptions, Settings, Tuning};
use nuee_access::{Action, Permit, Resource};
use nuee_base::{AccessKeyId, Context, Environment, Principal, Role, Secret, Slug};
use nuee_tenancy::{AccessKey, Project, ServiceAccount};
use tempfile::TempDir;

pub use client::Client;
pub use program::{Program, Running, resident_bytes};
pub use wire::{Answer, Wire};

/// The projects that every test server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// Project `schools` of organisation `education`.
    Schools,
    /// Project `exams` of organisation `education`.
    Exams,
    /// Project `hospitals` of organisation `health`.
    Hospitals,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Schools, Self::Exams, Self::Hospitals];

    /// The name of the organisation.
    #[must_use]
    pub fn organisation(self) -> &'static str {
        match self {
            Self::Schools | Self::Exams => "education",
            Self::Hospitals => "health",
        }
    }

    /// The name of the project.
    #[must_use]
    pub fn project(self) -> &'static str {
        match self {
            Self::Schools => "schools",
            Self::Exams => "exams",
            Self::Hospitals => "hospitals",
        }
    }
}

/// A service account with its access key.
#[derive(Debug, Clone)]
pub struct Account {
    /// What it is when it acts.
    pub principal: Principal,
    /// The project it acts in, as something to decide about.
    pub project: Resource,
    /// The public half of its key.
    pub access_key_id: AccessKeyId,
    /// The secret half.
    pub secret: Secret,
}

impl Account {
    fn new(account: &ServiceAccount, key: AccessKey) -> Self {
        let ServiceAccount { id, organisation, project, role, .. } = *account;
        Self {
            principal: Principal::ServiceAccount { id, organisation, project, role },
            project: Resource::Project { organisation, project },
            access_key_id: key.id,
            secret: key.secret,
        }
    }
}

/// A running server of a test. Its directories are removed when it is dropped.
pub struct TestServer {
    server: Server,
    options: ServerOptions,
    projects: [Project; 3],
    owners: [Account; 3],
    directory: TempDir,
}

impl TestServer {
    /// Starts a server with the settings that users have.
    pub async fn start() -> Result<Self> {
        Self::start_with(Environment::system(), |_| {}).await
    }

    /// Starts a server whose layers work as `tuning` says, with settings that `adapt` changes.
    pub async fn start_tuned(tuning: Tuning, adapt: impl FnOnce(&mut Settings)) -> Result<Self> {
        Self::start_as(Environment::system(), tuning, adapt).await
    }

    /// Starts a server with another clock and randomness, and with settings that `adapt` changes.
    pub async fn start_with(environment: Environment, adapt: impl FnOnce(&mut Settings)) -> Result<Self> {
        Self::start_as(environment, Tuning::default(), adapt).await
    }

    async fn start_as(
        environment: Environment,
        tuning: Tuning,
        adapt: impl FnOnce(&mut Settings),
    ) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut settings = Settings::default();
        settings.server.listen.set_port(0);
        settings.server.admin_listen.set_port(0);
        settings.storage.data_dir = Some(directory.path().join("data"));
        settings.storage.key_dir = Some(directory.path().join("keys"));
        adapt(&mut settings);
        let options =
            ServerOptions { settings, first_start: FirstStart::WithoutAccount, environment, tuning };
        let server = Server::start(options.clone()).await?;
        let (projects, owners) = settle(server.platform()).await?;
        Ok(Self { server, options, projects, owners, directory })
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.server.addresses()
    }

    /// The URL of S3.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.addresses().endpoint()
    }

    /// The URL of health and metrics.
    #[must_use]
    pub fn admin_endpoint(&self) -> String {
        self.addresses().admin_endpoint()
    }

    /// Where the listener of this name listens, if there is one.
    #[must_use]
    pub fn listener(&self, name: &str) -> Option<std::net::SocketAddr> {
        self.server.listener(name)
    }

    /// The platform it serves: its store, its tenancy, its decider.
    #[must_use]
    pub fn platform(&self) -> &Platform {
        self.server.platform()
    }

    /// The owner of a project.
    #[must_use]
    pub fn owner(&self, place: Place) -> &Account {
        &self.owners[place as usize]
    }

    /// A project.
    #[must_use]
    pub fn project(&self, place: Place) -> &Project {
        &self.projects[place as usize]
    }

    /// Makes a further account in a project; it bears the name of its role unless `name` gives another.
    pub async fn create_account(&self, place: Place, role: Role, name: Option<&str>) -> Result<Account> {
        let name = name.unwrap_or(role.as_str()).parse()?;
        create_account(self.platform(), self.project(place), role, name).await
    }

    /// A client that acts as the owner of a project.
    #[must_use]
    pub fn client(&self, place: Place) -> Client {
        Client::of(self.addresses().s3, self.owner(place))
    }

    /// A context in which `account` acts.
    #[must_use]
    pub fn context(&self, account: &Account) -> Context {
        Context::new(self.options.environment.clone(), account.principal.clone())
    }

    /// The permit of `account` for something that it may do.
    pub fn permit(&self, account: &Account, action: Action, resource: Resource) -> Result<Permit> {
        Ok(self.platform().decider().decide(&self.context(account), action, resource)?)
    }

    /// Where the data is.
    #[must_use]
    pub fn data_directory(&self) -> &Path {
        self.platform().data_directory()
    }

    /// Where the keys are.
    #[must_use]
    pub fn key_directory(&self) -> PathBuf {
        self.platform().key_directory()
    }

    /// Stops the server and starts one on the same directories, on other ports. Handles on the old platform must be
    /// dropped before.
    pub async fn restart(self) -> Result<Self> {
        self.restart_with(|_| {}).await
    }

    /// As [`TestServer::restart`], with settings that `adapt` changes.
    pub async fn restart_with(self, adapt: impl FnOnce(&mut Settings)) -> Result<Self> {
        let Self { server, mut options, projects, owners, directory } = self;
        server.stop().await?;
        adapt(&mut options.settings);
        let server = Box::pin(Server::start(options.clone())).await?;
        Ok(Self { server, options, projects, owners, directory })
    }

    /// Has the server look for a newer certificate; says whether there was one.
    pub async fn refresh_certificate(&self) -> Result<bool> {
        self.server.refresh_certificate().await
    }

    /// The authority that clients must be told to trust, if there is one.
    #[must_use]
    pub fn ca_certificate(&self) -> Option<PathBuf> {
        self.server.ca_certificate()
    }

    /// Stops the server; gives the number of connections that had to be cut, and the directory with what it left.
    pub async fn stop(self) -> Result<(usize, TempDir)> {
        Ok((self.server.stop().await?, self.directory))
    }
}

/// Makes the organisations, the projects and their owners.
async fn settle(platform: &Platform) -> Result<([Project; 3], [Account; 3])> {
    let context = platform.operator();
    let mut organisations = Vec::new();
    for name in ["education", "health"] {
        let permit = platform.decider().decide(&context, Action::CreateOrganisation, Resource::Platform)?;
        organisations.push(
            platform
                .tenancy()
                .create_organisation(&context, &permit, (name.parse()?, nuee_tenancy::Profile::default()))
                .await?,
        );
    }
    let (mut projects, mut owners) = (Vec::new(), Vec::new());
    for place in Place::ALL {
        let named =
            |organisation: &&nuee_tenancy::Organisation| organisation.name.as_str() == place.organisation();
        let organisation = organisations.iter().find(named).context("each place has its organisation")?;
        let resource = Resource::Organisation(organisation.id);
        let permit = platform.decider().decide(&context, Action::CreateProject, resource)?;
        let project = platform.tenancy().create_project(&context, &permit, place.project().parse()?).await?;
        owners.push(create_account(platform, &project, Role::Owner, "owner".parse()?).await?);
        projects.push(project);
    }
    let all = (projects.try_into().ok()).zip(owners.try_into().ok());
    all.context("each place has one project and one owner")
}

async fn create_account(platform: &Platform, project: &Project, role: Role, name: Slug) -> Result<Account> {
    let context = platform.operator();
    let permit = platform.decider().decide(&context, Action::CreateServiceAccount, project.resource())?;
    let (account, key) = platform.tenancy().create_service_account(&context, &permit, name, role).await?;
    Ok(Account::new(&account, key))
}
