//! The timer that hyper waits for a request's head with, taught to tell an idle connection from a slow head.
//!
//! hyper starts one timer when it begins to wait for a head, whether the client has sent half of it or nothing at all.
//! A client that keeps a connection for its next request must not be treated as one that trickles its headers. So the
//! timer looks whether bytes have come: before the first byte it runs for the idle time (on a new connection: the
//! header time), from the first byte on for the header time. Bytes of a TLS handshake come before the timer's time.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use hyper::rt::{Sleep, Timer};

/// How often a connection has been read from with success; written by its stream, looked at by its timer.
#[derive(Debug, Default)]
pub(crate) struct Reads(AtomicU64);

impl Reads {
    pub(crate) fn record(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The timer of one connection. hyper uses it for heads alone.
#[derive(Debug, Clone)]
pub(crate) struct HeadTimer {
    reads: Arc<Reads>,
    /// Where the count stood before the first head.
    reads_before_all: u64,
    header_timeout: Duration,
    idle_timeout: Duration,
}

impl HeadTimer {
    /// A timer for a connection whose first head is awaited from now on.
    pub(crate) fn new(reads: Arc<Reads>, header_timeout: Duration, idle_timeout: Duration) -> Self {
        Self { reads_before_all: reads.count(), reads, header_timeout, idle_timeout }
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn Sleep>> {
        let reads_before = self.reads.count();
        let first_head = reads_before == self.reads_before_all;
        let wait = if first_head { self.header_timeout } else { self.idle_timeout };
        Box::pin(HeadSleep {
            reads: Arc::clone(&self.reads),
            reads_before,
            header_timeout: self.header_timeout,
            begun: first_head,
            inner: Box::pin(tokio::time::sleep(wait)),
        })
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }
}

struct HeadSleep {
    reads: Arc<Reads>,
    reads_before: u64,
    header_timeout: Duration,
    /// Whether the header time runs.
    begun: bool,
    inner: Pin<Box<tokio::time::Sleep>>,
}

impl Sleep for HeadSleep {}

impl Future for HeadSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // hyper polls after each read that leaves the head incomplete, so the first byte is noticed as it comes.
        if !self.begun && self.reads.count() != self.reads_before {
            self.begun = true;
            let deadline = tokio::time::Instant::now() + self.header_timeout;
            self.inner.as_mut().reset(deadline);
        }
        ready!(self.inner.as_mut().poll(cx));
        Poll::Ready(())
    }
}
