//! Listeners of one's own: addresses, each with a zone and services.
//!
//! Without any, S3 is at `server.listen` and health at `server.admin_listen`, and zones are not configured: everything
//! counts as local, and needs no exposure. With one, S3 is where a listener says so, and what enters by a listener of a
//! zone reaches what is exposed there.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    net::SocketAddr,
};

use anyhow::{Context as _, Result, bail, ensure};
use nuee_base::{Network, Zone};
use nuee_web::TrustedProxies;
use serde::{Deserialize, Serialize};

use super::{Settings, TlsMode};

/// The most listeners.
const MAX_LISTENERS: usize = 32;
/// The most networks of trusted proxies of one.
const MAX_PROXIES: usize = 64;
/// The fewest bits by which a network of trusted proxies is told from the world.
const LEAST_BITS: [(usize, &str); 2] = [(8, "0.0.0.0"), (16, "::")];

/// A listener, as the settings say it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenerSettings {
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// The network whose requests enter here.
    #[serde(with = "crate::text")]
    pub zone: Zone,
    /// What is served.
    pub services: Vec<ListenerService>,
    /// The network interface that requests must come in by. Without it: any that leads to the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Proxies that may say for whom they ask, by address or network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_proxies: Vec<String>,
    /// Whether the certificate is presented. Without it: where there is one, except to `admin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<bool>,
}

/// What a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListenerService {
    /// S3, and temporary keys.
    S3,
    /// The management API, under the names of `api.domains`.
    Api,
    /// Health, metrics, and the operators' API.
    Admin,
}

impl ListenerService {
    /// The name in settings and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Api => "api",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for ListenerService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The section of a listener, as it is shown where there is none.
pub(crate) const EXAMPLE: &str = "\
# Listeners, each in a section of its own, in place of `server.listen`: see `docs/zones.md`. `zone` is the network whose
# requests enter here, `rie` or `internet`, and what is reached from there must be exposed there; from `local`, this
# machine, nothing needs an exposure. `services` are `s3`, `api` (the management API, under the names of `api.domains`),
# or both, or `admin` (health, metrics and the operators' API, which answers to this machine and inside TLS alone).
# `device` is the network interface
# that requests must come in by: without it, a host takes what is sent to any of its addresses by any interface.
# `trusted_proxies` are addresses or networks of proxies whose `X-Forwarded-For` is believed. `tls` says whether the
# certificate of the section `tls` is presented; without it, all but `admin` present it where there is one.
#[listeners.public]
#address = \"203.0.113.1:443\"
#zone = \"internet\"
#services = [\"s3\"]
#device = \"eth1\"
#trusted_proxies = [\"203.0.113.9\"]
#tls = true
";

/// A listener that is to be.
pub(crate) struct Planned {
    pub(crate) name: String,
    /// What is served, and whose name requests are counted under that nothing claims.
    pub(crate) service: ListenerService,
    /// Whether the management API is served too, under its names.
    pub(crate) with_api: bool,
    pub(crate) address: SocketAddr,
    pub(crate) zone: Zone,
    pub(crate) device: Option<String>,
    pub(crate) proxies: TrustedProxies,
    /// Whether the certificate is presented, if there is one.
    pub(crate) secure: bool,
    /// What chooses the address.
    pub(crate) setting: String,
}

impl Settings {
    /// Every listener that these settings ask for: one of S3 at least, and one of health and metrics.
    pub(crate) fn planned_listeners(&self) -> Result<Vec<Planned>> {
        let usual = |service: ListenerService, address, setting: &str| Planned {
            name: service.to_string(),
            service,
            with_api: service == ListenerService::S3,
            address,
            zone: Zone::Local,
            device: None,
            proxies: TrustedProxies::default(),
            secure: service == ListenerService::S3,
            setting: setting.to_owned(),
        };
        let mut planned = Vec::new();
        for (name, settings) in &self.listeners {
            let parsed = settings.plan(name).with_context(|| format!("listeners.{name}"))?;
            planned.extend(parsed);
        }
        if planned.is_empty() {
            planned.push(usual(ListenerService::S3, self.server.listen, "--listen"));
        }
        if !planned.iter().any(|listener| listener.service == ListenerService::Admin) {
            planned.push(usual(ListenerService::Admin, self.server.admin_listen, "--admin-listen"));
        }
        Ok(planned)
    }
}

impl ListenerSettings {
    fn plan(&self, name: &str) -> Result<Option<Planned>> {
        let proxies = self.trusted_proxies.iter().map(|text| proxy(text)).collect::<Result<Vec<_>>>()?;
        let with_api = self.services.contains(&ListenerService::Api);
        let first = self.services.iter().copied().find(|service| *service != ListenerService::Api);
        let Some(service) = first.or(with_api.then_some(ListenerService::Api)) else { return Ok(None) };
        Ok(Some(Planned {
            name: name.to_owned(),
            service,
            with_api,
            address: self.address,
            zone: self.zone,
            device: self.device.clone(),
            proxies: TrustedProxies::new(proxies),
            secure: self.tls.unwrap_or(service != ListenerService::Admin),
            setting: format!("listeners.{name}.address"),
        }))
    }

