//! Listing objects, and versions of them.

use std::sync::Arc;

use nuee_access::{Action, Permit};
use nuee_base::Timestamp;
use nuee_metadata::{ListedRow, ListedVersionRow, Snapshot, VersionsFrom};

use crate::{
    Bucket, ChecksumAlgorithm, ChecksumType, ETag, Error, Store,
    blob_write::blocking,
    record::Listed,
    version_id::{self, VersionId},
};

/// The most entries of one page, as at S3.
pub const MAX_PAGE: usize = 1_000;

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Only keys that start with this.
    pub prefix: String,
    /// Keys that share their beginning up to the first of this after the prefix are one entry.
    pub delimiter: Option<String>,
    /// Only what comes after this key or common prefix.
    pub after: String,
    /// At most this many entries, [`MAX_PAGE`] at most.
    pub limit: usize,
}

/// A page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Objects, by key.
    pub objects: Vec<ListedObject>,
    /// Common prefixes, by name. In a page of both, the two lists merge by name.
    pub prefixes: Vec<String>,
    /// If there is more: the last key or common prefix of this page, from which the next one goes on.
    pub next: Option<String>,
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Its key.
    pub key: String,
    /// Its size, in bytes.
    pub size: u64,
    /// Its entity tag.
    pub etag: ETag,
    /// When it was written.
    pub modified_at: Timestamp,
    /// Its checksum's algorithm, and what that was computed over.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
}

/// Which versions to list.
#[derive(Debug, Clone, Default)]
pub struct VersionsQuery {
    /// As of objects. What comes after a key does not include its versions, unless one is named below.
    pub keys: ListQuery,
    /// The versions of the key `after` that are older than the one of this id come first.
    pub after_version: Option<String>,
}

/// A page of a listing of versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionPage {
    /// Versions and delete markers, by key, the newest first.
    pub versions: Vec<ListedVersion>,
    /// Common prefixes, by name.
    pub prefixes: Vec<String>,
    /// If there is more: the last key or common prefix of this page, and the last version of that key.
    pub next: Option<(String, Option<String>)>,
}

/// A version in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedVersion {
    /// Its key.
    pub key: String,
    /// Its id.
    pub version: String,
    /// Whether it is the newest of its key.
    pub is_latest: bool,
    /// When it was written.
    pub modified_at: Timestamp,
    /// What it has; nothing if it is a delete marker.
    pub object: Option<ListedObject>,
}

/// What to do after a row.
enum Step {
    /// The next row.
    Next,
    /// The first row at or after this key.
    Seek(Vec<u8>),
    /// The page is full, or there is no more.
    Stop,
}

impl Store {
    /// A page of the objects of a bucket.
    pub async fn list_objects(
        &self,
        permit: &Permit,
        bucket: &Arc<Bucket>,
        query: ListQuery,
    ) -> Result<Page, Error> {
        permit.require_bucket(Action::ListObjects, bucket.id)?;
        let (store, bucket) = (self.clone(), Arc::clone(bucket));
        blocking(&self.0.listing, move || store.page(&bucket, &query)).await
    }

