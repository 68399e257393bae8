//! The sealed format, version 1: what a blob looks like on a site.
//!
//! ```text
//! header  magic "nueeblob" (8), form (1), algorithm (1), log2 of the chunk size (1), 0 (1), message id (32), commitment (32)
//! chunk   ciphertext of up to 64 KiB, tag (16)          one or more; only the last may be shorter, or empty
//! ```
//!
//! The encryption key and the commitment are `HKDF-SHA-512(data key, salt = message id, "nuee/blob/v1" || context)`; the
//! context is form, algorithm, organisation, blob and chunk size, each after its length. The nonce of a chunk is 7 bytes
//! of the message id, its index and whether it is the last: chunks that are reordered, repeated, cut or added do not
//! open.

use std::ops::Range;

use aws_lc_rs::{
    aead::{Aad, LessSafeKey, Nonce},
    constant_time::verify_slices_are_equal,
};
use nuee_base::{BlobId, OrganisationId};

use crate::{
    Error,
    once::{self, Key},
};

/// Plain bytes of a chunk that is not the last.
pub const CHUNK_SIZE: usize = 1 << CHUNK_LOG2;
/// Bytes that each chunk has more when sealed.
pub const TAG_SIZE: usize = 16;
/// Bytes before the first chunk.
pub const HEADER_SIZE: usize = 76;

const CHUNK_LOG2: u8 = 16;
const MAGIC: &[u8; 8] = b"nueeblob";
const FORM: u8 = 1;
const AES_256_GCM: u8 = 1;
const SEALED_CHUNK: u64 = (CHUNK_SIZE + TAG_SIZE) as u64;

/// What binds a blob to its organisation and to its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobIdentity {
    /// The organisation.
    pub organisation: OrganisationId,
    /// The blob.
    pub blob: BlobId,
}

impl BlobIdentity {
    /// Form, algorithm, organisation, blob and chunk size, each after its length in one byte.
    pub(crate) fn context(self) -> [u8; 40] {
        let mut context = [0; 40];
        context[..5].copy_from_slice(&[1, FORM, 1, AES_256_GCM, 16]);
        context[5..21].copy_from_slice(&self.organisation.to_bytes());
        context[21] = 16;
        context[22..38].copy_from_slice(&self.blob.to_bytes());
        context[38..].copy_from_slice(&[1, CHUNK_LOG2]);
        context
    }
}

/// The key of one blob, ready to seal it or to open it. It cannot be copied, and whoever seals with it uses it up.
pub struct DataKey {
    cipher: LessSafeKey,
    pub(crate) message: [u8; 32],
    pub(crate) commitment: [u8; 32],
}

impl DataKey {
    pub(crate) fn derive(secret: &Key, message: [u8; 32], identity: BlobIdentity) -> Result<Self, Error> {
        let derived = once::derive::<64>(&secret[..], &message, &[b"nuee/blob/v1", &identity.context()])?;
        let (key, committed) = derived.split_at(32);
        let mut commitment = [0; 32];
        commitment.copy_from_slice(committed);
        Ok(Self { cipher: once::cipher(key)?, message, commitment })
    }

    fn nonce(&self, index: u32, last: bool) -> Nonce {
        let mut nonce = [0; 12];
        nonce[..7].copy_from_slice(&self.message[..7]);
        nonce[7..11].copy_from_slice(&index.to_be_bytes());
        nonce[11] = u8::from(last);
        Nonce::assume_unique_for_key(nonce)
    }
}

/// A blob's data key, wrapped by a version of its project's key: what a row keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrappedDataKey {
    pub(crate) version: u32,
    pub(crate) message: [u8; 32],
    pub(crate) wrapped: [u8; 48],
    pub(crate) commitment: [u8; 32],
}

impl WrappedDataKey {
    /// Bytes of its stored form.
    pub const SIZE: usize = 118;

    /// The version of the project's key that wrapped it.
    #[must_use]
    pub fn key_version(&self) -> u32 {
        self.version
    }

