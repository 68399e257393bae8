//! Verification of users, of what they may do, and of invitations.

use nuee_access::Action;
use nuee_base::{OrganisationId, Timestamp, UserId};
use nuee_journal::States;
use nuee_metadata::Snapshot;

use super::{DamagedRow, note};
use crate::{
    Error, Tenancy,
    credential::{ENROL, SET_PASSWORD},
    invitation::ACCEPT_INVITATION,
    user::state,
};

/// Rows that are read at once.
const PAGE: u32 = 500;
/// Invitations to one place that are read.
const INVITATIONS: u32 = 10_000;

impl Tenancy {
    pub(super) fn verify_people(
        &self,
        snapshot: &Snapshot<'_>,
        organisation: OrganisationId,
        rows: &mut States,
        damaged: &mut Vec<DamagedRow>,
    ) -> Result<(), Error> {
        let mut after = UserId::from_bytes([0; 16]);
        loop {
            let page = snapshot.users(organisation, after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.id;
            for row in page {
                let what = format!("user/{}", row.id);
                match self.open_user(&row) {
                    Err(error) => damaged.push((what, error.to_string())),
                    Ok(user) => {
                        rows.insert(what.clone(), state(&user).to_owned());
                        for error in self.verify_sign_ins(snapshot, &user)? {
                            damaged.push((what.clone(), error.to_string()));
                        }
                        if let Some(checked) = self.verify_credential(snapshot, &user) {
                            note(damaged, || what.clone(), checked);
                        }
                        self.verify_grants(snapshot, user.id, rows, damaged)?;
                    }
                }
            }
        }
        self.verify_invitations(snapshot, organisation.to_bytes(), rows, damaged)?;
        for project in snapshot.projects(organisation)? {
            self.verify_invitations(snapshot, project.id.to_bytes(), rows, damaged)?;
        }
        Ok(())
    }

    fn verify_grants(
        &self,
        snapshot: &Snapshot<'_>,
        user: UserId,
        rows: &mut States,
        damaged: &mut Vec<DamagedRow>,
    ) -> Result<(), Error> {
        for row in snapshot.grants_of(user)? {
            let opened = self.open_grant(&row);
            if let Ok(grant) = &opened {
                let (name, until) = grant_state(&grant.place.to_string(), &grant.said());
                rows.insert(name, until);
            }
            note(damaged, || format!("role {} of user/{user}", row.role), opened);
        }
        Ok(())
    }

    fn verify_invitations(
        &self,
        snapshot: &Snapshot<'_>,
        scope: [u8; 16],
        rows: &mut States,
        damaged: &mut Vec<DamagedRow>,
    ) -> Result<(), Error> {
        let now = self.0.environment.now().to_string();
        for row in snapshot.invitations(&scope, INVITATIONS)? {
            let what = format!("invitation/{}", row.id);
            if row.expires_at.to_string() > now {
                rows.insert(what.clone(), format!("until {}", row.expires_at));
            }
            note(damaged, || what, self.open_invitation(&row));
        }
        Ok(())
    }
}

/// What is known of a grant that the journal tells of so: under which name, and until when it holds.
fn grant_state(on: &str, said: &str) -> (String, String) {
    // As `Grant::said` writes it.
    let mut words = said.splitn(4, ' ');
    let (role, user) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
    (grant_name(role, user, on), words.next().unwrap_or_default().to_owned())
}

fn grant_name(role: &str, user: &str, on: &str) -> String {
    format!("role {role} of {user} on {on}")
}

/// Notes what a leaf says of people; whether it is of people.
pub(super) fn replay(said: &mut States, (action, on, detail): (&str, &str, &str), now: Timestamp) -> bool {
    let is = |known: Action| action == known.as_str();
    if is(Action::GrantRole) {
        let (name, until) = grant_state(on, detail);
        said.insert(name, until);
    } else if is(Action::RevokeRole) {
        let (role, user) = detail.split_once(" from ").unwrap_or((detail, ""));
        said.remove(&grant_name(role, user, on));
    } else if is(Action::CreateInvitation) {
        let (id, rest) = detail.split_once(' ').unwrap_or((detail, ""));
        let ends = rest.rsplit(' ').next().unwrap_or_default();
        // Instants are written so that the earlier is the smaller text.
        if ends > now.to_string().as_str() {
            said.insert(id.to_owned(), format!("until {ends}"));
        }
    } else if is(Action::RevokeInvitation) {
        said.remove(detail);
    } else if is(Action::SuspendUser) {
        said.insert(on.to_owned(), detail.to_owned());
    } else if action == ACCEPT_INVITATION {
        let (state, invitation) = detail.split_once(" by ").unwrap_or((detail, ""));
        said.remove(invitation);
        said.insert(on.to_owned(), state.to_owned());
    } else {
        return is(Action::ResetSignIn) || [SET_PASSWORD, ENROL].contains(&action);
    }
    true
}

#[cfg(test)]
mod tests {
    use nuee_access::Resource;
    use nuee_base::Role;

    use super::*;
    use crate::Grant;

    #[test]
    fn a_grant_is_told_and_taken_back() {
        let place = Resource::Organisation(OrganisationId::from_bytes([1; 16]));
        let grant = Grant {
            place,
            user: UserId::from_bytes([2; 16]),
            role: Role::Reader,
            granted_at: Timestamp::from_micros(0),
            granted_by: String::new(),
            expires_at: Some(Timestamp::from_micros(1_000_000)),
        };
        let (mut said, now, on) = (States::new(), Timestamp::from_micros(0), place.to_string());
        assert!(replay(&mut said, (Action::GrantRole.as_str(), &on, &grant.said()), now));
        let name = format!("role reader of user/{} on {on}", grant.user);
        assert_eq!(said.get(&name).map(String::as_str), Some("until 1970-01-01T00:00:01Z"), "{said:?}");
        let taken = format!("reader from user/{}", grant.user);
        assert!(replay(&mut said, (Action::RevokeRole.as_str(), &on, &taken), now));
        assert!(said.is_empty());
    }
}
