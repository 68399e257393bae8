//! Organisations.

use nuee_access::{Action, Permit, Resource};
use nuee_base::{Context, OrganisationId, Slug, Timestamp};
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
}

#[derive(Serialize, Deserialize)]
enum Record {
    V1 { created_at_micros: i64 },
}

fn fields(id: OrganisationId, name: &Slug, record: &[u8]) -> RowBuilder {
    RowBuilder::new("organisations").bytes(&id.to_bytes()).bytes(name.as_str().as_bytes()).bytes(record)
}

impl Tenancy {
    /// Creates an organisation and its key.
    pub async fn create_organisation(
        &self,
        context: &Context,
        permit: &Permit,
        name: Slug,
    ) -> Result<Organisation, Error> {
        permit.require(Action::CreateOrganisation, Resource::Platform)?;
        let id = OrganisationId::generate(&self.0.environment);
        let created_at = context.now();
        // The key comes first: a row without a key could be used by nobody, a key without a row harms nobody.
        self.0.keys.create_organisation_key(id)?;
        let record = encode(&Record::V1 { created_at_micros: created_at.as_micros() })?;
        let mac = fields(id, &name, &record).mac(&*self.0.keys.row_mac_key(id)?);
        let entry = Entry::new(context, &self.0.keys, id, format!("organisation/{id}"))?;
        let organisation = Organisation { id, name: name.clone(), created_at };
        let said = name.to_string();
        let create = move |transaction: &Transaction<'_>| {
            match transaction.insert_organisation(&OrganisationRow { id, name: name.clone(), record, mac }) {
                Err(nuee_metadata::Error::Duplicate) => Err(Error::Exists { kind: "organisation", name }),
                inserted => Ok(inserted?),
            }?;
            entry.append(transaction, Action::CreateOrganisation.as_str(), Subject::detail(&said))?;
            Ok::<_, Error>(())
        };
        self.0.metadata.write(create).await?;
        Ok(organisation)
    }

    pub(crate) fn open_organisation(&self, row: OrganisationRow) -> Result<Organisation, Error> {
        let row_key = self.0.keys.row_mac_key(row.id)?;
        if fields(row.id, &row.name, &row.record).verify(&row_key, &row.mac).is_err() {
            return Err(Error::damaged(format!("organisation {}", row.name), "its row's code is wrong"));
        }
        let Record::V1 { created_at_micros } = decode("organisations", &row.record)?;
        Ok(Organisation { id: row.id, name: row.name, created_at: Timestamp::from_micros(created_at_micros) })
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
