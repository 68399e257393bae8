//! Invitations: somebody is offered a role at a place, and becomes a user by accepting it.
//!
//! An invitation is for one address, and known by a token that whoever invites is shown once and passes on. It ends when it
//! is accepted, when it is taken back, and at its time. Who accepts it becomes a user of the organisation, or is one
//! already, and has the role from then on.

use std::time::Duration;

use nuee_access::{Action, Permit, Resource};
use nuee_base::{Assurance, Context, EmailAddress, Grants, InvitationId, Role, Secret, Timestamp, UserId};
use nuee_journal::{Entry, Subject};
use nuee_keys::{RowBuilder, TokenDigest};
use nuee_metadata::{CredentialRow, IdentityRow, InvitationRow, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Realm, Tenancy, User,
    membership::{Grant, check_role, place_of, scope_of},
    project_keys::{decode, encode},
    user::{check_name, state},
};

/// How long an invitation can be accepted.
const LIFETIME: Duration = Duration::from_hours(7 * 24);
/// How many invitations to one place there are at most.
const MAX_INVITATIONS: u32 = 1_000;
/// What the tokens of invitations begin with.
const TOKEN_PREFIX: &str = "nuee_invitation_";
/// What the journal calls the acceptance of an invitation, which no permit is needed for.
pub const ACCEPT_INVITATION: &str = "nuee:AcceptInvitation";

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Where the role is offered: an organisation, or a project.
    pub place: Resource,
    /// To whom.
    pub email: EmailAddress,
    /// Which role.
    pub role: Role,
    /// Until when the role is given; for ever if there is no such time.
    pub role_expires_at: Option<Timestamp>,
    /// Who invites.
    pub invited_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it can be accepted.
    pub expires_at: Timestamp,
}

/// What is offered to whom.
#[derive(Debug, Clone)]
pub struct Offer {
    /// To whom.
    pub email: EmailAddress,
    /// Which role.
    pub role: Role,
    /// Until when the role is given.
    pub role_expires_at: Option<Timestamp>,
}

/// By what whoever accepts an invitation will sign in.
#[derive(Debug)]
pub enum Joining {
    /// By a credential, which [`Tenancy::accept_invitation`] writes for whom it makes.
    Local(LocalCredential),
    /// By an issuer, which knows them by this subject.
    Issuer {
        /// The issuer's name in the settings.
        issuer: String,
        /// The subject.
        subject: String,
    },
    /// As they do already: they have signed in.
    AsUser(UserId),
}

/// A credential that is to be written, made by [`Tenancy::new_credential`].
#[derive(Debug)]
pub struct LocalCredential(pub(crate) Vec<u8>);

#[derive(Serialize, Deserialize)]
enum Record {
    V1 {
        role: String,
        role_expires_at_micros: Option<i64>,
        invited_by: String,
        created_at_micros: i64,
        sealed_email: Vec<u8>,
    },
}

fn fields(row: &InvitationRow) -> RowBuilder {
    RowBuilder::new("invitations")
        .bytes(&row.organisation.to_bytes())
        .bytes(&row.scope)
        .bytes(&row.id.to_bytes())
        .bytes(&row.token)
        .integer(row.expires_at.as_micros())
        .bytes(&row.record)
}

/// What binds an address that is sealed to its invitation.
fn sealed_context(id: InvitationId) -> Vec<u8> {
    [&b"invitation "[..], &id.to_bytes()].concat()
}

