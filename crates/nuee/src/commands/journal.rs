//! `nuee journal …`: what was done, checkpoints and exports of it, and how they are checked.

use std::{
    fmt::Write as _,
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use nuee_base::{Slug, Timestamp};
use nuee_journal::{VerifiedExport, VerifierKey, verify_export};
use serde_json::json;

use super::{
    Common,
    administer::{self, Output, count},
    print,
};
use crate::{JournalLeaf, JournalQuery, JournalWitness, Request};

/// `nuee journal …`.
#[derive(Debug, Subcommand)]
pub(super) enum JournalCommand {
    /// List the last things that were done in an organisation; the journal tells of the listing too
    List(List),
    /// Write what was done in an organisation to a file that `nuee journal verify` checks anywhere
    Export(Export),
    /// Check an export: with the public key alone, on any machine. Fails if anything in it was changed
    Verify(Verify),
    /// Print the state of the journal, signed: how many leaves it has, and the root of the tree over them
    ///
    /// Keep it on another machine. `nuee verify --checkpoint FILE` then shows whether anything was deleted, brought back
    /// or rewritten since, the journal included.
    Checkpoint {
        #[command(flatten)]
        output: Output,
    },
    /// Tell what the witnesses of the settings have signed. Fails if one of them refuses, or is not there
    Witnesses {
        #[command(flatten)]
        output: Output,
    },
    /// Print the public key by which checkpoints and exports are checked
    Key {
        #[command(flatten)]
        output: Output,
    },
}

/// `nuee journal list`.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Organisation
    #[arg(long, default_value = "local")]
    organisation: Slug,
    /// In place of an organisation: what operators did to the platform itself
    #[arg(long, conflicts_with = "organisation")]
    platform: bool,
    /// What was done, such as `s3:PutObject`; a `*` at the end stands for anything
    #[arg(long)]
    action: Option<String>,
    /// Who did it, such as `operator` or `service-account/*`
    #[arg(long)]
    principal: Option<String>,
    /// On which resource, such as `bucket/papers`
    #[arg(long)]
    resource: Option<String>,
    /// From when on, such as `2026-11-25` or `2026-11-25T08:00:00Z`
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Before when
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Before which leaf, by its number
    #[arg(long, value_name = "NUMBER")]
    before: Option<i64>,
    /// How many at most
    #[arg(long, default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    output: Output,
}

/// `nuee journal export`.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// File to write, which must not exist
    file: PathBuf,
    /// Organisation
    #[arg(long, default_value = "local")]
    organisation: Slug,
    /// From when on
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Before when
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    #[command(flatten)]
    output: Output,
}

/// `nuee journal verify`.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The export
    file: PathBuf,
    /// The public key that `nuee journal key` printed
    #[arg(long, value_name = "KEY")]
    key: VerifierKey,
    /// The public key of a witness who must have signed the checkpoint too; may be given again
    #[arg(long, value_name = "KEY")]
    witness: Vec<VerifierKey>,
    #[command(flatten)]
    output: Output,
}

/// Runs `nuee journal …`.
pub(super) fn run(command: JournalCommand, common: &Common) -> Result<ExitCode> {
    match command {
        JournalCommand::List(list) => {
            let output = list.output;
            administer::run(list.request(), output, common)
        }
        JournalCommand::Export(export) => {
            let output = export.output;
            administer::run(export.request()?, output, common)
        }
        JournalCommand::Verify(asked) => verify(&asked),
        JournalCommand::Checkpoint { output } => administer::run(Request::Checkpoint, output, common),
        JournalCommand::Witnesses { output } => administer::run(Request::JournalWitnesses, output, common),
        JournalCommand::Key { output } => administer::run(Request::JournalKey, output, common),
    }
}

fn told(time: Option<Timestamp>) -> Option<String> {
    time.map(|time| time.to_string())
}

impl List {
    fn request(self) -> Request {
        let query = JournalQuery {
            action: self.action,
            by: self.principal,
            on: self.resource,
            since: told(self.since),
            until: told(self.until),
            before: self.before,
            limit: self.limit,
        };
        if self.platform {
            return Request::ListPlatformJournal { query };
        }
        Request::ListJournal { organisation: self.organisation, query }
    }
}

impl Export {
    fn request(self) -> Result<Request> {
        let file = std::path::absolute(self.file)?;
        let (since, until) = (told(self.since), told(self.until));
        Ok(Request::ExportJournal { organisation: self.organisation, since, until, file })
    }
}

fn verify(asked: &Verify) -> Result<ExitCode> {
    let file = File::open(&asked.file).with_context(|| format!("cannot read {}", asked.file.display()))?;
    let verified = verify_export(BufReader::new(file), &asked.key, &asked.witness)?;
    let missing =
        asked.witness.iter().find(|witness| !verified.witnesses.iter().any(|name| name == witness.name()));
    if let Some(witness) = missing {
        anyhow::bail!("the checkpoint is not signed by the witness {}", witness.name());
    }
    print(&if asked.output.json { as_json(&verified)? } else { show_verified(&verified)? })?;
    Ok(ExitCode::SUCCESS)
}

