//! A copy of the custody that a passphrase seals, to be kept elsewhere.
//!
//! The key comes from the passphrase by Argon2id (RFC 9106); its cost stands in the file and is bounded when read.

use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use nuee_base::{Environment, Secret};
use zeroize::Zeroizing;

use crate::{
    Error,
    custody::directory::{ROOT_FILE, exists, file_names, prepare, read, write_new},
    once::{self, Key},
};

const MAGIC: &[u8; 8] = b"nueekeys";
const FORM: u8 = 1;
const SALT_SIZE: usize = 16;
const HEADER_SIZE: usize = 8 + 1 + 12 + SALT_SIZE;
const LABEL: &str = "nuee/backup/v1";
/// Room for the files of a custody, as they are before they are sealed.
const PLAIN_BYTES: usize = 64 << 10;
/// Memory in KiB, passes, lanes.
const COST: [u32; 3] = [64 << 10, 3, 1];
/// More than this is not believed of a file.
const HIGHEST_COST: [u32; 3] = [1 << 20, 16, 4];

/// The custody in `directory`, sealed by `passphrase`.
pub fn backup(directory: &Path, passphrase: &Secret, environment: &Environment) -> Result<Vec<u8>, Error> {
    if !exists(&directory.join(ROOT_FILE))? {
        return Err(Error::NoCustody(directory.to_path_buf()));
    }
    // With room for all: were it to grow, the keys would stay behind in the memory that it leaves.
    let mut plain = Zeroizing::new(String::with_capacity(PLAIN_BYTES));
    for name in file_names(directory)?.iter().filter(|name| name.strip_suffix(".key").is_some()) {
        let content = Zeroizing::new(hex::encode(read(&directory.join(name))?.as_bytes()));
        let line = [name, " ", &*content, "\n"];
        if plain.len() + line.iter().map(|part| part.len()).sum::<usize>() > plain.capacity() {
            let mut larger = Zeroizing::new(String::with_capacity(2 * plain.capacity() + content.len()));
            larger.push_str(&plain);
            plain = larger;
        }
        for part in line {
            plain.push_str(part);
        }
    }
    let mut salt = [0; SALT_SIZE];
    environment.fill_random(&mut salt);
    let mut file = [&MAGIC[..], &[FORM]].concat();
    for cost in COST {
        file.extend_from_slice(&cost.to_be_bytes());
    }
    file.extend_from_slice(&salt);
    let key = stretch(passphrase, COST, &salt)?;
    let sealed = once::seal(&key[..], environment, (LABEL, &file), plain.as_bytes())?;
    file.extend_from_slice(&sealed);
    Ok(file)
}

/// Writes the custody that `file` holds to an empty or new directory.
pub fn restore(file: &[u8], passphrase: &Secret, directory: &Path) -> Result<(), Error> {
    let (header, sealed) =
        file.split_at_checked(HEADER_SIZE).ok_or(Error::UnknownForm("a backup of keys"))?;
    if header[..8] != *MAGIC || header[8] != FORM {
        return Err(Error::UnknownForm("a backup of keys"));
    }
    let mut cost = [0; 3];
    for (cost, bytes) in cost.iter_mut().zip(header[9..21].chunks_exact(4)) {
        *cost = bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
    }
    if cost.iter().zip(HIGHEST_COST).any(|(cost, highest)| *cost > highest) {
        return Err(Error::BackupRefused);
    }
    let key = stretch(passphrase, cost, &header[21..])?;
    let plain = once::open(&key[..], (LABEL, header), sealed).map_err(|_| Error::BackupRefused)?;
    let plain = std::str::from_utf8(&plain).map_err(|_| Error::BackupRefused)?;
    prepare(directory)?;
    for line in plain.lines() {
        let (name, content) = line.split_once(' ').ok_or(Error::BackupRefused)?;
        let plain_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        let content = hex::decode(content).map(Zeroizing::new).map_err(|_| Error::BackupRefused)?;
        if !plain_name || name.starts_with('.') {
            return Err(Error::BackupRefused);
        }
        write_new(&directory.join(name), &content)?;
    }
    Ok(())
}

fn stretch(passphrase: &Secret, [memory, passes, lanes]: [u32; 3], salt: &[u8]) -> Result<Key, Error> {
    let params = Params::new(memory, passes, lanes, Some(32)).map_err(|_| Error::BackupRefused)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose().as_bytes(), salt, &mut key[..])
        .map_err(|_| Error::BackupRefused)?;
    Ok(key)
}
