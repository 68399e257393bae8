//! One connection, from its first byte to its farewell.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::Poll,
};

use http::{HeaderValue, Request, Response, header};
use hyper::{body::Incoming, server::conn::http1, service::Service};
use hyper_util::rt::TokioIo;
use nuee_base::Zone;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    select,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    Arrival, Handler, Limits, ObservedBody, OperationMetrics, RequestBody, RequestIds, Tls, TrustedProxies,
    head_timer::{HeadTimer, Reads},
    metrics::ListenerMetrics,
    observation::Observation,
    stream::GuardedStream,
    tls::{self, Failure},
    transport::Transport,
};

/// How many headers hyper takes without an allocation for each request.
const HEADER_COUNT_WITHOUT_ALLOCATION: usize = 100;

/// What the connections of one listener share.
pub(crate) struct Shared<H> {
    pub(crate) handler: Arc<H>,
    pub(crate) zone: Zone,
    pub(crate) proxies: TrustedProxies,
    pub(crate) tls: Option<Tls>,
    pub(crate) limits: Limits,
    pub(crate) request_ids: RequestIds,
    pub(crate) metrics: Arc<ListenerMetrics>,
    /// Counts what no handler claims.
    pub(crate) unclaimed: OperationMetrics,
}

/// When a connection must end before its client wants it to.
#[derive(Debug, Clone)]
pub(crate) struct Ends {
    /// After the request in flight.
    pub(crate) after_request: CancellationToken,
    /// At once.
    pub(crate) at_once: CancellationToken,
}

/// Serves one connection until one of the two sides ends it.
pub(crate) async fn serve<H: Handler>(
    shared: Arc<Shared<H>>,
    stream: TcpStream,
    peer: std::net::SocketAddr,
    ends: Ends,
) {
    let metrics = Arc::clone(&shared.metrics);
    metrics.connections.inc();
    // Also when the handler panics.
    let _open = OnDrop(|| metrics.connections.dec());
    select! {
        biased;
        () = converse(&shared, stream, peer, &ends.after_request) => {}
        () = ends.at_once.cancelled() => {}
    }
}

struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

async fn converse<H: Handler>(
    shared: &Arc<Shared<H>>,
    stream: TcpStream,
    peer: std::net::SocketAddr,
    after_request: &CancellationToken,
) {
    let limits = &shared.limits;
    let reads = Arc::new(Reads::default());
    let (counted, metrics) = (Arc::clone(&reads), Arc::clone(&shared.metrics));
    let stream = GuardedStream::new(stream, counted, limits.write_stall_timeout, metrics);
    let stream = select! {
        biased;
        stream = agreed(shared, stream, peer) => stream,
        () = after_request.cancelled() => None,
    };
    let Some(stream) = stream else { return };
    let builder = protocol(limits, reads);
    let service = ConnectionService { shared: Arc::clone(shared), peer };
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut stopping = std::pin::pin!(after_request.cancelled());
    let mut told = false;
    let result = poll_fn(|cx| {
        if let Poll::Ready(result) = connection.poll_without_shutdown(cx) {
            return Poll::Ready(result);
        }
        if !told && stopping.as_mut().poll(cx).is_ready() {
            told = true;
            Pin::new(&mut connection).graceful_shutdown();
            return connection.poll_without_shutdown(cx);
        }
        Poll::Pending
    })
    .await;
    match result {
        Ok(()) => farewell(connection.into_parts().io.into_inner(), limits).await,
        Err(error) if error.is_parse() => {
            tracing::debug!(%peer, error = &error as &dyn std::error::Error, "request refused");
            farewell(connection.into_parts().io.into_inner(), limits).await;
        }
        Err(error) => {
            if error.is_timeout() {
                shared.metrics.header_timeouts.inc();
            }
            tracing::debug!(%peer, error = &error as &dyn std::error::Error, "connection given up");
        }
    }
}

