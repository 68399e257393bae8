//! The operations: one line each, which hands over to the module of its noun.

#![expect(clippy::unused_async, reason = "operations have one shape, whether they wait or not")]

mod acl;
mod answer;
mod asking;
mod attributes;
mod bucket;
mod checksum;
mod condition;
mod configuration;
mod cors;
mod deletion;
mod lifecycle;
mod list;
mod list_uploads;
mod lock;
mod notification;
mod object;
mod policy;
mod post;
mod tagging;
mod upload;
mod versioning;

use std::sync::Arc;

pub(crate) use post::PostedObject;

pub(crate) use answer::access_denied;
use answer::{from_denial, from_store, invalid_argument, not_the_owner};
pub(crate) use asking::{Asking, Signing};
use asking::{ProjectFacts, RequestFacts};
use http::Extensions;
use nuee_access::{Action, Approach, Decider, Extent, Permit, Reason, Resource};
use nuee_base::{BucketName, Context, Environment, ObjectKey, Principal, Zone};
use nuee_store::{Bucket, Store, VersionTarget, is_version_id};
use nuee_web::Arrival;

use crate::Destinations;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto};

/// What every operation needs.
#[derive(Clone)]
pub(crate) struct Handlers {
    pub(crate) store: Store,
    pub(crate) decider: Decider,
    pub(crate) environment: Environment,
    pub(crate) destinations: Destinations,
}

impl Handlers {
    /// Who asks, as the gate has found once the signature was known to be good.
    pub(crate) fn context(&self, extensions: &Extensions) -> S3Result<Context> {
        let principal = extensions.get::<Principal>().cloned();
        let principal =
            principal.ok_or_else(|| S3Error::with_message(S3ErrorCode::InternalError, "Nobody asks."))?;
        Ok(self.context_of(principal, extensions))
    }

    /// A context in which `principal` acts, where the request came in.
    pub(crate) fn context_of(&self, principal: Principal, extensions: &Extensions) -> Context {
        let context = Context::new(self.environment.clone(), principal);
        match extensions.get::<Arrival>() {
            Some(arrival) => context.arriving(arrival.origin()),
            None => context,
        }
    }

    /// The bucket of this name.
    pub(crate) fn find_bucket(&self, asking: &Asking<'_>, name: &str) -> S3Result<Arc<Bucket>> {
        let name: BucketName = name.parse().map_err(|_| S3Error::new(S3ErrorCode::InvalidBucketName))?;
        self.store.find_bucket(&name).map_err(|error| match error {
            nuee_store::Error::NoSuchBucket(name) => self.not_there(asking, name.as_str()),
            error => from_store(error),
        })
    }

    /// A bucket, and the permit to do `action` in it.
    pub(crate) fn bucket(
        &self,
        asking: &Asking<'_>,
        name: &str,
        action: Action,
    ) -> S3Result<(Arc<Bucket>, Permit)> {
        let bucket = self.find_bucket(asking, name)?;
        let permit = self.decide(asking, &bucket, action, (None, None))?;
        Ok((bucket, permit))
    }

    /// A bucket, a key in it, and the permit to do `action` on the object.
    pub(crate) fn object(
        &self,
        asking: &Asking<'_>,
        (bucket, object): (&str, &str),
        action: Action,
    ) -> S3Result<(Arc<Bucket>, ObjectKey, Permit)> {
        let (target, permit) = self.version(asking, (bucket, object, None), (action, action))?;
        Ok((target.bucket, target.key, permit))
    }

    /// The latest version of an object, or one by its id, and the permit to do the first of two actions on that or the
    /// second on this.
    pub(crate) fn version(
        &self,
        asking: &Asking<'_>,
        (bucket, object, version): (&str, &str, Option<&str>),
        (latest, by_id): (Action, Action),
    ) -> S3Result<(VersionTarget, Permit)> {
        let action = if version.is_some() { by_id } else { latest };
        let key = key(object)?;
        let bucket = self.find_bucket(asking, bucket)?;
        let permit = self.decide(asking, &bucket, action, (Some(&key), version))?;
        if version.is_some_and(|version| !is_version_id(version)) {
            return Err(invalid_argument("Invalid version id specified"));
        }
        Ok((VersionTarget { bucket, key, version: version.map(str::to_owned) }, permit))
    }

