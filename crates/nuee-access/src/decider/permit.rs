//! Permits: decisions that allow, as values that the layers below demand.
//!
//! A permit can be made by the module above alone, is not cloned, and is held to the action and the resource that it
//! was granted for. For example, a copy needs two permits: one to get from the source's bucket and one to put in the
//! destination's; neither serves for the other.

use nuee_base::{BucketId, ErrorKind, Principal};

use crate::{Action, Resource, question::Question};

/// Leave for one principal to do one action on one resource, granted by [`Decider::decide`](crate::Decider::decide).
#[derive(Debug)]
#[must_use = "a permit that nobody demands protects nothing"]
pub struct Permit(Question);

impl Permit {
    pub(super) fn new(question: Question) -> Self {
        Self(question)
    }

    /// Who it was granted to.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.0.principal
    }

    /// What it was granted for.
    #[must_use]
    pub fn action(&self) -> Action {
        self.0.action
    }

    /// What it was granted on.
    #[must_use]
    pub fn resource(&self) -> Resource {
        self.0.resource
    }

    /// That it was granted for `action` on exactly `resource`.
    pub fn require(&self, action: Action, resource: Resource) -> Result<(), Mismatch> {
        if self.0.action == action && self.0.resource == resource {
            return Ok(());
        }
        Err(self.mismatch(action, &resource.to_string()))
    }

    /// That it was granted for `action` on this bucket. A bucket's id is never used again, so it says which
    /// organisation and project.
    pub fn require_bucket(&self, action: Action, bucket: BucketId) -> Result<(), Mismatch> {
        match self.0.resource {
            Resource::Bucket { bucket: granted, .. } if self.0.action == action && granted == bucket => {
                Ok(())
            }
            _ => Err(self.mismatch(action, &format!("bucket/{bucket}"))),
        }
    }

    #[cold]
    fn mismatch(&self, action: Action, resource: &str) -> Mismatch {
        let Question { action: granted, resource: on, .. } = &self.0;
        Mismatch { required: format!("{action} on {resource}"), granted: format!("{granted} on {on}") }
    }
}

/// A permit was used for something else than it was granted for: a defect of the caller, and never obeyed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a permit for {granted} was used for {required}")]
pub struct Mismatch {
    required: String,
    granted: String,
}

impl Mismatch {
    /// Always [`ErrorKind::Internal`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Internal
    }
}
