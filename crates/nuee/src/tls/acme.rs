//! Certificates of an authority that speaks ACME (RFC 8555): ordered, proved and renewed by this program.
//!
//! That a domain leads here is proved inside TLS itself (`tls-alpn-01`, RFC 8737): the authority connects to port 443 of
//! each domain, and the S3 listener answers. So no second port is needed; and no wildcards are had, for which
//! authorities ask by DNS. A certificate is renewed when two thirds of its time are over, and stays until then, however
//! often the authority refuses.
//!
//! ```text
//! account.json     the account at the authority, with its key
//! certificate.pem  the certificate, and those that lead to the authority
//! key.pem          the certificate's key; a new one with each certificate
//! ```

use std::{
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use http::{Request, uri::Scheme};
use http_body_util::Full;
use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, BodyWrapper, BytesResponse, ChallengeType, Identifier,
    NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
};
use nuee_base::{Environment, Timestamp};
use nuee_web::{Identity, Tls};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::kept;
use crate::{Settings, http_client::HttpClient};

/// How long an order may take altogether.
const ORDER_TIMEOUT: Duration = Duration::from_mins(10);
/// How long an authority may take to look at the answers, and then to issue.
const PATIENCE: RetryPolicy = RetryPolicy::new().timeout(Duration::from_mins(2));
/// What an authority says of an account that it has forgotten.
const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// An authority, and what it is to certify.
pub(super) struct Acme {
    authority: String,
    domains: Vec<String>,
    contacts: Vec<String>,
    client: Client,
    directory: PathBuf,
}

/// An account, as it is kept.
#[derive(Serialize, Deserialize)]
struct KeptAccount {
    /// The URL of the directory of the authority that knows it.
    authority: String,
    credentials: AccountCredentials,
}

/// How an authority is reached: by HTTPS alone.
#[derive(Clone)]
struct Client(HttpClient);

impl instant_acme::HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let client = self.0.clone();
        Box::pin(async move {
            let answer = if request.uri().scheme() == Some(&Scheme::HTTPS) {
                client.send(request).await
            } else {
                Err(anyhow!("{} is not a URL of https", request.uri()))
            };
            let answer = answer.map(|response| BytesResponse::from(response.map(Full::new)));
            answer.map_err(|error| instant_acme::Error::Other(error.into()))
        })
    }
}

impl Acme {
    /// What the settings name.
    pub(super) fn new(settings: &Settings, directory: &Path) -> Result<Self> {
        let tls = &settings.tls;
        if tls.acme_domains.is_empty() {
            bail!("tls.mode is `acme`, and tls.acme_domains names no domain");
        }
        if let Some(wildcard) = tls.acme_domains.iter().find(|domain| domain.contains('*')) {
            bail!(
                "tls.acme_domains has {wildcard:?}: authorities ask for wildcards by DNS, which nuee does not answer"
            );
        }
        Ok(Self {
            authority: tls.acme_directory.clone(),
            domains: tls.acme_domains.iter().map(|domain| domain.to_ascii_lowercase()).collect(),
            contacts: tls.acme_contacts.clone(),
            client: Client(HttpClient::new(tls.acme_ca_bundle.as_deref())?),
            directory: directory.join("acme"),
        })
    }

    /// The certificate of an earlier start, if it names all domains and comes from this authority.
    pub(super) fn open(&self) -> Result<Option<Identity>> {
        let ours = self.account_kept()?.is_some_and(|account| account.authority == self.authority);
        let texts = (kept::read(&self.file("certificate.pem"))?, kept::read(&self.file("key.pem"))?);
        let (Some(chain), Some(key)) = texts else { return Ok(None) };
        let identity = Identity::from_pem(&chain, &key).ok();
        let named = |identity: &Identity| self.domains.iter().all(|domain| identity.names().contains(domain));
        Ok(identity.filter(|identity| ours && named(identity)))
    }

    /// A certificate, if there is none or it is time for another.
    pub(super) async fn look(
        &self,
        current: Option<&Identity>,
        environment: &Environment,
        tls: &Tls,
    ) -> Result<Option<Identity>> {
        if current.is_some_and(|identity| environment.now() < renewal(identity)) {
            return Ok(None);
        }
        let issued = timeout(ORDER_TIMEOUT, self.order(tls)).await;
        tls.end_challenges();
        let (chain, key) = issued.context("the authority takes too long")??;
        let identity = Identity::from_pem(chain.as_bytes(), key.as_bytes())
            .context("what the authority issued cannot be used")?;
        kept::create_directory(&self.directory)?;
        kept::write(&self.file("key.pem"), key.as_bytes())?;
        kept::write(&self.file("certificate.pem"), chain.as_bytes())?;
        Ok(Some(identity))
    }

