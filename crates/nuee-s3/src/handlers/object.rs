//! Operations on objects.

use std::ops::Range;

use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::StreamBody;
use nuee_access::Action;
use nuee_base::Timestamp;
use nuee_store::{
    Body, ChecksumAlgorithm, Conditions, Content, Described, Details, ETag, Encryption, MAX_PART_NUMBER,
    Object, ObjectInfo, VersionTarget,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto};

use crate::handlers::asking::{Asking, asking};
use crate::{
    Upload,
    handlers::answer::{bad_request, from_store, invalid, invalid_argument, not_implemented},
    handlers::bucket::{encryption_by_name, encryption_name},
    handlers::checksum::{self, set_object_checksum},
    handlers::{Handlers, condition, lifecycle, lock, tagging},
};

/// How often a copy is begun again because its source was replaced meanwhile.
const MAX_COPY_ATTEMPTS: usize = 10;

/// What the headers of a write say of the object beside its content.
///
/// User metadata is kept as it came: `s3s` would decode the encoded words of RFC 2047 in it, and lose what stands between.
pub(crate) fn details(headers: &HeaderMap) -> S3Result<Details> {
    let text = |name: &str| -> S3Result<Option<String>> {
        let Some(value) = headers.get(name) else { return Ok(None) };
        let text =
            std::str::from_utf8(value.as_bytes()).map_err(|_| invalid(format!("{name} is not UTF-8")))?;
        Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
    };
    let encoding = text("content-encoding")?.map(|encoding| {
        let kept =
            encoding.split(',').map(str::trim).filter(|part| !part.eq_ignore_ascii_case("aws-chunked"));
        kept.collect::<Vec<_>>().join(",")
    });
    let named =
        headers.keys().filter_map(|name| Some((name.as_str(), name.as_str().strip_prefix("x-amz-meta-")?)));
    let mut metadata = Vec::new();
    for (header, name) in named.filter(|(_, name)| !name.is_empty()) {
        metadata.push((name.to_owned(), text(header)?.unwrap_or_default()));
    }
    metadata.sort_unstable();
    Ok(Details {
        content_type: text("content-type")?,
        cache_control: text("cache-control")?,
        content_disposition: text("content-disposition")?,
        content_encoding: encoding.filter(|encoding| !encoding.is_empty()),
        content_language: text("content-language")?,
        expires: text("expires")?,
        metadata,
    })
}

/// An entity tag as answers carry it.
pub(crate) fn etag(info: &ObjectInfo) -> dto::ETag {
    dto::ETag::Strong(info.etag.to_string())
}

/// An instant as answers carry it.
pub(crate) fn timestamp(at: Timestamp) -> dto::Timestamp {
    at.to_date_time().into()
}

fn size(bytes: u64) -> Option<i64> {
    i64::try_from(bytes).ok()
}

fn expires(details: &Details) -> Option<dto::Timestamp> {
    dto::Timestamp::parse(dto::TimestampFormat::HttpDate, details.expires.as_deref()?).ok()
}

fn metadata(details: &Details) -> Option<dto::Metadata> {
    Some(details.metadata.iter().cloned().collect()).filter(|metadata: &dto::Metadata| !metadata.is_empty())
}

/// How what has this entity tag is encrypted, as answers carry it.
pub(crate) fn encryption(etag: ETag) -> dto::ServerSideEncryption {
    dto::ServerSideEncryption::from_static(encryption_name(etag.encryption()))
}

/// How a new object is to be encrypted, if the client says it.
pub(crate) fn asked_encryption(headers: &HeaderMap) -> S3Result<Option<Encryption>> {
    let Some(value) = headers.get("x-amz-server-side-encryption") else { return Ok(None) };
    let name = value.to_str().map_err(|_| invalid("x-amz-server-side-encryption is not text"))?;
    encryption_by_name(name).map(Some)
}

/// The range of an object that a request asks for, if it asks for one.
pub(crate) fn range(asked: Option<&dto::Range>, size: u64) -> S3Result<Option<Range<u64>>> {
    let Some(asked) = asked else { return Ok(None) };
    let outside = |_| {
        let mut error =
            S3Error::with_message(S3ErrorCode::InvalidRange, "The requested range is not satisfiable");
        let mut headers = HeaderMap::new();
        if let Ok(value) = format!("bytes */{size}").parse() {
            headers.insert(http::header::CONTENT_RANGE, value);
        }
        // These take the place of those that an error has by itself.
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        error.set_headers(headers);
        error
    };
    if matches!(asked, dto::Range::Suffix { length: 1.. }) && size == 0 {
        return Ok(None);
    }
    asked.check(size).map(Some).map_err(outside)
}

