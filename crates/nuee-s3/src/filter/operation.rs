//! Which operation a request asks for.
//!
//! This reads a request as `s3s` does after it (method, path, query, one header), so that the rules of an operation are
//! applied to the requests that reach its handler. What it does not know is not offered, and goes no further.

use http::Method;

use super::query::Query;

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// An operation that is offered.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the names are S3's")]
        pub enum Operation { $($name,)* }

        impl Operation {
            /// Every operation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// S3's name for it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

operations! {
    ListBuckets,
    CreateBucket, HeadBucket, DeleteBucket, ListObjects, ListObjectsV2, ListMultipartUploads, DeleteObjects,
    GetBucketLocation, GetBucketVersioning, GetBucketEncryption, PutBucketEncryption, DeleteBucketEncryption,
    GetBucketAcl, GetBucketAccelerateConfiguration, GetBucketCors, GetBucketLifecycleConfiguration, GetBucketLogging,
    GetBucketNotificationConfiguration, GetBucketOwnershipControls, GetBucketPolicy, GetBucketPolicyStatus,
    GetBucketReplication, GetBucketRequestPayment, GetBucketTagging, GetBucketWebsite, GetObjectLockConfiguration,
    GetPublicAccessBlock,
    GetObject, HeadObject, PutObject, CopyObject, DeleteObject, GetObjectAcl, GetObjectTagging,
    ListObjectVersions, PutBucketVersioning, PutObjectLockConfiguration, PutBucketTagging, DeleteBucketTagging,
    PutBucketAcl, PutBucketOwnershipControls, DeleteBucketOwnershipControls, PutBucketCors, DeleteBucketCors,
    PutBucketPolicy, DeleteBucketPolicy, PutPublicAccessBlock, DeletePublicAccessBlock,
    GetObjectAttributes, PutObjectTagging, DeleteObjectTagging, GetObjectRetention, PutObjectRetention,
    GetObjectLegalHold, PutObjectLegalHold, PutObjectAcl, PostObject,
    PutBucketLifecycleConfiguration, DeleteBucketLifecycle, PutBucketNotificationConfiguration,
    CreateMultipartUpload, UploadPart, UploadPartCopy, CompleteMultipartUpload, AbortMultipartUpload, ListParts,
}

/// A set of operations.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operations(u128);

impl Operations {
    pub(super) const NONE: Self = Self(0);
    pub(super) const ALL: Self = Self(u128::MAX);

    pub(super) const fn of(members: &[Operation]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < members.len() {
            bits |= 1 << members[index] as u128;
            index += 1;
        }
        Self(bits)
    }

    pub(super) const fn all_but(others: &[Operation]) -> Self {
        Self(!Self::of(others).0)
    }

    pub(super) const fn contains(self, operation: Operation) -> bool {
        self.0 & (1 << operation as u128) != 0
    }
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Service,
    Bucket,
    Object,
}

impl Level {
    /// What this path names, if the host names a bucket or not. `None` if it is no path.
    pub(super) fn of(path: &str, bucket_in_host: bool) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        if path.is_empty() {
            return Some(if bucket_in_host { Self::Bucket } else { Self::Service });
        }
        if bucket_in_host {
            return Some(Self::Object);
        }
        // A slash may be percent-encoded: the bucket ends at the first slash of the decoded path.
        let bytes = path.as_bytes();
        let key = bytes.iter().enumerate().find_map(|(index, byte)| match byte {
            b'/' => Some(index + 1),
            b'%' if bytes[index..].len() >= 3 && bytes[index + 1..index + 3].eq_ignore_ascii_case(b"2f") => {
                Some(index + 3)
            }
            _ => None,
        });
        Some(if key.is_some_and(|start| start < bytes.len()) { Self::Object } else { Self::Bucket })
    }
}

/// What an operation does with the body of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyUse {
    /// There is none.
    Nothing,
    /// It is a document, read whole.
    Document,
    /// It is the content of an object or a part, and streams.
    Content,
}

pub(super) struct Route {
    pub(super) method: Method,
    pub(super) level: Level,
    /// The query has these.
    pub(super) markers: &'static [&'static str],
    /// The request has `x-amz-copy-source`.
    pub(super) copies: bool,
    pub(super) operation: Operation,
    body: BodyUse,
}

const fn route(
    method: Method,
    level: Level,
    markers: &'static [&'static str],
    operation: Operation,
    body: BodyUse,
) -> Route {
    Route { method, level, markers, copies: false, operation, body }
}

