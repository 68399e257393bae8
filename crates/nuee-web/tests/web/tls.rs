//! What clients of TLS get, and those who only say that they are.

use std::sync::Arc;

use nuee_web::{Identity, IdentityError, Limits, Tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, IsCa, KeyPair};
use rustls::{
    ClientConfig, ProtocolVersion, RootCertStore,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::ServerName,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    limits::timed_out,
    support::{Client, LARGE_BYTES, Paths, SHORT, Server, patient},
};

/// An authority of one test's own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Certificate and key for a name, as texts in PEM.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    fn identity(&self, name: &str) -> Identity {
        let (certificate, key) = self.issue(name);
        Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap()
    }

    /// A client that trusts this authority.
    fn client(&self, provider: CryptoProvider) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }

    fn usual_client(&self) -> ClientConfig {
        self.client(aws_lc_rs::default_provider())
    }
}

fn presenting(identity: &Identity) -> Tls {
    let tls = Tls::new();
    tls.present(identity);
    tls
}

async fn try_secure(
    server: &Server<Paths>,
    name: &str,
    config: ClientConfig,
) -> std::io::Result<Client<TlsStream<TcpStream>>> {
    let stream = server.connect().await.0;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    Ok(Client(TlsConnector::from(Arc::new(config)).connect(name, stream).await?))
}

async fn secure(server: &Server<Paths>, name: &str, config: ClientConfig) -> Client<TlsStream<TcpStream>> {
    try_secure(server, name, config).await.unwrap()
}

#[tokio::test]
async fn keys_are_agreed_on_by_a_post_quantum_hybrid_where_the_client_offers_it() {
    let authority = Authority::new();
    let server = Server::start_secure(patient(), &presenting(&authority.identity("s3.test")));
    let mut client = secure(&server, "s3.test", authority.usual_client()).await;
    let (_, session) = client.0.get_ref();
    let group = session.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
    assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(client.get("/arrival").await.ends_with(" secure"));
}

#[tokio::test]
async fn a_client_without_the_hybrid_gets_a_curve() {
    let authority = Authority::new();
    let server = Server::start_secure(patient(), &presenting(&authority.identity("s3.test")));
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
    let client = secure(&server, "s3.test", authority.client(provider)).await;
    let group = client.0.get_ref().1.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, rustls::NamedGroup::X25519);
}

