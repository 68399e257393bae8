//! Trusted proxies: who may say for whom it asks.
//!
//! A *trusted proxy* is a machine, known by its address, that hands on the requests of others and names them in
//! `X-Forwarded-For`. For example, with the proxy `10.0.0.5` trusted, a request from there with
//! `X-Forwarded-For: 203.0.113.9, 198.51.100.7` comes from `198.51.100.7`: the proxy wrote that, and what stands before
//! it may be a lie of the client.
//!
//! Promised: a header changes the address only where the other end of the connection is trusted; the address is the
//! last one that no trusted proxy has. Nothing changes the zone.
//!
//! Deliberately absent: `Forwarded` (RFC 7239), the PROXY protocol, and whether the client of a proxy used TLS.

use std::{net::IpAddr, sync::Arc};

use http::HeaderMap;
use nuee_base::Network;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The proxies that a listener trusts. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<[Network]>);

impl TrustedProxies {
    /// These networks.
    #[must_use]
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks.into())
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Whoever sent a request that came over a connection from `peer`.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut nearest = peer.to_canonical();
        if self.0.is_empty() {
            return nearest;
        }
        // Of several headers, the last was written last.
        for value in headers.get_all(FORWARDED_FOR).iter().rev() {
            for named in value.as_bytes().rsplit(|byte| *byte == b',') {
                if !self.trusts(nearest) {
                    return nearest;
                }
                // What cannot be read was written by the nearest one: nobody before it is known.
                let Some(address) = read(named) else { return nearest };
                nearest = address;
            }
        }
        nearest
    }
}

/// An address, which some proxies write with a port.
fn read(named: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(named).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    bare.parse::<IpAddr>().ok().or_else(with_port).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], peer: &str, headers: &[&str]) -> String {
        let proxies = TrustedProxies::new(trusted.iter().map(|text| text.parse().unwrap()).collect());
        let mut map = HeaderMap::new();
        for value in headers {
            map.append(FORWARDED_FOR, value.parse().unwrap());
        }
        map.append("forwarded", "for=192.0.2.99".parse().unwrap());
        proxies.client(peer.parse().unwrap(), &map).to_string()
    }

    #[test]
    fn nobody_names_another_unless_it_is_trusted() {
        assert_eq!(client(&[], "198.51.100.7", &["10.0.0.1"]), "198.51.100.7");
        assert_eq!(client(&["10.0.0.5"], "198.51.100.7", &["10.0.0.1"]), "198.51.100.7");
        assert_eq!(client(&["10.0.0.5"], "::ffff:198.51.100.7", &[]), "198.51.100.7");
    }

    #[test]
    fn a_trusted_proxy_names_the_last_whom_nobody_trusted_wrote() {
        let trusted = &["10.0.0.5", "10.0.1.0/24"];
        let of = |headers: &[&str]| client(trusted, "10.0.0.5", headers);
        assert_eq!(of(&["203.0.113.9"]), "203.0.113.9");
        assert_eq!(of(&["192.0.2.1, 203.0.113.9"]), "203.0.113.9", "what is before it may be a lie");
        assert_eq!(of(&["203.0.113.9, 10.0.1.7"]), "203.0.113.9", "past another trusted proxy");
        assert_eq!(of(&["10.0.0.5,203.0.113.9 , 10.0.1.7"]), "203.0.113.9");
        assert_eq!(of(&["192.0.2.1", "203.0.113.9"]), "203.0.113.9", "the last header");
        assert_eq!(of(&["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(of(&["[2001:db8::9]:4711"]), "2001:db8::9");
        assert_eq!(of(&["[2001:db8::9]"]), "2001:db8::9");
        assert_eq!(of(&["::ffff:203.0.113.9"]), "203.0.113.9");
        assert_eq!(client(trusted, "::ffff:10.0.0.5", &["203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn who_names_nobody_that_can_be_read_is_the_client_itself() {
        let of = |headers: &[&str]| client(&["10.0.0.5", "10.0.0.6"], "10.0.0.5", headers);
        assert_eq!(of(&[]), "10.0.0.5");
        assert_eq!(of(&["203.0.113.9, unknown"]), "10.0.0.5");
        assert_eq!(of(&["203.0.113.9,"]), "10.0.0.5");
        assert_eq!(of(&["203.0.113.9, 10.0.0.6, x, 10.0.0.6"]), "10.0.0.6");
        assert_eq!(of(&["10.0.0.6"]), "10.0.0.6", "everybody is trusted");
    }
}
