//! What well-behaved clients get.

use nuee_base::Zone;
use nuee_web::{Error, Limits, Listener, ListenerOptions, Metrics, TrustedProxies, raise_open_file_limit};
use tokio::io::AsyncWriteExt;

use crate::support::{Client, LARGE_BYTES, Server, patient};

#[tokio::test]
async fn a_request_learns_its_zone_its_peer_and_an_id_of_its_own() {
    let server = Server::start(patient());
    let mut client = server.connect().await;
    let peer = client.0.local_addr().unwrap().to_string();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let response = client.get("/arrival").await;
        let words: Vec<_> = response.rsplit("\r\n\r\n").next().unwrap().split(' ').collect();
        assert_eq!(words[1..], ["rie", &peer, "clear"]);
        assert_eq!(words[0].len(), 16);
        ids.push(words[0].to_owned());
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_on_one_connection() {
    let server = Server::start(patient());
    let mut client = server.connect().await;
    let post = |body: &str| {
        format!("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    client.send(["one", "two", "three"].map(post).concat()).await;
    for body in ["one", "two", "three"] {
        assert!(client.response().await.ends_with(&format!("\r\n\r\n{body}")));
    }
    assert!(server.counts("nuee_http_connections_accepted_total", 1));
}

#[tokio::test]
async fn a_client_that_expects_to_be_told_is_told_to_go_on() {
    let server = Server::start(patient());
    let mut client = server.connect().await;
    let head = "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n";
    assert_eq!(client.send(head).await.response().await, "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(client.send("abc").await.response().await.ends_with("\r\n\r\nabc"));
}

#[tokio::test]
async fn the_connection_of_a_body_that_was_read_stays_open() {
    let server = Server::start(patient());
    let mut client = server.connect().await;
    for request in [
        "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n",
    ] {
        let response = client.send(request).await.response().await;
        assert!(
            response.starts_with("HTTP/1.1 200 OK\r\n") && !response.contains("connection:"),
            "{response}"
        );
    }
    assert!(server.counts("nuee_http_connections_accepted_total", 1));
}

#[tokio::test]
async fn a_client_whose_body_is_not_read_learns_that_the_connection_ends() {
    let server = Server::start(patient());
    for request in [
        "POST /forbidden HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n\r\nabc",
        "POST /forbidden HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\nexpect: 100-continue\r\n\r\n",
    ] {
        let mut client = server.connect().await;
        let response = client.send(request).await.rest().await;
        assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
    }
}

#[tokio::test]
async fn a_client_that_ended_its_sending_side_still_gets_the_response() {
    let server = Server::start(patient());
    let mut client = server.connect().await;
    client.send("GET /wait HTTP/1.1\r\nhost: test\r\n\r\n").await;
    server.handler.begun.acquire().await.unwrap().forget();
    client.0.shutdown().await.unwrap();
    // Answers to another client come after the server has seen the end of this one's sending side.
    let mut other = server.connect().await;
    for _ in 0..10 {
        other.get("/").await;
    }
    server.handler.allowed.add_permits(1);
    assert!(client.rest().await.ends_with("\r\n\r\nwaited"));
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let server = Server::start(patient());
    let mut client = server.connect().await;
    let length = 4 * 1024 * 1024;
    client.send(format!("PUT /forbidden HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n")).await;
    client.send(vec![b'x'; length]).await;
    let response = client.response().await;
    assert!(response.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{response}");
}

#[tokio::test]
async fn large_bodies_pass_unchanged_in_both_directions() {
    let server = Server::start(patient());
    let Client(stream) = server.connect().await;
    let (reading, mut writing) = stream.into_split();
    let sent: Vec<u8> = (0..=250).cycle().take(LARGE_BYTES).collect();
    let head = format!("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: {LARGE_BYTES}\r\n\r\n");
    writing.write_all(head.as_bytes()).await.unwrap();
    writing.write_all(&sent).await.unwrap();
    writing.shutdown().await.unwrap();
    let mut received = Vec::new();
    let mut reading = reading;
    tokio::io::AsyncReadExt::read_to_end(&mut reading, &mut received).await.unwrap();
    assert!(received.ends_with(&sent));
    assert!(!server.counts("nuee_http_received_bytes_total", 0));
}

#[tokio::test]
async fn two_thousand_idle_connections_do_not_keep_a_client_from_working() {
    raise_open_file_limit().unwrap();
    let server = Server::start(patient());
    let mut idle = Vec::new();
    for _ in 0..2000 {
        let mut client = server.connect().await;
        client.send("GET / HTTP/1.1\r\nhost:").await;
        idle.push(client);
    }
    server.until("nuee_http_connections", 2000).await;
    let mut client = server.connect().await;
    for _ in 0..100 {
        assert!(client.get("/").await.ends_with("\r\n\r\nhello"));
    }
    assert!(idle[1999].send(" test\r\n\r\n").await.response().await.ends_with("\r\n\r\nhello"));
}

#[tokio::test]
async fn an_address_in_use_is_explained() {
    let server = Server::start(patient());
    let options = ListenerOptions {
        name: "second".to_owned(),
        surface: "second",
        zone: Zone::Local,
        tls: None,
        limits: Limits::default(),
        setting: "--listen".to_owned(),
        device: None,
        proxies: TrustedProxies::default(),
        metrics: Metrics::new().unwrap(),
    };
    let error = Listener::bind(server.address, options.clone()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot listen on {}: address in use; choose another with --listen", server.address)
    );
    let limits = Limits { connections: 0, ..Limits::default() };
    let error = Listener::bind("127.0.0.1:0".parse().unwrap(), ListenerOptions { limits, ..options });
    assert!(matches!(error, Err(Error::Limit { name: "connections", .. })));
}

#[tokio::test]
async fn a_streamed_response_is_counted_as_answered_and_a_short_one_as_cut() {
    let server = Server::start(patient());
    let counts = || {
        let text = server.metrics.render().unwrap();
        let value = |start: &str| text.lines().find_map(|line| line.strip_prefix(start)).unwrap().to_owned();
        (
            value("nuee_http_requests_total{operation=\"other\",status=\"2xx\",surface=\"test\"} "),
            value("nuee_http_requests_cut_total{operation=\"other\",surface=\"test\"} "),
        )
    };
    let mut client = server.connect().await;
    assert!(client.get("/streamed").await.ends_with("\r\n\r\nabcdef"));
    assert_eq!(counts(), ("1".to_owned(), "0".to_owned()));

    client.send("GET /short HTTP/1.1\r\nhost: test\r\n\r\n").await;
    // hyper may cut the connection before it has written what there is.
    assert!(!client.rest().await.contains("abcdef"));
    assert_eq!(counts(), ("1".to_owned(), "1".to_owned()));
}
