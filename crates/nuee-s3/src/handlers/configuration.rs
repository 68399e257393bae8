//! What buckets and objects can be configured with at S3, and have not here: read as S3 has it of a bucket that was
//! never configured. Clients ask for these before they do anything else, and take `NotImplemented` for a failure.
//!
//! Deliberately absent: setting any of it, which is not offered.

use http::StatusCode;
use nuee_access::Action;
use nuee_base::Context;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto};

use crate::handlers::{Handlers, answer::from_store, key};

/// The answer to who asks for a configuration that a bucket does not have.
fn absent(code: &'static str, what: &str) -> S3Error {
    // `s3s` does not know all of the codes.
    let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InvalidRequest);
    let mut error = S3Error::with_message(code, format!("the bucket has no {what}"));
    error.set_status_code(StatusCode::NOT_FOUND);
    error
}

/// What is answered once it is known that the bucket exists and may be looked at.
macro_rules! never_configured {
    ($($operation:ident($input:ident) -> $output:ident: $answer:expr;)*) => {
        impl Handlers {
            $(
                pub(crate) async fn $operation(
                    &self,
                    request: S3Request<dto::$input>,
                ) -> S3Result<S3Response<dto::$output>> {
                    let context = self.context(&request)?;
                    // Nothing is read from the bucket: whether it may be looked at is all that matters.
                    let (_bucket, _permit) = self.bucket(&context, &request.input.bucket, Action::GetBucket)?;
                    let answer: S3Result<dto::$output> = $answer;
                    answer.map(S3Response::new)
                }
            )*
        }
    };
}

never_configured! {
    get_bucket_accelerate_configuration(GetBucketAccelerateConfigurationInput)
        -> GetBucketAccelerateConfigurationOutput: Ok(dto::GetBucketAccelerateConfigurationOutput::default());
    get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput:
        Err(absent("NoSuchCORSConfiguration", "CORS configuration"));
    get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput)
        -> GetBucketLifecycleConfigurationOutput:
        Err(absent("NoSuchLifecycleConfiguration", "lifecycle configuration"));
    get_bucket_logging(GetBucketLoggingInput) -> GetBucketLoggingOutput: Ok(dto::GetBucketLoggingOutput::default());
    get_bucket_notification_configuration(GetBucketNotificationConfigurationInput)
        -> GetBucketNotificationConfigurationOutput: Ok(dto::GetBucketNotificationConfigurationOutput::default());
    get_bucket_ownership_controls(GetBucketOwnershipControlsInput) -> GetBucketOwnershipControlsOutput:
        Ok(owner_enforced());
    get_bucket_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput:
        Err(absent("NoSuchBucketPolicy", "policy"));
    get_bucket_policy_status(GetBucketPolicyStatusInput) -> GetBucketPolicyStatusOutput:
        Err(absent("NoSuchBucketPolicy", "policy"));
    get_bucket_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput:
        Err(absent("ReplicationConfigurationNotFoundError", "replication configuration"));
    get_bucket_request_payment(GetBucketRequestPaymentInput) -> GetBucketRequestPaymentOutput:
        Ok(dto::GetBucketRequestPaymentOutput { payer: Some(dto::Payer::from_static(dto::Payer::BUCKET_OWNER)) });
    get_bucket_tagging(GetBucketTaggingInput) -> GetBucketTaggingOutput:
        Err(absent("NoSuchTagSet", "tags"));
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput:
        Ok(dto::GetBucketVersioningOutput::default());
    get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput:
        Err(absent("NoSuchWebsiteConfiguration", "website configuration"));
    get_object_lock_configuration(GetObjectLockConfigurationInput) -> GetObjectLockConfigurationOutput:
        Err(absent("ObjectLockConfigurationNotFoundError", "object lock configuration"));
    get_public_access_block(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput:
        Err(absent("NoSuchPublicAccessBlockConfiguration", "public access block"));
}

/// No object has an owner other than its bucket's, and no access control list has a say.
fn owner_enforced() -> dto::GetBucketOwnershipControlsOutput {
    let object_ownership = dto::ObjectOwnership::from_static(dto::ObjectOwnership::BUCKET_OWNER_ENFORCED);
    let rules = vec![dto::OwnershipControlsRule { object_ownership }];
    dto::GetBucketOwnershipControlsOutput { ownership_controls: Some(dto::OwnershipControls { rules }) }
}

impl Handlers {
    /// The list of a bucket or an object that is its owner's alone.
    fn private(&self, context: &Context) -> (dto::Owner, dto::Grants) {
        let owner = self.owner(context);
        let grantee = dto::Grantee {
            display_name: None,
            email_address: None,
            id: owner.id.clone(),
            type_: dto::Type::from_static(dto::Type::CANONICAL_USER),
            uri: None,
        };
        let permission = Some(dto::Permission::from_static(dto::Permission::FULL_CONTROL));
        (owner, vec![dto::Grant { grantee: Some(grantee), permission }])
    }

    pub(crate) async fn get_bucket_acl(
        &self,
        request: S3Request<dto::GetBucketAclInput>,
    ) -> S3Result<S3Response<dto::GetBucketAclOutput>> {
        let context = self.context(&request)?;
        let (_bucket, _permit) = self.bucket(&context, &request.input.bucket, Action::GetBucket)?;
        let (owner, grants) = self.private(&context);
        Ok(S3Response::new(dto::GetBucketAclOutput { grants: Some(grants), owner: Some(owner) }))
    }

    pub(crate) async fn get_object_acl(
        &self,
        request: S3Request<dto::GetObjectAclInput>,
    ) -> S3Result<S3Response<dto::GetObjectAclOutput>> {
        let context = self.context(&request)?;
        self.require_object(&context, &request.input.bucket, &request.input.key)?;
        let (owner, grants) = self.private(&context);
        let (grants, owner) = (Some(grants), Some(owner));
        Ok(S3Response::new(dto::GetObjectAclOutput { grants, owner, request_charged: None }))
    }

    pub(crate) async fn get_object_tagging(
        &self,
        request: S3Request<dto::GetObjectTaggingInput>,
    ) -> S3Result<S3Response<dto::GetObjectTaggingOutput>> {
        let context = self.context(&request)?;
        self.require_object(&context, &request.input.bucket, &request.input.key)?;
        Ok(S3Response::new(dto::GetObjectTaggingOutput { tag_set: Vec::new(), version_id: None }))
    }

    /// An error if the object is not there, or may not be looked at.
    fn require_object(&self, context: &Context, bucket: &str, object: &str) -> S3Result<()> {
        let (bucket, permit) = self.bucket(context, bucket, Action::GetObject)?;
        self.store.object(&permit, &bucket, &key(object)?).map(drop).map_err(from_store)
    }
}
