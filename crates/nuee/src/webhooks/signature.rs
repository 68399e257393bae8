//! Signatures of messages, after [Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md):
//! HMAC-SHA256 over the id, the time of the attempt in seconds, and the body, with full stops between.

use anyhow::{Context, Result, ensure};
use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// What secrets begin with.
const PREFIX: &str = "whsec_";

/// Signs with a secret.
pub(super) struct Signer(hmac::Key);

impl Signer {
    /// A signer with the secret in a text: `whsec_` and 24 to 64 bytes in base64.
    pub(super) fn new(text: &str) -> Result<Self> {
        let encoded = text.trim().strip_prefix(PREFIX);
        let encoded =
            encoded.context("it must begin with whsec_, and go on with 32 random bytes in base64")?;
        let secret = STANDARD.decode(encoded).context("what follows whsec_ is not base64")?;
        ensure!((24..=64).contains(&secret.len()), "it has {} bytes, and must have 24 to 64", secret.len());
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &secret)))
    }

    /// The signature of a message, as the header `webhook-signature` has it.
    pub(super) fn sign(&self, id: &str, seconds: i64, body: &str) -> String {
        let signed = format!("{id}.{seconds}.{body}");
        format!("v1,{}", STANDARD.encode(hmac::sign(&self.0, signed.as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_specification() {
        // The example of the libraries that the specification comes with.
        let signer = Signer::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signature = signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_that_are_none_are_refused() {
        let short = format!("whsec_{}", STANDARD.encode([1; 23]));
        for wrong in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_*", &short] {
            assert!(Signer::new(wrong).is_err(), "{wrong}");
        }
    }
}
