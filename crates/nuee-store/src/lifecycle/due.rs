//! Whether a version, a delete marker or an upload is to go: asked of each row, and asked again in the transaction that
//! would remove it.

use nuee_base::{ErrorKind, ObjectKey, Timestamp, UploadId};
use nuee_metadata::{Snapshot, UploadRow, VersionRow};

use super::{
    day::after_days,
    plan::Plan,
    rule::{LifecycleRule, NoncurrentExpiration},
};
use crate::{
    Error, Store, Versioning,
    record::{Listed, Version},
};

/// A row of a listing of versions.
pub(super) struct Row {
    pub(super) key: ObjectKey,
    pub(super) id: i64,
    /// Whether its key names it.
    pub(super) is_latest: bool,
    pub(super) listed: Listed,
}

/// What a rule lets go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) key: ObjectKey,
    pub(super) what: What,
    /// The place of the rule.
    pub(super) rule: usize,
    /// Bytes that nothing holds any more then.
    pub(super) bytes: u64,
}

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The object that its key names, which is this version.
    Object(i64),
    /// A version that its key does not name by itself, for good.
    Version { id: i64, is_null: bool },
    /// A delete marker.
    Marker { id: i64, is_null: bool },
    /// An upload.
    Upload(UploadId),
}

/// What becomes of a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// No rule is about it yet.
    Stays,
    /// A rule would let it go, and a lock keeps it.
    Locked,
    /// It goes.
    Goes(Due),
}

impl Row {
    fn modified_at(&self) -> Timestamp {
        Timestamp::from_micros(self.listed.modified_at_micros)
    }

    fn is_marker(&self) -> bool {
        self.listed.object.is_none()
    }

    fn size(&self) -> u64 {
        self.listed.object.as_ref().map_or(0, |object| object.size)
    }
}

impl Plan {
    /// The first rule that is about a row, as far as its listing tells, and of which `says` is true.
    fn rule<'p>(
        &'p self,
        row: &Row,
        says: impl Fn(&LifecycleRule) -> bool,
    ) -> Option<(usize, &'p LifecycleRule)> {
        self.lifecycle.enabled().find(|(_, rule)| {
            let filter = &rule.filter;
            // A marker has no tags and no size.
            let fits = if row.is_marker() { !filter.is_of_objects() } else { filter.fits_size(row.size()) };
            fits && filter.fits_key(row.key.as_str()) && says(rule)
        })
    }

    /// The most versions that a rule keeps.
    fn most_kept(&self) -> u32 {
        let kept = self.lifecycle.enabled().filter_map(|(_, rule)| rule.noncurrent?.keep);
        kept.max().unwrap_or(0)
    }

    fn has_come(&self, at: Option<Timestamp>) -> bool {
        at.is_some_and(|at| at <= self.now)
    }

    /// Whether a row may be due: most are not, and cost nothing more.
    pub(super) fn may_be_due(&self, row: &Row) -> bool {
        let modified_at = row.modified_at();
        let says = |rule: &LifecycleRule| {
            let at = match (row.is_latest, row.is_marker()) {
                (true, _) => rule.expiration.and_then(|expiration| expiration.of_written(modified_at)),
                (false, true) => rule.expiration.and_then(|expiration| expiration.of_marker(modified_at)),
                (false, false) => None,
            };
            // Whatever came after it came later.
            let noncurrent = rule.noncurrent.filter(|_| !row.is_latest);
            let noncurrent = noncurrent.map(|noncurrent| after_days(modified_at, noncurrent.days));
            self.has_come(at) || self.has_come(noncurrent)
        };
        self.rule(row, says).is_some()
    }
}

impl Store {
    /// Whether a row is to go. [`ErrorKind::Corrupt`] if it is damaged, or what it depends on: it stays then.
    pub(super) fn judge(&self, snapshot: &Snapshot<'_>, plan: &Plan, row: &Row) -> Result<Judgement, Error> {
        if !plan.may_be_due(row) {
            return Ok(Judgement::Stays);
        }
        if row.is_latest {
            return self.judge_object(snapshot, plan, row);
        }
        match self.replaced_at(snapshot, plan, row)? {
            Some(since) => self.judge_noncurrent(snapshot, plan, (row, since)),
            None => judge_marker(snapshot, plan, row),
        }
    }

    fn judge_object(&self, snapshot: &Snapshot<'_>, plan: &Plan, row: &Row) -> Result<Judgement, Error> {
        let version = self.opened(snapshot, plan, row)?;
        let tags = self.open_tags(&plan.bucket, &version.tags)?;
        let says = |rule: &LifecycleRule| {
            let at = rule.expiration.and_then(|expiration| expiration.of_written(row.modified_at()));
            plan.has_come(at) && rule.filter.fits_tags(&tags)
        };
        let Some((rule, _)) = plan.rule(row, says) else { return Ok(Judgement::Stays) };
        let for_good = match plan.bucket.versioning {
            Versioning::Unversioned => true,
            Versioning::Enabled => false,
            Versioning::Suspended => version.is_null,
        };
        let bytes = if for_good { row.size() } else { 0 };
        let due = Due { key: row.key.clone(), what: What::Object(row.id), rule, bytes };
        Ok(if for_good { self.unless_locked(&version, due) } else { Judgement::Goes(due) })
    }

