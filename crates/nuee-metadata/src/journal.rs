//! The journal's rows: leaves, the bodies that are kept beside them, and the tiles of the tree over them.
//!
//! Leaves are never changed and never deleted. A body may go, and its leaf stays: the leaf has a commitment to it only.

use nuee_base::{OrganisationId, Timestamp};
use rusqlite::Row;

use crate::{Error, Snapshot, Transaction, row::Columns};

/// A leaf of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafRow {
    /// Its number: 1, 2, 3 … with no gap.
    pub id: i64,
    /// When it happened.
    pub at: Timestamp,
    /// The organisation that it concerns; all zeroes for the platform itself.
    pub organisation: OrganisationId,
    /// What the tree has of it beside these three, encoded by the layer above.
    pub content: Vec<u8>,
    /// What happened, sealed by the layer above; `None` if it is part of the content, was erased, or not asked for.
    pub sealed: Option<Vec<u8>>,
}

/// A tile of the tree: neighbouring hashes of one level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileRow {
    /// Its level.
    pub level: u8,
    /// Its number in the level.
    pub number: i64,
    /// Its hashes, one after the other.
    pub hashes: Vec<u8>,
}

/// A leaf's columns, and the body's if it was asked for.
fn convert(row: &Row<'_>) -> Result<LeafRow, Error> {
    let columns = Columns::new("journal", row);
    Ok(LeafRow {
        id: columns.integer(0)?,
        at: Timestamp::from_micros(columns.integer(1)?),
        organisation: OrganisationId::from_bytes(columns.array(2)?),
        content: columns.blob(3)?,
        sealed: columns.optional_blob(4)?,
    })
}

impl Snapshot<'_> {
    /// The number of the last leaf; 0 if there is none.
    pub fn last_sequence(&self) -> Result<i64, Error> {
        let sql = "SELECT COALESCE(MAX(id), 0) FROM journal";
        Ok(self.find(sql, (), |row| Columns::new("journal", row).integer(0))?.unwrap_or(0))
    }

    /// Up to `limit` leaves after the one numbered `after`, in order, with their bodies.
    pub fn leaves(&self, after: i64, limit: u32) -> Result<Vec<LeafRow>, Error> {
        let sql = "SELECT j.id, j.at, j.organisation, j.body, b.sealed FROM journal AS j
            LEFT JOIN journal_bodies AS b ON b.id = j.id WHERE j.id > ?1 ORDER BY j.id LIMIT ?2";
        self.collect(sql, (after, limit), convert)
    }

    /// The same without their bodies: what the tree is made of.
    pub fn bare_leaves(&self, after: i64, limit: u32) -> Result<Vec<LeafRow>, Error> {
        let sql = "SELECT id, at, organisation, body, NULL FROM journal WHERE id > ?1 ORDER BY id LIMIT ?2";
        self.collect(sql, (after, limit), convert)
    }

    /// Up to `limit` leaves of an organisation after one and up to another, by their numbers, with their bodies.
    pub fn leaves_of(
        &self,
        organisation: OrganisationId,
        (after, last): (i64, i64),
        limit: u32,
    ) -> Result<Vec<LeafRow>, Error> {
        let sql = "SELECT j.id, j.at, j.organisation, j.body, b.sealed FROM journal AS j
            LEFT JOIN journal_bodies AS b ON b.id = j.id
            WHERE j.id > ?1 AND j.id <= ?2 AND j.organisation = ?3 ORDER BY j.id LIMIT ?4";
        self.collect(sql, (after, last, organisation.to_bytes(), limit), convert)
    }

    /// Up to `limit` leaves of an organisation before the one numbered `before`, the last one first, with their bodies.
    pub fn leaves_of_before(
        &self,
        organisation: OrganisationId,
        before: i64,
        limit: u32,
    ) -> Result<Vec<LeafRow>, Error> {
        let sql = "SELECT j.id, j.at, j.organisation, j.body, b.sealed FROM journal AS j
            LEFT JOIN journal_bodies AS b ON b.id = j.id
            WHERE j.id < ?1 AND j.organisation = ?2 ORDER BY j.id DESC LIMIT ?3";
        self.collect(sql, (before, organisation.to_bytes(), limit), convert)
    }

    /// Up to `limit` leaves after the one numbered `after` whose bodies are kept apart and not erased, in order.
    pub fn leaves_with_bodies(&self, after: i64, limit: u32) -> Result<Vec<LeafRow>, Error> {
        let sql = "SELECT j.id, j.at, j.organisation, j.body, b.sealed FROM journal_bodies AS b
            JOIN journal AS j ON j.id = b.id WHERE b.id > ?1 ORDER BY b.id LIMIT ?2";
        self.collect(sql, (after, limit), convert)
    }

    /// The number of the last leaf that concerns an organisation and was appended since there are such numbers; 0 if
    /// there is none.
    pub fn last_leaf_of(&self, organisation: OrganisationId) -> Result<i64, Error> {
        let sql = "SELECT leaf FROM journal_heads WHERE organisation = ?1";
        let found =
            self.find(sql, (organisation.to_bytes(),), |row| Columns::new("journal_heads", row).integer(0))?;
        Ok(found.unwrap_or(0))
    }

    /// The hashes of a tile.
    pub fn tile(&self, level: u8, number: i64) -> Result<Option<Vec<u8>>, Error> {
        let sql = "SELECT hashes FROM journal_tiles WHERE level = ?1 AND number = ?2";
        self.find(sql, (level, number), |row| Columns::new("journal_tiles", row).blob(0))
    }
}

impl Transaction<'_> {
    /// Appends a leaf; gives its number, which [`Transaction::next_sequence`] had announced. It becomes the last one of
    /// its organisation.
    pub fn append_leaf(
        &self,
        at: Timestamp,
        organisation: OrganisationId,
        content: &[u8],
        sealed: Option<&[u8]>,
    ) -> Result<i64, Error> {
        let id = self.take_sequence();
        let sql = "INSERT INTO journal (id, at, organisation, body) VALUES (?1, ?2, ?3, ?4)";
        self.execute(sql, (id, at.as_micros(), organisation.to_bytes(), content))?;
        if let Some(sealed) = sealed {
            self.execute("INSERT INTO journal_bodies (id, sealed) VALUES (?1, ?2)", (id, sealed))?;
        }
        let sql = "INSERT INTO journal_heads (organisation, leaf) VALUES (?1, ?2)
            ON CONFLICT (organisation) DO UPDATE SET leaf = ?2";
        self.execute(sql, (organisation.to_bytes(), id))?;
        Ok(id)
    }

    /// Erases the body of a leaf; says whether there was one.
    pub fn erase_body(&self, leaf: i64) -> Result<bool, Error> {
        Ok(self.execute("DELETE FROM journal_bodies WHERE id = ?1", (leaf,))? > 0)
    }

    /// Writes a tile, in the place of a narrower one.
    pub fn put_tile(&self, tile: &TileRow) -> Result<(), Error> {
        let sql = "INSERT INTO journal_tiles (level, number, hashes) VALUES (?1, ?2, ?3)
            ON CONFLICT (level, number) DO UPDATE SET hashes = ?3";
        self.execute(sql, (tile.level, tile.number, &tile.hashes)).map(drop)
    }
}
