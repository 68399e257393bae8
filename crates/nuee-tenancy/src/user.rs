//! Users: people, each of one organisation; and operators, who are of the platform itself and of no organisation.
//!
//! The accounts of the two have nothing in common: who is both has two, each of which is known where it belongs alone.
//!
//! A user is found by an address, which is kept sealed: what the database finds it by is a code of it that tells nothing
//! without the keys. A user who is suspended signs in no more, and whose sign-ins have ended; nothing of what it did is
//! forgotten.

use nuee_access::{Action, Permit, Resource};
use nuee_base::{Assurance, Context, EmailAddress, Grants, OrganisationId, Principal, Timestamp, UserId};
use nuee_journal::{Entry, Subject};
use nuee_keys::RowBuilder;
use nuee_metadata::{Transaction, UserRow};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Tenancy,
    organisation::organisation_of,
    project_keys::{decode, encode},
};

/// The longest name of a person, in bytes.
const MAX_NAME_BYTES: usize = 200;

/// Whose accounts are meant: a credential, a token or an invitation of the one is unknown where the other belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Realm {
    /// Those of the people of organisations.
    Organisations,
    /// Those of operators.
    Platform,
}

impl Realm {
    /// Where the accounts of an organisation belong, or those of the platform itself.
    pub(crate) fn of(organisation: OrganisationId) -> Self {
        if organisation == OrganisationId::PLATFORM { Self::Platform } else { Self::Organisations }
    }

    /// For what an address is coded.
    fn logins(self) -> &'static str {
        match self {
            Self::Organisations => "logins",
            Self::Platform => "logins of operators",
        }
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The organisation it belongs to; [`OrganisationId::PLATFORM`] if it is an operator.
    pub organisation: OrganisationId,
    /// By what it signs in and is written to, unique in its realm.
    pub email: EmailAddress,
    /// What people call it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it signs in no more.
    pub suspended_at: Option<Timestamp>,
}

impl User {
    /// Who acts when it does, with these roles.
    pub(crate) fn acting(&self, grants: Grants, assurance: Assurance) -> Principal {
        let Self { id, organisation, .. } = *self;
        match Realm::of(organisation) {
            Realm::Organisations => Principal::User { id, organisation, grants, assurance },
            Realm::Platform => Principal::OperatorAccount { id, grants, assurance },
        }
    }
}

#[derive(Serialize, Deserialize)]
enum Record {
    V1 { created_at_micros: i64, suspended_at_micros: Option<i64>, sealed: Vec<u8> },
}

/// What is sealed of a user.
#[derive(Serialize, Deserialize)]
struct Sealed {
    email: String,
    name: String,
}

fn fields(row: &UserRow) -> RowBuilder {
    RowBuilder::new("users")
        .bytes(&row.organisation.to_bytes())
        .bytes(&row.id.to_bytes())
        .bytes(&row.login)
        .bytes(&row.record)
}

/// What binds what is sealed to its user.
fn sealed_context(id: UserId) -> Vec<u8> {
    [&b"user "[..], &id.to_bytes()].concat()
}

/// That people can be called so.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    if name.trim().is_empty() || name.len() > MAX_NAME_BYTES || name.contains(char::is_control) {
        let why = format!("a name is 1 to {MAX_NAME_BYTES} bytes of one line");
        return Err(Error::Invalid { kind: "user", why });
    }
    Ok(())
}

impl Tenancy {
    /// By what the user with this address is found.
    pub(crate) fn login_of(&self, realm: Realm, email: &EmailAddress) -> Result<[u8; 32], Error> {
        let named = RowBuilder::new(realm.logins()).bytes(email.as_str().as_bytes());
        Ok(named.mac(&*self.0.keys.lookup_key()?))
    }

    pub(crate) fn user_row(&self, user: &User) -> Result<UserRow, Error> {
        let sealed = encode(&Sealed { email: user.email.to_string(), name: user.name.clone() })?;
        let record = encode(&Record::V1 {
            created_at_micros: user.created_at.as_micros(),
            suspended_at_micros: user.suspended_at.map(Timestamp::as_micros),
            sealed: self.0.keys.wrap(user.organisation, &sealed_context(user.id), &sealed)?,
        })?;
        let login = self.login_of(Realm::of(user.organisation), &user.email)?;
        let mut row = UserRow { id: user.id, organisation: user.organisation, login, record, mac: [0; 32] };
        row.mac = fields(&row).mac(&*self.0.keys.row_mac_key(user.organisation)?);
        Ok(row)
    }

