//! Signs requests as a client does, and as none should.
//!
//! A [`Draft`] is a request that can still be changed, before its signature and after; a [`Signer`] follows AWS Signature
//! Version 4 in each of its forms, with whatever secret, date and scope a test wants. Nothing here refuses a request that
//! makes no sense.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use nuee_base::{Clock, SystemClock};
use sha2::{Digest, Sha256};
use time::{OffsetDateTime, macros::format_description};

/// The SHA-256 of nothing, in hexadecimal digits.
pub const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A request that is not signed yet. Path and query are written as they will be sent.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The method.
    pub method: Method,
    /// The path, encoded.
    pub path: String,
    /// The query, not encoded.
    pub query: Vec<(String, String)>,
    /// The headers, in lower case; those that are there when it is signed are signed.
    pub headers: Vec<(String, String)>,
    /// The body, whatever the headers say of it.
    pub body: Vec<u8>,
}

impl Draft {
    /// A request without a body.
    #[must_use]
    pub fn new(method: Method, path: &str) -> Self {
        let headers = vec![("host".into(), "127.0.0.1:9000".into())];
        Self { method, path: path.into(), query: Vec::new(), headers, body: Vec::new() }
    }

    /// A request with a body, and its length.
    #[must_use]
    pub fn with_body(method: Method, path: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let length = body.len().to_string();
        Self { body, ..Self::new(method, path) }.header("content-length", &length)
    }

    /// An upload of `body`.
    #[must_use]
    pub fn put(path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::with_body(Method::PUT, path, body)
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same without a header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self
    }

    /// The same with another value of a header.
    #[must_use]
    pub fn set(self, name: &str, value: &str) -> Self {
        self.without(name).header(name, value)
    }

    /// The same with one more parameter.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// The same without a parameter.
    #[must_use]
    pub fn without_query(mut self, name: &str) -> Self {
        self.query.retain(|(other, _)| other != name);
        self
    }

    /// The same with another value of a parameter.
    #[must_use]
    pub fn set_query(self, name: &str, value: &str) -> Self {
        self.without_query(name).query(name, value)
    }

    /// The value of a header that is there.
    #[must_use]
    pub fn value(&self, name: &str) -> String {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone()).unwrap()
    }

    /// Path and query as they are sent.
    #[must_use]
    pub fn target(&self) -> String {
        let mut target = self.path.clone();
        for (index, (name, value)) in self.query.iter().enumerate() {
            let mark = if index == 0 { '?' } else { '&' };
            write!(target, "{mark}{}={}", encode(name), encode(value)).unwrap();
        }
        target
    }

    /// The request as bytes of HTTP/1.1.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target());
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        head.push_str("\r\n");
        [head.as_bytes(), &self.body].concat()
    }
}

/// Who signs, when, and for where.
#[derive(Debug, Clone)]
pub struct Signer {
    /// The id of the access key.
    pub access_key: String,
    /// Its secret.
    pub secret: String,
    /// The date and time of the request.
    pub date: String,
    /// The day of the scope.
    pub day: String,
    /// The region of the scope.
    pub region: String,
    /// The service of the scope.
    pub service: String,
    /// The end of the scope.
    pub end: String,
    /// The name of the algorithm.
    pub algorithm: String,
    /// For how many seconds a presigned request says that it is valid.
    pub expires: String,
    /// Headers that are left out of the signature.
    pub unsigned: Vec<String>,
}

impl Signer {
    /// Signs now, with this key.
    #[must_use]
    pub fn new(access_key: &str, secret: &str) -> Self {
        let date = date_in(0);
        Self {
            access_key: access_key.into(),
            secret: secret.into(),
            day: date[..8].into(),
            date,
            region: "fr1".into(),
            service: "s3".into(),
            end: "aws4_request".into(),
            algorithm: "AWS4-HMAC-SHA256".into(),
            expires: "60".into(),
            unsigned: Vec::new(),
        }
    }

    /// The same key, and a secret that is not its own.
    #[must_use]
    pub fn with_wrong_secret(&self) -> Self {
        Self { secret: "another secret".into(), ..self.clone() }
    }

    /// The same at another time: so many seconds from now.
    #[must_use]
    pub fn at(&self, seconds: i64) -> Self {
        let date = date_in(seconds);
        Self { day: date[..8].into(), date, ..self.clone() }
    }

    fn scope(&self) -> String {
        format!("{}/{}/{}/{}", self.day, self.region, self.service, self.end)
    }

    /// What a credential says of who signs.
    #[must_use]
    pub fn credential(&self) -> String {
        format!("{}/{}", self.access_key, self.scope())
    }

