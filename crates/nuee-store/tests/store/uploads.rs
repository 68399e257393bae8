//! Multipart uploads.

use std::sync::Arc;

use bytes::Bytes;
use nuee_access::Action;
use nuee_base::UploadId;
use nuee_store::{
    Bucket, ChecksumAlgorithm, ChecksumType, CompletedPart, Completion, Details, Error, ObjectInfo, PartInfo,
    UploadOptions, UploadTarget,
};

use crate::platform::{Platform, body, content, key};

async fn begin(platform: &Platform, checksum: Option<(ChecksumAlgorithm, ChecksumType)>) -> UploadTarget {
    let (bucket, permit) = (&platform.home, platform.permit(&platform.home, Action::PutObject));
    let details = Details { content_type: Some("video/mp4".into()), ..Details::default() };
    let options = UploadOptions {
        described: nuee_store::Described { details, ..Default::default() },
        checksum,
        encryption: None,
    };
    let target = (bucket, key("film"));
    let id = platform.store.create_upload(&platform.owner(bucket), &permit, target, options).await.unwrap();
    UploadTarget { bucket: Arc::clone(bucket), key: key("film"), id }
}

async fn part(
    platform: &Platform,
    target: &UploadTarget,
    number: u16,
    content: &Bytes,
) -> Result<PartInfo, Error> {
    let permit = platform.permit(&target.bucket, Action::PutObject);
    let owner = platform.owner(&target.bucket);
    platform.store.put_part(&owner, &permit, (target, number), body(content, 60_000)).await
}

fn named(parts: &[PartInfo]) -> Completion {
    let parts = parts.iter().map(|part| CompletedPart {
        number: part.number,
        etag: part.etag.to_string(),
        checksum: Some(part.checksum.clone()),
    });
    Completion { parts: parts.collect(), ..Completion::default() }
}

async fn complete(
    platform: &Platform,
    target: &UploadTarget,
    completion: Completion,
) -> Result<ObjectInfo, Error> {
    let permit = platform.permit(&target.bucket, Action::PutObject);
    platform.store.complete_upload(&platform.owner(&target.bucket), &permit, target, completion).await
}

