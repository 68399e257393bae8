//! A server that does what a test asks of it, and clients that write bytes.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use nuee_base::{Environment, Zone};
use nuee_web::{
    Arrival, BodyError, Drained, Handler, Limits, Listener, ListenerOptions, Metrics, RequestBody, Tls,
    TrustedProxies,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// What `GET /large` answers: more than the buffers of two sockets hold.
pub(crate) const LARGE_BYTES: usize = 64 * 1024 * 1024;

/// A time limit that the test wants to see met.
pub(crate) const SHORT: Duration = Duration::from_millis(50);

/// A time limit that the test must not meet.
pub(crate) const LONG: Duration = Duration::from_hours(1);

/// Limits that no test meets by accident.
pub(crate) fn patient() -> Limits {
    Limits {
        header_timeout: LONG,
        idle_timeout: LONG,
        body_stall_timeout: LONG,
        write_stall_timeout: LONG,
        drain_timeout: LONG,
        ..Limits::default()
    }
}

type Answer = UnsyncBoxBody<Bytes, std::io::Error>;

/// Answers by path.
#[derive(Debug)]
pub(crate) struct Paths {
    /// One permit for each `GET /wait` that has begun.
    pub(crate) begun: Semaphore,
    /// One permit for each that may end.
    pub(crate) allowed: Semaphore,
}

impl Paths {
    fn new() -> Self {
        Self { begun: Semaphore::new(0), allowed: Semaphore::new(0) }
    }
}

impl Handler for Paths {
    type Body = Answer;

    async fn handle(&self, request: Request<RequestBody>) -> Response<Answer> {
        match request.uri().path() {
            "/echo" => match request.into_body().collect().await {
                Ok(body) => whole(body.to_bytes()),
                Err(error) => refusal(&error),
            },
            "/arrival" => {
                let arrival = *request.extensions().get::<Arrival>().unwrap();
                let Arrival { request_id, zone, peer, secure, .. } = arrival;
                whole(format!("{request_id} {zone} {peer} {}", if secure { "secure" } else { "clear" }))
            }
            "/wait" => {
                self.begun.add_permits(1);
                self.allowed.acquire().await.unwrap().forget();
                whole("waited")
            }
            "/large" => whole(vec![b'x'; LARGE_BYTES]),
            "/streamed" => streamed(vec!["ab", "cd", "ef"]),
            "/short" => streamed(vec!["ab", "cd"]),
            "/forbidden" => status(StatusCode::FORBIDDEN, "forbidden"),
            _ => whole("hello"),
        }
    }
}

fn whole(body: impl Into<Bytes>) -> Response<Answer> {
    Response::new(Full::new(body.into()).map_err(|never| match never {}).boxed_unsync())
}

/// Six bytes are declared, whatever is sent.
fn streamed(chunks: Vec<&'static str>) -> Response<Answer> {
    let frames = chunks.into_iter().map(|chunk| Ok(Frame::data(Bytes::from(chunk))));
    let mut response = Response::new(StreamBody::new(stream::iter(frames)).boxed_unsync());
    response.headers_mut().insert(http::header::CONTENT_LENGTH, 6.into());
    response
}

fn refusal(error: &BodyError) -> Response<Answer> {
    let code = if error.is_timeout() { StatusCode::REQUEST_TIMEOUT } else { StatusCode::BAD_REQUEST };
    status(code, &error.to_string())
}

fn status(code: StatusCode, text: &str) -> Response<Answer> {
    let mut response = whole(text.to_owned());
    *response.status_mut() = code;
    response
}

/// A listener being served.
#[derive(Debug)]
pub(crate) struct Server<H> {
    pub(crate) address: SocketAddr,
    pub(crate) handler: Arc<H>,
    pub(crate) metrics: Metrics,
    pub(crate) shutdown: CancellationToken,
    pub(crate) served: JoinHandle<Drained>,
}

impl Server<Paths> {
    pub(crate) fn start(limits: Limits) -> Self {
        Self::start_with(Paths::new(), limits, Metrics::new().unwrap())
    }

    pub(crate) fn start_secure(limits: Limits, tls: &Tls) -> Self {
        Self::start_as(Paths::new(), limits, Metrics::new().unwrap(), Some(tls.clone()))
    }
}

impl<H: Handler> Server<H> {
    pub(crate) fn start_with(handler: H, limits: Limits, metrics: Metrics) -> Self {
        Self::start_as(handler, limits, metrics, None)
    }

    fn start_as(handler: H, limits: Limits, metrics: Metrics, tls: Option<Tls>) -> Self {
        let options = ListenerOptions {
            name: "test".to_owned(),
            surface: "test",
            zone: Zone::Rie,
            tls,
            limits,
            setting: "--listen".to_owned(),
            device: None,
            proxies: TrustedProxies::default(),
            metrics: metrics.clone(),
        };
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), options).unwrap();
        let address = listener.local_address();
        let handler = Arc::new(handler);
        let shutdown = CancellationToken::new();
        let served = tokio::spawn({
            let (handler, shutdown) = (Arc::clone(&handler), shutdown.clone());
            async move { listener.serve(handler, &Environment::system(), shutdown).await }
        });
        Self { address, handler, metrics, shutdown, served }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// Whether a metric stands at a value now.
    pub(crate) fn counts(&self, metric: &str, value: u64) -> bool {
        let line = format!("{metric}{{listener=\"test\",zone=\"rie\"}} {value}");
        self.metrics.render().unwrap().lines().any(|shown| shown == line)
    }

    /// Lets everything else run until a metric stands at a value.
    pub(crate) async fn until(&self, metric: &str, value: u64) {
        while !self.counts(metric, value) {
            tokio::task::yield_now().await;
        }
    }
}

/// A connection of a client.
#[derive(Debug)]
pub(crate) struct Client<S = TcpStream>(pub(crate) S);

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) async fn send(&mut self, text: impl AsRef<[u8]>) -> &mut Self {
        self.0.write_all(text.as_ref()).await.unwrap();
        self
    }

    /// One request without a body, and its response.
    pub(crate) async fn get(&mut self, path: &str) -> String {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await.response().await
    }

    /// Reads one response, whose body must have a `content-length`.
    pub(crate) async fn response(&mut self) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            bytes.push(self.0.read_u8().await.unwrap());
        }
        let head = String::from_utf8(bytes).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.unwrap();
        head + std::str::from_utf8(&body).unwrap()
    }

    /// Reads until the server closes.
    pub(crate) async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).await.unwrap();
        String::from_utf8(bytes).unwrap()
    }
}
