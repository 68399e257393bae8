//! A large blob, written in steps.
//!
//! Pieces of a body are collected, and taken (digested, sealed, written) half a mebibyte at a time on blocking threads,
//! one step behind. While a client is awaited, no step stays unfinished and no more than a chunk of its bytes is held:
//! clients that stall, however many, take little memory.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use nuee_keys::{CHUNK_SIZE, Sealer, TAG_SIZE};
use nuee_sites::{BlobWriter, Locator};
use tokio::{
    select,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
};

use super::{Body, Unrecorded, start_blocking};
use crate::{
    Error,
    checksum::{Digested, Digests},
    error::BodyError,
};

/// How much one step on a blocking thread digests, seals and writes, in bytes.
const STEP_BYTES: usize = 512 << 10;
/// Room for the plain or the sealed bytes of a step, and for what comes while it is taken, in bytes.
const STEP_BUFFER_BYTES: usize = STEP_BYTES + 4 * CHUNK_SIZE;
/// How many uploads receive a step at the same time; others wait for a buffer, and their clients with them.
const RECEIVING: usize = 32;
/// How many buffers are kept for later steps.
const KEPT_STEP_BUFFERS: usize = 16;

/// The buffers of steps, used again and again: allocated on one thread and freed on another, a mebibyte each, they would
/// leave every thread with memory that it keeps for itself.
#[derive(Clone)]
pub(crate) struct StepBuffers {
    kept: Arc<Mutex<Vec<Vec<u8>>>>,
    receiving: Arc<Semaphore>,
}

/// A buffer of a step. When dropped, it goes back to the others.
pub(super) struct StepBuffer {
    bytes: Vec<u8>,
    buffers: StepBuffers,
    /// Held while it has room for a step and receives.
    place: Option<OwnedSemaphorePermit>,
}

impl Default for StepBuffers {
    fn default() -> Self {
        Self { kept: Arc::default(), receiving: Arc::new(Semaphore::new(RECEIVING)) }
    }
}

impl StepBuffers {
    /// An empty buffer with room for a step, for what a blocking thread makes of one: there are few of those.
    fn take(&self) -> StepBuffer {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = kept.unwrap_or_else(|| Vec::with_capacity(STEP_BUFFER_BYTES));
        StepBuffer { bytes, buffers: self.clone(), place: None }
    }

    /// A buffer that holds these few bytes, and no more room.
    fn holding(&self, bytes: &[u8]) -> StepBuffer {
        StepBuffer { bytes: bytes.to_vec(), buffers: self.clone(), place: None }
    }

    fn give_back(&self, mut bytes: Vec<u8>) {
        bytes.clear();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = (STEP_BUFFER_BYTES..=2 * STEP_BUFFER_BYTES).contains(&bytes.capacity());
        if kept.len() < KEPT_STEP_BUFFERS && fits {
            kept.push(bytes);
        }
    }
}

impl StepBuffer {
    /// Keeps its bytes in as little memory as they need, and lets another upload receive.
    fn shrink(&mut self) {
        if self.place.take().is_some() {
            let few = self.bytes.as_slice().to_vec();
            self.buffers.give_back(std::mem::replace(&mut self.bytes, few));
        }
    }

