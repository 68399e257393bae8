//! Objects of a bucket: a listing, and contents one by one. Whoever moves many uses S3.
//!
//! A key is a parameter of the query, not a part of the path, so that keys are any text.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{Query, Request, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use futures_util::TryStreamExt;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use nuee_access::{Action, ConditionKey, FactList, Permit, Resource};
use nuee_base::{ErrorKind, ObjectKey};
use nuee_store::{
    Bucket, ChecksumAlgorithm, Conditions, Deletion, Described, Details, ExpectedChecksum, ListQuery,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    bucket::BucketPath,
    caller::Caller,
    failure::{Answer, Failure, ProblemDocument},
    page::{Page, PageQuery, cursor_of},
    place::{Path, ProjectPath},
};

/// An object in a listing, or what keys share up to a delimiter.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ObjectView {
    /// Its key, or what keys share.
    pub(crate) key: String,
    /// Its size, in bytes; none of what keys share.
    pub(crate) size: Option<u64>,
    /// When it was written (RFC 3339).
    pub(crate) modified_at: Option<String>,
    /// Its entity tag, as S3 has it.
    pub(crate) etag: Option<String>,
}

/// Which objects.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObjectsQuery {
    /// Only keys that begin so.
    prefix: Option<String>,
    /// Keys that share their beginning up to the first of this after the prefix are one item.
    delimiter: Option<String>,
    /// The most items: 1 to 1,000.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// Where to go on: `next` of the page before.
    after: Option<String>,
}

/// Which object.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObjectQuery {
    /// Its key: 1 to 1,024 bytes.
    key: String,
}

impl Caller {
    /// The permit for an action in a bucket, whose own policy has a say; on an object if a key is given.
    pub(crate) fn permit_in(
        &self,
        action: Action,
        bucket: &Bucket,
        key: Option<&ObjectKey>,
    ) -> Answer<Permit> {
        let facts = match key {
            Some(key) => FactList::of_object(key.clone()),
            None => FactList::of_bucket(),
        };
        self.permit_with(action, bucket, facts)
    }

    fn permit_with(&self, action: Action, bucket: &Bucket, facts: FactList) -> Answer<Permit> {
        let mut facts = facts.in_bucket(bucket.name.clone());
        if let Some(arrival) = &self.arrival {
            facts = facts
                .with(ConditionKey::SourceIp, arrival.client.to_string())
                .with(ConditionKey::SecureTransport, arrival.secure.to_string());
        }
        let (place, rules) = (bucket.resource(), bucket.rules());
        let decided = self.parts.decider.decide_in_bucket(&self.context, action, place, rules, &facts);
        decided.map_err(|denied| self.refused(denied))
    }

    /// The bucket whose objects are asked for, by one of the requests that its project may make in a second.
    fn object_place(&self, path: BucketPath) -> Answer<Arc<Bucket>> {
        let BucketPath { organisation, project, bucket } = path;
        let place = self.project(&ProjectPath { organisation, project })?;
        if let Resource::Project { project, .. } = place {
            self.parts.bounds.admit(project)?;
        }
        self.bucket(place, &bucket)
    }
}

fn key_of(query: Result<Query<ObjectQuery>, QueryRejection>) -> Answer<ObjectKey> {
    query?.0.key.parse().map_err(|error| Failure::invalid(format!("{error}")))
}

/// The objects of a bucket.
#[utoipa::path(
    get, path = "/organisations/{organisation}/projects/{project}/buckets/{bucket}/objects", operation_id = "listObjects",
    tag = "objects",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
        ("bucket" = String, Path, description = "Its name"), ObjectsQuery,
    ),
    responses((status = 200, description = "By key", body = Page<ObjectView>), (status = 403, body = ProblemDocument))
)]
pub(crate) async fn list(
    caller: Caller,
    Path(path): Path<BucketPath>,
    query: Result<Query<ObjectsQuery>, QueryRejection>,
) -> Answer<Json<Page<ObjectView>>> {
    let bucket = caller.object_place(path)?;
    let ObjectsQuery { prefix, delimiter, limit, after } = query?.0;
    let page = PageQuery { limit, after };
    let limit = page.limit()?;
    let prefix = prefix.unwrap_or_default();
    let facts = FactList::of_bucket()
        .with(ConditionKey::Prefix, prefix.clone())
        .with(ConditionKey::MaxKeys, limit.to_string());
    let permit = caller.permit_with(Action::ListObjects, &bucket, facts)?;
    let after = page.after::<String>()?.unwrap_or_default();
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty());
    let query = ListQuery { prefix, delimiter, after, limit: limit as usize };
    let found = caller.parts.store.list_objects(&permit, &bucket, query).await?;
    let objects = found.objects.into_iter().map(|object| ObjectView {
        size: Some(object.size),
        modified_at: Some(object.modified_at.to_string()),
        etag: Some(object.etag.to_string()),
        key: object.key,
    });
    let shared =
        found.prefixes.into_iter().map(|key| ObjectView { key, size: None, modified_at: None, etag: None });
    let mut items: Vec<_> = objects.chain(shared).collect();
    items.sort_by(|one, other| one.key.cmp(&other.key));
    let mut listed = Page::whole(items);
    if let Some(next) = found.next {
        listed.next = Some(cursor_of(&next)?);
    }
    Ok(Json(listed))
}

