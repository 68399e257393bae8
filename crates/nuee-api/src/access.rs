//! Who may do what in a project, and why.
//!
//! Whatever is not of the project (a key, a bucket) is answered as what does not exist.

use axum::Json;
use nuee_access::{Action, Explanation, FactList, Resource};
use nuee_base::{AccessKeyId, Context, ObjectKey, Principal};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    caller::Caller,
    failure::{Answer, Failure, ProblemDocument},
    place::{Path, ProjectPath},
    router::Body,
};

/// Who would do what, on what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessQuestion {
    /// `anonymous`, `operator`, or the id of an access key of the project: of a service account, or of a session.
    #[schema(example = "anonymous")]
    principal: String,
    /// An action in the words of policies.
    #[schema(example = "s3:GetObject")]
    action: String,
    /// `ORGANISATION/PROJECT`, `s3://BUCKET` or `s3://BUCKET/KEY`.
    #[schema(example = "s3://school-registers/2026/a.csv")]
    resource: String,
    /// Where the request would come in, as `ZONE` or `ZONE@ADDRESS`; without it, where no exposure is needed.
    #[schema(example = "internet@192.0.2.7")]
    from: Option<String>,
}

/// What a request would be answered, and why.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExplanationView {
    /// Whether it is allowed.
    allowed: bool,
    /// Why not, if it is not.
    reason: Option<String>,
    /// The policies of the platform and the statements of the bucket that make it so.
    policies: Vec<String>,
}

impl Caller {
    /// The principal of this name, if it is one that this project may ask about.
    fn principal_in(&self, project: Resource, name: &str) -> Answer<Principal> {
        match name {
            "anonymous" => return Ok(Principal::Anonymous),
            "operator" => return Ok(Principal::Operator),
            _ => {}
        }
        let unknown = || Failure::not_found(format!("there is no access key {name:?} in this project"));
        let id: AccessKeyId = name.parse().map_err(|_| unknown())?;
        let found = self.parts.tenancy.principal_of_key(&id)?;
        let within = |principal: &Principal| {
            let place = principal.place();
            place.map(|(organisation, project)| Resource::Project { organisation, project }) == Some(project)
        };
        found.filter(within).ok_or_else(unknown)
    }

    fn explain(
        &self,
        context: &Context,
        action: Action,
        (path, project, named): (&ProjectPath, Resource, &str),
    ) -> Answer<Explanation> {
        let decider = &self.parts.decider;
        let Some(named) = named.strip_prefix("s3://") else {
            if *named != format!("{}/{}", path.organisation, path.project) {
                return Err(Failure::not_found(format!("there is no {named:?} in this project")));
            }
            return Ok(decider.explain(context, action, project));
        };
        let (name, key) = named.split_once('/').unwrap_or((named, ""));
        let bucket = self.bucket(project, name)?;
        let facts = match key {
            "" => FactList::of_bucket(),
            key => {
                let key = key.parse::<ObjectKey>().map_err(|error| Failure::invalid(error.to_string()))?;
                FactList::of_object(key)
            }
        };
        let facts = facts.in_bucket(bucket.name.clone());
        Ok(decider.explain_in_bucket(context, action, bucket.resource(), bucket.rules(), &facts))
    }
}

/// Tell what a request would be answered, and which policies make it so. It is answered as if the request had nothing that
/// conditions of a bucket's policy look at.
#[utoipa::path(
    post, path = "/organisations/{organisation}/projects/{project}/access/explanations",
    operation_id = "explainAccess", tag = "access",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
    ),
    request_body = AccessQuestion,
    responses(
        (status = 200, description = "Now", body = ExplanationView),
        (status = 403, body = ProblemDocument),
        (status = 404, description = "The principal or the resource is not of this project", body = ProblemDocument),
    )
)]
pub(crate) async fn explain(
    caller: Caller,
    Path(path): Path<ProjectPath>,
    Body(asked): Body<AccessQuestion>,
) -> Answer<Json<ExplanationView>> {
    let project = caller.project(&path)?;
    let _ = caller.permit(Action::ExplainAccess, project)?;
    let action = Action::named(&asked.action).ok_or_else(|| {
        Failure::invalid(format!(
            "there is no action {:?}: actions are written as s3:GetObject",
            asked.action
        ))
    })?;
    let principal = caller.principal_in(project, &asked.principal)?;
    let context = Context::new(caller.parts.environment.clone(), principal);
    let context = match &asked.from {
        Some(from) => context.arriving(from.parse().map_err(|error| Failure::invalid(format!("{error}")))?),
        None => context,
    };
    let Explanation { denied, policies } =
        caller.explain(&context, action, (&path, project, &asked.resource))?;
    let reason = denied.map(|reason| reason.to_string());
    Ok(Json(ExplanationView { allowed: reason.is_none(), reason, policies }))
}