fn as_json(verified: &VerifiedExport) -> Result<String> {
    let end = |place: usize| {
        verified.ends.map(|ends| json!({ "leaf": ends[place].0, "at": ends[place].1.to_string() }))
    };
    let value = json!({
        "journal": verified.checkpoint.origin,
        "organisation": verified.organisation.to_string(),
        "leaves": verified.leaves,
        "erased": verified.erased,
        "first": end(0),
        "last": end(1),
        "checkpoint_leaves": verified.checkpoint.size,
        "witnesses": verified.witnesses,
    });
    Ok(format!("{}\n", serde_json::to_string_pretty(&value)?))
}

fn show_verified(verified: &VerifiedExport) -> Result<String> {
    let leaves = count(verified.leaves, "leaf").replace("leafs", "leaves");
    let mut text = format!("{leaves} of organisation {}", verified.organisation);
    if let Some([(first, from), (last, to)]) = verified.ends {
        write!(text, ", from {first} ({from}) to {last} ({to})")?;
    }
    writeln!(text, "\nin the tree of {}, {} leaves", verified.checkpoint.origin, verified.checkpoint.size)?;
    if verified.erased > 0 {
        writeln!(text, "of {}, what they said was erased", verified.erased)?;
    }
    for witness in &verified.witnesses {
        writeln!(text, "witnessed by {witness}")?;
    }
    writeln!(text, "Everything is as it was written.")?;
    Ok(text)
}

/// What leaves say, in columns.
pub(super) fn show_leaves(leaves: &[JournalLeaf]) -> Result<String> {
    let (mut text, titles) = (String::new(), ["LEAF", "TIME", "ACTION", "PRINCIPAL", "RESOURCE"]);
    let cells = |leaf: &JournalLeaf| {
        let on = leaf.key.iter().fold(leaf.on.clone(), |on, key| format!("{on}/{key}"));
        let action = if leaf.erased { "(erased)".to_owned() } else { leaf.action.clone() };
        [leaf.id.to_string(), leaf.at.clone(), action, leaf.by.clone(), printable(&on)]
    };
    let rows: Vec<_> = std::iter::once(titles.map(str::to_owned)).chain(leaves.iter().map(cells)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3].map(width);
    for [leaf, at, action, by, on] in &rows {
        let [first, second, third, fourth] = widths;
        writeln!(text, "{leaf:first$}  {at:second$}  {action:third$}  {by:fourth$}  {on}")?;
    }
    Ok(text)
}

/// A text for a terminal: keys of objects are the tenants', and could tell it what to do.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

/// What witnesses have signed, of a journal of this size.
pub(super) fn show_witnesses(witnesses: &[JournalWitness], size: u64) -> Result<String> {
    let mut text = String::new();
    for JournalWitness { name, url, size, at, problem } in witnesses {
        match at {
            Some(at) => writeln!(text, "{name} ({url}) has signed {size} leaves, at {at}")?,
            None => writeln!(text, "{name} ({url}) has signed nothing")?,
        }
        if let Some(problem) = problem {
            writeln!(text, "  refused: {}", printable(problem))?;
        }
    }
    if witnesses.is_empty() {
        writeln!(text, "There are no witnesses: name them in `journal.witnesses`.")?;
    }
    writeln!(text, "The journal has {size} leaves.")?;
    Ok(text)
}

/// That an export was written.
pub(super) fn show_exported(file: &Path, leaves: u64, erased: u64) -> String {
    let leaves = count(leaves, "leaf").replace("leafs", "leaves");
    let erased = if erased > 0 { format!(", {erased} of them erased") } else { String::new() };
    format!(
        "{leaves}{erased} in {0}. Check it anywhere:\n\n  nuee journal verify {0} --key \"$(nuee journal key)\"\n",
        file.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_shown_in_columns_and_control_no_terminal() {
        let leaf = JournalLeaf {
            id: 7,
            at: "2026-01-01T00:00:00Z".into(),
            by: "operator".into(),
            action: "s3:PutObject".into(),
            on: "bucket/papers".into(),
            key: Some("a\u{1b}[31m".into()),
            ..JournalLeaf::default()
        };
        let erased = JournalLeaf { id: 8, erased: true, ..JournalLeaf::default() };
        let text = show_leaves(&[leaf, erased]).unwrap();
        assert!(text.contains("bucket/papers/a\u{fffd}[31m"), "{text}");
        assert!(text.lines().nth(2).unwrap().contains("(erased)"), "{text}");
    }
}
