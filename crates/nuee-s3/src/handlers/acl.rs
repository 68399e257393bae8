//! Access control lists, in the forms that say what is so: everything belongs to its bucket's project, and lists have no
//! say ([bucket owner
//! enforced](https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html)).
//!
//! Reading one gives the owner full control. Setting one that says the same is accepted and changes nothing; any other
//! is refused with `AccessControlListNotSupported`, as at S3.

use nuee_access::Action;
use nuee_store::Bucket;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto};

use crate::handlers::asking::asking;
use crate::handlers::bucket::owner;
use crate::handlers::{
    Handlers,
    answer::{absent, bad_request, from_store},
};

/// The lists that say what is so.
const PRIVATE: [&str; 2] = ["private", "bucket-owner-full-control"];

pub(crate) fn not_supported() -> S3Error {
    bad_request(
        "AccessControlListNotSupported",
        "The bucket does not allow ACLs: use a bucket policy instead.",
    )
}

/// No object has an owner other than its bucket's, and no access control list has a say.
fn owner_enforced() -> dto::OwnershipControls {
    let object_ownership = dto::ObjectOwnership::from_static(dto::ObjectOwnership::BUCKET_OWNER_ENFORCED);
    dto::OwnershipControls { rules: vec![dto::OwnershipControlsRule { object_ownership }] }
}

/// What a request would set: by a name in a header, or by a document.
fn check(
    canned: Option<&str>,
    document: Option<&dto::AccessControlPolicy>,
    owner: &dto::Owner,
) -> S3Result<()> {
    match (canned, document) {
        (Some(canned), None) if PRIVATE.contains(&canned) => Ok(()),
        (None, Some(document)) if says_what_is_so(document, owner) => Ok(()),
        (None, None) | (Some(_), Some(_)) => Err(S3Error::with_message(
            S3ErrorCode::MissingSecurityHeader,
            "Your request was missing a required header: x-amz-acl, or a document, is expected.",
        )),
        _ => Err(not_supported()),
    }
}

fn says_what_is_so(document: &dto::AccessControlPolicy, owner: &dto::Owner) -> bool {
    let is_owner = |id: &Option<String>| id == &owner.id;
    let grants = document.grants.as_deref().unwrap_or_default();
    document.owner.as_ref().is_none_or(|owner| is_owner(&owner.id))
        && grants.iter().all(|grant| {
            let full = grant.permission.as_ref().map(dto::Permission::as_str);
            full == Some(dto::Permission::FULL_CONTROL)
                && grant.grantee.as_ref().is_some_and(|grantee| is_owner(&grantee.id))
        })
        && !grants.is_empty()
}

/// The list of a bucket or an object that is its owner's alone.
fn private(bucket: &Bucket) -> (dto::Owner, dto::Grants) {
    let owner = owner(bucket);
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

impl Handlers {
    pub(crate) async fn get_bucket_acl(
        &self,
        request: S3Request<dto::GetBucketAclInput>,
    ) -> S3Result<S3Response<dto::GetBucketAclOutput>> {
        let context = asking!(self, request);
        let (bucket, _permit) = self.bucket(&context, &request.input.bucket, Action::GetBucketAcl)?;
        let (owner, grants) = private(&bucket);
        Ok(S3Response::new(dto::GetBucketAclOutput { grants: Some(grants), owner: Some(owner) }))
    }

    pub(crate) async fn put_bucket_acl(
        &self,
        request: S3Request<dto::PutBucketAclInput>,
    ) -> S3Result<S3Response<dto::PutBucketAclOutput>> {
        let context = asking!(self, request);
        let (bucket, _permit) = self.bucket(&context, &request.input.bucket, Action::PutBucketAcl)?;
        let canned = request.input.acl.as_ref().map(dto::BucketCannedACL::as_str);
        check(canned, request.input.access_control_policy.as_ref(), &owner(&bucket))?;
        Ok(S3Response::new(dto::PutBucketAclOutput {}))
    }

    pub(crate) async fn get_object_acl(
        &self,
        request: S3Request<dto::GetObjectAclInput>,
    ) -> S3Result<S3Response<dto::GetObjectAclOutput>> {
        let context = asking!(self, request);
        let input = &request.input;
        let named = (&*input.bucket, &*input.key, input.version_id.as_deref());
        let (target, permit) =
            self.version(&context, named, (Action::GetObjectAcl, Action::GetObjectVersionAcl))?;
        self.store.object_info(&permit, &target).map_err(from_store)?;
        let (owner, grants) = private(&target.bucket);
        let (grants, owner) = (Some(grants), Some(owner));
        Ok(S3Response::new(dto::GetObjectAclOutput { grants, owner, request_charged: None }))
    }

    pub(crate) async fn put_object_acl(
        &self,
        request: S3Request<dto::PutObjectAclInput>,
    ) -> S3Result<S3Response<dto::PutObjectAclOutput>> {
        let context = asking!(self, request);
        let input = &request.input;
        let named = (&*input.bucket, &*input.key, input.version_id.as_deref());
        let (target, permit) =
            self.version(&context, named, (Action::PutObjectAcl, Action::PutObjectVersionAcl))?;
        self.store.object_info(&permit, &target).map_err(from_store)?;
        let canned = input.acl.as_ref().map(dto::ObjectCannedACL::as_str);
        check(canned, input.access_control_policy.as_ref(), &owner(&target.bucket))?;
        Ok(S3Response::new(dto::PutObjectAclOutput { request_charged: None }))
    }

    pub(crate) async fn get_bucket_ownership_controls(
        &self,
        request: S3Request<dto::GetBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<dto::GetBucketOwnershipControlsOutput>> {
        let context = asking!(self, request);
        let action = Action::GetOwnershipControls;
        let (_bucket, _permit) = self.bucket(&context, &request.input.bucket, action)?;
        let ownership_controls = Some(owner_enforced());
        Ok(S3Response::new(dto::GetBucketOwnershipControlsOutput { ownership_controls }))
    }

    /// That a bucket's owner owns what is in it was never set, and cannot be taken away: there is nothing to delete.
    pub(crate) async fn delete_bucket_ownership_controls(
        &self,
        request: S3Request<dto::DeleteBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<dto::DeleteBucketOwnershipControlsOutput>> {
        let context = asking!(self, request);
        let (_bucket, _permit) =
            self.bucket(&context, &request.input.bucket, Action::PutOwnershipControls)?;
        Err(absent("OwnershipControlsNotFoundError", "ownership controls that could be deleted"))
    }

    pub(crate) async fn put_bucket_ownership_controls(
        &self,
        request: S3Request<dto::PutBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<dto::PutBucketOwnershipControlsOutput>> {
        let context = asking!(self, request);
        let action = Action::PutOwnershipControls;
        let (_bucket, _permit) = self.bucket(&context, &request.input.bucket, action)?;
        if request.input.ownership_controls != owner_enforced() {
            let message = "Object ownership is BucketOwnerEnforced here, and nothing else.";
            return Err(bad_request("InvalidBucketAclWithObjectOwnership", message));
        }
        Ok(S3Response::new(dto::PutBucketOwnershipControlsOutput {}))
    }
}
