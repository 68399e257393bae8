//! Rows held against what the journal says was done: what is missing, what came back, what nobody wrote.
//!
//! The number of a version is that of its leaf, so that the latest leaf of a key tells which version there must be.

use std::collections::{BTreeMap, HashMap};

use nuee_access::Action;
use nuee_base::{BlobId, ObjectKey, UploadId};
use nuee_journal::{Leaf, States, differences, each_leaf};
use nuee_metadata::Snapshot;
use sha2::{Digest, Sha256};

use super::{
    BATCH, VerifyReport,
    rows::{Seen, version_name},
};
use crate::{
    Error,
    upload::{COMPLETE_UPLOAD, CREATE_UPLOAD, PUT_PART},
};

/// Objects that are compared in one pass over the journal, some 32 bytes each.
const OBJECTS_PER_PASS: u64 = 2 << 20;

/// The blobs of the parts of each open upload.
pub(super) type OpenUploads = BTreeMap<UploadId, BTreeMap<u16, BlobId>>;

/// What the journal says there must be. Of objects, only a share.
#[derive(Default)]
struct Said {
    buckets: States,
    uploads: OpenUploads,
    /// The leaf that wrote the latest version of a key, by the key's place.
    latest: HashMap<u128, i64>,
}

/// Compares all rows with all leaves, in as many passes as keep memory bounded.
pub(super) fn compare(snapshot: &Snapshot<'_>, report: &mut VerifyReport, seen: &Seen) -> Result<(), Error> {
    let passes = u128::from(report.objects / OBJECTS_PER_PASS + 1);
    for pass in 0..passes {
        let mut said = Said::default();
        let replayed = each_leaf(snapshot, |row| {
            // Leaves that cannot be read are told of where the journal itself is verified.
            if let Ok(leaf) = Leaf::read(row) {
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
            for (what, detail) in differences(&said.buckets, &rows) {
                report.add(what, detail);
            }
            compare_uploads(report, &said.uploads, &seen.uploads);
        }
        compare_objects(snapshot, report, seen, said.latest, |place| place % passes == pass)?;
    }
    Ok(())
}

impl Said {
    fn replay(&mut self, leaf: Leaf, ours: impl Fn(u128) -> bool) {
        let Leaf { id, action, on, key, upload, part, detail, .. } = leaf;
        let is = |known: Action| action == known.as_str();
        if let Some(upload) = upload {
            if action == CREATE_UPLOAD {
                self.uploads.insert(upload, BTreeMap::new());
            } else if action == PUT_PART {
                self.uploads.entry(upload).or_default().extend(part);
            } else {
                self.uploads.remove(&upload);
            }
        }
        if is(Action::CreateBucket) || is(Action::PutBucketEncryption) {
            self.buckets.insert(on, detail.unwrap_or_default());
        } else if is(Action::DeleteBucket) {
            self.buckets.remove(&on);
        } else if let Some(place) = key.map(|key| place(&on, &key)).filter(|place| ours(*place)) {
            if is(Action::PutObject) || action == COMPLETE_UPLOAD {
                self.latest.insert(place, id);
            } else if is(Action::DeleteObject) {
                self.latest.remove(&place);
            }
        }
    }
}

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

fn compare_objects(
    snapshot: &Snapshot<'_>,
    report: &mut VerifyReport,
    seen: &Seen,
    mut said: HashMap<u128, i64>,
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
            match said.remove(&place) {
                Some(leaf) if leaf == row.id => {}
                Some(leaf) => {
                    let detail = format!("the journal says that version {leaf} is the latest of its key");
                    report.add(version_name(row), detail);
                }
                None => report.add(version_name(row), "the journal says that its key has no object"),
            }
        }
    }
    let mut missing: Vec<_> = said.into_values().collect();
    missing.sort_unstable();
    for leaf in missing {
        report.add(
            format!("version {leaf}"),
            "the journal says that it is the latest of its key, and its row is missing",
        );
    }
    Ok(())
}
