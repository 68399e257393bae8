//! Exposures: what is asked of them, and what is shown.

use anyhow::{Context as _, Result};
use nuee_access::Action;
use nuee_base::{BucketName, ExposureId, ObjectKey};
use nuee_tenancy::Exposed;
use serde::{Deserialize, Serialize};

use super::{Administration, Place, Reply};

/// What is asked about the exposures of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ExposureRequest {
    /// Expose something.
    Create(ExposureTerms),
    /// List what is exposed.
    List,
    /// End the exposure of this id.
    Delete(#[serde(with = "crate::text")] ExposureId),
}

/// What is exposed, where, to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExposureTerms {
    /// The bucket; the whole project without it.
    pub bucket: Option<String>,
    /// How the keys of the objects begin; all of the bucket without it.
    pub prefix: Option<String>,
    /// From where: `rie` or `internet`.
    pub zone: String,
    /// By whom: `credentials` or `anyone`.
    pub audience: String,
    /// Until when (RFC 3339).
    pub expires_at: String,
    /// From which networks of the zone; none: from all.
    pub networks: Vec<String>,
}

/// An exposure.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exposure {
    /// Its id.
    pub id: String,
    /// What it is.
    pub terms: ExposureTerms,
    /// Who made it.
    pub created_by: String,
    /// When it was made (RFC 3339).
    pub created_at: String,
}

impl From<&nuee_tenancy::Exposure> for Exposure {
    fn from(exposure: &nuee_tenancy::Exposure) -> Self {
        let (bucket, prefix) = match &exposure.what {
            Exposed::Project => (None, None),
            Exposed::Bucket { name, prefix, .. } => {
                (Some(name.to_string()), prefix.as_ref().map(ToString::to_string))
            }
        };
        let terms = ExposureTerms {
            bucket,
            prefix,
            zone: exposure.zone.to_string(),
            audience: exposure.audience.to_string(),
            expires_at: exposure.expires_at.to_string(),
            networks: exposure.networks.iter().map(ToString::to_string).collect(),
        };
        let (created_by, created_at) = (exposure.created_by.clone(), exposure.created_at.to_string());
        Self { id: exposure.id.to_string(), terms, created_by, created_at }
    }
}

impl TryFrom<ExposureTerms> for nuee_tenancy::ExposureTerms {
    type Error = anyhow::Error;

    fn try_from(terms: ExposureTerms) -> Result<Self> {
        let ExposureTerms { bucket, prefix, zone, audience, expires_at, networks } = terms;
        let prefix = prefix.filter(|prefix| !prefix.is_empty());
        let prefix = prefix.map(|prefix| prefix.parse::<ObjectKey>()).transpose()?;
        let bucket = match bucket {
            Some(name) => Some((name.parse::<BucketName>()?, prefix)),
            None if prefix.is_none() => None,
            None => anyhow::bail!("a prefix is one of keys in a bucket: name the bucket too"),
        };
        let networks = networks.iter().map(|network| network.parse()).collect::<Result<_, _>>()?;
        Ok(Self {
            bucket,
            zone: zone.parse()?,
            audience: audience.parse()?,
            expires_at: expires_at.parse().context("the end")?,
            networks,
        })
    }
}

impl Administration {
    pub(super) async fn exposures(&self, place: &Place, request: ExposureRequest) -> Result<Reply> {
        match request {
            ExposureRequest::Create(terms) => self.create_exposure(place, terms).await,
            ExposureRequest::List => self.list_exposures(place),
            ExposureRequest::Delete(id) => self.delete_exposure(place, id).await,
        }
    }

    async fn create_exposure(&self, place: &Place, terms: ExposureTerms) -> Result<Reply> {
        let (context, permit) = self.permit_in(place, Action::CreateExposure)?;
        let terms = terms.try_into()?;
        let made = self.platform.tenancy().create_exposure(&context, &permit, terms).await?;
        Ok(Reply::ExposureCreated((&made).into()))
    }

    fn list_exposures(&self, place: &Place) -> Result<Reply> {
        let (_, permit) = self.permit_in(place, Action::ListExposures)?;
        let exposures = self.platform.tenancy().exposures(&permit)?;
        Ok(Reply::Exposures { exposures: exposures.iter().map(Exposure::from).collect() })
    }

    async fn delete_exposure(&self, place: &Place, id: ExposureId) -> Result<Reply> {
        let (context, permit) = self.permit_in(place, Action::DeleteExposure)?;
        self.platform.tenancy().delete_exposure(&context, &permit, id).await?;
        Ok(Reply::ExposureDeleted)
    }
}
