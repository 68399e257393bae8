//! Custody in a directory: `root.key`, and one file per organisation, sealed under the root key.
//!
//! It lies outside the data directory, so that a copy of the data alone opens nothing. Files are read when they are
//! needed: a directory that goes away is noticed, and a key that was destroyed is gone.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use nuee_base::{Environment, OrganisationId, SiteId};
use zeroize::Zeroizing;

use crate::{
    Error, KeyCustody,
    once::{self, Key},
};

/// Which platform a custody belongs to: its data directory has the same id.
pub type InstanceId = SiteId;

pub(crate) const ROOT_FILE: &str = "root.key";
const ROOT_TITLE: &str = "nuee root key, form 1";
const ORGANISATION_TITLE: &str = "nuee organisation key, form 1";
const TEMPORARY_PREFIX: &str = ".key-";
const TEMPORARY_SUFFIX: &str = ".new";
const ORGANISATION_LABEL: &str = "nuee/organisation-key/v1";
const PLATFORM_LABEL: &str = "nuee/platform/v1/";

/// Keys in a directory.
pub struct DirectoryCustody {
    directory: PathBuf,
    root: Key,
    instance: InstanceId,
    environment: Environment,
}

impl DirectoryCustody {
    /// Makes a custody with a new root key in an empty or new directory.
    pub fn create(directory: &Path, environment: Environment) -> Result<Self, Error> {
        prepare(directory)?;
        let root = once::generate(&environment);
        let instance = InstanceId::generate(&environment);
        let content = Zeroizing::new(format!(
            "{ROOT_TITLE}\n{instance}\n{}\n",
            &*Zeroizing::new(hex::encode(&root[..]))
        ));
        write_new(&directory.join(ROOT_FILE), content.as_bytes())?;
        Ok(Self { directory: directory.to_path_buf(), root, instance, environment })
    }

    /// Opens the custody in a directory.
    pub fn open(directory: &Path, environment: Environment) -> Result<Self, Error> {
        let path = directory.join(ROOT_FILE);
        if !exists(&path)? {
            return Err(Error::NoCustody(directory.to_path_buf()));
        }
        check_private(directory)?;
        let malformed = |detail| Error::Malformed { path: path.clone(), detail };
        let content = read(&path)?;
        let mut lines = content.lines();
        if lines.next() != Some(ROOT_TITLE) {
            return Err(malformed("its first line is not the one expected"));
        }
        let instance = lines.next().and_then(|line| line.parse().ok());
        let instance = instance.ok_or_else(|| malformed("its second line is not an instance id"))?;
        let mut root = Zeroizing::new([0; 32]);
        hex::decode_to_slice(lines.next().unwrap_or_default(), &mut root[..])
            .map_err(|_| malformed("its third line is not 64 hexadecimal digits"))?;
        Ok(Self { directory: directory.to_path_buf(), root, instance, environment })
    }

    /// Which platform these keys belong to.
    #[must_use]
    pub fn instance(&self) -> InstanceId {
        self.instance
    }

    /// Where the keys are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, organisation: OrganisationId) -> PathBuf {
        self.directory.join(format!("{organisation}.key"))
    }

    /// The file of an organisation that has one. A custody that went away is told from a key that was destroyed, so
    /// that nobody takes the one for the other.
    fn existing(&self, organisation: OrganisationId) -> Result<PathBuf, Error> {
        let path = self.path(organisation);
        if exists(&path)? {
            Ok(path)
        } else if exists(&self.directory.join(ROOT_FILE))? {
            Err(Error::NoOrganisationKey(organisation))
        } else {
            Err(Error::NoCustody(self.directory.clone()))
        }
    }

    fn key(&self, organisation: OrganisationId) -> Result<Key, Error> {
        let path = self.existing(organisation)?;
        let malformed = |detail| Error::Malformed { path: path.clone(), detail };
        let content = read(&path)?;
        let (title, line) = content.split_once('\n').ok_or_else(|| malformed("it has one line only"))?;
        if title != ORGANISATION_TITLE {
            return Err(malformed("its first line is not the one expected"));
        }
        let sealed =
            hex::decode(line.trim_end()).map_err(|_| malformed("its second line is not hexadecimal"))?;
        let place = (ORGANISATION_LABEL, &organisation.to_bytes()[..]);
        let opened = once::open(&self.root[..], place, &sealed)?;
        once::key_of(&opened).ok_or_else(|| malformed("its key has the wrong length"))
    }
}

impl KeyCustody for DirectoryCustody {
    fn create_organisation_key(&self, organisation: OrganisationId) -> Result<(), Error> {
        let path = match self.existing(organisation) {
            Ok(_) => return Err(Error::OrganisationKeyExists(organisation)),
            Err(Error::NoOrganisationKey(_)) => self.path(organisation),
            Err(error) => return Err(error),
        };
        let key = once::generate(&self.environment);
        let place = (ORGANISATION_LABEL, &organisation.to_bytes()[..]);
        let sealed = once::seal(&self.root[..], &self.environment, place, &key[..])?;
        write_new(&path, format!("{ORGANISATION_TITLE}\n{}\n", hex::encode(sealed)).as_bytes())
    }

