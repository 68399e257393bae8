//! Credentials of users who sign in here, without an issuer: a password, and a second factor.
//!
//! Passwords are kept as argon2id has them, and sealed; checking one takes memory and a processor, so few are checked at
//! once. After some failures in a row nothing is tried for a while (`nuee_access::Attempts`), whoever tries. A second
//! factor is a device that shows codes (RFC 6238), and codes on paper for when it is lost; no code does twice.
//!
//! An owner of the organisation can make a user choose anew: the user is passed a token, with which it chooses another
//! password. What it had shown before is worth nothing from then on.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nuee_access::{
    Action, Attempts, PasswordHash, Permit, RecoveryCodes, TotpSecret, check_choice, check_password,
};
use nuee_base::{Assurance, Context, EmailAddress, OrganisationId, Principal, Secret, Timestamp, UserId};
use nuee_journal::{Counted, Entry, Kind, Place, Subject};
use nuee_keys::{RowBuilder, TokenDigest};
use nuee_metadata::{CredentialRow, Snapshot, Transaction};
use serde::{Deserialize, Serialize};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::{
    Error, KnownUser, LocalCredential, Realm, Shown, Tenancy, User,
    organisation::organisation_of,
    project_keys::{decode, encode},
    sign_in::SIGN_IN,
    user::unknown_user,
};

/// How many passwords are checked at once: each takes 19 MiB for some tens of milliseconds.
pub(crate) const CHECKED_AT_ONCE: usize = 4;
/// Of how many whom nobody knows failures are kept.
const MAX_STRANGERS: usize = 65_536;
/// How long a token with which another password is chosen does.
const RESET_LIFETIME: Duration = Duration::from_hours(24);
const RESET_PREFIX: &str = "nuee_reset_";
/// What the journal calls what users do to their own credentials.
pub(crate) const SET_PASSWORD: &str = "nuee:SetPassword";
pub(crate) const ENROL: &str = "nuee:EnrolSecondFactor";

#[derive(Serialize, Deserialize)]
enum Record {
    V1 { sealed: Vec<u8>, failures: u32, locked_until_micros: i64, last_step: Option<i64> },
}

/// What is sealed of a credential.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Sealed {
    password: Option<String>,
    device: Option<[u8; 20]>,
    /// A device that has not shown a code yet.
    new_device: Option<[u8; 20]>,
    recovery: Vec<[u8; 32]>,
    /// The digest of the token with which another password is chosen, and when it ends.
    reset: Option<([u8; 32], i64)>,
}

/// A credential, opened.
#[derive(Clone, Default)]
struct Credential {
    sealed: Sealed,
    attempts: Attempts,
    last_step: Option<i64>,
}

/// What somebody shows who signs in.
#[derive(Debug, Clone)]
pub struct Presented {
    /// Where its account belongs.
    pub realm: Realm,
    /// Who it says to be.
    pub email: EmailAddress,
    /// Its password.
    pub password: Secret,
    /// A code of its device, or one on paper.
    pub code: Option<Secret>,
}

/// How a user could show a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondFactor {
    /// By a code of its device.
    Device,
    /// By no way yet: it has no device.
    Missing,
    /// At the issuer where it signs in.
    AtIssuer,
}

/// What is shown once of a second factor.
#[derive(Debug)]
pub struct Enrolment {
    /// Codes on paper, each of which does once.
    pub recovery_codes: Vec<Secret>,
}

fn fields(organisation: OrganisationId, row: &CredentialRow) -> RowBuilder {
    RowBuilder::new("credentials")
        .bytes(&organisation.to_bytes())
        .bytes(&row.user.to_bytes())
        .bytes(&row.record)
}

/// What binds what is sealed to its user.
fn sealed_context(user: UserId) -> Vec<u8> {
    [&b"credential "[..], &user.to_bytes()].concat()
}

/// Failures of those whom nobody knows, in memory: they are closed out as the others are, so that being closed out tells
/// nothing of who is known.
#[derive(Default)]
pub(crate) struct Strangers(Mutex<HashMap<[u8; 32], Attempts>>);

