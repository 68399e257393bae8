//! `nuee operator …`: who runs the platform, by accounts of their own.

use std::{fmt::Write as _, process::ExitCode};

use anyhow::Result;
use clap::Subcommand;
use nuee_base::{EmailAddress, InvitationId, Role};

use super::{
    Common,
    administer::{self, Output, table},
};
use crate::{
    Reply, Request,
    administration::{Invited, Operator, OperatorInvitation, OperatorRequest},
};

/// `nuee operator …`.
#[derive(Debug, Subcommand)]
pub(super) enum OperatorCommand {
    /// List the operators, and those who are invited
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Invite somebody to run the platform
    Invite {
        /// Whom: an e-mail address
        email: EmailAddress,
        /// As what: `owner`, who runs the platform, or `auditor`, who sees how it is run
        #[arg(long, default_value = "owner")]
        role: Role,
        #[command(flatten)]
        output: Output,
    },
    /// Take an invitation back
    Withdraw {
        /// The invitation: its id
        invitation: InvitationId,
        #[command(flatten)]
        output: Output,
    },
    /// Give an operator a role
    Grant {
        /// The operator
        email: EmailAddress,
        /// `owner` or `auditor`
        role: Role,
        #[command(flatten)]
        output: Output,
    },
    /// Take a role from an operator
    Revoke {
        /// The operator
        email: EmailAddress,
        /// `owner` or `auditor`
        role: Role,
        #[command(flatten)]
        output: Output,
    },
    /// Keep an operator from signing in, and end its sign-ins
    Suspend {
        /// The operator
        email: EmailAddress,
        #[command(flatten)]
        output: Output,
    },
    /// Let an operator sign in again
    Resume {
        /// The operator
        email: EmailAddress,
        #[command(flatten)]
        output: Output,
    },
    /// Make an operator choose another password and another device; prints a token to pass on
    ResetSignIn {
        /// The operator
        email: EmailAddress,
        #[command(flatten)]
        output: Output,
    },
}

/// Runs `nuee operator …`.
pub(super) fn run(command: OperatorCommand, common: &Common) -> Result<ExitCode> {
    let (operators, output) = match command {
        OperatorCommand::List { output } => (OperatorRequest::List, output),
        OperatorCommand::Invite { email, role, output } => (OperatorRequest::Invite { email, role }, output),
        OperatorCommand::Withdraw { invitation, output } => {
            (OperatorRequest::Withdraw { invitation }, output)
        }
        OperatorCommand::Grant { email, role, output } => (OperatorRequest::Grant { email, role }, output),
        OperatorCommand::Revoke { email, role, output } => (OperatorRequest::Revoke { email, role }, output),
        OperatorCommand::Suspend { email, output } => (OperatorRequest::Suspend { email }, output),
        OperatorCommand::Resume { email, output } => (OperatorRequest::Resume { email }, output),
        OperatorCommand::ResetSignIn { email, output } => (OperatorRequest::ResetSignIn { email }, output),
    };
    administer::run(Request::Operators { operators }, output, common)
}

/// What came of it, for people.
pub(super) fn show(reply: &Reply) -> Result<String> {
    Ok(match reply {
        Reply::Operators { operators, invitations } => show_operators(operators, invitations)?,
        Reply::OperatorInvited(invited) => show_invited(invited),
        Reply::OperatorReset { email, token } => format!(
            "Pass this on to {email}; it is shown this once. With it, they choose another password (`nuee account reset`).\n\n  \
             {}\n",
            token.expose()
        ),
        Reply::OperatorChanged { said } => format!("{said}\n"),
        _ => String::new(),
    })
}

fn show_operators(operators: &[Operator], invitations: &[OperatorInvitation]) -> Result<String> {
    if operators.is_empty() && invitations.is_empty() {
        return Ok("Nobody has an operator's account: `nuee operator invite EMAIL`.\n".to_owned());
    }
    let rows = operators.iter().map(|operator| {
        let state = if operator.suspended_at.is_some() { "suspended" } else { "active" };
        [operator.email.as_str(), &operator.name, &operator.role, state, &operator.id]
    });
    let mut shown = match operators.is_empty() {
        true => "Nobody has joined yet.\n".to_owned(),
        false => table(["EMAIL", "NAME", "ROLE", "STATE", "ID"], rows)?,
    };
    if !invitations.is_empty() {
        let rows = invitations.iter().map(|invitation| {
            [invitation.email.as_str(), invitation.role.as_str(), &invitation.expires_at, &invitation.id]
        });
        write!(shown, "\n{}", table(["INVITED", "ROLE", "UNTIL", "INVITATION"], rows)?)?;
    }
    Ok(shown)
}

fn show_invited(invited: &Invited) -> String {
    let Invited { email, token, expires_at, url } = invited;
    let url = url.as_deref().unwrap_or("http://127.0.0.1:9001");
    format!(
        "Pass this on to {email}; it is shown this once, and does until {expires_at}.\n\n  {}\n\n\
         They join, sign in and add a device, which operating needs:\n\n  \
         nuee join --url {url} \"THEIR NAME\"\n  nuee login --url {url} {email}\n  nuee account second-factor\n",
        token.expose()
    )
}
