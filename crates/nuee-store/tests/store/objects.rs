//! Writing, reading and deleting objects.

use nuee_access::Action;
use nuee_store::{
    Checksum, ChecksumAlgorithm, Conditions, Described, Details, ETag, Error, ExpectedChecksum, Hasher, Tags,
};

use crate::platform::{Platform, body, content, key};

const CHUNK: usize = 64 << 10;

#[tokio::test(flavor = "multi_thread")]
async fn every_size_around_the_borders_comes_back_as_it_was_written() {
    let platform = Platform::new().await;
    let small = 128 << 10;
    for size in
        [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, small - 1, small, small + 1, 1 << 20, (1 << 20) + 1, 5_000_001]
    {
        for piece in [1_000, 1 << 20] {
            let content = content(size, size as u64);
            let info = platform.try_put(&platform.home, "object", body(&content, piece)).await.unwrap();
            assert_eq!(info.size, size as u64);
            assert!(
                platform.get(&platform.home, "object").await.unwrap() == content,
                "{size} in pieces of {piece}"
            );
        }
    }
    platform.reclaim().await;
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_is_that_part_of_the_object() {
    let platform = Platform::new().await;
    for size in [10, 3 * CHUNK + 5, 3 << 20] {
        let content = content(size, 7);
        platform.put(&platform.home, "object", &content).await;
        let permit = platform.permit(&platform.home, Action::GetObject);
        let object = platform.store.object(&permit, &platform.home, &key("object")).unwrap();
        let edges = [0, 1, 9, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, size - 1, size];
        for start in edges.into_iter().filter(|edge| *edge <= size) {
            for end in edges.into_iter().filter(|edge| (start..=size).contains(edge)) {
                let read = platform.read(&object, start as u64..end as u64).await.unwrap();
                assert!(read == content[start..end], "{start}..{end} of {size}");
            }
        }
        let outside = platform.store.read_object(&object, 0..size as u64 + 1).await;
        assert!(matches!(outside, Err(Error::InvalidRange { .. })));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_what_was_said_writes_nothing() {
    let platform = Platform::new().await;
    for size in [1_000, 3 << 20] {
        let content = content(size, 3);
        let wrong = Checksum::new(ChecksumAlgorithm::Sha256, vec![0; 32]).unwrap();
        let with_md5 = nuee_store::Body { md5: Some([0; 16]), ..body(&content, 9_000) };
        let with_checksum =
            nuee_store::Body { checksum: ExpectedChecksum::Known(wrong.clone()), ..body(&content, 9_000) };
        let trailing = ExpectedChecksum::Trailing(ChecksumAlgorithm::Sha256, Box::new(move || Ok(wrong)));
        let with_trailer = nuee_store::Body { checksum: trailing, ..body(&content, 9_000) };
        let short = nuee_store::Body { size: Some(size as u64 + 1), ..body(&content, 9_000) };
        let long = nuee_store::Body { size: Some(size as u64 - 1), ..body(&content, 9_000) };
        assert!(matches!(platform.try_put(&platform.home, "x", with_md5).await, Err(Error::BadDigest)));
        assert!(matches!(
            platform.try_put(&platform.home, "x", with_checksum).await,
            Err(Error::BadChecksum(_))
        ));
        assert!(matches!(
            platform.try_put(&platform.home, "x", with_trailer).await,
            Err(Error::BadChecksum(_))
        ));
        assert!(matches!(
            platform.try_put(&platform.home, "x", short).await,
            Err(Error::IncompleteBody { .. })
        ));
        let long = platform.try_put(&platform.home, "x", long).await;
        assert!(matches!(long, Err(Error::TooLarge { .. } | Error::IncompleteBody { .. })), "{long:?}");
        assert!(matches!(platform.get(&platform.home, "x").await, Err(Error::NoSuchKey)));
    }
    platform.reclaim().await;
    assert_eq!(platform.site.blobs().count(), 0, "no blob is left of what was refused");
    assert_eq!(
        platform.metadata.read(|snapshot| snapshot.usage(1)).unwrap(),
        nuee_metadata::Usage::default()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn checksums_of_every_kind_are_verified_and_kept() {
    let platform = Platform::new().await;
    let content = content(200_000, 9);
    for algorithm in ChecksumAlgorithm::ALL {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(&content);
        let right = hasher.finish();
        let body =
            nuee_store::Body { checksum: ExpectedChecksum::Known(right.clone()), ..body(&content, 10_000) };
        let info = platform.try_put(&platform.home, "object", body).await.unwrap();
        assert_eq!(info.checksum.unwrap().0, right);
    }
    platform.reclaim().await;
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn details_come_back_and_too_many_are_refused() {
    let platform = Platform::new().await;
    let details = Details {
        content_type: Some("text/plain; charset=utf-8".into()),
        expires: Some("Wed, 21 Oct 2026 07:28:00 GMT".into()),
        metadata: vec![("mtime".into(), "1436918400.5".into()), ("titre".into(), "été".into())],
        ..Details::default()
    };
    let (owner, permit) =
        (platform.owner(&platform.home), platform.permit(&platform.home, Action::PutObject));
    let put = |details| {
        let written = (body(&content(10, 1), 10), Described { details, ..Described::default() });
        platform.store.put_object(&owner, &permit, (&platform.home, key("d")), written, Conditions::default())
    };
    put(details.clone()).await.unwrap();
    let read = platform.permit(&platform.home, Action::GetObject);
    assert_eq!(platform.store.object(&read, &platform.home, &key("d")).unwrap().details, details);
    let too_many = Details { metadata: vec![("a".into(), "b".repeat(2_048))], ..Details::default() };
    assert!(matches!(put(too_many).await, Err(Error::TooLarge { .. })));
}

fn absent() -> Conditions {
    Conditions { differs: Some(Tags::Any), ..Conditions::default() }
}

fn matches(etag: ETag) -> Conditions {
    Conditions { matches: Some(Tags::These(vec![etag.to_string()])), ..Conditions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_under_a_condition_is_made_only_if_it_holds() {
    let platform = Platform::new().await;
    let (owner, permit) =
        (platform.owner(&platform.home), platform.permit(&platform.home, Action::PutObject));
    let put = |condition| {
        let written = (body(&content(10, 1), 10), Described::default());
        platform.store.put_object(&owner, &permit, (&platform.home, key("c")), written, condition)
    };
    let stranger = matches(ETag::Md5([0; 16]));
    assert!(matches!(put(stranger.clone()).await, Err(Error::NoSuchKey)));
    let info = put(absent()).await.unwrap();
    assert!(matches!(put(absent()).await, Err(Error::PreconditionFailed)));
    assert!(matches!(put(stranger).await, Err(Error::PreconditionFailed)));
    put(matches(info.etag)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_concurrent_first_writes_one_wins() {
    let platform = Platform::new().await;
    let (owner, permit) =
        (platform.owner(&platform.home), platform.permit(&platform.home, Action::PutObject));
    let writes = (0..20).map(|n| {
        let written = (body(&content(500, n), 100), Described::default());
        platform.store.put_object(&owner, &permit, (&platform.home, key("race")), written, absent())
    });
    let won = futures_util::future::join_all(writes).await.into_iter().flatten().count();
    assert_eq!(won, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_says_what_was_there_and_empties_the_bucket() {
    let platform = Platform::new().await;
    platform.put(&platform.home, "a", &content(10, 1)).await;
    platform.put(&platform.home, "b", &content(3 << 20, 2)).await;
    assert_eq!(
        platform.delete(&platform.home, &["a", "nothing", "b", "a"]).await,
        [true, false, true, false]
    );
    assert!(matches!(platform.get(&platform.home, "a").await, Err(Error::NoSuchKey)));
    let permit = platform.permit(&platform.home, Action::DeleteBucket);
    platform.store.delete_bucket(&platform.owner(&platform.home), &permit, &platform.home).await.unwrap();
    let put = platform.try_put(&platform.home, "late", body(&content(1, 1), 1)).await;
    assert!(matches!(put, Err(Error::NoSuchBucket(_))), "a bucket that was deleted takes nothing");
    assert!(matches!(platform.store.find_bucket(&platform.home.name), Err(Error::NoSuchBucket(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permit_for_one_bucket_or_action_opens_no_other() {
    let platform = Platform::new().await;
    platform.put(&platform.abroad, "secret", &content(10, 1)).await;
    let at_home = platform.permit(&platform.home, Action::GetObject);
    assert!(matches!(
        platform.store.object(&at_home, &platform.abroad, &key("secret")),
        Err(Error::Permit(_))
    ));
    let only_list = platform.permit(&platform.abroad, Action::ListObjects);
    assert!(matches!(
        platform.store.object(&only_list, &platform.abroad, &key("secret")),
        Err(Error::Permit(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_has_one_leaf_and_usage_adds_up() {
    let platform = Platform::new().await;
    let before = platform.metadata.read(|snapshot| snapshot.last_sequence()).unwrap();
    platform.put(&platform.home, "a", &content(10, 1)).await;
    platform.put(&platform.home, "a", &content(20, 2)).await;
    platform.put(&platform.home, "b", &content(5, 3)).await;
    platform.delete(&platform.home, &["b", "nothing"]).await;
    let actions = platform.said(before);
    assert_eq!(actions.len(), 4, "{actions:?}");
    assert!(actions[0].contains("s3:PutObject") && actions[0].contains("service-account/"), "{}", actions[0]);
    assert!(actions[3].contains("s3:DeleteObject") && actions[3].contains("\"key\":\"b\""), "{}", actions[3]);
    let usage = platform.metadata.read(|snapshot| snapshot.usage(1)).unwrap();
    assert_eq!(usage, nuee_metadata::Usage { objects: 1, bytes: 20 });
}
