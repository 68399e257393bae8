//! The command line.

mod administer;
mod bucket;
mod config;
mod exposure;
mod identity;
mod journal;
mod key;
mod member;
mod object;
mod operator;
mod project;
mod sign_in;
mod start;
mod witness;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::{Args, CommandFactory, Parser, Subcommand};
use rustix::fs::Mode;
use tokio::runtime::{Builder, Runtime};

use crate::{
    client::{Login, Refused},
    settings::{self, Settings, Source},
};

/// Stores objects for S3 clients on this machine: sealed at rest, durable before acknowledged.
#[derive(Debug, Parser)]
#[command(name = "nuee", version, arg_required_else_help = true, propagate_version = true)]
#[command(
    after_help = "Begin with `nuee up`, or with `nuee login` where a server runs. Settings: `nuee config show`.\n\n\
    Exit codes: 0 done, 1 failed, 2 misused, 3 not signed in, 4 not allowed, 5 not there, 6 not as things are now."
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

/// Which platform a command is about.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Platform")]
struct Common {
    /// Directory of the data [default: `$XDG_DATA_HOME/nuee` or `~/.local/share/nuee`]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Directory of the keys, never inside the data directory
    /// [default: where they were last, at first `$XDG_STATE_HOME/nuee/keys/INSTANCE` or `~/.local/state/nuee/keys/INSTANCE`]
    #[arg(long, global = true, value_name = "DIR")]
    key_dir: Option<PathBuf>,
    /// File of settings [default: nuee.toml in the working directory, if it is there]
    #[arg(long, global = true, value_name = "FILE", env = "NUEE_CONFIG")]
    config: Option<PathBuf>,
    /// Act as whoever runs the platform on this machine, although somebody is signed in (`nuee login`)
    #[arg(long, global = true)]
    operator: bool,
}

impl Common {
    /// Who is signed in and is to act, and where that is kept; none if a platform of this machine is meant.
    fn signed_in(&self) -> Result<Option<(PathBuf, Login)>> {
        if self.operator || self.data_dir.is_some() || self.key_dir.is_some() || self.config.is_some() {
            return Ok(None);
        }
        // A service without a home has nobody's login.
        let Ok(file) = Login::usual_file() else { return Ok(None) };
        Ok(Login::read(&file)?.map(|login| (file, login)))
    }

    /// The settings that are in effect.
    fn settings(&self) -> Result<Settings> {
        let mut settings = settings::load(&Source::of_process(self.config.clone()))?;
        if let Some(data_dir) = &self.data_dir {
            settings.storage.data_dir = Some(data_dir.clone());
        }
        if let Some(key_dir) = &self.key_dir {
            settings.storage.key_dir = Some(key_dir.clone());
        }
        Ok(settings)
    }

