//! From an access key to whoever acts with it.
//!
//! `s3s` asks for the secret of an access key in order to check a signature, and forgets whose it is. So a key is looked
//! up twice in a request: by the [`Authenticator`] for its secret, and by the [`Gate`], once the signature is known to
//! be good, for the principal, which then travels in the request's extensions. Whoever implements [`Credentials`] is
//! expected to cache. A temporary key is good with its session token alone, and until its time is over: the `Gate` looks at
//! both.

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderMap, StatusCode, header};
use nuee_base::{AccessKeyId, Environment, Origin, Principal, Secret, Timestamp};
use nuee_tenancy::Bounds;
use nuee_web::Arrival;
use s3s::{
    S3Error, S3ErrorCode, S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
};

use crate::{
    Error,
    filter::SESSION_TOKEN,
    handlers::{Signing, access_denied},
    pace,
};

/// Whose an access key is, and its secret.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Who acts with it.
    pub principal: Principal,
    /// What signs its requests.
    pub secret: Secret,
    /// What must come with them, if the key is temporary.
    pub session: Option<Arc<dyn SessionKey>>,
}

/// What is asked of a temporary access key beside a signature.
pub trait SessionKey: std::fmt::Debug + Send + Sync {
    /// Whether this is its session token.
    fn has_token(&self, token: &str) -> bool;

    /// When it ends.
    fn expires_at(&self) -> Timestamp;
}

/// Why a credential that exists is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// Its time is over.
    Expired,
    /// The token that comes with the request is not its own, is missing, or is one too many.
    Token,
}

impl Credential {
    /// Whether it can be used now, with this token.
    pub(crate) fn check(&self, token: Option<&str>, now: Timestamp) -> Result<(), Unusable> {
        match (&self.session, token) {
            (None, None) => Ok(()),
            (Some(session), Some(token)) if session.has_token(token) => match session.expires_at() > now {
                true => Ok(()),
                false => Err(Unusable::Expired),
            },
            _ => Err(Unusable::Token),
        }
    }
}

impl From<Unusable> for S3Error {
    fn from(unusable: Unusable) -> Self {
        let (code, status, message) = match unusable {
            Unusable::Expired => (
                S3ErrorCode::ExpiredToken,
                StatusCode::BAD_REQUEST,
                "The provided token has expired: ask for new temporary keys.",
            ),
            Unusable::Token => (
                S3ErrorCode::InvalidToken,
                StatusCode::FORBIDDEN,
                "The session token is not that of this access key: send the one that came with it, and none with a \
                 permanent key.",
            ),
        };
        let mut error = Self::with_message(code, message);
        error.set_status_code(status);
        error
    }
}

/// The session token of a request; what is no text is nobody's.
pub(crate) fn session_token(headers: &HeaderMap) -> Option<&str> {
    headers.get(SESSION_TOKEN).map(|value| value.to_str().unwrap_or_default())
}

/// Where access keys are found.
#[async_trait]
pub trait Credentials: Send + Sync + 'static {
    /// The credential of this access key, or `None` if there is no such key, or it was revoked. Called twice for each
    /// request, so an answer from memory is expected; a revoked key is to be forgotten within a second.
    async fn find(&self, id: &AccessKeyId) -> Result<Option<Credential>, Error>;
}

/// The credential of an access key; an error if there is none.
pub(crate) async fn find(credentials: &dyn Credentials, access_key: &str) -> S3Result<Credential> {
    let unknown = || {
        let message = "The access key id you provided does not exist in our records, or was revoked.";
        S3Error::with_message(S3ErrorCode::InvalidAccessKeyId, message)
    };
    let id = access_key.parse::<AccessKeyId>().map_err(|_| unknown())?;
    match credentials.find(&id).await {
        Ok(found) => found.ok_or_else(unknown),
        Err(error) => {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "an access key was not looked up");
            let message = "Access keys cannot be looked up at the moment. Retry later.";
            Err(S3Error::with_message(S3ErrorCode::ServiceUnavailable, message))
        }
    }
}

/// Gives `s3s` the secrets it checks signatures with.
pub struct Authenticator(Arc<dyn Credentials>);

impl Authenticator {
    /// An authenticator over these credentials.
    pub fn new(credentials: Arc<dyn Credentials>) -> Self {
        Self(credentials)
    }
}

#[async_trait]
impl S3Auth for Authenticator {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let credential = find(self.0.as_ref(), access_key).await?;
        Ok(SecretKey::from(credential.secret.expose()))
    }
}

/// Tells handlers who acts: puts a [`Principal`] into the extensions of each request, and lets nobody in who is not
/// known. What the others may do is decided after. Cheap to clone.
#[derive(Clone)]
pub struct Gate {
    credentials: Arc<dyn Credentials>,
    environment: Environment,
    /// Whether strangers may come from there to a bucket of this name, where they are decided about.
    opens: Opens,
    bounds: Option<Bounds>,
}

type Opens = Arc<dyn Fn(&str, Option<Origin>) -> bool + Send + Sync>;

impl Gate {
    /// A gate over these credentials, closed to strangers.
    pub fn new(credentials: Arc<dyn Credentials>, environment: Environment) -> Self {
        Self { credentials, environment, opens: Arc::new(|_, _| false), bounds: None }
    }

    /// The same, which holds projects to their pace.
    pub(crate) fn at(self, bounds: Bounds) -> Self {
        Self { bounds: Some(bounds), ..self }
    }

    /// The same, which lets strangers come to the buckets of these names.
    #[must_use]
    pub fn open_to_strangers(
        self,
        opens: impl Fn(&str, Option<Origin>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { opens: Arc::new(opens), ..self }
    }

    /// Who has these credentials, if they may come to this bucket, and how their request is signed.
    pub(crate) async fn admit(
        &self,
        verified: Option<&s3s::auth::Credentials>,
        bucket: Option<&str>,
        (headers, arrival): (&HeaderMap, Option<Arrival>),
    ) -> S3Result<(Principal, Signing)> {
        let origin = arrival.map(|arrival| arrival.origin());
        match verified {
            Some(verified) => {
                let credential = find(self.credentials.as_ref(), &verified.access_key).await?;
                credential.check(session_token(headers), self.environment.now())?;
                if let Some(bounds) = &self.bounds {
                    pace::admit(bounds, &credential.principal)?;
                }
                let in_header = headers.contains_key(header::AUTHORIZATION);
                Ok((credential.principal, if in_header { Signing::Header } else { Signing::Query }))
            }
            None if bucket.is_some_and(|name| (self.opens)(name, origin)) => {
                Ok((Principal::Anonymous, Signing::Nobody))
            }
            // Nothing is offered to strangers: they are told so before anything of theirs is read.
            None => Err(access_denied()),
        }
    }
}

#[async_trait]
impl S3Access for Gate {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let arrival = context.extensions_mut().get::<Arrival>().copied();
        let bucket = context.s3_path().get_bucket_name();
        let head = (context.headers(), arrival);
        let (principal, signing) = self.admit(context.credentials(), bucket, head).await?;
        context.extensions_mut().insert(principal);
        context.extensions_mut().insert(signing);
        Ok(())
    }
}
