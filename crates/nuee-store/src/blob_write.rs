//! From a body to a sealed blob that its site says is durable.
//!
//! A small body is held in memory, checked, sealed and given to the site in one piece. A large one streams: pieces are
//! digested, sealed and written in steps on blocking threads while the next piece arrives, so that a slow client holds
//! little more than one chunk of memory and no thread. A blob that streams is noted as pending first, and so is found
//! again if its writing never ends.

use std::{
    future::Future,
    ops::{Deref, DerefMut},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, Stream, StreamExt};
use nuee_base::{BlobId, Context};
use nuee_keys::{CHUNK_SIZE, Sealer};
use nuee_sites::BlobWriter;
use tokio::{sync::Semaphore, task::JoinHandle};

use crate::{
    Bucket, Checksum, ChecksumAlgorithm, Error,
    checksum::{Digested, Digests},
    error::BodyError,
    record::{BlobRecord, Encryption},
    store::{Store, identity},
};

/// How much one step on a blocking thread digests, seals and writes, in bytes.
const STEP_BYTES: usize = 512 << 10;

/// Room for the plain or the sealed bytes of a step, and for what comes while it is taken, in bytes.
const STEP_BUFFER_BYTES: usize = STEP_BYTES + 4 * CHUNK_SIZE;
/// How many buffers are kept for later steps.
const KEPT_STEP_BUFFERS: usize = 16;

/// A checksum that comes after the body.
pub type TrailingChecksum = Box<dyn FnOnce() -> Result<Checksum, BodyError> + Send>;

/// A body, and what its sender said of it.
pub struct Body {
    /// The bytes.
    pub stream: Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>,
    /// How many there are.
    pub size: Option<u64>,
    /// Their MD5.
    pub md5: Option<[u8; 16]>,
    /// Which checksum to compute and keep, and what it must be.
    pub checksum: ExpectedChecksum,
    /// How what it becomes is to be shown; as the bucket has it if `None`.
    pub encryption: Option<Encryption>,
}

/// The checksum of a body.
pub enum ExpectedChecksum {
    /// Not told: this one is computed and kept.
    Compute(ChecksumAlgorithm),
    /// Told in advance.
    Known(Checksum),
    /// Told after the body.
    Trailing(ChecksumAlgorithm, TrailingChecksum),
}

impl ExpectedChecksum {
    fn algorithm(&self) -> ChecksumAlgorithm {
        match self {
            Self::Compute(algorithm) | Self::Trailing(algorithm, _) => *algorithm,
            Self::Known(checksum) => checksum.algorithm,
        }
    }
}

/// A blob that is durable and that nothing references yet.
pub(crate) struct Written {
    pub(crate) blob: BlobRecord,
    pub(crate) size: u64,
    /// Absent where entity tags are opaque.
    pub(crate) md5: Option<[u8; 16]>,
    pub(crate) checksum: Checksum,
    /// While this lives, the blob is somebody's; after, the reclaimer may take it if it is still pending.
    pub(crate) pending: Option<Pending>,
}

impl Written {
    fn shown_as(self, encryption: Encryption) -> Self {
        Self { md5: self.md5.filter(|_| encryption == Encryption::Aes256), ..self }
    }
}

/// The blobs whose writers gave up, for the reclaimer.
#[derive(Clone, Default)]
pub(crate) struct Abandoned(Arc<Mutex<Vec<BlobId>>>);

