//! What was sent and what was acknowledged, and when, by the clock of the whole machine.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::bodies::Body;

/// A moment, in microseconds of the system's clock, which `strace -ttt` tells too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) i64);

impl Moment {
    /// After everything.
    pub(crate) const END: Self = Self(i64::MAX);

    /// Now.
    pub(crate) fn now() -> Self {
        let microseconds = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1000;
        Self(i64::try_from(microseconds).unwrap_or(i64::MAX))
    }
}

/// What a key holds; none when there is no such object.
pub(crate) type Held = Option<Body>;

/// A request that changes what a key holds.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) what: &'static str,
    pub(crate) after: Held,
    pub(crate) sent: Moment,
    pub(crate) acknowledged: Option<Moment>,
}

/// A part of an upload, which the server has acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) key: String,
    pub(crate) upload: String,
    pub(crate) number: u16,
    pub(crate) etag: String,
    pub(crate) acknowledged: Moment,
    /// When its upload was to be completed, after which it need not be there any more.
    pub(crate) completed: Moment,
}

/// Everything that one client, or all of them, did.
#[derive(Clone, Default)]
pub(crate) struct History {
    keys: BTreeMap<String, Vec<Change>>,
    pub(crate) parts: Vec<Part>,
}

/// What a key may hold after a cut.
pub(crate) struct Expected {
    /// What was acknowledged last.
    pub(crate) settled: Held,
    /// The request that acknowledged it.
    pub(crate) by: Option<Change>,
    /// What requests under way would have made of it.
    pub(crate) under_way: Vec<Held>,
}

impl History {
    /// Notes that a request is about to be sent.
    pub(crate) fn begin(&mut self, key: &str, what: &'static str, after: Held) {
        let change = Change { what, after, sent: Moment::now(), acknowledged: None };
        self.keys.entry(key.to_owned()).or_default().push(change);
    }

    /// Notes that the last request on a key was acknowledged.
    pub(crate) fn acknowledge(&mut self, key: &str) {
        if let Some(change) = self.keys.get_mut(key).and_then(|changes| changes.last_mut()) {
            change.acknowledged = Some(Moment::now());
        }
    }

    /// Notes what a key was seen to hold after a crash, which settles what was under way.
    pub(crate) fn settle(&mut self, key: &str, held: Held) {
        self.begin(key, "what was seen after a crash", held);
        self.acknowledge(key);
    }

    /// Takes over the keys of another client.
    pub(crate) fn absorb(&mut self, other: Self) {
        for (key, changes) in other.keys {
            self.keys.entry(key).or_default().extend(changes);
        }
        self.parts.extend(other.parts);
    }

    /// Every key.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// Whether any request on this key was sent before the cut.
    pub(crate) fn was_touched(&self, key: &str, cut: Moment) -> bool {
        self.keys.get(key).and_then(|changes| changes.first()).is_some_and(|change| change.sent < cut)
    }

    /// How many requests were acknowledged before the cut, and how many of them made an object.
    pub(crate) fn acknowledged(&self, cut: Moment) -> (usize, usize) {
        let before = |change: &&Change| change.acknowledged.is_some_and(|moment| moment < cut);
        let changes = || self.keys.values().flatten().filter(before);
        (changes().count(), changes().filter(|change| change.after.is_some()).count())
    }

    /// What a key may hold when all that came after the cut never happened.
    pub(crate) fn expected(&self, key: &str, cut: Moment) -> Expected {
        let mut expected = Expected { settled: None, by: None, under_way: Vec::new() };
        for change in self.keys.get(key).into_iter().flatten() {
            if change.acknowledged.is_some_and(|moment| moment < cut) {
                expected =
                    Expected { settled: change.after, by: Some(change.clone()), under_way: Vec::new() };
            } else if change.sent < cut {
                expected.under_way.push(change.after);
            }
        }
        expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Held = Some(Body { number: 1, size: 1 });
    const TWO: Held = Some(Body { number: 2, size: 1 });

    fn history() -> History {
        let change = |after, sent, acknowledged: Option<i64>| Change {
            what: "PUT",
            after,
            sent: Moment(sent),
            acknowledged: acknowledged.map(Moment),
        };
        let changes = vec![change(ONE, 10, Some(20)), change(TWO, 30, Some(40)), change(None, 50, None)];
        History { keys: BTreeMap::from([("k".to_owned(), changes)]), parts: Vec::new() }
    }

    fn at(cut: i64) -> (Held, Vec<Held>) {
        let expected = history().expected("k", Moment(cut));
        (expected.settled, expected.under_way)
    }

    #[test]
    fn a_cut_leaves_what_was_acknowledged_or_what_was_under_way() {
        assert_eq!(at(5), (None, vec![]));
        assert_eq!(at(15), (None, vec![ONE]));
        assert_eq!(at(25), (ONE, vec![]));
        assert_eq!(at(35), (ONE, vec![TWO]));
        assert_eq!(at(45), (TWO, vec![]));
        assert_eq!(at(55), (TWO, vec![None]));
    }

    #[test]
    fn what_was_acknowledged_is_counted_up_to_the_cut() {
        assert_eq!(history().acknowledged(Moment(40)), (1, 1));
        assert_eq!(history().acknowledged(Moment::END), (2, 2));
    }
}
