//! A certificate that the server makes: for trying out, and for machines that no authority knows.
//!
//! An authority is made, signs one certificate, and its key is forgotten: nobody, not even who reads the data directory,
//! can have it sign another. So a client that trusts it trusts this server and nothing else. When the certificate no
//! longer names all that it should, or ends, another authority is made, and clients must be told to trust that one.
//!
//! ```text
//! ca.pem           the authority, for clients
//! certificate.pem  the certificate, and the authority again
//! key.pem          the certificate's key
//! ```

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use nuee_base::{Environment, Timestamp};
use nuee_web::Identity;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose,
};

use super::kept;
use crate::Settings;

/// Longer ones some clients refuse.
const LIFETIME: Duration = Duration::from_hours(825 * 24);
/// Clocks of clients may be behind.
const TOLERANCE: Duration = Duration::from_hours(1);
/// A start makes another certificate if this one ends so soon.
const MARGIN: Duration = Duration::from_hours(30 * 24);

/// A certificate that is made here, kept in a directory.
pub(super) struct SelfSigned {
    directory: PathBuf,
    names: Vec<String>,
}

/// Texts in PEM.
struct Made {
    authority: String,
    certificate: String,
    key: String,
}

impl SelfSigned {
    /// For what the settings say that this server is called.
    pub(super) fn new(settings: &Settings, directory: &Path) -> Self {
        let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
        let domains = settings.s3.domains.iter().map(String::as_str);
        for domain in ["s3.localhost"].into_iter().chain(domains) {
            names.extend([domain.to_ascii_lowercase(), format!("*.{}", domain.to_ascii_lowercase())]);
        }
        let of_sections = settings.listeners.values().map(|listener| listener.address.ip());
        let addresses = [settings.server.listen.ip()].into_iter().chain(of_sections);
        names
            .extend(addresses.filter(|address| !address.is_unspecified()).map(|address| address.to_string()));
        names.sort();
        names.dedup();
        Self { directory: directory.join("self-signed"), names }
    }

    /// The authority, for clients.
    pub(super) fn ca_certificate(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// The certificate that was made at an earlier start, or another if that is of no use any more.
    pub(super) fn open(&self, environment: &Environment) -> Result<Identity> {
        let kept = self.kept()?.filter(|identity| {
            let named = self.names.iter().all(|name| identity.names().contains(name));
            named && environment.now().saturating_add(MARGIN) < identity.not_after()
        });
        kept.map_or_else(|| self.renew(environment), Ok)
    }

    /// Another certificate if the current one has ended; before that, clients that trust it are better served by it.
    pub(super) fn look(
        &self,
        current: Option<&Identity>,
        environment: &Environment,
    ) -> Result<Option<Identity>> {
        let good = current.is_some_and(|identity| environment.now() < identity.not_after());
        if good { Ok(None) } else { self.renew(environment).map(Some) }
    }

    /// What is in the directory, if it belongs together.
    fn kept(&self) -> Result<Option<Identity>> {
        let file = |name: &str| kept::read(&self.directory.join(name));
        let texts = (file("ca.pem")?, file("certificate.pem")?, file("key.pem")?);
        let (Some(authority), Some(chain), Some(key)) = texts else { return Ok(None) };
        // Not so where a start was cut while it wrote them.
        Ok(if chain.ends_with(&authority) { Identity::from_pem(&chain, &key).ok() } else { None })
    }

    fn renew(&self, environment: &Environment) -> Result<Identity> {
        let made = self.make(environment.now()).context("cannot make a certificate")?;
        let chain = format!("{}{}", made.certificate, made.authority);
        kept::create_directory(&self.directory)?;
        for (name, text) in [("key.pem", &made.key), ("certificate.pem", &chain), ("ca.pem", &made.authority)]
        {
            kept::write(&self.directory.join(name), text.as_bytes())?;
        }
        let ca = self.ca_certificate();
        tracing::warn!(ca = %ca.display(), "made a certificate: clients must be told to trust its authority");
        Ok(Identity::from_pem(chain.as_bytes(), made.key.as_bytes())?)
    }

    fn make(&self, now: Timestamp) -> Result<Made, rcgen::Error> {
        let validity = (now.saturating_sub(TOLERANCE), now.saturating_add(LIFETIME));
        let mut authority = parameters(Vec::new(), "Nuée, this server alone", validity)?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let mut server = parameters(self.names.clone(), "Nuée", validity)?;
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = server.signed_by(&key, &authority)?.pem();
        Ok(Made { authority: authority.pem(), certificate, key: key.serialize_pem() })
    }
}

fn parameters(
    names: Vec<String>,
    title: &str,
    (from, until): (Timestamp, Timestamp),
) -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::new(names)?;
    let mut title_only = DistinguishedName::new();
    title_only.push(DnType::CommonName, title);
    parameters.distinguished_name = title_only;
    (parameters.not_before, parameters.not_after) = (from.to_date_time(), until.to_date_time());
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn made(directory: &Path, domains: &[&str]) -> (SelfSigned, Identity) {
        let mut settings = Settings::default();
        settings.s3.domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
        let made = SelfSigned::new(&settings, directory);
        let identity = made.open(&Environment::system()).unwrap();
        (made, identity)
    }

    #[test]
    fn a_later_start_presents_the_same_certificate() {
        let directory = tempfile::tempdir().unwrap();
        let authority = |made: &SelfSigned| fs::read(made.ca_certificate()).unwrap();
        let (first, identity) = made(directory.path(), &[]);
        for name in ["localhost", "s3.localhost", "*.s3.localhost", "127.0.0.1", "::1"] {
            assert!(identity.names().iter().any(|found| found == name), "{identity:?}");
        }
        let before = authority(&first);
        let (second, _) = made(directory.path(), &[]);
        assert_eq!(authority(&second), before);
        let (third, identity) = made(directory.path(), &["s3.example.test"]);
        assert_ne!(authority(&third), before, "a new name needs a new certificate");
        assert!(identity.names().iter().any(|found| found == "*.s3.example.test"), "{identity:?}");
    }

    #[test]
    fn what_a_cut_start_left_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let (first, _) = made(directory.path(), &[]);
        fs::write(first.directory.join("ca.pem"), "of another").unwrap();
        let (second, _) = made(directory.path(), &[]);
        assert!(second.kept().unwrap().is_some());
        fs::write(first.directory.join("key.pem"), "cut").unwrap();
        made(directory.path(), &[]);
        assert!(second.kept().unwrap().is_some());
    }

    #[test]
    fn the_key_is_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (made, _) = made(directory.path(), &[]);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&made.directory.join("key.pem")), 0o600);
        assert_eq!(mode(&made.directory), 0o700);
    }
}
