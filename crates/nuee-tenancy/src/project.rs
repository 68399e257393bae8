//! Projects.

use nuee_access::{Action, Permit, Resource};
use nuee_base::{Context, Country, OrganisationId, Principal, ProjectId, Role, Slug, Timestamp, Zone};
use nuee_journal::{Entry, Subject};
use nuee_keys::RowBuilder;
use nuee_metadata::{Forget, Mac, ProjectKeyRow, ProjectRow, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Grant, Placement, Quota, Tenancy,
    organisation::organisation_of,
    project_keys::{self, decode, encode},
};

/// A project: the unit of work in an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// The organisation it belongs to.
    pub organisation: OrganisationId,
    /// Its name, unique in its organisation.
    pub name: Slug,
    /// When it was created.
    pub created_at: Timestamp,
    /// How much it may hold and ask.
    pub quota: Quota,
    /// The widest zone that exposures of it have an effect in.
    pub ceiling: Zone,
    /// How many copies of its objects there are, and where they may lie.
    pub placement: Placement,
}

/// The ceiling of projects that have no other.
const USUAL_CEILING: Zone = Zone::Rie;

impl Project {
    /// What decisions about this project are about.
    #[must_use]
    pub fn resource(&self) -> Resource {
        Resource::Project { organisation: self.organisation, project: self.id }
    }

    pub(crate) fn record(&self) -> impl Serialize + use<> {
        let (copies, countries) = (self.placement.copies, &self.placement.countries);
        Record::V3 {
            created_at_micros: self.created_at.as_micros(),
            quota: self.quota,
            ceiling: self.ceiling.to_string(),
            copies,
            countries: countries.iter().map(Country::to_string).collect(),
        }
    }
}

#[derive(Serialize, Deserialize)]
enum Record {
    V1 { created_at_micros: i64 },
    V2 { created_at_micros: i64, quota: Quota },
    V3 { created_at_micros: i64, quota: Quota, ceiling: String, copies: u32, countries: Vec<String> },
}

impl Record {
    /// When the project was made, and what it may.
    fn open(self) -> Result<(i64, Quota, Zone, Placement), Box<dyn std::error::Error>> {
        Ok(match self {
            Self::V1 { created_at_micros } => {
                (created_at_micros, Quota::default(), USUAL_CEILING, Placement::default())
            }
            Self::V2 { created_at_micros, quota } => {
                (created_at_micros, quota, USUAL_CEILING, Placement::default())
            }
            Self::V3 { created_at_micros, quota, ceiling, copies, countries } => {
                let countries = countries.iter().map(|country| country.parse()).collect::<Result<_, _>>()?;
                (created_at_micros, quota, ceiling.parse()?, Placement { copies, countries })
            }
        })
    }
}

fn fields(id: ProjectId, organisation: OrganisationId, name: &Slug, record: &[u8]) -> RowBuilder {
    RowBuilder::new("projects")
        .bytes(&id.to_bytes())
        .bytes(&organisation.to_bytes())
        .bytes(name.as_str().as_bytes())
        .bytes(record)
}

/// What makes a user who creates a project its owner.
fn owner_of(context: &Context, project: &Project) -> Option<Grant> {
    let Principal::User { id, .. } = context.principal() else { return None };
    Some(Grant {
        place: project.resource(),
        user: *id,
        role: Role::Owner,
        granted_at: context.now(),
        granted_by: context.principal().to_string(),
        expires_at: None,
    })
}

