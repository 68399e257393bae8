//! A run: a server, the model of what it must hold, and the next operation.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use nuee::Tuning;
use nuee_access::{Action, Resource};
use nuee_testkit::{Answer, Client, Place, TestServer, signer::Draft};
use tokio::runtime::Runtime;

use super::state::{Absent, Bucket, Lock, Tag, Versioning};
use crate::random::Random;

pub(super) const KEYS: [&str; 6] = ["a", "a/b", "a/c/d", "ab", "b/é", "c"];
/// Keeps no versions.
pub(super) const PLAIN: &str = "plain";
/// Keeps versions, or does so no more, or not yet.
pub(super) const KEPT: &str = "kept";
/// Has locks.
pub(super) const LOCKED: &str = "locked";
const BUCKETS: [&str; 3] = [PLAIN, KEPT, LOCKED];
/// The least size of a part that is not the last.
pub(super) const LEAST_PART: usize = 100;
/// How much of what was asked before is told with a difference.
const TOLD: usize = 40;

/// Nothing, or what was different.
pub(super) type Outcome = Result<(), String>;

/// A place: bucket and key.
pub(super) type At = (&'static str, &'static str);

pub(super) struct Run {
    seed: u64,
    step: usize,
    runtime: Runtime,
    server: Option<TestServer>,
    client: Client,
    pub(super) random: Random,
    pub(super) buckets: BTreeMap<&'static str, Bucket>,
    /// Every id of a version that was given out.
    pub(super) ids: BTreeSet<String>,
    pub(super) uploads: Vec<String>,
    log: Vec<(usize, String)>,
}

impl Run {
    pub(super) fn start(seed: u64) -> Self {
        let runtime = Runtime::new().unwrap();
        let mut tuning = Tuning::default();
        tuning.store.minimum_part_bytes = LEAST_PART as u64;
        let server = runtime.block_on(TestServer::start_tuned(tuning, |_| {})).unwrap();
        let client = server.client(Place::Schools);
        let (buckets, ids, uploads, log) = (BTreeMap::new(), BTreeSet::new(), Vec::new(), Vec::new());
        let (random, server) = (Random::new(seed), Some(server));
        Self { seed, step: 0, runtime, server, client, random, buckets, ids, uploads, log }
    }

    /// So many operations.
    pub(super) fn go(mut self, steps: usize) -> Outcome {
        self.try_go(steps).map_err(|difference| self.tell(&difference))
    }

    fn try_go(&mut self, steps: usize) -> Outcome {
        for name in BUCKETS {
            self.make_bucket(name)?;
        }
        while self.step < steps {
            self.step += 1;
            self.operate()?;
            if self.step == steps / 2 {
                let server = self.server.take().unwrap();
                let server = self.runtime.block_on(server.restart()).unwrap();
                self.client = server.client(Place::Schools);
                self.server = Some(server);
            }
        }
        self.read_everything()?;
        self.verify()
    }

    fn operate(&mut self) -> Outcome {
        match self.random.below(40) {
            0..=6 => self.put(),
            7..=12 => self.read(),
            13..=15 => self.copy(),
            16..=19 => self.delete(),
            20 => self.delete_many(),
            21..=28 => self.upload(),
            29 | 30 => self.object_tags(),
            31 | 32 => self.retention(),
            33 => self.legal_hold(),
            34 => self.set_bucket(),
            35 | 36 => self.list_objects(),
            37 | 38 => self.list_versions(),
            _ => self.list_uploads(),
        }
    }

    /// Every version of every key.
    fn read_everything(&mut self) -> Outcome {
        for name in BUCKETS {
            for key in KEYS {
                self.read_of((name, key), None)?;
                let versions = self.buckets[name].versions(key);
                let ids: Vec<_> = versions.iter().map(|version| version.id.clone()).collect();
                for id in ids {
                    self.read_of((name, key), Some(&id))?;
                }
            }
        }
        Ok(())
    }

    fn verify(&self) -> Outcome {
        let platform = self.server.as_ref().unwrap().platform();
        let permit = platform.decider().decide(&platform.operator(), Action::Verify, Resource::Platform);
        let report = platform.store();
        let report = self.runtime.block_on(report.verify(&permit.unwrap(), true, |_| {})).unwrap();
        if report.damaged == 0 { Ok(()) } else { Err(format!("verification finds damage: {report:?}")) }
    }

    /// A difference, with what was asked of the same key, or changed in the same bucket, before.
    fn tell(&self, difference: &str) -> String {
        let target = |text: &str| text.split(' ').nth(1).unwrap_or_default().to_owned();
        let path = |text: &str| target(text).split('?').next().unwrap_or_default().to_owned();
        let asked = path(self.log.last().map_or("", |(_, text)| text));
        let bucket = format!("/{}", asked.split('/').nth(1).unwrap_or_default());
        let concerns = |text: &str| {
            let is_change = path(text) == bucket || asked == bucket && path(text).starts_with(&bucket);
            let is_source = text.contains(&format!("\"{asked}"));
            path(text) == asked || is_source || is_change && !text.starts_with("GET")
        };
        let lines: Vec<_> = self.log.iter().filter(|(_, text)| concerns(text)).collect();
        let told = &lines[lines.len().saturating_sub(TOLD)..];
        let lines: String = told.iter().map(|(step, text)| format!("{step}: {text}\n")).collect();
        format!("seed {}, step {}: {difference}\n{lines}", self.seed, self.step)
    }

