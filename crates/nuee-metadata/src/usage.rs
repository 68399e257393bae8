//! How much each bucket holds, counted in the transaction that changes it.

use crate::{Error, Snapshot, Transaction, row::Columns};

/// What a bucket holds. As a change, numbers may be negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Objects.
    pub objects: i64,
    /// Bytes of the objects, as their owners wrote them.
    pub bytes: i64,
}

impl Snapshot<'_> {
    /// What the bucket of this number holds.
    pub fn usage(&self, bucket: i64) -> Result<Usage, Error> {
        let sql = "SELECT objects, bytes FROM usage WHERE bucket = ?1";
        let found = self.find(sql, (bucket,), |row| {
            let columns = Columns::new("usage", row);
            Ok(Usage { objects: columns.integer(0)?, bytes: columns.integer(1)? })
        })?;
        Ok(found.unwrap_or_default())
    }

    /// What each bucket holds, by its number.
    pub fn all_usage(&self) -> Result<Vec<(i64, Usage)>, Error> {
        self.collect("SELECT bucket, objects, bytes FROM usage", (), |row| {
            let columns = Columns::new("usage", row);
            let usage = Usage { objects: columns.integer(1)?, bytes: columns.integer(2)? };
            Ok((columns.integer(0)?, usage))
        })
    }
}

impl Transaction<'_> {
    /// Adds `change` to what the bucket of this number holds.
    pub fn add_usage(&self, bucket: i64, change: Usage) -> Result<(), Error> {
        let sql = "INSERT INTO usage (bucket, objects, bytes) VALUES (?1, ?2, ?3)
            ON CONFLICT (bucket) DO UPDATE SET objects = objects + ?2, bytes = bytes + ?3";
        self.execute(sql, (bucket, change.objects, change.bytes)).map(drop)
    }
}
