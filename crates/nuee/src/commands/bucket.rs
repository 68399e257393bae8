//! `nuee bucket …`: buckets, as whoever is signed in; and what the platform does of itself with them, as whoever runs it.

use std::{fmt::Write as _, process::ExitCode};

use anyhow::Result;
use clap::{Args, Subcommand};
use http::Method;
use nuee_base::{BucketName, Slug};
use serde_json::{Value, json};

use super::{
    Common,
    administer::{self, Output, count, size},
    member::{columns, show},
    print,
    sign_in::ask,
};
use crate::{
    LifecycleCount, LifecycleRun, Request,
    administration::Place,
    client::{Client, segment},
};

/// `nuee bucket …`.
#[derive(Debug, Subcommand)]
pub(super) enum BucketCommand {
    /// Make a bucket in a project of yours
    Create {
        /// Its name, unique on the platform
        bucket: BucketName,
        #[command(flatten)]
        place: OfProject,
        /// Let objects in it be locked; this cannot be changed later
        #[arg(long)]
        object_lock: bool,
        #[command(flatten)]
        output: Output,
    },
    /// List the buckets of a project of yours
    List {
        #[command(flatten)]
        place: OfProject,
        #[command(flatten)]
        output: Output,
    },
    /// Delete a bucket that is empty
    Delete {
        /// The bucket
        bucket: BucketName,
        #[command(flatten)]
        place: OfProject,
    },
    /// Carry out a bucket's lifecycle rules now, or count what they would let go
    ///
    /// A server does so every hour of itself. Rules are told by their places in the configuration that members read by S3;
    /// neither their names nor any keys are shown.
    Lifecycle {
        /// The bucket
        bucket: BucketName,
        /// Count what would go, and let nothing go
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        output: Output,
    },
}

/// A project of whoever is signed in.
#[derive(Debug, Args)]
pub(super) struct OfProject {
    /// Project
    #[arg(long, default_value = "default", env = "NUEE_PROJECT")]
    project: Slug,
}

impl OfProject {
    fn buckets(&self, client: &Client) -> Result<String> {
        let place = Place { organisation: "local".parse()?, project: self.project.clone() };
        Ok(format!("{}/buckets", client.project(&place)?))
    }
}

/// Runs `nuee bucket …`.
pub(super) fn run(command: BucketCommand, common: &Common) -> Result<ExitCode> {
    match command {
        BucketCommand::Create { bucket, place, object_lock, output } => {
            let create = async |client: Client| {
                let new = json!({ "name": bucket.as_str(), "object_lock": object_lock });
                client.create(&place.buckets(&client)?, new).await
            };
            show(output, &ask(common, create)?, |_| Ok(format!("The bucket {bucket} is there.\n")))
        }
        BucketCommand::List { place, output } => {
            let list = async |client: Client| client.items(&place.buckets(&client)?, 0).await;
            let named = [("NAME", "name"), ("SINCE", "created_at"), ("PUBLIC", "public")];
            show(output, &Value::from(ask(common, list)?), |items| columns(items, named))
        }
        BucketCommand::Delete { bucket, place } => {
            ask(common, async |client| {
                let path = format!("{}/{}", place.buckets(&client)?, segment(bucket.as_str()));
                client.call(Method::DELETE, &path, None).await
            })?;
            print(&format!("The bucket {bucket} is deleted.\n"))?;
            Ok(ExitCode::SUCCESS)
        }
        BucketCommand::Lifecycle { bucket, dry_run, output } => {
            administer::run(Request::RunLifecycle { bucket, dry_run }, output, common)
        }
    }
}

const TITLES: [&str; 6] = ["RULE", "OBJECTS", "VERSIONS", "MARKERS", "UPLOADS", "BYTES"];

/// What lifecycle rules let go, or would, for people.
pub(super) fn show_lifecycle(run: &LifecycleRun) -> Result<String> {
    let cells = |rule: &LifecycleCount| {
        let LifecycleCount { rule, objects, versions, markers, uploads, bytes } = *rule;
        let counts = [objects, versions, markers, uploads].map(|number| number.to_string());
        let [objects, versions, markers, uploads] = counts;
        [rule.to_string(), objects, versions, markers, uploads, size(bytes)]
    };
    let titles = TITLES.map(str::to_owned);
    let rows: Vec<_> = std::iter::once(titles).chain(run.rules.iter().map(cells)).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
            write!(line, "{cell:width$}  ")?;
        }
        writeln!(text, "{}", line.trim_end())?;
    }
    let seen = count(run.seen, "row");
    writeln!(text, "Looked at: {seen}. {}", if run.dry_run { "Nothing was deleted." } else { "Done." })?;
    if run.locked > 0 {
        writeln!(text, "Kept by a lock: {}.", count(run.locked, "version"))?;
    }
    if run.damaged > 0 {
        writeln!(text, "Left because they are damaged: {}; see `nuee verify`.", run.damaged)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_a_line() {
        let rule = |rule, objects, bytes| LifecycleCount {
            rule,
            objects,
            versions: 0,
            markers: 0,
            uploads: 0,
            bytes,
        };
        let rules = vec![rule(1, 12_345_678, 1 << 30), rule(2, 0, 0)];
        let run = LifecycleRun { bucket: "b".into(), dry_run: true, rules, seen: 7, locked: 1, damaged: 0 };
        assert_eq!(
            show_lifecycle(&run).unwrap(),
            "RULE  OBJECTS   VERSIONS  MARKERS  UPLOADS  BYTES\n\
             1     12345678  0         0        0        1.0 GiB\n\
             2     0         0         0        0        0 B\n\
             Looked at: 7 rows. Nothing was deleted.\n\
             Kept by a lock: 1 version.\n"
        );
    }
}
