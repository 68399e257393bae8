//! People who sign in: at the issuers of `[sign_in.issuers.NAME]`, of which ProConnect can be one.
//!
//! A surface calls [`SignIns::begin`], sends the browser to the URL that it gets, and sets a cookie; when the browser comes
//! back, it calls [`SignIns::finish`] with the query and the cookie, and gets who that is. What is asked and what is checked
//! is `nuee_access`'s ([`RelyingParty`]); here are the requests to the issuer.
//!
//! Promised: an issuer that does not answer signs nobody in, and is told apart from a refusal; somebody waits for it for
//! five seconds at most; an issuer of one zone is neither offered nor used in another; secrets go to the issuer alone, and
//! redirections are not followed.
//!
//! Deliberately absent: accounts and sessions, which are the surface's.

mod exchange;
mod offered;

use std::{fmt, fs, net::IpAddr, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use nuee_access::{
    Callback, IssuerSays, Leave, MalformedCallback, PendingSignIn, PendingSignIns, RelyingParty, ReturnTo,
    SignInRefused, SignedIn, Token, TooManySignIns, UnknownSignIn, UnsupportedWish, Userinfo, Wishes,
    random_secret,
};
use nuee_base::{Environment, ErrorKind, Secret, Slug, Zone};
use tokio::time::timeout;

use crate::{
    Settings,
    http_client::HttpClient,
    issuer::{Configuration, Published, RemoteIssuer},
    settings::{SignInIssuerSettings, TokenEndpointAuth},
};

/// How long an issuer has for all its answers to one request of a browser.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest secret of a client, in bytes.
const MAX_SECRET_BYTES: usize = 512;

/// All issuers where people sign in, and the sign-ins that have begun.
pub struct SignIns {
    all: Vec<Provider>,
    pending: PendingSignIns,
    environment: Environment,
}

/// An issuer where people sign in.
struct Provider {
    party: RelyingParty,
    title: String,
    zone: Option<Zone>,
    remote: RemoteIssuer,
    client: HttpClient,
    secret: Secret,
    auth: TokenEndpointAuth,
}

/// An issuer that somebody can choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInChoice {
    /// Its name in the settings.
    pub name: Slug,
    /// What people read.
    pub title: String,
    /// Whether it is ProConnect, whose button looks as the State says.
    pub is_proconnect: bool,
}

/// How somebody begins to sign in.
#[derive(Debug, Clone)]
pub struct SignInStart<'a> {
    /// The issuer's name in the settings.
    pub issuer: &'a str,
    /// The zone by which the request came.
    pub zone: Zone,
    /// Who sent it.
    pub client: IpAddr,
    /// Where the browser comes back to, as the issuer knows it.
    pub redirect_uri: &'a str,
    /// Where somebody goes afterwards.
    pub return_to: ReturnTo,
    /// What is wished, and demanded.
    pub wishes: Wishes,
    /// The browser's cookie from an earlier start, if it has one: several pages may sign in at once.
    pub browser: Option<Secret>,
}

/// A sign-in that has begun.
#[derive(Debug, Clone)]
pub struct SignInBegun {
    /// Where the browser is sent. State and nonce are in it, so it stays out of logs.
    pub url: Secret,
    /// The cookie that the browser gets: `__Host-`, `HttpOnly`, `Secure`, `SameSite=Lax`, for ten minutes.
    pub browser: Secret,
}

/// A sign-in that has ended.
#[derive(Debug, Clone)]
pub struct SignInDone {
    /// Who that is.
    pub signed_in: SignedIn,
    /// Where they go now.
    pub return_to: ReturnTo,
}

/// Why nobody signed in. What is displayed is fit for whoever tried.
#[derive(Debug)]
pub enum SignInFailed {
    /// There is no such issuer, or not in this zone.
    NotOffered,
    /// The issuer does not take what is wished.
    Unsupported(UnsupportedWish),
    /// Too many have begun where the request came from.
    TooMany(TooManySignIns),
    /// What the browser brought back cannot be read.
    Malformed(MalformedCallback),
    /// No such sign-in has begun in this browser.
    Unknown(UnknownSignIn),
    /// The issuer says no.
    Declined(Slug, IssuerSays),
    /// What the issuer says is refused.
    Refused(Slug, SignInRefused),
    /// The issuer does not answer, or not as it should. The text is for the log.
    Unavailable(Slug, String),
}

impl fmt::Display for SignInFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOffered => f.write_str("this issuer is not offered here: choose one of those that are"),
            Self::Unsupported(why) => why.fmt(f),
            Self::TooMany(why) => why.fmt(f),
            Self::Malformed(why) => why.fmt(f),
            Self::Unknown(why) => why.fmt(f),
            Self::Declined(issuer, says) => write!(f, "nobody signed in at {issuer}: {says}"),
            Self::Refused(issuer, why) => write!(f, "what {issuer} says is refused: {why}"),
            Self::Unavailable(issuer, _) => {
                write!(
                    f,
                    "{issuer} does not answer as it should: try again later; the server's log says more"
                )
            }
        }
    }
}

