//! Multipart uploads.

use std::ops::Range;

use nuee_access::{Action, Permit};
use nuee_store::{ChecksumAlgorithm, CompletedPart, Completion, UploadOptions, UploadTarget};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto};

use crate::handlers::asking::{Asking, asking};
use crate::handlers::{
    Handlers,
    answer::{from_store, invalid, invalid_argument},
    bucket::{encryption_name, owner},
    checksum::{self, set_checksum, set_object_checksum},
    condition,
    object::{asked_encryption, body, copy_source, encryption, etag, timestamp},
};

/// The most parts of one page, as at S3.
const MAX_PARTS: i32 = 1_000;

fn part_number(number: i32) -> S3Result<u16> {
    let number =
        u16::try_from(number).ok().filter(|number| (1..=nuee_store::MAX_PART_NUMBER).contains(number));
    number.ok_or_else(|| invalid_argument("Part number must be an integer between 1 and 10000, inclusive"))
}

/// `bytes=first-last` of a copied part: both ends are needed, as at S3.
fn copy_range(text: &str, size: u64) -> S3Result<Range<u64>> {
    let malformed =
        || invalid_argument("x-amz-copy-source-range is bytes=first-last, both of them inside the source");
    let (first, last) =
        text.strip_prefix("bytes=").and_then(|range| range.split_once('-')).ok_or_else(malformed)?;
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse::<u64>().map_err(|_| malformed()),
        false => Err(malformed()),
    };
    let (first, last) = (number(first)?, number(last)?);
    if first > last || last >= size {
        return Err(S3Error::with_message(S3ErrorCode::InvalidRange, format!("the source has {size} bytes")));
    }
    Ok(first..last + 1)
}

impl Handlers {
    /// The upload that a request names, and the permit to do `action` with it.
    fn upload(
        &self,
        context: &Asking<'_>,
        (bucket, object, upload): (&str, &str, &str),
        action: Action,
    ) -> S3Result<(UploadTarget, Permit)> {
        let (bucket, key, permit) = self.object(context, (bucket, object), action)?;
        let id = upload.parse().map_err(|_| from_store(nuee_store::Error::NoSuchUpload))?;
        Ok((UploadTarget { bucket, key, id }, permit))
    }

