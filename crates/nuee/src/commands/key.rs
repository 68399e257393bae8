//! `nuee key`: copies of the keys, and new versions of them.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, IsTerminal, Write, stdin},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use nuee_base::{Environment, Secret};
use nuee_keys::DirectoryCustody;
use nuee_metadata::Metadata;

use super::{
    Common,
    administer::{self, Output, PlaceOptions},
    print,
};
use crate::{
    Request,
    custody::{self, Places},
    data_directory::{holds_data, metadata_file, sync_directory},
};

const PASSPHRASE: &str = "NUEE_PASSPHRASE";
/// Fewer characters than this do not protect keys that a copy of the backup would give away.
const SHORTEST_PASSPHRASE: usize = 12;

/// `nuee key …`.
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Write a copy of all keys, sealed by a passphrase, to a new file
    ///
    /// Keep it and its passphrase elsewhere, apart from each other. Make a new one after each new organisation.
    Backup {
        /// The file, which must not exist yet
        file: PathBuf,
        #[command(flatten)]
        passphrase: Passphrase,
    },
    /// Bring keys back from such a copy, to a new or empty directory
    Restore {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        passphrase: Passphrase,
    },
    /// Make a new version of a project's key, and wrap its data keys anew; blobs are not touched
    Rotate {
        #[command(flatten)]
        place: PlaceOptions,
        /// Every project of every organisation
        #[arg(long, conflicts_with_all = ["organisation", "project"])]
        all: bool,
        #[command(flatten)]
        output: Output,
    },
}

/// Where the passphrase comes from.
#[derive(Debug, Args)]
pub(super) struct Passphrase {
    /// File that holds the passphrase; otherwise it is taken from the variable `NUEE_PASSPHRASE`, or asked for
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// Runs `nuee key …`.
pub(super) fn run(command: KeyCommand, common: &Common) -> Result<ExitCode> {
    match command {
        KeyCommand::Backup { file, passphrase } => backup(&file, &passphrase, common)?,
        KeyCommand::Restore { file, passphrase } => restore(&file, &passphrase, common)?,
        KeyCommand::Rotate { place, all, output } => {
            let place = (!all).then(|| place.into());
            return administer::run(Request::RotateKeys { place }, output, common);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn backup(file: &Path, passphrase: &Passphrase, common: &Common) -> Result<()> {
    let places = common.settings()?.places()?;
    let keys = places.find_from_data()?;
    // Looked at first, so that nobody thinks of a passphrase in vain.
    let instance = DirectoryCustody::open(&keys, Environment::system())?.instance();
    if let Some(expected) = places.instance_of_data()?
        && expected != instance
    {
        bail!(
            "the data in {} belongs to instance {expected}, and the keys in {} to instance {instance}: give the right \
             --key-dir",
            places.data.display(),
            keys.display()
        );
    }
    if file.exists() {
        bail!("{} exists already: give the name of a new file", file.display());
    }
    let sealed = nuee_keys::backup(&keys, &passphrase.read(true)?, &Environment::system())?;
    write_new(file, &sealed).with_context(|| format!("cannot write {}", file.display()))?;
    print(&format!(
        "The keys of {} are in {}, sealed by your passphrase. Keep both elsewhere, apart from each other;\n\
         `nuee key restore` needs both.\n",
        keys.display(),
        file.display()
    ))
}

fn restore(file: &Path, passphrase: &Passphrase, common: &Common) -> Result<()> {
    let places = common.settings()?.places()?;
    let keys = places.find_from_data()?;
    places.refuse_nesting(&keys)?;
    let sealed = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let passphrase = passphrase.read(false)?;
    // Aside first: what is wrong, or cut, must not stand where the right keys belong.
    let aside = Aside::beside(&keys)?;
    nuee_keys::restore(&sealed, &passphrase, &aside.0)?;
    let instance = DirectoryCustody::open(&aside.0, Environment::system())?.instance();
    if let Some(expected) = places.instance_of_data()?
        && expected != instance
    {
        bail!(
            "the data in {} belongs to instance {expected}: these keys are of instance {instance} and do not open it",
            places.data.display()
        );
    }
    aside.put_in_place(&keys)?;
    print(&format!("The keys of instance {instance} are in {}.\n", keys.display()))
}

/// A directory that is removed unless it is put in its place.
struct Aside(PathBuf);

impl Aside {
    /// A name beside `path`, whose directory is made where it is missing.
    fn beside(path: &Path) -> Result<Self> {
        let path = std::path::absolute(path)?;
        if path.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
            bail!("{} holds something already: give another --key-dir, or move it away", path.display());
        }
        let mut name = path.file_name().context("the directory of the keys has no name")?.to_owned();
        name.push(format!(".restoring-{}", std::process::id()));
        Ok(Self(path.with_file_name(name)))
    }

    fn put_in_place(self, path: &Path) -> Result<()> {
        let path = std::path::absolute(path)?;
        // A rename replaces an empty directory, and nothing else.
        fs::rename(&self.0, &path).with_context(|| format!("cannot put the keys into {}", path.display()))?;
        Ok(sync_directory(path.parent().unwrap_or(Path::new("/")))?)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Places {
    /// The directory of the keys, told by the user or remembered by the data.
    fn find_from_data(&self) -> Result<PathBuf> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        if !holds_data(&self.data) {
            bail!(
                "there is no data in {} that would tell where its keys are: give --key-dir",
                self.data.display()
            );
        }
        self.find(&self.read_metadata()?)
    }

    fn instance_of_data(&self) -> Result<Option<nuee_keys::InstanceId>> {
        if holds_data(&self.data) { custody::instance(&self.read_metadata()?) } else { Ok(None) }
    }

    fn read_metadata(&self) -> Result<Metadata> {
        let file = metadata_file(&self.data);
        let opened = Metadata::open_read_only(&file, nuee_metadata::Options::default());
        opened.with_context(|| format!("cannot read {}", file.display()))
    }
}

impl Passphrase {
    /// The passphrase. One that is `new` is asked for twice, and must be long enough.
    fn read(&self, new: bool) -> Result<Secret> {
        let passphrase = match &self.passphrase_file {
            Some(file) => {
                let text = fs::read_to_string(file);
                let text =
                    text.with_context(|| format!("cannot read the passphrase in {}", file.display()))?;
                Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())
            }
            None => match std::env::var(PASSPHRASE) {
                Ok(text) => Secret::new(text),
                Err(_) if stdin().is_terminal() => ask(new)?,
                Err(_) => bail!(
                    "there is no terminal to ask for the passphrase: set {PASSPHRASE} or give --passphrase-file"
                ),
            },
        };
        let length = passphrase.expose().chars().count();
        if new && length < SHORTEST_PASSPHRASE {
            bail!(
                "the passphrase has {length} characters: take at least {SHORTEST_PASSPHRASE}, some words for instance"
            );
        }
        Ok(passphrase)
    }
}

fn ask(twice: bool) -> Result<Secret> {
    let prompt = |text| rpassword::prompt_password(text).map(Secret::new).context("no passphrase was given");
    let first = prompt("Passphrase: ")?;
    if twice && prompt("The same again: ")?.expose() != first.expose() {
        bail!("the two passphrases differ: nothing was written");
    }
    Ok(first)
}

/// Writes a file that survives a power cut, and that only its owner may read.
fn write_new(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // Half a backup is worse than none.
        let _ = fs::remove_file(path);
        return Err(error);
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match sync_directory(parent) {
        // Some file systems of other machines cannot.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}
