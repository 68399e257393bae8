//! Where the keys are, and how a first start makes them.
//!
//! The data directory remembers, in its metadata, the id of its instance and the place of its custody. The place is
//! written down before the custody is made there, and the id after: so a first start that is cut in between finds what
//! it began, and keys that belong to something else are never taken over.
//!
//! A custody whose place nobody chose goes to `$XDG_STATE_HOME/nuee/keys/<instance>`. The instance's id is born with the
//! custody, so it is made beside that place first, and renamed.

use std::{
    ffi::OsString,
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use nuee_base::{Environment, SiteId};
use nuee_keys::{DirectoryCustody, InstanceId};
use nuee_metadata::{Error as MetadataError, Metadata, Transaction};

use crate::data_directory::sync_directory;

const INSTANCE: &str = "instance";
const PLACE: &str = "custody_directory";
const ROOT_KEY: &str = "root.key";
const UNNAMED: &str = "first-start-";

/// Where keys may be.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The data directory, in which they must not be.
    pub(crate) data: PathBuf,
    /// Where the user says that they are.
    pub(crate) given: Option<PathBuf>,
    /// The directory of custodies whose place nobody chose.
    pub(crate) home: Option<PathBuf>,
}

/// The id of the instance that this metadata belongs to; `None` until a first start has made its keys.
pub(crate) fn instance(metadata: &Metadata) -> Result<Option<InstanceId>> {
    let Some(bytes) = metadata.read(|snapshot| snapshot.platform_value(INSTANCE))? else { return Ok(None) };
    let bytes =
        <[u8; 16]>::try_from(&bytes[..]).ok().context("the metadata holds an unreadable instance id")?;
    Ok(Some(SiteId::from_bytes(bytes)))
}

fn remembered(metadata: &Metadata) -> Result<Option<PathBuf>> {
    let place = metadata.read(|snapshot| snapshot.platform_value(PLACE))?;
    Ok(place.map(|bytes| PathBuf::from(OsString::from_vec(bytes))))
}

async fn remember(metadata: &Metadata, place: &Path, instance: Option<InstanceId>) -> Result<()> {
    let place = place.as_os_str().as_bytes().to_vec();
    let write = move |transaction: &Transaction<'_>| {
        transaction.set_platform_value(PLACE, &place)?;
        match instance {
            Some(instance) => transaction.set_platform_value(INSTANCE, &instance.to_bytes()),
            None => Ok(()),
        }
    };
    Ok(metadata.write::<_, MetadataError>(write).await?)
}

