//! Who runs the platform: their accounts, which are of no organisation.

use anyhow::{Context as _, Result};
use nuee_access::{Action, Resource};
use nuee_base::{EmailAddress, InvitationId, Role, Secret, UserId};
use nuee_tenancy::{Invitation, Member, Offer};
use serde::{Deserialize, Serialize};

use super::{Administration, Reply};
use crate::server::url;

/// Operators that one answer holds.
const MOST_LISTED: u32 = 1_000;

/// What is asked about those who run the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum OperatorRequest {
    /// List them, and those who are invited.
    List,
    /// Invite somebody.
    Invite {
        /// Whom.
        #[serde(with = "crate::text")]
        email: EmailAddress,
        /// As what: `owner`, who runs the platform, or `auditor`, who sees how it is run.
        #[serde(with = "crate::text")]
        role: Role,
    },
    /// Take an invitation back.
    Withdraw {
        /// Its id.
        #[serde(with = "crate::text")]
        invitation: InvitationId,
    },
    /// Give an operator another role too.
    Grant {
        /// Whom.
        #[serde(with = "crate::text")]
        email: EmailAddress,
        /// Which.
        #[serde(with = "crate::text")]
        role: Role,
    },
    /// Take a role away.
    Revoke {
        /// From whom.
        #[serde(with = "crate::text")]
        email: EmailAddress,
        /// Which.
        #[serde(with = "crate::text")]
        role: Role,
    },
    /// Keep an operator from signing in, and end its sign-ins.
    Suspend {
        /// Whom.
        #[serde(with = "crate::text")]
        email: EmailAddress,
    },
    /// Let an operator sign in again.
    Resume {
        /// Whom.
        #[serde(with = "crate::text")]
        email: EmailAddress,
    },
    /// Make an operator choose another password and another device.
    ResetSignIn {
        /// Whom.
        #[serde(with = "crate::text")]
        email: EmailAddress,
    },
}

/// An operator, with one of its roles.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Operator {
    /// Its address.
    pub email: String,
    /// Its name.
    pub name: String,
    /// Its id, by which the journal names it.
    pub id: String,
    /// The role.
    pub role: String,
    /// Since when it signs in no more (RFC 3339).
    pub suspended_at: Option<String>,
}

/// Somebody who is invited to be an operator.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OperatorInvitation {
    /// The invitation's id.
    pub id: String,
    /// Whom it is for.
    pub email: String,
    /// The role that is offered.
    pub role: String,
    /// Until when it can be accepted (RFC 3339).
    pub expires_at: String,
}

/// An invitation that was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Invited {
    /// Whom it is for.
    pub email: String,
    /// What is passed on, which is not shown again.
    #[serde(with = "crate::text::secret")]
    pub token: Secret,
    /// Until when it can be accepted (RFC 3339).
    pub expires_at: String,
    /// Where operators join and sign in; none while no server runs.
    pub url: Option<String>,
}

impl From<Member> for Operator {
    fn from(member: Member) -> Self {
        let Member { user, grant } = member;
        Self {
            email: user.email.to_string(),
            name: user.name,
            id: user.id.to_string(),
            role: grant.role.to_string(),
            suspended_at: user.suspended_at.as_ref().map(ToString::to_string),
        }
    }
}

impl From<&Invitation> for OperatorInvitation {
    fn from(invitation: &Invitation) -> Self {
        Self {
            id: invitation.id.to_string(),
            email: invitation.email.to_string(),
            role: invitation.role.to_string(),
            expires_at: invitation.expires_at.to_string(),
        }
    }
}

impl Administration {
    pub(super) async fn operators(&self, asked: OperatorRequest) -> Result<Reply> {
        match asked {
            OperatorRequest::List => self.list_operators(),
            OperatorRequest::Invite { email, role } => self.invite_operator(email, role).await,
            OperatorRequest::Withdraw { invitation } => {
                let (context, permit) = self.permit(Action::RevokeInvitation, Resource::Platform)?;
                self.platform.tenancy().revoke_invitation(&context, &permit, invitation).await?;
                Ok(changed("The invitation is taken back."))
            }
            OperatorRequest::Grant { email, role } => {
                let (context, permit) = self.permit(Action::GrantRole, Resource::Platform)?;
                let operator = self.operator(&email)?;
                self.platform.tenancy().grant_role(&context, &permit, (operator, role), None).await?;
                Ok(changed(format!("{email} is {role} of the platform.")))
            }
            OperatorRequest::Revoke { email, role } => {
                let (context, permit) = self.permit(Action::RevokeRole, Resource::Platform)?;
                let operator = self.operator(&email)?;
                self.platform.tenancy().revoke_role(&context, &permit, (operator, role)).await?;
                Ok(changed(format!("{email} is no {role} of the platform any more.")))
            }
            OperatorRequest::Suspend { email } => {
                self.suspend_operator(&email, true).await?;
                Ok(changed(format!("{email} signs in no more, and every sign-in has ended.")))
            }
            OperatorRequest::Resume { email } => {
                self.suspend_operator(&email, false).await?;
                Ok(changed(format!("{email} may sign in again.")))
            }
            OperatorRequest::ResetSignIn { email } => {
                let (context, permit) = self.permit(Action::ResetSignIn, Resource::Platform)?;
                let operator = self.operator(&email)?;
                let token = self.platform.tenancy().reset_sign_in(&context, &permit, operator).await?;
                Ok(Reply::OperatorReset { email: email.to_string(), token })
            }
        }
    }

    fn list_operators(&self) -> Result<Reply> {
        let tenancy = self.platform.tenancy();
        let (_, permit) = self.permit(Action::ListMembers, Resource::Platform)?;
        let operators = tenancy.members(&permit, None, MOST_LISTED)?.into_iter().map(Operator::from);
        let (context, permit) = self.permit(Action::ListInvitations, Resource::Platform)?;
        let invitations = tenancy.invitations(&context, &permit)?;
        Ok(Reply::Operators {
            operators: operators.collect(),
            invitations: invitations.iter().map(OperatorInvitation::from).collect(),
        })
    }

    async fn invite_operator(&self, email: EmailAddress, role: Role) -> Result<Reply> {
        let (context, permit) = self.permit(Action::CreateInvitation, Resource::Platform)?;
        let offer = Offer { email, role, role_expires_at: None };
        let (invitation, token) = self.platform.tenancy().invite(&context, &permit, offer).await?;
        let url = self.serving.as_ref().map(|serving| url(serving.admin_secure, serving.admin_listen));
        let (email, expires_at) = (invitation.email.to_string(), invitation.expires_at.to_string());
        Ok(Reply::OperatorInvited(Invited { email, token, expires_at, url }))
    }

    async fn suspend_operator(&self, email: &EmailAddress, suspended: bool) -> Result<()> {
        let (context, permit) = self.permit(Action::SuspendUser, Resource::Platform)?;
        let operator = self.operator(email)?;
        self.platform.tenancy().suspend_user(&context, &permit, (operator, suspended)).await?;
        Ok(())
    }

    fn operator(&self, email: &EmailAddress) -> Result<UserId> {
        let (_, permit) = self.permit(Action::ListUsers, Resource::Platform)?;
        let found = self.platform.tenancy().user_by_email(&permit, email)?;
        let user = found
            .with_context(|| format!("there is no operator {email}: `nuee operator list` shows them"))?;
        Ok(user.id)
    }
}

fn changed(said: impl Into<String>) -> Reply {
    Reply::OperatorChanged { said: said.into() }
}
