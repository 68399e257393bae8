//! Facts about the platform itself, by name: its instance id, for instance.

use crate::{Error, Snapshot, Transaction, row::Columns};

impl Snapshot<'_> {
    /// The platform's fact of this name.
    pub fn platform_value(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        self.find("SELECT value FROM platform WHERE name = ?1", (name,), |row| {
            Columns::new("platform", row).blob(0)
        })
    }
}

impl Transaction<'_> {
    /// Sets the platform's fact of this name.
    pub fn set_platform_value(&self, name: &str, value: &[u8]) -> Result<(), Error> {
        let sql =
            "INSERT INTO platform (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
        self.execute(sql, (name, value)).map(drop)
    }
}
