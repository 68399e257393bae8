//! What the rows of the table ask for.

use http::Method;
use nuee_testkit::signer::Draft;

use super::bench::Things;

/// What a bucket can be configured with, by the operation that reads it: never set here, and read as S3 has it then.
const CONFIGURATIONS: [(&str, &str); 16] = [
    ("GetBucketAccelerateConfiguration", "accelerate"),
    ("GetBucketAcl", "acl"),
    ("GetBucketCors", "cors"),
    ("GetBucketLifecycleConfiguration", "lifecycle"),
    ("GetBucketLogging", "logging"),
    ("GetBucketNotificationConfiguration", "notification"),
    ("GetBucketOwnershipControls", "ownershipControls"),
    ("GetBucketPolicy", "policy"),
    ("GetBucketPolicyStatus", "policyStatus"),
    ("GetBucketReplication", "replication"),
    ("GetBucketRequestPayment", "requestPayment"),
    ("GetBucketTagging", "tagging"),
    ("GetBucketVersioning", "versioning"),
    ("GetBucketWebsite", "website"),
    ("GetObjectLockConfiguration", "object-lock"),
    ("GetPublicAccessBlock", "publicAccessBlock"),
];

/// The document that makes `algorithm` the default encryption of a bucket.
pub(super) fn encryption(algorithm: &str) -> String {
    format!(
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>{algorithm}\
         </SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
    )
}

fn get(path: &str, marker: &str) -> Draft {
    Draft::new(Method::GET, path).query(marker, "")
}

fn post(path: &str, document: &str, marker: &str) -> Draft {
    Draft::with_body(Method::POST, path, document).query(marker, "")
}

impl Things {
    /// The request of a row.
    pub(super) fn request(&self, row: &str) -> Draft {
        let found = self.of_bucket(row).or_else(|| self.of_object(row)).or_else(|| self.of_upload(row));
        found.unwrap_or_else(|| panic!("{row} has no request"))
    }

    fn path(&self, name: &str) -> String {
        match name.split_once('/') {
            Some((bucket, key)) => format!("/{bucket}-{}/{key}", self.round),
            None => format!("/{name}-{}", self.round),
        }
    }

    fn of_bucket(&self, row: &str) -> Option<Draft> {
        let bucket = self.path("schools");
        if let Some((_, marker)) = CONFIGURATIONS.iter().find(|(operation, _)| *operation == row) {
            return Some(get(&bucket, marker));
        }
        Some(match row {
            "ListBuckets" => Draft::new(Method::GET, "/"),
            "CreateBucket" => Draft::put(&self.path("new"), ""),
            "CreateBucket:taken" => Draft::put(&bucket, ""),
            "HeadBucket" => Draft::new(Method::HEAD, &bucket),
            "HeadBucket:nowhere" => Draft::new(Method::HEAD, "/nowhere"),
            "DeleteBucket" => Draft::new(Method::DELETE, &self.path("empty")),
            "GetBucketLocation" => get(&bucket, "location"),
            "GetBucketEncryption" => get(&bucket, "encryption"),
            "PutBucketEncryption" => Draft::put(&bucket, encryption("AES256")).query("encryption", ""),
            "DeleteBucketEncryption" => Draft::new(Method::DELETE, &bucket).query("encryption", ""),
            "ListObjects" => Draft::new(Method::GET, &bucket),
            "ListObjects:nowhere" => Draft::new(Method::GET, "/nowhere"),
            "ListObjectsV2" => Draft::new(Method::GET, &bucket).query("list-type", "2"),
            "ListMultipartUploads" => get(&bucket, "uploads"),
            _ => return None,
        })
    }

    fn of_object(&self, row: &str) -> Option<Draft> {
        let (bucket, kept, absent) =
            (self.path("schools"), self.path("schools/kept"), self.path("schools/absent"));
        let copy = |path: &str| Draft::put(&self.path(path), "").header("x-amz-copy-source", &kept);
        Some(match row {
            "GetObject" => Draft::new(Method::GET, &kept),
            "GetObject:absent" => Draft::new(Method::GET, &absent),
            "HeadObject" => Draft::new(Method::HEAD, &kept),
            "HeadObject:absent" => Draft::new(Method::HEAD, &absent),
            "GetObjectAcl" => get(&kept, "acl"),
            "GetObjectTagging" => get(&kept, "tagging"),
            "PutObject" => Draft::put(&self.path("schools/written"), "content"),
            "PutObject:replace" => Draft::put(&kept, "content"),
            "CopyObject" => copy("schools/copy"),
            "CopyObject:out" => copy("exams/copy"),
            "DeleteObject" => Draft::new(Method::DELETE, &kept),
            "DeleteObject:absent" => Draft::new(Method::DELETE, &absent),
            "DeleteObjects" => {
                let document =
                    "<Delete><Object><Key>kept</Key></Object><Object><Key>absent</Key></Object></Delete>";
                post(&bucket, document, "delete")
            }
            _ => return None,
        })
    }

    /// `stolen` is the id of an upload in another bucket than its own.
    fn of_upload(&self, row: &str) -> Option<Draft> {
        let (parts, stolen) = (self.path("schools/parts"), self.path("exams/parts"));
        let named = |draft: Draft| draft.query("uploadId", &self.upload);
        let part = |draft: Draft| named(draft.query("partNumber", "2"));
        let copied = |draft: Draft| draft.header("x-amz-copy-source", &self.path("schools/kept"));
        let complete = |path: &str| {
            let part = format!("<Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>", self.part_etag);
            let document = format!("<CompleteMultipartUpload>{part}</CompleteMultipartUpload>");
            named(Draft::with_body(Method::POST, path, document))
        };
        Some(match row {
            "CreateMultipartUpload" => post(&self.path("schools/begun"), "", "uploads"),
            "UploadPart" => part(Draft::put(&parts, "another part")),
            "UploadPart:stolen" => part(Draft::put(&stolen, "another part")),
            "UploadPartCopy" => part(copied(Draft::put(&parts, ""))),
            "UploadPartCopy:out" => {
                let draft = copied(Draft::put(&stolen, "")).query("partNumber", "1");
                draft.query("uploadId", &self.exams_upload)
            }
            "ListParts" => named(Draft::new(Method::GET, &parts)),
            "ListParts:stolen" => named(Draft::new(Method::GET, &stolen)),
            "CompleteMultipartUpload" => complete(&parts),
            "CompleteMultipartUpload:stolen" => complete(&stolen),
            "AbortMultipartUpload" => named(Draft::new(Method::DELETE, &parts)),
            "AbortMultipartUpload:stolen" => named(Draft::new(Method::DELETE, &stolen)),
            _ => return None,
        })
    }
}
