//! Which headers and parameters mean something to which operation.
//!
//! One table for headers, one for parameters of the query; a line says for which operations a name is offered, and with
//! which values. To offer one more, edit a line and write its handler.
//!
//! Every `x-amz-*` header and every parameter must have a line: one without is refused for every operation, since at S3
//! it may ask for another operation than the one that would be carried out. What has a line is refused where its line
//! does not offer it, and may come once only. Other headers mean nothing to S3, and pass, as do parameters that begin
//! with `x-`, which S3 ignores.

use std::sync::LazyLock;

use super::{
    Refusal,
    operation::{Operation as O, Operations},
};

/// Which values are offered.
#[derive(Debug, Clone, Copy)]
pub(super) enum Values {
    /// Any, the handler reads it.
    Any,
    /// Any but an empty one, which `s3s` would take for an absent one.
    Given,
    /// Any of at most so many bytes.
    UpTo(usize),
    /// These; others exist at S3.
    Offered(&'static [&'static str]),
    /// These; there are no others.
    OneOf(&'static [&'static str]),
    /// An access control list: those that say what is so are offered, others are told that lists have no say.
    Acl,
    /// A key of the client's own, for which there is no use.
    CustomerKey,
}

/// The access control lists that say what is so.
const PRIVATE_ACLS: [&str; 2] = ["private", "bucket-owner-full-control"];

/// The most bytes of a header that patterns of bucket policies are compared with.
const MAX_COMPARED: usize = 4_096;

/// A line of a table.
pub(super) struct Rule {
    name: &'static str,
    operations: Operations,
    values: Values,
}

const fn rule(name: &'static str, operations: Operations, values: Values) -> Rule {
    Rule { name, operations, values }
}

const ALL: Operations = Operations::ALL;
const NONE: Operations = Operations::NONE;
/// Make an object, in one request or in parts.
const MAKE: Operations = Operations::of(&[O::PutObject, O::CopyObject, O::CreateMultipartUpload]);
const READ: Operations = Operations::of(&[O::GetObject, O::HeadObject]);
const GET: Operations = Operations::of(&[O::GetObject]);
const COPY: Operations = Operations::of(&[O::CopyObject, O::UploadPartCopy]);
const COPY_OBJECT: Operations = Operations::of(&[O::CopyObject]);
const CONTENT: Operations = Operations::of(&[O::PutObject, O::UploadPart]);
/// Read or change something of an object that has versions.
const VERSIONED: Operations = Operations::of(&[
    O::GetObject,
    O::HeadObject,
    O::DeleteObject,
    O::GetObjectAcl,
    O::PutObjectAcl,
    O::GetObjectAttributes,
    O::GetObjectTagging,
    O::PutObjectTagging,
    O::DeleteObjectTagging,
    O::GetObjectRetention,
    O::PutObjectRetention,
    O::GetObjectLegalHold,
    O::PutObjectLegalHold,
]);
/// Whatever is about a bucket that exists.
const OF_BUCKETS: Operations = Operations::all_but(&[O::ListBuckets, O::CreateBucket]);
const CREATE_BUCKET: Operations = Operations::of(&[O::CreateBucket]);
const ATTRIBUTES: Operations = Operations::of(&[O::GetObjectAttributes]);
const COMPLETE: Operations = Operations::of(&[O::CompleteMultipartUpload]);
const LISTS: Operations =
    Operations::of(&[O::ListObjects, O::ListObjectsV2, O::ListObjectVersions, O::ListMultipartUploads]);
/// The checksum of the body, or of the object that is completed.
const CHECKED: Operations = Operations::of(&[
    O::PutObject,
    O::UploadPart,
    O::CompleteMultipartUpload,
    O::DeleteObjects,
    O::CreateBucket,
    O::PutBucketEncryption,
    O::PutBucketVersioning,
    O::PutObjectLockConfiguration,
    O::PutBucketTagging,
    O::PutBucketAcl,
    O::PutBucketCors,
    O::PutBucketPolicy,
    O::PutPublicAccessBlock,
    O::PutBucketOwnershipControls,
    O::PutObjectTagging,
    O::PutObjectRetention,
    O::PutObjectLegalHold,
    O::PutObjectAcl,
    O::PutBucketLifecycleConfiguration,
    O::PutBucketNotificationConfiguration,
]);
const CONDITIONAL: Operations = Operations::of(&[
    O::GetObject,
    O::HeadObject,
    O::PutObject,
    O::CopyObject,
    O::DeleteObject,
    O::CompleteMultipartUpload,
]);

