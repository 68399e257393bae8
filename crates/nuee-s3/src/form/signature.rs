//! Who signed the policy of a form ([Signature Version
//! 4](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html)).

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use nuee_base::Secret;

use super::Fields;
use crate::{
    Refusal,
    filter::{Scope, check_date},
};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The fields that prove who signed a policy.
pub(super) fn is_field(name: &str) -> bool {
    matches!(
        name,
        "x-amz-algorithm" | "x-amz-credential" | "x-amz-date" | "x-amz-signature" | "x-amz-security-token"
    )
}

/// A policy that somebody says to have signed.
pub(super) struct Signed<'f> {
    text: &'f str,
    scope: Scope<'f>,
    signature: Vec<u8>,
}

impl<'f> Signed<'f> {
    /// The signed policy of a form; `None` if it has none, and is nobody's. A credential that cannot be used is an error.
    pub(super) fn of(fields: &'f Fields) -> Result<Option<Self>, Refusal> {
        if fields.get("awsaccesskeyid").is_some() || fields.get("signature").is_some() {
            let message = "Signature Version 2 is not accepted: sign the policy with AWS4-HMAC-SHA256.";
            return Err(Refusal::invalid_request(message));
        }
        let Some(text) = fields.get("policy") else {
            return match fields.names().find(|name| is_field(name)) {
                Some(name) => Err(Refusal::malformed_form(format!("The field {name} needs a policy."))),
                None => Ok(None),
            };
        };
        if fields.needed("x-amz-algorithm")? != ALGORITHM {
            return Err(Refusal::invalid_argument(format!("x-amz-algorithm only supports {ALGORITHM}.")));
        }
        let scope =
            Scope::parse(fields.needed("x-amz-credential")?).map_err(Refusal::invalid_argument::<String>)?;
        check_date(fields.needed("x-amz-date")?, scope.date).map_err(Refusal::invalid_argument::<String>)?;
        let signature = hex::decode(fields.needed("x-amz-signature")?);
        let signature =
            signature.map_err(|_| Refusal::invalid_argument("x-amz-signature is hexadecimal."))?;
        Ok(Some(Self { text, scope, signature }))
    }

    /// Whose access key signed it.
    pub(super) fn access_key(&self) -> &'f str {
        self.scope.access_key
    }

    /// The policy, if the signature is that of this secret.
    pub(super) fn open(&self, secret: &Secret) -> Result<Vec<u8>, Refusal> {
        let first = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{}", secret.expose()).as_bytes());
        let parts = [self.scope.date, self.scope.region, "s3", "aws4_request"];
        let key = parts.iter().fold(first, |key, part| {
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref())
        });
        hmac::verify(&key, self.text.as_bytes(), &self.signature).map_err(|_| {
            Refusal::signature_does_not_match(
                "The signature does not match: check the secret key and what was signed, the policy in base64.",
            )
        })?;
        STANDARD.decode(self.text).map_err(|_| Refusal::invalid_policy("Invalid Policy: it is not base64."))
    }
}