impl Places {
    /// The directory that keeps the keys of this metadata's instance, as far as can be told without opening it.
    pub(crate) fn find(&self, metadata: &Metadata) -> Result<PathBuf> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        let Some(instance) = instance(metadata)? else {
            bail!(
                "the first start on {} was not finished, so it has no keys yet: finish it with `nuee up`",
                self.data.display()
            );
        };
        let usual = self.home.as_ref().map(|home| home.join(instance.to_string()));
        let candidates: Vec<PathBuf> = remembered(metadata)?.into_iter().chain(usual).collect();
        let found = candidates.iter().find(|place| place.join(ROOT_KEY).exists()).or(candidates.first());
        found.cloned().context("nothing says where the keys are: give their directory with --key-dir")
    }

    /// Refuses keys in the data directory, and data among the keys: a copy of the one must not be a copy of both.
    pub(crate) fn refuse_nesting(&self, keys: &Path) -> Result<()> {
        let (keys, data) = (resolve(keys)?, resolve(&self.data)?);
        if keys.starts_with(&data) || data.starts_with(&keys) {
            bail!(
                "the keys would be in {} and the data in {}, one inside the other: whoever copies the data would hold \
                 the keys that open it. Give a --key-dir outside the data directory, best on another disk",
                keys.display(),
                data.display()
            );
        }
        Ok(())
    }

    /// Opens the custody of this metadata's instance.
    pub(crate) async fn open(
        &self,
        metadata: &Metadata,
        environment: &Environment,
    ) -> Result<DirectoryCustody> {
        let place = self.find(metadata)?;
        let instance =
            instance(metadata)?.context("the first start was not finished: finish it with `nuee up`")?;
        self.refuse_nesting(&place)?;
        if !place.join(ROOT_KEY).exists() {
            bail!(
                "the keys of instance {instance} are not in {0}: without them nothing in {1} can be read. If they are \
                 elsewhere, give that directory with --key-dir; if you have a backup of them, run \
                 `nuee key restore BACKUP --key-dir {0}`",
                place.display(),
                self.data.display()
            );
        }
        let custody = DirectoryCustody::open(&place, environment.clone())?;
        if custody.instance() != instance {
            bail!(
                "the keys in {} belong to instance {}, the data in {} to instance {instance}: give the --key-dir and \
                 the --data-dir of one instance",
                place.display(),
                custody.instance(),
                self.data.display()
            );
        }
        self.settle(metadata, custody, environment).await
    }

    /// Opens the custody, and makes it where the first start has not done so yet.
    pub(crate) async fn establish(
        &self,
        metadata: &Metadata,
        environment: &Environment,
    ) -> Result<DirectoryCustody> {
        if instance(metadata)?.is_some() {
            return self.open(metadata, environment).await;
        }
        let begun = remembered(metadata)?;
        let place = match self.given.as_ref().or(begun.as_ref()) {
            Some(place) => place.clone(),
            None => self.unnamed(environment)?,
        };
        let place = std::path::absolute(place)?;
        self.refuse_nesting(&place)?;
        let ours = begun.as_ref() == Some(&place);
        if place.join(ROOT_KEY).exists() && !ours {
            bail!(
                "{} holds keys already, and the data directory {} is new: give the --data-dir that these keys belong \
                 to, or another --key-dir for a new platform",
                place.display(),
                self.data.display()
            );
        }
        if !ours {
            remember(metadata, &place, None).await?;
        }
        let custody = begin(&place, environment)?;
        remember(metadata, &place, Some(custody.instance())).await?;
        self.settle(metadata, custody, environment).await
    }

    /// A place for a custody whose place nobody chose, until it has a name.
    fn unnamed(&self, environment: &Environment) -> Result<PathBuf> {
        let home = self.home.as_ref().context(
            "nothing says where to keep the keys, for neither XDG_STATE_HOME nor HOME is set: give a directory with \
             --key-dir",
        )?;
        Ok(home.join(format!("{UNNAMED}{}", InstanceId::generate(environment))))
    }

    /// Gives a custody whose place nobody chose its name, and remembers where a custody was found.
    async fn settle(
        &self,
        metadata: &Metadata,
        custody: DirectoryCustody,
        environment: &Environment,
    ) -> Result<DirectoryCustody> {
        let place = std::path::absolute(custody.directory())?;
        let unnamed =
            place.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(UNNAMED));
        let custody = match &self.home {
            Some(home) if unnamed && place.parent() == Some(home) => {
                let named = home.join(custody.instance().to_string());
                fs::rename(&place, &named)
                    .and_then(|()| sync_directory(home))
                    .with_context(|| format!("cannot rename {} to {}", place.display(), named.display()))?;
                DirectoryCustody::open(&named, environment.clone())?
            }
            _ => custody,
        };
        let place = std::path::absolute(custody.directory())?;
        if remembered(metadata)?.as_ref() != Some(&place) {
            remember(metadata, &place, None).await?;
        }
        Ok(custody)
    }
}

/// Makes a custody in `place`, or takes the one that an earlier attempt made there.
fn begin(place: &Path, environment: &Environment) -> Result<DirectoryCustody> {
    if place.join(ROOT_KEY).exists() {
        return Ok(DirectoryCustody::open(place, environment.clone())?);
    }
    // What an attempt that was cut left half written; nothing was ever sealed with it.
    let half_written = place.join("root.new");
    if half_written.exists() {
        fs::remove_file(&half_written)
            .with_context(|| format!("cannot remove {}", half_written.display()))?;
    }
    Ok(DirectoryCustody::create(place, environment.clone())?)
}

/// The path without links, of something that need not exist yet.
fn resolve(path: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    for ancestor in absolute.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            let rest = absolute.strip_prefix(ancestor)?;
            if rest.components().any(|component| component == Component::ParentDir) {
                bail!("{} cannot be followed: write it without `..`", path.display());
            }
            return Ok(real.join(rest));
        }
    }
    Ok(absolute)
}

#[cfg(test)]
mod tests {
    use nuee_metadata::Options;

    use super::*;

    /// A directory of a test, with metadata that knows of no keys yet.
    struct Fresh {
        directory: tempfile::TempDir,
        metadata: Metadata,
        environment: Environment,
    }

    impl Fresh {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let data = directory.path().join("data");
            fs::create_dir(&data).unwrap();
            let metadata = Metadata::open(&data.join("metadata.sqlite"), Options::default()).unwrap();
            Self { directory, metadata, environment: Environment::system() }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        fn places(&self, given: Option<&str>) -> Places {
            let given = given.map(|name| self.path(name));
            Places { data: self.path("data"), given, home: Some(self.path("home")) }
        }

