//! The events between what a receiver was told and what was read of the journal, by the keys that they are about.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use nuee_base::{BucketId, ObjectKey};
use nuee_store::{Event, Events};

/// Events that are held at most; the journal has the others.
const MOST: usize = 4_096;

/// What events keep their order within: a key, or the bucket's own.
pub(super) type LaneKey = (BucketId, Option<ObjectKey>);

/// The events of a key.
#[derive(Default)]
struct Lane {
    events: VecDeque<Event>,
    refusals: u32,
    /// When it is tried again.
    due: Duration,
}

/// All of them.
pub(super) struct Window {
    lanes: BTreeMap<LaneKey, Lane>,
    read_to: i64,
    kept: i64,
    /// Whether there were events since the last place that was kept.
    any: bool,
}

impl Window {
    /// A window that begins after the leaf up to which everything was told.
    pub(super) fn new(told: i64) -> Self {
        Self { lanes: BTreeMap::new(), read_to: told, kept: told, any: false }
    }

    /// The last leaf that was read.
    pub(super) fn read_to(&self) -> i64 {
        self.read_to
    }

    /// How many events there are.
    pub(super) fn len(&self) -> usize {
        self.lanes.values().map(|lane| lane.events.len()).sum()
    }

    /// Whether another page may be read.
    pub(super) fn has_room(&self) -> bool {
        self.len() < MOST
    }

    /// Takes in what was read next.
    pub(super) fn add(&mut self, page: Events) {
        self.read_to = page.read_to;
        self.any |= !page.events.is_empty();
        for event in page.events {
            let key = (event.bucket.id, event.key().cloned());
            self.lanes.entry(key).or_default().events.push_back(event);
        }
    }

    /// What is to be told now, by key, the oldest first.
    pub(super) fn due(&self, now: Duration) -> Vec<(LaneKey, Vec<Event>)> {
        let due = self.lanes.iter().filter(|(_, lane)| lane.due <= now);
        let mut due: Vec<_> =
            due.map(|(key, lane)| (key.clone(), lane.events.iter().cloned().collect())).collect();
        due.sort_by_key(|(_, events): &(_, Vec<Event>)| events.first().map(|event| event.leaf));
        due
    }

    /// The event of a key that is told next.
    pub(super) fn first(&self, key: &LaneKey) -> Option<&Event> {
        self.lanes.get(key)?.events.front()
    }

    /// The first `count` events of a key need no telling any more.
    pub(super) fn take(&mut self, key: &LaneKey, count: usize) {
        let Some(lane) = self.lanes.get_mut(key).filter(|_| count > 0) else { return };
        lane.events.drain(..count);
        (lane.refusals, lane.due) = (0, Duration::ZERO);
        if lane.events.is_empty() {
            self.lanes.remove(key);
        }
    }

    /// The first event of a key was refused; gives how long it waits.
    pub(super) fn put_off(
        &mut self,
        key: &LaneKey,
        now: Duration,
        pause: impl Fn(u32) -> Duration,
    ) -> Duration {
        let Some(lane) = self.lanes.get_mut(key) else { return Duration::ZERO };
        lane.refusals += 1;
        let rest = pause(lane.refusals);
        lane.due = now + rest;
        rest
    }

    /// The leaf up to which everything was told, if that is to be kept: there were events since the last that was, or
    /// that many leaves without one.
    pub(super) fn worth_keeping(&self, leaves: i64) -> Option<i64> {
        let oldest = self.lanes.values().filter_map(|lane| lane.events.front()).map(|event| event.leaf).min();
        let told = oldest.map_or(self.read_to, |leaf| leaf - 1);
        (told - self.kept >= if self.any { 1 } else { leaves }).then_some(told)
    }

    /// It was kept that everything was told up to a leaf.
    pub(super) fn was_kept(&mut self, leaf: i64) {
        self.kept = leaf;
        self.any = !self.lanes.is_empty();
    }
}
