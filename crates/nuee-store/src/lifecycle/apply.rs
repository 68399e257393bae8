//! Letting go what is due: by the ways in which clients delete, some in each transaction, in which the rules are asked
//! once more.

use std::sync::Arc;

use nuee_access::{Action, Decider, Permit};
use nuee_base::{Context, ErrorKind, Principal, Timestamp};
use nuee_journal::Entry;
use nuee_metadata::Transaction;

use super::{
    due::{Due, Judgement, What, unless_damaged},
    pages::Page,
    plan::Plan,
    report::LifecycleReport,
};
use crate::{
    Conditions, Deletion, Error, Store,
    deletion::{DELETIONS_PER_COMMIT, Prepared},
    object::Change,
    upload::abort,
    version_id,
};

/// Who lets go, and who decides whether it may.
pub(super) struct Acting<'a> {
    context: Context,
    decider: &'a Decider,
}

/// How something goes.
#[derive(Clone)]
enum Way {
    Delete(Prepared),
    Abort(Change),
}

/// What became of something that was due.
enum Outcome {
    Gone(Due),
    Locked,
    Damaged,
    /// It is not due any more, or not there.
    Stays,
}

impl<'a> Acting<'a> {
    pub(super) fn new(store: &Store, decider: &'a Decider) -> Self {
        Self { context: Context::new(store.0.environment.clone(), Principal::Lifecycle), decider }
    }

    fn permit(&self, plan: &Plan, action: Action) -> Result<Permit, Error> {
        Ok(self.decider.decide(&self.context, action, plan.bucket.resource())?)
    }

    /// That the bucket may be looked through.
    pub(super) fn require_listing(&self, plan: &Plan) -> Result<(), Error> {
        let _versions = self.permit(plan, Action::ListVersions)?;
        let _uploads = self.permit(plan, Action::ListUploads)?;
        Ok(())
    }
}

impl Store {
    /// Lets go what a page has.
    pub(super) async fn let_go(
        &self,
        acting: &Acting<'_>,
        plan: &Arc<Plan>,
        page: Page,
    ) -> Result<LifecycleReport, Error> {
        let Page { mut due, seen, locked, damaged, .. } = page;
        let mut report = LifecycleReport { rules: Vec::new(), seen, locked, damaged };
        while !due.is_empty() {
            // Not all at once, so that others' commits need not wait.
            let batch: Vec<_> = due.drain(..due.len().min(DELETIONS_PER_COMMIT)).collect();
            for outcome in self.commit_batch(acting, plan, batch).await? {
                match outcome {
                    Outcome::Gone(due) => report.add(&due),
                    Outcome::Locked => report.locked += 1,
                    Outcome::Damaged => report.damaged += 1,
                    Outcome::Stays => {}
                }
            }
        }
        Ok(report)
    }

    /// One transaction for all; if something in it is damaged, one for each, so that it keeps no other from going.
    async fn commit_batch(
        &self,
        acting: &Acting<'_>,
        plan: &Arc<Plan>,
        batch: Vec<Due>,
    ) -> Result<Vec<Outcome>, Error> {
        match self.commit(acting, plan, batch.clone()).await {
            Err(error) if error.kind() == ErrorKind::Corrupt => {}
            done => return done,
        }
        let mut outcomes = Vec::new();
        for due in batch {
            match self.commit(acting, plan, vec![due]).await {
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    tracing::error!(%error, "a lifecycle rule leaves what is damaged");
                    outcomes.push(Outcome::Damaged);
                }
                done => outcomes.extend(done?),
            }
        }
        Ok(outcomes)
    }

    async fn commit(
        &self,
        acting: &Acting<'_>,
        plan: &Arc<Plan>,
        batch: Vec<Due>,
    ) -> Result<Vec<Outcome>, Error> {
        let ways = batch.into_iter().map(|due| Ok((self.way(acting, plan, &due)?, due)));
        let ways = ways.collect::<Result<Vec<_>, Error>>()?;
        let (entry, now) = (self.entry(&acting.context, &plan.bucket)?, acting.context.now());
        let (store, plan) = (self.clone(), Arc::clone(plan));
        let commit = move |transaction: &Transaction<'_>| {
            if !plan.holds(&store, transaction)? {
                return Ok(Vec::new());
            }
            let go = |(way, due)| store.go(transaction, &plan, (way, due), (&entry, now));
            ways.into_iter().map(go).collect()
        };
        self.0.metadata.write(commit).await
    }

    fn way(&self, acting: &Acting<'_>, plan: &Plan, due: &Due) -> Result<Way, Error> {
        let by_id = |id, is_null| match is_null {
            true => version_id::NULL.to_owned(),
            false => version_id::write(&plan.bucket, id),
        };
        let version = match due.what {
            What::Object(_) => None,
            What::Version { id, is_null } | What::Marker { id, is_null } => Some(by_id(id, is_null)),
            What::Upload(_) => {
                let permit = acting.permit(plan, Action::AbortUpload)?;
                permit.require_bucket(Action::AbortUpload, plan.bucket.id)?;
                return Ok(Way::Abort(self.change(&acting.context, &plan.bucket, due.key.clone())?));
            }
        };
        let action = if version.is_some() { Action::DeleteObjectVersion } else { Action::DeleteObject };
        let permit = acting.permit(plan, action)?;
        let (key, conditions) = (due.key.clone(), Conditions::default());
        let deletion = Deletion { permit, key, version, conditions, bypass: None };
        Ok(Way::Delete(self.prepare(&acting.context, &plan.bucket, deletion)?))
    }

    /// Inside the transaction: lets it go if it is due as it was.
    fn go(
        &self,
        transaction: &Transaction<'_>,
        plan: &Plan,
        (way, due): (Way, Due),
        (entry, now): (&Entry, Timestamp),
    ) -> Result<Outcome, Error> {
        let judged = match due.what {
            What::Object(id) | What::Version { id, .. } | What::Marker { id, .. } => {
                match self.present_row(transaction, plan, (&due.key, id)) {
                    Ok(Some(row)) => self.judge(transaction, plan, &row),
                    Ok(None) => return Ok(Outcome::Stays),
                    Err(error) => Err(error),
                }
            }
            What::Upload(id) => match transaction.upload(plan.bucket.number, &due.key, id)? {
                Some(row) => self.judge_upload(plan, &row),
                None => return Ok(Outcome::Stays),
            },
        };
        match unless_damaged(judged)? {
            None => return Ok(Outcome::Damaged),
            Some(Judgement::Goes(now_due)) if now_due == due => {}
            Some(_) => return Ok(Outcome::Stays),
        }
        let gone = match (way, due.what) {
            (Way::Delete(mut prepared), _) => {
                self.delete(transaction, &mut prepared, (entry, now)).map(|deleted| deleted.existed)
            }
            (Way::Abort(change), What::Upload(id)) => abort(transaction, &change, id, entry).map(|()| true),
            (Way::Abort(_), _) => Ok(false),
        };
        match gone {
            Ok(true) => Ok(Outcome::Gone(due)),
            Ok(false) => Ok(Outcome::Stays),
            // A refusal has changed nothing.
            Err(Error::Locked(_)) => Ok(Outcome::Locked),
            Err(error) => Err(error),
        }
    }
}