impl Strangers {
    fn attempts(&self, login: &[u8; 32]) -> Attempts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(login).copied().unwrap_or_default()
    }

    fn failed(&self, login: [u8; 32], now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_STRANGERS && !known.contains_key(&login) {
            known.clear();
        }
        let attempts = known.entry(login).or_default();
        *attempts = attempts.on_failure(now);
    }
}

/// Bounds how many passwords are checked at once.
pub(crate) fn checks() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(CHECKED_AT_ONCE))
}

impl Tenancy {
    /// A credential with this password, for whoever joins with this address.
    pub async fn new_credential(
        &self,
        email: &EmailAddress,
        password: Secret,
    ) -> Result<LocalCredential, Error> {
        let password = Some(self.digest_password(email, password).await?);
        Ok(LocalCredential(encode(&Sealed { password, ..Sealed::default() })?))
    }

    async fn digest_password(&self, email: &EmailAddress, password: Secret) -> Result<String, Error> {
        check_choice(&password, email.as_str())
            .map_err(|error| Error::Invalid { kind: "password", why: error.to_string() })?;
        let environment = self.0.environment.clone();
        let _turn = self.0.password_checks.acquire().await.map_err(|_| Error::Interrupted)?;
        let hashed = spawn_blocking(move || PasswordHash::of(&password, &environment)).await;
        let hashed = hashed.map_err(|_| Error::Interrupted)?;
        Ok(hashed.map_err(|error| Error::damaged("a new password", error))?.as_str().to_owned())
    }

    pub(crate) fn credential_row(
        &self,
        organisation: OrganisationId,
        user: UserId,
        sealed: &[u8],
    ) -> Result<CredentialRow, Error> {
        let credential = Credential { sealed: decode("credentials", sealed)?, ..Credential::default() };
        self.row_of(organisation, user, &credential)
    }

    fn row_of(
        &self,
        organisation: OrganisationId,
        user: UserId,
        credential: &Credential,
    ) -> Result<CredentialRow, Error> {
        let Credential { sealed, attempts, last_step } = credential;
        let record = encode(&Record::V1 {
            sealed: self.0.keys.wrap(organisation, &sealed_context(user), &encode(sealed)?)?,
            failures: attempts.failures(),
            locked_until_micros: attempts.locked_until().as_micros(),
            last_step: *last_step,
        })?;
        let mut row = CredentialRow { user, record, mac: [0; 32] };
        row.mac = fields(organisation, &row).mac(&*self.0.keys.row_mac_key(organisation)?);
        Ok(row)
    }

    fn open_credential(
        &self,
        organisation: OrganisationId,
        row: &CredentialRow,
    ) -> Result<Credential, Error> {
        let row_key = self.0.keys.row_mac_key(organisation)?;
        if fields(organisation, row).verify(&row_key, &row.mac).is_err() {
            let what = format!("what user/{} signs in with", row.user);
            return Err(Error::damaged(what, "its row's code is wrong"));
        }
        let Record::V1 { sealed, failures, locked_until_micros, last_step } =
            decode("credentials", &row.record)?;
        let opened = self.0.keys.unwrap(organisation, &sealed_context(row.user), &sealed)?;
        let attempts = Attempts::new(failures, Timestamp::from_micros(locked_until_micros));
        Ok(Credential { sealed: decode("credentials", &opened)?, attempts, last_step })
    }

    fn read_credential(&self, snapshot: &Snapshot<'_>, user: &User) -> Result<Option<Credential>, Error> {
        let row = snapshot.credential(user.id)?;
        row.map(|row| self.open_credential(user.organisation, &row)).transpose()
    }

    /// How a user who has signed in could show a second factor.
    pub fn second_factor(&self, known: &KnownUser) -> Result<SecondFactor, Error> {
        let credential = self.0.metadata.read(|snapshot| snapshot.credential(known.user.id))?;
        let Some(row) = credential else { return Ok(SecondFactor::AtIssuer) };
        let credential = self.open_credential(known.user.organisation, &row)?;
        Ok(if credential.sealed.device.is_some() { SecondFactor::Device } else { SecondFactor::Missing })
    }

