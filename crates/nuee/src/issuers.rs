//! The issuers of the settings: who somebody is, by a token of one of them.
//!
//! An issuer publishes the keys with which it signs, at an address that its configuration names
//! ([OpenID Connect Discovery](https://openid.net/specs/openid-connect-discovery-1_0.html)). They are fetched when a token
//! needs them, kept, and fetched again when a token names a key that is not among them, which a change of keys brings about;
//! so that nobody makes this server ask without end, not sooner than some seconds after the last time.
//!
//! Promised: an issuer that does not answer makes nobody known, and is told apart from a bad token. Keys that are kept
//! serve on for an hour while their issuer does not answer.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Empty;
use nuee_access::{Identity, InvalidToken, Issuer, KeySet, Token};
use nuee_base::{Environment, Slug};
use nuee_s3::{Unidentified, WebIdentities};
use serde::Deserialize;
use tokio::{sync::Mutex, time::timeout};

use crate::{Settings, http_client::HttpClient, settings::IssuerSettings};

/// How long keys are kept before they are fetched again.
const FRESH_FOR: Duration = Duration::from_mins(10);
/// How long they serve on while their issuer does not answer.
const KEPT_FOR: Duration = Duration::from_hours(1);
/// How soon an issuer is asked again, whatever tokens say.
const PAUSE: Duration = Duration::from_secs(5);
/// How long an issuer has to answer, both questions together.
const PATIENCE: Duration = Duration::from_secs(4);

/// All issuers of a server.
pub(crate) struct Issuers {
    all: Vec<Known>,
    environment: Environment,
}

struct Known {
    issuer: Issuer,
    /// Where its keys are, if the settings say so.
    keys_url: Option<Uri>,
    client: HttpClient,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    keys: Option<(Arc<KeySet>, Duration)>,
    asked_at: Option<Duration>,
    /// What went wrong the last time.
    trouble: Option<String>,
}

/// What matters of an issuer's configuration.
#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    jwks_uri: String,
}

impl Issuers {
    /// Those of the settings.
    pub(crate) fn open(settings: &Settings, environment: &Environment) -> Result<Self> {
        let all = settings
            .identity
            .issuers
            .iter()
            .map(|(name, issuer)| open(name, issuer).with_context(|| format!("identity.issuers.{name}")));
        Ok(Self { all: all.collect::<Result<_>>()?, environment: environment.clone() })
    }
}

/// The names of the issuers of the settings.
pub(crate) fn names(settings: &Settings) -> BTreeSet<Slug> {
    settings.identity.issuers.keys().filter_map(|name| name.parse().ok()).collect()
}

/// Refuses settings that cannot work.
pub(crate) fn validate(settings: &Settings) -> Result<()> {
    for (name, issuer) in &settings.identity.issuers {
        parse(name, issuer).with_context(|| format!("identity.issuers.{name}"))?;
    }
    for origin in &settings.identity.browser_origins {
        let uri = origin.parse::<Uri>().ok().filter(|uri| uri.scheme().is_some() && uri.path() == "/");
        if origin != "*" && (uri.is_none() || origin.ends_with('/')) {
            bail!(
                "identity.browser_origins has {origin:?}: write such as https://lab.example.org, without a path"
            );
        }
    }
    Ok(())
}

fn parse(name: &str, settings: &IssuerSettings) -> Result<(Issuer, Option<Uri>)> {
    let is_web = |text: &str| {
        let uri: Option<Uri> = text.parse().ok();
        uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
    };
    ensure!(is_web(&settings.url).is_some(), "url is {:?}, and must be one of http or https", settings.url);
    ensure!(!settings.audiences.is_empty(), "audiences names nobody for whom tokens may be");
    ensure!(!settings.algorithms.is_empty(), "algorithms is empty");
    let keys_url = match &settings.jwks_url {
        Some(url) => {
            Some(is_web(url).with_context(|| format!("jwks_url is {url:?}, and is no URL of the web"))?)
        }
        None => None,
    };
    let algorithms = settings.algorithms.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    let (name, url, audiences) = (name.parse()?, settings.url.clone(), settings.audiences.clone());
    Ok((Issuer { name, url, audiences, algorithms }, keys_url))
}

