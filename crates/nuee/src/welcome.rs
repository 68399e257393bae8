//! What a start prints: where things are, and settings that can be pasted into clients.
//!
//! It goes to standard output, apart from the logs: it is the only text that shows a secret.

use std::fmt::{self, Display, Formatter};

use crate::{Addresses, demonstration::Demonstration};

/// Stands where a secret would, once that was shown.
const FORGOTTEN: &str =
    "# AWS_SECRET_ACCESS_KEY was shown at the first start, and is not kept in a form that can be shown";

/// All that is said at a start.
pub(crate) struct Welcome<'a> {
    pub(crate) addresses: Addresses,
    pub(crate) region: &'a str,
    /// The authority that clients must be told to trust.
    pub(crate) ca_certificate: Option<String>,
    pub(crate) data_dir: String,
    pub(crate) key_dir: String,
    /// The public half of the owner's access key, if there is one.
    pub(crate) access_key_id: Option<String>,
    /// Its secret, when it is shown.
    pub(crate) secret: Option<&'a str>,
    /// Options that a command needs to find this platform.
    pub(crate) options: String,
    /// The people of the demonstration, when they are shown.
    pub(crate) demonstration: Option<&'a Demonstration>,
}

impl Display for Welcome<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "nuee {} is ready.\n", env!("CARGO_PKG_VERSION"))?;
        writeln!(f, "  S3               {}", self.addresses.endpoint())?;
        writeln!(f, "  health, metrics  {}", self.addresses.admin_endpoint())?;
        writeln!(f, "  data             {}", self.data_dir)?;
        writeln!(f, "  keys             {}", self.key_dir)?;
        if let Some(file) = &self.ca_certificate {
            writeln!(f, "  CA certificate   {file}")?;
        }
        if self.secret.is_some() {
            writeln!(f, "\nThe secret below is shown this once. Keep it.")?;
        }
        match &self.access_key_id {
            Some(id) => self.clients(f, id)?,
            None => writeln!(
                f,
                "\nThere is no service account of the first start. Make one: nuee service-account create NAME{}",
                self.options
            )?,
        }
        if let Some(demonstration) = self.demonstration {
            self.people(f, demonstration)?;
        }
        writeln!(
            f,
            "\nWhat is stored is sealed with the keys. Who loses the keys loses the data; write a copy of them, sealed by \
             a\npassphrase, and keep it elsewhere:\n\n  nuee key backup nuee-keys.backup{}\n\nCtrl-C stops.",
            self.options
        )
    }
}

impl Welcome<'_> {
    fn people(&self, f: &mut Formatter<'_>, demonstration: &Demonstration) -> fmt::Result {
        writeln!(
            f,
            "\nThe organisation `demonstration` has two projects and these people. Their passwords are shown this once.\n"
        )?;
        for account in &demonstration.accounts {
            writeln!(f, "  {:30}{:34}{}", account.email, account.may, account.password.expose())?;
        }
        writeln!(f, "\nAda is asked for a code too; each of these does once:\n")?;
        for codes in demonstration.codes.chunks(5) {
            let codes: Vec<_> = codes.iter().map(|code| code.expose()).collect();
            writeln!(f, "  {}", codes.join("  "))?;
        }
        let url = self.addresses.endpoint();
        writeln!(
            f,
            "\n  nuee login ada@demonstration.example --url {url} && nuee project list && nuee org users"
        )
    }

    fn clients(&self, f: &mut Formatter<'_>, id: &str) -> fmt::Result {
        let (endpoint, region) = (self.addresses.endpoint(), self.region);
        writeln!(f, "\naws, boto3 and other SDKs of AWS:\n")?;
        writeln!(f, "  export AWS_ENDPOINT_URL={endpoint}")?;
        writeln!(f, "  export AWS_DEFAULT_REGION={region}")?;
        writeln!(f, "  export AWS_ACCESS_KEY_ID={id}")?;
        match self.secret {
            Some(secret) => writeln!(f, "  export AWS_SECRET_ACCESS_KEY={secret}")?,
            None => writeln!(f, "  {FORGOTTEN}")?,
        }
        if let Some(file) = &self.ca_certificate {
            writeln!(f, "  export AWS_CA_BUNDLE={file}")?;
        }
        writeln!(f, "  aws s3 mb s3://papers && aws s3 ls\n")?;
        writeln!(f, "boto3, with these variables:\n")?;
        writeln!(f, "  import boto3, botocore.config")?;
        writeln!(f, "  path_style = botocore.config.Config(s3={{\"addressing_style\": \"path\"}})")?;
        writeln!(f, "  s3 = boto3.client(\"s3\", config=path_style)\n")?;
        writeln!(f, "rclone, in its configuration file:\n")?;
        writeln!(f, "  [nuee]\n  type = s3\n  provider = Other\n  force_path_style = true")?;
        writeln!(f, "  endpoint = {endpoint}\n  region = {region}\n  access_key_id = {id}")?;
        if let Some(file) = &self.ca_certificate {
            writeln!(f, "  # in its environment: RCLONE_CA_CERT={file}, and no AWS_CA_BUNDLE")?;
        }
        match self.secret {
            Some(secret) => writeln!(f, "  secret_access_key = {secret}"),
            None => writeln!(
                f,
                "\nIs the secret lost? Make another account: nuee service-account create NAME --role owner{}",
                self.options
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn welcome(secret: Option<&str>, ca_certificate: Option<&str>) -> String {
        let addresses = Addresses {
            s3: "127.0.0.1:9000".parse().unwrap(),
            admin: "127.0.0.1:9001".parse().unwrap(),
            secure: ca_certificate.is_some(),
            admin_secure: false,
        };
        let welcome = Welcome {
            addresses,
            region: "fr1",
            ca_certificate: ca_certificate.map(str::to_owned),
            data_dir: "/data".to_owned(),
            key_dir: "/keys".to_owned(),
            access_key_id: Some("NUEEID".to_owned()),
            secret,
            options: String::new(),
            demonstration: None,
        };
        welcome.to_string()
    }

    #[test]
    fn the_settings_can_be_pasted() {
        let text = welcome(Some("hush"), None);
        for line in [
            "  export AWS_ENDPOINT_URL=http://127.0.0.1:9000\n",
            "  export AWS_SECRET_ACCESS_KEY=hush\n",
            "  secret_access_key = hush\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn clients_are_told_whom_to_trust() {
        let text = welcome(Some("hush"), Some("/data/tls/self-signed/ca.pem"));
        for line in [
            "  export AWS_ENDPOINT_URL=https://127.0.0.1:9000\n",
            "  export AWS_CA_BUNDLE=/data/tls/self-signed/ca.pem\n",
            "RCLONE_CA_CERT=/data/tls/self-signed/ca.pem, ",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert!(!welcome(Some("hush"), None).contains("CA"));
    }

    #[test]
    fn without_the_secret_no_setting_pretends_to_have_it() {
        let text = welcome(None, None);
        assert!(
            !text.contains("export AWS_SECRET_ACCESS_KEY") && !text.contains("secret_access_key"),
            "{text}"
        );
        assert!(text.contains("service-account create"), "{text}");
    }
}
