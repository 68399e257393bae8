//! Which requests clients send: a deck of kinds that all clients draw from, shuffled by the seed.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use anyhow::{Result, ensure};

use super::bodies::{Bodies, Body};
use super::client::Client;
use super::history::{History, Moment, Part};
use crate::load::Random;

/// The least size of a part that is not the last.
const PART_BYTES: usize = 5 << 20;

/// Objects that are kept in memory by the server and written in groups.
const SMALL_BYTES: Range<usize> = 100..64 << 10;

/// Objects that get a file each.
const LARGE_BYTES: Range<usize> = 1 << 20..3 << 20;

/// A kind of request, or a short sequence of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A new small object
    Small,
    /// A new large object
    Large,
    /// A small object in the place of another
    Overwrite,
    /// A large object in the place of another
    OverwriteLarge,
    /// An object goes
    Delete,
    /// A copy of an object, under a new key or over another
    Copy,
    /// An object of two or three parts
    Multipart,
}

/// The kinds of requests, in the order in which they are drawn.
pub(crate) struct Deck {
    kinds: Vec<Kind>,
    drawn: AtomicUsize,
    /// How many requests are drawn in all.
    limit: usize,
}

impl Deck {
    /// A deck of so many cards of each kind, drawn from again and again up to the limit.
    pub(crate) fn new(proportions: &[(Kind, usize)], limit: usize, seed: u64) -> Self {
        let mut kinds: Vec<Kind> =
            proportions.iter().flat_map(|&(kind, count)| std::iter::repeat_n(kind, count)).collect();
        let mut random = Random::new(seed);
        for last in (1..kinds.len()).rev() {
            let other = usize::try_from(random.below(last as u64 + 1)).unwrap_or(0);
            kinds.swap(last, other);
        }
        Self { kinds, drawn: AtomicUsize::new(0), limit }
    }

    fn draw(&self) -> Option<Kind> {
        let drawn = self.drawn.fetch_add(1, Relaxed);
        let place = drawn.checked_rem(self.kinds.len())?;
        (drawn < self.limit).then(|| self.kinds[place])
    }
}

/// One client at work.
pub(crate) struct Runner<'a> {
    client: Client,
    bodies: &'a Bodies,
    random: Random,
    prefix: String,
    made: u64,
    /// The keys of objects that this client has made and not deleted, and what they hold.
    living: Vec<(String, Body)>,
    /// Keys of objects that others have made, to be deleted.
    doomed: Vec<String>,
    history: History,
}

impl<'a> Runner<'a> {
    /// The prefix must be this client's own.
    pub(crate) fn new(client: Client, bodies: &'a Bodies, prefix: String, seed: u64) -> Self {
        let (living, doomed, history) = (Vec::new(), Vec::new(), History::default());
        Self { client, bodies, random: Random::new(seed), prefix, made: 0, living, doomed, history }
    }

    /// Has these objects deleted too, one after each card: nobody else may touch them any more.
    pub(crate) fn doom(&mut self, keys: Vec<String>) {
        self.doomed = keys;
    }

    /// Sends requests until the deck is used up or something fails; `done` hears of each that was acknowledged.
    pub(crate) fn run(&mut self, deck: &Deck, done: impl Fn()) -> Result<()> {
        while let Some(kind) = deck.draw() {
            self.perform(kind)?;
            done();
            if let Some(key) = self.doomed.pop() {
                self.delete(&key)?;
                done();
            }
        }
        Ok(())
    }

    /// What was sent and acknowledged.
    pub(crate) fn into_history(self) -> History {
        self.history
    }

