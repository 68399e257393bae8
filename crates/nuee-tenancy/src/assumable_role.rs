//! Assumable roles: what somebody who proves who they are may act as for a while.
//!
//! An *assumable role* is in a project; it grants a role of that project, to users whom an issuer of the settings knows or
//! to the project's service accounts, and may take rights away again by a policy. For example, the role `lab` grants
//! `maintainer` to users of the issuer `datalab` whose claim `groups` contains `researchers`, and its policy leaves each
//! of them the bucket `user-${jwt:preferred_username}`.

use std::time::Duration;

use nuee_access::{Action, ClaimCondition, Claims, Identity, Permit, Resource, SessionPolicy};
use nuee_base::{Context, OrganisationId, ProjectId, Role, Slug, Timestamp};
use nuee_journal::{Entry, Subject};
use nuee_keys::RowBuilder;
use nuee_metadata::{AssumableRoleRow, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Tenancy,
    project_keys::{decode, encode},
    service_account::project_of,
};

/// The shortest session, as at AWS.
pub const SHORTEST_SESSION: Duration = Duration::from_mins(15);
/// The longest session that a role may allow.
pub const LONGEST_SESSION: Duration = Duration::from_hours(7 * 24);
/// The largest policy of a role, in bytes.
const MAX_POLICY_BYTES: usize = 10_240;
/// What errors call a role.
const KIND: &str = "assumable role";
/// The most conditions of a role.
const MAX_CONDITIONS: usize = 16;

/// Who may assume a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trusted {
    /// Users of the issuer that has this name in the settings, for whom all conditions hold.
    Issuer {
        /// The issuer.
        name: Slug,
        /// What is asked of their claims.
        conditions: Vec<ClaimCondition>,
        /// Whether they have this role if they name none.
        is_default: bool,
    },
    /// Service accounts of the project whose own role includes the one that is granted.
    ServiceAccounts,
}

/// What a role is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleTerms {
    /// What it grants in its project.
    pub grants: Role,
    /// Who may assume it.
    pub trusted: Trusted,
    /// How long a session in it lasts at most.
    pub longest: Duration,
    /// What is left of what it grants, in AWS's policy language, with variables `${jwt:CLAIM}`; everything if there is none.
    pub policy: Option<String>,
}

/// An assumable role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssumableRole {
    /// The organisation of its project.
    pub organisation: OrganisationId,
    /// Its project.
    pub project: ProjectId,
    /// Its name, unique in the project.
    pub name: Slug,
    /// What it is.
    pub terms: RoleTerms,
    /// When it was created.
    pub created_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
enum Record {
    V1 {
        grants: String,
        issuer: Option<String>,
        conditions: Vec<String>,
        longest_seconds: u32,
        policy: Option<String>,
        created_at_micros: i64,
    },
}

fn fields(organisation: OrganisationId, row: &AssumableRoleRow) -> RowBuilder {
    RowBuilder::new("assumable_roles")
        .bytes(&organisation.to_bytes())
        .bytes(&row.project.to_bytes())
        .bytes(row.name.as_str().as_bytes())
        .bytes(row.default_of.as_ref().map_or(b"", |issuer| issuer.as_str().as_bytes()))
        .bytes(&row.record)
}

/// What the journal and verification call a role.
pub(crate) fn resource_of(project: ProjectId, name: &Slug) -> String {
    format!("assumable-role/{project}/{name}")
}

impl RoleTerms {
    /// What the journal says of such a role.
    pub(crate) fn state(&self) -> String {
        match &self.trusted {
            Trusted::Issuer { name, .. } => format!("grants {} to users of {name}", self.grants),
            Trusted::ServiceAccounts => format!("grants {} to service accounts", self.grants),
        }
    }

    fn check(&self) -> Result<(), Error> {
        let refusal = |why: String| Error::Invalid { kind: KIND, why };
        let invalid = |why: String| Err(refusal(why));
        if !(SHORTEST_SESSION..=LONGEST_SESSION).contains(&self.longest) {
            return invalid("sessions last from 15 minutes to 7 days".to_owned());
        }
        if let Trusted::Issuer { conditions, .. } = &self.trusted
            && conditions.len() > MAX_CONDITIONS
        {
            return invalid(format!("at most {MAX_CONDITIONS} conditions on claims are possible"));
        }
        let Some(policy) = &self.policy else { return Ok(()) };
        if policy.len() > MAX_POLICY_BYTES {
            return invalid(format!("its policy has more than {MAX_POLICY_BYTES} bytes"));
        }
        let filled = match &self.trusted {
            Trusted::Issuer { .. } => Claims::fill_in_for_nobody(policy),
            Trusted::ServiceAccounts => Ok(policy.clone()),
        };
        let filled = filled.map_err(|error| refusal(error.to_string()))?;
        SessionPolicy::parse(&filled).map(drop).map_err(|error| refusal(format!("its policy: {error}")))
    }
}

