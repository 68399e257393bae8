//! Keeping the write-ahead log short, without letting a commit wait for it.
//!
//! The checkpointer copies pages while the writer goes on, and so never sees the end of the log under load: once the log
//! is long, the writer copies the rest and begins the log anew. On a disk that is nearly full it does so sooner, and
//! gives the log's room back. Neither waits: a reader that needs the log keeps it as it is, and the writer tries again
//! when it has grown by as much as makes a checkpoint due.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use rusqlite::{Connection, hooks::Wal};

use crate::{
    ballast::Ballast,
    checkpoint::{CheckpointHandle, Emptied, RESTART, TRUNCATE, empty_log},
    room::{Room, View},
};

/// How far past the checkpoint threshold the log may grow before the writer itself begins it anew.
const RESTART_FACTOR: u32 = 3;
/// The checkpointer is asked again when the log has grown by this part of the threshold.
const ASKS_PER_THRESHOLD: u32 = 8;
/// How far the log grows before the writer looks at the disk again, in pages: 1 MiB, far less than the reserve.
const LOOK_PAGES: u32 = 256;
/// Below so many reserves of free room, ballast is held.
const BALLAST_FROM_RESERVES: u64 = 8;

/// What was done for the log after a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is short enough.
    Short,
    /// The checkpointer copies it.
    Asked,
    /// It begins anew.
    Anew,
    /// It should begin anew, but is still read, or the disk refused.
    Long,
}

/// The log, as the writer sees it.
pub(crate) struct Log {
    room: Arc<Room>,
    ballast: Ballast,
    checkpoint: CheckpointHandle,
    checkpoint_pages: u32,
    /// Its pages after the last commit.
    pages: Arc<AtomicU32>,
    last_pages: u32,
    /// Its lengths from which something is done.
    next: Thresholds,
    group_limit: usize,
    most_changes: usize,
}

/// Lengths of the log, in pages.
struct Thresholds {
    look: u32,
    ask: u32,
    restart: u32,
    truncate: u32,
}

impl Thresholds {
    fn of(checkpoint_pages: u32) -> Self {
        let restart = checkpoint_pages.saturating_mul(RESTART_FACTOR);
        Self { look: LOOK_PAGES, ask: checkpoint_pages, restart, truncate: 0 }
    }
}

impl Log {
    /// The log of a database, whose groups have at most `most_changes`.
    pub(crate) fn new(
        (room, ballast): (Arc<Room>, Ballast),
        checkpoint: CheckpointHandle,
        checkpoint_pages: u32,
        most_changes: usize,
    ) -> Self {
        Self {
            room,
            ballast,
            checkpoint,
            checkpoint_pages,
            pages: Arc::default(),
            last_pages: 0,
            next: Thresholds::of(checkpoint_pages),
            group_limit: most_changes,
            most_changes,
        }
    }

    /// Begins to follow the commits of a connection.
    pub(crate) fn watch(&mut self, connection: &mut Connection) {
        let pages = Arc::clone(&self.pages);
        let hooked = connection.wal_hook(Some(move |_: &mut Wal, count| {
            pages.store(u32::try_from(count).unwrap_or(0), Relaxed);
            Ok(())
        }));
        if let Err(error) = hooked {
            tracing::warn!(%error, "the write-ahead log is not watched, and is emptied at the next start only");
        }
        self.look(connection, 0);
    }

    /// How many changes the next group may have.
    pub(crate) fn group_limit(&self) -> usize {
        self.group_limit
    }

    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    /// Does what the log needs after a group; `full` says that the disk had no room for it.
    pub(crate) fn keep_short(&mut self, connection: &Connection, full: bool) -> Kept {
        let pages = self.pages.load(Relaxed);
        if pages < self.last_pages {
            self.next = Thresholds::of(self.checkpoint_pages);
        }
        self.last_pages = pages;
        let wanted = self.room.take_wanted();
        if full {
            self.ballast.release();
        }
        if full || wanted || pages >= self.next.look {
            let view = self.look(connection, pages);
            let due = view.log_is_long() && pages >= self.next.truncate;
            if due || ((full || wanted) && !view.log_is_empty()) {
                return self.begin_anew(connection, TRUNCATE, pages);
            }
        }
        if pages >= self.next.restart && self.checkpoint.is_idle() {
            self.begin_anew(connection, RESTART, pages)
        } else if pages >= self.next.ask {
            self.next.ask = pages.saturating_add(self.checkpoint_pages / ASKS_PER_THRESHOLD);
            self.checkpoint.ask();
            Kept::Asked
        } else {
            Kept::Short
        }
    }

