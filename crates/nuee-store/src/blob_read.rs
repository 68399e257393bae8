//! From sealed blobs to plain bytes.
//!
//! What the page cache holds of a small range is read at once; everything else in steps on blocking threads, one step
//! ahead of the client. A chunk that does not open ends the stream with an error, and the surface cuts the connection:
//! wrong bytes never end a clean answer.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use nuee_base::BlobId;
use nuee_keys::{CHUNK_SIZE, HEADER_SIZE, Opener, WrappedDataKey};
use nuee_sites::{BlobReader, Locator};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
};

use crate::{
    Bucket, Error,
    blob_write::{Boxed, blocking},
    lease::Lease,
    record::BlobRecord,
    store::{Store, identity},
};

/// Plain bytes that one step reads and opens. With four clients, megabytes a second of 8 MiB blobs, from disk and from
/// the page cache: 1,500 and 1,800 in steps of 256 KiB, 1,750 and 2,000 of 512 KiB, 1,800 and 2,200 of 1 MiB.
const STEP_BYTES: u64 = 1 << 20;
/// How many such steps are held at the same time; whoever reads when there are more takes a chunk at a time, so that
/// clients that stall, however many, take little memory.
const LARGE_STEPS: usize = 64;
/// The largest range that is read and opened at once, in the calling thread, if the page cache holds it.
const AT_ONCE_BYTES: u64 = 128 << 10;

/// How many buffers of large steps are kept for later ones.
const KEPT_BUFFERS: usize = 8;

/// The buffers of large steps, used again and again: fresh memory of this size costs as much as opening what is read into
/// it.
#[derive(Clone)]
pub(crate) struct LargeSteps {
    places: Arc<Semaphore>,
    kept: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Default for LargeSteps {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(LARGE_STEPS)), kept: Arc::default() }
    }
}

impl LargeSteps {
    /// A buffer for the next step: a large one, if there is a place.
    fn buffer(&self) -> StepBuffer {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return StepBuffer { bytes: Vec::new(), length: 0, large: None };
        };
        let bytes = self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        StepBuffer { bytes, length: 0, large: Some((self.clone(), place)) }
    }
}

/// What a step reads into. It is held until the last of its bytes was sent.
struct StepBuffer {
    bytes: Vec<u8>,
    length: usize,
    large: Option<(LargeSteps, OwnedSemaphorePermit)>,
}

impl StepBuffer {
    /// What one step takes of a range, and what is left. Steps end at chunk boundaries, so that no chunk is opened twice.
    fn split(&self, range: &Range<u64>) -> (Range<u64>, Range<u64>) {
        let most = if self.large.is_some() { STEP_BYTES } else { CHUNK_SIZE as u64 };
        let end = ((range.start + most) / CHUNK_SIZE as u64 * CHUNK_SIZE as u64).min(range.end);
        (range.start..end, end..range.end)
    }

    /// Room for this many bytes, which hold nothing of meaning.
    fn room(&mut self, length: usize) -> &mut [u8] {
        if self.bytes.len() < length {
            self.bytes.resize(length, 0);
        }
        self.length = length;
        &mut self.bytes[..length]
    }

    /// These places of it, to be sent.
    fn share(self, places: Vec<Range<usize>>) -> VecDeque<Bytes> {
        let all = Bytes::from_owner(self);
        places.into_iter().map(|place| all.slice(place)).collect()
    }
}

impl AsRef<[u8]> for StepBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for StepBuffer {
    fn drop(&mut self) {
        if let Some((steps, _place)) = self.large.take() {
            let mut kept = steps.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < KEPT_BUFFERS {
                kept.push(std::mem::take(&mut self.bytes));
            }
        }
    }
}

/// A piece of an object: a blob of `size` plain bytes, of which `range` is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) blob: BlobRecord,
    pub(crate) size: u64,
    pub(crate) range: Range<u64>,
}

/// Bytes of an object.
pub enum Content {
    /// All of them.
    Bytes(Bytes),
    /// In pieces. An error ends the stream.
    Stream(std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>),
}

impl Content {
    /// As one stream, for those who do not mind which.
    #[must_use]
    pub fn into_stream(self) -> std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>> {
        match self {
            Self::Bytes(bytes) => Box::pin(stream::once(async { Ok(bytes) })),
            Self::Stream(stream) => stream,
        }
    }
}

