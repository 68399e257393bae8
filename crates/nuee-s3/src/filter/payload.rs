//! How the body of a request is framed, how long it may be, and what it will be checked against.

use http::{HeaderMap, HeaderName, header};

use super::{
    Refusal,
    authentication::Authentication,
    operation::{BodyUse, Operation},
};

/// The largest content of one request, as at S3: 5 GiB.
pub(crate) const MAX_CONTENT_BYTES: u64 = 5 << 30;

/// The largest document of an operation, in bytes: room for a completion of 10,000 parts with a checksum each, and for a
/// deletion of 1,000 keys of 1,024 bytes that are all escaped. Settings are short.
pub(crate) fn max_document_bytes(operation: Operation) -> u64 {
    match operation {
        Operation::DeleteObjects | Operation::CompleteMultipartUpload => 8 << 20,
        // A thousand rules.
        Operation::PutBucketLifecycleConfiguration => 256 << 10,
        _ => 64 << 10,
    }
}

/// What a form may have beside its file, in bytes.
const MAX_FORM_BYTES: u64 = 1 << 20;

/// The SHA-256 of nothing.
const SHA256_OF_NOTHING: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

const DECODED_LENGTH: HeaderName = HeaderName::from_static("x-amz-decoded-content-length");

/// How a body arrives, and what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// There is none, or it means nothing.
    Nothing,
    /// As it is, with nothing to check it against.
    Unsigned {
        /// Its length, in bytes, if it was told.
        length: Option<u64>,
    },
    /// As it is, with this SHA-256.
    Hashed {
        /// Its length, in bytes, if it was told.
        length: Option<u64>,
        /// Its SHA-256.
        sha256: [u8; 32],
    },
    /// In chunks of `aws-chunked`.
    Chunked {
        /// Its length without the framing, in bytes.
        length: u64,
        /// Each chunk is signed, and so is the trailer.
        signed: bool,
        /// The trailing header that was announced.
        trailer: Option<HeaderName>,
    },
}

/// What `x-amz-content-sha256` says.
enum Declared {
    Nothing,
    Unsigned,
    Sha256([u8; 32]),
    Chunked { signed: bool, trailer: bool },
}

impl Payload {
    /// How a form arrives: its length is told, and there is room for its fields beside its file.
    pub(super) fn of_form(headers: &HeaderMap) -> Result<Self, Refusal> {
        let length = content_length(headers)?;
        match length {
            None => Err(Refusal::missing_length("You must provide the Content-Length HTTP header.")),
            Some(length) if length > MAX_CONTENT_BYTES + MAX_FORM_BYTES => Err(too_large()),
            Some(_) => Ok(Self::Unsigned { length }),
        }
    }

    /// How the body of this request arrives, if that is in order. `hoisted` is what a presigned query says in the place
    /// of `x-amz-content-sha256`.
    pub(super) fn of(
        headers: &HeaderMap,
        authentication: &Authentication<'_>,
        hoisted: Option<&str>,
        (operation, body): (Operation, BodyUse),
    ) -> Result<Self, Refusal> {
        let length = content_length(headers)?;
        let declared = Declared::of(headers, hoisted)?;
        if authentication.is_header() && matches!(declared, Declared::Nothing) {
            return Err(Refusal::invalid_request(
                "Missing required header for this request: x-amz-content-sha256.",
            ));
        }
        if let Declared::Chunked { .. } = declared
            && !(authentication.is_header() && body == BodyUse::Content)
        {
            let message = "Chunked payloads are for uploads that are signed in the Authorization header.";
            return Err(Refusal::not_implemented(message));
        }
        let chunked = matches!(declared, Declared::Chunked { .. });
        check_length(length, headers, (operation, body), chunked)?;
        if !chunked {
            refuse_framing(headers, length)?;
        }
        Ok(match declared {
            Declared::Sha256(sha256)
                if (body == BodyUse::Nothing || length == Some(0)) && sha256 != SHA256_OF_NOTHING =>
            {
                return Err(Refusal::sha256_mismatch(
                    "The provided x-amz-content-sha256 header is not that of an empty body.",
                ));
            }
            _ if body == BodyUse::Nothing => Self::Nothing,
            Declared::Nothing | Declared::Unsigned => Self::Unsigned { length },
            Declared::Sha256(sha256) => Self::Hashed { length, sha256 },
            Declared::Chunked { signed, trailer } => {
                let length = decoded_length(headers)?;
                Self::Chunked { length, signed, trailer: announced_trailer(headers, trailer)? }
            }
        })
    }
}

