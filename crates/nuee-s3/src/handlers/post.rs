//! Writing the object of a form.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use http::request::Parts;
use nuee_access::Action;
use nuee_base::{Principal, Timestamp};
use nuee_store::{Body, BodyError, ChecksumAlgorithm, Conditions, ObjectInfo, Origin};
use s3s::S3Result;

use crate::handlers::{
    Asking, Handlers, Signing,
    answer::{from_store, invalid},
    checksum,
    object::asked_encryption,
    tagging,
};

/// The object that a form uploads. The headers of `parts` are its fields.
pub(crate) struct PostedObject<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) principal: Principal,
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    /// The document of its tags.
    pub(crate) tagging: Option<&'a str>,
    pub(crate) stream: Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>,
}

impl Handlers {
    /// The present instant.
    pub(crate) fn now(&self) -> Timestamp {
        self.environment.now()
    }

    pub(crate) async fn post_object(&self, posted: PostedObject<'_>) -> S3Result<ObjectInfo> {
        let signing = if posted.principal == Principal::Anonymous { Signing::Nobody } else { Signing::Form };
        let context = self.context_of(posted.principal, &posted.parts.extensions);
        let headers = &posted.parts.headers;
        let head = (headers, &posted.parts.uri, &posted.parts.extensions);
        let context = Asking::new(context, head, signing);
        let named = (posted.bucket, posted.key);
        let (bucket, key, permit) = self.object(&context, named, Action::PutObject)?;
        let mut described = self.described(&context, named, headers)?;
        if let Some(document) = posted.tagging {
            if !described.tags.is_empty() {
                return Err(invalid("tags come in the field tagging or in x-amz-tagging, not in both"));
            }
            let _permitted = self.object(&context, named, Action::PutObjectTagging)?;
            described.tags = tagging::of_document(document)?;
        }
        described.origin = Origin::Form;
        let body = Body {
            stream: posted.stream,
            size: None,
            md5: checksum::content_md5(headers)?,
            checksum: checksum::expected(headers, None, ChecksumAlgorithm::Crc64Nvme)?,
            encryption: asked_encryption(headers)?,
        };
        let target = (&bucket, key);
        let put = self.store.put_object(&context, &permit, target, (body, described), Conditions::default());
        put.await.map_err(from_store)
    }
}
