//! The settings of an issuer where people sign in, and the defaults of each kind of issuer.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use nuee_access::{Algorithm, Issuer, Parameters, RelyingParty};
use nuee_base::Zone;
use serde::{Deserialize, Serialize};

use super::usual_algorithms;
use crate::issuer::web_url;

/// What is asked about people where nothing else is said.
const SCOPES: [&str; 3] = ["openid", "email", "profile"];
/// The same at ProConnect.
const PROCONNECT_SCOPES: [&str; 5] = ["openid", "given_name", "usual_name", "email", "siret"];
/// What stands for more than one factor at ProConnect, where the identity is not what somebody says of themselves.
const PROCONNECT_MULTI_FACTOR: [&str; 3] = ["eidas1-mfa", "eidas2", "eidas3"];

/// An issuer where people sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInIssuerSettings {
    /// Whose defaults apply.
    #[serde(default)]
    pub kind: SignInKind,
    /// What it calls itself (`issuer` in its configuration), letter by letter.
    pub url: String,
    /// What it calls this server.
    pub client_id: String,
    /// File of the secret that it gave this server.
    pub client_secret_file: PathBuf,
    /// What people read on the way to it. Without it: its name, or `ProConnect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The zone whose people it is offered to, `rie` or `internet`. Without it: everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What is asked about people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The values of `acr` that stand for more than one factor. Without any, `mfa` in `amr` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr_values_multi_factor: Option<Vec<String>>,
    /// Whether codes are bound to their request (RFC 7636).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pkce: Option<bool>,
    /// How this server proves who it is at the token endpoint.
    #[serde(default)]
    pub token_endpoint_auth: TokenEndpointAuth,
    /// How ID tokens may be signed.
    #[serde(default = "usual_algorithms")]
    pub algorithms: Vec<String>,
    /// How userinfo must be signed. Without any, it may be plain, and if it is signed, then as ID tokens are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub userinfo_algorithms: Vec<String>,
    /// PEM file of the authorities that vouch for it. Without it: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<PathBuf>,
}

/// A kind of issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignInKind {
    /// Any provider of OpenID Connect.
    #[default]
    OpenId,
    /// ProConnect, the State's federation: no PKCE, and parameters of its own.
    ProConnect,
}

/// How a client proves who it is
/// ([OpenID Connect Core](https://openid.net/specs/openid-connect-core-1_0.html#ClientAuthentication), section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenEndpointAuth {
    /// With the secret in the form.
    #[default]
    ClientSecretPost,
    /// With the secret in the header.
    ClientSecretBasic,
}

impl SignInIssuerSettings {
    /// The settings of such an issuer, with the defaults of its kind.
    #[must_use]
    pub fn new(kind: SignInKind, url: &str, client_id: &str, client_secret_file: PathBuf) -> Self {
        Self {
            kind,
            url: url.to_owned(),
            client_id: client_id.to_owned(),
            client_secret_file,
            title: None,
            zone: None,
            scopes: None,
            acr_values_multi_factor: None,
            pkce: None,
            token_endpoint_auth: TokenEndpointAuth::default(),
            algorithms: usual_algorithms(),
            userinfo_algorithms: Vec::new(),
            ca_bundle: None,
        }
    }

    /// What people read on the way to it.
    pub(crate) fn title(&self, name: &str) -> String {
        let usual = if self.is_proconnect() { "ProConnect" } else { name };
        self.title.clone().unwrap_or_else(|| usual.to_owned())
    }

    /// The zone whose people it is offered to.
    pub(crate) fn zone(&self) -> Result<Option<Zone>> {
        let zone = self.zone.as_deref().map(str::parse).transpose();
        zone.context("zone")
    }

    /// Refuses what cannot work; gives this server as the issuer knows it.
    pub(crate) fn relying_party(&self, name: &str) -> Result<RelyingParty> {
        check_url(&self.url)?;
        self.zone()?;
        ensure!(!self.client_id.is_empty(), "client_id is empty: write what the issuer calls this server");
        ensure!(!self.algorithms.is_empty(), "algorithms is empty: ID tokens are always signed");
        let pkce = self.pkce.unwrap_or(!self.is_proconnect());
        ensure!(!(pkce && self.is_proconnect()), "pkce is true, and ProConnect refuses requests with it");
        let lists = [("scopes", &self.scopes), ("acr_values_multi_factor", &self.acr_values_multi_factor)];
        for (key, list) in lists {
            // Both are sent as words between spaces.
            let is_word =
                |text: &&String| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
            if let Some(wrong) = list.iter().flatten().find(|text| !is_word(text)) {
                bail!("{key} has {wrong:?}, and must be a list of words without spaces");
            }
        }
        let issuer = Issuer {
            name: name.parse()?,
            url: self.url.clone(),
            audiences: vec![self.client_id.clone()],
            algorithms: algorithms(&self.algorithms).context("algorithms")?,
        };
        let usual = |both: [&[&str]; 2]| -> Vec<String> {
            both[usize::from(self.is_proconnect())].iter().map(|text| (*text).to_owned()).collect()
        };
        Ok(RelyingParty {
            issuer,
            client_id: self.client_id.clone(),
            scopes: self.scopes.clone().unwrap_or_else(|| usual([&SCOPES, &PROCONNECT_SCOPES])),
            multi_factor: self
                .acr_values_multi_factor
                .clone()
                .unwrap_or_else(|| usual([&[], &PROCONNECT_MULTI_FACTOR])),
            parameters: match self.kind {
                SignInKind::OpenId => Parameters::OpenIdConnect,
                SignInKind::ProConnect => Parameters::ProConnect,
            },
            pkce,
            userinfo_algorithms: algorithms(&self.userinfo_algorithms).context("userinfo_algorithms")?,
        })
    }

