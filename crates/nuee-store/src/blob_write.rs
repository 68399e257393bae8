//! From a body to a sealed blob that its site says is durable.
//!
//! A small body is held in memory, checked, sealed and given to the site in one piece. A large one streams in steps, and
//! so does a small one that waits for its client while others need the room that it takes. A blob that streams is noted
//! as pending first, and so is found again if its writing never ends.

mod room;
mod steps;

use std::{
    collections::HashSet,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use nuee_base::{BlobId, Context};
use nuee_keys::Sealer;
use nuee_metadata::Transaction;
use nuee_sites::Locator;
use tokio::{select, sync::Semaphore, task::JoinHandle};

use crate::{
    Bucket, Checksum, ChecksumAlgorithm, Error,
    checksum::{Digested, Digests},
    error::BodyError,
    record::{BlobRecord, Encryption},
    store::{Store, identity},
};

pub(crate) use self::{room::BodyRoom, steps::StepBuffers};
use self::{
    room::Place,
    steps::{Large, Steps},
};

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
    /// While this lives, the blob is somebody's.
    pub(crate) unrecorded: Unrecorded,
}

impl Written {
    fn shown_as(self, encryption: Encryption) -> Self {
        Self { md5: self.md5.filter(|_| encryption == Encryption::Aes256), ..self }
    }
}

/// A blob whose writer gave up.
#[derive(Clone, Copy)]
pub(crate) struct AbandonedBlob {
    pub(crate) blob: BlobId,
    /// Where it is. `None`: it was noted as pending, and may have been recorded in the end.
    pub(crate) locator: Option<Locator>,
}

/// The blobs that no row references yet, or will.
#[derive(Clone, Default)]
pub(crate) struct Unreferenced(Arc<Mutex<UnreferencedBlobs>>);

#[derive(Default)]
struct UnreferencedBlobs {
    /// Those that are being written.
    writing: HashSet<BlobId>,
    /// Those whose writers gave up, for the reclaimer.
    abandoned: Vec<AbandonedBlob>,
}

impl Unreferenced {
    fn lock(&self) -> MutexGuard<'_, UnreferencedBlobs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The abandoned ones since the last call.
    pub(crate) fn take_abandoned(&self) -> Vec<AbandonedBlob> {
        std::mem::take(&mut self.lock().abandoned)
    }

    /// For a later pass.
    pub(crate) fn put_back(&self, blobs: Vec<AbandonedBlob>) {
        self.lock().abandoned.extend(blobs);
    }

    /// All of them, now. Rows that are read later reference those that are not among them any more.
    pub(crate) fn ids(&self) -> Vec<BlobId> {
        let blobs = self.lock();
        blobs.writing.iter().copied().chain(blobs.abandoned.iter().map(|abandoned| abandoned.blob)).collect()
    }
}

/// A blob that no row references yet. When it is dropped before it was recorded, the reclaimer gets the blob.
///
/// A large one was noted as pending, and the reclaimer asks the metadata what became of it. A small one was not, so
/// that it costs no row: it is abandoned only if the change that would have recorded it was not made. If that change was
/// made and its commit failed, nobody knows, and the blob is left.
pub(crate) struct Unrecorded {
    blob: BlobId,
    locator: Option<Locator>,
    recorded: bool,
    unreferenced: Unreferenced,
}

impl Unrecorded {
    /// Inside the transaction that references the blob. To be part of the change's result, so that it lives until the
    /// commit, even when nobody waits for the result any more: were a large blob's dropped before, the reclaimer would
    /// find it still pending, and delete it.
    pub(crate) fn record(&mut self, transaction: &Transaction<'_>) -> Result<(), Error> {
        if self.locator.is_none() {
            transaction.delete_pending_blob(self.blob)?;
        }
        self.recorded = true;
        Ok(())
    }
}

impl Drop for Unrecorded {
    fn drop(&mut self) {
        let mut unreferenced = self.unreferenced.lock();
        unreferenced.writing.remove(&self.blob);
        if !(self.recorded && self.locator.is_some()) {
            unreferenced.abandoned.push(AbandonedBlob { blob: self.blob, locator: self.locator });
        }
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
        self.require_bounds(bucket.project, body.size.unwrap_or(0))?;
        let shown = body.encryption.unwrap_or(bucket.encryption);
        let md5 = body.md5.is_some() || shown == Encryption::Aes256;
        let digests = Digests::new(md5, body.checksum.algorithm());
        let small = self.0.options.small_blob_bytes;
        let announced = body.size.and_then(|size| usize::try_from(size).ok()).unwrap_or(small);
        let place = self.0.body_room.enter(announced.min(small)).await?;
        let mut buffer = Buffer::new(announced.min(small));
        while buffer.len() <= small {
            let next = select! {
                biased;
                next = body.stream.next() => next,
                () = self.0.body_room.wanted() => break,
            };
            let Some(piece) = next else {
                let written = self.write_small(bucket, body, buffer.into_bytes(), digests).await?;
                return Ok(written.shown_as(shown));
            };
            buffer.push(piece.map_err(Error::Body)?);
        }
        let begun = (buffer.into_bytes(), place);
        let written = self.write_large(context, bucket, (body, limit), begun, digests).await?;
        Ok(written.shown_as(shown))
    }

    /// A blob that is about to be written.
    fn unrecorded(&self, blob: BlobId) -> Unrecorded {
        let unreferenced = self.0.unreferenced.clone();
        unreferenced.lock().writing.insert(blob);
        Unrecorded { blob, locator: None, recorded: false, unreferenced }
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
        drop(content);
        let mut unrecorded = self.unrecorded(id);
        let locator = self.0.site.put(id, sealed.into()).await?;
        unrecorded.locator = Some(locator);
        let blob = BlobRecord {
            id: id.to_bytes(),
            locator: locator.as_bytes().to_vec(),
            key: wrapped.to_bytes().to_vec(),
        };
        Ok(Written { blob, size, md5: digested.md5, checksum: digested.checksum, unrecorded })
    }

    async fn write_large(
        &self,
        context: &Context,
        bucket: &Bucket,
        (mut body, limit): (Body, u64),
        (buffer, place): (Bytes, Place),
        digests: Digests,
    ) -> Result<Written, Error> {
        let id = BlobId::generate(&self.0.environment);
        let started_at = context.now();
        let noted = self.0.metadata.write(move |transaction| transaction.insert_pending_blob(id, started_at));
        let unrecorded = self.unrecorded(id);
        let key = self.sealing_key(bucket.organisation, bucket.project)?;
        let (data_key, wrapped) = key.fresh_data_key(&self.0.environment, identity(bucket, id))?;
        let (site, buffers) = (self.0.site.clone(), self.0.buffers.clone());
        let begin = move || Large::begin(digests, Sealer::new(data_key), site.create(id)?, buffers);
        let (noted, begun) = tokio::join!(noted, blocking(&self.0.blocking, begin));
        noted?;
        let steps = Steps::new(begun?, &buffer, limit, &self.0.blocking);
        drop((buffer, place));
        let (large, rest, size) = steps.run(&mut body).await?;
        let check = move |digested: &Digested| check(body, size, digested);
        let finish = move || large.finish(&rest, unrecorded, check);
        let (digested, locator, unrecorded) = blocking(&self.0.blocking, finish).await?;
        let blob = BlobRecord {
            id: id.to_bytes(),
            locator: locator.as_bytes().to_vec(),
            key: wrapped.to_bytes().to_vec(),
        };
        Ok(Written { blob, size, md5: digested.md5, checksum: digested.checksum, unrecorded })
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

/// A future that is boxed, so that its size does not weigh on those that contain it.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
