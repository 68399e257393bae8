//! Copies: shared within a project, sealed anew across projects.

use nuee_access::Action;
use nuee_store::{ChecksumAlgorithm, CopyOptions, Details, Error};

use crate::platform::{Platform, content, key};

async fn copy(
    platform: &Platform,
    (from, source): (&std::sync::Arc<nuee_store::Bucket>, &str),
    (to, target): (&std::sync::Arc<nuee_store::Bucket>, &str),
    options: CopyOptions,
) -> Result<nuee_store::ObjectInfo, Error> {
    let source = platform.store.object(&platform.permit(from, Action::GetObject), from, &key(source))?;
    let permit = platform.permit(to, Action::PutObject);
    platform.store.copy_object(&platform.owner(to), (&permit, &source), (to, key(target)), options).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_within_a_project_shares_the_bytes_until_the_last_is_deleted() {
    let platform = Platform::new().await;
    for size in [1_000, 3 << 20] {
        let content = content(size, 5);
        let original = platform.put(&platform.home, "original", &content).await;
        let copied =
            copy(&platform, (&platform.home, "original"), (&platform.home, "copy"), CopyOptions::default());
        assert_eq!(copied.await.unwrap().etag, original.etag);
        copy(&platform, (&platform.home, "copy"), (&platform.home, "third"), CopyOptions::default())
            .await
            .unwrap();
        assert_eq!(platform.site.blobs().count(), 1, "three objects, one blob");
        platform.delete(&platform.home, &["original"]).await;
        platform.delete(&platform.home, &["third"]).await;
        platform.reclaim().await;
        assert!(platform.get(&platform.home, "copy").await.unwrap() == content);
        platform.assert_sound().await;
        platform.delete(&platform.home, &["copy"]).await;
        platform.reclaim().await;
        assert_eq!(platform.site.blobs().count(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_onto_itself_keeps_the_bytes_and_replaces_the_details() {
    let platform = Platform::new().await;
    let content = content(2 << 20, 6);
    platform.put(&platform.home, "self", &content).await;
    let details = Details { metadata: vec![("mtime".into(), "1".into())], ..Details::default() };
    for _ in 0..3 {
        let options = CopyOptions { details: Some(details.clone()), ..CopyOptions::default() };
        copy(&platform, (&platform.home, "self"), (&platform.home, "self"), options).await.unwrap();
        platform.reclaim().await;
        assert!(platform.get(&platform.home, "self").await.unwrap() == content);
    }
    let read = platform.permit(&platform.home, Action::GetObject);
    assert_eq!(platform.store.object(&read, &platform.home, &key("self")).unwrap().details, details);
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_to_another_project_or_organisation_is_sealed_anew() {
    let platform = Platform::new().await;
    let content = content(300_000, 7);
    platform.put(&platform.home, "original", &content).await;
    for bucket in [&platform.next_door, &platform.abroad] {
        copy(&platform, (&platform.home, "original"), (bucket, "copy"), CopyOptions::default())
            .await
            .unwrap();
    }
    assert_eq!(platform.site.blobs().count(), 3);
    platform.delete(&platform.home, &["original"]).await;
    platform.reclaim().await;
    for bucket in [&platform.next_door, &platform.abroad] {
        assert!(platform.get(bucket, "copy").await.unwrap() == content);
    }
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_asks_for_another_checksum_has_it() {
    let platform = Platform::new().await;
    platform.put(&platform.home, "original", &content(1_000, 8)).await;
    let options = CopyOptions { checksum: Some(ChecksumAlgorithm::Sha256), ..CopyOptions::default() };
    let info =
        copy(&platform, (&platform.home, "original"), (&platform.home, "copy"), options).await.unwrap();
    assert_eq!(info.checksum.unwrap().0.algorithm, ChecksumAlgorithm::Sha256);
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_what_was_replaced_meanwhile_references_nothing_that_is_on_its_way_out() {
    let platform = Platform::new().await;
    let home = &platform.home;
    platform.put(home, "source", &content(1_000, 1)).await;
    let source =
        platform.store.object(&platform.permit(home, Action::GetObject), home, &key("source")).unwrap();
    platform.put(home, "source", &content(1_000, 2)).await;
    let permit = platform.permit(home, Action::PutObject);
    let copied = platform
        .store
        .copy_object(&platform.owner(home), (&permit, &source), (home, key("copy")), CopyOptions::default())
        .await;
    assert!(matches!(copied, Err(Error::SourceChanged)), "{copied:?}");
    platform.reclaim().await;
    platform.assert_sound().await;
}
