//! Whether and how a request is signed, from its head. The signature itself is checked after, by `s3s`.
//!
//! [Signature Version 4](https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html) in the
//! `Authorization` header or in the query. Whatever else looks like a credential is refused: what `s3s` does not
//! recognise as one it would take for an anonymous request.

use http::{HeaderMap, HeaderValue, header};

use super::{Refusal, query::Query};

/// The longest that a presigned request may be valid: seven days, in seconds.
const MAX_EXPIRES_SECONDS: u32 = 7 * 24 * 60 * 60;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The parameters that sign a query, as they are written; they are recognised in any case.
const QUERY_PARAMETERS: [&str; 6] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
];

/// How a request is signed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Authentication<'r> {
    /// It is not.
    Anonymous,
    /// In the `Authorization` header; these headers are signed.
    Header { signed_headers: &'r str },
    /// In the query; these headers are signed.
    Query { signed_headers: String },
}

/// The fields of an `Authorization` header.
pub(crate) struct Authorization<'r> {
    pub(crate) credential: Scope<'r>,
    pub(crate) signed_headers: &'r str,
    pub(crate) signature: &'r str,
}

/// Whose signature it is, and for where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'r> {
    pub(crate) access_key: &'r str,
    pub(crate) date: &'r str,
    pub(crate) region: &'r str,
}

/// The header, or the parameter of a presigned request, with the token of a temporary access key.
pub(crate) const SESSION_TOKEN: &str = "x-amz-security-token";

const SIGV2: &str = "Signature Version 2 is not accepted. Use AWS4-HMAC-SHA256: set signature_version to s3v4, and the \
                     region to fr1.";

impl<'r> Authentication<'r> {
    /// How this request is signed; an error if that can be told neither way.
    pub(super) fn of(headers: &'r HeaderMap, query: &Query<'_>) -> Result<Self, Refusal> {
        let in_query = QUERY_PARAMETERS.iter().any(|name| query.get(name).0.is_some());
        // SigV2 in the query. `Expires` alone is nobody's credential, and is ignored as by S3.
        if query.get("AWSAccessKeyId").0.is_some() || query.get("Signature").0.is_some() {
            return Err(Refusal::invalid_request(SIGV2));
        }
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let authentication = match (values.next(), in_query) {
            (None, false) if has_token(headers, query) => {
                let message = "A session token needs a signature: sign with its access key.";
                return Err(Refusal::invalid_token(message));
            }
            (None, false) => return Ok(Self::Anonymous),
            (Some(_), true) => {
                let message =
                    "Only one authentication mechanism is allowed: the Authorization header or the query.";
                return Err(Refusal::invalid_argument(message));
            }
            (Some(value), false) => Self::in_header(value, headers)?,
            (None, true) => Self::in_query(query)?,
        };
        if values.next().is_some() {
            return Err(Refusal::invalid_request("There are several Authorization headers: send one."));
        }
        Ok(authentication)
    }

    fn in_header(value: &'r HeaderValue, headers: &HeaderMap) -> Result<Self, Refusal> {
        let authorization = Authorization::parse(value)?;
        let Some(date) = headers.get("x-amz-date").and_then(|date| date.to_str().ok()) else {
            let message = "A signed request needs a valid x-amz-date header.";
            return Err(Refusal::access_denied(message));
        };
        let malformed = |message: String| Refusal::authorization_malformed(message);
        check_date(date, authorization.credential.date).map_err(malformed)?;
        Ok(Self::Header { signed_headers: authorization.signed_headers })
    }

    fn in_query(query: &Query<'_>) -> Result<Self, Refusal> {
        let wrong = |message: String| Refusal::query_parameters(message);
        for (name, _) in query.iter() {
            let spelled = QUERY_PARAMETERS.iter().find(|spelled| spelled.eq_ignore_ascii_case(name));
            if spelled.is_some_and(|spelled| *spelled != name) {
                return Err(wrong(format!(
                    "The parameter {name} must be written as in the documentation of S3."
                )));
            }
        }
        let mut values = [""; 6];
        for (value, name) in values.iter_mut().zip(QUERY_PARAMETERS) {
            *value = match query.get(name) {
                (Some(value), false) => value,
                (Some(_), true) => {
                    return Err(wrong(format!("The parameter {name} is there several times.")));
                }
                (None, _) => {
                    return Err(wrong(format!("A presigned request needs {}.", QUERY_PARAMETERS.join(", "))));
                }
            };
        }
        let [algorithm, credential, date, expires, signed_headers, signature] = values;
        if algorithm != ALGORITHM {
            return Err(wrong(format!("X-Amz-Algorithm only supports {ALGORITHM}.")));
        }
        let scope = Scope::parse(credential).map_err(wrong)?;
        check_date(date, scope.date).map_err(wrong)?;
        check_expires(expires)?;
        check_signature(signature).map_err(wrong)?;
        Ok(Self::Query { signed_headers: signed_headers.to_owned() })
    }

    /// Refuses a request that has a header of S3's which its signature does not cover, so that nobody on the way, and no
    /// holder of a presigned URL, can add one. Refuses signed headers that are absent, repeated or no text, too: `s3s`
    /// leaves those out of what it checks.
    pub(super) fn check_signed_headers(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let signed_headers: &str = match self {
            Self::Anonymous => return Ok(()),
            Self::Header { signed_headers } => signed_headers,
            Self::Query { signed_headers } => signed_headers,
        };
        let is_signed = |name: &str| signed_headers.split(';').any(|signed| signed == name);
        if !is_signed("host") {
            return Err(Refusal::access_denied("The Host header must be signed."));
        }
        let mut found = 0;
        for name in headers.keys() {
            if is_signed(name.as_str()) {
                found += 1;
                if headers.get_all(name).iter().any(|value| std::str::from_utf8(value.as_bytes()).is_err()) {
                    return Err(Refusal::invalid_argument(format!("The header {name} is not UTF-8.")));
                }
            } else if name.as_str().starts_with("x-amz-") {
                let message =
                    format!("There were headers present in the request which were not signed: {name}.");
                return Err(Refusal::access_denied(message));
            }
        }
        if found != signed_headers.split(';').count() {
            let message = "SignedHeaders must name headers of the request, in lower case, each once.";
            return Err(Refusal::access_denied(message));
        }
        Ok(())
    }

