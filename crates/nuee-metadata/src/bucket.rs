//! Rows of buckets.

use nuee_base::{BucketId, BucketName, OrganisationId, ProjectId};
use rusqlite::Row;

use crate::{Error, Mac, Snapshot, Transaction, row::Columns};

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketRow {
    /// The short number that rows of objects name it by. Never used again for another bucket.
    pub number: i64,
    /// Its id.
    pub id: BucketId,
    /// Its name, unique on the platform.
    pub name: BucketName,
    /// The organisation it belongs to.
    pub organisation: OrganisationId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// What the layer above keeps about it.
    pub record: Vec<u8>,
    /// The row's code.
    pub mac: Mac,
}

fn convert(row: &Row<'_>) -> Result<BucketRow, Error> {
    let columns = Columns::new("buckets", row);
    Ok(BucketRow {
        number: columns.integer(0)?,
        id: BucketId::from_bytes(columns.array(1)?),
        name: columns.text(2)?,
        organisation: OrganisationId::from_bytes(columns.array(3)?),
        project: ProjectId::from_bytes(columns.array(4)?),
        record: columns.blob(5)?,
        mac: columns.array(6)?,
    })
}

impl Snapshot<'_> {
    /// The bucket of this name.
    pub fn bucket(&self, name: &BucketName) -> Result<Option<BucketRow>, Error> {
        let sql = "SELECT number, id, name, organisation, project, record, mac FROM buckets WHERE name = ?1";
        self.find(sql, (name.as_str(),), convert)
    }

    /// The bucket of this number.
    pub fn bucket_by_number(&self, number: i64) -> Result<Option<BucketRow>, Error> {
        let sql =
            "SELECT number, id, name, organisation, project, record, mac FROM buckets WHERE number = ?1";
        self.find(sql, (number,), convert)
    }

    /// The name of the bucket of this id.
    pub fn bucket_name(&self, id: BucketId) -> Result<Option<BucketName>, Error> {
        let sql = "SELECT name FROM buckets WHERE id = ?1";
        self.find(sql, (id.to_bytes(),), |row| Columns::new("buckets", row).text(0))
    }

    /// Up to `limit` buckets of a project whose names come after `after`, by name.
    pub fn buckets(&self, project: ProjectId, after: &str, limit: u32) -> Result<Vec<BucketRow>, Error> {
        let sql = "SELECT number, id, name, organisation, project, record, mac FROM buckets
            WHERE project = ?1 AND name > ?2 ORDER BY name LIMIT ?3";
        self.collect(sql, (project.to_bytes(), after, limit), convert)
    }

    /// Up to `limit` buckets of the platform whose numbers come after `after`, by number.
    pub fn all_buckets(&self, after: i64, limit: u32) -> Result<Vec<BucketRow>, Error> {
        let sql = "SELECT number, id, name, organisation, project, record, mac FROM buckets
            WHERE number > ?1 ORDER BY number LIMIT ?2";
        self.collect(sql, (after, limit), convert)
    }

    /// What the layer above keeps about the bucket of this number.
    pub fn bucket_record(&self, number: i64) -> Result<Option<Vec<u8>>, Error> {
        let sql = "SELECT record FROM buckets WHERE number = ?1";
        self.find(sql, (number,), |row| Columns::new("buckets", row).blob(0))
    }

    /// Whether nothing is in the bucket: no version of an object, no delete marker, no upload.
    pub fn bucket_is_empty(&self, number: i64) -> Result<bool, Error> {
        let sql = "SELECT EXISTS (SELECT 1 FROM latest WHERE bucket = ?1)
            OR EXISTS (SELECT 1 FROM history WHERE bucket = ?1)
            OR EXISTS (SELECT 1 FROM uploads WHERE bucket = ?1)";
        Ok(self.find(sql, (number,), |row| Columns::new("latest", row).integer(0))? == Some(0))
    }
}

impl Transaction<'_> {
    /// Adds a bucket; gives its number. [`Error::Duplicate`] if the name is taken.
    pub fn insert_bucket(&self, row: &BucketRow) -> Result<(), Error> {
        let sql = "INSERT INTO buckets (number, id, name, organisation, project, record, mac)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (id, organisation, project) =
            (row.id.to_bytes(), row.organisation.to_bytes(), row.project.to_bytes());
        self.execute(sql, (row.number, id, row.name.as_str(), organisation, project, &row.record, row.mac))
            .map(drop)
    }

    /// The number that the next bucket is to take.
    pub fn next_bucket_number(&self) -> Result<i64, Error> {
        let sql = "SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'buckets'), 0) + 1";
        Ok(self.find(sql, (), |row| Columns::new("buckets", row).integer(0))?.unwrap_or(1))
    }

    /// Replaces the record of a bucket.
    pub fn update_bucket(&self, number: i64, record: &[u8], mac: Mac) -> Result<bool, Error> {
        let sql = "UPDATE buckets SET record = ?2, mac = ?3 WHERE number = ?1";
        Ok(self.execute(sql, (number, record, mac))? > 0)
    }

    /// Removes a bucket, which the layer above has found empty in this same transaction.
    pub fn delete_bucket(&self, number: i64) -> Result<bool, Error> {
        self.execute("DELETE FROM usage WHERE bucket = ?1", (number,))?;
        self.execute("DELETE FROM bucket_settings WHERE bucket = ?1", (number,))?;
        Ok(self.execute("DELETE FROM buckets WHERE number = ?1", (number,))? > 0)
    }
}
