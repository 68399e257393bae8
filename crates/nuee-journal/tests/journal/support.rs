//! A journal of two organisations, in a directory that goes away.

use std::sync::Arc;

use nuee_base::{Context, Environment, ObjectKey, OrganisationId, Principal, Timestamp};
use nuee_journal::{Entry, Error, Journal, Subject};
use nuee_keys::{DirectoryCustody, KeyRing};
use nuee_metadata::{Metadata, Options, Transaction};
use rusqlite::Connection;
use tempfile::TempDir;

pub(crate) const ORIGIN: &str = "nuee/example";

pub(crate) struct Platform {
    pub(crate) directory: TempDir,
    pub(crate) metadata: Metadata,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) journal: Journal,
    pub(crate) organisations: [OrganisationId; 2],
}

impl Platform {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let environment = Environment::system();
        let custody = DirectoryCustody::create(&directory.path().join("keys"), environment.clone()).unwrap();
        let keys = Arc::new(KeyRing::new(Arc::new(custody), environment.clone(), KeyRing::LIFETIME));
        let organisations = [(); 2].map(|()| OrganisationId::generate(&environment));
        for organisation in organisations {
            keys.create_organisation_key(organisation).unwrap();
        }
        let metadata = Metadata::open(&directory.path().join("metadata.db"), Options::default()).unwrap();
        let journal = Journal::new(metadata.clone(), Arc::clone(&keys), ORIGIN.into());
        Self { directory, metadata, keys, journal, organisations }
    }

    /// The database, as its thief sees it.
    pub(crate) fn thief(&self) -> Connection {
        Connection::open(self.directory.path().join("metadata.db")).unwrap()
    }

    /// So many leaves, of the first organisation and, now and then, of the second.
    pub(crate) async fn append(&self, count: usize) {
        let context = Context::new(Environment::system(), Principal::Operator);
        let entry = |place: usize| {
            Entry::new(&context, &self.keys, self.organisations[place], "bucket/papers".into()).unwrap()
        };
        let entries = [entry(0), entry(1)];
        let append = move |transaction: &Transaction<'_>| {
            for number in 0..count {
                let key: ObjectKey = format!("key-{number}").parse().unwrap();
                entries[usize::from(number % 5 == 4)].append(
                    transaction,
                    "s3:PutObject",
                    Subject::key(&key),
                )?;
            }
            Ok::<_, Error>(())
        };
        self.metadata.write(append).await.unwrap();
    }

    /// A leaf as earlier releases wrote them.
    pub(crate) async fn append_form_1(&self, key: &str) {
        let body = format!(
            "{{\"v\":1,\"by\":\"operator\",\"action\":\"s3:PutObject\",\"on\":\"bucket/papers\",\"key\":\"{key}\"}}"
        );
        let (organisation, at) = (self.organisations[0], Timestamp::from_micros(1_700_000_000_000_000));
        let append = move |transaction: &Transaction<'_>| {
            // What it wrote beside leaves is not written.
            transaction.append_leaf(at, organisation, body.as_bytes(), None)
        };
        self.metadata.write(append).await.unwrap();
        self.thief().execute("DELETE FROM journal_heads", ()).unwrap();
    }

    pub(crate) fn findings(&self) -> Vec<String> {
        self.metadata.read_consistent(|snapshot| self.journal.verify(snapshot, None, |_| {})).unwrap()
    }
}
