//! The pool of reading connections.

use std::sync::Mutex;

use rusqlite::Connection;

use crate::Error;

/// Lends reading connections; makes one when all are lent, and keeps up to `kept` of those that come back.
pub(crate) struct Readers {
    idle: Mutex<Vec<Connection>>,
    kept: usize,
    open: Box<dyn Fn() -> Result<Connection, Error> + Send + Sync>,
}

impl Readers {
    pub(crate) fn new(
        kept: usize,
        open: impl Fn() -> Result<Connection, Error> + Send + Sync + 'static,
    ) -> Self {
        Self { idle: Mutex::new(Vec::new()), kept, open: Box::new(open) }
    }

    /// Runs `read` on a connection. One that was in use during a panic does not come back.
    pub(crate) fn with<T, E: From<Error>>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let idle = self.idle.lock().map_err(|_| Error::Closed)?.pop();
        let connection = match idle {
            Some(connection) => connection,
            None => (self.open)()?,
        };
        let result = read(&connection);
        if let Ok(mut idle) = self.idle.lock()
            && idle.len() < self.kept
        {
            idle.push(connection);
        }
        result
    }

    /// Closes the connections that nobody uses.
    pub(crate) fn clear(&self) {
        if let Ok(mut idle) = self.idle.lock() {
            idle.clear();
        }
    }
}