    /// The permit to do `action` on the buckets of a project together, or on the one of a name that is not there yet.
    pub(crate) fn in_project(
        &self,
        asking: &Asking<'_>,
        action: Action,
        (project, bucket): (Resource, Option<&BucketName>),
    ) -> S3Result<Permit> {
        let facts = ProjectFacts(asking);
        self.decider.decide_in_project(asking, action, project, bucket, &facts).map_err(from_denial)
    }

    fn decide(
        &self,
        asking: &Asking<'_>,
        bucket: &Bucket,
        action: Action,
        (key, version): (Option<&ObjectKey>, Option<&str>),
    ) -> S3Result<Permit> {
        let facts = RequestFacts { asking, store: &self.store, bucket, key, version };
        let decided =
            self.decider.decide_in_bucket(asking, action, bucket.resource(), bucket.rules(), &facts);
        let expected = asking.expected_owner().is_none_or(|owner| owner == bucket.project.to_string());
        match decided {
            Err(denied) if denied.reason() == Reason::NotExposed && !denied.is_of_own_project() => {
                // It is logged, and answered as if it were not there.
                let _ = from_denial(denied);
                Err(self.not_there(asking, bucket.name.as_str()))
            }
            _ if !expected => Err(not_the_owner()),
            decided => decided.map_err(from_denial),
        }
    }

    /// The answer to who asks for a bucket that is not there, or not where the request came in: it is the same for both.
    /// From a zone, that a name is free is told to who has all of a project there.
    fn not_there(&self, asking: &Asking<'_>, name: &str) -> S3Error {
        let now = asking.now();
        let has_a_project = |origin| {
            asking.principal().place().is_some_and(|(_, project)| {
                let extent = Extent::Project;
                self.decider.exposes(&Approach { origin, now, project, by_member: true, extent })
            })
        };
        match asking.origin() {
            Some(origin) if origin.zone != Zone::Local && !has_a_project(origin) => access_denied(),
            _ => from_store(nuee_store::Error::NoSuchBucket(name.to_owned())),
        }
    }
}

/// An object's key.
pub(crate) fn key(text: &str) -> S3Result<ObjectKey> {
    if text.is_empty() {
        return Err(invalid_argument("a key has at least one byte"));
    }
    text.parse().map_err(|_| S3Error::new(S3ErrorCode::KeyTooLongError))
}

macro_rules! operations {
    ($($name:ident: $input:ident => $output:ident;)*) => {
        #[async_trait::async_trait]
        impl S3 for Handlers {
            $(
                async fn $name(&self, request: S3Request<dto::$input>) -> S3Result<S3Response<dto::$output>> {
                    Handlers::$name(self, request).await
                }
            )*
        }
    };
}

