//! Who acts.

use std::{fmt, str::FromStr, sync::Arc};

use crate::{
    Grants, InvalidName, Narrowing, OrganisationId, ProjectId, ServiceAccountId, SessionId, Slug, UserId,
};

/// Whoever acts. A principal is known by the time a request is authenticated, and never changes during it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Principal {
    /// Nobody in particular: a request without credentials.
    Anonymous,
    /// Whoever runs the platform, through the local administration socket or the command line.
    Operator,
    /// Whoever runs the platform, known by a sign-in of an operator's account.
    OperatorAccount {
        /// The account, of [`OrganisationId::PLATFORM`].
        id: UserId,
        /// The roles that it has now, all of them for the platform itself.
        grants: Grants,
        /// How surely it is that person.
        assurance: Assurance,
    },
    /// The server itself, where the rules of a bucket's lifecycle say what is to go.
    Lifecycle,
    /// A program, known by an access key.
    ServiceAccount {
        /// The account.
        id: ServiceAccountId,
        /// The only organisation it can act in.
        organisation: OrganisationId,
        /// The only project it can act in.
        project: ProjectId,
        /// What it may do there.
        role: Role,
    },
    /// Somebody who acts in an assumable role for a while, known by a temporary access key.
    Session {
        /// The session.
        id: SessionId,
        /// The only organisation it can act in.
        organisation: OrganisationId,
        /// The only project it can act in.
        project: ProjectId,
        /// The most it may do there.
        role: Role,
        /// The name of the role that was assumed.
        assumed: Slug,
        /// What whoever assumed it calls the session.
        name: Arc<str>,
        /// What is taken away from what the role may do.
        narrowing: Narrowing,
    },
    /// A person who has signed in.
    User {
        /// The user.
        id: UserId,
        /// The only organisation it can act in.
        organisation: OrganisationId,
        /// The roles it has now, and where.
        grants: Grants,
        /// How surely it is that person.
        assurance: Assurance,
    },
}

/// How surely somebody who has signed in is who they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Assurance {
    /// By one thing, such as a password.
    SingleFactor,
    /// By two things of different kinds, such as a password and a device.
    MultiFactor,
}

impl Principal {
    /// The only organisation and the only project that it can act in, if there is such a place. A user can act in several
    /// projects.
    #[must_use]
    pub fn place(&self) -> Option<(OrganisationId, ProjectId)> {
        match self {
            Self::ServiceAccount { organisation, project, .. }
            | Self::Session { organisation, project, .. } => Some((*organisation, *project)),
            Self::Anonymous
            | Self::Operator
            | Self::OperatorAccount { .. }
            | Self::Lifecycle
            | Self::User { .. } => None,
        }
    }

    /// Whether it runs the platform.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        matches!(self, Self::Operator | Self::OperatorAccount { .. })
    }

    /// The only organisation that it can act in, if there is one.
    #[must_use]
    pub fn organisation(&self) -> Option<OrganisationId> {
        match self {
            Self::User { organisation, .. } => Some(*organisation),
            _ => self.place().map(|(organisation, _)| organisation),
        }
    }

    /// Whether it can act in this project of this organisation.
    #[must_use]
    pub fn is_of(&self, organisation: OrganisationId, project: ProjectId) -> bool {
        match self {
            Self::User { organisation: own, grants, .. } => {
                *own == organisation && grants.in_project(project).next().is_some()
            }
            _ => self.place() == Some((organisation, project)),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Operator => f.write_str("operator"),
            Self::OperatorAccount { id, .. } => write!(f, "operator/{id}"),
            Self::Lifecycle => f.write_str("lifecycle"),
            Self::ServiceAccount { id, .. } => write!(f, "service-account/{id}"),
            Self::Session { id, .. } => write!(f, "session/{id}"),
            Self::User { id, .. } => write!(f, "user/{id}"),
        }
    }
}

/// What a member or a service account may do in its project, from most to least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything in the project, its service accounts included.
    Owner,
    /// Buckets and objects: create, configure, write, delete.
    Maintainer,
    /// Objects: read, write, delete.
    Developer,
    /// Objects and listings: read.
    Reader,
    /// Listings and settings, but not the content of objects.
    Auditor,
}

impl Role {
    /// Every role, from most to least.
    pub const ALL: [Self; 5] = [Self::Owner, Self::Maintainer, Self::Developer, Self::Reader, Self::Auditor];

    /// Whether whoever has this role may do all that the other may.
    #[must_use]
    pub fn includes(self, other: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Maintainer => other != Self::Owner,
            Self::Developer => matches!(other, Self::Developer | Self::Reader),
            Self::Reader => other == Self::Reader,
            Self::Auditor => other == Self::Auditor,
        }
    }

    /// Whether nobody should have both at one place: who audits does nothing there that is to be audited.
    #[must_use]
    pub fn is_incompatible_with(self, other: Self) -> bool {
        let acts = |role| matches!(role, Self::Owner | Self::Maintainer | Self::Developer);
        (self == Self::Auditor && acts(other)) || (acts(self) && other == Self::Auditor)
    }

    /// The word for this role, in commands, settings and policies.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Maintainer => "maintainer",
            Self::Developer => "developer",
            Self::Reader => "reader",
            Self::Auditor => "auditor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            InvalidName::new("role", text, "expected owner, maintainer, developer, reader or auditor")
        })
    }
}