const fn copy(markers: &'static [&'static str], operation: Operation) -> Route {
    Route {
        method: Method::PUT,
        level: Level::Object,
        markers,
        copies: true,
        operation,
        body: BodyUse::Nothing,
    }
}

/// The first that matches is meant. A request that also has the marker of another operation is refused, since the rules
/// of parameters do not know that marker for the operation found here.
pub(super) static ROUTES: &[Route] = {
    use BodyUse::{Content, Document, Nothing};
    use Level::{Bucket, Object, Service};
    use Operation as O;
    &[
        route(Method::GET, Object, &["uploadId"], O::ListParts, Nothing),
        route(Method::GET, Object, &["acl"], O::GetObjectAcl, Nothing),
        route(Method::GET, Object, &["tagging"], O::GetObjectTagging, Nothing),
        route(Method::GET, Object, &["attributes"], O::GetObjectAttributes, Nothing),
        route(Method::GET, Object, &["retention"], O::GetObjectRetention, Nothing),
        route(Method::GET, Object, &["legal-hold"], O::GetObjectLegalHold, Nothing),
        route(Method::GET, Object, &[], O::GetObject, Nothing),
        route(Method::HEAD, Object, &[], O::HeadObject, Nothing),
        copy(&["partNumber", "uploadId"], O::UploadPartCopy),
        route(Method::PUT, Object, &["partNumber", "uploadId"], O::UploadPart, Content),
        route(Method::PUT, Object, &["tagging"], O::PutObjectTagging, Document),
        route(Method::PUT, Object, &["retention"], O::PutObjectRetention, Document),
        route(Method::PUT, Object, &["legal-hold"], O::PutObjectLegalHold, Document),
        route(Method::PUT, Object, &["acl"], O::PutObjectAcl, Document),
        copy(&[], O::CopyObject),
        route(Method::PUT, Object, &[], O::PutObject, Content),
        route(Method::DELETE, Object, &["uploadId"], O::AbortMultipartUpload, Nothing),
        route(Method::DELETE, Object, &["tagging"], O::DeleteObjectTagging, Nothing),
        route(Method::DELETE, Object, &[], O::DeleteObject, Nothing),
        route(Method::POST, Object, &["uploads"], O::CreateMultipartUpload, Nothing),
        route(Method::POST, Object, &["uploadId"], O::CompleteMultipartUpload, Document),
        route(Method::GET, Bucket, &["list-type"], O::ListObjectsV2, Nothing),
        route(Method::GET, Bucket, &["uploads"], O::ListMultipartUploads, Nothing),
        route(Method::GET, Bucket, &["location"], O::GetBucketLocation, Nothing),
        route(Method::GET, Bucket, &["versioning"], O::GetBucketVersioning, Nothing),
        route(Method::GET, Bucket, &["encryption"], O::GetBucketEncryption, Nothing),
        route(Method::GET, Bucket, &["acl"], O::GetBucketAcl, Nothing),
        route(Method::GET, Bucket, &["accelerate"], O::GetBucketAccelerateConfiguration, Nothing),
        route(Method::GET, Bucket, &["cors"], O::GetBucketCors, Nothing),
        route(Method::GET, Bucket, &["lifecycle"], O::GetBucketLifecycleConfiguration, Nothing),
        route(Method::GET, Bucket, &["logging"], O::GetBucketLogging, Nothing),
        route(Method::GET, Bucket, &["notification"], O::GetBucketNotificationConfiguration, Nothing),
        route(Method::GET, Bucket, &["ownershipControls"], O::GetBucketOwnershipControls, Nothing),
        route(Method::GET, Bucket, &["policy"], O::GetBucketPolicy, Nothing),
        route(Method::GET, Bucket, &["policyStatus"], O::GetBucketPolicyStatus, Nothing),
        route(Method::GET, Bucket, &["replication"], O::GetBucketReplication, Nothing),
        route(Method::GET, Bucket, &["requestPayment"], O::GetBucketRequestPayment, Nothing),
        route(Method::GET, Bucket, &["tagging"], O::GetBucketTagging, Nothing),
        route(Method::GET, Bucket, &["website"], O::GetBucketWebsite, Nothing),
        route(Method::GET, Bucket, &["object-lock"], O::GetObjectLockConfiguration, Nothing),
        route(Method::GET, Bucket, &["publicAccessBlock"], O::GetPublicAccessBlock, Nothing),
        route(Method::GET, Bucket, &["versions"], O::ListObjectVersions, Nothing),
        route(Method::GET, Bucket, &[], O::ListObjects, Nothing),
        route(Method::HEAD, Bucket, &[], O::HeadBucket, Nothing),
        route(Method::PUT, Bucket, &["encryption"], O::PutBucketEncryption, Document),
        route(Method::PUT, Bucket, &["versioning"], O::PutBucketVersioning, Document),
        route(Method::PUT, Bucket, &["object-lock"], O::PutObjectLockConfiguration, Document),
        route(Method::PUT, Bucket, &["tagging"], O::PutBucketTagging, Document),
        route(Method::PUT, Bucket, &["acl"], O::PutBucketAcl, Document),
        route(Method::PUT, Bucket, &["policy"], O::PutBucketPolicy, Document),
        route(Method::PUT, Bucket, &["publicAccessBlock"], O::PutPublicAccessBlock, Document),
        route(Method::PUT, Bucket, &["cors"], O::PutBucketCors, Document),
        route(Method::PUT, Bucket, &["ownershipControls"], O::PutBucketOwnershipControls, Document),
        route(Method::DELETE, Bucket, &["ownershipControls"], O::DeleteBucketOwnershipControls, Nothing),
        route(Method::PUT, Bucket, &["lifecycle"], O::PutBucketLifecycleConfiguration, Document),
        route(Method::PUT, Bucket, &["notification"], O::PutBucketNotificationConfiguration, Document),
        route(Method::PUT, Bucket, &[], O::CreateBucket, Document),
        route(Method::DELETE, Bucket, &["encryption"], O::DeleteBucketEncryption, Nothing),
        route(Method::DELETE, Bucket, &["policy"], O::DeleteBucketPolicy, Nothing),
        route(Method::DELETE, Bucket, &["publicAccessBlock"], O::DeletePublicAccessBlock, Nothing),
        route(Method::DELETE, Bucket, &["cors"], O::DeleteBucketCors, Nothing),
        route(Method::DELETE, Bucket, &["tagging"], O::DeleteBucketTagging, Nothing),
        route(Method::DELETE, Bucket, &["lifecycle"], O::DeleteBucketLifecycle, Nothing),
        route(Method::DELETE, Bucket, &[], O::DeleteBucket, Nothing),
        route(Method::POST, Bucket, &["delete"], O::DeleteObjects, Document),
        route(Method::POST, Bucket, &[], O::PostObject, Content),
        route(Method::GET, Service, &[], O::ListBuckets, Nothing),
    ]
};

