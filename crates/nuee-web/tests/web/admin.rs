//! The surface for those who watch the process.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use nuee_web::{AdminSurface, Check, Metrics};

use crate::support::{Server, patient};

/// An admin surface whose only check says what `well` says.
fn start(well: &Arc<AtomicBool>) -> Server<AdminSurface> {
    let metrics = Metrics::new().unwrap();
    let well = Arc::clone(well);
    let checks = move || {
        let ok = well.load(Ordering::Relaxed);
        async move { vec![Check { name: "metadata", ok, detail: "last commit 3 ms ago".to_owned() }] }
    };
    Server::start_with(AdminSurface::new(metrics.clone(), checks), patient(), metrics)
}

#[tokio::test]
async fn readiness_follows_the_checks_and_life_does_not() {
    let well = Arc::new(AtomicBool::new(true));
    let server = start(&well);
    let mut client = server.connect().await;
    let response = client.get("/health/ready").await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    assert!(response.contains("\"status\":\"ready\""), "{response}");

    well.store(false, Ordering::Relaxed);
    let response = client.get("/health/ready").await;
    assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
    let expected =
        r#"{"status":"unready","checks":[{"name":"metadata","ok":false,"detail":"last commit 3 ms ago"}]}"#;
    assert!(response.ends_with(expected), "{response}");
    assert!(client.get("/health/live").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn metrics_show_the_requests_before() {
    let server = start(&Arc::new(AtomicBool::new(true)));
    let mut client = server.connect().await;
    client.get("/health/live").await;
    let response = client.get("/metrics").await;
    for line in [
        "content-type: text/plain; version=0.0.4; charset=utf-8\r\n",
        "nuee_http_requests_total{operation=\"GetLive\",status=\"2xx\",surface=\"admin\"} 1\n",
        "nuee_http_connections{listener=\"test\",zone=\"rie\"} 1\n",
        "nuee_http_requests_in_flight{listener=\"test\",zone=\"rie\"} 1\n",
    ] {
        assert!(response.contains(line), "{line} is not in\n{response}");
    }
}

#[tokio::test]
async fn everything_else_is_a_problem_document() {
    let server = start(&Arc::new(AtomicBool::new(true)));
    let mut client = server.connect().await;
    for path in ["/", "/health", "/health/live/", "/debug/pprof", "/metrics/../health/live"] {
        let response = client.get(path).await;
        assert!(response.starts_with("HTTP/1.1 404 "), "{path}: {response}");
        assert!(response.contains("content-type: application/problem+json\r\n"), "{response}");
    }
    let response = client.send("POST /metrics HTTP/1.1\r\nhost: test\r\n\r\n").await.response().await;
    assert!(response.starts_with("HTTP/1.1 405 ") && response.contains("allow: GET, HEAD\r\n"), "{response}");
}

#[tokio::test]
async fn a_head_request_is_counted_as_answered() {
    let server = start(&Arc::new(AtomicBool::new(true)));
    let mut client = server.connect().await;
    client.send("HEAD /health/live HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await.rest().await;
    let text = server.metrics.render().unwrap();
    assert!(
        text.contains("nuee_http_requests_total{operation=\"GetLive\",status=\"2xx\",surface=\"admin\"} 1\n"),
        "{text}"
    );
}
