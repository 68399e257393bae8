//! Rows held against what the journal says was done: what is missing, what came back, what nobody wrote.
//!
//! The number of a version is that of its leaf, and what a write replaces follows from whether its bucket kept versions
//! when that was committed, which the leaves tell too.

use std::collections::{BTreeMap, HashMap};

use nuee_access::Action;
use nuee_base::{BlobId, ObjectKey, UploadId};
use nuee_journal::{Leaf, States, differences, each_leaf};
use nuee_metadata::{Snapshot, VersionRow};
use sha2::{Digest, Sha256};

use super::{
    BATCH, VerifyReport,
    rows::{Seen, version_name},
};
use crate::{
    Bucket, Error, Store,
    bucket::{KEEPS_VERSIONS, KEPT_VERSIONS},
    setting,
    upload::{COMPLETE_UPLOAD, CREATE_UPLOAD, PUT_PART},
    version_change::said_lock,
};

/// Objects that are compared in one pass over the journal, some 32 bytes each.
const OBJECTS_PER_PASS: u64 = 2 << 20;

/// The blobs of the parts of each open upload.
pub(super) type OpenUploads = BTreeMap<UploadId, BTreeMap<u16, BlobId>>;

/// What the journal says there must be. Of objects, only a share.
#[derive(Default)]
struct Said {
    buckets: States,
    settings: States,
    uploads: OpenUploads,
    /// The version without an id of its own, or the delete marker in its stead, by the key's place.
    nulls: HashMap<u128, i64>,
    /// The keys' places of versions and markers with ids of their own.
    named: HashMap<i64, u128>,
    /// What was said last of the tags and of the lock of versions that were changed after they were written.
    changes: HashMap<i64, [Option<String>; 2]>,
}

/// Compares all rows with all leaves, in as many passes as keep memory bounded.
pub(super) fn compare(
    store: &Store,
    snapshot: &Snapshot<'_>,
    report: &mut VerifyReport,
    seen: &Seen,
) -> Result<(), Error> {
    let passes = u128::from(report.objects / OBJECTS_PER_PASS + 1);
    for pass in 0..passes {
        let mut said = Said::default();
        let replayed = each_leaf(snapshot, |row| {
            // Leaves that cannot be read are told of where the journal itself is verified.
            if let Ok(Some(leaf)) = Leaf::read(&store.0.keys, row)
                && leaf.count.is_none()
            {
                said.replay(leaf, |place| place % passes == pass);
            }
            Ok(())
        });
        match replayed {
            Err(Error::Journal(nuee_journal::Error::Damaged { .. })) => return Ok(()),
            replayed => replayed?,
        }
        if pass == 0 {
            let rows = seen.buckets.values().map(|bucket| (bucket.on(), bucket.state())).collect();
            let settings = differences(&said.settings, &seen.settings);
            for (what, detail) in differences(&said.buckets, &rows).into_iter().chain(settings) {
                report.add(what, detail);
            }
            compare_uploads(report, &said.uploads, &seen.uploads);
        }
        store.compare_objects(snapshot, report, seen, said, |place| place % passes == pass)?;
    }
    Ok(())
}

impl Said {
    fn replay(&mut self, leaf: Leaf, ours: impl Fn(u128) -> bool) {
        let is = |known: Action| leaf.action == known.as_str();
        if leaf.upload.is_some() {
            self.replay_upload(&leaf);
        }
        if is(Action::DeleteBucket) {
            self.buckets.remove(&leaf.on);
            let of_bucket = setting::on(&leaf.on, "");
            self.settings.retain(|on, _| !on.starts_with(&of_bucket));
        } else if RECORDED.into_iter().any(is) {
            self.buckets.insert(leaf.on, leaf.detail.unwrap_or_default());
        } else if let Some(place) = leaf.key.as_ref().map(|key| place(&leaf.on, key)) {
            if ours(place) {
                self.replay_object(leaf, place);
            }
        } else if let Some((name, fingerprint)) = leaf.detail.as_deref().and_then(|said| said.split_once(' '))
        {
            let on = setting::on(&leaf.on, name);
            match fingerprint {
                setting::REMOVED => drop(self.settings.remove(&on)),
                _ if leaf.on.starts_with("bucket/") => {
                    drop(self.settings.insert(on, fingerprint.to_owned()));
                }
                _ => {}
            }
        }
    }

    fn replay_upload(&mut self, leaf: &Leaf) {
        let Some(upload) = leaf.upload else { return };
        if leaf.action == CREATE_UPLOAD {
            self.uploads.insert(upload, BTreeMap::new());
        } else if leaf.action == PUT_PART {
            self.uploads.entry(upload).or_default().extend(leaf.part);
        } else {
            self.uploads.remove(&upload);
        }
    }

