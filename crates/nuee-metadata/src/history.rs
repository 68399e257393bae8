//! Rows of versions that are not the one a key names by itself: those that were replaced, and delete markers.
//!
//! `latest` has the keys that name an object, so that a listing of objects reads nothing else; whatever else a key has
//! is here. A key that has rows here and none in `latest` names a delete marker, its newest row.

use nuee_base::ObjectKey;
use rusqlite::Row;

use crate::{Error, Mac, Snapshot, Transaction, row::Columns, version::after_prefix};

/// A version that its key does not name by itself, or a delete marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRow {
    /// The number of its bucket.
    pub bucket: i64,
    /// The object's key.
    pub key: ObjectKey,
    /// The version's number: the greater, the newer.
    pub version: i64,
    /// Whether it is the one version of its key that has no id of its own.
    pub is_null: bool,
    /// Whether it is a delete marker, which has no content.
    pub is_marker: bool,
    /// What the layer above shows of it in listings.
    pub record: Vec<u8>,
    /// The row's code.
    pub mac: Mac,
}

/// A row of a listing of versions; lent while the next one is not asked for.
#[derive(Debug, Clone, Copy)]
pub struct ListedVersionRow<'a> {
    /// The version's number.
    pub id: i64,
    /// The object's key.
    pub key: &'a str,
    /// Whether it stands in `latest`.
    pub is_latest: bool,
    /// What the layer above shows of it in listings.
    pub record: &'a [u8],
    /// The row's code.
    pub mac: &'a Mac,
}

