//! Rows about blobs: those that several versions share, those being written, those moved, and those to be deleted.
//!
//! There is no row for an ordinary blob: the version or the part that it belongs to says where it is.

use nuee_base::{BlobId, Timestamp};

use crate::{Error, Snapshot, Transaction, row::Columns};

/// Reads no row that is not due.
const DUE_GARBAGE: &str =
    "SELECT id, blob, locator FROM garbage WHERE not_before <= ?1 ORDER BY not_before, id LIMIT ?2";

/// A blob that nothing references any more, to be deleted from its site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GarbageRow {
    /// The row's own number.
    pub id: i64,
    /// The blob.
    pub blob: BlobId,
    /// Where its site said that it is.
    pub locator: Vec<u8>,
}

impl Snapshot<'_> {
    /// How many references beyond the first a shared blob, or a shared list of parts, has.
    pub fn extra_references(&self, id: [u8; 16]) -> Result<i64, Error> {
        let sql = "SELECT count FROM shares WHERE id = ?1";
        Ok(self.find(sql, (id,), |row| Columns::new("shares", row).integer(0))?.unwrap_or(0))
    }

    /// Every id of a blob or a list of parts that has references beyond the first, and how many.
    pub fn shares(&self) -> Result<Vec<([u8; 16], i64)>, Error> {
        self.collect("SELECT id, count FROM shares", (), |row| {
            let columns = Columns::new("shares", row);
            Ok((columns.array(0)?, columns.integer(1)?))
        })
    }

    /// Up to `limit` garbage rows that may be deleted at `now`, those first that were due first.
    pub fn garbage(&self, now: Timestamp, limit: u32) -> Result<Vec<GarbageRow>, Error> {
        self.collect(DUE_GARBAGE, (now.as_micros(), limit), |row| {
            let columns = Columns::new("garbage", row);
            Ok(GarbageRow {
                id: columns.integer(0)?,
                blob: BlobId::from_bytes(columns.array(1)?),
                locator: columns.blob(2)?,
            })
        })
    }

    /// The blobs whose writing began before `before` and has neither been recorded nor given up.
    pub fn pending_blobs(&self, before: Timestamp) -> Result<Vec<BlobId>, Error> {
        let sql = "SELECT blob FROM pending_blobs WHERE started_at < ?1";
        let convert =
            |row: &rusqlite::Row<'_>| Columns::new("pending_blobs", row).array(0).map(BlobId::from_bytes);
        self.collect(sql, (before.as_micros(),), convert)
    }

    /// Where a blob was moved to, if it was.
    pub fn moved_blob(&self, blob: BlobId) -> Result<Option<Vec<u8>>, Error> {
        let sql = "SELECT locator FROM moved_blobs WHERE blob = ?1";
        self.find(sql, (blob.to_bytes(),), |row| Columns::new("moved_blobs", row).blob(0))
    }
}

impl Transaction<'_> {
    /// Adds a reference to a blob, or to a list of parts, that has one already.
    pub fn add_reference(&self, id: [u8; 16]) -> Result<(), Error> {
        let sql =
            "INSERT INTO shares (id, count) VALUES (?1, 1) ON CONFLICT (id) DO UPDATE SET count = count + 1";
        self.execute(sql, (id,)).map(drop)
    }

    /// Takes a reference away; `true` if it was the last one.
    pub fn remove_reference(&self, id: [u8; 16]) -> Result<bool, Error> {
        match self.extra_references(id)? {
            0 => return Ok(true),
            1 => self.execute("DELETE FROM shares WHERE id = ?1", (id,))?,
            _ => self.execute("UPDATE shares SET count = count - 1 WHERE id = ?1", (id,))?,
        };
        Ok(false)
    }

    /// Marks a blob for deletion from its site, not before this instant.
    pub fn insert_garbage(&self, blob: BlobId, locator: &[u8], not_before: Timestamp) -> Result<(), Error> {
        let sql = "INSERT INTO garbage (not_before, blob, locator) VALUES (?1, ?2, ?3)";
        self.execute(sql, (not_before.as_micros(), blob.to_bytes(), locator)).map(drop)
    }

    /// Forgets a garbage row, whose blob the site has deleted.
    pub fn delete_garbage(&self, row: &GarbageRow) -> Result<(), Error> {
        self.execute("DELETE FROM garbage WHERE id = ?1", (row.id,))?;
        self.execute("DELETE FROM moved_blobs WHERE blob = ?1", (row.blob.to_bytes(),)).map(drop)
    }

    /// Puts a garbage row off, which cannot be deleted now.
    pub fn postpone_garbage(&self, id: i64, not_before: Timestamp) -> Result<(), Error> {
        self.execute("UPDATE garbage SET not_before = ?2 WHERE id = ?1", (id, not_before.as_micros()))
            .map(drop)
    }

    /// Notes that a blob is being written, so that it is found if its writing never ends.
    pub fn insert_pending_blob(&self, blob: BlobId, started_at: Timestamp) -> Result<(), Error> {
        let sql = "INSERT INTO pending_blobs (blob, started_at) VALUES (?1, ?2)";
        self.execute(sql, (blob.to_bytes(), started_at.as_micros())).map(drop)
    }

    /// Notes that a blob is referenced, or given up.
    pub fn delete_pending_blob(&self, blob: BlobId) -> Result<bool, Error> {
        Ok(self.execute("DELETE FROM pending_blobs WHERE blob = ?1", (blob.to_bytes(),))? > 0)
    }

    /// Notes where a blob was moved to.
    pub fn put_moved_blob(&self, blob: BlobId, locator: &[u8]) -> Result<(), Error> {
        let sql = "INSERT INTO moved_blobs (blob, locator) VALUES (?1, ?2) ON CONFLICT (blob) DO UPDATE SET locator = ?2";
        self.execute(sql, (blob.to_bytes(), locator)).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Metadata, Options};

    #[test]
    fn garbage_that_is_not_due_is_not_looked_at() {
        let directory = tempfile::tempdir().unwrap();
        let metadata = Metadata::open(&directory.path().join("metadata.db"), Options::default()).unwrap();
        let sql = format!("EXPLAIN QUERY PLAN {DUE_GARBAGE}");
        let explain =
            |snapshot: &Snapshot<'_>| snapshot.collect(&sql, (0, 1), |row| Ok(row.get::<_, String>(3)?));
        let plan = metadata.read(explain).unwrap();
        assert_eq!(plan, ["SEARCH garbage USING INDEX garbage_by_time (not_before<?)"]);
    }
}