impl Abandoned {
    /// All since the last call.
    pub(crate) fn take(&self) -> Vec<BlobId> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A blob that is noted as pending. When dropped, the reclaimer looks whether it still is.
pub(crate) struct Pending {
    blob: BlobId,
    abandoned: Abandoned,
}

impl Pending {
    pub(crate) fn blob(&self) -> BlobId {
        self.blob
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.abandoned.0.lock().unwrap_or_else(PoisonError::into_inner).push(self.blob);
    }
}

impl Store {
    /// Reads `body` to its end, checks it against what its sender said, and makes it a durable blob of the bucket's
    /// project. At most `limit` bytes.
    pub(crate) async fn write_blob(
        &self,
        context: &Context,
        bucket: &Bucket,
        mut body: Body,
        limit: u64,
    ) -> Result<Written, Error> {
        if body.size.is_some_and(|size| size > limit) {
            return Err(Error::TooLarge { what: "the body", limit });
        }
        self.require_room()?;
        let shown = body.encryption.unwrap_or(bucket.encryption);
        let md5 = body.md5.is_some() || shown == Encryption::Aes256;
        let digests = Digests::new(md5, body.checksum.algorithm());
        let small = self.0.options.small_blob_bytes;
        let announced = body.size.and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
        let mut buffer = Buffer::new(announced.min(small));
        while buffer.len() <= small {
            match body.stream.next().await {
                Some(piece) => buffer.push(piece.map_err(Error::Body)?),
                None => {
                    let written = self.write_small(bucket, body, buffer.into_bytes(), digests).await?;
                    return Ok(written.shown_as(shown));
                }
            }
        }
        let written = self.write_large(context, bucket, (body, limit), buffer.into_bytes(), digests).await?;
        Ok(written.shown_as(shown))
    }

    async fn write_small(
        &self,
        bucket: &Bucket,
        body: Body,
        content: Bytes,
        mut digests: Digests,
    ) -> Result<Written, Error> {
        digests.update(&content);
        let digested = digests.finish();
        let size = content.len() as u64;
        check(body, size, &digested)?;
        let id = BlobId::generate(&self.0.environment);
        let key = self.sealing_key(bucket.organisation, bucket.project)?;
        let (data_key, wrapped) = key.fresh_data_key(&self.0.environment, identity(bucket, id))?;
        let sealed = Sealer::new(data_key).seal_whole(&content)?;
        let locator = self.0.site.put(id, sealed.into()).await?;
        let blob = BlobRecord {
            id: id.to_bytes(),
            locator: locator.as_bytes().to_vec(),
            key: wrapped.to_bytes().to_vec(),
        };
        Ok(Written { blob, size, md5: digested.md5, checksum: digested.checksum, pending: None })
    }

    async fn write_large(
        &self,
        context: &Context,
        bucket: &Bucket,
        (mut body, limit): (Body, u64),
        buffer: Bytes,
        digests: Digests,
    ) -> Result<Written, Error> {
        let id = BlobId::generate(&self.0.environment);
        let started_at = context.now();
        let noted = self.0.metadata.write(move |transaction| transaction.insert_pending_blob(id, started_at));
        let pending = Pending { blob: id, abandoned: self.0.abandoned.clone() };
        let key = self.sealing_key(bucket.organisation, bucket.project)?;
        let (data_key, wrapped) = key.fresh_data_key(&self.0.environment, identity(bucket, id))?;
        let (site, buffers) = (self.0.site.clone(), &self.0.buffers);
        let sealed = buffers.take();
        let begin = move || {
            let (mut writer, sealer) = (site.create(id)?, Sealer::new(data_key));
            writer.write(&sealer.header())?;
            Ok(Large { digests, sealer, writer, sealed })
        };
        let (noted, begun) = tokio::join!(noted, blocking(&self.0.blocking, begin));
        noted?;
        let mut steps =
            Steps { blocking: &self.0.blocking, buffers, buffer: buffers.take(), received: 0, limit };
        steps.buffer.extend_from_slice(&buffer);
        drop(buffer);
        let (large, rest, size) = steps.run(begun?, &mut body).await?;
        let check = move |digested: &Digested| check(body, size, digested);
        let (digested, locator) = blocking(&self.0.blocking, move || large.finish(&rest, check)).await?;
        let blob = BlobRecord {
            id: id.to_bytes(),
            locator: locator.as_bytes().to_vec(),
            key: wrapped.to_bytes().to_vec(),
        };
        Ok(Written { blob, size, md5: digested.md5, checksum: digested.checksum, pending: Some(pending) })
    }
}

/// Runs `work` on a blocking thread, when one of those that the store may use is free.
pub(crate) async fn blocking<T: Send + 'static>(
    limit: &Arc<Semaphore>,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    start_blocking(limit, work).await?.await.map_err(|_| Error::Stopping)?
}

