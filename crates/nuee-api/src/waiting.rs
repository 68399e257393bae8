//! What waits in memory for whoever brings a secret: for a while, and not without bound.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use nuee_base::Secret;
use nuee_keys::TokenDigest;

/// How many things of a kind wait.
const MOST: usize = 10_000;

type Kept<T> = HashMap<[u8; 32], (T, Duration)>;

/// Things that wait, by the digests of their secrets. Times are those of
/// [`Environment::uptime`](nuee_base::Environment::uptime).
pub(crate) struct Waiting<T> {
    kept: Mutex<Kept<T>>,
    lifetime: Duration,
}

impl<T> Waiting<T> {
    /// Nothing yet; each thing waits for `lifetime`.
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self { kept: Mutex::new(HashMap::new()), lifetime }
    }

    /// Keeps a thing; `false` if too many wait.
    pub(crate) fn keep(&self, secret: &Secret, thing: T, now: Duration) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (_, ends)| *ends > now);
        let has_room = kept.len() < MOST;
        if has_room {
            kept.insert(TokenDigest::of(secret.expose()).to_bytes(), (thing, now + self.lifetime));
        }
        has_room
    }

    /// The thing of a secret, which waits no longer.
    pub(crate) fn take(&self, secret: &Secret, now: Duration) -> Option<T> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (thing, ends) = kept.remove(&TokenDigest::of(secret.expose()).to_bytes())?;
        (ends > now).then_some(thing)
    }

    /// The thing of a secret, which waits on.
    pub(crate) fn find(&self, secret: &Secret, now: Duration) -> Option<T>
    where
        T: Clone,
    {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (thing, ends) = kept.get(&TokenDigest::of(secret.expose()).to_bytes())?;
        (*ends > now).then(|| thing.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_wait_for_their_time_and_not_without_bound() {
        let waiting = Waiting::new(Duration::from_mins(2));
        let secret = |number: usize| Secret::new(number.to_string());
        let [start, later, end] = [0, 119, 120].map(Duration::from_secs);
        for number in 0..MOST {
            assert!(waiting.keep(&secret(number), number, start));
        }
        assert!(!waiting.keep(&secret(MOST), MOST, later), "there is no room");
        assert_eq!(waiting.find(&secret(1), later), Some(1));
        assert_eq!(waiting.take(&secret(1), later), Some(1));
        assert_eq!(waiting.take(&secret(1), later), None);
        assert_eq!(waiting.find(&secret(2), end), None);
        assert!(waiting.keep(&secret(MOST), MOST, end), "what has ended makes room");
        assert_eq!(waiting.find(&secret(MOST), end), Some(MOST));
    }
}
