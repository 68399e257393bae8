//! A document in the body of a request, read whole and checked before `s3s` parses it.
//!
//! `s3s` answers an internal error to a document that is too long, drops `CDATA` sections without a word (so that
//! `<Key>a<![CDATA[b]]></Key>` would name the object `a`), refuses references to some characters, skips the elements that it does
//! not know, and looks at no checksums. What is given here is read right by it.
//!
//! Promised: a document ends within [`DOCUMENT_TIME`], and all that are read at once hold [`ROOM_BYTES`] at most.

mod elements;

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::TryStreamExt;
use http::{HeaderMap, HeaderValue};
use md5_simd::{Digest as _, DigestMd5 as Md5};
use nuee_store::{Checksum, ChecksumAlgorithm, Hasher};
use s3s::S3Result;
use tokio::time::timeout;

use crate::{
    Operation, Refusal, Upload,
    filter::{document_too_long, max_document_bytes},
};

/// How long a document may take to come.
const DOCUMENT_TIME: Duration = Duration::from_mins(2);
/// How many bytes of documents are held at once, for all requests.
const ROOM_BYTES: usize = 64 << 20;

/// The room for the documents of all requests.
#[derive(Clone, Default)]
pub(crate) struct DocumentRoom(Arc<AtomicUsize>);

/// What one document takes of the room, until this is dropped.
pub(crate) struct Place {
    room: DocumentRoom,
    held: usize,
}

impl DocumentRoom {
    /// A place for one document, of no bytes yet.
    fn place(&self) -> Place {
        Place { room: self.clone(), held: 0 }
    }

    /// Reads the document of a request for `operation`, and checks it against its head. The place is for whoever carries
    /// it out to keep.
    pub(crate) async fn read(
        &self,
        body: Upload,
        operation: Operation,
        headers: &HeaderMap,
    ) -> S3Result<(String, Place)> {
        let promised = Promised::of(headers, operation)?;
        let mut place = self.place();
        let read = timeout(DOCUMENT_TIME, collect(body, max_document_bytes(operation), &mut place)).await;
        let read = read.map_err(|_| {
            Refusal::request_timeout("The body came too slowly: send it without long pauses.")
        })??;
        promised.check(&read)?;
        // `s3s` would carry out what stands before the first wrong byte.
        let text =
            String::from_utf8(read).map_err(|_| Refusal::malformed_xml("The document is not UTF-8."))?;
        if text.contains("<![CDATA[") || text.contains("<!DOCTYPE") {
            let message = "CDATA and DOCTYPE are not accepted: escape characters instead.";
            return Err(Refusal::malformed_xml(message).into());
        }
        elements::check(operation, text.as_bytes())?;
        Ok((resolve_references(&text).into_owned(), place))
    }
}

impl Place {
    /// Whether there is room for so many more bytes, which is taken then.
    fn hold(&mut self, bytes: usize) -> bool {
        let before = self.room.0.fetch_add(bytes, Ordering::Relaxed);
        self.held += bytes;
        before + bytes <= ROOM_BYTES
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.0.fetch_sub(self.held, Ordering::Relaxed);
    }
}

/// The bytes of a document, of which there are `limit` at most.
async fn collect(mut body: Upload, limit: u64, place: &mut Place) -> S3Result<Vec<u8>> {
    let mut read = Vec::new();
    while let Some(piece) = body.try_next().await? {
        if (read.len() + piece.len()) as u64 > limit {
            return Err(document_too_long(limit).into());
        }
        if !place.hold(piece.len()) {
            let message = "Too many documents are being read: reduce your request rate.";
            return Err(Refusal::slow_down(message).into());
        }
        read.extend_from_slice(&piece);
    }
    Ok(read)
}

/// What a head says of its document, beside the hash that is signed.
struct Promised {
    md5: Option<Vec<u8>>,
    checksums: Vec<Checksum>,
}

impl Promised {
    fn of(headers: &HeaderMap, operation: Operation) -> Result<Self, Refusal> {
        let decode = |value: &HeaderValue| {
            let md5 = STANDARD.decode(value.as_bytes()).ok().filter(|md5| md5.len() == 16);
            md5.ok_or_else(|| {
                Refusal::invalid_digest("The Content-MD5 you specified is not an MD5 in base64.")
            })
        };
        let md5 = headers.get("content-md5").map(decode).transpose()?;
        // In a completion these headers tell the checksum of the object.
        let of_object = operation == Operation::CompleteMultipartUpload;
        let checksums = if of_object { Vec::new() } else { checksums(headers)? };
        Ok(Self { md5, checksums })
    }

    fn check(&self, document: &[u8]) -> Result<(), Refusal> {
        if self.md5.as_deref().is_some_and(|md5| Md5::digest(document).as_slice() != md5) {
            return Err(Refusal::bad_digest("The Content-MD5 you specified did not match what we received."));
        }
        for expected in &self.checksums {
            let mut hasher = Hasher::new(expected.algorithm);
            hasher.update(document);
            if hasher.finish() != *expected {
                return Err(Refusal::bad_digest(
                    "The checksum you specified did not match what we received.",
                ));
            }
        }
        Ok(())
    }
}

/// Refuses a document of tags that has something else.
pub(crate) fn check_tagging(document: &str) -> Result<(), Refusal> {
    elements::check(Operation::PutObjectTagging, document.as_bytes())
}

/// The document with the characters that it has references for, and `s3s` refuses: those above U+FFFF, and control
/// characters, which S3 takes in keys.
fn resolve_references(text: &str) -> Cow<'_, str> {
    let mut resolved = String::new();
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
        resolved.push_str(before);
        match code.ok().filter(is_refused).and_then(char::from_u32) {
            Some(character) => resolved.push(character),
            None => resolved.push_str(&reference[..end]),
        }
        rest = &reference[end..];
    }
    if resolved.is_empty() {
        return Cow::Borrowed(text);
    }
    resolved.push_str(rest);
    Cow::Owned(resolved)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_that_would_be_refused_are_resolved_and_others_left() {
        let cases = [
            ("<Key>&#128512;&#x1F600;</Key>", "<Key>\u{1F600}\u{1F600}</Key>"),
            ("&#x1;&#13;&#60;", "\u{1}&#13;&#60;"),
            ("a&#65;&#xD800;&#;&#12", "a&#65;&#xD800;&#;&#12"),
            ("&#1114112; &#128512", "&#1114112; &#128512"),
            ("&#", "&#"),
            ("plain", "plain"),
        ];
        for (text, resolved) in cases {
            assert_eq!(resolve_references(text), resolved, "{text}");
        }
    }

    #[test]
    fn documents_share_a_room_that_they_give_back() {
        let room = DocumentRoom::default();
        let (mut one, mut other) = (room.place(), room.place());
        assert!(one.hold(ROOM_BYTES));
        assert!(!other.hold(1));
        drop((one, other));
        assert!(room.place().hold(ROOM_BYTES));
    }
}
