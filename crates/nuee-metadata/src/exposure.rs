//! Rows of exposures.

use nuee_base::{ExposureId, ProjectId};
use rusqlite::Row;

use crate::{Error, Mac, Snapshot, Transaction, row::Columns};

/// A decision that something of a project may be reached from a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExposureRow {
    /// The project.
    pub project: ProjectId,
    /// Its id.
    pub id: ExposureId,
    /// What the layer above keeps about it: what, from where, by whom, until when.
    pub record: Vec<u8>,
    /// The row's code.
    pub mac: Mac,
}

fn convert(row: &Row<'_>) -> Result<ExposureRow, Error> {
    let columns = Columns::new("exposures", row);
    Ok(ExposureRow {
        project: ProjectId::from_bytes(columns.array(0)?),
        id: ExposureId::from_bytes(columns.array(1)?),
        record: columns.blob(2)?,
        mac: columns.array(3)?,
    })
}

impl Snapshot<'_> {
    /// The exposures of a project, by age.
    pub fn exposures(&self, project: ProjectId) -> Result<Vec<ExposureRow>, Error> {
        let sql = "SELECT project, id, record, mac FROM exposures WHERE project = ?1 ORDER BY id";
        self.collect(sql, (project.to_bytes(),), convert)
    }
}

impl Transaction<'_> {
    /// Adds an exposure.
    pub fn insert_exposure(&self, row: &ExposureRow) -> Result<(), Error> {
        let sql = "INSERT INTO exposures (project, id, record, mac) VALUES (?1, ?2, ?3, ?4)";
        self.execute(sql, (row.project.to_bytes(), row.id.to_bytes(), &row.record, row.mac)).map(drop)
    }

    /// Removes an exposure; says whether it was there.
    pub fn delete_exposure(&self, project: ProjectId, id: ExposureId) -> Result<bool, Error> {
        let sql = "DELETE FROM exposures WHERE project = ?1 AND id = ?2";
        Ok(self.execute(sql, (project.to_bytes(), id.to_bytes()))? > 0)
    }
}
