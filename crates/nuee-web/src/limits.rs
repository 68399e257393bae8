//! The limits of a listener, with their defaults.

use std::time::Duration;

use crate::Error;

/// The least that hyper takes as the size of a connection's buffer.
const LEAST_BUFFER_SIZE_BYTES: usize = 8192;

/// What one listener allows its clients. Every field has a default that suits a public S3 endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections served at once; further ones wait in the operating system's queue. Default 4096.
    pub connections: usize,
    /// From the connection to the end of the TLS handshake, where the listener speaks TLS. Default 10 s.
    pub handshake_timeout: Duration,
    /// Bytes of a request's line and headers together; more is answered 431. S3 itself allows 8 KiB. Default 32 KiB.
    pub header_size_bytes: usize,
    /// Headers in a request; more is answered 431. Any value but the default, 100, costs an allocation a request.
    pub header_count: usize,
    /// From the first byte of a request (on a new connection: from the connection, or its handshake's end) to the last of its headers;
    /// then the connection is closed. Default 15 s.
    pub header_timeout: Duration,
    /// How long a connection may stay between two requests. Default 60 s.
    pub idle_timeout: Duration,
    /// How long a request's body may stop while it is waited for; then reading it fails. Default 30 s.
    pub body_stall_timeout: Duration,
    /// The mean rate below which a request's body is given up, in bytes a second, counted from the end of
    /// `rate_grace` and over waiting time only; 0 for none. It bounds who sends one byte each 29 s. Default 256.
    pub body_minimum_rate: u64,
    /// Waiting time that a body may spend before its rate counts. Default 60 s.
    pub rate_grace: Duration,
    /// How long the client may take no byte of a response; then the connection is reset. Default 60 s.
    pub write_stall_timeout: Duration,
    /// The most that a connection reads or queues at once. Buffers start at 8 KiB and grow to this while a client
    /// sends faster than it is read. Default 128 KiB: less costs large PUTs more, and more gains nothing measurable.
    pub buffer_size_bytes: usize,
    /// How long requests in flight may go on after shutdown begins; then they are cut. Default 30 s.
    pub drain_timeout: Duration,
    /// How long bytes that a client still sends are read and dropped after the last response, so that the response is
    /// not lost to a reset (RFC 9112, section 9.6). Default 2 s.
    pub linger_timeout: Duration,
    /// How many such bytes. Default 16 MiB.
    pub linger_size_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            handshake_timeout: Duration::from_secs(10),
            header_size_bytes: 32 * 1024,
            header_count: 100,
            header_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_mins(1),
            body_stall_timeout: Duration::from_secs(30),
            body_minimum_rate: 256,
            rate_grace: Duration::from_mins(1),
            write_stall_timeout: Duration::from_mins(1),
            buffer_size_bytes: 128 * 1024,
            drain_timeout: Duration::from_secs(30),
            linger_timeout: Duration::from_secs(2),
            linger_size_bytes: 16 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// Refuses values that cannot work.
    pub fn validate(&self) -> Result<(), Error> {
        let refuse = |name, value: String, reason| Err(Error::Limit { name, value, reason });
        if self.connections == 0 || self.connections > tokio::sync::Semaphore::MAX_PERMITS {
            return refuse(
                "connections",
                self.connections.to_string(),
                "allow at least one, and no absurd number",
            );
        }
        if self.header_count == 0 {
            return refuse("header_count", "0".to_owned(), "every request has at least a `host` header");
        }
        if self.buffer_size_bytes < LEAST_BUFFER_SIZE_BYTES {
            return refuse("buffer_size_bytes", self.buffer_size_bytes.to_string(), "the least is 8192");
        }
        if self.header_size_bytes == 0 || self.header_size_bytes > self.buffer_size_bytes {
            let reason = "headers must fit into `buffer_size_bytes`";
            return refuse("header_size_bytes", self.header_size_bytes.to_string(), reason);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert!(Limits::default().validate().is_ok());
    }

    #[test]
    fn a_limit_that_cannot_work_is_refused_by_name() {
        let limits = Limits { header_size_bytes: 1 << 20, ..Limits::default() };
        let said = limits.validate().unwrap_err().to_string();
        assert!(said.contains("header_size_bytes") && said.contains("1048576"), "{said}");
        assert!(Limits { connections: 0, ..Limits::default() }.validate().is_err());
        assert!(Limits { buffer_size_bytes: 4096, ..Limits::default() }.validate().is_err());
    }
}
