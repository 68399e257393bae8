//! The game that the commitment ends: one ciphertext that opens under two keys, to two texts.
//!
//! AES-GCM does not bind a ciphertext to its key. Whoever knows two keys can solve for a block that gives the same tag
//! under both ([Dodis, Grubbs, Ristenpart, Woodage 2018](https://eprint.iacr.org/2019/016)), and could show a harmless
//! text to one reader and another text to the next. The attacker here is as strong as can be: knows the project's key,
//! crafts the ciphertext, and wraps the second data key so that its row names the first one's commitment.

use std::sync::Arc;

use aws_lc_rs::{
    aead::{self, Aad, LessSafeKey, Nonce},
    cipher::{self, EncryptingKey, EncryptionContext},
    hkdf::{HKDF_SHA512, KeyType, Salt},
    iv::FixedLength,
};
use nuee_base::OrganisationId;
use nuee_keys::{BlobIdentity, Error, KeyCustody, KeyRing, ProjectKey, WrappedDataKey, rewrap};
use zeroize::Zeroizing;

use crate::{
    Tally,
    blobs::Blob,
    support::{Seeded, environment, identity, organisation, project},
};

const MESSAGE: [u8; 32] = [0x4d; 32];
const BLOCKS: usize = 64;

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn hkdf<const N: usize>(secret: &[u8], info: &[&[u8]]) -> [u8; N] {
    let mut derived = [0; N];
    let key = Salt::new(HKDF_SHA512, &MESSAGE).extract(secret);
    key.expand(info, Length(N)).unwrap().fill(&mut derived).unwrap();
    derived
}

/// What a blob's key is derived for: form, algorithm, organisation, blob, chunk size, each after its length.
fn context(identity: BlobIdentity) -> Vec<u8> {
    let (organisation, blob) = (identity.organisation.to_bytes(), identity.blob.to_bytes());
    [&[1, 1, 1, 1, 16][..], &organisation, &[16], &blob, &[1, 16]].concat()
}

/// A data key as its maker knows it.
struct Known {
    secret: [u8; 32],
    encryption: [u8; 32],
    commitment: [u8; 32],
}

impl Known {
    fn new(secret: [u8; 32], identity: BlobIdentity) -> Self {
        let derived = hkdf::<64>(&secret, &[b"nuee/blob/v1", &context(identity)]);
        let (encryption, commitment) = derived.split_at(32);
        Self {
            secret,
            encryption: encryption.try_into().unwrap(),
            commitment: commitment.try_into().unwrap(),
        }
    }

    /// One block of AES: the first of the key stream that begins at `block`.
    fn aes(&self, block: [u8; 16]) -> u128 {
        let key = cipher::UnboundCipherKey::new(&cipher::AES_256, &self.encryption).unwrap();
        let mut stream = [0; 16];
        let context = EncryptionContext::Iv128(FixedLength::from(block));
        EncryptingKey::ctr(key).unwrap().less_safe_encrypt(&mut stream, context).unwrap();
        u128::from_be_bytes(stream)
    }

    /// The key of GHASH.
    fn hash_key(&self) -> u128 {
        self.aes([0; 16])
    }

    /// What masks the tag of the first chunk, which is the last one too.
    fn mask(&self) -> u128 {
        let mut counter = [0; 16];
        counter[..12].copy_from_slice(&nonce());
        counter[15] = 1;
        self.aes(counter)
    }

    /// GCM itself, without Nuée round it.
    fn open_chunk(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let key = LessSafeKey::new(aead::UnboundKey::new(&aead::AES_256_GCM, &self.encryption).unwrap());
        let (nonce, mut opened) = (Nonce::assume_unique_for_key(nonce()), sealed.to_vec());
        key.open_in_place(nonce, Aad::empty(), &mut opened).ok().map(|plain| plain.to_vec())
    }

    /// The stored form of this key, wrapped by one who knows the project's key and may name any commitment.
    fn wrap(&self, project: &[u8; 32], identity: BlobIdentity, commitment: [u8; 32]) -> Vec<u8> {
        let version = 1_u32.to_be_bytes();
        let key = hkdf::<32>(project, &[b"nuee/wrap/v1", &context(identity), &version]);
        let key = LessSafeKey::new(aead::UnboundKey::new(&aead::AES_256_GCM, &key).unwrap());
        let mut wrapped = self.secret.to_vec();
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        key.seal_in_place_append_tag(nonce, Aad::from(commitment), &mut wrapped).unwrap();
        [&[1, 1], &version[..], &MESSAGE, &wrapped, &commitment].concat()
    }
}

/// The nonce of a chunk that is the first and the last.
fn nonce() -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..7].copy_from_slice(&MESSAGE[..7]);
    nonce[11] = 1;
    nonce
}

/// The product in the field of GHASH (NIST SP 800-38D, 6.3).
fn multiply(left: u128, right: u128) -> u128 {
    let (mut product, mut factor) = (0, right);
    for bit in (0..128).rev() {
        if left >> bit & 1 == 1 {
            product ^= factor;
        }
        factor = if factor & 1 == 1 { factor >> 1 ^ 0xe1 << 120 } else { factor >> 1 };
    }
    product
}

