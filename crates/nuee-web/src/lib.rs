//! What every HTTP surface shares: listeners and their zones, limits, time limits, metrics, health, problem documents.
//!
//! A surface implements [`Handler`] and is served by a [`Listener`]. The listener promises that nothing a client does
//! holds memory, a connection or a task for ever: every header, body, response, connection and shutdown has the limit
//! that [`Limits`] names. It gives each request an [`Arrival`] (request id, zone, who sent it, whether it came encrypted)
//! as an extension. With a [`Tls`] it speaks nothing but TLS.
//!
//! This crate knows nothing of S3, of accounts or of what is stored, and it decides nothing about access.

mod admin;
mod arrival;
mod body;
mod connection;
mod error;
mod handler;
mod head_timer;
mod limits;
mod listener;
mod metrics;
mod observation;
mod open_files;
mod patience;
mod problem;
mod proxies;
mod stream;
mod tls;
mod transport;

pub use admin::{AdminSurface, Check};
pub use arrival::{Arrival, RequestId, RequestIds};
pub use body::{BodyError, RequestBody};
pub use error::Error;
pub use handler::{BoxError, Handler};
pub use limits::Limits;
pub use listener::{Drained, Listener, ListenerOptions};
pub use metrics::{Counter, Gauge, Metrics, OperationMetrics};
pub use observation::ObservedBody;
pub use open_files::{OpenFiles, raise_open_file_limit};
pub use problem::Problem;
pub use proxies::TrustedProxies;
pub use tls::{Identity, IdentityError, Tls};
