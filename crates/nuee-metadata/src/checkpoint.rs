//! The checkpointer: a thread that copies pages from the write-ahead log into the database file while the writer goes
//! on committing, so that no commit waits for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, SyncSender},
    },
    thread::JoinHandle,
    time::Duration,
};

use rusqlite::Connection;

use crate::Error;

/// How long a connection waits for a lock of another.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Copies all that is in the log, so that the next commit begins it anew.
pub(crate) const RESTART: &str = "PRAGMA wal_checkpoint(RESTART)";
/// The same, and gives the log's room back.
pub(crate) const TRUNCATE: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// How far a checkpoint came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Emptied {
    /// All is in the database, and nobody needs the log.
    Whole,
    /// Somebody still reads it, or another checkpoint runs.
    InPart,
}

/// Runs the checkpoint `how`, [`RESTART`] or [`TRUNCATE`], and waits for no reader: a long read would stop all commits.
pub(crate) fn empty_log(connection: &Connection, how: &str) -> Result<Emptied, rusqlite::Error> {
    connection.busy_timeout(Duration::ZERO)?;
    let busy = connection.query_row(how, [], |row| row.get::<_, bool>(0));
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(if busy? { Emptied::InPart } else { Emptied::Whole })
}

/// The running thread.
pub(crate) struct Checkpointer {
    pub(crate) thread: JoinHandle<()>,
    handle: CheckpointHandle,
}

/// Asks for checkpoints. The thread ends when the last handle is dropped.
#[derive(Clone)]
pub(crate) struct CheckpointHandle {
    asks: SyncSender<()>,
    busy: Arc<AtomicBool>,
}

impl Checkpointer {
    pub(crate) fn start(connection: Connection) -> Result<Self, Error> {
        let (asks, asked) = mpsc::sync_channel(1);
        let busy = Arc::new(AtomicBool::new(false));
        let handle = CheckpointHandle { asks, busy: Arc::clone(&busy) };
        let run = move || {
            for () in asked {
                let copied = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
                if let Err(error) = copied {
                    tracing::warn!(%error, "a checkpoint failed; it is tried again later");
                }
                busy.store(false, Ordering::Release);
            }
        };
        let thread = std::thread::Builder::new()
            .name("metadata-checkpoint".into())
            .spawn(run)
            .map_err(|_| Error::Closed)?;
        Ok(Self { thread, handle })
    }

    pub(crate) fn handle(&self) -> CheckpointHandle {
        self.handle.clone()
    }
}

impl CheckpointHandle {
    /// Asks for a checkpoint, unless one runs or waits.
    pub(crate) fn ask(&self) {
        if !self.busy.swap(true, Ordering::AcqRel) && self.asks.try_send(()).is_err() {
            self.busy.store(false, Ordering::Release);
        }
    }

    /// Whether no checkpoint runs or waits.
    pub(crate) fn is_idle(&self) -> bool {
        !self.busy.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    static WAITS: AtomicU32 = AtomicU32::new(0);

    #[test]
    fn a_checkpoint_waits_for_no_reader_and_tells_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Connection::open(directory.path().join("metadata.db")).unwrap();
        let (mut writer, reader) = (open(), open());
        writer
            .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)")
            .unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM t").unwrap();
        writer.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        for how in [RESTART, TRUNCATE] {
            let waits = |_| WAITS.fetch_add(1, Ordering::Relaxed) < 3;
            writer.busy_handler(Some(waits)).unwrap();
            assert_eq!(empty_log(&writer, how).unwrap(), Emptied::InPart, "{how}");
        }
        assert_eq!(WAITS.load(Ordering::Relaxed), 0, "the writer waited for a reader");
        reader.execute_batch("COMMIT").unwrap();
        assert_eq!(empty_log(&writer, TRUNCATE).unwrap(), Emptied::Whole);
    }
}