impl std::error::Error for SignInFailed {}

impl SignInFailed {
    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotOffered => ErrorKind::NotFound,
            Self::Unsupported(_) | Self::Malformed(_) => ErrorKind::Invalid,
            Self::TooMany(why) => why.kind(),
            Self::Unknown(_) | Self::Declined(..) | Self::Refused(..) => ErrorKind::Denied,
            Self::Unavailable(..) => ErrorKind::Unavailable,
        }
    }
}

/// Refuses settings that cannot work. Files are read when the server starts.
pub(crate) fn validate(settings: &Settings) -> Result<()> {
    for (name, issuer) in &settings.sign_in.issuers {
        issuer.relying_party(name).with_context(|| format!("sign_in.issuers.{name}"))?;
    }
    Ok(())
}

impl SignIns {
    /// The issuers of the settings, with the secrets in their files.
    pub fn open(settings: &Settings, environment: &Environment) -> Result<Self> {
        let all = settings.sign_in.issuers.iter().map(|(name, issuer)| {
            Provider::open(name, issuer).with_context(|| format!("sign_in.issuers.{name}"))
        });
        Ok(Self {
            all: all.collect::<Result<_>>()?,
            pending: PendingSignIns::default(),
            environment: environment.clone(),
        })
    }

    /// The issuers that people of a zone can choose.
    #[must_use]
    pub fn choices(&self, zone: Zone) -> Vec<SignInChoice> {
        let offered = self.all.iter().filter(|provider| provider.is_offered(zone));
        offered.map(Provider::choice).collect()
    }

    /// Whether an issuer is ProConnect.
    fn is_proconnect(&self, name: &Slug) -> bool {
        let named = self.all.iter().find(|provider| provider.party.issuer.name == *name);
        named.is_some_and(|provider| provider.choice().is_proconnect)
    }

    /// Begins a sign-in.
    pub async fn begin(&self, start: SignInStart<'_>) -> Result<SignInBegun, SignInFailed> {
        let named = |provider: &&Provider| provider.party.issuer.name.as_str() == start.issuer;
        let provider = self.all.iter().find(named).filter(|provider| provider.is_offered(start.zone));
        let provider = provider.ok_or(SignInFailed::NotOffered)?;
        let published = provider.published(None, &self.environment).await?;
        let endpoint = provider
            .endpoint(&published, "authorization_endpoint", |it| it.authorization_endpoint.as_ref())?;
        let asked = provider.party.ask(&endpoint, start.redirect_uri, &start.wishes, &self.environment);
        let asked = asked.map_err(SignInFailed::Unsupported)?;
        let usable = |browser: &Secret| (32..=128).contains(&browser.expose().len());
        let browser = start.browser.filter(usable).unwrap_or_else(|| random_secret(&self.environment));
        let sign_in = PendingSignIn {
            issuer: provider.party.issuer.name.clone(),
            expected: asked.expected,
            redirect_uri: start.redirect_uri.to_owned(),
            return_to: start.return_to,
        };
        let (state, now) = (&asked.state, self.environment.uptime());
        self.pending.begin((state, &browser), sign_in, start.client, now).map_err(SignInFailed::TooMany)?;
        Ok(SignInBegun { url: asked.url, browser })
    }

    /// Ends a sign-in: the query with which a browser came back, and the cookie that it has.
    pub async fn finish(&self, query: &str, browser: &Secret) -> Result<SignInDone, SignInFailed> {
        let callback = Callback::parse(query).map_err(SignInFailed::Malformed)?;
        let pending = self.pending.take(&callback.state, browser, self.environment.uptime());
        let pending = pending.map_err(SignInFailed::Unknown)?;
        let named = |provider: &&Provider| provider.party.issuer.name == pending.issuer;
        let provider = self.all.iter().find(named).ok_or(SignInFailed::NotOffered)?;
        let finished = timeout(PATIENCE, provider.finish(callback, &pending, &self.environment)).await;
        let late = || provider.unavailable(format!("no answer within {} s", PATIENCE.as_secs()));
        let signed_in = finished.unwrap_or_else(|_| Err(late()));
        match &signed_in {
            Err(SignInFailed::Unavailable(issuer, why)) => {
                tracing::warn!(%issuer, "nobody can sign in: {why}");
            }
            Err(error) => tracing::info!("{error}"),
            Ok(_) => {}
        }
        Ok(SignInDone { signed_in: signed_in?, return_to: pending.return_to })
    }

    /// The way to end somebody's session at the issuer too, if it has one. `back` must be known to the issuer.
    pub async fn leave(
        &self,
        issuer: &str,
        id_token: &Secret,
        back: &str,
    ) -> Result<Option<Leave>, SignInFailed> {
        let provider = self.all.iter().find(|provider| provider.party.issuer.name.as_str() == issuer);
        let provider = provider.ok_or(SignInFailed::NotOffered)?;
        let published = provider.published(None, &self.environment).await?;
        let has_end = published.configuration.as_ref().is_some_and(|it| it.end_session_endpoint.is_some());
        if !has_end {
            return Ok(None);
        }
        let endpoint =
            provider.endpoint(&published, "end_session_endpoint", |it| it.end_session_endpoint.as_ref())?;
        Ok(Some(Leave::new(&endpoint, id_token, back, &self.environment)))
    }
}

