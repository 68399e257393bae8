//! Conditions of requests, as RFC 9110 and S3 have them.

use nuee_testkit::signer::Draft;

use super::state::Content;
use crate::random::Random;

const PAST: &str = "Mon, 01 Jan 2001 00:00:00 GMT";
const FUTURE: &str = "Fri, 01 Jan 2100 00:00:00 GMT";

/// Values of `If-Match`, `If-None-Match`, `If-Modified-Since`, `If-Unmodified-Since`.
#[derive(Debug, Clone, Default)]
pub(super) struct Conditions([Option<String>; 4]);

/// What comes of conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    Failed,
    NotModified,
    /// `If-Match` asks for what is not there.
    Absent,
}

impl Conditions {
    /// Mostly none.
    pub(super) fn random(random: &mut Random, present: Option<&Content>) -> Self {
        let mut values = [const { None }; 4];
        if random.one_in(3) {
            for (place, value) in values.iter_mut().enumerate() {
                *value = random.one_in(3).then(|| value_of(random, place, present));
            }
        }
        Self(values)
    }

    /// The condition that an object has this tag.
    pub(super) fn matching(etag: &str) -> Self {
        Self([Some(etag.to_owned()), None, None, None])
    }

    /// Adds them to a request; those on the source of a copy begin with more.
    pub(super) fn apply(&self, mut draft: Draft, begin: &str) -> Draft {
        let names = ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"];
        for (name, value) in names.iter().zip(&self.0) {
            if let Some(value) = value {
                draft = draft.header(&format!("{begin}{name}"), value);
            }
        }
        draft
    }

    pub(super) fn check(&self, present: Option<&Content>) -> Verdict {
        let [matches, differs, since, unmodified] = &self.0;
        let Some(present) = present else {
            return if matches.is_some() { Verdict::Absent } else { Verdict::Passed };
        };
        // A date is of long ago, of long after, or when the version was written.
        let is_later = |date: &Option<String>| date.as_deref() == Some(PAST);
        let failed = match matches {
            Some(tags) => !has(tags, &present.etag),
            None => is_later(unmodified),
        };
        let unchanged = match differs {
            Some(tags) => has(&tags.replace("W/", ""), &present.etag),
            None => since.is_some() && !is_later(since),
        };
        match (failed, unchanged) {
            (true, _) => Verdict::Failed,
            (false, true) => Verdict::NotModified,
            (false, false) => Verdict::Passed,
        }
    }

    /// Status and code of the refusal of a write; nothing if it is made.
    pub(super) fn refusal_of_write(&self, present: Option<&Content>) -> Option<(u16, &'static str)> {
        match self.check(present) {
            Verdict::Passed => None,
            Verdict::Absent => Some((404, "NoSuchKey")),
            Verdict::Failed | Verdict::NotModified => Some((412, "PreconditionFailed")),
        }
    }
}

fn has(tags: &str, etag: &str) -> bool {
    tags == "*"
        || tags
            .split(", ")
            .any(|tag| tag.trim_matches('"') == etag.trim_matches('"') && !tag.starts_with("W/"))
}

fn value_of(random: &mut Random, place: usize, present: Option<&Content>) -> String {
    let other = "\"0123456789abcdef0123456789abcdef\"";
    let etag = present.map_or(other, |present| &present.etag);
    if place >= 2 {
        let written = present.and_then(|present| present.modified.as_deref());
        return random.pick(&[PAST, FUTURE, written.unwrap_or(FUTURE)]).to_owned();
    }
    match random.below(7) {
        0 => other.to_owned(),
        1 => "*".to_owned(),
        2 => format!("{other}, {etag}"),
        3 => etag.trim_matches('"').to_owned(),
        4 => format!("W/{etag}"),
        _ => etag.to_owned(),
    }
}