impl Tenancy {
    /// Invites somebody to have a role at the place that the permit is for; gives the token to be passed on.
    ///
    /// Whoever runs the platform can invite the first owner of an organisation, and nobody else to one; and other operators.
    pub async fn invite(
        &self,
        context: &Context,
        permit: &Permit,
        offer: Offer,
    ) -> Result<(Invitation, Secret), Error> {
        permit.require(Action::CreateInvitation, permit.resource())?;
        let place = permit.resource();
        check_role(place, offer.role)?;
        let (organisation, scope) = scope_of(place)?;
        let created_at = context.now();
        let invitation = Invitation {
            id: InvitationId::generate(&self.0.environment),
            place,
            email: offer.email,
            role: offer.role,
            role_expires_at: offer.role_expires_at,
            invited_by: context.principal().to_string(),
            created_at,
            expires_at: created_at.saturating_add(LIFETIME),
        };
        if invitation.role_expires_at.is_some_and(|end| end <= created_at) {
            let why = "the role must end in the future".to_owned();
            return Err(Error::Invalid { kind: "invitation", why });
        }
        let token = self.generate_token(TOKEN_PREFIX);
        let row = self.invitation_row(&invitation, &token)?;
        let entry = Entry::new(context, &self.0.keys, organisation, place.to_string())?;
        let (tenancy, said) = (self.clone(), said(&invitation));
        let first_owner = invitation.role == Role::Owner && matches!(place, Resource::Organisation(_));
        let by_operator = context.principal().is_operator() && place != Resource::Platform;
        let write = move |transaction: &Transaction<'_>| {
            if by_operator && (!first_owner || tenancy.has_owner(transaction, organisation)?) {
                let why = "whoever runs the platform invites the first owner of an organisation, and nobody else: ask an \
                           owner of the organisation";
                return Err(Error::Conflict(why.to_owned()));
            }
            if transaction.invitations(&scope, MAX_INVITATIONS)?.len() >= MAX_INVITATIONS as usize {
                return Err(Error::Conflict("there are too many invitations: take some back".to_owned()));
            }
            transaction.insert_invitation(&row)?;
            entry.append(transaction, Action::CreateInvitation.as_str(), Subject::detail(&said))?;
            Ok::<_, Error>(())
        };
        self.0.metadata.write(write).await?;
        Ok((invitation, token))
    }

    fn invitation_row(&self, invitation: &Invitation, token: &Secret) -> Result<InvitationRow, Error> {
        let (organisation, scope) = scope_of(invitation.place)?;
        let email = invitation.email.as_str().as_bytes();
        let record = encode(&Record::V1 {
            role: invitation.role.to_string(),
            role_expires_at_micros: invitation.role_expires_at.map(Timestamp::as_micros),
            invited_by: invitation.invited_by.clone(),
            created_at_micros: invitation.created_at.as_micros(),
            sealed_email: self.0.keys.wrap(organisation, &sealed_context(invitation.id), email)?,
        })?;
        let token = TokenDigest::of(token.expose()).to_bytes();
        let (id, expires_at) = (invitation.id, invitation.expires_at);
        let mut row = InvitationRow { id, scope, organisation, token, expires_at, record, mac: [0; 32] };
        row.mac = fields(&row).mac(&*self.0.keys.row_mac_key(organisation)?);
        Ok(row)
    }

    pub(crate) fn open_invitation(&self, row: &InvitationRow) -> Result<Invitation, Error> {
        let damaged = |detail: &str| Error::damaged(format!("invitation {}", row.id), detail);
        if fields(row).verify(&*self.0.keys.row_mac_key(row.organisation)?, &row.mac).is_err() {
            return Err(damaged("its row's code is wrong"));
        }
        let Record::V1 { role, role_expires_at_micros, invited_by, created_at_micros, sealed_email } =
            decode("invitations", &row.record)?;
        let email = self.0.keys.unwrap(row.organisation, &sealed_context(row.id), &sealed_email)?;
        let email = std::str::from_utf8(&email).ok().and_then(|email| email.parse().ok());
        Ok(Invitation {
            id: row.id,
            place: place_of(row.organisation, row.scope),
            email: email.ok_or_else(|| damaged("its address is none"))?,
            role: role.parse().map_err(|_| damaged("its role is unknown"))?,
            role_expires_at: role_expires_at_micros.map(Timestamp::from_micros),
            invited_by,
            created_at: Timestamp::from_micros(created_at_micros),
            expires_at: row.expires_at,
        })
    }

    /// The invitations to the place that the permit is for, oldest first.
    pub fn invitations(&self, context: &Context, permit: &Permit) -> Result<Vec<Invitation>, Error> {
        permit.require(Action::ListInvitations, permit.resource())?;
        let (_, scope) = scope_of(permit.resource())?;
        let rows = self.0.metadata.read(|snapshot| snapshot.invitations(&scope, MAX_INVITATIONS))?;
        let open = rows.iter().filter(|row| row.expires_at > context.now());
        open.map(|row| self.open_invitation(row)).collect()
    }

    /// Takes an invitation to the place that the permit is for back.
    pub async fn revoke_invitation(
        &self,
        context: &Context,
        permit: &Permit,
        id: InvitationId,
    ) -> Result<(), Error> {
        permit.require(Action::RevokeInvitation, permit.resource())?;
        let place = permit.resource();
        let (organisation, scope) = scope_of(place)?;
        let entry = Entry::new(context, &self.0.keys, organisation, place.to_string())?;
        let revoke = move |transaction: &Transaction<'_>| {
            if !transaction.delete_invitation(&scope, id)? {
                return Err(Error::NotFound { kind: "invitation", name: id.to_string() });
            }
            let said = format!("invitation/{id}");
            entry.append(transaction, Action::RevokeInvitation.as_str(), Subject::detail(&said))?;
            Ok::<_, Error>(())
        };
        self.0.metadata.write(revoke).await
    }

    /// The invitation that a token is of, if it can be accepted now, and to an account of this realm.
    pub fn find_invitation(
        &self,
        context: &Context,
        (realm, token): (Realm, &Secret),
    ) -> Result<Invitation, Error> {
        let digest = TokenDigest::of(token.expose()).to_bytes();
        let row = self.0.metadata.read(|snapshot| snapshot.invitation(&digest))?;
        let fits =
            |row: &InvitationRow| row.expires_at > context.now() && Realm::of(row.organisation) == realm;
        let row = row.filter(fits).ok_or(NO_INVITATION)?;
        self.open_invitation(&row)
    }

    /// Accepts an invitation: makes the user that it is for, unless there is one, and gives it the role.
    ///
    /// Whoever joins by an issuer must have been asked there for the address that the invitation is for.
    pub async fn accept_invitation(
        &self,
        context: &Context,
        (realm, token): (Realm, &Secret),
        (name, joining): (String, Joining),
    ) -> Result<User, Error> {
        let invitation = self.find_invitation(context, (realm, token))?;
        let digest = TokenDigest::of(token.expose()).to_bytes();
        let (organisation, _) = scope_of(invitation.place)?;
        let now = context.now();
        let (user, is_new) = match &joining {
            Joining::AsUser(id) => (self.user_for(*id, &invitation)?, false),
            Joining::Local(_) | Joining::Issuer { .. } => {
                check_name(&name)?;
                let (id, email) = (UserId::generate(&self.0.environment), invitation.email.clone());
                (User { id, organisation, email, name, created_at: now, suspended_at: None }, true)
            }
        };
        let grant = Grant {
            place: invitation.place,
            user: user.id,
            role: invitation.role,
            granted_at: now,
            granted_by: invitation.invited_by.clone(),
            expires_at: invitation.role_expires_at,
        };
        let rows = NewUser::of(self, &user, joining)?;
        let actor = user.acting(Grants::new(Vec::new()), Assurance::SingleFactor);
        let actor = Context::new(context.environment().clone(), actor);
        let of_user = Entry::new(&actor, &self.0.keys, organisation, format!("user/{}", user.id))?;
        let of_place = Entry::new(&actor, &self.0.keys, organisation, invitation.place.to_string())?;
        let tenancy = self.clone();
        let forget = self.forget_user(user.id);
        let accept = move |transaction: &Transaction<'_>| {
            let row = transaction.invitation(&digest)?.ok_or(NO_INVITATION)?;
            transaction.delete_invitation(&row.scope, row.id)?;
            if is_new {
                rows.insert(transaction)?;
            }
            let said = format!("{} by invitation/{}", state(&user), row.id);
            of_user.append(transaction, ACCEPT_INVITATION, Subject::detail(&said))?;
            tenancy.put_grant(transaction, &grant, &of_place)?;
            Ok::<_, Error>((user, forget))
        };
        Ok(self.0.metadata.write(accept).await?.0)
    }

    /// The user that an invitation is for, who has signed in.
    fn user_for(&self, id: UserId, invitation: &Invitation) -> Result<User, Error> {
        let row = self.0.metadata.read(|snapshot| snapshot.user(id))?;
        let user = row.map(|row| self.open_user(&row)).transpose()?;
        let (organisation, _) = scope_of(invitation.place)?;
        user.filter(|user| user.organisation == organisation && user.email == invitation.email)
            .ok_or_else(|| Error::Conflict("the invitation is for another address than yours".to_owned()))
    }
}