    fn page(&self, bucket: &Bucket, query: &ListQuery) -> Result<Page, Error> {
        let Some(mut listing) = Listing::new(query) else { return Ok(Page::default()) };
        let mut from = listing.beginning();
        let open = |row: ListedRow<'_>| {
            let listed = self.open_listed(bucket, (row.id, row.key), row.record, row.mac)?;
            let damaged = || Error::damaged("a listing", "a delete marker is where objects are");
            object_of(row.key, &listed).ok_or_else(damaged)
        };
        self.0.metadata.read_consistent(|snapshot| {
            while let Some(start) = from.take() {
                let each = |row: ListedRow<'_>| {
                    let step = listing.take(row.key, || open(row))?;
                    Ok::<_, Error>(step.go_on(&mut from))
                };
                snapshot.each_latest(bucket.number, query.prefix.as_bytes(), &start, each)?;
            }
            Ok::<_, Error>(())
        })?;
        let next = listing.more.then(|| listing.last_name(|object| &object.key)).flatten();
        Ok(Page { next, objects: listing.entries, prefixes: listing.prefixes })
    }

    /// A page of the versions of the objects of a bucket.
    pub async fn list_versions(
        &self,
        permit: &Permit,
        bucket: &Arc<Bucket>,
        query: VersionsQuery,
    ) -> Result<VersionPage, Error> {
        permit.require_bucket(Action::ListVersions, bucket.id)?;
        let (store, bucket) = (self.clone(), Arc::clone(bucket));
        blocking(&self.0.listing, move || {
            store.0.metadata.read_consistent(|snapshot| store.version_page(snapshot, &bucket, &query))
        })
        .await
    }

    fn version_page(
        &self,
        snapshot: &Snapshot<'_>,
        bucket: &Bucket,
        query: &VersionsQuery,
    ) -> Result<VersionPage, Error> {
        let Some(mut listing) = Listing::new(&query.keys) else { return Ok(VersionPage::default()) };
        let (prefix, after) = (query.keys.prefix.as_bytes(), query.keys.after.as_str());
        let mut from = listing.beginning();
        let mut newest_of = String::new();
        let mut last = 0;
        if let Some(older_than) = self.version_marker(snapshot, bucket, query)? {
            after.clone_into(&mut newest_of);
            let within = VersionsFrom::Within(after.as_bytes(), older_than);
            let each = |row: ListedVersionRow<'_>| {
                let step = listing.take(row.key, || self.listed_version(bucket, row, false))?;
                last = if listing.more { last } else { row.id };
                // One more row of this key, or the page is full.
                Ok::<_, Error>(matches!(step, Step::Next))
            };
            snapshot.each_version(bucket.number, prefix, within, each)?;
        }
        while let Some(start) = from.take().filter(|_| !listing.more) {
            let each = |row: ListedVersionRow<'_>| {
                let is_newest = row.key != newest_of;
                if is_newest {
                    row.key.clone_into(&mut newest_of);
                }
                let step = listing.take(row.key, || self.listed_version(bucket, row, is_newest))?;
                last = if listing.more { last } else { row.id };
                Ok::<_, Error>(step.go_on(&mut from))
            };
            snapshot.each_version(bucket.number, prefix, VersionsFrom::Key(&start), each)?;
        }
        let next = listing.more.then(|| listing.last_name(|version| &version.key)).flatten();
        let next = next.map(|name| {
            let is_key = listing.entries.last().is_some_and(|version| version.key == name);
            // The null version is named by its number here: it may be gone when the next page is asked for.
            let version = is_key.then(|| version_id::write(bucket, last));
            (name, version)
        });
        Ok(VersionPage { next, versions: listing.entries, prefixes: listing.prefixes })
    }

    /// The number of the version that a page is to go on after, within the key `after`.
    fn version_marker(
        &self,
        snapshot: &Snapshot<'_>,
        bucket: &Bucket,
        query: &VersionsQuery,
    ) -> Result<Option<i64>, Error> {
        let Some(text) = &query.after_version else { return Ok(None) };
        let invalid = || Error::InvalidArgument("the version id marker is no id of a version here".into());
        match VersionId::parse(bucket, text).ok_or_else(invalid)? {
            VersionId::Number(number) => Ok(Some(number)),
            VersionId::Null => {
                use crate::version::Found;
                let key = query.keys.after.parse().map_err(|_| invalid())?;
                match self.find_version(snapshot, (bucket, &key), text) {
                    Ok(Found::Latest(id)) => Ok(Some(id)),
                    Ok(Found::History(row)) => Ok(Some(row.version)),
                    Err(Error::NoSuchVersion) => Err(invalid()),
                    Err(error) => Err(error),
                }
            }
        }
    }

    fn listed_version(
        &self,
        bucket: &Bucket,
        row: ListedVersionRow<'_>,
        is_newest: bool,
    ) -> Result<ListedVersion, Error> {
        let open = if row.is_latest { Self::open_listed } else { Self::open_history };
        let listed = open(self, bucket, (row.id, row.key), row.record, row.mac)?;
        let version = match listed.is_null {
            true => version_id::NULL.to_owned(),
            false => version_id::write(bucket, row.id),
        };
        Ok(ListedVersion {
            key: row.key.to_owned(),
            version,
            is_latest: is_newest,
            modified_at: Timestamp::from_micros(listed.modified_at_micros),
            object: object_of(row.key, &listed),
        })
    }
}