    /// The stored form: form, algorithm, key version, message id, wrapped key, commitment.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..2].copy_from_slice(&[FORM, AES_256_GCM]);
        bytes[2..6].copy_from_slice(&self.version.to_be_bytes());
        bytes[6..38].copy_from_slice(&self.message);
        bytes[38..86].copy_from_slice(&self.wrapped);
        bytes[86..].copy_from_slice(&self.commitment);
        bytes
    }

    /// Reads the stored form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let bytes: &[u8; Self::SIZE] =
            bytes.try_into().map_err(|_| Error::UnknownForm("a wrapped data key"))?;
        if bytes[..2] != [FORM, AES_256_GCM] {
            return Err(Error::UnknownForm("a wrapped data key"));
        }
        let mut key = Self { version: 0, message: [0; 32], wrapped: [0; 48], commitment: [0; 32] };
        key.version = u32::from_be_bytes([bytes[2], bytes[3], bytes[4], bytes[5]]);
        key.message.copy_from_slice(&bytes[6..38]);
        key.wrapped.copy_from_slice(&bytes[38..86]);
        key.commitment.copy_from_slice(&bytes[86..]);
        Ok(key)
    }
}

/// The size of a sealed blob of `plain` bytes.
#[must_use]
pub fn sealed_size(plain: u64) -> u64 {
    (HEADER_SIZE as u64 + chunks(plain) * TAG_SIZE as u64).saturating_add(plain)
}

/// The number of chunks of a blob of `plain` bytes; an empty blob has one, empty.
fn chunks(plain: u64) -> u64 {
    plain.div_ceil(CHUNK_SIZE as u64).max(1)
}

/// Seals one stream.
pub struct Sealer {
    key: DataKey,
    index: u32,
}

impl Sealer {
    /// A sealer, which uses the key up.
    #[must_use]
    pub fn new(key: DataKey) -> Self {
        Self { key, index: 0 }
    }

    /// What stands before the first chunk.
    #[must_use]
    pub fn header(&self) -> [u8; HEADER_SIZE] {
        let mut header = [0; HEADER_SIZE];
        header[..8].copy_from_slice(MAGIC);
        header[8..11].copy_from_slice(&[FORM, AES_256_GCM, CHUNK_LOG2]);
        header[12..44].copy_from_slice(&self.key.message);
        header[44..].copy_from_slice(&self.key.commitment);
        header
    }

    fn chunk(&mut self, plain: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), Error> {
        if plain.len() > CHUNK_SIZE || !last && plain.len() < CHUNK_SIZE {
            return Err(Error::WrongChunk(plain.len()));
        }
        // Before anything is sealed, so that no index is ever used twice.
        let next = self.index.checked_add(1).ok_or(Error::TooLong)?;
        let start = out.len();
        out.extend_from_slice(plain);
        let nonce = self.key.nonce(self.index, last);
        let tag = self.key.cipher.seal_in_place_separate_tag(nonce, Aad::empty(), &mut out[start..]);
        out.extend_from_slice(tag.map_err(|_| Error::Tampered)?.as_ref());
        self.index = next;
        Ok(())
    }

    /// Seals a chunk of exactly [`CHUNK_SIZE`] bytes that is not the last; appends it to `out`.
    pub fn seal_chunk(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        self.chunk(plain, false, out)
    }

    /// Seals the last chunk, of at most [`CHUNK_SIZE`] bytes; appends it to `out`.
    pub fn finish(mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        self.chunk(plain, true, out)
    }

    /// Seals a whole blob, header included.
    pub fn seal_whole(mut self, plain: &[u8]) -> Result<Vec<u8>, Error> {
        let mut out = Vec::with_capacity(usize::try_from(sealed_size(plain.len() as u64)).unwrap_or(0));
        out.extend_from_slice(&self.header());
        let whole = plain.len().saturating_sub(1) / CHUNK_SIZE * CHUNK_SIZE;
        for chunk in plain[..whole].chunks_exact(CHUNK_SIZE) {
            self.chunk(chunk, false, &mut out)?;
        }
        self.finish(&plain[whole..], &mut out)?;
        Ok(out)
    }
}

/// Opens ranges of one blob.
pub struct Opener {
    key: DataKey,
}

