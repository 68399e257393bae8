//! Converting columns to the types of the layers above.

use std::str::FromStr;

use rusqlite::{Row, types::ValueRef};

use crate::Error;

/// A row's message authentication code, which the layer above computes and checks.
pub type Mac = [u8; 32];

/// Reads the columns of one row of `table`, and says which row is malformed.
pub(crate) struct Columns<'a, 'stmt> {
    table: &'static str,
    row: &'a Row<'stmt>,
}

impl<'a, 'stmt> Columns<'a, 'stmt> {
    pub(crate) fn new(table: &'static str, row: &'a Row<'stmt>) -> Self {
        Self { table, row }
    }

    fn malformed(&self, column: usize, expected: &str) -> Error {
        Error::Malformed { table: self.table, detail: format!("column {column} is not {expected}") }
    }

    pub(crate) fn integer(&self, column: usize) -> Result<i64, Error> {
        match self.row.get_ref(column)? {
            ValueRef::Integer(value) => Ok(value),
            _ => Err(self.malformed(column, "an integer")),
        }
    }

    pub(crate) fn blob(&self, column: usize) -> Result<Vec<u8>, Error> {
        match self.row.get_ref(column)? {
            ValueRef::Blob(value) => Ok(value.to_vec()),
            _ => Err(self.malformed(column, "a blob")),
        }
    }

    pub(crate) fn optional_blob(&self, column: usize) -> Result<Option<Vec<u8>>, Error> {
        match self.row.get_ref(column)? {
            ValueRef::Null => Ok(None),
            _ => self.blob(column).map(Some),
        }
    }

    pub(crate) fn array<const N: usize>(&self, column: usize) -> Result<[u8; N], Error> {
        match self.row.get_ref(column)? {
            ValueRef::Blob(value) => {
                value.try_into().map_err(|_| self.malformed(column, "a blob of the right length"))
            }
            _ => Err(self.malformed(column, "a blob")),
        }
    }

    /// A column of bytes that may be empty of any value.
    pub(crate) fn optional_array<const N: usize>(&self, column: usize) -> Result<Option<[u8; N]>, Error> {
        match self.row.get_ref(column)? {
            ValueRef::Null => Ok(None),
            _ => self.array(column).map(Some),
        }
    }

    /// A text column that may be empty of any value.
    pub(crate) fn optional_text<T: FromStr>(&self, column: usize) -> Result<Option<T>, Error> {
        match self.row.get_ref(column)? {
            ValueRef::Null => Ok(None),
            _ => self.text(column).map(Some),
        }
    }

    /// A text column, or a blob column that holds UTF-8, parsed into a validated type.
    pub(crate) fn text<T: FromStr>(&self, column: usize) -> Result<T, Error> {
        let (ValueRef::Text(bytes) | ValueRef::Blob(bytes)) = self.row.get_ref(column)? else {
            return Err(self.malformed(column, "a text"));
        };
        let text = std::str::from_utf8(bytes).map_err(|_| self.malformed(column, "UTF-8"))?;
        text.parse().map_err(|_| self.malformed(column, "a valid name"))
    }
}
