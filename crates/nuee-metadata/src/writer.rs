//! The one writer: a thread that applies every waiting change and commits them with one `fsync`.
//!
//! A group is whatever waits when the writer is free, so a lone writer waits for nobody, and many writers share the
//! cost of the disk. Each change runs in its own savepoint. If the commit fails, every change of the group fails; if it
//! failed in a way after which the disk cannot be believed, the writer refuses all that follows. A full disk is no such
//! way: the group is refused, and what follows may be a deletion that fits. The less room is left, the smaller groups
//! are, so that few changes share a refusal.

use std::{
    cell::{Cell, OnceCell},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use crate::{Error, Transaction, log::Log};

/// The most changes that one commit carries.
pub(crate) const GROUP_LIMIT: usize = 512;

/// A change that waits for the writer.
pub(crate) trait Job: Send {
    /// Runs the change; says whether to keep it.
    fn apply(&mut self, transaction: &Transaction<'_>) -> bool;
    /// Answers the caller, once it is known whether the group was committed.
    fn finish(self: Box<Self>, committed: Result<(), Error>);
}

/// A change that is a closure, and where its result goes.
pub(crate) struct Change<F, T, E> {
    closure: Option<F>,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Change<F, T, E> {
    pub(crate) fn new(closure: F, reply: oneshot::Sender<Result<T, E>>) -> Self {
        Self { closure: Some(closure), result: None, reply }
    }
}

impl<F, T, E> Job for Change<F, T, E>
where
    F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn apply(&mut self, transaction: &Transaction<'_>) -> bool {
        let Some(closure) = self.closure.take() else { return false };
        let result = catch_unwind(AssertUnwindSafe(|| closure(transaction)))
            .unwrap_or_else(|_| Err(E::from(Error::Panicked)));
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn finish(self: Box<Self>, committed: Result<(), Error>) {
        let result = match (self.result, committed) {
            (Some(Ok(_)) | None, Err(error)) => Err(E::from(error)),
            (Some(result), _) => result,
            (None, Ok(())) => Err(E::from(Error::Closed)),
        };
        // The caller may have gone away; the change stands all the same.
        let _ = self.reply.send(result);
    }
}

/// The writer's state; lives on its thread.
pub(crate) struct Writer {
    connection: Connection,
    log: Log,
    next_sequence: Cell<i64>,
    poisoned: Arc<AtomicBool>,
}

impl Writer {
    pub(crate) fn new(
        connection: Connection,
        log: Log,
        next_sequence: i64,
        poisoned: Arc<AtomicBool>,
    ) -> Self {
        Self { connection, log, next_sequence: Cell::new(next_sequence), poisoned }
    }

    /// Commits groups until every sender is gone, then empties the log.
    pub(crate) fn run(mut self, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
        self.log.watch(&mut self.connection);
        let mut group = Vec::with_capacity(GROUP_LIMIT);
        while jobs.blocking_recv_many(&mut group, self.log.group_limit()) > 0 {
            let committed = self.commit(&mut group);
            let full = committed.as_ref().is_err_and(Error::is_full);
            for job in group.drain(..) {
                job.finish(committed.clone());
            }
            self.log.keep_short(&self.connection, full);
        }
        self.log.finish(&self.connection);
    }

    fn commit(&mut self, group: &mut [Box<dyn Job>]) -> Result<(), Error> {
        if self.poisoned.load(Relaxed) {
            return Err(Error::Poisoned);
        }
        let first_sequence = self.next_sequence.get();
        let Err(error) = self.apply(group) else { return Ok(()) };
        self.next_sequence.set(first_sequence);
        let poisoned = !self.undo() || cannot_be_believed(&error);
        self.poisoned.store(poisoned, Relaxed);
        tracing::error!(%error, poisoned, changes = group.len(), "a metadata commit failed");
        Err(if error.is_full() { self.log.room().full() } else { error })
    }

    fn apply(&self, group: &mut [Box<dyn Job>]) -> Result<(), Error> {
        let run = |sql| self.connection.prepare_cached(sql)?.execute([]);
        let lost = OnceCell::new();
        run("BEGIN IMMEDIATE")?;
        for job in group {
            let sequence = self.next_sequence.get();
            run("SAVEPOINT change")?;
            let keep = job.apply(&Transaction::new(&self.connection, &self.next_sequence, &lost));
            if self.connection.is_autocommit() {
                // A full disk, and some failures, make SQLite take back the whole transaction, with what others in the
                // group had changed.
                return Err(lost.into_inner().unwrap_or(Error::Poisoned));
            }
            if !keep {
                run("ROLLBACK TO change")?;
                self.next_sequence.set(sequence);
            }
            run("RELEASE change")?;
        }
        run("COMMIT")?;
        Ok(())
    }

    /// Leaves no transaction open; `false` if that cannot be done.
    fn undo(&self) -> bool {
        self.connection.is_autocommit() || self.connection.execute_batch("ROLLBACK").is_ok()
    }
}

/// After these failures, what the page cache holds and what the disk holds may differ, and no later `fsync` would tell.
fn cannot_be_believed(error: &Error) -> bool {
    match error {
        Error::Sqlite(sqlite) => {
            !error.is_full() && sqlite.sqlite_error_code() != Some(ErrorCode::DatabaseBusy)
        }
        Error::Poisoned => true,
        _ => false,
    }
}
