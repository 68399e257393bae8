//! Carrying out what is asked: one decision, one call of the layer below, one conversion.

mod accounts;
mod explain;
mod project;

use anyhow::{Context as _, Result, bail};
use nuee_access::{Action, Permit, Resource};
use nuee_base::{BucketName, Context, Slug};
use nuee_journal::{Checkpoint, SignedCheckpoint};
use nuee_store::{LifecycleReport, VerifyReport};
use nuee_tenancy::Profile;
use tokio::task::spawn_blocking;

use super::{
    Finding, LifecycleCount, LifecycleRun, Organisation, Place, Progress, Project, Reply, Request, Serving,
    Status, Verified,
};
use crate::Platform;

/// Carries out requests on a platform.
#[derive(Clone)]
pub struct Administration {
    pub(super) platform: Platform,
    pub(super) serving: Option<Serving>,
    /// Who acts.
    context: Context,
}

impl Administration {
    /// Administration of this platform, on behalf of its operator; `serving` tells of the server that runs on it.
    #[must_use]
    pub fn new(platform: Platform, serving: Option<Serving>) -> Self {
        let context = platform.operator();
        Self { platform, serving, context }
    }

    /// What it administers.
    pub(crate) fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The same, on behalf of the operator who acts in this context.
    pub(super) fn acting(&self, context: Context) -> Self {
        Self { context, ..self.clone() }
    }

    /// Carries out one request. `progress` is called now and then while it takes long.
    pub async fn execute(
        &self,
        request: Request,
        progress: impl Fn(Progress) + Send + Sync,
    ) -> Result<Reply> {
        match request {
            Request::Status => self.status().await,
            Request::CreateServiceAccount { place, name, role } => {
                self.create_service_account(&place, name, role).await
            }
            Request::ListServiceAccounts { place } => self.list_service_accounts(&place),
            Request::RevokeServiceAccount { place, name } => self.revoke_service_account(&place, &name).await,
            Request::CreateAccessKey { place, account, days } => {
                self.create_access_key(&place, &account, days).await
            }
            Request::DeleteAccessKey { place, account, key } => {
                self.delete_access_key(&place, &account, &key).await
            }
            Request::ShowProject { place } => self.show_project(&place),
            Request::SetQuota { place, quota } => self.set_quota(&place, quota).await,
            Request::SetPlacement { place, placement } => self.set_placement(&place, placement).await,
            Request::SetZoneCeiling { place, ceiling } => self.set_zone_ceiling(&place, ceiling).await,
            Request::Exposures { place, exposures } => self.exposures(&place, exposures).await,
            Request::ExplainAccess(question) => self.explain(&question),
            Request::CreateAssumableRole { place, name, terms } => {
                self.create_assumable_role(&place, name, terms).await
            }
            Request::ListAssumableRoles { place } => self.list_assumable_roles(&place),
            Request::DeleteAssumableRole { place, name } => self.delete_assumable_role(&place, &name).await,
            Request::ListSessions { place } => self.list_sessions(&place),
            Request::RevokeSession { place, id } => self.revoke_session(&place, id).await,
            Request::CreateOrganisation { name, title, siren, contact } => {
                self.create_organisation(name, Profile { title, siren, contact }).await
            }
            Request::InviteOwner { organisation, email } => self.invite_owner(&organisation, email).await,
            Request::ListOrganisations => {
                let organisations = self.organisations()?.iter().map(Organisation::from).collect();
                Ok(Reply::Organisations { organisations })
            }
            Request::Operators { operators } => self.operators(operators).await,
            Request::CreateProject { organisation, name } => self.create_project(&organisation, name).await,
            Request::ListProjects { organisation } => {
                let organisation = self.organisation(&organisation)?;
                let projects = self.projects(&organisation)?.iter().map(Project::from).collect();
                Ok(Reply::Projects { projects })
            }
            Request::Verify { content, checkpoint } => self.verify(content, checkpoint, progress).await,
            Request::Checkpoint => {
                let (_, permit) = self.permit(Action::Verify, Resource::Platform)?;
                let signed = self.platform.tenancy().checkpoint(&permit).await?;
                Ok(Reply::Checkpoint { checkpoint: signed.to_string() })
            }
            Request::JournalKey => {
                let _ = self.permit(Action::Verify, Resource::Platform)?;
                Ok(Reply::JournalKey { key: self.platform.journal().verifier_key()?.to_string() })
            }
            Request::ListJournal { organisation, query } => self.list_journal(&organisation, query).await,
            Request::ListPlatformJournal { query } => self.list_platform_journal(query).await,
            Request::ExportJournal { organisation, since, until, file } => {
                self.export_journal(&organisation, [since, until], file).await
            }
            Request::JournalWitnesses => self.journal_witnesses().await,
            Request::RunLifecycle { bucket, dry_run } => self.run_lifecycle(bucket, dry_run, progress).await,
            Request::RotateKeys { place } => self.rotate(place).await,
        }
    }

