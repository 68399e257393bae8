//! Bodies of requests, read with patience that ends.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use nuee_base::ErrorKind;

use crate::{
    Limits,
    metrics::ListenerMetrics,
    patience::{Overdue, Patience},
};

/// The body of a request.
///
/// Reading it fails when the client stops sending or sends too slowly ([`Limits`]); time that its reader spends does
/// not count. A client that waits for `100 Continue` is told to go on when the body is first read.
#[derive(Debug)]
pub struct RequestBody(Source);

#[derive(Debug)]
enum Source {
    Memory(Option<Bytes>),
    Network { incoming: Incoming, patience: Patience, metrics: Arc<ListenerMetrics>, reading: Reading },
}

/// Whether a body that comes from the network was read to its end, for who does not hold the body any more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading(Arc<AtomicBool>);

impl Reading {
    pub(crate) fn is_complete(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Why a body cannot be read to its end. The connection is closed after the response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// No byte came for the whole stall time.
    #[error("the request's body stopped before its end; send it without long pauses")]
    Stalled,
    /// Bytes come at less than the minimum rate.
    #[error("the request's body comes too slowly; use a faster connection or smaller parts")]
    TooSlow,
    /// The client went away before the body's end.
    #[error("the client went away before the end of the request's body")]
    Incomplete(#[source] hyper::Error),
    /// The body's framing is wrong.
    #[error("the request's body is malformed")]
    Malformed(#[source] hyper::Error),
}

impl BodyError {
    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Stalled | Self::TooSlow => ErrorKind::LimitExceeded,
            Self::Incomplete(_) => ErrorKind::Cancelled,
            Self::Malformed(_) => ErrorKind::Invalid,
        }
    }

    /// Whether the client took too long: HTTP's 408, S3's `RequestTimeout`.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Stalled | Self::TooSlow)
    }

    fn from_hyper(error: hyper::Error) -> Self {
        let framing = std::error::Error::source(&error)
            .and_then(|cause| cause.downcast_ref::<std::io::Error>())
            .is_some_and(|cause| {
                matches!(cause.kind(), std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData)
            });
        if error.is_parse() || framing { Self::Malformed(error) } else { Self::Incomplete(error) }
    }
}

impl RequestBody {
    pub(crate) fn network(incoming: Incoming, limits: &Limits, metrics: Arc<ListenerMetrics>) -> Self {
        if incoming.is_end_stream() {
            return Self(Source::Memory(None));
        }
        let patience = Patience::new(limits.body_stall_timeout)
            .with_minimum_rate(limits.body_minimum_rate, limits.rate_grace);
        Self(Source::Network { incoming, patience, metrics, reading: Reading::default() })
    }

    /// `None` if there is nothing to read.
    pub(crate) fn reading(&self) -> Option<Reading> {
        match &self.0 {
            Source::Memory(_) => None,
            Source::Network { reading, .. } => Some(reading.clone()),
        }
    }
}

impl From<Bytes> for RequestBody {
    /// A body that is already there.
    fn from(bytes: Bytes) -> Self {
        Self(Source::Memory((!bytes.is_empty()).then_some(bytes)))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let (incoming, patience, metrics, reading) = match &mut self.0 {
            Source::Memory(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Source::Network { incoming, patience, metrics, reading } => {
                (incoming, patience, metrics, reading)
            }
        };
        let polled = Pin::new(&mut *incoming).poll_frame(cx);
        let complete = match &polled {
            Poll::Ready(None) => true,
            Poll::Ready(Some(Ok(_))) => incoming.is_end_stream(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => false,
        };
        if complete {
            reading.0.store(true, Ordering::Release);
        }
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                patience.progress(frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(BodyError::from_hyper(error)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => patience.poll_overdue(cx).map(|overdue| {
                metrics.body_timeouts.inc();
                Some(Err(match overdue {
                    Overdue::Stalled => BodyError::Stalled,
                    Overdue::TooSlow => BodyError::TooSlow,
                }))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Memory(bytes) => bytes.is_none(),
            Source::Network { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Memory(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Source::Network { incoming, .. } => incoming.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_body_in_memory_is_read_once() {
        let body = RequestBody::from(Bytes::from_static(b"abc"));
        assert_eq!(body.size_hint().exact(), Some(3));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
        assert!(RequestBody::from(Bytes::new()).is_end_stream());
    }

    #[test]
    fn a_body_can_be_sent_and_shared_between_threads() {
        fn needs<T: Send + Sync + 'static>() {}
        needs::<RequestBody>();
    }
}
