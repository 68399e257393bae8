//! A document in the body of a request, read whole and checked before `s3s` parses it.
//!
//! `s3s` answers an internal error to a document that is too long, drops `CDATA` sections without a word (so that
//! `<Key>a<![CDATA[b]]></Key>` would name the object `a`), refuses references to some characters, skips the elements that it does
//! not know, and looks at neither hashes nor checksums. This body reads nothing until `s3s` asks for it, which is after
//! it has checked the signature.
//!
//! Promised: a document ends within [`DOCUMENT_TIME`], and all that are read at once hold [`ROOM_BYTES`] at most.

mod elements;

use std::{
    borrow::Cow,
    future::Future,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame};
use md5_simd::{Digest as _, DigestMd5 as Md5};
use nuee_store::{Checksum, ChecksumAlgorithm, Hasher};
use sha2::Sha256;
use tokio::time::{Sleep, sleep};

use crate::{
    Operation, Payload, Refusal,
    filter::{document_too_long, max_document_bytes},
    upload::is_timeout,
};

type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// How long a document may take to come.
const DOCUMENT_TIME: Duration = Duration::from_mins(2);
/// How many bytes of documents are held at once, for all requests.
const ROOM_BYTES: usize = 64 << 20;

/// The room for the documents of all requests.
#[derive(Clone, Default)]
pub(crate) struct DocumentRoom(Arc<AtomicUsize>);

impl DocumentRoom {
    /// A place for one document.
    pub(crate) fn document(&self) -> Arc<Document> {
        Arc::new(Document { room: self.clone(), held: AtomicUsize::new(0), fault: OnceLock::new() })
    }
}

/// A document that is being read or carried out. Its room comes back when it is dropped.
pub(crate) struct Document {
    room: DocumentRoom,
    held: AtomicUsize,
    fault: OnceLock<Refusal>,
}

impl Document {
    /// Why the document was not accepted, if it was not: `s3s` would put it in words of its own.
    pub(crate) fn fault(&self) -> Option<&Refusal> {
        self.fault.get()
    }

    /// Whether there is room for so many more bytes, which is taken then.
    fn hold(&self, bytes: usize) -> bool {
        let before = self.room.0.fetch_add(bytes, Ordering::Relaxed);
        self.held.fetch_add(bytes, Ordering::Relaxed);
        before + bytes <= ROOM_BYTES
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        self.room.0.fetch_sub(*self.held.get_mut(), Ordering::Relaxed);
    }
}

/// The body of a request for an operation that reads a document.
pub(crate) struct DocumentBody<B> {
    inner: B,
    read: BytesMut,
    operation: Operation,
    sha256: Option<[u8; 32]>,
    content_md5: Option<Vec<u8>>,
    checksums: Vec<Checksum>,
    document: Arc<Document>,
    deadline: Pin<Box<Sleep>>,
    ended: bool,
}

impl<B> DocumentBody<B> {
    /// The document that `inner` brings for `operation`, to be checked against these headers.
    pub(crate) fn new(
        inner: B,
        (operation, payload): (Operation, &Payload),
        headers: &HeaderMap,
        document: Arc<Document>,
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
        let sha256 = match payload {
            Payload::Hashed { sha256, .. } => Some(*sha256),
            _ => None,
        };
        let (read, deadline) = (BytesMut::new(), Box::pin(sleep(DOCUMENT_TIME)));
        Ok(Self { inner, read, operation, sha256, content_md5, checksums, document, deadline, ended: false })
    }

    fn check(&self) -> Result<(), Refusal> {
        if self.sha256.is_some_and(|sha256| Sha256::digest(&self.read).as_slice() != sha256) {
            return Err(Refusal::sha256_mismatch(
                "The provided x-amz-content-sha256 header does not match what was computed.",
            ));
        }
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
        elements::check(self.operation, &self.read)
    }

    /// Takes a piece of the document.
    fn take(&mut self, piece: &Bytes) -> Result<(), Refusal> {
        let limit = max_document_bytes(self.operation);
        if (self.read.len() + piece.len()) as u64 > limit {
            return Err(document_too_long(limit));
        }
        if !self.document.hold(piece.len()) {
            return Err(Refusal::slow_down("Too many documents are being read: reduce your request rate."));
        }
        self.read.extend_from_slice(piece);
        Ok(())
    }

    fn fail(&mut self, refusal: Refusal) -> BoxError {
        let error = refusal.message.clone().into();
        // The first fault is the one that is told.
        let _ = self.document.fault.set(refusal);
        self.ended = true;
        error
    }
}

/// Refuses a document of tags that has something else.
pub(crate) fn check_tagging(document: &str) -> Result<(), Refusal> {
    elements::check(Operation::PutObjectTagging, document.as_bytes())
}

/// Why a body could not be read to its end.
fn unreadable(error: &BoxError) -> Refusal {
    if is_timeout(error) {
        return too_slow();
    }
    Refusal::incomplete_body("The body ended before the number of bytes that Content-Length announced.")
}

fn too_slow() -> Refusal {
    Refusal::request_timeout("The body stopped, or came too slowly: send it without long pauses.")
}