async fn list(platform: &Platform, bucket: &Arc<Bucket>) -> Vec<UploadId> {
    let permit = platform.permit(bucket, Action::ListUploads);
    let uploads = platform.store.list_uploads(&permit, bucket, (b"", None), 100).await.unwrap();
    uploads.into_iter().map(|upload| upload.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_in_any_order_and_replaced_ones_make_one_object() {
    let platform = Platform::new().await;
    let target = begin(&platform, None).await;
    let contents: Vec<_> = (0..4).map(|n| content(150_000 + n, n as u64)).collect();
    part(&platform, &target, 2, &content(120_000, 99)).await.unwrap();
    let unused = content(2 << 20, 98);
    part(&platform, &target, 7, &unused).await.unwrap();
    let mut parts = Vec::new();
    for number in [4, 2, 1, 3] {
        parts.push(part(&platform, &target, number, &contents[usize::from(number) - 1]).await.unwrap());
    }
    parts.sort_by_key(|part| part.number);
    let info = complete(&platform, &target, named(&parts)).await.unwrap();
    assert!(info.etag.to_string().ends_with("-4"), "{}", info.etag);
    assert!(platform.get(&platform.home, "film").await.unwrap() == contents.concat());
    let read = platform.permit(&platform.home, Action::GetObject);
    let object = platform.store.object(&read, &platform.home, &key("film")).unwrap();
    assert_eq!(object.details.content_type.as_deref(), Some("video/mp4"));
    let across = platform.read(&object, 149_990..300_010).await.unwrap();
    assert!(across == contents.concat()[149_990..300_010]);
    assert_eq!(list(&platform, &platform.home).await, []);
    platform.reclaim().await;
    assert_eq!(platform.site.blobs().count(), 4, "the replaced and the unused part are gone");
    platform.assert_sound().await;
    platform.delete(&platform.home, &["film"]).await;
    platform.reclaim().await;
    assert_eq!(platform.site.blobs().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_that_is_wrong_changes_nothing() {
    let platform = Platform::new().await;
    let target = begin(&platform, None).await;
    let one = part(&platform, &target, 1, &content(120_000, 1)).await.unwrap();
    let small = part(&platform, &target, 2, &content(1_000, 2)).await.unwrap();
    let last = part(&platform, &target, 3, &content(500, 3)).await.unwrap();
    let cases = [
        (named(&[one.clone(), small.clone(), last.clone()]), "needs at least"),
        (named(&[last.clone(), one.clone()]), "ascending"),
        (named(&[one.clone(), PartInfo { number: 5, ..last.clone() }]), "part 5"),
        (named(&[one.clone(), PartInfo { etag: one.etag, ..last.clone() }]), "part 3"),
        (Completion::default(), "at least one part"),
        (Completion { size: Some(1), ..named(std::slice::from_ref(&one)) }, "not the number"),
    ];
    for (completion, expected) in cases {
        let error = complete(&platform, &target, completion).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert_eq!(list(&platform, &platform.home).await, [target.id]);
    complete(&platform, &target, named(&[one.clone(), last])).await.unwrap();
    assert!(matches!(complete(&platform, &target, named(&[one])).await, Err(Error::NoSuchUpload)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_aborted_leaves_nothing() {
    let platform = Platform::new().await;
    let target = begin(&platform, None).await;
    for number in 1..=3 {
        part(&platform, &target, number, &content(400_000, number.into())).await.unwrap();
    }
    let permit = platform.permit(&platform.home, Action::AbortUpload);
    let owner = platform.owner(&platform.home);
    platform.store.abort_upload(&owner, &permit, &target).await.unwrap();
    let again = platform.store.abort_upload(&owner, &permit, &target).await;
    assert!(matches!(again, Err(Error::NoSuchUpload)));
    assert!(matches!(part(&platform, &target, 4, &content(1, 1)).await, Err(Error::NoSuchUpload)));
    platform.reclaim().await;
    assert_eq!(platform.site.blobs().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checksum_of_the_whole_follows_from_those_of_the_parts() {
    let platform = Platform::new().await;
    let contents = [content(150_000, 1), content(100_001, 2), content(77, 3)];
    for (algorithm, kind) in [
        (ChecksumAlgorithm::Crc32, ChecksumType::FullObject),
        (ChecksumAlgorithm::Crc32c, ChecksumType::FullObject),
        (ChecksumAlgorithm::Crc64Nvme, ChecksumType::FullObject),
        (ChecksumAlgorithm::Crc32, ChecksumType::Composite),
        (ChecksumAlgorithm::Sha256, ChecksumType::Composite),
    ] {
        let target = begin(&platform, Some((algorithm, kind))).await;
        let mut parts = Vec::new();
        for (number, content) in (1..).zip(&contents) {
            let permit = platform.permit(&platform.home, Action::PutObject);
            let checksum = nuee_store::ExpectedChecksum::Compute(algorithm);
            let body = nuee_store::Body { checksum, ..body(content, 10_000) };
            let owner = platform.owner(&platform.home);
            parts.push(platform.store.put_part(&owner, &permit, (&target, number), body).await.unwrap());
        }
        let info = complete(&platform, &target, named(&parts)).await.unwrap();
        let mut hasher = nuee_store::Hasher::new(algorithm);
        match kind {
            ChecksumType::FullObject => contents.iter().for_each(|content| hasher.update(content)),
            ChecksumType::Composite => parts.iter().for_each(|part| hasher.update(&part.checksum.value)),
        }
        assert_eq!(info.checksum, Some((hasher.finish(), kind)));
    }
    platform.reclaim().await;
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_can_be_a_range_of_an_object_and_a_copy_can_share_parts() {
    let platform = Platform::new().await;
    let source = content(500_000, 4);
    platform.put(&platform.next_door, "source", &source).await;
    let target = begin(&platform, None).await;
    let read = platform.permit(&platform.next_door, Action::GetObject);
    let object = platform.store.object(&read, &platform.next_door, &key("source")).unwrap();
    let (owner, permit) =
        (platform.owner(&platform.home), platform.permit(&platform.home, Action::PutObject));
    let mut parts = Vec::new();
    for (number, range) in [(1, 0..200_000), (2, 200_000..500_000)] {
        let copied = platform.store.copy_part(&owner, (&permit, &object, range), (&target, number));
        parts.push(copied.await.unwrap());
    }
    complete(&platform, &target, named(&parts)).await.unwrap();
    assert!(platform.get(&platform.home, "film").await.unwrap() == source);
    let read = platform.permit(&platform.home, Action::GetObject);
    let film = platform.store.object(&read, &platform.home, &key("film")).unwrap();
    let copy = (&platform.home, key("copy"));
    platform
        .store
        .copy_object(&owner, (&permit, &film), copy, nuee_store::CopyOptions::default())
        .await
        .unwrap();
    platform.delete(&platform.home, &["film"]).await;
    platform.reclaim().await;
    assert!(platform.get(&platform.home, "copy").await.unwrap() == source);
    platform.assert_sound().await;
}
