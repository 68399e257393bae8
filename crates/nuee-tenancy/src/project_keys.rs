//! The keys of projects: which version seals now, and how a version is opened.

use std::sync::Arc;

use nuee_access::{Action, Permit, Resource};
use nuee_base::{Context, OrganisationId, ProjectId};
use nuee_journal::{Entry, Subject};
use nuee_keys::{KeyRing, ProjectKey, RowBuilder};
use nuee_metadata::{Metadata, ProjectKeyRow, RowCache, Transaction};
use serde::{Serialize, de::DeserializeOwned};

use crate::Error;

/// Projects whose present key version is kept in memory.
const PROJECTS: usize = 4_096;

/// The keys of projects, from their rows. Cheap to clone.
#[derive(Clone)]
pub struct ProjectKeys {
    metadata: Metadata,
    keys: Arc<KeyRing>,
    newest: RowCache<ProjectId, u32>,
}

impl ProjectKeys {
    /// The keys of the projects of this metadata.
    #[must_use]
    pub fn new(metadata: Metadata, keys: Arc<KeyRing>) -> Self {
        Self { metadata, keys, newest: RowCache::new(PROJECTS) }
    }

    /// The key that seals what a project writes now.
    pub fn sealing_key(
        &self,
        organisation: OrganisationId,
        project: ProjectId,
    ) -> Result<Arc<ProjectKey>, Error> {
        let newest = self.newest.get_or_read(&project, || {
            let rows = self.metadata.read(|snapshot| snapshot.project_keys(project))?;
            Ok::<_, Error>(rows.last().map(|row| row.version))
        })?;
        let version = newest.ok_or_else(|| Error::damaged(format!("project {project}"), "it has no key"))?;
        self.key(organisation, project, version)
    }

    /// The key of a project that has this version.
    pub fn key(
        &self,
        organisation: OrganisationId,
        project: ProjectId,
        version: u32,
    ) -> Result<Arc<ProjectKey>, Error> {
        self.keys.project_key(organisation, project, version, || {
            let what = || format!("key version {version} of project {project}");
            let rows = self.metadata.read(|snapshot| snapshot.project_keys(project))?;
            let row = rows.into_iter().find(|row| row.version == version);
            let row = row.ok_or_else(|| Error::damaged(what(), "it is missing"))?;
            let row_key = self.keys.row_mac_key(organisation)?;
            if fields(organisation, project, version, &row.record).verify(&row_key, &row.mac).is_err() {
                return Err(Error::damaged(what(), "its row's code is wrong"));
            }
            Ok(row.record)
        })
    }

    /// Makes a new version of the key of the project that the permit is for, which seals from now on; gives its number.
    pub async fn add_version(&self, context: &Context, permit: &Permit) -> Result<u32, Error> {
        permit.require(Action::RotateKey, permit.resource())?;
        let Resource::Project { organisation, project } = permit.resource() else {
            return Err(Error::NotFound { kind: "project", name: permit.resource().to_string() });
        };
        let rows = self.metadata.read(|snapshot| snapshot.project_keys(project))?;
        let version = rows.last().map_or(1, |row| row.version + 1);
        let record = self.keys.create_project_key(organisation, project, version)?;
        let mac = fields(organisation, project, version, &record).mac(&*self.keys.row_mac_key(organisation)?);
        let entry = Entry::new(context, &self.keys, organisation, format!("project/{project}"))?;
        let forget = self.newest.forget(move |kept, _| *kept == project);
        let add = move |transaction: &Transaction<'_>| {
            transaction.insert_project_key(&ProjectKeyRow { project, version, record, mac })?;
            let said = key_state(version);
            entry.append(transaction, Action::RotateKey.as_str(), Subject::detail(&said))?;
            Ok::<_, Error>(forget)
        };
        self.metadata.write(add).await?;
        Ok(version)
    }
}

/// What the journal says of a project's key that has this version.
pub(crate) fn key_state(version: u32) -> String {
    format!("version {version}")
}

/// The fields that the code of a row of `project_keys` covers.
pub(crate) fn fields(
    organisation: OrganisationId,
    project: ProjectId,
    version: u32,
    record: &[u8],
) -> RowBuilder {
    RowBuilder::new("project_keys")
        .bytes(&organisation.to_bytes())
        .bytes(&project.to_bytes())
        .integer(i64::from(version))
        .bytes(record)
}

/// Encodes a record: an enum with one variant per format version.
pub(crate) fn encode(record: &impl Serialize) -> Result<Vec<u8>, Error> {
    postcard::to_stdvec(record).map_err(|error| Error::damaged("a record", error))
}

/// Decodes a record of `table`.
pub(crate) fn decode<T: DeserializeOwned>(table: &str, bytes: &[u8]) -> Result<T, Error> {
    postcard::from_bytes(bytes).map_err(|error| Error::damaged(format!("a row of {table}"), error))
}
