//! Who may do what where: the roles that users have.
//!
//! A *grant* gives a user a role at a place: an organisation, or a project of it, for ever or until an instant. A role at
//! an organisation holds in each of its projects too. For example, an organisation's auditor sees the settings and the
//! members of every project, and reads no object.
//!
//! Promised: roles that nobody should have together are refused when the second one is given, by whatever way; an
//! organisation that has an owner keeps one whose role does not end; a grant that has ended gives nothing from that
//! instant on, and one that is taken away nothing from the moment that this returns.

use nuee_access::{Action, Permit, Resource};
use nuee_base::{Context, OrganisationId, ProjectId, Role, Scope, Timestamp, UserId};
use nuee_journal::{Entry, Subject};
use nuee_keys::RowBuilder;
use nuee_metadata::{GrantRow, Snapshot, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Tenancy, User,
    project_keys::{decode, encode},
    user::unknown_user,
};

/// How many roles a user has at most.
const MAX_GRANTS: usize = 1_000;
/// Rows that are read at once where there may be many.
const PAGE: u32 = 500;

/// A role that a user has at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Where it holds: an organisation, or a project.
    pub place: Resource,
    /// Who has it.
    pub user: UserId,
    /// Which role.
    pub role: Role,
    /// When it was given.
    pub granted_at: Timestamp,
    /// Who gave it.
    pub granted_by: String,
    /// From when on it gives nothing.
    pub expires_at: Option<Timestamp>,
}

impl Grant {
    /// Whether it gives something at this instant.
    #[must_use]
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| end > now)
    }

    /// Where it holds, as decisions have it.
    pub(crate) fn scope(&self) -> Option<Scope> {
        match self.place {
            Resource::Organisation(_) | Resource::Platform => Some(Scope::Organisation),
            Resource::Project { project, .. } => Some(Scope::Project(project)),
            Resource::Bucket { .. } => None,
        }
    }

    /// What the journal says of it.
    pub(crate) fn said(&self) -> String {
        let until = self.expires_at.map_or_else(|| "for ever".to_owned(), |end| format!("until {end}"));
        format!("{} to user/{} {until}", self.role, self.user)
    }
}

/// A member of a place: a user, and a role that it has there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: User,
    /// Which role, and until when.
    pub grant: Grant,
}

/// From where on members are listed: after this user's role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembersAfter {
    /// The user.
    pub user: UserId,
    /// The role.
    pub role: Role,
}

#[derive(Serialize, Deserialize)]
enum Record {
    V1 { granted_at_micros: i64, granted_by: String, expires_at_micros: Option<i64> },
}

fn fields(row: &GrantRow) -> RowBuilder {
    RowBuilder::new("grants")
        .bytes(&row.organisation.to_bytes())
        .bytes(&row.scope)
        .bytes(&row.user.to_bytes())
        .bytes(row.role.as_bytes())
        .bytes(&row.record)
}

/// The organisation that a place is in, and by what its rows name it.
pub(crate) fn scope_of(place: Resource) -> Result<(OrganisationId, [u8; 16]), Error> {
    match place {
        Resource::Organisation(organisation) => Ok((organisation, organisation.to_bytes())),
        Resource::Project { organisation, project } => Ok((organisation, project.to_bytes())),
        Resource::Platform => Ok((OrganisationId::PLATFORM, OrganisationId::PLATFORM.to_bytes())),
        Resource::Bucket { .. } => Err(Error::Invalid {
            kind: "role",
            why: "users have roles in organisations and projects".to_owned(),
        }),
    }
}

/// That a role can be had at a place.
pub(crate) fn check_role(place: Resource, role: Role) -> Result<(), Error> {
    if place == Resource::Platform && !matches!(role, Role::Owner | Role::Auditor) {
        let why = "an operator is an owner or an auditor of the platform".to_owned();
        return Err(Error::Invalid { kind: "role", why });
    }
    Ok(())
}

/// The place that rows of an organisation name so.
pub(crate) fn place_of(organisation: OrganisationId, scope: [u8; 16]) -> Resource {
    if organisation == OrganisationId::PLATFORM {
        Resource::Platform
    } else if scope == organisation.to_bytes() {
        Resource::Organisation(organisation)
    } else {
        Resource::Project { organisation, project: ProjectId::from_bytes(scope) }
    }
}

