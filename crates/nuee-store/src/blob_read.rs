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
use tokio::task::JoinHandle;

use crate::{
    Bucket, Error,
    blob_write::{Boxed, blocking},
    lease::Lease,
    record::BlobRecord,
    store::{Store, identity},
};

/// Plain bytes that one step reads and opens.
const STEP_BYTES: u64 = 256 << 10;
/// The largest range that is read and opened at once, in the calling thread, if the page cache holds it.
const AT_ONCE_BYTES: u64 = 128 << 10;

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
        let mut pieces = VecDeque::from(pieces);
        // The first blob is opened before the answer begins, so that a missing one is an error and not a cut.
        let first = match pieces.pop_front() {
            Some(piece) => Some(self.start(bucket, piece).await?),
            None => None,
        };
        let reading = Reading {
            store: self.clone(),
            bucket: bucket.clone(),
            pieces,
            ahead: first,
            ready: VecDeque::new(),
            _lease: lease,
        };
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

    /// Opens a piece's blob and starts its first step.
    async fn start(&self, bucket: &Bucket, piece: Piece) -> Result<Ahead, Error> {
        let (store, bucket) = (self.clone(), bucket.clone());
        let (blob, piece) = blocking(&self.0.blocking, move || {
            let reader = store.reader(&piece)?;
            let mut header = [0; HEADER_SIZE];
            reader.read_at(0, &mut header)?;
            Ok((Arc::new(store.open_blob(&bucket, &piece, reader, &header)?), piece))
        })
        .await?;
        Ok(Ahead::start(self, blob, piece.range))
    }
}

/// A step that runs ahead of the client, and what comes after it in the same blob.
struct Ahead {
    step: JoinHandle<Result<VecDeque<Bytes>, Error>>,
    blob: Arc<OpenBlob>,
    rest: Range<u64>,
}

impl Ahead {
    fn start(store: &Store, blob: Arc<OpenBlob>, range: Range<u64>) -> Self {
        // Steps end at chunk boundaries, so that no chunk is opened twice.
        let end = ((range.start + STEP_BYTES) / CHUNK_SIZE as u64 * CHUNK_SIZE as u64).min(range.end);
        let (now, rest) = (range.start..end, end..range.end);
        let (limit, reading) = (Arc::clone(&store.0.blocking), Arc::clone(&blob));
        let step = tokio::spawn(async move { blocking(&limit, move || reading.read(&now)).await });
        Self { step, blob, rest }
    }
}

/// A read under way.
struct Reading {
    store: Store,
    bucket: Bucket,
    pieces: VecDeque<Piece>,
    ahead: Option<Ahead>,
    ready: VecDeque<Bytes>,
    /// Held until the last byte is taken.
    _lease: Option<Lease>,
}

impl Reading {
    fn next(&mut self) -> Boxed<'_, Result<Option<Bytes>, Error>> {
        Box::pin(async move {
            loop {
                if let Some(bytes) = self.ready.pop_front() {
                    return Ok(Some(bytes));
                }
                let Some(ahead) = self.ahead.take() else { return Ok(None) };
                self.ready = ahead.step.await.map_err(|_| Error::Stopping)??;
                self.ahead = if !ahead.rest.is_empty() {
                    Some(Ahead::start(&self.store, ahead.blob, ahead.rest))
                } else if let Some(piece) = self.pieces.pop_front() {
                    Some(self.store.start(&self.bucket, piece).await?)
                } else {
                    None
                };
            }
        })
    }
}
