//! Commands that administer a platform: sent to the server that runs on it, or carried out here when none runs.

use std::{
    fmt::Write as _,
    fs,
    io::{self, IsTerminal, Write as _},
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use nuee_base::{AccessKeyId, EmailAddress, Environment, Role, Secret, Slug, Zone};

use super::{Common, bucket, exposure, identity, journal, operator, print, project, runtime};
use crate::{
    Administration, FirstStart, Platform, Progress, Reply, Request, Tuning,
    administration::{
        AccessAnswer, AccessQuestion, Listening, Place, ServiceAccount, Site, Status, Verified,
    },
    client::Client,
    data_directory::holds_data,
    first_start, logging,
    server::url,
    settings::Settings,
    socket,
};

/// Objects between two lines of progress where there is no terminal.
const OBJECTS_PER_LINE: u64 = 100_000;

/// How a result is printed.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Output {
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// A project, by its names.
#[derive(Debug, Args)]
pub(super) struct PlaceOptions {
    /// Organisation
    #[arg(long, default_value = "local")]
    organisation: Slug,
    /// Project
    #[arg(long, default_value = "default")]
    project: Slug,
}

impl From<PlaceOptions> for Place {
    fn from(options: PlaceOptions) -> Self {
        Self { organisation: options.organisation, project: options.project }
    }
}

/// `nuee service-account …`.
#[derive(Debug, Subcommand)]
pub(super) enum ServiceAccountCommand {
    /// Make a service account; its secret is printed once
    Create {
        /// Its name, unique in the project
        name: Slug,
        /// What it may do: owner, maintainer, developer, reader or auditor
        #[arg(long, default_value = "developer")]
        role: Role,
        #[command(flatten)]
        place: PlaceOptions,
        #[command(flatten)]
        output: Output,
    },
    /// List the service accounts of a project
    List {
        #[command(flatten)]
        place: PlaceOptions,
        #[command(flatten)]
        output: Output,
    },
    /// Revoke a service account: its access keys stop to work at once, and for ever
    Revoke {
        /// Its name
        name: Slug,
        #[command(flatten)]
        place: PlaceOptions,
        #[command(flatten)]
        output: Output,
    },
}

/// `nuee access-key …`.
#[derive(Debug, Subcommand)]
pub(super) enum AccessKeyCommand {
    /// Make another access key of a service account; its secret is printed once
    ///
    /// An account has two at most. To rotate a key: make another one, give it to the programs that use the account, see in
    /// the list that the first is no longer used, and delete that.
    Create {
        /// The service account
        account: Slug,
        /// After how many days it works no more [default: never]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
        expires_in_days: Option<u32>,
        #[command(flatten)]
        place: PlaceOptions,
        #[command(flatten)]
        output: Output,
    },
    /// List the access keys of a project: when they were made, when they end, when they were last used
    List {
        #[command(flatten)]
        place: PlaceOptions,
        #[command(flatten)]
        output: Output,
    },
    /// Delete an access key of a service account: it stops to work at once
    Delete {
        /// The service account
        account: Slug,
        /// The id of the access key
        key: AccessKeyId,
        #[command(flatten)]
        place: PlaceOptions,
        #[command(flatten)]
        output: Output,
    },
}

/// `nuee access …`.
#[derive(Debug, Subcommand)]
pub(super) enum AccessCommand {
    /// Tell whether somebody may do something, and which policies make it so
    ///
    /// For example: nuee access explain NUEE… s3:GetObject `s3://papers/report.pdf`
    ///
    /// It is answered as if the request had nothing that conditions of a bucket's policy look at, such as an address. What
    /// exposures there are is looked at with --from.
    Explain {
        /// `anonymous`, `operator` or the id of an access key
        principal: String,
        /// An action in the words of policies, such as s3:GetObject or nuee:CreateServiceAccount
        action: String,
        /// ORGANISATION/PROJECT, `s3://BUCKET` or `s3://BUCKET/KEY`; for whoever runs the platform also `platform` and
        /// ORGANISATION. Whoever is signed in names the bucket's project too
        resource: String,
        /// Where the request would come in: rie or internet, and after an `@` from which address
        #[arg(long, value_name = "ZONE@ADDRESS")]
        from: Option<String>,
        #[command(flatten)]
        place: PlaceOptions,
        #[command(flatten)]
        output: Output,
    },
}

/// `nuee organisation …`.
#[derive(Debug, Subcommand)]
pub(super) enum OrganisationCommand {
    /// Make an organisation, with a key of its own
    Create {
        /// Its name, unique on the platform
        name: Slug,
        /// What people call it, such as "Ministère de la Culture"
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
    /// Invite the first owner of an organisation; whoever runs the platform invites nobody else
    InviteOwner {
        /// The organisation
        organisation: Slug,
        /// Whom: an e-mail address
        email: EmailAddress,
        #[command(flatten)]
        output: Output,
    },
    /// List the organisations
    List {
        #[command(flatten)]
        output: Output,
    },
}

/// `nuee verify`.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Look only whether everything is there, and do not read every byte
    #[arg(long)]
    quick: bool,
    /// A checkpoint that `nuee journal checkpoint` gave, kept on another machine: shows whether the journal was
    /// rewritten or cut since
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// Runs `nuee status`.
pub(super) fn status(output: Output, common: &Common) -> Result<ExitCode> {
    run(Request::Status, output, common)
}

/// Runs `nuee service-account …`.
pub(super) fn service_account(command: ServiceAccountCommand, common: &Common) -> Result<ExitCode> {
    match command {
        ServiceAccountCommand::Create { name, role, place, output } => {
            run(Request::CreateServiceAccount { place: place.into(), name, role }, output, common)
        }
        ServiceAccountCommand::List { place, output } => {
            run(Request::ListServiceAccounts { place: place.into() }, output, common)
        }
        ServiceAccountCommand::Revoke { name, place, output } => {
            run(Request::RevokeServiceAccount { place: place.into(), name }, output, common)
        }
    }
}

/// Runs `nuee organisation …`.
pub(super) fn organisation(command: OrganisationCommand, common: &Common) -> Result<ExitCode> {
    match command {
        OrganisationCommand::Create { name, title, siren, contact, output } => {
            run(Request::CreateOrganisation { name, title, siren, contact }, output, common)
        }
        OrganisationCommand::InviteOwner { organisation, email, output } => {
            run(Request::InviteOwner { organisation, email }, output, common)
        }
        OrganisationCommand::List { output } => run(Request::ListOrganisations, output, common),
    }
}

/// Runs `nuee access-key …`.
pub(super) fn access_key(command: AccessKeyCommand, common: &Common) -> Result<ExitCode> {
    match command {
        AccessKeyCommand::Create { account, expires_in_days, place, output } => {
            let place = place.into();
            run(Request::CreateAccessKey { place, account, days: expires_in_days }, output, common)
        }
        AccessKeyCommand::List { place, output } => {
            run_shown(Request::ListServiceAccounts { place: place.into() }, output, common, show_keys)
        }
        AccessKeyCommand::Delete { account, key, place, output } => {
            run(Request::DeleteAccessKey { place: place.into(), account, key }, output, common)
        }
    }
}

/// Runs `nuee access …`.
pub(super) fn access(command: AccessCommand, common: &Common) -> Result<ExitCode> {
    let AccessCommand::Explain { principal, action, resource, from, place, output } = command;
    let place = place.into();
    run(Request::ExplainAccess(AccessQuestion { principal, action, resource, from, place }), output, common)
}

/// Runs `nuee verify`.
pub(super) fn verify(verify: &Verify, common: &Common) -> Result<ExitCode> {
    let read = |path: &PathBuf| {
        fs::read_to_string(path).with_context(|| format!("cannot read the checkpoint {}", path.display()))
    };
    let checkpoint = verify.checkpoint.as_ref().map(read).transpose()?;
    run(Request::Verify { content: !verify.quick, checkpoint }, verify.output, common)
}

/// Has a request carried out, and prints what comes back.
pub(super) fn run(request: Request, output: Output, common: &Common) -> Result<ExitCode> {
    run_shown(request, output, common, |reply| show(reply, common))
}

/// The same, with another way to show it to people.
fn run_shown(
    request: Request,
    output: Output,
    common: &Common,
    show: impl FnOnce(&Reply) -> Result<String>,
) -> Result<ExitCode> {
    let settings = common.settings()?;
    logging::start(&settings)?;
    let runtime = runtime()?;
    let reply = match common.signed_in()? {
        Some((file, login)) => {
            runtime.block_on(async { Client::signed_in(file, login).await?.execute(request).await })?
        }
        None => runtime.block_on(carry_out(request, &settings, show_progress))?,
    };
    let text =
        if output.json { format!("{}\n", serde_json::to_string_pretty(&reply)?) } else { show(&reply)? };
    print(&text)?;
    let fails = match &reply {
        Reply::Verified(verified) => verified.damaged != 0,
        Reply::JournalWitnesses { witnesses, .. } => witnesses.iter().any(|each| each.problem.is_some()),
        Reply::Access(answer) => !answer.allowed,
        _ => false,
    };
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Carries a request out: by the server that has the data directory open, or here when none does.
async fn carry_out(
    request: Request,
    settings: &Settings,
    progress: impl Fn(Progress) + Send + Sync,
) -> Result<Reply> {
    let data = settings.places()?.data;
    if let Some(stream) = socket::connect(&data).await? {
        return socket::ask(stream, &request, progress).await;
    }
    if !holds_data(&data) {
        bail!(
            "there is no data in {}: give the right --data-dir, or make a platform there with `nuee up`",
            data.display()
        );
    }
    let platform =
        Platform::open(settings, &Environment::system(), FirstStart::Refused, Tuning::default()).await?;
    if !first_start::is_finished(platform.metadata())? {
        tracing::warn!("the first start was not finished: finish it with `nuee up`");
    }
    let reply = Administration::new(platform.clone(), None).execute(request, progress).await;
    platform.close().await?;
    reply
}

/// Tells on standard error how far a long request has come.
fn show_progress(progress: Progress) {
    static TOLD: AtomicU64 = AtomicU64::new(0);
    let terminal = io::stderr().is_terminal();
    let line = progress.objects / OBJECTS_PER_LINE;
    if !terminal && TOLD.swap(line, Ordering::Relaxed) == line {
        return;
    }
    let Progress { objects, bytes, damaged } = progress;
    let (start, end) = if terminal { ("\r", "  ") } else { ("", "\n") };
    // Progress that nobody can read is not worth an error.
    let _ = write!(io::stderr(), "{start}{objects} objects, {}, {damaged} damaged{end}", size(bytes));
}

fn show(reply: &Reply, common: &Common) -> Result<String> {
    let options = common.repeated();
    Ok(match reply {
        Reply::Status(status) => show_status(status)?,
        Reply::ServiceAccountCreated { account, secret_access_key } => show_new_key(
            &format!("The service account {} has the role {}.", account.name, account.role),
            (&key_ids(account), secret_access_key),
        ),
        Reply::AccessKeyCreated { access_key_id, secret_access_key, expires_at } => {
            let ends = expires_at.as_deref().unwrap_or("it is deleted");
            show_new_key(&format!("The access key works until {ends}."), (access_key_id, secret_access_key))
        }
        Reply::AccessKeyDeleted => "The access key is deleted; it works no more.\n".to_owned(),
        Reply::Project(details) => project::show(details)?,
        Reply::Access(answer) => show_access(answer)?,
        Reply::Operators { .. }
        | Reply::OperatorInvited(_)
        | Reply::OperatorReset { .. }
        | Reply::OperatorChanged { .. } => operator::show(reply)?,
        Reply::ExposureCreated(made) => exposure::show_exposure(made),
        Reply::Exposures { exposures } => exposure::show_exposures(exposures)?,
        Reply::ExposureDeleted => "The exposure has ended.\n".to_owned(),
        Reply::ServiceAccounts { accounts } => show_accounts(accounts)?,
        Reply::ServiceAccountRevoked => {
            "The service account is revoked; its access keys work no more.\n".to_owned()
        }
        Reply::AssumableRoleCreated(role) => identity::show_role(role),
        Reply::AssumableRoles { roles } => identity::show_roles(roles)?,
        Reply::AssumableRoleDeleted { ended } => {
            format!("The role is deleted. Ended with it: {}.\n", count(*ended as u64, "session"))
        }
        Reply::Sessions { sessions } => identity::show_sessions(sessions)?,
        Reply::SessionRevoked => "The session has ended; its key works no more.\n".to_owned(),
        Reply::OrganisationCreated(made) => format!(
            "The organisation {0} exists and has a key of its own: a backup of keys that was made before does not hold it.\n\n  \
             nuee key backup FILE{options}\n  nuee organisation invite-owner {0} EMAIL{options}\n",
            made.name
        ),
        Reply::JournalReceived { file } => {
            format!("Written to {0}. To verify it anywhere: nuee journal verify {0}\n", file.display())
        }
        Reply::OwnerInvited { email, token, expires_at } => format!(
            "The token below is shown this once. Pass it on to {email}, who becomes an owner by it until {expires_at}:\n\n  \
             {}\n\nThey run `nuee join`, which asks for it.\n",
            token.expose()
        ),
        Reply::Organisations { organisations } => table(
            ["NAME", "CREATED", "ID"],
            organisations.iter().map(|each| [&*each.name, &each.created_at, &each.id]),
        )?,
        Reply::ProjectCreated(made) => format!("The project {} exists.\n", made.name),
        Reply::Projects { projects } => table(
            ["NAME", "CREATED", "ID"],
            projects.iter().map(|each| [&*each.name, &each.created_at, &each.id]),
        )?,
        Reply::Verified(verified) => show_verified(verified)?,
        Reply::Checkpoint { checkpoint } => checkpoint.clone(),
        Reply::JournalKey { key } => format!("{key}\n"),
        Reply::Journal { leaves } => journal::show_leaves(leaves)?,
        Reply::JournalWitnesses { witnesses, size } => journal::show_witnesses(witnesses, *size)?,
        Reply::JournalExported { file, leaves, erased, .. } => journal::show_exported(file, *leaves, *erased),
        Reply::LifecycleRun(run) => bucket::show_lifecycle(run)?,
        Reply::KeysRotated { projects, data_keys, damaged } => show_rotated(*projects, *data_keys, *damaged)?,
    })
}

/// A key, this once.
fn show_new_key(said: &str, (id, secret): (&str, &Secret)) -> String {
    format!(
        "{said} Its secret is shown this once; keep it.\n\n  \
         export AWS_ACCESS_KEY_ID={id}\n  export AWS_SECRET_ACCESS_KEY={}\n",
        secret.expose()
    )
}

fn show_rotated(projects: usize, data_keys: usize, damaged: usize) -> Result<String> {
    let mut text = format!(
        "New keys: {}. Wrapped anew: {}. No blob was touched.\n",
        count(projects as u64, "project"),
        count(data_keys as u64, "data key")
    );
    if damaged > 0 {
        let damaged = count(damaged as u64, "damaged row");
        writeln!(text, "Left with the key that they had: {damaged}; see `nuee verify`.")?;
    }
    Ok(text)
}

fn show_status(status: &Status) -> Result<String> {
    let mut text = format!("nuee {}, instance {}\n\n", status.version, status.instance);
    match &status.server {
        Some(server) => writeln!(
            text,
            "  server   process {}, since {}\n  S3       {}\n  health   {}/health/ready",
            server.pid,
            server.started_at,
            url(server.secure, server.listen),
            url(server.admin_secure, server.admin_listen)
        )?,
        None => writeln!(text, "  server   none runs")?,
    }
    let zoned = |each: &&Listening| each.zone != Zone::Local;
    for each in status.server.iter().flat_map(|server| &server.listeners).filter(zoned) {
        let Listening { name, service, zone, address, .. } = each;
        writeln!(text, "  zone     {zone}: {service} at {address} ({name})")?;
    }
    if status.site != Site::default() {
        let Site { data_centre, country, operator } = &status.site;
        let operator = operator.as_ref().map(|operator| format!("run by {operator}"));
        let known: Vec<&str> =
            [data_centre, country, &operator].into_iter().filter_map(Option::as_deref).collect();
        writeln!(text, "  site     {}", known.join(", "))?;
    }
    writeln!(text, "  data     {}\n  keys     {}", status.data_dir.display(), status.key_dir.display())?;
    let (live, dead) = (size(status.live_bytes), size(status.dead_bytes));
    writeln!(text, "  segments {}: {live} in use, {dead} to be had back", status.segments)?;
    writeln!(text, "  disk     {} free", size(status.free_bytes))?;
    Ok(text)
}

fn show_accounts(accounts: &[ServiceAccount]) -> Result<String> {
    let keys: Vec<String> = accounts
        .iter()
        .map(|account| match &account.revoked_at {
            Some(revoked_at) => format!("revoked {revoked_at}"),
            None => key_ids(account),
        })
        .collect();
    let rows = accounts.iter().zip(&keys);
    table(["NAME", "ROLE", "ACCESS KEY"], rows.map(|(account, keys)| [&*account.name, &account.role, keys]))
}

fn key_ids(account: &ServiceAccount) -> String {
    account.access_keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>().join(" ")
}

fn show_keys(reply: &Reply) -> Result<String> {
    let Reply::ServiceAccounts { accounts } = reply else { return Ok(String::new()) };
    let keys = accounts.iter().flat_map(|account| account.access_keys.iter().map(move |key| (account, key)));
    let rows = keys.map(|(account, key)| {
        let end = key.expires_at.as_deref().unwrap_or("never");
        let used = key.last_used_at.as_deref().unwrap_or("not yet");
        [key.id.as_str(), account.name.as_str(), key.created_at.as_str(), end, used]
    });
    table(["ACCESS KEY", "ACCOUNT", "CREATED", "ENDS", "LAST USED"], rows)
}

fn show_access(answer: &AccessAnswer) -> Result<String> {
    let mut text = match &answer.reason {
        None => "Allowed".to_owned(),
        Some(reason) => format!("Denied: {reason}"),
    };
    if answer.policies.is_empty() {
        writeln!(text, ".")?;
    } else {
        writeln!(text, ", by {}.", answer.policies.join(" and "))?;
    }
    Ok(text)
}

fn show_verified(verified: &Verified) -> Result<String> {
    let mut text = String::new();
    for finding in &verified.findings {
        writeln!(text, "damaged: {}: {}", finding.what, finding.detail)?;
    }
    let more = verified.damaged.saturating_sub(verified.findings.len() as u64);
    if more != 0 {
        writeln!(text, "damaged: {more} more")?;
    }
    writeln!(
        text,
        "{}, {}, {}, {} read; {} that nothing uses",
        count(verified.buckets, "bucket"),
        count(verified.objects, "object"),
        count(verified.blobs, "blob"),
        size(verified.bytes),
        count(verified.orphans, "blob")
    )?;
    match verified.damaged {
        0 => writeln!(text, "Everything is as it was written.")?,
        1 => writeln!(text, "This is damaged: bring it back from another copy.")?,
        damaged => writeln!(text, "{damaged} findings: bring what is damaged back from another copy.")?,
    }
    Ok(text)
}

/// Columns under their titles.
pub(super) fn table<'a, const N: usize>(
    titles: [&'a str; N],
    rows: impl Iterator<Item = [&'a str; N]>,
) -> Result<String> {
    let rows: Vec<_> = std::iter::once(titles).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(text)
}

/// So many of these.
pub(super) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A size for people, in binary units.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let unit = (bytes.max(1).ilog2() / 10).min(5);
    if unit == 0 {
        return format!("{bytes} B");
    }
    let tenths = (u128::from(bytes) * 10) >> (10 * unit);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_units() {
        let sizes = [0, 1023, 1024, 1536, 5 << 20, u64::MAX].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 MiB", "16383.9 PiB"]);
    }

    #[test]
    fn columns_are_as_wide_as_their_longest_cell() {
        let text = table(["A", "B", "C"], [["long", "b", "c"]].into_iter()).unwrap();
        assert_eq!(text, "A     B  C\nlong  b  c\n");
    }
}
