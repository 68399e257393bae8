//! What an object is made of, without its content.

use nuee_access::Action;
use nuee_store::{ObjectInfo, ObjectPart};
use s3s::{S3Request, S3Response, S3Result, dto};

use crate::handlers::asking::asking;
use crate::handlers::{
    Handlers,
    answer::{from_store, invalid_argument},
    checksum::{self, set_checksum},
    object::timestamp,
};

/// The most parts of one page, as at S3.
const MAX_PARTS: i32 = 1_000;

impl Handlers {
    pub(crate) async fn get_object_attributes(
        &self,
        request: S3Request<dto::GetObjectAttributesInput>,
    ) -> S3Result<S3Response<dto::GetObjectAttributesOutput>> {
        let context = asking!(self, request);
        let input = request.input;
        let named = (&*input.bucket, &*input.key, input.version_id.as_deref());
        let actions = (Action::GetObjectAttributes, Action::GetObjectVersionAttributes);
        let (target, permit) = self.version(&context, named, actions)?;
        let known = [
            dto::ObjectAttributes::CHECKSUM,
            dto::ObjectAttributes::ETAG,
            dto::ObjectAttributes::OBJECT_PARTS,
            dto::ObjectAttributes::OBJECT_SIZE,
            dto::ObjectAttributes::STORAGE_CLASS,
        ];
        // `s3s` takes the whole header for one name.
        let names = input.object_attributes.iter().flat_map(|names| names.as_str().split(','));
        let names: Vec<_> = names.map(str::trim).collect();
        if let Some(other) = names.iter().find(|name| !known.contains(name)) {
            let known = known.join(", ");
            return Err(invalid_argument(format!("{other:?} is no attribute of objects: {known} are")));
        }
        let asked = |name: &str| names.contains(&name);
        let info = self.store.object_info(&permit, &target).map_err(from_store)?;
        let mut output = dto::GetObjectAttributesOutput {
            last_modified: Some(timestamp(info.modified_at)),
            version_id: info.version.clone(),
            ..Default::default()
        };
        if asked(dto::ObjectAttributes::ETAG) {
            // Here, and nowhere else, S3 gives it without quotes: the front takes them off.
            output.e_tag = Some(dto::ETag::Strong(info.etag.to_string()));
        }
        if asked(dto::ObjectAttributes::OBJECT_SIZE) {
            output.object_size = i64::try_from(info.size).ok();
        }
        if asked(dto::ObjectAttributes::STORAGE_CLASS) {
            output.storage_class = Some(dto::StorageClass::from_static(dto::StorageClass::STANDARD));
        }
        if asked(dto::ObjectAttributes::CHECKSUM) {
            output.checksum = checksum_of(&info);
        }
        if asked(dto::ObjectAttributes::OBJECT_PARTS) && info.parts.is_some() {
            let limit = input.max_parts.unwrap_or(MAX_PARTS).min(MAX_PARTS);
            let limit = usize::try_from(limit).map_err(|_| invalid_argument("max-parts is not negative"))?;
            let after = u16::try_from(input.part_number_marker.unwrap_or(0));
            let after = after.map_err(|_| invalid_argument("part-number-marker is 0 to 10000"))?;
            let parts = self.store.object_parts(&permit, &target).await.map_err(from_store)?;
            output.object_parts = Some(page(&info, parts, (after, limit)));
        }
        Ok(S3Response::new(output))
    }
}

fn checksum_of(info: &ObjectInfo) -> Option<dto::Checksum> {
    let (checksum, kind) = info.checksum.as_ref()?;
    let mut output = dto::Checksum::default();
    set_checksum!(output, checksum.algorithm, checksum::object_text(checksum, *kind, info.parts));
    output.checksum_type = Some(dto::ChecksumType::from_static(checksum::kind_name(*kind)));
    Some(output)
}

/// The parts after a number, `limit` at most.
fn page(
    info: &ObjectInfo,
    parts: Vec<ObjectPart>,
    (after, limit): (u16, usize),
) -> dto::GetObjectAttributesParts {
    let mut rest = parts.into_iter().filter(|part| part.number > after);
    let shown: Vec<_> = rest.by_ref().take(limit).collect();
    let more = rest.next().is_some();
    let listed = shown.iter().map(|part| {
        let mut listed = dto::ObjectPart {
            part_number: Some(part.number.into()),
            size: i64::try_from(part.size).ok(),
            ..Default::default()
        };
        // Parts have checksums of their own where the whole's is made of them.
        if let Some((_, nuee_store::ChecksumType::Composite)) = &info.checksum {
            set_checksum!(listed, part.checksum.algorithm, checksum::text(&part.checksum));
        }
        listed
    });
    dto::GetObjectAttributesParts {
        is_truncated: Some(more),
        max_parts: i32::try_from(limit).ok(),
        next_part_number_marker: shown.last().map(|part| part.number.into()),
        part_number_marker: Some(after.into()),
        parts: Some(listed.collect()),
        total_parts_count: info.parts.map(i32::from),
    }
}
