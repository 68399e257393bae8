//! `nuee org …` and `nuee member …`: the organisation of whoever is signed in, its users, and who has which role.

use std::{fmt::Write as _, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use http::Method;
use nuee_base::{EmailAddress, Environment, Role, Slug};
use serde_json::{Value, json};

use super::{
    Common,
    administer::{Output, table},
    print,
    sign_in::ask,
};
use crate::client::{Client, query, segment, text};

/// `nuee org …`.
#[derive(Debug, Subcommand)]
pub(super) enum OrgCommand {
    /// Show the organisation
    Show {
        #[command(flatten)]
        output: Output,
    },
    /// Change what is known about it; what is not given stays
    Update {
        /// What people call it
        #[arg(long)]
        title: Option<String>,
        /// Its SIREN: nine digits
        #[arg(long)]
        siren: Option<String>,
        /// Whom to write to: an e-mail address
        #[arg(long)]
        contact: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// List the users
    Users {
        #[command(flatten)]
        output: Output,
    },
    /// Show every right of a user
    Rights {
        /// The user
        email: EmailAddress,
        #[command(flatten)]
        output: Output,
    },
    /// Keep a user from signing in, and end its sign-ins
    Suspend {
        /// The user
        email: EmailAddress,
    },
    /// Let a user sign in again
    Resume {
        /// The user
        email: EmailAddress,
    },
    /// Make a user choose another password and another device; prints a token to pass on
    ResetSignIn {
        /// The user
        email: EmailAddress,
    },
}

/// Where roles hold.
#[derive(Debug, Args)]
pub(super) struct Where {
    /// In this project; without it, in the whole organisation
    #[arg(long)]
    project: Option<Slug>,
}

/// `nuee member …`.
#[derive(Debug, Subcommand)]
pub(super) enum MemberCommand {
    /// List who has which role
    List {
        #[command(flatten)]
        place: Where,
        #[command(flatten)]
        output: Output,
    },
    /// Give a user a role, or change until when they have it
    Grant {
        /// The user
        email: EmailAddress,
        /// The role: owner, maintainer, developer, reader or auditor
        role: Role,
        #[command(flatten)]
        place: Where,
        /// After how many days the role ends [default: never]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
        for_days: Option<u32>,
        #[command(flatten)]
        output: Output,
    },
    /// Take a role away from a user
    Revoke {
        /// The user
        email: EmailAddress,
        /// The role
        role: Role,
        #[command(flatten)]
        place: Where,
    },
    /// Invite somebody; prints a token to pass on
    Invite {
        /// Whom
        email: EmailAddress,
        /// The role: owner, maintainer, developer, reader or auditor
        #[arg(default_value = "developer")]
        role: Role,
        #[command(flatten)]
        place: Where,
        /// After how many days the role ends [default: never]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
        for_days: Option<u32>,
        #[command(flatten)]
        output: Output,
    },
    /// List the invitations that nobody has accepted yet
    Invitations {
        #[command(flatten)]
        place: Where,
        #[command(flatten)]
        output: Output,
    },
    /// Take an invitation back
    Uninvite {
        /// Its id
        id: String,
        #[command(flatten)]
        place: Where,
    },
}

impl Client {
    /// The path of a place.
    fn place(&self, place: &Where) -> Result<String> {
        let organisation = self.organisation("local")?;
        Ok(match &place.project {
            Some(project) => format!("{organisation}/projects/{}", segment(project.as_str())),
            None => organisation,
        })
    }

    /// The path of a user of the organisation.
    async fn user(&self, email: &EmailAddress) -> Result<String> {
        let users = format!("{}/users", self.organisation("local")?);
        let asked = query(&[("email", Some(email.to_string()))]);
        let found = self.call(Method::GET, &format!("{users}{asked}"), None).await?;
        let id = found["items"][0]["id"].as_str();
        let id = id.with_context(|| format!("nobody in your organisation has the address {email}"))?;
        Ok(format!("{users}/{id}"))
    }
}

/// When a role ends that is given for so many days.
fn end(days: Option<u32>) -> Option<String> {
    let day = std::time::Duration::from_hours(24);
    days.map(|days| Environment::system().now().saturating_add(day * days).to_string())
}

/// Prints an answer: as JSON, or as it is shown to people.
pub(super) fn show(
    output: Output,
    answer: &Value,
    for_people: impl FnOnce(&Value) -> Result<String>,
) -> Result<ExitCode> {
    let text = if output.json {
        format!("{}\n", serde_json::to_string_pretty(answer)?)
    } else {
        for_people(answer)?
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The items of a list, in columns: under each title, what has this name in an item.
pub(super) fn columns<const N: usize>(items: &Value, named: [(&str, &str); N]) -> Result<String> {
    let cell = |item: &Value, path: &str| {
        let found = path.split('.').fold(item, |value, name| &value[name]);
        match found {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    };
    let items = items.as_array().map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<[String; N]> = items.iter().map(|item| named.map(|(_, path)| cell(item, path))).collect();
    table(named.map(|(title, _)| title), rows.iter().map(|row| row.each_ref().map(String::as_str)))
}

fn show_organisation(shown: &Value) -> Result<String> {
    let mut said = format!("{}\n\n", text(shown, "name")?);
    for (title, name) in
        [("title", "title"), ("SIREN", "siren"), ("contact", "contact"), ("since", "created_at")]
    {
        writeln!(said, "  {title:8} {}", shown[name].as_str().unwrap_or("-"))?;
    }
    Ok(said)
}

const RIGHTS: [(&str, &str); 4] =
    [("PROJECT", "project"), ("ROLE", "role"), ("ENDS", "expires_at"), ("ACTIVE", "active")];
const MEMBERS: [(&str, &str); 4] =
    [("EMAIL", "user.email"), ("NAME", "user.name"), ("ROLE", "role"), ("ENDS", "expires_at")];
const USERS: [(&str, &str); 4] =
    [("EMAIL", "email"), ("NAME", "name"), ("SINCE", "created_at"), ("SUSPENDED", "suspended_at")];
const INVITATIONS: [(&str, &str); 4] =
    [("ID", "id"), ("EMAIL", "email"), ("ROLE", "role"), ("UNTIL", "expires_at")];

/// Runs `nuee org …`.
pub(super) fn org(command: OrgCommand, common: &Common) -> Result<ExitCode> {
    match command {
        OrgCommand::Show { output } => {
            let get =
                async |client: Client| client.call(Method::GET, &client.organisation("local")?, None).await;
            show(output, &ask(common, get)?, show_organisation)
        }
        OrgCommand::Update { title, siren, contact, output } => {
            let update = async |client: Client| {
                let path = client.organisation("local")?;
                let present = client.call(Method::GET, &path, None).await?;
                let kept =
                    |given: Option<String>, name: &str| given.map_or(present[name].clone(), Value::from);
                let change = json!({
                    "title": kept(title, "title"), "siren": kept(siren, "siren"), "contact": kept(contact, "contact"),
                });
                client.call(Method::PUT, &path, Some(change)).await
            };
            show(output, &ask(common, update)?, show_organisation)
        }
        OrgCommand::Users { output } => {
            let list = async |client: Client| {
                client.items(&format!("{}/users", client.organisation("local")?), 0).await
            };
            show(output, &Value::from(ask(common, list)?), |items| columns(items, USERS))
        }
        OrgCommand::Rights { email, output } => {
            let list = async |client: Client| {
                let path = format!("{}/rights", client.user(&email).await?);
                client.call(Method::GET, &path, None).await
            };
            show(output, &ask(common, list)?, |shown| columns(&shown["rights"], RIGHTS))
        }
        OrgCommand::Suspend { email } => {
            change_user(common, &email, (Method::PUT, "suspension"))?;
            print(&format!("{email} signs in no more.\n"))?;
            Ok(ExitCode::SUCCESS)
        }
        OrgCommand::Resume { email } => {
            change_user(common, &email, (Method::DELETE, "suspension"))?;
            print(&format!("{email} may sign in.\n"))?;
            Ok(ExitCode::SUCCESS)
        }
        OrgCommand::ResetSignIn { email } => {
            let made = change_user(common, &email, (Method::POST, "sign-in-resets"))?;
            let token = text(&made, "token")?;
            print(&format!(
                "The token below is shown this once. Pass it on to {email}, who chooses a password by it within a day:\n\n  \
                 {token}\n\nThey run `nuee account reset`, which asks for it.\n"
            ))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn change_user(common: &Common, email: &EmailAddress, (method, what): (Method, &str)) -> Result<Value> {
    ask(common, async |client| {
        let path = format!("{}/{what}", client.user(email).await?);
        client.call(method, &path, None).await
    })
}

/// Runs `nuee member …`.
pub(super) fn member(command: MemberCommand, common: &Common) -> Result<ExitCode> {
    match command {
        MemberCommand::List { place, output } => {
            let list =
                async |client: Client| client.items(&format!("{}/members", client.place(&place)?), 0).await;
            show(output, &Value::from(ask(common, list)?), |items| columns(items, MEMBERS))
        }
        MemberCommand::Grant { email, role, place, for_days, output } => {
            let grant = async |client: Client| {
                let given =
                    json!({ "email": email.as_str(), "role": role.as_str(), "expires_at": end(for_days) });
                client.create(&format!("{}/members", client.place(&place)?), given).await
            };
            let said = |_: &Value| Ok(format!("{email} has the role {role}.\n"));
            show(output, &ask(common, grant)?, said)
        }
        MemberCommand::Revoke { email, role, place } => {
            ask(common, async |client| {
                let user = client.user(&email).await?;
                let id = user.rsplit('/').next().unwrap_or_default();
                let path = format!("{}/members/{id}/{role}", client.place(&place)?);
                client.call(Method::DELETE, &path, None).await
            })?;
            print(&format!("{email} has the role {role} no more.\n"))?;
            Ok(ExitCode::SUCCESS)
        }
        MemberCommand::Invite { email, role, place, for_days, output } => {
            let invite = async |client: Client| {
                let ends = end(for_days);
                let offer =
                    json!({ "email": email.as_str(), "role": role.as_str(), "role_expires_at": ends });
                client.create(&format!("{}/invitations", client.place(&place)?), offer).await
            };
            show(output, &ask(common, invite)?, |made| {
                Ok(format!(
                    "The token below is shown this once. Pass it on to {email}, who joins by it until {}:\n\n  {}\n\nThey run \
                     `nuee join`, which asks for it.\n",
                    text(made, "expires_at")?,
                    text(made, "token")?
                ))
            })
        }
        MemberCommand::Invitations { place, output } => {
            let list = async |client: Client| {
                client.items(&format!("{}/invitations", client.place(&place)?), 0).await
            };
            show(output, &Value::from(ask(common, list)?), |items| columns(items, INVITATIONS))
        }
        MemberCommand::Uninvite { id, place } => {
            ask(common, async |client| {
                let path = format!("{}/invitations/{}", client.place(&place)?, segment(&id));
                client.call(Method::DELETE, &path, None).await
            })?;
            print("The invitation is taken back.\n")?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
