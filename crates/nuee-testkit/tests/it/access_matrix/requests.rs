//! What the rows of the table ask for.

use http::Method;
use nuee_testkit::signer::Draft;

use super::bench::Things;

/// What a bucket can be configured with, by the operation that reads it: most of it never set here, and read as S3 has it
/// then.
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

const VERSIONING: &str = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
const LOCK: &str = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
                    <Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
const OWNERSHIP: &str = "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>\
                         </OwnershipControls>";

/// For a receiver that nobody knows: those who may set it are told so.
const NOTIFICATION: &str = "<NotificationConfiguration><TopicConfiguration><Topic>arn:aws:sns:::portal</Topic>\
     <Event>s3:ObjectCreated:*</Event></TopicConfiguration></NotificationConfiguration>";

const BLOCK: &str = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>\
                     </PublicAccessBlockConfiguration>";

/// The document that lets scripts of one site use a method.
pub(super) fn cors(method: &str) -> String {
    let rule =
        format!("<AllowedOrigin>https://site.example</AllowedOrigin><AllowedMethod>{method}</AllowedMethod>");
    format!("<CORSConfiguration><CORSRule>{rule}</CORSRule></CORSConfiguration>")
}

/// A policy of one statement about everybody.
pub(super) fn policy(bucket: &str, effect: &str, action: &str) -> String {
    let resource = format!("arn:aws:s3:::{}", bucket.trim_start_matches('/'));
    serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": effect, "Principal": "*", "Action": action, "Resource": resource }],
    })
    .to_string()
}

/// The document of one tag.
pub(super) fn tags(value: &str) -> String {
    format!("<Tagging><TagSet><Tag><Key>direction</Key><Value>{value}</Value></Tag></TagSet></Tagging>")
}

fn retention(until: &str) -> String {
    format!("<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>")
}

/// The document of one rule.
pub(super) fn lifecycle(days: u32) -> String {
    format!(
        "<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><Prefix>old/</Prefix></Filter>\
         <Expiration><Days>{days}</Days></Expiration></Rule></LifecycleConfiguration>"
    )
}

/// A write that retains what it writes.
pub(super) fn retained(draft: Draft) -> Draft {
    draft
        .header("x-amz-object-lock-mode", "GOVERNANCE")
        .header("x-amz-object-lock-retain-until-date", "2100-01-01T00:00:00Z")
}