/// The inverse: the power 2^128 - 2.
fn invert(element: u128) -> u128 {
    let (mut inverse, mut square) = (1 << 127, element);
    for _ in 1..128 {
        square = multiply(square, square);
        inverse = multiply(inverse, square);
    }
    inverse
}

/// GHASH of blocks of ciphertext and their length.
fn ghash(key: u128, blocks: &[u128]) -> u128 {
    let bits = blocks.len() as u128 * 128;
    blocks.iter().chain([&bits]).fold(0, |hash, block| multiply(hash ^ block, key))
}

/// A ciphertext with a tag that is right under both keys: its last block is solved for.
fn collide(one: &Known, other: &Known, random: &Seeded) -> Vec<u8> {
    let mut blocks: Vec<_> =
        (0..BLOCKS).map(|_| u128::from_be_bytes(random.bytes(16).try_into().unwrap())).collect();
    blocks[BLOCKS - 1] = 0;
    let tag = |key: &Known, blocks: &[u128]| ghash(key.hash_key(), blocks) ^ key.mask();
    let square = |key: &Known| multiply(key.hash_key(), key.hash_key());
    let difference = tag(one, &blocks) ^ tag(other, &blocks);
    blocks[BLOCKS - 1] = multiply(difference, invert(square(one) ^ square(other)));
    assert_eq!(tag(one, &blocks), tag(other, &blocks));
    blocks.push(tag(one, &blocks));
    blocks.iter().flat_map(|block| block.to_be_bytes()).collect()
}

/// A custody that wraps nothing, so that the attacker knows the project's key.
struct Open;

impl KeyCustody for Open {
    fn create_organisation_key(&self, _: OrganisationId) -> Result<(), Error> {
        Ok(())
    }

    fn destroy_organisation_key(&self, _: OrganisationId) -> Result<(), Error> {
        Ok(())
    }

    fn organisations(&self) -> Result<Vec<OrganisationId>, Error> {
        Ok(Vec::new())
    }

    fn wrap(&self, _: OrganisationId, _: &[u8], secret: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(secret.to_vec())
    }

    fn unwrap(&self, _: OrganisationId, _: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        Ok(Zeroizing::new(wrapped.to_vec()))
    }

    fn derive(&self, _: OrganisationId, _: &[u8]) -> Result<Zeroizing<[u8; 32]>, Error> {
        Ok(Zeroizing::new([0; 32]))
    }

    fn derive_for_platform(&self, _: &[u8]) -> Result<Zeroizing<[u8; 32]>, Error> {
        Ok(Zeroizing::new([0; 32]))
    }
}

fn project_key(secret: &[u8; 32]) -> Arc<ProjectKey> {
    let ring = KeyRing::new(Arc::new(Open), environment(70), KeyRing::LIFETIME);
    ring.project_key(organisation(1), project(1), 1, || Ok::<_, Error>(secret.to_vec())).unwrap()
}

fn header(commitment: [u8; 32]) -> Vec<u8> {
    [&b"nueeblob"[..], &[1, 1, 16, 0], &MESSAGE, &commitment].concat()
}

pub(crate) fn play(tally: &mut Tally) {
    let random = Seeded::new(71);
    let secret = || <[u8; 32]>::try_from(random.bytes(32)).unwrap();
    let project_secret = secret();
    let key = project_key(&project_secret);
    for _ in 0..20 {
        let at = identity(1, 1);
        let (shown, hidden) = (Known::new(secret(), at), Known::new(secret(), at));
        let chunk = collide(&shown, &hidden, &random);
        let texts = [&shown, &hidden].map(|known| known.open_chunk(&chunk).expect("GCM alone is deceived"));
        assert_ne!(texts[0], texts[1]);

        let blob = |opened_with: &Known, told: [u8; 32], header_tells: [u8; 32]| Blob {
            identity: at,
            key: Arc::clone(&key),
            wrapped: <[u8; WrappedDataKey::SIZE]>::try_from(opened_with.wrap(&project_secret, at, told))
                .unwrap(),
            sealed: [header(header_tells), chunk.clone()].concat(),
            size: BLOCKS as u64 * 16,
        };
        // The sealed bytes are one blob, and its header has one commitment: it opens to the text of that key alone.
        let honest = blob(&shown, shown.commitment, shown.commitment);
        assert_eq!(honest.open().unwrap(), texts[0]);
        for (told, header_tells) in [
            (hidden.commitment, shown.commitment),
            (shown.commitment, shown.commitment),
            (shown.commitment, hidden.commitment),
        ] {
            let result = blob(&hidden, told, header_tells).open();
            tally.refused("commitment: a second text for one blob", &result, String::new);
        }
        for (secret_of, told) in [(&hidden, shown.commitment), (&shown, hidden.commitment)] {
            let wrapped = WrappedDataKey::from_bytes(&blob(secret_of, told, told).wrapped).unwrap();
            let result = rewrap(&key, &key, at, &wrapped);
            tally.refused("commitment: mended by a rotation", &result, String::new);
        }
    }
}
