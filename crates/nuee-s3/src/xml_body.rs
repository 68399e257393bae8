//! A document in the body of a request, read whole and checked before `s3s` parses it.
//!
//! `s3s` answers an internal error to a document that is too long, drops `CDATA` sections without a word (so that
//! `<Key>a<![CDATA[b]]></Key>` would name the object `a`), and looks at neither `Content-MD5` nor checksums. This body reads
//! nothing until `s3s` asks for it, which is after it has checked the signature.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame};
use md5::{Digest as _, Md5};
use nuee_store::{Checksum, ChecksumAlgorithm, Hasher};

use crate::{Operation, Refusal, filter::MAX_DOCUMENT_BYTES, upload::is_timeout};

type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Why a document was not accepted: `s3s` would put it in words of its own.
pub(crate) type Fault = Arc<OnceLock<Refusal>>;

/// The body of a request for an operation that reads a document.
pub(crate) struct DocumentBody<B> {
    inner: B,
    read: BytesMut,
    content_md5: Option<Vec<u8>>,
    checksums: Vec<Checksum>,
    fault: Fault,
    ended: bool,
}

impl<B> DocumentBody<B> {
    /// The document that `inner` brings for `operation`, to be checked against these headers.
    pub(crate) fn new(
        inner: B,
        operation: Operation,
        headers: &HeaderMap,
        fault: Fault,
    ) -> Result<Self, Refusal> {
        let decode = |value: &HeaderValue| {
            let md5 = STANDARD.decode(value.as_bytes()).ok().filter(|md5| md5.len() == 16);
            md5.ok_or_else(|| {
                Refusal::invalid_digest("The Content-MD5 you specified is not an MD5 in base64.")
            })
        };
        let content_md5 = headers.get("content-md5").map(decode).transpose()?;
        // In a completion these headers tell the checksum of the object.
        let checksums =
            if operation == Operation::CompleteMultipartUpload { Vec::new() } else { checksums(headers)? };
        Ok(Self { inner, read: BytesMut::new(), content_md5, checksums, fault, ended: false })
    }

    fn check(&self) -> Result<(), Refusal> {
        let md5 = self.content_md5.as_deref();
        if md5.is_some_and(|md5| Md5::digest(&self.read).as_slice() != md5) {
            return Err(Refusal::bad_digest("The Content-MD5 you specified did not match what we received."));
        }
        for expected in &self.checksums {
            let mut hasher = Hasher::new(expected.algorithm);
            hasher.update(&self.read);
            if hasher.finish() != *expected {
                return Err(Refusal::bad_digest(
                    "The checksum you specified did not match what we received.",
                ));
            }
        }
        // `s3s` would carry out what stands before the first wrong byte.
        if std::str::from_utf8(&self.read).is_err() {
            return Err(Refusal::malformed_xml("The document is not UTF-8."));
        }
        let has = |mark: &[u8]| self.read.windows(mark.len()).any(|window| window == mark);
        if has(b"<!") && (has(b"<![CDATA[") || has(b"<!DOCTYPE")) {
            return Err(Refusal::malformed_xml(
                "CDATA and DOCTYPE are not accepted: escape characters instead.",
            ));
        }
        Ok(())
    }

    fn fail(&mut self, refusal: Refusal) -> BoxError {
        let error = refusal.message.clone().into();
        // The first fault is the one that is told.
        let _ = self.fault.set(refusal);
        self.ended = true;
        error
    }
}

/// Why a body could not be read to its end.
fn unreadable(error: &BoxError) -> Refusal {
    if is_timeout(error) {
        return Refusal::request_timeout(
            "The body stopped, or came too slowly: send it without long pauses.",
        );
    }
    Refusal::incomplete_body("The body ended before the number of bytes that Content-Length announced.")
}

/// The checksums that these headers tell.
fn checksums(headers: &HeaderMap) -> Result<Vec<Checksum>, Refusal> {
    const HEADERS: [(&str, ChecksumAlgorithm); 5] = [
        ("x-amz-checksum-crc32", ChecksumAlgorithm::Crc32),
        ("x-amz-checksum-crc32c", ChecksumAlgorithm::Crc32c),
        ("x-amz-checksum-crc64nvme", ChecksumAlgorithm::Crc64Nvme),
        ("x-amz-checksum-sha1", ChecksumAlgorithm::Sha1),
        ("x-amz-checksum-sha256", ChecksumAlgorithm::Sha256),
    ];
    let told = HEADERS.iter().filter_map(|(name, algorithm)| Some((*name, *algorithm, headers.get(*name)?)));
    told.map(|(name, algorithm, value)| {
        let value = STANDARD.decode(value.as_bytes()).ok().and_then(|value| Checksum::new(algorithm, value));
        value
            .ok_or_else(|| Refusal::invalid_request(format!("The value of {name} is no checksum in base64.")))
    })
    .collect()
}

impl<B> Body for DocumentBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        while let Some(frame) = ready!(Pin::new(&mut this.inner).poll_frame(context)) {
            let frame = match frame.map_err(Into::into) {
                Ok(frame) => frame,
                Err(error) => return Poll::Ready(Some(Err(this.fail(unreadable(&error))))),
            };
            let Ok(piece) = frame.into_data() else { continue };
            if (this.read.len() + piece.len()) as u64 > MAX_DOCUMENT_BYTES {
                let message = "Your request was too big: a document has at most 8 MiB.";
                return Poll::Ready(Some(Err(this.fail(Refusal::message_too_long(message)))));
            }
            this.read.extend_from_slice(&piece);
        }
        if let Err(refusal) = this.check() {
            return Poll::Ready(Some(Err(this.fail(refusal))));
        }
        this.ended = true;
        let document = std::mem::take(&mut this.read).freeze();
        Poll::Ready((!document.is_empty()).then(|| Ok(Frame::data(document))))
    }
}
