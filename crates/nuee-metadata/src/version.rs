//! Rows of object versions, and the pointers to the latest one of each key.

use nuee_base::ObjectKey;
use rusqlite::Row;

use crate::{Error, Mac, Snapshot, Transaction, row::Columns};

/// How many rows one statement of [`Snapshot::dangling_versions`] looks at.
const DANGLING_PAGE: u32 = 2_000;

/// A version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRow {
    /// Its number, which is that of the journal leaf that recorded it.
    pub id: i64,
    /// The number of its bucket.
    pub bucket: i64,
    /// The object's key.
    pub key: ObjectKey,
    /// What the layer above keeps about it.
    pub record: Vec<u8>,
    /// The row's code.
    pub mac: Mac,
}

/// A row of a listing, which points to the latest version of its key; lent while the next one is not asked for.
#[derive(Debug, Clone, Copy)]
pub struct ListedRow<'a> {
    /// The version's number.
    pub id: i64,
    /// The object's key.
    pub key: &'a str,
    /// What the layer above shows of the version in listings.
    pub record: &'a [u8],
    /// The row's code.
    pub mac: &'a Mac,
}

fn convert(row: &Row<'_>) -> Result<VersionRow, Error> {
    let columns = Columns::new("versions", row);
    Ok(VersionRow {
        id: columns.integer(0)?,
        bucket: columns.integer(1)?,
        key: columns.text(2)?,
        record: columns.blob(3)?,
        mac: columns.array(4)?,
    })
}

fn lend<'a>(row: &'a Row<'_>) -> Result<ListedRow<'a>, Error> {
    let malformed = |detail: &str| Error::Malformed { table: "latest", detail: detail.to_owned() };
    let blob =
        |column| row.get_ref(column).map_err(Error::from)?.as_blob().map_err(|_| malformed("not a blob"));
    Ok(ListedRow {
        id: Columns::new("latest", row).integer(0)?,
        key: std::str::from_utf8(blob(1)?).map_err(|_| malformed("a key is not UTF-8"))?,
        record: blob(2)?,
        mac: blob(3)?.try_into().map_err(|_| malformed("a code is not 32 bytes"))?,
    })
}

/// The smallest key greater than every key that starts with `prefix`, if there is one.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

