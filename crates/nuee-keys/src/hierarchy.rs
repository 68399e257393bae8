//! The hierarchy: project keys, what they wrap, and how long they stay in memory.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use aws_lc_rs::aead::Aad;
use nuee_base::{Environment, OrganisationId, ProjectId, Timestamp};
use zeroize::Zeroizing;

use crate::{
    BlobIdentity, DataKey, Error, JournalKey, KeyCustody, RowMacKey, SigningKey, WrappedDataKey,
    once::{self, Key},
};

/// The keys of a platform. Those that were used stay in memory for a while; when the custody is gone, what they open can
/// be read until then and no longer.
pub struct KeyRing {
    custody: Arc<dyn KeyCustody>,
    environment: Environment,
    lifetime: Duration,
    projects: Expiring<(OrganisationId, ProjectId, u32), ProjectKey>,
    rows: Expiring<OrganisationId, RowMacKey>,
    journal: Expiring<OrganisationId, JournalKey>,
    signing: Expiring<(), SigningKey>,
    lookup: Expiring<(), RowMacKey>,
}

/// For what the platform's own wrapping key is derived, and what it seals.
const WRAPPING: &[u8] = b"nuee/wrap/v1";
const WRAPPED: &str = "nuee/platform-secret/v1";

impl KeyRing {
    /// How long a key stays in memory, unless told otherwise.
    pub const LIFETIME: Duration = Duration::from_mins(5);

    /// The keys that this custody keeps.
    #[must_use]
    pub fn new(custody: Arc<dyn KeyCustody>, environment: Environment, lifetime: Duration) -> Self {
        Self {
            custody,
            environment,
            lifetime,
            projects: Expiring::default(),
            rows: Expiring::default(),
            lookup: Expiring::default(),
            journal: Expiring::default(),
            signing: Expiring::default(),
        }
    }

    /// Makes an organisation's key, in the custody.
    pub fn create_organisation_key(&self, organisation: OrganisationId) -> Result<(), Error> {
        self.custody.create_organisation_key(organisation)
    }

    /// Makes a version of a project's key; gives it wrapped by the organisation's key, for the caller to keep.
    pub fn create_project_key(
        &self,
        organisation: OrganisationId,
        project: ProjectId,
        version: u32,
    ) -> Result<Vec<u8>, Error> {
        let secret = once::generate(&self.environment);
        self.custody.wrap(organisation, &project_context(project, version), &secret[..])
    }

