//! What a surface implements to be served.

use std::{error::Error, future::Future};

use bytes::Bytes;
use http::{Request, Response};

use crate::RequestBody;

/// Any error, boxed; what a response's body may fail with.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Answers requests. Every failure becomes a response of the surface's own protocol, so there is no error here.
///
/// A request carries an [`Arrival`](crate::Arrival) among its extensions. A response may carry an
/// [`OperationMetrics`](crate::OperationMetrics) among its own, to be counted under that operation; without one it is
/// counted under the listener's name and the operation `other`.
///
/// When the client goes away, or the listener's time to drain is over, the future is dropped at its next await.
pub trait Handler: Send + Sync + 'static {
    /// The body of the responses. One that fails cuts the connection, so that no client takes the part for the whole.
    type Body: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static;

    /// Answers one request.
    fn handle(&self, request: Request<RequestBody>) -> impl Future<Output = Response<Self::Body>> + Send;
}
