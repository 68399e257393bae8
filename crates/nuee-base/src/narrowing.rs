//! Policies that take rights away from a session.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use aws_lc_rs::digest;

/// The policies that narrow a session, in AWS's language: each of them must allow what is asked. They travel with the
/// [`Principal`](crate::Principal), so that no decision can be made without them. Cheap to clone and to compare: two are
/// equal if their texts are.
#[derive(Clone)]
pub struct Narrowing(Arc<Inner>);

struct Inner {
    policies: Vec<String>,
    digest: [u8; 32],
}

impl Narrowing {
    /// These policies. With none, nothing is taken away.
    #[must_use]
    pub fn new(policies: Vec<String>) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for policy in &policies {
            // With its length, so that no two lists have one digest.
            context.update(&(policy.len() as u64).to_be_bytes());
            context.update(policy.as_bytes());
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Self(Arc::new(Inner { policies, digest }))
    }

    /// The texts.
    #[must_use]
    pub fn policies(&self) -> &[String] {
        &self.0.policies
    }

    /// What tells it from others.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.0.digest
    }
}

impl PartialEq for Narrowing {
    fn eq(&self, other: &Self) -> bool {
        self.0.digest == other.0.digest
    }
}

impl Eq for Narrowing {}

impl Hash for Narrowing {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.digest.hash(state);
    }
}

impl fmt::Debug for Narrowing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0.policies).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_policies_are_told_apart() {
        let of = |policies: &[&str]| Narrowing::new(policies.iter().map(|&text| text.to_owned()).collect());
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        for other in [of(&[]), of(&["ab"]), of(&["a"]), of(&["b", "a"]), of(&["a", "b", ""])] {
            assert_ne!(of(&["a", "b"]), other);
        }
    }
}