    fn check(&self, name: &str, tls: TlsMode) -> Result<()> {
        let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        ensure!(
            (1..=32).contains(&name.len()) && name.bytes().all(valid),
            "its name has 1 to 32 lower-case letters, digits and hyphens"
        );
        ensure!(!self.services.is_empty(), "`services` is empty: name `s3`, `api` or `admin`");
        let twice = self.services.len() != self.services.iter().collect::<HashSet<_>>().len();
        ensure!(!twice, "`services` names one twice");
        ensure!(
            self.services.len() == 1 || !self.services.contains(&ListenerService::Admin),
            "`services` names several, and `admin` cannot be told apart by the host of a request: give it a listener of its \
             own"
        );
        let serves = |service| self.services.contains(&service);
        if serves(ListenerService::Admin) {
            ensure!(
                self.zone != Zone::Internet,
                "health and metrics need no credentials: `admin` is for the zones `local` and `rie`"
            );
        }
        ensure!(
            self.tls != Some(true) || tls != TlsMode::Off,
            "`tls` is true, and there is no certificate: set `tls.mode`"
        );
        ensure!(
            self.zone != Zone::Local || self.address.ip().is_loopback(),
            "the zone `local` is this machine, and {} is not a loopback address: say `rie` or `internet`",
            self.address.ip()
        );
        ensure!(
            self.trusted_proxies.len() <= MAX_PROXIES,
            "`trusted_proxies` has more than {MAX_PROXIES} entries"
        );
        self.plan(name).map(drop)
    }
}

/// The network of a trusted proxy.
fn proxy(text: &str) -> Result<Network> {
    let network: Network = text.parse().context("trusted_proxies")?;
    let (_, bits) = text.split_once('/').unwrap_or((text, "128"));
    let least = LEAST_BITS[usize::from(text.contains(':'))].0;
    if network.is_everything() || bits.parse().is_ok_and(|bits: usize| bits < least) {
        bail!(
            "trusted_proxies: {text} is as good as everybody, and everybody could say to be anybody: name the proxies' own \
             addresses"
        );
    }
    Ok(network)
}

/// Refuses listeners that cannot be, or should not.
pub(super) fn validate(settings: &Settings) -> Result<()> {
    let listeners: &BTreeMap<_, _> = &settings.listeners;
    if listeners.is_empty() {
        return Ok(());
    }
    ensure!(listeners.len() <= MAX_LISTENERS, "there are more than {MAX_LISTENERS} sections of listeners");
    for (name, listener) in listeners {
        listener.check(name, settings.tls.mode).with_context(|| format!("listeners.{name}"))?;
    }
    ensure!(
        listeners.values().any(|listener| listener.services.contains(&ListenerService::S3)),
        "no listener has the service `s3`: once there are sections of listeners, S3 is where one of them says so"
    );
    let planned = settings.planned_listeners()?;
    for (index, one) in planned.iter().enumerate() {
        if let Some(other) = planned[..index].iter().find(|other| overlap(one.address, other.address)) {
            bail!("{} and {} have one address: {}", other.setting, one.setting, one.address);
        }
    }
    Ok(())
}

/// Whether a connection could be meant for either.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let (first, second) = (one.ip().to_canonical(), other.ip().to_canonical());
    let everywhere = first.is_unspecified() || second.is_unspecified();
    one.port() != 0 && one.port() == other.port() && (first == second || everywhere)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<Settings> {
        let settings: Settings = toml::from_str(text)?;
        validate(&settings)?;
        Ok(settings)
    }