/// The connection as requests come over it: after the TLS handshake, where the listener speaks TLS. `None` where client
/// and server did not agree in time.
async fn agreed<H>(
    shared: &Shared<H>,
    stream: GuardedStream,
    peer: std::net::SocketAddr,
) -> Option<Transport> {
    let Some(tls) = &shared.tls else { return Some(Transport::Plain(stream)) };
    let (limits, metrics) = (&shared.limits, &shared.metrics);
    let failure = match timeout(limits.handshake_timeout, tls::accept(tls, stream)).await {
        Ok(Ok(stream)) => return Some(Transport::Secure(Box::new(stream))),
        Ok(Err(failure)) => failure,
        Err(_) => {
            metrics.handshake_timeouts.inc();
            tracing::debug!(%peer, "the TLS handshake took too long");
            return None;
        }
    };
    metrics.handshake_failures.inc();
    tracing::debug!(%peer, error = &failure as &dyn std::error::Error, "no TLS handshake");
    if let Failure::PlainHttp(mut stream) = failure
        && stream.write_all(tls::PLAIN_HTTP_ANSWER).await.is_ok()
    {
        farewell(stream, limits).await;
    }
    None
}

fn protocol(limits: &Limits, reads: Arc<Reads>) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(HeadTimer::new(reads, limits.header_timeout, limits.idle_timeout))
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.buffer_size_bytes)
        .max_header_size(limits.header_size_bytes)
        .writev(true)
        // A client may end its sending side and still wait for the response.
        .half_close(true);
    if limits.header_count != HEADER_COUNT_WITHOUT_ALLOCATION {
        builder.max_headers(limits.header_count);
    }
    builder
}

/// Ends the sending side, then reads what the client still sends for a while. Closing a socket with bytes unread makes
/// the system send a reset, which takes the last response from a client that has not read it yet.
async fn farewell(mut stream: impl AsyncRead + AsyncWrite + Unpin, limits: &Limits) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let discard = async {
        let mut buffer = vec![0; 8192];
        let mut left = limits.linger_size_bytes;
        while let Ok(bytes @ 1..) = stream.read(&mut buffer).await {
            match left.checked_sub(bytes) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    let _ = timeout(limits.linger_timeout, discard).await;
}

/// Tells the client that the connection ends with this response (RFC 9112, section 9.6). That is so where a body was
/// not read to its end, and a client that is not told sends its next request into the closing connection. It is also so
/// where a client was not told to go on although it expects it, having an empty body: the aws CLI takes the response
/// for that of its next request too, and waits for its end until the connection is closed.
fn announce_end<B>(response: &mut Response<B>) {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}

struct ConnectionService<H> {
    shared: Arc<Shared<H>>,
    peer: std::net::SocketAddr,
}

impl<H: Handler> Service<Request<Incoming>> for ConnectionService<H> {
    type Response = Response<ObservedBody<H::Body>>;
    type Error = Infallible;
    // Boxed, so that a connection between two requests does not hold the room that a handler needs.
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        let arrival = Arrival {
            request_id: shared.request_ids.next_id(),
            zone: shared.zone,
            peer: self.peer,
            client: shared.proxies.client(self.peer.ip(), request.headers()),
            secure: shared.tls.is_some(),
        };
        let metrics = Arc::clone(&shared.metrics);
        let observation = Observation::begin(
            arrival,
            request.method().clone(),
            Arc::clone(&metrics),
            shared.unclaimed.clone(),
        );
        let expects = request.headers().contains_key(header::EXPECT);
        let mut request = request.map(|incoming| RequestBody::network(incoming, &shared.limits, metrics));
        let reading = request.body().reading();
        request.extensions_mut().insert(arrival);
        let span = tracing::debug_span!("request", request_id = %arrival.request_id);
        let answer = async move {
            let mut response = shared.handler.handle(request).await;
            if reading.map_or(expects, |reading| !reading.is_complete()) {
                announce_end(&mut response);
            }
            Ok(observation.follow(response))
        };
        if span.is_disabled() { Box::pin(answer) } else { Box::pin(answer.instrument(span)) }
    }
}