    /// The signature of a text.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        let first = format!("AWS4{}", self.secret).into_bytes();
        let scope = [&self.day, &self.region, &self.service, &self.end];
        let key = scope.iter().fold(first, |key, part| code(&key, part));
        hex::encode(code(&key, text))
    }

    fn names(&self, draft: &Draft) -> String {
        let mut names: Vec<_> = draft.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        names.retain(|name| !self.unsigned.contains(name) && name != "authorization");
        names.sort();
        names.dedup();
        names.join(";")
    }

    fn signature(&self, draft: &Draft, names: &str, payload: &str) -> String {
        let mut pairs: Vec<_> =
            draft.query.iter().map(|(n, v)| format!("{}={}", encode(n), encode(v))).collect();
        pairs.sort();
        let mut canonical = format!("{}\n{}\n{}\n", draft.method, draft.path, pairs.join("&"));
        for name in names.split(';') {
            let values: Vec<_> = draft
                .headers
                .iter()
                .filter(|(other, _)| other == name)
                .map(|(_, value)| value.as_str())
                .collect();
            writeln!(canonical, "{name}:{}", values.join(",")).unwrap();
        }
        write!(canonical, "\n{names}\n{payload}").unwrap();
        let hash = sha256(canonical.as_bytes());
        self.sign(&format!("AWS4-HMAC-SHA256\n{}\n{}\n{hash}", self.date, self.scope()))
    }

    /// Signs in the `Authorization` header. The payload is unsigned unless `x-amz-content-sha256` says otherwise.
    #[must_use]
    pub fn header(&self, mut draft: Draft) -> Draft {
        if !draft.headers.iter().any(|(name, _)| name == "x-amz-content-sha256") {
            draft = draft.header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
        }
        draft = draft.header("x-amz-date", &self.date);
        let payload = draft.value("x-amz-content-sha256");
        let names = self.names(&draft);
        let signature = self.signature(&draft, &names, &payload);
        let credential = self.credential();
        let algorithm = &self.algorithm;
        let value =
            format!("{algorithm} Credential={credential}, SignedHeaders={names}, Signature={signature}");
        draft.header("authorization", &value)
    }

    /// Signs in the query.
    #[must_use]
    pub fn presign(&self, draft: Draft) -> Draft {
        let names = self.names(&draft);
        let draft = draft
            .query("X-Amz-Algorithm", &self.algorithm)
            .query("X-Amz-Credential", &self.credential())
            .query("X-Amz-Date", &self.date)
            .query("X-Amz-Expires", &self.expires)
            .query("X-Amz-SignedHeaders", &names);
        let signature = self.signature(&draft, &names, "UNSIGNED-PAYLOAD");
        draft.query("X-Amz-Signature", &signature)
    }

    /// Signs an upload in chunks, and frames it.
    #[must_use]
    pub fn chunked(&self, draft: Draft, pieces: &[&[u8]], trailer: Option<(&str, &str)>) -> Draft {
        let payload = if trailer.is_some() {
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
        } else {
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
        };
        let draft = self.header(streaming(draft, payload, pieces, trailer));
        let mut previous = draft.value("authorization").rsplit_once('=').unwrap().1.to_owned();
        let mut body = Vec::new();
        for piece in pieces.iter().chain([&&b""[..]]) {
            let hash = sha256(piece);
            let scope = self.scope();
            let date = &self.date;
            previous = self.sign(&format!(
                "AWS4-HMAC-SHA256-PAYLOAD\n{date}\n{scope}\n{previous}\n{EMPTY_SHA256}\n{hash}"
            ));
            body.extend_from_slice(format!("{:x};chunk-signature={previous}\r\n", piece.len()).as_bytes());
            body.extend_from_slice(piece);
            if !piece.is_empty() || trailer.is_none() {
                body.extend_from_slice(b"\r\n");
            }
        }
        if let Some((name, value)) = trailer {
            let hash = sha256(format!("{name}:{value}\n").as_bytes());
            let text =
                format!("AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{previous}\n{hash}", self.date, self.scope());
            let signature = self.sign(&text);
            body.extend_from_slice(
                format!("{name}:{value}\r\nx-amz-trailer-signature:{signature}\r\n\r\n").as_bytes(),
            );
        }
        with_body(draft, body)
    }

    /// Signs the head of an upload in unsigned chunks, and frames it.
    #[must_use]
    pub fn unsigned_chunks(&self, draft: Draft, pieces: &[&[u8]], trailer: (&str, &str)) -> Draft {
        let draft =
            self.header(streaming(draft, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", pieces, Some(trailer)));
        let mut body = Vec::new();
        for piece in pieces {
            body.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            body.extend_from_slice(piece);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("0\r\n{}:{}\r\n\r\n", trailer.0, trailer.1).as_bytes());
        with_body(draft, body)
    }
}

fn streaming(draft: Draft, payload: &str, pieces: &[&[u8]], trailer: Option<(&str, &str)>) -> Draft {
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    let draft = draft
        .without("content-length")
        .header("x-amz-content-sha256", payload)
        .header("x-amz-decoded-content-length", &length.to_string());
    match trailer {
        Some((name, _)) => draft.header("x-amz-trailer", name),
        None => draft,
    }
}

fn with_body(draft: Draft, body: Vec<u8>) -> Draft {
    let length = body.len().to_string();
    Draft { body, ..draft.set("content-length", &length) }
}

/// The present, moved by so many seconds.
#[must_use]
pub fn date_in(seconds: i64) -> String {
    let now = SystemClock.now().as_micros() / 1_000_000;
    let moment = OffsetDateTime::from_unix_timestamp(now + seconds).unwrap();
    moment.format(format_description!("[year][month][day]T[hour][minute][second]Z")).unwrap()
}

/// The SHA-256 of `bytes`, in hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn code(key: &[u8], text: &str) -> Vec<u8> {
    let mut code = Hmac::<Sha256>::new_from_slice(key).unwrap();
    code.update(text.as_bytes());
    code.finalize().into_bytes().to_vec()
}

fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
    }
    encoded
}
