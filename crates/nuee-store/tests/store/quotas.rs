//! Quotas of projects: what is over them is refused, whatever way it comes, and what is given back is had again.

use std::sync::Arc;

use nuee_access::{Action, Resource};
use nuee_base::{Context, Principal};
use nuee_store::{Bucket, Error, NewBucket};
use nuee_tenancy::{Holdings, Quota};

use crate::platform::{Platform, body, content};

async fn bound(platform: &Platform, bucket: &Bucket, quota: Quota) {
    let operator = Context::new(platform.environment.clone(), Principal::Operator);
    let resource = Resource::Organisation(bucket.organisation);
    let permit = platform.decider.decide(&operator, Action::SetQuota, resource).unwrap();
    platform.tenancy.set_quota(&operator, &permit, bucket.project, quota).await.unwrap();
}

fn holdings(platform: &Platform, bucket: &Bucket) -> Holdings {
    let operator = Context::new(platform.environment.clone(), Principal::Operator);
    let resource = Resource::Project { organisation: bucket.organisation, project: bucket.project };
    let permit = platform.decider.decide(&operator, Action::GetUsage, resource).unwrap();
    let summed = platform.tenancy.holdings(&permit).unwrap();
    let counted = platform.metadata.read(|snapshot| snapshot.counted_usage(bucket.project)).unwrap();
    if let Some(counted) = counted {
        let numbers = (u64::try_from(counted.objects).unwrap(), u64::try_from(counted.bytes).unwrap());
        assert_eq!(numbers, (summed.objects, summed.bytes), "what is counted is what is there");
    }
    summed
}

fn is_over(result: &Result<impl Sized, Error>, of: &str) -> bool {
    matches!(result, Err(Error::QuotaExceeded { what, .. }) if *what == of)
}

#[tokio::test]
async fn a_project_holds_as_many_bytes_as_it_may_and_what_it_deletes_it_has_again() {
    let platform = Platform::new().await;
    let home = &platform.home;
    let (small, large) = (content(400_000, 1), content(700_000, 2));
    platform.put(home, "before", &small).await;
    bound(&platform, home, Quota { bytes: Some(1_000_000), ..Quota::default() }).await;
    assert!(is_over(&platform.try_put(home, "large", body(&large, 60_000)).await, "bytes"));
    let unannounced = nuee_store::Body { size: None, ..body(&large, 60_000) };
    assert!(is_over(&platform.try_put(home, "large", unannounced).await, "bytes"), "its length is not told");
    platform.put(home, "beside", &small).await;
    assert_eq!(holdings(&platform, home), Holdings { bytes: 800_000, objects: 2, buckets: 1 });
    platform.put(&platform.next_door, "large", &large).await;
    platform.delete(home, &["before", "beside"]).await;
    platform.put(home, "large", &large).await;
    assert_eq!(holdings(&platform, home).bytes, 700_000);
    bound(&platform, home, Quota::default()).await;
    platform.put(home, "more", &large).await;
    assert_eq!(platform.get(home, "large").await.unwrap(), large);
    platform.assert_sound().await;
}

#[tokio::test]
async fn a_quota_that_is_lower_than_what_is_held_takes_nothing_away() {
    let platform = Platform::new().await;
    let home = &platform.home;
    let kept = content(10_000, 1);
    platform.put(home, "kept", &kept).await;
    bound(&platform, home, Quota { bytes: Some(5), objects: Some(0), ..Quota::default() }).await;
    assert!(platform.try_put(home, "more", body(&content(1, 2), 1)).await.is_err());
    assert_eq!(platform.get(home, "kept").await.unwrap(), kept);
    assert_eq!(platform.delete(home, &["kept"]).await, [true]);
    assert_eq!(holdings(&platform, home), Holdings { bytes: 0, objects: 0, buckets: 1 });
}

