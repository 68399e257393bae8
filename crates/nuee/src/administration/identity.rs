//! Assumable roles and sessions: what is asked of them, and what is shown.

use std::time::Duration;

use anyhow::Result;
use nuee_access::Action;
use nuee_base::{Role, SessionId, Slug, Timestamp};
use nuee_tenancy::{RoleTerms, Trusted, role_arn};
use serde::{Deserialize, Serialize};

use super::{Administration, Place, Reply};

/// What an assumable role is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// What it grants in its project.
    #[serde(with = "crate::text")]
    pub grants: Role,
    /// The issuer whose users may assume it; none for the service accounts of the project.
    pub issuer: Option<String>,
    /// What is asked of their claims, each as `CLAIM=VALUE` or `CLAIM contains VALUE`.
    pub conditions: Vec<String>,
    /// Whether they have it if they name no role.
    pub is_default: bool,
    /// How long a session lasts at most.
    pub longest_seconds: u64,
    /// What is left of what it grants, in AWS's policy language.
    pub policy: Option<String>,
}

/// An assumable role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AssumableRole {
    /// Its name.
    pub name: String,
    /// What requests call it.
    pub arn: String,
    /// What it is.
    pub terms: Terms,
    /// When it was made (RFC 3339).
    pub created_at: String,
}

/// A session that goes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// The name of its role.
    pub role: String,
    /// Who began it: `issuer/NAME` or `service-account/ID`.
    pub parent: String,
    /// Who that is there.
    pub subject: String,
    /// What it is called.
    pub name: String,
    /// The public half of its access key.
    pub access_key_id: String,
    /// When it began (RFC 3339).
    pub created_at: String,
    /// When it ends (RFC 3339).
    pub expires_at: String,
}

impl From<&nuee_tenancy::AssumableRole> for AssumableRole {
    fn from(role: &nuee_tenancy::AssumableRole) -> Self {
        let RoleTerms { grants, trusted, longest, policy } = &role.terms;
        let (issuer, conditions, is_default) = match trusted {
            Trusted::ServiceAccounts => (None, Vec::new(), false),
            Trusted::Issuer { name, conditions, is_default } => {
                let conditions = conditions.iter().map(ToString::to_string).collect();
                (Some(name.to_string()), conditions, *is_default)
            }
        };
        let (policy, longest_seconds) = (policy.clone(), longest.as_secs());
        Self {
            name: role.name.to_string(),
            arn: role_arn(role.project, &role.name),
            terms: Terms { grants: *grants, issuer, conditions, is_default, longest_seconds, policy },
            created_at: role.created_at.to_string(),
        }
    }
}

impl From<&nuee_tenancy::Session> for Session {
    fn from(session: &nuee_tenancy::Session) -> Self {
        Self {
            id: session.id.to_string(),
            role: session.role.to_string(),
            parent: session.parent.clone(),
            subject: session.subject.clone(),
            name: session.name.clone(),
            access_key_id: session.access_key.to_string(),
            created_at: Timestamp::to_string(&session.created_at),
            expires_at: Timestamp::to_string(&session.expires_at),
        }
    }
}

impl Administration {
    pub(super) async fn create_assumable_role(
        &self,
        place: &Place,
        name: Slug,
        terms: Terms,
    ) -> Result<Reply> {
        let (context, permit) = self.permit_in(place, Action::CreateAssumableRole)?;
        let tenancy = self.platform.tenancy();
        let Terms { grants, issuer, conditions, is_default, longest_seconds, policy } = terms;
        let issuer = issuer.map(|issuer| issuer.parse()).transpose()?;
        let trusted = tenancy.trusted(issuer, &conditions, is_default)?;
        let terms = RoleTerms { grants, trusted, longest: Duration::from_secs(longest_seconds), policy };
        let made = tenancy.create_assumable_role(&context, &permit, name, terms).await?;
        Ok(Reply::AssumableRoleCreated((&made).into()))
    }

    pub(super) fn list_assumable_roles(&self, place: &Place) -> Result<Reply> {
        let (_, permit) = self.permit_in(place, Action::ListAssumableRoles)?;
        let roles = self.platform.tenancy().assumable_roles(&permit)?;
        Ok(Reply::AssumableRoles { roles: roles.iter().map(AssumableRole::from).collect() })
    }

    pub(super) async fn delete_assumable_role(&self, place: &Place, name: &Slug) -> Result<Reply> {
        let (context, permit) = self.permit_in(place, Action::DeleteAssumableRole)?;
        let ended = self.platform.tenancy().delete_assumable_role(&context, &permit, name).await?;
        Ok(Reply::AssumableRoleDeleted { ended })
    }

    pub(super) fn list_sessions(&self, place: &Place) -> Result<Reply> {
        let (context, permit) = self.permit_in(place, Action::ListSessions)?;
        let sessions = self.platform.tenancy().sessions(&context, &permit)?;
        Ok(Reply::Sessions { sessions: sessions.iter().map(Session::from).collect() })
    }

    pub(super) async fn revoke_session(&self, place: &Place, id: SessionId) -> Result<Reply> {
        let (context, permit) = self.permit_in(place, Action::RevokeSession)?;
        self.platform.tenancy().revoke_session(&context, &permit, id).await?;
        Ok(Reply::SessionRevoked)
    }
}
