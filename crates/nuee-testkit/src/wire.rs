//! HTTP/1.1 as bytes on a connection, so that a test can send what no client would.

use std::{
    io::{self, Error, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

/// After this time without a byte, a server counts as one that does not answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// A connection to a server.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    /// Bytes that came and are not read yet.
    ahead: Vec<u8>,
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Wire {
    /// Connects.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, ahead: Vec::new() })
    }

    /// Sends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Says that nothing more will be sent.
    pub fn finish(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Reads an answer. `bodiless` after a `HEAD`. An [`ErrorKind::UnexpectedEof`] if the server hangs up instead.
    pub fn read(&mut self, bodiless: bool) -> io::Result<Answer> {
        loop {
            let head = self.take_line_group()?;
            let mut answer = parse_head(&head)?;
            if (100..200).contains(&answer.status) {
                continue;
            }
            if !bodiless && !matches!(answer.status, 204 | 304) {
                answer.body = self.take_body(&answer)?;
            }
            return Ok(answer);
        }
    }

    /// Reads an answer, or of its body what comes before the server hangs up; and whether that was all.
    pub fn read_what_comes(&mut self) -> io::Result<(Answer, bool)> {
        let head = self.take_line_group()?;
        let mut answer = parse_head(&head)?;
        let body = self.take_body(&answer);
        let cut =
            |error: &Error| matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset);
        let is_whole = !body.as_ref().is_err_and(cut);
        answer.body = if is_whole { body? } else { std::mem::take(&mut self.ahead) };
        Ok((answer, is_whole))
    }

    /// Whether the server has hung up, or does so soon.
    pub fn is_hung_up(&mut self) -> io::Result<bool> {
        match self.fill() {
            Ok(()) => Ok(false),
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; 64 << 10];
        let count = self.stream.read(&mut buffer)?;
        if count == 0 {
            return Err(Error::new(ErrorKind::UnexpectedEof, "the server hung up"));
        }
        self.ahead.extend_from_slice(&buffer[..count]);
        Ok(())
    }

    fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.ahead.len() < count {
            self.fill()?;
        }
        let rest = self.ahead.split_off(count);
        Ok(std::mem::replace(&mut self.ahead, rest))
    }

    fn take_until(&mut self, mark: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(start) = self.ahead.windows(mark.len()).position(|window| window == mark) {
                let mut taken = self.take(start + mark.len())?;
                taken.truncate(start);
                return Ok(taken);
            }
            self.fill()?;
        }
    }

    fn take_line_group(&mut self) -> io::Result<String> {
        let bytes = self.take_until(b"\r\n\r\n")?;
        String::from_utf8(bytes).map_err(|_| garbled("a head that is no text"))
    }

    fn take_body(&mut self, answer: &Answer) -> io::Result<Vec<u8>> {
        if let Some(length) = answer.header("content-length") {
            let length = length.parse().map_err(|_| garbled("a content-length that is no number"))?;
            return self.take(length);
        }
        if answer.header("transfer-encoding") == Some("chunked") {
            return self.take_chunks();
        }
        while self.fill().is_ok() {}
        Ok(std::mem::take(&mut self.ahead))
    }

    fn take_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.take_until(b"\r\n")?;
            let digits = std::str::from_utf8(&line).map_err(|_| garbled("a chunk without a size"))?;
            let size =
                usize::from_str_radix(digits.trim(), 16).map_err(|_| garbled("a chunk without a size"))?;
            body.extend(self.take(size)?);
            self.take(2)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
}

fn garbled(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("the server answered with {what}"))
}

fn parse_head(head: &str) -> io::Result<Answer> {
    let (first, rest) = head.split_once("\r\n").unwrap_or((head, ""));
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| garbled("no status"))?;
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    Ok(Answer { status, headers: rest.lines().filter_map(header).collect(), body: Vec::new() })
}

impl Answer {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The code of S3 if this is an error that has one; else nothing.
    #[must_use]
    pub fn code(&self) -> String {
        let mut codes = self.elements("Code");
        if self.status < 300 || codes.is_empty() { String::new() } else { codes.swap_remove(0) }
    }

    /// The texts of all elements of this name in an XML body, as they stand there.
    #[must_use]
    pub fn elements(&self, name: &str) -> Vec<String> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let text = self.text();
        let pieces = text.split(&open).skip(1).filter_map(|piece| piece.split_once(&close));
        pieces.map(|(inside, _)| inside.to_owned()).collect()
    }
}