    /// Orders a certificate, and proves that it is due. Gives the chain and the key, in PEM.
    async fn order(&self, tls: &Tls) -> Result<(String, String)> {
        let account = self.account().await.context("the authority gives no account")?;
        let identifiers: Vec<_> = self.domains.iter().cloned().map(Identifier::Dns).collect();
        let ordered = account.new_order(&NewOrder::new(&identifiers)).await;
        if let Err(instant_acme::Error::Api(problem)) = &ordered
            && problem.r#type.as_deref() == Some(NO_ACCOUNT)
        {
            kept::remove(&self.file("account.json"))?;
        }
        let mut order = ordered.context("the authority takes no order")?;
        tracing::info!(order = order.url(), domains = self.domains.join(" "), "ordered a certificate");
        prove(&mut order, tls).await?;
        let status = order.poll_ready(&PATIENCE).await;
        if !matches!(status, Ok(OrderStatus::Ready)) {
            bail!("the authority is not convinced: {}", objections(&mut order).await);
        }
        let key = order.finalize().await.context("the authority does not finish the order")?;
        let chain = order.poll_certificate(&PATIENCE).await.context("the authority issues no certificate")?;
        tracing::info!(order = order.url(), "the authority has issued a certificate");
        Ok((chain, key))
    }

    /// The account of before, or a new one.
    async fn account(&self) -> Result<Account> {
        let builder = Account::builder_with_http(Box::new(self.client.clone()));
        if let Some(account) = self.account_kept()?.filter(|account| account.authority == self.authority) {
            return Ok(builder.from_credentials(account.credentials).await?);
        }
        let contact: Vec<&str> = self.contacts.iter().map(String::as_str).collect();
        let wanted =
            NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let (account, credentials) = builder.create(&wanted, self.authority.clone(), None).await?;
        let text = serde_json::to_vec(&KeptAccount { authority: self.authority.clone(), credentials })?;
        kept::create_directory(&self.directory)?;
        kept::write(&self.file("account.json"), &text)?;
        tracing::info!(account = account.id(), "the authority has made an account");
        Ok(account)
    }

    fn account_kept(&self) -> Result<Option<KeptAccount>> {
        let file = self.file("account.json");
        let read = |text: Vec<u8>| {
            serde_json::from_slice(&text).with_context(|| format!("cannot read {}", file.display()))
        };
        kept::read(&file)?.map(read).transpose()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// When two thirds of a certificate's time are over.
fn renewal(identity: &Identity) -> Timestamp {
    let (from, until) = (identity.not_before().as_micros(), identity.not_after().as_micros());
    Timestamp::from_micros(until - (until - from) / 3)
}

/// Has the listener answer for each domain, and tells the authority that it does.
async fn prove(order: &mut Order, tls: &Tls) -> Result<()> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            status => bail!("the authority holds {} for {status:?}", authorization.identifier()),
        }
        let challenge = authorization.challenge(ChallengeType::TlsAlpn01);
        let mut challenge = challenge.context("the authority does not ask by tls-alpn-01")?;
        let domain = challenge.identifier().to_string();
        let answer = answer(&domain, challenge.key_authorization().digest().as_ref());
        tls.answer_challenge(&domain, &answer.context("cannot make the answer to a challenge")?);
        challenge.set_ready().await?;
        tracing::info!(domain, "the authority may ask whether this domain leads here");
    }
    Ok(())
}

/// What the listener presents to an authority that asks about a domain (RFC 8737, section 3).
fn answer(domain: &str, digest: &[u8]) -> Result<Identity> {
    let mut parameters = CertificateParams::new(vec![domain.to_owned()])?;
    parameters.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let certificate = parameters.self_signed(&key)?;
    Ok(Identity::for_challenge(certificate.pem().as_bytes(), key.serialize_pem().as_bytes())?)
}

/// Why an authority does not accept the answers, in its own words.
async fn objections(order: &mut Order) -> String {
    let mut found = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if authorization.refresh().await.is_err() {
            continue;
        }
        let domain = authorization.identifier().to_string();
        let errors = authorization.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
        found.extend(errors.map(|problem| format!("{domain}: {problem}")));
    }
    if found.is_empty() { "it does not say why".to_owned() } else { found.join("; ") }
}
