//! The surface for those who watch the process: health and metrics.
//!
//! It needs no authentication, so it shows nothing of tenants and belongs on a loopback or a private address. It
//! changes nothing: there is no other method than GET and HEAD.

use std::{fmt, future::Future, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;
use tokio::time::timeout;

use crate::{Handler, Metrics, OperationMetrics, Problem, RequestBody};

/// How long the checks of readiness may take together.
const CHECKS_TIMEOUT: Duration = Duration::from_secs(5);

/// One thing that must work before requests are welcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at, such as `metadata` or `custody`.
    pub name: &'static str,
    /// Whether it works.
    pub ok: bool,
    /// What was found, for an operator; empty when there is nothing to say.
    pub detail: String,
}

/// How the process is, as those who watch it read it.
#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Vec<Check>>,
}

/// `GET /health/live`, `GET /health/ready`, `GET /metrics`.
///
/// `live` says that the process answers. `ready` runs the checks, and is 200 when all are well and 503 otherwise.
pub struct AdminSurface {
    metrics: Metrics,
    checks: Box<dyn Fn() -> BoxFuture<'static, Vec<Check>> + Send + Sync>,
    operations: Operations,
}

struct Operations {
    live: OperationMetrics,
    ready: OperationMetrics,
    metrics: OperationMetrics,
    other: OperationMetrics,
}

impl AdminSurface {
    /// A surface that shows `metrics`, and asks `checks` whether the process is ready.
    pub fn new<F, C>(metrics: Metrics, checks: C) -> Self
    where
        C: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Vec<Check>> + Send + 'static,
    {
        let operation = |name| metrics.operation("admin", name);
        let operations = Operations {
            live: operation("GetLive"),
            ready: operation("GetReady"),
            metrics: operation("GetMetrics"),
            other: operation("other"),
        };
        Self { checks: Box::new(move || checks().boxed()), operations, metrics }
    }

    async fn ready(&self) -> Response<Full<Bytes>> {
        let Ok(checks) = timeout(CHECKS_TIMEOUT, (self.checks)()).await else {
            let detail = format!("the checks did not answer within {} s", CHECKS_TIMEOUT.as_secs());
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE).with_detail(detail).into_response();
        };
        let all_ok = checks.iter().all(|check| check.ok);
        let (status, word) =
            if all_ok { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "unready") };
        health(status, &Health { status: word, checks: Some(checks) })
    }

    fn show_metrics(&self) -> Response<Full<Bytes>> {
        match self.metrics.render() {
            Ok(text) => plain(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "metrics cannot be shown");
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR).into_response()
            }
        }
    }
}

impl Handler for AdminSurface {
    type Body = Full<Bytes>;

    async fn handle(&self, request: Request<RequestBody>) -> Response<Full<Bytes>> {
        let operation = match request.uri().path() {
            "/health/live" => &self.operations.live,
            "/health/ready" => &self.operations.ready,
            "/metrics" => &self.operations.metrics,
            _ => &self.operations.other,
        };
        let readable = matches!(*request.method(), Method::GET | Method::HEAD);
        let mut response = match request.uri().path() {
            "/health/live" | "/health/ready" | "/metrics" if !readable => refuse_method(),
            "/health/live" => health(StatusCode::OK, &Health { status: "live", checks: None }),
            "/health/ready" => self.ready().await,
            "/metrics" => self.show_metrics(),
            _ => Problem::new(StatusCode::NOT_FOUND)
                .with_detail("there are `/health/live`, `/health/ready` and `/metrics`")
                .into_response(),
        };
        response.extensions_mut().insert(operation.clone());
        response
    }
}

impl fmt::Debug for AdminSurface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminSurface")
    }
}

fn refuse_method() -> Response<Full<Bytes>> {
    let mut response =
        Problem::new(StatusCode::METHOD_NOT_ALLOWED).with_detail("use GET or HEAD").into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn health(status: StatusCode, health: &Health) -> Response<Full<Bytes>> {
    match serde_json::to_string(health) {
        Ok(text) => plain(status, "application/json", text),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "health cannot be shown");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR).into_response()
        }
    }
}

fn plain(status: StatusCode, content_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