/// Headers, sorted by name. `x-amz-meta-` stands for all that begin so.
pub(super) static HEADERS: &[Rule] = {
    use Values::{Acl, Any, CustomerKey, Given, Offered, OneOf, UpTo};
    &[
        rule("cache-control", ALL, Any),
        rule("content-disposition", ALL, Any),
        rule("content-encoding", ALL, Any),
        rule("content-language", ALL, Any),
        rule("content-length", ALL, Given),
        rule("content-md5", ALL, Given),
        rule("content-range", NONE, Any),
        rule("content-type", ALL, Any),
        rule("expires", ALL, Any),
        rule("host", ALL, Given),
        rule("if-match", CONDITIONAL, Given),
        rule("if-modified-since", CONDITIONAL, Given),
        rule("if-none-match", CONDITIONAL, Given),
        rule("if-range", READ, Given),
        rule("if-unmodified-since", CONDITIONAL, Given),
        rule("range", ALL, Given),
        rule("referer", ALL, UpTo(MAX_COMPARED)),
        rule("transfer-encoding", ALL, Given),
        rule("user-agent", ALL, UpTo(MAX_COMPARED)),
        rule(
            "x-amz-acl",
            Operations::of(&[
                O::PutObject,
                O::CopyObject,
                O::CreateMultipartUpload,
                O::CreateBucket,
                O::PutBucketAcl,
                O::PutObjectAcl,
            ]),
            Acl,
        ),
        // The SDK for C++ says which S3 it speaks to, with every request.
        rule("x-amz-api-version", ALL, OneOf(&["2006-03-01"])),
        rule("x-amz-bucket-object-lock-enabled", CREATE_BUCKET, OneOf(&["true", "false", "True", "False"])),
        rule(
            "x-amz-bypass-governance-retention",
            Operations::of(&[O::DeleteObject, O::DeleteObjects, O::PutObjectRetention]),
            OneOf(&["true", "false", "True", "False"]),
        ),
        rule(
            "x-amz-checksum-algorithm",
            Operations::of(&[O::CopyObject, O::CreateMultipartUpload]),
            OneOf(&["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]),
        ),
        rule("x-amz-checksum-crc32", CHECKED, Given),
        rule("x-amz-checksum-crc32c", CHECKED, Given),
        rule("x-amz-checksum-crc64nvme", CHECKED, Given),
        // In lower case as the SDK for C++ writes it.
        rule("x-amz-checksum-mode", READ, OneOf(&["ENABLED", "enabled"])),
        rule("x-amz-checksum-sha1", CHECKED, Given),
        rule("x-amz-checksum-sha256", CHECKED, Given),
        rule(
            "x-amz-checksum-type",
            Operations::of(&[O::CreateMultipartUpload, O::CompleteMultipartUpload]),
            OneOf(&["FULL_OBJECT", "COMPOSITE"]),
        ),
        rule(
            "x-amz-confirm-remove-self-bucket-access",
            Operations::of(&[O::PutBucketPolicy]),
            OneOf(&["true", "false", "True", "False"]),
        ),
        rule("x-amz-content-sha256", ALL, Given),
        rule("x-amz-copy-source", COPY, Given),
        rule("x-amz-copy-source-if-match", COPY, Given),
        rule("x-amz-copy-source-if-modified-since", COPY, Given),
        rule("x-amz-copy-source-if-none-match", COPY, Given),
        rule("x-amz-copy-source-if-unmodified-since", COPY, Given),
        rule("x-amz-copy-source-range", Operations::of(&[O::UploadPartCopy]), Given),
        rule("x-amz-copy-source-server-side-encryption-customer-algorithm", NONE, CustomerKey),
        rule("x-amz-copy-source-server-side-encryption-customer-key", NONE, CustomerKey),
        rule("x-amz-copy-source-server-side-encryption-customer-key-md5", NONE, CustomerKey),
        rule("x-amz-date", ALL, Given),
        rule("x-amz-decoded-content-length", CONTENT, Given),
        rule("x-amz-expected-bucket-owner", OF_BUCKETS, Given),
        rule("x-amz-grant-full-control", NONE, Acl),
        rule("x-amz-grant-read", NONE, Acl),
        rule("x-amz-grant-read-acp", NONE, Acl),
        rule("x-amz-grant-write", NONE, Acl),
        rule("x-amz-grant-write-acp", NONE, Acl),
        rule("x-amz-if-match-initiated-time", NONE, Any),
        rule("x-amz-if-match-last-modified-time", NONE, Any),
        rule("x-amz-if-match-size", NONE, Any),
        rule("x-amz-max-parts", ATTRIBUTES, Given),
        rule("x-amz-meta-", MAKE, Any),
        rule("x-amz-metadata-directive", COPY_OBJECT, OneOf(&["COPY", "REPLACE"])),
        rule("x-amz-mfa", NONE, Any),
        rule("x-amz-mp-object-size", COMPLETE, Given),
        rule("x-amz-object-attributes", ATTRIBUTES, Given),
        rule("x-amz-object-lock-legal-hold", MAKE, Given),
        rule("x-amz-object-lock-mode", MAKE, Given),
        rule("x-amz-object-lock-retain-until-date", MAKE, Given),
        rule("x-amz-object-ownership", CREATE_BUCKET, Offered(&["BucketOwnerEnforced"])),
        rule("x-amz-optional-object-attributes", NONE, Any),
        rule("x-amz-part-number-marker", ATTRIBUTES, Given),
        rule("x-amz-rename-source", NONE, Any),
        // No bucket here makes those who ask pay: whoever would agrees to nothing.
        rule("x-amz-request-payer", OF_BUCKETS, OneOf(&["requester"])),
        rule(
            "x-amz-sdk-checksum-algorithm",
            CHECKED,
            OneOf(&["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]),
        ),
        rule("x-amz-security-token", ALL, UpTo(MAX_COMPARED)),
        rule("x-amz-server-side-encryption", MAKE, Offered(&["AES256", "aws:kms"])),
        rule("x-amz-server-side-encryption-aws-kms-key-id", NONE, Any),
        rule("x-amz-server-side-encryption-bucket-key-enabled", MAKE, Offered(&["false", "False"])),
        rule("x-amz-server-side-encryption-context", NONE, Any),
        rule("x-amz-server-side-encryption-customer-algorithm", NONE, CustomerKey),
        rule("x-amz-server-side-encryption-customer-key", NONE, CustomerKey),
        rule("x-amz-server-side-encryption-customer-key-md5", NONE, CustomerKey),
        // A destination is never asked before a configuration is taken.
        rule(
            "x-amz-skip-destination-validation",
            Operations::of(&[O::PutBucketNotificationConfiguration]),
            OneOf(&["true", "false", "True", "False"]),
        ),
        rule("x-amz-source-expected-bucket-owner", COPY, Given),
        rule("x-amz-storage-class", MAKE, Offered(&["STANDARD"])),
        rule("x-amz-tagging", MAKE, Any),
        rule("x-amz-tagging-directive", COPY_OBJECT, OneOf(&["COPY", "REPLACE"])),
        rule("x-amz-trailer", CONTENT, Given),
        rule(
            "x-amz-transition-default-minimum-object-size",
            Operations::of(&[O::PutBucketLifecycleConfiguration]),
            OneOf(&["all_storage_classes_128K", "varies_by_storage_class"]),
        ),
        rule("x-amz-user-agent", ALL, Any),
        rule("x-amz-website-redirect-location", NONE, Any),
        rule("x-amz-write-offset-bytes", NONE, Any),
    ]
};

/// Parameters of the query, sorted by name.
pub(super) static PARAMETERS: &[Rule] = {
    use Values::{Any, Given, OneOf};
    const V1: Operations = Operations::of(&[O::ListObjects]);
    const V2: Operations = Operations::of(&[O::ListObjectsV2]);
    const UPLOADS: Operations = Operations::of(&[O::ListMultipartUploads]);
    const BUCKETS: Operations = Operations::of(&[O::ListBuckets]);
    const PARTS: Operations = Operations::of(&[O::ListParts]);
    const VERSIONS: Operations = Operations::of(&[O::ListObjectVersions]);
    const TAGGING: Operations = Operations::of(&[
        O::GetBucketTagging,
        O::PutBucketTagging,
        O::DeleteBucketTagging,
        O::GetObjectTagging,
        O::PutObjectTagging,
        O::DeleteObjectTagging,
    ]);
    &[
        rule("accelerate", Operations::of(&[O::GetBucketAccelerateConfiguration]), Any),
        rule(
            "acl",
            Operations::of(&[O::GetBucketAcl, O::PutBucketAcl, O::GetObjectAcl, O::PutObjectAcl]),
            Any,
        ),
        rule("analytics", NONE, Any),
        rule("attributes", ATTRIBUTES, Any),
        rule("bucket-region", NONE, Any),
        rule("continuation-token", Operations::of(&[O::ListObjectsV2, O::ListBuckets]), Any),
        rule("cors", Operations::of(&[O::GetBucketCors, O::PutBucketCors, O::DeleteBucketCors]), Any),
        rule("delete", Operations::of(&[O::DeleteObjects]), Any),
        rule("delimiter", LISTS, Any),
        rule("encoding-type", LISTS, OneOf(&["url"])),
        rule(
            "encryption",
            Operations::of(&[O::GetBucketEncryption, O::PutBucketEncryption, O::DeleteBucketEncryption]),
            Any,
        ),
        rule("fetch-owner", V2, OneOf(&["true", "false", "True", "False"])),
        rule("intelligent-tiering", NONE, Any),
        rule("inventory", NONE, Any),
        rule("key-marker", Operations::of(&[O::ListMultipartUploads, O::ListObjectVersions]), Any),
        rule("legal-hold", Operations::of(&[O::GetObjectLegalHold, O::PutObjectLegalHold]), Any),
        rule(
            "lifecycle",
            Operations::of(&[
                O::GetBucketLifecycleConfiguration,
                O::PutBucketLifecycleConfiguration,
                O::DeleteBucketLifecycle,
            ]),
            Any,
        ),
        rule("list-type", V2, OneOf(&["2"])),
        rule("location", Operations::of(&[O::GetBucketLocation]), Any),
        rule("logging", Operations::of(&[O::GetBucketLogging]), Any),
        rule("marker", V1, Any),
        rule("max-buckets", BUCKETS, Any),
        rule("max-keys", Operations::of(&[O::ListObjects, O::ListObjectsV2, O::ListObjectVersions]), Any),
        rule("max-parts", PARTS, Any),
        rule("max-uploads", UPLOADS, Any),
        rule("metadataConfiguration", NONE, Any),
        rule("metadataTable", NONE, Any),
        rule("metrics", NONE, Any),
        rule(
            "notification",
            Operations::of(&[O::GetBucketNotificationConfiguration, O::PutBucketNotificationConfiguration]),
            Any,
        ),
        rule(
            "object-lock",
            Operations::of(&[O::GetObjectLockConfiguration, O::PutObjectLockConfiguration]),
            Any,
        ),
        rule(
            "ownershipControls",
            Operations::of(&[
                O::GetBucketOwnershipControls,
                O::PutBucketOwnershipControls,
                O::DeleteBucketOwnershipControls,
            ]),
            Any,
        ),
        rule("part-number-marker", PARTS, Any),
        rule(
            "partNumber",
            Operations::of(&[O::GetObject, O::HeadObject, O::UploadPart, O::UploadPartCopy]),
            Given,
        ),
        rule("policy", Operations::of(&[O::GetBucketPolicy, O::PutBucketPolicy, O::DeleteBucketPolicy]), Any),
        rule("policyStatus", Operations::of(&[O::GetBucketPolicyStatus]), Any),
        rule(
            "prefix",
            Operations::of(&[
                O::ListObjects,
                O::ListObjectsV2,
                O::ListObjectVersions,
                O::ListMultipartUploads,
                O::ListBuckets,
            ]),
            Any,
        ),
        rule(
            "publicAccessBlock",
            Operations::of(&[O::GetPublicAccessBlock, O::PutPublicAccessBlock, O::DeletePublicAccessBlock]),
            Any,
        ),
        rule("replication", Operations::of(&[O::GetBucketReplication]), Any),
        rule("requestPayment", Operations::of(&[O::GetBucketRequestPayment]), Any),
        rule("response-cache-control", GET, Any),
        rule("response-content-disposition", GET, Any),
        rule("response-content-encoding", GET, Any),
        rule("response-content-language", GET, Any),
        rule("response-content-type", GET, Any),
        rule("response-expires", GET, Any),
        rule("restore", NONE, Any),
        rule("retention", Operations::of(&[O::GetObjectRetention, O::PutObjectRetention]), Any),
        rule("select", NONE, Any),
        rule("select-type", NONE, Any),
        rule("session", NONE, Any),
        rule("start-after", V2, Any),
        rule("tagging", TAGGING, Any),
        rule("torrent", NONE, Any),
        rule("upload-id-marker", UPLOADS, Any),
        rule(
            "uploadId",
            Operations::of(&[
                O::UploadPart,
                O::UploadPartCopy,
                O::CompleteMultipartUpload,
                O::AbortMultipartUpload,
                O::ListParts,
            ]),
            Given,
        ),
        rule("uploads", Operations::of(&[O::CreateMultipartUpload, O::ListMultipartUploads]), Any),
        rule("version-id-marker", VERSIONS, Any),
        rule("versionId", VERSIONED, Given),
        rule("versioning", Operations::of(&[O::GetBucketVersioning, O::PutBucketVersioning]), Any),
        rule("versions", VERSIONS, Any),
        rule("website", Operations::of(&[O::GetBucketWebsite]), Any),
    ]
};

/// A table, ready to be searched: every header of every request is looked up. Names are told apart by their length first,
/// of which few have the same.
struct Index(Vec<Vec<&'static Rule>>);

static HEADER_INDEX: LazyLock<Index> = LazyLock::new(|| Index::new(HEADERS));
static PARAMETER_INDEX: LazyLock<Index> = LazyLock::new(|| Index::new(PARAMETERS));

impl Index {
    fn new(table: &'static [Rule]) -> Self {
        let longest = table.iter().map(|rule| rule.name.len()).max().unwrap_or(0);
        let of_length = |length| table.iter().filter(|rule| rule.name.len() == length).collect();
        Self((0..=longest).map(of_length).collect())
    }

    fn get(&self, name: &str) -> Option<&'static Rule> {
        self.0.get(name.len())?.iter().copied().find(|rule| rule.name == name)
    }
}

/// The rule of a header, by its lower-case name. `Err` if it is one of S3's that is not known here.
pub(super) fn of_header(name: &str) -> Result<Option<&'static Rule>, Refusal> {
    if let Some(rule) = HEADER_INDEX.get(name) {
        return Ok(Some(rule));
    }
    if name.strip_prefix("x-amz-meta-").is_some_and(|rest| !rest.is_empty()) {
        return of_header("x-amz-meta-");
    }
    if name.starts_with("x-amz-") {
        return Err(Refusal::not_implemented(format!("The header {name} is not offered.")));
    }
    Ok(None)
}

/// The rule of a parameter; `None` if it means nothing. `Err` if it is one that is not known here, or a known one in the
/// wrong case, which S3 and `s3s` would ignore.
pub(super) fn of_parameter(name: &str) -> Result<Option<&'static Rule>, Refusal> {
    if let Some(rule) = PARAMETER_INDEX.get(name) {
        return Ok(Some(rule));
    }
    match PARAMETERS.iter().find(|rule| rule.name.eq_ignore_ascii_case(name)) {
        Some(rule) => {
            let message = format!("The parameter {name} is written {} in S3's queries.", rule.name);
            Err(Refusal::invalid_argument(message))
        }
        None if means_nothing(name) => Ok(None),
        None => Err(Refusal::not_implemented(format!("The parameter {name} is not offered."))),
    }
}

/// Whether S3 ignores a parameter. Those that sign a request, or stand for its headers, are looked at elsewhere. An
/// `Expires` without the other parameters of Signature Version 2 is nobody's credential.
fn means_nothing(name: &str) -> bool {
    name == "Expires" || name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"))
}

impl Rule {
    /// Whether `value` is offered for `operation`.
    pub(super) fn check(&self, operation: O, value: &[u8]) -> Result<(), Refusal> {
        let name = self.name;
        if matches!(self.values, Values::Acl) && !PRIVATE_ACLS.iter().any(|acl| acl.as_bytes() == value) {
            if operation == O::CreateBucket {
                return Err(Refusal::bucket_acl_with_ownership(
                    "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting: use a bucket policy \
                     instead, and send private or no ACL.",
                ));
            }
            return Err(Refusal::acl_not_supported(
                "The bucket does not allow ACLs: use a bucket policy instead, and send private or no ACL.",
            ));
        }
        if matches!(self.values, Values::CustomerKey) {
            return Err(Refusal::not_implemented(
                "Keys of the client's own (SSE-C) are not accepted: everything is sealed under the project's key. Leave \
                 the customer headers out, or encrypt before you send.",
            ));
        }
        if !self.operations.contains(operation) {
            let operation = operation.as_str();
            return Err(Refusal::not_implemented(format!("{name} is not offered for {operation}.")));
        }
        let among = |values: &[&str]| values.iter().any(|offered| offered.as_bytes() == value);
        match self.values {
            Values::Given if value.is_empty() => {
                Err(Refusal::invalid_argument(format!("{name} is empty: leave it out, or give it a value.")))
            }
            Values::Offered(values) if !among(values) => {
                let values = values.join(", ");
                Err(Refusal::not_implemented(format!("{name} is offered with these values only: {values}.")))
            }
            Values::OneOf(values) if !among(values) => {
                Err(Refusal::invalid_argument(format!("{name} must be one of {}.", values.join(", "))))
            }
            Values::UpTo(most) if value.len() > most => {
                Err(Refusal::invalid_request(format!("{name} has more than {most} bytes: shorten it.")))
            }
            Values::Any
            | Values::UpTo(_)
            | Values::Given
            | Values::Offered(_)
            | Values::OneOf(_)
            | Values::Acl
            | Values::CustomerKey => Ok(()),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// The values that it names.
    #[cfg(test)]
    pub(super) fn values(&self) -> &'static [&'static str] {
        match self.values {
            Values::Offered(values) | Values::OneOf(values) => values,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_name_nothing_twice() {
        for table in [HEADERS, PARAMETERS] {
            for pair in table.windows(2) {
                assert!(pair[0].name < pair[1].name, "{} {}", pair[0].name, pair[1].name);
            }
        }
    }

    #[test]
    fn parameters_are_known_or_refused() {
        for name in ["x-id", "X-Amz-Signature", "x-mine", "Expires"] {
            assert!(of_parameter(name).unwrap().is_none(), "{name}");
        }
        for name in ["annotation", "abac", "renameObject", "id", "expires", ""] {
            assert_eq!(of_parameter(name).err().unwrap().code, "NotImplemented", "{name}");
        }
        assert_eq!(of_parameter("Prefix").err().unwrap().code, "InvalidArgument");
    }

    #[test]
    fn what_the_sdk_for_cpp_sends_is_offered() {
        for (name, value) in [("x-amz-api-version", "2006-03-01"), ("x-amz-checksum-mode", "enabled")] {
            assert!(
                of_header(name).unwrap().unwrap().check(O::GetObject, value.as_bytes()).is_ok(),
                "{name}"
            );
        }
    }

    #[test]
    fn headers_of_s3_are_known_or_refused() {
        assert!(of_header("accept").unwrap().is_none());
        assert_eq!(of_header("x-amz-meta-colour").unwrap().unwrap().name, "x-amz-meta-");
        assert_eq!(of_header("x-amz-new-thing").err().unwrap().code, "NotImplemented");
    }
}
