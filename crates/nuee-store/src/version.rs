//! The versions of a key, and how they follow each other ([S3's
//! description](https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html)).
//!
//! A key names its *latest* version. What that replaced is *history*, and so are delete markers: where the newest of all
//! is a marker, the key names nothing. For example, in a bucket that keeps versions, PUT, PUT, DELETE leave two versions
//! and a marker, all in the history; when the marker is deleted by its id, the second version is the latest again.
//!
//! A version that was written while its bucket kept none has no id of its own: it is the *null* version, of which a key
//! has one at most. Everything here happens inside the transaction of a change.

use nuee_base::{BlobId, ErrorKind, Timestamp};
use nuee_metadata::{HistoryRow, PartRow, Transaction, Usage, VersionRow};

use crate::{
    Bucket, Conditions, Error, Store, Versioning,
    condition::Present,
    object::Change,
    record::{self, Content as Stored, Listed, ListedRecord, Version, VersionRecord},
    store::{PartsOwner, history_fields, listed_fields, version_fields},
};

/// A version that was found by what the request says.
pub(crate) enum Found {
    /// The latest of its key.
    Latest(i64),
    /// One of its history.
    History(HistoryRow),
}

impl Store {
    /// Makes `version` the one its key names; gives its number. The journal's leaf comes right after.
    pub(crate) fn add_version(
        &self,
        transaction: &Transaction<'_>,
        change: &mut Change,
        mut version: Version,
        conditions: &Conditions,
    ) -> Result<i64, Error> {
        change.bucket = self.present_bucket(transaction, &change.bucket)?;
        let latest = transaction.latest_version(change.bucket.number, &change.key)?;
        self.check_conditions(&change.bucket, latest.as_ref(), conditions)?;
        self.make_way(transaction, change, latest)?;
        version.is_null = change.bucket.versioning != Versioning::Enabled;
        let bytes = version.size.cast_signed();
        let id = self.insert_latest(transaction, change, version)?;
        transaction.add_usage(change.bucket.place(), Usage { objects: 1, bytes })?;
        self.check_bounds(transaction, change.bucket.project)?;
        Ok(id)
    }

    /// Leaves a delete marker in the place of the latest version, or deletes that where no versions are kept. Gives the
    /// number of the marker, if there is one; `None` if nothing was there to delete.
    #[expect(clippy::option_option, reason = "nothing was there, or no marker was made: two things")]
    pub(crate) fn add_marker(
        &self,
        transaction: &Transaction<'_>,
        change: &mut Change,
        (conditions, now): (&Conditions, Timestamp),
    ) -> Result<Option<Option<i64>>, Error> {
        change.bucket = self.present_bucket(transaction, &change.bucket)?;
        let latest = transaction.latest_version(change.bucket.number, &change.key)?;
        self.check_conditions(&change.bucket, latest.as_ref(), conditions)?;
        let (existed, number) = (latest.is_some(), change.bucket.number);
        self.make_way(transaction, change, latest)?;
        if existed {
            transaction.delete_latest(number, &change.key)?;
        }
        if change.bucket.versioning == Versioning::Unversioned {
            return Ok(existed.then_some(None));
        }
        let is_null = change.bucket.versioning == Versioning::Suspended;
        let id = transaction.next_sequence();
        let listed = Listed { modified_at_micros: now.as_micros(), is_null, object: None };
        let record = record::encode(&ListedRecord::V2(listed))?;
        self.insert_history(transaction, change, (id, is_null, true), record)?;
        Ok(Some(Some(id)))
    }

    /// That what a key names now is what a write asks for.
    pub(crate) fn check_conditions(
        &self,
        bucket: &Bucket,
        latest: Option<&VersionRow>,
        conditions: &Conditions,
    ) -> Result<(), Error> {
        if conditions.is_empty() {
            return Ok(());
        }
        let opened = latest.map(|row| self.open_replaced(bucket, row)).transpose()?;
        conditions.check_write(match opened {
            None => Present::Nothing,
            Some(None) => Present::Unknown,
            Some(Some(version)) => Present::Object(version.etag, version.modified_at()),
        })
    }