    /// Adds bytes, with room for a step; waits for that room while others have it. Whoever has it is given what has come
    /// already, or is being written: neither waits for a client.
    async fn push(&mut self, piece: &[u8]) -> Result<(), Error> {
        if self.place.is_none() {
            let place = Arc::clone(&self.buffers.receiving).acquire_owned().await;
            self.place = Some(place.map_err(|_| Error::Stopping)?);
            let mut large = self.buffers.take();
            large.extend_from_slice(&self.bytes);
            std::mem::swap(&mut self.bytes, &mut large.bytes);
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

impl Drop for StepBuffer {
    fn drop(&mut self) {
        self.buffers.give_back(std::mem::take(&mut self.bytes));
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
pub(super) struct Large {
    digests: Digests,
    sealer: Sealer,
    writer: BlobWriter,
    buffers: StepBuffers,
}

impl Large {
    /// Begins a blob; blocks.
    pub(super) fn begin(
        digests: Digests,
        sealer: Sealer,
        mut writer: BlobWriter,
        buffers: StepBuffers,
    ) -> Result<Self, Error> {
        writer.write(&sealer.header())?;
        Ok(Self { digests, sealer, writer, buffers })
    }

    /// Takes whole chunks, none of which is the last.
    fn take(mut self, chunks: &[u8]) -> Result<Self, Error> {
        self.digests.update(chunks);
        let (sealer, whole) = (&mut self.sealer, chunks.chunks(CHUNK_SIZE));
        self.writer.write_with::<Error>(chunks.len() + whole.len() * TAG_SIZE, |sealed| {
            for chunk in whole {
                sealer.seal_chunk(chunk, sealed)?;
            }
            Ok(())
        })?;
        Ok(self)
    }

    /// Takes what is left, checks the whole, and makes it durable. The blob is this thread's until then, even if nobody
    /// waits any more, so `unrecorded` comes along.
    pub(super) fn finish(
        self,
        rest: &[u8],
        unrecorded: Unrecorded,
        check: impl FnOnce(&Digested) -> Result<(), Error>,
    ) -> Result<(Digested, Locator, Unrecorded), Error> {
        let whole = whole_chunks(rest.len());
        let mut large = if whole > 0 { self.take(&rest[..whole])? } else { self };
        large.digests.update(&rest[whole..]);
        let (sealer, last) = (large.sealer, &rest[whole..]);
        large.writer.write_with::<Error>(last.len() + TAG_SIZE, |sealed| Ok(sealer.finish(last, sealed)?))?;
        let digested = large.digests.finish();
        check(&digested)?;
        Ok((digested, large.writer.finish()?, unrecorded))
    }
}

/// The bytes of whole chunks that can be sealed before it is known which chunk is the last.
fn whole_chunks(length: usize) -> usize {
    length.saturating_sub(1) / CHUNK_SIZE * CHUNK_SIZE
}

/// A blob between two steps, or during one.
enum Progress {
    Idle(Box<Large>),
    Running(JoinHandle<Result<Large, Error>>),
    /// A step failed, and that was told.
    Failed,
}

impl Progress {
    /// Waits for the step that runs, if one does.
    async fn settle(&mut self) -> Result<(), Error> {
        if let Self::Running(step) = self {
            let taken = step.await.map_err(|_| Error::Stopping);
            *self = Self::Failed;
            *self = Self::Idle(Box::new(taken??));
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Large, Error> {
        match std::mem::replace(self, Self::Failed) {
            Self::Idle(large) => Ok(*large),
            Self::Running(_) | Self::Failed => Err(Error::Stopping),
        }
    }
}

/// Collects pieces of a body and has them taken in steps.
pub(super) struct Steps<'a> {
    blocking: &'a Arc<Semaphore>,
    progress: Progress,
    buffer: StepBuffer,
    received: u64,
    limit: u64,
}

impl<'a> Steps<'a> {
    /// Steps of a blob of at most `limit` bytes, of which `received` came already.
    pub(super) fn new(large: Large, received: &[u8], limit: u64, blocking: &'a Arc<Semaphore>) -> Self {
        let buffer = large.buffers.holding(received);
        let received = received.len() as u64;
        Self { blocking, progress: Progress::Idle(Box::new(large)), buffer, received, limit }
    }

    /// Reads the body to its end; gives the blob, what it has not taken yet, and the size of the body.
    pub(super) async fn run(mut self, body: &mut Body) -> Result<(Large, StepBuffer, u64), Error> {
        loop {
            let next = match body.stream.next().now_or_never() {
                Some(next) => next,
                None => self.wait(body).await?,
            };
            let Some(piece) = next else { break };
            let piece = piece.map_err(Error::Body)?;
            self.received += piece.len() as u64;
            if self.received > self.limit || body.size.is_some_and(|size| self.received > size) {
                return Err(Error::TooLarge { what: "the body", limit: body.size.unwrap_or(self.limit) });
            }
            self.buffer.push(&piece).await?;
            if self.buffer.len() > STEP_BYTES {
                self.step().await?;
            }
        }
        self.progress.settle().await?;
        Ok((self.progress.take()?, self.buffer, self.received))
    }

    /// The client is slower than the disk: what came of it is put away while it is awaited.
    async fn wait(&mut self, body: &mut Body) -> Result<Option<Result<Bytes, BodyError>>, Error> {
        if matches!(self.progress, Progress::Running(_)) {
            select! {
                biased;
                next = body.stream.next() => return Ok(next),
                settled = self.progress.settle() => settled?,
            }
        }
        if self.buffer.len() > CHUNK_SIZE {
            self.step().await?;
            select! {
                biased;
                next = body.stream.next() => return Ok(next),
                settled = self.progress.settle() => settled?,
            }
        }
        self.buffer.shrink();
        Ok(body.stream.next().await)
    }

    /// Starts a step with all whole chunks, once the one before has ended.
    async fn step(&mut self) -> Result<(), Error> {
        self.progress.settle().await?;
        let large = self.progress.take()?;
        let whole = whole_chunks(self.buffer.len());
        let rest = large.buffers.holding(&self.buffer[whole..]);
        let chunks = std::mem::replace(&mut self.buffer, rest);
        let step = start_blocking(self.blocking, move || large.take(&chunks[..whole])).await?;
        self.progress = Progress::Running(step);
        Ok(())
    }
}