impl AssumableRole {
    /// Whether it is for somebody whom an issuer knows.
    #[must_use]
    pub fn trusts(&self, identity: &Identity) -> bool {
        match &self.terms.trusted {
            Trusted::Issuer { name, conditions, .. } => {
                name == identity.issuer()
                    && conditions.iter().all(|condition| condition.holds(identity.claims()))
            }
            Trusted::ServiceAccounts => false,
        }
    }

    /// Whether it is for a service account of this project that has this role.
    #[must_use]
    pub fn trusts_account(&self, project: ProjectId, role: Role) -> bool {
        self.terms.trusted == Trusted::ServiceAccounts
            && project == self.project
            && role.includes(self.terms.grants)
    }
}

impl Tenancy {
    /// Creates an assumable role in the project that the permit is for.
    pub async fn create_assumable_role(
        &self,
        context: &Context,
        permit: &Permit,
        name: Slug,
        terms: RoleTerms,
    ) -> Result<AssumableRole, Error> {
        permit.require(Action::CreateAssumableRole, permit.resource())?;
        let (organisation, project) = project_of(permit)?;
        terms.check()?;
        let created_at = context.now();
        let (issuer, conditions, is_default) = match &terms.trusted {
            Trusted::Issuer { name, conditions, is_default } => {
                (Some(name), conditions.as_slice(), *is_default)
            }
            Trusted::ServiceAccounts => (None, &[][..], false),
        };
        let record = Record::V1 {
            grants: terms.grants.to_string(),
            issuer: issuer.map(ToString::to_string),
            conditions: conditions.iter().map(ToString::to_string).collect(),
            longest_seconds: u32::try_from(terms.longest.as_secs()).unwrap_or(u32::MAX),
            policy: terms.policy.clone(),
            created_at_micros: created_at.as_micros(),
        };
        let default_of = issuer.filter(|_| is_default).cloned();
        let mut row = AssumableRoleRow {
            project,
            name: name.clone(),
            default_of,
            record: encode(&record)?,
            mac: [0; 32],
        };
        row.mac = fields(organisation, &row).mac(&*self.0.keys.row_mac_key(organisation)?);
        let entry = Entry::new(context, &self.0.keys, organisation, resource_of(project, &name))?;
        let state = terms.state();
        let tenancy = self.clone();
        let by_operator = context.principal().is_operator();
        let create = move |transaction: &Transaction<'_>| {
            tenancy.refuse_operator(transaction, by_operator, organisation)?;
            match transaction.insert_assumable_role(&row) {
                Err(nuee_metadata::Error::Duplicate) => Err(taken(transaction, row)),
                inserted => Ok(inserted?),
            }?;
            entry.append(transaction, Action::CreateAssumableRole.as_str(), Subject::detail(&state))?;
            Ok::<_, Error>(())
        };
        self.0.metadata.write(create).await?;
        Ok(AssumableRole { organisation, project, name, terms, created_at })
    }

    /// Who may assume a role: users of an issuer of the settings of whose claims something is asked, or, without one,
    /// the service accounts of its project.
    pub fn trusted(
        &self,
        issuer: Option<Slug>,
        conditions: &[String],
        is_default: bool,
    ) -> Result<Trusted, Error> {
        let invalid = |why: String| Error::Invalid { kind: KIND, why };
        let Some(name) = issuer else {
            return if conditions.is_empty() && !is_default {
                Ok(Trusted::ServiceAccounts)
            } else {
                let why = "conditions on claims, and being the default, are for roles of an issuer";
                Err(invalid(why.to_owned()))
            };
        };
        if !self.knows_issuer(&name) {
            return Err(invalid(format!(
                "there is no issuer {name}: whoever runs the platform adds a section [identity.issuers.{name}] to the \
                 settings, and starts the server again"
            )));
        }
        let conditions = conditions.iter().map(|text| text.parse::<ClaimCondition>());
        let conditions = conditions.collect::<Result<_, _>>().map_err(|error| invalid(error.to_string()))?;
        Ok(Trusted::Issuer { name, conditions, is_default })
    }

    /// The assumable roles of the project that the permit is for, by name.
    pub fn assumable_roles(&self, permit: &Permit) -> Result<Vec<AssumableRole>, Error> {
        permit.require(Action::ListAssumableRoles, permit.resource())?;
        let (organisation, project) = project_of(permit)?;
        let rows = self.0.metadata.read(|snapshot| snapshot.assumable_roles(project))?;
        rows.iter().map(|row| self.open_assumable_role(organisation, row)).collect()
    }

    /// Deletes the assumable role of this name in the project that the permit is for; sessions in it end at once.
    pub async fn delete_assumable_role(
        &self,
        context: &Context,
        permit: &Permit,
        name: &Slug,
    ) -> Result<usize, Error> {
        permit.require(Action::DeleteAssumableRole, permit.resource())?;
        let (organisation, project) = project_of(permit)?;
        let entry = Entry::new(context, &self.0.keys, organisation, resource_of(project, name))?;
        let of_role = name.clone();
        let forget = self
            .0
            .known_sessions
            .forget(move |_, known| known.project() == Some(project) && known.assumed() == Some(&of_role));
        let name = name.clone();
        let delete = move |transaction: &Transaction<'_>| {
            if !transaction.delete_assumable_role(project, &name)? {
                return Err(Error::NotFound { kind: KIND, name: name.to_string() });
            }
            let ended = transaction.delete_sessions_in(project, &name)?;
            let said = format!("ended {ended} sessions");
            entry.append(transaction, Action::DeleteAssumableRole.as_str(), Subject::detail(&said))?;
            Ok::<_, Error>((ended, forget))
        };
        self.0.metadata.write(delete).await.map(|(ended, _)| ended)
    }

    /// The assumable role of this name in a project, for somebody who would assume it: what it asks of them is to be
    /// looked at after.
    pub fn find_assumable_role(
        &self,
        project: ProjectId,
        name: &Slug,
    ) -> Result<Option<AssumableRole>, Error> {
        let row = self.0.metadata.read(|snapshot| snapshot.assumable_role(project, name))?;
        row.map(|row| self.open_found(&row)).transpose()
    }

    /// The assumable role that users of an issuer have if they name none.
    pub fn find_default_role(&self, issuer: &Slug) -> Result<Option<AssumableRole>, Error> {
        let row = self.0.metadata.read(|snapshot| snapshot.default_assumable_role(issuer))?;
        row.map(|row| self.open_found(&row)).transpose()
    }

    fn open_found(&self, row: &AssumableRoleRow) -> Result<AssumableRole, Error> {
        let project = self.0.metadata.read(|snapshot| snapshot.project(row.project))?;
        let missing = || Error::damaged(resource_of(row.project, &row.name), "its project does not exist");
        let project = self.open_project(project.ok_or_else(missing)?)?;
        self.open_assumable_role(project.organisation, row)
    }

    pub(crate) fn open_assumable_role(
        &self,
        organisation: OrganisationId,
        row: &AssumableRoleRow,
    ) -> Result<AssumableRole, Error> {
        let damaged = |detail: &str| Error::damaged(resource_of(row.project, &row.name), detail);
        let row_key = self.0.keys.row_mac_key(organisation)?;
        if fields(organisation, row).verify(&row_key, &row.mac).is_err() {
            return Err(damaged("its row's code is wrong"));
        }
        let Record::V1 { grants, issuer, conditions, longest_seconds, policy, created_at_micros } =
            decode("assumable_roles", &row.record)?;
        let trusted = match issuer {
            None => Trusted::ServiceAccounts,
            Some(name) => {
                let conditions: Result<Vec<ClaimCondition>, _> =
                    conditions.iter().map(|condition| condition.parse()).collect();
                Trusted::Issuer {
                    name: name.parse().map_err(|_| damaged("its issuer has no name"))?,
                    conditions: conditions.map_err(|_| damaged("its conditions cannot be read"))?,
                    is_default: row.default_of.is_some(),
                }
            }
        };
        let terms = RoleTerms {
            grants: grants.parse().map_err(|_| damaged("what it grants is unknown"))?,
            trusted,
            longest: Duration::from_secs(u64::from(longest_seconds)),
            policy,
        };
        let created_at = Timestamp::from_micros(created_at_micros);
        Ok(AssumableRole { organisation, project: row.project, name: row.name.clone(), terms, created_at })
    }
}

/// Why a row could not be added: its name is taken, or its issuer has a default.
fn taken(transaction: &Transaction<'_>, row: AssumableRoleRow) -> Error {
    match (transaction.assumable_role(row.project, &row.name), row.default_of) {
        (Ok(None), Some(issuer)) => {
            let why = format!("there is a role already that users of {issuer} have by default");
            Error::Invalid { kind: KIND, why }
        }
        _ => Error::Exists { kind: KIND, name: row.name },
    }
}

/// The project of a resource, where a role is named by it.
#[must_use]
pub fn role_arn(project: ProjectId, name: &Slug) -> String {
    format!("arn:aws:iam::{project}:role/{name}")
}

/// The project and the name that a role's ARN gives, if it is one.
#[must_use]
pub fn parse_role_arn(text: &str) -> Option<(ProjectId, Slug)> {
    let (project, name) = text.strip_prefix("arn:aws:iam::")?.split_once(":role/")?;
    Some((project.parse().ok()?, name.parse().ok()?))
}

impl From<&AssumableRole> for Resource {
    fn from(role: &AssumableRole) -> Self {
        Self::Project { organisation: role.organisation, project: role.project }
    }
}
