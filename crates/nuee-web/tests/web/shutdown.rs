//! How a listener ends.

use nuee_web::{Drained, Limits};
use tokio::net::TcpStream;

use crate::support::{SHORT, Server, patient};

#[tokio::test]
async fn a_request_in_flight_is_finished_and_nobody_else_is_let_in() {
    let server = Server::start(patient());
    let mut client = server.connect().await;
    client.send("GET /wait HTTP/1.1\r\nhost: test\r\n\r\n").await;
    server.handler.begun.acquire().await.unwrap().forget();
    server.shutdown.cancel();
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    server.handler.allowed.add_permits(1);
    let response = client.rest().await;
    assert!(response.starts_with("HTTP/1.1 200 ") && response.ends_with("\r\n\r\nwaited"), "{response}");
    assert!(response.contains("connection: close\r\n"), "{response}");
    assert_eq!(server.served.await.unwrap(), Drained { finished: 1, cut: 0 });
}

#[tokio::test]
async fn idle_connections_are_closed_at_once() {
    let server = Server::start(patient());
    let (mut used, mut fresh) = (server.connect().await, server.connect().await);
    used.get("/").await;
    server.until("nuee_http_connections", 2).await;
    server.shutdown.cancel();
    assert_eq!(used.rest().await, "");
    assert_eq!(fresh.rest().await, "");
    assert_eq!(server.served.await.unwrap().cut, 0);
}

#[tokio::test]
async fn what_is_not_finished_at_the_deadline_is_cut_and_reported() {
    let server = Server::start(Limits { drain_timeout: SHORT, ..patient() });
    let mut client = server.connect().await;
    client.send("GET /wait HTTP/1.1\r\nhost: test\r\n\r\n").await;
    server.handler.begun.acquire().await.unwrap().forget();
    server.shutdown.cancel();
    assert_eq!(server.served.await.unwrap(), Drained { finished: 0, cut: 1 });
    assert_eq!(client.rest().await, "");
    let text = server.metrics.render().unwrap();
    assert!(text.contains("nuee_http_requests_in_flight{listener=\"test\",zone=\"rie\"} 0\n"), "{text}");
    assert!(
        text.contains("nuee_http_requests_cut_total{operation=\"other\",surface=\"test\"} 1\n"),
        "{text}"
    );
}
