//! A clock that a test sets.

use std::{
    cell::Cell,
    sync::{Arc, Mutex},
    time::Duration,
};

use nuee_base::{Clock, Environment, SystemRandom, Timestamp};

type Interruption = Box<dyn FnOnce() + Send>;

thread_local! {
    /// Whether this thread has asked for the uptime last, as the lock clock does before it asks for the time.
    static ASKED_UPTIME: Cell<bool> = const { Cell::new(false) };
}

/// The clock. It begins on 10 January 2026 at 10:30, and stands still.
#[derive(Clone)]
pub(crate) struct TestClock(Arc<Mutex<State>>);

struct State {
    now: Timestamp,
    uptime: Duration,
    interruption: Option<Interruption>,
}

impl TestClock {
    pub(crate) fn new() -> Self {
        let now = Timestamp::from_micros(1_768_041_000_000_000);
        Self(Arc::new(Mutex::new(State { now, uptime: Duration::from_secs(1), interruption: None })))
    }

    pub(crate) fn environment(&self) -> Environment {
        Environment::new(self.clone(), SystemRandom::default())
    }

    /// Time passes.
    pub(crate) fn pass(&self, hours: u64) {
        self.set_forward(hours);
        self.0.lock().unwrap().uptime += Duration::from_hours(hours);
    }

    /// Somebody sets the machine's clock forward.
    pub(crate) fn set_forward(&self, hours: u64) {
        let mut state = self.0.lock().unwrap();
        state.now = state.now.saturating_add(Duration::from_hours(hours));
    }

    /// Does this when the time of a deletion is asked for, which is after a round has read its page and before it
    /// deletes anything.
    pub(crate) fn before_deletion(&self, interruption: impl FnOnce() + Send + 'static) {
        self.0.lock().unwrap().interruption = Some(Box::new(interruption));
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let mut state = self.0.lock().unwrap();
        if !ASKED_UPTIME.replace(false)
            && let Some(interruption) = state.interruption.take()
        {
            drop(state);
            interruption();
            state = self.0.lock().unwrap();
        }
        state.now
    }

    fn uptime(&self) -> Duration {
        ASKED_UPTIME.set(true);
        self.0.lock().unwrap().uptime
    }
}
