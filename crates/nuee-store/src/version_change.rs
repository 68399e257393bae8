//! What can be read and changed of a version beside its content: its tags, its retention, its legal hold.

use std::sync::Arc;

use nuee_access::{Action, Permit};
use nuee_base::{Context, ObjectKey, UploadId};
use nuee_journal::Subject;
use nuee_metadata::{PartRow, Snapshot, Transaction, VersionRow};

use crate::{
    Bucket, Checksum, Error, LegalHold, ObjectInfo, Retention, Store, TagSet,
    blob_write::blocking,
    record::{self, ChecksumRecord, Content as Stored, Version},
};

/// The actions that show of an object what it is without its content.
const LOOKING: [Action; 9] = [
    Action::GetObjectAttributes,
    Action::GetObjectVersionAttributes,
    Action::GetObjectAcl,
    Action::GetObjectVersionAcl,
    Action::PutObjectAcl,
    Action::PutObjectVersionAcl,
    Action::GetObjectRetention,
    Action::GetObjectLegalHold,
    Action::GetObject,
];

/// An object, or a version of it.
#[derive(Debug, Clone)]
pub struct VersionTarget {
    /// The bucket.
    pub bucket: Arc<Bucket>,
    /// The key.
    pub key: ObjectKey,
    /// The id of the version; the latest if `None`.
    pub version: Option<String>,
}

/// A part that an object was uploaded in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectPart {
    /// Its number.
    pub number: u16,
    /// Its size, in bytes.
    pub size: u64,
    /// Its checksum.
    pub checksum: Checksum,
}

impl VersionTarget {
    /// That a permit is for one of two actions: the first for the latest version, the second for one by its id.
    fn require(&self, permit: &Permit, latest: Action, by_id: Action) -> Result<Action, Error> {
        let action = if self.version.is_some() { by_id } else { latest };
        permit.require_bucket(action, self.bucket.id)?;
        Ok(action)
    }
}

impl Store {
    /// What is known of an object, without its content. The permit is for one of the actions that look at that.
    pub fn object_info(&self, permit: &Permit, target: &VersionTarget) -> Result<ObjectInfo, Error> {
        let looking = LOOKING.into_iter().find(|action| *action == permit.action());
        permit.require_bucket(looking.unwrap_or(Action::GetObject), target.bucket.id)?;
        let (row, version) = self.0.metadata.read_consistent(|snapshot| self.target(snapshot, target))?;
        Ok(ObjectInfo::new(&target.bucket, row.id, &version))
    }

    /// The parts that an object was uploaded in, by number; none if it was written at once.
    pub async fn object_parts(
        &self,
        permit: &Permit,
        target: &VersionTarget,
    ) -> Result<Vec<ObjectPart>, Error> {
        target.require(permit, Action::GetObjectAttributes, Action::GetObjectVersionAttributes)?;
        let (store, target) = (self.clone(), target.clone());
        blocking(&self.0.listing, move || {
            store.0.metadata.read_consistent(|snapshot| {
                let (_, version) = store.target(snapshot, &target)?;
                let Stored::Parts { upload, .. } = version.content else { return Ok(Vec::new()) };
                let rows = snapshot.parts(UploadId::from_bytes(upload), 0, u32::MAX)?;
                let part = |row: &PartRow| {
                    let part = store.open_part(target.bucket.parts_owner(), row)?;
                    let ChecksumRecord { algorithm, value, .. } = part.checksum;
                    Ok(ObjectPart {
                        number: row.number,
                        size: part.size,
                        checksum: Checksum { algorithm, value },
                    })
                };
                rows.iter().map(part).collect()
            })
        })
        .await
    }

    /// The tags of an object, and the id of its version.
    pub fn object_tags(
        &self,
        permit: &Permit,
        target: &VersionTarget,
    ) -> Result<(TagSet, Option<String>), Error> {
        target.require(permit, Action::GetObjectTagging, Action::GetObjectVersionTagging)?;
        let (row, version) = self.0.metadata.read_consistent(|snapshot| self.target(snapshot, target))?;
        let tags = self.open_tags(&target.bucket, &version.tags)?;
        Ok((tags, ObjectInfo::new(&target.bucket, row.id, &version).version))
    }

    /// The tags of an object, for a decision that looks at them: for the eyes of a policy alone, since nothing was
    /// permitted yet. `None` if there is no such object.
    #[must_use]
    pub fn tags_to_decide(&self, bucket: &Bucket, key: &ObjectKey, version: Option<&str>) -> Option<TagSet> {
        let read = self.0.metadata.read_consistent(|snapshot| {
            let row = match version {
                Some(version) => Some(self.version_row(snapshot, (bucket, key), version)?),
                None => snapshot.latest_version(bucket.number, key)?,
            };
            let version = row.map(|row| self.open_version(bucket, &row)).transpose()?;
            version.map(|version| self.open_tags(bucket, &version.tags)).transpose()
        });
        read.ok().flatten()
    }