/// The stored bytes as the body of an answer. A failure in the middle cuts the connection.
fn answer_body(content: Content) -> dto::StreamingBlob {
    let body = match content {
        Content::Bytes(bytes) => s3s::Body::from(bytes),
        Content::Stream(stream) => {
            let frames = stream.map(|piece| {
                piece.map(Frame::data).inspect_err(|error| tracing::error!(%error, "a read was cut"))
            });
            s3s::Body::http_body_unsync(StreamBody::new(frames))
        }
    };
    body.into()
}

impl Handlers {
    pub(crate) async fn put_object(
        &self,
        request: S3Request<dto::PutObjectInput>,
    ) -> S3Result<S3Response<dto::PutObjectOutput>> {
        let context = asking!(self, request);
        let named = (&*request.input.bucket, &*request.input.key);
        let (bucket, key, permit) = self.object(&context, named, Action::PutObject)?;
        let described = self.described(&context, named, &request.headers)?;
        let body = body(&request, ChecksumAlgorithm::Crc64Nvme)?;
        let conditions = condition::of_request(&request.headers)?;
        let tags = lifecycle::of_new(&bucket, &described);
        let put = self.store.put_object(&context, &permit, (&bucket, key), (body, described), conditions);
        let info = put.await.map_err(from_store)?;
        let mut output = dto::PutObjectOutput {
            expiration: lifecycle::of_written(&bucket, &request.input.key, (&info, tags)),
            e_tag: Some(etag(&info)),
            server_side_encryption: Some(encryption(info.etag)),
            ..Default::default()
        };
        set_object_checksum!(output, info);
        output.version_id = info.version;
        Ok(S3Response::new(output))
    }

    /// What a write says of the object beside its content, once it may say so.
    pub(crate) fn described(
        &self,
        context: &Asking<'_>,
        named: (&str, &str),
        headers: &HeaderMap,
    ) -> S3Result<Described> {
        let lock = lock::of_new(headers)?;
        self.permit_lock(context, named, &lock)?;
        let tags = tagging::of_new(headers)?.unwrap_or_default();
        if !tags.is_empty() {
            let _permitted = self.object(context, named, Action::PutObjectTagging)?;
        }
        Ok(Described { details: details(headers)?, tags, lock, ..Described::default() })
    }

    /// The object that a read is about, once it is permitted to.
    fn read_target(&self, context: &Asking<'_>, named: (&str, &str, Option<&str>)) -> S3Result<Object> {
        let (target, permit) = self.version(context, named, (Action::GetObject, Action::GetObjectVersion))?;
        let VersionTarget { bucket, key, version } = &target;
        let found = match version {
            Some(version) => self.store.object_version(&permit, bucket, (key, version)),
            None => self.store.object(&permit, bucket, key),
        };
        found.map_err(from_store)
    }

    /// The bytes that a read asks for, by a range or by the number of a part; `None` if it asks for all.
    async fn asked_part(
        &self,
        object: &Object,
        asked: Option<&dto::Range>,
        number: Option<i32>,
    ) -> S3Result<Option<Range<u64>>> {
        let size = object.info.size;
        let Some(number) = number else { return range(asked, size) };
        if asked.is_some() {
            return Err(invalid("Cannot specify both Range header and partNumber query parameter"));
        }
        let number = u16::try_from(number).ok().filter(|number| (1..=MAX_PART_NUMBER).contains(number));
        let number = number.ok_or_else(|| {
            invalid_argument(format!(
                "Part number must be an integer between 1 and {MAX_PART_NUMBER}, inclusive"
            ))
        })?;
        let Some(part) = self.store.part_range(object, number).await.map_err(from_store)? else {
            let mut error = bad_request("InvalidPartNumber", "The requested partnumber is not satisfiable");
            error.set_status_code(http::StatusCode::RANGE_NOT_SATISFIABLE);
            return Err(error);
        };
        // Of no bytes there is no range.
        Ok((size > 0).then_some(part))
    }

    pub(crate) async fn get_object(
        &self,
        request: S3Request<dto::GetObjectInput>,
    ) -> S3Result<S3Response<dto::GetObjectOutput>> {
        let context = asking!(self, request);
        let conditions = condition::of_request(&request.headers)?;
        let input = request.input;
        let object = self.read_target(&context, (&input.bucket, &input.key, input.version_id.as_deref()))?;
        let info = &object.info;
        condition::check_read(&conditions, &object)?;
        let range = input.range.as_ref().filter(|_| condition::keeps_range(&request.headers, &object));
        let part = self.asked_part(&object, range, input.part_number).await?;
        let wanted = part.clone().unwrap_or(0..info.size);
        let content = self.store.read_object(&object, wanted.clone()).await.map_err(from_store)?;
        let mut output = dto::GetObjectOutput {
            body: Some(answer_body(content)),
            content_length: size(wanted.end - wanted.start),
            content_range: part.as_ref().map(|part| content_range(part, info.size)),
            parts_count: input.part_number.and(info.parts).map(i32::from),
            tag_count: i32::try_from(object.tags).ok().filter(|count| *count > 0),
            expiration: self.expiration(&object, (&input.key, input.version_id.as_deref()))?,
            ..Shown::new(&object).into()
        };
        if input.checksum_mode.is_some() && part.is_none() {
            set_object_checksum!(output, info);
        }
        Ok(S3Response::new(output))
    }

