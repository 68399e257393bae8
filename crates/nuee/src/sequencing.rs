//! The task that writes what was counted into the journal, and keeps its tree and its signed checkpoint up with the leaves.

use std::time::Duration;

use nuee_base::{Environment, Timestamp};
use nuee_journal::{Error, Journal, SignedCheckpoint};
use nuee_web::{Counter, Gauge, Metrics};
use tokio::{select, time::sleep};
use tokio_util::sync::CancellationToken;

/// How soon the journal is looked at again: a checkpoint is a second old at most when leaves came after it.
const POLL: Duration = Duration::from_millis(250);
/// The same after a failure.
const POLL_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// The sequencer of a server.
pub(crate) struct Sequencing {
    journal: Journal,
    environment: Environment,
    signed: Gauge,
    failures: Counter,
}

impl Sequencing {
    /// That of this journal.
    pub(crate) fn new(journal: Journal, environment: Environment, metrics: &Metrics) -> anyhow::Result<Self> {
        let signed = "Leaves of the journal under its last signed checkpoint";
        let failures = "Times that the journal could not be signed";
        Ok(Self {
            journal,
            environment,
            signed: metrics.gauge("nuee_journal_signed_leaves", signed, &[])?,
            failures: metrics.counter("nuee_journal_signing_failures_total", failures, &[])?,
        })
    }

    /// Follows the journal until `stop`, and signs what came until then.
    pub(crate) async fn follow_until(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let rest = self.follow(self.environment.now()).await;
            select! {
                () = stop.cancelled() => {}
                () = sleep(rest) => {}
            }
        }
        // The present minute is over too.
        self.follow(Timestamp::from_micros(i64::MAX)).await;
    }

    async fn follow(&self, now: Timestamp) -> Duration {
        match self.write(now).await {
            Ok(signed) => {
                self.signed.set(i64::try_from(signed.checkpoint.size).unwrap_or(i64::MAX));
                POLL
            }
            Err(error) => {
                self.failures.inc();
                tracing::error!(%error, "the journal is not signed");
                POLL_AFTER_FAILURE
            }
        }
    }

    /// Writes what was counted in minutes that are over, and signs all that is there.
    async fn write(&self, now: Timestamp) -> Result<SignedCheckpoint, Error> {
        self.journal.write_counts(now).await?;
        self.journal.sequence().await
    }
}
