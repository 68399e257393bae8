//! An issuer as it is on the web: what it publishes of itself, and the keys with which it signs.
//!
//! They are at an address that its configuration names
//! ([OpenID Connect Discovery](https://openid.net/specs/openid-connect-discovery-1_0.html)). Both are fetched when they are
//! needed, kept, and fetched again when a token names a key that is not among them, which a change of keys brings about;
//! so that nobody makes this server ask without end, not sooner than some seconds after the last time.
//!
//! Promised: a configuration that is another issuer's is refused, and so is one that sends secrets in the clear where the
//! issuer itself is reached by HTTPS. What is kept serves on for an hour while the issuer does not answer.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Empty;
use nuee_access::KeySet;
use serde::Deserialize;
use tokio::{sync::Mutex, time::timeout};

use crate::http_client::HttpClient;

/// What we call ourselves in requests.
pub(crate) const USER_AGENT: &str = concat!("nuee/", env!("CARGO_PKG_VERSION"));
/// How long keys are kept before they are fetched again.
const FRESH_FOR: Duration = Duration::from_mins(10);
/// How long they serve on while their issuer does not answer.
const KEPT_FOR: Duration = Duration::from_hours(1);
/// How soon an issuer is asked again, whatever tokens say.
const PAUSE: Duration = Duration::from_secs(5);
/// How long an issuer has to answer, both questions together.
const PATIENCE: Duration = Duration::from_secs(4);

/// An issuer, and what is kept of what it publishes.
pub(crate) struct RemoteIssuer {
    /// What it calls itself, letter by letter.
    url: String,
    /// Where its keys are, if the settings say so.
    keys_url: Option<Uri>,
    client: HttpClient,
    kept: Mutex<Kept>,
}

/// What an issuer publishes.
pub(crate) struct Published {
    pub(crate) keys: KeySet,
    /// None where the settings say where its keys are.
    pub(crate) configuration: Option<Configuration>,
}

/// What matters of an issuer's configuration.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Configuration {
    issuer: String,
    jwks_uri: String,
    pub(crate) authorization_endpoint: Option<String>,
    pub(crate) token_endpoint: Option<String>,
    pub(crate) userinfo_endpoint: Option<String>,
    pub(crate) end_session_endpoint: Option<String>,
    /// Browsers come back with the issuer's name ([RFC 9207](https://www.rfc-editor.org/rfc/rfc9207)).
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
}

#[derive(Default)]
struct Kept {
    published: Option<(Arc<Published>, Duration)>,
    asked_at: Option<Duration>,
    /// What went wrong the last time.
    trouble: Option<String>,
}

/// A URL of the web.
pub(crate) fn web_url(text: &str) -> Option<Uri> {
    let uri: Option<Uri> = text.parse().ok();
    uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
}

impl RemoteIssuer {
    pub(crate) fn new(url: String, keys_url: Option<Uri>, client: HttpClient) -> Self {
        Self { url, keys_url, client, kept: Mutex::default() }
    }

    /// What it publishes, with the key of this id, if the issuer has it. Others wait while it is asked.
    pub(crate) async fn published(&self, id: Option<&str>, now: Duration) -> Result<Arc<Published>, String> {
        let mut kept = self.kept.lock().await;
        let age = |since: Duration| now.saturating_sub(since);
        if let Some((published, since)) = &kept.published
            && age(*since) < FRESH_FOR
            && id.is_none_or(|id| published.keys.has(id))
        {
            return Ok(Arc::clone(published));
        }
        if kept.asked_at.is_none_or(|asked_at| age(asked_at) >= PAUSE) {
            kept.asked_at = Some(now);
            let fetched = timeout(PATIENCE, self.fetch()).await;
            match fetched
                .unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {} s", PATIENCE.as_secs())))
            {
                Ok(published) => {
                    kept.published = Some((Arc::new(published), now));
                    kept.trouble = None;
                }
                Err(error) => kept.trouble = Some(format!("{error:#}")),
            }
        }
        match &kept.published {
            Some((published, since)) if age(*since) < KEPT_FOR => {
                // A key that is not there may be one that could not be fetched.
                let missing = id.is_some_and(|id| !published.keys.has(id));
                kept.trouble.clone().filter(|_| missing).map_or_else(|| Ok(Arc::clone(published)), Err)
            }
            _ => Err(kept.trouble.clone().unwrap_or_else(|| "it has published no keys".to_owned())),
        }
    }

    /// An address of its configuration: one to which nothing is sent in the clear, unless the issuer itself is so.
    pub(crate) fn endpoint(&self, name: &str, text: &str) -> Result<Uri> {
        let url = web_url(text)
            .with_context(|| format!("{name} of its configuration is no URL of the web: {text}"))?;
        let secure = |url: &str| url.starts_with("https://");
        ensure!(
            secure(text) || !secure(&self.url),
            "{name} of its configuration would be asked in the clear: {text}"
        );
        ensure!(!text.contains('#'), "{name} of its configuration has a fragment: {text}");
        Ok(url)
    }

    async fn fetch(&self) -> Result<Published> {
        let (url, configuration) = match &self.keys_url {
            Some(url) => (url.clone(), None),
            None => {
                let configuration = self.discover().await?;
                (self.endpoint("jwks_uri", &configuration.jwks_uri)?, Some(configuration))
            }
        };
        Ok(Published { keys: KeySet::parse(&self.get(url).await?)?, configuration })
    }

    async fn discover(&self) -> Result<Configuration> {
        let base = self.url.trim_end_matches('/');
        let document = self.get(format!("{base}/.well-known/openid-configuration").parse()?).await?;
        let configuration: Configuration =
            serde_json::from_slice(&document).context("its configuration cannot be read")?;
        ensure!(configuration.issuer == self.url, "its configuration is that of {:?}", configuration.issuer);
        Ok(configuration)
    }

    async fn get(&self, url: Uri) -> Result<Bytes> {
        let request = Request::get(url.clone())
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, USER_AGENT)
            .body(Empty::<Bytes>::new())?;
        let response = self.client.send(request).await?;
        ensure!(response.status() == StatusCode::OK, "{url} answers {}", response.status());
        Ok(response.into_body())
    }
}
