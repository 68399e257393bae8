//! The handle on the metadata store: opening, reading, writing, closing.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};
use tokio::sync::{mpsc, oneshot};

use crate::{
    Error, Snapshot, Transaction,
    ballast::Ballast,
    checkpoint::{BUSY_TIMEOUT, Checkpointer},
    log::Log,
    readers::Readers,
    room::Room,
    schema, settle,
    writer::{Change, GROUP_LIMIT, Job, Writer},
};

/// How many changes may wait for the writer before [`Metadata::write`] waits too.
const QUEUE_LENGTH: usize = 4_096;
/// Distinct statements of this crate, with room to grow.
const STATEMENT_CACHE: usize = 128;
/// The part of the reserve that ballast holds where the disk fills up.
const BALLAST_SHARE: u64 = 4;
/// With less free room than this, not even the index of the log can be sure to find its own.
const LEAST_TO_OPEN_BYTES: u64 = 1 << 20;

/// How the database is opened.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Page cache of the writer, in KiB.
    pub writer_cache_kib: u32,
    /// Page cache of each reader, in KiB.
    pub reader_cache_kib: u32,
    /// How much of the file readers map into memory, in bytes: mapped pages are read without a system call, and count
    /// as resident memory.
    pub mapped_bytes: u64,
    /// Readers kept open between uses.
    pub readers: usize,
    /// Pages in the write-ahead log (4 KiB each) from which a checkpoint is due.
    pub checkpoint_pages: u32,
    /// How many free bytes of the disk are kept for deletions.
    pub free_space_reserve_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            writer_cache_kib: 16 << 10,
            reader_cache_kib: 4 << 10,
            mapped_bytes: 24 << 20,
            readers: 4,
            checkpoint_pages: 8_000,
            free_space_reserve_bytes: 16 << 20,
        }
    }
}

/// The metadata of one platform. Cheap to clone; the store closes when [`Metadata::close`] is called or the last clone
/// is dropped.
#[derive(Clone)]
pub struct Metadata(Arc<Inner>);

struct Inner {
    path: PathBuf,
    room: Arc<Room>,
    poisoned: Arc<AtomicBool>,
    readers: Readers,
    threads: Mutex<Option<Threads>>,
    queue: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
}

struct Threads {
    writer: JoinHandle<()>,
    checkpointer: JoinHandle<()>,
}

impl Metadata {
    /// Opens the database at `path`, creating or upgrading it. All that an earlier process committed, and nothing
    /// else, is there and durable when this returns.
    pub fn open(path: &Path, options: Options) -> Result<Self, Error> {
        let room = Arc::new(Room::new(path, options.free_space_reserve_bytes));
        let mut ballast = Ballast::find(path, options.free_space_reserve_bytes / BALLAST_SHARE);
        if room.free_bytes().is_some_and(|free| free < LEAST_TO_OPEN_BYTES) {
            ballast.release();
        }
        let mut connection = connect(path, false, options)?;
        schema::migrate(&mut connection, path)?;
        settle::settle(&connection, path, &mut ballast)?;
        let next_sequence = Snapshot::new(&connection).last_sequence()? + 1;
        let checkpointer = Checkpointer::start(connect(path, false, options)?)?;
        let (queue, jobs) = mpsc::channel(QUEUE_LENGTH);
        let store = (Arc::clone(&room), ballast);
        let log = Log::new(store, checkpointer.handle(), options.checkpoint_pages, GROUP_LIMIT);
        let poisoned = Arc::new(AtomicBool::new(false));
        let writer = Writer::new(connection, log, next_sequence, Arc::clone(&poisoned));
        let writer = std::thread::Builder::new()
            .name("metadata-writer".into())
            .spawn(move || writer.run(jobs))
            .map_err(|_| Error::Closed)?;
        let threads = Threads { writer, checkpointer: checkpointer.thread };
        Ok(Self(Arc::new(Inner {
            path: path.to_path_buf(),
            room,
            poisoned,
            readers: readers(path, options),
            threads: Mutex::new(Some(threads)),
            queue: Mutex::new(Some(queue)),
        })))
    }