/// Starts `work` on a blocking thread; the permit that it holds comes back when it ends.
async fn start_blocking<T: Send + 'static>(
    limit: &Arc<Semaphore>,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<JoinHandle<Result<T, Error>>, Error> {
    let permit = Arc::clone(limit).acquire_owned().await.map_err(|_| Error::Stopping)?;
    Ok(tokio::task::spawn_blocking(move || {
        let result = work();
        drop(permit);
        result
    }))
}

/// That a body is what its sender said.
fn check(body: Body, size: u64, digested: &Digested) -> Result<(), Error> {
    if let Some(expected) = body.size.filter(|expected| *expected != size) {
        return Err(Error::IncompleteBody { expected, received: size });
    }
    if body.md5.is_some() && body.md5 != digested.md5 {
        return Err(Error::BadDigest);
    }
    let expected = match body.checksum {
        ExpectedChecksum::Compute(_) => return Ok(()),
        ExpectedChecksum::Known(checksum) => checksum,
        ExpectedChecksum::Trailing(_, trailing) => trailing().map_err(Error::Body)?,
    };
    if expected == digested.checksum { Ok(()) } else { Err(Error::BadChecksum(expected.algorithm)) }
}

/// Pieces of a body, without copying as long as there is only one.
enum Buffer {
    Empty(usize),
    One(Bytes),
    Many(BytesMut),
}

impl Buffer {
    fn new(announced: usize) -> Self {
        Self::Empty(announced)
    }

    fn len(&self) -> usize {
        match self {
            Self::Empty(_) => 0,
            Self::One(piece) => piece.len(),
            Self::Many(pieces) => pieces.len(),
        }
    }

    fn push(&mut self, piece: Bytes) {
        match self {
            Self::Empty(announced) if piece.len() >= *announced => *self = Self::One(piece),
            Self::Empty(announced) => {
                let mut pieces = BytesMut::with_capacity(*announced);
                pieces.extend_from_slice(&piece);
                *self = Self::Many(pieces);
            }
            Self::One(first) => {
                let mut pieces = BytesMut::from(&first[..]);
                pieces.extend_from_slice(&piece);
                *self = Self::Many(pieces);
            }
            Self::Many(pieces) => pieces.extend_from_slice(&piece),
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Empty(_) => Bytes::new(),
            Self::One(piece) => piece,
            Self::Many(pieces) => pieces.freeze(),
        }
    }
}

/// The buffers of steps, used again and again: allocated on one thread and freed on another, a mebibyte each, they would
/// leave every thread with memory that it keeps for itself.
#[derive(Clone, Default)]
pub(crate) struct StepBuffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// A buffer of a step. When dropped, it goes back to the others.
struct StepBuffer {
    bytes: Vec<u8>,
    buffers: StepBuffers,
}

impl StepBuffers {
    /// An empty buffer with room for a step.
    fn take(&self) -> StepBuffer {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = kept.unwrap_or_else(|| Vec::with_capacity(STEP_BUFFER_BYTES));
        StepBuffer { bytes, buffers: self.clone() }
    }
}

impl Drop for StepBuffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let mut kept = self.buffers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_STEP_BUFFERS && bytes.capacity() <= 2 * STEP_BUFFER_BYTES {
            kept.push(bytes);
        }
    }
}

impl Deref for StepBuffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for StepBuffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

/// A large blob that is being written; travels between the reactor and blocking threads.
struct Large {
    digests: Digests,
    sealer: Sealer,
    writer: BlobWriter,
    sealed: StepBuffer,
}

