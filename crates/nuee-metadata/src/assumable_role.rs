//! Rows of assumable roles.

use nuee_base::{ProjectId, Slug};
use rusqlite::Row;

use crate::{Error, Mac, Snapshot, Transaction, row::Columns};

/// An assumable role of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssumableRoleRow {
    /// The project that it is in.
    pub project: ProjectId,
    /// Its name, unique in the project.
    pub name: Slug,
    /// The issuer whose users have it if they name none; at most one role of a platform says so of an issuer.
    pub default_of: Option<Slug>,
    /// What the layer above keeps about it: what it grants, and to whom.
    pub record: Vec<u8>,
    /// The row's code.
    pub mac: Mac,
}

fn convert(row: &Row<'_>) -> Result<AssumableRoleRow, Error> {
    let columns = Columns::new("assumable_roles", row);
    Ok(AssumableRoleRow {
        project: ProjectId::from_bytes(columns.array(0)?),
        name: columns.text(1)?,
        default_of: columns.optional_text(2)?,
        record: columns.blob(3)?,
        mac: columns.array(4)?,
    })
}

impl Snapshot<'_> {
    /// The assumable role of this name in a project.
    pub fn assumable_role(&self, project: ProjectId, name: &Slug) -> Result<Option<AssumableRoleRow>, Error> {
        let sql = "SELECT project, name, default_of, record, mac FROM assumable_roles WHERE project = ?1 AND name = ?2";
        self.find(sql, (project.to_bytes(), name.as_str()), convert)
    }

    /// The assumable role that users of an issuer have if they name none.
    pub fn default_assumable_role(&self, issuer: &Slug) -> Result<Option<AssumableRoleRow>, Error> {
        let sql = "SELECT project, name, default_of, record, mac FROM assumable_roles WHERE default_of = ?1";
        self.find(sql, (issuer.as_str(),), convert)
    }

    /// The assumable roles of a project, by name.
    pub fn assumable_roles(&self, project: ProjectId) -> Result<Vec<AssumableRoleRow>, Error> {
        let sql = "SELECT project, name, default_of, record, mac FROM assumable_roles WHERE project = ?1 ORDER BY name";
        self.collect(sql, (project.to_bytes(),), convert)
    }
}

impl Transaction<'_> {
    /// Adds an assumable role. [`Error::Duplicate`] if the project has one of this name, or the issuer has a default.
    pub fn insert_assumable_role(&self, row: &AssumableRoleRow) -> Result<(), Error> {
        let sql = "INSERT INTO assumable_roles (project, name, default_of, record, mac) VALUES (?1, ?2, ?3, ?4, ?5)";
        let default_of = row.default_of.as_ref().map(Slug::as_str);
        let (project, name) = (row.project.to_bytes(), row.name.as_str());
        self.execute(sql, (project, name, default_of, &row.record, row.mac)).map(drop)
    }

    /// Removes an assumable role; says whether it was there.
    pub fn delete_assumable_role(&self, project: ProjectId, name: &Slug) -> Result<bool, Error> {
        let sql = "DELETE FROM assumable_roles WHERE project = ?1 AND name = ?2";
        Ok(self.execute(sql, (project.to_bytes(), name.as_str()))? > 0)
    }
}
