//! Damage: every kind is an error, and verification finds it.

use std::{fs, os::unix::fs::FileExt};

use nuee_store::Error;

use crate::platform::{Platform, content};

/// Changes the database behind the server's back, as whoever has its file could.
fn tamper(platform: &Platform, sql: &str) {
    let connection = rusqlite::Connection::open(platform.database()).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    assert!(connection.execute(sql, ()).unwrap() > 0, "{sql} changed nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_altered_or_swapped_are_refused() {
    for sql in [
        "UPDATE versions SET record = (SELECT record FROM versions WHERE key = x'62') WHERE key = x'61'",
        "UPDATE versions SET record = (SELECT record FROM versions WHERE key = x'62'),
            mac = (SELECT mac FROM versions WHERE key = x'62') WHERE key = x'61'",
        "UPDATE versions SET mac = zeroblob(32) WHERE key = x'61'",
        "UPDATE latest SET version = (SELECT version FROM latest WHERE key = x'62') WHERE key = x'61'",
        "UPDATE versions SET record = CAST(substr(record, 1, length(record) - 1)
            || CASE substr(record, -1) WHEN x'00' THEN x'01' ELSE x'00' END AS BLOB) WHERE key = x'61'",
    ] {
        let platform = Platform::new().await;
        platform.put(&platform.home, "a", &content(1_000, 1)).await;
        platform.put(&platform.home, "b", &content(1_000, 2)).await;
        tamper(&platform, sql);
        let read = platform.get(&platform.home, "a").await;
        assert!(matches!(read, Err(Error::Damaged { .. })), "{sql}: {read:?}");
        assert!(platform.get(&platform.home, "b").await.unwrap() == content(1_000, 2));
        assert!(platform.verify().await.damaged > 0, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_row_of_another_project_is_refused() {
    let platform = Platform::new().await;
    platform.put(&platform.home, "a", &content(1_000, 1)).await;
    let (home, abroad) =
        (hex::encode(platform.home.project.to_bytes()), hex::encode(platform.abroad.project.to_bytes()));
    tamper(
        &platform,
        &format!(
            "UPDATE project_keys SET record = (SELECT record FROM project_keys WHERE project = x'{abroad}'),
                mac = (SELECT mac FROM project_keys WHERE project = x'{abroad}') WHERE project = x'{home}'"
        ),
    );
    // A store that has not seen the key yet.
    let keys = nuee_keys::DirectoryCustody::open(
        &platform.directory.path().join("keys"),
        platform.environment.clone(),
    );
    let keys = nuee_keys::KeyRing::new(
        std::sync::Arc::new(keys.unwrap()),
        platform.environment.clone(),
        nuee_keys::KeyRing::LIFETIME,
    );
    let store = nuee_store::Store::new(
        platform.metadata.clone(),
        platform.site.clone(),
        std::sync::Arc::new(keys),
        platform.environment.clone(),
        nuee_store::Options::default(),
    );
    let permit = platform.permit(&platform.home, nuee_access::Action::GetObject);
    let object = store.object(&permit, &platform.home, &"a".parse().unwrap()).unwrap();
    assert!(store.read_object(&object, 0..1_000).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn flipped_bytes_of_blobs_end_in_an_error_and_never_in_wrong_bytes() {
    let platform = Platform::new().await;
    platform.put(&platform.home, "small", &content(5_000, 1)).await;
    platform.put(&platform.home, "large", &content(3 << 20, 2)).await;
    platform.put(&platform.home, "whole", &content(5_000, 3)).await;
    for blob in platform.site.blobs().map(Result::unwrap).take(1) {
        assert!(blob.length > 5_000);
    }
    let site = platform.directory.path().join("data/site");
    let flip = |path: &std::path::Path, at: u64| {
        let file = fs::File::options().read(true).write(true).open(path).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    };
    let large = walk(&site.join("files")).pop().unwrap();
    flip(&large, 2_000_000);
    let mut segments = walk(&site.join("segments"));
    segments.sort_by_key(|path| fs::metadata(path).unwrap().len());
    for segment in &segments {
        let bytes = fs::read(segment).unwrap();
        if let Some(at) = bytes.windows(8).position(|window| window == b"nueeblob") {
            flip(segment, at as u64 + 2_000);
        }
    }
    assert!(matches!(platform.get(&platform.home, "small").await, Err(Error::Damaged { .. })));
    assert!(matches!(platform.get(&platform.home, "large").await, Err(Error::Damaged { .. })));
    assert!(platform.get(&platform.home, "whole").await.unwrap() == content(5_000, 3));
    let report = platform.verify().await;
    assert!(report.damaged >= 2, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_is_found_and_a_left_over_one_is_an_orphan() {
    let platform = Platform::new().await;
    platform.put(&platform.home, "large", &content(3 << 20, 2)).await;
    platform.put(&platform.home, "kept", &content(2 << 20, 3)).await;
    let id = nuee_base::BlobId::generate(&platform.environment);
    let mut writer = platform.site.create(id).unwrap();
    writer.write(&[1; 100]).unwrap();
    writer.finish().unwrap();
    let report = platform.verify().await;
    assert_eq!((report.damaged, report.orphans), (0, 1));
    platform.site.discard(id).unwrap();
    let files = walk(&platform.directory.path().join("data/site/files"));
    fs::remove_file(&files[0]).unwrap();
    let report = platform.verify().await;
    assert_eq!((report.damaged, report.orphans), (1, 0), "{report:?}");
    assert!(report.findings[0].what.contains("version"), "{report:?}");
}

fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}
