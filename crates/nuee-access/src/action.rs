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

            /// The action of this name in policies, if there is one.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|action| action.as_str() == name)
            }

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
    /// List the versions of the objects of a bucket.
    ListVersions => "s3:ListBucketVersions",
    /// Read an object's version by its id.
    GetObjectVersion => "s3:GetObjectVersion",
    /// Delete an object's version for good.
    DeleteObjectVersion => "s3:DeleteObjectVersion",
    /// Read what an object is made of, without its content.
    GetObjectAttributes => "s3:GetObjectAttributes",
    /// The same of a version by its id.
    GetObjectVersionAttributes => "s3:GetObjectVersionAttributes",
    /// Read an object's tags.
    GetObjectTagging => "s3:GetObjectTagging",
    /// Change an object's tags.
    PutObjectTagging => "s3:PutObjectTagging",
    /// Remove an object's tags.
    DeleteObjectTagging => "s3:DeleteObjectTagging",
    /// Read the tags of a version by its id.
    GetObjectVersionTagging => "s3:GetObjectVersionTagging",
    /// Change the tags of a version by its id.
    PutObjectVersionTagging => "s3:PutObjectVersionTagging",
    /// Remove the tags of a version by its id.
    DeleteObjectVersionTagging => "s3:DeleteObjectVersionTagging",
    /// Read an object's access control list.
    GetObjectAcl => "s3:GetObjectAcl",
    /// The same of a version by its id.
    GetObjectVersionAcl => "s3:GetObjectVersionAcl",
    /// Set an object's access control list.
    PutObjectAcl => "s3:PutObjectAcl",
    /// The same of a version by its id.
    PutObjectVersionAcl => "s3:PutObjectVersionAcl",
    /// Read until when an object is retained.
    GetObjectRetention => "s3:GetObjectRetention",
    /// Retain an object, or retain it longer.
    PutObjectRetention => "s3:PutObjectRetention",
    /// Read whether an object is under legal hold.
    GetObjectLegalHold => "s3:GetObjectLegalHold",
    /// Put an object under legal hold, or end it.
    PutObjectLegalHold => "s3:PutObjectLegalHold",
    /// Act on what is retained in the GOVERNANCE mode as if it were not.
    BypassGovernanceRetention => "s3:BypassGovernanceRetention",
    /// Read a bucket's default retention.
    GetObjectLockConfiguration => "s3:GetBucketObjectLockConfiguration",
    /// Change a bucket's default retention.
    PutObjectLockConfiguration => "s3:PutBucketObjectLockConfiguration",
    /// Read whether a bucket keeps versions.
    GetBucketVersioning => "s3:GetBucketVersioning",
    /// Change whether a bucket keeps versions.
    PutBucketVersioning => "s3:PutBucketVersioning",
    /// Read a bucket's lifecycle rules.
    GetLifecycle => "s3:GetLifecycleConfiguration",
    /// Change a bucket's lifecycle rules.
    PutLifecycle => "s3:PutLifecycleConfiguration",
    /// Read a bucket's policy.
    GetBucketPolicy => "s3:GetBucketPolicy",
    /// Change a bucket's policy.
    PutBucketPolicy => "s3:PutBucketPolicy",
    /// Remove a bucket's policy.
    DeleteBucketPolicy => "s3:DeleteBucketPolicy",
    /// Read whether a bucket's policy makes it public.
    GetBucketPolicyStatus => "s3:GetBucketPolicyStatus",
    /// Read what is blocked of public access to a bucket.
    GetPublicAccessBlock => "s3:GetBucketPublicAccessBlock",
    /// Change what is blocked of public access to a bucket.
    PutPublicAccessBlock => "s3:PutBucketPublicAccessBlock",
    /// Read which sites may script a bucket's content.
    GetBucketCors => "s3:GetBucketCORS",
    /// Change which sites may script a bucket's content.
    PutBucketCors => "s3:PutBucketCORS",
    /// Read a bucket's tags.
    GetBucketTagging => "s3:GetBucketTagging",
    /// Change or remove a bucket's tags.
    PutBucketTagging => "s3:PutBucketTagging",
    /// Read who is told of what happens in a bucket.
    GetBucketNotification => "s3:GetBucketNotification",
    /// Change who is told of what happens in a bucket.
    PutBucketNotification => "s3:PutBucketNotification",
    /// Read a bucket's access control list.
    GetBucketAcl => "s3:GetBucketAcl",
    /// Set a bucket's access control list.
    PutBucketAcl => "s3:PutBucketAcl",
    /// Read who owns a bucket's objects.
    GetOwnershipControls => "s3:GetBucketOwnershipControls",
    /// Change who owns a bucket's objects.
    PutOwnershipControls => "s3:PutBucketOwnershipControls",
    /// Read a bucket's website configuration.
    GetBucketWebsite => "s3:GetBucketWebsite",
    /// Read a bucket's access logging.
    GetBucketLogging => "s3:GetBucketLogging",
    /// Read a bucket's replication rules.
    GetReplication => "s3:GetReplicationConfiguration",
    /// Read whether a bucket is accelerated.
    GetAccelerate => "s3:GetAccelerateConfiguration",
    /// Read who pays for requests to a bucket.
    GetRequestPayment => "s3:GetBucketRequestPayment",
    /// Create a service account in a project, and its access key.
    CreateServiceAccount => "nuee:CreateServiceAccount",
    /// List the service accounts of a project.
    ListServiceAccounts => "nuee:ListServiceAccounts",
    /// Revoke a service account of a project.
    RevokeServiceAccount => "nuee:RevokeServiceAccount",
    /// Make another access key of a service account.
    CreateAccessKey => "nuee:CreateAccessKey",
    /// Delete an access key of a service account.
    DeleteAccessKey => "nuee:DeleteAccessKey",
    /// Change how much a project of an organisation may hold and ask.
    SetQuota => "nuee:SetQuota",
    /// Change how many copies a project of an organisation keeps of its objects, and in which countries they may lie.
    SetPlacement => "nuee:SetPlacement",
    /// Change the widest zone that a project of an organisation may be exposed to.
    SetZoneCeiling => "nuee:SetZoneCeiling",
    /// Expose something of a project to a zone.
    CreateExposure => "nuee:CreateExposure",
    /// List what of a project is exposed.
    ListExposures => "nuee:ListExposures",
    /// End an exposure of something of a project.
    DeleteExposure => "nuee:DeleteExposure",
    /// Read how much a project holds, and may.
    GetUsage => "nuee:GetUsage",
    /// Act in an assumable role of a project for a while.
    AssumeRole => "sts:AssumeRole",
    /// Create an assumable role in a project.
    CreateAssumableRole => "nuee:CreateAssumableRole",
    /// List the assumable roles of a project.
    ListAssumableRoles => "nuee:ListAssumableRoles",
    /// Delete an assumable role of a project, and end the sessions in it.
    DeleteAssumableRole => "nuee:DeleteAssumableRole",
    /// List the sessions of a project.
    ListSessions => "nuee:ListSessions",
    /// End a session of a project before its time.
    RevokeSession => "nuee:RevokeSession",
    /// Make a new version of a project's or an organisation's key.
    RotateKey => "nuee:RotateKey",
    /// Create a project in an organisation.
    CreateProject => "nuee:CreateProject",
    /// List the projects of an organisation.
    ListProjects => "nuee:ListProjects",
    /// Read what a project is.
    GetProject => "nuee:GetProject",
    /// Ask who may do what in a project, and why.
    ExplainAccess => "nuee:ExplainAccess",
    /// Read what an organisation is.
    GetOrganisation => "nuee:GetOrganisation",
    /// Change what an organisation is called, its number and its contact.
    UpdateOrganisation => "nuee:UpdateOrganisation",
    /// List the users of an organisation, and what each may do.
    ListUsers => "nuee:ListUsers",
    /// Keep a user of an organisation from signing in, or let them again.
    SuspendUser => "nuee:SuspendUser",
    /// Make a user of an organisation choose another password and second factor.
    ResetSignIn => "nuee:ResetSignIn",
    /// List who has which role in a project or an organisation.
    ListMembers => "nuee:ListMembers",
    /// Give a user a role in a project or an organisation.
    GrantRole => "nuee:GrantRole",
    /// Take a role in a project or an organisation away from a user.
    RevokeRole => "nuee:RevokeRole",
    /// Invite somebody to have a role in a project or an organisation.
    CreateInvitation => "nuee:CreateInvitation",
    /// List the invitations to a project or an organisation that nobody has accepted yet.
    ListInvitations => "nuee:ListInvitations",
    /// Take an invitation back.
    RevokeInvitation => "nuee:RevokeInvitation",
    /// See what the journal says of an organisation.
    ReadJournal => "nuee:ReadJournal",
    /// Create an organisation on the platform.
    CreateOrganisation => "nuee:CreateOrganisation",
    /// List the organisations of the platform.
    ListOrganisations => "nuee:ListOrganisations",
    /// Check everything that the platform stores; shows no content.
    Verify => "nuee:Verify",
    /// Have a bucket's lifecycle rules carried out now, or count what they would let go; shows no keys.
    RunLifecycle => "nuee:RunLifecycle",
}

