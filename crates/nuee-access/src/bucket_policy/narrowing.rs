//! Policies of sessions: what somebody who acts in a role is left with.
//!
//! A policy says what its bearer may do, on which buckets and objects, in the form that AWS gives to
//! [policies of identities](https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_identity-vs-resource.html):
//! without principals, and about any bucket. For example,
//! `{"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::user-ada", "arn:aws:s3:::user-ada/*"]}` leaves one
//! bucket. It allows nothing by itself: what the role does not permit stays denied.

use std::{fmt, sync::Arc};

use super::{About, Compiled, Document, MalformedPolicy};

/// A policy of a session, compiled. Cheap to clone.
#[derive(Clone)]
pub struct SessionPolicy(Arc<Compiled>);

impl SessionPolicy {
    /// Reads and compiles a policy: at most 20 KiB of JSON, understood whole or refused.
    pub fn parse(text: &str) -> Result<Self, MalformedPolicy> {
        let document = Document::parse(text, About::Everything)?;
        let compiled = Compiled::new(&document, true).map_err(|why| {
            MalformedPolicy::new(format!("The policy cannot be compiled, which is a defect of Nuée: {why}"))
        })?;
        Ok(Self(Arc::new(compiled)))
    }

    pub(crate) fn compiled(&self) -> &Compiled {
        &self.0
    }
}

impl fmt::Debug for SessionPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionPolicy")
    }
}
