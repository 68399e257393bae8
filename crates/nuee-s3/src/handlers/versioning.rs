//! Whether a bucket keeps versions, and listing them.

use nuee_access::Action;
use nuee_store::{ListQuery, ListedVersion, Versioning, VersionsQuery};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto};

use crate::front::VersionOrder;
use crate::handlers::asking::asking;
use crate::handlers::bucket::owner;
use crate::handlers::{
    Handlers,
    answer::{from_store, invalid_argument, not_implemented},
    checksum,
    list::{Encoding, common_prefixes, page_size},
    object::timestamp,
};

impl Handlers {
    pub(crate) async fn get_bucket_versioning(
        &self,
        request: S3Request<dto::GetBucketVersioningInput>,
    ) -> S3Result<S3Response<dto::GetBucketVersioningOutput>> {
        let context = asking!(self, request);
        let (bucket, _permit) = self.bucket(&context, &request.input.bucket, Action::GetBucketVersioning)?;
        let status = match bucket.versioning {
            Versioning::Unversioned => None,
            Versioning::Enabled => Some(dto::BucketVersioningStatus::ENABLED),
            Versioning::Suspended => Some(dto::BucketVersioningStatus::SUSPENDED),
        };
        Ok(S3Response::new(dto::GetBucketVersioningOutput {
            mfa_delete: None,
            status: status.map(dto::BucketVersioningStatus::from_static),
        }))
    }

    pub(crate) async fn put_bucket_versioning(
        &self,
        request: S3Request<dto::PutBucketVersioningInput>,
    ) -> S3Result<S3Response<dto::PutBucketVersioningOutput>> {
        let context = asking!(self, request);
        let (bucket, permit) = self.bucket(&context, &request.input.bucket, Action::PutBucketVersioning)?;
        let asked = request.input.versioning_configuration;
        if asked.mfa_delete.is_some_and(|mfa| mfa.as_str() != dto::MFADelete::DISABLED) {
            return Err(not_implemented("MFA delete: object lock keeps versions from being deleted"));
        }
        let versioning = match asked.status.as_ref().map(dto::BucketVersioningStatus::as_str) {
            Some(dto::BucketVersioningStatus::ENABLED) => Versioning::Enabled,
            Some(dto::BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
            _ => {
                let message = "the Status of a VersioningConfiguration is Enabled or Suspended";
                return Err(S3Error::with_message(S3ErrorCode::MalformedXML, message));
            }
        };
        let changed = self.store.set_versioning(&context, &permit, &bucket, versioning);
        changed.await.map_err(from_store)?;
        Ok(S3Response::new(dto::PutBucketVersioningOutput {}))
    }

    pub(crate) async fn list_object_versions(
        &self,
        request: S3Request<dto::ListObjectVersionsInput>,
    ) -> S3Result<S3Response<dto::ListObjectVersionsOutput>> {
        let context = asking!(self, request);
        let (bucket, permit) = self.bucket(&context, &request.input.bucket, Action::ListVersions)?;
        let input = request.input;
        let encoding = Encoding::new(input.encoding_type.as_ref())?;
        let limit = page_size(input.max_keys)?;
        let after_version = input.version_id_marker.clone().filter(|marker| !marker.is_empty());
        let after = input.key_marker.clone().unwrap_or_default();
        if after_version.is_some() && after.is_empty() {
            return Err(invalid_argument("A version-id marker cannot be specified without a key marker."));
        }
        let keys = ListQuery {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone(),
            after,
            limit,
        };
        let query = VersionsQuery { keys, after_version };
        let page = self.store.list_versions(&permit, &bucket, query).await.map_err(from_store)?;
        let owner = owner(&bucket);
        let order = VersionOrder(page.versions.iter().map(|version| version.object.is_none()).collect());
        let (versions, markers): (Vec<_>, Vec<_>) =
            page.versions.into_iter().partition(|version| version.object.is_some());
        let versions = versions.into_iter().filter_map(|version| object_version(version, encoding, &owner));
        let markers = markers.into_iter().map(|marker| dto::DeleteMarkerEntry {
            is_latest: Some(marker.is_latest),
            key: Some(encoding.name(marker.key)),
            last_modified: Some(timestamp(marker.modified_at)),
            owner: Some(owner.clone()),
            version_id: Some(marker.version),
        });
        let (next_key, next_version) = page.next.map_or((None, None), |(key, version)| (Some(key), version));
        let mut response = S3Response::new(dto::ListObjectVersionsOutput {
            name: Some(input.bucket),
            prefix: Some(encoding.name(input.prefix.unwrap_or_default())),
            key_marker: Some(encoding.name(input.key_marker.unwrap_or_default())),
            version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
            max_keys: i32::try_from(limit).ok(),
            is_truncated: Some(next_key.is_some()),
            next_key_marker: next_key.map(|key| encoding.name(key)),
            next_version_id_marker: next_version,
            versions: Some(versions.collect()),
            delete_markers: Some(markers.collect()),
            common_prefixes: common_prefixes(page.prefixes, encoding),
            delimiter: input.delimiter.map(|delimiter| encoding.name(delimiter)),
            encoding_type: input.encoding_type,
            request_charged: None,
        });
        response.extensions.insert(order);
        Ok(response)
    }
}

fn object_version(
    version: ListedVersion,
    encoding: Encoding,
    owner: &dto::Owner,
) -> Option<dto::ObjectVersion> {
    let object = version.object?;
    let algorithm = |algorithm| dto::ChecksumAlgorithm::from_static(checksum::name(algorithm));
    Some(dto::ObjectVersion {
        checksum_algorithm: object.checksum.map(|(name, _)| vec![algorithm(name)]),
        checksum_type: object
            .checksum
            .map(|(_, kind)| dto::ChecksumType::from_static(checksum::kind_name(kind))),
        e_tag: Some(dto::ETag::Strong(object.etag.to_string())),
        is_latest: Some(version.is_latest),
        key: Some(encoding.name(version.key)),
        last_modified: Some(timestamp(version.modified_at)),
        owner: Some(owner.clone()),
        restore_status: None,
        size: i64::try_from(object.size).ok(),
        storage_class: Some(dto::ObjectVersionStorageClass::from_static(
            dto::ObjectVersionStorageClass::STANDARD,
        )),
        version_id: Some(version.version),
    })
}