    fn perform(&mut self, kind: Kind) -> Result<()> {
        match kind {
            _ if self.living.is_empty() => self.put("PUT", None, SMALL_BYTES),
            Kind::Small => self.put("PUT", None, SMALL_BYTES),
            Kind::Large => self.put("PUT of a large object", None, LARGE_BYTES),
            Kind::Overwrite => {
                let place = self.any_living();
                self.put("PUT over an object", Some(place), SMALL_BYTES)
            }
            Kind::OverwriteLarge => {
                let place = self.any_living();
                self.put("PUT of a large object over an object", Some(place), LARGE_BYTES)
            }
            Kind::Delete => {
                let place = self.any_living();
                let key = self.taken_out(Some(place));
                self.delete(&key)
            }
            Kind::Copy => self.copy(),
            Kind::Multipart => self.upload(),
        }
    }

    /// Writes a new object, or one in the place of another.
    fn put(&mut self, what: &'static str, place: Option<usize>, sizes: Range<usize>) -> Result<()> {
        let body = self.new_body(sizes);
        let key = self.taken_out(place);
        self.history.begin(&key, what, Some(body));
        self.client.put(&key, self.bodies.of(body))?;
        self.acknowledged(key, body);
        Ok(())
    }

    fn delete(&mut self, key: &str) -> Result<()> {
        self.history.begin(key, "DELETE", None);
        self.client.delete(key)?;
        self.history.acknowledge(key);
        Ok(())
    }

    fn copy(&mut self) -> Result<()> {
        let place = self.any_living();
        let (from, body) = self.living[place].clone();
        let over = (self.random.below(2) == 0).then(|| self.any_living());
        // An object copied onto itself stays what it is, and is refused.
        let over = over.filter(|place| self.living[*place].0 != from);
        let to = self.taken_out(over);
        self.history.begin(&to, "copy", Some(body));
        self.client.copy(&from, &to)?;
        self.acknowledged(to, body);
        Ok(())
    }

    fn upload(&mut self) -> Result<()> {
        let parts = 1 + usize::try_from(self.random.below(2)).unwrap_or(0);
        let last = 1 + usize::try_from(self.random.below(SMALL_BYTES.end as u64)).unwrap_or(0);
        let size = parts * PART_BYTES + last;
        let body = self.new_body(size..size + 1);
        let key = self.taken_out(None);
        let upload = self.client.begin_upload(&key)?;
        let first = self.history.parts.len();
        let mut etags = Vec::new();
        for (number, part) in (1..).zip(self.bodies.of(body).chunks(PART_BYTES)) {
            let etag = self.client.put_part(&key, &upload, number, part)?;
            etags.push(etag.clone());
            let (key, upload, acknowledged) = (key.clone(), upload.clone(), Moment::now());
            let part = Part { key, upload, number, etag, acknowledged, completed: Moment::END };
            self.history.parts.push(part);
        }
        ensure!(etags.len() == parts + 1, "the upload has {} parts, not {}", etags.len(), parts + 1);
        self.history.begin(&key, "upload in parts", Some(body));
        let sent = Moment::now();
        self.history.parts[first..].iter_mut().for_each(|part| part.completed = sent);
        self.client.complete_upload(&key, &upload, &etags)?;
        self.acknowledged(key, body);
        Ok(())
    }

    fn acknowledged(&mut self, key: String, body: Body) {
        self.history.acknowledge(&key);
        self.living.push((key, body));
    }

    /// The key of a living object, which lives no more until its new content is acknowledged; or a new key.
    fn taken_out(&mut self, place: Option<usize>) -> String {
        if let Some(place) = place {
            return self.living.swap_remove(place).0;
        }
        self.made += 1;
        format!("{}/{:05}", self.prefix, self.made)
    }

    fn any_living(&mut self) -> usize {
        usize::try_from(self.random.below(self.living.len() as u64)).unwrap_or(0)
    }

    /// Small sizes are more frequent than large ones: half of all bodies lie in the lowest part of the range.
    fn new_body(&mut self, sizes: Range<usize>) -> Body {
        let span = (sizes.end - sizes.start) as u64;
        let span = span >> (self.random.below(4) * 2).min(u64::from(span.ilog2()));
        let size = sizes.start + usize::try_from(self.random.below(span)).unwrap_or(0);
        Body { number: self.random.next(), size }
    }
}
