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

/// The tags of an object in a document such as `<Tagging><TagSet><Tag><Key>…`.
pub(crate) fn of_document(document: &str) -> S3Result<TagSet> {
    crate::document::check_tagging(document).map_err(S3Error::from)?;
    TagSet::new(pairs_of(document)?, TagSet::MAX_OF_OBJECT).map_err(from_store)
}

/// The keys and values that a document has, wherever they stand.
pub(crate) fn pairs_of(document: &str) -> S3Result<Vec<(String, String)>> {
    let malformed = || S3Error::with_message(S3ErrorCode::MalformedXML, "a Tag has a Key and a Value");
    let mut reader = quick_xml::Reader::from_str(document);
    let (mut pairs, mut key, mut inside) = (Vec::new(), None, Vec::new());
    let mut text = String::new();
    loop {
        use quick_xml::events::Event;
        match reader.read_event().map_err(|_| malformed())? {
            Event::Start(element) => {
                inside.push(element.local_name().as_ref().to_vec());
                text.clear();
            }
            Event::Text(part) => text.push_str(&part.decode().map_err(|_| malformed())?),
            Event::GeneralRef(reference) => match reference.resolve_char_ref().map_err(|_| malformed())? {
                Some(character) => text.push(character),
                None => {
                    let name = reference.decode().map_err(|_| malformed())?;
                    text.push_str(quick_xml::escape::resolve_xml_entity(&name).ok_or_else(malformed)?);
                }
            },
            Event::End(_) => match inside.pop().as_deref() {
                Some(b"Key") => key = Some(std::mem::take(&mut text)),
                Some(b"Value") => pairs.push((key.take().ok_or_else(malformed)?, std::mem::take(&mut text))),
                _ => {}
            },
            Event::Eof => return Ok(pairs),
            _ => {}
        }
    }
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

#[cfg(test)]
mod tests {
    use super::of_document as tags;

    #[test]
    fn tags_are_read_from_a_document() {
        let document = |tags: &str| format!("<Tagging><TagSet>{tags}</TagSet></Tagging>");
        let one =
            document("<Tag><Key>a b</Key><Value>c&#45;d</Value></Tag><Tag><Key>e</Key><Value></Value></Tag>");
        let read = tags(&one).unwrap();
        assert_eq!(read.iter().collect::<Vec<_>>(), [("a b", "c-d"), ("e", "")]);
        for bad in ["", "text", "<Tagging>", "<Other/>"] {
            assert!(tags(bad).is_err() || tags(bad).unwrap().is_empty(), "{bad}");
        }
        assert!(tags(&document("<Tag><Value>v</Value></Tag>")).is_err());
        assert!(tags(&document("<Tag><Key>&unknown;</Key><Value>v</Value></Tag>")).is_err());
    }
}
