//! How often somebody may try to sign in: what is kept of failures, as a value without a clock of its own.
//!
//! Five failures are free. From then on each closes the door for a while: one minute, two, four, up to an hour. Right
//! answers open it at once. What is tried while the door is closed is not looked at: it must not be checked, and neither
//! counts nor makes the wait longer.
//!
//! It cannot be used to lock somebody out for ever: a wait never passes an hour, and after a day in which nobody failed
//! all is forgotten. Still, who goes on failing for somebody else's login would keep them waiting; so keep one state for
//! an account from browsers that have signed in to it before, which a cookie tells
//! ([OWASP's device cookies](https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies)), and
//! one for all others: strangers then close the strangers' door alone. Whoever guesses has some 24 tries a day and door,
//! where the passwords that [`check_choice`](crate::check_choice) lets through have more than a million (SP 800-63B,
//! section 3.2.2).
//!
//! The caller keeps the two numbers, with a version of its own, and changes them in one transaction, or tries at the same
//! time would count as one.

use std::time::Duration;

use nuee_base::{ErrorKind, Timestamp};
use serde::{Deserialize, Serialize};

/// Failures after which the door closes.
const FREE_FAILURES: u32 = 5;
/// The first wait, doubled each time, up to the longest.
const FIRST_WAIT: Duration = Duration::from_mins(1);
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// After how long without a failure all is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);

/// What is kept of failures. Begins without any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempts {
    failures: u32,
    /// Microseconds since 1970: until when nothing is tried; in the past, when the last failure was.
    locked_until: i64,
}

/// Nothing may be tried for a while. Fit for whoever tries, known here or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts failed: try again after {until}")]
pub struct Locked {
    /// When it may be tried again.
    pub until: Timestamp,
}

impl Locked {
    /// Always [`ErrorKind::LimitExceeded`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::LimitExceeded
    }
}

impl Attempts {
    /// What was kept: see [`failures`](Self::failures) and [`locked_until`](Self::locked_until).
    #[must_use]
    pub fn new(failures: u32, locked_until: Timestamp) -> Self {
        Self { failures, locked_until: locked_until.as_micros() }
    }

    /// How many failures there were in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Until when nothing is tried; in the past, when the last failure was.
    #[must_use]
    pub fn locked_until(&self) -> Timestamp {
        Timestamp::from_micros(self.locked_until)
    }

    /// Whether something may be tried. Ask before a password is checked.
    pub fn check(&self, now: Timestamp) -> Result<(), Locked> {
        let until = self.locked_until();
        // No wait is longer: if one were, the clock was set back, and its end could be years away.
        let is_closed = now < until && until <= now.saturating_add(LONGEST_WAIT);
        if is_closed { Err(Locked { until }) } else { Ok(()) }
    }

    /// The same after a failure. What is tried while the door is closed changes nothing.
    #[must_use]
    pub fn on_failure(self, now: Timestamp) -> Self {
        if self.check(now).is_err() {
            return self;
        }
        let is_old = self.locked_until().saturating_add(FORGOTTEN_AFTER) <= now;
        let failures = if is_old { 1 } else { self.failures.saturating_add(1) };
        Self::new(failures, now.saturating_add(wait(failures)))
    }

    /// The same after a success: nothing is left.
    #[must_use]
    pub fn on_success(self) -> Self {
        Self::default()
    }
}

/// How long the door stays closed after so many failures.
fn wait(failures: u32) -> Duration {
    match failures.checked_sub(FREE_FAILURES) {
        None => Duration::ZERO,
        Some(doublings) => FIRST_WAIT.saturating_mul(1 << doublings.min(16)).min(LONGEST_WAIT),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn minutes(number: u64) -> Duration {
        Duration::from_mins(number)
    }

    #[test]
    fn waits_begin_after_five_failures_and_double_up_to_an_hour() {
        let (mut attempts, mut now) = (Attempts::default(), NOW);
        for failure in 1..5 {
            attempts = attempts.on_failure(now);
            assert_eq!(attempts.check(now), Ok(()), "failure {failure}");
        }
        for wait in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            attempts = attempts.on_failure(now);
            let until = now.saturating_add(minutes(wait));
            assert_eq!(attempts.check(now), Err(Locked { until }));
            assert!(attempts.check(until.saturating_sub(Duration::from_micros(1))).is_err());
            assert_eq!(attempts.check(until), Ok(()));
            now = until;
        }
        assert_eq!(attempts.failures(), 13);
        assert_eq!(attempts.on_success(), Attempts::default());
    }

    #[test]
    fn what_is_tried_meanwhile_does_not_count() {
        let five = (0..5).fold(Attempts::default(), |attempts, _| attempts.on_failure(NOW));
        let meanwhile =
            (0..100).fold(five, |attempts, _| attempts.on_failure(NOW.saturating_add(minutes(0))));
        assert_eq!(meanwhile, five);
    }

    #[test]
    fn all_is_forgotten_after_a_day() {
        let many = Attempts::new(40, NOW);
        let day = NOW.saturating_add(Duration::from_hours(24));
        assert_eq!(many.on_failure(day).failures(), 1);
        assert_eq!(many.on_failure(day.saturating_sub(minutes(1))).failures(), 41);
    }

    #[test]
    fn a_clock_that_was_ahead_locks_nobody_out() {
        let ahead = NOW.saturating_add(Duration::from_hours(24 * 365));
        let attempts = (0..9).fold(Attempts::default(), |attempts, _| attempts.on_failure(ahead));
        assert!(attempts.check(ahead).is_err());
        assert_eq!(attempts.check(NOW), Ok(()));
        assert!(attempts.on_failure(NOW).check(NOW).is_err(), "and failures count at once");
    }

    #[test]
    fn it_is_kept_as_two_numbers() {
        let attempts = Attempts::new(7, NOW);
        let text = serde_json::to_string(&attempts).unwrap();
        assert_eq!(text, r#"{"failures":7,"locked_until":1800000000000000}"#);
        assert_eq!(serde_json::from_str::<Attempts>(&text).unwrap(), attempts);
    }

    proptest! {
        /// Whatever happens, the door is open again after an hour.
        #[test]
        fn nobody_waits_for_more_than_an_hour(times in prop::collection::vec(0_i64..=90_000_000_000, 1..60)) {
            let (mut attempts, mut now) = (Attempts::default(), NOW);
            for passed in times {
                now = Timestamp::from_micros(now.as_micros() + passed);
                attempts = attempts.on_failure(now);
                prop_assert_eq!(attempts.check(now.saturating_add(LONGEST_WAIT)), Ok(()));
            }
        }
    }
}
