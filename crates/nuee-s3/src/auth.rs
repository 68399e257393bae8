//! From an access key to whoever acts with it.
//!
//! `s3s` asks for the secret of an access key in order to check a signature, and forgets whose it is. So a key is looked
//! up twice in a request: by the [`Authenticator`] for its secret, and by the [`Gate`], once the signature is known to
//! be good, for the principal, which then travels in the request's extensions. Whoever implements [`Credentials`] is
//! expected to cache.

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderMap, header};
use nuee_base::{AccessKeyId, Principal, Secret};
use s3s::{
    S3Error, S3ErrorCode, S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
};

use crate::{Error, handlers::Signing, pace::Pace};

/// Whose an access key is, and its secret.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Who acts with it.
    pub principal: Principal,
    /// What signs its requests.
    pub secret: Secret,
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
    /// Whether strangers may come to a bucket of this name, where they are decided about.
    opens: Opens,
    pace: Option<Arc<Pace>>,
}

type Opens = Arc<dyn Fn(&str) -> bool + Send + Sync>;

impl Gate {
    /// A gate over these credentials, closed to strangers.
    pub fn new(credentials: Arc<dyn Credentials>) -> Self {
        Self { credentials, opens: Arc::new(|_| false), pace: None }
    }

    /// The same, which holds projects to their pace.
    pub(crate) fn at(self, pace: Arc<Pace>) -> Self {
        Self { pace: Some(pace), ..self }
    }

    /// The same, which lets strangers come to the buckets of these names.
    #[must_use]
    pub fn open_to_strangers(self, opens: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self { opens: Arc::new(opens), ..self }
    }

    /// Who has these credentials, if they may come to this bucket, and how their request is signed.
    pub(crate) async fn admit(
        &self,
        verified: Option<&s3s::auth::Credentials>,
        bucket: Option<&str>,
        headers: &HeaderMap,
    ) -> S3Result<(Principal, Signing)> {
        match verified {
            Some(verified) => {
                let credential = find(self.credentials.as_ref(), &verified.access_key).await?;
                if let Some(pace) = &self.pace {
                    pace.admit(&credential.principal)?;
                }
                let in_header = headers.contains_key(header::AUTHORIZATION);
                Ok((credential.principal, if in_header { Signing::Header } else { Signing::Query }))
            }
            None if bucket.is_some_and(|name| (self.opens)(name)) => {
                Ok((Principal::Anonymous, Signing::Nobody))
            }
            // Nothing is offered to strangers: they are told so before anything of theirs is read.
            None => Err(S3Error::with_message(S3ErrorCode::AccessDenied, "Access Denied")),
        }
    }
}

#[async_trait]
impl S3Access for Gate {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let bucket = context.s3_path().get_bucket_name();
        let (principal, signing) = self.admit(context.credentials(), bucket, context.headers()).await?;
        context.extensions_mut().insert(principal);
        context.extensions_mut().insert(signing);
        Ok(())
    }
}
