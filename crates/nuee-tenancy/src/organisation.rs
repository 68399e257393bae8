//! Organisations.

use nuee_access::{Action, Permit, Resource};
use nuee_base::{Context, EmailAddress, OrganisationId, Siren, Slug, Timestamp};
use nuee_journal::{Entry, Subject};
use nuee_keys::RowBuilder;
use nuee_metadata::{OrganisationRow, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Tenancy,
    project_keys::{decode, encode},
};

/// An organisation: the tenant, and the boundary of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    /// Its id.
    pub id: OrganisationId,
    /// Its name, unique on the platform.
    pub name: Slug,
    /// When it was created.
    pub created_at: Timestamp,
    /// What else is known about it.
    pub profile: Profile,
}

/// What is known about an organisation beside its name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// What people call it, such as `Ministère de la Culture`.
    pub title: Option<String>,
    /// Its number.
    pub siren: Option<String>,
    /// Whom to write to.
    pub contact: Option<String>,
}

/// The longest title, in bytes.
const MAX_TITLE_BYTES: usize = 200;

impl Profile {
    /// That it is one.
    fn check(&self) -> Result<(), Error> {
        let refused = |why: String| Err(Error::Invalid { kind: "organisation", why });
        if self.title.as_ref().is_some_and(|title| {
            title.trim().is_empty() || title.len() > MAX_TITLE_BYTES || title.contains(char::is_control)
        }) {
            return refused(format!("its title is 1 to {MAX_TITLE_BYTES} bytes of one line"));
        }
        if let Some(Err(error)) = self.siren.as_ref().map(|siren| siren.parse::<Siren>()) {
            return refused(error.to_string());
        }
        if let Some(Err(error)) = self.contact.as_ref().map(|contact| contact.parse::<EmailAddress>()) {
            return refused(error.to_string());
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
enum Record {
    V1 { created_at_micros: i64 },
    V2 { created_at_micros: i64, sealed_profile: Vec<u8> },
}

/// What binds a profile that is sealed to its organisation.
const PROFILE_CONTEXT: &[u8] = b"profile of the organisation";

fn fields(id: OrganisationId, name: &Slug, record: &[u8]) -> RowBuilder {
    RowBuilder::new("organisations").bytes(&id.to_bytes()).bytes(name.as_str().as_bytes()).bytes(record)
}

impl Tenancy {
    /// Creates an organisation and its key.
    pub async fn create_organisation(
        &self,
        context: &Context,
        permit: &Permit,
        (name, profile): (Slug, Profile),
    ) -> Result<Organisation, Error> {
        permit.require(Action::CreateOrganisation, Resource::Platform)?;
        profile.check()?;
        let id = OrganisationId::generate(&self.0.environment);
        let created_at = context.now();
        // The key comes first: a row without a key could be used by nobody, a key without a row harms nobody.
        self.0.keys.create_organisation_key(id)?;
        let organisation = Organisation { id, name: name.clone(), created_at, profile };
        let row = self.organisation_row(&organisation)?;
        let entry = Entry::new(context, &self.0.keys, id, format!("organisation/{id}"))?;
        let said = name.to_string();
        let create = move |transaction: &Transaction<'_>| {
            match transaction.insert_organisation(&row) {
                Err(nuee_metadata::Error::Duplicate) => Err(Error::Exists { kind: "organisation", name }),
                inserted => Ok(inserted?),
            }?;
            entry.append(transaction, Action::CreateOrganisation.as_str(), Subject::detail(&said))?;
            Ok::<_, Error>(())
        };
        self.0.metadata.write(create).await?;
        Ok(organisation)
    }

    fn organisation_row(&self, organisation: &Organisation) -> Result<OrganisationRow, Error> {
        let Organisation { id, name, created_at, profile } = organisation;
        let sealed_profile = self.0.keys.wrap(*id, PROFILE_CONTEXT, &encode(profile)?)?;
        let record = encode(&Record::V2 { created_at_micros: created_at.as_micros(), sealed_profile })?;
        let mac = fields(*id, name, &record).mac(&*self.0.keys.row_mac_key(*id)?);
        Ok(OrganisationRow { id: *id, name: name.clone(), record, mac })
    }

    /// Changes what is known about the organisation that the permit is for, unless it has changed since it was
    /// `expected`, if that is given.
    pub async fn update_organisation(
        &self,
        context: &Context,
        permit: &Permit,
        expected: Option<&Profile>,
        profile: Profile,
    ) -> Result<Organisation, Error> {
        permit.require(Action::UpdateOrganisation, permit.resource())?;
        let id = organisation_of(permit)?;
        profile.check()?;
        let entry = Entry::new(context, &self.0.keys, id, format!("organisation/{id}"))?;
        let (tenancy, expected) = (self.clone(), expected.cloned());
        let update = move |transaction: &Transaction<'_>| {
            let row = transaction.organisation(id)?.ok_or_else(|| unknown(id))?;
            let present = tenancy.open_organisation(row)?;
            if expected.is_some_and(|expected| expected != present.profile) {
                return Err(Error::Changed);
            }
            let changed = Organisation { profile, ..present };
            transaction.update_organisation(&tenancy.organisation_row(&changed)?)?;
            entry.append(transaction, Action::UpdateOrganisation.as_str(), Subject::default())?;
            Ok::<_, Error>(changed)
        };
        self.0.metadata.write(update).await
    }

    /// Where the organisation of this name stands, for whoever asks for a decision; `None` if there is none.
    pub fn locate_organisation(&self, name: &Slug) -> Result<Option<Resource>, Error> {
        let row = self.0.metadata.read(|snapshot| snapshot.organisation_named(name))?;
        row.map(|row| Ok(Resource::Organisation(self.open_organisation(row)?.id))).transpose()
    }

    /// The organisation that the permit is for.
    pub fn get_organisation(&self, permit: &Permit) -> Result<Organisation, Error> {
        permit.require(Action::GetOrganisation, permit.resource())?;
        let id = organisation_of(permit)?;
        let row = self.0.metadata.read(|snapshot| snapshot.organisation(id))?;
        self.open_organisation(row.ok_or_else(|| unknown(id))?)
    }

    pub(crate) fn open_organisation(&self, row: OrganisationRow) -> Result<Organisation, Error> {
        let row_key = self.0.keys.row_mac_key(row.id)?;
        if fields(row.id, &row.name, &row.record).verify(&row_key, &row.mac).is_err() {
            return Err(Error::damaged(format!("organisation {}", row.name), "its row's code is wrong"));
        }
        let (created_at_micros, profile) = match decode("organisations", &row.record)? {
            Record::V1 { created_at_micros } => (created_at_micros, Profile::default()),
            Record::V2 { created_at_micros, sealed_profile } => {
                let opened = self.0.keys.unwrap(row.id, PROFILE_CONTEXT, &sealed_profile)?;
                (created_at_micros, decode("organisations", &opened)?)
            }
        };
        let created_at = Timestamp::from_micros(created_at_micros);
        Ok(Organisation { id: row.id, name: row.name, created_at, profile })
    }

    /// The organisation of this name. Others may be damaged, or without a key: it is found all the same.
    pub fn organisation(&self, permit: &Permit, name: &Slug) -> Result<Option<Organisation>, Error> {
        permit.require(Action::ListOrganisations, Resource::Platform)?;
        let rows = self.0.metadata.read(|snapshot| snapshot.organisations())?;
        rows.into_iter().find(|row| row.name == *name).map(|row| self.open_organisation(row)).transpose()
    }

    /// Every organisation, by name.
    pub fn organisations(&self, permit: &Permit) -> Result<Vec<Organisation>, Error> {
        permit.require(Action::ListOrganisations, Resource::Platform)?;
        let rows = self.0.metadata.read(|snapshot| snapshot.organisations())?;
        rows.into_iter().map(|row| self.open_organisation(row)).collect()
    }
}

/// The organisation that a permit is for, or what stands for the platform itself.
pub(crate) fn organisation_of(permit: &Permit) -> Result<OrganisationId, Error> {
    match permit.resource() {
        Resource::Organisation(organisation) => Ok(organisation),
        Resource::Platform => Ok(OrganisationId::PLATFORM),
        other => Err(Error::NotFound { kind: "organisation", name: other.to_string() }),
    }
}

fn unknown(id: OrganisationId) -> Error {
    Error::NotFound { kind: "organisation", name: id.to_string() }
}
