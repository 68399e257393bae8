//! Tags of buckets and of objects.

use http::HeaderMap;
use nuee_access::Action;
use nuee_store::{Setting, SettingName, TagSet};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto};

use crate::handlers::asking::asking;
use crate::handlers::{
    Handlers,
    answer::{absent, from_store, invalid_argument},
};

/// The tags of `x-amz-tagging`, which is written as a query is.
pub(crate) fn of_new(headers: &HeaderMap) -> S3Result<Option<TagSet>> {
    let Some(value) = headers.get("x-amz-tagging") else { return Ok(None) };
    let text = value.to_str().map_err(|_| invalid_argument("x-amz-tagging is not text"))?;
    from_query(text).map(Some)
}

/// Tags that are written as a query is: `key=value&key=value`.
pub(crate) fn from_query(text: &str) -> S3Result<TagSet> {
    let pairs =
        form_urlencoded::parse(text.as_bytes()).map(|(key, value)| (key.into_owned(), value.into_owned()));
    TagSet::new(pairs.collect(), TagSet::MAX_OF_OBJECT).map_err(from_store)
}

/// Tags of an object.
pub(crate) fn of_pairs(pairs: Vec<(String, String)>) -> S3Result<TagSet> {
    TagSet::new(pairs, TagSet::MAX_OF_OBJECT).map_err(from_store)
}

fn from_document(tagging: dto::Tagging, limit: usize) -> S3Result<TagSet> {
    let pairs = tagging.tag_set.into_iter().map(|tag| {
        let malformed = || S3Error::with_message(S3ErrorCode::MalformedXML, "a Tag has a Key and a Value");
        Ok((tag.key.ok_or_else(malformed)?, tag.value.ok_or_else(malformed)?))
    });
    TagSet::new(pairs.collect::<S3Result<_>>()?, limit).map_err(from_store)
}

fn to_document(tags: &TagSet) -> dto::TagSet {
    let tag =
        |(key, value): (&str, &str)| dto::Tag { key: Some(key.to_owned()), value: Some(value.to_owned()) };
    tags.iter().map(tag).collect()
}

impl Handlers {
    pub(crate) async fn get_object_tagging(
        &self,
        request: S3Request<dto::GetObjectTaggingInput>,
    ) -> S3Result<S3Response<dto::GetObjectTaggingOutput>> {
        let context = asking!(self, request);
        let input = &request.input;
        let named = (&*input.bucket, &*input.key, input.version_id.as_deref());
        let actions = (Action::GetObjectTagging, Action::GetObjectVersionTagging);
        let (target, permit) = self.version(&context, named, actions)?;
        let (tags, version_id) = self.store.object_tags(&permit, &target).map_err(from_store)?;
        Ok(S3Response::new(dto::GetObjectTaggingOutput { tag_set: to_document(&tags), version_id }))
    }

    pub(crate) async fn put_object_tagging(
        &self,
        request: S3Request<dto::PutObjectTaggingInput>,
    ) -> S3Result<S3Response<dto::PutObjectTaggingOutput>> {
        let context = asking!(self, request);
        let input = request.input;
        let named = (&*input.bucket, &*input.key, input.version_id.as_deref());
        let actions = (Action::PutObjectTagging, Action::PutObjectVersionTagging);
        let (target, permit) = self.version(&context, named, actions)?;
        let tags = from_document(input.tagging, TagSet::MAX_OF_OBJECT)?;
        let changed = self.store.set_object_tags(&context, &permit, &target, tags);
        let version_id = changed.await.map_err(from_store)?;
        Ok(S3Response::new(dto::PutObjectTaggingOutput { version_id }))
    }

    pub(crate) async fn delete_object_tagging(
        &self,
        request: S3Request<dto::DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<dto::DeleteObjectTaggingOutput>> {
        let context = asking!(self, request);
        let input = request.input;
        let named = (&*input.bucket, &*input.key, input.version_id.as_deref());
        let actions = (Action::DeleteObjectTagging, Action::DeleteObjectVersionTagging);
        let (target, permit) = self.version(&context, named, actions)?;
        let changed = self.store.set_object_tags(&context, &permit, &target, TagSet::default());
        let version_id = changed.await.map_err(from_store)?;
        let output = dto::DeleteObjectTaggingOutput { version_id };
        Ok(S3Response::with_status(output, http::StatusCode::NO_CONTENT))
    }

    pub(crate) async fn get_bucket_tagging(
        &self,
        request: S3Request<dto::GetBucketTaggingInput>,
    ) -> S3Result<S3Response<dto::GetBucketTaggingOutput>> {
        let context = asking!(self, request);
        let (bucket, _permit) = self.bucket(&context, &request.input.bucket, Action::GetBucketTagging)?;
        let tags = bucket.settings.tags.as_ref().ok_or_else(|| absent("NoSuchTagSet", "tags"))?;
        Ok(S3Response::new(dto::GetBucketTaggingOutput { tag_set: to_document(tags) }))
    }

    pub(crate) async fn put_bucket_tagging(
        &self,
        request: S3Request<dto::PutBucketTaggingInput>,
    ) -> S3Result<S3Response<dto::PutBucketTaggingOutput>> {
        let context = asking!(self, request);
        let action = Action::PutBucketTagging;
        let (bucket, permit) = self.bucket(&context, &request.input.bucket, action)?;
        let tags = from_document(request.input.tagging, TagSet::MAX_OF_BUCKET)?;
        let put = self.store.put_setting(&context, (&permit, action), &bucket, Setting::Tags(tags));
        put.await.map_err(from_store)?;
        Ok(S3Response::new(dto::PutBucketTaggingOutput {}))
    }

    pub(crate) async fn delete_bucket_tagging(
        &self,
        request: S3Request<dto::DeleteBucketTaggingInput>,
    ) -> S3Result<S3Response<dto::DeleteBucketTaggingOutput>> {
        let context = asking!(self, request);
        let action = Action::PutBucketTagging;
        let (bucket, permit) = self.bucket(&context, &request.input.bucket, action)?;
        let deleted = self.store.delete_setting(&context, (&permit, action), &bucket, SettingName::Tags);
        deleted.await.map_err(from_store)?;
        let output = dto::DeleteBucketTaggingOutput {};
        Ok(S3Response::with_status(output, http::StatusCode::NO_CONTENT))
    }
}
