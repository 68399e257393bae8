//! Leaf rows of the journal: what was done, committed with what it did. Never changed, never deleted.

use nuee_base::{OrganisationId, Timestamp};

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
    /// What happened, encoded by the layer above.
    pub body: Vec<u8>,
}

impl Snapshot<'_> {
    /// The number of the last leaf; 0 if there is none.
    pub fn last_sequence(&self) -> Result<i64, Error> {
        let sql = "SELECT COALESCE(MAX(id), 0) FROM journal";
        Ok(self.find(sql, (), |row| Columns::new("journal", row).integer(0))?.unwrap_or(0))
    }

    /// Up to `limit` leaves after the one numbered `after`, in order.
    pub fn leaves(&self, after: i64, limit: u32) -> Result<Vec<LeafRow>, Error> {
        let sql = "SELECT id, at, organisation, body FROM journal WHERE id > ?1 ORDER BY id LIMIT ?2";
        self.collect(sql, (after, limit), |row| {
            let columns = Columns::new("journal", row);
            Ok(LeafRow {
                id: columns.integer(0)?,
                at: Timestamp::from_micros(columns.integer(1)?),
                organisation: OrganisationId::from_bytes(columns.array(2)?),
                body: columns.blob(3)?,
            })
        })
    }
}

impl Transaction<'_> {
    /// Appends a leaf; gives its number, which [`Transaction::next_sequence`] had announced.
    pub fn append_leaf(
        &self,
        at: Timestamp,
        organisation: OrganisationId,
        body: &[u8],
    ) -> Result<i64, Error> {
        let id = self.take_sequence();
        let sql = "INSERT INTO journal (id, at, organisation, body) VALUES (?1, ?2, ?3, ?4)";
        self.execute(sql, (id, at.as_micros(), organisation.to_bytes(), body))?;
        Ok(id)
    }
}