    fn refusal(lines: &str) -> String {
        let usual = "[listeners.usual]\naddress = \"10.0.0.1:443\"\nzone = \"rie\"\nservices = [\"s3\"]\n";
        format!("{:#}", checked(&format!("{usual}[listeners.public]\n{lines}")).unwrap_err())
    }

    #[test]
    fn without_sections_everything_is_local_and_where_it_was() {
        let planned = Settings::default().planned_listeners().unwrap();
        let seen: Vec<_> =
            planned.iter().map(|each| (each.name.as_str(), each.zone, each.address.port())).collect();
        assert_eq!(seen, [("s3", Zone::Local, 9000), ("admin", Zone::Local, 9001)]);
    }

    #[test]
    fn sections_replace_the_usual_listener_of_s3_and_leave_that_of_health() {
        let settings = checked(
            "[listeners.inside]\naddress = \"10.0.0.1:443\"\nzone = \"rie\"\nservices = [\"s3\"]\n\
             [listeners.outside]\naddress = \"203.0.113.1:443\"\nzone = \"internet\"\nservices = [\"s3\"]\n\
             trusted_proxies = [\"203.0.113.9\", \"2001:db8::/64\"]\n",
        );
        let planned = settings.unwrap().planned_listeners().unwrap();
        let seen: Vec<_> = planned.iter().map(|each| (each.name.as_str(), each.zone)).collect();
        assert_eq!(seen, [("inside", Zone::Rie), ("outside", Zone::Internet), ("admin", Zone::Local)]);
    }

    #[test]
    fn listeners_that_should_not_be_are_refused() {
        let with = |address: &str, zone: &str, services: &str, more: &str| {
            refusal(&format!("address = \"{address}\"\nzone = \"{zone}\"\nservices = [{services}]\n{more}\n"))
        };
        let of = |more: &str| with("203.0.113.1:443", "internet", "\"s3\"", more);
        assert!(with("203.0.113.1:443", "internet", "\"ftp\"", "").contains("ftp"));
        assert!(with("203.0.113.1:443", "world", "\"s3\"", "").contains("world"));
        assert!(with("203.0.113.1:443", "internet", "\"admin\"", "").contains("no credentials"));
        assert!(with("203.0.113.1:443", "internet", "", "").contains("services"));
        assert!(with("203.0.113.1:443", "rie", "\"s3\", \"admin\"", "").contains("several"));
        assert!(with("10.0.0.1:443", "internet", "\"s3\"", "").contains("one address"));
        assert!(with("0.0.0.0:443", "internet", "\"s3\"", "").contains("one address"));
        assert!(with("127.0.0.1:9001", "rie", "\"s3\"", "").contains("one address"), "that of health");
        assert!(with("203.0.113.1:443", "local", "\"s3\"", "").contains("loopback"));
        assert!(of("tls = true").contains("certificate"));
        for proxy in ["0.0.0.0/0", "::/0", "0.0.0.0/1", "2000::/3", "10.0.0.1/8", "proxy.example.org", "*"] {
            assert!(of(&format!("trusted_proxies = [\"{proxy}\"]")).contains("trusted_proxies"), "{proxy}");
        }
        assert!(refusal("address = \"203.0.113.1:443\"\nservices = [\"s3\"]\n").contains("zone"));
        let alone =
            "[listeners.health]\naddress = \"10.0.0.1:9001\"\nzone = \"rie\"\nservices = [\"admin\"]\n";
        assert!(format!("{:#}", checked(alone).unwrap_err()).contains("`s3`"));
    }
}
