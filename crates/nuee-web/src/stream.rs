//! A TCP connection that counts its bytes and gives up on a client that takes none.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::{head_timer::Reads, metrics::ListenerMetrics, patience::Patience};

/// A TCP connection; writing fails with `TimedOut` when the client takes no byte for the stall time.
#[derive(Debug)]
pub(crate) struct GuardedStream {
    inner: TcpStream,
    reads: Arc<Reads>,
    patience: Patience,
    metrics: Arc<ListenerMetrics>,
}

impl GuardedStream {
    pub(crate) fn new(
        inner: TcpStream,
        reads: Arc<Reads>,
        write_stall_timeout: Duration,
        metrics: Arc<ListenerMetrics>,
    ) -> Self {
        Self { inner, reads, patience: Patience::new(write_stall_timeout), metrics }
    }

    /// Waits for the first byte and leaves it where it is; `None` if the client sends nothing more.
    pub(crate) async fn first_byte(&self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        let count = self.inner.peek(&mut byte).await?;
        Ok((count > 0).then_some(byte[0]))
    }

    fn watch(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.patience.progress(bytes);
                self.metrics.sent_bytes.inc_by(bytes as u64);
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending if self.patience.poll_overdue(cx).is_ready() => {
                self.metrics.write_timeouts.inc();
                // A reset, so that the system does not keep what the client will not take.
                let _ = self.inner.set_zero_linger();
                Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client takes no byte of the response",
                )))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        let bytes = buffer.filled().len().saturating_sub(before);
        if bytes > 0 {
            self.reads.record();
            self.metrics.received_bytes.inc_by(bytes as u64);
        }
        read
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