impl Snapshot<'_> {
    /// The latest version of an object. Its bucket and key are those asked for, whatever the row that the pointer leads
    /// to says of itself: the row's code then tells whether it is the right one.
    pub fn latest_version(&self, bucket: i64, key: &ObjectKey) -> Result<Option<VersionRow>, Error> {
        let sql = "SELECT v.id, v.record, v.mac FROM latest AS l JOIN versions AS v ON v.id = l.version
            WHERE l.bucket = ?1 AND l.key = ?2";
        self.find(sql, (bucket, key.as_bytes()), |row| {
            let columns = Columns::new("versions", row);
            let (id, record, mac) = (columns.integer(0)?, columns.blob(1)?, columns.array(2)?);
            Ok(VersionRow { id, bucket, key: key.clone(), record, mac })
        })
    }

    /// The row of a listing that points to the latest version of an object: the version's number, record and code.
    pub fn latest(&self, bucket: i64, key: &ObjectKey) -> Result<Option<(i64, Vec<u8>, Mac)>, Error> {
        let sql = "SELECT version, record, mac FROM latest WHERE bucket = ?1 AND key = ?2";
        self.find(sql, (bucket, key.as_bytes()), |row| {
            let columns = Columns::new("latest", row);
            Ok((columns.integer(0)?, columns.blob(1)?, columns.array(2)?))
        })
    }

    /// Lends the row of each latest version whose key starts with `prefix` and is at or after `from`, by key, until `each` says
    /// `false` or there are no more.
    pub fn each_latest<E: From<Error>>(
        &self,
        bucket: i64,
        prefix: &[u8],
        from: &[u8],
        mut each: impl FnMut(ListedRow<'_>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let sql = "SELECT version, key, record, mac FROM latest WHERE bucket = ?1 AND key >= ?2 ORDER BY key";
        let bounded = "SELECT version, key, record, mac FROM latest
            WHERE bucket = ?1 AND key >= ?2 AND key < ?3 ORDER BY key";
        let end = after_prefix(prefix);
        let start = from.max(prefix);
        let mut statement = self.prepare(if end.is_some() { bounded } else { sql })?;
        let mut rows = match &end {
            Some(end) => statement.query((bucket, start, end)),
            None => statement.query((bucket, start)),
        }
        .map_err(|error| self.failed(error))?;
        while let Some(row) = rows.next().map_err(|error| self.failed(error))? {
            if !each(lend(row)?)? {
                break;
            }
        }
        Ok(())
    }

    /// The version of this number.
    pub fn version(&self, id: i64) -> Result<Option<VersionRow>, Error> {
        let sql = "SELECT id, bucket, key, record, mac FROM versions WHERE id = ?1";
        self.find(sql, (id,), convert)
    }

    /// Up to `limit` versions of the platform whose numbers come after `after`, by number.
    pub fn versions(&self, after: i64, limit: u32) -> Result<Vec<VersionRow>, Error> {
        let sql = "SELECT id, bucket, key, record, mac FROM versions WHERE id > ?1 ORDER BY id LIMIT ?2";
        self.collect(sql, (after, limit), convert)
    }

    /// How many keys of `latest` point to a version that does not exist, and how many versions nothing points to.
    ///
    /// A statement looks at some thousand rows, so that no long read keeps the log from being emptied. What is written
    /// meanwhile is never taken for damage: each row is held against its counterpart in one statement.
    pub fn dangling_versions(&self) -> Result<(i64, i64), Error> {
        let mut pointers = 0;
        let (mut bucket, mut key) = (i64::MIN, Vec::new());
        loop {
            let sql = "SELECT l.bucket, l.key, NOT EXISTS (SELECT 1 FROM versions AS v
                WHERE v.id = l.version AND v.bucket = l.bucket AND v.key = l.key)
                FROM latest AS l WHERE (l.bucket, l.key) > (?1, ?2) ORDER BY l.bucket, l.key LIMIT ?3";
            let page = self.collect(sql, (bucket, &key, DANGLING_PAGE), |row| {
                let columns = Columns::new("latest", row);
                Ok((columns.integer(0)?, columns.blob(1)?, columns.integer(2)?))
            })?;
            pointers += page.iter().map(|row| row.2).sum::<i64>();
            let Some(last) = page.into_iter().next_back() else { break };
            (bucket, key) = (last.0, last.1);
        }
        Ok((pointers, self.unpointed_versions()?))
    }

    fn unpointed_versions(&self) -> Result<i64, Error> {
        let sql =
            "SELECT MAX(id), SUM(dangles) FROM (SELECT v.id AS id, NOT EXISTS (SELECT 1 FROM latest AS l
            WHERE l.bucket = v.bucket AND l.key = v.key AND l.version = v.id)
            AND NOT EXISTS (SELECT 1 FROM history AS h
            WHERE h.bucket = v.bucket AND h.key = v.key AND h.version = v.id) AS dangles
            FROM versions AS v WHERE v.id > ?1 ORDER BY v.id LIMIT ?2) HAVING COUNT(*) > 0";
        let (mut after, mut found) = (i64::MIN, 0);
        while let Some((last, dangling)) = self.find(sql, (after, DANGLING_PAGE), |row| {
            let columns = Columns::new("versions", row);
            Ok((columns.integer(0)?, columns.integer(1)?))
        })? {
            (after, found) = (last, found + dangling);
        }
        Ok(found)
    }
}

impl Transaction<'_> {
    /// Adds a version.
    pub fn insert_version(&self, row: &VersionRow) -> Result<(), Error> {
        let insert = "INSERT INTO versions (id, bucket, key, record, mac) VALUES (?1, ?2, ?3, ?4, ?5)";
        self.execute(insert, (row.id, row.bucket, row.key.as_bytes(), &row.record, row.mac)).map(drop)
    }

    /// Makes a version the latest of its key, of which listings show `listed`, which has this code.
    pub fn set_latest(
        &self,
        (bucket, key): (i64, &ObjectKey),
        version: i64,
        (listed, code): (&[u8], Mac),
    ) -> Result<(), Error> {
        let point = "INSERT INTO latest (bucket, key, version, record, mac) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (bucket, key) DO UPDATE SET version = ?3, record = ?4, mac = ?5";
        self.execute(point, (bucket, key.as_bytes(), version, listed, code)).map(drop)
    }

    /// Replaces the record of a version.
    pub fn update_version(&self, id: i64, record: &[u8], mac: Mac) -> Result<bool, Error> {
        let sql = "UPDATE versions SET record = ?2, mac = ?3 WHERE id = ?1";
        Ok(self.execute(sql, (id, record, mac))? > 0)
    }

    /// Removes a version. Its pointer is removed or replaced by the caller.
    pub fn delete_version(&self, id: i64) -> Result<bool, Error> {
        Ok(self.execute("DELETE FROM versions WHERE id = ?1", (id,))? > 0)
    }

    /// Removes the pointer to the latest version of an object.
    pub fn delete_latest(&self, bucket: i64, key: &ObjectKey) -> Result<bool, Error> {
        Ok(self.execute("DELETE FROM latest WHERE bucket = ?1 AND key = ?2", (bucket, key.as_bytes()))? > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::after_prefix;

    #[test]
    fn the_end_of_a_prefix_is_the_next_sibling() {
        assert_eq!(after_prefix(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(after_prefix(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(after_prefix(b"\xff"), None);
        assert_eq!(after_prefix(b""), None);
    }
}
