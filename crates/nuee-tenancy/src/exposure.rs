//! Exposures: what of a project may be reached from a zone.
//!
//! An *exposure* says what (a project, a bucket, or the objects of a bucket whose keys begin alike), from which zone and
//! which networks, by whom, until when. For example, `reports/2026/` of the bucket `papers` may be read from the internet
//! by anyone until the end of the year. It opens a way and permits nothing: who comes that way is decided about as
//! everywhere. The *ceiling* of a project is the widest zone that an exposure of it has an effect in; operators set it.
//!
//! Promised: what was deleted, has ended or is wider than the ceiling is of no effect from the moment on at which that is
//! so; a row that is damaged exposes nothing.

use std::{fmt, str::FromStr, sync::Arc};

use nuee_access::{Action, Approach, Extent, Permit};
use nuee_base::{
    BucketId, BucketName, Context, ExposureId, InvalidName, Network, ObjectKey, OrganisationId, ProjectId,
    Timestamp, Zone,
};
use nuee_journal::{Entry, States, Subject};
use nuee_keys::RowBuilder;
use nuee_metadata::{ExposureRow, RowCache, Snapshot, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    DamagedRow, Error, Project, Tenancy,
    project_keys::{decode, encode},
    service_account::project_of,
};

/// The most exposures that a project has.
pub const MAX_EXPOSURES: usize = 100;
/// The most networks that an exposure names.
pub const MAX_NETWORKS: usize = 64;
/// Projects whose exposures are kept in memory.
pub(crate) const KNOWN_PROJECTS: usize = 4_096;

const KIND: &str = "exposure";

/// Who may come by an exposure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Principals of the project, who sign.
    Credentials,
    /// Everybody whom something else permits it: a bucket's policy.
    Anyone,
}

impl Audience {
    /// The word for it in commands.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Anyone => "anyone",
        }
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Audience {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let known = [Self::Credentials, Self::Anyone].into_iter().find(|known| known.as_str() == text);
        known.ok_or_else(|| InvalidName::new("audience", text, "expected credentials or anyone"))
    }
}

/// What is exposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exposed {
    /// All of the project, with the buckets that it will have.
    Project,
    /// A bucket, or the objects in it whose keys begin so. A bucket that is deleted and made again is another.
    Bucket {
        /// The bucket.
        id: BucketId,
        /// Its name.
        name: BucketName,
        /// How keys begin; all of them without it.
        prefix: Option<ObjectKey>,
    },
}

/// What is to be exposed: a bucket goes by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExposureTerms {
    /// The bucket, and how the keys in it begin; the whole project without it.
    pub bucket: Option<(BucketName, Option<ObjectKey>)>,
    /// From where.
    pub zone: Zone,
    /// By whom.
    pub audience: Audience,
    /// Until when.
    pub expires_at: Timestamp,
    /// From which addresses of the zone; none: from all.
    pub networks: Vec<Network>,
}

/// An exposure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    /// Its id.
    pub id: ExposureId,
    /// The project.
    pub project: ProjectId,
    /// What is exposed.
    pub what: Exposed,
    /// From where.
    pub zone: Zone,
    /// By whom it may be reached.
    pub audience: Audience,
    /// From when on it is of no effect.
    pub expires_at: Timestamp,
    /// From which addresses of the zone; none: from all.
    pub networks: Vec<Network>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
enum Record {
    V1 {
        bucket: Option<([u8; 16], String)>,
        prefix: Option<String>,
        zone: String,
        audience: String,
        expires_at_micros: i64,
        networks: Vec<String>,
        created_by: String,
        created_at_micros: i64,
    },
}

fn fields(organisation: OrganisationId, row: &ExposureRow) -> RowBuilder {
    RowBuilder::new("exposures")
        .bytes(&organisation.to_bytes())
        .bytes(&row.project.to_bytes())
        .bytes(&row.id.to_bytes())
        .bytes(&row.record)
}

fn resource_of(id: ExposureId) -> String {
    format!("exposure/{id}")
}

/// What the journal calls a project's ceiling.
pub(crate) fn ceiling_of(project: &str) -> String {
    format!("zone ceiling of {project}")
}

