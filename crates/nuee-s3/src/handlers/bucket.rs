//! Operations on buckets.

use nuee_access::{Action, Resource};
use nuee_base::{BucketName, Context};
use nuee_store::{Bucket, Encryption, NewBucket, TagSet};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto};

use crate::handlers::asking::asking;
use crate::{
    detour::DocumentText,
    handlers::answer::{access_denied, bad_request, from_store, invalid, invalid_argument, not_implemented},
    handlers::{Handlers, tagging},
};

/// The most buckets of one page, as at S3.
const MAX_BUCKETS: i32 = 10_000;

/// The project that a principal acts in.
fn project(context: &Context) -> S3Result<Resource> {
    match context.principal().place() {
        Some((organisation, project)) => Ok(Resource::Project { organisation, project }),
        None => Err(access_denied()),
    }
}

/// The headers' and XML's word for a manner of encryption.
pub(crate) fn encryption_name(encryption: Encryption) -> &'static str {
    match encryption {
        Encryption::Aes256 => dto::ServerSideEncryption::AES256,
        Encryption::AwsKms => dto::ServerSideEncryption::AWS_KMS,
    }
}

/// The manner of encryption of this name.
pub(crate) fn encryption_by_name(name: &str) -> S3Result<Encryption> {
    match name {
        dto::ServerSideEncryption::AES256 => Ok(Encryption::Aes256),
        dto::ServerSideEncryption::AWS_KMS => Ok(Encryption::AwsKms),
        other => Err(not_implemented(&format!("the encryption {other:?}"))),
    }
}

/// Who owns a bucket and all that is in it, as S3 has it: its project.
pub(crate) fn owner(bucket: &Bucket) -> dto::Owner {
    dto::Owner { display_name: None, id: Some(bucket.project.to_string()) }
}

impl Handlers {
    pub(crate) async fn list_buckets(
        &self,
        request: S3Request<dto::ListBucketsInput>,
    ) -> S3Result<S3Response<dto::ListBucketsOutput>> {
        let context = asking!(self, request);
        let resource = project(&context)?;
        let permit = self.in_project(&context, Action::ListBuckets, (resource, None))?;
        let input = request.input;
        if input.bucket_region.is_some() {
            return Err(not_implemented("listing the buckets of one region"));
        }
        let limit = input.max_buckets.unwrap_or(MAX_BUCKETS);
        let limit = u32::try_from(limit).ok().filter(|limit| (1..=10_000).contains(limit));
        let limit = limit.ok_or_else(|| invalid_argument("max-buckets is 1 to 10000"))?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = input.continuation_token.unwrap_or_default();
        // A prefix is looked for in the whole list: a project has few buckets.
        let found =
            self.store.list_buckets(&permit, &after, if prefix.is_empty() { limit + 1 } else { u32::MAX });
        let mut found = found.map_err(from_store)?;
        found.retain(|bucket| bucket.name.as_str().starts_with(&prefix));
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let continuation_token = found.last().filter(|_| more).map(|bucket| bucket.name.to_string());
        let buckets = found.into_iter().map(|bucket| dto::Bucket {
            name: Some(bucket.name.to_string()),
            creation_date: Some(bucket.created_at.to_date_time().into()),
            bucket_region: None,
        });
        let place = context.principal().place();
        let owner = place.map_or_else(|| context.principal().to_string(), |(_, project)| project.to_string());
        let owner = dto::Owner { display_name: None, id: Some(owner) };
        Ok(S3Response::new(dto::ListBucketsOutput {
            buckets: Some(buckets.collect()),
            owner: Some(owner),
            continuation_token,
            prefix: input.prefix,
        }))
    }

    pub(crate) async fn create_bucket(
        &self,
        request: S3Request<dto::CreateBucketInput>,
    ) -> S3Result<S3Response<dto::CreateBucketOutput>> {
        let context = asking!(self, request);
        let resource = project(&context)?;
        // `s3s` does not know the tags of this document.
        let document = request.extensions.get::<DocumentText>();
        let tags = document.map(|document| tagging::pairs_of(&document.0)).transpose()?.unwrap_or_default();
        let tags = TagSet::new(tags, TagSet::MAX_OF_BUCKET).map_err(from_store)?;
        let input = request.input;
        // Who may create no bucket is told so, whatever the name; a name that is none is nobody's.
        let named = input.bucket.parse::<BucketName>();
        let permit = self.in_project(&context, Action::CreateBucket, (resource, named.as_ref().ok()))?;
        if let Some(told) = &input.create_bucket_configuration {
            if told.bucket.is_some() || told.location.is_some() {
                return Err(not_implemented("a bucket type or an availability zone at creation"));
            }
            let constraint = told.location_constraint.as_ref().map_or("", |constraint| constraint.as_str());
            if !matches!(constraint, "" | crate::REGION) {
                // Data would not lie where the client was told.
                let message = format!("there is one region here: {}", crate::REGION);
                return Err(bad_request("InvalidLocationConstraint", message));
            }
        }
        let name = named.map_err(|error: nuee_base::InvalidName| {
            S3Error::with_message(S3ErrorCode::InvalidBucketName, error.to_string())
        })?;
        let location = format!("/{name}");
        let object_lock = input.object_lock_enabled_for_bucket == Some(true);
        let new = NewBucket { object_lock, tags, ..NewBucket::default() };
        let created = self.store.create_bucket(&context, &permit, name, new);
        created.await.map_err(from_store)?;
        Ok(S3Response::new(dto::CreateBucketOutput { location: Some(location) }))
    }

