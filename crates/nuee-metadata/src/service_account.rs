//! Rows of service accounts and of their access keys.

use nuee_base::{AccessKeyId, ProjectId, ServiceAccountId, Slug, Timestamp};
use rusqlite::Row;

use crate::{Error, Mac, Snapshot, Transaction, row::Columns};

/// A service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccountRow {
    /// Its id.
    pub id: ServiceAccountId,
    /// The project it acts in.
    pub project: ProjectId,
    /// Its name, unique in the project.
    pub name: Slug,
    /// What the layer above keeps about it: role, creation, revocation.
    pub record: Vec<u8>,
    /// The row's code.
    pub mac: Mac,
}

/// An access key of a service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKeyRow {
    /// Its public id.
    pub id: AccessKeyId,
    /// The account it belongs to.
    pub service_account: ServiceAccountId,
    /// The sealed secret, and what the layer above keeps beside it.
    pub record: Vec<u8>,
    /// The row's code.
    pub mac: Mac,
}

fn convert(row: &Row<'_>) -> Result<ServiceAccountRow, Error> {
    let columns = Columns::new("service_accounts", row);
    Ok(ServiceAccountRow {
        id: ServiceAccountId::from_bytes(columns.array(0)?),
        project: ProjectId::from_bytes(columns.array(1)?),
        name: columns.text(2)?,
        record: columns.blob(3)?,
        mac: columns.array(4)?,
    })
}

fn convert_key(row: &Row<'_>) -> Result<AccessKeyRow, Error> {
    let columns = Columns::new("access_keys", row);
    Ok(AccessKeyRow {
        id: columns.text(0)?,
        service_account: ServiceAccountId::from_bytes(columns.array(1)?),
        record: columns.blob(2)?,
        mac: columns.array(3)?,
    })
}

impl Snapshot<'_> {
    /// The service account of this id.
    pub fn service_account(&self, id: ServiceAccountId) -> Result<Option<ServiceAccountRow>, Error> {
        let sql = "SELECT id, project, name, record, mac FROM service_accounts WHERE id = ?1";
        self.find(sql, (id.to_bytes(),), convert)
    }

    /// The service accounts of a project, by name.
    pub fn service_accounts(&self, project: ProjectId) -> Result<Vec<ServiceAccountRow>, Error> {
        let sql =
            "SELECT id, project, name, record, mac FROM service_accounts WHERE project = ?1 ORDER BY name";
        self.collect(sql, (project.to_bytes(),), convert)
    }

    /// The access key of this id.
    pub fn access_key(&self, id: &AccessKeyId) -> Result<Option<AccessKeyRow>, Error> {
        let sql = "SELECT id, service_account, record, mac FROM access_keys WHERE id = ?1";
        self.find(sql, (id.as_str(),), convert_key)
    }

    /// The access keys of a service account.
    pub fn access_keys(&self, account: ServiceAccountId) -> Result<Vec<AccessKeyRow>, Error> {
        let sql =
            "SELECT id, service_account, record, mac FROM access_keys WHERE service_account = ?1 ORDER BY id";
        self.collect(sql, (account.to_bytes(),), convert_key)
    }
}

impl Snapshot<'_> {
    /// When an access key was last used, as far as that was noted.
    pub fn access_key_use(&self, id: &AccessKeyId) -> Result<Option<Timestamp>, Error> {
        let sql = "SELECT at FROM access_key_uses WHERE id = ?1";
        self.find(sql, (id.as_str(),), |row| {
            Columns::new("access_key_uses", row).integer(0).map(Timestamp::from_micros)
        })
    }
}

impl Transaction<'_> {
    /// Adds a service account. [`Error::Duplicate`] if the project has one of this name.
    pub fn insert_service_account(&self, row: &ServiceAccountRow) -> Result<(), Error> {
        let sql = "INSERT INTO service_accounts (id, project, name, record, mac) VALUES (?1, ?2, ?3, ?4, ?5)";
        let (id, project) = (row.id.to_bytes(), row.project.to_bytes());
        self.execute(sql, (id, project, row.name.as_str(), &row.record, row.mac)).map(drop)
    }

    /// Replaces the record of a service account.
    pub fn update_service_account(
        &self,
        id: ServiceAccountId,
        record: &[u8],
        mac: Mac,
    ) -> Result<bool, Error> {
        let sql = "UPDATE service_accounts SET record = ?2, mac = ?3 WHERE id = ?1";
        Ok(self.execute(sql, (id.to_bytes(), record, mac))? > 0)
    }

    /// Adds an access key.
    pub fn insert_access_key(&self, row: &AccessKeyRow) -> Result<(), Error> {
        let sql = "INSERT INTO access_keys (id, service_account, record, mac) VALUES (?1, ?2, ?3, ?4)";
        self.execute(sql, (row.id.as_str(), row.service_account.to_bytes(), &row.record, row.mac)).map(drop)
    }

    /// Replaces the record of an access key.
    pub fn update_access_key(&self, id: &AccessKeyId, record: &[u8], mac: Mac) -> Result<bool, Error> {
        let sql = "UPDATE access_keys SET record = ?2, mac = ?3 WHERE id = ?1";
        Ok(self.execute(sql, (id.as_str(), record, mac))? > 0)
    }

    /// Forgets one access key.
    pub fn delete_access_key(&self, id: &AccessKeyId) -> Result<bool, Error> {
        self.execute("DELETE FROM access_key_uses WHERE id = ?1", (id.as_str(),))?;
        Ok(self.execute("DELETE FROM access_keys WHERE id = ?1", (id.as_str(),))? > 0)
    }

    /// Notes when an access key was used.
    pub fn note_access_key_use(&self, id: &AccessKeyId, at: Timestamp) -> Result<(), Error> {
        let sql = "INSERT INTO access_key_uses (id, at) SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM access_keys WHERE id = ?1)
            ON CONFLICT (id) DO UPDATE SET at = max(at, ?2)";
        self.execute(sql, (id.as_str(), at.as_micros())).map(drop)
    }

    /// Forgets the access keys of a service account; gives how many there were.
    pub fn delete_access_keys(&self, account: ServiceAccountId) -> Result<usize, Error> {
        let uses =
            "DELETE FROM access_key_uses WHERE id IN (SELECT id FROM access_keys WHERE service_account = ?1)";
        self.execute(uses, (account.to_bytes(),))?;
        self.execute("DELETE FROM access_keys WHERE service_account = ?1", (account.to_bytes(),))
    }
}
