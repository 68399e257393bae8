//! Rows of people: users, what they sign in with, what they may do where, invitations, and sign-ins.

use nuee_base::{InvitationId, OrganisationId, SignInId, Timestamp, UserId};
use rusqlite::Row;

use crate::{Error, Mac, Snapshot, Transaction, row::Columns};

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    /// Its id.
    pub id: UserId,
    /// The organisation it belongs to.
    pub organisation: OrganisationId,
    /// By what its address is found, unique on the platform: the layer above says how it is made.
    pub login: [u8; 32],
    /// What the layer above keeps about it.
    pub record: Vec<u8>,
    /// The row's code.
    pub mac: Mac,
}

/// What a user signs in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialRow {
    /// The user.
    pub user: UserId,
    /// What the layer above keeps.
    pub record: Vec<u8>,
    /// The row's code.
    pub mac: Mac,
}

/// By what an issuer knows a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityRow {
    /// The issuer, in words of the layer above.
    pub issuer: String,
    /// By what the issuer's subject is found.
    pub subject: [u8; 32],
    /// The user.
    pub user: UserId,
    /// The row's code.
    pub mac: Mac,
}

/// A role that a user has somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// Where: the id of an organisation or of a project.
    pub scope: [u8; 16],
    /// Who.
    pub user: UserId,
    /// Which role.
    pub role: String,
    /// The organisation that both are in.
    pub organisation: OrganisationId,
    /// What the layer above keeps about it.
    pub record: Vec<u8>,
    /// The row's code.
    pub mac: Mac,
}

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationRow {
    /// Its id.
    pub id: InvitationId,
    /// Where a role is offered: the id of an organisation or of a project.
    pub scope: [u8; 16],
    /// The organisation that it is in.
    pub organisation: OrganisationId,
    /// The digest of the token that its bearer shows.
    pub token: [u8; 32],
    /// When it ends.
    pub expires_at: Timestamp,
    /// What the layer above keeps about it.
    pub record: Vec<u8>,
    /// The row's code.
    pub mac: Mac,
}

/// A sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInRow {
    /// Its id.
    pub id: SignInId,
    /// Who signed in.
    pub user: UserId,
    /// The digest of the token that its bearer shows now.
    pub token: [u8; 32],
    /// The digest of the token before that one.
    pub previous: Option<[u8; 32]>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// What the layer above keeps about it.
    pub record: Vec<u8>,
    /// The row's code.
    pub mac: Mac,
}

fn convert(row: &Row<'_>) -> Result<UserRow, Error> {
    let columns = Columns::new("users", row);
    Ok(UserRow {
        id: UserId::from_bytes(columns.array(0)?),
        organisation: OrganisationId::from_bytes(columns.array(1)?),
        login: columns.array(2)?,
        record: columns.blob(3)?,
        mac: columns.array(4)?,
    })
}

fn convert_grant(row: &Row<'_>) -> Result<GrantRow, Error> {
    let columns = Columns::new("grants", row);
    Ok(GrantRow {
        scope: columns.array(0)?,
        user: UserId::from_bytes(columns.array(1)?),
        role: columns.text(2)?,
        organisation: OrganisationId::from_bytes(columns.array(3)?),
        record: columns.blob(4)?,
        mac: columns.array(5)?,
    })
}

fn convert_invitation(row: &Row<'_>) -> Result<InvitationRow, Error> {
    let columns = Columns::new("invitations", row);
    Ok(InvitationRow {
        id: InvitationId::from_bytes(columns.array(0)?),
        scope: columns.array(1)?,
        organisation: OrganisationId::from_bytes(columns.array(2)?),
        token: columns.array(3)?,
        expires_at: Timestamp::from_micros(columns.integer(4)?),
        record: columns.blob(5)?,
        mac: columns.array(6)?,
    })
}

