//! Space that comes back, and blobs that move.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use nuee_access::Action;
use nuee_store::{Conditions, Described};

use crate::platform::{Platform, body, content, key, stalled};

#[tokio::test(flavor = "multi_thread")]
async fn objects_stay_readable_while_their_segments_are_emptied() {
    let platform = Platform::new().await;
    let name = |n: u64| format!("object-{n:04}");
    for n in 0..600 {
        platform.put(&platform.home, &name(n), &content(6_000, n)).await;
    }
    // One that was opened before anything moves.
    let read = platform.permit(&platform.home, Action::GetObject);
    let early = platform.store.object(&read, &platform.home, &key(&name(0))).unwrap();
    let doomed: Vec<_> = (0..600).filter(|n| n % 4 != 0).map(name).collect();
    platform.delete(&platform.home, &doomed.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let report = platform.reclaim().await;
    assert_eq!(report.deleted, 450);
    assert!(report.moved > 0, "{report:?}: mostly dead segments are emptied");
    for n in (0..600).filter(|n| n % 4 == 0) {
        assert!(platform.get(&platform.home, &name(n)).await.unwrap() == content(6_000, n), "{n}");
    }
    assert!(platform.read(&early, 0..6_000).await.unwrap() == content(6_000, 0));
    platform.assert_sound().await;
    let rest: Vec<_> = (0..600).filter(|n| n % 4 == 0).map(name).collect();
    platform.delete(&platform.home, &rest.iter().map(String::as_str).collect::<Vec<_>>()).await;
    platform.reclaim().await;
    platform.assert_sound().await;
    assert_eq!(platform.site.blobs().count(), 0, "moved blobs are deleted where they are");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_write_that_its_client_gave_up_leaves_nothing() {
    let platform = Platform::new().await;
    let (owner, permit) =
        (platform.owner(&platform.home), platform.permit(&platform.home, Action::PutObject));
    let written = (stalled(content(3 << 20, 1), 5 << 20), Described::default());
    let target = (&platform.home, key("never"));
    let put = platform.store.put_object(&owner, &permit, target, written, Conditions::default());
    // The body never goes on: the client waits a little, and gives up.
    tokio::time::timeout(Duration::from_millis(300), put).await.unwrap_err();
    let end = nuee_base::Timestamp::from_micros(i64::MAX);
    assert_eq!(platform.metadata.read(|snapshot| snapshot.pending_blobs(end)).unwrap().len(), 1);
    platform.reclaim().await;
    assert_eq!(platform.metadata.read(|snapshot| snapshot.pending_blobs(end)).unwrap().len(), 0);
    assert_eq!(platform.site.blobs().count(), 0);
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_is_overwritten_is_deleted_and_its_successor_is_not() {
    let platform = Platform::new().await;
    let mut last = Bytes::new();
    for n in 0..20 {
        last = content(if n % 2 == 0 { 2_000 } else { 2 << 20 }, n);
        platform.put(&platform.home, "same", &last).await;
    }
    assert_eq!(platform.reclaim().await.deleted, 19);
    assert!(platform.get(&platform.home, "same").await.unwrap() == last);
    assert_eq!(platform.site.blobs().count(), 1);
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reclaimer_that_never_rests_takes_nothing_that_is_being_recorded() {
    let platform = Platform::new().await;
    let (store, (stop, stopped)) = (platform.store.clone(), tokio::sync::watch::channel(false));
    let reclaimer = tokio::spawn(async move {
        while !*stopped.borrow() {
            store.reclaim().await.unwrap();
        }
    });
    for n in 0..60 {
        platform.put(&platform.home, &format!("object-{n}"), &content(300_000, n)).await;
    }
    stop.send(true).unwrap();
    reclaimer.await.unwrap();
    for n in 0..60 {
        let read = platform.get(&platform.home, &format!("object-{n}")).await;
        assert!(read.unwrap() == content(300_000, n), "object-{n}");
    }
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_its_condition_refuses_leaves_nothing() {
    let platform = Platform::new().await;
    platform.put(&platform.home, "taken", &content(1_000, 1)).await;
    let (owner, permit) =
        (platform.owner(&platform.home), platform.permit(&platform.home, Action::PutObject));
    for size in [5_000, 2 << 20] {
        // They begin while the key is free, and are refused when they are committed.
        let puts = (0..8).map(|n| {
            let written = (body(&content(size, n), 100_000), Described::default());
            let target = (&platform.home, key(&format!("race-{size}")));
            platform.store.put_object(
                &owner,
                &permit,
                target,
                written,
                Conditions { differs: Some(nuee_store::Tags::Any), ..Conditions::default() },
            )
        });
        let done = futures_util::future::join_all(puts).await;
        assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1);
    }
    let upload = platform.begin_upload(&platform.home, "aborted", &content(300_000, 2)).await;
    let abort = platform.permit(&platform.home, Action::AbortUpload);
    let late = platform.store.put_part(&owner, &permit, (&upload, 2), body(&content(9_000, 3), 9_000));
    let (aborted, _) = tokio::join!(platform.store.abort_upload(&owner, &abort, &upload), late);
    aborted.unwrap();
    platform.reclaim().await;
    platform.assert_sound().await;
    assert_eq!(platform.site.blobs().count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_parts_is_read_to_its_end_whatever_becomes_of_its_key() {
    let platform = Platform::new().await;
    let parts: Vec<_> = (0..5).map(|n| content(300_000, n)).collect();
    platform.upload(&platform.home, "slow", &parts).await;
    let read = platform.permit(&platform.home, Action::GetObject);
    let object = platform.store.object(&read, &platform.home, &key("slow")).unwrap();
    let mut stream = platform.store.read_object(&object, 0..1_500_000).await.unwrap().into_stream();
    let mut found = stream.next().await.unwrap().unwrap().to_vec();
    platform.put(&platform.home, "slow", &content(10, 9)).await;
    platform.reclaim().await;
    while let Some(piece) = stream.next().await {
        found.extend_from_slice(&piece.unwrap());
    }
    assert!(found == parts.concat());
    drop(stream);
    assert!(platform.site.blobs().count() > 1, "what was read is put off");
    platform.make_garbage_due();
    platform.reclaim().await;
    assert_eq!(platform.site.blobs().count(), 1);
    platform.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_deleted_bucket_are_reclaimed() {
    let platform = Platform::new().await;
    let parts: Vec<_> = (0..3).map(|n| content(300_000, n)).collect();
    platform.upload(&platform.home, "a", &parts).await;
    platform.delete(&platform.home, &["a"]).await;
    let permit = platform.permit(&platform.home, Action::DeleteBucket);
    platform.store.delete_bucket(&platform.owner(&platform.home), &permit, &platform.home).await.unwrap();
    assert_eq!(platform.reclaim().await.deleted, 3);
    assert_eq!(platform.site.blobs().count(), 0);
    platform.assert_sound().await;
}
