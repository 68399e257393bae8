//! What happened to objects, for those whom their buckets tell.
//!
//! The journal holds every change, in the order in which they were committed, in the transactions that made them. So
//! events are read from it, and nothing is written for them: one that was acknowledged has its event, one that failed
//! has none, and those of a key come in the order of its changes. How far a destination was told is a number of a leaf.

use std::{collections::HashMap, sync::Arc};

use nuee_access::Action;
use nuee_base::{ObjectKey, Principal, ProjectId, Timestamp};
use nuee_journal::Leaf;
use nuee_metadata::{LeafRow, Snapshot, Transaction};

use crate::{
    Bucket, ETag, Error, EventName, SettingName, Store,
    deletion::{MARKER, NULL, NULL_MARKER},
    object::{FROM_COPY, FROM_FORM, shown_id},
    upload::COMPLETE_UPLOAD,
};

/// Leaves that are read at once.
const LEAVES: u32 = 1_000;
/// Buckets that are looked at at once.
const BUCKETS: u32 = 1_000;
const NOTIFICATIONS: &str = SettingName::Notifications.as_str();

/// What happened.
#[derive(Debug, Clone)]
pub enum Happening {
    /// To an object.
    Object {
        /// What.
        name: EventName,
        /// Its key.
        key: ObjectKey,
        /// The id of the version, or of the delete marker, where versions are kept.
        version: Option<String>,
        /// The size in bytes and the entity tag of what was written, unless it is gone already.
        content: Option<(u64, ETag)>,
        /// The name of the rule that asks for it.
        rule: String,
    },
    /// The bucket was told to send events here.
    Configured,
}

/// An event, on its way to a destination.
#[derive(Debug, Clone)]
pub struct Event {
    /// The number of its leaf in the journal, which orders events.
    pub leaf: i64,
    /// When it was committed.
    pub at: Timestamp,
    /// Who did it.
    pub by: String,
    /// Where.
    pub bucket: Arc<Bucket>,
    /// What.
    pub what: Happening,
}

impl Event {
    /// The key that it is about, if any.
    #[must_use]
    pub fn key(&self) -> Option<&ObjectKey> {
        match &self.what {
            Happening::Object { key, .. } => Some(key),
            Happening::Configured => None,
        }
    }
}

/// What was read of the journal for a destination.
#[derive(Debug, Clone, Default)]
pub struct Events {
    /// Events, in order.
    pub events: Vec<Event>,
    /// The last leaf that was looked at.
    pub read_to: i64,
    /// Whether that was the last one of all.
    pub is_all: bool,
}

impl Store {
    /// The events for `destination` among the next leaves after `after`, from buckets of these projects.
    pub fn events(&self, destination: &str, projects: &[ProjectId], after: i64) -> Result<Events, Error> {
        let buckets = self.telling_buckets(destination, projects)?;
        self.0.metadata.read_consistent(|snapshot| {
            let last = snapshot.last_sequence()?;
            // Of a journal that was put back from a backup, the leaves that were read are gone.
            let after = after.min(last);
            if buckets.is_empty() {
                return Ok(Events { events: Vec::new(), read_to: last, is_all: true });
            }
            let rows = snapshot.leaves(after, LEAVES)?;
            let read_to = rows.last().map_or(after, |row| row.id);
            let mut events = Vec::new();
            for row in &rows {
                // A leaf that cannot be read is told of by those who verify.
                let Ok(Some(leaf)) = Leaf::read(&self.0.keys, row) else { continue };
                let Some(bucket) = buckets.get(&leaf.on) else { continue };
                if let Some(what) = self.happening(snapshot, (bucket, destination), &leaf)? {
                    events.push(event(row, leaf, bucket, what));
                }
            }
            Ok(Events { events, read_to, is_all: read_to == last })
        })
    }

    /// The buckets that send anything to a destination, by what the journal calls them.
    fn telling_buckets(
        &self,
        destination: &str,
        projects: &[ProjectId],
    ) -> Result<HashMap<String, Arc<Bucket>>, Error> {
        let (mut buckets, mut after) = (HashMap::new(), 0);
        loop {
            let rows = self.0.metadata.read_consistent(|snapshot| {
                let numbers = snapshot.buckets_with_setting(NOTIFICATIONS, after, BUCKETS)?;
                numbers
                    .into_iter()
                    .map(|number| snapshot.bucket_by_number(number))
                    .collect::<Result<Vec<_>, _>>()
            })?;
            let Some(last) = rows.iter().flatten().last() else { return Ok(buckets) };
            after = last.number;
            for row in rows.into_iter().flatten().filter(|row| projects.contains(&row.project)) {
                match self.find_bucket(&row.name) {
                    Ok(bucket) if tells(&bucket, destination) => {
                        buckets.insert(bucket.on(), bucket);
                    }
                    Ok(_) | Err(Error::NoSuchBucket(_)) => {}
                    Err(error) => {
                        tracing::error!(%error, bucket = row.number, "the events of a bucket cannot be told");
                    }
                }
            }
        }
    }