/// A blob that is open for reading.
struct OpenBlob {
    id: BlobId,
    reader: BlobReader,
    opener: Opener,
    size: u64,
}

impl OpenBlob {
    /// Opens what was read of `range`; gives the places of its bytes.
    fn open(&self, range: &Range<u64>, sealed: &mut [u8]) -> Result<Vec<Range<usize>>, Error> {
        let opened = self.opener.open_range(self.size, range, sealed);
        opened.map_err(|error| Error::damaged(format!("blob {}", self.id), error))
    }
}

fn length(range: &Range<u64>) -> usize {
    usize::try_from(range.end - range.start).unwrap_or(usize::MAX)
}

impl Store {
    /// The bytes of these pieces, one after the other.
    pub(crate) async fn read_pieces(
        &self,
        bucket: &Bucket,
        pieces: Vec<Piece>,
        lease: Option<Lease>,
    ) -> Result<Content, Error> {
        if let [piece] = &pieces[..]
            && piece.range.end - piece.range.start <= AT_ONCE_BYTES
            && let Some(bytes) = self.read_at_once(bucket, piece)?
        {
            return Ok(Content::Bytes(bytes));
        }
        let mut reading = Reading {
            store: self.clone(),
            bucket: bucket.clone(),
            pieces: VecDeque::from(pieces),
            ahead: None,
            ready: VecDeque::new(),
            _lease: lease,
        };
        // The first bytes are there before the answer begins, so that a missing blob is an error and not a cut.
        reading.go_on(None);
        reading.receive().await?;
        Ok(Content::Stream(Box::pin(stream::try_unfold(reading, |mut reading| async move {
            Ok(reading.next().await?.map(|bytes| (bytes, reading)))
        }))))
    }

    /// A small range, if the page cache holds it.
    fn read_at_once(&self, bucket: &Bucket, piece: &Piece) -> Result<Option<Bytes>, Error> {
        if piece.range.is_empty() && piece.size > 0 {
            return Ok(Some(Bytes::new()));
        }
        let reader = self.reader(piece)?;
        let at = Opener::sealed_range(piece.size, &piece.range);
        // A range at the blob's beginning is read together with the header.
        let from_start = at.start == HEADER_SIZE as u64;
        let start = if from_start { 0 } else { at.start };
        let mut sealed = BytesMut::zeroed(length(&(start..at.end)));
        let mut header = BytesMut::zeroed(if from_start { 0 } else { HEADER_SIZE });
        if !reader.read_cached(start, &mut sealed)? || !from_start && !reader.read_cached(0, &mut header)? {
            return Ok(None);
        }
        if from_start {
            header = sealed.split_to(HEADER_SIZE);
        }
        let blob = self.open_blob(bucket, piece, reader, &header)?;
        let opened = blob.open(&piece.range, &mut sealed)?;
        Ok(Some(match &opened[..] {
            [] => Bytes::new(),
            [only] => sealed.freeze().slice(only.clone()),
            several => several.iter().map(|place| &sealed[place.clone()]).collect::<Vec<_>>().concat().into(),
        }))
    }

    /// The blob's reader, wherever the blob was moved to.
    fn reader(&self, piece: &Piece) -> Result<BlobReader, Error> {
        let id = piece.blob.id();
        let locator = |bytes: &[u8]| Locator::try_from(bytes).map_err(Error::from);
        match self.0.site.open_blob(id, &locator(&piece.blob.locator)?) {
            Err(nuee_sites::Error::Missing { .. }) => {
                let moved = self.0.metadata.read(|snapshot| snapshot.moved_blob(id))?;
                let moved =
                    moved.ok_or_else(|| Error::damaged(format!("blob {id}"), "its site does not have it"))?;
                Ok(self.0.site.open_blob(id, &locator(&moved)?)?)
            }
            opened => Ok(opened?),
        }
    }

