//! Sign-ins that have begun: kept in memory until the browser comes back, for ten minutes, and for one use.
//!
//! A sign-in belongs to the browser where it began: a cookie of it is compared, so that nobody is made to end the sign-in
//! of somebody else and to act under their name without knowing
//! ([RFC 9700](https://www.rfc-editor.org/rfc/rfc9700#section-4.7), section 4.7). Whoever restarts the server loses those
//! that have begun, and people begin again.
//!
//! At most 10,000 are kept; when there are more, the oldest go. Whoever can begin without bound could so push out others:
//! the caller bounds how many begin from one address.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aws_lc_rs::{constant_time, digest};
use nuee_base::{ErrorKind, Secret, Slug};

use super::{Expected, ReturnTo};

/// How long a sign-in may take.
const KEPT_FOR: Duration = Duration::from_mins(10);
/// How many are kept.
const MOST: usize = 10_000;

/// A sign-in that has begun.
#[derive(Debug, Clone)]
pub struct PendingSignIn {
    /// The issuer's name in the settings.
    pub issuer: Slug,
    /// What must hold when the browser comes back.
    pub expected: Expected,
    /// Where it comes back to, which the token endpoint is told.
    pub redirect_uri: String,
    /// Where somebody goes afterwards.
    pub return_to: ReturnTo,
}

/// No such sign-in has begun, or not in this browser, or it has ended, or was too long ago; which one is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no sign-in that began in this browser within the last {} minutes is meant: sign in again from the beginning",
    KEPT_FOR.as_secs() / 60
)]
pub struct UnknownSignIn;

impl UnknownSignIn {
    /// Always [`ErrorKind::Denied`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Denied
    }
}

type Digest = [u8; 32];

struct Kept {
    sign_in: PendingSignIn,
    browser: Digest,
    began_at: Duration,
}

#[derive(Default)]
struct All {
    /// By the digest of the state, so that a look-up takes as long for a state that is nearly right.
    by_state: HashMap<Digest, Kept>,
    /// In the order in which they began; those that have ended are still here.
    order: VecDeque<(Duration, Digest)>,
}

/// All sign-ins of a server that have begun. Times are those of [`Environment::uptime`](nuee_base::Environment::uptime),
/// which goes on whatever the clock is set to.
#[derive(Default)]
pub struct PendingSignIns(Mutex<All>);

impl PendingSignIns {
    /// Keeps one, under its state, for the browser that has the cookie `browser`.
    pub fn begin(&self, state: &Secret, browser: &Secret, sign_in: PendingSignIn, now: Duration) {
        let kept = Kept { sign_in, browser: digest_of(browser), began_at: now };
        let state = digest_of(state);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while all
            .order
            .front()
            .is_some_and(|(began_at, _)| is_over(*began_at, now) || all.order.len() >= MOST)
        {
            if let Some((_, oldest)) = all.order.pop_front() {
                all.by_state.remove(&oldest);
            }
        }
        all.order.push_back((now, state));
        all.by_state.insert(state, kept);
    }

    /// The one of this state, which is not kept any longer, whichever browser shows it.
    pub fn take(
        &self,
        state: &Secret,
        browser: &Secret,
        now: Duration,
    ) -> Result<PendingSignIn, UnknownSignIn> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).by_state.remove(&digest_of(state));
        let kept = kept.filter(|kept| !is_over(kept.began_at, now)).ok_or(UnknownSignIn)?;
        let is_same = constant_time::verify_slices_are_equal(&kept.browser, &digest_of(browser)).is_ok();
        if is_same { Ok(kept.sign_in) } else { Err(UnknownSignIn) }
    }

    /// How many are kept.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_state.len()
    }
}

fn is_over(began_at: Duration, now: Duration) -> bool {
    now.saturating_sub(began_at) >= KEPT_FOR
}

fn digest_of(text: &Secret) -> Digest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, text.expose().as_bytes()).as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &(impl ToString + ?Sized)) -> Secret {
        Secret::new(text.to_string())
    }

    fn sign_in(issuer: &str) -> PendingSignIn {
        let expected = Expected { nonce: secret("n"), verifier: None, multi_factor: false, max_age: None };
        PendingSignIn {
            issuer: issuer.parse().unwrap(),
            expected,
            redirect_uri: "https://console.example.org/callback".to_owned(),
            return_to: "/".parse().unwrap(),
        }
    }

    const NOW: Duration = Duration::from_hours(1);

    #[test]
    fn a_sign_in_ends_once_in_the_browser_where_it_began() {
        let all = PendingSignIns::default();
        let begin = |state: &str| all.begin(&secret(state), &secret("cookie"), sign_in("lab"), NOW);
        let take = |state: &str, browser: &str| all.take(&secret(state), &secret(browser), NOW).is_ok();
        begin("one");
        assert!(!take("two", "cookie"));
        assert!(take("one", "cookie"));
        assert!(!take("one", "cookie"), "a second time");
        begin("two");
        assert!(!take("two", "another cookie"));
        assert!(!take("two", "cookie"), "another browser has shown it");
        assert!(!take("", ""));
        assert_eq!(all.count(), 0);
    }

    #[test]
    fn a_sign_in_takes_ten_minutes_at_most() {
        let all = PendingSignIns::default();
        for (after, is_kept) in [(599, true), (600, false), (3_600, false)] {
            all.begin(&secret("one"), &secret("cookie"), sign_in("lab"), NOW);
            let taken = all.take(&secret("one"), &secret("cookie"), NOW + Duration::from_secs(after));
            assert_eq!(taken.is_ok(), is_kept, "{after} s");
        }
        all.begin(&secret("old"), &secret("cookie"), sign_in("lab"), NOW);
        all.begin(&secret("new"), &secret("cookie"), sign_in("lab"), NOW + KEPT_FOR);
        assert_eq!(all.count(), 1, "what is over goes when another begins");
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let all = PendingSignIns::default();
        for number in 0..MOST + 5 {
            all.begin(&secret(&number), &secret("cookie"), sign_in("lab"), NOW);
        }
        assert_eq!(all.count(), MOST);
        for (number, is_kept) in [(0, false), (4, false), (5, true), (MOST + 4, true)] {
            assert_eq!(all.take(&secret(&number), &secret("cookie"), NOW).is_ok(), is_kept, "{number}");
        }
    }
}
