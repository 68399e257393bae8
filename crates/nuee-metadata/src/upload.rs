//! Rows of multipart uploads and of parts.
//!
//! The parts of a completed upload stay where they are: the object's version names the upload that holds them.

use nuee_base::{ObjectKey, ProjectId, UploadId};
use rusqlite::Row;

use crate::{Error, Mac, Snapshot, Transaction, Usage, row::Columns};

/// A multipart upload that is neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadRow {
    /// Its id.
    pub id: UploadId,
    /// The number of its bucket.
    pub bucket: i64,
    /// The key of the object to be.
    pub key: ObjectKey,
    /// What the layer above keeps about it.
    pub record: Vec<u8>,
    /// The row's code.
    pub mac: Mac,
}

/// A part of an upload, or of an object that an upload became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRow {
    /// The upload.
    pub upload: UploadId,
    /// 1 to 10,000.
    pub number: u16,
    /// What the layer above keeps about it.
    pub record: Vec<u8>,
    /// The row's code.
    pub mac: Mac,
}

fn convert(row: &Row<'_>) -> Result<UploadRow, Error> {
    let columns = Columns::new("uploads", row);
    Ok(UploadRow {
        bucket: columns.integer(0)?,
        key: columns.text(1)?,
        id: UploadId::from_bytes(columns.array(2)?),
        record: columns.blob(3)?,
        mac: columns.array(4)?,
    })
}

fn convert_part(row: &Row<'_>) -> Result<PartRow, Error> {
    let columns = Columns::new("parts", row);
    let number = columns.integer(1)?;
    Ok(PartRow {
        upload: UploadId::from_bytes(columns.array(0)?),
        number: u16::try_from(number)
            .map_err(|_| Error::Malformed { table: "parts", detail: format!("part number {number}") })?,
        record: columns.blob(2)?,
        mac: columns.array(3)?,
    })
}

impl Snapshot<'_> {
    /// An upload of this bucket and key.
    pub fn upload(&self, bucket: i64, key: &ObjectKey, id: UploadId) -> Result<Option<UploadRow>, Error> {
        let sql =
            "SELECT bucket, key, id, record, mac FROM uploads WHERE bucket = ?1 AND key = ?2 AND id = ?3";
        self.find(sql, (bucket, key.as_bytes(), id.to_bytes()), convert)
    }

    /// Up to `limit` uploads of a bucket that come after this key and id, by key then id.
    pub fn uploads(
        &self,
        bucket: i64,
        after_key: &[u8],
        after_id: [u8; 16],
        limit: u32,
    ) -> Result<Vec<UploadRow>, Error> {
        let sql = "SELECT bucket, key, id, record, mac FROM uploads
            WHERE bucket = ?1 AND (key, id) > (?2, ?3) ORDER BY key, id LIMIT ?4";
        self.collect(sql, (bucket, after_key, after_id, limit), convert)
    }

    /// Up to `limit` parts of an upload whose numbers come after `after`, by number.
    pub fn parts(&self, upload: UploadId, after: u16, limit: u32) -> Result<Vec<PartRow>, Error> {
        let sql = "SELECT upload, number, record, mac FROM parts
            WHERE upload = ?1 AND number > ?2 ORDER BY number LIMIT ?3";
        self.collect(sql, (upload.to_bytes(), after, limit), convert_part)
    }

    /// One part of an upload.
    pub fn part(&self, upload: UploadId, number: u16) -> Result<Option<PartRow>, Error> {
        let sql = "SELECT upload, number, record, mac FROM parts WHERE upload = ?1 AND number = ?2";
        self.find(sql, (upload.to_bytes(), number), convert_part)
    }
}

impl Transaction<'_> {
    /// Adds an upload.
    pub fn insert_upload(&self, row: &UploadRow) -> Result<(), Error> {
        let sql = "INSERT INTO uploads (bucket, key, id, record, mac) VALUES (?1, ?2, ?3, ?4, ?5)";
        self.execute(sql, (row.bucket, row.key.as_bytes(), row.id.to_bytes(), &row.record, row.mac)).map(drop)
    }

    /// Replaces the record of an upload.
    pub fn update_upload(&self, row: &UploadRow) -> Result<bool, Error> {
        let sql = "UPDATE uploads SET record = ?4, mac = ?5 WHERE bucket = ?1 AND key = ?2 AND id = ?3";
        let (key, id) = (row.key.as_bytes(), row.id.to_bytes());
        Ok(self.execute(sql, (row.bucket, key, id, &row.record, row.mac))? > 0)
    }

    /// Adds to the bytes that the parts of an upload have, in a bucket of this number and this project.
    pub fn add_upload_bytes(
        &self,
        (bucket, project): (i64, ProjectId),
        id: UploadId,
        bytes: i64,
    ) -> Result<(), Error> {
        let sql = "INSERT INTO upload_usage (id, bucket, bytes) VALUES (?1, ?2, ?3)
            ON CONFLICT (id) DO UPDATE SET bytes = bytes + ?3";
        self.execute(sql, (id.to_bytes(), bucket, bytes))?;
        self.add_project_usage(project, Usage { objects: 0, bytes })
    }

    /// Removes an upload; its parts stay until they are removed or belong to an object, and count no more.
    pub fn delete_upload(
        &self,
        (bucket, project): (i64, ProjectId),
        (key, id): (&ObjectKey, UploadId),
    ) -> Result<bool, Error> {
        let sql = "DELETE FROM uploads WHERE bucket = ?1 AND key = ?2 AND id = ?3";
        if self.execute(sql, (bucket, key.as_bytes(), id.to_bytes()))? == 0 {
            return Ok(false);
        }
        let sql = "SELECT bytes FROM upload_usage WHERE id = ?1";
        let bytes = self.find(sql, (id.to_bytes(),), |row| Columns::new("upload_usage", row).integer(0))?;
        if let Some(bytes) = bytes {
            self.execute("DELETE FROM upload_usage WHERE id = ?1", (id.to_bytes(),))?;
            self.add_project_usage(project, Usage { objects: 0, bytes: -bytes })?;
        }
        Ok(true)
    }

    /// Adds a part, or replaces the part of this number.
    pub fn put_part(&self, row: &PartRow) -> Result<(), Error> {
        let sql = "INSERT INTO parts (upload, number, record, mac) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (upload, number) DO UPDATE SET record = ?3, mac = ?4";
        self.execute(sql, (row.upload.to_bytes(), row.number, &row.record, row.mac)).map(drop)
    }

    /// Removes one part.
    pub fn delete_part(&self, upload: UploadId, number: u16) -> Result<bool, Error> {
        let sql = "DELETE FROM parts WHERE upload = ?1 AND number = ?2";
        Ok(self.execute(sql, (upload.to_bytes(), number))? > 0)
    }

    /// Removes all parts of an upload; gives how many there were.
    pub fn delete_parts(&self, upload: UploadId) -> Result<usize, Error> {
        self.execute("DELETE FROM parts WHERE upload = ?1", (upload.to_bytes(),))
    }
}