    fn destroy_organisation_key(&self, organisation: OrganisationId) -> Result<(), Error> {
        let path = self.existing(organisation)?;
        fs::remove_file(&path).map_err(Error::io(&path))?;
        sync_directory(&self.directory)
    }

    fn organisations(&self) -> Result<Vec<OrganisationId>, Error> {
        let names = file_names(&self.directory)?;
        Ok(names.iter().filter_map(|name| name.strip_suffix(".key")?.parse().ok()).collect())
    }

    fn wrap(&self, organisation: OrganisationId, context: &[u8], secret: &[u8]) -> Result<Vec<u8>, Error> {
        let key = self.key(organisation)?;
        once::seal(&key[..], &self.environment, ("nuee/custody/v1", context), secret)
    }

    fn unwrap(
        &self,
        organisation: OrganisationId,
        context: &[u8],
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        once::open(&self.key(organisation)?[..], ("nuee/custody/v1", context), wrapped)
    }

    fn derive(&self, organisation: OrganisationId, info: &[u8]) -> Result<Zeroizing<[u8; 32]>, Error> {
        once::derive(&self.key(organisation)?[..], &[], &[info])
    }

    fn derive_for_platform(&self, info: &[u8]) -> Result<Zeroizing<[u8; 32]>, Error> {
        // The root key is in memory, but of a custody that went away nothing is given.
        if !exists(&self.directory.join(ROOT_FILE))? {
            return Err(Error::NoCustody(self.directory.clone()));
        }
        once::derive(&self.root[..], &[], &[PLATFORM_LABEL.as_bytes(), info])
    }
}

/// Makes a directory that nobody else can enter, or takes one that is empty.
pub(crate) fn prepare(directory: &Path) -> Result<(), Error> {
    if exists(directory)? {
        check_private(directory)?;
        let (left, others): (Vec<_>, Vec<_>) =
            file_names(directory)?.into_iter().partition(|name| is_temporary(name));
        if !others.is_empty() {
            return Err(Error::NotEmpty(directory.to_path_buf()));
        }
        // What an attempt that was cut left half written: nothing was ever sealed with it.
        for path in left.iter().map(|name| directory.join(name)) {
            fs::remove_file(&path).map_err(Error::io(&path))?;
        }
    } else {
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(Error::io(directory))?;
    }
    // Whoever made the directories, an attempt that was cut for instance, may not have made them durable.
    let absolute = std::path::absolute(directory).map_err(Error::io(directory))?;
    for parent in absolute.ancestors().skip(1) {
        match sync_directory(parent) {
            // One that we may not open was not made by us, and some file systems have nothing to sync.
            Err(Error::Io { source, .. })
                if matches!(source.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput) =>
            {
                break;
            }
            synced => synced?,
        }
    }
    Ok(())
}

/// The names of the files of a custody.
pub(crate) fn file_names(directory: &Path) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(Error::io(directory))? {
        names.push(entry.map_err(Error::io(directory))?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// Whether there is something at `path`. One that cannot be looked at is a failure, and not taken for absent.
pub(crate) fn exists(path: &Path) -> Result<bool, Error> {
    path.try_exists().map_err(Error::io(path))
}

fn check_private(path: &Path) -> Result<(), Error> {
    let found = fs::metadata(path).map_err(Error::io(path))?;
    let ours = found.uid() == rustix::process::geteuid().as_raw();
    let others = found.mode() & 0o077;
    if others == 0 && ours { Ok(()) } else { Err(Error::Exposed(path.to_path_buf())) }
}

/// Reads a small text file that only its owner may read.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<String>, Error> {
    check_private(path)?;
    fs::read_to_string(path).map(Zeroizing::new).map_err(Error::io(path))
}

/// Writes a file that survives a power cut, whole or not at all, and that only its owner may read. Never writes over
/// one that exists: it could be the only copy of a key.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> Result<(), Error> {
    let directory = path.parent().unwrap_or(Path::new("."));
    // A name of its own: what an earlier attempt left when it was cut is in nobody's way.
    let mut file = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .suffix(TEMPORARY_SUFFIX)
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(directory)
        .map_err(Error::io(directory))?;
    file.write_all(content).and_then(|()| file.as_file().sync_all()).map_err(Error::io(path))?;
    file.persist_noclobber(path).map_err(|failed| Error::io(path)(failed.error))?;
    sync_directory(directory)
}

fn is_temporary(name: &str) -> bool {
    name.starts_with(TEMPORARY_PREFIX) && name.ends_with(TEMPORARY_SUFFIX)
}

fn sync_directory(directory: &Path) -> Result<(), Error> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(Error::io(directory))
}