fn object_of(key: &str, listed: &Listed) -> Option<ListedObject> {
    let content = listed.object.as_ref()?;
    Some(ListedObject {
        key: key.to_owned(),
        size: content.size,
        etag: content.etag,
        modified_at: Timestamp::from_micros(listed.modified_at_micros),
        checksum: content.checksum,
    })
}

impl Step {
    /// Whether the statement that gives rows goes on; if another is to go on elsewhere, `from` says where.
    fn go_on(self, from: &mut Option<Vec<u8>>) -> bool {
        match self {
            Self::Next => true,
            Self::Stop => false,
            Self::Seek(key) => {
                *from = Some(key);
                false
            }
        }
    }
}

/// A page that is being filled.
struct Listing<'a, T> {
    query: &'a ListQuery,
    limit: usize,
    entries: Vec<T>,
    prefixes: Vec<String>,
    /// Whether there is more than the page has.
    more: bool,
}

impl<'a, T> Listing<'a, T> {
    /// `None` if the page is to have nothing.
    fn new(query: &'a ListQuery) -> Option<Self> {
        let limit = query.limit.min(MAX_PAGE);
        let (entries, prefixes, more) = (Vec::new(), Vec::new(), false);
        (limit > 0).then_some(Self { query, limit, entries, prefixes, more })
    }

    /// The least key that the page may begin with. When the page before ended with a common prefix, all keys under that
    /// prefix were part of it.
    fn beginning(&self) -> Option<Vec<u8>> {
        let after = self.query.after.as_str();
        if after.is_empty() {
            return Some(Vec::new());
        }
        let delimiter = self.query.delimiter.as_deref().unwrap_or_default();
        if !delimiter.is_empty() && after.ends_with(delimiter) && self.common_prefix(after) == Some(after) {
            return successor(after);
        }
        Some([after.as_bytes(), &[0]].concat())
    }

    /// The common prefix that stands for `key`, if one does.
    fn common_prefix<'k>(&self, key: &'k str) -> Option<&'k str> {
        let delimiter = self.query.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())?;
        let rest = key.strip_prefix(self.query.prefix.as_str())?;
        let end = self.query.prefix.len() + rest.find(delimiter)? + delimiter.len();
        Some(&key[..end])
    }

    /// Takes the row of a key: as `entry`, or as part of a common prefix.
    fn take(&mut self, key: &str, entry: impl FnOnce() -> Result<T, Error>) -> Result<Step, Error> {
        if self.entries.len() + self.prefixes.len() == self.limit {
            self.more = true;
            return Ok(Step::Stop);
        }
        if let Some(prefix) = self.common_prefix(key) {
            self.prefixes.push(prefix.to_owned());
            return Ok(successor(prefix).map_or(Step::Stop, Step::Seek));
        }
        self.entries.push(entry()?);
        Ok(Step::Next)
    }

    /// The last key or common prefix of the page.
    fn last_name(&self, key: impl Fn(&T) -> &str) -> Option<String> {
        let last_entry = self.entries.last().map(key);
        let last_prefix = self.prefixes.last().map(String::as_str);
        last_entry.max(last_prefix).map(str::to_owned)
    }
}

/// The least key that is greater than every key that begins with `prefix`.
pub(crate) fn successor(prefix: &str) -> Option<Vec<u8>> {
    let mut key = prefix.as_bytes().to_vec();
    // UTF-8 never has a byte 0xFF, so the last byte can always grow by one.
    *key.last_mut()? += 1;
    Some(key)
}