    pub(super) fn is_header(&self) -> bool {
        matches!(self, Self::Header { .. })
    }
}

/// Whether a session token comes with the request. Whose it is, and whether that is so, is looked at once the signature,
/// which covers it, is known to be good.
fn has_token(headers: &HeaderMap, query: &Query<'_>) -> bool {
    headers.contains_key(SESSION_TOKEN) || query.get(SESSION_TOKEN).0.is_some()
}

/// Whether a parameter is one of those that sign a query.
pub(super) fn is_parameter(name: &str) -> bool {
    QUERY_PARAMETERS.contains(&name)
}

impl<'r> Authorization<'r> {
    /// Reads `AWS4-HMAC-SHA256 Credential=…,SignedHeaders=…,Signature=…`.
    pub(crate) fn parse(value: &'r HeaderValue) -> Result<Self, Refusal> {
        Self::parse_for(value, "s3")
    }

    /// The same for another service.
    pub(crate) fn parse_for(value: &'r HeaderValue, service: &str) -> Result<Self, Refusal> {
        let malformed = Refusal::authorization_malformed;
        let text = value.to_str().map_err(|_| malformed("The Authorization header is not ASCII."))?;
        let Some((scheme, fields)) = text.split_once(' ') else {
            return Err(malformed("The Authorization header has no credential."));
        };
        match scheme {
            ALGORITHM => {}
            "AWS" => return Err(Refusal::invalid_request(SIGV2)),
            _ => {
                return Err(Refusal::invalid_argument(format!(
                    "Unsupported Authorization type: use {ALGORITHM}."
                )));
            }
        }
        // In this order and without anything else, as `s3s` reads it after.
        let mut fields = fields.trim().split(',').map(str::trim_start);
        let mut field =
            |name: &str| fields.next().and_then(|field| field.strip_prefix(name)?.strip_prefix('='));
        let read = (field("Credential"), field("SignedHeaders"), field("Signature"), fields.next());
        let (Some(credential), Some(signed_headers), Some(signature), None) = read else {
            return Err(malformed(
                "The Authorization header must have Credential, SignedHeaders and Signature.",
            ));
        };
        check_signature(signature).map_err(Refusal::authorization_malformed::<String>)?;
        let credential = Scope::parse_for(credential, service);
        let credential = credential.map_err(Refusal::authorization_malformed::<String>)?;
        Ok(Self { credential, signed_headers, signature })
    }
}

impl<'r> Scope<'r> {
    /// Reads `access key/date/region/s3/aws4_request`.
    pub(crate) fn parse(credential: &'r str) -> Result<Self, String> {
        Self::parse_for(credential, "s3")
    }

    /// The same for another service.
    pub(crate) fn parse_for(credential: &'r str, served: &str) -> Result<Self, String> {
        let mut parts = credential.split('/');
        let parts = (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next());
        let (Some(access_key), Some(date), Some(region), Some(service), Some(end), None) = parts else {
            return Err(format!(
                "The credential must be <access key>/YYYYMMDD/<region>/{served}/aws4_request."
            ));
        };
        if access_key.is_empty() {
            return Err("The credential has no access key.".into());
        }
        if region.is_empty() {
            return Err("The credential has no region: use fr1.".into());
        }
        if service != served {
            return Err(format!("The credential is for another service: this is {served}."));
        }
        if end != "aws4_request" {
            return Err("The credential must end with aws4_request.".into());
        }
        Ok(Self { access_key, date, region })
    }
}

/// `date` is `YYYYMMDDTHHMMSSZ`, on the day of the scope. Whether it is near the present is checked by `s3s`.
pub(crate) fn check_date(date: &str, scope_date: &str) -> Result<(), String> {
    let digits = |range| {
        date.as_bytes().get::<std::ops::Range<usize>>(range).is_some_and(|d| d.iter().all(u8::is_ascii_digit))
    };
    let bytes = date.as_bytes();
    if bytes.len() != 16 || !digits(0..8) || bytes[8] != b'T' || !digits(9..15) || bytes[15] != b'Z' {
        return Err("The date must be in the form YYYYMMDDTHHMMSSZ.".into());
    }
    if scope_date.as_bytes() != &bytes[..8] {
        return Err("The date of the credential is not the day of the date of the request.".into());
    }
    Ok(())
}

fn check_expires(expires: &str) -> Result<(), Refusal> {
    let wrong = Refusal::query_parameters;
    let digits = !expires.is_empty() && expires.bytes().all(|byte| byte.is_ascii_digit());
    match expires.parse::<u32>() {
        Ok(0) => Err(wrong("X-Amz-Expires must be at least 1 second.")),
        Ok(seconds) if digits && seconds <= MAX_EXPIRES_SECONDS => Ok(()),
        Err(_) if !digits => Err(wrong("X-Amz-Expires must be a number of seconds.")),
        Ok(_) | Err(_) => Err(wrong("X-Amz-Expires must be at most a week: 604800 seconds.")),
    }
}

fn check_signature(signature: &str) -> Result<(), String> {
    let hexadecimal = signature.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if signature.len() == 64 && hexadecimal {
        Ok(())
    } else {
        Err("The signature must be 64 lower-case hexadecimal digits.".into())
    }
}