    /// Looks at the disk, and prepares for what is to be expected of it.
    fn look(&mut self, connection: &Connection, pages: u32) -> View {
        let view = self.room.look(connection, pages);
        self.next.look = if view.is_short() { 0 } else { pages.saturating_add(LOOK_PAGES) };
        self.group_limit = view.group_limit(self.most_changes);
        let reserve = self.room.reserve_bytes();
        let bounds = (
            reserve.saturating_add(self.ballast.size_bytes().saturating_mul(2)),
            reserve.saturating_mul(BALLAST_FROM_RESERVES),
        );
        if (bounds.0..bounds.1).contains(&view.free_bytes) {
            self.ballast.take();
        } else if view.free_bytes / 2 > bounds.1 {
            self.ballast.release();
        }
        view
    }

    fn begin_anew(&mut self, connection: &Connection, how: &str, pages: u32) -> Kept {
        match empty_log(connection, how) {
            Ok(Emptied::Whole) => {
                self.pages.store(0, Relaxed);
                self.last_pages = 0;
                self.next = Thresholds::of(self.checkpoint_pages);
                self.look(connection, 0);
                return Kept::Anew;
            }
            Ok(Emptied::InPart) => {
                tracing::debug!(pages, "the write-ahead log is still read, and stays long");
            }
            Err(error) => {
                tracing::warn!(%error, "the write-ahead log could not be emptied yet");
            }
        }
        let later = pages.saturating_add(self.checkpoint_pages);
        self.next.restart = later;
        self.next.truncate = if self.next.look == 0 { pages.saturating_add(LOOK_PAGES) } else { later };
        Kept::Long
    }

    /// Copies what is in the log and empties it, at the end.
    pub(crate) fn finish(self, connection: &Connection) {
        drop(self.checkpoint);
        match empty_log(connection, TRUNCATE) {
            Ok(Emptied::Whole) => {}
            Ok(Emptied::InPart) => {
                tracing::debug!("the write-ahead log is still read; the next start empties it");
            }
            Err(error) => {
                tracing::warn!(%error, "the write-ahead log was not emptied; the next start reads it");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::checkpoint::Checkpointer;

    const CHECKPOINT_PAGES: u32 = 8;

    fn open(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        let settings =
            "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE IF NOT EXISTS t (a)";
        connection.execute_batch(settings).unwrap();
        connection
    }

    /// Commits a page or two so many times; how often the log was dealt with in each way.
    fn commit(log: &mut Log, connection: &Connection, times: usize) -> [usize; 2] {
        let mut counts = [0; 2];
        for _ in 0..times {
            connection.execute("INSERT INTO t VALUES (randomblob(2000))", []).unwrap();
            match log.keep_short(connection, false) {
                Kept::Anew => counts[0] += 1,
                Kept::Long => counts[1] += 1,
                Kept::Short | Kept::Asked => {}
            }
        }
        counts
    }

    #[test]
    fn a_log_that_is_read_is_left_alone_until_it_has_grown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metadata.db");
        let (mut connection, reader) = (open(&path), open(&path));
        let checkpointer = Checkpointer::start(open(&path)).unwrap();
        let room = Arc::new(Room::new(&path, 0));
        let mut log = Log::new((room, Ballast::find(&path, 0)), checkpointer.handle(), CHECKPOINT_PAGES, 512);
        log.watch(&mut connection);
        reader.execute_batch("BEGIN; SELECT * FROM t").unwrap();
        let [anew, long] = commit(&mut log, &connection, 200);
        let pages = log.pages.load(Relaxed);
        assert!(pages > 200, "the log was lost while it was read: {pages} pages");
        assert_eq!(anew, 0);
        assert!((1..=pages as usize / CHECKPOINT_PAGES as usize).contains(&long), "{long} of {pages} pages");
        reader.execute_batch("COMMIT").unwrap();
        let [anew, _] = commit(&mut log, &connection, 100);
        assert!(anew > 0 || log.pages.load(Relaxed) < pages, "the log is never begun anew");
    }
}
