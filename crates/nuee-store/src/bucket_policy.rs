//! What opens a bucket to others than its project's members: its policy, and what is blocked of public access to it.

use std::fmt;

use nuee_access::PublicAccessBlock;
use serde::{Deserialize, Serialize};

/// The text of a policy, as it was set.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketPolicy(String);

impl BucketPolicy {
    /// A policy of this text, which whoever calls has found to be one.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BucketPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Tenants write it: logs have no use for it.
        write!(f, "BucketPolicy({} bytes)", self.0.len())
    }
}

/// What is blocked of public access to a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PublicAccess {
    /// Everything: nobody said otherwise.
    #[default]
    Blocked,
    /// These: access control lists, their effect, policies, their effect.
    Some([bool; 4]),
    /// Nothing: the block was removed.
    Removed,
}

impl From<PublicAccessBlock> for PublicAccess {
    fn from(block: PublicAccessBlock) -> Self {
        let PublicAccessBlock {
            block_public_acls,
            ignore_public_acls,
            block_public_policy,
            restrict_public_buckets,
        } = block;
        Self::Some([block_public_acls, ignore_public_acls, block_public_policy, restrict_public_buckets])
    }
}

impl From<PublicAccess> for PublicAccessBlock {
    fn from(access: PublicAccess) -> Self {
        let [block_public_acls, ignore_public_acls, block_public_policy, restrict_public_buckets] =
            match access {
                PublicAccess::Blocked => [true; 4],
                PublicAccess::Some(switches) => switches,
                PublicAccess::Removed => [false; 4],
            };
        Self { block_public_acls, ignore_public_acls, block_public_policy, restrict_public_buckets }
    }
}