#[tokio::test]
async fn a_client_of_tls_1_2_is_served_and_one_of_1_1_is_not() {
    let authority = Authority::new();
    let server = Server::start_secure(patient(), &presenting(&authority.identity("s3.test")));
    let mut config = authority.usual_client();
    let builder = ClientConfig::builder_with_provider(Arc::clone(config.crypto_provider()));
    let versions = builder.with_protocol_versions(&[&rustls::version::TLS12]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    config = versions.with_root_certificates(roots).with_no_client_auth();
    let mut client = secure(&server, "s3.test", config).await;
    assert_eq!(client.0.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    assert!(client.get("/").await.ends_with("\r\n\r\nhello"));

    let mut client = server.connect().await;
    client.send(hello_of_tls_1_1()).await;
    let mut alert = Vec::new();
    client.0.read_to_end(&mut alert).await.unwrap();
    // A fatal alert, `protocol_version` (RFC 8446, section 6).
    assert_eq!((alert[0], &alert[alert.len() - 2..]), (21, &[2, 70][..]), "{alert:?}");
    server.until("nuee_tls_handshake_failures_total", 1).await;
}

/// A hello that knows no newer version than TLS 1.1 (RFC 4346, section 7.4.1.2).
fn hello_of_tls_1_1() -> Vec<u8> {
    let mut body = vec![3, 2];
    body.extend([7; 32]);
    // No session; the suite TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA; no compression; signatures by ECDSA on P-256.
    body.extend([0, 0, 2, 0xC0, 0x09, 1, 0, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);
    let length = u8::try_from(body.len()).unwrap();
    let mut hello = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    hello.extend(body);
    hello
}

#[tokio::test]
async fn plain_http_is_told_that_tls_is_spoken() {
    let authority = Authority::new();
    let server = Server::start_secure(patient(), &presenting(&authority.identity("s3.test")));
    let response = server.connect().await.get("/").await;
    assert!(response.starts_with("HTTP/1.1 400 ") && response.contains("https://"), "{response}");
    server.until("nuee_http_connections", 0).await;
    assert!(server.counts("nuee_tls_handshake_failures_total", 1));
}

#[tokio::test]
async fn garbage_is_refused_and_keeps_nobody_else_out() {
    let authority = Authority::new();
    let limits = Limits { connections: 1, ..patient() };
    let server = Server::start_secure(limits, &presenting(&authority.identity("s3.test")));
    for garbage in
        [&b"\0\0\0\0\0\0\0\0"[..], b"\x16\x03\x01\xff\xff garbage", b"\x16\x03\x01\0\x05hello", b""]
    {
        let mut client = server.connect().await;
        client.send(garbage).await;
        client.0.shutdown().await.unwrap();
        let _ = client.0.read_to_end(&mut Vec::new()).await;
        server.until("nuee_http_connections", 0).await;
    }
    let mut client = secure(&server, "s3.test", authority.usual_client()).await;
    assert!(client.get("/").await.ends_with("\r\n\r\nhello"));
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_given_up_and_its_place_is_free() {
    let authority = Authority::new();
    let limits = Limits { handshake_timeout: SHORT, connections: 1, ..patient() };
    let server = Server::start_secure(limits, &presenting(&authority.identity("s3.test")));
    let mut client = server.connect().await;
    client.send(&hello_of_tls_1_1()[..20]).await;
    let _ = client.0.read_to_end(&mut Vec::new()).await;
    server.until("nuee_http_connections", 0).await;
    timed_out(&server, "handshake");
}

#[tokio::test]
async fn a_client_that_sends_nothing_after_its_handshake_has_the_header_time() {
    let authority = Authority::new();
    let limits = Limits { header_timeout: SHORT, ..patient() };
    let server = Server::start_secure(limits, &presenting(&authority.identity("s3.test")));
    let mut client = secure(&server, "s3.test", authority.usual_client()).await;
    let _ = client.0.read_to_end(&mut Vec::new()).await;
    timed_out(&server, "header");
}

#[tokio::test]
async fn a_client_that_takes_no_byte_of_an_encrypted_response_is_given_up() {
    let authority = Authority::new();
    let limits = Limits { write_stall_timeout: SHORT, ..patient() };
    let server = Server::start_secure(limits, &presenting(&authority.identity("s3.test")));
    let mut client = secure(&server, "s3.test", authority.usual_client()).await;
    client.send("GET /large HTTP/1.1\r\nhost: test\r\n\r\n").await;
    server.until("nuee_http_connections", 0).await;
    timed_out(&server, "write");
}

#[tokio::test]
async fn a_handshake_under_way_does_not_hold_up_a_shutdown() {
    let authority = Authority::new();
    let server = Server::start_secure(
        Limits { handshake_timeout: crate::support::LONG, ..patient() },
        &presenting(&authority.identity("s3.test")),
    );
    let client = server.connect().await;
    server.until("nuee_http_connections", 1).await;
    server.shutdown.cancel();
    assert_eq!(server.served.await.unwrap().cut, 0);
    drop(client);
}

#[tokio::test]
async fn large_bodies_pass_unchanged_inside_tls() {
    let authority = Authority::new();
    let server = Server::start_secure(patient(), &presenting(&authority.identity("s3.test")));
    let client = secure(&server, "s3.test", authority.usual_client()).await;
    let (mut reading, mut writing) = tokio::io::split(client.0);
    let sent: Vec<u8> = (0..=250).cycle().take(LARGE_BYTES).collect();
    let head = format!(
        "POST /echo HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {LARGE_BYTES}\r\n\r\n"
    );
    writing.write_all(head.as_bytes()).await.unwrap();
    writing.write_all(&sent).await.unwrap();
    let mut received = Vec::new();
    // Ends without an error only where the server has said that it is the end.
    reading.read_to_end(&mut received).await.unwrap();
    assert!(received.ends_with(&sent));
}

#[tokio::test]
async fn a_new_identity_is_presented_to_those_who_come_and_disturbs_nobody() {
    let (old, new) = (Authority::new(), Authority::new());
    let tls = presenting(&old.identity("s3.test"));
    let server = Server::start_secure(patient(), &tls);
    let mut early = secure(&server, "s3.test", old.usual_client()).await;
    early.send("GET /wait HTTP/1.1\r\nhost: test\r\n\r\n").await;
    server.handler.begun.acquire().await.unwrap().forget();
    tls.present(&new.identity("s3.test"));
    let mut late = secure(&server, "s3.test", new.usual_client()).await;
    assert!(late.get("/").await.ends_with("\r\n\r\nhello"));
    assert!(try_secure(&server, "s3.test", old.usual_client()).await.is_err());
    server.handler.allowed.add_permits(1);
    assert!(early.response().await.ends_with("\r\n\r\nwaited"));
    assert!(early.get("/").await.ends_with("\r\n\r\nhello"), "the connection goes on");
}

#[tokio::test]
async fn without_an_identity_clients_are_refused_and_challenges_answered() {
    let authority = Authority::new();
    let tls = Tls::new();
    let server = Server::start_secure(patient(), &tls);
    assert!(try_secure(&server, "s3.test", authority.usual_client()).await.is_err());

    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["s3.test".to_owned()]).unwrap();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&[7; 32])];
    let certificate = params.signed_by(&key, &authority.0).unwrap();
    let (certificate, key) = (certificate.pem(), key.serialize_pem());
    let identity = Identity::for_challenge(certificate.as_bytes(), key.as_bytes()).unwrap();
    tls.answer_challenge("s3.test", &identity);
    let asking = || {
        let mut config = authority.usual_client();
        config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
        config
    };
    // The client here refuses a critical extension that it does not know; that it got as far shows the answer.
    let said = try_secure(&server, "s3.test", asking()).await.unwrap_err().to_string();
    assert!(said.contains("UnsupportedCriticalExtension"), "{said}");
    assert!(try_secure(&server, "s3.test", authority.usual_client()).await.is_err());
    tls.end_challenges();
    let said = try_secure(&server, "s3.test", asking()).await.unwrap_err().to_string();
    assert!(!said.contains("UnsupportedCriticalExtension"), "{said}");
}

#[test]
fn what_cannot_be_presented_is_refused_with_its_reason() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("s3.test");
    let (_, other) = authority.issue("s3.test");
    let made = |chain: &str, key: &str| Identity::from_pem(chain.as_bytes(), key.as_bytes());
    assert!(matches!(made("", &key), Err(IdentityError::NoCertificate)));
    assert!(matches!(made(&certificate, ""), Err(IdentityError::NoKey)));
    assert!(matches!(made(&certificate, &certificate), Err(IdentityError::NoKey)));
    assert!(matches!(made(&certificate, &other), Err(IdentityError::Mismatch)));
    let cut = &certificate[..certificate.len() / 2];
    assert!(matches!(made(cut, &key), Err(IdentityError::Certificate(_))));
    let identity = made(&certificate, &key).unwrap();
    assert_eq!(identity.names(), ["s3.test"]);
    assert!(identity.not_before() < identity.not_after());
}
