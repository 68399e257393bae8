//! From sealed blobs to plain bytes.
//!
//! What the page cache holds of a small range is read at once; everything else in steps on blocking threads, one step
//! ahead of the client. A chunk that does not open ends the stream with an error, and the surface cuts the connection:
//! wrong bytes never end a clean answer.

use std::{collections::VecDeque, ops::Range, sync::Arc};

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

/// The places of large steps. Each comes back when the last byte of its step was sent.
#[derive(Clone)]
pub(crate) struct LargeSteps(Arc<Semaphore>);

impl Default for LargeSteps {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LARGE_STEPS)))
    }
}

/// How much a step may take.
struct Allowance {
    bytes: u64,
    place: Option<OwnedSemaphorePermit>,
}

impl LargeSteps {
    fn allow(&self) -> Allowance {
        let place = Arc::clone(&self.0).try_acquire_owned().ok();
        Allowance { bytes: if place.is_some() { STEP_BYTES } else { CHUNK_SIZE as u64 }, place }
    }
}

impl Allowance {
    /// What one step takes of a range, and what is left. Steps end at chunk boundaries, so that no chunk is opened twice.
    fn split(&self, range: &Range<u64>) -> (Range<u64>, Range<u64>) {
        let end = ((range.start + self.bytes) / CHUNK_SIZE as u64 * CHUNK_SIZE as u64).min(range.end);
        (range.start..end, end..range.end)
    }

    /// Bytes that hold the place for as long as they live.
    fn hold(self, bytes: VecDeque<Bytes>) -> VecDeque<Bytes> {
        let Some(place) = self.place.map(Arc::new) else { return bytes };
        bytes.into_iter().map(|bytes| Bytes::from_owner(Held { bytes, _place: Arc::clone(&place) })).collect()
    }
}

struct Held {
    bytes: Bytes,
    _place: Arc<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
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
    /// Opens what was read of `range`; gives the plain bytes of the range.
    fn open(&self, range: &Range<u64>, sealed: BytesMut) -> Result<VecDeque<Bytes>, Error> {
        let opened = self.opener.open_range(self.size, range.clone(), sealed);
        opened.map(VecDeque::from).map_err(|error| Error::damaged(format!("blob {}", self.id), error))
    }

    /// Reads and opens a range; blocks.
    fn read(&self, range: &Range<u64>) -> Result<VecDeque<Bytes>, Error> {
        let at = Opener::sealed_range(self.size, range);
        let mut sealed = BytesMut::zeroed(length(&at));
        self.reader.read_at(at.start, &mut sealed)?;
        self.open(range, sealed)
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
        let mut opened = blob.open(&piece.range, sealed)?;
        Ok(Some(match opened.len() {
            0 => Bytes::new(),
            1 => opened.pop_front().unwrap_or_default(),
            _ => opened
                .into_iter()
                .fold(BytesMut::new(), |mut all, bytes| {
                    all.extend_from_slice(&bytes);
                    all
                })
                .freeze(),
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
    fn start(&self, bucket: &Bucket, piece: &Piece, allowance: Allowance) -> Result<Step, Error> {
        let reader = self.reader(piece)?;
        let (now, range) = allowance.split(&piece.range);
        let at = Opener::sealed_range(piece.size, &now);
        // One read for the header and what comes after it tells the kernel at once that more will be wanted.
        let from_start = at.start == HEADER_SIZE as u64;
        let start = if from_start { 0 } else { at.start };
        let mut sealed = BytesMut::zeroed(length(&(start..at.end)));
        reader.read_at(start, &mut sealed)?;
        let header = if from_start {
            sealed.split_to(HEADER_SIZE)
        } else {
            let mut header = BytesMut::zeroed(HEADER_SIZE);
            reader.read_at(0, &mut header)?;
            header
        };
        let blob = self.open_blob(bucket, piece, reader, &header)?;
        let ready = allowance.hold(blob.open(&now, sealed)?);
        Ok(Step { ready, rest: Rest { blob: Arc::new(blob), range } })
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
    fn read(self, allowance: Allowance) -> Result<Step, Error> {
        let (now, range) = allowance.split(&self.range);
        let ready = allowance.hold(self.blob.read(&now)?);
        Ok(Step { ready, rest: Self { blob: self.blob, range } })
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
                let allowance = self.store.0.large_steps.allow();
                Box::new(move || rest.read(allowance))
            } else if let Some(piece) = self.pieces.pop_front() {
                let allowance = self.store.0.large_steps.allow();
                Box::new(move || store.start(&bucket, &piece, allowance))
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
