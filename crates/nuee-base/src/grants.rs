//! Which roles a user has, and where.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use aws_lc_rs::digest;

use crate::{ProjectId, Role};

/// Where a role holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// In the user's organisation, and in each of its projects.
    Organisation,
    /// In one project of it.
    Project(ProjectId),
}

/// The roles that a user has at an instant. They travel with the [`Principal`](crate::Principal), so that no decision can
/// be made by others. Cheap to clone and to compare.
#[derive(Clone)]
pub struct Grants(Arc<Inner>);

struct Inner {
    roles: Vec<(Scope, Role)>,
    digest: [u8; 32],
}

impl Grants {
    /// These roles, in any order.
    #[must_use]
    pub fn new(mut roles: Vec<(Scope, Role)>) -> Self {
        roles.sort_unstable_by_key(|(scope, role)| (*scope, role.as_str()));
        roles.dedup();
        let mut context = digest::Context::new(&digest::SHA256);
        for (scope, role) in &roles {
            match scope {
                Scope::Organisation => context.update(b"organisation"),
                Scope::Project(project) => context.update(&project.to_bytes()),
            }
            context.update(role.as_str().as_bytes());
            context.update(b"\n");
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Self(Arc::new(Inner { roles, digest }))
    }

    /// Each role with where it holds, in the order of places.
    #[must_use]
    pub fn roles(&self) -> &[(Scope, Role)] {
        &self.0.roles
    }

    /// The roles that hold for the organisation itself.
    pub fn in_organisation(&self) -> impl Iterator<Item = Role> + '_ {
        self.0.roles.iter().filter(|(scope, _)| *scope == Scope::Organisation).map(|(_, role)| *role)
    }

    /// The roles that hold in a project of the organisation.
    pub fn in_project(&self, project: ProjectId) -> impl Iterator<Item = Role> + '_ {
        let holds = move |scope: Scope| scope == Scope::Organisation || scope == Scope::Project(project);
        self.0.roles.iter().filter(move |(scope, _)| holds(*scope)).map(|(_, role)| *role)
    }
}

impl PartialEq for Grants {
    fn eq(&self, other: &Self) -> bool {
        self.0.digest == other.0.digest
    }
}

impl Eq for Grants {}

impl Hash for Grants {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.digest.hash(state);
    }
}

impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0.roles).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(number: u8) -> ProjectId {
        ProjectId::from_bytes([number; 16])
    }

    #[test]
    fn grants_are_equal_if_they_give_the_same() {
        let roles = vec![(Scope::Organisation, Role::Auditor), (Scope::Project(project(1)), Role::Reader)];
        let mut turned = roles.clone();
        turned.reverse();
        turned.push(roles[0]);
        assert_eq!(Grants::new(roles.clone()), Grants::new(turned));
        for other in [vec![], vec![roles[0]], vec![roles[0], (Scope::Project(project(2)), Role::Reader)]] {
            assert_ne!(Grants::new(roles.clone()), Grants::new(other));
        }
    }

    #[test]
    fn a_role_in_the_organisation_holds_in_its_projects() {
        let grants = Grants::new(vec![
            (Scope::Organisation, Role::Auditor),
            (Scope::Project(project(1)), Role::Reader),
        ]);
        assert_eq!(grants.in_organisation().collect::<Vec<_>>(), [Role::Auditor]);
        assert_eq!(grants.in_project(project(1)).collect::<Vec<_>>(), [Role::Auditor, Role::Reader]);
        assert_eq!(grants.in_project(project(2)).collect::<Vec<_>>(), [Role::Auditor]);
    }
}
