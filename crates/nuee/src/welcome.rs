//! What a start prints: where things are, and settings that can be pasted into clients.
//!
//! It goes to standard output, apart from the logs: it is the only text that shows a secret.

use std::fmt::{self, Display, Formatter};

use crate::Addresses;

/// Stands where a secret would, once that was shown.
const FORGOTTEN: &str =
    "# AWS_SECRET_ACCESS_KEY was shown at the first start, and is not kept in a form that can be shown";

/// All that is said at a start.
pub(crate) struct Welcome<'a> {
    pub(crate) addresses: Addresses,
    pub(crate) region: &'a str,
    pub(crate) data_dir: String,
    pub(crate) key_dir: String,
    /// The public half of the owner's access key, if there is one.
    pub(crate) access_key_id: Option<String>,
    /// Its secret, when it is shown.
    pub(crate) secret: Option<&'a str>,
    /// Options that a command needs to find this platform.
    pub(crate) options: String,
}

impl Display for Welcome<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "nuee {} is ready.\n", env!("CARGO_PKG_VERSION"))?;
        writeln!(f, "  S3               {}", self.addresses.endpoint())?;
        writeln!(f, "  health, metrics  {}", self.addresses.admin_endpoint())?;
        writeln!(f, "  data             {}", self.data_dir)?;
        writeln!(f, "  keys             {}", self.key_dir)?;
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
        writeln!(
            f,
            "\nWhat is stored is sealed with the keys. Who loses the keys loses the data; write a copy of them, sealed by \
             a\npassphrase, and keep it elsewhere:\n\n  nuee key backup nuee-keys.backup{}\n\nCtrl-C stops.",
            self.options
        )
    }
}

impl Welcome<'_> {
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
        writeln!(f, "  aws s3 mb s3://papers && aws s3 ls\n")?;
        writeln!(f, "boto3, with these variables:\n")?;
        writeln!(f, "  import boto3, botocore.config")?;
        writeln!(f, "  path_style = botocore.config.Config(s3={{\"addressing_style\": \"path\"}})")?;
        writeln!(f, "  s3 = boto3.client(\"s3\", config=path_style)\n")?;
        writeln!(f, "rclone, in its configuration file:\n")?;
        writeln!(f, "  [nuee]\n  type = s3\n  provider = Other\n  force_path_style = true")?;
        writeln!(f, "  endpoint = {endpoint}\n  region = {region}\n  access_key_id = {id}")?;
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

    fn welcome(secret: Option<&str>) -> String {
        let addresses =
            Addresses { s3: "127.0.0.1:9000".parse().unwrap(), admin: "127.0.0.1:9001".parse().unwrap() };
        let welcome = Welcome {
            addresses,
            region: "fr1",
            data_dir: "/data".to_owned(),
            key_dir: "/keys".to_owned(),
            access_key_id: Some("NUEEID".to_owned()),
            secret,
            options: String::new(),
        };
        welcome.to_string()
    }

    #[test]
    fn the_settings_can_be_pasted() {
        let text = welcome(Some("hush"));
        for line in [
            "  export AWS_ENDPOINT_URL=http://127.0.0.1:9000\n",
            "  export AWS_SECRET_ACCESS_KEY=hush\n",
            "  secret_access_key = hush\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn without_the_secret_no_setting_pretends_to_have_it() {
        let text = welcome(None);
        assert!(
            !text.contains("export AWS_SECRET_ACCESS_KEY") && !text.contains("secret_access_key"),
            "{text}"
        );
        assert!(text.contains("service-account create"), "{text}");
    }
}