    pub(super) fn bucket_mut(&mut self, name: &str) -> &mut Bucket {
        self.buckets.get_mut(name).unwrap()
    }

    pub(super) fn at(&mut self) -> At {
        (self.random.pick(&BUCKETS), self.random.pick(&KEYS))
    }

    pub(super) fn ask(&mut self, draft: Draft) -> Answer {
        let shown = |(name, _): &&(String, String)| !["host", "content-length"].contains(&&**name);
        let headers: Vec<_> = draft.headers.iter().filter(shown).collect();
        let small = String::from_utf8(draft.body.iter().copied().take(300).collect()).unwrap_or_default();
        let asked = format!("{} {} {headers:?} {small}", draft.method, draft.target());
        let answer = self.client.send(draft).unwrap();
        let length = answer.header("content-length").unwrap_or_default();
        self.log.push((self.step, format!("{asked} -> {} {} {length}", answer.status, answer.code())));
        answer
    }

    /// The id of a version of the key, of another, of one that is gone, or none.
    pub(super) fn any_id(&mut self, (bucket, key): At) -> Option<String> {
        let own: Vec<_> = self.buckets[bucket].versions(key).iter().map(|version| &version.id).collect();
        match self.random.below(10) {
            0 => Some("null".to_owned()),
            1 => {
                let all: Vec<_> = self.ids.iter().collect();
                (!all.is_empty()).then(|| self.random.pick(&all).clone())
            }
            2..=5 if !own.is_empty() => Some(self.random.pick(&own).clone()),
            _ => None,
        }
    }

    /// What a new version is called: new, where versions are kept.
    pub(super) fn bind(&mut self, bucket: &str, told: Option<&str>) -> Result<String, String> {
        match self.buckets[bucket].versioning {
            Versioning::Enabled => {
                let id = told.ok_or("a new version has no id")?.to_owned();
                let is_new = id != "null" && self.ids.insert(id.clone());
                if is_new { Ok(id) } else { Err(format!("{id} is the id of a new version")) }
            }
            Versioning::Suspended => {
                same("the id of a new version", told, Some("null")).map(|()| "null".into())
            }
            Versioning::Unversioned => same("the id of a new version", told, None).map(|()| "null".into()),
        }
    }

    pub(super) fn bytes(&mut self) -> Vec<u8> {
        let size = match self.random.below(30) {
            0 => 200_000 + self.random.below(50_000),
            1 | 2 => 0,
            _ => 1 + self.random.below(300),
        };
        let letter = b'a' + self.random.below(26) as u8;
        (0..size).map(|place| if place % 7 == 0 { letter } else { b'.' }).collect()
    }

    pub(super) fn tags(&mut self) -> Vec<Tag> {
        let count = self.random.below(4);
        (0..count)
            .map(|number| (format!("k{number}"), self.random.pick(&["", "x", "y z"]).to_owned()))
            .collect()
    }

    /// Mostly nothing.
    pub(super) fn lock(&mut self) -> Lock {
        let retention = self.random.one_in(3).then(|| self.some_retention());
        let hold = self.random.one_in(5).then(|| self.random.pick(&["ON", "ON", "OFF"]));
        Lock { retention, hold }
    }

    pub(super) fn some_retention(&mut self) -> (&'static str, String) {
        let year = self.random.pick(&["2090", "2095", "2100"]);
        // What is retained in the COMPLIANCE mode stays to the end of the run.
        let mode = if self.random.one_in(5) { "COMPLIANCE" } else { "GOVERNANCE" };
        (mode, format!("{year}-01-01T00:00:00Z"))
    }
}

/// A request for an object.
pub(super) fn draft(method: Method, (bucket, key): At) -> Draft {
    Draft::new(method, &path((bucket, key)))
}

pub(super) fn path((bucket, key): At) -> String {
    format!("/{bucket}/{}", key.replace('é', "%C3%A9"))
}

/// The same of a version, if one is named.
pub(super) fn of_version(draft: Draft, id: Option<&str>) -> Draft {
    match id {
        Some(id) => draft.query("versionId", id),
        None => draft,
    }
}

/// That what came is what was expected.
#[expect(clippy::needless_pass_by_value, reason = "most of what is compared was made for it")]
pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Outcome {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, and not {expected:?}")) }
}

/// That an answer has this status, and this code if its kind has codes.
pub(super) fn answered(answer: &Answer, status: u16, code: &str) -> Outcome {
    let code = if answer.body.is_empty() { "" } else { code };
    same("the answer", (answer.status, &*answer.code()), (status, code))
}

/// That an answer says why there is nothing.
pub(super) fn absent(answer: &Answer, absent: &Absent) -> Outcome {
    answered(answer, absent.status, absent.code)?;
    let marker = absent.marker.as_ref().map(|_| "true");
    same("the delete marker", answer.header("x-amz-delete-marker"), marker)?;
    same("the marker's id", answer.header("x-amz-version-id"), absent.marker.as_deref())
}

/// The text of the first element of this name.
pub(super) fn inside(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0.replace("&quot;", "\""))
}