/// What an action is done on, for a bucket's policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// On something that is not in a bucket, or before there is one: no bucket's policy speaks of it.
    Elsewhere,
    /// On a bucket.
    Bucket,
    /// On an object.
    Object,
}

impl Action {
    /// Whether it is done on the buckets of a project together, or before there is one.
    pub(crate) const fn is_on_all_buckets(self) -> bool {
        matches!(self, Self::ListBuckets | Self::CreateBucket)
    }

    /// Whether it tells the keys of a bucket, as far as they begin with what is asked for.
    pub(crate) const fn lists_keys(self) -> bool {
        matches!(self, Self::ListObjects | Self::ListVersions | Self::ListUploads)
    }

    /// Whether it is administration, and no use of what is stored.
    pub(crate) fn is_administrative(self) -> bool {
        self.as_str().starts_with("nuee:")
    }

    /// What it is done on, for a bucket's policy.
    pub(crate) const fn level(self) -> Level {
        match self {
            Self::ListParts
            | Self::GetObject
            | Self::PutObject
            | Self::DeleteObject
            | Self::AbortUpload
            | Self::GetObjectVersion
            | Self::DeleteObjectVersion
            | Self::GetObjectAttributes
            | Self::GetObjectVersionAttributes
            | Self::GetObjectTagging
            | Self::PutObjectTagging
            | Self::DeleteObjectTagging
            | Self::GetObjectVersionTagging
            | Self::PutObjectVersionTagging
            | Self::DeleteObjectVersionTagging
            | Self::GetObjectAcl
            | Self::GetObjectVersionAcl
            | Self::PutObjectAcl
            | Self::PutObjectVersionAcl
            | Self::GetObjectRetention
            | Self::PutObjectRetention
            | Self::GetObjectLegalHold
            | Self::PutObjectLegalHold
            | Self::BypassGovernanceRetention => Level::Object,
            Self::ListBuckets
            | Self::CreateBucket
            | Self::CreateServiceAccount
            | Self::ListServiceAccounts
            | Self::RevokeServiceAccount
            | Self::CreateAccessKey
            | Self::DeleteAccessKey
            | Self::SetQuota
            | Self::SetPlacement
            | Self::SetZoneCeiling
            | Self::CreateExposure
            | Self::ListExposures
            | Self::DeleteExposure
            | Self::GetUsage
            | Self::AssumeRole
            | Self::CreateAssumableRole
            | Self::ListAssumableRoles
            | Self::DeleteAssumableRole
            | Self::ListSessions
            | Self::RevokeSession
            | Self::RotateKey
            | Self::CreateProject
            | Self::ListProjects
            | Self::ReadJournal
            | Self::GetProject
            | Self::ExplainAccess
            | Self::GetOrganisation
            | Self::UpdateOrganisation
            | Self::ListUsers
            | Self::SuspendUser
            | Self::ResetSignIn
            | Self::ListMembers
            | Self::GrantRole
            | Self::RevokeRole
            | Self::CreateInvitation
            | Self::ListInvitations
            | Self::RevokeInvitation
            | Self::CreateOrganisation
            | Self::ListOrganisations
            | Self::Verify
            | Self::RunLifecycle => Level::Elsewhere,
            _ => Level::Bucket,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