/// A list that lets everybody read.
fn public_list() -> String {
    let everybody = "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"Group\">\
                     <URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee>";
    let grant = format!("<Grant>{everybody}<Permission>READ</Permission></Grant>");
    format!("<AccessControlPolicy><AccessControlList>{grant}</AccessControlList></AccessControlPolicy>")
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
        let found = self.of_bucket(row).or_else(|| self.of_object(row)).or_else(|| self.of_version(row));
        let found = found.or_else(|| self.of_upload(row));
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
            "ListObjectVersions" => get(&bucket, "versions"),
            _ => return self.of_settings(row),
        })
    }

    fn of_settings(&self, row: &str) -> Option<Draft> {
        let (bucket, vault) = (self.path("schools"), self.path("vault"));
        let put = |path: &str, document: &str, marker: &str| Draft::put(path, document).query(marker, "");
        Some(match row {
            "PutBucketVersioning" => put(&bucket, VERSIONING, "versioning"),
            "PutObjectLockConfiguration" => put(&vault, LOCK, "object-lock"),
            "PutObjectLockConfiguration:none" => put(&bucket, LOCK, "object-lock"),
            "PutBucketTagging" => put(&bucket, &tags("autre"), "tagging"),
            "PutBucketLifecycleConfiguration" => put(&bucket, &lifecycle(9), "lifecycle"),
            "PutBucketNotificationConfiguration" => put(&bucket, NOTIFICATION, "notification"),
            "DeleteBucketLifecycle" => Draft::new(Method::DELETE, &bucket).query("lifecycle", ""),
            "DeleteBucketTagging" => Draft::new(Method::DELETE, &bucket).query("tagging", ""),
            "PutBucketAcl" => put(&bucket, "", "acl").header("x-amz-acl", "private"),
            "PutBucketAcl:public" => put(&bucket, &public_list(), "acl"),
            "PutBucketCors" => put(&bucket, &cors("PUT"), "cors"),
            "DeleteBucketCors" => Draft::new(Method::DELETE, &bucket).query("cors", ""),
            "GetBucketPolicy:set" => get(&vault, "policy"),
            "GetBucketPolicyStatus:set" => get(&vault, "policyStatus"),
            "PutBucketPolicy" => put(&bucket, &policy(&bucket, "Deny", "s3:DeleteBucket"), "policy"),
            "PutBucketPolicy:public" => put(&bucket, &policy(&bucket, "Allow", "s3:ListBucket"), "policy"),
            "PutBucketPolicy:malformed" => put(&bucket, &policy(&bucket, "Deny", "s3:Nothing"), "policy"),
            "DeleteBucketPolicy" => Draft::new(Method::DELETE, &vault).query("policy", ""),
            "PutPublicAccessBlock" => put(&bucket, BLOCK, "publicAccessBlock"),
            "DeletePublicAccessBlock" => Draft::new(Method::DELETE, &bucket).query("publicAccessBlock", ""),
            "DeleteBucketOwnershipControls" => {
                Draft::new(Method::DELETE, &bucket).query("ownershipControls", "")
            }
            "PutBucketOwnershipControls" => put(&bucket, OWNERSHIP, "ownershipControls"),
            _ => return None,
        })
    }

    /// Of objects that are retained, tagged, or have versions.
    fn of_version(&self, row: &str) -> Option<Draft> {
        let (kept, vault, held) =
            (self.path("schools/kept"), self.path("vault/kept"), self.path("vault/held"));
        let put = |path: &str, document: &str, marker: &str| Draft::put(path, document).query(marker, "");
        let of_kept = |draft: Draft| draft.query("versionId", &self.version);
        let of_held = |draft: Draft| draft.query("versionId", &self.held_version);
        let bypass = |draft: Draft| draft.header("x-amz-bypass-governance-retention", "true");
        let delete = |path: &str| Draft::new(Method::DELETE, path);
        let written = || Draft::put(&self.path("vault/written"), "content");
        Some(match row {
            "GetObject:version" => of_kept(Draft::new(Method::GET, &vault)),
            "HeadObject:version" => of_kept(Draft::new(Method::HEAD, &vault)),
            "GetObjectAttributes" => {
                get(&kept, "attributes").header("x-amz-object-attributes", "ETag,ObjectSize")
            }
            "GetObjectTagging:version" => of_kept(get(&vault, "tagging")),
            "PutObjectTagging" => put(&kept, &tags("autre"), "tagging"),
            "PutObjectTagging:version" => of_kept(put(&vault, &tags("autre"), "tagging")),
            "DeleteObjectTagging" => delete(&kept).query("tagging", ""),
            "PutObjectAcl" => put(&kept, "", "acl").header("x-amz-acl", "private"),
            "GetObjectRetention" => get(&held, "retention"),
            "GetObjectLegalHold" => get(&held, "legal-hold"),
            "PutObjectRetention" => put(&held, &retention("2101-01-01T00:00:00Z"), "retention"),
            "PutObjectRetention:shorter" => put(&held, &retention("2099-01-01T00:00:00Z"), "retention"),
            "PutObjectRetention:bypass" => {
                bypass(put(&held, &retention("2099-01-01T00:00:00Z"), "retention"))
            }
            "PutObjectLegalHold" => put(&held, "<LegalHold><Status>ON</Status></LegalHold>", "legal-hold"),
            "PutObject:retained" => retained(written()),
            "PutObject:held" => written().header("x-amz-object-lock-legal-hold", "ON"),
            "PutObject:tagged" => written().header("x-amz-tagging", "a=b"),
            "DeleteObject:marker" => delete(&vault),
            "DeleteObject:version" => of_kept(delete(&vault)),
            "DeleteObject:locked" => of_held(delete(&held)),
            "DeleteObject:bypass" => bypass(of_held(delete(&held))),
            "DeleteObjects:version" => {
                let version = format!("<VersionId>{}</VersionId>", self.version);
                let document = format!("<Delete><Object><Key>kept</Key>{version}</Object></Delete>");
                post(&self.path("vault"), &document, "delete")
            }
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
            // Whoever asks fills the form and signs it.
            "PostObject" => {
                Draft::new(Method::POST, &bucket).header("content-type", "multipart/form-data; boundary=x")
            }
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
