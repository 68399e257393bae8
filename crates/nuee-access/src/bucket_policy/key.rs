//! Condition keys: the names of what conditions look at.

use std::fmt;

use nuee_base::InvalidName;

use crate::{Action, action::Level};

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// What a condition of a bucket's policy looks at, by
        /// [AWS's names](https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum ConditionKey {
            $($(#[$doc])* $name,)*
            /// `s3:ExistingObjectTag/<name>`: the value of that tag of the object that is there.
            ExistingObjectTag(Box<str>),
            /// `s3:RequestObjectTag/<name>`: the value of that tag in the request.
            RequestObjectTag(Box<str>),
        }

        /// Every key that is a name alone.
        const NAMED: &[(&str, ConditionKey)] = &[$(($text, ConditionKey::$name),)*];

        impl fmt::Display for ConditionKey {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$name => f.write_str($text),)*
                    Self::ExistingObjectTag(tag) => write!(f, "{EXISTING_OBJECT_TAG}{tag}"),
                    Self::RequestObjectTag(tag) => write!(f, "{REQUEST_OBJECT_TAG}{tag}"),
                }
            }
        }
    };
}

const EXISTING_OBJECT_TAG: &str = "s3:ExistingObjectTag/";
const REQUEST_OBJECT_TAG: &str = "s3:RequestObjectTag/";

keys! {
    /// The address that the request comes from.
    SourceIp => "aws:SourceIp",
    /// `true` if the request came over TLS.
    SecureTransport => "aws:SecureTransport",
    /// The present instant, in RFC 3339. Known to the decider.
    CurrentTime => "aws:CurrentTime",
    /// The present instant, in seconds since 1970. Known to the decider.
    EpochTime => "aws:EpochTime",
    /// The header `Referer`.
    Referer => "aws:Referer",
    /// The header `User-Agent`.
    UserAgent => "aws:UserAgent",
    /// `User`, `AssumedRole` or `Anonymous`. Known to the decider.
    PrincipalType => "aws:PrincipalType",
    /// The service account's id, a session's `<id>:<name>`, or `anonymous`. Known to the decider.
    UserId => "aws:userid",
    /// The service account's id; a session has none. Known to the decider.
    UserName => "aws:username",
    /// `arn:aws:iam::<organisation id>:user/<service account id>`, or `arn:aws:iam::<project id>:role/<name>` for a
    /// session. Known to the decider.
    PrincipalArn => "aws:PrincipalArn",
    /// The principal's organisation. Known to the decider.
    PrincipalAccount => "aws:PrincipalAccount",
    /// The principal's organisation. Known to the decider.
    PrincipalOrgId => "aws:PrincipalOrgID",
    /// The bucket's organisation. Known to the decider.
    ResourceAccount => "aws:ResourceAccount",
    /// The bucket's organisation. Known to the decider.
    ResourceOrgId => "aws:ResourceOrgID",
    /// The bucket's organisation. Known to the decider.
    S3ResourceAccount => "s3:ResourceAccount",
    /// The prefix of a listing.
    Prefix => "s3:prefix",
    /// The delimiter of a listing.
    Delimiter => "s3:delimiter",
    /// The most keys that a listing is to answer.
    MaxKeys => "s3:max-keys",
    /// The version that is asked for.
    VersionId => "s3:VersionId",
    /// The canned access control list of the request.
    Acl => "s3:x-amz-acl",
    /// The header `x-amz-grant-read`.
    GrantRead => "s3:x-amz-grant-read",
    /// The header `x-amz-grant-write`.
    GrantWrite => "s3:x-amz-grant-write",
    /// The header `x-amz-grant-read-acp`.
    GrantReadAcp => "s3:x-amz-grant-read-acp",
    /// The header `x-amz-grant-write-acp`.
    GrantWriteAcp => "s3:x-amz-grant-write-acp",
    /// The header `x-amz-grant-full-control`.
    GrantFullControl => "s3:x-amz-grant-full-control",
    /// The source of a copy: `bucket/key`.
    CopySource => "s3:x-amz-copy-source",
    /// Whether a copy takes the metadata of its source: `COPY` or `REPLACE`.
    MetadataDirective => "s3:x-amz-metadata-directive",
    /// The encryption that is asked for.
    ServerSideEncryption => "s3:x-amz-server-side-encryption",
    /// The key of the encryption that is asked for.
    EncryptionKeyId => "s3:x-amz-server-side-encryption-aws-kms-key-id",
    /// The storage class that is asked for.
    StorageClass => "s3:x-amz-storage-class",
    /// The header `x-amz-content-sha256`.
    ContentSha256 => "s3:x-amz-content-sha256",
    /// The header `x-amz-website-redirect-location`.
    WebsiteRedirectLocation => "s3:x-amz-website-redirect-location",
    /// Who is to own a bucket's objects.
    ObjectOwnership => "s3:x-amz-object-ownership",
    /// How the request is signed: `REST-HEADER`, `REST-QUERY-STRING` or `POST`.
    AuthType => "s3:authType",
    /// The version of the signature: `AWS4-HMAC-SHA256`.
    SignatureVersion => "s3:signatureversion",
    /// The age of the signature, in milliseconds.
    SignatureAge => "s3:signatureAge",
    /// The version of TLS, such as `1.3`.
    TlsVersion => "s3:TlsVersion",
    /// The region where a bucket is to be.
    LocationConstraint => "s3:LocationConstraint",
    /// The retention that is asked for: `GOVERNANCE` or `COMPLIANCE`.
    ObjectLockMode => "s3:object-lock-mode",
    /// Until when an object is to be retained.
    ObjectLockRetainUntilDate => "s3:object-lock-retain-until-date",
    /// For how many days from now an object is to be retained.
    ObjectLockRemainingRetentionDays => "s3:object-lock-remaining-retention-days",
    /// The legal hold that is asked for: `ON` or `OFF`.
    ObjectLockLegalHold => "s3:object-lock-legal-hold",
    /// The names of the tags in the request: the one key of several values.
    RequestObjectTagKeys => "s3:RequestObjectTagKeys",
    /// The header `If-Match`.
    IfMatch => "s3:if-match",
    /// The header `If-None-Match`.
    IfNoneMatch => "s3:if-none-match",
    /// `true` if the request makes an object: a put, a copy, the end of a multipart upload, but not a part.
    ObjectCreationOperation => "s3:ObjectCreationOperation",
}