    /// A version of a project's key; `load` gives what [`KeyRing::create_project_key`] gave.
    pub fn project_key<E: From<Error>>(
        &self,
        organisation: OrganisationId,
        project: ProjectId,
        version: u32,
        load: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<Arc<ProjectKey>, E> {
        self.projects.get(&(organisation, project, version), self.environment.now(), self.lifetime, || {
            let opened = self.custody.unwrap(organisation, &project_context(project, version), &load()?)?;
            let secret = once::key_of(&opened).ok_or(Error::Tampered)?;
            Ok(ProjectKey { version, secret })
        })
    }

    /// The key that codes an organisation's rows, or the platform's own.
    pub fn row_mac_key(&self, organisation: OrganisationId) -> Result<Arc<RowMacKey>, Error> {
        self.rows.get(&organisation, self.environment.now(), self.lifetime, || {
            Ok(RowMacKey::new(&self.derive(organisation, b"nuee/row/v1")?[..]))
        })
    }

    /// A key of an organisation, or of the platform itself, for one use.
    fn derive(&self, organisation: OrganisationId, info: &[u8]) -> Result<Key, Error> {
        if organisation == OrganisationId::PLATFORM {
            self.custody.derive_for_platform(info)
        } else {
            self.custody.derive(organisation, info)
        }
    }

    /// The key that codes what is found on the whole platform and tells nothing by itself, such as addresses of people.
    pub fn lookup_key(&self) -> Result<Arc<RowMacKey>, Error> {
        self.lookup.get(&(), self.environment.now(), self.lifetime, || {
            Ok(RowMacKey::new(&self.custody.derive_for_platform(b"nuee/lookup/v1")?[..]))
        })
    }

    /// The key that seals what the journal says of an organisation, or of the platform itself.
    pub fn journal_key(&self, organisation: OrganisationId) -> Result<Arc<JournalKey>, Error> {
        self.journal.get(&organisation, self.environment.now(), self.lifetime, || {
            JournalKey::new(&*self.derive(organisation, b"nuee/journal/v1")?)
        })
    }

    /// The key that signs the platform's journal. It comes from the custody's root, so a backup of the keys has it too.
    pub fn signing_key(&self) -> Result<Arc<SigningKey>, Error> {
        self.signing.get(&(), self.environment.now(), self.lifetime, || {
            SigningKey::from_seed(&*self.custody.derive_for_platform(b"journal-signing/v1")?)
        })
    }

    /// Where time and randomness come from.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Wipes from memory the keys whose time is over. Asking for a key that is not in memory does so too: this is for
    /// whoever runs it now and then, so that they go from an idle process as well.
    pub fn forget_expired(&self) {
        let now = self.environment.now();
        self.projects.forget_expired(now);
        self.rows.forget_expired(now);
        self.lookup.forget_expired(now);
        self.journal.forget_expired(now);
        self.signing.forget_expired(now);
    }

    /// Wraps a small secret under the key of the organisation, or of the platform itself; `context` says which one it is.
    pub fn wrap(
        &self,
        organisation: OrganisationId,
        context: &[u8],
        secret: &[u8],
    ) -> Result<Vec<u8>, Error> {
        if organisation == OrganisationId::PLATFORM {
            let key = self.custody.derive_for_platform(WRAPPING)?;
            return once::seal(&key[..], &self.environment, (WRAPPED, context), secret);
        }
        self.custody.wrap(organisation, context, secret)
    }

    /// Unwraps what [`KeyRing::wrap`] wrapped with the same context.
    pub fn unwrap(
        &self,
        organisation: OrganisationId,
        context: &[u8],
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        if organisation == OrganisationId::PLATFORM {
            let key = self.custody.derive_for_platform(WRAPPING)?;
            return once::open(&key[..], (WRAPPED, context), wrapped);
        }
        self.custody.unwrap(organisation, context, wrapped)
    }
}

fn project_context(project: ProjectId, version: u32) -> Vec<u8> {
    [&b"nuee/project-key/v1"[..], &project.to_bytes(), &version.to_be_bytes()].concat()
}

/// A version of a project's key. Wiped from memory when dropped.
pub struct ProjectKey {
    version: u32,
    secret: Key,
}

impl ProjectKey {
    /// A fresh data key for the blob of this identity, and its wrapped form.
    pub fn fresh_data_key(
        &self,
        environment: &Environment,
        identity: BlobIdentity,
    ) -> Result<(DataKey, WrappedDataKey), Error> {
        let secret = once::generate(environment);
        let mut message = [0; 32];
        environment.fill_random(&mut message);
        let data_key = DataKey::derive(&secret, message, identity)?;
        let wrapped = self.wrap(&secret, &data_key, identity)?;
        Ok((data_key, wrapped))
    }

    fn wrap(&self, secret: &Key, key: &DataKey, identity: BlobIdentity) -> Result<WrappedDataKey, Error> {
        let mut wrapped = [0; 48];
        wrapped[..32].copy_from_slice(&secret[..]);
        let cipher = self.wrapping_cipher(&key.message, identity)?;
        let aad = Aad::from(key.commitment);
        let tag = cipher.seal_in_place_separate_tag(once::zero_nonce(), aad, &mut wrapped[..32]);
        wrapped[32..].copy_from_slice(tag.map_err(|_| Error::Tampered)?.as_ref());
        Ok(WrappedDataKey {
            version: self.version,
            message: key.message,
            wrapped,
            commitment: key.commitment,
        })
    }

