//! `nuee up` and `nuee serve`: start, say so, run until asked to stop, stop.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use clap::Args;
use nuee_base::Environment;
use tokio::{
    select,
    signal::unix::{Signal, SignalKind, signal},
};

use super::{Common, print, runtime};
use crate::{
    Administration, FirstStart, Reply, Request, Server, ServerOptions, Settings, TlsMode,
    administration::Place, logging, ready_file::ReadyFile, welcome::Welcome,
};

/// Where to listen.
#[derive(Debug, Args)]
struct Listening {
    /// Address of S3; port 0 takes a free one [default: 127.0.0.1:9000]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Address of health and metrics [default: 127.0.0.1:9001]
    #[arg(long, value_name = "ADDRESS:PORT")]
    admin_listen: Option<SocketAddr>,
    /// Where the certificate of S3 comes from [default: off]
    #[arg(long, value_name = "MODE", value_enum, hide_possible_values = false)]
    tls: Option<TlsMode>,
    /// Write addresses, process id and (at the first start) the access key to this file, as JSON, once clients are served
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

/// `nuee up`.
#[derive(Debug, Args)]
pub(super) struct Up {
    #[command(flatten)]
    listening: Listening,
    /// The first time, make no demonstration
    #[arg(long)]
    empty: bool,
}

/// `nuee serve`.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    listening: Listening,
    /// Make a platform where there is none, without an account: a service's output is no place for a secret
    #[arg(long)]
    init: bool,
}

/// Runs `nuee up`.
pub(super) fn up(options: &Up, common: &Common) -> Result<ExitCode> {
    let first_start = if options.empty { FirstStart::WithOwner } else { FirstStart::WithDemonstration };
    run(&options.listening, first_start, common)
}

/// Runs `nuee serve`.
pub(super) fn serve(options: &Serve, common: &Common) -> Result<ExitCode> {
    let first_start = if options.init { FirstStart::WithoutAccount } else { FirstStart::Refused };
    run(&options.listening, first_start, common)
}

fn run(listening: &Listening, first_start: FirstStart, common: &Common) -> Result<ExitCode> {
    let mut settings = common.settings()?;
    if listening.listen.is_some() && !settings.listeners.is_empty() {
        bail!(
            "--listen is of no effect where the settings have sections of listeners: leave one of them out"
        );
    }
    settings.server.listen = listening.listen.unwrap_or(settings.server.listen);
    settings.server.admin_listen = listening.admin_listen.unwrap_or(settings.server.admin_listen);
    settings.tls.mode = listening.tls.unwrap_or(settings.tls.mode);
    logging::start(&settings)?;
    if let Err(error) = nuee_web::raise_open_file_limit() {
        tracing::warn!(%error, "fewer connections can be served than the settings allow");
    }
    let runtime = runtime()?;
    let outcome = runtime.block_on(serve_until_stopped(settings, first_start, listening, common));
    // Threads that still wait for a disk must not keep a stopped server.
    runtime.shutdown_background();
    outcome
}

async fn serve_until_stopped(
    settings: Settings,
    first_start: FirstStart,
    listening: &Listening,
    common: &Common,
) -> Result<ExitCode> {
    // Asked for before anything is begun, so that a stop during the start is orderly too.
    let mut stops = Stops::new(&settings)?;
    let (environment, tuning) = (Environment::system(), settings.tuning());
    let server =
        Server::start(ServerOptions { settings: settings.clone(), first_start, environment, tuning }).await?;
    match first_start {
        FirstStart::WithOwner | FirstStart::WithDemonstration => {
            print(&welcome(&server, &settings, common).await?.to_string())?;
        }
        _ => print(&format!("nuee is ready: S3 at {}\n", server.addresses().endpoint()))?,
    }
    let ready_file = listening.ready_file.as_ref();
    let ready_file = ready_file.map(|path| ReadyFile::write(path, &server)).transpose()?;
    server.owner_key_was_shown().await?;
    tracing::info!(
        s3 = %server.addresses().s3,
        admin = %server.addresses().admin,
        instance = %server.platform().instance(),
        "serving"
    );

    let name = stops.wait_refreshing(&server).await;
    drop(ready_file);
    tracing::info!(signal = name, "stopping: requests under way are finished, a second signal cuts them");
    let cut = select! {
        cut = server.stop() => cut?,
        _ = stops.wait() => bail!("stopped at once by a second signal; what was acknowledged is safe"),
    };
    tracing::info!(cut, "stopped");
    print("nuee has stopped; everything acknowledged is at rest.\n")?;
    Ok(ExitCode::SUCCESS)
}

async fn welcome<'a>(server: &'a Server, settings: &'a Settings, common: &Common) -> Result<Welcome<'a>> {
    let access_key_id = match server.owner_key() {
        Some(key) => Some(key.id.to_string()),
        None => owner_key_id(server).await,
    };
    Ok(Welcome {
        addresses: server.addresses(),
        region: &settings.s3.region,
        ca_certificate: server.ca_certificate().map(|file| file.display().to_string()),
        data_dir: server.platform().data_directory().display().to_string(),
        key_dir: server.platform().key_directory().display().to_string(),
        access_key_id,
        secret: server.owner_key().map(|key| key.secret.expose()),
        options: common.repeated(),
        demonstration: server.demonstration(),
    })
}

/// The public half of the key of the first start's account, if all of them are still there.
async fn owner_key_id(server: &Server) -> Option<String> {
    let place = Place { organisation: "local".parse().ok()?, project: "default".parse().ok()? };
    let administration = Administration::new(server.platform().clone(), None);
    let reply = administration.execute(Request::ListServiceAccounts { place }, |_| {}).await.ok()?;
    let Reply::ServiceAccounts { accounts } = reply else { return None };
    accounts
        .into_iter()
        .find(|account| account.name == "owner")?
        .access_keys
        .into_iter()
        .next()
        .map(|key| key.id)
}

/// The signals that ask for a stop, and the one that asks to read the certificate again.
struct Stops {
    interrupt: Signal,
    terminate: Signal,
    /// Only where there are files to read: elsewhere a terminal that is closed ends the program, as it always did.
    hang_up: Option<Signal>,
}

impl Stops {
    fn new(settings: &Settings) -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        let reads_files = settings.tls.mode == TlsMode::Files;
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: reads_files.then(|| listen(SignalKind::hangup())).transpose()?,
        })
    }

    /// Waits for a stop; meanwhile, each hang-up has the server read its certificate again.
    async fn wait_refreshing(&mut self, server: &Server) -> &'static str {
        loop {
            let Some(hang_up) = &mut self.hang_up else { return self.wait().await };
            select! {
                _ = hang_up.recv() => {
                    if let Err(error) = server.refresh_certificate().await {
                        tracing::error!(error = format!("{error:#}"), "the certificate of before stays");
                    }
                }
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.terminate.recv() => return "SIGTERM",
            }
        }
    }

    async fn wait(&mut self) -> &'static str {
        select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