impl ConditionKey {
    /// The key of this name. Case does not matter, except in the name of a tag.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let unknown = || InvalidName::new("condition key", text, "no operation of buckets has such a key");
        let tag = |family: &str| {
            let (head, tag) = text.split_at_checked(family.len())?;
            (head.eq_ignore_ascii_case(family) && !tag.is_empty()).then(|| tag.into())
        };
        if let Some(tag) = tag(EXISTING_OBJECT_TAG) {
            return Ok(Self::ExistingObjectTag(tag));
        }
        if let Some(tag) = tag(REQUEST_OBJECT_TAG) {
            return Ok(Self::RequestObjectTag(tag));
        }
        let named = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        named.map(|(_, key)| key.clone()).ok_or_else(unknown)
    }

    /// Whether a request can have several values for it.
    #[must_use]
    pub fn is_multivalued(&self) -> bool {
        *self == Self::RequestObjectTagKeys
    }

    /// Whether a request for this action can have it. A decision does not look at others.
    #[must_use]
    pub fn applies_to(&self, action: Action) -> bool {
        use ConditionKey as Key;
        match self {
            Key::Prefix | Key::Delimiter | Key::MaxKeys => {
                matches!(action, Action::ListObjects | Action::ListVersions)
            }
            Key::VersionId => names_a_version(action),
            Key::Acl
            | Key::GrantRead
            | Key::GrantWrite
            | Key::GrantReadAcp
            | Key::GrantWriteAcp
            | Key::GrantFullControl => sets_acl(action),
            Key::CopySource
            | Key::MetadataDirective
            | Key::ServerSideEncryption
            | Key::EncryptionKeyId
            | Key::StorageClass
            | Key::WebsiteRedirectLocation
            | Key::IfNoneMatch
            | Key::ObjectCreationOperation => action == Action::PutObject,
            Key::IfMatch => matches!(action, Action::PutObject | Action::DeleteObject),
            Key::ObjectOwnership => action == Action::PutOwnershipControls,
            Key::LocationConstraint => false,
            Key::ObjectLockMode | Key::ObjectLockRetainUntilDate | Key::ObjectLockRemainingRetentionDays => {
                retains(action)
            }
            Key::ObjectLockLegalHold => matches!(action, Action::PutObject | Action::PutObjectLegalHold),
            Key::ExistingObjectTag(_) => looks_at_one_object(action),
            Key::RequestObjectTag(_) | Key::RequestObjectTagKeys => matches!(
                action,
                Action::PutObject | Action::PutObjectTagging | Action::PutObjectVersionTagging
            ),
            _ => action.level() != Level::Elsewhere || action.is_on_all_buckets(),
        }
    }
}

fn sets_acl(action: Action) -> bool {
    matches!(
        action,
        Action::PutObject | Action::PutObjectAcl | Action::PutObjectVersionAcl | Action::PutBucketAcl
    )
}

fn retains(action: Action) -> bool {
    matches!(action, Action::PutObject | Action::PutObjectRetention | Action::BypassGovernanceRetention)
}

fn names_a_version(action: Action) -> bool {
    matches!(
        action,
        Action::GetObjectVersion
            | Action::DeleteObjectVersion
            | Action::GetObjectVersionAttributes
            | Action::GetObjectVersionTagging
            | Action::PutObjectVersionTagging
            | Action::DeleteObjectVersionTagging
            | Action::GetObjectVersionAcl
            | Action::PutObjectVersionAcl
    )
}

/// The actions for which the tags of the object count; as at AWS, overwriting and deleting are not among them.
fn looks_at_one_object(action: Action) -> bool {
    matches!(
        action,
        Action::GetObject
            | Action::GetObjectVersion
            | Action::GetObjectAttributes
            | Action::GetObjectVersionAttributes
            | Action::GetObjectTagging
            | Action::PutObjectTagging
            | Action::DeleteObjectTagging
            | Action::GetObjectVersionTagging
            | Action::PutObjectVersionTagging
            | Action::DeleteObjectVersionTagging
            | Action::GetObjectAcl
            | Action::GetObjectVersionAcl
            | Action::PutObjectAcl
            | Action::PutObjectVersionAcl
    )
}
