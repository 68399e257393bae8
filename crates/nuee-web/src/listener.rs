//! Listeners: an address, a zone, and the limits of those who come.
//!
//! A listener outlives what goes wrong with single connections, and shortages: without a free file descriptor it
//! waits and tries again. Connections above the limit wait in the operating system's queue, where they cost nothing
//! here; the time limits see to it that places become free. A TLS handshake takes place after the connection was
//! accepted and holds a place of its own, so it delays nobody else.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use nuee_base::{Environment, Zone};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    select,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Error, Handler, Limits, Metrics, RequestIds, Tls, TrustedProxies,
    connection::{self, Ends, Shared},
    metrics::ListenerMetrics,
};

/// Connections that the operating system completes before they are accepted.
const BACKLOG: u32 = 4096;

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a listener is, besides its address.
#[derive(Debug, Clone)]
pub struct ListenerOptions {
    /// Its name in metrics and logs.
    pub name: String,
    /// The surface of requests that no handler claims, such as `s3` or `admin`.
    pub surface: &'static str,
    /// The zone of everything that enters here.
    pub zone: Zone,
    /// The network interface that connections must come in by; any without it.
    pub device: Option<String>,
    /// Whom to believe for whom they ask.
    pub proxies: TrustedProxies,
    /// What is presented to clients; without it, the listener speaks HTTP in the clear.
    pub tls: Option<Tls>,
    /// What clients may do.
    pub limits: Limits,
    /// The option or setting that chooses the address, for the message when it cannot be used.
    pub setting: String,
    /// Where connections and requests are counted.
    pub metrics: Metrics,
}

/// A bound address, not served yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    options: ListenerOptions,
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were open when shutdown began and ended by themselves.
    pub finished: usize,
    /// Connections that were still busy at the deadline and were cut.
    pub cut: usize,
}

impl Listener {
    /// Binds `address`; port 0 takes a free port. Needs a Tokio runtime.
    ///
    /// Clients can connect from here on; they are served once [`serve`](Self::serve) runs.
    pub fn bind(address: SocketAddr, options: ListenerOptions) -> Result<Self, Error> {
        options.limits.validate()?;
        let bound =
            open(address, options.device.as_deref()).and_then(|socket| Ok((socket.local_addr()?, socket)));
        let (address, socket) = bound.map_err(|source| Error::listen(address, &options.setting, source))?;
        Ok(Self { socket, address, options })
    }

    /// The address, with the port that was taken.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is cancelled, then closes the address, lets requests in flight finish within the drain
    /// time, and cuts the rest.
    pub async fn serve<H: Handler>(
        self,
        handler: Arc<H>,
        environment: &Environment,
        shutdown: CancellationToken,
    ) -> Drained {
        let Self { socket, options, .. } = self;
        let metrics = Arc::new(options.metrics.listener(&options.name, options.zone));
        let drain_timeout = options.limits.drain_timeout;
        let door = Door {
            places: Arc::new(Semaphore::new(options.limits.connections)),
            full: AtomicBool::new(false),
            name: options.name,
            metrics: Arc::clone(&metrics),
            socket,
        };
        let shared = Arc::new(Shared {
            handler,
            zone: options.zone,
            proxies: options.proxies,
            tls: options.tls,
            request_ids: RequestIds::new(environment),
            unclaimed: options.metrics.operation(options.surface, "other"),
            limits: options.limits,
            metrics,
        });
        let ends = Ends { after_request: shutdown.clone(), at_once: CancellationToken::new() };
        let connections = TaskTracker::new();
        loop {
            let (stream, peer, place) = select! {
                biased;
                () = shutdown.cancelled() => break,
                entered = door.enter() => entered,
            };
            // Tokens of its own, so that connections do not contend for one lock each time they are polled.
            let ends =
                Ends { after_request: ends.after_request.child_token(), at_once: ends.at_once.child_token() };
            let served = connection::serve(Arc::clone(&shared), stream, peer, ends);
            connections.spawn(async move {
                served.await;
                drop(place);
            });
        }
        drop(door);
        drain(&connections, &ends.at_once, drain_timeout).await
    }
}

fn open(address: SocketAddr, device: Option<&str>) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait for connections of the process before to leave TIME-WAIT.
    socket.set_reuseaddr(true)?;
    if let Some(device) = device {
        // A host takes what is sent to any of its addresses, whichever way it comes.
        socket.bind_device(Some(device.as_bytes()))?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn drain(connections: &TaskTracker, cut: &CancellationToken, limit: Duration) -> Drained {
    connections.close();
    let open = connections.len();
    if timeout(limit, connections.wait()).await.is_ok() {
        return Drained { finished: open, cut: 0 };
    }
    let busy = connections.len();
    cut.cancel();
    connections.wait().await;
    Drained { finished: open.saturating_sub(busy), cut: busy }
}

/// Where connections come in, one at a time, while there are places.
struct Door {
    socket: TcpListener,
    places: Arc<Semaphore>,
    /// Whether there was no place at the last look, so that it is said once.
    full: AtomicBool,
    name: String,
    metrics: Arc<ListenerMetrics>,
}

impl Door {
    /// The next connection, and its place.
    async fn enter(&self) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        let place = self.place().await;
        let mut pause = FIRST_PAUSE;
        loop {
            match self.socket.accept().await {
                Ok((stream, peer)) => {
                    self.metrics.accepted.inc();
                    // Without it, a small response waits for the acknowledgement of the one before: 40 ms.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%peer, error = &error as &dyn std::error::Error, "no TCP_NODELAY");
                    }
                    return (stream, peer, place);
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    self.metrics.accept_errors.inc();
                    tracing::warn!(
                        listener = %self.name,
                        error = &error as &dyn std::error::Error,
                        "no connection can be accepted; trying again (if files run out, raise the limit on open files)"
                    );
                    sleep(pause).await;
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
            }
        }
    }

    async fn place(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                self.full.store(false, Ordering::Relaxed);
                return place;
            }
            self.metrics.full.inc();
            if !self.full.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    listener = %self.name,
                    "as many connections as allowed are open; further ones wait"
                );
            }
            // Fails only on a closed semaphore, and nobody closes this one.
            if let Ok(place) = Arc::clone(&self.places).acquire_owned().await {
                return place;
            }
        }
    }
}

/// Whether the client of a connection went away before it was accepted.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