    pub(crate) async fn head_object(
        &self,
        request: S3Request<dto::HeadObjectInput>,
    ) -> S3Result<S3Response<dto::HeadObjectOutput>> {
        let context = asking!(self, request);
        let conditions = condition::of_request(&request.headers)?;
        let input = request.input;
        let object = self.read_target(&context, (&input.bucket, &input.key, input.version_id.as_deref()))?;
        let info = &object.info;
        condition::check_read(&conditions, &object)?;
        let range = input.range.as_ref().filter(|_| condition::keeps_range(&request.headers, &object));
        let part = self.asked_part(&object, range, input.part_number).await?;
        let wanted = part.clone().unwrap_or(0..info.size);
        let mut output = dto::HeadObjectOutput {
            content_length: size(wanted.end - wanted.start),
            content_range: part.as_ref().map(|part| content_range(part, info.size)),
            parts_count: input.part_number.and(info.parts).map(i32::from),
            expiration: self.expiration(&object, (&input.key, input.version_id.as_deref()))?,
            ..Shown::new(&object).into()
        };
        if input.checksum_mode.is_some() && part.is_none() {
            set_object_checksum!(output, info);
        }
        let mut response = S3Response::new(output);
        if object.tags > 0 {
            // `s3s` has no field for it here.
            response.headers.insert("x-amz-tagging-count", object.tags.into());
        }
        Ok(response)
    }

    /// The object that a copy reads, once it is permitted to and its conditions hold.
    pub(crate) fn open_source(
        &self,
        context: &Asking<'_>,
        source: &dto::CopySource,
        conditions: &Conditions,
    ) -> S3Result<Object> {
        let dto::CopySource::Bucket { bucket, key, version_id } = source else {
            return Err(not_implemented("a copy from an access point"));
        };
        let object = match self.read_target(&context.about_source(), (bucket, key, version_id.as_deref())) {
            Err(error) if *error.code() == S3ErrorCode::MethodNotAllowed => {
                let message = "The source of a copy request may not specifically refer to a delete marker by version id.";
                return Err(invalid(message));
            }
            found => found?,
        };
        // For a copy, a source that was not modified is a condition that does not hold.
        condition::check_read(conditions, &object)
            .map_err(|_| S3Error::new(S3ErrorCode::PreconditionFailed))?;
        Ok(object)
    }

    pub(crate) async fn copy_object(
        &self,
        request: S3Request<dto::CopyObjectInput>,
    ) -> S3Result<S3Response<dto::CopyObjectOutput>> {
        let context = asking!(self, request);
        let named = (&*request.input.bucket, &*request.input.key);
        let (bucket, key, permit) = self.object(&context, named, Action::PutObject)?;
        let described = self.described(&context, named, &request.headers)?;
        let encryption_asked = asked_encryption(&request.headers)?;
        let (named_source, of_source) =
            (copy_source(&request.headers)?, condition::of_source(&request.headers)?);
        let conditions = condition::of_request(&request.headers)?;
        let input = request.input;
        let replace = is_replaced(input.metadata_directive.as_ref().map(|told| told.as_str()), "metadata")?;
        let replace_tags =
            is_replaced(input.tagging_directive.as_ref().map(|told| told.as_str()), "tagging")?;
        let checksum =
            input.checksum_algorithm.as_ref().map(|name| checksum::by_name(name.as_str())).transpose()?;
        let itself = matches!(&named_source, dto::CopySource::Bucket { bucket, key, .. }
            if **bucket == *input.bucket && **key == *input.key);
        // An older version becomes the latest again by such a copy.
        let of_version = matches!(&named_source, dto::CopySource::Bucket { version_id: Some(_), .. });
        let changes = replace || replace_tags || checksum.is_some() || encryption_asked.is_some();
        if itself && !of_version && !changes {
            return Err(invalid(
                "This copy request is illegal because it is trying to copy an object to itself without changing the \
                 object's metadata, storage class, website redirect location or encryption attributes.",
            ));
        }
        let options = nuee_store::CopyOptions {
            details: replace.then_some(described.details),
            tags: replace_tags.then_some(described.tags),
            lock: described.lock,
            conditions,
            checksum,
            encryption: encryption_asked,
        };
        let mut attempts = 0;
        let (info, source_version) = loop {
            let source = self.open_source(&context, &named_source, &of_source)?;
            let target = (&bucket, key.clone());
            match self.store.copy_object(&context, (&permit, &source), target, options.clone()).await {
                // The conditions may not hold for what is there now: all is asked again.
                Err(nuee_store::Error::SourceChanged) if attempts < MAX_COPY_ATTEMPTS => attempts += 1,
                copied => break (copied.map_err(from_store)?, source.info.version),
            }
        };
        let mut result = dto::CopyObjectResult {
            e_tag: Some(etag(&info)),
            last_modified: Some(timestamp(info.modified_at)),
            ..Default::default()
        };
        set_object_checksum!(result, info);
        Ok(S3Response::new(dto::CopyObjectOutput {
            expiration: self.of_made(&bucket, &key, &info),
            copy_object_result: Some(result),
            copy_source_version_id: source_version,
            server_side_encryption: Some(encryption(info.etag)),
            version_id: info.version,
            ..Default::default()
        }))
    }
}

