//! What a decision is about: who would do what, on which resource.

use std::fmt;

use nuee_base::{BucketId, OrganisationId, Principal, ProjectId};

use crate::Action;

/// What an action is done on. A resource names all that it stands in, as storage has it: whoever asks for a decision
/// takes the organisation and the project of a bucket from its row, never from the request.
///
/// Objects are decided on at the level of their bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// The platform itself.
    Platform,
    /// An organisation.
    Organisation(OrganisationId),
    /// A project.
    Project {
        /// The organisation that it belongs to.
        organisation: OrganisationId,
        /// The project.
        project: ProjectId,
    },
    /// A bucket, and the objects in it.
    Bucket {
        /// The organisation that it belongs to.
        organisation: OrganisationId,
        /// The project that it belongs to.
        project: ProjectId,
        /// The bucket.
        bucket: BucketId,
    },
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => f.write_str("platform"),
            Self::Organisation(organisation) => write!(f, "organisation/{organisation}"),
            Self::Project { project, .. } => write!(f, "project/{project}"),
            Self::Bucket { bucket, .. } => write!(f, "bucket/{bucket}"),
        }
    }
}

/// All that a decision depends on, and so the key under which it is cached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) principal: Principal,
    pub(crate) action: Action,
    pub(crate) resource: Resource,
}
