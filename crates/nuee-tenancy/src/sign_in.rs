//! Sign-ins: a user at a browser or a command line, for a while.
//!
//! A sign-in is a row, and a token that its bearer shows with each request and of which a digest is kept. It holds where it
//! began and nowhere else (its *binding*: a kind of client, in a zone). Its token is *renewed* now and then: the one before
//! still does for a minute, for requests that were on their way, and whoever shows it later has taken it from somewhere,
//! so the sign-in ends for everybody. It ends too when its user signs out or is suspended, when its lifetime is over, and
//! when nothing was done in it for a while; from that moment on, for the next request.

use std::{sync::Arc, time::Duration};

use nuee_base::{Assurance, Context, Grants, Principal, Secret, SignInId, Timestamp, UserId};
use nuee_journal::{Entry, Subject};
use nuee_keys::{RowBuilder, TokenDigest};
use nuee_metadata::{RowCache, SignInRow, Snapshot, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Grant, Realm, Tenancy, User,
    project_keys::{decode, encode},
    service_account::SECRET_LETTERS,
};

/// The longest that a sign-in lasts, however often it is renewed: a day of work.
pub const LONGEST_SIGN_IN: Duration = Duration::from_hours(12);
/// How old a token is renewed.
pub const RENEWED_AFTER: Duration = Duration::from_mins(15);
/// How long the token before does beside the new one.
const OLD_TOKEN_DOES: Duration = Duration::from_mins(1);
/// How many sign-ins a user has at most: the oldest makes room for another.
const MAX_SIGN_INS: usize = 20;
/// Sign-ins that are kept in memory.
pub(crate) const KNOWN_SIGN_INS: usize = 4_096;
/// The longest ID token that is kept, in bytes.
const MAX_ID_TOKEN_BYTES: usize = 8 << 10;
/// How many rows go in one transaction of a sweep.
const SWEPT_AT_ONCE: u32 = 500;
/// What tokens begin with, so that they are recognised where they should not be.
const TOKEN_PREFIX: &str = "nuee_signin_";
/// What the journal calls the beginning and the end of a sign-in, for which no permit is needed.
pub(crate) const SIGN_IN: &str = "nuee:SignIn";
const SIGN_OUT: &str = "nuee:SignOut";
const TOKEN_STOLEN: &str = "nuee:EndStolenSignIn";

/// With what a user signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Client {
    /// A browser, which keeps the token in a cookie: it must do something once an hour.
    Browser,
    /// A command line, which keeps it in a file: it may rest for as long as the sign-in lasts.
    CommandLine,
}

impl Client {
    /// How long it may rest.
    #[must_use]
    pub fn may_rest(self) -> Duration {
        match self {
            Self::Browser => Duration::from_hours(1),
            Self::CommandLine => LONGEST_SIGN_IN,
        }
    }
}

/// Where a sign-in holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Binding {
    /// With what its user came.
    pub client: Client,
    /// By which zone.
    pub zone: String,
}

/// How a user has shown who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// How surely.
    pub assurance: Assurance,
    /// By what, for the journal: `password`, `password and code`, or `issuer/NAME`.
    pub by: String,
}

/// A session that a user began at an issuer by signing in here, and that a logout ends too
/// ([RP-Initiated Logout](https://openid.net/specs/openid-connect-rpinitiated-1_0.html)).
#[derive(Debug, Clone)]
pub struct IssuerSession {
    /// The issuer's name in the settings.
    pub issuer: String,
    /// The ID token that it gave, which says to it whose session it is.
    pub id_token: Secret,
}

/// A token that somebody is given, this once.
#[derive(Debug)]
pub struct GivenToken {
    /// The token.
    pub token: Secret,
    /// The sign-in.
    pub sign_in: SignIn,
    /// Whose it is.
    pub user: User,
}

