//! The content of an upload: taken as the client frames it, given on as the bytes that are meant, verified on the way.
//!
//! Content goes around `s3s`, whose reader of `aws-chunked` holds a whole chunk in memory (some clients send 5 GiB as
//! one chunk), ends without an error when the last chunks are missing, and does not compare the length with the one
//! announced. [`Front`](crate::Front) leaves the body with the request; a handler takes it with [`Upload::take`] when
//! `s3s` has checked the signature of the head.
//!
//! Promised: the stream ends without an error only if as many bytes came as were announced, the hash or every chunk's
//! signature is right, and the trailer that was announced came, signed where it must be, and alone. At most one piece
//! as it came from the connection is held.
//!
//! Deliberately absent: checksums and MD5, which the store computes over the bytes given here.

mod chunked;
mod signature;

use std::{
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context, Poll, ready},
};

use aws_lc_rs::{constant_time, digest};
use bytes::Bytes;
use futures_util::Stream;
use http::{Extensions, HeaderName, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result};

use self::{chunked::Decoder, signature::ChunkVerifier};
use crate::{
    Refusal,
    filter::{Authorization, Payload},
};

type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Why an upload's content is not what was announced or signed.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The signature of a chunk or of the trailer is wrong.
    #[error("the signature of a chunk does not match: check the secret key and the signing method")]
    Signature,
    /// The SHA-256 is not the signed one.
    #[error("the provided x-amz-content-sha256 header does not match what was computed")]
    Hash,
    /// Fewer bytes came than were announced, or the end of the framing is missing.
    #[error("the body ended after {received} of {expected} bytes")]
    Incomplete {
        /// Bytes announced.
        expected: u64,
        /// Bytes that came.
        received: u64,
    },
    /// More bytes came than were announced.
    #[error("the body is longer than the {expected} bytes that were announced")]
    TooLong {
        /// Bytes announced.
        expected: u64,
    },
    /// The framing is not `aws-chunked`.
    #[error("the body is not aws-chunked: {0}")]
    Framing(&'static str),
    /// The trailer is not the one announced.
    #[error("the trailer is not the announced one: {0}")]
    Trailer(&'static str),
    /// The connection failed.
    #[error("the body could not be read")]
    Connection(#[source] BoxError),
}

impl From<UploadError> for S3Error {
    fn from(error: UploadError) -> Self {
        let (code, status) = match &error {
            UploadError::Signature => ("SignatureDoesNotMatch", StatusCode::FORBIDDEN),
            UploadError::Hash => ("XAmzContentSHA256Mismatch", StatusCode::BAD_REQUEST),
            UploadError::Connection(source) if is_timeout(source) => {
                ("RequestTimeout", StatusCode::BAD_REQUEST)
            }
            UploadError::Incomplete { .. } | UploadError::Connection(_) => {
                ("IncompleteBody", StatusCode::BAD_REQUEST)
            }
            UploadError::TooLong { .. } | UploadError::Framing(_) => {
                ("InvalidRequest", StatusCode::BAD_REQUEST)
            }
            UploadError::Trailer(_) => ("MalformedTrailerError", StatusCode::BAD_REQUEST),
        };
        let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InvalidRequest);
        let mut answer = Self::with_message(code, error.to_string());
        answer.set_status_code(status);
        answer.set_source(Box::new(error));
        answer
    }
}

/// Whether a body failed because its client stopped sending.
pub(crate) fn is_timeout(error: &BoxError) -> bool {
    error.downcast_ref::<nuee_web::BodyError>().is_some_and(nuee_web::BodyError::is_timeout)
}

/// A body that waits in the extensions of its request.
#[derive(Clone)]
struct Slot(Arc<Mutex<Option<Parked>>>);

struct Parked {
    body: UnsyncBoxBody<Bytes, BoxError>,
    payload: Payload,
}

/// Leaves a body with its request, for [`Upload::take`].
pub(crate) fn park<B>(extensions: &mut Extensions, body: B, payload: Payload)
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let body = body.map_err(Into::into).boxed_unsync();
    extensions.insert(Slot(Arc::new(Mutex::new(Some(Parked { body, payload })))));
}

/// The content of an upload, as a stream of the bytes that are meant.
pub struct Upload {
    body: UnsyncBoxBody<Bytes, BoxError>,
    length: Option<u64>,
    received: u64,
    check: Check,
    trailer: Option<Trailer>,
    ended: bool,
}

enum Check {
    Length,
    Hash { context: digest::Context, expected: [u8; 32] },
    Chunks(Box<Decoder>),
}

