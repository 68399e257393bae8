//! The chain of signatures over the chunks of a payload
//! ([S3: transferring payload in multiple chunks](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html)).

use aws_lc_rs::{digest, hmac};

const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Verifies chunks one after the other; each signature covers the one before.
pub(super) struct ChunkVerifier {
    key: hmac::Key,
    date: String,
    scope: String,
    previous: String,
    chunk: digest::Context,
}

impl ChunkVerifier {
    /// A verifier for the payload of a request with this date, region and signature, signed with `secret`.
    pub(super) fn new(secret: &str, date: &str, region: &str, seed: &str) -> Self {
        let day = date.get(..8).unwrap_or_default();
        let first = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
        let key = [day, region, "s3", "aws4_request"].iter().fold(first, |key, part| {
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref())
        });
        Self {
            key,
            date: date.to_owned(),
            scope: format!("{day}/{region}/s3/aws4_request"),
            previous: seed.to_owned(),
            chunk: digest::Context::new(&digest::SHA256),
        }
    }

    /// Adds bytes to the present chunk.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.chunk.update(bytes);
    }

    /// Whether `signature` is that of the present chunk, which ends here.
    pub(super) fn verify_chunk(&mut self, signature: &str) -> bool {
        let chunk = std::mem::replace(&mut self.chunk, digest::Context::new(&digest::SHA256));
        let hash = hex::encode(chunk.finish());
        let Self { date, scope, previous, .. } = self;
        let text = format!("AWS4-HMAC-SHA256-PAYLOAD\n{date}\n{scope}\n{previous}\n{EMPTY_SHA256}\n{hash}");
        self.verify(&text, signature)
    }

    /// Whether `signature` is that of the trailing headers, given as `name:value` lines.
    pub(super) fn verify_trailer(&mut self, lines: &str, signature: &str) -> bool {
        let hash = hex::encode(digest::digest(&digest::SHA256, lines.as_bytes()));
        let Self { date, scope, previous, .. } = self;
        let text = format!("AWS4-HMAC-SHA256-TRAILER\n{date}\n{scope}\n{previous}\n{hash}");
        self.verify(&text, signature)
    }

    fn verify(&mut self, text: &str, signature: &str) -> bool {
        let is_right =
            hex::decode(signature).is_ok_and(|tag| hmac::verify(&self.key, text.as_bytes(), &tag).is_ok());
        signature.clone_into(&mut self.previous);
        is_right
    }
}
