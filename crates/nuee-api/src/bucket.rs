//! Buckets of a project. What else can be set on one is set by S3.

use axum::{
    Json,
    extract::{Query, rejection::QueryRejection},
};
use http::StatusCode;
use nuee_access::Action;
use nuee_store::{Bucket, NewBucket};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    caller::Caller,
    failure::{Answer, Failure, ProblemDocument},
    page::{Page, PageQuery},
    place::{Path, ProjectPath},
    router::Body,
};

/// A bucket.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BucketView {
    /// Its name, unique on the platform.
    pub(crate) name: String,
    /// When it was made (RFC 3339).
    pub(crate) created_at: String,
    /// Whether anybody may read something in it.
    pub(crate) public: bool,
    /// What whoever asks may do to it, the bucket's own policy apart.
    pub(crate) capabilities: Vec<String>,
}

/// A bucket to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBucketRequest {
    /// Its name: 3 to 63 of `a-z`, `0-9`, dot and hyphen.
    #[schema(example = "school-registers")]
    name: String,
    /// Whether objects in it can be locked; this cannot be changed later.
    #[serde(default)]
    object_lock: bool,
}

/// A bucket in a path.
#[derive(Deserialize)]
pub(crate) struct BucketPath {
    pub(crate) organisation: String,
    pub(crate) project: String,
    pub(crate) bucket: String,
}

const ON_BUCKET: [Action; 8] = [
    Action::ListObjects,
    Action::GetObject,
    Action::PutObject,
    Action::DeleteObject,
    Action::DeleteBucket,
    Action::PutBucketPolicy,
    Action::PutBucketVersioning,
    Action::PutLifecycle,
];

fn show(caller: &Caller, bucket: &Bucket) -> BucketView {
    let capabilities = caller.capabilities(&ON_BUCKET, bucket.resource());
    BucketView {
        name: bucket.name.to_string(),
        created_at: bucket.created_at.to_string(),
        public: bucket.rules().is_public(),
        capabilities: capabilities.into_iter().map(str::to_owned).collect(),
    }
}

/// The buckets of a project.
#[utoipa::path(
    get, path = "/organisations/{organisation}/projects/{project}/buckets", operation_id = "listBuckets", tag = "buckets",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"), PageQuery,
    ),
    responses((status = 200, description = "By name", body = Page<BucketView>), (status = 403, body = ProblemDocument))
)]
pub(crate) async fn list(
    caller: Caller,
    Path(path): Path<ProjectPath>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Answer<Json<Page<BucketView>>> {
    let permit = caller.permit(Action::ListBuckets, caller.project(&path)?)?;
    let page = query?.0;
    let limit = page.limit()?;
    let after = page.after::<String>()?.unwrap_or_default();
    let buckets = caller.parts.store.list_buckets(&permit, &after, limit + 1)?;
    Page::new(buckets, limit, |bucket| bucket.name.to_string(), |bucket| show(&caller, &bucket)).map(Json)
}

/// Make a bucket.
#[utoipa::path(
    post, path = "/organisations/{organisation}/projects/{project}/buckets", operation_id = "createBucket", tag = "buckets",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
    ),
    request_body = NewBucketRequest,
    responses(
        (status = 201, description = "Made", body = BucketView),
        (status = 403, body = ProblemDocument),
        (status = 409, description = "The name is taken, here or elsewhere", body = ProblemDocument),
    )
)]
pub(crate) async fn create(
    caller: Caller,
    Path(path): Path<ProjectPath>,
    Body(new): Body<NewBucketRequest>,
) -> Answer<(StatusCode, Json<BucketView>)> {
    let permit = caller.permit(Action::CreateBucket, caller.project(&path)?)?;
    let name = new.name.parse().map_err(|error| Failure::invalid(format!("{error}")))?;
    let wanted = NewBucket { object_lock: new.object_lock, ..NewBucket::default() };
    let bucket = caller.parts.store.create_bucket(&caller.context, &permit, name, wanted).await?;
    Ok((StatusCode::CREATED, Json(show(&caller, &bucket))))
}

/// Delete a bucket that is empty.
#[utoipa::path(
    delete, path = "/organisations/{organisation}/projects/{project}/buckets/{bucket}", operation_id = "deleteBucket",
    tag = "buckets",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
        ("bucket" = String, Path, description = "Its name"),
    ),
    responses(
        (status = 204, description = "Deleted"),
        (status = 409, description = "It is not empty", body = ProblemDocument),
    )
)]
pub(crate) async fn delete(caller: Caller, Path(path): Path<BucketPath>) -> Answer<StatusCode> {
    let BucketPath { organisation, project, bucket } = path;
    let place = caller.project(&ProjectPath { organisation, project })?;
    let bucket = caller.bucket(place, &bucket)?;
    let permit = caller.permit_in(Action::DeleteBucket, &bucket, None)?;
    caller.parts.store.delete_bucket(&caller.context, &permit, &bucket).await?;
    Ok(StatusCode::NO_CONTENT)
}