    /// Opens an existing database for reading alone, beside whatever process writes to it.
    pub fn open_read_only(path: &Path, options: Options) -> Result<Self, Error> {
        connect(path, true, options)?;
        Ok(Self(Arc::new(Inner {
            path: path.to_path_buf(),
            room: Arc::new(Room::new(path, options.free_space_reserve_bytes)),
            poisoned: Arc::default(),
            readers: readers(path, options),
            threads: Mutex::new(None),
            queue: Mutex::new(None),
        })))
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether a write could not be made durable, so that no more are accepted until a restart.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.0.poisoned.load(Ordering::Relaxed)
    }

    pub(crate) fn room(&self) -> &Room {
        &self.0.room
    }

    /// Makes the writer look at the log and the disk, even if nothing is written.
    pub(crate) fn wake_writer(&self) {
        let (reply, _) = oneshot::channel();
        let nothing: Box<dyn Job> = Box::new(Change::new(|_: &Transaction<'_>| Ok::<_, Error>(()), reply));
        if let Ok(queue) = self.0.queue.lock()
            && let Some(queue) = &*queue
        {
            // A queue that is full wakes the writer without this.
            let _ = queue.try_send(nothing);
        }
    }

    /// Runs `read` on a reading connection, in this thread. Each statement sees all commits that came before it.
    pub fn read<T, E: From<Error>>(&self, read: impl FnOnce(&Snapshot<'_>) -> Result<T, E>) -> Result<T, E> {
        self.0.readers.with(|connection| read(&Snapshot::new(connection)))
    }

    /// Like [`Metadata::read`], but all statements see one state of the database.
    pub fn read_consistent<T, E: From<Error>>(
        &self,
        read: impl FnOnce(&Snapshot<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.0.readers.with(|connection| {
            let transaction = connection.unchecked_transaction().map_err(Error::from)?;
            let result = read(&Snapshot::new(&transaction));
            drop(transaction);
            result
        })
    }

    /// Applies `change` and makes it durable together with whatever else waits. On `Err`, nothing of it remains.
    ///
    /// The change is carried out even if the returned future is dropped while it waits.
    pub async fn write<T, E>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (reply, outcome) = oneshot::channel();
        let job: Box<dyn Job> = Box::new(Change::new(change, reply));
        let queue = self.0.queue.lock().map_err(|_| Error::Closed)?.clone().ok_or(Error::Closed)?;
        queue.send(job).await.map_err(|_| Error::Closed)?;
        outcome.await.map_err(|_| Error::Closed)?
    }

    /// Finishes the changes that wait, empties the write-ahead log, and stops. Later writes answer [`Error::Closed`].
    /// Blocks until done.
    pub fn close(&self) {
        self.0.close();
    }
}

impl Inner {
    fn close(&self) {
        if let Ok(mut queue) = self.queue.lock() {
            queue.take();
        }
        let threads = self.threads.lock().ok().and_then(|mut threads| threads.take());
        self.readers.clear();
        if let Some(threads) = threads {
            // A thread that panicked has nothing left to finish.
            let _ = threads.writer.join();
            let _ = threads.checkpointer.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

fn readers(path: &Path, options: Options) -> Readers {
    let path = path.to_path_buf();
    Readers::new(options.readers, move || connect(&path, true, options))
}

/// A connection with our settings. `FULL` fsyncs the log at each commit; checkpoints are ours to make.
fn connect(path: &Path, read_only: bool, options: Options) -> Result<Connection, Error> {
    let access = if read_only {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    } else {
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
    };
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    // Without this, each change of a bound value of an indexed column plans the statement anew.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    if !read_only {
        connection.pragma_update(None, "journal_mode", "WAL")?;
    }
    let cache_kib = if read_only { options.reader_cache_kib } else { options.writer_cache_kib };
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    connection.pragma_update(
        None,
        "mmap_size",
        if read_only { options.mapped_bytes.cast_signed() } else { 0 },
    )?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(connection)
}
