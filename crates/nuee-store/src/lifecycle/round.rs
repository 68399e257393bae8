//! Rounds through all buckets that have rules, and a run on one of them.

use std::{sync::Arc, time::Duration};

use nuee_access::{Action, Decider, Permit, Resource};
use nuee_base::{BucketName, Context};
use nuee_journal::Subject;
use nuee_metadata::Transaction;
use tokio::sync::watch;

use super::{
    apply::Acting,
    place::{At, Place},
    plan::Plan,
    report::{LifecycleCount, LifecycleReport, LifecycleRound},
};
use crate::{Bucket, Error, SettingName, Store};

/// How long after its start a server begins its first round, and how long it rests between two at least.
const FIRST: Duration = Duration::from_mins(1);
/// How many times as long as a page took a round rests before the next: nobody waits for it.
const PAGE_REST: u32 = 4;

impl Store {
    /// Carries out lifecycle rules until `stop` says so, in rounds. `decider` is asked about each deletion.
    pub async fn lifecycle_until(&self, decider: &Decider, mut stop: watch::Receiver<bool>) {
        let interval = self.0.options.lifecycle_interval;
        let mut rest = FIRST.min(interval);
        loop {
            if is_stopped(&mut stop, rest).await {
                return;
            }
            let begun = self.0.environment.uptime();
            match self.lifecycle_round(decider, &mut stop).await {
                Ok(round) if round == LifecycleRound::default() => {}
                Ok(round) => tracing::info!(?round, "lifecycle rules were carried out"),
                Err(error) => {
                    tracing::warn!(%error, "lifecycle rules could not be carried out; it is tried again");
                }
            }
            let taken = self.0.environment.uptime().saturating_sub(begun);
            rest = interval.saturating_sub(taken).max(FIRST.min(interval));
        }
    }

    /// One round, or what is left of one that was cut. It is cut when `stop` says so, after a page at least.
    pub async fn lifecycle_round(
        &self,
        decider: &Decider,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<LifecycleRound, Error> {
        let acting = Acting::new(self, decider);
        let (mut round, kept) = (LifecycleRound::default(), self.lifecycle_place()?);
        let (mut place, mut is_kept) = (kept.clone(), kept != Place::default());
        while let Some((number, at)) = self.next_lifecycle_page(&place)? {
            let begun = self.0.environment.uptime();
            place = Place { bucket: number, at: None };
            match self.carry_out_page(&acting, number, at).await {
                Ok((report, next)) => {
                    round.add(&report);
                    place.at = next;
                }
                Err(error) => {
                    tracing::warn!(%error, bucket = number, "a bucket's lifecycle rules could not be carried out");
                    round.failed += 1;
                }
            }
            let rest = self.0.environment.uptime().saturating_sub(begun) * PAGE_REST;
            round.is_cut = is_stopped(stop, rest).await;
            if place.at.is_some() || round.is_cut {
                self.keep_lifecycle_place(&place).await?;
                is_kept = true;
            }
            if round.is_cut {
                return Ok(round);
            }
        }
        if is_kept {
            self.keep_lifecycle_place(&Place::default()).await?;
        }
        Ok(round)
    }

    /// The bucket of the next page, and where in it that begins.
    fn next_lifecycle_page(&self, place: &Place) -> Result<Option<(i64, At)>, Error> {
        let after = if place.at.is_some() { place.bucket - 1 } else { place.bucket };
        let name = SettingName::Lifecycle.as_str();
        let found = self.0.metadata.read(|snapshot| snapshot.buckets_with_setting(name, after, 1))?;
        let number = found.first().copied();
        Ok(number.map(|number| {
            let at = place.at.clone().filter(|_| number == place.bucket);
            (number, at.unwrap_or_else(At::beginning))
        }))
    }

    /// Carries out a bucket's rules on one page; gives where the next begins.
    async fn carry_out_page(
        &self,
        acting: &Acting<'_>,
        number: i64,
        at: At,
    ) -> Result<(LifecycleReport, Option<At>), Error> {
        let Some(plan) = self.lifecycle_plan(number)? else { return Ok(Default::default()) };
        acting.require_listing(&plan)?;
        let mut page = self.lifecycle_page(&plan, at).await?;
        let next = page.next.take();
        Ok((self.let_go(acting, &plan, page).await?, next))
    }

    /// Carries out the rules of one bucket now, or only counts what they would let go. `None` if it has none.
    /// `progress` is called now and then with what was seen so far.
    pub async fn run_lifecycle(
        &self,
        (context, permit, decider): (&Context, &Permit, &Decider),
        name: &BucketName,
        dry_run: bool,
        progress: impl Fn(&LifecycleReport) + Send + Sync,
    ) -> Result<Option<LifecycleReport>, Error> {
        permit.require(Action::RunLifecycle, Resource::Platform)?;
        let bucket = self.find_bucket(name)?;
        let Some(plan) = self.lifecycle_plan(bucket.number)? else { return Ok(None) };
        let acting = Acting::new(self, decider);
        acting.require_listing(&plan)?;
        if !dry_run {
            self.note_lifecycle_run(context, &bucket).await?;
        }
        let mut total = LifecycleReport::default();
        total.rules.resize(plan.lifecycle.rules().len(), LifecycleCount::default());
        let mut at = Some(At::beginning());
        while let Some(here) = at {
            let begun = self.0.environment.uptime();
            let mut page = self.lifecycle_page(&plan, here).await?;
            at = page.next.take();
            if dry_run {
                total.count(&page);
            } else {
                self.require_same_rules(&plan)?;
                total.merge(&self.let_go(&acting, &plan, page).await?);
            }
            progress(&total);
            tokio::time::sleep(self.0.environment.uptime().saturating_sub(begun) * PAGE_REST).await;
        }
        Ok(Some(total))
    }

    /// That an operator had rules carried out is told in the journal; what went is told of itself.
    async fn note_lifecycle_run(&self, context: &Context, bucket: &Arc<Bucket>) -> Result<(), Error> {
        let entry = self.entry(context, bucket)?;
        let (action, store, bucket) = (Action::RunLifecycle.as_str(), self.clone(), Arc::clone(bucket));
        let note = move |transaction: &Transaction<'_>| {
            store.present_bucket(transaction, &bucket)?;
            entry.append(transaction, action, Subject::default())?;
            Ok(())
        };
        self.0.metadata.write(note).await
    }

    fn require_same_rules(&self, plan: &Plan) -> Result<(), Error> {
        let present = self.lifecycle_plan(plan.bucket.number)?;
        let is_same =
            |present: &Plan| present.row == plan.row && present.bucket.state() == plan.bucket.state();
        if present.is_some_and(|present| is_same(&present)) {
            return Ok(());
        }
        Err(Error::InvalidBucketState(
            "the bucket or its rules were changed meanwhile: run them again".into(),
        ))
    }
}

/// Rests so long; whether a stop was asked for, or nobody is left who could.
async fn is_stopped(stop: &mut watch::Receiver<bool>, rest: Duration) -> bool {
    if *stop.borrow() {
        return true;
    }
    match tokio::time::timeout(rest, stop.changed()).await {
        Ok(Ok(())) => *stop.borrow(),
        Ok(Err(_)) => true,
        Err(_) => false,
    }
}
