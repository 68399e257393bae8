//! What ill-behaved clients meet. A time limit under test is short, and the test waits for what the server then does.

use std::time::Duration;

use nuee_web::Limits;
use tokio::io::AsyncReadExt;

use crate::support::{SHORT, Server, patient};

#[tokio::test]
async fn a_connection_that_sends_nothing_is_closed() {
    let server = Server::start(Limits { header_timeout: SHORT, ..patient() });
    assert_eq!(server.connect().await.rest().await, "");
    timed_out(&server, "header");
}

#[tokio::test]
async fn headers_that_do_not_end_are_given_up() {
    let server = Server::start(Limits { header_timeout: SHORT, ..patient() });
    let mut client = server.connect().await;
    assert_eq!(client.send("GET / HTTP/1.1\r\nhost: te").await.rest().await, "");
    timed_out(&server, "header");
}

#[tokio::test]
async fn headers_that_trickle_are_given_up_although_bytes_come() {
    let server = Server::start(Limits { header_timeout: SHORT, ..patient() });
    let (mut reading, mut writing) = server.connect().await.0.into_split();
    let trickle = tokio::spawn(async move {
        // Ends when the connection does.
        while tokio::io::AsyncWriteExt::write_all(&mut writing, b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let mut bytes = Vec::new();
    // A reset is as good an end as a close.
    let _ = reading.read_to_end(&mut bytes).await;
    assert!(bytes.is_empty());
    timed_out(&server, "header");
    trickle.await.unwrap();
}

#[tokio::test]
async fn headers_of_a_second_request_have_the_header_time_too() {
    let server = Server::start(Limits { header_timeout: SHORT, ..patient() });
    let mut client = server.connect().await;
    client.get("/").await;
    assert_eq!(client.send("GET / HT").await.rest().await, "");
    timed_out(&server, "header");
}

#[tokio::test]
async fn a_connection_kept_for_nothing_is_closed_after_the_idle_time() {
    let server = Server::start(Limits { idle_timeout: SHORT, ..patient() });
    let mut client = server.connect().await;
    client.get("/").await;
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn too_many_bytes_of_headers_are_answered_431() {
    let server = Server::start(patient());
    let mut client = server.connect().await;
    let head = format!("GET / HTTP/1.1\r\nhost: test\r\nx-long: {}\r\n\r\n", "x".repeat(64 * 1024));
    let response = client.send(head).await.rest().await;
    assert!(response.starts_with("HTTP/1.1 431 "), "{response}");
}

#[tokio::test]
async fn too_many_headers_are_answered_431() {
    for (header_count, status) in [(100, "431"), (101, "200")] {
        let server = Server::start(Limits { header_count, ..patient() });
        let mut client = server.connect().await;
        let head = format!("GET / HTTP/1.1\r\nhost: test\r\n{}\r\n", "x-many: 1\r\n".repeat(100));
        let response = client.send(head).await.response().await;
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{header_count}: {response}");
    }
}

#[tokio::test]
async fn what_is_not_http_is_answered_400() {
    let server = Server::start(patient());
    let response = server.connect().await.send("\x16\x03\x01\x02 hello\r\n\r\n").await.rest().await;
    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
}

#[tokio::test]
async fn a_body_that_stops_is_an_error_for_its_reader_and_the_client_is_told() {
    let server = Server::start(Limits { body_stall_timeout: SHORT, ..patient() });
    let mut client = server.connect().await;
    client.send("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nabc").await;
    let response = client.rest().await;
    assert!(
        response.starts_with("HTTP/1.1 408 ") && response.contains("stopped before its end"),
        "{response}"
    );
    timed_out(&server, "body");
}

#[tokio::test]
async fn a_body_that_drips_is_too_slow() {
    let limits = Limits { body_minimum_rate: 1_000_000, rate_grace: SHORT, ..patient() };
    let server = Server::start(limits);
    let mut client = server.connect().await;
    client.send("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nabc").await;
    let response = client.rest().await;
    assert!(response.starts_with("HTTP/1.1 408 ") && response.contains("too slowly"), "{response}");
}

#[tokio::test]
async fn a_body_that_is_cut_or_malformed_is_an_error_for_its_reader() {
    let server = Server::start(patient());
    let mut client = server.connect().await;
    client.send("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nabc").await;
    tokio::io::AsyncWriteExt::shutdown(&mut client.0).await.unwrap();
    let response = client.rest().await;
    assert!(response.contains("went away"), "{response}");

    let mut client = server.connect().await;
    client.send("POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n").await;
    let response = client.rest().await;
    assert!(response.contains("malformed"), "{response}");
}

#[tokio::test]
async fn a_client_that_takes_no_byte_of_a_response_is_given_up() {
    let server = Server::start(Limits { write_stall_timeout: SHORT, ..patient() });
    let mut client = server.connect().await;
    client.send("GET /large HTTP/1.1\r\nhost: test\r\n\r\n").await;
    server.until("nuee_http_connections", 1).await;
    server.until("nuee_http_connections", 0).await;
    timed_out(&server, "write");
}

#[tokio::test]
async fn connections_above_the_limit_wait_for_a_place() {
    let server = Server::start(Limits { connections: 2, ..patient() });
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    first.get("/").await;
    second.get("/").await;
    let mut third = server.connect().await;
    third.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
    server.until("nuee_http_connections_full_total", 1).await;
    // The third is not served while the others work.
    for _ in 0..20 {
        first.get("/").await;
        assert!(server.counts("nuee_http_connections_accepted_total", 2));
    }
    drop(first);
    assert!(third.response().await.ends_with("\r\n\r\nhello"));
}

#[track_caller]
pub(crate) fn timed_out<H>(server: &Server<H>, phase: &str) {
    let line = format!("nuee_http_timeouts_total{{listener=\"test\",phase=\"{phase}\",zone=\"rie\"}} 1\n");
    let text = server.metrics.render().unwrap();
    assert!(text.contains(&line), "{line} is not in\n{text}");
}
