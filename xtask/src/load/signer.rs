//! Request heads signed with AWS Signature Version 4.
//!
//! Follows <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>. The signing key is
//! derived once a day and the head is written into a buffer of the caller, so that the client costs little beside
//! the server. Four headers are signed: Host, `x-amz-content-sha256`, `x-amz-copy-source` of a copy, `x-amz-date`.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Result, anyhow};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::Target;

/// A request before it is signed; path and query are already in their canonical, encoded form.
pub(crate) struct Request<'a> {
    pub(crate) method: &'static str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) signed_payload: bool,
    /// What a copy copies: `bucket/key`, encoded.
    pub(crate) copy_source: Option<&'a str>,
}

/// Signs for one target.
pub(crate) struct Signer {
    host: String,
    access_key: String,
    secret_key: String,
    region: String,
    day: String,
    key: [u8; 32],
}

impl Signer {
    /// Takes what it needs from the target.
    pub(crate) fn new(target: &Target) -> Result<Self> {
        Ok(Self {
            host: target.host()?.to_owned(),
            access_key: target.access_key.clone(),
            secret_key: target.secret_key.clone(),
            region: target.region.clone(),
            day: String::new(),
            key: [0; 32],
        })
    }

    /// Replaces `head` by the request line and headers, the empty line included.
    pub(crate) fn write_head(&mut self, request: &Request<'_>, head: &mut Vec<u8>) -> Result<()> {
        self.write_head_at(OffsetDateTime::now_utc(), request, head)
    }

    fn write_head_at(&mut self, at: OffsetDateTime, request: &Request<'_>, head: &mut Vec<u8>) -> Result<()> {
        let Request { method, path, query, body, .. } = request;
        let (day, moment) = stamps(at);
        self.renew_key(&day)?;
        let payload = if request.signed_payload { sha256_hex(body) } else { "UNSIGNED-PAYLOAD".to_owned() };
        let (name, line) = match request.copy_source {
            Some(source) => ("x-amz-copy-source;", format!("x-amz-copy-source:{source}\n")),
            None => ("", String::new()),
        };
        let signed = format!("host;x-amz-content-sha256;{name}x-amz-date");
        let canonical = format!(
            "{method}\n{path}\n{query}\nhost:{}\nx-amz-content-sha256:{payload}\n{line}x-amz-date:{moment}\n\n\
             {signed}\n{payload}",
            self.host
        );
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let text = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}", sha256_hex(canonical.as_bytes()));
        let signature = hex(&hmac_sha256(&self.key, text.as_bytes())?);
        head.clear();
        let mark = if query.is_empty() { "" } else { "?" };
        write!(
            head,
            "{method} {path}{mark}{query} HTTP/1.1\r\nhost: {}\r\nx-amz-content-sha256: {payload}\r\n\
             x-amz-date: {moment}\r\nauthorization: AWS4-HMAC-SHA256 Credential={}/{scope}, \
             SignedHeaders={signed}, Signature={signature}\r\n",
            self.host, self.access_key
        )?;
        if let Some(source) = request.copy_source {
            write!(head, "x-amz-copy-source: {source}\r\n")?;
        }
        if matches!(*method, "PUT" | "POST") {
            write!(head, "content-length: {}\r\n", body.len())?;
        }
        head.extend_from_slice(b"\r\n");
        Ok(())
    }

    fn renew_key(&mut self, day: &str) -> Result<()> {
        if self.day != day {
            let mut key = hmac_sha256(format!("AWS4{}", self.secret_key).as_bytes(), day.as_bytes())?;
            for part in [self.region.as_str(), "s3", "aws4_request"] {
                key = hmac_sha256(&key, part.as_bytes())?;
            }
            self.key = key;
            day.clone_into(&mut self.day);
        }
        Ok(())
    }
}

/// Percent-encodes all but the unreserved characters and, if asked, the slash.
pub(crate) fn encode(text: &str, keep_slash: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || (keep_slash && byte == b'/') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// `yyyymmdd` and `yyyymmddThhmmssZ`.
fn stamps(at: OffsetDateTime) -> (String, String) {
    let day = format!("{:04}{:02}{:02}", at.year(), u8::from(at.month()), at.day());
    let moment = format!("{day}T{:02}{:02}{:02}Z", at.hour(), at.minute(), at.second());
    (day, moment)
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> Result<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|error| anyhow!("the secret key: {error}"))?;
    mac.update(message);
    Ok(mac.finalize().into_bytes().into())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key pair of Amazon's examples.
    fn signer() -> Signer {
        Signer::new(&Target {
            endpoint: "http://examplebucket.s3.amazonaws.com:80".to_owned(),
            bucket: String::new(),
            access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            region: "us-east-1".to_owned(),
        })
        .unwrap()
    }

    fn signature(query: &str) -> String {
        let mut signer = signer();
        signer.host = "examplebucket.s3.amazonaws.com".to_owned();
        let at = OffsetDateTime::from_unix_timestamp(1_369_353_600).unwrap();
        let request =
            Request { method: "GET", path: "/", query, body: b"", signed_payload: true, copy_source: None };
        let mut head = Vec::new();
        signer.write_head_at(at, &request, &mut head).unwrap();
        let head = String::from_utf8(head).unwrap();
        let (_, signature) = head.split_once("Signature=").unwrap();
        signature.split_once('\r').unwrap().0.to_owned()
    }

    /// "GET Bucket Lifecycle" and "List Objects" of the page that the module follows.
    #[test]
    fn the_signatures_of_the_documentation_are_reproduced() {
        assert_eq!(
            signature("lifecycle="),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        );
        assert_eq!(
            signature("max-keys=2&prefix=J"),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }

    #[test]
    fn encoding_keeps_the_unreserved_characters() {
        assert_eq!(encode("a-_.~/é %", true), "a-_.~/%C3%A9%20%25");
        assert_eq!(encode("a/b", false), "a%2Fb");
    }
}
