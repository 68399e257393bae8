//! `nuee exposure …`: what of a project may be reached from a zone.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Subcommand;
use nuee_base::{BucketName, Environment, ExposureId, Network, Timestamp, Zone};
use nuee_tenancy::Audience;

use super::{
    Common,
    administer::{self, Output, PlaceOptions, table},
};
use crate::{ExposureRequest, ExposureTerms, Request, administration::Exposure};

const DAY: std::time::Duration = std::time::Duration::from_hours(24);

/// `nuee exposure …`.
#[derive(Debug, Subcommand)]
pub(super) enum ExposureCommand {
    /// Expose a project, a bucket, or some of its objects to a zone
    ///
    /// It opens a way, and permits nothing: who comes that way needs what everybody needs, such as an access key or a
    /// statement of the bucket's policy. What is reached from a zone without an exposure is answered as if it were not there.
    Create {
        /// The bucket; without it, the whole project
        #[arg(long)]
        bucket: Option<BucketName>,
        /// How the keys of the objects begin, such as `reports/2026/`; without it, the whole bucket
        #[arg(long, requires = "bucket")]
        prefix: Option<String>,
        /// From where: rie or internet
        #[arg(long)]
        zone: Zone,
        /// By whom: `credentials` (principals of the project, who sign), or `anyone` (whom the bucket's policy permits it)
        #[arg(long, default_value = "credentials")]
        audience: Audience,
        /// Until when: a date, such as 2026-12-31, or RFC 3339
        #[arg(long, value_name = "TIME", conflicts_with = "days", required_unless_present = "days")]
        until: Option<Timestamp>,
        /// For how many days
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36_500))]
        days: Option<u32>,
        /// From which addresses of the zone alone, such as 192.0.2.0/24; may be given several times
        #[arg(long = "network", value_name = "NETWORK")]
        networks: Vec<Network>,
        #[command(flatten)]
        place: PlaceOptions,
        #[command(flatten)]
        output: Output,
    },
    /// List what of a project is exposed
    List {
        #[command(flatten)]
        place: PlaceOptions,
        #[command(flatten)]
        output: Output,
    },
    /// End an exposure, at once
    Delete {
        /// Its id
        id: ExposureId,
        #[command(flatten)]
        place: PlaceOptions,
        #[command(flatten)]
        output: Output,
    },
}

/// Runs `nuee exposure …`.
pub(super) fn run(command: ExposureCommand, common: &Common) -> Result<ExitCode> {
    match command {
        ExposureCommand::Create { bucket, prefix, zone, audience, until, days, networks, place, output } => {
            let terms = ExposureTerms {
                bucket: bucket.map(|bucket| bucket.to_string()),
                prefix,
                zone: zone.to_string(),
                audience: audience.to_string(),
                expires_at: end(until, days)?.to_string(),
                networks: networks.iter().map(ToString::to_string).collect(),
            };
            ask(ExposureRequest::Create(terms), place, output, common)
        }
        ExposureCommand::List { place, output } => ask(ExposureRequest::List, place, output, common),
        ExposureCommand::Delete { id, place, output } => {
            ask(ExposureRequest::Delete(id), place, output, common)
        }
    }
}

fn ask(exposures: ExposureRequest, place: PlaceOptions, output: Output, common: &Common) -> Result<ExitCode> {
    administer::run(Request::Exposures { place: place.into(), exposures }, output, common)
}

fn end(until: Option<Timestamp>, days: Option<u32>) -> Result<Timestamp> {
    match (until, days) {
        (Some(until), _) => Ok(until),
        (None, Some(days)) => Ok(Environment::system().now().saturating_add(DAY * days)),
        (None, None) => bail!("say until when: --until or --days"),
    }
}

/// An exposure, for people.
pub(super) fn show_exposure(exposure: &Exposure) -> String {
    let ExposureTerms { zone, audience, expires_at, .. } = &exposure.terms;
    let (what, networks) = (what(exposure), networks(exposure));
    let by = match audience.as_str() {
        "anyone" => "anyone whom its policies permit it",
        _ => "principals of the project",
    };
    format!("Exposed as {}: {what}, to {zone} ({networks}), for {by}, until {expires_at}.\n", exposure.id)
}

/// Exposures, for people.
pub(super) fn show_exposures(exposures: &[Exposure]) -> Result<String> {
    let rows: Vec<_> = exposures
        .iter()
        .map(|exposure| {
            let ExposureTerms { zone, audience, expires_at, .. } = exposure.terms.clone();
            [exposure.id.clone(), what(exposure), zone, networks(exposure), audience, expires_at]
        })
        .collect();
    let titles = ["EXPOSURE", "WHAT", "ZONE", "NETWORKS", "AUDIENCE", "UNTIL"];
    table(titles, rows.iter().map(|row| row.each_ref().map(String::as_str)))
}

fn what(exposure: &Exposure) -> String {
    match (&exposure.terms.bucket, &exposure.terms.prefix) {
        (None, _) => "everything".to_owned(),
        (Some(bucket), None) => format!("s3://{bucket}"),
        (Some(bucket), Some(prefix)) => format!("s3://{bucket}/{prefix}*"),
    }
}

fn networks(exposure: &Exposure) -> String {
    match exposure.terms.networks.as_slice() {
        [] => "everywhere".to_owned(),
        networks => networks.join(" "),
    }
}