    fn replay_object(&mut self, leaf: Leaf, place: u128) {
        let Leaf { id, action, on, version, detail, .. } = leaf;
        let is = |known: Action| action == known.as_str();
        let state = self.buckets.get(&on).map_or("", String::as_str);
        let suspended = state.contains(KEPT_VERSIONS);
        let keeps = state.contains(KEEPS_VERSIONS) && !suspended;
        if is(Action::PutObject) || action == COMPLETE_UPLOAD || is(Action::DeleteObject) {
            if keeps {
                self.named.insert(id, place);
            } else if is(Action::DeleteObject) && !suspended {
                self.nulls.remove(&place);
            } else {
                self.nulls.insert(place, id);
            }
        } else if is(Action::DeleteObjectVersion) {
            // Of a version whose own leaf was erased, this tells nothing of another.
            let Some(version) = version else { return };
            if self.named.remove(&version).is_none() && self.nulls.get(&place) == Some(&version) {
                self.nulls.remove(&place);
            }
            self.changes.remove(&version);
        } else if let Some((version, detail)) = version.zip(detail) {
            let what = usize::from(detail.starts_with("lock "));
            self.changes.entry(version).or_default()[what] = Some(detail);
        }
    }

    /// Whether the journal tells of this version, which is not asked for again.
    fn take(&mut self, id: i64, place: u128) -> bool {
        if self.named.remove(&id).is_some_and(|said| said == place) {
            return true;
        }
        self.nulls.remove_entry(&place).is_some_and(|(_, said)| {
            if said != id {
                self.nulls.insert(place, said);
            }
            said == id
        })
    }
}

/// What changes a bucket's record, and says all of it.
const RECORDED: [Action; 4] = [
    Action::CreateBucket,
    Action::PutBucketEncryption,
    Action::PutBucketVersioning,
    Action::PutObjectLockConfiguration,
];

/// Stands for a key of a bucket.
fn place(on: &str, key: &ObjectKey) -> u128 {
    let digest = Sha256::new().chain_update(on).chain_update([0]).chain_update(key.as_str()).finalize();
    digest.iter().take(16).fold(0, |place, byte| place << 8 | u128::from(*byte))
}

fn compare_uploads(report: &mut VerifyReport, said: &OpenUploads, rows: &OpenUploads) {
    for (id, parts) in said {
        let detail = match rows.get(id) {
            Some(found) if found == parts => continue,
            Some(_) => "its parts are not those that the journal tells of",
            None => "the journal says that it is open, and its row is missing",
        };
        report.add(format!("upload {id}"), detail);
    }
    for id in rows.keys().filter(|id| !said.contains_key(id)) {
        report.add(format!("upload {id}"), "it has a row, and the journal says that it is not open");
    }
}

impl Store {
    /// Compares versions and delete markers.
    fn compare_objects(
        &self,
        snapshot: &Snapshot<'_>,
        report: &mut VerifyReport,
        seen: &Seen,
        mut said: Said,
        ours: impl Fn(u128) -> bool,
    ) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let rows = snapshot.versions(after, BATCH)?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            for row in &rows {
                let Some(bucket) = seen.buckets.get(&row.bucket) else { continue };
                let place = place(&bucket.on(), &row.key);
                if !ours(place) {
                    continue;
                }
                if !said.take(row.id, place) {
                    report.add(version_name(row), UNSAID);
                }
                if let Some(changed) = said.changes.remove(&row.id) {
                    self.compare_changes(report, (bucket, row), changed)?;
                }
            }
        }
        for bucket in seen.buckets.values() {
            compare_markers(snapshot, report, bucket, &mut said, &ours)?;
        }
        let mut missing: Vec<_> = said.nulls.into_values().chain(said.named.into_keys()).collect();
        missing.sort_unstable();
        for leaf in missing {
            report.add(format!("version {leaf}"), "the journal says that it exists, and its row is missing");
        }
        Ok(())
    }

    /// That a version's tags and lock are those that the journal told of last.
    fn compare_changes(
        &self,
        report: &mut VerifyReport,
        (bucket, row): (&Bucket, &VersionRow),
        [tags, lock]: [Option<String>; 2],
    ) -> Result<(), Error> {
        // A row that does not open was told of already.
        let Ok(version) = self.open_version(bucket, row) else { return Ok(()) };
        if lock.is_some_and(|lock| lock != said_lock(&version)) {
            report.add(version_name(row), "its lock is not the one that the journal tells of");
        }
        if let (Some(tags), Ok(present)) = (tags, self.open_tags(bucket, &version.tags))
            && tags != self.said_tags(bucket, &present)?
        {
            report.add(version_name(row), "its tags are not those that the journal tells of");
        }
        Ok(())
    }
}

const UNSAID: &str = "the journal does not say that it exists";

fn compare_markers(
    snapshot: &Snapshot<'_>,
    report: &mut VerifyReport,
    bucket: &Bucket,
    said: &mut Said,
    ours: impl Fn(u128) -> bool,
) -> Result<(), Error> {
    let mut after = (Vec::new(), i64::MAX);
    loop {
        let rows = snapshot.history_after(bucket.number, (&after.0, after.1), BATCH)?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = (last.key.as_bytes().to_vec(), last.version);
        for row in rows.iter().filter(|row| row.is_marker) {
            let place = place(&bucket.on(), &row.key);
            if ours(place) && !said.take(row.version, place) {
                report.add(format!("delete marker {} in bucket {}", row.version, bucket.name), UNSAID);
            }
        }
    }
}