/// Which versions are listed: all from a place on, newest first under each key.
#[derive(Debug, Clone, Copy)]
pub enum VersionsFrom<'a> {
    /// The versions of keys at or after this one.
    Key(&'a [u8]),
    /// The versions of this key that are older than this number; none of other keys.
    Within(&'a [u8], i64),
}

const COLUMNS: &str = "bucket, key, version, is_null, is_marker, record, mac";

fn convert(row: &Row<'_>) -> Result<HistoryRow, Error> {
    let columns = Columns::new("history", row);
    Ok(HistoryRow {
        bucket: columns.integer(0)?,
        key: columns.text(1)?,
        version: columns.integer(2)?,
        is_null: columns.integer(3)? != 0,
        is_marker: columns.integer(4)? != 0,
        record: columns.blob(5)?,
        mac: columns.array(6)?,
    })
}

fn lend<'a>(row: &'a Row<'_>) -> Result<ListedVersionRow<'a>, Error> {
    let malformed = |detail: &str| Error::Malformed { table: "history", detail: detail.to_owned() };
    let blob =
        |column| row.get_ref(column).map_err(Error::from)?.as_blob().map_err(|_| malformed("not a blob"));
    let columns = Columns::new("history", row);
    Ok(ListedVersionRow {
        id: columns.integer(0)?,
        key: std::str::from_utf8(blob(1)?).map_err(|_| malformed("a key is not UTF-8"))?,
        is_latest: columns.integer(2)? != 0,
        record: blob(3)?,
        mac: blob(4)?.try_into().map_err(|_| malformed("a code is not 32 bytes"))?,
    })
}

/// Both tables, in the order of a listing. SQLite merges the two, which have that order already.
fn listing(condition: &str) -> String {
    format!(
        "SELECT version, key, 1 AS is_latest, record, mac FROM latest WHERE bucket = ?1 AND {condition}
        UNION ALL SELECT version, key, 0, record, mac FROM history WHERE bucket = ?1 AND {condition}
        ORDER BY 2, 1 DESC"
    )
}

impl Snapshot<'_> {
    /// This version of an object, if it is one that the key does not name by itself.
    pub fn history(&self, bucket: i64, key: &ObjectKey, version: i64) -> Result<Option<HistoryRow>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM history WHERE bucket = ?1 AND key = ?2 AND version = ?3");
        self.find(&sql, (bucket, key.as_bytes(), version), convert)
    }

    /// The newest of these rows of a key.
    pub fn newest_history(&self, bucket: i64, key: &ObjectKey) -> Result<Option<HistoryRow>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM history WHERE bucket = ?1 AND key = ?2 ORDER BY version DESC LIMIT 1"
        );
        self.find(&sql, (bucket, key.as_bytes()), convert)
    }

    /// The one of these rows of a key that has no id of its own.
    pub fn null_history(&self, bucket: i64, key: &ObjectKey) -> Result<Option<HistoryRow>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM history WHERE bucket = ?1 AND key = ?2 AND is_null = 1");
        self.find(&sql, (bucket, key.as_bytes()), convert)
    }

    /// The oldest of these rows of a key that is newer than this version.
    pub fn next_history(
        &self,
        bucket: i64,
        key: &ObjectKey,
        version: i64,
    ) -> Result<Option<HistoryRow>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM history WHERE bucket = ?1 AND key = ?2 AND version > ?3
            ORDER BY version LIMIT 1"
        );
        self.find(&sql, (bucket, key.as_bytes(), version), convert)
    }

    /// How many of these rows of a key are newer than this version and have content; `limit` if there are more.
    pub fn newer_history(
        &self,
        bucket: i64,
        key: &ObjectKey,
        (version, limit): (i64, u32),
    ) -> Result<i64, Error> {
        let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM history
            WHERE bucket = ?1 AND key = ?2 AND version > ?3 AND is_marker = 0 LIMIT ?4)";
        let params = (bucket, key.as_bytes(), version, limit);
        Ok(self.find(sql, params, |row| Columns::new("history", row).integer(0))?.unwrap_or(0))
    }

    /// Whether any of these rows of a key is older than this version.
    pub fn has_older_history(&self, bucket: i64, key: &ObjectKey, version: i64) -> Result<bool, Error> {
        let sql = "SELECT EXISTS (SELECT 1 FROM history WHERE bucket = ?1 AND key = ?2 AND version < ?3)";
        let params = (bucket, key.as_bytes(), version);
        Ok(self.find(sql, params, |row| Columns::new("history", row).integer(0))? == Some(1))
    }

    /// Up to `limit` of these rows of a bucket after a version of a key, by key and newest first.
    pub fn history_after(
        &self,
        bucket: i64,
        (key, version): (&[u8], i64),
        limit: u32,
    ) -> Result<Vec<HistoryRow>, Error> {
        let within = format!(
            "SELECT {COLUMNS} FROM history WHERE bucket = ?1 AND key = ?2 AND version < ?3
            ORDER BY version DESC LIMIT ?4"
        );
        let mut rows = self.collect(&within, (bucket, key, version, limit), convert)?;
        let left = limit.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        let beyond = format!(
            "SELECT {COLUMNS} FROM history WHERE bucket = ?1 AND key > ?2
            ORDER BY key, version DESC LIMIT ?3"
        );
        rows.extend(self.collect(&beyond, (bucket, key, left), convert)?);
        Ok(rows)
    }

    /// Lends each version whose key starts with `prefix`, by key and newest first, until `each` says `false` or there
    /// are no more.
    pub fn each_version<E: From<Error>>(
        &self,
        bucket: i64,
        prefix: &[u8],
        from: VersionsFrom<'_>,
        mut each: impl FnMut(ListedVersionRow<'_>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let end = after_prefix(prefix);
        let sql = listing(match (from, &end) {
            (VersionsFrom::Within(..), _) => "key = ?2 AND version < ?3",
            (VersionsFrom::Key(_), Some(_)) => "key >= ?2 AND key < ?3",
            (VersionsFrom::Key(_), None) => "key >= ?2",
        });
        let mut statement = self.prepare(&sql)?;
        let mut rows = match (from, &end) {
            (VersionsFrom::Within(key, version), _) => statement.query((bucket, key, version)),
            (VersionsFrom::Key(key), Some(end)) => statement.query((bucket, key.max(prefix), end)),
            (VersionsFrom::Key(key), None) => statement.query((bucket, key.max(prefix))),
        }
        .map_err(|error| self.failed(error))?;
        while let Some(row) = rows.next().map_err(|error| self.failed(error))? {
            if !each(lend(row)?)? {
                break;
            }
        }
        Ok(())
    }
}

impl Transaction<'_> {
    /// Adds a row.
    pub fn insert_history(&self, row: &HistoryRow) -> Result<(), Error> {
        let sql = "INSERT INTO history (bucket, key, version, is_null, is_marker, record, mac)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let HistoryRow { bucket, key, version, is_null, is_marker, record, mac } = row;
        self.execute(sql, (bucket, key.as_bytes(), version, is_null, is_marker, record, mac)).map(drop)
    }

    /// Removes a row.
    pub fn delete_history(&self, bucket: i64, key: &ObjectKey, version: i64) -> Result<bool, Error> {
        let sql = "DELETE FROM history WHERE bucket = ?1 AND key = ?2 AND version = ?3";
        Ok(self.execute(sql, (bucket, key.as_bytes(), version))? > 0)
    }
}
