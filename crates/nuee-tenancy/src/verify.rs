//! Verification of what organisations, projects, accounts and keys have in rows: every code, every key that rows hold, and
//! that the rows are those that follow from the journal.

use nuee_access::{Action, Permit, Resource};
use nuee_base::{OrganisationId, ProjectId, Timestamp, Zone};
use nuee_journal::{Checkpoint, Leaf, States, differences};
use nuee_metadata::{ProjectKeyRow, ProjectRow, ServiceAccountRow, Snapshot};

mod people;

use crate::{
    Error, Placement, Tenancy,
    assumable_role::resource_of,
    exposure::ceiling_of,
    placement::placement_of,
    project_keys::{self, key_state},
    session,
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
            self.verify_people(snapshot, OrganisationId::PLATFORM, &mut rows, &mut damaged)?;
            for row in snapshot.organisations()? {
                let (id, name) = (row.id, row.name.clone());
                rows.insert(format!("organisation/{id}"), name.to_string());
                note(&mut damaged, || format!("organisation {name}"), self.open_organisation(row));
                self.verify_people(snapshot, id, &mut rows, &mut damaged)?;
                for row in snapshot.projects(id)? {
                    self.verify_project(snapshot, row, &mut rows, &mut damaged)?;
                }
            }
            let (mut said, now) = (States::new(), self.0.environment.now());
            let found = self.0.journal.verify(snapshot, checkpoint, |leaf| replay(&mut said, leaf, now))?;
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
        let opened = self.open_project(row);
        if let Ok(quota) = opened.as_ref().map(|project| project.quota)
            && let Some(counted) = snapshot.counted_usage(project)?
        {
            rows.insert(quota_of(&format!("project/{project}")), quota.said());
            let there = snapshot.summed_usage(project)?;
            if counted != there {
                let detail = format!("{counted:?} is counted, and {there:?} is there");
                damaged.push((format!("usage of project {name}"), detail));
            }
        }
        if let Ok(ceiling) = opened.as_ref().map(|project| project.ceiling)
            && ceiling != Zone::Rie
        {
            rows.insert(ceiling_of(&format!("project/{project}")), ceiling.to_string());
        }
        if let Ok(placement) = opened.as_ref().map(|project| &project.placement)
            && *placement != Placement::default()
        {
            rows.insert(placement_of(&format!("project/{project}")), placement.to_string());
        }
        note(damaged, || format!("project {name}"), opened);
        for row in snapshot.project_keys(project)? {
            let what = || format!("key version {} of project {name}", row.version);
            note(damaged, what, self.verify_key(organisation, &row));
            rows.insert(key_of(&format!("project/{project}")), key_state(row.version));
        }
        for row in snapshot.service_accounts(project)? {
            self.verify_account(snapshot, (organisation, &row), rows, damaged)?;
        }
        self.verify_exposures(snapshot, (organisation, project), rows, damaged)?;
        self.verify_roles(snapshot, (organisation, project), rows, damaged)
    }

    fn verify_roles(
        &self,
        snapshot: &Snapshot<'_>,
        (organisation, project): (OrganisationId, ProjectId),
        rows: &mut States,
        damaged: &mut Vec<DamagedRow>,
    ) -> Result<(), Error> {
        for row in snapshot.assumable_roles(project)? {
            let name = resource_of(project, &row.name);
            let opened = self.open_assumable_role(organisation, &row);
            if let Ok(role) = &opened {
                rows.insert(name.clone(), role.terms.state());
            }
            note(damaged, || name, opened);
        }
        let now = self.0.environment.now().to_string();
        Self::every_session(snapshot, project, |row| {
            note(damaged, || format!("session {}", row.id), self.open_session(&row));
            // As the journal's is told from the present: by its text.
            if row.expires_at.to_string() > now {
                let said = session::state(&row);
                rows.insert(format!("session/{}", row.id), said);
            }
        })
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

fn replay(said: &mut States, leaf: Leaf, now: Timestamp) {
    let Leaf { action, on, detail, .. } = leaf;
    let detail = detail.unwrap_or_default();
    let is = |known: Action| action == known.as_str();
    if people::replay(said, (&action, &on, &detail), now) {
        // It is of people.
    } else if is(Action::CreateProject) {
        said.insert(key_of(&on), key_state(1));
        said.insert(on, detail);
    } else if is(Action::CreateOrganisation) {
        said.insert(on, detail);
    } else if is(Action::RotateKey) {
        said.insert(key_of(&on), detail);
    } else if is(Action::CreateServiceAccount) {
        said.insert(on, active(&detail));
    } else if is(Action::CreateAccessKey) {
        with_keys(said, &on, |keys| keys.push(detail));
    } else if is(Action::DeleteAccessKey) {
        with_keys(said, &on, |keys| keys.retain(|key| *key != detail));
    } else if is(Action::SetQuota) {
        said.insert(quota_of(&on), detail);
    } else if is(Action::SetZoneCeiling) {
        set_unless_usual(said, ceiling_of(&on), (detail, Zone::Rie.as_str()));
    } else if is(Action::SetPlacement) {
        set_unless_usual(said, placement_of(&on), (detail, &Placement::default().to_string()));
    } else if is(Action::CreateExposure) {
        said.insert(on, detail);
    } else if is(Action::DeleteExposure) {
        said.remove(&on);
    } else if is(Action::RevokeServiceAccount) {
        end_sessions(said, |state| state.contains(&format!(" by {on} until ")));
        said.insert(on, REVOKED.to_owned());
    } else if is(Action::CreateAssumableRole) {
        said.insert(on, detail);
    } else if is(Action::DeleteAssumableRole) {
        let project = on.split('/').nth(1).unwrap_or_default().to_owned();
        let role = on.rsplit('/').next().unwrap_or_default().to_owned();
        end_sessions(said, |state| state.starts_with(&format!("{role} of {project} by ")));
        said.remove(&on);
    } else if is(Action::AssumeRole) {
        begin_session(said, on, &detail, now);
    } else if is(Action::RevokeSession) {
        said.remove(&on);
    }
}

/// Changes the keys with which an account is said to be active, in the order of their rows.
fn with_keys(said: &mut States, on: &str, change: impl FnOnce(&mut Vec<String>)) {
    let Some(state) = said.get(on).and_then(|state| state.strip_prefix(&active(""))) else { return };
    let mut keys: Vec<String> =
        state.split(" and ").filter(|key| !key.is_empty()).map(str::to_owned).collect();
    change(&mut keys);
    keys.sort_unstable();
    said.insert(on.to_owned(), active(&keys.join(" and ")));
}

/// Notes what a project is set to, unless that is what every project is without a leaf.
fn set_unless_usual(said: &mut States, name: String, (state, usual): (String, &str)) {
    match state == usual {
        true => said.remove(&name),
        false => said.insert(name, state),
    };
}

fn quota_of(project: &str) -> String {
    format!("quota of {project}")
}

/// Notes a session that goes on, by its leaf's detail: what it is, and after ` for ` whose.
fn begin_session(said: &mut States, on: String, detail: &str, now: Timestamp) {
    let state = detail.split_once(" for ").map_or(detail, |(state, _)| state);
    let ends = state.rsplit(' ').next().unwrap_or_default();
    // Instants are written so that the earlier is the smaller text.
    if ends > now.to_string().as_str() {
        said.insert(on, state.to_owned());
    }
}

fn end_sessions(said: &mut States, ends: impl Fn(&str) -> bool) {
    said.retain(|resource, state| !(resource.starts_with("session/") && ends(state)));
}

fn note<T>(damaged: &mut Vec<DamagedRow>, what: impl FnOnce() -> String, opened: Result<T, Error>) {
    if let Err(error) = opened {
        damaged.push((what(), error.to_string()));
    }
}