    fn unwrap(&self, identity: BlobIdentity, wrapped: &WrappedDataKey) -> Result<Key, Error> {
        if wrapped.version != self.version {
            return Err(Error::Tampered);
        }
        let mut opened = Zeroizing::new(wrapped.wrapped);
        let cipher = self.wrapping_cipher(&wrapped.message, identity)?;
        let aad = Aad::from(wrapped.commitment);
        cipher.open_in_place(once::zero_nonce(), aad, &mut opened[..]).map_err(|_| Error::Tampered)?;
        once::key_of(&opened[..32]).ok_or(Error::Tampered)
    }

    fn wrapping_cipher(
        &self,
        message: &[u8; 32],
        identity: BlobIdentity,
    ) -> Result<aws_lc_rs::aead::LessSafeKey, Error> {
        let info: [&[u8]; 3] = [b"nuee/wrap/v1", &identity.context(), &self.version.to_be_bytes()];
        once::cipher(&once::derive::<32>(&self.secret[..], message, &info)?[..])
    }

    /// The data key of the blob of this identity.
    pub fn open_data_key(&self, identity: BlobIdentity, wrapped: &WrappedDataKey) -> Result<DataKey, Error> {
        DataKey::derive(&self.unwrap(identity, wrapped)?, wrapped.message, identity)
    }

    /// Seals a small record, such as an object's metadata, for a purpose and a place.
    pub fn seal_record(
        &self,
        environment: &Environment,
        purpose: &str,
        context: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let mut record = self.version.to_be_bytes().to_vec();
        record.extend(once::seal(&self.secret[..], environment, (&record_label(purpose), context), plain)?);
        Ok(record)
    }

    /// Opens what [`ProjectKey::seal_record`] sealed for the same purpose and place.
    pub fn open_record(
        &self,
        purpose: &str,
        context: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (version, sealed) = sealed.split_at_checked(4).ok_or(Error::Tampered)?;
        if version != self.version.to_be_bytes() {
            return Err(Error::Tampered);
        }
        once::open(&self.secret[..], (&record_label(purpose), context), sealed)
    }
}

fn record_label(purpose: &str) -> String {
    format!("nuee/record/v1/{purpose}")
}

/// The version of the project's key that sealed a record.
pub fn record_key_version(sealed: &[u8]) -> Result<u32, Error> {
    let (version, _) = sealed.split_first_chunk().ok_or(Error::Tampered)?;
    Ok(u32::from_be_bytes(*version))
}

/// Wraps a data key anew, under another version of its project's key. The blob is not touched.
pub fn rewrap(
    old: &ProjectKey,
    new: &ProjectKey,
    identity: BlobIdentity,
    wrapped: &WrappedDataKey,
) -> Result<WrappedDataKey, Error> {
    let secret = old.unwrap(identity, wrapped)?;
    let data_key = DataKey::derive(&secret, wrapped.message, identity)?;
    // A row that names a commitment that is not its key's stays refused: it is not mended on the way.
    if data_key.commitment != wrapped.commitment {
        return Err(Error::Tampered);
    }
    new.wrap(&secret, &data_key, identity)
}

/// Values that are kept for a limited time.
struct Expiring<K, V>(RwLock<HashMap<K, (Timestamp, Arc<V>)>>);

impl<K, V> Default for Expiring<K, V> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Eq + Hash + Copy, V> Expiring<K, V> {
    fn get<E>(
        &self,
        key: &K,
        now: Timestamp,
        lifetime: Duration,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<Arc<V>, E> {
        if let Some((until, value)) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(key)
            && *until > now
        {
            return Ok(Arc::clone(value));
        }
        // First, so that what expired is wiped although nothing may come in its place.
        self.forget_expired(now);
        let value = Arc::new(make()?);
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        kept.insert(*key, (now.saturating_add(lifetime), Arc::clone(&value)));
        Ok(value)
    }

    fn forget_expired(&self, now: Timestamp) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|_, (until, _)| *until > now);
    }
}
