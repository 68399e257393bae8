//! Rows of answers that were given once, to be given again to whoever asks the same again.

use nuee_base::Timestamp;

use crate::{Error, Snapshot, Transaction, row::Columns};

impl Snapshot<'_> {
    /// What is kept of the answer to a principal's request with this key.
    pub fn answer(&self, principal: &str, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let sql = "SELECT record FROM answers WHERE principal = ?1 AND key = ?2";
        self.find(sql, (principal, key), |row| Columns::new("answers", row).blob(0))
    }

    /// How many answers to a principal are kept.
    pub fn count_answers(&self, principal: &str) -> Result<i64, Error> {
        let sql = "SELECT count(*) FROM answers WHERE principal = ?1";
        Ok(self.find(sql, (principal,), |row| Columns::new("answers", row).integer(0))?.unwrap_or(0))
    }
}

impl Transaction<'_> {
    /// Keeps what is to be known of an answer until `expires_at`, in place of what was.
    pub fn put_answer(
        &self,
        (principal, key): (&str, &str),
        record: &[u8],
        expires_at: Timestamp,
    ) -> Result<(), Error> {
        let sql = "INSERT INTO answers (principal, key, expires_at, record) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (principal, key) DO UPDATE SET expires_at = ?3, record = ?4";
        self.execute(sql, (principal, key, expires_at.as_micros(), record)).map(drop)
    }

    /// Forgets an answer.
    pub fn delete_answer(&self, principal: &str, key: &str) -> Result<(), Error> {
        self.execute("DELETE FROM answers WHERE principal = ?1 AND key = ?2", (principal, key)).map(drop)
    }

    /// Forgets up to `limit` answers that ended before `before`; gives how many there were.
    pub fn delete_answers_ended(&self, before: Timestamp, limit: u32) -> Result<usize, Error> {
        let sql = "DELETE FROM answers WHERE (principal, key) IN \
                   (SELECT principal, key FROM answers WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)";
        self.execute(sql, (before.as_micros(), limit))
    }
}
