//! A crowd of slow connections.
//!
//! A quarter each sends its head a byte at a time, stops near the end of a small body, stops in the middle of a large
//! one, or reads next to nothing of a large object. Each moves a byte a second, a reader a thousand. The server cuts some
//! of them when their time is over; another one takes the place of each that is cut.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::load::{Request, Signer, Target};

/// How often each connection moves something.
const PERIOD: Duration = Duration::from_secs(1);

/// A server that takes nothing for so long is taken for dead.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a reader takes at once, in bytes.
const SIP_BYTES: usize = 1000;

/// What a slow body keeps back, to be sent a byte at a time: more than the seconds that any measurement takes.
const KEPT_BACK_BYTES: usize = 4000;

/// How a connection is slow.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Head,
    SmallBody,
    LargeBody,
    Reader,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Head, Self::SmallBody, Self::LargeBody, Self::Reader];

    /// How much it announces, and how much of that it sends at once.
    fn body(self) -> (usize, usize) {
        match self {
            Self::Head | Self::Reader => (0, 0),
            Self::SmallBody => ((128 << 10) - 1, (128 << 10) - 1 - KEPT_BACK_BYTES),
            Self::LargeBody => (8 << 20, 4 << 20),
        }
    }
}

/// What became of a crowd, or of a part of it.
#[derive(Clone, Copy, Default)]
pub(super) struct Count {
    /// Connections that were open at the end.
    pub(super) alive: usize,
    /// Connections that were cut before, and replaced.
    pub(super) replaced: usize,
}

/// A crowd at work, a thread for each kind.
pub(super) struct Crowd(Vec<(Sender<()>, JoinHandle<Result<Count>>)>);

impl Crowd {
    /// Opens so many connections; readers read the object at `path`. All are there when this returns.
    pub(super) fn gather(target: &Target, number: usize, path: &str) -> Result<Self> {
        raise_open_file_limit()?;
        let (here, arrivals) = channel();
        let begin = |(index, kind)| {
            let path = if kind == Kind::Reader { path.to_owned() } else { format!("{path}-{kind:?}") };
            let signer = Signer::new(target)?;
            let host = target.host()?.to_owned();
            let maker = Maker { kind, host, path, signer, body: vec![b'x'; kind.body().0] };
            let share = (number + index) / Kind::ALL.len();
            let (here, (stop, stopped)) = (here.clone(), channel());
            Ok((stop, std::thread::spawn(move || maker.work(share, here, &stopped))))
        };
        let crowd = Self((0..).zip(Kind::ALL).map(begin).collect::<Result<_>>()?);
        drop(here);
        if arrivals.iter().count() < Kind::ALL.len() {
            let failed = crowd.disperse().err();
            return Err(failed.unwrap_or_else(|| anyhow!("a thread ended early")));
        }
        Ok(crowd)
    }

    /// Counts them, and closes all.
    pub(super) fn disperse(self) -> Result<Count> {
        let (stops, threads): (Vec<_>, Vec<_>) = self.0.into_iter().unzip();
        drop(stops);
        let mut all = Count::default();
        for thread in threads {
            let count = thread.join().map_err(|_| anyhow!("a slow client's thread panicked"))??;
            all.alive += count.alive;
            all.replaced += count.replaced;
        }
        Ok(all)
    }
}

/// Makes the connections of one kind, and keeps them slow.
struct Maker {
    kind: Kind,
    host: String,
    path: String,
    signer: Signer,
    body: Vec<u8>,
}

impl Maker {
    fn work(mut self, number: usize, here: Sender<()>, stopped: &Receiver<()>) -> Result<Count> {
        let mut connections = (0..number).map(|_| self.open()).collect::<Result<Vec<_>>>()?;
        let _ = here.send(());
        drop(here);
        let mut replaced = 0;
        // One after the other, not all at once: so do clients that know nothing of each other.
        let pause = PERIOD / u32::try_from(number.max(1))?;
        let mut next = 0;
        while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            if let Some(connection) = connections.get_mut(next) {
                connection.move_on();
                if !connection.is_alive() {
                    *connection = self.open()?;
                    replaced += 1;
                }
            }
            next = (next + 1) % number.max(1);
        }
        let alive = connections.iter().filter(|connection| connection.is_alive()).count();
        Ok(Count { alive, replaced })
    }

    fn open(&mut self) -> Result<Slow> {
        let method = if self.kind == Kind::Reader { "GET" } else { "PUT" };
        let request = Request {
            method,
            path: &self.path,
            query: "",
            body: &self.body,
            signed_payload: false,
            copy_source: None,
        };
        let mut head = Vec::new();
        self.signer.write_head(&request, &mut head)?;
        let mut stream = TcpStream::connect(&self.host).context("connecting a slow client")?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let rest = if self.kind == Kind::Head {
            head
        } else {
            stream.write_all(&head).context("sending a slow client's head")?;
            stream.write_all(&self.body[..self.kind.body().1]).context("sending a slow client's body")?;
            vec![b'x'; KEPT_BACK_BYTES.min(self.body.len())]
        };
        stream.set_nonblocking(true)?;
        Ok(Slow { kind: self.kind, stream, rest: rest.into_iter() })
    }
}

/// One slow connection.
struct Slow {
    kind: Kind,
    stream: TcpStream,
    rest: std::vec::IntoIter<u8>,
}

impl Slow {
    /// Takes a sip, or sends a byte. What fails is found by [`Self::is_alive`].
    fn move_on(&mut self) {
        if self.kind == Kind::Reader {
            let _ = self.stream.read(&mut [0; SIP_BYTES]);
        } else if let Some(byte) = self.rest.next() {
            let _ = self.stream.write(&[byte]);
        }
    }

    /// Whether the server still has patience: it has neither reset nor closed the connection, nor answered.
    fn is_alive(&self) -> bool {
        if !matches!(self.stream.take_error(), Ok(None)) {
            return false;
        }
        match self.stream.peek(&mut [0]) {
            Ok(count) => count > 0 && self.kind == Kind::Reader,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }
}

/// As far as the system lets us: there is a file for every connection.
fn raise_open_file_limit() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .context("raising the limit on open files")
}
