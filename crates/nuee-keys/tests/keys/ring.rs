//! The key ring: how long keys stay in memory, and whose they are.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use nuee_base::{Clock, Environment, ErrorKind, Timestamp};
use nuee_keys::{Error, KeyRing};

use crate::support::{Platform, Seeded, environment, organisation, project};

/// A clock that stands until it is moved.
#[derive(Clone)]
struct ByHand(Arc<AtomicI64>);

impl ByHand {
    fn advance(&self, duration: Duration) {
        self.0.fetch_add(i64::try_from(duration.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for ByHand {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }

    fn uptime(&self) -> Duration {
        Duration::ZERO
    }
}

fn unreachable() -> Result<Vec<u8>, Error> {
    panic!("the key is in memory: nothing is to be loaded")
}

#[test]
fn without_its_custody_a_ring_opens_what_it_has_in_memory_and_then_nothing() {
    let clock = ByHand(Arc::new(AtomicI64::new(1_700_000_000_000_000)));
    let platform = Platform::new(Environment::new(clock.clone(), Seeded::new(1)));
    let ring = platform.ring();
    let wrapped = ring.create_project_key(organisation(1), project(1), 1).unwrap();
    let load = || Ok::<_, Error>(wrapped.clone());
    let key = ring.project_key(organisation(1), project(1), 1, load).unwrap();
    let record = key.seal_record(&platform.environment, "purpose", b"", b"text").unwrap();
    ring.row_mac_key(organisation(1)).unwrap();

    let keys = platform.custody.directory();
    fs::rename(keys, platform.custody.directory().with_file_name("away")).unwrap();
    clock.advance(KeyRing::LIFETIME.saturating_sub(Duration::from_micros(1)));
    let key = ring.project_key(organisation(1), project(1), 1, unreachable).unwrap();
    assert_eq!(&*key.open_record("purpose", b"", &record).unwrap(), b"text");
    assert!(ring.row_mac_key(organisation(1)).is_ok());
    // What was not in memory does not open.
    assert!(matches!(ring.row_mac_key(organisation(2)), Err(Error::NoCustody(_))));
    assert!(matches!(ring.project_key(organisation(1), project(1), 2, load), Err(Error::NoCustody(_))));

    clock.advance(Duration::from_micros(1));
    for _ in 0..2 {
        let error = ring.project_key(organisation(1), project(1), 1, load).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(matches!(ring.row_mac_key(organisation(1)), Err(Error::NoCustody(_))));
        assert!(ring.unwrap(organisation(1), b"", b"").is_err());
        clock.advance(Duration::from_secs(1));
    }

    fs::rename(platform.custody.directory().with_file_name("away"), keys).unwrap();
    let key = ring.project_key(organisation(1), project(1), 1, load).unwrap();
    assert_eq!(&*key.open_record("purpose", b"", &record).unwrap(), b"text");
    assert!(ring.row_mac_key(organisation(1)).is_ok());
}

#[test]
fn using_a_key_does_not_prolong_its_stay() {
    let clock = ByHand(Arc::new(AtomicI64::new(0)));
    let platform = Platform::new(Environment::new(clock.clone(), Seeded::new(2)));
    let ring = platform.ring();
    ring.row_mac_key(organisation(1)).unwrap();
    fs::remove_dir_all(platform.custody.directory()).unwrap();
    for _ in 0..4 {
        clock.advance(KeyRing::LIFETIME / 5);
        ring.row_mac_key(organisation(1)).unwrap();
    }
    clock.advance(KeyRing::LIFETIME / 5);
    assert!(ring.row_mac_key(organisation(1)).is_err());
}

#[test]
fn a_project_key_in_memory_is_its_organisation_s_alone() {
    let platform = Platform::new(environment(3));
    let ring = platform.ring();
    let wrapped = ring.create_project_key(organisation(1), project(1), 1).unwrap();
    let load = || Ok::<_, Error>(wrapped.clone());
    assert!(ring.project_key(organisation(1), project(1), 1, load).is_ok());
    assert!(matches!(ring.project_key(organisation(2), project(1), 1, load), Err(Error::Tampered)));
}

#[test]
fn a_failure_to_load_is_the_caller_s_and_is_not_kept() {
    let platform = Platform::new(environment(4));
    let ring = platform.ring();
    let wrapped = ring.create_project_key(organisation(1), project(1), 1).unwrap();
    let failed = ring.project_key(organisation(1), project(1), 1, || Err::<Vec<u8>, _>(Error::TooLong));
    assert!(matches!(failed, Err(Error::TooLong)));
    assert!(ring.project_key(organisation(1), project(1), 1, || Ok::<_, Error>(wrapped)).is_ok());
}

#[test]
fn the_records_of_a_key_say_which_version_sealed_them() {
    let platform = Platform::new(environment(5));
    let key = platform.project_key(1, 1, 258);
    let record = key.seal_record(&platform.environment, "purpose", b"place", b"").unwrap();
    assert_eq!(nuee_keys::record_key_version(&record).unwrap(), 258);
    assert!(nuee_keys::record_key_version(&record[..3]).is_err());
    assert!(key.open_record("purpose", b"place", &record).unwrap().is_empty());
}

#[test]
fn a_key_that_expired_is_wiped_although_none_comes_in_its_place() {
    let clock = ByHand(Arc::new(AtomicI64::new(0)));
    let platform = Platform::new(Environment::new(clock.clone(), Seeded::new(6)));
    let ring = platform.ring();
    let wrapped = ring.create_project_key(organisation(1), project(1), 1).unwrap();
    let load = || Ok::<_, Error>(wrapped.clone());
    let project_key = || ring.project_key(organisation(1), project(1), 1, load);

    let key = Arc::downgrade(&project_key().unwrap());
    let rows = Arc::downgrade(&ring.row_mac_key(organisation(1)).unwrap());
    let instant = Duration::from_micros(1);
    clock.advance(KeyRing::LIFETIME.checked_sub(instant).unwrap());
    ring.forget_expired();
    assert!(key.upgrade().is_some() && rows.upgrade().is_some());
    clock.advance(instant);
    ring.forget_expired();
    assert!(key.upgrade().is_none() && rows.upgrade().is_none());

    let key = Arc::downgrade(&project_key().unwrap());
    fs::remove_dir_all(platform.custody.directory()).unwrap();
    clock.advance(KeyRing::LIFETIME);
    assert!(project_key().is_err());
    assert!(key.upgrade().is_none());
}
