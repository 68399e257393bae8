//! By what issuers know users: people who sign in elsewhere.
//!
//! An issuer's *subject* is kept as a code that tells nothing without the keys. Whoever comes from an issuer is the user
//! whom it knows by that subject, and nobody else: an address alone makes nobody known, for issuers give addresses that
//! they did not look at.

use nuee_keys::RowBuilder;
use nuee_metadata::IdentityRow;

use crate::{Error, Tenancy, User};

fn fields(user: &User, row: &IdentityRow) -> RowBuilder {
    RowBuilder::new("identities")
        .bytes(&user.organisation.to_bytes())
        .bytes(row.issuer.as_bytes())
        .bytes(&row.subject)
        .bytes(&row.user.to_bytes())
}

impl Tenancy {
    fn subject_of(&self, (issuer, subject): (&str, &str)) -> Result<[u8; 32], Error> {
        let named = RowBuilder::new("subjects").bytes(issuer.as_bytes()).bytes(subject.as_bytes());
        Ok(named.mac(&*self.0.keys.lookup_key()?))
    }

    pub(crate) fn identity_row(&self, user: &User, known: (&str, &str)) -> Result<IdentityRow, Error> {
        let subject = self.subject_of(known)?;
        let mut row = IdentityRow { issuer: known.0.to_owned(), subject, user: user.id, mac: [0; 32] };
        row.mac = fields(user, &row).mac(&*self.0.keys.row_mac_key(user.organisation)?);
        Ok(row)
    }

    /// The user whom an issuer of the settings knows by this subject, if there is one.
    pub fn user_of_identity(&self, issuer: &str, subject: &str) -> Result<Option<User>, Error> {
        let digest = self.subject_of((issuer, subject))?;
        self.0.metadata.read_consistent(|snapshot| {
            let Some(row) = snapshot.identity(issuer, &digest)? else { return Ok(None) };
            let Some(user) = snapshot.user(row.user)? else { return Ok(None) };
            let user = self.open_user(&user)?;
            if fields(&user, &row).verify(&*self.0.keys.row_mac_key(user.organisation)?, &row.mac).is_err() {
                return Err(Error::damaged(
                    format!("an identity of user/{}", user.id),
                    "its row's code is wrong",
                ));
            }
            Ok(Some(user))
        })
    }
}
