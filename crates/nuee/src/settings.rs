//! Settings: every key with its default and its explanation, in the order in which `nuee config show` prints them.
//!
//! They come from a file (`nuee.toml`), then from environment variables `NUEE_SECTION__KEY`, then from the command's
//! options; the later wins. A key or a variable that is not declared here is an error, not a surprise. There is no
//! secret among them.

mod document;
mod listeners;
mod load;
mod sign_in;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result};
use clap::ValueEnum;
use nuee_base::Country;
use nuee_tenancy::SiteDescription;
use nuee_web::Limits as WebLimits;
use serde::{Deserialize, Serialize};

use crate::{custody::Places, platform::Tuning};

pub(crate) use document::show;
pub(crate) use listeners::Planned;
pub use listeners::{ListenerService, ListenerSettings};
pub(crate) use load::{Source, load};
pub use sign_in::{SignInIssuerSettings, SignInKind, TokenEndpointAuth};

/// The port of S3 where none is set.
const S3_PORT: u16 = 9000;
/// The port of health and metrics where none is set.
const ADMIN_PORT: u16 = 9001;

/// The authority that most of the web has its certificates from.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Declares the sections and their keys once: the types, the defaults, and the explanations that people read.
macro_rules! settings {
    ($(
        $(#[doc = $section_doc:literal])*
        $section:ident: $type:ident {
            $( $(#[doc = $key_doc:literal])* $(#[serde($($serde:tt)*)])? $key:ident: $value:ty = $default:expr, )*
        }
    )*) => {
        /// All settings of `nuee`.
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Settings {
            $( $(#[doc = $section_doc])* pub $section: $type, )*
            /// Receivers of events, by name.
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            pub webhooks: BTreeMap<String, WebhookSettings>,
            /// Listeners of one's own, by name.
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            pub listeners: BTreeMap<String, ListenerSettings>,
        }

        $(
            $(#[doc = $section_doc])*
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            #[serde(default, deny_unknown_fields)]
            pub struct $type {
                $( $(#[doc = $key_doc])* $(#[serde($($serde)*)])? pub $key: $value, )*
            }

            impl Default for $type {
                fn default() -> Self {
                    Self { $( $key: $default, )* }
                }
            }
        )*

        /// Sections, their keys, and the lines that explain them.
        pub(crate) const EXPLANATIONS: &[Section] = &[
            $( Section {
                name: stringify!($section),
                lines: &[$($section_doc),*],
                keys: &[$( (stringify!($key), &[$($key_doc),*]), )*],
            }, )*
        ];
    };
}

/// A section and the explanations of its keys.
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) lines: &'static [&'static str],
    pub(crate) keys: &'static [(&'static str, &'static [&'static str])],
}

settings! {
    /// Where `nuee` listens.
    server: ServerSettings {
        /// Address and port of S3; port 0 takes a free one. Beyond this machine, set `tls.mode` as well, or put a proxy
        /// that speaks TLS before it. Where there are sections of listeners, it is of no effect.
        listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, S3_PORT)),
        /// Address and port of health (`/health/live`, `/health/ready`) and metrics (`/metrics`). They need no
        /// credentials, so keep them on this machine or on a private network. Where a section of listeners has `admin`, it
        /// is of no effect.
        admin_listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, ADMIN_PORT)),
    }

    /// Where things are kept.
    storage: StorageSettings {
        /// Directory of everything that is stored. Without it: `$XDG_DATA_HOME/nuee`, or `~/.local/share/nuee`.
        data_dir: Option<PathBuf> = None,
        /// Directory of the keys; never inside the data directory, best on another disk. Without it: where they were
        /// last, at first `$XDG_STATE_HOME/nuee/keys/<instance>` or `~/.local/state/nuee/keys/<instance>`.
        key_dir: Option<PathBuf> = None,
        /// How long the bytes of an object that was deleted or replaced are kept for those who have begun to read it.
        /// A download that takes longer may break off.
        reclaim_delay_seconds: u64 = 60,
    }

    /// Where the objects lie, as you declare it: projects may be bound to countries (`nuee project placement`). Nothing
    /// checks it.
    site: SiteSettings {
        /// What the data centre is called, such as `Rosny-sous-Bois`.
        data_centre: Option<String> = None,
        /// The country that it is in: its code of ISO 3166-1, such as `FR`. Without it, projects that are bound to countries
        /// are not written to.
        #[serde(with = "crate::text::optional")]
        country: Option<Country> = None,
        /// Who runs it.
        operator: Option<String> = None,
    }

    /// What S3 clients see.
    s3: S3Settings {
        /// Domains whose subdomains are bucket names, beside `s3.localhost`: in `s3.example.org`, the bucket `papers` is
        /// at `papers.s3.example.org`. A bucket can always be given in the path as well.
        domains: Vec<String> = Vec::new(),
        /// Name of the region, for the settings of clients. Requests that were signed for another region are accepted
        /// too.
        region: String = "fr1".to_owned(),
    }

    /// The management API: see `docs/api.md`.
    api: ApiSettings {
        /// Names under which it answers, beside `console.localhost`, such as `console.example.org`. A request for another
        /// name is S3's.
        domains: Vec<String> = Vec::new(),
    }

    /// How what passes between S3 clients and the server is encrypted. Health and metrics stay in the clear.
    tls: TlsSettings {
        /// `off`: not at all. `files`: with a certificate that you have. `self-signed`: with one that `nuee` makes, and
        /// that clients must be told to trust. `acme`: with one that an authority issues and renews (RFC 8555).
        mode: TlsMode = TlsMode::Off,
        /// With `files`: PEM file of the certificate, followed by those that lead to its authority. It is read again
        /// when it changes, and on SIGHUP.
        certificate: Option<PathBuf> = None,
        /// With `files`: PEM file of the certificate's private key. Let the user of the server alone read it.
        key: Option<PathBuf> = None,
        /// With `acme`: URL of the authority's directory. You agree to its terms of service by choosing it.
        acme_directory: String = LETS_ENCRYPT.to_owned(),
        /// With `acme`: domains of the certificate, without wildcards. Port 443 of each must lead to the S3 listener.
        acme_domains: Vec<String> = Vec::new(),
        /// With `acme`: URLs by which the authority can reach you, such as `mailto:operations@example.org`.
        acme_contacts: Vec<String> = Vec::new(),
        /// With `acme`: PEM file of the authorities that vouch for the directory itself. Without it: the system's.
        acme_ca_bundle: Option<PathBuf> = None,
    }

    /// Who signs in elsewhere and comes with a token, and whose pages may use S3: see `docs/identity.md`.
    identity: IdentitySettings {
        /// Origins of pages that may use buckets which have no rules of their own for other sites, such as
        /// `https://lab.example.org`. Once there is one, it is also the only one that may ask for temporary keys from a
        /// browser; without any, each may, with a token of its own.
        browser_origins: Vec<String> = Vec::new(),
        /// Issuers of tokens, each in a section of its own such as `[identity.issuers.lab]`: `url` (what tokens call it),
        /// `audiences` (for whom they must be), and, if needed, `algorithms` (RS256 and ES256), `jwks_url` (where its keys
        /// are, if its configuration does not say) and `ca_bundle` (PEM file of its authorities).
        issuers: BTreeMap<String, IssuerSettings> = BTreeMap::new(),
    }

    /// Where people sign in: see `docs/identity.md`.
    sign_in: SignInSettings {
        /// Issuers, each in a section of its own such as `[sign_in.issuers.proconnect]`: `kind` (`openid` or `proconnect`),
        /// `url`, `client_id` and `client_secret_file`; and, if needed, `title`, `zone` (whose people it is offered to),
        /// `scopes`, `acr_values_multi_factor`, `pkce`, `token_endpoint_auth` (`client_secret_post` or
        /// `client_secret_basic`), `algorithms`, `userinfo_algorithms` and `ca_bundle`.
        issuers: BTreeMap<String, SignInIssuerSettings> = BTreeMap::new(),
    }

    /// What clients may take of the server.
    limits: LimitSettings {
        /// Connections served at once; further ones wait.
        connections: usize = 4_096,
        /// From the connection to the end of the TLS handshake.
        handshake_timeout_seconds: u64 = 10,
        /// Bytes of a request's line and headers together.
        header_size_bytes: usize = 32 << 10,
        /// From the first byte of a request to the last of its headers.
        header_timeout_seconds: u64 = 15,
        /// How long a connection may stay between two requests.
        idle_timeout_seconds: u64 = 60,
        /// How long the body of a request may stop.
        body_stall_timeout_seconds: u64 = 30,
        /// How long a client may take no byte of a response.
        write_stall_timeout_seconds: u64 = 60,
        /// How long requests that are being answered may go on after a stop was asked for.
        drain_timeout_seconds: u64 = 30,
    }

    /// What was done: for how long it is kept, and who else signs it.
    journal: JournalSettings {
        /// After how many months what the journal says is erased, unless something that is there follows from it; 12 at
        /// least. Without it: never. The leaves stay, and so do their proofs.
        retention_months: Option<u32> = None,
        /// Witnesses, who sign the journal's checkpoints on machines of their own: for each its URL, a space, and the key
        /// that `nuee witness` prints.
        witnesses: Vec<String> = Vec::new(),
        /// PEM file of the authorities that vouch for witnesses. Without it: the system's.
        witness_ca_bundle: Option<PathBuf> = None,
    }

    /// What is logged, to standard error. Logs hold no keys of objects and no secrets.
    log: LogSettings {
        /// `error`, `warn`, `info`, `debug` or `trace`; or several of them by module, such as `info,nuee_s3=debug`.
        /// The variable `NUEE_LOG` sets it too.
        level: String = "info".to_owned(),
        /// `pretty`, `json`, or `auto`: pretty on a terminal, JSON otherwise.
        format: LogFormat = LogFormat::Auto,
    }
}

