//! Sign-ins that have begun: kept in memory until the browser comes back, for ten minutes, and for one use.
//!
//! A sign-in belongs to the browser where it began: a cookie of it is compared, so that nobody is made to end the sign-in
//! of somebody else and to act under their name without knowing
//! ([RFC 9700](https://www.rfc-editor.org/rfc/rfc9700#section-4.7), section 4.7). Whoever restarts the server loses those
//! that have begun, and people begin again.
//!
//! At most 10,000 are kept; when there are more, the oldest go. So that nobody pushes out the others, 250 of one network address
//! are kept, and no more begin until one of them ends; of IPv6, whose users have many, that is one network of 64 bits.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
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
/// How many of one network address are kept: agents of a whole ministry can come by one.
const MOST_OF_ADDRESS: usize = 250;

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

/// Too many sign-ins that began at a network address have not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "too many sign-ins have begun at your network address and not ended: end one, or try again in {} s",
    self.retry_after.as_secs()
)]
pub struct TooManySignIns {
    /// After how long the oldest of them is over.
    pub retry_after: Duration,
}

impl TooManySignIns {
    /// Always [`ErrorKind::LimitExceeded`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::LimitExceeded
    }
}

type Digest = [u8; 32];

struct Kept {
    sign_in: PendingSignIn,
    browser: Digest,
    /// The network address where it began.
    from: IpAddr,
    began_at: Duration,
    /// Grows with each that begins.
    number: u64,
}

#[derive(Default)]
struct All {
    /// By the digest of the state, so that a look-up takes as long for a state that is nearly right.
    by_state: HashMap<Digest, Kept>,
    begun: u64,
}

impl All {
    /// Makes room for one that begins at an address now.
    fn make_room(&mut self, from: IpAddr, now: Duration) -> Result<(), TooManySignIns> {
        let (mut of_address, mut first) = (0, now);
        self.by_state.retain(|_, kept| {
            let is_kept = !is_over(kept.began_at, now);
            if is_kept && kept.from == from {
                of_address += 1;
                first = first.min(kept.began_at);
            }
            is_kept
        });
        if of_address >= MOST_OF_ADDRESS {
            return Err(TooManySignIns { retry_after: KEPT_FOR.saturating_sub(now.saturating_sub(first)) });
        }
        if self.by_state.len() >= MOST {
            let oldest = self.by_state.iter().min_by_key(|(_, kept)| kept.number);
            let oldest = oldest.map(|(state, _)| *state);
            oldest.and_then(|state| self.by_state.remove(&state));
        }
        Ok(())
    }
}

/// All sign-ins of a server that have begun. Times are those of [`Environment::uptime`](nuee_base::Environment::uptime),
/// which goes on whatever the clock is set to.
#[derive(Default)]
pub struct PendingSignIns(Mutex<All>);

impl PendingSignIns {
    /// Keeps one that begins at a network address, under its state, for the browser that has the cookie `browser`.
    pub fn begin(
        &self,
        (state, browser): (&Secret, &Secret),
        sign_in: PendingSignIn,
        from: IpAddr,
        now: Duration,
    ) -> Result<(), TooManySignIns> {
        let from = network_of(from);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.make_room(from, now)?;
        all.begun += 1;
        let kept = Kept { sign_in, browser: digest_of(browser), from, began_at: now, number: all.begun };
        all.by_state.insert(digest_of(state), kept);
        Ok(())
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

/// The addresses that are one user's.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
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

    /// Begins one at the address of this number.
    fn begin(all: &PendingSignIns, state: &str, number: usize, now: Duration) -> Result<(), TooManySignIns> {
        let from = IpAddr::from(u32::try_from(number).unwrap().to_be_bytes());
        all.begin((&secret(state), &secret("cookie")), sign_in("lab"), from, now)
    }

    #[test]
    fn a_sign_in_ends_once_in_the_browser_where_it_began() {
        let all = PendingSignIns::default();
        let begin = |state: &str| begin(&all, state, 1, NOW).unwrap();
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
            begin(&all, "one", 1, NOW).unwrap();
            let taken = all.take(&secret("one"), &secret("cookie"), NOW + Duration::from_secs(after));
            assert_eq!(taken.is_ok(), is_kept, "{after} s");
        }
        begin(&all, "old", 1, NOW).unwrap();
        begin(&all, "new", 1, NOW + KEPT_FOR).unwrap();
        assert_eq!(all.count(), 1, "what is over goes when another begins");
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let all = PendingSignIns::default();
        for number in 0..MOST + 5 {
            begin(&all, &number.to_string(), number, NOW).unwrap();
        }
        assert_eq!(all.count(), MOST);
        for (number, is_kept) in [(0, false), (4, false), (5, true), (MOST + 4, true)] {
            assert_eq!(all.take(&secret(&number), &secret("cookie"), NOW).is_ok(), is_kept, "{number}");
        }
    }

    #[test]
    fn one_address_does_not_take_the_room_of_the_others() {
        let all = PendingSignIns::default();
        begin(&all, "of another", 2, NOW).unwrap();
        let later = NOW + Duration::from_mins(1);
        for number in 0..MOST_OF_ADDRESS {
            begin(&all, &number.to_string(), 1, if number == 0 { NOW } else { later }).unwrap();
        }
        let refused = begin(&all, "one more", 1, later).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_mins(9));
        begin(&all, "of a third", 3, later).unwrap();
        assert!(all.take(&secret("1"), &secret("another cookie"), later).is_err());
        begin(&all, "one more", 1, later).unwrap();
        assert!(begin(&all, "yet another", 1, later).is_err());
        begin(&all, "yet another", 1, NOW + KEPT_FOR).unwrap();
        assert!(all.take(&secret("of a third"), &secret("cookie"), later).is_ok());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        for (one, another, is_same) in [
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
        ] {
            let network = |text: &str| network_of(text.parse().unwrap());
            assert_eq!(network(one) == network(another), is_same, "{one} {another}");
        }
    }
}
