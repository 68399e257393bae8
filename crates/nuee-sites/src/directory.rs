//! The layout of a site's directory: which paths there are, and making them durable.
//!
//! The number of times that the site was opened is the upper half of every segment number given since, so that no
//! number is used twice, even when every segment was dropped: a locator kept somewhere must never name another blob.

use std::{
    collections::HashSet,
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use nuee_base::BlobId;

use crate::{Error, Result, SegmentNumber, disk::Disk};

const FORMAT: &str = "nuee directory site, format 1";
/// What a cut beginning leaves, and what a file system puts into its root by itself.
const ALSO_EXPECTED: [&str; 2] = ["format.new", "lost+found"];
const DIRECTORIES: [&str; 3] = ["incoming", "files", "segments"];

/// The paths of one site.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    segments: PathBuf,
    next_segment: AtomicU64,
    durable_shards: Mutex<HashSet<PathBuf>>,
}

impl Directory {
    /// Opens the site in `root`, or makes one where nothing is.
    pub(crate) fn open(disk: &Disk, root: &Path) -> Result<Self> {
        create_durably(disk, root)?;
        let format = root.join("format");
        match fs::read_to_string(&format) {
            Ok(found) if found.trim_end() == FORMAT => {}
            Ok(found) => {
                let found = found.chars().take(80).collect();
                return Err(Error::UnknownFormat { path: format, found, known: FORMAT });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => initialise(disk, root)?,
            Err(error) => return Err(Error::io("read", &format, error)),
        }
        empty(disk, &root.join("incoming"))?;
        Ok(Self {
            root: root.to_path_buf(),
            segments: root.join("segments"),
            next_segment: AtomicU64::new(count_opening(disk, root)? << 32),
            durable_shards: Mutex::default(),
        })
    }

    /// Where the site is.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of segments.
    pub(crate) fn segments(&self) -> &Path {
        &self.segments
    }

    /// The directory of the directories of files.
    pub(crate) fn files(&self) -> PathBuf {
        self.root.join("files")
    }

    /// The file of a segment.
    pub(crate) fn segment(&self, number: SegmentNumber) -> PathBuf {
        self.segments.join(format!("{number}.segment"))
    }

    /// The file of a blob that has one of its own.
    pub(crate) fn file(&self, id: BlobId) -> PathBuf {
        let mut path = self.root.join(shard(id));
        path.push(id.to_string());
        path
    }

    /// The directory in which the file of a blob is, if it has one.
    pub(crate) fn shard(&self, id: BlobId) -> PathBuf {
        self.root.join(shard(id))
    }

    /// The file of such a blob while it is being written.
    pub(crate) fn incoming(&self, id: BlobId) -> PathBuf {
        self.root.join(format!("incoming/{id}"))
    }

    /// A number that no segment ever had.
    pub(crate) fn take_segment_number(&self) -> SegmentNumber {
        SegmentNumber(self.next_segment.fetch_add(1, Ordering::Relaxed))
    }

    /// The directory in which the file of `id` belongs, made and durable.
    pub(crate) fn durable_shard(&self, disk: &Disk, id: BlobId) -> Result<PathBuf> {
        let shard = shard(id);
        let path = self.root.join(&shard);
        // Held during the sync, so that nobody relies on a directory that a power cut could still take away.
        let mut durable = self.durable_shards.lock().unwrap_or_else(PoisonError::into_inner);
        if !durable.contains(&shard) {
            disk.create_directory(&path).map_err(|error| Error::io("create", &path, error))?;
            sync_directory(disk, &self.files())?;
            durable.insert(shard);
        }
        Ok(path)
    }
}

/// The number that a segment file's name tells.
pub(crate) fn segment_number(path: &Path) -> Option<SegmentNumber> {
    let digits = path.file_name()?.to_str()?.strip_suffix(".segment")?;
    (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok().map(SegmentNumber))?
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(disk: &Disk, path: &Path) -> Result<()> {
    disk.sync_directory(path).map_err(|error| Error::io("sync", path, error))
}

/// The directory, within the site, in which the file of a blob belongs. The last byte of an id is random, so the
/// directories fill evenly.
pub(crate) fn shard(id: BlobId) -> PathBuf {
    PathBuf::from(format!("files/{:02x}", id.to_bytes()[15]))
}

fn create_durably(disk: &Disk, path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    create_durably(disk, parent)?;
    disk.create_directory(path).map_err(|error| Error::io("create", path, error))?;
    sync_directory(disk, parent)
}

/// Makes a new site. The file that tells the format comes last, when all else is durable, so that a crash before it
/// leaves a directory in which this can be done again.
fn initialise(disk: &Disk, root: &Path) -> Result<()> {
    let io = |action, path: &Path| {
        let path = path.to_path_buf();
        move |error| Error::io(action, &path, error)
    };
    for entry in fs::read_dir(root).map_err(io("list", root))? {
        let name = entry.map_err(io("list", root))?.file_name();
        let ours =
            name.to_str().is_some_and(|name| DIRECTORIES.contains(&name) || ALSO_EXPECTED.contains(&name));
        if !ours {
            return Err(Error::NotASite { path: root.to_path_buf() });
        }
    }
    for directory in DIRECTORIES {
        let path = root.join(directory);
        disk.create_directory(&path).map_err(io("create", &path))?;
    }
    let new = root.join("format.new");
    disk.unlink(&new).map_err(io("remove", &new))?;
    let file = disk.create_file(&new).map_err(io("create", &new))?;
    disk.write_at(&file, format!("{FORMAT}\n").as_bytes(), 0).map_err(io("write", &new))?;
    disk.sync_file(&file).map_err(io("sync", &new))?;
    sync_directory(disk, root)?;
    disk.rename(&new, &root.join("format")).map_err(io("rename", &new))?;
    sync_directory(disk, root)
}

/// Counts this opening, durably, and returns the count. It is kept in one place of a fixed length and overwritten
/// there, which needs no space: a full disk opens.
fn count_opening(disk: &Disk, root: &Path) -> Result<u64> {
    let path = root.join("opened");
    let io = |action| {
        let path = &path;
        move |error| Error::io(action, path, error)
    };
    let (file, before) = match fs::read_to_string(&path) {
        Ok(text) => {
            let file = OpenOptions::new().write(true).open(&path).map_err(io("open"))?;
            (file, text.trim_end().parse().unwrap_or(0))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            (disk.create_file(&path).map_err(io("create"))?, 0)
        }
        Err(error) => return Err(Error::io("read", &path, error)),
    };
    // The names of segments say it too, should the count be lost.
    let segments = root.join("segments");
    let listing = fs::read_dir(&segments).map_err(|error| Error::io("list", &segments, error))?;
    let numbers = listing.flatten().filter_map(|entry| segment_number(&entry.path()));
    let count = numbers.map(|number| number.0 >> 32).fold(before, u64::max) + 1;
    disk.write_at(&file, format!("{count:010}\n").as_bytes(), 0).map_err(io("write"))?;
    disk.sync_data(&file).map_err(io("sync"))?;
    if before == 0 {
        sync_directory(disk, root)?;
    }
    Ok(count)
}

/// Removes what a crash left half written.
fn empty(disk: &Disk, directory: &Path) -> Result<()> {
    let listing = fs::read_dir(directory).map_err(|error| Error::io("list", directory, error))?;
    for entry in listing {
        let path = entry.map_err(|error| Error::io("list", directory, error))?.path();
        disk.unlink(&path).map_err(|error| Error::io("remove", &path, error))?;
    }
    Ok(())
}
