//! Forms that upload: built and signed as a server that gives them to browsers would.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use serde_json::{Value, json};

use crate::signer::{Draft, Signer, date_in};

/// What stands between the parts of the forms made here.
const BOUNDARY: &str = "----a-boundary";

/// A form: what its policy says, what its fields say, and its file. Tests change one of them.
#[derive(Debug, Clone)]
pub struct Form {
    /// The path of the bucket.
    pub path: String,
    /// The conditions of the policy.
    pub conditions: Vec<Value>,
    /// When the policy ends.
    pub expiration: String,
    /// The fields, in order, without those that sign.
    pub fields: Vec<(String, String)>,
    /// The name of the file.
    pub file_name: String,
    /// The file.
    pub file: Vec<u8>,
}

impl Form {
    /// A form for one key, which nothing else may be uploaded to within a minute.
    #[must_use]
    pub fn new(path: &str, key: &str, file: impl Into<Vec<u8>>) -> Self {
        let bucket = path.trim_start_matches('/');
        Self {
            path: path.to_owned(),
            conditions: vec![json!({ "bucket": bucket }), json!({ "key": key })],
            expiration: instant(60),
            fields: vec![("key".into(), key.into())],
            file_name: "file.txt".into(),
            file: file.into(),
        }
    }

    /// The same with one condition more.
    #[must_use]
    pub fn condition(mut self, condition: Value) -> Self {
        self.conditions.push(condition);
        self
    }

    /// The same with one field more, which no condition names.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// The same with one field more, and the condition that it has this value.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        self.condition(json!({ name: value })).field(name, value)
    }

    /// The request of a form that nobody signed.
    #[must_use]
    pub fn unsigned(&self) -> Draft {
        self.draft(&self.fields)
    }

    /// The request, signed by `signer`.
    #[must_use]
    pub fn signed(&self, signer: &Signer) -> Draft {
        self.signed_with(signer, String::into_bytes)
    }

    /// The request with a policy that `change` makes of the right one, signed by `signer`.
    #[must_use]
    pub fn signed_with(&self, signer: &Signer, change: impl FnOnce(String) -> Vec<u8>) -> Draft {
        let credential = signer.credential();
        let mut form = self.clone();
        for (name, value) in [
            ("x-amz-algorithm", &signer.algorithm),
            ("x-amz-credential", &credential),
            ("x-amz-date", &signer.date),
        ] {
            form = form.with(name, value);
        }
        let policy = json!({ "expiration": form.expiration, "conditions": form.conditions }).to_string();
        let policy = STANDARD.encode(change(policy));
        let signature = signer.sign(&policy);
        let mut fields = form.fields.clone();
        fields.extend([("policy".into(), policy), ("x-amz-signature".into(), signature)]);
        self.draft(&fields)
    }

    fn draft(&self, fields: &[(String, String)]) -> Draft {
        let mut body = Vec::new();
        for (name, value) in fields {
            let head =
                format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(head.as_bytes());
        }
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\n\
             Content-Type: text/plain\r\n\r\n",
            self.file_name
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&self.file);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        Draft::with_body(Method::POST, &self.path, body).header("content-type", &kind)
    }
}

/// So many seconds from now, as policies write it.
#[must_use]
pub fn instant(seconds: i64) -> String {
    let date = date_in(seconds);
    let part = |range| -> &str { date.get::<std::ops::Range<usize>>(range).unwrap_or_default() };
    format!(
        "{}-{}-{}T{}:{}:{}.000Z",
        part(0..4),
        part(4..6),
        part(6..8),
        part(9..11),
        part(11..13),
        part(13..15)
    )
}