/// A sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Its id.
    pub id: SignInId,
    /// Where it holds.
    pub binding: Binding,
    /// How its user has shown who it is.
    pub shown: Shown,
    /// When it began.
    pub began_at: Timestamp,
    /// When its token was made.
    pub renewed_at: Timestamp,
    /// When it ends, unless it is renewed; never later than [`LONGEST_SIGN_IN`] after it began.
    pub expires_at: Timestamp,
}

/// What a token makes known.
#[derive(Debug)]
pub struct KnownUser {
    /// Whose it is.
    pub user: User,
    /// The sign-in.
    pub sign_in: SignIn,
    /// Whether the token is the one before the present one.
    pub is_old_token: bool,
    grants: Vec<Grant>,
}

impl KnownUser {
    /// Who acts, now.
    #[must_use]
    pub fn principal(&self, now: Timestamp) -> Principal {
        let holding = self.grants.iter().filter(|grant| grant.holds_at(now));
        let roles = holding.filter_map(|grant| Some((grant.scope()?, grant.role))).collect();
        self.user.acting(Grants::new(roles), self.sign_in.shown.assurance)
    }

    /// Its roles, those that have ended among them.
    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }
}

/// Sign-ins that were used, by the digests of their tokens.
pub(crate) type KnownUsers = RowCache<[u8; 32], Arc<KnownUser>>;

#[derive(Serialize, Deserialize)]
enum Record {
    V1 {
        began_at_micros: i64,
        renewed_at_micros: i64,
        binding: Binding,
        multi_factor: bool,
        by: String,
        /// The session at an issuer.
        sealed: Option<Vec<u8>>,
    },
}

/// What is sealed of a sign-in.
#[derive(Serialize, Deserialize)]
struct Sealed {
    issuer: String,
    id_token: String,
}

/// What binds what is sealed to its sign-in.
fn sealed_context(id: SignInId) -> Vec<u8> {
    [&b"sign-in "[..], &id.to_bytes()].concat()
}

fn fields(user: &User, row: &SignInRow) -> RowBuilder {
    RowBuilder::new("sign_ins")
        .bytes(&user.organisation.to_bytes())
        .bytes(&row.id.to_bytes())
        .bytes(&row.user.to_bytes())
        .bytes(&row.token)
        .bytes(row.previous.as_ref().map_or(&[][..], |previous| previous))
        .integer(row.expires_at.as_micros())
        .bytes(&row.record)
}

impl Tenancy {
    /// Begins a sign-in of a user who has shown who it is.
    pub async fn begin_sign_in(
        &self,
        context: &Context,
        user: UserId,
        held: (Binding, Shown),
    ) -> Result<GivenToken, Error> {
        self.begin(context, user, held, None).await
    }

    /// Begins a sign-in of a user who has shown to an issuer who it is, and has a session there from now on.
    pub async fn begin_sign_in_by_issuer(
        &self,
        context: &Context,
        user: UserId,
        (binding, assurance): (Binding, Assurance),
        session: &IssuerSession,
    ) -> Result<GivenToken, Error> {
        let shown = Shown { assurance, by: format!("issuer/{}", session.issuer) };
        self.begin(context, user, (binding, shown), Some(session)).await
    }

