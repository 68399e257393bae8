//! Rows of organisations.

use nuee_base::{OrganisationId, Slug};
use rusqlite::Row;

use crate::{Error, Mac, Snapshot, Transaction, row::Columns};

const TABLE: &str = "organisations";

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganisationRow {
    /// Its id.
    pub id: OrganisationId,
    /// Its name, unique on the platform.
    pub name: Slug,
    /// What the layer above keeps about it.
    pub record: Vec<u8>,
    /// The row's code.
    pub mac: Mac,
}

fn convert(row: &Row<'_>) -> Result<OrganisationRow, Error> {
    let columns = Columns::new(TABLE, row);
    Ok(OrganisationRow {
        id: OrganisationId::from_bytes(columns.array(0)?),
        name: columns.text(1)?,
        record: columns.blob(2)?,
        mac: columns.array(3)?,
    })
}

impl Snapshot<'_> {
    /// The organisation of this id.
    pub fn organisation(&self, id: OrganisationId) -> Result<Option<OrganisationRow>, Error> {
        self.find("SELECT id, name, record, mac FROM organisations WHERE id = ?1", (id.to_bytes(),), convert)
    }

    /// The organisation of this name.
    pub fn organisation_named(&self, name: &Slug) -> Result<Option<OrganisationRow>, Error> {
        let sql = "SELECT id, name, record, mac FROM organisations WHERE name = ?1";
        self.find(sql, (name.as_str(),), convert)
    }

    /// Every organisation, by name.
    pub fn organisations(&self) -> Result<Vec<OrganisationRow>, Error> {
        self.collect("SELECT id, name, record, mac FROM organisations ORDER BY name", (), convert)
    }
}

impl Transaction<'_> {
    /// Adds an organisation. [`Error::Duplicate`] if the name is taken.
    pub fn insert_organisation(&self, row: &OrganisationRow) -> Result<(), Error> {
        let sql = "INSERT INTO organisations (id, name, record, mac) VALUES (?1, ?2, ?3, ?4)";
        self.execute(sql, (row.id.to_bytes(), row.name.as_str(), &row.record, row.mac)).map(drop)
    }

    /// Replaces what an organisation is called and its record. [`Error::Duplicate`] if the name is taken.
    pub fn update_organisation(&self, row: &OrganisationRow) -> Result<bool, Error> {
        let sql = "UPDATE organisations SET name = ?2, record = ?3, mac = ?4 WHERE id = ?1";
        Ok(self.execute(sql, (row.id.to_bytes(), row.name.as_str(), &row.record, row.mac))? > 0)
    }
}
