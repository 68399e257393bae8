//! Reading a bucket page by page, in one snapshot each: what is due in it, and where the next page begins.

use std::sync::Arc;

use nuee_base::UploadId;
use nuee_metadata::{ListedVersionRow, Snapshot, VersionsFrom};

use super::{
    due::{Due, Judgement, Row, unless_damaged},
    place::At,
    plan::{Plan, Prefixes},
};
use crate::{Error, Store, blob_write::blocking};

/// What a page has.
#[derive(Default)]
pub(super) struct Page {
    /// What is to go.
    pub(super) due: Vec<Due>,
    /// Rows that were looked at.
    pub(super) seen: u64,
    /// Versions that a lock keeps.
    pub(super) locked: u64,
    /// Rows that are damaged.
    pub(super) damaged: u64,
    /// Where the next page begins, if there is one.
    pub(super) next: Option<At>,
}

/// A page of versions that is being read.
struct Reading<'a> {
    store: &'a Store,
    plan: &'a Plan,
    page: Page,
    /// What may be due, which is looked at when the page has been read.
    rows: Vec<Row>,
    /// Rows that the page still takes.
    room: u32,
    last: (Vec<u8>, i64),
}

impl Reading<'_> {
    /// Takes a row; whether there is room for another.
    fn take(&mut self, row: ListedVersionRow<'_>) -> Result<bool, Error> {
        self.room = self.room.saturating_sub(1);
        self.page.seen += 1;
        self.last = (row.key.as_bytes().to_vec(), row.id);
        let open = if row.is_latest { Store::open_listed } else { Store::open_history };
        let opened = open(self.store, &self.plan.bucket, (row.id, row.key), row.record, row.mac);
        match opened.map(|listed| (row.key.parse(), listed)) {
            Ok((Ok(key), listed)) => {
                let row = Row { key, id: row.id, is_latest: row.is_latest, listed };
                if self.plan.may_be_due(&row) {
                    self.rows.push(row);
                }
            }
            Err(error) if error.kind() != nuee_base::ErrorKind::Corrupt => return Err(error),
            Ok((Err(_), _)) | Err(_) => self.page.damaged += 1,
        }
        Ok(self.room > 0)
    }

    fn is_full(&self) -> bool {
        self.room == 0
    }
}

impl Page {
    fn take(&mut self, judged: Result<Judgement, Error>) -> Result<(), Error> {
        match unless_damaged(judged)? {
            None => self.damaged += 1,
            Some(Judgement::Stays) => {}
            Some(Judgement::Locked) => self.locked += 1,
            Some(Judgement::Goes(due)) => self.due.push(due),
        }
        Ok(())
    }
}

impl Store {
    /// The page that begins here.
    pub(super) async fn lifecycle_page(&self, plan: &Arc<Plan>, at: At) -> Result<Page, Error> {
        let (store, plan) = (self.clone(), Arc::clone(plan));
        blocking(&self.0.listing, move || {
            store.0.metadata.read_consistent(|snapshot| match at {
                At::Versions { key, older_than } => store.read_versions(snapshot, &plan, (key, older_than)),
                At::Uploads { key, id } => store.read_uploads(snapshot, &plan, (key, id)),
            })
        })
        .await
    }

    fn read_versions(
        &self,
        snapshot: &Snapshot<'_>,
        plan: &Plan,
        (mut start, older_than): (Vec<u8>, Option<i64>),
    ) -> Result<Page, Error> {
        let (room, last) = (self.0.options.lifecycle_page.max(1), (Vec::new(), 0));
        let mut reading = Reading { store: self, plan, page: Page::default(), rows: Vec::new(), room, last };
        let number = plan.bucket.number;
        if let Some(version) = older_than {
            let within = VersionsFrom::Within(&start, version);
            snapshot.each_version(number, &[], within, |row| reading.take(row))?;
            start.push(0);
        }
        let mut ended = false;
        while !reading.is_full() && !ended {
            let Some(prefix) = plan.versions.next(&start) else { break };
            let from = VersionsFrom::Key(&start);
            snapshot.each_version(number, prefix.as_bytes(), from, |row| reading.take(row))?;
            if !reading.is_full() {
                let after = Prefixes::after(prefix);
                ended = after.is_none();
                start = after.unwrap_or_default();
            }
        }
        let Reading { mut page, rows, last: (key, id), room, .. } = reading;
        for row in &rows {
            page.take(self.judge(snapshot, plan, row))?;
        }
        let beginning = At::Uploads { key: Vec::new(), id: [0; 16] };
        page.next = Some(if room == 0 { At::Versions { key, older_than: Some(id) } } else { beginning });
        Ok(page)
    }

    fn read_uploads(
        &self,
        snapshot: &Snapshot<'_>,
        plan: &Plan,
        (mut key, mut id): (Vec<u8>, [u8; 16]),
    ) -> Result<Page, Error> {
        let (mut page, mut room) = (Page::default(), self.0.options.lifecycle_page.max(1));
        while let Some(prefix) = plan.uploads.next(&key) {
            if key.as_slice() < prefix.as_bytes() {
                (key, id) = (prefix.as_bytes().to_vec(), [0; 16]);
            }
            let rows = snapshot.uploads(plan.bucket.number, &key, id, room)?;
            let asked = room;
            for row in rows.iter().take_while(|row| row.key.as_str().starts_with(prefix)) {
                page.take(self.judge_upload(plan, row))?;
                page.seen += 1;
                room -= 1;
                (key, id) = (row.key.as_bytes().to_vec(), UploadId::to_bytes(row.id));
            }
            if room == 0 {
                page.next = Some(At::Uploads { key, id });
                break;
            }
            // There is no more under this prefix, and nothing at all if less came than was asked for.
            let Some(after) = Prefixes::after(prefix).filter(|_| rows.len() == asked as usize) else { break };
            (key, id) = (after, [0; 16]);
        }
        Ok(page)
    }
}