/// What a copy is to read. A `+` stands for a space, as at S3, and not for itself, as `s3s` has it.
pub(crate) fn copy_source(headers: &HeaderMap) -> S3Result<dto::CopySource> {
    let source = headers.get("x-amz-copy-source").and_then(|source| source.to_str().ok());
    let parsed = source.map(|source| dto::CopySource::parse(&source.replace('+', "%20")));
    parsed.and_then(Result::ok).ok_or_else(|| {
        invalid_argument("Copy Source must mention the source bucket and key: /sourcebucket/sourcekey")
    })
}

/// Whether a copy has something of its own, by the word of a directive.
fn is_replaced(directive: Option<&str>, of: &str) -> S3Result<bool> {
    match directive {
        None | Some(dto::MetadataDirective::COPY) => Ok(false),
        Some(dto::MetadataDirective::REPLACE) => Ok(true),
        Some(other) => Err(invalid(format!("{other:?} is not a {of} directive: COPY and REPLACE are"))),
    }
}

fn content_range(part: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", part.start, part.end - 1)
}

/// The body of a write. `otherwise` is the checksum that is computed if the client sends none.
pub(crate) fn body<T>(request: &S3Request<T>, otherwise: ChecksumAlgorithm) -> S3Result<Body> {
    let upload = Upload::take(request)?;
    let size = upload.length().ok_or_else(|| S3Error::new(S3ErrorCode::MissingContentLength))?;
    let checksum = checksum::expected(&request.headers, upload.trailer(), otherwise)?;
    let md5 = checksum::content_md5(&request.headers)?;
    let stream = upload.map(|piece| piece.map_err(nuee_store::BodyError::from));
    let encryption = asked_encryption(&request.headers)?;
    Ok(Body { stream: Box::pin(stream), size: Some(size), md5, checksum, encryption })
}

/// What answers say of an object.
struct Shown<'a> {
    e_tag: dto::ETag,
    last_modified: dto::Timestamp,
    encryption: Option<dto::ServerSideEncryption>,
    details: &'a Details,
    version_id: Option<String>,
    lock: lock::Shown,
}

impl<'a> Shown<'a> {
    fn new(object: &'a Object) -> Self {
        Self {
            e_tag: etag(&object.info),
            last_modified: timestamp(object.info.modified_at),
            encryption: Some(encryption(object.info.etag)),
            details: &object.details,
            version_id: object.info.version.clone(),
            lock: lock::Shown::from(&object.info.lock),
        }
    }
}

macro_rules! described {
    ($output:ty) => {
        impl From<Shown<'_>> for $output {
            fn from(shown: Shown<'_>) -> Self {
                let details = shown.details;
                let octets = || "binary/octet-stream".to_owned();
                Self {
                    accept_ranges: Some("bytes".to_owned()),
                    e_tag: Some(shown.e_tag),
                    last_modified: Some(shown.last_modified),
                    server_side_encryption: shown.encryption,
                    content_type: Some(details.content_type.clone().unwrap_or_else(octets)),
                    cache_control: details.cache_control.clone(),
                    content_disposition: details.content_disposition.clone(),
                    content_encoding: details.content_encoding.clone(),
                    content_language: details.content_language.clone(),
                    expires: expires(details),
                    metadata: metadata(details),
                    version_id: shown.version_id,
                    object_lock_mode: shown.lock.mode,
                    object_lock_retain_until_date: shown.lock.until,
                    object_lock_legal_hold_status: shown.lock.legal_hold,
                    ..Default::default()
                }
            }
        }
    };
}
described!(dto::GetObjectOutput);
described!(dto::HeadObjectOutput);
