//! Writing the object of a form.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use http::request::Parts;
use nuee_access::Action;
use nuee_base::{Context, Principal, Timestamp};
use nuee_store::{Body, BodyError, ChecksumAlgorithm, Conditions, ObjectInfo, Origin, TagSet};
use s3s::{S3Error, S3ErrorCode, S3Result};

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
        let context = Context::new(self.environment.clone(), posted.principal);
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
            described.tags = tags(document)?;
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

/// The tags of a document such as `<Tagging><TagSet><Tag><Key>…`.
fn tags(document: &str) -> S3Result<TagSet> {
    crate::document::check_tagging(document).map_err(S3Error::from)?;
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
            Event::Eof => return tagging::of_pairs(pairs),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::tags;

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
