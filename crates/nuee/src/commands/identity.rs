//! Commands about those who act for a while: assumable roles and sessions.

use std::{fmt::Write as _, fs, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result};
use clap::{ArgGroup, Args, Subcommand};
use nuee_access::ClaimCondition;
use nuee_base::{Role, SessionId, Slug};

use super::{
    Common,
    administer::{Output, PlaceOptions, run, table},
};
use crate::{
    Request,
    administration::{AssumableRole, Session, Terms},
};

/// `nuee assumable-role …`.
#[derive(Debug, Subcommand)]
pub(super) enum AssumableRoleCommand {
    /// Make a role that others may act in for a while
    ///
    /// Users of an issuer send its token to `AssumeRoleWithWebIdentity`, service accounts of the project call `AssumeRole`. For
    /// example, so that each user of a data lab has a bucket:
    ///
    ///   nuee assumable-role create lab --issuer datalab --grants maintainer --default --policy lab.json
    ///
    /// where lab.json leaves of what a maintainer may do what concerns arn:aws:s3:::user-${jwt:preferred_username}.
    Create(CreateRole),
    /// List the assumable roles of a project
    List {
        #[command(flatten)]
        place: PlaceOptions,
        #[command(flatten)]
        output: Output,
    },
    /// Delete an assumable role: sessions in it end at once
    Delete {
        /// Its name
        name: Slug,
        #[command(flatten)]
        place: PlaceOptions,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("trusted").required(true))]
pub(super) struct CreateRole {
    /// Its name, unique in the project
    name: Slug,
    /// Trust users of this issuer of the settings
    #[arg(long, group = "trusted", value_name = "NAME")]
    issuer: Option<Slug>,
    /// Trust the service accounts of the project whose own role includes the one that is granted
    #[arg(long, group = "trusted")]
    service_accounts: bool,
    /// What it grants in the project: owner, maintainer, developer, reader or auditor
    #[arg(long, default_value = "developer")]
    grants: Role,
    /// Ask this of the token: `CLAIM=VALUE` or `CLAIM contains VALUE`, where VALUE may be A|B. Repeat it to ask for more
    #[arg(long = "claim", value_name = "CONDITION", requires = "issuer")]
    claims: Vec<ClaimCondition>,
    /// Users of the issuer have this role if they name none
    #[arg(long, requires = "issuer")]
    default: bool,
    /// How long a session lasts at most, such as 30m, 12h or 7d
    #[arg(long, default_value = "12h", value_parser = duration, value_name = "TIME")]
    max_duration: Duration,
    /// File of a policy in AWS's language: of what is granted, what it allows is left. `${jwt:CLAIM}` in it stands for a claim
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    place: PlaceOptions,
    #[command(flatten)]
    output: Output,
}

/// `nuee session …`.
#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    /// List the sessions of a project that go on
    List {
        #[command(flatten)]
        place: PlaceOptions,
        #[command(flatten)]
        output: Output,
    },
    /// End a session: its temporary key stops to work at once
    Revoke {
        /// Its id, as `nuee session list` shows it
        id: SessionId,
        #[command(flatten)]
        place: PlaceOptions,
        #[command(flatten)]
        output: Output,
    },
}

/// A time such as `30m`, `12h`, `7d` or `900s`.
fn duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("{text:?} is no time: write such as 30m, 12h or 7d");
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| expected())?;
    let seconds = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(expected()),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(expected)
}

/// Runs `nuee assumable-role …`.
pub(super) fn assumable_role(command: AssumableRoleCommand, common: &Common) -> Result<ExitCode> {
    match command {
        AssumableRoleCommand::Create(create) => {
            let read = |path: &PathBuf| {
                fs::read_to_string(path).with_context(|| format!("cannot read the policy {}", path.display()))
            };
            let terms = Terms {
                grants: create.grants,
                issuer: create.issuer.map(|issuer| issuer.to_string()),
                conditions: create.claims.iter().map(ToString::to_string).collect(),
                is_default: create.default,
                longest_seconds: create.max_duration.as_secs(),
                policy: create.policy.as_ref().map(read).transpose()?,
            };
            let (place, name) = (create.place.into(), create.name);
            run(Request::CreateAssumableRole { place, name, terms }, create.output, common)
        }
        AssumableRoleCommand::List { place, output } => {
            run(Request::ListAssumableRoles { place: place.into() }, output, common)
        }
        AssumableRoleCommand::Delete { name, place, output } => {
            run(Request::DeleteAssumableRole { place: place.into(), name }, output, common)
        }
    }
}

/// Runs `nuee session …`.
pub(super) fn session(command: SessionCommand, common: &Common) -> Result<ExitCode> {
    match command {
        SessionCommand::List { place, output } => {
            run(Request::ListSessions { place: place.into() }, output, common)
        }
        SessionCommand::Revoke { id, place, output } => {
            run(Request::RevokeSession { place: place.into(), id }, output, common)
        }
    }
}

/// Who may assume a role, in words.
fn trusted(terms: &Terms) -> String {
    let Some(issuer) = &terms.issuer else { return "service accounts".to_owned() };
    let mut text = format!("users of {issuer}");
    if !terms.conditions.is_empty() {
        let _ = write!(text, " where {}", terms.conditions.join(" and "));
    }
    text
}

pub(super) fn show_role(role: &AssumableRole) -> String {
    let narrowed = if role.terms.policy.is_some() { ", as far as its policy allows" } else { "" };
    format!(
        "The role {} grants {}{narrowed}. It is for {}.\n\n  RoleArn={}\n",
        role.name,
        role.terms.grants,
        trusted(&role.terms),
        role.arn
    )
}

pub(super) fn show_roles(roles: &[AssumableRole]) -> Result<String> {
    let shown: Vec<(String, String)> = roles
        .iter()
        .map(|role| (role.terms.grants.to_string(), format!("{}  {}", role.arn, trusted(&role.terms))))
        .collect();
    let rows = roles.iter().zip(&shown);
    table(
        ["NAME", "GRANTS", "ARN, AND WHO MAY ASSUME IT"],
        rows.map(|(role, (grants, rest))| [&*role.name, grants, rest]),
    )
}

pub(super) fn show_sessions(sessions: &[Session]) -> Result<String> {
    let shown: Vec<String> = sessions
        .iter()
        .map(|session| format!("{} until {}, {}", session.role, session.expires_at, session.parent))
        .collect();
    let rows = sessions.iter().zip(&shown);
    table(
        ["ID", "NAME", "ROLE, END, AND WHO BEGAN IT"],
        rows.map(|(session, rest)| [&*session.id, &session.name, rest]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(duration("30m"), Ok(Duration::from_mins(30)));
        assert_eq!(duration("7d"), Ok(Duration::from_hours(7 * 24)));
        for bad in ["", "7", "h", "1w", "-1h", "99999999999999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