    /// What is to be done with the latest version before another takes its place, and with the null version if that is
    /// to be replaced. The row in `latest` stays, for the caller to overwrite or to remove.
    fn make_way(
        &self,
        transaction: &Transaction<'_>,
        change: &Change,
        latest: Option<VersionRow>,
    ) -> Result<(), Error> {
        let bucket = &change.bucket;
        if let Some(row) = latest {
            let is_null = match bucket.versioning {
                Versioning::Unversioned => true,
                Versioning::Enabled => false,
                Versioning::Suspended => {
                    self.open_replaced(bucket, &row)?.is_some_and(|version| version.is_null)
                }
            };
            if is_null {
                return self.drop_version(transaction, change, &row);
            }
            self.move_to_history(transaction, change, row.id)?;
        }
        if bucket.versioning == Versioning::Suspended
            && let Some(row) = transaction.null_history(bucket.number, &change.key)?
        {
            self.drop_history(transaction, change, &row)?;
        }
        Ok(())
    }

    /// Removes a version's row and its reference to its bytes, unless a lock keeps it: no version goes by another way.
    /// Its pointer is the caller's.
    fn drop_version(
        &self,
        transaction: &Transaction<'_>,
        change: &Change,
        row: &VersionRow,
    ) -> Result<(), Error> {
        let mut usage = Usage { objects: -1, bytes: 0 };
        if let Some(version) = self.open_replaced(&change.bucket, row)? {
            version.lock.allow_removal(self.0.lock_clock.now(), change.bypass)?;
            release(transaction, change, &version)?;
            usage.bytes = -version.size.cast_signed();
        }
        transaction.delete_version(row.id)?;
        Ok(transaction.add_usage(change.bucket.place(), usage)?)
    }

    /// Removes a row of the history, and the version that it stands for.
    fn drop_history(
        &self,
        transaction: &Transaction<'_>,
        change: &Change,
        row: &HistoryRow,
    ) -> Result<(), Error> {
        if !row.is_marker
            && let Some(mut version) = transaction.version(row.version)?
        {
            // As for the latest one, its code is checked against what was asked for.
            (version.bucket, version.key) = (change.bucket.number, change.key.clone());
            self.drop_version(transaction, change, &version)?;
        }
        transaction.delete_history(row.bucket, &row.key, row.version)?;
        Ok(())
    }

    #[expect(clippy::unused_self, reason = "reads as what it is about")]
    fn insert_latest(
        &self,
        transaction: &Transaction<'_>,
        change: &Change,
        version: Version,
    ) -> Result<i64, Error> {
        let Change { bucket, key, row_key, .. } = change;
        let id = transaction.next_sequence();
        let listed = record::encode(&ListedRecord::V2(version.listed()))?;
        let code = listed_fields(bucket, id, key.as_str(), &listed).mac(row_key);
        let record = record::encode(&VersionRecord::V2(version))?;
        let mac = version_fields(bucket, id, key.as_str(), &record).mac(row_key);
        let row = VersionRow { id, bucket: bucket.number, key: key.clone(), record, mac };
        transaction.insert_version(&row)?;
        transaction.set_latest((bucket.number, key), id, (&listed, code))?;
        Ok(id)
    }

    #[expect(clippy::unused_self, reason = "reads as what it is about")]
    fn insert_history(
        &self,
        transaction: &Transaction<'_>,
        change: &Change,
        (version, is_null, is_marker): (i64, bool, bool),
        record: Vec<u8>,
    ) -> Result<(), Error> {
        let Change { bucket, key, row_key, .. } = change;
        let mac = history_fields(bucket, version, key.as_str(), &record).mac(row_key);
        let (bucket, key) = (bucket.number, key.clone());
        Ok(transaction.insert_history(&HistoryRow {
            bucket,
            key,
            version,
            is_null,
            is_marker,
            record,
            mac,
        })?)
    }

    /// What `latest` has of a version goes to the history, where a damaged row stays a damaged row.
    fn move_to_history(&self, transaction: &Transaction<'_>, change: &Change, id: i64) -> Result<(), Error> {
        let Change { bucket, key, .. } = change;
        let Some((listed_id, record, mac)) = transaction.latest(bucket.number, key)? else { return Ok(()) };
        match self.open_listed(bucket, (listed_id, key.as_str()), &record, &mac) {
            Ok(listed) if listed_id == id => {
                self.insert_history(transaction, change, (id, listed.is_null, false), record)
            }
            Err(error) if error.kind() != ErrorKind::Corrupt => Err(error),
            Ok(_) | Err(_) => {
                tracing::error!(version = id, "the listing of a version that is replaced is damaged");
                let (bucket, key) = (bucket.number, key.clone());
                let (is_null, is_marker, mac) = (false, false, [0; 32]);
                let row = HistoryRow { bucket, key, version: id, is_null, is_marker, record, mac };
                Ok(transaction.insert_history(&row)?)
            }
        }
    }