impl fmt::Debug for SignIns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIns").field("issuers", &self.all.len()).finish_non_exhaustive()
    }
}

impl Provider {
    fn open(name: &str, settings: &SignInIssuerSettings) -> Result<Self> {
        let party = settings.relying_party(name)?;
        let client = HttpClient::new(settings.ca_bundle.as_deref()).context("ca_bundle")?;
        Ok(Self {
            title: settings.title(name),
            zone: settings.zone()?,
            remote: RemoteIssuer::new(party.issuer.url.clone(), None, client.clone()),
            client,
            secret: read_secret(&settings.client_secret_file).context("client_secret_file")?,
            auth: settings.token_endpoint_auth,
            party,
        })
    }

    fn is_offered(&self, zone: Zone) -> bool {
        self.zone.is_none_or(|own| own == zone)
    }

    fn choice(&self) -> SignInChoice {
        SignInChoice {
            name: self.party.issuer.name.clone(),
            title: self.title.clone(),
            is_proconnect: self.party.parameters == nuee_access::Parameters::ProConnect,
        }
    }

    fn unavailable(&self, why: impl Into<String>) -> SignInFailed {
        SignInFailed::Unavailable(self.party.issuer.name.clone(), why.into())
    }

    fn refused(&self, why: SignInRefused) -> SignInFailed {
        SignInFailed::Refused(self.party.issuer.name.clone(), why)
    }

    fn declined(&self, says: IssuerSays) -> SignInFailed {
        SignInFailed::Declined(self.party.issuer.name.clone(), says)
    }

    async fn published(
        &self,
        key: Option<&str>,
        environment: &Environment,
    ) -> Result<std::sync::Arc<Published>, SignInFailed> {
        self.remote.published(key, environment.uptime()).await.map_err(|why| self.unavailable(why))
    }

    /// An address of the issuer's configuration.
    fn endpoint(
        &self,
        published: &Published,
        name: &str,
        pick: impl Fn(&Configuration) -> Option<&String>,
    ) -> Result<String, SignInFailed> {
        let text = published.configuration.as_ref().and_then(pick);
        let text = text.ok_or_else(|| self.unavailable(format!("its configuration has no {name}")))?;
        self.remote.endpoint(name, text).map_err(|error| self.unavailable(format!("{error:#}")))?;
        Ok(text.clone())
    }

    async fn finish(
        &self,
        callback: Callback,
        pending: &PendingSignIn,
        environment: &Environment,
    ) -> Result<SignedIn, SignInFailed> {
        // Who says that they answer must be whom we asked (RFC 9207), whatever they say.
        if callback.issuer.as_ref().is_some_and(|issuer| *issuer != self.party.issuer.url) {
            return Err(SignInFailed::Unknown(UnknownSignIn));
        }
        let code = callback.outcome.map_err(|says| self.declined(says))?;
        let published = self.published(None, environment).await?;
        let names_itself = published
            .configuration
            .as_ref()
            .is_some_and(|it| it.authorization_response_iss_parameter_supported);
        if names_itself && callback.issuer.is_none() {
            return Err(SignInFailed::Unknown(UnknownSignIn));
        }
        let tokens = self.redeem(&code, pending, &published).await?;
        let key = Token::parse(tokens.id_token.expose()).map_err(SignInRefused::IdToken);
        let key = key.map_err(|why| self.refused(why))?.key_id().map(str::to_owned);
        let published = self.published(key.as_deref(), environment).await?;
        let known = self
            .party
            .check_id_token(&tokens.id_token, &published.keys, &pending.expected, environment.now())
            .map_err(|why| self.refused(why))?;
        let answer = self.userinfo(&tokens, &published).await?;
        let userinfo = answer.as_ref().map(|answer| Userinfo::parse(&answer.content_type, &answer.body));
        let userinfo = userinfo.transpose().map_err(|why| self.refused(why))?;
        let key = userinfo.as_ref().and_then(Userinfo::key_id);
        let published = self.published(key, environment).await?;
        let signed_in = self.party.complete(known, userinfo.as_ref(), &published.keys, environment.now());
        signed_in.map_err(|why| self.refused(why))
    }
}

fn read_secret(file: &Path) -> Result<Secret> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let text = Secret::new(text);
    let secret = text.expose().trim_ascii();
    ensure!(
        (1..=MAX_SECRET_BYTES).contains(&secret.len()) && !secret.contains(char::is_control),
        "{} must hold the secret alone, in one line of at most {MAX_SECRET_BYTES} bytes",
        file.display()
    );
    Ok(Secret::new(secret.to_owned()))
}
