//! The clock by which retention ends: the machine's, except that nobody can set it forward.
//!
//! It goes on with the time that a process measures since its start, which is not that of the machine's clock, and never
//! ahead of the machine's clock. How far it came is kept with the metadata. For example: a clock that is set forward by a
//! year while the server runs, or while it does not, frees nothing; a server that was off for a day takes ten to believe
//! that the day has passed, so that meanwhile retention lasts up to a day longer.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use nuee_base::{Environment, Timestamp};
use nuee_metadata::{Metadata, Transaction};

use crate::{Error, Store};

/// Under this name, how far the clock came.
const KEPT: &str = "lock-clock";
/// Behind the machine's clock, it goes faster by this part.
const CATCHING_UP: u32 = 10;
/// How far it goes before that is written down.
const STEP: Duration = Duration::from_mins(1);

/// The clock.
pub(crate) struct LockClock {
    environment: Environment,
    state: Mutex<State>,
}

struct State {
    /// How far it had come when the process had run for `uptime`.
    reached: Timestamp,
    uptime: Duration,
    /// What is written down.
    kept: Option<Timestamp>,
}

impl LockClock {
    /// A clock that goes on from where it was.
    pub(crate) fn new(metadata: &Metadata, environment: Environment) -> Self {
        let kept = metadata.read(|snapshot| snapshot.platform_value(KEPT)).ok().flatten();
        let kept = kept.and_then(|bytes| bytes.try_into().ok()).map(i64::from_be_bytes);
        let kept = kept.map(Timestamp::from_micros);
        // What is written down has no code: whoever changed it has not moved the machine's clock by that.
        let now = environment.now();
        let reached = kept.map_or(now, |kept| kept.min(now));
        let state = State { reached, uptime: environment.uptime(), kept };
        Self { environment, state: Mutex::new(state) }
    }

    /// The present instant, or one before it.
    pub(crate) fn now(&self) -> Timestamp {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (uptime, wall) = (self.environment.uptime(), self.environment.now());
        let passed = uptime.saturating_sub(state.uptime);
        // Never backwards: what is free stays free.
        let furthest = state.reached.saturating_add(passed + passed / CATCHING_UP);
        state.reached = furthest.min(wall).max(state.reached);
        state.uptime = uptime;
        state.reached
    }

    /// What is to be written down, if it is time for that.
    fn due(&self) -> Option<Timestamp> {
        let now = self.now();
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let due = state.kept.is_none_or(|kept| now >= kept.saturating_add(STEP));
        due.then_some(now)
    }

    fn wrote(&self, reached: Timestamp) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).kept = Some(reached);
    }
}

impl Store {
    /// Writes down how far the lock clock came, now and then.
    pub async fn keep_lock_clock(&self) -> Result<(), Error> {
        let Some(reached) = self.0.lock_clock.due() else { return Ok(()) };
        let keep = move |transaction: &Transaction<'_>| {
            Ok::<_, Error>(transaction.set_platform_value(KEPT, &reached.as_micros().to_be_bytes())?)
        };
        self.0.metadata.write(keep).await?;
        self.0.lock_clock.wrote(reached);
        Ok(())
    }
}