    pub(super) fn permit(&self, action: Action, resource: Resource) -> Result<(Context, Permit)> {
        let context = self.context.clone();
        let permit = self.platform.decider().decide(&context, action, resource)?;
        Ok((context, permit))
    }

    pub(super) fn permit_in(&self, place: &Place, action: Action) -> Result<(Context, Permit)> {
        self.permit(action, self.project(place)?.resource())
    }

    fn organisations(&self) -> Result<Vec<nuee_tenancy::Organisation>> {
        let (_, permit) = self.permit(Action::ListOrganisations, Resource::Platform)?;
        Ok(self.platform.tenancy().organisations(&permit)?)
    }

    async fn create_project(&self, organisation: &Slug, name: Slug) -> Result<Reply> {
        let organisation = Resource::Organisation(self.organisation(organisation)?.id);
        let (context, permit) = self.permit(Action::CreateProject, organisation)?;
        let made = self.platform.tenancy().create_project(&context, &permit, name).await?;
        Ok(Reply::ProjectCreated((&made).into()))
    }

    pub(super) fn organisation(&self, name: &Slug) -> Result<nuee_tenancy::Organisation> {
        let (_, permit) = self.permit(Action::ListOrganisations, Resource::Platform)?;
        let found = self.platform.tenancy().organisation(&permit, name)?;
        found.with_context(|| format!("there is no organisation {name}: `nuee organisation list` shows them"))
    }

    fn projects(&self, organisation: &nuee_tenancy::Organisation) -> Result<Vec<nuee_tenancy::Project>> {
        let (_, permit) = self.permit(Action::ListProjects, Resource::Organisation(organisation.id))?;
        Ok(self.platform.tenancy().projects(&permit)?)
    }

    fn project(&self, place: &Place) -> Result<nuee_tenancy::Project> {
        let Place { organisation, project } = place;
        let within = Resource::Organisation(self.organisation(organisation)?.id);
        let (_, permit) = self.permit(Action::ListProjects, within)?;
        self.platform.tenancy().project(&permit, project)?.with_context(|| {
            format!(
                "there is no project {project} in organisation {organisation}: `nuee project list --organisation \
                 {organisation}` shows them"
            )
        })
    }

