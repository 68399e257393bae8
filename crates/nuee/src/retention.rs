//! The task that erases what the journal says once its time is over, where the settings say that it ever is.

use std::time::Duration;

use anyhow::{Result, ensure};
use nuee_journal::Journal;
use nuee_store::Store;
use tokio::{select, sync::watch, time::sleep};

use crate::Platform;

/// The least that is kept.
const FEWEST_MONTHS: u32 = 12;
/// No month is longer.
const MONTH: Duration = Duration::from_hours(31 * 24);
/// How soon after the start it is begun, and how often after that.
const FIRST: Duration = Duration::from_mins(2);
const INTERVAL: Duration = Duration::from_hours(24);

/// Refuses to forget too soon.
pub(crate) fn validate(months: Option<u32>) -> Result<()> {
    ensure!(
        months.is_none_or(|months| months >= FEWEST_MONTHS),
        "journal.retention_months is less than {FEWEST_MONTHS}, which is the least"
    );
    Ok(())
}

/// Erases what is due each day, until `stop`.
pub(crate) async fn erase_until(platform: Platform, months: Option<u32>, mut stop: watch::Receiver<bool>) {
    let Some(months) = months else { return };
    let (store, journal): (Store, Journal) = (platform.store().clone(), platform.journal().clone());
    let environment = platform.environment().clone();
    drop(platform);
    let mut rest = FIRST;
    loop {
        select! {
            () = sleep(rest) => {}
            _ = stop.changed() => {}
        }
        if *stop.borrow() {
            return;
        }
        rest = INTERVAL;
        let before = environment.now().saturating_sub(MONTH.saturating_mul(months));
        match store.erase_journal(&journal, before, &mut stop).await {
            Ok(0) => {}
            Ok(erased) => tracing::info!(erased, %before, "what the journal said was erased"),
            Err(error) => tracing::error!(%error, "what the journal says is not erased; it is tried again"),
        }
    }
}
