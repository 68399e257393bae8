//! The issuers of the settings: who somebody is, by a token of one of them.
//!
//! Promised: an issuer that does not answer makes nobody known, and is told apart from a bad token. Its keys are fetched
//! and kept by [`RemoteIssuer`].

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use http::Uri;
use nuee_access::{Identity, InvalidToken, Issuer, Token};
use nuee_base::{Environment, Slug};
use nuee_s3::{Unidentified, WebIdentities};

use crate::{
    Settings,
    http_client::HttpClient,
    issuer::{RemoteIssuer, web_url},
    settings::IssuerSettings,
};

/// All issuers of a server.
pub(crate) struct Issuers {
    all: Vec<Known>,
    environment: Environment,
}

struct Known {
    issuer: Issuer,
    remote: RemoteIssuer,
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
    ensure!(web_url(&settings.url).is_some(), "url is {:?}, and must be one of http or https", settings.url);
    ensure!(!settings.audiences.is_empty(), "audiences names nobody for whom tokens may be");
    ensure!(!settings.algorithms.is_empty(), "algorithms is empty");
    let keys_url = match &settings.jwks_url {
        Some(url) => {
            Some(web_url(url).with_context(|| format!("jwks_url is {url:?}, and is no URL of the web"))?)
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
    let remote = RemoteIssuer::new(issuer.url.clone(), keys_url, client);
    Ok(Known { issuer, remote })
}

#[async_trait::async_trait]
impl WebIdentities for Issuers {
    async fn identify(&self, token: &str) -> Result<Identity, Unidentified> {
        let token = Token::parse(token)?;
        let known = self.all.iter().find(|known| known.issuer.url == token.issuer());
        let known = known.ok_or(InvalidToken::UnknownIssuer)?;
        let published = known
            .remote
            .published(token.key_id(), self.environment.uptime())
            .await
            .map_err(|why| Unidentified::Issuer { issuer: known.issuer.name.to_string(), why })?;
        Ok(known.issuer.verify(&token, &published.keys, self.environment.now())?)
    }
}
