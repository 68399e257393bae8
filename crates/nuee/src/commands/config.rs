//! `nuee config`: checking and showing settings.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use super::{Common, print};
use crate::{
    settings::{self, Source},
    tls,
};

/// `nuee config …`.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check the file, the environment variables and the certificate; say where an error is
    Check,
    /// Print the settings in effect as a file that explains each of them
    ///
    /// They come from the file, then from environment variables `NUEE_SECTION__KEY`, then from options; the later wins.
    Show,
}

/// Runs `nuee config …`.
pub(super) fn run(command: &ConfigCommand, common: &Common) -> Result<ExitCode> {
    let settings = common.settings()?;
    match command {
        ConfigCommand::Show => print(&settings::show(&settings)?)?,
        ConfigCommand::Check => {
            let source = match Source::of_process(common.config.clone()).effective_file() {
                Some(file) => file.display().to_string(),
                None => "no file".to_owned(),
            };
            let remarks = tls::check(&settings)?;
            print(&format!("{source}: the settings are valid\n{remarks}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
