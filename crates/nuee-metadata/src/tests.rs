//! The promises of the store: durable groups, isolated failures, snapshots, reopening.

use nuee_base::{ErrorKind, ObjectKey, OrganisationId, ProjectId, Timestamp, UploadId};
use tempfile::TempDir;

use crate::{Error, ListedRow, Metadata, Options, PartRow, Transaction, Usage, VersionRow};

fn open(directory: &TempDir) -> Metadata {
    Metadata::open(&directory.path().join("metadata.db"), Options::default()).unwrap()
}

fn insert(transaction: &Transaction<'_>, key: &str) -> Result<i64, Error> {
    let key: ObjectKey = key.parse().unwrap();
    let (record, mac) = (key.as_bytes().to_vec(), [7; 32]);
    let id = transaction.next_sequence();
    transaction.insert_version(&VersionRow { id, bucket: 1, key: key.clone(), record, mac })?;
    transaction.set_latest((1, &key), id, (b"listed", mac))?;
    transaction.append_leaf(Timestamp::from_micros(id), OrganisationId::from_bytes([0; 16]), b"put", None)
}

fn keys(metadata: &Metadata, prefix: &str, from: &str, limit: usize) -> Vec<String> {
    let mut found = Vec::new();
    let each = |row: ListedRow<'_>| {
        found.push(row.key.to_owned());
        Ok::<_, Error>(found.len() < limit)
    };
    metadata.read(|snapshot| snapshot.each_latest(1, prefix.as_bytes(), from.as_bytes(), each)).unwrap();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writes_are_all_there_after_reopening() {
    let directory = TempDir::new().unwrap();
    let metadata = open(&directory);
    let writes: Vec<_> = (0..500)
        .map(|n| {
            let metadata = metadata.clone();
            tokio::spawn(async move { metadata.write(move |t| insert(t, &format!("k{n:03}"))).await })
        })
        .collect();
    let mut ids = Vec::new();
    for write in writes {
        ids.push(write.await.unwrap().unwrap());
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=500).collect::<Vec<_>>(), "journal numbers have no gap and no repeat");
    metadata.close();
    assert!(matches!(metadata.write(|t| insert(t, "late")).await, Err(Error::Closed)));

    let metadata = open(&directory);
    assert_eq!(keys(&metadata, "", "", 1_000).len(), 500);
    assert_eq!(metadata.write(|t| insert(t, "next")).await.unwrap(), 501);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_fails_leaves_no_trace_and_disturbs_no_other() {
    let directory = TempDir::new().unwrap();
    let metadata = open(&directory);
    let fails = metadata.write(|t| insert(t, "bad").and(Err::<i64, _>(Error::Duplicate)));
    let panics = metadata.write(|t| -> Result<i64, Error> {
        insert(t, "worse")?;
        panic!("a defect");
    });
    let works = metadata.write(|t| insert(t, "good"));
    let (fails, panics, works) = tokio::join!(fails, panics, works);
    assert!(matches!(fails, Err(Error::Duplicate)));
    assert!(matches!(panics, Err(Error::Panicked)));
    assert_eq!(works.unwrap(), 1, "the numbers of undone changes are used again");
    assert_eq!(keys(&metadata, "", "", 10), ["good"]);
}

