//! How many requests a project makes in a second, held against its quota.
//!
//! Each project has room for the requests of two seconds, which fills again as time goes by: short bursts pass, and what
//! comes faster for longer is refused. Projects without such a quota are not counted.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use nuee_base::{ProjectId, Timestamp};

/// The most projects that are counted at once. Those that are full again are forgotten first.
const MAX_PROJECTS: usize = 10_000;
/// How many seconds of requests may come at once.
const BURST_SECONDS: f64 = 2.0;

/// The pace of every project.
#[derive(Default)]
pub(crate) struct Pace(Mutex<HashMap<ProjectId, Room>>);

/// The room of a project: how many requests may still come, and when that was.
struct Room {
    left: f64,
    at_micros: i64,
}

impl Pace {
    /// Whether one more request of a project passes that may make so many in a second.
    pub(crate) fn passes(&self, project: ProjectId, most: u32, now: Timestamp) -> bool {
        let now = now.as_micros();
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rooms.len() >= MAX_PROJECTS && !rooms.contains_key(&project) {
            let old = now.saturating_sub(2_000_000);
            rooms.retain(|_, room| room.at_micros > old);
        }
        let full = f64::from(most) * BURST_SECONDS;
        let room = rooms.entry(project).or_insert(Room { left: full, at_micros: now });
        room.pass(f64::from(most), now)
    }
}

impl Room {
    /// Whether one more passes, at `per_second`.
    fn pass(&mut self, per_second: f64, now_micros: i64) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "seconds of a day have room enough")]
        let seconds = now_micros.saturating_sub(self.at_micros).clamp(0, 86_400_000_000) as f64 / 1e6;
        self.left = (self.left + seconds * per_second).min(per_second * BURST_SECONDS);
        self.at_micros = now_micros;
        let passes = self.left >= 1.0;
        if passes {
            self.left -= 1.0;
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_what_is_faster_for_longer_does_not() {
        let mut room = Room { left: 20.0, at_micros: 0 };
        assert_eq!((0..30).filter(|_| room.pass(10.0, 0)).count(), 20, "two seconds at once");
        assert_eq!((0..30).filter(|_| room.pass(10.0, 500_000)).count(), 5, "half a second later");
        assert_eq!((0..90).filter(|_| room.pass(10.0, 60_000_000)).count(), 20, "it is full, and no more");
        assert!(!room.pass(10.0, 0), "a clock that goes back gives nothing");
    }
}
