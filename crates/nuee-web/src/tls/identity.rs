//! Identities: a certificate, its chain and its key, checked and ready to be presented.

use std::{fmt, sync::Arc};

use nuee_base::Timestamp;
use rustls::{
    InconsistentKeys, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    server::ResolvesServerCert,
    sign::{CertifiedKey, SingleCertAndKey},
    version::{TLS12, TLS13},
};
use x509_parser::{extensions::GeneralName, prelude::FromDer};

use super::ACME_PROTOCOL;

const HTTP_PROTOCOL: &[u8] = b"http/1.1";

/// Who a listener is: certificate, chain and key. Its `Debug` shows no key.
#[derive(Clone)]
pub struct Identity {
    config: Arc<ServerConfig>,
    not_before: Timestamp,
    not_after: Timestamp,
    names: Vec<String>,
}

/// A certificate and a key cannot be presented.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// There is no certificate.
    #[error("there is no certificate: it must be PEM, with lines `-----BEGIN CERTIFICATE-----`")]
    NoCertificate,
    /// A certificate cannot be read.
    #[error("the certificate cannot be read: {0}")]
    Certificate(String),
    /// There is no private key.
    #[error(
        "there is no private key: it must be PEM, with a line `-----BEGIN PRIVATE KEY-----`, and not encrypted"
    )]
    NoKey,
    /// The key cannot be read, or is of a kind that is not used.
    #[error("the private key cannot be used: {0}")]
    Key(String),
    /// The key is that of another certificate.
    #[error("the private key does not belong to the first certificate of the chain")]
    Mismatch,
}

impl Identity {
    /// An identity of texts in PEM: the certificate, followed by those that lead to its authority; and its private key.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let certified = CertifiedKey::from_der(certificates(chain)?, private_key(key)?, &provider);
        Self::new(certified.map_err(reason)?, provider, HTTP_PROTOCOL)
    }

    /// An identity that answers a challenge of ACME, of texts in PEM.
    pub fn for_challenge(certificate: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = provider.key_provider.load_private_key(private_key(key)?).map_err(reason)?;
        // Not held against each other: the answer stands in an extension that only authorities understand.
        Self::new(CertifiedKey::new(certificates(certificate)?, key), provider, ACME_PROTOCOL)
    }

    fn new(
        certified: CertifiedKey,
        provider: Arc<CryptoProvider>,
        protocol: &[u8],
    ) -> Result<Self, IdentityError> {
        let (not_before, not_after, names) = read(certified.end_entity_cert().map_err(reason)?)?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::new(SingleCertAndKey::from(certified));
        let versions = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| IdentityError::Key(error.to_string()))?;
        let mut config = versions.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![protocol.to_vec()];
        Ok(Self { config: Arc::new(config), not_before, not_after, names })
    }

    /// From when on clients take it.
    #[must_use]
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// Until when clients take it.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// The domains and addresses that the certificate is for, as they stand there.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("names", &self.names).finish_non_exhaustive()
    }
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let read: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(text).collect();
    let chain = read.map_err(|error| IdentityError::Certificate(error.to_string()))?;
    if chain.is_empty() { Err(IdentityError::NoCertificate) } else { Ok(chain) }
}

fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, IdentityError> {
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        pem::Error::NoItemsFound => IdentityError::NoKey,
        error => IdentityError::Key(error.to_string()),
    })
}

fn reason(error: rustls::Error) -> IdentityError {
    match error {
        rustls::Error::NoCertificatesPresented => IdentityError::NoCertificate,
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => IdentityError::Mismatch,
        rustls::Error::InvalidCertificate(reason) => IdentityError::Certificate(format!("{reason:?}")),
        error => IdentityError::Key(error.to_string()),
    }
}

/// Validity and names of a certificate.
fn read(certificate: &CertificateDer<'_>) -> Result<(Timestamp, Timestamp, Vec<String>), IdentityError> {
    let unreadable = |error: &dyn fmt::Display| IdentityError::Certificate(error.to_string());
    let (_, read) = x509_parser::certificate::X509Certificate::from_der(certificate)
        .map_err(|error| unreadable(&error))?;
    let alternatives = read.subject_alternative_name().map_err(|error| unreadable(&error))?;
    let names = alternatives.map(|found| found.value.general_names.iter().filter_map(name).collect());
    let validity = read.validity();
    let moment = |time: x509_parser::time::ASN1Time| {
        Timestamp::from_micros(time.timestamp().saturating_mul(1_000_000))
    };
    Ok((moment(validity.not_before), moment(validity.not_after), names.unwrap_or_default()))
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => Some(std::net::IpAddr::from(<[u8; 4]>::try_from(*bytes).ok()?).to_string()),
            _ => Some(std::net::IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?).to_string()),
        },
        _ => None,
    }
}
