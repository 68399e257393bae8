//! Listing uploads that were begun and have not ended.

use std::sync::Arc;

use nuee_access::{Action, Permit};
use nuee_base::UploadId;
use nuee_store::{Bucket, UploadInfo};
use s3s::{S3Request, S3Response, S3Result, dto};

use crate::handlers::asking::asking;
use crate::handlers::{
    Handlers,
    answer::{from_store, invalid_argument},
    bucket::owner,
    checksum,
    list::{Encoding, common_prefixes, page_size},
    object::timestamp,
};

/// Which uploads are asked for.
struct Query {
    prefix: String,
    delimiter: String,
    limit: usize,
    after: (String, Option<UploadId>),
}

/// A page of uploads, and of what stands for those whose keys begin alike.
#[derive(Default)]
struct Page {
    uploads: Vec<UploadInfo>,
    prefixes: Vec<String>,
    /// What the page ended with, if there are more.
    next: Option<(String, Option<UploadId>)>,
}

impl Query {
    /// What stands for this key, if several share the beginning of it.
    fn common_prefix<'k>(&self, key: &'k str) -> Option<&'k str> {
        let rest = key.strip_prefix(&self.prefix).filter(|_| !self.delimiter.is_empty())?;
        let end = rest.find(&self.delimiter)? + self.delimiter.len();
        Some(&key[..self.prefix.len() + end])
    }

    /// After which key and upload the rows are that are asked for.
    fn start(&self) -> (Vec<u8>, Option<UploadId>) {
        let (key, id) = &self.after;
        if self.common_prefix(key) == Some(key) {
            return (past(key), None);
        }
        if *key < self.prefix {
            // Just before the first key that begins with the prefix.
            return (self.prefix.clone().into_bytes(), Some(UploadId::from_bytes([0; 16])));
        }
        (key.clone().into_bytes(), *id)
    }
}

/// What comes after all keys that begin so, and before all others that do: keys are UTF-8, which has no such byte.
fn past(prefix: &str) -> Vec<u8> {
    [prefix.as_bytes(), &[u8::MAX]].concat()
}

impl Handlers {
    pub(crate) async fn list_multipart_uploads(
        &self,
        request: S3Request<dto::ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<dto::ListMultipartUploadsOutput>> {
        let context = asking!(self, request);
        let (bucket, permit) = self.bucket(&context, &request.input.bucket, Action::ListUploads)?;
        let input = request.input;
        let encoding = Encoding::new(input.encoding_type.as_ref())?;
        let marker = input.upload_id_marker.as_ref().filter(|marker| !marker.is_empty());
        let id = marker.map(|marker| marker.parse::<UploadId>()).transpose();
        let id = id.map_err(|_| invalid_argument("upload-id-marker is not an upload's id"))?;
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            limit: page_size(input.max_uploads)?,
            after: (input.key_marker.clone().unwrap_or_default(), id),
        };
        let page = self.uploads(&permit, &bucket, &query).await?;
        let owner = owner(&bucket);
        let uploads = page.uploads.iter().map(|upload| shown(upload, encoding, &owner));
        let is_truncated = page.next.is_some();
        let (next_key, next_id) = page.next.unzip();
        Ok(S3Response::new(dto::ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            common_prefixes: common_prefixes(page.prefixes, encoding),
            delimiter: input.delimiter.map(|delimiter| encoding.name(delimiter)),
            encoding_type: input.encoding_type,
            is_truncated: Some(is_truncated),
            key_marker: Some(encoding.name(input.key_marker.unwrap_or_default())),
            max_uploads: i32::try_from(query.limit).ok(),
            next_key_marker: next_key.map(|key| encoding.name(key)),
            next_upload_id_marker: next_id.flatten().map(|id| id.to_string()),
            prefix: input.prefix.map(|prefix| encoding.name(prefix)),
            upload_id_marker: input.upload_id_marker,
            uploads: Some(uploads.collect()),
            request_charged: None,
        }))
    }

    async fn uploads(&self, permit: &Permit, bucket: &Arc<Bucket>, query: &Query) -> S3Result<Page> {
        let mut page = Page::default();
        let mut last = None;
        let mut after = query.start();
        let rows = u32::try_from(query.limit + 1).unwrap_or(u32::MAX);
        if query.limit == 0 {
            return Ok(page);
        }
        loop {
            let found = self.store.list_uploads(permit, bucket, (&after.0, after.1), rows).await;
            let found = found.map_err(from_store)?;
            let is_end = found.len() < rows as usize;
            for upload in found {
                if !upload.key.as_str().starts_with(&query.prefix) {
                    return Ok(page);
                }
                let common = query.common_prefix(upload.key.as_str()).map(str::to_owned);
                if common.is_some() && common.as_ref() == page.prefixes.last() {
                    continue;
                }
                if page.uploads.len() + page.prefixes.len() == query.limit {
                    page.next = last;
                    return Ok(page);
                }
                (after, last) = match &common {
                    Some(common) => ((past(common), None), Some((common.clone(), None))),
                    None => {
                        let key = upload.key.to_string();
                        ((key.clone().into_bytes(), Some(upload.id)), Some((key, Some(upload.id))))
                    }
                };
                match common {
                    Some(common) => page.prefixes.push(common),
                    None => page.uploads.push(upload),
                }
            }
            if is_end {
                return Ok(page);
            }
        }
    }
}

fn shown(upload: &UploadInfo, encoding: Encoding, owner: &dto::Owner) -> dto::MultipartUpload {
    let (algorithm, kind) = upload.checksum.unzip();
    dto::MultipartUpload {
        checksum_algorithm: algorithm
            .map(|algorithm| dto::ChecksumAlgorithm::from_static(checksum::name(algorithm))),
        checksum_type: kind.map(|kind| dto::ChecksumType::from_static(checksum::kind_name(kind))),
        initiated: Some(timestamp(upload.created_at)),
        initiator: None,
        key: Some(encoding.name(upload.key.to_string())),
        owner: Some(owner.clone()),
        storage_class: Some(dto::StorageClass::from_static(dto::StorageClass::STANDARD)),
        upload_id: Some(upload.id.to_string()),
    }
}