        async fn establish(&self, given: Option<&str>) -> Result<PathBuf> {
            let custody = self.places(given).establish(&self.metadata, &self.environment).await?;
            assert_eq!(instance(&self.metadata)?, Some(custody.instance()));
            Ok(custody.directory().to_path_buf())
        }

        async fn refusal(&self, given: Option<&str>) -> String {
            self.establish(given).await.unwrap_err().to_string()
        }
    }

    #[tokio::test]
    async fn keys_go_to_a_directory_of_their_instance_and_are_found_again() {
        let fresh = Fresh::new();
        let place = fresh.establish(None).await.unwrap();
        let named = instance(&fresh.metadata).unwrap().unwrap().to_string();
        assert_eq!(place, fresh.path("home").join(named));
        assert_eq!(fresh.establish(None).await.unwrap(), place);
        assert_eq!(fs::read_dir(fresh.path("home")).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_place_that_was_given_is_remembered() {
        let fresh = Fresh::new();
        let place = fresh.establish(Some("keys")).await.unwrap();
        assert_eq!(fresh.establish(None).await.unwrap(), place);
        fs::rename(&place, fresh.path("moved")).unwrap();
        let said = fresh.refusal(None).await;
        assert!(said.contains("are not in") && said.contains("nuee key restore"), "{said}");
        assert_eq!(fresh.establish(Some("moved")).await.unwrap(), fresh.path("moved"));
        assert_eq!(fresh.establish(None).await.unwrap(), fresh.path("moved"));
    }

    #[tokio::test]
    async fn a_first_start_that_was_cut_is_finished() {
        // Cut after the place was written down.
        let fresh = Fresh::new();
        let place = fresh.path("home").join(format!("{UNNAMED}x"));
        remember(&fresh.metadata, &place, None).await.unwrap();
        fresh.establish(None).await.unwrap();

        // Cut while the root key was written.
        let fresh = Fresh::new();
        let place = fresh.path("keys");
        remember(&fresh.metadata, &place, None).await.unwrap();
        DirectoryCustody::create(&place, fresh.environment.clone()).unwrap();
        fs::rename(place.join(ROOT_KEY), place.join("root.new")).unwrap();
        assert_eq!(fresh.establish(Some("keys")).await.unwrap(), place);

        // Cut after the custody was made.
        let fresh = Fresh::new();
        let place = fresh.path("home").join(format!("{UNNAMED}x"));
        remember(&fresh.metadata, &place, None).await.unwrap();
        let made = DirectoryCustody::create(&place, fresh.environment.clone()).unwrap().instance();
        assert_eq!(fresh.establish(None).await.unwrap(), fresh.path("home").join(made.to_string()));

        // Cut before, and after, the custody was given its name.
        for renamed in [false, true] {
            let fresh = Fresh::new();
            let place = fresh.path("home").join(format!("{UNNAMED}x"));
            let made = DirectoryCustody::create(&place, fresh.environment.clone()).unwrap().instance();
            remember(&fresh.metadata, &place, Some(made)).await.unwrap();
            let named = fresh.path("home").join(made.to_string());
            if renamed {
                fs::rename(&place, &named).unwrap();
            }
            assert_eq!(fresh.establish(None).await.unwrap(), named);
        }
    }

    #[tokio::test]
    async fn keys_of_another_instance_are_refused() {
        let (one, other) = (Fresh::new(), Fresh::new());
        one.establish(Some("keys")).await.unwrap();
        other.establish(Some("keys")).await.unwrap();
        fs::rename(one.path("keys"), other.path("stray")).unwrap();
        let said = other.refusal(Some("stray")).await;
        let ids = [&one, &other].map(|each| instance(&each.metadata).unwrap().unwrap().to_string());
        assert!(ids.iter().all(|id| said.contains(id)), "{said}");

        let new = Fresh::new();
        fs::rename(other.path("stray"), new.path("keys")).unwrap();
        let said = new.refusal(Some("keys")).await;
        assert!(said.contains("holds keys already"), "{said}");
        assert_eq!(instance(&new.metadata).unwrap(), None);
    }

    #[tokio::test]
    async fn keys_and_data_are_never_one_inside_the_other() {
        let fresh = Fresh::new();
        std::os::unix::fs::symlink(fresh.path("data"), fresh.path("link")).unwrap();
        for inside in ["data/keys", "data", "", "link/a/b", "data/../data/keys"] {
            let said = fresh.refusal(Some(inside)).await;
            assert!(said.contains("one inside the other"), "{inside}: {said}");
        }
        assert!(fresh.refusal(Some("none/../data/keys")).await.contains("without `..`"));
        assert!(!fresh.path("data/keys").exists());
        fresh.establish(Some("data-keys")).await.unwrap();
    }
}
