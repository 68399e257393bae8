//! Policies of buckets, and what is blocked of public access to them.

use nuee_access::{Action, PublicAccessBlock};
use nuee_store::{Bucket, BucketPolicy, PublicAccess, Setting, SettingName};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto};

use crate::handlers::{
    Handlers,
    answer::{absent, bad_request, from_store},
    asking::asking,
};

fn policy_of(bucket: &Bucket) -> S3Result<(&str, &nuee_access::BucketPolicy)> {
    bucket.policy().ok_or_else(|| absent("NoSuchBucketPolicy", "policy"))
}

impl Handlers {
    pub(crate) async fn get_bucket_policy(
        &self,
        request: S3Request<dto::GetBucketPolicyInput>,
    ) -> S3Result<S3Response<dto::GetBucketPolicyOutput>> {
        let context = asking!(self, request);
        let (bucket, _permit) = self.bucket(&context, &request.input.bucket, Action::GetBucketPolicy)?;
        let (text, _) = policy_of(&bucket)?;
        Ok(S3Response::new(dto::GetBucketPolicyOutput { policy: Some(text.to_owned()) }))
    }

    pub(crate) async fn put_bucket_policy(
        &self,
        request: S3Request<dto::PutBucketPolicyInput>,
    ) -> S3Result<S3Response<dto::PutBucketPolicyOutput>> {
        let context = asking!(self, request);
        let action = Action::PutBucketPolicy;
        let (bucket, permit) = self.bucket(&context, &request.input.bucket, action)?;
        let policy = nuee_access::BucketPolicy::parse(&request.input.policy, &bucket.name)
            .map_err(|error| bad_request("MalformedPolicy", error.to_string()))?;
        if bucket.rules().public_access.refuses(&policy) {
            let message = "The policy would make the bucket public, which its public access block forbids \
                           (BlockPublicPolicy): name whom you trust, or change the block first.";
            return Err(S3Error::with_message(S3ErrorCode::AccessDenied, message));
        }
        let setting = Setting::Policy(BucketPolicy::new(request.input.policy));
        let put = self.store.put_setting(&context, (&permit, action), &bucket, setting);
        put.await.map_err(from_store)?;
        let output = dto::PutBucketPolicyOutput {};
        Ok(S3Response::with_status(output, http::StatusCode::NO_CONTENT))
    }

    pub(crate) async fn delete_bucket_policy(
        &self,
        request: S3Request<dto::DeleteBucketPolicyInput>,
    ) -> S3Result<S3Response<dto::DeleteBucketPolicyOutput>> {
        let context = asking!(self, request);
        let action = Action::DeleteBucketPolicy;
        let (bucket, permit) = self.bucket(&context, &request.input.bucket, action)?;
        let deleted = self.store.delete_setting(&context, (&permit, action), &bucket, SettingName::Policy);
        deleted.await.map_err(from_store)?;
        let output = dto::DeleteBucketPolicyOutput {};
        Ok(S3Response::with_status(output, http::StatusCode::NO_CONTENT))
    }

    pub(crate) async fn get_bucket_policy_status(
        &self,
        request: S3Request<dto::GetBucketPolicyStatusInput>,
    ) -> S3Result<S3Response<dto::GetBucketPolicyStatusOutput>> {
        let context = asking!(self, request);
        let action = Action::GetBucketPolicyStatus;
        let (bucket, _permit) = self.bucket(&context, &request.input.bucket, action)?;
        let (_, policy) = policy_of(&bucket)?;
        let policy_status = Some(dto::PolicyStatus { is_public: Some(policy.is_public()) });
        Ok(S3Response::new(dto::GetBucketPolicyStatusOutput { policy_status }))
    }

    pub(crate) async fn get_public_access_block(
        &self,
        request: S3Request<dto::GetPublicAccessBlockInput>,
    ) -> S3Result<S3Response<dto::GetPublicAccessBlockOutput>> {
        let context = asking!(self, request);
        let action = Action::GetPublicAccessBlock;
        let (bucket, _permit) = self.bucket(&context, &request.input.bucket, action)?;
        if bucket.settings.public_access == PublicAccess::Removed {
            return Err(absent("NoSuchPublicAccessBlockConfiguration", "public access block"));
        }
        let block = bucket.rules().public_access;
        let configuration = dto::PublicAccessBlockConfiguration {
            block_public_acls: Some(block.block_public_acls),
            block_public_policy: Some(block.block_public_policy),
            ignore_public_acls: Some(block.ignore_public_acls),
            restrict_public_buckets: Some(block.restrict_public_buckets),
        };
        Ok(S3Response::new(dto::GetPublicAccessBlockOutput {
            public_access_block_configuration: Some(configuration),
        }))
    }

    pub(crate) async fn put_public_access_block(
        &self,
        request: S3Request<dto::PutPublicAccessBlockInput>,
    ) -> S3Result<S3Response<dto::PutPublicAccessBlockOutput>> {
        let context = asking!(self, request);
        let action = Action::PutPublicAccessBlock;
        let (bucket, permit) = self.bucket(&context, &request.input.bucket, action)?;
        let asked = request.input.public_access_block_configuration;
        // What is not said is not blocked, as at S3.
        let block = PublicAccessBlock {
            block_public_acls: asked.block_public_acls.unwrap_or_default(),
            ignore_public_acls: asked.ignore_public_acls.unwrap_or_default(),
            block_public_policy: asked.block_public_policy.unwrap_or_default(),
            restrict_public_buckets: asked.restrict_public_buckets.unwrap_or_default(),
        };
        let setting = Setting::PublicAccess(PublicAccess::from(block));
        let put = self.store.put_setting(&context, (&permit, action), &bucket, setting);
        put.await.map_err(from_store)?;
        Ok(S3Response::new(dto::PutPublicAccessBlockOutput {}))
    }

    pub(crate) async fn delete_public_access_block(
        &self,
        request: S3Request<dto::DeletePublicAccessBlockInput>,
    ) -> S3Result<S3Response<dto::DeletePublicAccessBlockOutput>> {
        let context = asking!(self, request);
        let action = Action::PutPublicAccessBlock;
        let (bucket, permit) = self.bucket(&context, &request.input.bucket, action)?;
        let setting = Setting::PublicAccess(PublicAccess::Removed);
        let put = self.store.put_setting(&context, (&permit, action), &bucket, setting);
        put.await.map_err(from_store)?;
        let output = dto::DeletePublicAccessBlockOutput {};
        Ok(S3Response::with_status(output, http::StatusCode::NO_CONTENT))
    }
}
