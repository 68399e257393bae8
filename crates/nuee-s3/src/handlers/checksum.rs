//! Checksums between headers and the store.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderMap;
use nuee_store::{Checksum, ChecksumAlgorithm, ChecksumType, ExpectedChecksum};
use s3s::{S3Error, S3ErrorCode, S3Result, dto};

use crate::{
    Trailer,
    handlers::answer::{bad_request, invalid, invalid_argument},
};

/// The header of an algorithm's checksum.
pub(crate) fn header(algorithm: ChecksumAlgorithm) -> &'static str {
    match algorithm {
        ChecksumAlgorithm::Crc32 => "x-amz-checksum-crc32",
        ChecksumAlgorithm::Crc32c => "x-amz-checksum-crc32c",
        ChecksumAlgorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
        ChecksumAlgorithm::Sha1 => "x-amz-checksum-sha1",
        ChecksumAlgorithm::Sha256 => "x-amz-checksum-sha256",
    }
}

/// The algorithm's name in headers and XML.
pub(crate) fn name(algorithm: ChecksumAlgorithm) -> &'static str {
    match algorithm {
        ChecksumAlgorithm::Crc32 => dto::ChecksumAlgorithm::CRC32,
        ChecksumAlgorithm::Crc32c => dto::ChecksumAlgorithm::CRC32C,
        ChecksumAlgorithm::Crc64Nvme => dto::ChecksumAlgorithm::CRC64NVME,
        ChecksumAlgorithm::Sha1 => dto::ChecksumAlgorithm::SHA1,
        ChecksumAlgorithm::Sha256 => dto::ChecksumAlgorithm::SHA256,
    }
}

/// The algorithm of this name.
pub(crate) fn by_name(text: &str) -> S3Result<ChecksumAlgorithm> {
    let found =
        ChecksumAlgorithm::ALL.into_iter().find(|algorithm| name(*algorithm).eq_ignore_ascii_case(text));
    found.ok_or_else(|| {
        invalid(format!(
            "{text:?} is not a checksum algorithm: CRC32, CRC32C, CRC64NVME, SHA1 and SHA256 are"
        ))
    })
}

/// The checksum of an algorithm from its text.
pub(crate) fn parse(algorithm: ChecksumAlgorithm, text: &str) -> S3Result<Checksum> {
    let value = STANDARD.decode(text).ok().and_then(|value| Checksum::new(algorithm, value));
    value.ok_or_else(|| invalid(format!("Value for {} header is invalid.", header(algorithm))))
}

/// The text of a checksum.
pub(crate) fn text(checksum: &Checksum) -> String {
    STANDARD.encode(&checksum.value)
}

/// The checksum that headers say, if they say one. More than one is refused, as at S3.
fn known(headers: &HeaderMap) -> S3Result<Option<Checksum>> {
    let told = told(headers)?;
    told.map(|(algorithm, text)| parse(algorithm, text)).transpose()
}

/// The checksum that the headers of a completion say of the whole: where it is one of the parts' checksums, it may say
/// their number, as answers do.
pub(crate) fn of_whole(headers: &HeaderMap, parts: usize) -> S3Result<Option<Checksum>> {
    let Some((algorithm, text)) = told(headers)? else { return Ok(None) };
    let digits = match text.split_once('-') {
        Some((digits, number)) if number == parts.to_string() => digits,
        _ => text,
    };
    parse(algorithm, digits).map(Some)
}

fn told(headers: &HeaderMap) -> S3Result<Option<(ChecksumAlgorithm, &str)>> {
    let mut found = None;
    for algorithm in ChecksumAlgorithm::ALL {
        let Some(value) = headers.get(header(algorithm)) else { continue };
        let value = value.to_str().map_err(|_| invalid(format!("{} is not text", header(algorithm))))?;
        if found.replace((algorithm, value)).is_some() {
            return Err(invalid(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            ));
        }
    }
    Ok(found)
}

/// What is expected of a body: a checksum in the headers, in the trailer, or none, in which case `otherwise` is
/// computed and kept.
pub(crate) fn expected(
    headers: &HeaderMap,
    trailer: Option<&Trailer>,
    otherwise: ChecksumAlgorithm,
) -> S3Result<ExpectedChecksum> {
    let known = known(headers)?;
    if let Some(trailer) = trailer.cloned() {
        let name = trailer.name().as_str();
        let algorithm = ChecksumAlgorithm::ALL.into_iter().find(|algorithm| header(*algorithm) == name);
        let unsupported =
            || invalid(format!("The value specified in the x-amz-trailer header is not supported: {name}"));
        let algorithm = algorithm.ok_or_else(unsupported)?;
        if known.is_some() {
            return Err(invalid("a checksum comes in the headers or in the trailer, not in both"));
        }
        check_announced(headers, Some(algorithm))?;
        return Ok(ExpectedChecksum::Trailing(
            algorithm,
            Box::new(move || Ok(from_trailer(&trailer, algorithm)?)),
        ));
    }
    check_announced(headers, known.as_ref().map(|known| known.algorithm))?;
    Ok(known.map_or(ExpectedChecksum::Compute(otherwise), ExpectedChecksum::Known))
}

