//! TLS: what a listener presents to its clients, and what it agrees on with them.
//!
//! rustls on aws-lc-rs speaks TLS 1.3 and 1.2, with its authenticated cipher suites and forward secrecy only. Keys are
//! agreed on by X25519MLKEM768 where the client offers it, so that what is recorded today stays closed to a quantum
//! computer; else by X25519 or a curve of NIST. The one protocol inside is `http/1.1`.
//!
//! A [`Tls`] presents an [`Identity`], which may be replaced while clients are connected: connections keep what they
//! agreed on, later ones get the new identity. It also answers the challenges of ACME (`tls-alpn-01`, RFC 8737).
//!
//! There are no client certificates, no early data (it can be replayed), and no session that outlives its identity.

mod identity;

use std::{
    collections::HashMap,
    fmt, io,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{ServerConfig, server::Acceptor, server::ClientHello};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};

use crate::stream::GuardedStream;

pub use identity::{Identity, IdentityError};

/// The name of the protocol by which an authority of ACME asks for the answer to its challenge.
const ACME_PROTOCOL: &[u8] = b"acme-tls/1";

/// What a client is told that speaks plain HTTP where TLS is spoken.
pub(crate) const PLAIN_HTTP_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    content-length: 37\r\n\
    connection: close\r\n\r\n\
    This port speaks TLS: use https://.\r\n";

/// The first byte of every TLS connection: a record of the handshake (RFC 8446, section 5.1).
const HANDSHAKE_RECORD: u8 = 0x16;

/// What TLS listeners present. Cheap to clone; clones present the same.
#[derive(Clone, Default)]
pub struct Tls(Arc<Presented>);

#[derive(Default)]
struct Presented {
    identity: RwLock<Option<Arc<ServerConfig>>>,
    /// Answers to challenges that are under way, by domain.
    challenges: RwLock<HashMap<String, Arc<ServerConfig>>>,
}

impl Tls {
    /// Presents nothing yet: until there is an identity, clients are refused.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Presents `identity` from the next handshake on.
    pub fn present(&self, identity: &Identity) {
        *self.0.identity.write().unwrap_or_else(PoisonError::into_inner) = Some(identity.config());
    }

    /// Answers an authority that asks about `domain` with `identity`, which [`Identity::for_challenge`] made.
    pub fn answer_challenge(&self, domain: &str, identity: &Identity) {
        let mut challenges = self.0.challenges.write().unwrap_or_else(PoisonError::into_inner);
        challenges.insert(domain.to_ascii_lowercase(), identity.config());
    }

    /// Forgets the answers to all challenges.
    pub fn end_challenges(&self) {
        self.0.challenges.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn choose(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        let asks = hello.alpn().is_some_and(|mut protocols| protocols.any(|name| name == ACME_PROTOCOL));
        if asks {
            let domain = hello.server_name()?.to_ascii_lowercase();
            let challenges = self.0.challenges.read().unwrap_or_else(PoisonError::into_inner);
            return challenges.get(&domain).cloned();
        }
        self.0.identity.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// Why a connection has no TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The client speaks HTTP in the clear, and can be told.
    #[error("the client speaks plain HTTP")]
    PlainHttp(GuardedStream),
    /// There is no certificate yet, or no such challenge.
    #[error("there is nothing to present to this client")]
    NothingToPresent,
    /// The connection broke, or the two sides do not agree.
    #[error("the handshake failed")]
    Handshake(#[from] io::Error),
}

/// Agrees with a client on TLS. The caller limits the time.
pub(crate) async fn accept(tls: &Tls, stream: GuardedStream) -> Result<TlsStream<GuardedStream>, Failure> {
    // Every method of HTTP begins with a capital letter.
    if stream.first_byte().await?.is_some_and(|byte| byte != HANDSHAKE_RECORD && byte.is_ascii_uppercase()) {
        return Err(Failure::PlainHttp(stream));
    }
    let started = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let config = tls.choose(&started.client_hello()).ok_or(Failure::NothingToPresent)?;
    Ok(started.into_stream(config).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_plain_http_is_as_long_as_it_says() {
        let text = std::str::from_utf8(PLAIN_HTTP_ANSWER).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
    }
}
