//! Deleting objects and versions, one or many.

use nuee_access::Action;
use nuee_store::{Conditions, Deleted, Deletion, Tags};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto};

use crate::handlers::asking::{Asking, asking};
use crate::handlers::{
    Handlers,
    answer::{from_store, not_implemented},
    condition,
};

/// The most keys that one request deletes, as at S3.
const MAX_DELETIONS: usize = 1_000;

impl Handlers {
    /// A deletion that may be made.
    fn deletion(
        &self,
        context: &Asking<'_>,
        (bucket, object, version): (&str, &str, Option<&str>),
        bypass: Option<bool>,
        conditions: Conditions,
    ) -> S3Result<Deletion> {
        let actions = (Action::DeleteObject, Action::DeleteObjectVersion);
        let (target, permit) = self.version(context, (bucket, object, version), actions)?;
        let bypass = self.bypass(context, (bucket, object), bypass)?;
        Ok(Deletion { permit, key: target.key, version: target.version, conditions, bypass })
    }

    pub(crate) async fn delete_object(
        &self,
        request: S3Request<dto::DeleteObjectInput>,
    ) -> S3Result<S3Response<dto::DeleteObjectOutput>> {
        let context = asking!(self, request);
        let input = &request.input;
        let named = (&*input.bucket, &*input.key, input.version_id.as_deref());
        let conditions = condition::of_request(&request.headers)?;
        let deletion = self.deletion(&context, named, input.bypass_governance_retention, conditions)?;
        let bucket = self.find_bucket(&context, &input.bucket)?;
        let done = self.store.delete_objects(&context, &bucket, vec![deletion]).await.map_err(from_store)?;
        let deleted =
            done.into_iter().next().unwrap_or_else(|| Ok(Deleted::default())).map_err(from_store)?;
        let output = dto::DeleteObjectOutput {
            delete_marker: deleted.is_marker.then_some(true),
            version_id: deleted.version,
            request_charged: None,
        };
        Ok(S3Response::with_status(output, http::StatusCode::NO_CONTENT))
    }

    pub(crate) async fn delete_objects(
        &self,
        request: S3Request<dto::DeleteObjectsInput>,
    ) -> S3Result<S3Response<dto::DeleteObjectsOutput>> {
        let context = asking!(self, request);
        let input = request.input;
        let dto::Delete { objects, quiet } = input.delete;
        if objects.is_empty() || objects.len() > MAX_DELETIONS {
            let message = "1 to 1,000 keys are deleted at once";
            return Err(S3Error::with_message(S3ErrorCode::MalformedXML, message));
        }
        if objects.iter().any(|object| object.size.is_some() || object.last_modified_time.is_some()) {
            return Err(not_implemented(
                "deleting under a condition on the size or the time, as of directory buckets",
            ));
        }
        let bucket = self.find_bucket(&context, &input.bucket)?;
        let (mut asked, mut deletions, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for object in objects {
            let tag = object.e_tag.as_ref().map(|tag| Tags::These(vec![tag.value().to_owned()]));
            let conditions = Conditions { matches: tag, ..Conditions::default() };
            let named = (&*input.bucket, &*object.key, object.version_id.as_deref());
            match self.deletion(&context, named, input.bypass_governance_retention, conditions) {
                Ok(deletion) => {
                    asked.push((object.key, object.version_id));
                    deletions.push(deletion);
                }
                Err(error) => errors.push(failed((object.key, object.version_id), &error)),
            }
        }
        for code in [S3ErrorCode::AccessDenied, S3ErrorCode::NoSuchBucket] {
            let is_all = |error: &dto::Error| error.code.as_deref() == Some(code.as_str());
            if deletions.is_empty() && errors.iter().all(is_all) {
                let message = errors.pop().and_then(|error| error.message).unwrap_or_default();
                return Err(S3Error::with_message(code, message));
            }
        }
        let done = self.store.delete_objects(&context, &bucket, deletions).await.map_err(from_store)?;
        let mut deleted = Vec::new();
        for (asked, done) in asked.into_iter().zip(done) {
            match done {
                Ok(done) => deleted.push(described(asked, done)),
                Err(error) => errors.push(failed(asked, &from_store(error))),
            }
        }
        Ok(S3Response::new(dto::DeleteObjectsOutput {
            deleted: Some(deleted).filter(|_| quiet != Some(true)),
            errors: Some(errors).filter(|errors| !errors.is_empty()),
            request_charged: None,
        }))
    }
}

fn failed((key, version_id): (String, Option<String>), error: &S3Error) -> dto::Error {
    dto::Error {
        code: Some(error.code().as_str().to_owned()),
        key: Some(key),
        message: error.message().map(str::to_owned),
        version_id,
    }
}

fn described((key, version_id): (String, Option<String>), done: Deleted) -> dto::DeletedObject {
    dto::DeletedObject {
        delete_marker: done.is_marker.then_some(true),
        delete_marker_version_id: done.version.filter(|_| done.is_marker),
        key: Some(key),
        version_id,
    }
}