operations! {
    list_buckets: ListBucketsInput => ListBucketsOutput;
    create_bucket: CreateBucketInput => CreateBucketOutput;
    head_bucket: HeadBucketInput => HeadBucketOutput;
    get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput;
    get_bucket_encryption: GetBucketEncryptionInput => GetBucketEncryptionOutput;
    put_bucket_encryption: PutBucketEncryptionInput => PutBucketEncryptionOutput;
    delete_bucket_encryption: DeleteBucketEncryptionInput => DeleteBucketEncryptionOutput;
    delete_bucket: DeleteBucketInput => DeleteBucketOutput;
    put_object: PutObjectInput => PutObjectOutput;
    get_object: GetObjectInput => GetObjectOutput;
    head_object: HeadObjectInput => HeadObjectOutput;
    delete_object: DeleteObjectInput => DeleteObjectOutput;
    delete_objects: DeleteObjectsInput => DeleteObjectsOutput;
    copy_object: CopyObjectInput => CopyObjectOutput;
    list_objects: ListObjectsInput => ListObjectsOutput;
    list_objects_v2: ListObjectsV2Input => ListObjectsV2Output;
    create_multipart_upload: CreateMultipartUploadInput => CreateMultipartUploadOutput;
    upload_part: UploadPartInput => UploadPartOutput;
    upload_part_copy: UploadPartCopyInput => UploadPartCopyOutput;
    list_parts: ListPartsInput => ListPartsOutput;
    list_multipart_uploads: ListMultipartUploadsInput => ListMultipartUploadsOutput;
    complete_multipart_upload: CompleteMultipartUploadInput => CompleteMultipartUploadOutput;
    abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput;
    get_bucket_accelerate_configuration: GetBucketAccelerateConfigurationInput => GetBucketAccelerateConfigurationOutput;
    get_bucket_acl: GetBucketAclInput => GetBucketAclOutput;
    get_bucket_cors: GetBucketCorsInput => GetBucketCorsOutput;
    get_bucket_lifecycle_configuration: GetBucketLifecycleConfigurationInput => GetBucketLifecycleConfigurationOutput;
    get_bucket_logging: GetBucketLoggingInput => GetBucketLoggingOutput;
    get_bucket_notification_configuration: GetBucketNotificationConfigurationInput => GetBucketNotificationConfigurationOutput;
    get_bucket_ownership_controls: GetBucketOwnershipControlsInput => GetBucketOwnershipControlsOutput;
    get_bucket_policy: GetBucketPolicyInput => GetBucketPolicyOutput;
    get_bucket_policy_status: GetBucketPolicyStatusInput => GetBucketPolicyStatusOutput;
    get_bucket_replication: GetBucketReplicationInput => GetBucketReplicationOutput;
    get_bucket_request_payment: GetBucketRequestPaymentInput => GetBucketRequestPaymentOutput;
    get_bucket_tagging: GetBucketTaggingInput => GetBucketTaggingOutput;
    get_bucket_versioning: GetBucketVersioningInput => GetBucketVersioningOutput;
    get_bucket_website: GetBucketWebsiteInput => GetBucketWebsiteOutput;
    get_object_acl: GetObjectAclInput => GetObjectAclOutput;
    get_object_lock_configuration: GetObjectLockConfigurationInput => GetObjectLockConfigurationOutput;
    get_object_tagging: GetObjectTaggingInput => GetObjectTaggingOutput;
    get_public_access_block: GetPublicAccessBlockInput => GetPublicAccessBlockOutput;
    delete_bucket_ownership_controls: DeleteBucketOwnershipControlsInput => DeleteBucketOwnershipControlsOutput;
    delete_bucket_cors: DeleteBucketCorsInput => DeleteBucketCorsOutput;
    delete_bucket_policy: DeleteBucketPolicyInput => DeleteBucketPolicyOutput;
    delete_public_access_block: DeletePublicAccessBlockInput => DeletePublicAccessBlockOutput;
    put_bucket_policy: PutBucketPolicyInput => PutBucketPolicyOutput;
    put_public_access_block: PutPublicAccessBlockInput => PutPublicAccessBlockOutput;
    delete_bucket_lifecycle: DeleteBucketLifecycleInput => DeleteBucketLifecycleOutput;
    delete_bucket_tagging: DeleteBucketTaggingInput => DeleteBucketTaggingOutput;
    delete_object_tagging: DeleteObjectTaggingInput => DeleteObjectTaggingOutput;
    get_object_attributes: GetObjectAttributesInput => GetObjectAttributesOutput;
    get_object_legal_hold: GetObjectLegalHoldInput => GetObjectLegalHoldOutput;
    get_object_retention: GetObjectRetentionInput => GetObjectRetentionOutput;
    list_object_versions: ListObjectVersionsInput => ListObjectVersionsOutput;
    put_bucket_acl: PutBucketAclInput => PutBucketAclOutput;
    put_bucket_cors: PutBucketCorsInput => PutBucketCorsOutput;
    put_bucket_notification_configuration: PutBucketNotificationConfigurationInput => PutBucketNotificationConfigurationOutput;
    put_bucket_lifecycle_configuration: PutBucketLifecycleConfigurationInput => PutBucketLifecycleConfigurationOutput;
    put_bucket_ownership_controls: PutBucketOwnershipControlsInput => PutBucketOwnershipControlsOutput;
    put_bucket_tagging: PutBucketTaggingInput => PutBucketTaggingOutput;
    put_bucket_versioning: PutBucketVersioningInput => PutBucketVersioningOutput;
    put_object_acl: PutObjectAclInput => PutObjectAclOutput;
    put_object_legal_hold: PutObjectLegalHoldInput => PutObjectLegalHoldOutput;
    put_object_lock_configuration: PutObjectLockConfigurationInput => PutObjectLockConfigurationOutput;
    put_object_retention: PutObjectRetentionInput => PutObjectRetentionOutput;
    put_object_tagging: PutObjectTaggingInput => PutObjectTaggingOutput;
}
