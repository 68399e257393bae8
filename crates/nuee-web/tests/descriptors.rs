//! A shortage of file descriptors. It concerns the whole process, so it has a test binary to itself.

use std::{fs::File, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use nuee_base::{Environment, Zone};
use nuee_web::{Handler, Limits, Listener, ListenerOptions, Metrics, RequestBody, TrustedProxies};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

struct Hello;

impl Handler for Hello {
    type Body = Full<Bytes>;

    async fn handle(&self, _: Request<RequestBody>) -> Response<Full<Bytes>> {
        Response::new(Full::from("hello"))
    }
}

#[tokio::test]
async fn a_listener_without_a_free_descriptor_goes_on_when_there_is_one() {
    let metrics = Metrics::new().unwrap();
    let options = ListenerOptions {
        name: "test".to_owned(),
        surface: "test",
        zone: Zone::Local,
        tls: None,
        limits: Limits::default(),
        setting: "--listen".to_owned(),
        device: None,
        proxies: TrustedProxies::default(),
        metrics: metrics.clone(),
    };
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), options).unwrap();
    let address = listener.local_address();
    let shutdown = CancellationToken::new();
    tokio::spawn({
        let shutdown = shutdown.clone();
        async move { listener.serve(Arc::new(Hello), &Environment::system(), shutdown).await }
    });

    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    // One for the client; the server's end of the connection finds none.
    files.pop();
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await.unwrap();
    let failed = || {
        let none = "nuee_http_accept_errors_total{listener=\"test\",zone=\"local\"} 0";
        let text = metrics.render().unwrap();
        text.contains("nuee_http_accept_errors_total{") && !text.contains(none)
    };
    while !failed() {
        tokio::task::yield_now().await;
    }

    drop(files);
    let mut response = String::new();
    client.read_to_string(&mut response).await.unwrap();
    assert!(response.ends_with("\r\n\r\nhello"), "{response}");
    shutdown.cancel();
}