fn convert_sign_in(row: &Row<'_>) -> Result<SignInRow, Error> {
    let columns = Columns::new("sign_ins", row);
    Ok(SignInRow {
        id: SignInId::from_bytes(columns.array(0)?),
        user: UserId::from_bytes(columns.array(1)?),
        token: columns.array(2)?,
        previous: columns.optional_array(3)?,
        expires_at: Timestamp::from_micros(columns.integer(4)?),
        record: columns.blob(5)?,
        mac: columns.array(6)?,
    })
}

const USER: &str = "SELECT id, organisation, login, record, mac FROM users";
const GRANT: &str = "SELECT scope, user, role, organisation, record, mac FROM grants";
const INVITATION: &str = "SELECT id, scope, organisation, token, expires_at, record, mac FROM invitations";
const SIGN_IN: &str = "SELECT id, user, token, previous, expires_at, record, mac FROM sign_ins";

impl Snapshot<'_> {
    /// The user of this id.
    pub fn user(&self, id: UserId) -> Result<Option<UserRow>, Error> {
        self.find(&format!("{USER} WHERE id = ?1"), (id.to_bytes(),), convert)
    }

    /// The user whose address is found by this.
    pub fn user_of_login(&self, login: &[u8; 32]) -> Result<Option<UserRow>, Error> {
        self.find(&format!("{USER} WHERE login = ?1"), (login,), convert)
    }

    /// The users of an organisation after one of them, in the order of their ids; at most `limit`.
    pub fn users(
        &self,
        organisation: OrganisationId,
        after: UserId,
        limit: u32,
    ) -> Result<Vec<UserRow>, Error> {
        let sql = format!("{USER} WHERE organisation = ?1 AND id > ?2 ORDER BY id LIMIT ?3");
        self.collect(&sql, (organisation.to_bytes(), after.to_bytes(), limit), convert)
    }

    /// What a user signs in with.
    pub fn credential(&self, user: UserId) -> Result<Option<CredentialRow>, Error> {
        let sql = "SELECT user, record, mac FROM credentials WHERE user = ?1";
        self.find(sql, (user.to_bytes(),), |row| {
            let columns = Columns::new("credentials", row);
            Ok(CredentialRow {
                user: UserId::from_bytes(columns.array(0)?),
                record: columns.blob(1)?,
                mac: columns.array(2)?,
            })
        })
    }

    /// The user whom an issuer knows by this.
    pub fn identity(&self, issuer: &str, subject: &[u8; 32]) -> Result<Option<IdentityRow>, Error> {
        let sql = "SELECT issuer, subject, user, mac FROM identities WHERE issuer = ?1 AND subject = ?2";
        self.find(sql, (issuer, subject), |row| {
            let columns = Columns::new("identities", row);
            Ok(IdentityRow {
                issuer: columns.text(0)?,
                subject: columns.array(1)?,
                user: UserId::from_bytes(columns.array(2)?),
                mac: columns.array(3)?,
            })
        })
    }

    /// The roles of a user, wherever they hold.
    pub fn grants_of(&self, user: UserId) -> Result<Vec<GrantRow>, Error> {
        let sql = format!("{GRANT} WHERE user = ?1 ORDER BY scope, role");
        self.collect(&sql, (user.to_bytes(),), convert_grant)
    }

    /// One role of a user at one place.
    pub fn grant(&self, scope: &[u8; 16], user: UserId, role: &str) -> Result<Option<GrantRow>, Error> {
        let sql = format!("{GRANT} WHERE scope = ?1 AND user = ?2 AND role = ?3");
        self.find(&sql, (scope, user.to_bytes(), role), convert_grant)
    }

    /// The roles that hold at a place, after one of them, in the order of users and roles; at most `limit`.
    pub fn grants_at(
        &self,
        scope: &[u8; 16],
        after: (UserId, &str),
        limit: u32,
    ) -> Result<Vec<GrantRow>, Error> {
        let sql =
            format!("{GRANT} WHERE scope = ?1 AND (user, role) > (?2, ?3) ORDER BY user, role LIMIT ?4");
        self.collect(&sql, (scope, after.0.to_bytes(), after.1, limit), convert_grant)
    }

    /// The invitation whose token has this digest.
    pub fn invitation(&self, token: &[u8; 32]) -> Result<Option<InvitationRow>, Error> {
        self.find(&format!("{INVITATION} WHERE token = ?1"), (token,), convert_invitation)
    }

    /// The invitations to a place, in the order of their ids; at most `limit`.
    pub fn invitations(&self, scope: &[u8; 16], limit: u32) -> Result<Vec<InvitationRow>, Error> {
        let sql = format!("{INVITATION} WHERE scope = ?1 ORDER BY id LIMIT ?2");
        self.collect(&sql, (scope, limit), convert_invitation)
    }

    /// The sign-in whose token, or the one before it, has this digest.
    pub fn sign_in(&self, token: &[u8; 32]) -> Result<Option<SignInRow>, Error> {
        self.find(&format!("{SIGN_IN} WHERE token = ?1 OR previous = ?1"), (token,), convert_sign_in)
    }

    /// The sign-in of this id.
    pub fn sign_in_by_id(&self, id: SignInId) -> Result<Option<SignInRow>, Error> {
        self.find(&format!("{SIGN_IN} WHERE id = ?1"), (id.to_bytes(),), convert_sign_in)
    }

    /// The sign-ins of a user, oldest first.
    pub fn sign_ins(&self, user: UserId) -> Result<Vec<SignInRow>, Error> {
        self.collect(&format!("{SIGN_IN} WHERE user = ?1 ORDER BY id"), (user.to_bytes(),), convert_sign_in)
    }
}

