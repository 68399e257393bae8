//! The checkpointer: a thread that copies pages from the write-ahead log into the database file while the writer goes
//! on committing, so that no commit waits for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, SyncSender},
    },
    thread::JoinHandle,
};

use rusqlite::Connection;

use crate::Error;

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
