//! Damage: every kind is an error, and verification finds it.

use std::{fs, os::unix::fs::FileExt};

use nuee_store::Error;

use crate::platform::{Platform, content};

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
        platform.damage(sql);
        let read = platform.get(&platform.home, "a").await;
        assert!(matches!(read, Err(Error::Damaged { .. })), "{sql}: {read:?}");
        assert!(platform.get(&platform.home, "b").await.unwrap() == content(1_000, 2));
        assert!(platform.verify().await.damaged > 0, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rows_say_together_is_verified() {
    let platform = Platform::new().await;
    platform.put(&platform.home, "a", &content(1_000, 1)).await;
    platform.copy(&platform.home, "a", &platform.home, "b").await;
    platform.upload(&platform.home, "parts", &[content(200_000, 2), content(100, 3)]).await;
    platform.begin_upload(&platform.home, "never completed", &content(300_000, 4)).await;
    platform.assert_sound().await;
    for sql in [
        "UPDATE uploads SET mac = zeroblob(32)",
        "UPDATE parts SET mac = zeroblob(32) WHERE number = 1",
        "UPDATE buckets SET mac = zeroblob(32) WHERE number = 1",
        "DELETE FROM shares",
        "UPDATE shares SET count = 7",
        "UPDATE usage SET bytes = bytes + 1",
        "INSERT INTO usage (bucket, objects, bytes) VALUES (3, 1, 0)",
        "INSERT INTO garbage (not_before, blob, locator) SELECT 1, id, x'00' FROM shares",
        "DELETE FROM latest WHERE key = x'61'",
    ] {
        let before = platform.dump();
        platform.damage(sql);
        let report = platform.verify_quickly().await;
        assert!(report.damaged > 0, "{sql}");
        platform.restore(&before);
    }
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_blob_of_any_part_is_missed() {
    let platform = Platform::new().await;
    platform
        .upload(&platform.home, "parts", &[content(200_000, 2), content(201_000, 3), content(9, 4)])
        .await;
    platform.begin_upload(&platform.home, "never completed", &content(300_000, 5)).await;
    let files = walk(&platform.directory.path().join("data/site/files"));
    assert_eq!(files.len(), 3);
    for file in files {
        let bytes = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!(platform.verify_quickly().await.damaged, 1);
        fs::write(&file, [&bytes[..], b"more"].concat()).unwrap();
        assert_eq!(platform.verify_quickly().await.damaged, 1, "a longer file");
        fs::write(&file, bytes).unwrap();
    }
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_at_work_is_sound() {
    let platform = Platform::new().await;
    let work = async {
        for n in 0..150 {
            platform
                .put(&platform.home, &format!("{}", n % 7), &content(2_000 + 40_000 * (n % 5), n as u64))
                .await;
            platform.delete(&platform.home, &[&format!("{}", (n + 3) % 7)]).await;
            platform.store.reclaim().await.unwrap();
        }
    };
    let look = async {
        for _ in 0..10 {
            platform.assert_sound().await;
        }
    };
    tokio::join!(work, look);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_part_does_not_keep_its_owner_from_removing_it() {
    let platform = Platform::new().await;
    for name in ["deleted", "replaced"] {
        platform.upload(&platform.home, name, &[content(200_000, 2), content(9, 4)]).await;
    }
    platform.damage("UPDATE parts SET mac = zeroblob(32) WHERE number = 1");
    assert!(matches!(platform.get(&platform.home, "deleted").await, Err(Error::Damaged { .. })));
    assert_eq!(platform.delete(&platform.home, &["deleted"]).await, [true]);
    platform.put(&platform.home, "replaced", &content(10, 1)).await;
    platform.reclaim().await;
    let report = platform.verify().await;
    assert_eq!((report.damaged, report.orphans), (0, 2), "the blobs of damaged rows are left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_row_of_another_project_is_refused() {
    let platform = Platform::new().await;
    platform.put(&platform.home, "a", &content(1_000, 1)).await;
    let (home, abroad) =
        (hex::encode(platform.home.project.to_bytes()), hex::encode(platform.abroad.project.to_bytes()));
    platform.damage(&format!(
        "UPDATE project_keys SET record = (SELECT record FROM project_keys WHERE project = x'{abroad}'),
                mac = (SELECT mac FROM project_keys WHERE project = x'{abroad}') WHERE project = x'{home}'"
    ));
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
        (platform.tenancy.bounds(), nuee_store::Options::default()),
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
