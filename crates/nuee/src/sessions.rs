//! The sweep of sessions and sign-ins that have ended.

use std::time::Duration;

use nuee_tenancy::{Error, Tenancy};
use tokio::{select, time::sleep};
use tokio_util::sync::CancellationToken;

/// How often ended sessions are looked for.
const PERIOD: Duration = Duration::from_mins(1);
/// The pause between two transactions of a sweep, in which others write.
const PAUSE: Duration = Duration::from_millis(50);

/// Forgets ended sessions, some at a time, until `stop`.
pub(crate) async fn sweep_until(tenancy: Tenancy, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let rest = match sweep(&tenancy).await {
            Ok(0) => PERIOD,
            Ok(_) => PAUSE,
            Err(error) => {
                tracing::warn!(%error, "ended sessions were not swept");
                PERIOD
            }
        };
        select! {
            () = stop.cancelled() => return,
            () = sleep(rest) => {}
        }
    }
}

async fn sweep(tenancy: &Tenancy) -> Result<usize, Error> {
    Ok(tenancy.sweep_sessions().await? + tenancy.sweep_sign_ins().await?)
}