impl Transaction<'_> {
    /// Adds a user. [`Error::Duplicate`] if the address is taken.
    pub fn insert_user(&self, row: &UserRow) -> Result<(), Error> {
        let sql = "INSERT INTO users (id, organisation, login, record, mac) VALUES (?1, ?2, ?3, ?4, ?5)";
        let (id, organisation) = (row.id.to_bytes(), row.organisation.to_bytes());
        self.execute(sql, (id, organisation, row.login, &row.record, row.mac)).map(drop)
    }

    /// Replaces the record of a user.
    pub fn update_user(&self, id: UserId, record: &[u8], mac: Mac) -> Result<bool, Error> {
        Ok(self
            .execute("UPDATE users SET record = ?2, mac = ?3 WHERE id = ?1", (id.to_bytes(), record, mac))?
            > 0)
    }

    /// Adds or replaces what a user signs in with.
    pub fn put_credential(&self, row: &CredentialRow) -> Result<(), Error> {
        let sql = "INSERT INTO credentials (user, record, mac) VALUES (?1, ?2, ?3)
            ON CONFLICT (user) DO UPDATE SET record = ?2, mac = ?3";
        self.execute(sql, (row.user.to_bytes(), &row.record, row.mac)).map(drop)
    }

    /// Forgets what a user signs in with; says whether there was something.
    pub fn delete_credential(&self, user: UserId) -> Result<bool, Error> {
        Ok(self.execute("DELETE FROM credentials WHERE user = ?1", (user.to_bytes(),))? > 0)
    }

    /// Notes by what an issuer knows a user. [`Error::Duplicate`] if it knows somebody by that already.
    pub fn insert_identity(&self, row: &IdentityRow) -> Result<(), Error> {
        let sql = "INSERT INTO identities (issuer, subject, user, mac) VALUES (?1, ?2, ?3, ?4)";
        self.execute(sql, (&row.issuer, row.subject, row.user.to_bytes(), row.mac)).map(drop)
    }

    /// Forgets by what issuers know a user; gives how many did.
    pub fn delete_identities(&self, user: UserId) -> Result<usize, Error> {
        self.execute("DELETE FROM identities WHERE user = ?1", (user.to_bytes(),))
    }

    /// Adds a role of a user, or replaces what is kept about it.
    pub fn put_grant(&self, row: &GrantRow) -> Result<(), Error> {
        let sql = "INSERT INTO grants (scope, user, role, organisation, record, mac) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT (scope, user, role) DO UPDATE SET record = ?5, mac = ?6";
        let (user, organisation) = (row.user.to_bytes(), row.organisation.to_bytes());
        self.execute(sql, (row.scope, user, &row.role, organisation, &row.record, row.mac)).map(drop)
    }

    /// Removes a role of a user; says whether it was there.
    pub fn delete_grant(&self, scope: &[u8; 16], user: UserId, role: &str) -> Result<bool, Error> {
        let sql = "DELETE FROM grants WHERE scope = ?1 AND user = ?2 AND role = ?3";
        Ok(self.execute(sql, (scope, user.to_bytes(), role))? > 0)
    }

    /// Adds an invitation.
    pub fn insert_invitation(&self, row: &InvitationRow) -> Result<(), Error> {
        let sql = "INSERT INTO invitations (id, scope, organisation, token, expires_at, record, mac)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (id, organisation, end) =
            (row.id.to_bytes(), row.organisation.to_bytes(), row.expires_at.as_micros());
        self.execute(sql, (id, row.scope, organisation, row.token, end, &row.record, row.mac)).map(drop)
    }

    /// Removes an invitation to a place; says whether it was there.
    pub fn delete_invitation(&self, scope: &[u8; 16], id: InvitationId) -> Result<bool, Error> {
        let sql = "DELETE FROM invitations WHERE scope = ?1 AND id = ?2";
        Ok(self.execute(sql, (scope, id.to_bytes()))? > 0)
    }

    /// Removes up to `limit` invitations that ended before `before`; gives how many there were.
    pub fn delete_invitations_ended(&self, before: Timestamp, limit: u32) -> Result<usize, Error> {
        let sql = "DELETE FROM invitations WHERE id IN \
                   (SELECT id FROM invitations WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)";
        self.execute(sql, (before.as_micros(), limit))
    }

    /// Adds a sign-in.
    pub fn insert_sign_in(&self, row: &SignInRow) -> Result<(), Error> {
        let sql = "INSERT INTO sign_ins (id, user, token, previous, expires_at, record, mac)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (id, user, end) = (row.id.to_bytes(), row.user.to_bytes(), row.expires_at.as_micros());
        self.execute(sql, (id, user, row.token, row.previous, end, &row.record, row.mac)).map(drop)
    }

    /// Replaces what a sign-in is, but for whose it is.
    pub fn update_sign_in(&self, row: &SignInRow) -> Result<bool, Error> {
        let sql = "UPDATE sign_ins SET token = ?2, previous = ?3, expires_at = ?4, record = ?5, mac = ?6 WHERE id = ?1";
        let end = row.expires_at.as_micros();
        Ok(self.execute(sql, (row.id.to_bytes(), row.token, row.previous, end, &row.record, row.mac))? > 0)
    }

    /// Removes a sign-in; says whether it was there.
    pub fn delete_sign_in(&self, id: SignInId) -> Result<bool, Error> {
        Ok(self.execute("DELETE FROM sign_ins WHERE id = ?1", (id.to_bytes(),))? > 0)
    }

    /// Removes the sign-ins of a user; gives how many there were.
    pub fn delete_sign_ins(&self, user: UserId) -> Result<usize, Error> {
        self.execute("DELETE FROM sign_ins WHERE user = ?1", (user.to_bytes(),))
    }

    /// Removes up to `limit` sign-ins that ended before `before`; gives how many there were.
    pub fn delete_sign_ins_ended(&self, before: Timestamp, limit: u32) -> Result<usize, Error> {
        let sql = "DELETE FROM sign_ins WHERE id IN \
                   (SELECT id FROM sign_ins WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)";
        self.execute(sql, (before.as_micros(), limit))
    }
}