/// Where the certificate of the S3 listener comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// Nowhere: there is no TLS.
    Off,
    /// Files.
    Files,
    /// This program, for trying out.
    SelfSigned,
    /// An authority that speaks ACME.
    Acme,
}

/// A receiver that buckets may tell their events to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Where events are sent, by POST.
    pub url: String,
    /// File of the secret with which they are signed.
    pub secret_file: PathBuf,
    /// Projects whose buckets may use it, as `organisation/project`.
    pub projects: Vec<String>,
    /// PEM file of the authorities that vouch for the receiver. Without it: the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<PathBuf>,
}

/// An issuer whose tokens make somebody known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSettings {
    /// What tokens call it (`iss`), letter by letter.
    pub url: String,
    /// For whom tokens must be (`aud`), or through whom they must have been asked for (`azp`).
    pub audiences: Vec<String>,
    /// How tokens may be signed.
    #[serde(default = "usual_algorithms")]
    pub algorithms: Vec<String>,
    /// Where its keys are. Without it, its configuration says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<String>,
    /// PEM file of the authorities that vouch for it. Without it: the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<PathBuf>,
}

fn usual_algorithms() -> Vec<String> {
    vec!["RS256".to_owned(), "ES256".to_owned()]
}

/// The section of a receiver, as it is shown where there is none.
pub(crate) const WEBHOOK_EXAMPLE: &str = "\
# Receivers that buckets may tell their events to, each in a section of its own: buckets name this one
# `arn:aws:sns:::portal`. `secret_file` holds `whsec_` and 32 random bytes in base64, with which messages are signed
# (https://www.standardwebhooks.com). `ca_bundle` is the PEM file of the receiver's authorities, if not the system's.
#[webhooks.portal]
#url = \"https://portal.example.org/events\"
#secret_file = \"/etc/nuee/portal.secret\"
#projects = [\"local/default\"]
#ca_bundle =
";

