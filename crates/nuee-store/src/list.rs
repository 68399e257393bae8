//! Listing objects.

use std::sync::Arc;

use nuee_access::{Action, Permit};
use nuee_base::Timestamp;
use nuee_metadata::ListedRow;

use crate::{Bucket, ChecksumAlgorithm, ChecksumType, ETag, Error, Store, blob_write::blocking};

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
        let limit = query.limit.min(MAX_PAGE);
        if limit == 0 {
            return Ok(Page::default());
        }
        let mut listing = Listing { store: self, bucket, query, limit, page: Page::default() };
        let mut from = listing.beginning();
        self.0.metadata.read_consistent(|snapshot| {
            while let Some(start) = from.take() {
                let each = |row: ListedRow<'_>| match listing.take(row)? {
                    Step::Next => Ok(true),
                    Step::Stop => Ok(false),
                    Step::Seek(key) => {
                        from = Some(key);
                        Ok(false)
                    }
                };
                snapshot.each_latest::<Error>(bucket.number, query.prefix.as_bytes(), &start, each)?;
            }
            Ok::<_, Error>(())
        })?;
        Ok(listing.page)
    }
}

struct Listing<'a> {
    store: &'a Store,
    bucket: &'a Bucket,
    query: &'a ListQuery,
    limit: usize,
    page: Page,
}

impl Listing<'_> {
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

    fn take(&mut self, row: ListedRow<'_>) -> Result<Step, Error> {
        if self.page.objects.len() + self.page.prefixes.len() == self.limit {
            let last_object = self.page.objects.last().map(|object| object.key.as_str());
            let last_prefix = self.page.prefixes.last().map(String::as_str);
            self.page.next = last_object.max(last_prefix).map(str::to_owned);
            return Ok(Step::Stop);
        }
        if let Some(prefix) = self.common_prefix(row.key) {
            self.page.prefixes.push(prefix.to_owned());
            return Ok(successor(prefix).map_or(Step::Stop, Step::Seek));
        }
        let listed = self.store.open_listed(self.bucket, (row.id, row.key), row.record, row.mac)?;
        self.page.objects.push(ListedObject {
            key: row.key.to_owned(),
            size: listed.size,
            etag: listed.etag,
            modified_at: Timestamp::from_micros(listed.modified_at_micros),
            checksum: listed.checksum,
        });
        Ok(Step::Next)
    }
}

/// The least key that is greater than every key that begins with `prefix`.
fn successor(prefix: &str) -> Option<Vec<u8>> {
    let mut key = prefix.as_bytes().to_vec();
    // UTF-8 never has a byte 0xFF, so the last byte can always grow by one.
    *key.last_mut()? += 1;
    Some(key)
}
