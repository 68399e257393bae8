//! The one writer: a thread that applies every waiting change and commits them with one `fsync`.
//!
//! A group is whatever waits when the writer is free, so a lone writer waits for nobody, and many writers share the
//! cost of the disk. Each change runs in its own savepoint. If the commit fails, every change of the group fails; if it
//! failed in a way after which the disk cannot be believed, the writer refuses all that follows.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use rusqlite::{Connection, ErrorCode, hooks::Wal};
use tokio::sync::{mpsc, oneshot};

use crate::{Error, Transaction, checkpoint::CheckpointHandle, room};

/// The most changes that one commit carries.
const GROUP_LIMIT: usize = 512;
/// How far past the checkpoint threshold the log may grow before the writer itself restarts it.
const RESTART_FACTOR: u32 = 3;

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
    path: PathBuf,
    checkpoint: CheckpointHandle,
    checkpoint_pages: u32,
    next_sequence: Cell<i64>,
    /// Pages in the write-ahead log after the last commit.
    log_pages: Arc<AtomicU32>,
    poisoned: bool,
}

impl Writer {
    pub(crate) fn new(
        (connection, path): (Connection, PathBuf),
        checkpoint: CheckpointHandle,
        checkpoint_pages: u32,
        next_sequence: i64,
    ) -> Self {
        Self {
            connection,
            path,
            checkpoint,
            checkpoint_pages,
            next_sequence: Cell::new(next_sequence),
            log_pages: Arc::default(),
            poisoned: false,
        }
    }

    /// Commits groups until every sender is gone, then empties the log.
    pub(crate) fn run(mut self, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
        let log_pages = Arc::clone(&self.log_pages);
        let hooked = self.connection.wal_hook(Some(move |_: &mut Wal, pages| {
            log_pages.store(u32::try_from(pages).unwrap_or(0), Relaxed);
            Ok(())
        }));
        if let Err(error) = hooked {
            tracing::warn!(%error, "the write-ahead log is not watched, and is emptied at the next start only");
        }
        let mut group = Vec::with_capacity(GROUP_LIMIT);
        while jobs.blocking_recv_many(&mut group, GROUP_LIMIT) > 0 {
            let committed = self.commit(&mut group);
            for job in group.drain(..) {
                job.finish(committed.clone());
            }
            self.keep_log_short();
        }
        drop(self.checkpoint);
        if let Err(error) = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::warn!(%error, "the write-ahead log was not emptied; the next start reads it");
        }
    }

    fn commit(&mut self, group: &mut [Box<dyn Job>]) -> Result<(), Error> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        let first_sequence = self.next_sequence.get();
        let result = self.apply(group);
        if let Err(error) = &result {
            self.next_sequence.set(first_sequence);
            self.poisoned = !self.undo() || cannot_be_believed(error);
            tracing::error!(%error, poisoned = self.poisoned, changes = group.len(), "a metadata commit failed");
        }
        result
    }

    fn apply(&self, group: &mut [Box<dyn Job>]) -> Result<(), Error> {
        let run = |sql| self.connection.prepare_cached(sql)?.execute([]);
        run("BEGIN IMMEDIATE")?;
        for job in group {
            let sequence = self.next_sequence.get();
            run("SAVEPOINT change")?;
            if !job.apply(&Transaction::new(&self.connection, &self.next_sequence)) {
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

    /// Asks for a checkpoint when one is due. The checkpointer copies pages while this thread goes on writing, and so
    /// never sees the end of the log under load: once the log is long, this thread copies the rest and starts it anew.
    /// On a disk that is nearly full it does so sooner, and gives the log's room back.
    fn keep_log_short(&self) {
        let pages = self.log_pages.load(Relaxed);
        if room::is_short_for(pages, &self.path) {
            if let Err(error) = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
                tracing::warn!(%error, "the disk is nearly full, and the write-ahead log could not be emptied yet");
            }
            self.log_pages.store(0, Relaxed);
        } else if pages >= self.checkpoint_pages.saturating_mul(RESTART_FACTOR) && self.checkpoint.is_idle() {
            if let Err(error) = self.connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())) {
                tracing::warn!(%error, "the write-ahead log could not be restarted yet");
            }
            self.log_pages.store(0, Relaxed);
        } else if pages >= self.checkpoint_pages {
            self.checkpoint.ask();
        }
    }
}

/// After these failures, what the page cache holds and what the disk holds may differ, and no later `fsync` would tell.
fn cannot_be_believed(error: &Error) -> bool {
    match error {
        Error::Sqlite(error) => {
            !matches!(error.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy))
        }
        _ => false,
    }
}
