//! Questions in the words of the schema: the entities that policies look at.
//!
//! They are made from the question alone. That is why a decision may be cached under its question.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Entities, Entity, EntityId, EntityTypeName, EntityUid, ParseErrors, RestrictedExpression, Schema,
};
use nuee_base::{Assurance, Grants, OrganisationId, Principal, ProjectId, Role, Slug};

use crate::{Action, Resource, question::Question};

/// Why entities could not be made. Says nothing more: their denial is all that follows.
#[derive(Debug)]
pub(crate) struct Unrepresentable;

/// The names of the schema's types, parsed once.
pub(crate) struct Vocabulary {
    platform: EntityTypeName,
    organisation: EntityTypeName,
    project: EntityTypeName,
    bucket: EntityTypeName,
    role: EntityTypeName,
    anonymous: EntityTypeName,
    operator: EntityTypeName,
    platform_role: EntityTypeName,
    lifecycle: EntityTypeName,
    service_account: EntityTypeName,
    session: EntityTypeName,
    user: EntityTypeName,
    organisation_role: EntityTypeName,
    action: EntityTypeName,
}

impl Vocabulary {
    pub(crate) fn new() -> Result<Self, Box<ParseErrors>> {
        Ok(Self {
            platform: "Nuee::Platform".parse()?,
            organisation: "Nuee::Organisation".parse()?,
            project: "Nuee::Project".parse()?,
            bucket: "Nuee::Bucket".parse()?,
            role: "Nuee::Role".parse()?,
            anonymous: "Nuee::Anonymous".parse()?,
            operator: "Nuee::Operator".parse()?,
            platform_role: "Nuee::PlatformRole".parse()?,
            lifecycle: "Nuee::Lifecycle".parse()?,
            service_account: "Nuee::ServiceAccount".parse()?,
            session: "Nuee::Session".parse()?,
            user: "Nuee::User".parse()?,
            organisation_role: "Nuee::OrganisationRole".parse()?,
            action: "Nuee::Action".parse()?,
        })
    }

    pub(crate) fn action(&self, action: Action) -> EntityUid {
        uid(&self.action, action.as_str())
    }

    pub(crate) fn principal(&self, principal: &Principal) -> EntityUid {
        match principal {
            Principal::Anonymous => uid(&self.anonymous, "anonymous"),
            Principal::Operator => uid(&self.operator, "operator"),
            Principal::OperatorAccount { id, .. } => uid(&self.operator, id.to_string()),
            Principal::Lifecycle => uid(&self.lifecycle, "lifecycle"),
            Principal::ServiceAccount { id, .. } => uid(&self.service_account, id.to_string()),
            Principal::Session { id, .. } => uid(&self.session, id.to_string()),
            Principal::User { id, .. } => uid(&self.user, id.to_string()),
        }
    }

    pub(crate) fn resource(&self, resource: &Resource) -> EntityUid {
        match resource {
            Resource::Platform => uid(&self.platform, "platform"),
            Resource::Organisation(organisation) => self.organisation(*organisation),
            Resource::Project { project, .. } => self.project(*project),
            Resource::Bucket { bucket, .. } => uid(&self.bucket, bucket.to_string()),
        }
    }

    /// The principal with its role and its places, the resource and what it stands in. With a schema, checked against
    /// it.
    pub(crate) fn entities(
        &self,
        question: &Question,
        schema: Option<&Schema>,
    ) -> Result<Entities, Unrepresentable> {
        let mut entities = self.resource_chain(&question.resource);
        entities.push(self.principal_entity(&question.principal, &question.resource)?);
        Entities::from_entities(entities, schema).map_err(|_| Unrepresentable)
    }

    fn organisation(&self, organisation: OrganisationId) -> EntityUid {
        uid(&self.organisation, organisation.to_string())
    }

    fn project(&self, project: ProjectId) -> EntityUid {
        uid(&self.project, project.to_string())
    }

    fn role(&self, role: Role) -> EntityUid {
        uid(&self.role, role.as_str())
    }

