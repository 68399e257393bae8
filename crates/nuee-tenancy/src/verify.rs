//! Verification of what organisations, projects, accounts and keys have in rows: every code, every key that rows hold, and
//! that the rows are those that follow from the journal.

use nuee_access::{Action, Permit, Resource};
use nuee_base::OrganisationId;
use nuee_journal::{Checkpoint, Leaf, States, differences};
use nuee_metadata::{ProjectKeyRow, ProjectRow, ServiceAccountRow, Snapshot};

use crate::{
    Error, Tenancy,
    project_keys::{self, key_state},
};

/// A row that is not as it should be: what it is about, and what is wrong with it.
pub type DamagedRow = (String, String);

impl Tenancy {
    /// Opens every row, holds them against the journal, and the journal against a checkpoint of it; gives what is not as
    /// it should be.
    pub fn verify(&self, permit: &Permit, checkpoint: Option<&Checkpoint>) -> Result<Vec<DamagedRow>, Error> {
        permit.require(Action::Verify, Resource::Platform)?;
        self.0.metadata.read_consistent(|snapshot| {
            let mut damaged = Vec::new();
            let mut rows = States::new();
            for row in snapshot.organisations()? {
                let (id, name) = (row.id, row.name.clone());
                rows.insert(format!("organisation/{id}"), name.to_string());
                note(&mut damaged, || format!("organisation {name}"), self.open_organisation(row));
                for row in snapshot.projects(id)? {
                    self.verify_project(snapshot, row, &mut rows, &mut damaged)?;
                }
            }
            let mut said = States::new();
            let found = self.0.journal.verify(snapshot, checkpoint, |leaf| replay(&mut said, leaf))?;
            damaged.extend(found.into_iter().map(|detail| ("the journal".to_owned(), detail)));
            damaged.extend(differences(&said, &rows));
            Ok(damaged)
        })
    }

    fn verify_project(
        &self,
        snapshot: &Snapshot<'_>,
        row: ProjectRow,
        rows: &mut States,
        damaged: &mut Vec<DamagedRow>,
    ) -> Result<(), Error> {
        let (organisation, project, name) = (row.organisation, row.id, row.name.clone());
        rows.insert(format!("project/{project}"), name.to_string());
        note(damaged, || format!("project {name}"), self.open_project(row));
        for row in snapshot.project_keys(project)? {
            let what = || format!("key version {} of project {name}", row.version);
            note(damaged, what, self.verify_key(organisation, &row));
            rows.insert(key_of(&format!("project/{project}")), key_state(row.version));
        }
        for row in snapshot.service_accounts(project)? {
            self.verify_account(snapshot, (organisation, &row), rows, damaged)?;
        }
        Ok(())
    }

    fn verify_account(
        &self,
        snapshot: &Snapshot<'_>,
        (organisation, row): (OrganisationId, &ServiceAccountRow),
        rows: &mut States,
        damaged: &mut Vec<DamagedRow>,
    ) -> Result<(), Error> {
        let keys = snapshot.access_keys(row.id)?;
        for key in &keys {
            note(damaged, || format!("access key {}", key.id), self.read_credentials(&key.id));
        }
        let opened = self.open_account(organisation, row);
        let revoked = opened.as_ref().is_ok_and(|account| account.revoked_at.is_some());
        let keys = keys.iter().map(|key| key.id.to_string()).collect::<Vec<_>>().join(" and ");
        let state = if revoked && keys.is_empty() { REVOKED.to_owned() } else { active(&keys) };
        rows.insert(format!("service-account/{}", row.id), state);
        note(damaged, || format!("service account {}", row.name), opened);
        Ok(())
    }

    fn verify_key(&self, organisation: OrganisationId, row: &ProjectKeyRow) -> Result<(), Error> {
        let row_key = self.0.keys.row_mac_key(organisation)?;
        let fields = project_keys::fields(organisation, row.project, row.version, &row.record);
        let damaged = |_| Error::damaged(format!("key version {}", row.version), "its row's code is wrong");
        fields.verify(&row_key, &row.mac).map_err(damaged)
    }
}

const REVOKED: &str = "revoked";

fn active(keys: &str) -> String {
    format!("active with {keys}")
}

fn key_of(project: &str) -> String {
    format!("key of {project}")
}

fn replay(said: &mut States, leaf: Leaf) {
    let Leaf { action, on, detail, .. } = leaf;
    let detail = detail.unwrap_or_default();
    let is = |known: Action| action == known.as_str();
    if is(Action::CreateProject) {
        said.insert(key_of(&on), key_state(1));
        said.insert(on, detail);
    } else if is(Action::CreateOrganisation) {
        said.insert(on, detail);
    } else if is(Action::RotateKey) {
        said.insert(key_of(&on), detail);
    } else if is(Action::CreateServiceAccount) {
        said.insert(on, active(&detail));
    } else if is(Action::RevokeServiceAccount) {
        said.insert(on, REVOKED.to_owned());
    }
}

fn note<T>(damaged: &mut Vec<DamagedRow>, what: impl FnOnce() -> String, opened: Result<T, Error>) {
    if let Err(error) = opened {
        damaged.push((what(), error.to_string()));
    }
}