    /// Of what was replaced, or deleted, at `since`.
    fn judge_noncurrent(
        &self,
        snapshot: &Snapshot<'_>,
        plan: &Plan,
        (row, since): (&Row, Timestamp),
    ) -> Result<Judgement, Error> {
        let version = if row.is_marker() { None } else { Some(self.opened(snapshot, plan, row)?) };
        let tags = version.as_ref().map(|version| self.open_tags(&plan.bucket, &version.tags)).transpose()?;
        let newer = match plan.most_kept() {
            0 => 0,
            most => snapshot.newer_history(plan.bucket.number, &row.key, (row.id, most))?,
        };
        let says = |rule: &LifecycleRule| {
            let is_beyond = |NoncurrentExpiration { days, keep }| {
                plan.has_come(Some(after_days(since, days))) && newer >= i64::from(keep.unwrap_or(0))
            };
            let fits = tags.as_ref().is_none_or(|tags| rule.filter.fits_tags(tags));
            fits && rule.noncurrent.is_some_and(is_beyond)
        };
        let Some((rule, _)) = plan.rule(row, says) else { return Ok(Judgement::Stays) };
        let (id, is_null) = (row.id, row.listed.is_null);
        let what = if row.is_marker() { What::Marker { id, is_null } } else { What::Version { id, is_null } };
        let due = Due { key: row.key.clone(), what, rule, bytes: row.size() };
        Ok(match &version {
            Some(version) => self.unless_locked(version, due),
            None => Judgement::Goes(due),
        })
    }

    fn unless_locked(&self, version: &Version, due: Due) -> Judgement {
        match version.lock.allow_removal(self.0.lock_clock.now(), false) {
            Ok(()) => Judgement::Goes(due),
            Err(_) => Judgement::Locked,
        }
    }

    /// When the next version, or marker, of a key was written; `None` if there is none.
    fn replaced_at(
        &self,
        snapshot: &Snapshot<'_>,
        plan: &Plan,
        row: &Row,
    ) -> Result<Option<Timestamp>, Error> {
        let (bucket, key) = (&plan.bucket, &row.key);
        let next = match snapshot.next_history(bucket.number, key, row.id)? {
            Some(next) => self.open_history(bucket, (next.version, key.as_str()), &next.record, &next.mac)?,
            None => match snapshot.latest(bucket.number, key)? {
                Some((id, record, mac)) => self.open_listed(bucket, (id, key.as_str()), &record, &mac)?,
                None => return Ok(None),
            },
        };
        Ok(Some(Timestamp::from_micros(next.modified_at_micros)))
    }

    fn opened(&self, snapshot: &Snapshot<'_>, plan: &Plan, row: &Row) -> Result<Version, Error> {
        let missing = || Error::damaged(format!("version {}", row.id), "its row is missing");
        let found = snapshot.version(row.id)?.ok_or_else(missing)?;
        // Its code tells whether it is the right one.
        let found = VersionRow { bucket: plan.bucket.number, key: row.key.clone(), ..found };
        self.open_version(&plan.bucket, &found)
    }

    /// Whether an upload is to go.
    pub(super) fn judge_upload(&self, plan: &Plan, row: &UploadRow) -> Result<Judgement, Error> {
        let upload = self.open_upload(&plan.bucket, row)?;
        let created_at = Timestamp::from_micros(upload.created_at_micros);
        let says = |rule: &LifecycleRule| {
            let at = rule.abort_after_days.map(|days| after_days(created_at, days));
            rule.filter.fits_key(row.key.as_str()) && plan.has_come(at)
        };
        let found = plan.lifecycle.enabled().find(|(_, rule)| says(rule));
        let due = |(rule, _)| Due { key: row.key.clone(), what: What::Upload(row.id), rule, bytes: 0 };
        Ok(found.map(due).map_or(Judgement::Stays, Judgement::Goes))
    }

    /// The row of a version or marker as it is now, which its key names or not.
    pub(super) fn present_row(
        &self,
        snapshot: &Snapshot<'_>,
        plan: &Plan,
        (key, id): (&ObjectKey, i64),
    ) -> Result<Option<Row>, Error> {
        let (bucket, place) = (&plan.bucket, (id, key.as_str()));
        let row = |is_latest, listed| Some(Row { key: key.clone(), id, is_latest, listed });
        if let Some((_, record, mac)) = snapshot.latest(bucket.number, key)?.filter(|latest| latest.0 == id) {
            return Ok(row(true, self.open_listed(bucket, place, &record, &mac)?));
        }
        match snapshot.history(bucket.number, key, id)? {
            Some(found) => Ok(row(false, self.open_history(bucket, place, &found.record, &found.mac)?)),
            None => Ok(None),
        }
    }
}

/// Of a delete marker that is the newest of its key: it goes when nothing is left under it.
fn judge_marker(snapshot: &Snapshot<'_>, plan: &Plan, row: &Row) -> Result<Judgement, Error> {
    let says = |rule: &LifecycleRule| {
        plan.has_come(rule.expiration.and_then(|expiration| expiration.of_marker(row.modified_at())))
    };
    let Some((rule, _)) = plan.rule(row, says) else { return Ok(Judgement::Stays) };
    if snapshot.has_older_history(plan.bucket.number, &row.key, row.id)? {
        return Ok(Judgement::Stays);
    }
    let what = What::Marker { id: row.id, is_null: row.listed.is_null };
    Ok(Judgement::Goes(Due { key: row.key.clone(), what, rule, bytes: 0 }))
}

/// What is damaged stays, and is counted; any other failure is one.
pub(super) fn unless_damaged(judged: Result<Judgement, Error>) -> Result<Option<Judgement>, Error> {
    match judged {
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            tracing::error!(%error, "a lifecycle rule leaves what is damaged");
            Ok(None)
        }
        judged => judged.map(Some),
    }
}