    pub(crate) async fn head_bucket(
        &self,
        request: S3Request<dto::HeadBucketInput>,
    ) -> S3Result<S3Response<dto::HeadBucketOutput>> {
        let context = asking!(self, request);
        let _permitted = self.bucket(&context, &request.input.bucket, Action::ListObjects)?;
        let region = Some(crate::REGION.to_owned());
        Ok(S3Response::new(dto::HeadBucketOutput { bucket_region: region, ..Default::default() }))
    }

    pub(crate) async fn get_bucket_location(
        &self,
        request: S3Request<dto::GetBucketLocationInput>,
    ) -> S3Result<S3Response<dto::GetBucketLocationOutput>> {
        let context = asking!(self, request);
        let _permitted = self.bucket(&context, &request.input.bucket, Action::GetBucket)?;
        let location = dto::BucketLocationConstraint::from(crate::REGION.to_owned());
        Ok(S3Response::new(dto::GetBucketLocationOutput { location_constraint: Some(location) }))
    }

    pub(crate) async fn get_bucket_encryption(
        &self,
        request: S3Request<dto::GetBucketEncryptionInput>,
    ) -> S3Result<S3Response<dto::GetBucketEncryptionOutput>> {
        let context = asking!(self, request);
        let (bucket, _permit) = self.bucket(&context, &request.input.bucket, Action::GetBucketEncryption)?;
        let default = dto::ServerSideEncryptionByDefault {
            kms_master_key_id: None,
            sse_algorithm: dto::ServerSideEncryption::from_static(encryption_name(bucket.encryption)),
        };
        let rule = dto::ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: Some(default),
            bucket_key_enabled: None,
        };
        let configuration = dto::ServerSideEncryptionConfiguration { rules: vec![rule] };
        Ok(S3Response::new(dto::GetBucketEncryptionOutput {
            server_side_encryption_configuration: Some(configuration),
        }))
    }

    pub(crate) async fn put_bucket_encryption(
        &self,
        request: S3Request<dto::PutBucketEncryptionInput>,
    ) -> S3Result<S3Response<dto::PutBucketEncryptionOutput>> {
        let context = asking!(self, request);
        let (bucket, permit) = self.bucket(&context, &request.input.bucket, Action::PutBucketEncryption)?;
        let [rule] = &request.input.server_side_encryption_configuration.rules[..] else {
            return Err(S3Error::with_message(S3ErrorCode::MalformedXML, "exactly one rule is expected"));
        };
        let default = rule.apply_server_side_encryption_by_default.as_ref();
        let default = default.ok_or_else(|| invalid("the rule names no default encryption"))?;
        if rule.bucket_key_enabled == Some(true) {
            return Err(not_implemented("a bucket key: each object has a key of its own"));
        }
        if default.kms_master_key_id.is_some() {
            return Err(not_implemented("choosing a key: each project has its own"));
        }
        let encryption = encryption_by_name(default.sse_algorithm.as_str())?;
        let changed = self.store.set_bucket_encryption(&context, &permit, &bucket, encryption);
        changed.await.map_err(from_store)?;
        Ok(S3Response::new(dto::PutBucketEncryptionOutput {}))
    }

    pub(crate) async fn delete_bucket_encryption(
        &self,
        request: S3Request<dto::DeleteBucketEncryptionInput>,
    ) -> S3Result<S3Response<dto::DeleteBucketEncryptionOutput>> {
        let context = asking!(self, request);
        let (bucket, permit) = self.bucket(&context, &request.input.bucket, Action::PutBucketEncryption)?;
        let changed = self.store.set_bucket_encryption(&context, &permit, &bucket, Encryption::default());
        changed.await.map_err(from_store)?;
        Ok(S3Response::new(dto::DeleteBucketEncryptionOutput {}))
    }

    pub(crate) async fn delete_bucket(
        &self,
        request: S3Request<dto::DeleteBucketInput>,
    ) -> S3Result<S3Response<dto::DeleteBucketOutput>> {
        let context = asking!(self, request);
        let (bucket, permit) = self.bucket(&context, &request.input.bucket, Action::DeleteBucket)?;
        self.store.delete_bucket(&context, &permit, &bucket).await.map_err(from_store)?;
        Ok(S3Response::with_status(dto::DeleteBucketOutput {}, http::StatusCode::NO_CONTENT))
    }
}
