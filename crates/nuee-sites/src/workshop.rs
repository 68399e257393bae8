//! Makes segments ahead of need and closes the ones that are full, in a thread of its own, so that appending waits for
//! neither.
//!
//! A new segment is created, preallocated and synced, and its name is synced, before any record goes into it. A
//! segment is closed by a record that says so and by giving back what it did not use. A segment on which anything
//! failed is not closed: the next start looks at all of it.

use std::{
    fs::File,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

use crate::{
    Error, Result, SegmentNumber,
    directory::sync_directory,
    disk::free_bytes,
    error::is_full,
    record::{HEADER_BYTES, Header, Position},
    segments::Segments,
};

/// Sparing a crowded disk: a new segment takes at most this part of what is free.
const SHARE_OF_FREE_SPACE: u64 = 4;
static ZEROS: [u8; 256 << 10] = [0; 256 << 10];
const ZEROS_PER_SYNC: u64 = 16;

/// A segment that takes records.
#[derive(Debug)]
pub(crate) struct OpenSegment {
    pub(crate) number: SegmentNumber,
    pub(crate) file: Arc<File>,
    /// How many bytes it may hold.
    pub(crate) capacity: u64,
    /// Where the next record goes.
    pub(crate) end: u64,
}

impl OpenSegment {
    /// Whether a record of this footprint fits, with the record that will end the segment.
    pub(crate) fn has_room(&self, bytes: u64) -> bool {
        self.end + bytes + HEADER_BYTES as u64 <= self.capacity
    }
}

/// Which space may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    /// All but the reserve.
    Ordinary,
    /// The reserve too: for what will free more than it takes.
    Reserve,
}

enum Order {
    Prepare,
    Close(OpenSegment),
}

#[derive(Debug, Default)]
struct State {
    prepared: Option<OpenSegment>,
    preparing: bool,
}

