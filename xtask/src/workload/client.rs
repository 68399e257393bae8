//! An S3 client of a few operations, on one keep-alive connection.
//!
//! An answer that is not the one expected is an error, and costs the connection. Nothing is tried again.

use anyhow::{Context, Result, bail};

use crate::load::{Connection, Head, Request, Signer, Target, encode};

/// A client of one bucket.
pub(crate) struct Client {
    target: Target,
    connection: Option<Connection>,
    signer: Signer,
    head: Vec<u8>,
}

/// What stands for a request without what every client adds.
struct Call<'a> {
    method: &'static str,
    key: &'a str,
    query: &'a str,
    body: &'a [u8],
    copy_source: Option<&'a str>,
}

impl<'a> Call<'a> {
    fn new(method: &'static str, key: &'a str) -> Self {
        Self { method, key, query: "", body: b"", copy_source: None }
    }
}

impl Client {
    /// A client that connects when it has something to say.
    pub(crate) fn new(target: Target) -> Result<Self> {
        let signer = Signer::new(&target)?;
        Ok(Self { target, connection: None, signer, head: Vec::new() })
    }

    /// Writes an object.
    pub(crate) fn put(&mut self, key: &str, body: &[u8]) -> Result<()> {
        self.text(&Call { body, ..Call::new("PUT", key) }, 200).map(drop)
    }

    /// Copies an object within the bucket.
    pub(crate) fn copy(&mut self, from: &str, to: &str) -> Result<()> {
        let source = format!("{}/{}", self.target.bucket, encode(from, true));
        let (_, text) = self.text(&Call { copy_source: Some(&source), ..Call::new("PUT", to) }, 200)?;
        between(&text, "<ETag>", "</ETag>").map(drop)
    }

    /// Deletes an object.
    pub(crate) fn delete(&mut self, key: &str) -> Result<()> {
        self.text(&Call::new("DELETE", key), 204).map(drop)
    }

    /// Begins an upload in parts; gives its id.
    pub(crate) fn begin_upload(&mut self, key: &str) -> Result<String> {
        let (_, text) = self.text(&Call { query: "uploads=", ..Call::new("POST", key) }, 200)?;
        between(&text, "<UploadId>", "</UploadId>").map(str::to_owned)
    }

    /// Writes a part; gives its entity tag.
    pub(crate) fn put_part(&mut self, key: &str, upload: &str, number: u16, body: &[u8]) -> Result<String> {
        let query = format!("partNumber={number}&uploadId={}", encode(upload, false));
        let (head, _) = self.text(&Call { query: &query, body, ..Call::new("PUT", key) }, 200)?;
        head.etag.context("a part without an entity tag")
    }

    /// Makes an object of parts: their entity tags, from part 1 on.
    pub(crate) fn complete_upload(&mut self, key: &str, upload: &str, etags: &[String]) -> Result<()> {
        let part = |(number, etag): (usize, &String)| {
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
        };
        let parts: String = (1..).zip(etags).map(part).collect();
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let query = format!("uploadId={}", encode(upload, false));
        let call = Call { query: &query, body: body.as_bytes(), ..Call::new("POST", key) };
        let (_, text) = self.text(&call, 200)?;
        between(&text, "<ETag>", "</ETag>").map(drop)
    }

    /// The answer that lists the parts of an upload; none when there is no such upload.
    pub(crate) fn parts(&mut self, key: &str, upload: &str) -> Result<Option<String>> {
        let query = format!("uploadId={}", encode(upload, false));
        let (mut connection, head) = self.exchange(&Call { query: &query, ..Call::new("GET", key) })?;
        let text = connection.receive_text(&head)?;
        self.keep(connection, &head);
        match head.status {
            200 => Ok(Some(text)),
            404 => Ok(None),
            status => bail!("listing the parts of {key} answered {status}: {text}"),
        }
    }

    /// Reads an object into the buffer; whether there is one.
    pub(crate) fn get(&mut self, key: &str, body: &mut Vec<u8>) -> Result<bool> {
        body.clear();
        let (mut connection, head) = self.exchange(&Call::new("GET", key))?;
        let received = connection.receive_body(&head, |piece| {
            body.extend_from_slice(piece);
            Ok(())
        });
        received.with_context(|| format!("reading {key}"))?;
        self.keep(connection, &head);
        match head.status {
            200 => Ok(true),
            404 => Ok(false),
            status => bail!("GET {key} answered {status}: {}", String::from_utf8_lossy(body)),
        }
    }

    fn text(&mut self, call: &Call<'_>, status: u16) -> Result<(Head, String)> {
        let (mut connection, head) = self.exchange(call)?;
        let text = connection.receive_text(&head)?;
        if head.status != status {
            bail!("{} {} answered {}: {text}", call.method, call.key, head.status);
        }
        self.keep(connection, &head);
        Ok((head, text))
    }

    /// Sends a request and reads the head of its answer; on any error the connection is dropped.
    fn exchange(&mut self, call: &Call<'_>) -> Result<(Connection, Head)> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.target.host()?)?,
        };
        let path = format!("/{}/{}", self.target.bucket, encode(call.key, true));
        let Call { method, query, body, copy_source, .. } = *call;
        let request = Request { method, path: &path, query, body, signed_payload: false, copy_source };
        self.signer.write_head(&request, &mut self.head)?;
        let what = || format!("{method} {path}");
        connection.send(&mut self.head, body).with_context(what)?;
        let head = connection.receive_head().with_context(what)?;
        Ok((connection, head))
    }

    fn keep(&mut self, connection: Connection, head: &Head) {
        self.connection = (!head.closing).then_some(connection);
    }
}

/// The text between two tags.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Result<&'a str> {
    let inside = text.split_once(open).and_then(|(_, rest)| rest.split_once(close));
    inside.map(|(inside, _)| inside).with_context(|| format!("an answer without {open}: {text}"))
}
