//! Who asks, and what of their request a bucket's policy may look at.

use std::{borrow::Cow, ops::Deref};

use http::{Extensions, HeaderMap, Uri, header};
use nuee_access::{ConditionKey, Facts, Values};
use nuee_base::{BucketName, Context, ObjectKey};
use nuee_store::{Bucket, Store, TagSet};
use nuee_web::Arrival;

use crate::handlers::tagging;

/// How a request is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signing {
    /// It is not.
    Nobody,
    /// In its `Authorization` header.
    Header,
    /// In its query: it is presigned.
    Query,
    /// In the fields of a form.
    Form,
}

/// Which bucket of a request is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Target,
    Source,
}

/// A request: who asks, and its head.
#[derive(Clone)]
pub(crate) struct Asking<'r> {
    context: Context,
    headers: &'r HeaderMap,
    uri: &'r Uri,
    arrival: Option<Arrival>,
    signing: Signing,
    side: Side,
}

impl Deref for Asking<'_> {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl<'r> Asking<'r> {
    pub(crate) fn new(
        context: Context,
        (headers, uri, extensions): (&'r HeaderMap, &'r Uri, &Extensions),
        signing: Signing,
    ) -> Self {
        Self {
            context,
            headers,
            uri,
            arrival: extensions.get::<Arrival>().copied(),
            signing,
            side: Side::Target,
        }
    }

    /// The same, about the source of its copy.
    pub(crate) fn about_source(&self) -> Self {
        Self { side: Side::Source, ..self.clone() }
    }

    /// Whose the bucket is, if the request says it.
    pub(crate) fn expected_owner(&self) -> Option<&str> {
        let name = match self.side {
            Side::Target => "x-amz-expected-bucket-owner",
            Side::Source => "x-amz-source-expected-bucket-owner",
        };
        // What cannot be read is nobody.
        self.headers.get(name).map(|value| value.to_str().unwrap_or_default())
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let query = self.uri.query()?;
        let mut found = form_urlencoded::parse(query.as_bytes()).filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.into_owned())
    }

    fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).map(Cow::Borrowed)
    }

    /// The tags of the request, if it has any that can be read.
    fn tags(&self) -> Option<TagSet> {
        tagging::of_new(self.headers).ok().flatten()
    }

    /// How old the signature is, in milliseconds.
    fn signature_age(&self) -> Option<String> {
        let date = self.header("x-amz-date").map(Cow::into_owned).or_else(|| self.parameter("X-Amz-Date"))?;
        let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
        let signed_at = time::PrimitiveDateTime::parse(&date, format).ok()?.assume_utc();
        let age = self.context.now().to_date_time() - signed_at;
        Some(age.whole_milliseconds().max(0).to_string())
    }

    fn value(&self, key: &ConditionKey) -> Option<Cow<'_, str>> {
        use ConditionKey as Key;
        let named = match key {
            Key::Referer => "referer",
            Key::UserAgent => "user-agent",
            Key::Acl => "x-amz-acl",
            Key::GrantRead => "x-amz-grant-read",
            Key::GrantWrite => "x-amz-grant-write",
            Key::GrantReadAcp => "x-amz-grant-read-acp",
            Key::GrantWriteAcp => "x-amz-grant-write-acp",
            Key::GrantFullControl => "x-amz-grant-full-control",
            Key::MetadataDirective => "x-amz-metadata-directive",
            Key::ServerSideEncryption => "x-amz-server-side-encryption",
            Key::EncryptionKeyId => "x-amz-server-side-encryption-aws-kms-key-id",
            Key::StorageClass => "x-amz-storage-class",
            Key::ContentSha256 => "x-amz-content-sha256",
            Key::WebsiteRedirectLocation => "x-amz-website-redirect-location",
            Key::ObjectOwnership => "x-amz-object-ownership",
            Key::ObjectLockMode => "x-amz-object-lock-mode",
            Key::ObjectLockRetainUntilDate => "x-amz-object-lock-retain-until-date",
            Key::ObjectLockLegalHold => "x-amz-object-lock-legal-hold",
            Key::IfMatch => header::IF_MATCH.as_str(),
            Key::IfNoneMatch => header::IF_NONE_MATCH.as_str(),
            other => return self.computed(other).map(Cow::Owned),
        };
        self.header(named)
    }

    fn computed(&self, key: &ConditionKey) -> Option<String> {
        use ConditionKey as Key;
        match key {
            Key::SourceIp => self.arrival.map(|arrival| arrival.client.to_string()),
            Key::SecureTransport => Some(self.arrival.is_some_and(|arrival| arrival.secure).to_string()),
            Key::Prefix => self.parameter("prefix"),
            Key::Delimiter => self.parameter("delimiter"),
            Key::MaxKeys => self.parameter("max-keys"),
            Key::CopySource => {
                let source = self.header("x-amz-copy-source")?;
                let source = source.replace('+', " ");
                let source = percent_encoding::percent_decode_str(&source).decode_utf8().ok()?;
                Some(source.trim_start_matches('/').to_owned())
            }
            Key::AuthType => match self.signing {
                Signing::Nobody => None,
                Signing::Form => Some("POST".to_owned()),
                Signing::Query => Some("REST-QUERY-STRING".to_owned()),
                Signing::Header => Some("REST-HEADER".to_owned()),
            },
            Key::SignatureVersion => (self.signing != Signing::Nobody).then(|| "AWS4-HMAC-SHA256".to_owned()),
            Key::SignatureAge => {
                let dated = matches!(self.signing, Signing::Header | Signing::Query);
                dated.then(|| self.signature_age()).flatten()
            }
            Key::ObjectLockRemainingRetentionDays => {
                let until = self.header("x-amz-object-lock-retain-until-date")?;
                let format = &time::format_description::well_known::Rfc3339;
                let until = time::OffsetDateTime::parse(&until, format).ok()?;
                Some((until - self.context.now().to_date_time()).whole_days().to_string())
            }
            // A part makes no object.
            Key::ObjectCreationOperation => Some(self.parameter("partNumber").is_none().to_string()),
            Key::RequestObjectTag(tag) => self.tags()?.get(tag).map(str::to_owned),
            _ => None,
        }
    }
}

