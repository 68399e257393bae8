//! What is noted about each request while it is answered, and counted when that ends, however it ends.
//!
//! An answer ends when its last byte is handed to the connection. Whether the client then takes the bytes that wait
//! there is the business of the connection's write time limit, which counts for itself.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http::{Method, Response, StatusCode, header::CONTENT_LENGTH};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{
    Arrival,
    metrics::{ListenerMetrics, OperationMetrics},
};

/// What is answered to a request for what is not offered: nothing failed.
const NOT_OFFERED: u16 = StatusCode::NOT_IMPLEMENTED.as_u16();

/// One request being answered. Dropping it counts it.
#[derive(Debug)]
pub(crate) struct Observation {
    started: Instant,
    arrival: Arrival,
    method: Method,
    listener: Arc<ListenerMetrics>,
    operation: OperationMetrics,
    /// The status, once there is a response.
    status: Option<StatusCode>,
    /// Whether the whole response was handed to the connection.
    complete: bool,
    /// Bytes of the body still to come, if the response says how many there are.
    bytes_left: Option<u64>,
}

impl Observation {
    /// Begins; the request counts under `operation` unless its response says otherwise.
    pub(crate) fn begin(
        arrival: Arrival,
        method: Method,
        listener: Arc<ListenerMetrics>,
        operation: OperationMetrics,
    ) -> Self {
        listener.in_flight.inc();
        Self {
            started: Instant::now(),
            arrival,
            method,
            listener,
            operation,
            status: None,
            complete: false,
            bytes_left: None,
        }
    }

    /// Goes on with the body of the response.
    pub(crate) fn follow<B: Body>(mut self, mut response: Response<B>) -> Response<ObservedBody<B>> {
        if let Some(operation) = response.extensions_mut().remove::<OperationMetrics>() {
            self.operation = operation;
        }
        let status = response.status();
        self.status = Some(status);
        let declared =
            response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        self.bytes_left = declared.or_else(|| response.body().size_hint().exact());
        // Of these no body is sent, whatever there is of it.
        self.complete = self.method == Method::HEAD
            || status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED
            || self.bytes_left == Some(0)
            || (self.bytes_left.is_none() && response.body().is_end_stream());
        response.map(|inner| ObservedBody { inner, observation: self })
    }

    /// Notes bytes of the body, and whether it says that it ended.
    fn note(&mut self, bytes: u64, ended: bool) {
        // A body of declared length is not asked again once it has that length, so its last byte is its end; and one
        // that ends before has failed.
        self.complete = match &mut self.bytes_left {
            Some(left) => {
                *left = left.saturating_sub(bytes);
                *left == 0
            }
            None => ended,
        };
    }

    fn log(&self, duration_ms: f64) {
        let Arrival { request_id, zone, peer, .. } = self.arrival;
        let status = self.status.map_or(0, |status| status.as_u16());
        // Neither path nor query: keys of objects do not belong in logs.
        if status >= 500 && status != NOT_OFFERED {
            tracing::warn!(%request_id, %zone, %peer, method = %self.method, status, duration_ms, "request failed");
        } else if self.complete {
            tracing::debug!(%request_id, %zone, %peer, method = %self.method, status, duration_ms, "request answered");
        } else {
            tracing::debug!(%request_id, %zone, %peer, method = %self.method, status, duration_ms, "request cut");
        }
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        self.listener.in_flight.dec();
        let duration = self.started.elapsed();
        match self.status {
            Some(status) if self.complete => self.operation.observe(status, duration),
            _ => self.operation.observe_cut(),
        }
        self.log(duration.as_secs_f64() * 1000.0);
    }
}

pin_project! {
    /// The body of a response, observed until its end.
    #[derive(Debug)]
    pub struct ObservedBody<B> {
        #[pin]
        inner: B,
        observation: Observation,
    }
}

impl<B: Body<Data = Bytes>> Body for ObservedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.inner.as_mut().poll_frame(cx));
        let ended = match &frame {
            None => true,
            Some(Ok(_)) => this.inner.is_end_stream(),
            Some(Err(_)) => false,
        };
        let bytes = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()).map_or(0, Bytes::len);
        this.observation.note(bytes as u64, ended);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
