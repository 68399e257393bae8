//! One keep-alive HTTP/1.1 connection over a blocking socket.
//!
//! Bodies are framed by Content-Length or chunked, and handed on piece by piece. It knows no redirects, no TLS and
//! no pipelining; an answer without framing is an error.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// Bodies up to this length are sent in one write with their head.
const JOINED_BYTES: usize = 128 << 10;

/// Size of the buffer that answers are read into, and so the largest head.
const BUFFER_BYTES: usize = 256 << 10;

/// A server that says nothing for so long is taken for dead.
const PATIENCE: Duration = Duration::from_mins(1);

/// An open connection, and what was read from it but not used yet.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

/// Status and framing of an answer, and what else a client needs of its headers.
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) length: Option<u64>,
    pub(crate) etag: Option<String>,
    chunked: bool,
    /// The server will close the connection after this answer.
    pub(crate) closing: bool,
}

impl Connection {
    /// Connects to `host:port`.
    pub(crate) fn open(host: &str) -> Result<Self> {
        let stream = TcpStream::connect(host).with_context(|| format!("connecting to {host}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: vec![0; BUFFER_BYTES], start: 0, end: 0 })
    }

    /// Sends a head and its body; the head's buffer may be used to join them.
    pub(crate) fn send(&mut self, head: &mut Vec<u8>, body: &[u8]) -> Result<()> {
        if body.len() <= JOINED_BYTES {
            head.extend_from_slice(body);
            return self.stream.write_all(head).context("sending");
        }
        self.stream.write_all(head).context("sending the head")?;
        self.stream.write_all(body).context("sending the body")
    }

    /// Reads until the answer's head is complete.
    pub(crate) fn receive_head(&mut self) -> Result<Head> {
        self.compact();
        loop {
            if let Some((head, used)) = parse_head(&self.buffer[self.start..self.end])? {
                self.start += used;
                return Ok(head);
            }
            ensure!(self.end < self.buffer.len(), "the head of an answer is over {BUFFER_BYTES} bytes");
            self.read_more()?;
        }
    }

    /// Hands the whole body on, piece by piece.
    pub(crate) fn receive_body(
        &mut self,
        head: &Head,
        mut each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        if head.status == 204 || head.status == 304 {
            return Ok(());
        }
        if !head.chunked {
            let length = head.length.context("an answer with neither Content-Length nor chunks")?;
            return self.pieces(length, &mut each);
        }
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16).with_context(|| format!("size of a chunk: {line:?}"))?;
            if size == 0 {
                while !self.line()?.is_empty() {}
                return Ok(());
            }
            self.pieces(size, &mut each)?;
            ensure!(self.line()?.is_empty(), "a chunk is longer than it said");
        }
    }

    /// The whole body as text.
    pub(crate) fn receive_text(&mut self, head: &Head) -> Result<String> {
        let mut body = Vec::new();
        self.receive_body(head, |piece| {
            body.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    fn pieces(&mut self, length: u64, each: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut left = length;
        while left > 0 {
            if self.start == self.end {
                self.compact();
                self.read_more()?;
            }
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(self.end - self.start);
            each(&self.buffer[self.start..self.start + take])?;
            self.start += take;
            left -= take as u64;
        }
        Ok(())
    }

    fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        loop {
            self.pieces(1, &mut |byte| {
                line.extend_from_slice(byte);
                Ok(())
            })?;
            if line.ends_with(b"\r\n") {
                line.truncate(line.len() - 2);
                return String::from_utf8(line).context("a line of the framing is not text");
            }
            ensure!(line.len() < 1024, "a line of the framing is over 1024 bytes");
        }
    }

    fn compact(&mut self) {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
    }

    fn read_more(&mut self) -> Result<()> {
        let count = loop {
            match self.stream.read(&mut self.buffer[self.end..]) {
                // A read with a time limit ends so when the process was stopped for a moment.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read.context("receiving")?,
            }
        };
        if count == 0 {
            bail!("the server closed the connection in the middle of an answer");
        }
        self.end += count;
        Ok(())
    }
}

/// The head and its length, or nothing while it is incomplete.
fn parse_head(bytes: &[u8]) -> Result<Option<(Head, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(used) = answer.parse(bytes).context("an answer that is not HTTP/1.1")?
    else {
        return Ok(None);
    };
    let status = answer.code.unwrap_or_default();
    let closing = answer.version == Some(0);
    let mut head = Head { status, length: None, etag: None, chunked: false, closing };
    for header in answer.headers {
        let value = String::from_utf8_lossy(header.value);
        if header.name.eq_ignore_ascii_case("content-length") {
            head.length = Some(value.trim().parse().with_context(|| format!("Content-Length: {value}"))?);
        } else if header.name.eq_ignore_ascii_case("etag") {
            head.etag = Some(value.into_owned());
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            head.chunked = value.trim().eq_ignore_ascii_case("chunked");
        } else if header.name.eq_ignore_ascii_case("connection") {
            head.closing |= value.trim().eq_ignore_ascii_case("close");
        }
    }
    Ok(Some((head, used)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// What a client makes of these bytes, which arrive in two writes.
    fn answered(bytes: &'static [u8]) -> Result<(u16, String)> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 5];
            stream.read_exact(&mut request).unwrap();
            let (first, second) = bytes.split_at(bytes.len() / 2);
            stream.write_all(first).unwrap();
            stream.flush().unwrap();
            stream.write_all(second).unwrap();
            request
        });
        let mut connection = Connection::open(&host).unwrap();
        connection.send(&mut b"head".to_vec(), b"!").unwrap();
        assert_eq!(&server.join().unwrap(), b"head!");
        let head = connection.receive_head()?;
        let text = connection.receive_text(&head)?;
        Ok((head.status, text))
    }

    #[test]
    fn both_framings_are_read() {
        let plain = answered(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        assert_eq!(plain.unwrap(), (200, "hello".to_owned()));
        let chunks = answered(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
        );
        assert_eq!(chunks.unwrap(), (200, "hello".to_owned()));
        let empty = answered(b"HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(empty.unwrap(), (204, String::new()));
    }

    #[test]
    fn a_body_that_ends_early_is_an_error() {
        assert!(answered(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello").is_err());
        assert!(answered(b"HTTP/1.1 200 OK\r\n\r\nhello").is_err());
    }
}