#[tokio::test]
async fn a_key_has_one_latest_version_and_listing_is_in_byte_order() {
    let directory = TempDir::new().unwrap();
    let metadata = open(&directory);
    for key in ["b/2", "a", "b/1", "é", "b", "a"] {
        metadata.write(move |t| insert(t, key)).await.unwrap();
    }
    assert_eq!(keys(&metadata, "", "", 10), ["a", "b", "b/1", "b/2", "é"]);
    assert_eq!(keys(&metadata, "b/", "", 10), ["b/1", "b/2"]);
    assert_eq!(keys(&metadata, "b", "b/1", 1), ["b/1"]);
    let latest = metadata.read(|s| s.latest_version(1, &"a".parse().unwrap())).unwrap().unwrap();
    assert_eq!(latest.id, 6);
    assert_eq!(
        metadata.read(|s| s.dangling_versions()).unwrap(),
        (0, 1),
        "the first version of a is left over"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_fails_a_group_and_nothing_after_it() {
    let directory = TempDir::new().unwrap();
    let metadata = open(&directory);
    metadata.write(|t| insert(t, "first")).await.unwrap();
    let limit = |pages: u32| {
        let sql = format!("PRAGMA max_page_count = {pages}");
        metadata.write(move |t| t.collect(&sql, (), |_| Ok(())).map(drop))
    };
    // To SQLite, this is the same as a disk that takes no more.
    limit(60).await.unwrap();
    let write = |n: u32| {
        let metadata = metadata.clone();
        tokio::spawn(async move {
            let key = format!("{n:04}{}", "x".repeat(1_000));
            (key.clone(), metadata.write(move |t| insert(t, &key)).await)
        })
    };
    let writes: Vec<_> = (0..400).map(write).collect();
    let (mut done, mut refused) = (vec!["first".to_owned()], 0);
    for write in writes {
        match write.await.unwrap() {
            (key, Ok(_)) => done.push(key),
            (_, Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0 && !metadata.is_poisoned());
    let swallow = |t: &Transaction<'_>| {
        while insert(t, &"y".repeat(1_000)).is_ok() {}
        assert!(insert(t, "z").is_err(), "a statement after the transaction was lost");
        Ok::<_, Error>(())
    };
    assert!(metadata.write(swallow).await.is_err(), "what was taken back was acknowledged");
    done.sort();
    assert_eq!(keys(&metadata, "", "", 1_000), done);
    limit(1_000_000).await.unwrap();
    let next = metadata.write(|t| insert(t, "last")).await.unwrap();
    assert_eq!(usize::try_from(next).unwrap(), done.len() + 1, "numbers have no gap");
    drop(metadata);
    assert_eq!(keys(&open(&directory), "", "", 1_000).len(), done.len() + 1);
}

#[tokio::test]
async fn versions_without_a_counterpart_are_counted_over_many_pages() {
    let directory = TempDir::new().unwrap();
    let metadata = open(&directory);
    let change = |t: &Transaction<'_>| {
        for n in 0..4_500 {
            insert(t, &format!("{n:05}"))?;
        }
        for key in ["00000", "02000", "04499"] {
            t.delete_latest(1, &key.parse().unwrap())?;
        }
        t.delete_version(8).and(t.delete_version(4_400))
    };
    metadata.write(change).await.unwrap();
    assert_eq!(metadata.read(|s| s.dangling_versions()).unwrap(), (2, 3));
}

#[tokio::test]
async fn references_are_counted_beyond_the_first() {
    let directory = TempDir::new().unwrap();
    let metadata = open(&directory);
    let change = |t: &Transaction<'_>| {
        t.add_reference([1; 16])?;
        t.add_reference([1; 16])?;
        Ok::<_, Error>([(); 4].map(|()| t.remove_reference([1; 16]).unwrap()))
    };
    assert_eq!(metadata.write(change).await.unwrap(), [false, false, true, true]);
}

#[tokio::test]
async fn usage_adds_up_and_parts_are_replaced() {
    let directory = TempDir::new().unwrap();
    let metadata = open(&directory);
    let upload = UploadId::from_bytes([9; 16]);
    let project = ProjectId::from_bytes([8; 16]);
    metadata
        .write(move |t| {
            t.count_usage(project)?;
            t.add_usage((1, project), Usage { objects: 2, bytes: 10 })?;
            t.add_usage((1, project), Usage { objects: -1, bytes: -4 })?;
            for (number, record) in [(2, "old"), (1, "one"), (2, "new")] {
                t.put_part(&PartRow { upload, number, record: record.into(), mac: [0; 32] })?;
            }
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
    assert_eq!(metadata.read(|s| s.usage(1)).unwrap(), Usage { objects: 1, bytes: 6 });
    let counted = metadata.read(|s| s.counted_usage(project)).unwrap();
    assert_eq!(counted, Some(Usage { objects: 1, bytes: 6 }));
    let other = ProjectId::from_bytes([7; 16]);
    assert_eq!(metadata.read(|s| s.counted_usage(other)).unwrap(), None, "it is not counted");
    let parts = metadata.read(|s| s.parts(upload, 0, 10)).unwrap();
    assert_eq!(parts.iter().map(|part| &part.record[..]).collect::<Vec<_>>(), [b"one", b"new"]);
}

#[test]
fn a_database_of_a_newer_program_is_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("metadata.db");
    drop(open(&directory));
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = Metadata::open(&path, Options::default()).err().unwrap();
    assert!(error.to_string().contains("run a newer nuee"), "{error}");
}