impl Opener {
    /// An opener of the blob that has this header. The commitment is compared before anything is decrypted, so that a
    /// blob opens to one text only, whoever chose its keys.
    pub fn new(key: DataKey, wrapped: &WrappedDataKey, header: &[u8]) -> Result<Self, Error> {
        let header: &[u8; HEADER_SIZE] = header.try_into().map_err(|_| Error::Tampered)?;
        if header[..8] != *MAGIC || header[8..12] != [FORM, AES_256_GCM, CHUNK_LOG2, 0] {
            return Err(Error::UnknownForm("a blob"));
        }
        verify_slices_are_equal(&header[12..44], &key.message).map_err(|_| Error::Tampered)?;
        verify_slices_are_equal(&header[44..], &key.commitment).map_err(|_| Error::Tampered)?;
        verify_slices_are_equal(&wrapped.commitment, &key.commitment).map_err(|_| Error::Tampered)?;
        Ok(Self { key })
    }

    /// The sealed bytes to read for `range` of a blob of `size` plain bytes: whole chunks. For an empty range, those of
    /// the chunk that it stands in, so that even an empty blob is checked.
    #[must_use]
    pub fn sealed_range(size: u64, range: &Range<u64>) -> Range<u64> {
        let (first, last) = chunks_of(size, range);
        let at = |chunk: u64| chunk.saturating_mul(SEALED_CHUNK).saturating_add(HEADER_SIZE as u64);
        at(first)..at(last + 1).min(sealed_size(size))
    }

    /// Opens `sealed`, which was read from [`Opener::sealed_range`], in place; gives the places in it where the bytes of
    /// `range` are now.
    pub fn open_range(
        &self,
        size: u64,
        range: &Range<u64>,
        sealed: &mut [u8],
    ) -> Result<Vec<Range<usize>>, Error> {
        let (first, last) = chunks_of(size, range);
        // What was read bounds the memory, not what is said of its size.
        let mut opened = Vec::with_capacity(sealed.len() / CHUNK_SIZE + 1);
        let mut at = 0;
        for chunk in first..=last {
            let start = chunk * CHUNK_SIZE as u64;
            let plain = usize::try_from(size.saturating_sub(start)).unwrap_or(usize::MAX).min(CHUNK_SIZE);
            let piece = sealed.get_mut(at..at + plain + TAG_SIZE).ok_or(Error::Tampered)?;
            let index = u32::try_from(chunk).map_err(|_| Error::TooLong)?;
            let nonce = self.key.nonce(index, chunk + 1 == chunks(size));
            self.key.cipher.open_in_place(nonce, Aad::empty(), piece).map_err(|_| Error::Tampered)?;
            let within = |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX).min(plain);
            let (from, to) = (within(range.start), within(range.end));
            if from < to {
                opened.push(at + from..at + to);
            }
            at += plain + TAG_SIZE;
        }
        if at == sealed.len() { Ok(opened) } else { Err(Error::Tampered) }
    }
}

/// The first and the last chunk of a range.
fn chunks_of(size: u64, range: &Range<u64>) -> (u64, u64) {
    let end = chunks(size) - 1;
    let chunk = CHUNK_SIZE as u64;
    let first = (range.start / chunk).min(end);
    (first, (range.end.saturating_sub(1) / chunk).clamp(first, end))
}

#[cfg(test)]
mod tests {
    use nuee_base::Environment;

    use super::*;

    fn key() -> DataKey {
        let zero = [0; 16];
        let identity =
            BlobIdentity { organisation: OrganisationId::from_bytes(zero), blob: BlobId::from_bytes(zero) };
        DataKey::derive(&once::generate(&Environment::system()), [1; 32], identity).unwrap()
    }

    #[test]
    fn a_stream_of_more_chunks_than_a_nonce_counts_is_refused() {
        let mut sealer = Sealer { key: key(), index: u32::MAX };
        let mut out = Vec::new();
        assert!(matches!(sealer.seal_chunk(&vec![0; CHUNK_SIZE], &mut out), Err(Error::TooLong)));
        assert!(out.is_empty());
        assert!(matches!(sealer.finish(b"", &mut out), Err(Error::TooLong)));

        let (opener, chunk) = (Opener { key: key() }, CHUNK_SIZE as u64);
        let size = (u64::from(u32::MAX) + 2) * chunk;
        let mut read = vec![0; CHUNK_SIZE + TAG_SIZE];
        assert!(matches!(opener.open_range(size, &(size - chunk..size), &mut read), Err(Error::TooLong)));
    }
}
