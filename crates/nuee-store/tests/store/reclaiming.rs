//! Space that comes back, and blobs that move.

use std::time::Duration;

use bytes::Bytes;
use nuee_access::Action;
use nuee_store::{Details, WriteCondition};

use crate::platform::{Platform, content, key, stalled};

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
    let written = (stalled(content(3 << 20, 1), 5 << 20), Details::default());
    let target = (&platform.home, key("never"));
    let put = platform.store.put_object(&owner, &permit, target, written, WriteCondition::None);
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