impl Tenancy {
    /// Creates a project, and its first key, in the organisation that the permit is for. A user who does so owns it.
    pub async fn create_project(
        &self,
        context: &Context,
        permit: &Permit,
        name: Slug,
    ) -> Result<Project, Error> {
        permit.require(Action::CreateProject, permit.resource())?;
        let Resource::Organisation(organisation) = permit.resource() else {
            return Err(Error::NotFound { kind: "organisation", name: permit.resource().to_string() });
        };
        let id = ProjectId::generate(&self.0.environment);
        let created_at = context.now();
        let row_key = self.0.keys.row_mac_key(organisation)?;
        let project = Project {
            id,
            organisation,
            name: name.clone(),
            created_at,
            quota: Quota::default(),
            ceiling: USUAL_CEILING,
            placement: Placement::default(),
        };
        let record = encode(&project.record())?;
        let mac = self.project_mac(&project, &record)?;
        let row = ProjectRow { id, organisation, name, record, mac };
        let wrapped = self.0.keys.create_project_key(organisation, id, 1)?;
        let mac = project_keys::fields(organisation, id, 1, &wrapped).mac(&row_key);
        let key = ProjectKeyRow { project: id, version: 1, record: wrapped, mac };
        let entry = Entry::new(context, &self.0.keys, organisation, format!("project/{id}"))?;
        let said = project.name.to_string();
        let (tenancy, owner) = (self.clone(), owner_of(context, &project));
        let forget = owner.as_ref().map(|grant| self.forget_user(grant.user));
        let create = move |transaction: &Transaction<'_>| {
            match transaction.insert_project(&row) {
                Err(nuee_metadata::Error::Duplicate) => {
                    Err(Error::Exists { kind: "project", name: row.name })
                }
                inserted => Ok(inserted?),
            }?;
            transaction.insert_project_key(&key)?;
            entry.append(transaction, Action::CreateProject.as_str(), Subject::detail(&said))?;
            if let Some(grant) = &owner {
                tenancy.put_grant(transaction, grant, &entry)?;
            }
            Ok::<_, Error>(forget)
        };
        self.0.metadata.write(create).await.map(drop)?;
        Ok(project)
    }

    pub(crate) fn project_mac(&self, project: &Project, record: &[u8]) -> Result<Mac, Error> {
        let row_key = self.0.keys.row_mac_key(project.organisation)?;
        Ok(fields(project.id, project.organisation, &project.name, record).mac(&row_key))
    }

    pub(crate) fn open_project(&self, row: ProjectRow) -> Result<Project, Error> {
        let row_key = self.0.keys.row_mac_key(row.organisation)?;
        if fields(row.id, row.organisation, &row.name, &row.record).verify(&row_key, &row.mac).is_err() {
            return Err(Error::damaged(format!("project {}", row.name), "its row's code is wrong"));
        }
        let opened = decode::<Record>("projects", &row.record)?.open();
        let (created_at_micros, quota, ceiling, placement) =
            opened.map_err(|error| Error::damaged(format!("project {}", row.name), error))?;
        let (id, organisation, name) = (row.id, row.organisation, row.name);
        let created_at = Timestamp::from_micros(created_at_micros);
        Ok(Project { id, organisation, name, created_at, quota, ceiling, placement })
    }

    /// Changes a project of the organisation that the permit is for, with a leaf of what is done and what it says. What
    /// `forget` forgets is forgotten with the commit.
    pub(crate) async fn change_project(
        &self,
        context: &Context,
        (permit, project): (&Permit, ProjectId),
        ((action, said), forget): ((Action, String), Forget),
        change: impl FnOnce(&Transaction<'_>, &mut Project) -> Result<(), Error> + Send + 'static,
    ) -> Result<Project, Error> {
        let organisation = organisation_of(permit)?;
        let entry = Entry::new(context, &self.0.keys, organisation, format!("project/{project}"))?;
        let tenancy = self.clone();
        let commit = move |transaction: &Transaction<'_>| {
            let row = transaction.project(project)?.filter(|row| row.organisation == organisation);
            let row = row.ok_or_else(|| Error::NotFound { kind: "project", name: project.to_string() })?;
            let mut changed = tenancy.open_project(row)?;
            change(transaction, &mut changed)?;
            let record = encode(&changed.record())?;
            transaction.update_project(project, &record, tenancy.project_mac(&changed, &record)?)?;
            entry.append(transaction, action.as_str(), Subject::detail(&said))?;
            Ok::<_, Error>((changed, forget))
        };
        Ok(self.0.metadata.write(commit).await?.0)
    }

    /// The project of this name in the organisation that the permit is for. Others may be damaged.
    pub fn project(&self, permit: &Permit, name: &Slug) -> Result<Option<Project>, Error> {
        let rows = self.project_rows(permit)?;
        rows.into_iter().find(|row| row.name == *name).map(|row| self.open_project(row)).transpose()
    }

    /// The project that the permit is for.
    pub fn get_project(&self, permit: &Permit) -> Result<Project, Error> {
        permit.require(Action::GetProject, permit.resource())?;
        let Resource::Project { organisation, project } = permit.resource() else {
            return Err(Error::NotFound { kind: "project", name: permit.resource().to_string() });
        };
        let row = self.0.metadata.read(|snapshot| snapshot.project(project))?;
        let row = row.filter(|row| row.organisation == organisation);
        self.open_project(row.ok_or_else(|| Error::NotFound { kind: "project", name: project.to_string() })?)
    }

    /// The name of a project that somebody has a role in, who is shown it.
    pub fn project_name(&self, id: ProjectId) -> Result<Slug, Error> {
        let row = self.0.metadata.read(|snapshot| snapshot.project(id))?;
        row.map(|row| row.name).ok_or_else(|| Error::NotFound { kind: "project", name: id.to_string() })
    }

    /// Where the project of this name in an organisation stands, for whoever asks for a decision; `None` if there is none.
    pub fn locate_project(
        &self,
        organisation: OrganisationId,
        name: &Slug,
    ) -> Result<Option<Resource>, Error> {
        let row = self.0.metadata.read(|snapshot| snapshot.project_named(organisation, name))?;
        row.map(|row| Ok(self.open_project(row)?.resource())).transpose()
    }

    /// The projects of the organisation that the permit is for whose names come after `after`, by name; `limit` at most.
    pub fn list_projects(&self, permit: &Permit, after: &str, limit: u32) -> Result<Vec<Project>, Error> {
        permit.require(Action::ListProjects, permit.resource())?;
        let organisation = organisation_of(permit)?;
        let rows = self.0.metadata.read(|snapshot| snapshot.projects_after(organisation, after, limit))?;
        rows.into_iter().map(|row| self.open_project(row)).collect()
    }

    /// The projects of the organisation that the permit is for, by name.
    pub fn projects(&self, permit: &Permit) -> Result<Vec<Project>, Error> {
        self.project_rows(permit)?.into_iter().map(|row| self.open_project(row)).collect()
    }

    fn project_rows(&self, permit: &Permit) -> Result<Vec<ProjectRow>, Error> {
        permit.require(Action::ListProjects, permit.resource())?;
        let Resource::Organisation(organisation) = permit.resource() else {
            return Err(Error::NotFound { kind: "organisation", name: permit.resource().to_string() });
        };
        Ok(self.0.metadata.read(|snapshot| snapshot.projects(organisation))?)
    }
}