#[tokio::test]
async fn parts_of_uploads_count_until_they_are_an_object_or_given_up() {
    let platform = Platform::new().await;
    let home = &platform.home;
    bound(&platform, home, Quota { bytes: Some(500_000), ..Quota::default() }).await;
    let target = platform.begin_upload(home, "film", &content(300_000, 1)).await;
    assert_eq!(holdings(&platform, home), Holdings { bytes: 300_000, objects: 0, buckets: 1 });
    assert!(is_over(&platform.try_put(home, "beside", body(&content(250_000, 2), 60_000)).await, "bytes"));
    platform.replace_part(home, "film", &content(200_000, 3)).await;
    assert_eq!(holdings(&platform, home).bytes, 200_000, "the part was replaced");
    platform.complete(&target).await;
    assert_eq!(holdings(&platform, home), Holdings { bytes: 200_000, objects: 1, buckets: 1 });

    let given_up = platform.begin_upload(home, "other", &content(100_000, 4)).await;
    assert_eq!(holdings(&platform, home).bytes, 300_000);
    let permit = platform.permit(home, Action::AbortUpload);
    platform.store.abort_upload(&platform.owner(home), &permit, &given_up).await.unwrap();
    assert_eq!(holdings(&platform, home).bytes, 200_000);
    platform.reclaim().await;
    platform.assert_sound().await;
}

#[tokio::test]
async fn copies_and_versions_count_as_what_they_are() {
    let platform = Platform::new().await;
    let home = &platform.home;
    platform.put(home, "one", &content(400, 1)).await;
    bound(&platform, home, Quota { bytes: Some(1_000), objects: Some(2), ..Quota::default() }).await;
    platform.copy(home, "one", home, "two").await;
    assert!(is_over(&platform.try_put(home, "three", body(&content(1, 2), 1)).await, "objects"));
    bound(&platform, home, Quota { bytes: Some(1_000), ..Quota::default() }).await;
    let permit = platform.permit(home, Action::PutBucketVersioning);
    let kept = nuee_store::Versioning::Enabled;
    platform.store.set_versioning(&platform.owner(home), &permit, home, kept).await.unwrap();
    platform.put(home, "one", &content(200, 3)).await;
    assert_eq!(holdings(&platform, home), Holdings { bytes: 1_000, objects: 3, buckets: 1 });
    assert!(is_over(&platform.try_put(home, "one", body(&content(1, 4), 1)).await, "bytes"));
}

#[tokio::test]
async fn writers_that_come_at_once_share_what_is_left() {
    let platform = Arc::new(Platform::new().await);
    bound(&platform, &platform.home, Quota { objects: Some(5), ..Quota::default() }).await;
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..20 {
        let platform = Arc::clone(&platform);
        writers.spawn(async move {
            let name = number.to_string();
            platform.try_put(&platform.home, &name, body(&content(10, number), 10)).await.is_ok()
        });
    }
    let written = writers.join_all().await.into_iter().filter(|written| *written).count();
    assert_eq!(written, 5);
    assert_eq!(holdings(&platform, &platform.home).objects, 5);
}

#[tokio::test]
async fn a_project_has_as_many_buckets_as_it_may() {
    let platform = Platform::new().await;
    let home = &platform.home;
    bound(&platform, home, Quota { buckets: Some(2), ..Quota::default() }).await;
    let resource = Resource::Project { organisation: home.organisation, project: home.project };
    let owner = platform.owner(home);
    let make = async |name: &str| {
        let permit = platform.decider.decide(&owner, Action::CreateBucket, resource).unwrap();
        platform.store.create_bucket(&owner, &permit, name.parse().unwrap(), NewBucket::default()).await
    };
    let second = make("second").await.unwrap();
    assert!(matches!(make("third").await, Err(Error::TooManyBuckets { most: 2 })));
    let permit = platform.permit(&second, Action::DeleteBucket);
    platform.store.delete_bucket(&owner, &permit, &second).await.unwrap();
    make("third").await.unwrap();
}
