//! Exposures: what of a project may be reached from which zone.

use axum::Json;
use http::StatusCode;
use nuee_access::Action;
use nuee_base::{BucketName, ExposureId, ObjectKey};
use nuee_tenancy::{Exposed, Exposure, ExposureTerms};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    caller::Caller,
    failure::{Answer, Failure, ProblemDocument},
    page::Page,
    place::{Path, ProjectPath},
    router::Body,
};

/// What is exposed, where, to whom.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExposureTermsView {
    /// The bucket; the whole project if it is absent.
    bucket: Option<String>,
    /// How the keys of the objects begin; all of the bucket if it is absent.
    prefix: Option<String>,
    /// From where: `rie` or `internet`.
    #[schema(example = "rie")]
    zone: String,
    /// By whom: `credentials` or `anyone`.
    #[schema(example = "credentials")]
    audience: String,
    /// Until when (RFC 3339).
    expires_at: String,
    /// From which networks of the zone, such as `192.0.2.0/24`; from all if there is none.
    #[serde(default)]
    networks: Vec<String>,
}

/// An exposure.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExposureView {
    /// Its id.
    id: String,
    /// What is exposed, where, to whom.
    #[serde(flatten)]
    terms: ExposureTermsView,
    /// Who made it.
    created_by: String,
    /// When it was made (RFC 3339).
    created_at: String,
}

/// An exposure in a path.
#[derive(Deserialize)]
pub(crate) struct ExposurePath {
    organisation: String,
    project: String,
    exposure: String,
}

impl From<&Exposure> for ExposureView {
    fn from(exposure: &Exposure) -> Self {
        let (bucket, prefix) = match &exposure.what {
            Exposed::Project => (None, None),
            Exposed::Bucket { name, prefix, .. } => {
                (Some(name.to_string()), prefix.as_ref().map(|prefix| prefix.as_str().to_owned()))
            }
        };
        let terms = ExposureTermsView {
            bucket,
            prefix,
            zone: exposure.zone.to_string(),
            audience: exposure.audience.to_string(),
            expires_at: exposure.expires_at.to_string(),
            networks: exposure.networks.iter().map(ToString::to_string).collect(),
        };
        let (created_by, created_at) = (exposure.created_by.clone(), exposure.created_at.to_string());
        Self { id: exposure.id.to_string(), terms, created_by, created_at }
    }
}

fn read(terms: ExposureTermsView) -> Answer<ExposureTerms> {
    fn wrong(error: impl std::fmt::Display) -> Failure {
        Failure::invalid(error.to_string())
    }
    let ExposureTermsView { bucket, prefix, zone, audience, expires_at, networks } = terms;
    let prefix = prefix.filter(|prefix| !prefix.is_empty());
    let prefix = prefix.map(|prefix| prefix.parse::<ObjectKey>()).transpose().map_err(wrong)?;
    let bucket = match bucket {
        Some(name) => Some((name.parse::<BucketName>().map_err(wrong)?, prefix)),
        None if prefix.is_none() => None,
        None => return Err(wrong("a prefix is one of keys in a bucket: name the bucket too")),
    };
    Ok(ExposureTerms {
        bucket,
        zone: zone.parse().map_err(wrong)?,
        audience: audience.parse().map_err(wrong)?,
        expires_at: expires_at.parse().map_err(wrong)?,
        networks: networks.iter().map(|network| network.parse()).collect::<Result<_, _>>().map_err(wrong)?,
    })
}

/// What of a project is exposed.
#[utoipa::path(
    get, path = "/organisations/{organisation}/projects/{project}/exposures", operation_id = "listExposures",
    tag = "exposures",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
    ),
    responses((status = 200, description = "Oldest first", body = Page<ExposureView>), (status = 403, body = ProblemDocument))
)]
pub(crate) async fn list(caller: Caller, Path(path): Path<ProjectPath>) -> Answer<Json<Page<ExposureView>>> {
    let permit = caller.permit(Action::ListExposures, caller.project(&path)?)?;
    let found = caller.parts.tenancy.exposures(&permit)?;
    Ok(Json(Page::whole(found.iter().map(ExposureView::from).collect())))
}

/// Expose something of a project to a zone.
#[utoipa::path(
    post, path = "/organisations/{organisation}/projects/{project}/exposures", operation_id = "createExposure",
    tag = "exposures",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
    ),
    request_body = ExposureTermsView,
    responses(
        (status = 201, description = "Exposed", body = ExposureView),
        (status = 403, body = ProblemDocument),
        (status = 422, description = "The project may not be exposed so", body = ProblemDocument),
    )
)]
pub(crate) async fn create(
    caller: Caller,
    Path(path): Path<ProjectPath>,
    Body(terms): Body<ExposureTermsView>,
) -> Answer<(StatusCode, Json<ExposureView>)> {
    let permit = caller.permit(Action::CreateExposure, caller.project(&path)?)?;
    let made = caller.parts.tenancy.create_exposure(&caller.context, &permit, read(terms)?).await?;
    Ok((StatusCode::CREATED, Json(ExposureView::from(&made))))
}

/// Expose something no more.
#[utoipa::path(
    delete, path = "/organisations/{organisation}/projects/{project}/exposures/{exposure}",
    operation_id = "deleteExposure", tag = "exposures",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
        ("exposure" = String, Path, description = "Its id"),
    ),
    responses((status = 204, description = "It is exposed no more"), (status = 404, body = ProblemDocument))
)]
pub(crate) async fn delete(caller: Caller, Path(path): Path<ExposurePath>) -> Answer<StatusCode> {
    let ExposurePath { organisation, project, exposure } = path;
    let place = caller.project(&ProjectPath { organisation, project })?;
    let permit = caller.permit(Action::DeleteExposure, place)?;
    let unknown = |_| Failure::not_found(format!("there is no exposure {exposure:?} of this project"));
    let id: ExposureId = exposure.parse().map_err(unknown)?;
    caller.parts.tenancy.delete_exposure(&caller.context, &permit, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
