//! How a request came in: its id, the zone it entered by, and its peer.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicU64, Ordering},
};

use http::HeaderValue;
use nuee_base::{Environment, Origin, Zone};

/// How a request came in; an extension of every request that a [`Listener`](crate::Listener) hands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The name of this request in responses and logs.
    pub request_id: RequestId,
    /// The zone of the listener that accepted the connection.
    pub zone: Zone,
    /// The other end of the connection.
    pub peer: SocketAddr,
    /// Whoever sent the request: the peer, or whom it names if it is a trusted proxy.
    pub client: IpAddr,
    /// Whether the connection is encrypted; what policies know as `aws:SecureTransport`.
    pub secure: bool,
}

impl Arrival {
    /// Where the request came in, for whoever decides about it.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin { zone: self.zone, address: self.client }
    }
}

/// The name of a request, shown as 16 upper-case hexadecimal digits. It is not a secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(u64);

impl RequestId {
    /// The id as the value of a response header.
    #[must_use]
    pub fn header_value(self) -> HeaderValue {
        HeaderValue::from_str(&self.to_string()).unwrap_or(HeaderValue::from_static(""))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

/// Gives out request ids.
///
/// Ids of one source never repeat; those of two sources almost surely differ, because each starts at a random place.
#[derive(Debug)]
pub struct RequestIds {
    start: u64,
    issued: AtomicU64,
}

impl RequestIds {
    /// A source that starts at a random place.
    #[must_use]
    pub fn new(environment: &Environment) -> Self {
        let mut start = [0; 8];
        environment.fill_random(&mut start);
        Self { start: u64::from_le_bytes(start), issued: AtomicU64::new(0) }
    }

    /// The next id.
    pub fn next_id(&self) -> RequestId {
        // SplitMix64 (Steele, Lea, Flood 2014): a counter through a bijection, so nothing repeats and neighbours do
        // not look alike, for the price of one atomic addition.
        let count = self.issued.fetch_add(1, Ordering::Relaxed);
        let mut mixed = self.start.wrapping_add(count.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        RequestId(mixed ^ (mixed >> 31))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_differ_and_have_sixteen_digits() {
        let ids = RequestIds::new(&Environment::system());
        let seen: HashSet<String> = (0..10_000).map(|_| ids.next_id().to_string()).collect();
        assert_eq!(seen.len(), 10_000);
        assert!(seen.iter().all(|id| id.len() == 16 && !id.contains(|c: char| !c.is_ascii_hexdigit())));
    }
}
