//! Which elements the document of an operation may have.
//!
//! `s3s` skips what it does not know: a rule with an element of tomorrow would be stored as another rule than was meant.
//! Names are compared without their namespace, wherever they stand; that each stands where it must is the parser's.

use quick_xml::{Reader, events::Event};

use crate::{Operation, Refusal};

/// The deepest that elements stand in each other.
const MAX_DEPTH: usize = 16;

/// The names of what a bucket is created with.
const NEW_BUCKET: &[&str] = &[
    "CreateBucketConfiguration",
    "LocationConstraint",
    "Location",
    "Bucket",
    "Type",
    "Name",
    "Tags",
    "Tag",
    "Key",
    "Value",
];

/// The names of lifecycle rules. The handler says why nothing is moved.
const LIFECYCLE: &[&str] = &[
    "LifecycleConfiguration",
    "Rule",
    "ID",
    "Status",
    "Filter",
    "And",
    "Prefix",
    "Tag",
    "Key",
    "Value",
    "ObjectSizeGreaterThan",
    "ObjectSizeLessThan",
    "Expiration",
    "Days",
    "Date",
    "ExpiredObjectDeleteMarker",
    "NoncurrentVersionExpiration",
    "NoncurrentDays",
    "NewerNoncurrentVersions",
    "AbortIncompleteMultipartUpload",
    "DaysAfterInitiation",
    "Transition",
    "NoncurrentVersionTransition",
    "StorageClass",
];

/// The names of access control lists.
const ACCESS_CONTROL_LIST: &[&str] = &[
    "AccessControlPolicy",
    "Owner",
    "AccessControlList",
    "Grant",
    "Grantee",
    "ID",
    "DisplayName",
    "EmailAddress",
    "URI",
    "Permission",
];

/// The names of notifications. The handler says which destinations are offered.
const NOTIFICATION: &[&str] = &[
    "NotificationConfiguration",
    "TopicConfiguration",
    "Id",
    "Topic",
    "Event",
    "Filter",
    "S3Key",
    "FilterRule",
    "Name",
    "Value",
    "QueueConfiguration",
    "Queue",
    "CloudFunctionConfiguration",
    "CloudFunction",
    "EventBridgeConfiguration",
];

/// The names that are offered, first that of the document itself. `None`: the document is not XML.
fn offered(operation: Operation) -> Option<&'static [&'static str]> {
    use Operation as O;
    Some(match operation {
        O::CreateBucket => NEW_BUCKET,
        O::DeleteObjects => {
            &["Delete", "Object", "Key", "VersionId", "ETag", "Size", "LastModifiedTime", "Quiet"]
        }
        O::CompleteMultipartUpload => &[
            "CompleteMultipartUpload",
            "Part",
            "PartNumber",
            "ETag",
            "ChecksumCRC32",
            "ChecksumCRC32C",
            "ChecksumCRC64NVME",
            "ChecksumSHA1",
            "ChecksumSHA256",
        ],
        O::PutBucketEncryption => &[
            "ServerSideEncryptionConfiguration",
            "Rule",
            "ApplyServerSideEncryptionByDefault",
            "SSEAlgorithm",
            "KMSMasterKeyID",
            "BucketKeyEnabled",
        ],
        O::PutBucketVersioning => &["VersioningConfiguration", "Status", "MfaDelete"],
        O::PutObjectLockConfiguration => &[
            "ObjectLockConfiguration",
            "ObjectLockEnabled",
            "Rule",
            "DefaultRetention",
            "Mode",
            "Days",
            "Years",
        ],
        O::PutBucketTagging | O::PutObjectTagging => &["Tagging", "TagSet", "Tag", "Key", "Value"],
        O::PutObjectRetention => &["Retention", "Mode", "RetainUntilDate"],
        O::PutObjectLegalHold => &["LegalHold", "Status"],
        O::PutBucketAcl | O::PutObjectAcl => ACCESS_CONTROL_LIST,
        O::PutBucketCors => &[
            "CORSConfiguration",
            "CORSRule",
            "ID",
            "AllowedOrigin",
            "AllowedMethod",
            "AllowedHeader",
            "ExposeHeader",
            "MaxAgeSeconds",
        ],
        O::PutPublicAccessBlock => &[
            "PublicAccessBlockConfiguration",
            "BlockPublicAcls",
            "IgnorePublicAcls",
            "BlockPublicPolicy",
            "RestrictPublicBuckets",
        ],
        O::PutBucketOwnershipControls => &["OwnershipControls", "Rule", "ObjectOwnership"],
        O::PutBucketLifecycleConfiguration => LIFECYCLE,
        O::PutBucketNotificationConfiguration => NOTIFICATION,
        _ => return None,
    })
}

/// Refuses a document that is not well-formed, or has an element that is not offered.
pub(super) fn check(operation: Operation, document: &[u8]) -> Result<(), Refusal> {
    let Some(offered) = offered(operation).filter(|_| !document.is_empty()) else { return Ok(()) };
    let malformed = || Refusal::malformed_xml("The document is not well-formed XML.");
    let mut reader = Reader::from_reader(document);
    let (mut depth, mut is_root) = (0_usize, true);
    loop {
        let element = match reader.read_event().map_err(|_| malformed())? {
            Event::Start(element) => {
                depth += 1;
                element
            }
            Event::Empty(element) => element,
            Event::End(_) => {
                depth = depth.checked_sub(1).ok_or_else(malformed)?;
                continue;
            }
            Event::Eof if depth > 0 => return Err(malformed()),
            Event::Eof => return Ok(()),
            _ => continue,
        };
        if depth > MAX_DEPTH {
            return Err(Refusal::malformed_xml("The elements of the document stand too deep in each other."));
        }
        let name = element.local_name();
        // The first name is that of the document.
        if is_root && offered[0].as_bytes() != name.as_ref() {
            return Err(Refusal::malformed_xml(format!("The document is expected to be a {}.", offered[0])));
        }
        is_root = false;
        if !offered.iter().any(|known| known.as_bytes() == name.as_ref()) {
            let name = String::from_utf8_lossy(name.as_ref()).chars().take(64).collect::<String>();
            let operation = operation.as_str();
            return Err(Refusal::not_implemented(format!(
                "The element {name} is not offered for {operation}."
            )));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_not_skipped() {
        let code = |document: &str| {
            check(Operation::PutBucketVersioning, document.as_bytes()).err().map(|refusal| refusal.code)
        };
        let document = |inside: &str| {
            format!("<?xml version=\"1.0\"?><VersioningConfiguration>{inside}</VersioningConfiguration>")
        };
        assert_eq!(code(&document("<Status>Enabled</Status>")), None);
        assert_eq!(
            code(&document("<!-- a word --><x:Status xmlns:x='y'>Enabled</x:Status><MfaDelete/>")),
            None
        );
        assert_eq!(code("<Nothing/>"), Some("MalformedXML"));
        assert_eq!(code(&document("<Future>1</Future>")), Some("NotImplemented"));
        assert_eq!(code(&document("<Future/>")), Some("NotImplemented"));
        assert_eq!(code(&document("<Status>Enabled")), Some("MalformedXML"));
        assert_eq!(code("<VersioningConfiguration>"), Some("MalformedXML"));
        assert_eq!(code(&"<VersioningConfiguration>".repeat(20)), Some("MalformedXML"));
        assert_eq!(code(""), None);
    }
}
