//! Erasing what leaves say once its time is over. The leaves stay, and so do the tree and all proofs.

use nuee_base::{OrganisationId, Timestamp};
use nuee_metadata::{Snapshot, Transaction};
use tokio::task::spawn_blocking;

use crate::{
    Entry, Error, Journal, Leaf, Subject,
    verify::{ERASED_BEFORE, erased_before},
};

/// Leaves that are looked at in one step.
const PAGE: u32 = 500;
const ACTION: &str = "nuee:EraseJournal";

/// What a step of erasing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErasedPage {
    /// The last leaf that was looked at; `None` when there are no more.
    pub last: Option<i64>,
    /// How many bodies were erased.
    pub erased: usize,
}

impl Journal {
    /// Notes that leaves before an instant may have no body from now on, and tells of it in a leaf.
    pub async fn begin_erasing(&self, before: Timestamp) -> Result<(), Error> {
        let now = self.0.keys.environment().now();
        let platform = OrganisationId::from_bytes([0; 16]);
        let entry = Entry::by(("retention".to_owned(), now), &self.0.keys, platform, "platform".to_owned())?;
        let note = move |transaction: &Transaction<'_>| {
            if erased_before(transaction)? >= before {
                return Ok(());
            }
            transaction.set_platform_value(ERASED_BEFORE, &before.as_micros().to_be_bytes())?;
            let detail = format!("before {before}");
            entry.append(transaction, ACTION, Subject::detail(&detail)).map(drop)
        };
        self.0.metadata.write(note).await
    }

    /// Erases the bodies of the next leaves after `after` that are older than `before`, unless `is_needed` says that rows
    /// still follow from one. What cannot be read stays.
    pub async fn erase_page(
        &self,
        before: Timestamp,
        after: i64,
        is_needed: impl Fn(&Snapshot<'_>, &Leaf) -> Result<bool, Error> + Send + 'static,
    ) -> Result<ErasedPage, Error> {
        let journal = self.clone();
        let look = move || {
            journal.0.metadata.read_consistent(|snapshot| {
                let rows = snapshot.leaves_with_bodies(after, PAGE)?;
                let mut due = Vec::new();
                for row in rows.iter().filter(|row| row.at < before) {
                    let Ok(Some(leaf)) = Leaf::read(&journal.0.keys, row) else { continue };
                    if !is_needed(snapshot, &leaf)? {
                        due.push(row.id);
                    }
                }
                Ok::<_, Error>((rows.last().map(|row| row.id), due))
            })
        };
        let (last, due) = spawn_blocking(look).await.map_err(|_| Error::Interrupted)??;
        let erased = due.len();
        if erased > 0 {
            let erase = move |transaction: &Transaction<'_>| {
                due.iter().try_for_each(|leaf| transaction.erase_body(*leaf).map(drop))
            };
            self.0.metadata.write::<_, nuee_metadata::Error>(erase).await?;
        }
        Ok(ErasedPage { last, erased })
    }
}