    fn open_blob(
        &self,
        bucket: &Bucket,
        piece: &Piece,
        reader: BlobReader,
        header: &[u8],
    ) -> Result<OpenBlob, Error> {
        let id = piece.blob.id();
        let damaged = |error: nuee_keys::Error| Error::damaged(format!("blob {id}"), error);
        let wrapped = WrappedDataKey::from_bytes(&piece.blob.key).map_err(damaged)?;
        let key = self.project_key(bucket.organisation, bucket.project, wrapped.key_version())?;
        let data_key = key.open_data_key(identity(bucket, id), &wrapped).map_err(damaged)?;
        let opener = Opener::new(data_key, &wrapped, header).map_err(damaged)?;
        Ok(OpenBlob { id, reader, opener, size: piece.size })
    }

    /// Opens a piece's blob and reads its first step; blocks.
    fn start(&self, bucket: &Bucket, piece: &Piece, mut buffer: StepBuffer) -> Result<Step, Error> {
        let reader = self.reader(piece)?;
        let (now, range) = buffer.split(&piece.range);
        let at = Opener::sealed_range(piece.size, &now);
        // One read for the header and what comes after it tells the kernel at once that more will be wanted.
        let header_bytes = if at.start == HEADER_SIZE as u64 { HEADER_SIZE } else { 0 };
        let read = buffer.room(header_bytes + length(&at));
        reader.read_at(at.start - header_bytes as u64, read)?;
        let mut header = [0; HEADER_SIZE];
        let (before, sealed) = read.split_at_mut(header_bytes);
        if before.is_empty() {
            reader.read_at(0, &mut header)?;
        } else {
            header.copy_from_slice(before);
        }
        let blob = self.open_blob(bucket, piece, reader, &header)?;
        let opened = blob.open(&now, sealed)?;
        let places = opened.into_iter().map(|place| place.start + header_bytes..place.end + header_bytes);
        Ok(Step { ready: buffer.share(places.collect()), rest: Rest { blob: Arc::new(blob), range } })
    }
}

/// What a step gave.
struct Step {
    ready: VecDeque<Bytes>,
    rest: Rest,
}

/// What is yet to be read of an open blob.
struct Rest {
    blob: Arc<OpenBlob>,
    range: Range<u64>,
}

impl Rest {
    /// Reads and opens the next step; blocks.
    fn read(self, mut buffer: StepBuffer) -> Result<Step, Error> {
        let (now, range) = buffer.split(&self.range);
        let at = Opener::sealed_range(self.blob.size, &now);
        let sealed = buffer.room(length(&at));
        self.blob.reader.read_at(at.start, sealed)?;
        let places = self.blob.open(&now, sealed)?;
        Ok(Step { ready: buffer.share(places), rest: Self { blob: self.blob, range } })
    }
}

/// A read under way.
struct Reading {
    store: Store,
    bucket: Bucket,
    pieces: VecDeque<Piece>,
    /// The step that runs ahead of the client.
    ahead: Option<JoinHandle<Result<Step, Error>>>,
    ready: VecDeque<Bytes>,
    /// Held until the last byte is taken.
    _lease: Option<Lease>,
}

impl Reading {
    /// Starts a step: of what the one before left, or of the next piece.
    fn go_on(&mut self, rest: Option<Rest>) {
        let (store, bucket) = (self.store.clone(), self.bucket.clone());
        let step: Box<dyn FnOnce() -> Result<Step, Error> + Send> =
            if let Some(rest) = rest.filter(|rest| !rest.range.is_empty()) {
                let buffer = self.store.0.large_steps.buffer();
                Box::new(move || rest.read(buffer))
            } else if let Some(piece) = self.pieces.pop_front() {
                let buffer = self.store.0.large_steps.buffer();
                Box::new(move || store.start(&bucket, &piece, buffer))
            } else {
                return;
            };
        let limit = Arc::clone(&self.store.0.blocking);
        self.ahead = Some(tokio::spawn(async move { blocking(&limit, step).await }));
    }

    /// Waits for the step that runs, and starts the next.
    async fn receive(&mut self) -> Result<(), Error> {
        if let Some(ahead) = self.ahead.take() {
            let step = ahead.await.map_err(|_| Error::Stopping)??;
            self.ready = step.ready;
            self.go_on(Some(step.rest));
        }
        Ok(())
    }

    fn next(&mut self) -> Boxed<'_, Result<Option<Bytes>, Error>> {
        Box::pin(async move {
            while self.ready.is_empty() && self.ahead.is_some() {
                self.receive().await?;
            }
            Ok(self.ready.pop_front())
        })
    }
}