    /// The same options, for a command that somebody is told to run.
    fn repeated(&self) -> String {
        let options = [("--config", &self.config), ("--data-dir", &self.data_dir)];
        let mut text = String::new();
        for (name, value) in options {
            if let Some(value) = value {
                text.extend([" ", name, " ", &value.display().to_string()]);
            }
        }
        text
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start; the first time, make a platform and print the settings for clients
    Up(start::Up),
    /// Start what exists already, as a service does
    Serve(start::Serve),
    /// Tell how the platform stands
    Status(administer::Output),
    /// Make, list and revoke the accounts that S3 clients use
    #[command(subcommand)]
    ServiceAccount(administer::ServiceAccountCommand),
    /// Make, list and delete the access keys of service accounts
    #[command(subcommand)]
    AccessKey(administer::AccessKeyCommand),
    /// Tell who may do what, and why
    #[command(subcommand)]
    Access(administer::AccessCommand),
    /// Make, list and delete the roles that users of an issuer and service accounts may act in for a while
    #[command(subcommand)]
    AssumableRole(identity::AssumableRoleCommand),
    /// List and end the sessions of those who act in a role
    #[command(subcommand)]
    Session(identity::SessionCommand),
    /// Make and list organisations
    #[command(subcommand)]
    Organisation(administer::OrganisationCommand),
    /// Make and list the projects of an organisation, and bound what they may hold and be exposed to
    #[command(subcommand)]
    Project(project::ProjectCommand),
    /// See who runs the platform, by accounts of their own, and change that
    #[command(subcommand)]
    Operator(operator::OperatorCommand),
    /// Say what of a project may be reached from which zone, list that, and end it
    #[command(subcommand)]
    Exposure(exposure::ExposureCommand),
    /// Sign in at a server: commands act as you from then on
    Login(sign_in::LoginCommand),
    /// Sign out
    Logout(sign_in::LogoutCommand),
    /// Tell who is signed in, and what they may do
    Whoami(administer::Output),
    /// Accept an invitation, and become a user
    Join(sign_in::Join),
    /// Change what you sign in with
    #[command(subcommand)]
    Account(sign_in::AccountCommand),
    /// See and change the organisation that you belong to, and its users
    #[command(subcommand)]
    Org(member::OrgCommand),
    /// See and change who has which role, and invite people
    #[command(subcommand)]
    Member(member::MemberCommand),
    /// List, write, read and delete objects, one by one
    #[command(subcommand)]
    Object(object::ObjectCommand),
    /// Print what a shell needs to complete commands
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Make, list and delete buckets, and carry out what they are set to
    #[command(subcommand)]
    Bucket(bucket::BucketCommand),
    /// Keep copies of the keys, bring them back, make new versions
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Check everything that is stored: rows, keys, blobs and checksums. Fails if anything is damaged
    Verify(administer::Verify),
    /// See what was done, and keep checkpoints of it
    #[command(subcommand)]
    Journal(journal::JournalCommand),
    /// Sign the checkpoints of other platforms' journals, and refuse those that were rewritten
    Witness(witness::WitnessCommand),
    /// Check and show settings
    #[command(subcommand)]
    Config(config::ConfigCommand),
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let CommandLine { command, common } = CommandLine::parse();
    // What this program writes is for its owner alone, wherever the directory is.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let outcome = match command {
        Command::Up(up) => start::up(&up, &common),
        Command::Serve(serve) => start::serve(&serve, &common),
        Command::Status(output) => administer::status(output, &common),
        Command::ServiceAccount(command) => administer::service_account(command, &common),
        Command::AccessKey(command) => administer::access_key(command, &common),
        Command::Access(command) => administer::access(command, &common),
        Command::AssumableRole(command) => identity::assumable_role(command, &common),
        Command::Session(command) => identity::session(command, &common),
        Command::Organisation(command) => administer::organisation(command, &common),
        Command::Project(command) => project::run(command, &common),
        Command::Operator(command) => operator::run(command, &common),
        Command::Exposure(command) => exposure::run(command, &common),
        Command::Login(login) => sign_in::login(&login, &common),
        Command::Logout(logout) => sign_in::logout(&logout, &common),
        Command::Whoami(output) => sign_in::whoami(output, &common),
        Command::Join(join) => sign_in::join(&join, &common),
        Command::Account(command) => sign_in::account(&command, &common),
        Command::Org(command) => member::org(command, &common),
        Command::Member(command) => member::member(command, &common),
        Command::Object(command) => object::run(command, &common),
        Command::Completions { shell } => completions(shell),
        Command::Bucket(command) => bucket::run(command, &common),
        Command::Key(command) => key::run(command, &common),
        Command::Verify(verify) => administer::verify(&verify, &common),
        Command::Journal(command) => journal::run(command, &common),
        Command::Witness(command) => witness::run(command, &common),
        Command::Config(command) => config::run(&command, &common),
    };
    outcome.unwrap_or_else(|error| {
        // Nothing is left to be done where standard error is closed.
        let _ = writeln!(io::stderr(), "nuee: {}", explain(&error));
        exit_code(&error)
    })
}

/// What an error says to scripts: `nuee help` lists these.
fn exit_code(error: &anyhow::Error) -> ExitCode {
    let Some(refused) = error.downcast_ref::<Refused>() else { return ExitCode::FAILURE };
    match refused.status.as_u16() {
        401 => ExitCode::from(3),
        403 => ExitCode::from(4),
        404 => ExitCode::from(5),
        409 | 412 => ExitCode::from(6),
        _ => ExitCode::FAILURE,
    }
}

/// An error and its causes, without those that the text before tells already.
fn explain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// Prints to standard output. Whoever has closed it wants no more: that is not an error.
fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("cannot print"),
        _ => Ok(()),
    }
}

fn completions(shell: clap_complete::Shell) -> Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "nuee", &mut text);
    print(&String::from_utf8(text)?)?;
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> Result<Runtime> {
    let threads = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
    let built = Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    built.context("cannot start threads")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow::anyhow!("inner").context("outer: inner").context("first");
        assert_eq!(explain(&error), "first: outer: inner");
    }
}