/// The form of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Pretty on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line, for programs.
    Json,
}

impl Settings {
    /// Where data and keys are, or may be.
    pub(crate) fn places(&self) -> Result<Places> {
        let data = match &self.storage.data_dir {
            Some(path) => path.clone(),
            None => home("XDG_DATA_HOME", ".local/share").context(
                "nothing says where to keep the data, for neither XDG_DATA_HOME nor HOME is set: give a directory with \
                 --data-dir",
            )?,
        };
        let home = home("XDG_STATE_HOME", ".local/state").map(|state| state.join("keys"));
        Ok(Places { data: std::path::absolute(data)?, given: self.storage.key_dir.clone(), home })
    }

    /// Where the objects lie.
    pub(crate) fn site(&self) -> SiteDescription {
        let SiteSettings { data_centre, country, operator } = self.site.clone();
        SiteDescription { data_centre, country, operator }
    }

    /// How the layers below work, as far as there are settings for it.
    pub(crate) fn tuning(&self) -> Tuning {
        let mut tuning = Tuning::default();
        tuning.store.reclaim_delay = Duration::from_secs(self.storage.reclaim_delay_seconds);
        tuning
    }

    /// The limits of listeners.
    pub(crate) fn web_limits(&self) -> WebLimits {
        let limits = &self.limits;
        WebLimits {
            connections: limits.connections,
            handshake_timeout: Duration::from_secs(limits.handshake_timeout_seconds),
            header_size_bytes: limits.header_size_bytes,
            header_timeout: Duration::from_secs(limits.header_timeout_seconds),
            idle_timeout: Duration::from_secs(limits.idle_timeout_seconds),
            body_stall_timeout: Duration::from_secs(limits.body_stall_timeout_seconds),
            write_stall_timeout: Duration::from_secs(limits.write_stall_timeout_seconds),
            drain_timeout: Duration::from_secs(limits.drain_timeout_seconds),
            ..WebLimits::default()
        }
    }
}

/// `nuee` in a directory of the [XDG specification](https://specifications.freedesktop.org/basedir-spec/latest/), which
/// ignores paths that are not absolute.
fn home(variable: &str, below_home: &str) -> Option<PathBuf> {
    let set = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set.or_else(|| std::env::home_dir().map(|home| home.join(below_home)))?;
    Some(base.join("nuee"))
}
