//! What tenants write beside content, sealed under their project's key: details, tags, settings.

use nuee_keys::record_key_version;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Bucket, Details, Error, Store, TagSet, record};

/// What sealed details are for, so that no other sealed record passes for them.
pub(crate) const DETAILS: &str = "details";
/// What sealed tags are for.
pub(crate) const TAGS: &str = "tags";

impl Store {
    /// Seals a record for a purpose.
    pub(crate) fn seal(&self, bucket: &Bucket, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, Error> {
        let key = self.sealing_key(bucket.organisation, bucket.project)?;
        Ok(key.seal_record(&self.0.environment, purpose, &bucket.organisation.to_bytes(), plain)?)
    }

    /// Opens what [`Store::seal`] gave for the same purpose.
    pub(crate) fn open_sealed(
        &self,
        bucket: &Bucket,
        purpose: &str,
        sealed: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let damaged = |error: nuee_keys::Error| Error::damaged(format!("sealed {purpose}"), error);
        let version = record_key_version(sealed).map_err(damaged)?;
        let key = self.project_key(bucket.organisation, bucket.project, version)?;
        let plain = key.open_record(purpose, &bucket.organisation.to_bytes(), sealed).map_err(damaged)?;
        Ok(plain.to_vec())
    }

    pub(crate) fn seal_details(&self, bucket: &Bucket, details: &Details) -> Result<Vec<u8>, Error> {
        if details.metadata_bytes() > Details::MAX_METADATA_BYTES {
            let limit = Details::MAX_METADATA_BYTES as u64;
            return Err(Error::TooLarge { what: "the user metadata", limit });
        }
        self.seal_unless_default(bucket, DETAILS, details)
    }

    pub(crate) fn open_details(&self, bucket: &Bucket, sealed: &[u8]) -> Result<Details, Error> {
        self.open_or_default(bucket, DETAILS, sealed)
    }

    pub(crate) fn seal_tags(&self, bucket: &Bucket, tags: &TagSet) -> Result<Vec<u8>, Error> {
        self.seal_unless_default(bucket, TAGS, tags)
    }

    pub(crate) fn open_tags(&self, bucket: &Bucket, sealed: &[u8]) -> Result<TagSet, Error> {
        self.open_or_default(bucket, TAGS, sealed)
    }

    /// Nothing for what says nothing, so that most objects need no sealing here.
    fn seal_unless_default<T: Serialize + Default + PartialEq>(
        &self,
        bucket: &Bucket,
        purpose: &str,
        record: &T,
    ) -> Result<Vec<u8>, Error> {
        match *record == T::default() {
            true => Ok(Vec::new()),
            false => self.seal(bucket, purpose, &record::encode(record)?),
        }
    }

    fn open_or_default<T: DeserializeOwned + Default>(
        &self,
        bucket: &Bucket,
        purpose: &str,
        sealed: &[u8],
    ) -> Result<T, Error> {
        match sealed.is_empty() {
            true => Ok(T::default()),
            false => record::decode(purpose, &self.open_sealed(bucket, purpose, sealed)?),
        }
    }
}
