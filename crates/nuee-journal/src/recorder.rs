//! What is counted rather than told one by one: denials, and reads of objects.
//!
//! A client can be denied, or read, as often as it likes, and each leaf takes room for ever. So these are counted in memory,
//! by principal, action, resource and minute, and one leaf tells of each count when its minute is over. There is a limit to
//! how many counts a minute has; what is beyond it is summed in one. A process that is killed takes the counts of its last
//! minute with it.

use std::{
    collections::{BTreeMap, HashMap, btree_map, hash_map},
    sync::{Arc, Mutex, PoisonError},
};

use nuee_base::{BucketId, OrganisationId, Principal, ProjectId, Timestamp};
use nuee_metadata::{Snapshot, Transaction};

use crate::{Entry, Error, Journal, Subject};

/// Counts of one minute, of each kind.
const PER_MINUTE: usize = 1_000;
/// Counts of all minutes that wait to be written.
const WAITING: usize = 4_000;
const MINUTE_MICROS: i64 = 60_000_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Somebody was refused.
    Denied,
    /// Somebody may read an object.
    Read,
    /// Somebody was refused what is not exposed to the zone that the request came in from.
    Unexposed,
}

/// Where it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// On the platform itself.
    Platform,
    /// In an organisation.
    Organisation(OrganisationId),
    /// In a project of it.
    Project(OrganisationId, ProjectId),
    /// In a bucket of it.
    Bucket(OrganisationId, BucketId),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Counted {
    /// What it is.
    pub kind: Kind,
    /// Who.
    pub principal: Principal,
    /// What would be done, or was.
    pub action: &'static str,
    /// Where.
    pub place: Place,
}

/// How often, from when to when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tally {
    count: u64,
    first: Timestamp,
    last: Timestamp,
}

impl Tally {
    fn merge(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

#[derive(Default)]
struct Minute {
    known: HashMap<Counted, Tally>,
    /// How many of `known` are of each kind.
    sizes: [usize; 3],
    others: BTreeMap<Kind, Tally>,
}

#[derive(Default)]
struct Counts {
    minutes: BTreeMap<i64, Minute>,
    /// Tallies of all minutes.
    waiting: usize,
}

/// Counts. Cheap to clone; clones count together.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Counts>>);

impl Recorder {
    /// Counts something that happened now.
    pub fn record(&self, counted: Counted, now: Timestamp) {
        let tally = Tally { count: 1, first: now, last: now };
        let minute = now.as_micros().div_euclid(MINUTE_MICROS);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(minute, counted, tally);
    }

    /// Takes out all counts of minutes that are over by `now`.
    fn take(&self, now: Timestamp) -> BTreeMap<i64, Minute> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let present = counts.minutes.split_off(&now.as_micros().div_euclid(MINUTE_MICROS));
        counts.waiting = present.values().map(|minute| minute.known.len() + minute.others.len()).sum();
        std::mem::replace(&mut counts.minutes, present)
    }

    fn put_back(&self, minutes: BTreeMap<i64, Minute>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, Minute { known, others, .. }) in minutes {
            for (counted, tally) in known {
                counts.add(number, counted, tally);
            }
            for (kind, tally) in others {
                let of_minute = counts.minutes.entry(number).or_default();
                of_minute.others.entry(kind).and_modify(|present| present.merge(tally)).or_insert(tally);
            }
        }
    }
}

impl Counts {
    fn add(&mut self, minute: i64, counted: Counted, tally: Tally) {
        let is_full = self.waiting >= WAITING;
        let last = self.minutes.last_key_value().map(|(last, _)| *last);
        // Where nothing can be written for long, what is new joins what is there.
        let minute = last.filter(|_| is_full).unwrap_or(minute);
        let Minute { known, sizes, others } = self.minutes.entry(minute).or_default();
        let (kind, size) = (counted.kind, &mut sizes[counted.kind as usize]);
        match known.entry(counted) {
            hash_map::Entry::Occupied(mut entry) => entry.get_mut().merge(tally),
            hash_map::Entry::Vacant(entry) if !is_full && *size < PER_MINUTE => {
                entry.insert(tally);
                *size += 1;
                self.waiting += 1;
            }
            hash_map::Entry::Vacant(_) => match others.entry(kind) {
                btree_map::Entry::Occupied(mut entry) => entry.get_mut().merge(tally),
                btree_map::Entry::Vacant(entry) => {
                    entry.insert(tally);
                    self.waiting += 1;
                }
            },
        }
    }
}

/// A leaf that tells of a count.
struct Summary {
    entry: Entry,
    action: String,
    kind: Kind,
    tally: Tally,
}

impl Summary {
    fn append(&self, transaction: &Transaction<'_>) -> Result<(), Error> {
        let why = if self.kind == Kind::Unexposed { ", not exposed to the zone" } else { "" };
        let since = format!("since {}{why}", self.tally.first);
        let subject = Subject { count: Some(self.tally.count), ..Subject::detail(&since) };
        self.entry.append(transaction, &self.action, subject).map(drop)
    }
}