impl Tenancy {
    /// Gives a user of the organisation a role at the place that the permit is for, or changes until when it has it.
    pub async fn grant_role(
        &self,
        context: &Context,
        permit: &Permit,
        (user, role): (UserId, Role),
        expires_at: Option<Timestamp>,
    ) -> Result<Grant, Error> {
        permit.require(Action::GrantRole, permit.resource())?;
        let grant = Grant {
            place: permit.resource(),
            user,
            role,
            granted_at: context.now(),
            granted_by: context.principal().to_string(),
            expires_at,
        };
        let place = permit.resource();
        let (organisation, _) = scope_of(place)?;
        let entry = Entry::new(context, &self.0.keys, organisation, place.to_string())?;
        let (tenancy, given) = (self.clone(), grant.clone());
        let forget = self.forget_user(user);
        let write = move |transaction: &Transaction<'_>| {
            let found = transaction.user(user)?.filter(|row| row.organisation == organisation);
            tenancy.open_user(&found.ok_or_else(|| unknown_user(user))?)?;
            tenancy.put_grant(transaction, &given, &entry)?;
            Ok::<_, Error>(forget)
        };
        self.0.metadata.write(write).await?;
        Ok(grant)
    }

    /// Writes a grant and its leaf, if that may be.
    pub(crate) fn put_grant(
        &self,
        transaction: &Transaction<'_>,
        grant: &Grant,
        entry: &Entry,
    ) -> Result<(), Error> {
        let invalid = |why: &str| Error::Invalid { kind: "role", why: why.to_owned() };
        if !grant.holds_at(grant.granted_at) {
            return Err(invalid("it must end in the future"));
        }
        check_role(grant.place, grant.role)?;
        let (organisation, scope) = scope_of(grant.place)?;
        let present = self.grants_of(transaction, organisation, grant.user)?;
        if present.len() >= MAX_GRANTS {
            return Err(invalid("the user has too many roles: take some away that have ended"));
        }
        for other in present.iter().filter(|other| other.holds_at(grant.granted_at)) {
            if overlap(other.place, grant.place) && other.role.is_incompatible_with(grant.role) {
                return Err(Error::Incompatible {
                    user: format!("user/{}", grant.user),
                    present: other.role,
                    place: other.place.to_string(),
                    wanted: grant.role,
                });
            }
        }
        if grant.expires_at.is_some() && grant.role == Role::Owner {
            self.keep_an_owner(transaction, grant)?;
        }
        transaction.put_grant(&self.grant_row((organisation, scope), grant)?)?;
        entry.append(transaction, Action::GrantRole.as_str(), Subject::detail(&grant.said()))?;
        Ok(())
    }

    fn grant_row(
        &self,
        (organisation, scope): (OrganisationId, [u8; 16]),
        grant: &Grant,
    ) -> Result<GrantRow, Error> {
        let record = encode(&Record::V1 {
            granted_at_micros: grant.granted_at.as_micros(),
            granted_by: grant.granted_by.clone(),
            expires_at_micros: grant.expires_at.map(Timestamp::as_micros),
        })?;
        let role = grant.role.to_string();
        let mut row = GrantRow { scope, user: grant.user, role, organisation, record, mac: [0; 32] };
        row.mac = fields(&row).mac(&*self.0.keys.row_mac_key(organisation)?);
        Ok(row)
    }

    /// Takes a role at the place that the permit is for away from a user.
    pub async fn revoke_role(
        &self,
        context: &Context,
        permit: &Permit,
        (user, role): (UserId, Role),
    ) -> Result<(), Error> {
        permit.require(Action::RevokeRole, permit.resource())?;
        let place = permit.resource();
        let (organisation, scope) = scope_of(place)?;
        let entry = Entry::new(context, &self.0.keys, organisation, place.to_string())?;
        let tenancy = self.clone();
        let forget = self.forget_user(user);
        let revoke = move |transaction: &Transaction<'_>| {
            let row = transaction.grant(&scope, user, role.as_str())?;
            let row = row.filter(|row| row.organisation == organisation);
            let name = format!("role {role} of user/{user} on {place}");
            let grant = tenancy.open_grant(&row.ok_or(Error::NotFound { kind: "grant", name })?)?;
            if grant.role == Role::Owner {
                tenancy.keep_an_owner(transaction, &grant)?;
            }
            transaction.delete_grant(&scope, user, role.as_str())?;
            let said = format!("{role} from user/{user}");
            entry.append(transaction, Action::RevokeRole.as_str(), Subject::detail(&said))?;
            Ok::<_, Error>(forget)
        };
        self.0.metadata.write(revoke).await.map(drop)
    }

    /// That the organisation has an owner for ever without this one, if the grant is such an owner's.
    pub(crate) fn keep_an_owner(&self, snapshot: &Snapshot<'_>, grant: &Grant) -> Result<(), Error> {
        let Resource::Organisation(organisation) = grant.place else { return Ok(()) };
        let owns = |other: &Grant| other.expires_at.is_none() && other.role == Role::Owner;
        let owned_now = self.grants_of(snapshot, organisation, grant.user)?;
        if !owned_now.iter().any(|present| present.place == grant.place && owns(present)) {
            return Ok(());
        }
        let other_owner = |other: &Grant| {
            if !owns(other) || other.user == grant.user {
                return Ok(false);
            }
            let row = snapshot.user(other.user)?.ok_or_else(|| unknown_user(other.user))?;
            Ok(self.open_user(&row)?.suspended_at.is_none())
        };
        if self.any_grant_at(snapshot, organisation, other_owner)? {
            return Ok(());
        }
        let why = "the organisation would be without an owner: make somebody else one first, without an end";
        Err(Error::Conflict(why.to_owned()))
    }

    /// Whether an organisation has an owner: then it makes its own accounts, and nobody makes them for it.
    pub(crate) fn has_owner(
        &self,
        snapshot: &Snapshot<'_>,
        organisation: OrganisationId,
    ) -> Result<bool, Error> {
        self.any_grant_at(snapshot, organisation, |grant| Ok(grant.role == Role::Owner))
    }

    /// Refuses whoever runs the platform where an organisation has an owner: keys that it made there would open what the
    /// organisation stores.
    pub(crate) fn refuse_operator(
        &self,
        snapshot: &Snapshot<'_>,
        by_operator: bool,
        organisation: OrganisationId,
    ) -> Result<(), Error> {
        if by_operator && self.has_owner(snapshot, organisation)? {
            let why = "the organisation has owners, who alone give keys to what it stores: `nuee login` as one of its members";
            return Err(Error::Conflict(why.to_owned()));
        }
        Ok(())
    }

    fn any_grant_at(
        &self,
        snapshot: &Snapshot<'_>,
        organisation: OrganisationId,
        is: impl Fn(&Grant) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        let mut after = (UserId::from_bytes([0; 16]), String::new());
        loop {
            let rows = snapshot.grants_at(&organisation.to_bytes(), (after.0, &after.1), PAGE)?;
            let Some(last) = rows.last() else { return Ok(false) };
            after = (last.user, last.role.clone());
            for row in &rows {
                if is(&self.open_grant(row)?)? {
                    return Ok(true);
                }
            }
        }
    }

    /// The roles of a user, those that have ended among them.
    pub(crate) fn grants_of(
        &self,
        snapshot: &Snapshot<'_>,
        organisation: OrganisationId,
        user: UserId,
    ) -> Result<Vec<Grant>, Error> {
        let rows = snapshot.grants_of(user)?;
        let own = rows.iter().filter(|row| row.organisation == organisation);
        own.map(|row| self.open_grant(row)).collect()
    }

    pub(crate) fn open_grant(&self, row: &GrantRow) -> Result<Grant, Error> {
        let place = place_of(row.organisation, row.scope);
        let damaged = |detail: &str| Error::damaged(format!("role of user/{} on {place}", row.user), detail);
        if fields(row).verify(&*self.0.keys.row_mac_key(row.organisation)?, &row.mac).is_err() {
            return Err(damaged("its row's code is wrong"));
        }
        let Record::V1 { granted_at_micros, granted_by, expires_at_micros } = decode("grants", &row.record)?;
        Ok(Grant {
            place,
            user: row.user,
            role: row.role.parse().map_err(|_| damaged("it is unknown"))?,
            granted_at: Timestamp::from_micros(granted_at_micros),
            granted_by,
            expires_at: expires_at_micros.map(Timestamp::from_micros),
        })
    }

    /// The members of the place that the permit is for, `limit` at most; those of its organisation are not among a
    /// project's.
    pub fn members(
        &self,
        permit: &Permit,
        after: Option<&MembersAfter>,
        limit: u32,
    ) -> Result<Vec<Member>, Error> {
        permit.require(Action::ListMembers, permit.resource())?;
        let (_, scope) = scope_of(permit.resource())?;
        let first = (UserId::from_bytes([0; 16]), "");
        let after = after.map_or(first, |after| (after.user, after.role.as_str()));
        self.0.metadata.read_consistent(|snapshot| {
            let member = |row: &GrantRow| {
                let user = snapshot.user(row.user)?.ok_or_else(|| unknown_user(row.user))?;
                Ok(Member { user: self.open_user(&user)?, grant: self.open_grant(row)? })
            };
            snapshot.grants_at(&scope, after, limit)?.iter().map(member).collect()
        })
    }

    /// Every role that a user of the organisation that the permit is for has, those that have ended among them.
    pub fn rights(&self, permit: &Permit, user: UserId) -> Result<(User, Vec<Grant>), Error> {
        permit.require(Action::ListUsers, permit.resource())?;
        let organisation = crate::organisation::organisation_of(permit)?;
        self.0.metadata.read_consistent(|snapshot| {
            let row = snapshot.user(user)?.filter(|row| row.organisation == organisation);
            let user = self.open_user(&row.ok_or_else(|| unknown_user(user))?)?;
            let grants = self.grants_of(snapshot, organisation, user.id)?;
            Ok((user, grants))
        })
    }
}

/// Whether there is a place where both hold.
fn overlap(one: Resource, other: Resource) -> bool {
    matches!(one, Resource::Organisation(_)) || matches!(other, Resource::Organisation(_)) || one == other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organisation_overlaps_each_of_its_projects() {
        let organisation = OrganisationId::from_bytes([1; 16]);
        let project =
            |number| Resource::Project { organisation, project: ProjectId::from_bytes([number; 16]) };
        assert!(overlap(Resource::Organisation(organisation), project(2)));
        assert!(overlap(project(2), Resource::Organisation(organisation)));
        assert!(overlap(project(2), project(2)));
        assert!(!overlap(project(2), project(3)));
        for place in [Resource::Organisation(organisation), project(2)] {
            let (of, scope) = scope_of(place).unwrap();
            assert_eq!(place_of(of, scope), place);
        }
    }
}
