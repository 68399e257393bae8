//! Placement: how many copies of a project's objects are kept, and in which countries they may lie.
//!
//! For example, a project whose placement is one copy in France or Germany is written to as long as the platform's site
//! is in one of them. A placement that the platform does not meet is refused when it is set. When the platform is moved
//! or described otherwise later, so that it no longer meets one, writes of that project are refused, by the store; reading
//! and deleting are not.
//!
//! The platform has one site. What is known of that is what its operator says in the settings: nothing here finds out
//! where a machine is.

use std::{collections::BTreeSet, fmt};

use nuee_access::{Action, Permit};
use nuee_base::{Context, Country, ProjectId};
use nuee_metadata::Transaction;

use crate::{Error, Project, Tenancy};

/// How many sites the platform has.
const SITES: u32 = 1;

/// How many copies of a project's objects there are, and where they may lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Copies, each at another site; one at least.
    pub copies: u32,
    /// The countries in which alone they may lie; none means anywhere.
    pub countries: BTreeSet<Country>,
}

impl Default for Placement {
    /// One copy, anywhere.
    fn default() -> Self {
        Self { copies: 1, countries: BTreeSet::new() }
    }
}

/// What the settings say of the platform's site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SiteDescription {
    /// What its data centre is called.
    pub data_centre: Option<String>,
    /// The country that it is in.
    pub country: Option<Country>,
    /// Who runs it.
    pub operator: Option<String>,
}

/// How the platform does not meet a placement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnmetPlacement {
    /// There are too few sites.
    #[error("{copies} copies, each at another site, are to be kept, and the platform has {SITES} site")]
    Copies {
        /// How many copies there are to be.
        copies: u32,
    },
    /// The site is elsewhere.
    #[error("objects may lie in {countries} alone, and the platform's site is in {country}")]
    Country {
        /// Where they may lie.
        countries: String,
        /// Where the site is.
        country: Country,
    },
    /// Nobody says where the site is.
    #[error(
        "objects may lie in {countries} alone, and nothing says in which country the platform's site is: whoever runs it \
         says so by `site.country`"
    )]
    Unknown {
        /// Where they may lie.
        countries: String,
    },
}

impl Placement {
    /// That a platform with this site meets it.
    pub fn met_by(&self, site: &SiteDescription) -> Result<(), UnmetPlacement> {
        if self.copies > SITES {
            return Err(UnmetPlacement::Copies { copies: self.copies });
        }
        match site.country {
            _ if self.countries.is_empty() => Ok(()),
            Some(country) if self.countries.contains(&country) => Ok(()),
            Some(country) => Err(UnmetPlacement::Country { countries: self.named(), country }),
            None => Err(UnmetPlacement::Unknown { countries: self.named() }),
        }
    }

    fn named(&self) -> String {
        self.countries.iter().map(Country::to_string).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Placement {
    /// As the journal says it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.countries.is_empty() {
            true => write!(f, "copies {} anywhere", self.copies),
            false => write!(f, "copies {} in {}", self.copies, self.named()),
        }
    }
}

/// What the journal calls a project's placement.
pub(crate) fn placement_of(project: &str) -> String {
    format!("placement of {project}")
}

impl Tenancy {
    /// What the settings say of the platform's site.
    #[must_use]
    pub fn site(&self) -> &SiteDescription {
        &self.0.configured.site
    }

    /// Changes where the objects of a project of the organisation that the permit is for may lie. What lies somewhere
    /// already stays there. [`Error::PlacementNotMet`] if the platform does not meet it. An operator does so only while the
    /// organisation has no owner.
    pub async fn set_placement(
        &self,
        context: &Context,
        permit: &Permit,
        project: ProjectId,
        placement: Placement,
    ) -> Result<Project, Error> {
        permit.require(Action::SetPlacement, permit.resource())?;
        if placement.copies == 0 {
            let why = "there is one copy at least".to_owned();
            return Err(Error::Invalid { kind: "placement", why });
        }
        placement.met_by(self.site())?;
        let said = (Action::SetPlacement, placement.to_string());
        let forget = self.0.known_bounds.forget(move |of, _| *of == project);
        let (tenancy, by_operator) = (self.clone(), context.principal().is_operator());
        let change = move |transaction: &Transaction<'_>, changed: &mut Project| {
            if by_operator && tenancy.has_owner(transaction, changed.organisation)? {
                let why = "the organisation has owners, who alone say where its objects may lie";
                return Err(Error::Conflict(why.to_owned()));
            }
            changed.placement = placement;
            Ok(())
        };
        self.change_project(context, (permit, project), (said, forget), change).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placement(copies: u32, countries: &[&str]) -> Placement {
        Placement { copies, countries: countries.iter().map(|country| country.parse().unwrap()).collect() }
    }

    #[test]
    fn a_placement_is_met_by_one_site_in_one_of_its_countries() {
        let at = |country: Option<&str>| SiteDescription {
            country: country.map(|country| country.parse().unwrap()),
            ..SiteDescription::default()
        };
        for (copies, countries, country, met) in [
            (1, &[][..], None, true),
            (1, &[], Some("FR"), true),
            (1, &["FR"], Some("FR"), true),
            (1, &["DE", "FR"], Some("FR"), true),
            (1, &["DE"], Some("FR"), false),
            (1, &["FR"], None, false),
            (2, &[], Some("FR"), false),
            (2, &["FR"], Some("FR"), false),
        ] {
            let asked = placement(copies, countries);
            assert_eq!(asked.met_by(&at(country)).is_ok(), met, "{asked} by {country:?}");
        }
    }

    #[test]
    fn the_journal_says_all_of_it() {
        assert_eq!(Placement::default().to_string(), "copies 1 anywhere");
        assert_eq!(placement(2, &["FR", "DE"]).to_string(), "copies 2 in DE, FR");
    }
}