impl Journal {
    /// What counts for this journal.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.0.recorder
    }

    /// Writes a leaf for each count of minutes that are over by `now`. What cannot be written waits for the next time.
    pub async fn write_counts(&self, now: Timestamp) -> Result<(), Error> {
        let minutes = self.recorder().take(now);
        if minutes.is_empty() {
            return Ok(());
        }
        let written = self.write_minutes(&minutes).await;
        if written.is_err() {
            self.recorder().put_back(minutes);
        }
        written
    }

    async fn write_minutes(&self, minutes: &BTreeMap<i64, Minute>) -> Result<(), Error> {
        let summaries = self.0.metadata.read(|snapshot| self.summaries(snapshot, minutes))?;
        let write = move |transaction: &Transaction<'_>| {
            summaries.iter().try_for_each(|summary| summary.append(transaction))
        };
        self.0.metadata.write(write).await
    }

    fn summaries(
        &self,
        snapshot: &Snapshot<'_>,
        minutes: &BTreeMap<i64, Minute>,
    ) -> Result<Vec<Summary>, Error> {
        let mut summaries = Vec::new();
        for Minute { known, others, .. } in minutes.values() {
            for (counted, tally) in known {
                let (organisation, on) = place(snapshot, counted.place)?;
                let by = (counted.principal.to_string(), tally.last);
                let entry = match Entry::by(by, &self.0.keys, organisation, on) {
                    // Who destroyed an organisation's key wants to know nothing of it any more.
                    Err(Error::Keys(nuee_keys::Error::NoOrganisationKey(_))) => continue,
                    entry => entry?,
                };
                let (kind, action) = (counted.kind, told(counted.kind, counted.action));
                summaries.push(Summary { entry, action, kind, tally: *tally });
            }
            for (kind, tally) in others {
                let by = ("others".to_owned(), tally.last);
                let entry = Entry::by(by, &self.0.keys, OrganisationId::PLATFORM, "platform".to_owned())?;
                let action = told(*kind, "anything");
                summaries.push(Summary { entry, action, kind: *kind, tally: *tally });
            }
        }
        Ok(summaries)
    }
}

fn told(kind: Kind, action: &str) -> String {
    match kind {
        Kind::Denied | Kind::Unexposed => format!("denied {action}"),
        Kind::Read => action.to_owned(),
    }
}

/// The organisation that a place is of, and what the journal calls it.
fn place(snapshot: &Snapshot<'_>, place: Place) -> Result<(OrganisationId, String), Error> {
    Ok(match place {
        Place::Platform => (OrganisationId::PLATFORM, "platform".to_owned()),
        Place::Organisation(organisation) => (organisation, format!("organisation/{organisation}")),
        Place::Project(organisation, project) => (organisation, format!("project/{project}")),
        Place::Bucket(organisation, bucket) => {
            let name = snapshot.bucket_name(bucket)?;
            (organisation, name.map_or_else(|| format!("bucket/{bucket}"), |name| format!("bucket/{name}")))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(number: u128, kind: Kind) -> Counted {
        let bucket = BucketId::from_bytes(number.to_be_bytes());
        let place = Place::Bucket(OrganisationId::from_bytes([1; 16]), bucket);
        Counted { kind, principal: Principal::Anonymous, action: "s3:GetObject", place }
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    #[test]
    fn a_minute_is_given_once_it_is_over() {
        let recorder = Recorder::default();
        for at in [0, 59, 60, 61] {
            recorder.record(counted(1, Kind::Denied), second(at));
        }
        assert!(recorder.take(second(59)).is_empty());
        let minutes = recorder.take(second(60));
        let tally = minutes[&0].known[&counted(1, Kind::Denied)];
        assert_eq!((minutes.len(), tally), (1, Tally { count: 2, first: second(0), last: second(59) }));
        assert_eq!(recorder.take(Timestamp::from_micros(i64::MAX)).len(), 1);
        assert!(recorder.take(Timestamp::from_micros(i64::MAX)).is_empty());
    }

    #[test]
    fn a_flood_is_counted_in_bounded_memory() {
        let recorder = Recorder::default();
        for number in 0..3_000 {
            recorder.record(counted(number, Kind::Denied), second(0));
        }
        recorder.record(counted(0, Kind::Read), second(0));
        for minute in 1..10_000 {
            recorder.record(counted(u128::try_from(minute).unwrap(), Kind::Read), second(minute * 60));
        }
        let minutes = recorder.take(Timestamp::from_micros(i64::MAX));
        assert_eq!(minutes[&0].known.len(), PER_MINUTE + 1);
        assert_eq!(minutes[&0].others[&Kind::Denied].count, 2_000);
        assert!(minutes.len() <= WAITING);
        let counts = |minute: &Minute| {
            minute.known.values().chain(minute.others.values()).map(|tally| tally.count).sum::<u64>()
        };
        assert_eq!(minutes.values().map(counts).sum::<u64>(), 13_000);
    }
}
