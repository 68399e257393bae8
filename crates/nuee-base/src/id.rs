//! Ids that Nuée generates: 128 bits, ordered by creation time ([ULID](https://github.com/ulid/spec)).
//!
//! Time order keeps the rows of one burst of writes on neighbouring pages of a B-tree. An id is shown as 26
//! characters of Crockford base32 and stored as 16 bytes, big-endian.

use std::{fmt, str::FromStr};

use ulid::Ulid;

use crate::Environment;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {kind} id: expected 26 characters of Crockford base32")]
pub struct InvalidId {
    kind: &'static str,
    text: String,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ulid);

        impl $name {
            /// A fresh id: 48 bits of the environment's time in milliseconds, then 80 random bits.
            #[must_use]
            pub fn generate(environment: &Environment) -> Self {
                let mut random = [0; 16];
                environment.fill_random(&mut random);
                let millis = u64::try_from(environment.now().as_micros() / 1_000).unwrap_or(0);
                Self(Ulid::from_parts(millis, u128::from_be_bytes(random)))
            }

            /// The id that these 16 big-endian bytes store.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Ulid::from_bytes(bytes))
            }

            /// The 16 bytes, big-endian, that storage keeps.
            #[must_use]
            pub fn to_bytes(self) -> [u8; 16] {
                self.0.to_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut buffer = [0; ulid::ULID_LEN];
                f.write_str(self.0.array_to_str(&mut buffer))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let canonical = Ulid::from_string(text).ok().map(Self).filter(|id| id.to_string() == text);
                canonical.ok_or_else(|| InvalidId { kind: $kind, text: text.chars().take(64).collect() })
            }
        }
    )*};
}

ids! {
    /// An organisation: the tenant, and the boundary of keys.
    OrganisationId, "organisation";
    /// A project: the unit of work in an organisation.
    ProjectId, "project";
    /// A service account: a principal that is not a person.
    ServiceAccountId, "service account";
    /// An exposure: a decision that something may be reached from a zone.
    ExposureId, "exposure";
    /// A session: a role that somebody acts in for a while.
    SessionId, "session";
    /// A user: a person.
    UserId, "user";
    /// An invitation to join an organisation or a project.
    InvitationId, "invitation";
    /// A sign-in: a user at a browser or a command line, for a while.
    SignInId, "sign-in";
    /// A bucket, for as long as it exists; its name may be used again later by another bucket.
    BucketId, "bucket";
    /// A blob: immutable sealed bytes that a site holds.
    BlobId, "blob";
    /// A multipart upload.
    UploadId, "upload";
    /// A site: a place that keeps blobs.
    SiteId, "site";
}

impl OrganisationId {
    /// What stands for the platform itself where an organisation is named. No organisation has it.
    pub const PLATFORM: Self = Self(Ulid(0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_text_and_bytes() {
        let id = BlobId::generate(&Environment::system());
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(BlobId::from_bytes(id.to_bytes()), id);
        assert_eq!(id.to_string().len(), 26);
    }

    #[test]
    fn a_text_that_is_no_id_says_what_was_expected() {
        let error = "not an id".parse::<BucketId>().unwrap_err();
        assert!(error.to_string().contains("bucket id"), "{error}");
        assert!("8".repeat(26).parse::<BucketId>().is_err(), "an overflowing ULID must be refused");
    }
}
