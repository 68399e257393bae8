//! Logs: to standard error, pretty for people and JSON for programs.

use std::io::{IsTerminal, stderr};

use anyhow::{Context, Result};
use tracing_subscriber::{EnvFilter, fmt};

use crate::settings::{LogFormat, Settings};

/// What passes into the logs, from the text of the setting. The library that reads S3 requests logs them whole, with
/// tenants' documents and headers, and every refusal as an error: nothing of it passes.
pub(crate) fn filter(level: &str) -> Result<EnvFilter> {
    EnvFilter::builder().parse(format!("{level},s3s=off")).with_context(|| {
        format!("log.level is {level:?}: write a level such as `info`, or `info,nuee_s3=debug`")
    })
}

/// Begins to log. A second call changes nothing.
pub(crate) fn start(settings: &Settings) -> Result<()> {
    let pretty = match settings.log.format {
        LogFormat::Auto => stderr().is_terminal(),
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    let builder = fmt().with_env_filter(filter(&settings.log.level)?).with_writer(stderr);
    // Fails only when something logs already, in a test.
    let _ = if pretty {
        builder.with_ansi(stderr().is_terminal()).with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).with_current_span(false).try_init()
    };
    Ok(())
}