    /// Replaces the tags of an object; none removes them. Gives the id of its version.
    pub async fn set_object_tags(
        &self,
        context: &Context,
        permit: &Permit,
        target: &VersionTarget,
        tags: TagSet,
    ) -> Result<Option<String>, Error> {
        let action = match tags.is_empty() {
            true => target.require(permit, Action::DeleteObjectTagging, Action::DeleteObjectVersionTagging),
            false => target.require(permit, Action::PutObjectTagging, Action::PutObjectVersionTagging),
        }
        .or_else(|_| target.require(permit, Action::PutObjectTagging, Action::PutObjectVersionTagging))?;
        let sealed = self.seal_tags(&target.bucket, &tags)?;
        let said = self.said_tags(&target.bucket, &tags)?;
        let change = move |version: &mut Version| {
            version.tags = sealed;
            Ok(said)
        };
        self.change_version(context, action, target, change).await
    }

    /// Changes until when a version is retained; `None` ends it. `bypass` is leave to weaken the GOVERNANCE mode.
    pub async fn set_retention(
        &self,
        context: &Context,
        (permit, bypass): (&Permit, Option<&Permit>),
        target: &VersionTarget,
        retention: Option<Retention>,
    ) -> Result<Option<String>, Error> {
        permit.require_bucket(Action::PutObjectRetention, target.bucket.id)?;
        if let Some(bypass) = bypass {
            bypass.require_bucket(Action::BypassGovernanceRetention, target.bucket.id)?;
        }
        self.require_object_lock(&target.bucket)?;
        let (now, bypass) = (self.0.lock_clock.now(), bypass.is_some());
        let change = move |version: &mut Version| {
            version.lock = version.lock.retained(retention, now, bypass)?;
            Ok(said_lock(version))
        };
        self.change_version(context, Action::PutObjectRetention, target, change).await
    }

    /// Puts a version under legal hold, or ends it.
    pub async fn set_legal_hold(
        &self,
        context: &Context,
        permit: &Permit,
        target: &VersionTarget,
        legal_hold: LegalHold,
    ) -> Result<Option<String>, Error> {
        permit.require_bucket(Action::PutObjectLegalHold, target.bucket.id)?;
        self.require_object_lock(&target.bucket)?;
        let change = move |version: &mut Version| {
            version.lock.legal_hold = legal_hold;
            Ok(said_lock(version))
        };
        self.change_version(context, Action::PutObjectLegalHold, target, change).await
    }

    #[expect(clippy::unused_self, reason = "reads as what it is about")]
    fn require_object_lock(&self, bucket: &Bucket) -> Result<(), Error> {
        match bucket.object_lock {
            Some(_) => Ok(()),
            None => Err(Error::Invalid("the bucket has no object lock: it must be created with it".into())),
        }
    }

    /// Changes the row of a version; `change` gives what the journal says of it. Gives the version's id.
    async fn change_version(
        &self,
        context: &Context,
        action: Action,
        target: &VersionTarget,
        change: impl FnOnce(&mut Version) -> Result<String, Error> + Send + 'static,
    ) -> Result<Option<String>, Error> {
        let (store, target, entry) = (self.clone(), target.clone(), self.entry(context, &target.bucket)?);
        let commit = move |transaction: &Transaction<'_>| {
            let bucket = store.present_bucket(transaction, &target.bucket)?;
            let (row, mut version) = store.target(transaction, &target)?;
            let said = change(&mut version)?;
            let info = ObjectInfo::new(&bucket, row.id, &version);
            store.rewrite_version(transaction, (&bucket, &row), version)?;
            entry.append(transaction, action.as_str(), Subject::version(&target.key, row.id, &said))?;
            Ok(info.version)
        };
        self.0.metadata.write(commit).await
    }

    /// The row of what a request names, opened.
    fn target(
        &self,
        snapshot: &Snapshot<'_>,
        target: &VersionTarget,
    ) -> Result<(VersionRow, Version), Error> {
        let VersionTarget { bucket, key, version } = target;
        let row = match version {
            Some(version) => self.version_row(snapshot, (bucket, key), version)?,
            None => match snapshot.latest_version(bucket.number, key)? {
                Some(row) => row,
                None => return Err(self.why_absent(snapshot, bucket, key)?),
            },
        };
        let version = self.open_version(bucket, &row)?;
        Ok((row, version))
    }

    /// What the journal says of tags.
    pub(crate) fn said_tags(&self, bucket: &Bucket, tags: &TagSet) -> Result<String, Error> {
        Ok(format!("tags {}", self.fingerprint(bucket, &record::encode(tags)?)?))
    }
}

/// What the journal says of a lock.
pub(crate) fn said_lock(version: &Version) -> String {
    format!("lock {}", version.lock)
}