/// The checksum that comes after a body.
#[derive(Debug, Clone)]
pub struct Trailer {
    name: HeaderName,
    value: Arc<OnceLock<String>>,
}

impl Trailer {
    /// The header that was announced, such as `x-amz-checksum-crc32`.
    #[must_use]
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// What it says. `None` until the stream has ended without an error.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.value.get().map(String::as_str)
    }
}

impl Upload {
    /// The content of this request, whose head `s3s` has found to be signed as it says. It can be taken once.
    pub fn take<T>(request: &S3Request<T>) -> S3Result<Self> {
        let slot = request.extensions.get::<Slot>();
        let parked = slot.and_then(|slot| slot.0.lock().unwrap_or_else(PoisonError::into_inner).take());
        let parked =
            parked.ok_or_else(|| S3Error::with_message(S3ErrorCode::InternalError, "There is no body."))?;
        let mut trailer = None;
        let (length, check) = match parked.payload {
            Payload::Nothing => (Some(0), Check::Length),
            Payload::Unsigned { length } => (length, Check::Length),
            Payload::Hashed { length, sha256 } => {
                (length, Check::Hash { context: digest::Context::new(&digest::SHA256), expected: sha256 })
            }
            Payload::Chunked { length, signed, trailer: announced } => {
                let verifier = if signed { Some(verifier_of(request)?) } else { None };
                trailer = announced.map(|name| Trailer { name, value: Arc::default() });
                (Some(length), Check::Chunks(Box::new(Decoder::new(length, verifier, trailer.clone()))))
            }
        };
        Ok(Self { body: parked.body, length, received: 0, check, trailer, ended: false })
    }

    /// How many bytes are meant, if that was announced.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The checksum that comes after the body, if one was announced.
    #[must_use]
    pub fn trailer(&self) -> Option<&Trailer> {
        self.trailer.as_ref()
    }

    fn accept(&mut self, piece: Bytes) -> Result<Option<Bytes>, UploadError> {
        if let Check::Chunks(decoder) = &mut self.check {
            return decoder.push(piece);
        }
        self.received += piece.len() as u64;
        if let Some(expected) = self.length.filter(|expected| self.received > *expected) {
            return Err(UploadError::TooLong { expected });
        }
        if let Check::Hash { context, .. } = &mut self.check {
            context.update(&piece);
        }
        Ok(Some(piece))
    }

    fn finish(&mut self) -> Result<(), UploadError> {
        match &mut self.check {
            Check::Chunks(decoder) => return decoder.finish(),
            Check::Length | Check::Hash { .. } => {}
        }
        if let Some(expected) = self.length.filter(|expected| self.received < *expected) {
            return Err(UploadError::Incomplete { expected, received: self.received });
        }
        if let Check::Hash { context, expected } = &self.check {
            let hash = context.clone().finish();
            constant_time::verify_slices_are_equal(hash.as_ref(), expected).map_err(|_| UploadError::Hash)?;
        }
        Ok(())
    }

    /// A piece that is left of what came earlier.
    fn left_over(&mut self) -> Result<Option<Bytes>, UploadError> {
        match &mut self.check {
            Check::Chunks(decoder) => decoder.next(),
            Check::Length | Check::Hash { .. } => Ok(None),
        }
    }
}

/// What verifies the chunks of this request.
fn verifier_of<T>(request: &S3Request<T>) -> S3Result<ChunkVerifier> {
    let missing = || Refusal::authorization_malformed("A signed payload needs an Authorization header.");
    let header = request.headers.get(http::header::AUTHORIZATION).ok_or_else(missing)?;
    let authorization = Authorization::parse(header)?;
    let date = request.headers.get("x-amz-date").and_then(|date| date.to_str().ok()).ok_or_else(missing)?;
    let secret = &request.credentials.as_ref().ok_or_else(missing)?.secret_key;
    Ok(ChunkVerifier::new(secret.expose(), date, authorization.credential.region, authorization.signature))
}

impl Stream for Upload {
    type Item = Result<Bytes, UploadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        let mut step = this.left_over();
        let error = loop {
            match step {
                Ok(Some(piece)) if !piece.is_empty() => return Poll::Ready(Some(Ok(piece))),
                Ok(_) => {}
                Err(error) => break error,
            }
            step = match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => this.accept(piece),
                    // Trailers of HTTP itself mean nothing to S3.
                    Err(_) => Ok(None),
                },
                Some(Err(error)) => break UploadError::Connection(error),
                None => match this.finish() {
                    Ok(()) => {
                        this.ended = true;
                        return Poll::Ready(None);
                    }
                    Err(error) => break error,
                },
            };
        };
        this.ended = true;
        Poll::Ready(Some(Err(error)))
    }
}
