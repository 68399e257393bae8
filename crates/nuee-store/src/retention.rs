//! Which leaves of the journal may be forgotten, and forgetting them.
//!
//! A leaf whose time is over stays as long as there is a row that must follow from it: an object that is still there, a
//! bucket and what it is set to, an open upload, an account. Everything else goes: what was deleted and who deleted it, who
//! read and who was denied.

use std::time::Duration;

use nuee_access::Action;
use nuee_base::{BucketName, Timestamp};
use nuee_journal::{Journal, Leaf};
use nuee_metadata::Snapshot;
use nuee_tenancy::ACCEPT_INVITATION;
use tokio::{select, sync::watch, time::sleep};

use crate::{
    Error, Store,
    upload::{COMPLETE_UPLOAD, CREATE_UPLOAD, PUT_PART},
};

/// After this many leaves were looked at, others have their turn.
const REST: Duration = Duration::from_millis(50);
/// What the rows of tenancy follow from, and what is about no bucket.
const KEPT: [Action; 17] = [
    Action::CreateOrganisation,
    Action::CreateProject,
    Action::RotateKey,
    Action::CreateServiceAccount,
    Action::RevokeServiceAccount,
    Action::CreateAccessKey,
    Action::DeleteAccessKey,
    Action::SetQuota,
    Action::SetPlacement,
    Action::CreateAssumableRole,
    Action::DeleteAssumableRole,
    Action::SetZoneCeiling,
    Action::CreateExposure,
    Action::DeleteExposure,
    Action::GrantRole,
    Action::RevokeRole,
    Action::SuspendUser,
];

impl Store {
    /// Erases what leaves before an instant say, unless rows follow from it; gives how many. It ends early when `stop`
    /// says so.
    pub async fn erase_journal(
        &self,
        journal: &Journal,
        before: Timestamp,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<usize, Error> {
        journal.begin_erasing(before).await?;
        let (mut after, mut erased) = (0, 0);
        while !*stop.borrow_and_update() {
            let page = journal.erase_page(before, after, is_needed).await?;
            erased += page.erased;
            let Some(last) = page.last else { break };
            after = last;
            select! {
                () = sleep(REST) => {}
                _ = stop.changed() => {}
            }
        }
        Ok(erased)
    }
}

/// Whether there is a row that must follow from this leaf.
fn is_needed(snapshot: &Snapshot<'_>, leaf: &Leaf) -> Result<bool, nuee_journal::Error> {
    let is = |known: Action| leaf.action == known.as_str();
    if leaf.count.is_some() || is(Action::RunLifecycle) {
        return Ok(false);
    }
    let name = leaf.on.strip_prefix("bucket/").and_then(|name| name.parse::<BucketName>().ok());
    let Some(name) = name else { return Ok(leaf.action == ACCEPT_INVITATION || KEPT.into_iter().any(is)) };
    let Some(bucket) = snapshot.bucket(&name)? else { return Ok(false) };
    let Some(key) = &leaf.key else { return Ok(true) };
    if leaf.action == CREATE_UPLOAD || leaf.action == PUT_PART {
        let Some(upload) = leaf.upload else { return Ok(true) };
        return Ok(snapshot.upload(bucket.number, key, upload)?.is_some());
    }
    if is(Action::PutObject) || leaf.action == COMPLETE_UPLOAD {
        return Ok(snapshot.version(leaf.id)?.is_some());
    }
    // A delete marker has the number of its leaf.
    Ok(is(Action::DeleteObject) && snapshot.history(bucket.number, key, leaf.id)?.is_some())
}