/// Who asks, of a request that `s3s` has read; borrows its head, so that its input can be taken apart.
macro_rules! asking {
    ($handlers:expr, $request:expr) => {
        $crate::handlers::Asking::new(
            $handlers.context(&$request.extensions)?,
            (&$request.headers, &$request.uri, &$request.extensions),
            $request.extensions.get().copied().unwrap_or($crate::handlers::Signing::Nobody),
        )
    };
}
pub(crate) use asking;

/// What a request has for a policy to look at, when it asks for no bucket that is there.
pub(crate) struct ProjectFacts<'a>(pub(crate) &'a Asking<'a>);

impl Facts for ProjectFacts<'_> {
    fn object_key(&self) -> Option<&ObjectKey> {
        None
    }

    fn values(&self, key: &ConditionKey) -> Values<'_> {
        self.0.value(key).map_or(Values::Absent, Values::One)
    }
}

/// What a request has for a policy to look at, when it asks for one object, or for the bucket.
pub(crate) struct RequestFacts<'a> {
    pub(crate) asking: &'a Asking<'a>,
    pub(crate) store: &'a Store,
    pub(crate) bucket: &'a Bucket,
    pub(crate) key: Option<&'a ObjectKey>,
    pub(crate) version: Option<&'a str>,
}

impl Facts for RequestFacts<'_> {
    fn object_key(&self) -> Option<&ObjectKey> {
        self.key
    }

    fn bucket_name(&self) -> Option<&BucketName> {
        Some(&self.bucket.name)
    }

    fn values(&self, key: &ConditionKey) -> Values<'_> {
        let value = match key {
            ConditionKey::RequestObjectTagKeys => {
                let tags = self.asking.tags().unwrap_or_default();
                return Values::Several(tags.iter().map(|(key, _)| Cow::Owned(key.to_owned())).collect());
            }
            ConditionKey::VersionId => self.version.map(Cow::Borrowed),
            ConditionKey::ExistingObjectTag(tag) => {
                let tags = self.key.and_then(|key| self.store.tags_to_decide(self.bucket, key, self.version));
                tags.and_then(|tags| tags.get(tag).map(|value| Cow::Owned(value.to_owned())))
            }
            other => self.asking.value(other),
        };
        value.map_or(Values::Absent, Values::One)
    }
}
