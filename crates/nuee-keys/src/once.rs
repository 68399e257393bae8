//! Sealing under a key that is used once: derived from a long-lived key and a salt that is never used again, so that no
//! number of sealings wears the long-lived key out, and a fixed nonce is safe.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA512, KeyType, Salt},
};
use nuee_base::Environment;
use zeroize::Zeroizing;

use crate::Error;

/// A key's 32 bytes.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// The length of a salt, in bytes.
pub(crate) const SALT_SIZE: usize = 32;
const FORM: u8 = 1;

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-SHA-512 (RFC 5869) of `key` and `salt`; `info` is the concatenation of its pieces.
pub(crate) fn derive<const N: usize>(
    key: &[u8],
    salt: &[u8],
    info: &[&[u8]],
) -> Result<Zeroizing<[u8; N]>, Error> {
    let mut derived = Zeroizing::new([0; N]);
    let pseudo_random_key = Salt::new(HKDF_SHA512, salt).extract(key);
    let expanded = pseudo_random_key.expand(info, Length(N)).map_err(|_| Error::Tampered)?;
    expanded.fill(&mut derived[..]).map_err(|_| Error::Tampered)?;
    Ok(derived)
}

/// An AES-256-GCM cipher.
pub(crate) fn cipher(key: &[u8]) -> Result<LessSafeKey, Error> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).map_err(|_| Error::Tampered)
}

/// The nonce of a key that is used once.
pub(crate) fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

/// A length before bytes, so that no two lists of fields give the same bytes.
pub(crate) fn length_of(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes()
}

/// These bytes as a key, if they are 32; copied to nowhere else.
pub(crate) fn key_of(bytes: &[u8]) -> Option<Key> {
    let mut key = Zeroizing::new([0; 32]);
    if bytes.len() != key.len() {
        return None;
    }
    key.copy_from_slice(bytes);
    Some(key)
}

/// A fresh random key.
pub(crate) fn generate(environment: &Environment) -> Key {
    let mut key = Zeroizing::new([0; 32]);
    environment.fill_random(&mut key[..]);
    key
}

fn one_time_cipher(key: &[u8], salt: &[u8], label: &str, context: &[u8]) -> Result<LessSafeKey, Error> {
    let label = label.as_bytes();
    let derived = derive::<32>(key, salt, &[&length_of(label), label, &length_of(context), context])?;
    cipher(&derived[..])
}

/// Seals `plain` for one purpose (`label`) and one place (`context`): form, salt, ciphertext, tag.
pub(crate) fn seal(
    key: &[u8],
    environment: &Environment,
    (label, context): (&str, &[u8]),
    plain: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut salt = [0; SALT_SIZE];
    environment.fill_random(&mut salt);
    let cipher = one_time_cipher(key, &salt, label, context)?;
    let mut sealed = Vec::with_capacity(1 + SALT_SIZE + plain.len() + 16);
    sealed.push(FORM);
    sealed.extend_from_slice(&salt);
    sealed.extend_from_slice(plain);
    let body = &mut sealed[1 + SALT_SIZE..];
    let tag = cipher.seal_in_place_separate_tag(zero_nonce(), Aad::from([FORM]), body);
    sealed.extend_from_slice(tag.map_err(|_| Error::Tampered)?.as_ref());
    Ok(sealed)
}

/// Opens what [`seal`] sealed for the same purpose and place.
pub(crate) fn open(
    key: &[u8],
    (label, context): (&str, &[u8]),
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (form, rest) = sealed.split_first().ok_or(Error::Tampered)?;
    if *form != FORM {
        return Err(Error::UnknownForm("a sealed record"));
    }
    let (salt, body) = rest.split_at_checked(SALT_SIZE).ok_or(Error::Tampered)?;
    let cipher = one_time_cipher(key, salt, label, context)?;
    let mut plain = Zeroizing::new(body.to_vec());
    let length =
        cipher.open_in_place(zero_nonce(), Aad::from([FORM]), &mut plain).map_err(|_| Error::Tampered)?.len();
    plain.truncate(length);
    Ok(plain)
}
