//! `nuee witness`: signs checkpoints of other platforms' journals until it is asked to stop.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use nuee_base::Environment;
use nuee_journal::VerifierKey;
use tokio::{
    select,
    signal::unix::{SignalKind, signal},
};

use super::{Common, print, runtime};
use crate::{Witness, WitnessOptions, logging};

/// `nuee witness`.
#[derive(Debug, Args)]
pub(super) struct WitnessCommand {
    /// Directory of its key and of what it has signed. Never put an older copy back: begin with a new one
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Its name, such as `witness.example.org/one`
    #[arg(long)]
    name: String,
    /// The public key of a journal that it signs, as `nuee journal key` prints it; may be given again
    #[arg(long, value_name = "KEY", required = true)]
    journal: Vec<VerifierKey>,
    /// Address to listen on, without TLS: put a proxy that speaks it before, beyond this machine
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9002")]
    listen: SocketAddr,
}

/// Runs `nuee witness`.
pub(super) fn run(command: WitnessCommand, common: &Common) -> Result<ExitCode> {
    logging::start(&common.settings()?)?;
    runtime()?.block_on(async {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let WitnessCommand { state, name, journal, listen } = command;
        let environment = Environment::system();
        let options = WitnessOptions { name, directory: state, listen, journals: journal, environment };
        let witness = Witness::start(options).await?;
        print(&format!(
            "nuee witness is ready. In the settings of the platform:\n\n  witnesses = [\"http://{} {}\"]\n",
            witness.address(),
            witness.key()
        ))?;
        select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        witness.stop().await
    })?;
    Ok(ExitCode::SUCCESS)
}