/// The content of an object.
#[utoipa::path(
    get, path = "/organisations/{organisation}/projects/{project}/buckets/{bucket}/object", operation_id = "getObject",
    tag = "objects",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
        ("bucket" = String, Path, description = "Its name"), ObjectQuery,
    ),
    responses(
        (status = 200, description = "Its bytes", content_type = "application/octet-stream"),
        (status = 404, body = ProblemDocument),
    )
)]
pub(crate) async fn get(
    caller: Caller,
    Path(path): Path<BucketPath>,
    query: Result<Query<ObjectQuery>, QueryRejection>,
) -> Answer<Response> {
    let bucket = caller.object_place(path)?;
    let key = key_of(query)?;
    let permit = caller.permit_in(Action::GetObject, &bucket, Some(&key))?;
    let store = &caller.parts.store;
    let object = store.object(&permit, &bucket, &key).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::not_found("there is no object of this key"),
        _ => error.into(),
    })?;
    let content = store.read_object(&object, 0..object.info.size).await?;
    // What tenants store is never shown as a page of this site.
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
        (header::CONTENT_LENGTH, HeaderValue::from(object.info.size)),
    ];
    Ok((headers, Body::from_stream(content.into_stream())).into_response())
}

/// Write an object.
#[utoipa::path(
    put, path = "/organisations/{organisation}/projects/{project}/buckets/{bucket}/object", operation_id = "putObject",
    tag = "objects",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
        ("bucket" = String, Path, description = "Its name"), ObjectQuery,
    ),
    request_body(content_type = "application/octet-stream", description = "Its bytes"),
    responses((status = 201, description = "Written", body = ObjectView), (status = 403, body = ProblemDocument))
)]
pub(crate) async fn put(
    caller: Caller,
    Path(path): Path<BucketPath>,
    query: Result<Query<ObjectQuery>, QueryRejection>,
    request: Request,
) -> Answer<(StatusCode, Json<ObjectView>)> {
    let bucket = caller.object_place(path)?;
    let key = key_of(query)?;
    let permit = caller.permit_in(Action::PutObject, &bucket, Some(&key))?;
    let details =
        Details { content_type: text(request.headers(), header::CONTENT_TYPE), ..Details::default() };
    let size = text(request.headers(), header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    let stream = request.into_body().into_data_stream().map_err(nuee_store::BodyError::from);
    let body = nuee_store::Body {
        stream: Box::pin(stream),
        size,
        md5: None,
        checksum: ExpectedChecksum::Compute(ChecksumAlgorithm::Crc64Nvme),
        encryption: None,
    };
    let described = Described { details, ..Described::default() };
    let (store, context) = (&caller.parts.store, &caller.context);
    let to = (&bucket, key.clone());
    let written = store.put_object(context, &permit, to, (body, described), Conditions::default()).await?;
    let view = ObjectView {
        key: key.as_str().to_owned(),
        size: Some(written.size),
        modified_at: Some(written.modified_at.to_string()),
        etag: Some(written.etag.to_string()),
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// Delete an object. That there is none is no failure.
#[utoipa::path(
    delete, path = "/organisations/{organisation}/projects/{project}/buckets/{bucket}/object",
    operation_id = "deleteObject", tag = "objects",
    params(
        ("organisation" = String, Path, description = "Its name"),
        ("project" = String, Path, description = "Its name"),
        ("bucket" = String, Path, description = "Its name"), ObjectQuery,
    ),
    responses((status = 204, description = "It is not there"), (status = 403, body = ProblemDocument))
)]
pub(crate) async fn delete(
    caller: Caller,
    Path(path): Path<BucketPath>,
    query: Result<Query<ObjectQuery>, QueryRejection>,
) -> Answer<StatusCode> {
    let bucket = caller.object_place(path)?;
    let key = key_of(query)?;
    let permit = caller.permit_in(Action::DeleteObject, &bucket, Some(&key))?;
    let deletion = Deletion { permit, key, version: None, conditions: Conditions::default(), bypass: None };
    let deleted = caller.parts.store.delete_objects(&caller.context, &bucket, vec![deletion]).await?;
    deleted.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(StatusCode::NO_CONTENT)
}

fn text(headers: &HeaderMap, name: http::HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
