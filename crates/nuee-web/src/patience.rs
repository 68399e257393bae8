//! Patience: how long one waits for the other side to send or to take bytes.
//!
//! It is asked only when the other side makes us wait, so bytes that flow cost one addition. Its timer is made at the
//! first wait and never moved forward while bytes flow: when it rings too early, it is set again.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// Patience is at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// No byte moved for the whole stall time.
    Stalled,
    /// Bytes move, but too few.
    TooSlow,
}

/// How long is waited, in all and between two bytes.
#[derive(Debug)]
pub(crate) struct Patience {
    stall: Duration,
    /// Bytes a second; 0 for none.
    minimum_rate: u64,
    grace: Duration,
    moved_bytes: u64,
    waited: Duration,
    waiting_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// Waits `stall` between two bytes.
    pub(crate) fn new(stall: Duration) -> Self {
        Self {
            stall,
            minimum_rate: 0,
            grace: Duration::ZERO,
            moved_bytes: 0,
            waited: Duration::ZERO,
            waiting_since: None,
            timer: None,
        }
    }

    /// The same; and once `grace` has been spent waiting, expects `minimum_rate` bytes a second (0: none).
    pub(crate) fn with_minimum_rate(mut self, minimum_rate: u64, grace: Duration) -> Self {
        self.minimum_rate = minimum_rate;
        self.grace = grace;
        self
    }

    /// Bytes moved, or the other side did something else that counts.
    pub(crate) fn progress(&mut self, bytes: usize) {
        self.moved_bytes = self.moved_bytes.saturating_add(bytes as u64);
        if self.waiting_since.is_some() {
            self.end_wait(Instant::now());
        }
    }

    /// To be asked each time the other side is not ready: ready with the reason when patience is at its end,
    /// otherwise the task is woken when it may be.
    pub(crate) fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<Overdue> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let (deadline, reason) = self.deadline(since);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if timer.deadline() >= deadline {
                return Poll::Ready(reason);
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    fn end_wait(&mut self, now: Instant) {
        if let Some(since) = self.waiting_since.take() {
            self.waited = self.waited.saturating_add(now.saturating_duration_since(since));
        }
    }

    /// Until when a wait that began at `since` may last, and what is said then.
    fn deadline(&self, since: Instant) -> (Instant, Overdue) {
        let Some(earned_seconds) = self.moved_bytes.checked_div(self.minimum_rate) else {
            return (since + self.stall, Overdue::Stalled);
        };
        let allowed = self.grace.saturating_add(Duration::from_secs(earned_seconds));
        let left = allowed.saturating_sub(self.waited);
        if left < self.stall {
            (since + left, Overdue::TooSlow)
        } else {
            (since + self.stall, Overdue::Stalled)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The other side sends `bytes` after each `pause_seconds`, a thousand times; when patience ends, and why.
    fn ends(patience: &mut Patience, bytes: u64, pause_seconds: u64) -> Option<(u64, Overdue)> {
        let start = Instant::now();
        let mut now = start;
        for _ in 0..1000 {
            patience.waiting_since = Some(now);
            let (deadline, reason) = patience.deadline(now);
            now += Duration::from_secs(pause_seconds);
            if deadline < now {
                return Some(((deadline - start).as_secs(), reason));
            }
            patience.moved_bytes += bytes;
            patience.end_wait(now);
        }
        None
    }

    #[test]
    fn a_stall_ends_patience_and_progress_renews_it() {
        let patience = || Patience::new(Duration::from_secs(30));
        assert_eq!(ends(&mut patience(), 1, 29), None);
        assert_eq!(ends(&mut patience(), 1, 31), Some((30, Overdue::Stalled)));
    }

    #[test]
    fn a_drip_is_too_slow_and_a_stream_is_not() {
        let patience =
            || Patience::new(Duration::from_secs(30)).with_minimum_rate(10, Duration::from_mins(1));
        assert_eq!(ends(&mut patience(), 1, 20), Some((60, Overdue::TooSlow)));
        assert_eq!(ends(&mut patience(), 200, 20), None);
        assert_eq!(ends(&mut patience(), 200, 31), Some((30, Overdue::Stalled)));
    }

    #[test]
    fn time_that_we_spend_ourselves_does_not_count() {
        let mut patience =
            Patience::new(Duration::from_secs(30)).with_minimum_rate(1, Duration::from_mins(1));
        let start = Instant::now();
        patience.waiting_since = Some(start);
        patience.end_wait(start + Duration::from_secs(1));
        let later = start + Duration::from_hours(1);
        assert_eq!(patience.deadline(later), (later + Duration::from_secs(30), Overdue::Stalled));
    }

    #[tokio::test]
    async fn the_task_is_woken_when_patience_ends() {
        let mut patience = Patience::new(Duration::from_millis(20));
        assert_eq!(std::future::poll_fn(|cx| patience.poll_overdue(cx)).await, Overdue::Stalled);
        patience.progress(1);
        assert_eq!(std::future::poll_fn(|cx| patience.poll_overdue(cx)).await, Overdue::Stalled);
    }
}
