//! What S3 says that buckets hold, and what becomes of it.

use std::{collections::BTreeMap, sync::Arc};

/// A tag: key and value.
pub(super) type Tag = (String, String);

/// What keeps a version from being removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lock {
    /// Mode, and until when as S3 writes it. The dates that requests name are far away; those of a default are told by
    /// the server, and before all others.
    pub(super) retention: Option<(&'static str, String)>,
    /// `ON` or `OFF`, if anybody ever said it.
    pub(super) hold: Option<&'static str>,
}

/// What an object has beside its name.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) bytes: Arc<Vec<u8>>,
    /// With quotes.
    pub(super) etag: String,
    /// Content type and user metadata, by the headers that show them.
    pub(super) details: BTreeMap<&'static str, String>,
    pub(super) tags: Vec<Tag>,
    pub(super) lock: Lock,
    /// When it was written, once the server has said so.
    pub(super) modified: Option<String>,
}

/// A version of a key, or a delete marker.
#[derive(Debug, Clone)]
pub(super) struct Version {
    /// `null` of the null version.
    pub(super) id: String,
    /// Nothing, of a delete marker.
    pub(super) content: Option<Content>,
}

/// An upload in parts.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    pub(super) key: &'static str,
    pub(super) parts: BTreeMap<usize, Arc<Vec<u8>>>,
    /// What its object will be, but for its bytes.
    pub(super) content: Content,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Versioning {
    #[default]
    Unversioned,
    Enabled,
    Suspended,
}

/// How a bucket locks versions.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Locks {
    /// The mode that new ones are retained in by themselves.
    pub(super) default: Option<&'static str>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Bucket {
    pub(super) versioning: Versioning,
    /// That its versions can be locked, if they can.
    pub(super) lock: Option<Locks>,
    /// The versions of each key, the newest last.
    pub(super) keys: BTreeMap<&'static str, Vec<Version>>,
    pub(super) uploads: BTreeMap<String, Upload>,
}

/// Why there is nothing to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Absent {
    pub(super) status: u16,
    pub(super) code: &'static str,
    /// The id of the delete marker that is there instead.
    pub(super) marker: Option<String>,
}

impl Bucket {
    pub(super) fn versions(&self, key: &str) -> &[Version] {
        self.keys.get(key).map_or(&[], Vec::as_slice)
    }

    /// What the key names.
    pub(super) fn latest(&self, key: &str) -> Option<&Content> {
        self.versions(key).last()?.content.as_ref()
    }

    /// What a request for this key, and this id if it has one, reads.
    pub(super) fn find(&self, key: &str, id: Option<&str>) -> Result<(&str, &Content), Absent> {
        let versions = self.versions(key);
        let (status, code, found) = match id {
            None => (404, "NoSuchKey", versions.last()),
            Some(id) => (404, "NoSuchVersion", versions.iter().find(|version| version.id == id)),
        };
        let Some(Version { id: found, content }) = found else {
            return Err(Absent { status, code, marker: None });
        };
        let (status, code) = if id.is_some() { (405, "MethodNotAllowed") } else { (status, code) };
        let absent = || Absent { status, code, marker: Some(found.clone()) };
        content.as_ref().map(|content| (&**found, content)).ok_or_else(absent)
    }

    /// The same, to be changed.
    pub(super) fn find_mut(&mut self, key: &str, id: Option<&str>) -> &mut Content {
        let versions = self.keys.get_mut(key).unwrap();
        let found = match id {
            None => versions.last_mut(),
            Some(id) => versions.iter_mut().find(|version| version.id == id),
        };
        found.unwrap().content.as_mut().unwrap()
    }

    /// The id that answers show of a version.
    pub(super) fn shown<'a>(&self, id: &'a str) -> Option<&'a str> {
        (self.versioning != Versioning::Unversioned).then_some(id)
    }

    /// A version, or a marker, becomes the newest of its key. `id` is what the server called it.
    pub(super) fn add(&mut self, key: &'static str, id: &str, content: Option<Content>) {
        let is_null = self.versioning != Versioning::Enabled;
        let versions = self.keys.entry(key).or_default();
        if is_null {
            versions.retain(|version| version.id != "null");
        }
        let id = if is_null { "null" } else { id }.to_owned();
        let is_kept = content.is_some() || self.versioning != Versioning::Unversioned;
        versions.extend(is_kept.then_some(Version { id, content }));
    }

    /// Removes a version for good; says whether it was a marker, and nothing if there is no such version, or why not.
    pub(super) fn remove(&mut self, key: &str, id: &str, bypass: bool) -> Result<Option<bool>, &'static str> {
        let Some(versions) = self.keys.get_mut(key) else { return Ok(None) };
        let Some(place) = versions.iter().position(|version| version.id == id) else { return Ok(None) };
        let is_kept = versions[place].content.as_ref().is_some_and(|content| content.lock.keeps(bypass));
        if is_kept {
            return Err("AccessDenied");
        }
        Ok(Some(versions.remove(place).content.is_none()))
    }

    /// What a new version is locked by, when its writer asks for this.
    pub(super) fn lock_of_new(&self, asked: &Lock) -> Result<Lock, &'static str> {
        match self.lock {
            None if *asked == Lock::default() => Ok(Lock::default()),
            None => Err("InvalidRequest"),
            Some(locks) => {
                let by_itself = || locks.default.map(|mode| (mode, String::new()));
                Ok(Lock { retention: asked.retention.clone().or_else(by_itself), hold: asked.hold })
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.uploads.is_empty() && self.keys.values().all(Vec::is_empty)
    }
}

impl Lock {
    /// Whether the version must stay. No retention of a run ends while it lasts.
    pub(super) fn keeps(&self, bypass: bool) -> bool {
        let retained = |(mode, _): &(&str, String)| *mode == "COMPLIANCE" || !bypass;
        self.hold == Some("ON") || self.retention.as_ref().is_some_and(retained)
    }

    /// Whether its retention can be this one instead.
    pub(super) fn can_become(&self, new: Option<&(&'static str, String)>, bypass: bool) -> bool {
        let Some((mode, until)) = &self.retention else { return true };
        let as_strong = new.is_some_and(|(new_mode, new_until)| new_mode == mode && new_until >= until);
        as_strong || *mode == "GOVERNANCE" && bypass
    }
}