impl Exposure {
    fn record(&self) -> Record {
        let (bucket, prefix) = match &self.what {
            Exposed::Project => (None, None),
            Exposed::Bucket { id, name, prefix } => {
                (Some((id.to_bytes(), name.to_string())), prefix.as_ref().map(ToString::to_string))
            }
        };
        Record::V1 {
            bucket,
            prefix,
            zone: self.zone.to_string(),
            audience: self.audience.to_string(),
            expires_at_micros: self.expires_at.as_micros(),
            networks: self.networks.iter().map(ToString::to_string).collect(),
            created_by: self.created_by.clone(),
            created_at_micros: self.created_at.as_micros(),
        }
    }

    /// What the journal says of it.
    fn state(&self) -> String {
        let what = match &self.what {
            Exposed::Project => "everything".to_owned(),
            Exposed::Bucket { id, name, prefix: None } => format!("bucket/{name} ({id})"),
            Exposed::Bucket { id, name, prefix: Some(prefix) } => {
                format!("bucket/{name} ({id}), keys that begin with {prefix:?}")
            }
        };
        let networks = self.networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
        let networks = if networks.is_empty() { "anywhere".to_owned() } else { networks };
        let Self { project, zone, audience, expires_at, .. } = self;
        format!("project/{project}: {what}, to {zone} for {audience} from {networks} until {expires_at}")
    }

    /// Whether it covers this, but for the project's ceiling.
    fn covers(&self, approach: &Approach<'_>) -> bool {
        let origin = approach.origin;
        self.zone == origin.zone
            && approach.now < self.expires_at
            && (self.audience == Audience::Anyone || approach.by_member)
            && (self.networks.is_empty() || self.networks.iter().any(|each| each.contains(origin.address)))
            && self.what.includes(approach.extent)
    }
}

impl Exposed {
    fn includes(&self, extent: Extent<'_>) -> bool {
        let (id, prefix) = match self {
            Self::Project => return true,
            Self::Bucket { id, prefix, .. } => (*id, prefix.as_ref()),
        };
        match extent {
            Extent::Project => false,
            Extent::Bucket(bucket) => bucket == id && prefix.is_none(),
            Extent::Keys(bucket, begin) => {
                bucket == id && prefix.is_none_or(|prefix| begin.starts_with(prefix.as_str()))
            }
            Extent::PartOf(bucket) => bucket == id,
        }
    }
}

/// How far a project may be reached.
pub(crate) struct Reach {
    ceiling: Zone,
    exposures: Vec<Exposure>,
}

/// What is exposed, for the decider.
pub struct Exposures(Tenancy);

impl Exposures {
    /// Answers from memory, mostly.
    fn reach(&self, project: ProjectId) -> Result<Option<Arc<Reach>>, Error> {
        let tenancy = &self.0;
        let read = || {
            tenancy.0.metadata.read_consistent(|snapshot| {
                let Some(row) = snapshot.project(project)? else { return Ok(None) };
                let project = tenancy.open_project(row)?;
                let open = |row: &ExposureRow| {
                    let opened = tenancy.open_exposure(project.organisation, row);
                    opened.inspect_err(|error| tracing::error!(%error, "an exposure is of no effect")).ok()
                };
                let exposures = snapshot.exposures(project.id)?.iter().filter_map(open).collect();
                Ok::<_, Error>(Some(Arc::new(Reach { ceiling: project.ceiling, exposures })))
            })
        };
        tenancy.0.known_exposures.get_or_read(&project, read)
    }
}

impl nuee_access::Exposures for Exposures {
    fn cover(&self, approach: &Approach<'_>) -> bool {
        match self.reach(approach.project) {
            Ok(reach) => reach.is_some_and(|reach| reach.covers(approach)),
            Err(error) => {
                tracing::error!(%error, project = %approach.project, "exposures cannot be read: nothing is exposed");
                false
            }
        }
    }
}

impl Reach {
    fn covers(&self, approach: &Approach<'_>) -> bool {
        self.ceiling >= approach.origin.zone && self.exposures.iter().any(|each| each.covers(approach))
    }
}