    fn is_proconnect(&self) -> bool {
        self.kind == SignInKind::ProConnect
    }
}

fn algorithms(names: &[String]) -> Result<Vec<Algorithm>> {
    Ok(names.iter().map(|text| text.parse()).collect::<Result<_, _>>()?)
}

/// A secret goes there, and so does what makes somebody known: in the clear to this machine at most.
fn check_url(text: &str) -> Result<()> {
    let uri = web_url(text).with_context(|| format!("url is {text:?}, and must be one of https"))?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    ensure!(uri.scheme_str() == Some("https") || is_here, "url is {text:?}, and must be one of https");
    ensure!(!text.contains(['?', '#', '@']), "url is {text:?}, and can have neither a query nor a user");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &str) -> Result<RelyingParty> {
        let needed = "client_id = \"nuee\"\nclient_secret_file = \"/etc/nuee/secret\"\n";
        let url = if lines.contains("url =") { "" } else { "url = \"https://login.example.org\"\n" };
        let settings: SignInIssuerSettings = toml::from_str(&format!("{url}{needed}{lines}"))?;
        settings.relying_party("lab")
    }

    #[test]
    fn each_kind_of_issuer_has_its_defaults() {
        let party = parse("").unwrap();
        assert!(party.pkce && party.parameters == Parameters::OpenIdConnect && party.multi_factor.is_empty());
        assert_eq!(party.scopes, SCOPES);
        assert_eq!(party.issuer.algorithms, [Algorithm::Rs256, Algorithm::Es256]);
        let party = parse("kind = \"proconnect\"").unwrap();
        assert!(!party.pkce && party.parameters == Parameters::ProConnect);
        assert_eq!(
            (&*party.scopes, &*party.multi_factor),
            (&PROCONNECT_SCOPES.map(str::to_owned)[..], &PROCONNECT_MULTI_FACTOR.map(str::to_owned)[..])
        );
        let party =
            parse("kind = \"proconnect\"\nscopes = [\"openid\"]\nacr_values_multi_factor = [\"eidas3\"]");
        let party = party.unwrap();
        assert_eq!(
            (&*party.scopes, &*party.multi_factor),
            (&["openid".to_owned()][..], &["eidas3".to_owned()][..])
        );
        assert!(parse("url = \"http://127.0.0.1:1/issuer\"").is_ok());
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        for (lines, named) in [
            ("url = \"http://login.example.org\"", "url"),
            ("url = \"http://127.0.0.1.example.org\"", "url"),
            ("url = \"https://login.example.org/?x=1\"", "url"),
            ("url = \"https://nuee:secret@login.example.org\"", "url"),
            ("url = \"login.example.org\"", "url"),
            ("zone = \"RIE\"", "zone"),
            ("algorithms = []", "algorithms"),
            ("algorithms = [\"none\"]", "algorithms"),
            ("algorithms = [\"HS256\"]", "algorithms"),
            ("userinfo_algorithms = [\"none\"]", "userinfo_algorithms"),
            ("scopes = [\"openid email\"]", "scopes"),
            ("acr_values_multi_factor = [\"\"]", "acr_values_multi_factor"),
            ("kind = \"proconnect\"\npkce = true", "pkce"),
            ("kind = \"franceconnect\"", "franceconnect"),
            ("token_endpoint_auth = \"none\"", "none"),
            ("client_secret = \"secret\"", "client_secret"),
        ] {
            let said = format!("{:#}", parse(lines).unwrap_err());
            assert!(said.contains(named), "{lines}: {said}");
        }
    }

    #[test]
    fn the_settings_of_the_guide_can_be_pasted() {
        let guide = include_str!("../../../../docs/identity.md");
        let blocks = guide.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        let mut names = Vec::new();
        for block in blocks.filter(|block| block.contains("[sign_in")) {
            let settings: crate::Settings = toml::from_str(block).unwrap();
            crate::sign_in::validate(&settings).unwrap();
            names.extend(settings.sign_in.issuers.into_keys());
        }
        assert_eq!(names, ["work", "proconnect-internet", "proconnect-rie"]);
    }
}
