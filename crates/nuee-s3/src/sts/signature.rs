//! Who signed a request to this service ([Signature Version
//! 4](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html)), in its
//! `Authorization` header. `s3s` checks signatures for S3 alone.

use std::fmt::Write as _;

use aws_lc_rs::{digest, hmac};
use http::{HeaderMap, header, request::Parts};
use nuee_base::{Secret, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Fault;
use crate::filter::{Authorization, check_date};

/// What is encoded in a canonical query.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// How far the date of a request may be from the present, in seconds, as at AWS.
const TOLERANCE_SECONDS: i64 = 15 * 60;

const SERVICE: &str = "sts";

/// A request that somebody says to have signed.
pub(super) struct Signed<'r> {
    authorization: Authorization<'r>,
    text: String,
}

impl<'r> Signed<'r> {
    /// The signed request; `None` if it is not signed at all. A signature that cannot be used is an error.
    pub(super) fn of(parts: &'r Parts, body: &[u8], now: Timestamp) -> Result<Option<Self>, Fault> {
        let query = parts.uri.query().unwrap_or_default();
        let presigned = form_urlencoded::parse(query.as_bytes())
            .any(|(name, _)| name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-")));
        if presigned {
            return Err(Fault::incomplete_signature(
                "Presigned requests are not offered: sign in the header.",
            ));
        }
        let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return match parts.headers.keys().find(|name| is_amazon(name.as_str())) {
                Some(name) if name.as_str() == "x-amz-security-token" => {
                    Err(Fault::incomplete_signature("A session token needs a signature."))
                }
                _ => Ok(None),
            };
        };
        if values.next().is_some() {
            return Err(Fault::incomplete_signature("There are several Authorization headers: send one."));
        }
        let authorization = Authorization::parse_for(value, SERVICE)
            .map_err(|refusal| Fault::incomplete_signature(refusal.message))?;
        let date = header_text(&parts.headers, "x-amz-date")
            .ok_or_else(|| Fault::incomplete_signature("A signed request needs x-amz-date, once."))?;
        check_date(&date, authorization.credential.date).map_err(Fault::incomplete_signature)?;
        check_age(&date, now)?;
        let canonical = canonical_request(parts, authorization.signed_headers, query, body)?;
        let scope = &authorization.credential;
        let text = format!(
            "AWS4-HMAC-SHA256\n{date}\n{}/{}/{SERVICE}/aws4_request\n{}",
            scope.date,
            scope.region,
            sha256(canonical.as_bytes())
        );
        Ok(Some(Self { authorization, text }))
    }

    /// Whose access key signed it.
    pub(super) fn access_key(&self) -> &str {
        self.authorization.credential.access_key
    }

    /// Whether the signature is that of this secret.
    pub(super) fn check(&self, secret: &Secret) -> Result<(), Fault> {
        let scope = &self.authorization.credential;
        let first = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{}", secret.expose()).as_bytes());
        let parts = [scope.date, scope.region, SERVICE, "aws4_request"];
        let key = parts.iter().fold(first, |key, part| {
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref())
        });
        let signature = hex::decode(self.authorization.signature).unwrap_or_default();
        hmac::verify(&key, self.text.as_bytes(), &signature).map_err(|_| Fault::signature())
    }
}

fn is_amazon(name: &str) -> bool {
    name.starts_with("x-amz-")
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

/// The text of a header that is there once.
fn header_text(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?.to_owned();
    values.next().is_none().then_some(value)
}

fn check_age(date: &str, now: Timestamp) -> Result<(), Fault> {
    let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
    let date = time::PrimitiveDateTime::parse(date, format)
        .map_err(|_| Fault::incomplete_signature("The date is none of the calendar."))?;
    let age = now.to_date_time() - date.assume_utc();
    if age.whole_seconds().abs() > TOLERANCE_SECONDS {
        return Err(Fault::too_old());
    }
    Ok(())
}

/// The request in the form that is signed. Refuses what would leave a header of this service outside of it.
fn canonical_request(parts: &Parts, signed: &str, query: &str, body: &[u8]) -> Result<String, Fault> {
    let names: Vec<&str> = signed.split(';').collect();
    if !names.contains(&"host") {
        return Err(Fault::incomplete_signature("The Host header must be signed."));
    }
    if let Some(name) =
        parts.headers.keys().find(|it| is_amazon(it.as_str()) && !names.contains(&it.as_str()))
    {
        return Err(Fault::incomplete_signature(format!("The header {name} must be signed.")));
    }
    let mut pairs: Vec<String> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| {
            format!("{}={}", utf8_percent_encode(&name, ENCODED), utf8_percent_encode(&value, ENCODED))
        })
        .collect();
    pairs.sort_unstable();
    let mut text = format!("{}\n{}\n{}\n", parts.method, parts.uri.path(), pairs.join("&"));
    for name in names {
        let Some(value) = header_text(&parts.headers, name) else {
            let message = format!("The signed header {name} must be there once, and be text.");
            return Err(Fault::incomplete_signature(message));
        };
        let value: Vec<&str> = value.split_whitespace().collect();
        let _ = writeln!(text, "{name}:{}", value.join(" "));
    }
    let _ = write!(text, "\n{signed}\n{}", sha256(body));
    Ok(text)
}