    async fn begin(
        &self,
        context: &Context,
        user: UserId,
        (binding, shown): (Binding, Shown),
        session: Option<&IssuerSession>,
    ) -> Result<GivenToken, Error> {
        let now = context.now();
        let user = self.active_user(user)?;
        let sign_in = SignIn {
            id: SignInId::generate(&self.0.environment),
            expires_at: now.saturating_add(binding.client.may_rest()),
            binding,
            shown,
            began_at: now,
            renewed_at: now,
        };
        let token = self.generate_token(TOKEN_PREFIX);
        let sealed =
            session.map(|session| self.seal_issuer_session(&user, sign_in.id, session)).transpose()?;
        let row = self.sign_in_row(&user, &sign_in, &token, (None, sealed))?;
        let by = Self::acting_as(context, &user);
        let entry = Entry::new(&by, &self.0.keys, user.organisation, format!("user/{}", user.id))?;
        let said = format!("sign-in/{} by {}", sign_in.id, sign_in.shown.by);
        let (tenancy, id) = (self.clone(), user.id);
        let forget = self.forget_user(user.id);
        let begin = move |transaction: &Transaction<'_>| {
            let found = transaction.user(id)?.map(|row| tenancy.open_user(&row)).transpose()?;
            if found.is_none_or(|user| user.suspended_at.is_some()) {
                return Err(SUSPENDED);
            }
            let present = transaction.sign_ins(id)?;
            for old in present.iter().rev().skip(MAX_SIGN_INS - 1) {
                transaction.delete_sign_in(old.id)?;
            }
            transaction.insert_sign_in(&row)?;
            entry.append(transaction, SIGN_IN, Subject::detail(&said))?;
            Ok::<_, Error>(forget)
        };
        self.0.metadata.write(begin).await?;
        Ok(GivenToken { token, sign_in, user })
    }

    fn active_user(&self, id: UserId) -> Result<User, Error> {
        let row = self.0.metadata.read(|snapshot| snapshot.user(id))?;
        let user = row.map(|row| self.open_user(&row)).transpose()?;
        user.filter(|user| user.suspended_at.is_none()).ok_or(SUSPENDED)
    }

    /// The same context, in which a user acts.
    pub(crate) fn acting_as(context: &Context, user: &User) -> Context {
        let principal = user.acting(Grants::new(Vec::new()), Assurance::SingleFactor);
        Context::new(context.environment().clone(), principal)
    }

    fn seal_issuer_session(
        &self,
        user: &User,
        id: SignInId,
        session: &IssuerSession,
    ) -> Result<Vec<u8>, Error> {
        let id_token = session.id_token.expose();
        if id_token.len() > MAX_ID_TOKEN_BYTES {
            let why = format!("an ID token has at most {MAX_ID_TOKEN_BYTES} bytes");
            return Err(Error::Invalid { kind: "sign-in", why });
        }
        let sealed = Sealed { issuer: session.issuer.clone(), id_token: id_token.to_owned() };
        Ok(self.0.keys.wrap(user.organisation, &sealed_context(id), &encode(&sealed)?)?)
    }

    /// The session at an issuer that a row tells of.
    fn open_issuer_session(&self, user: &User, row: &SignInRow) -> Result<Option<IssuerSession>, Error> {
        let Record::V1 { sealed, .. } = self.open_record(user, row)?;
        let Some(sealed) = sealed else { return Ok(None) };
        let opened = self.0.keys.unwrap(user.organisation, &sealed_context(row.id), &sealed)?;
        let Sealed { issuer, id_token } = decode("sign_ins", &opened)?;
        Ok(Some(IssuerSession { issuer, id_token: Secret::new(id_token) }))
    }

    fn sign_in_row(
        &self,
        user: &User,
        sign_in: &SignIn,
        token: &Secret,
        (previous, sealed): (Option<[u8; 32]>, Option<Vec<u8>>),
    ) -> Result<SignInRow, Error> {
        let record = encode(&Record::V1 {
            began_at_micros: sign_in.began_at.as_micros(),
            renewed_at_micros: sign_in.renewed_at.as_micros(),
            binding: sign_in.binding.clone(),
            multi_factor: sign_in.shown.assurance == Assurance::MultiFactor,
            by: sign_in.shown.by.clone(),
            sealed,
        })?;
        let token = TokenDigest::of(token.expose()).to_bytes();
        let (id, expires_at) = (sign_in.id, sign_in.expires_at);
        let mut row = SignInRow { id, user: user.id, token, previous, expires_at, record, mac: [0; 32] };
        row.mac = fields(user, &row).mac(&*self.0.keys.row_mac_key(user.organisation)?);
        Ok(row)
    }

    fn open_record(&self, user: &User, row: &SignInRow) -> Result<Record, Error> {
        if fields(user, row).verify(&*self.0.keys.row_mac_key(user.organisation)?, &row.mac).is_err() {
            return Err(Error::damaged(format!("sign-in {}", row.id), "its row's code is wrong"));
        }
        decode("sign_ins", &row.record)
    }

    fn open_sign_in(&self, user: &User, row: &SignInRow) -> Result<SignIn, Error> {
        let Record::V1 { began_at_micros, renewed_at_micros, binding, multi_factor, by, sealed: _ } =
            self.open_record(user, row)?;
        let assurance = if multi_factor { Assurance::MultiFactor } else { Assurance::SingleFactor };
        Ok(SignIn {
            id: row.id,
            binding,
            shown: Shown { assurance, by },
            began_at: Timestamp::from_micros(began_at_micros),
            renewed_at: Timestamp::from_micros(renewed_at_micros),
            expires_at: row.expires_at,
        })
    }

    /// What a token makes known to whoever comes by a zone to where accounts of a realm belong. An error of the kind denied
    /// if it is unknown, has ended, or is shown elsewhere than where the sign-in began.
    pub async fn known_user(
        &self,
        context: &Context,
        token: &Secret,
        (realm, zone): (Realm, &str),
    ) -> Result<Arc<KnownUser>, Error> {
        let digest = TokenDigest::of(token.expose()).to_bytes();
        let known = self.0.known_users.get_or_read(&digest, || self.read_known_user(&digest))?;
        let known = known.ok_or(NOT_SIGNED_IN)?;
        let (now, sign_in) = (context.now(), &known.sign_in);
        let is_elsewhere = sign_in.binding.zone != zone || Realm::of(known.user.organisation) != realm;
        if sign_in.expires_at <= now || is_elsewhere {
            return Err(NOT_SIGNED_IN);
        }
        if known.is_old_token && sign_in.renewed_at.saturating_add(OLD_TOKEN_DOES) <= now {
            self.end(context, &known, TOKEN_STOLEN).await?;
            return Err(NOT_SIGNED_IN);
        }
        Ok(known)
    }

    fn read_known_user(&self, digest: &[u8; 32]) -> Result<Option<Arc<KnownUser>>, Error> {
        self.0.metadata.read_consistent(|snapshot| {
            let Some(row) = snapshot.sign_in(digest)? else { return Ok(None) };
            let Some(user) = snapshot.user(row.user)? else { return Ok(None) };
            let user = self.open_user(&user)?;
            let sign_in = self.open_sign_in(&user, &row)?;
            if user.suspended_at.is_some() {
                return Ok(None);
            }
            let grants = self.grants_of(snapshot, user.organisation, user.id)?;
            let is_old_token = row.token != *digest;
            Ok(Some(Arc::new(KnownUser { user, sign_in, is_old_token, grants })))
        })
    }

    /// Gives another token for a sign-in, whose present one is shown; `raised` says what its user has shown beside what
    /// it had.
    pub async fn renew_sign_in(
        &self,
        context: &Context,
        known: &KnownUser,
        raised: Option<Shown>,
    ) -> Result<GivenToken, Error> {
        if known.is_old_token {
            return Err(NOT_SIGNED_IN);
        }
        let now = context.now();
        let mut sign_in = known.sign_in.clone();
        let last = sign_in.began_at.saturating_add(LONGEST_SIGN_IN);
        sign_in.renewed_at = now;
        sign_in.expires_at = now.saturating_add(sign_in.binding.client.may_rest()).min(last);
        sign_in.shown = raised.unwrap_or(sign_in.shown);
        let token = self.generate_token(TOKEN_PREFIX);
        let (tenancy, user, shown) = (self.clone(), known.user.clone(), known.sign_in.renewed_at);
        let (next, new_token, forget) = (sign_in.clone(), token.clone(), self.forget_user(known.user.id));
        let renew = move |transaction: &Transaction<'_>| {
            let row = transaction.sign_in_by_id(next.id)?.ok_or(NOT_SIGNED_IN)?;
            let Record::V1 { renewed_at_micros, sealed, .. } = tenancy.open_record(&user, &row)?;
            // Somebody else has renewed it meanwhile: that one's token is the present one.
            if renewed_at_micros != shown.as_micros() {
                return Err(NOT_SIGNED_IN);
            }
            let row = tenancy.sign_in_row(&user, &next, &new_token, (Some(row.token), sealed))?;
            transaction.update_sign_in(&row)?;
            Ok::<_, Error>(forget)
        };
        self.0.metadata.write(renew).await?;
        Ok(GivenToken { token, sign_in, user: known.user.clone() })
    }

    /// Ends a sign-in; gives the session at an issuer that it began by, which goes on there.
    pub async fn sign_out(
        &self,
        context: &Context,
        known: &KnownUser,
    ) -> Result<Option<IssuerSession>, Error> {
        let ended = self.end(context, known, SIGN_OUT).await?;
        Ok(ended.map(|row| self.open_issuer_session(&known.user, &row)).transpose()?.flatten())
    }

    /// Ends a sign-in; gives its row, if nobody else has ended it.
    async fn end(
        &self,
        context: &Context,
        known: &KnownUser,
        action: &'static str,
    ) -> Result<Option<SignInRow>, Error> {
        let by = Self::acting_as(context, &known.user);
        let on = format!("user/{}", known.user.id);
        let entry = Entry::new(&by, &self.0.keys, known.user.organisation, on)?;
        let id = known.sign_in.id;
        let forget = self.forget_user(known.user.id);
        let end = move |transaction: &Transaction<'_>| {
            let row = transaction.sign_in_by_id(id)?;
            if transaction.delete_sign_in(id)? {
                entry.append(transaction, action, Subject::detail(&format!("sign-in/{id}")))?;
            }
            Ok::<_, Error>((row, forget))
        };
        Ok(self.0.metadata.write(end).await?.0)
    }

    /// The sign-ins of a user who has signed in, oldest first.
    pub fn own_sign_ins(&self, context: &Context, known: &KnownUser) -> Result<Vec<SignIn>, Error> {
        let rows = self.0.metadata.read(|snapshot| snapshot.sign_ins(known.user.id))?;
        let present = rows.iter().filter(|row| row.expires_at > context.now());
        present.map(|row| self.open_sign_in(&known.user, row)).collect()
    }

    /// Forgets sign-ins, invitations and kept answers that have ended, some in one transaction; gives how many. To be called now and
    /// then, until it gives none.
    pub async fn sweep_sign_ins(&self) -> Result<usize, Error> {
        let now = self.0.environment.now();
        let sweep = move |transaction: &Transaction<'_>| {
            let ended = transaction.delete_sign_ins_ended(now, SWEPT_AT_ONCE)?;
            let invitations = transaction.delete_invitations_ended(now, SWEPT_AT_ONCE)?;
            Ok::<_, Error>(ended + invitations + transaction.delete_answers_ended(now, SWEPT_AT_ONCE)?)
        };
        self.0.metadata.write(sweep).await
    }

    /// Forgets what is kept in memory of a user once a change has ended.
    pub(crate) fn forget_user(&self, id: UserId) -> nuee_metadata::Forget {
        self.0.known_users.forget(move |_, known| known.user.id == id)
    }

    pub(crate) fn generate_token(&self, prefix: &str) -> Secret {
        let mut random = [0; 48];
        self.0.environment.fill_random(&mut random);
        let letters = random.iter().map(|byte| char::from(SECRET_LETTERS[usize::from(byte & 63)]));
        Secret::new(prefix.chars().chain(letters).collect())
    }

    /// Every sign-in of a user, for verification.
    pub(crate) fn verify_sign_ins(&self, snapshot: &Snapshot<'_>, user: &User) -> Result<Vec<Error>, Error> {
        let rows = snapshot.sign_ins(user.id)?;
        Ok(rows.iter().filter_map(|row| self.open_sign_in(user, row).err()).collect())
    }
}

const NOT_SIGNED_IN: Error =
    Error::NotSignedIn("the sign-in is unknown, has ended, or is used elsewhere: sign in again");
const SUSPENDED: Error = Error::NotSignedIn("the user may not sign in: ask an owner of the organisation");