/// `s3s` holds the bytes that it is given against the hash that was signed, so they are to stay as they came.
fn unresolved() -> Refusal {
    Refusal::not_implemented(
        "References to control characters and to characters above U+FFFF are not read in a document whose hash is \
         signed: write the characters themselves, or sign UNSIGNED-PAYLOAD.",
    )
}

/// The document with the characters that it has references for, and `s3s` refuses: those above U+FFFF, and control
/// characters, which S3 takes in keys. What becomes shorter is filled up with spaces: `s3s` knows the length already.
fn resolve_references(document: Bytes) -> Bytes {
    let Ok(text) = std::str::from_utf8(&document) else { return document };
    let mut resolved = Cow::Borrowed("");
    let mut rest = text;
    while let Some(start) = rest.find("&#") {
        let (before, reference) = rest.split_at(start);
        let end = reference.find(';').map_or(2, |end| end + 1);
        let digits = &reference[2..end.max(3) - 1];
        let code = match digits.strip_prefix('x') {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => digits.parse(),
        };
        let is_refused = |code: &u32| *code > 0xFFFF || matches!(code, 1..=8 | 11 | 12 | 14..=31);
        let resolved_to = code.ok().filter(is_refused).and_then(char::from_u32);
        let resolved = resolved.to_mut();
        resolved.push_str(before);
        match resolved_to {
            Some(character) => resolved.push(character),
            None => resolved.push_str(&reference[..end]),
        }
        rest = &reference[end..];
    }
    if resolved.is_empty() {
        return document;
    }
    let mut resolved = resolved.into_owned();
    resolved.push_str(rest);
    resolved.extend(std::iter::repeat_n(' ', document.len().saturating_sub(resolved.len())));
    Bytes::from(resolved)
}

/// The checksums that these headers tell, of which the announced one must be one.
fn checksums(headers: &HeaderMap) -> Result<Vec<Checksum>, Refusal> {
    const HEADERS: [(&str, ChecksumAlgorithm); 5] = [
        ("x-amz-checksum-crc32", ChecksumAlgorithm::Crc32),
        ("x-amz-checksum-crc32c", ChecksumAlgorithm::Crc32c),
        ("x-amz-checksum-crc64nvme", ChecksumAlgorithm::Crc64Nvme),
        ("x-amz-checksum-sha1", ChecksumAlgorithm::Sha1),
        ("x-amz-checksum-sha256", ChecksumAlgorithm::Sha256),
    ];
    let told = HEADERS.iter().filter_map(|(name, algorithm)| Some((*name, *algorithm, headers.get(*name)?)));
    let announced = headers.get("x-amz-sdk-checksum-algorithm");
    let is_of = |name: &str, algorithm: &HeaderValue| {
        let suffix = name.strip_prefix("x-amz-checksum-").unwrap_or_default();
        suffix.as_bytes().eq_ignore_ascii_case(algorithm.as_bytes())
    };
    if announced.is_some_and(|announced| !told.clone().any(|(name, ..)| is_of(name, announced))) {
        return Err(Refusal::invalid_request(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* header was found.",
        ));
    }
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
        if this.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(this.fail(too_slow()))));
        }
        while let Some(frame) = ready!(Pin::new(&mut this.inner).poll_frame(context)) {
            let frame = match frame.map_err(Into::into) {
                Ok(frame) => frame,
                Err(error) => return Poll::Ready(Some(Err(this.fail(unreadable(&error))))),
            };
            let Ok(piece) = frame.into_data() else { continue };
            if let Err(refusal) = this.take(&piece) {
                return Poll::Ready(Some(Err(this.fail(refusal))));
            }
        }
        if let Err(refusal) = this.check() {
            return Poll::Ready(Some(Err(this.fail(refusal))));
        }
        this.ended = true;
        let read = std::mem::take(&mut this.read).freeze();
        let document = resolve_references(read.clone());
        if this.sha256.is_some() && document != read {
            return Poll::Ready(Some(Err(this.fail(unresolved()))));
        }
        Poll::Ready((!document.is_empty()).then(|| Ok(Frame::data(document))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_that_would_be_refused_are_resolved_and_others_left() {
        let cases = [
            ("<Key>&#128512;&#x1F600;</Key>", "<Key>\u{1F600}\u{1F600}</Key>          "),
            ("&#x1;&#13;&#60;", "\u{1}&#13;&#60;    "),
            ("a&#65;&#xD800;&#;&#12", "a&#65;&#xD800;&#;&#12"),
            ("&#1114112; &#128512", "&#1114112; &#128512"),
            ("&#", "&#"),
            ("plain", "plain"),
        ];
        for (text, resolved) in cases {
            assert_eq!(resolve_references(Bytes::from(text)), resolved, "{text}");
        }
    }

    #[test]
    fn documents_share_a_room_that_they_give_back() {
        let room = DocumentRoom::default();
        let (one, other) = (room.document(), room.document());
        assert!(one.hold(ROOM_BYTES));
        assert!(!other.hold(1));
        drop((one, other));
        assert!(room.document().hold(ROOM_BYTES));
    }
}
