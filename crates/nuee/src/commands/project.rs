//! `nuee project`: projects, and what bounds them.

use std::{fmt::Write as _, process::ExitCode};

use anyhow::Result;
use clap::Subcommand;
use nuee_base::{Country, Slug, Zone};

use super::{
    Common,
    administer::{self, Output, size},
};
use crate::{
    Request,
    administration::{Place, Placement, ProjectDetails, Quota},
};

/// `nuee project …`.
#[derive(Debug, Subcommand)]
pub(super) enum ProjectCommand {
    /// Make a project in an organisation
    Create {
        /// Its name, unique in the organisation
        name: Slug,
        /// Organisation
        #[arg(long, default_value = "local")]
        organisation: Slug,
        #[command(flatten)]
        output: Output,
    },
    /// List the projects of an organisation
    List {
        /// Organisation
        #[arg(long, default_value = "local")]
        organisation: Slug,
        #[command(flatten)]
        output: Output,
    },
    /// Tell what a project holds, and may
    Show {
        /// The project
        name: Slug,
        /// Organisation
        #[arg(long, default_value = "local")]
        organisation: Slug,
        #[command(flatten)]
        output: Output,
    },
    /// Set the widest zone that a project may be exposed to
    ///
    /// Lowering it ends what wider exposures give at once; they come back with it.
    Ceiling {
        /// The project
        name: Slug,
        /// rie or internet
        ceiling: Zone,
        /// Organisation
        #[arg(long, default_value = "local")]
        organisation: Slug,
        #[command(flatten)]
        output: Output,
    },
    /// Bound what a project may hold and ask
    ///
    /// The quota is replaced as a whole: what is not named is unbounded.
    Quota {
        /// The project
        name: Slug,
        /// Organisation
        #[arg(long, default_value = "local")]
        organisation: Slug,
        /// Bytes of objects, their versions and the parts of uploads, such as 500GiB
        #[arg(long, value_parser = bytes)]
        bytes: Option<u64>,
        /// Objects and versions
        #[arg(long)]
        objects: Option<u64>,
        /// Buckets
        #[arg(long)]
        buckets: Option<u32>,
        /// Requests in a second; twice as many may come at once
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        requests_per_second: Option<u32>,
        #[command(flatten)]
        output: Output,
    },
    /// Say in which countries alone the objects of a project may lie, and how many copies there are
    ///
    /// The placement is replaced as a whole. One that the platform does not meet is refused. What is there already stays
    /// where it is.
    Placement {
        /// The project
        name: Slug,
        /// Organisation
        #[arg(long, default_value = "local")]
        organisation: Slug,
        /// A country: its code of ISO 3166-1, such as FR; several may be named
        #[arg(long, num_args = 1.., required_unless_present = "anywhere", conflicts_with = "anywhere")]
        country: Vec<Country>,
        /// Bind it to no country
        #[arg(long)]
        anywhere: bool,
        /// Copies, each at another site
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        copies: u32,
        #[command(flatten)]
        output: Output,
    },
}

/// Runs `nuee project …`.
pub(super) fn run(command: ProjectCommand, common: &Common) -> Result<ExitCode> {
    match command {
        ProjectCommand::Create { name, organisation, output } => {
            administer::run(Request::CreateProject { organisation, name }, output, common)
        }
        ProjectCommand::List { organisation, output } => {
            administer::run(Request::ListProjects { organisation }, output, common)
        }
        ProjectCommand::Show { name, organisation, output } => {
            let place = Place { organisation, project: name };
            administer::run(Request::ShowProject { place }, output, common)
        }
        ProjectCommand::Ceiling { name, ceiling, organisation, output } => {
            let place = Place { organisation, project: name };
            administer::run(Request::SetZoneCeiling { place, ceiling }, output, common)
        }
        ProjectCommand::Quota {
            name,
            organisation,
            bytes,
            objects,
            buckets,
            requests_per_second,
            output,
        } => {
            let place = Place { organisation, project: name };
            let quota = Quota { bytes, objects, buckets, requests_per_second };
            administer::run(Request::SetQuota { place, quota }, output, common)
        }
        ProjectCommand::Placement { name, organisation, country, anywhere: _, copies, output } => {
            let place = Place { organisation, project: name };
            let placement = Placement { copies, countries: country.iter().map(Country::to_string).collect() };
            administer::run(Request::SetPlacement { place, placement }, output, common)
        }
    }
}

/// What a project holds, and may, for people.
pub(super) fn show(details: &ProjectDetails) -> Result<String> {
    let quota = &details.quota;
    let of = |most: Option<String>| most.map_or(", no quota".to_owned(), |most| format!(" of {most}"));
    let mut text = format!("{}, since {}\n\n", details.project.name, details.project.created_at);
    writeln!(text, "  bytes    {}{}", size(details.bytes), of(quota.bytes.map(size)))?;
    writeln!(text, "  objects  {}{}", details.objects, of(quota.objects.map(|most| most.to_string())))?;
    writeln!(text, "  buckets  {}{}", details.buckets, of(quota.buckets.map(|most| most.to_string())))?;
    let pace = quota.requests_per_second.map_or("no quota".to_owned(), |most| format!("{most} a second"));
    writeln!(text, "  requests {pace}")?;
    writeln!(text, "  ceiling  {}: the widest zone that it may be exposed to", details.ceiling)?;
    let Placement { copies, countries } = &details.placement;
    let countries =
        if countries.is_empty() { "anywhere".to_owned() } else { format!("in {}", countries.join(", ")) };
    let copies = if *copies == 1 { "1 copy".to_owned() } else { format!("{copies} copies") };
    writeln!(text, "  placed   {copies}, {countries}")?;
    Ok(text)
}

/// Reads a number of bytes such as `500`, `20KiB` or `1.5TiB`.
fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no number of bytes: write 1073741824 or 1GiB");
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        "PiB" => 50,
        _ => return Err(wrong()),
    };
    let (whole, tenths) = number.trim().split_once('.').unwrap_or((number.trim(), "0"));
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let tenths: u64 = tenths.parse().ok().filter(|tenths| *tenths < 10).ok_or_else(wrong)?;
    let unit = 1_u64 << factor;
    whole.checked_mul(unit).and_then(|bytes| bytes.checked_add(unit * tenths / 10)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_bytes_are_read_with_their_units() {
        assert_eq!(bytes("500"), Ok(500));
        assert_eq!(bytes("20KiB"), Ok(20 << 10));
        assert_eq!(bytes("1.5GiB"), Ok(3 << 29));
        for wrong in ["", "GiB", "1GB", "-1", "1.55MiB", "99999999PiB", "1 2"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