/// That the checksum which came is of the algorithm that `x-amz-sdk-checksum-algorithm` announces, if that is there.
fn check_announced(headers: &HeaderMap, came: Option<ChecksumAlgorithm>) -> S3Result<()> {
    let Some(announced) = headers.get("x-amz-sdk-checksum-algorithm") else { return Ok(()) };
    if came.is_some_and(|came| announced == name(came)) {
        return Ok(());
    }
    Err(invalid(
        "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were \
         found.",
    ))
}

fn from_trailer(trailer: &Trailer, algorithm: ChecksumAlgorithm) -> S3Result<Checksum> {
    let missing = || {
        let message = format!("the trailer does not have the {} that was announced", header(algorithm));
        bad_request("MalformedTrailerError", message)
    };
    parse(algorithm, trailer.value().ok_or_else(missing)?)
}

/// `Content-MD5`, if there is one.
pub(crate) fn content_md5(headers: &HeaderMap) -> S3Result<Option<[u8; 16]>> {
    let Some(value) = headers.get("content-md5") else { return Ok(None) };
    let bytes = STANDARD.decode(value.as_bytes()).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    let invalid =
        || S3Error::with_message(S3ErrorCode::InvalidDigest, "The Content-MD5 you specified is not valid.");
    bytes.map(Some).ok_or_else(invalid)
}

/// What a multipart object's checksum is computed over.
pub(crate) fn kind(algorithm: ChecksumAlgorithm, text: Option<&str>) -> S3Result<ChecksumType> {
    match text {
        None if algorithm == ChecksumAlgorithm::Crc64Nvme => Ok(ChecksumType::FullObject),
        None => Ok(ChecksumType::Composite),
        Some(dto::ChecksumType::COMPOSITE) if algorithm != ChecksumAlgorithm::Crc64Nvme => {
            Ok(ChecksumType::Composite)
        }
        Some(dto::ChecksumType::FULL_OBJECT) if algorithm.allows_full_object() => {
            Ok(ChecksumType::FullObject)
        }
        Some(text) => Err(invalid(format!(
            "The {text} checksum type cannot be used with the {} checksum algorithm.",
            name(algorithm)
        ))),
    }
}

/// The type's name in headers and XML.
pub(crate) fn kind_name(kind: ChecksumType) -> &'static str {
    match kind {
        ChecksumType::FullObject => dto::ChecksumType::FULL_OBJECT,
        ChecksumType::Composite => dto::ChecksumType::COMPOSITE,
    }
}

/// The text of an object's checksum: one that was computed over its parts' says how many there were.
pub(crate) fn object_text(checksum: &Checksum, kind: ChecksumType, parts: Option<u16>) -> String {
    match (kind, parts) {
        (ChecksumType::Composite, Some(parts)) => format!("{}-{parts}", text(checksum)),
        _ => text(checksum),
    }
}

/// Puts a checksum into the field of its algorithm, in any of the answers that have these fields.
macro_rules! set_checksum {
    ($output:expr, $algorithm:expr, $text:expr) => {{
        let text = Some($text);
        match $algorithm {
            nuee_store::ChecksumAlgorithm::Crc32 => $output.checksum_crc32 = text,
            nuee_store::ChecksumAlgorithm::Crc32c => $output.checksum_crc32c = text,
            nuee_store::ChecksumAlgorithm::Crc64Nvme => $output.checksum_crc64nvme = text,
            nuee_store::ChecksumAlgorithm::Sha1 => $output.checksum_sha1 = text,
            nuee_store::ChecksumAlgorithm::Sha256 => $output.checksum_sha256 = text,
        }
    }};
}
pub(crate) use set_checksum;

/// Puts an object's checksum and its type into an answer.
macro_rules! set_object_checksum {
    ($output:expr, $info:expr) => {
        if let Some((checksum, kind)) = &$info.checksum {
            let text = $crate::handlers::checksum::object_text(checksum, *kind, $info.parts);
            $crate::handlers::checksum::set_checksum!($output, checksum.algorithm, text);
            let kind = $crate::handlers::checksum::kind_name(*kind);
            $output.checksum_type = Some(s3s::dto::ChecksumType::from_static(kind));
        }
    };
}
pub(crate) use set_object_checksum;

/// The checksum that the fields of a part in a completion say, if they say one.
pub(crate) fn of_part(part: &dto::CompletedPart) -> S3Result<Option<Checksum>> {
    let fields = [
        (ChecksumAlgorithm::Crc32, &part.checksum_crc32),
        (ChecksumAlgorithm::Crc32c, &part.checksum_crc32c),
        (ChecksumAlgorithm::Crc64Nvme, &part.checksum_crc64nvme),
        (ChecksumAlgorithm::Sha1, &part.checksum_sha1),
        (ChecksumAlgorithm::Sha256, &part.checksum_sha256),
    ];
    let told = fields.into_iter().find_map(|(algorithm, field)| Some((algorithm, field.as_ref()?)));
    told.map(|(algorithm, text)| parse(algorithm, text))
        .transpose()
        .map_err(|_| invalid_argument("a part's checksum is malformed"))
}

/// The algorithm of what is expected.
pub(crate) fn algorithm(expected: &ExpectedChecksum) -> ChecksumAlgorithm {
    match expected {
        ExpectedChecksum::Compute(algorithm) | ExpectedChecksum::Trailing(algorithm, _) => *algorithm,
        ExpectedChecksum::Known(checksum) => checksum.algorithm,
    }
}
