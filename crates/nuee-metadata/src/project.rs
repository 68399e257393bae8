//! Rows of projects and of their key versions.

use nuee_base::{OrganisationId, ProjectId, Slug};
use rusqlite::Row;

use crate::{Error, Mac, Snapshot, Transaction, row::Columns};

/// A project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectRow {
    /// Its id.
    pub id: ProjectId,
    /// The organisation it belongs to.
    pub organisation: OrganisationId,
    /// Its name, unique in its organisation.
    pub name: Slug,
    /// What the layer above keeps about it.
    pub record: Vec<u8>,
    /// The row's code.
    pub mac: Mac,
}

/// One version of a project's key, wrapped by its organisation's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectKeyRow {
    /// The project.
    pub project: ProjectId,
    /// Counts from 1; the highest seals, the others only open.
    pub version: u32,
    /// The wrapped key.
    pub record: Vec<u8>,
    /// The row's code.
    pub mac: Mac,
}

fn convert(row: &Row<'_>) -> Result<ProjectRow, Error> {
    let columns = Columns::new("projects", row);
    Ok(ProjectRow {
        id: ProjectId::from_bytes(columns.array(0)?),
        organisation: OrganisationId::from_bytes(columns.array(1)?),
        name: columns.text(2)?,
        record: columns.blob(3)?,
        mac: columns.array(4)?,
    })
}

fn convert_key(row: &Row<'_>) -> Result<ProjectKeyRow, Error> {
    let columns = Columns::new("project_keys", row);
    Ok(ProjectKeyRow {
        project: ProjectId::from_bytes(columns.array(0)?),
        version: u32::try_from(columns.integer(1)?).unwrap_or(0),
        record: columns.blob(2)?,
        mac: columns.array(3)?,
    })
}

impl Snapshot<'_> {
    /// The project of this id.
    pub fn project(&self, id: ProjectId) -> Result<Option<ProjectRow>, Error> {
        let sql = "SELECT id, organisation, name, record, mac FROM projects WHERE id = ?1";
        self.find(sql, (id.to_bytes(),), convert)
    }

    /// The project of this name in an organisation.
    pub fn project_named(
        &self,
        organisation: OrganisationId,
        name: &Slug,
    ) -> Result<Option<ProjectRow>, Error> {
        let sql =
            "SELECT id, organisation, name, record, mac FROM projects WHERE organisation = ?1 AND name = ?2";
        self.find(sql, (organisation.to_bytes(), name.as_str()), convert)
    }

    /// The projects of an organisation whose names come after `after`, by name; at most `limit`.
    pub fn projects_after(
        &self,
        organisation: OrganisationId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<ProjectRow>, Error> {
        let sql = "SELECT id, organisation, name, record, mac FROM projects \
                   WHERE organisation = ?1 AND name > ?2 ORDER BY name LIMIT ?3";
        self.collect(sql, (organisation.to_bytes(), after, limit), convert)
    }

    /// The projects of an organisation, by name.
    pub fn projects(&self, organisation: OrganisationId) -> Result<Vec<ProjectRow>, Error> {
        let sql =
            "SELECT id, organisation, name, record, mac FROM projects WHERE organisation = ?1 ORDER BY name";
        self.collect(sql, (organisation.to_bytes(),), convert)
    }

    /// The key versions of a project, the oldest first.
    pub fn project_keys(&self, project: ProjectId) -> Result<Vec<ProjectKeyRow>, Error> {
        let sql =
            "SELECT project, version, record, mac FROM project_keys WHERE project = ?1 ORDER BY version";
        self.collect(sql, (project.to_bytes(),), convert_key)
    }
}

impl Transaction<'_> {
    /// Adds a project. [`Error::Duplicate`] if the organisation has one of this name.
    pub fn insert_project(&self, row: &ProjectRow) -> Result<(), Error> {
        let sql = "INSERT INTO projects (id, organisation, name, record, mac) VALUES (?1, ?2, ?3, ?4, ?5)";
        let (id, organisation) = (row.id.to_bytes(), row.organisation.to_bytes());
        self.execute(sql, (id, organisation, row.name.as_str(), &row.record, row.mac)).map(drop)
    }

    /// Replaces the record of a project.
    pub fn update_project(&self, id: ProjectId, record: &[u8], mac: Mac) -> Result<bool, Error> {
        let sql = "UPDATE projects SET record = ?2, mac = ?3 WHERE id = ?1";
        Ok(self.execute(sql, (id.to_bytes(), record, mac))? > 0)
    }

    /// Adds a version of a project's key.
    pub fn insert_project_key(&self, row: &ProjectKeyRow) -> Result<(), Error> {
        let sql = "INSERT INTO project_keys (project, version, record, mac) VALUES (?1, ?2, ?3, ?4)";
        self.execute(sql, (row.project.to_bytes(), row.version, &row.record, row.mac)).map(drop)
    }

    /// Forgets a version of a project's key. The layer above has made sure that nothing is wrapped by it any more.
    pub fn delete_project_key(&self, project: ProjectId, version: u32) -> Result<bool, Error> {
        let sql = "DELETE FROM project_keys WHERE project = ?1 AND version = ?2";
        Ok(self.execute(sql, (project.to_bytes(), version))? > 0)
    }
}