const NO_INVITATION: Error = Error::NotSignedIn(
    "the invitation is unknown, was accepted or taken back, or has ended: ask for another one",
);

/// What the journal says of an invitation: no address.
fn said(invitation: &Invitation) -> String {
    let Invitation { id, role, expires_at, .. } = invitation;
    format!("invitation/{id} for {role} until {expires_at}")
}

/// The rows of a user who joins.
struct NewUser {
    user: nuee_metadata::UserRow,
    credential: Option<CredentialRow>,
    identity: Option<IdentityRow>,
}

impl NewUser {
    fn of(tenancy: &Tenancy, user: &User, joining: Joining) -> Result<Self, Error> {
        let (mut credential, mut identity) = (None, None);
        match joining {
            Joining::Local(LocalCredential(sealed)) => {
                credential = Some(tenancy.credential_row(user.organisation, user.id, &sealed)?);
            }
            Joining::Issuer { issuer, subject } => {
                identity = Some(tenancy.identity_row(user, (&issuer, &subject))?);
            }
            Joining::AsUser(_) => {}
        }
        Ok(Self { user: tenancy.user_row(user)?, credential, identity })
    }

    fn insert(self, transaction: &Transaction<'_>) -> Result<(), Error> {
        let taken =
            "there is a user with this address already: sign in as that, and accept the invitation then";
        match transaction.insert_user(&self.user) {
            Err(nuee_metadata::Error::Duplicate) => Err(Error::Conflict(taken.to_owned())),
            inserted => Ok(inserted?),
        }?;
        if let Some(row) = &self.credential {
            transaction.put_credential(row)?;
        }
        if let Some(row) = &self.identity {
            match transaction.insert_identity(row) {
                Err(nuee_metadata::Error::Duplicate) => {
                    Err(Error::Conflict("whoever signed in there is a user already".to_owned()))
                }
                inserted => Ok(inserted?),
            }?;
        }
        Ok(())
    }
}
