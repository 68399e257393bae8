//! Whether a server still holds what was acknowledged.

use anyhow::Result;

use super::bodies::{Bodies, Body};
use super::client::Client;
use super::history::{Expected, Held, History, Moment};

/// Something that was acknowledged and is not there, or something that nobody wrote.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// In a sentence, with the request that was acknowledged.
    pub(crate) text: String,
}

/// Reads objects and compares them with a history.
pub(crate) struct Checker<'a> {
    client: Client,
    bodies: &'a Bodies,
    buffer: Vec<u8>,
    /// How many objects were compared.
    pub(crate) checked: usize,
    pub(crate) findings: Vec<Finding>,
}

impl<'a> Checker<'a> {
    /// A checker with a connection of its own.
    pub(crate) fn new(client: Client, bodies: &'a Bodies) -> Self {
        Self { client, bodies, buffer: Vec::new(), checked: 0, findings: Vec::new() }
    }

    /// Checks every key and every part that was touched before the cut.
    pub(crate) fn check_all(&mut self, history: &History, cut: Moment) {
        for key in history.keys().filter(|key| history.was_touched(key, cut)) {
            self.check(history, key, cut);
        }
        for part in &history.parts {
            if part.acknowledged < cut && part.completed >= cut {
                let listed = self.client.parts(&part.key, &part.upload);
                let there = listed.as_ref().is_ok_and(|text| {
                    text.as_ref().is_some_and(|text| text.contains(part.etag.trim_matches('"')))
                });
                if !there {
                    let text =
                        format!("part {} of an upload to {} is lost: {listed:?}", part.number, part.key);
                    self.findings.push(Finding { text });
                }
            }
        }
    }

    /// Checks one key; gives what it holds, if that is one of the things it may hold.
    pub(crate) fn check(&mut self, history: &History, key: &str, cut: Moment) -> Option<Held> {
        self.checked += 1;
        let expected = history.expected(key, cut);
        let candidates = std::iter::once(expected.settled).chain(expected.under_way.iter().copied());
        let there = self.client.get(key, &mut self.buffer);
        let found = there.as_ref().ok().and_then(|there| {
            candidates.into_iter().find(|held| match held {
                Some(body) => *there && self.buffer == self.bodies.of(*body),
                None => !there,
            })
        });
        if found.is_none() {
            let text = self.describe(key, &expected, there);
            self.findings.push(Finding { text });
        }
        found
    }

    /// Checks that a new object can be written and read.
    pub(crate) fn check_writing(&mut self) {
        let body = self.bodies.of(Body { number: 0, size: 1000 });
        let written = self.client.put("written-after", body);
        let read = written.and_then(|()| self.client.get("written-after", &mut self.buffer));
        if !matches!(read, Ok(true)) || self.buffer != body {
            let text = format!("a new object could not be written: {read:?}");
            self.findings.push(Finding { text });
        }
    }

    fn describe(&self, key: &str, expected: &Expected, there: Result<bool>) -> String {
        let seen = match there {
            Ok(true) => format!("{} other bytes", self.buffer.len()),
            Ok(false) => "nothing".to_owned(),
            Err(error) => format!("an error: {error:#}"),
        };
        let settled = expected.settled.map_or("nothing".to_owned(), |body| format!("{} bytes", body.size));
        let by = expected.by.as_ref().map_or("never written".to_owned(), |change| {
            let acknowledged = change.acknowledged.map_or(0, |moment| moment.0);
            format!("by a {} acknowledged at {acknowledged} µs", change.what)
        });
        let under_way = expected.under_way.len();
        format!("{key} holds {seen}; it must hold {settled}, {by}, with {under_way} requests under way")
    }
}
