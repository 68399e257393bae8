//! What the tests of keys share: randomness from a seed, and a platform's keys in a directory that goes away.

use std::sync::{Arc, Mutex};

use nuee_base::{BlobId, Clock, Environment, OrganisationId, ProjectId, Random, Timestamp};
use nuee_keys::{BlobIdentity, DirectoryCustody, KeyCustody, KeyRing, ProjectKey};
use tempfile::TempDir;

/// Random bytes that a seed fixes ([SplitMix64](https://doi.org/10.1145/2714064.2660195)): for tests only.
pub(crate) struct Seeded(Mutex<u64>);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    pub(crate) fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(crate) fn bytes(&self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes);
        bytes
    }
}

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(8) {
            piece.copy_from_slice(&self.next().to_be_bytes()[..piece.len()]);
        }
    }
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000)
    }

    fn uptime(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

/// Time stands still, and the seed fixes all that is random.
pub(crate) fn environment(seed: u64) -> Environment {
    Environment::new(Still, Seeded::new(seed))
}

pub(crate) fn organisation(number: u8) -> OrganisationId {
    OrganisationId::from_bytes([number; 16])
}

pub(crate) fn project(number: u8) -> ProjectId {
    ProjectId::from_bytes([number; 16])
}

pub(crate) fn identity(of: u8, blob: u8) -> BlobIdentity {
    BlobIdentity { organisation: organisation(of), blob: BlobId::from_bytes([blob; 16]) }
}

/// A platform's keys; organisations 1 and 2 have theirs.
pub(crate) struct Platform {
    _directory: TempDir,
    pub(crate) custody: Arc<DirectoryCustody>,
    pub(crate) environment: Environment,
}

impl Platform {
    pub(crate) fn new(environment: Environment) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let custody = DirectoryCustody::create(&directory.path().join("keys"), environment.clone()).unwrap();
        custody.create_organisation_key(organisation(1)).unwrap();
        custody.create_organisation_key(organisation(2)).unwrap();
        Self { _directory: directory, custody: Arc::new(custody), environment }
    }

    /// A key ring that keeps nothing in memory yet.
    pub(crate) fn ring(&self) -> KeyRing {
        let custody = Arc::<DirectoryCustody>::clone(&self.custody);
        KeyRing::new(custody, self.environment.clone(), KeyRing::LIFETIME)
    }

    /// A new version of a project's key.
    pub(crate) fn project_key(&self, of: u8, number: u8, version: u32) -> Arc<ProjectKey> {
        let (ring, of, project) = (self.ring(), organisation(of), project(number));
        let wrapped = ring.create_project_key(of, project, version).unwrap();
        ring.project_key(of, project, version, || Ok::<_, nuee_keys::Error>(wrapped)).unwrap()
    }
}
