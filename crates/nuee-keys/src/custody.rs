//! Custody: who keeps the keys of organisations.

pub(crate) mod directory;

use nuee_base::OrganisationId;
use zeroize::Zeroizing;

use crate::Error;

pub use directory::{DirectoryCustody, InstanceId};

/// Keeps one key for each organisation, and uses it for others without giving it away. Each operation is complete when
/// it returns: a key that was created survives a power cut, one that was destroyed does not come back.
pub trait KeyCustody: Send + Sync + 'static {
    /// Makes an organisation's key. [`Error::OrganisationKeyExists`] if it has one.
    fn create_organisation_key(&self, organisation: OrganisationId) -> Result<(), Error>;

    /// Destroys an organisation's key, and with it all that the organisation ever stored.
    fn destroy_organisation_key(&self, organisation: OrganisationId) -> Result<(), Error>;

    /// The organisations that have a key.
    fn organisations(&self) -> Result<Vec<OrganisationId>, Error>;

    /// Seals a small secret under an organisation's key; `context` says which secret it is.
    fn wrap(&self, organisation: OrganisationId, context: &[u8], secret: &[u8]) -> Result<Vec<u8>, Error>;

    /// Opens what [`KeyCustody::wrap`] sealed with the same context.
    fn unwrap(
        &self,
        organisation: OrganisationId,
        context: &[u8],
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error>;

    /// A key derived from an organisation's, for one use, which `info` names.
    fn derive(&self, organisation: OrganisationId, info: &[u8]) -> Result<Zeroizing<[u8; 32]>, Error>;

    /// A key of the platform itself, for one use, which `info` names. As long as the custody is the same one, so is it.
    fn derive_for_platform(&self, info: &[u8]) -> Result<Zeroizing<[u8; 32]>, Error>;
}