    /// Makes the newest version of the history the latest of its key, if the key names none and it is no marker.
    fn promote(&self, transaction: &Transaction<'_>, change: &Change) -> Result<(), Error> {
        let Change { bucket, key, row_key, .. } = change;
        if transaction.latest(bucket.number, key)?.is_some() {
            return Ok(());
        }
        let newest = transaction.newest_history(bucket.number, key)?;
        let Some(row) = newest.filter(|row| !row.is_marker) else { return Ok(()) };
        let listed = (row.version, key.as_str());
        let code = match self.open_history(bucket, listed, &row.record, &row.mac) {
            Ok(_) => listed_fields(bucket, row.version, key.as_str(), &row.record).mac(row_key),
            Err(error) if error.kind() == ErrorKind::Corrupt => [0; 32],
            Err(error) => return Err(error),
        };
        transaction.delete_history(bucket.number, key, row.version)?;
        Ok(transaction.set_latest((bucket.number, key), row.version, (&row.record, code))?)
    }

    /// Removes a version for good.
    pub(crate) fn remove_version(
        &self,
        transaction: &Transaction<'_>,
        change: &Change,
        found: &Found,
    ) -> Result<(), Error> {
        match found {
            Found::Latest(_) => {
                let row = transaction.latest_version(change.bucket.number, &change.key)?;
                if let Some(row) = row {
                    self.drop_version(transaction, change, &row)?;
                }
                transaction.delete_latest(change.bucket.number, &change.key)?;
            }
            Found::History(row) => self.drop_history(transaction, change, row)?,
        }
        self.promote(transaction, change)
    }

    /// A version that is about to be replaced or removed; `None` if it is damaged. What a damaged row says is not to be
    /// followed, but its owner may get rid of it.
    pub(crate) fn open_replaced(&self, bucket: &Bucket, row: &VersionRow) -> Result<Option<Version>, Error> {
        match self.open_version(bucket, row) {
            Ok(version) => Ok(Some(version)),
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::error!(%error, "a damaged version is removed; its blob is left");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Replaces what a version's row says, with the bytes as they are.
    pub(crate) fn rewrite_version(
        &self,
        transaction: &Transaction<'_>,
        (bucket, row): (&Bucket, &VersionRow),
        version: Version,
    ) -> Result<(), Error> {
        let record = record::encode(&VersionRecord::V2(version))?;
        if record != row.record {
            let row_key = self.row_key(bucket.organisation)?;
            let mac = version_fields(bucket, row.id, row.key.as_str(), &record).mac(&row_key);
            transaction.update_version(row.id, &record, mac)?;
        }
        Ok(())
    }
}

/// Takes away a version's reference to its bytes, and marks what nothing references any more.
fn release(transaction: &Transaction<'_>, change: &Change, version: &Version) -> Result<(), Error> {
    match &version.content {
        Stored::Blob(blob) => {
            if transaction.remove_reference(blob.id)? {
                transaction.insert_garbage(blob.id(), &blob.locator, change.reclaim_at)?;
            }
        }
        Stored::Parts { upload, .. } => {
            if transaction.remove_reference(*upload)? {
                release_parts(transaction, change, *upload)?;
            }
        }
    }
    Ok(())
}

/// Marks all parts of an upload for deletion. Their rows stay until the reclaimer comes to them: for those who read them
/// now, and so that nobody waits while thousands are marked.
pub(crate) fn release_parts(
    transaction: &Transaction<'_>,
    change: &Change,
    upload: [u8; 16],
) -> Result<(), Error> {
    let owner = PartsOwner { organisation: change.bucket.organisation, project: change.bucket.project };
    Ok(transaction.insert_garbage(BlobId::from_bytes(upload), &owner.to_bytes(), change.reclaim_at)?)
}

/// Marks the blob of a part for deletion. What a damaged row says is not followed, but its owner may get rid of it.
pub(crate) fn release_part(
    transaction: &Transaction<'_>,
    (owner, reclaim_at): (PartsOwner, Timestamp),
    row: &PartRow,
    store: &Store,
) -> Result<(), Error> {
    match store.open_part(owner, row) {
        Ok(part) => Ok(transaction.insert_garbage(part.blob.id(), &part.blob.locator, reclaim_at)?),
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            tracing::error!(%error, "a damaged part is removed; its blob is left");
            Ok(())
        }
        Err(error) => Err(error),
    }
}
