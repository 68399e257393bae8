//! Bucket policies: what the owners of a bucket allow and deny, in
//! [AWS's policy language](https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-policy-language-overview.html).
//!
//! A *statement* allows or denies actions on the bucket and its objects to principals, under conditions. For example,
//! `{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::open/*"}` lets the world
//! read what is in the bucket `open`, if its public access is not blocked.
//!
//! Promised: a document is understood whole or refused, with a message that names the statement; conditions mean what
//! AWS documents, for keys that are missing too; a statement is compiled into a policy of Cedar, validated against a
//! schema, and Cedar concludes. A second evaluator, in the tests, is written from AWS's documents alone and agrees.
//!
//! A [`SessionPolicy`] is written in the same language, without principals, and takes rights away from a session.
//!
//! Deliberately absent: principals other than service accounts, assumable roles, projects and organisations; condition keys of other
//! services; and actions on what is no bucket, which no policy can allow.

#[cfg(test)]
mod agreement;
mod attribute;
mod comparison;
mod compiled;
mod condition;
mod document;
mod expression;
mod facts;
mod key;
mod narrowing;
mod operator;
mod pattern;
mod public;
#[cfg(test)]
mod reference;
mod value;

use std::{fmt, sync::Arc};

use nuee_base::{BucketName, ErrorKind};

pub(crate) use compiled::{Circumstances, Compiled, bare_schema};
pub(crate) use facts::Asked;
pub use facts::{FactList, Facts, Values};
pub use key::ConditionKey;

use crate::Action;
use document::{About, Document};

pub use narrowing::SessionPolicy;

/// The policy of a bucket, compiled. Cheap to clone.
#[derive(Clone)]
pub struct BucketPolicy(Arc<Inner>);

struct Inner {
    bucket: BucketName,
    document: Document,
    compiled: Compiled,
}

impl BucketPolicy {
    /// Reads and compiles a policy for this bucket: at most 20 KiB of JSON, understood whole or refused.
    pub fn parse(text: &str, bucket: &BucketName) -> Result<Self, MalformedPolicy> {
        let document = Document::parse(text, About::Bucket(bucket))?;
        let compiled = Compiled::new(&document, false).map_err(|why| {
            MalformedPolicy::new(format!("The policy cannot be compiled, which is a defect of Nuée: {why}"))
        })?;
        Ok(Self(Arc::new(Inner { bucket: bucket.clone(), document, compiled })))
    }

    /// Whether it allows something to anybody, as
    /// [AWS means it](https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status).
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.0.compiled.is_public()
    }

    /// Whether a decision on this action may look at a key that `which` accepts. Answers before a request's facts are
    /// gathered, for those that cost something: the tags of the object that is there.
    pub fn uses(&self, action: Action, which: impl Fn(&ConditionKey) -> bool) -> bool {
        self.0.compiled.keys(action).any(which)
    }

    pub(crate) fn bucket(&self) -> &BucketName {
        &self.0.bucket
    }

    pub(crate) fn compiled(&self) -> &Compiled {
        &self.0.compiled
    }
}

impl fmt::Debug for BucketPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketPolicy")
            .field("bucket", &self.0.bucket)
            .field("statements", &self.0.document.statements.len())
            .finish_non_exhaustive()
    }
}

/// Why a text is not a policy for the bucket: what is wrong, in which statement, and what would be right. S3's error code
/// is `MalformedPolicy`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MalformedPolicy(String);

impl MalformedPolicy {
    fn new(message: String) -> Self {
        Self(message)
    }

    /// Always [`ErrorKind::Invalid`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}
