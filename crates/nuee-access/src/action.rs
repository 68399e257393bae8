//! What can be done.
//!
//! An action is what policies speak of, not an operation of a protocol: reading an object and asking for its headers
//! are one action, and so are the several requests of a multipart upload.

use std::fmt;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// Something that a principal may or may not do. The
        /// [names of S3](https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html) where
        /// it has one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// Every action.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name in policies, such as `s3:GetObject` or `nuee:CreateProject`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

actions! {
    /// List the buckets of a project.
    ListBuckets => "s3:ListAllMyBuckets",
    /// Create a bucket in a project.
    CreateBucket => "s3:CreateBucket",
    /// Delete an empty bucket.
    DeleteBucket => "s3:DeleteBucket",
    /// Learn that a bucket exists, and where it is: `HeadBucket`, `GetBucketLocation`.
    GetBucket => "s3:GetBucketLocation",
    /// Read a bucket's default encryption.
    GetBucketEncryption => "s3:GetEncryptionConfiguration",
    /// Change a bucket's default encryption.
    PutBucketEncryption => "s3:PutEncryptionConfiguration",
    /// List the keys of a bucket.
    ListObjects => "s3:ListBucket",
    /// List the multipart uploads under way in a bucket.
    ListUploads => "s3:ListBucketMultipartUploads",
    /// List the parts of a multipart upload.
    ListParts => "s3:ListMultipartUploadParts",
    /// Read an object, its headers or its metadata; also the source of a copy.
    GetObject => "s3:GetObject",
    /// Write an object: at once, by parts, or as the destination of a copy.
    PutObject => "s3:PutObject",
    /// Delete an object.
    DeleteObject => "s3:DeleteObject",
    /// Give up a multipart upload.
    AbortUpload => "s3:AbortMultipartUpload",
    /// Create a service account in a project, and its access key.
    CreateServiceAccount => "nuee:CreateServiceAccount",
    /// List the service accounts of a project.
    ListServiceAccounts => "nuee:ListServiceAccounts",
    /// Revoke a service account of a project.
    RevokeServiceAccount => "nuee:RevokeServiceAccount",
    /// Make a new version of a project's or an organisation's key.
    RotateKey => "nuee:RotateKey",
    /// Create a project in an organisation.
    CreateProject => "nuee:CreateProject",
    /// List the projects of an organisation.
    ListProjects => "nuee:ListProjects",
    /// Create an organisation on the platform.
    CreateOrganisation => "nuee:CreateOrganisation",
    /// List the organisations of the platform.
    ListOrganisations => "nuee:ListOrganisations",
    /// Check everything that the platform stores; shows no content.
    Verify => "nuee:Verify",
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
