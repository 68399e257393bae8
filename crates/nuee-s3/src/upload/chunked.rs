//! The framing `aws-chunked`: `size[;chunk-signature=…]\r\n`, as many bytes, `\r\n`, and so on to a chunk of no bytes, then
//! trailing headers.

use bytes::{Buf, Bytes};

use super::{Trailer, UploadError, signature::ChunkVerifier};

/// The longest line before a chunk, in bytes.
const MAX_LINE_BYTES: usize = 256;

/// The longest trailer, in bytes.
const MAX_TRAILER_BYTES: usize = 4 << 10;

const SIGNATURE_EXTENSION: &str = "chunk-signature=";
const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

/// Takes framed bytes, and gives the bytes that are meant.
pub(super) struct Decoder {
    state: State,
    /// What came and was not looked at yet.
    input: Bytes,
    /// A line before a chunk, or the trailer, as far as it came.
    text: Vec<u8>,
    length: u64,
    received: u64,
    verifier: Option<ChunkVerifier>,
    /// The signature that the present chunk must have.
    signature: String,
    trailer: Option<Trailer>,
}

#[derive(Clone, Copy)]
enum State {
    /// In the line before a chunk.
    Line,
    /// In a chunk, with so many bytes left.
    Chunk(u64),
    /// After a chunk, with so many bytes of `\r\n` left.
    ChunkEnd(u8),
    /// After the last chunk.
    Trailer,
}

impl Decoder {
    /// A decoder for a payload that means `length` bytes.
    pub(super) fn new(length: u64, verifier: Option<ChunkVerifier>, trailer: Option<Trailer>) -> Self {
        let (text, signature) = (Vec::new(), String::new());
        Self {
            state: State::Line,
            input: Bytes::new(),
            text,
            length,
            received: 0,
            verifier,
            signature,
            trailer,
        }
    }

    /// Takes a piece as it came, and gives the first bytes meant that are known by it.
    pub(super) fn push(&mut self, piece: Bytes) -> Result<Option<Bytes>, UploadError> {
        debug_assert!(self.input.is_empty(), "the piece before was used up");
        self.input = piece;
        self.next()
    }

