//! The append thread: small blobs from everybody, one write and one `fdatasync` for all who wait.
//!
//! It takes everything that waits, writes it behind the last record of the active segment, syncs, and only then answers
//! everybody. If the write or the sync fails, everybody in the group is told so and the segment is abandoned: no record
//! is ever acknowledged behind one that may be missing.

use std::{
    io::IoSlice,
    sync::Arc,
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use nuee_base::BlobId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::{
    Error, Locator, Result,
    record::{ALIGNMENT, HEADER_BYTES, Header, Position, body_checksum, footprint_bytes},
    segments::Segments,
    workshop::{OpenSegment, Space, Workshop},
};

/// A vectored write takes at most 1,024 slices, a record has up to three.
const GROUP_RECORDS: usize = 340;
const PADDING: [u8; ALIGNMENT] = [0; ALIGNMENT];

struct Request {
    id: BlobId,
    sealed: Bytes,
    length: u32,
    body_checksum: u32,
    space: Space,
    answer: oneshot::Sender<Result<Locator>>,
    /// Given back when the request is done with, which bounds what the queue holds.
    _permit: Option<OwnedSemaphorePermit>,
}

/// The queue in front of the append thread. Dropping it waits until what is queued is answered.
#[derive(Debug)]
pub(crate) struct Appender {
    requests: Option<mpsc::UnboundedSender<Request>>,
    room: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

impl Appender {
    pub(crate) fn start(segments: Arc<Segments>) -> Result<Self> {
        let (sender, requests) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(segments.options.queue_bytes as usize));
        let path = segments.directory.root().to_path_buf();
        let workshop = Workshop::start(segments.clone())?;
        let worker = Worker { segments, requests, workshop, active: None };
        let thread = thread::Builder::new()
            .name("nuee-append".to_owned())
            .spawn(move || worker.run())
            .map_err(|error| Error::io("start a thread for", &path, error))?;
        Ok(Self { requests: Some(sender), room, thread: Some(thread) })
    }

    /// Appends a blob; waits while the queue is full, and until the blob is durable.
    pub(crate) async fn append(&self, id: BlobId, sealed: Bytes, length: u32) -> Result<Locator> {
        let room = u32::try_from(footprint_bytes(length)).unwrap_or(length);
        let permit = self.room.clone().acquire_many_owned(room).await.map_err(|_| Error::Closed)?;
        let answer = self.send(id, sealed, length, (Space::Ordinary, Some(permit)))?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Queues a blob that a compaction moves. The caller bounds how much it queues.
    pub(crate) fn relocate(
        &self,
        id: BlobId,
        sealed: Bytes,
        length: u32,
    ) -> Result<oneshot::Receiver<Result<Locator>>> {
        self.send(id, sealed, length, (Space::Reserve, None))
    }

    fn send(
        &self,
        id: BlobId,
        sealed: Bytes,
        length: u32,
        (space, permit): (Space, Option<OwnedSemaphorePermit>),
    ) -> Result<oneshot::Receiver<Result<Locator>>> {
        let (answer, answered) = oneshot::channel();
        let body_checksum = body_checksum(&sealed);
        let request = Request { id, sealed, length, body_checksum, space, answer, _permit: permit };
        let requests = self.requests.as_ref().ok_or(Error::Closed)?;
        requests.send(request).map_err(|_| Error::Closed)?;
        Ok(answered)
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        self.requests = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the append thread panicked");
        }
    }
}

struct Worker {
    segments: Arc<Segments>,
    requests: mpsc::UnboundedReceiver<Request>,
    workshop: Workshop,
    active: Option<OpenSegment>,
}

impl Worker {
    fn run(mut self) {
        while let Some(first) = self.requests.blocking_recv() {
            let group = self.gather(first);
            self.commit(group);
        }
        if let Some(active) = self.active.take() {
            self.workshop.close(active);
        }
    }

    /// Everything that waits, up to the bounds of a group.
    fn gather(&mut self, first: Request) -> Vec<Request> {
        let mut bytes = footprint_bytes(first.length);
        let mut group = vec![first];
        while group.len() < GROUP_RECORDS && bytes < self.segments.options.group_bytes {
            let Ok(request) = self.requests.try_recv() else { break };
            bytes += footprint_bytes(request.length);
            group.push(request);
        }
        group
    }

    fn commit(&mut self, group: Vec<Request>) {
        let mut waiting = group.into_iter().peekable();
        loop {
            let mut batch = Vec::new();
            let mut bytes = 0;
            while let Some(request) = waiting.next_if(|request| self.fits(bytes, request)) {
                bytes += footprint_bytes(request.length);
                batch.push(request);
            }
            if !batch.is_empty() {
                self.write(batch);
                continue;
            }
            let Some(space) = waiting.peek().map(|request| request.space) else { return };
            if let Err(error) = self.change_segment(space) {
                // Whoever may use the reserve is not refused because somebody was who may not.
                let (refused, others): (Vec<_>, Vec<_>) =
                    waiting.partition(|request| space == Space::Reserve || request.space == space);
                for request in refused {
                    request.answer(Err(error.clone()));
                }
                waiting = others.into_iter().peekable();
            }
        }
    }

    fn fits(&self, bytes: u64, request: &Request) -> bool {
        let record = footprint_bytes(request.length);
        self.active.as_ref().is_some_and(|active| active.has_room(bytes + record))
    }

    /// Closes the active segment, even if no other can be had: only a closed segment gives its space back.
    fn change_segment(&mut self, space: Space) -> Result<()> {
        if let Some(full) = self.active.take() {
            self.workshop.close(full);
        }
        self.active = Some(self.workshop.take(space)?);
        Ok(())
    }

    fn write(&mut self, batch: Vec<Request>) {
        let Some(mut active) = self.active.take() else { return };
        match append(&self.segments, &active, &batch) {
            Ok((locators, end)) => {
                active.end = end;
                self.segments.advance(active.number, end);
                // Writing zeros takes a while: it begins at once.
                if self.segments.options.zero_fill_segments || end > active.capacity / 2 {
                    self.workshop.prepare();
                }
                self.active = Some(active);
                for (request, locator) in batch.into_iter().zip(locators) {
                    request.answer(Ok(locator));
                }
            }
            Err(error) => {
                tracing::error!(%error, segment = %active.number, "a group could not be written, its segment is abandoned");
                self.segments.abandon(active.number);
                for request in batch {
                    request.answer(Err(error.clone()));
                }
            }
        }
    }
}

impl Request {
    /// Whoever asked may have gone away. The blob then stays, and nothing refers to it.
    fn answer(self, result: Result<Locator>) {
        let _ = self.answer.send(result);
    }
}

/// Writes the batch behind the end of the segment, durably. Returns where each blob lies, and the new end.
fn append(segments: &Segments, active: &OpenSegment, batch: &[Request]) -> Result<(Vec<Locator>, u64)> {
    let mut end = active.end;
    let mut locators = Vec::with_capacity(batch.len());
    let mut headers = Vec::with_capacity(batch.len());
    for request in batch {
        let (id, length, body_checksum) = (request.id, request.length, request.body_checksum);
        let header = Header::Blob { id, length, body_checksum, group: Some(active.end), dead: false };
        headers.push(header.encode(Position { segment: active.number, offset: end }));
        locators.push(Locator::segment(active.number, end, length));
        end += footprint_bytes(length);
    }
    let mut slices = Vec::with_capacity(batch.len() * 3);
    for (header, request) in headers.iter().zip(batch) {
        slices.push(IoSlice::new(header));
        slices.push(IoSlice::new(&request.sealed));
        let written = HEADER_BYTES as u64 + u64::from(request.length);
        let padding = usize::try_from(footprint_bytes(request.length) - written).unwrap_or(0);
        slices.push(IoSlice::new(&PADDING[..padding]));
    }
    segments
        .disk
        .write_slices_at(&active.file, &mut slices, active.end)
        .and_then(|()| segments.disk.sync_data(&active.file))
        .map_err(|error| segments.failed("append to", active.number, error))?;
    Ok((locators, end))
}

#[cfg(test)]
mod tests {
    use nuee_base::{Environment, ErrorKind};

    use super::*;
    use crate::{Options, directory::Directory, disk::Disk};

    #[test]
    fn a_relocation_is_not_refused_with_those_who_may_not_use_the_reserve() {
        let directory = tempfile::TempDir::new().unwrap();
        let options = Options { free_space_reserve_bytes: u64::MAX, ..Options::default() };
        let disk = Disk::new(&options);
        let paths = Directory::open(&disk, directory.path()).unwrap();
        let segments = Arc::new(Segments::new(disk, paths, options));
        let (_sender, requests) = mpsc::unbounded_channel();
        let workshop = Workshop::start(segments.clone()).unwrap();
        let mut worker = Worker { segments, requests, workshop, active: None };
        let mut answers = Vec::new();
        let mut request = |space| {
            let (answer, answered) = oneshot::channel();
            answers.push(answered);
            let (id, sealed) = (BlobId::generate(&Environment::system()), Bytes::from_static(b"blob"));
            let body_checksum = body_checksum(&sealed);
            Request { id, sealed, length: 4, body_checksum, space, answer, _permit: None }
        };
        let group = [Space::Ordinary, Space::Reserve, Space::Ordinary, Space::Reserve].map(&mut request);
        worker.commit(group.into());
        let answers: Vec<_> = answers.into_iter().map(|answer| answer.blocking_recv().unwrap()).collect();
        assert_eq!(answers[0].as_ref().unwrap_err().kind(), ErrorKind::LimitExceeded);
        assert!(answers[1].is_ok() && answers[3].is_ok(), "{answers:?}");
    }
}
