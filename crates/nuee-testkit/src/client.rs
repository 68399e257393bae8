//! A client of S3 that signs and sends, and judges nothing.

use std::{io, net::SocketAddr};

use http::Method;

use crate::{
    Account,
    signer::{Draft, Signer},
    wire::{Answer, Wire},
};

/// A client with a connection of its own, which it opens anew when the server closed it.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    access_key: String,
    secret: String,
    wire: Option<Wire>,
}

impl Client {
    /// A client that acts with this key.
    #[must_use]
    pub fn new(address: SocketAddr, access_key: &str, secret: &str) -> Self {
        Self { address, access_key: access_key.to_owned(), secret: secret.to_owned(), wire: None }
    }

    /// A client that acts as `account`.
    #[must_use]
    pub fn of(address: SocketAddr, account: &Account) -> Self {
        Self::new(address, account.access_key_id.as_str(), account.secret.expose())
    }

    /// Where it connects to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What signs its requests.
    #[must_use]
    pub fn signer(&self) -> Signer {
        Signer::new(&self.access_key, &self.secret)
    }

    /// Signs a request and sends it.
    pub fn send(&mut self, draft: Draft) -> io::Result<Answer> {
        self.send_as_it_is(&self.signer().header(draft))
    }

    /// Sends a request that somebody else signed, or nobody.
    pub fn send_as_it_is(&mut self, draft: &Draft) -> io::Result<Answer> {
        let (bytes, bodiless) = (draft.to_bytes(), draft.method == Method::HEAD);
        if let Some(wire) = &mut self.wire {
            // The server may have closed it since.
            if let Ok(answer) = wire.write(&bytes).and_then(|()| wire.read(bodiless)) {
                return Ok(self.keep(answer));
            }
        }
        let mut wire = Wire::open(self.address)?;
        // A server that refuses early may close before it has read everything; its answer is what counts.
        let written = wire.write(&bytes);
        let answer = wire.read(bodiless).map_err(|error| written.err().unwrap_or(error))?;
        self.wire = Some(wire);
        Ok(self.keep(answer))
    }

    fn keep(&mut self, answer: Answer) -> Answer {
        if answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            self.wire = None;
        }
        answer
    }

    /// Uploads.
    pub fn put(&mut self, path: &str, body: impl Into<Vec<u8>>) -> io::Result<Answer> {
        self.send(Draft::put(path, body))
    }

    /// Downloads.
    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.send(Draft::new(Method::GET, path))
    }

    /// Deletes.
    pub fn delete(&mut self, path: &str) -> io::Result<Answer> {
        self.send(Draft::new(Method::DELETE, path))
    }

    /// The keys of a bucket, encoded as in URLs, through all pages.
    pub fn list(&mut self, bucket: &str) -> io::Result<Vec<String>> {
        let mut keys = Vec::new();
        let mut after = String::new();
        loop {
            let draft = Draft::new(Method::GET, bucket).query("list-type", "2").query("encoding-type", "url");
            let draft = if after.is_empty() { draft } else { draft.query("continuation-token", &after) };
            let page = self.send(draft)?;
            if page.status != 200 {
                return Err(io::Error::other(page.text()));
            }
            keys.extend(page.elements("Key"));
            match page.elements("NextContinuationToken").into_iter().next() {
                Some(next) => after = next,
                None => return Ok(keys),
            }
        }
    }

    /// Uploads in parts; gives the answer to the completion, or the first refusal.
    pub fn put_parts(&mut self, path: &str, parts: &[&[u8]]) -> io::Result<Answer> {
        let begun = self.send(Draft::with_body(Method::POST, path, "").query("uploads", ""))?;
        let Some(id) = begun.elements("UploadId").into_iter().next() else { return Ok(begun) };
        let mut document = String::from("<CompleteMultipartUpload>");
        for (index, part) in parts.iter().enumerate() {
            let number = (index + 1).to_string();
            let draft = Draft::put(path, *part).query("partNumber", &number).query("uploadId", &id);
            let answer = self.send(draft)?;
            let Some(etag) = answer.header("etag").filter(|_| answer.status == 200) else {
                return Ok(answer);
            };
            for piece in ["<Part><PartNumber>", &number, "</PartNumber><ETag>", etag, "</ETag></Part>"] {
                document.push_str(piece);
            }
        }
        document += "</CompleteMultipartUpload>";
        self.send(Draft::with_body(Method::POST, path, document).query("uploadId", &id))
    }
}
