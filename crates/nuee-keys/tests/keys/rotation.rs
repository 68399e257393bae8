//! Rotation: wrapped keys change, sealed blobs do not.

use nuee_base::{BlobId, ErrorKind};
use nuee_keys::{BlobIdentity, Error, HEADER_SIZE, Opener, ProjectKey, Sealer, WrappedDataKey, rewrap};

use crate::support::{Platform, environment, identity, organisation};

const TEXT: &[u8] = b"sealed once, under a key that is wrapped anew";

fn open(
    key: &ProjectKey,
    identity: BlobIdentity,
    wrapped: &WrappedDataKey,
    sealed: &[u8],
) -> Result<Vec<u8>, Error> {
    let (header, body) = sealed.split_at(HEADER_SIZE);
    let opener = Opener::new(key.open_data_key(identity, wrapped)?, wrapped, header)?;
    let size = TEXT.len() as u64;
    let mut body = body.to_vec();
    let opened = opener.open_range(size, &(0..size), &mut body)?;
    Ok(opened.into_iter().flat_map(|place| body[place].to_vec()).collect())
}

#[test]
fn a_rewrapped_key_opens_the_same_bytes_and_the_old_key_does_not() {
    let platform = Platform::new(environment(1));
    let (old, new) = (platform.project_key(1, 1, 1), platform.project_key(1, 1, 2));
    let (data_key, wrapped) = old.fresh_data_key(&platform.environment, identity(1, 1)).unwrap();
    let sealed = Sealer::new(data_key).seal_whole(TEXT).unwrap();
    let rewrapped = rewrap(&old, &new, identity(1, 1), &wrapped).unwrap();

    assert_eq!((wrapped.key_version(), rewrapped.key_version()), (1, 2));
    assert_eq!(open(&old, identity(1, 1), &wrapped, &sealed).unwrap(), TEXT);
    assert_eq!(open(&new, identity(1, 1), &rewrapped, &sealed).unwrap(), TEXT);
    for (key, row) in [(&new, &wrapped), (&old, &rewrapped)] {
        assert_eq!(open(key, identity(1, 1), row, &sealed).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    // The old row, told to be one of the new key.
    let mut told = wrapped.to_bytes();
    told[2..6].copy_from_slice(&2_u32.to_be_bytes());
    let told = WrappedDataKey::from_bytes(&told).unwrap();
    assert!(open(&new, identity(1, 1), &told, &sealed).is_err());
}

#[test]
fn a_key_that_is_not_the_row_s_is_not_rewrapped() {
    let platform = Platform::new(environment(2));
    let (old, new) = (platform.project_key(1, 1, 1), platform.project_key(1, 1, 2));
    let (_, wrapped) = old.fresh_data_key(&platform.environment, identity(1, 1)).unwrap();
    assert!(matches!(rewrap(&new, &old, identity(1, 1), &wrapped), Err(Error::Tampered)));
    assert!(matches!(rewrap(&old, &new, identity(1, 2), &wrapped), Err(Error::Tampered)));
    assert!(matches!(rewrap(&old, &new, identity(2, 1), &wrapped), Err(Error::Tampered)));
}

#[test]
fn ten_thousand_wrapped_keys_are_rewrapped() {
    let platform = Platform::new(environment(3));
    let (old, new) = (platform.project_key(1, 1, 1), platform.project_key(1, 1, 2));
    for number in 0..10_000_u128 {
        let blob = BlobId::from_bytes(number.to_be_bytes());
        let identity = BlobIdentity { organisation: organisation(1), blob };
        let (data_key, wrapped) = old.fresh_data_key(&platform.environment, identity).unwrap();
        let sealed = Sealer::new(data_key).seal_whole(TEXT).unwrap();
        let rewrapped = rewrap(&old, &new, identity, &wrapped).unwrap();
        let stored = WrappedDataKey::from_bytes(&rewrapped.to_bytes()).unwrap();
        assert_eq!(open(&new, identity, &stored, &sealed).unwrap(), TEXT);
        assert!(open(&new, identity, &wrapped, &sealed).is_err());
    }
}
