//! The first start: an organisation, a project and an account, once.
//!
//! Each step looks for what it would make, so a first start that was cut is finished by the next one. It is over when
//! the secret of the account has been shown; until then it is shown again, for nobody may have read it, and the people of the
//! demonstration get other passwords.

use anyhow::{Context as _, Result, bail};
use nuee_access::{Action, Resource};
use nuee_base::{Context, Role, Slug};
use nuee_metadata::{Error as MetadataError, Metadata, Transaction};
use nuee_tenancy::{AccessKey, Organisation, Profile, Project};

use crate::{
    Platform,
    demonstration::{self, Demonstration},
};

const STATE: &str = "first_start";
const FINISHED: &[u8] = b"finished";
const ORGANISATION: &str = "local";
const PROJECT: &str = "default";
const OWNER: &str = "owner";

/// What is done where there is no platform yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstStart {
    /// Make one, with a service account whose secret is shown once, and a demonstration.
    WithDemonstration,
    /// Make one, with a service account whose secret is shown once.
    WithOwner,
    /// Make one without an account, where nobody would see the secret.
    WithoutAccount,
    /// Refuse to start.
    Refused,
}

/// Whether the first start is over.
pub(crate) fn is_finished(metadata: &Metadata) -> Result<bool> {
    Ok(metadata.read(|snapshot| snapshot.platform_value(STATE))?.as_deref() == Some(FINISHED))
}

/// Notes that the first start is over: the owner's secret was shown, or there is none.
pub(crate) async fn finish(metadata: &Metadata) -> Result<()> {
    let write = |transaction: &Transaction<'_>| transaction.set_platform_value(STATE, FINISHED);
    Ok(metadata.write::<_, MetadataError>(write).await?)
}

/// What a first start has made, to be shown once.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// The key of the service account.
    pub(crate) owner_key: Option<AccessKey>,
    /// The demonstration.
    pub(crate) demonstration: Option<Demonstration>,
}

/// Does what is left of the first start; gives what was not shown yet.
pub(crate) async fn complete(platform: &Platform, mode: FirstStart) -> Result<Made> {
    if is_finished(platform.metadata())? {
        return Ok(Made::default());
    }
    if mode == FirstStart::Refused {
        bail!(
            "the first start on {} was not finished: finish it with `nuee up` or `nuee serve --init`",
            platform.data_directory().display()
        );
    }
    let context = platform.operator();
    let organisation = organisation(platform, &context).await?;
    let project = project(platform, &context, &organisation).await?;
    if mode == FirstStart::WithoutAccount {
        finish(platform.metadata()).await?;
        return Ok(Made::default());
    }
    let owner_key = owner(platform, &context, &project).await?;
    let demonstration = match mode {
        FirstStart::WithDemonstration => Some(demonstration::make(platform).await?),
        _ => None,
    };
    Ok(Made { owner_key, demonstration })
}

async fn organisation(platform: &Platform, context: &Context) -> Result<Organisation> {
    let name: Slug = ORGANISATION.parse()?;
    let permit = platform.decider().decide(context, Action::ListOrganisations, Resource::Platform)?;
    let existing = platform.tenancy().organisations(&permit)?.into_iter().find(|each| each.name == name);
    if let Some(organisation) = existing {
        return Ok(organisation);
    }
    let permit = platform.decider().decide(context, Action::CreateOrganisation, Resource::Platform)?;
    Ok(platform.tenancy().create_organisation(context, &permit, (name, Profile::default())).await?)
}

async fn project(platform: &Platform, context: &Context, organisation: &Organisation) -> Result<Project> {
    let name: Slug = PROJECT.parse()?;
    let resource = Resource::Organisation(organisation.id);
    let permit = platform.decider().decide(context, Action::ListProjects, resource)?;
    if let Some(project) = platform.tenancy().projects(&permit)?.into_iter().find(|each| each.name == name) {
        return Ok(project);
    }
    let permit = platform.decider().decide(context, Action::CreateProject, resource)?;
    Ok(platform.tenancy().create_project(context, &permit, name).await?)
}

async fn owner(platform: &Platform, context: &Context, project: &Project) -> Result<Option<AccessKey>> {
    let name: Slug = OWNER.parse()?;
    let (decider, tenancy) = (platform.decider(), platform.tenancy());
    let permit = decider.decide(context, Action::ListServiceAccounts, project.resource())?;
    let existing = tenancy.service_accounts(&permit)?.into_iter().find(|(account, _)| account.name == name);
    let Some((_, keys)) = existing else {
        let permit = decider.decide(context, Action::CreateServiceAccount, project.resource())?;
        let (_, key) = tenancy.create_service_account(context, &permit, name, Role::Owner).await?;
        return Ok(Some(key));
    };
    let Some(id) = keys.into_iter().next().map(|key| key.id) else { return Ok(None) };
    let known = tenancy.credentials(&id)?.context("the key of the owner does not open; run `nuee verify`")?;
    Ok(Some(AccessKey { id, secret: known.secret.clone() }))
}
