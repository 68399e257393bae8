//! Service accounts and their access keys.

use std::time::Duration;

use anyhow::Result;
use nuee_access::{Action, Resource};
use nuee_base::{AccessKeyId, EmailAddress, Role, Slug};
use nuee_tenancy::{Offer, Profile, ShownKey};

use super::Administration;
use crate::administration::{Place, Reply, ServiceAccount};

impl Administration {
    pub(super) async fn create_service_account(
        &self,
        place: &Place,
        name: Slug,
        role: Role,
    ) -> Result<Reply> {
        let (context, permit) = self.permit_in(place, Action::CreateServiceAccount)?;
        let tenancy = self.platform.tenancy();
        let (account, key) = tenancy.create_service_account(&context, &permit, name, role).await?;
        let created_at = account.created_at;
        let shown = ShownKey { id: key.id, created_at, expires_at: None, last_used_at: None };
        let account = ServiceAccount::new(&account, &[shown]);
        Ok(Reply::ServiceAccountCreated { account, secret_access_key: key.secret })
    }

    pub(super) async fn create_organisation(&self, name: Slug, profile: Profile) -> Result<Reply> {
        let (context, permit) = self.permit(Action::CreateOrganisation, Resource::Platform)?;
        let tenancy = self.platform.tenancy();
        let made = tenancy.create_organisation(&context, &permit, (name, profile)).await?;
        Ok(Reply::OrganisationCreated((&made).into()))
    }

    /// Invites the first owner of an organisation: from then on, it administers itself.
    pub(super) async fn invite_owner(&self, organisation: &Slug, email: EmailAddress) -> Result<Reply> {
        let place = Resource::Organisation(self.organisation(organisation)?.id);
        let (context, permit) = self.permit(Action::CreateInvitation, place)?;
        let offer = Offer { email, role: Role::Owner, role_expires_at: None };
        let (invitation, token) = self.platform.tenancy().invite(&context, &permit, offer).await?;
        let (email, expires_at) = (invitation.email.to_string(), invitation.expires_at.to_string());
        Ok(Reply::OwnerInvited { email, token, expires_at })
    }

    pub(super) fn list_service_accounts(&self, place: &Place) -> Result<Reply> {
        let (_, permit) = self.permit_in(place, Action::ListServiceAccounts)?;
        let accounts = self.platform.tenancy().service_accounts(&permit)?;
        let show = |(account, keys): &(_, Vec<_>)| ServiceAccount::new(account, keys);
        Ok(Reply::ServiceAccounts { accounts: accounts.iter().map(show).collect() })
    }

    pub(super) async fn revoke_service_account(&self, place: &Place, name: &Slug) -> Result<Reply> {
        let (context, permit) = self.permit_in(place, Action::RevokeServiceAccount)?;
        self.platform.tenancy().revoke_service_account(&context, &permit, name).await?;
        Ok(Reply::ServiceAccountRevoked)
    }

    pub(super) async fn create_access_key(
        &self,
        place: &Place,
        account: &Slug,
        days: Option<u32>,
    ) -> Result<Reply> {
        let (context, permit) = self.permit_in(place, Action::CreateAccessKey)?;
        let day = Duration::from_hours(24);
        let expires_at = days.map(|days| context.now().saturating_add(day * days));
        let tenancy = self.platform.tenancy();
        let key = tenancy.create_access_key(&context, &permit, account, expires_at).await?;
        Ok(Reply::AccessKeyCreated {
            access_key_id: key.id.to_string(),
            secret_access_key: key.secret,
            expires_at: expires_at.as_ref().map(ToString::to_string),
        })
    }

    pub(super) async fn delete_access_key(
        &self,
        place: &Place,
        account: &Slug,
        key: &AccessKeyId,
    ) -> Result<Reply> {
        let (context, permit) = self.permit_in(place, Action::DeleteAccessKey)?;
        self.platform.tenancy().delete_access_key(&context, &permit, (account, key)).await?;
        Ok(Reply::AccessKeyDeleted)
    }
}