    pub(crate) fn open_user(&self, row: &UserRow) -> Result<User, Error> {
        let damaged = |detail: &str| Error::damaged(format!("user {}", row.id), detail);
        if fields(row).verify(&*self.0.keys.row_mac_key(row.organisation)?, &row.mac).is_err() {
            return Err(damaged("its row's code is wrong"));
        }
        let Record::V1 { created_at_micros, suspended_at_micros, sealed } = decode("users", &row.record)?;
        let opened = self.0.keys.unwrap(row.organisation, &sealed_context(row.id), &sealed)?;
        let Sealed { email, name } = decode("users", &opened)?;
        Ok(User {
            id: row.id,
            organisation: row.organisation,
            email: email.parse().map_err(|_| damaged("its address is none"))?,
            name,
            created_at: Timestamp::from_micros(created_at_micros),
            suspended_at: suspended_at_micros.map(Timestamp::from_micros),
        })
    }

    /// The users of the organisation that the permit is for, after one of them, in the order in which they came; `limit`
    /// at most.
    pub fn users(&self, permit: &Permit, after: Option<UserId>, limit: u32) -> Result<Vec<User>, Error> {
        permit.require(Action::ListUsers, permit.resource())?;
        let organisation = organisation_of(permit)?;
        let after = after.unwrap_or(UserId::from_bytes([0; 16]));
        let rows = self.0.metadata.read(|snapshot| snapshot.users(organisation, after, limit))?;
        rows.into_iter().map(|row| self.open_user(&row)).collect()
    }

    /// The user of the organisation that the permit is for with this address.
    pub fn user_by_email(&self, permit: &Permit, email: &EmailAddress) -> Result<Option<User>, Error> {
        permit.require(Action::ListUsers, permit.resource())?;
        let organisation = organisation_of(permit)?;
        let login = self.login_of(Realm::of(organisation), email)?;
        let row = self.0.metadata.read(|snapshot| snapshot.user_of_login(&login))?;
        row.filter(|row| row.organisation == organisation).map(|row| self.open_user(&row)).transpose()
    }

    /// The user with this address, if it is of the organisation that `place` stands in: for whoever may give it a role there
    /// and must name it.
    pub fn locate_user(&self, place: Resource, email: &EmailAddress) -> Result<Option<UserId>, Error> {
        let Resource::Organisation(organisation) = place else { return Ok(None) };
        let login = self.login_of(Realm::of(organisation), email)?;
        let row = self.0.metadata.read(|snapshot| snapshot.user_of_login(&login))?;
        let found =
            row.filter(|row| row.organisation == organisation).map(|row| self.open_user(&row)).transpose()?;
        Ok(found.map(|user| user.id))
    }

    /// Keeps a user of the organisation that the permit is for from signing in, and ends its sign-ins; or lets it sign in
    /// again.
    pub async fn suspend_user(
        &self,
        context: &Context,
        permit: &Permit,
        (id, suspended): (UserId, bool),
    ) -> Result<User, Error> {
        permit.require(Action::SuspendUser, permit.resource())?;
        let organisation = organisation_of(permit)?;
        let entry = Entry::new(context, &self.0.keys, organisation, format!("user/{id}"))?;
        let (tenancy, now) = (self.clone(), context.now());
        let forget = self.forget_user(id);
        let suspend = move |transaction: &Transaction<'_>| {
            let found = transaction.user(id)?.filter(|row| row.organisation == organisation);
            let present = tenancy.open_user(&found.ok_or_else(|| unknown_user(id))?)?;
            let since = present.suspended_at.unwrap_or(now);
            let user = User { suspended_at: suspended.then_some(since), ..present };
            let row = tenancy.user_row(&user)?;
            transaction.update_user(id, &row.record, row.mac)?;
            if suspended {
                for grant in tenancy.grants_of(transaction, organisation, id)? {
                    tenancy.keep_an_owner(transaction, &grant)?;
                }
                transaction.delete_sign_ins(id)?;
            }
            let said = state(&user);
            entry.append(transaction, Action::SuspendUser.as_str(), Subject::detail(said))?;
            Ok::<_, Error>((user, forget))
        };
        Ok(self.0.metadata.write(suspend).await?.0)
    }
}

/// What the journal says a user is.
pub(crate) fn state(user: &User) -> &'static str {
    if user.suspended_at.is_some() { "suspended" } else { "active" }
}

pub(crate) fn unknown_user(id: UserId) -> Error {
    Error::NotFound { kind: "user", name: id.to_string() }
}