    /// Whether what a user signs in with opens, for verification; `None` if it signs in elsewhere.
    pub(crate) fn verify_credential(
        &self,
        snapshot: &Snapshot<'_>,
        user: &User,
    ) -> Option<Result<(), Error>> {
        self.read_credential(snapshot, user).map(|found| found.map(drop)).transpose()
    }

    /// Whom a password, and a code if the user has a device, make known. The errors of those whom nobody knows and of
    /// those whose password is another are the same, and take the same time.
    pub async fn check_credential(
        &self,
        context: &Context,
        presented: Presented,
    ) -> Result<(User, Shown), Error> {
        let now = context.now();
        let login = self.login_of(presented.realm, &presented.email)?;
        let found = self.0.metadata.read_consistent(|snapshot| {
            let Some(row) = snapshot.user_of_login(&login)? else { return Ok::<_, Error>(None) };
            let user = self.open_user(&row)?;
            Ok(self.read_credential(snapshot, &user)?.map(|credential| (user, credential)))
        })?;
        let attempts = match &found {
            Some((_, credential)) => credential.attempts,
            None => self.0.strangers.attempts(&login),
        };
        attempts.check(now).map_err(|locked| Error::Locked(locked.until))?;
        let kept = found.as_ref().and_then(|(_, credential)| credential.sealed.password.clone());
        let is_right = self.is_password(presented.password, kept).await?;
        let Some((user, _)) = found else {
            self.0.strangers.failed(login, now);
            self.count_failure(Place::Platform, now);
            return Err(WRONG);
        };
        let is_right = is_right && user.suspended_at.is_none();
        self.conclude(context, user, (is_right, presented.code)).await
    }

    async fn is_password(&self, password: Secret, kept: Option<String>) -> Result<bool, Error> {
        let kept = kept.map(|text| PasswordHash::parse(&text)).transpose();
        let kept = kept.map_err(|error| Error::damaged("a password", error))?;
        let _turn = self.0.password_checks.acquire().await.map_err(|_| Error::Interrupted)?;
        let check = move || check_password(&password, kept.as_ref());
        spawn_blocking(check).await.map_err(|_| Error::Interrupted)
    }