    fn principal_entity(
        &self,
        principal: &Principal,
        resource: &Resource,
    ) -> Result<Entity, Unrepresentable> {
        let name = self.principal(principal);
        let (organisation, project, role, assumed) = match principal {
            Principal::Anonymous | Principal::Lifecycle => {
                return Ok(Entity::with_uid(name));
            }
            Principal::Operator => {
                return self.operator_entity(name, [Role::Owner], Assurance::MultiFactor);
            }
            Principal::OperatorAccount { grants, assurance, .. } => {
                return self.operator_entity(name, grants.in_organisation(), *assurance);
            }
            Principal::User { organisation, grants, assurance, .. } => {
                return self.user_entity(name, *organisation, (grants, *assurance), resource);
            }
            Principal::ServiceAccount { organisation, project, role, .. } => {
                (organisation, project, role, None)
            }
            Principal::Session { organisation, project, role, assumed, .. } => {
                (organisation, project, role, Some(assumed))
            }
        };
        let place = RestrictedExpression::new_entity_uid;
        let mut attributes = HashMap::from([
            ("organisation".to_owned(), place(self.organisation(*organisation))),
            ("project".to_owned(), place(self.project(*project))),
        ]);
        let text = |name: &Slug| RestrictedExpression::new_string(name.to_string());
        attributes.extend(assumed.map(|assumed| ("assumed".to_owned(), text(assumed))));
        Entity::new(name, attributes, HashSet::from([self.role(*role)])).map_err(|_| Unrepresentable)
    }

    /// An operator, with its roles.
    fn operator_entity(
        &self,
        name: EntityUid,
        roles: impl IntoIterator<Item = Role>,
        assurance: Assurance,
    ) -> Result<Entity, Unrepresentable> {
        let multi_factor = RestrictedExpression::new_bool(assurance == Assurance::MultiFactor);
        let attributes = HashMap::from([("multiFactor".to_owned(), multi_factor)]);
        let roles = roles.into_iter().map(|role| uid(&self.platform_role, role.as_str())).collect();
        Entity::new(name, attributes, roles).map_err(|_| Unrepresentable)
    }

    /// A user with the roles that it has where the resource stands.
    fn user_entity(
        &self,
        name: EntityUid,
        organisation: OrganisationId,
        (grants, assurance): (&Grants, Assurance),
        resource: &Resource,
    ) -> Result<Entity, Unrepresentable> {
        let place = RestrictedExpression::new_entity_uid;
        let mut attributes = HashMap::from([
            ("organisation".to_owned(), place(self.organisation(organisation))),
            ("multiFactor".to_owned(), RestrictedExpression::new_bool(assurance == Assurance::MultiFactor)),
        ]);
        let mut roles = HashSet::new();
        match *resource {
            Resource::Organisation(_) => {
                let named = |role: Role| uid(&self.organisation_role, role.as_str());
                roles.extend(grants.in_organisation().map(named));
            }
            // A project of another organisation has an id of its own: no grant speaks of it, but those that hold in the
            // whole organisation would.
            Resource::Project { organisation: of, project }
            | Resource::Bucket { organisation: of, project, .. }
                if of == organisation =>
            {
                roles.extend(grants.in_project(project).map(|role| self.role(role)));
                if !roles.is_empty() {
                    attributes.insert("project".to_owned(), place(self.project(project)));
                }
            }
            Resource::Platform | Resource::Project { .. } | Resource::Bucket { .. } => {}
        }
        Entity::new(name, attributes, roles).map_err(|_| Unrepresentable)
    }

    fn resource_chain(&self, resource: &Resource) -> Vec<Entity> {
        let within = |child, parent| Entity::new_no_attrs(child, HashSet::from([parent]));
        let name = self.resource(resource);
        match resource {
            Resource::Platform | Resource::Organisation(_) => vec![Entity::with_uid(name)],
            Resource::Project { organisation, .. } => vec![within(name, self.organisation(*organisation))],
            Resource::Bucket { organisation, project, .. } => {
                let project = self.project(*project);
                vec![within(name, project.clone()), within(project, self.organisation(*organisation))]
            }
        }
    }
}

fn uid(kind: &EntityTypeName, id: impl AsRef<str>) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}
