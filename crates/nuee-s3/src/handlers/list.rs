//! Listing objects.

use std::{fmt::Write, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use nuee_access::{Action, Permit};
use nuee_store::{Bucket, ListQuery, ListedObject, MAX_PAGE};
use s3s::{S3Request, S3Response, S3Result, dto};

use crate::handlers::asking::{Asking, asking};
use crate::handlers::bucket::owner;
use crate::handlers::{
    Handlers,
    answer::{from_store, invalid_argument},
    checksum,
    object::timestamp,
};

/// The entries that a page may have.
pub(super) fn page_size(asked: Option<i32>) -> S3Result<usize> {
    let size =
        usize::try_from(asked.unwrap_or(1_000)).map_err(|_| invalid_argument("max-keys is not negative"))?;
    Ok(size.min(MAX_PAGE))
}

/// How names are written in an answer: as they are, or percent-encoded, since XML cannot carry every character.
#[derive(Clone, Copy)]
pub(super) struct Encoding(bool);

impl Encoding {
    pub(super) fn new(asked: Option<&dto::EncodingType>) -> S3Result<Self> {
        match asked.map(dto::EncodingType::as_str) {
            None => Ok(Self(false)),
            Some(dto::EncodingType::URL) => Ok(Self(true)),
            Some(other) => Err(invalid_argument(format!("{other:?} is not an encoding-type: url is"))),
        }
    }

    pub(super) fn name(self, text: String) -> String {
        if !self.0 {
            return text;
        }
        let mut encoded = String::with_capacity(text.len());
        for byte in text.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' | b'*' => {
                    encoded.push(char::from(byte));
                }
                // Writing to a string cannot fail.
                _ => drop(write!(encoded, "%{byte:02X}")),
            }
        }
        encoded
    }
}

fn object(listed: ListedObject, encoding: Encoding, owner: Option<&dto::Owner>) -> dto::Object {
    let algorithm = |algorithm| dto::ChecksumAlgorithm::from_static(checksum::name(algorithm));
    dto::Object {
        checksum_algorithm: listed.checksum.map(|(name, _)| vec![algorithm(name)]),
        checksum_type: listed
            .checksum
            .map(|(_, kind)| dto::ChecksumType::from_static(checksum::kind_name(kind))),
        e_tag: Some(dto::ETag::Strong(listed.etag.to_string())),
        key: Some(encoding.name(listed.key)),
        last_modified: Some(timestamp(listed.modified_at)),
        owner: owner.cloned(),
        size: i64::try_from(listed.size).ok(),
        storage_class: Some(dto::ObjectStorageClass::from_static(dto::ObjectStorageClass::STANDARD)),
        restore_status: None,
    }
}

pub(super) fn common_prefixes(prefixes: Vec<String>, encoding: Encoding) -> Option<Vec<dto::CommonPrefix>> {
    let prefixes =
        prefixes.into_iter().map(|prefix| dto::CommonPrefix { prefix: Some(encoding.name(prefix)) });
    Some(prefixes.collect::<Vec<_>>()).filter(|prefixes| !prefixes.is_empty())
}

impl Handlers {
    fn start_list(&self, context: &Asking<'_>, bucket: &str) -> S3Result<(Arc<Bucket>, Permit)> {
        self.bucket(context, bucket, Action::ListObjects)
    }

    pub(crate) async fn list_objects_v2(
        &self,
        request: S3Request<dto::ListObjectsV2Input>,
    ) -> S3Result<S3Response<dto::ListObjectsV2Output>> {
        let context = asking!(self, request);
        let (bucket, permit) = self.start_list(&context, &request.input.bucket)?;
        let input = request.input;
        let encoding = Encoding::new(input.encoding_type.as_ref())?;
        let limit = page_size(input.max_keys)?;
        let after = match &input.continuation_token {
            Some(token) => decode_token(token)?,
            None => input.start_after.clone().unwrap_or_default(),
        };
        let query = ListQuery {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone(),
            after,
            limit,
        };
        let page = self.store.list_objects(&permit, &bucket, query).await.map_err(from_store)?;
        let owner = (input.fetch_owner == Some(true)).then(|| owner(&bucket));
        let count = page.objects.len() + page.prefixes.len();
        let contents = page.objects.into_iter().map(|listed| object(listed, encoding, owner.as_ref()));
        Ok(S3Response::new(dto::ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(encoding.name(input.prefix.unwrap_or_default())),
            max_keys: i32::try_from(limit).ok(),
            key_count: i32::try_from(count).ok(),
            continuation_token: input.continuation_token,
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.as_deref().map(encode_token),
            contents: Some(contents.collect()),
            common_prefixes: common_prefixes(page.prefixes, encoding),
            delimiter: input.delimiter.map(|delimiter| encoding.name(delimiter)),
            encoding_type: input.encoding_type,
            start_after: input.start_after.map(|after| encoding.name(after)),
            request_charged: None,
        }))
    }

    pub(crate) async fn list_objects(
        &self,
        request: S3Request<dto::ListObjectsInput>,
    ) -> S3Result<S3Response<dto::ListObjectsOutput>> {
        let context = asking!(self, request);
        let (bucket, permit) = self.start_list(&context, &request.input.bucket)?;
        let input = request.input;
        let encoding = Encoding::new(input.encoding_type.as_ref())?;
        let limit = page_size(input.max_keys)?;
        let query = ListQuery {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone(),
            after: input.marker.clone().unwrap_or_default(),
            limit,
        };
        let page = self.store.list_objects(&permit, &bucket, query).await.map_err(from_store)?;
        let owner = owner(&bucket);
        let contents = page.objects.into_iter().map(|listed| object(listed, encoding, Some(&owner)));
        Ok(S3Response::new(dto::ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(encoding.name(input.prefix.unwrap_or_default())),
            marker: Some(encoding.name(input.marker.unwrap_or_default())),
            max_keys: i32::try_from(limit).ok(),
            is_truncated: Some(page.next.is_some()),
            contents: Some(contents.collect()),
            common_prefixes: common_prefixes(page.prefixes, encoding),
            delimiter: input.delimiter.map(|delimiter| encoding.name(delimiter)),
            next_marker: page.next.map(|next| encoding.name(next)),
            encoding_type: input.encoding_type,
            request_charged: None,
        }))
    }
}

/// A continuation token: the name that the page ended with, in letters that pass everywhere.
fn encode_token(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(name)
}

fn decode_token(token: &str) -> S3Result<String> {
    let name = URL_SAFE_NO_PAD.decode(token).ok().and_then(|name| String::from_utf8(name).ok());
    name.ok_or_else(|| invalid_argument("The continuation token provided is incorrect"))
}