/// Exposures of projects, as they are kept in memory.
pub(crate) type KnownExposures = RowCache<ProjectId, Arc<Reach>>;

impl Tenancy {
    /// What is exposed, for the decider.
    #[must_use]
    pub fn exposed(&self) -> Exposures {
        Exposures(self.clone())
    }

    /// Exposes something of the project that the permit is for.
    pub async fn create_exposure(
        &self,
        context: &Context,
        permit: &Permit,
        terms: ExposureTerms,
    ) -> Result<Exposure, Error> {
        permit.require(Action::CreateExposure, permit.resource())?;
        let (organisation, project) = project_of(permit)?;
        terms.check(context.now())?;
        let id = ExposureId::generate(&self.0.environment);
        let (by, at) = (context.principal().to_string(), context.now());
        let entry = Entry::new(context, &self.0.keys, organisation, resource_of(id))?;
        let tenancy = self.clone();
        let forget = self.0.known_exposures.forget(move |of, _| *of == project);
        let by_operator = context.principal().is_operator();
        let create = move |transaction: &Transaction<'_>| {
            tenancy.refuse_operator(transaction, by_operator, organisation)?;
            let what = tenancy.exposable(transaction, project, &terms)?;
            let ExposureTerms { zone, audience, expires_at, networks, .. } = terms;
            let exposure = Exposure {
                id,
                project,
                what,
                zone,
                audience,
                expires_at,
                networks,
                created_by: by,
                created_at: at,
            };
            let mut row = ExposureRow { project, id, record: encode(&exposure.record())?, mac: [0; 32] };
            row.mac = fields(organisation, &row).mac(&*tenancy.0.keys.row_mac_key(organisation)?);
            transaction.insert_exposure(&row)?;
            let state = exposure.state();
            entry.append(transaction, Action::CreateExposure.as_str(), Subject::detail(&state))?;
            Ok::<_, Error>((exposure, forget))
        };
        Ok(self.0.metadata.write(create).await?.0)
    }

    /// What of a project the terms name, if it may be exposed.
    fn exposable(
        &self,
        transaction: &Transaction<'_>,
        project: ProjectId,
        terms: &ExposureTerms,
    ) -> Result<Exposed, Error> {
        let invalid = |why: String| Error::Invalid { kind: KIND, why };
        let row = transaction.project(project)?;
        let row = row.ok_or_else(|| Error::NotFound { kind: "project", name: project.to_string() })?;
        let ceiling = self.open_project(row)?.ceiling;
        if terms.zone > ceiling {
            return Err(invalid(format!(
                "nothing of the project may be exposed beyond {ceiling}: an operator raises that with `nuee project \
                 ceiling`"
            )));
        }
        if transaction.exposures(project)?.len() >= MAX_EXPOSURES {
            return Err(invalid(format!("the project has {MAX_EXPOSURES} already: delete one first")));
        }
        let Some((name, prefix)) = &terms.bucket else { return Ok(Exposed::Project) };
        let found = transaction.bucket(name)?.filter(|row| row.project == project);
        let found = found.ok_or_else(|| Error::NotFound { kind: "bucket", name: name.to_string() })?;
        Ok(Exposed::Bucket { id: found.id, name: name.clone(), prefix: prefix.clone() })
    }

    /// The exposures of the project that the permit is for, by age.
    pub fn exposures(&self, permit: &Permit) -> Result<Vec<Exposure>, Error> {
        permit.require(Action::ListExposures, permit.resource())?;
        let (organisation, project) = project_of(permit)?;
        let rows = self.0.metadata.read(|snapshot| snapshot.exposures(project))?;
        rows.iter().map(|row| self.open_exposure(organisation, row)).collect()
    }

    /// Ends an exposure of the project that the permit is for.
    pub async fn delete_exposure(
        &self,
        context: &Context,
        permit: &Permit,
        id: ExposureId,
    ) -> Result<(), Error> {
        permit.require(Action::DeleteExposure, permit.resource())?;
        let (organisation, project) = project_of(permit)?;
        let entry = Entry::new(context, &self.0.keys, organisation, resource_of(id))?;
        let forget = self.0.known_exposures.forget(move |of, _| *of == project);
        let delete = move |transaction: &Transaction<'_>| {
            if !transaction.delete_exposure(project, id)? {
                return Err(Error::NotFound { kind: KIND, name: id.to_string() });
            }
            entry.append(transaction, Action::DeleteExposure.as_str(), Subject::default())?;
            Ok::<_, Error>(forget)
        };
        self.0.metadata.write(delete).await.map(drop)
    }

    /// Changes the widest zone that a project of the organisation that the permit is for may be exposed to. Exposures to a
    /// wider one are of no effect from then on; they come back with the ceiling.
    pub async fn set_zone_ceiling(
        &self,
        context: &Context,
        permit: &Permit,
        project: ProjectId,
        ceiling: Zone,
    ) -> Result<Project, Error> {
        permit.require(Action::SetZoneCeiling, permit.resource())?;
        if ceiling == Zone::Local {
            return Err(Error::Invalid { kind: "ceiling", why: "it is `rie` or `internet`".to_owned() });
        }
        let said = (Action::SetZoneCeiling, ceiling.to_string());
        let forget = self.0.known_exposures.forget(move |of, _| *of == project);
        let change = move |_: &Transaction<'_>, changed: &mut Project| {
            changed.ceiling = ceiling;
            Ok(())
        };
        self.change_project(context, (permit, project), (said, forget), change).await
    }

    fn open_exposure(&self, organisation: OrganisationId, row: &ExposureRow) -> Result<Exposure, Error> {
        let damaged = |detail: &str| Error::damaged(resource_of(row.id), detail);
        let row_key = self.0.keys.row_mac_key(organisation)?;
        if fields(organisation, row).verify(&row_key, &row.mac).is_err() {
            return Err(damaged("its row's code is wrong"));
        }
        let Record::V1 {
            bucket,
            prefix,
            zone,
            audience,
            expires_at_micros,
            networks,
            created_by,
            created_at_micros,
        } = decode("exposures", &row.record)?;
        let prefix = prefix.map(|prefix| prefix.parse()).transpose().map_err(|_| damaged("its prefix"))?;
        let what = match bucket {
            None => Exposed::Project,
            Some((id, name)) => Exposed::Bucket {
                id: BucketId::from_bytes(id),
                name: name.parse().map_err(|_| damaged("its bucket's name"))?,
                prefix,
            },
        };
        let networks = networks.iter().map(|each| each.parse()).collect::<Result<_, _>>();
        Ok(Exposure {
            id: row.id,
            project: row.project,
            what,
            zone: zone.parse().map_err(|_| damaged("its zone"))?,
            audience: audience.parse().map_err(|_| damaged("its audience"))?,
            expires_at: Timestamp::from_micros(expires_at_micros),
            networks: networks.map_err(|_| damaged("its networks"))?,
            created_by,
            created_at: Timestamp::from_micros(created_at_micros),
        })
    }

    /// Opens the exposures of a project, and notes what the journal must say of them.
    pub(crate) fn verify_exposures(
        &self,
        snapshot: &Snapshot<'_>,
        (organisation, project): (OrganisationId, ProjectId),
        rows: &mut States,
        damaged: &mut Vec<DamagedRow>,
    ) -> Result<(), Error> {
        for row in snapshot.exposures(project)? {
            match self.open_exposure(organisation, &row) {
                Ok(exposure) => {
                    rows.insert(resource_of(row.id), exposure.state());
                }
                Err(error) => damaged.push((resource_of(row.id), error.to_string())),
            }
        }
        Ok(())
    }
}

impl ExposureTerms {
    fn check(&self, now: Timestamp) -> Result<(), Error> {
        let invalid = |why: String| Err(Error::Invalid { kind: KIND, why });
        if self.zone == Zone::Local {
            return invalid("its zone is `rie` or `internet`; what is on this machine needs none".to_owned());
        }
        if self.expires_at <= now {
            return invalid("it must end in the future".to_owned());
        }
        if self.networks.len() > MAX_NETWORKS {
            return invalid(format!("at most {MAX_NETWORKS} networks are possible"));
        }
        Ok(())
    }
}