impl Declared {
    fn of(headers: &HeaderMap, hoisted: Option<&str>) -> Result<Self, Refusal> {
        let value = headers.get("x-amz-content-sha256").map(http::HeaderValue::as_bytes);
        let Some(value) = value.or(hoisted.map(str::as_bytes)) else { return Ok(Self::Nothing) };
        Ok(match value {
            b"UNSIGNED-PAYLOAD" => Self::Unsigned,
            b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Self::Chunked { signed: true, trailer: false },
            b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Self::Chunked { signed: true, trailer: true },
            b"STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Self::Chunked { signed: false, trailer: true },
            b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
            | b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER" => {
                return Err(Refusal::not_implemented(
                    "Signature Version 4A is not offered: sign for one region.",
                ));
            }
            value => {
                let mut sha256 = [0; 32];
                let lower_case = value.iter().all(|byte| !byte.is_ascii_uppercase());
                if !lower_case || hex::decode_to_slice(value, &mut sha256).is_err() {
                    let message = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, \
                                   STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-UNSIGNED-PAYLOAD-TRAILER, or \
                                   the SHA-256 of the body.";
                    return Err(Refusal::invalid_argument(message));
                }
                Self::Sha256(sha256)
            }
        })
    }
}

/// A decimal number and nothing else, unlike what `s3s` accepts.
fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>, Refusal> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match text.and_then(|text| text.parse().ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(Refusal::invalid_argument(format!("{name} must be a number of bytes."))),
    }
}

fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let length = number(headers, &header::CONTENT_LENGTH)?;
    if length.is_some() && headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(Refusal::invalid_request(
            "Content-Length and Transfer-Encoding contradict each other: send one.",
        ));
    }
    Ok(length)
}

fn check_length(
    length: Option<u64>,
    headers: &HeaderMap,
    (operation, body): (Operation, BodyUse),
    chunked: bool,
) -> Result<(), Refusal> {
    let limit = max_document_bytes(operation);
    let has_body = length.is_some_and(|length| length > 0);
    match body {
        BodyUse::Nothing if has_body => {
            Err(Refusal::invalid_request("This operation takes no body: send none."))
        }
        BodyUse::Document if length.is_some_and(|length| length > limit) => Err(document_too_long(limit)),
        BodyUse::Content if !chunked && length.is_none() => Err(Refusal::missing_length(
            "You must provide the Content-Length HTTP header, or x-amz-decoded-content-length with a chunked payload.",
        )),
        BodyUse::Content if !chunked && length.is_some_and(|length| length > MAX_CONTENT_BYTES) => {
            Err(too_large())
        }
        BodyUse::Document if length.is_none() && headers.contains_key(header::TRANSFER_ENCODING) => {
            Err(Refusal::missing_length("You must provide the Content-Length HTTP header."))
        }
        BodyUse::Nothing | BodyUse::Document | BodyUse::Content => Ok(()),
    }
}

/// What is only said of chunked payloads, said of another.
fn refuse_framing(headers: &HeaderMap, length: Option<u64>) -> Result<(), Refusal> {
    if headers.contains_key("x-amz-trailer") {
        return Err(Refusal::invalid_request("x-amz-trailer is for chunked payloads with a trailer."));
    }
    let decoded = number(headers, &DECODED_LENGTH)?;
    if decoded.is_some() && decoded != length {
        return Err(Refusal::invalid_request("x-amz-decoded-content-length is not the length of the body."));
    }
    Ok(())
}

/// A document that is longer than this many bytes.
pub(crate) fn document_too_long(limit: u64) -> Refusal {
    let message = format!("Your request was too big: this document has at most {limit} bytes.");
    Refusal::message_too_long(message)
}

fn too_large() -> Refusal {
    Refusal::entity_too_large(
        "Your proposed upload exceeds 5 GiB, the most of one request: use a multipart upload.",
    )
}

fn decoded_length(headers: &HeaderMap) -> Result<u64, Refusal> {
    match number(headers, &DECODED_LENGTH)? {
        None => {
            Err(Refusal::missing_length("You must provide the x-amz-decoded-content-length HTTP header."))
        }
        Some(length) if length > MAX_CONTENT_BYTES => Err(too_large()),
        Some(length) => Ok(length),
    }
}

/// The trailing header that `x-amz-trailer` announces; exactly one checksum if there is a trailer.
fn announced_trailer(headers: &HeaderMap, expected: bool) -> Result<Option<HeaderName>, Refusal> {
    const CHECKSUMS: [HeaderName; 5] = [
        HeaderName::from_static("x-amz-checksum-crc32"),
        HeaderName::from_static("x-amz-checksum-crc32c"),
        HeaderName::from_static("x-amz-checksum-crc64nvme"),
        HeaderName::from_static("x-amz-checksum-sha1"),
        HeaderName::from_static("x-amz-checksum-sha256"),
    ];
    let value = headers.get("x-amz-trailer").map(|value| value.as_bytes().trim_ascii());
    match (value, expected) {
        (None, false) => Ok(None),
        (None, true) => {
            Err(Refusal::invalid_request("A payload with a trailer needs the header x-amz-trailer."))
        }
        (Some(_), false) => Err(Refusal::invalid_request("x-amz-trailer is for payloads with a trailer.")),
        (Some(value), true) => {
            let known =
                CHECKSUMS.into_iter().find(|name| name.as_str().as_bytes().eq_ignore_ascii_case(value));
            let message = "x-amz-trailer must name one checksum header, such as x-amz-checksum-crc32.";
            known.map(Some).ok_or_else(|| Refusal::invalid_request(message))
        }
    }
}