    fn happening(
        &self,
        snapshot: &Snapshot<'_>,
        (bucket, destination): (&Bucket, &str),
        leaf: &Leaf,
    ) -> Result<Option<Happening>, Error> {
        let Some(rules) = bucket.settings.notifications.as_ref().filter(|rules| leaf.id > rules.since) else {
            return Ok(None);
        };
        if leaf.action == Action::PutBucketNotification.as_str() {
            return Ok(Some(Happening::Configured));
        }
        let Some((name, key)) = name(leaf).zip(leaf.key.as_ref()) else { return Ok(None) };
        let Some(rule) = rules.find(destination, name, key) else { return Ok(None) };
        let number = leaf.version.unwrap_or(leaf.id);
        let written = match name {
            EventName::Delete
            | EventName::DeleteMarkerCreated
            | EventName::Expired
            | EventName::ExpiredToMarker => None,
            _ => snapshot.version(number)?,
        };
        let written = written.and_then(|row| self.open_version(bucket, &row).ok());
        // What was removed by its key alone, where no versions are kept, has no id.
        let is_named = leaf.version.is_some() || !matches!(name, EventName::Delete | EventName::Expired);
        let is_null = match &written {
            Some(version) => version.is_null,
            None => leaf.detail.as_deref().is_some_and(|detail| detail.starts_with(NULL)),
        };
        let version = is_named.then(|| shown_id(bucket, number, is_null)).flatten();
        let content = written.map(|version| (version.size, version.etag));
        Ok(Some(Happening::Object { name, key: key.clone(), version, content, rule: rule.id.clone() }))
    }

    /// The last leaf of all.
    pub fn last_leaf(&self) -> Result<i64, Error> {
        Ok(self.0.metadata.read(|snapshot| snapshot.last_sequence())?)
    }

    /// The leaf up to which a destination was told everything; at first, that of now.
    pub async fn events_told(&self, destination: &str) -> Result<i64, Error> {
        let name = place(destination);
        let kept = self.0.metadata.read(|snapshot| snapshot.platform_value(&name))?;
        let told = kept.and_then(|bytes| Some(i64::from_be_bytes(bytes.try_into().ok()?)));
        if let Some(told) = told {
            return Ok(told);
        }
        let last = self.last_leaf()?;
        self.set_events_told(destination, last).await?;
        Ok(last)
    }

    /// Notes that a destination was told everything up to a leaf.
    pub async fn set_events_told(&self, destination: &str, leaf: i64) -> Result<(), Error> {
        let name = place(destination);
        let keep = move |transaction: &Transaction<'_>| {
            Ok::<_, Error>(transaction.set_platform_value(&name, &leaf.to_be_bytes())?)
        };
        self.0.metadata.write(keep).await
    }
}

/// The fact of the platform that says how far a destination was told.
fn place(destination: &str) -> String {
    format!("events-told/{destination}")
}

fn tells(bucket: &Bucket, destination: &str) -> bool {
    let rules = bucket.settings.notifications.as_ref();
    rules.is_some_and(|rules| rules.rules().iter().any(|rule| rule.destination == destination))
}

fn event(row: &LeafRow, leaf: Leaf, bucket: &Arc<Bucket>, what: Happening) -> Event {
    Event { leaf: row.id, at: row.at, by: leaf.by, bucket: Arc::clone(bucket), what }
}

/// What a leaf tells of an object, if that is an event.
fn name(leaf: &Leaf) -> Option<EventName> {
    let is = |known: Action| leaf.action == known.as_str();
    let detail = leaf.detail.as_deref().unwrap_or_default();
    let expired = leaf.by == Principal::Lifecycle.to_string();
    Some(if is(Action::PutObject) {
        match detail {
            FROM_FORM => EventName::Post,
            _ if detail.starts_with(FROM_COPY) => EventName::Copy,
            _ => EventName::Put,
        }
    } else if leaf.action == COMPLETE_UPLOAD {
        EventName::CompleteMultipartUpload
    } else if is(Action::DeleteObject) || is(Action::DeleteObjectVersion) {
        match (matches!(detail, MARKER | NULL_MARKER), expired) {
            (false, false) => EventName::Delete,
            (false, true) => EventName::Expired,
            (true, false) => EventName::DeleteMarkerCreated,
            (true, true) => EventName::ExpiredToMarker,
        }
    } else if is(Action::PutObjectTagging) || is(Action::PutObjectVersionTagging) {
        EventName::Tagged
    } else if is(Action::DeleteObjectTagging) || is(Action::DeleteObjectVersionTagging) {
        EventName::Untagged
    } else {
        return None;
    })
}