    /// Looks at the code, counts a failure or forgets those that were, and says how surely it is the user.
    async fn conclude(
        &self,
        context: &Context,
        user: User,
        (is_right, code): (bool, Option<Secret>),
    ) -> Result<(User, Shown), Error> {
        let (tenancy, now, of) = (self.clone(), context.now(), user.clone());
        let conclude = move |transaction: &Transaction<'_>| {
            let credential = tenancy.read_credential(transaction, &of)?;
            let mut credential = credential.ok_or(WRONG)?;
            // Others may have tried while the password was looked at.
            credential.attempts.check(now).map_err(|locked| Error::Locked(locked.until))?;
            let verdict = if is_right { credential.take_code(code.as_ref(), now) } else { Verdict::Wrong };
            let changed = match verdict {
                Verdict::CodeNeeded => return Ok(verdict),
                Verdict::Wrong => credential.attempts.on_failure(now),
                Verdict::Right(_) => credential.attempts.on_success(),
            };
            credential.attempts = changed;
            transaction.put_credential(&tenancy.row_of(of.organisation, of.id, &credential)?)?;
            Ok::<_, Error>(verdict)
        };
        match self.0.metadata.write(conclude).await? {
            Verdict::CodeNeeded => Err(Error::CodeNeeded),
            Verdict::Wrong => {
                let place = match Realm::of(user.organisation) {
                    Realm::Organisations => Place::Organisation(user.organisation),
                    Realm::Platform => Place::Platform,
                };
                self.count_failure(place, now);
                Err(WRONG)
            }
            Verdict::Right(Assurance::SingleFactor) => {
                Ok((user, Shown { assurance: Assurance::SingleFactor, by: "password".to_owned() }))
            }
            Verdict::Right(assurance) => Ok((user, Shown { assurance, by: "password and code".to_owned() })),
        }
    }

    /// Counts for the journal that somebody did not get in.
    fn count_failure(&self, place: Place, now: Timestamp) {
        let counted = Counted { kind: Kind::Denied, principal: Principal::Anonymous, action: SIGN_IN, place };
        self.0.journal.recorder().record(counted, now);
    }

    /// Changes the password of a user who has signed in and shows its present one; its other sign-ins end.
    pub async fn change_password(
        &self,
        context: &Context,
        known: &KnownUser,
        (present, next): (Secret, Secret),
    ) -> Result<(), Error> {
        let user = known.user.clone();
        let (realm, email) = (Realm::of(user.organisation), user.email.clone());
        let presented = Presented { realm, email, password: present, code: None };
        // A code is not asked for again: the sign-in has shown one, if there is a device.
        match self.check_credential(context, presented).await {
            Ok(_) | Err(Error::CodeNeeded) => {}
            Err(error) => return Err(error),
        }
        let password = self.digest_password(&user.email, next).await?;
        let own = known.sign_in.id;
        self.change(context, &user, SET_PASSWORD, move |transaction, credential| {
            credential.sealed.password = Some(password);
            for row in transaction.sign_ins(user.id)?.iter().filter(|row| row.id != own) {
                transaction.delete_sign_in(row.id)?;
            }
            Ok(())
        })
        .await
    }

    /// Begins to give a user who has signed in a device that shows codes; gives what the device is told. It counts once it
    /// has shown a code.
    pub async fn begin_enrolment(&self, context: &Context, known: &KnownUser) -> Result<TotpSecret, Error> {
        let device = TotpSecret::generate(&self.0.environment);
        let bytes = *device.expose();
        let is_single = known.sign_in.shown.assurance == Assurance::SingleFactor;
        self.change(context, &known.user, ENROL, move |_, credential| {
            if is_single && credential.sealed.device.is_some() {
                let why = "there is a device already: sign in with its code to replace it";
                return Err(Error::Conflict(why.to_owned()));
            }
            credential.sealed.new_device = Some(bytes);
            Ok(())
        })
        .await?;
        Ok(device)
    }

    /// Makes the new device of a user who has signed in count, by a code that it shows; gives codes on paper.
    pub async fn finish_enrolment(
        &self,
        context: &Context,
        known: &KnownUser,
        code: Secret,
    ) -> Result<Enrolment, Error> {
        let now = context.now();
        let (recovery_codes, kept) = RecoveryCodes::generate(&self.0.environment);
        self.change(context, &known.user, ENROL, move |_, credential| {
            let begun = "there is no new device: begin with one".to_owned();
            let bytes = credential.sealed.new_device.take().ok_or(Error::Conflict(begun))?;
            let step = TotpSecret::from_bytes(bytes).check(&code, now, None);
            let wrong = "the code is not one of the device: look at its clock".to_owned();
            credential.last_step = Some(step.ok_or(Error::Invalid { kind: "code", why: wrong })?);
            credential.sealed.device = Some(bytes);
            credential.sealed.recovery = kept.digests().to_vec();
            Ok(())
        })
        .await?;
        Ok(Enrolment { recovery_codes })
    }

    async fn change(
        &self,
        context: &Context,
        user: &User,
        action: &'static str,
        change: impl FnOnce(&Transaction<'_>, &mut Credential) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        let entry = self.entry_on(&Self::acting_as(context, user), user)?;
        let (tenancy, user) = (self.clone(), user.clone());
        let forget = self.forget_user(user.id);
        let write = move |transaction: &Transaction<'_>| {
            let elsewhere = "the user signs in at an issuer, and has no password here".to_owned();
            let credential = tenancy.read_credential(transaction, &user)?;
            let mut credential = credential.ok_or(Error::Conflict(elsewhere))?;
            change(transaction, &mut credential)?;
            transaction.put_credential(&tenancy.row_of(user.organisation, user.id, &credential)?)?;
            entry.append(transaction, action, Subject::default())?;
            Ok::<_, Error>(forget)
        };
        self.0.metadata.write(write).await.map(drop)
    }

    fn entry_on(&self, context: &Context, user: &User) -> Result<Entry, Error> {
        Ok(Entry::new(context, &self.0.keys, user.organisation, format!("user/{}", user.id))?)
    }

    /// Makes a user of the organisation that the permit is for choose another password and another device; ends its
    /// sign-ins. Gives a token for the user, with which it does so.
    pub async fn reset_sign_in(
        &self,
        context: &Context,
        permit: &Permit,
        id: UserId,
    ) -> Result<Secret, Error> {
        permit.require(Action::ResetSignIn, permit.resource())?;
        let organisation = organisation_of(permit)?;
        let token = self.generate_token(&format!("{RESET_PREFIX}{id}_"));
        let ends = context.now().saturating_add(RESET_LIFETIME).as_micros();
        let reset = Some((TokenDigest::of(token.expose()).to_bytes(), ends));
        let entry = Entry::new(context, &self.0.keys, organisation, format!("user/{id}"))?;
        let credential =
            Credential { sealed: Sealed { reset, ..Sealed::default() }, ..Credential::default() };
        let row = self.row_of(organisation, id, &credential)?;
        let forget = self.forget_user(id);
        let write = move |transaction: &Transaction<'_>| {
            transaction
                .user(id)?
                .filter(|row| row.organisation == organisation)
                .ok_or_else(|| unknown_user(id))?;
            transaction.put_credential(&row)?;
            transaction.delete_sign_ins(id)?;
            entry.append(transaction, Action::ResetSignIn.as_str(), Subject::default())?;
            Ok::<_, Error>(forget)
        };
        self.0.metadata.write(write).await?;
        Ok(token)
    }

    /// Chooses a password with a token that [`reset_sign_in`](Self::reset_sign_in) gave, where its user belongs.
    pub async fn finish_reset(
        &self,
        context: &Context,
        (realm, token): (Realm, &Secret),
        password: Secret,
    ) -> Result<User, Error> {
        let id = token.expose().strip_prefix(RESET_PREFIX).and_then(|rest| rest.split_once('_'));
        let id: UserId = id.and_then(|(id, _)| id.parse().ok()).ok_or(NO_RESET)?;
        let row = self.0.metadata.read(|snapshot| snapshot.user(id))?;
        let row = row.filter(|row| Realm::of(row.organisation) == realm).ok_or(NO_RESET)?;
        let user = self.open_user(&row)?;
        let password = self.digest_password(&user.email, password).await?;
        let (token, now) = (token.clone(), context.now().as_micros());
        self.change(context, &user, SET_PASSWORD, move |_, credential| {
            let (digest, ends) = credential.sealed.reset.take().ok_or(NO_RESET)?;
            if ends <= now || !TokenDigest::from_bytes(digest).is_of(token.expose()) {
                return Err(NO_RESET);
            }
            credential.sealed.password = Some(password);
            Ok(())
        })
        .await?;
        Ok(user)
    }
}

/// What came of a password and a code.
#[derive(Clone, Copy)]
enum Verdict {
    Wrong,
    CodeNeeded,
    Right(Assurance),
}

impl Credential {
    /// Looks at a code beside a password that is right, and uses it up.
    fn take_code(&mut self, code: Option<&Secret>, now: Timestamp) -> Verdict {
        let Some(device) = self.sealed.device else { return Verdict::Right(Assurance::SingleFactor) };
        let Some(code) = code else { return Verdict::CodeNeeded };
        if let Some(step) = TotpSecret::from_bytes(device).check(code, now, self.last_step) {
            self.last_step = Some(step);
            return Verdict::Right(Assurance::MultiFactor);
        }
        match RecoveryCodes::from_digests(self.sealed.recovery.clone()).without(code) {
            Some(left) => {
                self.sealed.recovery = left.digests().to_vec();
                Verdict::Right(Assurance::MultiFactor)
            }
            None => Verdict::Wrong,
        }
    }
}

const WRONG: Error = Error::NotSignedIn("the address, the password or the code is wrong");
const NO_RESET: Error =
    Error::NotSignedIn("the token is unknown, was used, or has ended: ask for another one");