/// The operation that is asked for, and what it does with a body. `None` if it is not offered.
pub(super) fn resolve(
    method: &Method,
    level: Level,
    query: &Query<'_>,
    copies: bool,
) -> Option<(Operation, BodyUse)> {
    let matches = |route: &&Route| {
        route.level == level
            && route.method == method
            && (!route.copies || copies)
            && route.markers.iter().all(|marker| query.has(marker))
    };
    ROUTES.iter().find(matches).map(|route| (route.operation, route.body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_room_for_every_operation() {
        assert!(Operation::ALL.len() <= 128);
        for operation in Operation::ALL {
            assert!(Operations::of(&[*operation]).contains(*operation));
            assert!(!Operations::NONE.contains(*operation));
        }
    }

    #[test]
    fn every_operation_has_a_route() {
        for operation in Operation::ALL {
            assert!(ROUTES.iter().any(|route| route.operation == *operation), "{operation:?}");
        }
    }

    #[test]
    fn paths_name_what_they_name_after_decoding() {
        let path_style = [
            ("/", Some(Level::Service)),
            ("/b", Some(Level::Bucket)),
            ("/b/", Some(Level::Bucket)),
            ("/b%2F", Some(Level::Bucket)),
            ("/b%2fk", Some(Level::Object)),
            ("/b/k", Some(Level::Object)),
            ("/b//", Some(Level::Object)),
            ("/b%2", Some(Level::Bucket)),
            ("//", Some(Level::Bucket)),
            ("*", None),
            ("", None),
        ];
        for (path, level) in path_style {
            assert_eq!(Level::of(path, false), level, "{path}");
        }
        for (path, level) in
            [("/", Some(Level::Bucket)), ("/k", Some(Level::Object)), ("//", Some(Level::Object)), ("", None)]
        {
            assert_eq!(Level::of(path, true), level, "{path}");
        }
    }
}
