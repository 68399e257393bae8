//! Networks of a test: a namespace for the server, and one for each zone, joined to it by a cable of its own.
//!
//! Making them needs root.

use std::{
    fs::File,
    net::IpAddr,
    os::fd::AsFd,
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use nuee_base::Zone;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The server's address in the State's network.
pub(super) const RIE: &str = "10.1.0.1";
/// Whoever asks from there.
pub(super) const RIE_CLIENT: &str = "10.1.0.2";
/// The server's address on the internet.
pub(super) const INTERNET: &str = "203.0.113.1";
/// Whoever asks from there.
pub(super) const INTERNET_CLIENT: &str = "203.0.113.2";

/// Three namespaces, which are gone when it is dropped.
pub(super) struct Networks {
    prefix: String,
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {said}: this test makes networks: run it as root");
}

/// Does something in a namespace, in a thread of its own.
fn within<T: Send>(namespace: &str, work: impl FnOnce() -> T + Send) -> T {
    let file = File::open(format!("/run/netns/{namespace}")).unwrap();
    thread::scope(|scope| {
        let inside = scope.spawn(move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            work()
        });
        inside.join().unwrap()
    })
}

impl Networks {
    pub(super) fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let networks = Self { prefix: format!("nuee-{}-{number}", process::id()) };
        let server = networks.namespace(Zone::Local);
        for zone in [Zone::Local, Zone::Rie, Zone::Internet] {
            let namespace = networks.namespace(zone);
            ip(&format!("netns add {namespace}"));
            ip(&format!("-n {namespace} link set lo up"));
        }
        for (zone, address, client) in
            [(Zone::Rie, RIE, RIE_CLIENT), (Zone::Internet, INTERNET, INTERNET_CLIENT)]
        {
            let namespace = networks.namespace(zone);
            ip(&format!("link add {zone} netns {server} type veth peer name eth0 netns {namespace}"));
            ip(&format!("-n {server} address add {address}/24 dev {zone}"));
            ip(&format!("-n {server} link set {zone} up"));
            ip(&format!("-n {namespace} address add {client}/24 dev eth0"));
            ip(&format!("-n {namespace} link set eth0 up"));
        }
        networks
    }

    fn namespace(&self, zone: Zone) -> String {
        let place = if zone == Zone::Local { "server" } else { zone.as_str() };
        format!("{}-{place}", self.prefix)
    }

    /// Does something where the server is, or as somebody in a zone.
    pub(super) fn within<T: Send>(&self, zone: Zone, work: impl FnOnce() -> T + Send) -> T {
        within(&self.namespace(zone), work)
    }

    /// Lets those of a zone send to an address by the server's own.
    pub(super) fn route(&self, zone: Zone, to: &str, by: &str) {
        ip(&format!("-n {} route add {to} via {by}", self.namespace(zone)));
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        for zone in [Zone::Rie, Zone::Internet, Zone::Local] {
            let _ = Command::new("ip").args(["netns", "delete", &self.namespace(zone)]).status();
        }
    }
}

/// An address of a text.
pub(super) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}