fn open(name: &str, settings: &IssuerSettings) -> Result<Known> {
    let (issuer, keys_url) = parse(name, settings)?;
    let client = HttpClient::new(settings.ca_bundle.as_deref())?;
    Ok(Known { issuer, keys_url, client, kept: Mutex::default() })
}

#[async_trait::async_trait]
impl WebIdentities for Issuers {
    async fn identify(&self, token: &str) -> Result<Identity, Unidentified> {
        let token = Token::parse(token)?;
        let known = self.all.iter().find(|known| known.issuer.url == token.issuer());
        let known = known.ok_or(InvalidToken::UnknownIssuer)?;
        let keys = known
            .keys(token.key_id(), self.environment.uptime())
            .await
            .map_err(|why| Unidentified::Issuer { issuer: known.issuer.name.to_string(), why })?;
        Ok(known.issuer.verify(&token, &keys, self.environment.now())?)
    }
}

impl Known {
    /// Keys among which the one of this id is, if the issuer has it. Others wait while it is asked.
    async fn keys(&self, id: Option<&str>, now: Duration) -> Result<Arc<KeySet>, String> {
        let mut kept = self.kept.lock().await;
        let age = |since: Duration| now.saturating_sub(since);
        if let Some((keys, since)) = &kept.keys
            && age(*since) < FRESH_FOR
            && id.is_none_or(|id| keys.has(id))
        {
            return Ok(Arc::clone(keys));
        }
        if kept.asked_at.is_none_or(|asked_at| age(asked_at) >= PAUSE) {
            kept.asked_at = Some(now);
            let fetched = timeout(PATIENCE, self.fetch()).await;
            match fetched
                .unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {} s", PATIENCE.as_secs())))
            {
                Ok(keys) => {
                    kept.keys = Some((Arc::new(keys), now));
                    kept.trouble = None;
                }
                Err(error) => kept.trouble = Some(format!("{error:#}")),
            }
        }
        match &kept.keys {
            Some((keys, since)) if age(*since) < KEPT_FOR => {
                // A key that is not there may be one that could not be fetched.
                let missing = id.is_some_and(|id| !keys.has(id));
                kept.trouble.clone().filter(|_| missing).map_or_else(|| Ok(Arc::clone(keys)), Err)
            }
            _ => Err(kept.trouble.clone().unwrap_or_else(|| "it has published no keys".to_owned())),
        }
    }

    async fn fetch(&self) -> Result<KeySet> {
        let url = match &self.keys_url {
            Some(url) => url.clone(),
            None => self.discover().await?,
        };
        Ok(KeySet::parse(&self.get(url).await?)?)
    }

    async fn discover(&self) -> Result<Uri> {
        let base = self.issuer.url.trim_end_matches('/');
        let document = self.get(format!("{base}/.well-known/openid-configuration").parse()?).await?;
        let configuration: Configuration =
            serde_json::from_slice(&document).context("its configuration cannot be read")?;
        let Configuration { issuer, jwks_uri } = configuration;
        ensure!(issuer == self.issuer.url, "its configuration is that of {issuer:?}");
        let url: Uri = jwks_uri.parse().context("jwks_uri of its configuration is no URL")?;
        let secure = |url: &str| url.starts_with("https://");
        ensure!(
            secure(&jwks_uri) || !secure(&self.issuer.url),
            "its keys would come in the clear: {jwks_uri}"
        );
        Ok(url)
    }

    async fn get(&self, url: Uri) -> Result<Bytes> {
        let request = Request::get(url.clone())
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, concat!("nuee/", env!("CARGO_PKG_VERSION")))
            .body(Empty::<Bytes>::new())?;
        let response = self.client.send(request).await?;
        ensure!(response.status() == StatusCode::OK, "{url} answers {}", response.status());
        Ok(response.into_body())
    }
}
