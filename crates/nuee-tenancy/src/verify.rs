//! Verification of what organisations, projects, accounts and keys have in rows: every code, and every key that rows hold.

use nuee_access::{Action, Permit, Resource};
use nuee_base::OrganisationId;
use nuee_metadata::{ProjectKeyRow, ProjectRow};

use crate::{Error, Tenancy, project_keys};

/// A row that is not as it should be: what it is about, and what is wrong with it.
pub type DamagedRow = (String, Error);

impl Tenancy {
    /// Opens every row; gives those that do not open.
    pub fn verify(&self, permit: &Permit) -> Result<Vec<DamagedRow>, Error> {
        permit.require(Action::Verify, Resource::Platform)?;
        let mut damaged = Vec::new();
        for row in self.0.metadata.read(|snapshot| snapshot.organisations())? {
            let (id, name) = (row.id, row.name.clone());
            note(&mut damaged, || format!("organisation {name}"), self.open_organisation(row));
            for row in self.0.metadata.read(|snapshot| snapshot.projects(id))? {
                self.verify_project(row, &mut damaged)?;
            }
        }
        Ok(damaged)
    }

    fn verify_project(&self, row: ProjectRow, damaged: &mut Vec<DamagedRow>) -> Result<(), Error> {
        let (organisation, project, name) = (row.organisation, row.id, row.name.clone());
        note(damaged, || format!("project {name}"), self.open_project(row));
        for row in self.0.metadata.read(|snapshot| snapshot.project_keys(project))? {
            let what = || format!("key version {} of project {name}", row.version);
            note(damaged, what, self.verify_key(organisation, &row));
        }
        for row in self.0.metadata.read(|snapshot| snapshot.service_accounts(project))? {
            let what = || format!("service account {} of project {name}", row.name);
            note(damaged, what, self.open_account(organisation, &row));
            for key in self.0.metadata.read(|snapshot| snapshot.access_keys(row.id))? {
                note(damaged, || format!("access key {}", key.id), self.read_credentials(&key.id));
            }
        }
        Ok(())
    }
}

impl Tenancy {
    fn verify_key(&self, organisation: OrganisationId, row: &ProjectKeyRow) -> Result<(), Error> {
        let row_key = self.0.keys.row_mac_key(organisation)?;
        let fields = project_keys::fields(organisation, row.project, row.version, &row.record);
        let damaged = |_| Error::damaged(format!("key version {}", row.version), "its row's code is wrong");
        fields.verify(&row_key, &row.mac).map_err(damaged)
    }
}

fn note<T>(damaged: &mut Vec<DamagedRow>, what: impl FnOnce() -> String, opened: Result<T, Error>) {
    if let Err(error) = opened {
        damaged.push((what(), error));
    }
}
