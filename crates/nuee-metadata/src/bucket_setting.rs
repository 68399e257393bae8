//! Rows of what buckets are set to beside their records: policies, rules, tags.

use rusqlite::Row;

use crate::{Error, Mac, Snapshot, Transaction, row::Columns};

/// One setting of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketSettingRow {
    /// The number of the bucket.
    pub bucket: i64,
    /// What it is about, such as `policy`.
    pub name: String,
    /// What the layer above keeps.
    pub record: Vec<u8>,
    /// The row's code.
    pub mac: Mac,
}

fn convert(row: &Row<'_>) -> Result<BucketSettingRow, Error> {
    let columns = Columns::new("bucket_settings", row);
    Ok(BucketSettingRow {
        bucket: columns.integer(0)?,
        name: columns.text(1)?,
        record: columns.blob(2)?,
        mac: columns.array(3)?,
    })
}

impl Snapshot<'_> {
    /// All settings of a bucket, by name.
    pub fn bucket_settings(&self, bucket: i64) -> Result<Vec<BucketSettingRow>, Error> {
        let sql = "SELECT bucket, name, record, mac FROM bucket_settings WHERE bucket = ?1 ORDER BY name";
        self.collect(sql, (bucket,), convert)
    }

    /// The numbers of the buckets that have this setting and come after `after`, `limit` at most.
    pub fn buckets_with_setting(&self, name: &str, after: i64, limit: u32) -> Result<Vec<i64>, Error> {
        let sql =
            "SELECT bucket FROM bucket_settings WHERE name = ?1 AND bucket > ?2 ORDER BY bucket LIMIT ?3";
        self.collect(sql, (name, after, limit), |row| Columns::new("bucket_settings", row).integer(0))
    }
}

impl Transaction<'_> {
    /// Writes a setting, in the place of one of its name.
    pub fn put_bucket_setting(&self, row: &BucketSettingRow) -> Result<(), Error> {
        let sql = "INSERT INTO bucket_settings (bucket, name, record, mac) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (bucket, name) DO UPDATE SET record = ?3, mac = ?4";
        self.execute(sql, (row.bucket, &row.name, &row.record, row.mac)).map(drop)
    }

    /// Removes a setting.
    pub fn delete_bucket_setting(&self, bucket: i64, name: &str) -> Result<bool, Error> {
        let sql = "DELETE FROM bucket_settings WHERE bucket = ?1 AND name = ?2";
        Ok(self.execute(sql, (bucket, name))? > 0)
    }
}
