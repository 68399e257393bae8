//! Projects, as they are shown: what each holds, and may.

use std::collections::BTreeSet;

use anyhow::Result;
use nuee_base::{Country, InvalidName};
use nuee_tenancy::SiteDescription;
use serde::{Deserialize, Serialize};

/// A project.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Project {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// When it was made (RFC 3339).
    pub created_at: String,
}

impl From<&nuee_tenancy::Project> for Project {
    fn from(from: &nuee_tenancy::Project) -> Self {
        Self { name: from.name.to_string(), id: from.id.to_string(), created_at: from.created_at.to_string() }
    }
}

/// What a project holds, and may.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProjectDetails {
    /// The project.
    pub project: Project,
    /// Bytes of objects, versions and parts.
    pub bytes: u64,
    /// Objects and versions.
    pub objects: u64,
    /// Buckets.
    pub buckets: u64,
    /// How much of each it may have.
    pub quota: Quota,
    /// The widest zone that it may be exposed to.
    #[serde(default)]
    pub ceiling: String,
    /// How many copies of its objects there are, and where they may lie.
    #[serde(default)]
    pub placement: Placement,
}

/// How much a project may hold and ask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Bytes of objects, versions and parts.
    pub bytes: Option<u64>,
    /// Objects and versions.
    pub objects: Option<u64>,
    /// Buckets.
    pub buckets: Option<u32>,
    /// Requests in a second.
    pub requests_per_second: Option<u32>,
}

impl From<nuee_tenancy::Quota> for Quota {
    fn from(quota: nuee_tenancy::Quota) -> Self {
        let nuee_tenancy::Quota { bytes, objects, buckets, requests_per_second } = quota;
        Self { bytes, objects, buckets, requests_per_second }
    }
}

impl From<Quota> for nuee_tenancy::Quota {
    fn from(quota: Quota) -> Self {
        let Quota { bytes, objects, buckets, requests_per_second } = quota;
        Self { bytes, objects, buckets, requests_per_second }
    }
}

/// How many copies of a project's objects there are, and where they may lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Copies, each at another site.
    pub copies: u32,
    /// The countries in which alone they may lie, by their codes of ISO 3166-1; none means anywhere.
    pub countries: Vec<String>,
}

impl Default for Placement {
    fn default() -> Self {
        Self::from(&nuee_tenancy::Placement::default())
    }
}

impl From<&nuee_tenancy::Placement> for Placement {
    fn from(placement: &nuee_tenancy::Placement) -> Self {
        let countries = placement.countries.iter().map(Country::to_string).collect();
        Self { copies: placement.copies, countries }
    }
}

impl TryFrom<Placement> for nuee_tenancy::Placement {
    type Error = InvalidName;

    fn try_from(placement: Placement) -> Result<Self, InvalidName> {
        let countries = placement.countries.iter().map(|country| country.parse());
        Ok(Self { copies: placement.copies, countries: countries.collect::<Result<BTreeSet<_>, _>>()? })
    }
}

/// What the settings say of where objects lie.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// What the data centre is called.
    pub data_centre: Option<String>,
    /// The country that it is in, by its code of ISO 3166-1.
    pub country: Option<String>,
    /// Who runs it.
    pub operator: Option<String>,
}

impl From<&SiteDescription> for Site {
    fn from(site: &SiteDescription) -> Self {
        let SiteDescription { data_centre, country, operator } = site.clone();
        Self { data_centre, country: country.map(|country| country.to_string()), operator }
    }
}