#[derive(Debug, Default)]
struct Shelf {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shelf {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where segments are made and closed.
pub(crate) struct Workshop {
    segments: Arc<Segments>,
    shelf: Arc<Shelf>,
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Workshop {
    pub(crate) fn start(segments: Arc<Segments>) -> Result<Self> {
        let (orders, received) = mpsc::channel();
        let shelf = Arc::new(Shelf::default());
        let (worker_segments, worker_shelf) = (segments.clone(), shelf.clone());
        let thread = thread::Builder::new()
            .name("nuee-segments".to_owned())
            .spawn(move || work(&worker_segments, &worker_shelf, &received))
            .map_err(|error| Error::io("start a thread for", segments.directory.root(), error))?;
        Ok(Self { segments, shelf, orders: Some(orders), thread: Some(thread) })
    }

    /// Has a segment made in the background, if none is ready.
    pub(crate) fn prepare(&self) {
        let mut state = self.shelf.state();
        if state.preparing || state.prepared.is_some() {
            return;
        }
        state.preparing = self.order(Order::Prepare);
    }

    /// A fresh segment: the prepared one, or one made now.
    pub(crate) fn take(&self, space: Space) -> Result<OpenSegment> {
        let mut state = self.shelf.state();
        while state.preparing {
            state = self.shelf.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let prepared = state.prepared.take();
        drop(state);
        let segment = prepared.map_or_else(|| create(&self.segments, space), Ok)?;
        self.segments.activate(segment.number, segment.file.clone());
        Ok(segment)
    }

    /// Has a segment closed in the background.
    pub(crate) fn close(&self, segment: OpenSegment) {
        self.order(Order::Close(segment));
    }

    fn order(&self, order: Order) -> bool {
        self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok())
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        self.orders = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that makes segments panicked");
        }
        if let Some(segment) = self.shelf.state().prepared.take() {
            discard(&self.segments, segment.number);
        }
    }
}

fn work(segments: &Segments, shelf: &Shelf, orders: &mpsc::Receiver<Order>) {
    while let Ok(order) = orders.recv() {
        match order {
            Order::Close(segment) => close(segments, &segment),
            Order::Prepare => {
                let made = create(segments, Space::Ordinary)
                    .inspect_err(|error| tracing::debug!(%error, "no segment could be made ahead of need"));
                let mut state = shelf.state();
                state.prepared = made.ok();
                state.preparing = false;
                shelf.changed.notify_all();
            }
        }
    }
}

fn close(segments: &Segments, segment: &OpenSegment) {
    match write_end(segments, segment.number, &segment.file, segment.end) {
        Ok(()) => segments.retire(segment.number),
        Err(error) => {
            tracing::warn!(%error, "a segment could not be closed; the next start will look at it");
            segments.abandon(segment.number);
        }
    }
}

/// Ends a segment, and gives back what lies behind its end.
pub(crate) fn write_end(segments: &Segments, number: SegmentNumber, file: &File, end: u64) -> Result<()> {
    let bytes = Header::End.encode(Position { segment: number, offset: end });
    let disk = &segments.disk;
    disk.write_at(file, &bytes, end)
        .and_then(|()| disk.truncate(file, end + bytes.len() as u64))
        .and_then(|()| disk.sync_file(file))
        .map_err(|error| segments.failed("close", number, error))
}

fn create(segments: &Segments, space: Space) -> Result<OpenSegment> {
    let capacity = affordable_capacity(segments, space)?;
    let number = segments.directory.take_segment_number();
    let path = segments.directory.segment(number);
    let file = segments.disk.create_file(&path).map_err(|error| Error::io("create", &path, error))?;
    let made = reserve(segments, number, &file, capacity).and_then(|capacity| {
        segments.disk.sync_file(&file).map_err(|error| segments.failed("sync", number, error))?;
        sync_directory(&segments.disk, segments.directory.segments())?;
        Ok(capacity)
    });
    match made {
        Ok(capacity) => Ok(OpenSegment { number, file: Arc::new(file), capacity, end: 0 }),
        Err(error) => {
            discard(segments, number);
            Err(error)
        }
    }
}

/// How large a segment may be on this disk now.
fn affordable_capacity(segments: &Segments, space: Space) -> Result<u64> {
    let path = segments.directory.segments();
    let reserve = match space {
        Space::Ordinary => segments.options.free_space_reserve_bytes,
        Space::Reserve => 0,
    };
    let free = free_bytes(path).map_err(|error| Error::io("look at", path, error))?.saturating_sub(reserve);
    let smallest = segments.options.smallest_segment_bytes();
    if free < smallest {
        return Err(Error::Full { path: path.to_path_buf() });
    }
    Ok(segments.options.segment_size_bytes.min(free / SHARE_OF_FREE_SPACE).max(smallest))
}

/// Reserves the space of a new segment, less of it where the disk has less, and returns how much.
fn reserve(segments: &Segments, number: SegmentNumber, file: &File, mut capacity: u64) -> Result<u64> {
    let smallest = segments.options.smallest_segment_bytes();
    loop {
        match segments.disk.preallocate(file, capacity) {
            Ok(true) => break,
            // The records will take their space as they come, and may find none.
            Ok(false) => return Ok(capacity),
            Err(error) if is_full(&error) && capacity > smallest => {
                let _ = segments.disk.truncate(file, 0);
                capacity = (capacity / 2).max(smallest);
            }
            Err(error) => return Err(segments.failed("reserve space for", number, error)),
        }
    }
    if segments.options.zero_fill_segments {
        fill(segments, file, capacity).map_err(|error| segments.failed("write", number, error))?;
    }
    Ok(capacity)
}

/// Writes zeros all over a new segment, so that records later overwrite blocks that the file system counts as written:
/// then `fdatasync` has no change of its own books to commit.
fn fill(segments: &Segments, file: &File, capacity: u64) -> std::io::Result<()> {
    let step = ZEROS.len() as u64;
    for (count, offset) in (0..capacity).step_by(ZEROS.len()).enumerate() {
        let length = usize::try_from(step.min(capacity - offset)).unwrap_or(ZEROS.len());
        segments.disk.write_at(file, &ZEROS[..length], offset)?;
        if (count as u64 + 1).is_multiple_of(ZEROS_PER_SYNC) {
            segments.disk.sync_data(file)?;
        }
    }
    Ok(())
}

fn discard(segments: &Segments, number: SegmentNumber) {
    let path = segments.directory.segment(number);
    if let Err(error) = segments.disk.unlink(&path) {
        tracing::debug!(%error, path = %path.display(), "an unused segment stays until the next start");
    }
}
