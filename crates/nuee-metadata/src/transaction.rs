//! What a read sees and what a write can do. The operations stand in the module of the noun that they are about.

use std::{
    cell::{Cell, OnceCell},
    ops::Deref,
};

use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row};

use crate::Error;

/// A view of the database for reading.
pub struct Snapshot<'c> {
    connection: &'c Connection,
    /// Of a transaction: the failure after which SQLite took the whole transaction back.
    lost: Option<&'c OnceCell<Error>>,
}

impl<'c> Snapshot<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self { connection, lost: None }
    }

    pub(crate) fn prepare(&self, sql: &str) -> Result<CachedStatement<'c>, Error> {
        self.connection.prepare_cached(sql).map_err(|error| self.failed(error))
    }

    /// What a statement failed with; noted if it cost the transaction.
    pub(crate) fn failed(&self, error: rusqlite::Error) -> Error {
        let error = Error::from(error);
        if let Some(lost) = self.lost
            && self.connection.is_autocommit()
        {
            lost.get_or_init(|| error.clone());
        }
        error
    }

    /// The only row of a query, if there is one.
    pub(crate) fn find<T>(
        &self,
        sql: &str,
        params: impl Params,
        convert: impl FnOnce(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let mut statement = self.prepare(sql)?;
        let found = statement.query_row(params, |row| Ok(convert(row))).optional();
        found.map_err(|error| self.failed(error))?.transpose()
    }

    /// All rows of a query.
    pub(crate) fn collect<T>(
        &self,
        sql: &str,
        params: impl Params,
        mut convert: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query(params).map_err(|error| self.failed(error))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(|error| self.failed(error))? {
            found.push(convert(row)?);
        }
        Ok(found)
    }
}

/// A change that is being made. It sees its own effects, and becomes visible and durable with its group.
pub struct Transaction<'c> {
    snapshot: Snapshot<'c>,
    next_sequence: &'c Cell<i64>,
}

impl<'c> Transaction<'c> {
    /// `lost` is where the failure goes after which SQLite took the whole transaction back.
    pub(crate) fn new(
        connection: &'c Connection,
        next_sequence: &'c Cell<i64>,
        lost: &'c OnceCell<Error>,
    ) -> Self {
        Self { snapshot: Snapshot { connection, lost: Some(lost) }, next_sequence }
    }

    /// Runs a statement; gives the number of rows that it changed.
    pub(crate) fn execute(&self, sql: &str, params: impl Params) -> Result<usize, Error> {
        if self.connection.is_autocommit() {
            // The transaction is gone: the statement would be committed by itself.
            return Err(self.lost.and_then(OnceCell::get).cloned().unwrap_or(Error::Poisoned));
        }
        self.prepare(sql)?.execute(params).map_err(|error| self.failed(error))
    }

    /// The sequence number that the next [`Transaction::append_leaf`] takes. A version that the leaf records has the
    /// same number: journal numbers are never used twice, so a row of one version never passes for another.
    #[must_use]
    pub fn next_sequence(&self) -> i64 {
        self.next_sequence.get()
    }

    pub(crate) fn take_sequence(&self) -> i64 {
        self.next_sequence.replace(self.next_sequence.get() + 1)
    }
}

impl<'c> Deref for Transaction<'c> {
    type Target = Snapshot<'c>;

    fn deref(&self) -> &Snapshot<'c> {
        &self.snapshot
    }
}