impl Large {
    /// Takes whole chunks, none of which is the last.
    fn take(mut self, chunks: &[u8]) -> Result<Self, Error> {
        self.digests.update(chunks);
        self.sealed.clear();
        for chunk in chunks.chunks(CHUNK_SIZE) {
            self.sealer.seal_chunk(chunk, &mut self.sealed)?;
        }
        self.writer.write(&self.sealed)?;
        Ok(self)
    }

    /// Takes what is left, checks the whole, and makes it durable.
    fn finish(
        self,
        rest: &[u8],
        check: impl FnOnce(&Digested) -> Result<(), Error>,
    ) -> Result<(Digested, nuee_sites::Locator), Error> {
        let whole = whole_chunks(rest.len());
        let mut large = if whole > 0 { self.take(&rest[..whole])? } else { self };
        large.digests.update(&rest[whole..]);
        large.sealed.clear();
        large.sealer.finish(&rest[whole..], &mut large.sealed)?;
        large.writer.write(&large.sealed)?;
        let digested = large.digests.finish();
        check(&digested)?;
        Ok((digested, large.writer.finish()?))
    }
}

/// The bytes of whole chunks that can be sealed before it is known which chunk is the last.
fn whole_chunks(length: usize) -> usize {
    length.saturating_sub(1) / CHUNK_SIZE * CHUNK_SIZE
}

/// Collects pieces of a body and has them taken in steps, one step behind.
struct Steps<'a> {
    blocking: &'a Arc<Semaphore>,
    buffers: &'a StepBuffers,
    buffer: StepBuffer,
    received: u64,
    limit: u64,
}

/// A blob between two steps, or during one.
enum Progress {
    Idle(Box<Large>),
    Running(JoinHandle<Result<Large, Error>>),
}

impl Progress {
    async fn idle(self) -> Result<Large, Error> {
        match self {
            Self::Idle(large) => Ok(*large),
            Self::Running(step) => step.await.map_err(|_| Error::Stopping)?,
        }
    }
}

impl Steps<'_> {
    /// Reads the body to its end; gives the blob, what it has not taken yet, and the size of the body.
    async fn run(mut self, large: Large, body: &mut Body) -> Result<(Large, StepBuffer, u64), Error> {
        self.received = self.buffer.len() as u64;
        let mut progress = Progress::Idle(Box::new(large));
        loop {
            let next = match body.stream.next().now_or_never() {
                Some(next) => next,
                // The client is slower than the disk: rather hold no more than a chunk while it is awaited.
                None => {
                    if matches!(progress, Progress::Idle(_)) && self.buffer.len() > CHUNK_SIZE {
                        progress = self.step(progress).await?;
                    }
                    body.stream.next().await
                }
            };
            let Some(piece) = next else { break };
            let piece = piece.map_err(Error::Body)?;
            self.received += piece.len() as u64;
            if self.received > self.limit || body.size.is_some_and(|size| self.received > size) {
                return Err(Error::TooLarge { what: "the body", limit: body.size.unwrap_or(self.limit) });
            }
            self.buffer.extend_from_slice(&piece);
            if self.buffer.len() > STEP_BYTES {
                progress = self.step(progress).await?;
            }
        }
        Ok((progress.idle().await?, self.buffer, self.received))
    }

    async fn step(&mut self, progress: Progress) -> Result<Progress, Error> {
        let large = progress.idle().await?;
        let whole = whole_chunks(self.buffer.len());
        let mut rest = self.buffers.take();
        rest.extend_from_slice(&self.buffer[whole..]);
        let chunks = std::mem::replace(&mut self.buffer, rest);
        Ok(Progress::Running(start_blocking(self.blocking, move || large.take(&chunks[..whole])).await?))
    }
}

/// A future that is boxed, so that its size does not weigh on those that contain it.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