    async fn status(&self) -> Result<Reply> {
        let _ = self.permit(Action::ListOrganisations, Resource::Platform)?;
        let site = self.platform.site().clone();
        let usage = spawn_blocking(move || site.usage()).await??;
        Ok(Reply::Status(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: self.platform.instance().to_string(),
            data_dir: self.platform.data_directory().to_path_buf(),
            key_dir: self.platform.key_directory(),
            site: self.platform.tenancy().site().into(),
            server: self.serving.clone(),
            segments: usage.segments,
            live_bytes: usage.live_bytes,
            dead_bytes: usage.dead_bytes,
            free_bytes: usage.free_bytes,
        }))
    }

    /// The checkpoint in a text. Those of earlier releases were not signed.
    fn read_checkpoint(&self, text: &str) -> Result<Checkpoint> {
        let journal = self.platform.journal();
        let checkpoint: Checkpoint = text.parse()?;
        if checkpoint.origin != journal.origin() {
            bail!("the checkpoint is of {}, and this platform is {}", checkpoint.origin, journal.origin());
        }
        if text.contains("\n\n") {
            return Ok(SignedCheckpoint::open(text, &journal.verifier_key()?)?.checkpoint);
        }
        Ok(checkpoint)
    }

    async fn verify(
        &self,
        content: bool,
        checkpoint: Option<String>,
        progress: impl Fn(Progress) + Send + Sync,
    ) -> Result<Reply> {
        let checkpoint = checkpoint.map(|text| self.read_checkpoint(&text)).transpose()?;
        let (_, permit) = self.permit(Action::Verify, Resource::Platform)?;
        let tell = |seen: &VerifyReport| {
            progress(Progress { objects: seen.objects, bytes: seen.bytes, damaged: seen.damaged });
        };
        let tenancy = self.platform.tenancy().clone();
        let (_, of_tenancy) = self.permit(Action::Verify, Resource::Platform)?;
        let rows = spawn_blocking(move || tenancy.verify(&of_tenancy, checkpoint.as_ref())).await??;
        let report = self.platform.store().verify(&permit, content, tell).await?;
        let damaged = report.damaged + rows.len() as u64;
        let rows = rows.into_iter().map(|(what, detail)| Finding { what, detail });
        let finding = |finding: nuee_store::Finding| Finding { what: finding.what, detail: finding.detail };
        Ok(Reply::Verified(Verified {
            buckets: report.buckets,
            objects: report.objects,
            blobs: report.blobs,
            bytes: report.bytes,
            orphans: report.orphans,
            damaged,
            findings: rows.chain(report.findings.into_iter().map(finding)).collect(),
        }))
    }

    async fn run_lifecycle(
        &self,
        bucket: BucketName,
        dry_run: bool,
        progress: impl Fn(Progress) + Send + Sync,
    ) -> Result<Reply> {
        let (context, permit) = self.permit(Action::RunLifecycle, Resource::Platform)?;
        let tell = |report: &LifecycleReport| {
            let bytes = report.rules.iter().map(|count| count.bytes).sum();
            progress(Progress { objects: report.seen, bytes, damaged: report.damaged });
        };
        let asking = (&context, &permit, self.platform.decider());
        let report = self.platform.store().run_lifecycle(asking, &bucket, dry_run, tell).await?;
        let report = report.with_context(|| {
            format!("the bucket {bucket} has no lifecycle rules: a member of its project sets them by S3")
        })?;
        let LifecycleReport { rules, seen, locked, damaged } = report;
        let count = |(place, count): (usize, nuee_store::LifecycleCount)| {
            let nuee_store::LifecycleCount { objects, versions, markers, uploads, bytes } = count;
            LifecycleCount { rule: place + 1, objects, versions, markers, uploads, bytes }
        };
        let rules = rules.into_iter().enumerate().map(count).collect();
        let bucket = bucket.to_string();
        Ok(Reply::LifecycleRun(LifecycleRun { bucket, dry_run, rules, seen, locked, damaged }))
    }

    async fn rotate(&self, place: Option<Place>) -> Result<Reply> {
        let projects = if let Some(place) = place {
            vec![self.project(&place)?]
        } else {
            let of_each: Result<Vec<_>> =
                self.organisations()?.iter().map(|each| self.projects(each)).collect();
            of_each?.into_iter().flatten().collect()
        };
        let mut total = nuee_store::Rotation::default();
        for project in &projects {
            let (context, permit) = self.permit(Action::RotateKey, project.resource())?;
            let rotation = self.platform.store().rotate_project_key(&context, &permit).await?;
            total.rewrapped += rotation.rewrapped;
            total.damaged += rotation.damaged;
        }
        let nuee_store::Rotation { rewrapped, damaged } = total;
        Ok(Reply::KeysRotated { projects: projects.len(), data_keys: rewrapped, damaged })
    }
}