    pub(crate) async fn create_multipart_upload(
        &self,
        request: S3Request<dto::CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<dto::CreateMultipartUploadOutput>> {
        let context = asking!(self, request);
        let named = (&*request.input.bucket, &*request.input.key);
        let (bucket, key, permit) = self.object(&context, named, Action::PutObject)?;
        let described = self.described(&context, named, &request.headers)?;
        let input = request.input;
        let told =
            input.checksum_algorithm.as_ref().map(|name| checksum::by_name(name.as_str())).transpose()?;
        let kind = input.checksum_type.as_ref().map(dto::ChecksumType::as_str);
        if told.is_none() && kind.is_some() {
            return Err(invalid(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            ));
        }
        let told = told
            .map(|algorithm| Ok::<_, S3Error>((algorithm, checksum::kind(algorithm, kind)?)))
            .transpose()?;
        let asked = asked_encryption(&request.headers)?;
        let options = UploadOptions { described, checksum: told, encryption: asked };
        let created = self.store.create_upload(&context, &permit, (&bucket, key), options);
        let id = created.await.map_err(from_store)?;
        Ok(S3Response::new(dto::CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id.to_string()),
            checksum_algorithm: told
                .map(|(algorithm, _)| dto::ChecksumAlgorithm::from_static(checksum::name(algorithm))),
            checksum_type: told.map(|(_, kind)| dto::ChecksumType::from_static(checksum::kind_name(kind))),
            server_side_encryption: Some(dto::ServerSideEncryption::from_static(encryption_name(
                asked.unwrap_or(bucket.encryption),
            ))),
            ..Default::default()
        }))
    }

    pub(crate) async fn upload_part(
        &self,
        request: S3Request<dto::UploadPartInput>,
    ) -> S3Result<S3Response<dto::UploadPartOutput>> {
        let context = asking!(self, request);
        let input = &request.input;
        let named = (&*input.bucket, &*input.key, &*input.upload_id);
        let (target, permit) = self.upload(&context, named, Action::PutObject)?;
        let number = part_number(input.part_number)?;
        let told = self.store.upload_checksum(&permit, &target).map_err(from_store)?;
        let otherwise = told.map_or(ChecksumAlgorithm::Crc64Nvme, |(algorithm, _)| algorithm);
        let body = body(&request, otherwise)?;
        if told.is_some_and(|(algorithm, _)| algorithm != checksum::algorithm(&body.checksum)) {
            return Err(invalid(format!(
                "Checksum Type mismatch occurred, expected checksum Type: {}",
                checksum::name(otherwise)
            )));
        }
        let part =
            self.store.put_part(&context, &permit, (&target, number), body).await.map_err(from_store)?;
        let mut output = dto::UploadPartOutput {
            e_tag: Some(dto::ETag::Strong(part.etag.to_string())),
            server_side_encryption: Some(encryption(part.etag)),
            ..Default::default()
        };
        set_checksum!(output, part.checksum.algorithm, checksum::text(&part.checksum));
        Ok(S3Response::new(output))
    }

    pub(crate) async fn upload_part_copy(
        &self,
        request: S3Request<dto::UploadPartCopyInput>,
    ) -> S3Result<S3Response<dto::UploadPartCopyOutput>> {
        let context = asking!(self, request);
        let input = &request.input;
        let named = (&*input.bucket, &*input.key, &*input.upload_id);
        let (target, permit) = self.upload(&context, named, Action::PutObject)?;
        let number = part_number(input.part_number)?;
        let conditions = condition::of_source(&request.headers)?;
        let source = self.open_source(&context, &copy_source(&request.headers)?, &conditions)?;
        let range = match &input.copy_source_range {
            Some(range) => copy_range(range, source.info.size)?,
            None => 0..source.info.size,
        };
        let copied = self.store.copy_part(&context, (&permit, &source, range), (&target, number));
        let part = copied.await.map_err(from_store)?;
        let mut result = dto::CopyPartResult {
            e_tag: Some(dto::ETag::Strong(part.etag.to_string())),
            last_modified: Some(timestamp(part.modified_at)),
            ..Default::default()
        };
        set_checksum!(result, part.checksum.algorithm, checksum::text(&part.checksum));
        Ok(S3Response::new(dto::UploadPartCopyOutput {
            copy_part_result: Some(result),
            copy_source_version_id: source.info.version.clone(),
            server_side_encryption: Some(encryption(part.etag)),
            ..Default::default()
        }))
    }

    pub(crate) async fn list_parts(
        &self,
        request: S3Request<dto::ListPartsInput>,
    ) -> S3Result<S3Response<dto::ListPartsOutput>> {
        let context = asking!(self, request);
        let input = request.input;
        let named = (&*input.bucket, &*input.key, &*input.upload_id);
        let (target, permit) = self.upload(&context, named, Action::ListParts)?;
        let limit = input.max_parts.unwrap_or(MAX_PARTS).min(MAX_PARTS);
        let limit = u32::try_from(limit).map_err(|_| invalid_argument("max-parts is not negative"))?;
        let after = input.part_number_marker.unwrap_or(0);
        let after = u16::try_from(after).map_err(|_| invalid_argument("part-number-marker is 0 to 10000"))?;
        let found = self.store.list_parts(&permit, &target, after, limit + 1).await;
        let mut found = found.map_err(from_store)?;
        let more = limit > 0 && found.len() > limit as usize;
        found.truncate(limit as usize);
        let told = self.store.upload_checksum(&permit, &target).map_err(from_store)?;
        let parts = found.iter().map(|part| {
            let mut listed = dto::Part {
                e_tag: Some(dto::ETag::Strong(part.etag.to_string())),
                last_modified: Some(timestamp(part.modified_at)),
                part_number: Some(part.number.into()),
                size: i64::try_from(part.size).ok(),
                ..Default::default()
            };
            set_checksum!(listed, part.checksum.algorithm, checksum::text(&part.checksum));
            listed
        });
        let owner = owner(&target.bucket);
        Ok(S3Response::new(dto::ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            checksum_algorithm: told
                .map(|(algorithm, _)| dto::ChecksumAlgorithm::from_static(checksum::name(algorithm))),
            checksum_type: told.map(|(_, kind)| dto::ChecksumType::from_static(checksum::kind_name(kind))),
            is_truncated: Some(more),
            max_parts: i32::try_from(limit).ok(),
            next_part_number_marker: found.last().filter(|_| more).map(|part| part.number.into()),
            part_number_marker: Some(after.into()),
            parts: Some(parts.collect()),
            owner: Some(owner),
            storage_class: Some(dto::StorageClass::from_static(dto::StorageClass::STANDARD)),
            ..Default::default()
        }))
    }

    pub(crate) async fn complete_multipart_upload(
        &self,
        request: S3Request<dto::CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<dto::CompleteMultipartUploadOutput>> {
        let context = asking!(self, request);
        let input = request.input;
        let named = (&*input.bucket, &*input.key, &*input.upload_id);
        let (target, permit) = self.upload(&context, named, Action::PutObject)?;
        let malformed = || S3Error::with_message(S3ErrorCode::MalformedXML, "a completion names its parts");
        let parts = input.multipart_upload.and_then(|upload| upload.parts).ok_or_else(malformed)?;
        if parts.is_empty() || parts.len() > usize::from(nuee_store::MAX_PART_NUMBER) {
            return Err(malformed());
        }
        let told = self.store.upload_checksum(&permit, &target).map_err(from_store)?;
        let kind = told.map(|(_, kind)| checksum::kind_name(kind));
        if let Some(asked) = input.checksum_type.as_ref()
            && Some(asked.as_str()) != kind
        {
            return Err(invalid(format!(
                "The upload was created with another checksum type than {}.",
                asked.as_str()
            )));
        }
        let completed = |part: dto::CompletedPart| {
            Ok(CompletedPart {
                number: part_number(part.part_number.ok_or_else(malformed)?)?,
                etag: part.e_tag.as_ref().ok_or_else(malformed)?.value().to_owned(),
                checksum: checksum::of_part(&part)?,
            })
        };
        let completion = Completion {
            checksum: checksum::of_whole(&request.headers, parts.len())?,
            parts: parts.into_iter().map(completed).collect::<S3Result<_>>()?,
            size: input
                .mpu_object_size
                .map(u64::try_from)
                .transpose()
                .map_err(|_| invalid("x-amz-mp-object-size is negative"))?,
            conditions: condition::of_request(&request.headers)?,
        };
        let completed = self.store.complete_upload(&context, &permit, &target, completion);
        let info = completed.await.map_err(from_store)?;
        let mut output = dto::CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            expiration: self.of_made(&target.bucket, &target.key, &info),
            e_tag: Some(etag(&info)),
            server_side_encryption: Some(encryption(info.etag)),
            version_id: info.version.clone(),
            ..Default::default()
        };
        set_object_checksum!(output, info);
        Ok(S3Response::new(output))
    }

    pub(crate) async fn abort_multipart_upload(
        &self,
        request: S3Request<dto::AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<dto::AbortMultipartUploadOutput>> {
        let context = asking!(self, request);
        let input = request.input;
        let named = (&*input.bucket, &*input.key, &*input.upload_id);
        let (target, permit) = self.upload(&context, named, Action::AbortUpload)?;
        self.store.abort_upload(&context, &permit, &target).await.map_err(from_store)?;
        let output = dto::AbortMultipartUploadOutput::default();
        Ok(S3Response::with_status(output, http::StatusCode::NO_CONTENT))
    }
}