    /// The next bytes meant that are known by what came. `None` if more must come.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, UploadError> {
        while !self.input.is_empty() {
            match self.state {
                State::Line => self.line()?,
                State::Chunk(left) => return self.chunk(left).map(Some),
                State::ChunkEnd(left) => {
                    let expected = if left == 2 { b'\r' } else { b'\n' };
                    if self.input.get_u8() != expected {
                        return Err(UploadError::Framing("a chunk is longer than its size"));
                    }
                    self.state = if left == 2 { State::ChunkEnd(1) } else { State::Line };
                }
                State::Trailer => self.read_text(MAX_TRAILER_BYTES, self.input.len())?,
            }
        }
        Ok(None)
    }

    fn read_text(&mut self, limit: usize, count: usize) -> Result<(), UploadError> {
        if self.text.len() + count > limit {
            return Err(UploadError::Framing("the line before a chunk, or the trailer, is too long"));
        }
        self.text.extend_from_slice(&self.input.split_to(count));
        Ok(())
    }

    fn line(&mut self) -> Result<(), UploadError> {
        let end = self.input.iter().take(MAX_LINE_BYTES + 1).position(|byte| *byte == b'\n');
        self.read_text(MAX_LINE_BYTES, end.map_or(self.input.len(), |end| end + 1))?;
        if end.is_none() {
            return Ok(());
        }
        let text = std::mem::take(&mut self.text);
        let line = std::str::from_utf8(&text).ok().and_then(|line| line.strip_suffix("\r\n"));
        let line = line.ok_or(UploadError::Framing("a line before a chunk is no text ended by CRLF"))?;
        let (size, extension) = line.split_once(';').map_or((line, None), |(size, rest)| (size, Some(rest)));
        let digits = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = u64::from_str_radix(size, 16).ok().filter(|_| digits);
        let size = size.ok_or(UploadError::Framing("the size of a chunk is no hexadecimal number"))?;
        self.begin_chunk(size, extension)
    }

    fn begin_chunk(&mut self, size: u64, extension: Option<&str>) -> Result<(), UploadError> {
        match (extension, &self.verifier) {
            (None, None) => {}
            (Some(extension), Some(_)) => {
                let signature = extension.strip_prefix(SIGNATURE_EXTENSION);
                let signature = signature.ok_or(UploadError::Framing("a chunk has an unknown extension"))?;
                signature.clone_into(&mut self.signature);
            }
            (None, Some(_)) => return Err(UploadError::Framing("a chunk has no signature")),
            (Some(_), None) => {
                return Err(UploadError::Framing("a chunk of an unsigned payload has an extension"));
            }
        }
        if size > self.length - self.received {
            return Err(UploadError::TooLong { expected: self.length });
        }
        if size > 0 {
            self.state = State::Chunk(size);
            return Ok(());
        }
        if self.received < self.length {
            return Err(UploadError::Incomplete { expected: self.length, received: self.received });
        }
        self.state = State::Trailer;
        self.verify_chunk()
    }

    fn verify_chunk(&mut self) -> Result<(), UploadError> {
        let Some(verifier) = &mut self.verifier else { return Ok(()) };
        if verifier.verify_chunk(&self.signature) { Ok(()) } else { Err(UploadError::Signature) }
    }

    fn chunk(&mut self, left: u64) -> Result<Bytes, UploadError> {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(self.input.len());
        let piece = self.input.split_to(count);
        let left = left - count as u64;
        self.received += count as u64;
        if let Some(verifier) = &mut self.verifier {
            verifier.update(&piece);
        }
        self.state = State::Chunk(left);
        if left == 0 {
            self.state = State::ChunkEnd(2);
            self.verify_chunk()?;
        }
        Ok(piece)
    }

    /// Nothing more comes: whether all did.
    pub(super) fn finish(&mut self) -> Result<(), UploadError> {
        if !matches!(self.state, State::Trailer) || self.text.last().is_some_and(|byte| *byte != b'\n') {
            return Err(UploadError::Incomplete { expected: self.length, received: self.received });
        }
        let text = std::mem::take(&mut self.text);
        let text = std::str::from_utf8(&text).map_err(|_| UploadError::Trailer("it is no text"))?;
        let mut value = None;
        let mut signature = None;
        // Lines end with CRLF or LF, and an empty one may follow.
        for line in text.split('\n').map(|line| line.trim_end_matches('\r')).filter(|line| !line.is_empty()) {
            let (name, content) = line.split_once(':').ok_or(UploadError::Trailer("a line has no colon"))?;
            let announced =
                self.trailer.as_ref().is_some_and(|trailer| name.eq_ignore_ascii_case(trailer.name.as_str()));
            let place = match name {
                _ if announced => &mut value,
                name if name.eq_ignore_ascii_case(TRAILER_SIGNATURE) && self.verifier.is_some() => {
                    &mut signature
                }
                _ => return Err(UploadError::Trailer("there is a header that was not announced")),
            };
            if place.replace(content.trim()).is_some() {
                return Err(UploadError::Trailer("a header is there twice"));
            }
        }
        self.check_trailer(value, signature)
    }

    fn check_trailer(&mut self, value: Option<&str>, signature: Option<&str>) -> Result<(), UploadError> {
        let Some(trailer) = &self.trailer else {
            return signature.map_or(Ok(()), |_| Err(UploadError::Trailer("none was announced")));
        };
        let value = value.ok_or(UploadError::Trailer("it is missing"))?;
        if let Some(verifier) = &mut self.verifier {
            let signature = signature.ok_or(UploadError::Trailer("it has no signature"))?;
            if !verifier.verify_trailer(&format!("{}:{value}\n", trailer.name), signature) {
                return Err(UploadError::Signature);
            }
        }
        // Set once: this is called once.
        let _ = trailer.value.set(value.to_owned());
        Ok(())
    }
}
