//! Placements of projects: what may not lie where the site is, is refused before any of it is read.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures_util::StreamExt;
use nuee_access::{Action, Resource};
use nuee_base::{Context, Principal};
use nuee_store::{Body, CopyOptions, Error};
use nuee_tenancy::Placement;

use crate::platform::{Platform, body, content, key};

async fn bind(platform: &Platform, country: &str) -> Result<(), nuee_tenancy::Error> {
    let operator = Context::new(platform.environment.clone(), Principal::Operator);
    let resource = Resource::Organisation(platform.home.organisation);
    let permit = platform.decider.decide(&operator, Action::SetPlacement, resource).unwrap();
    let placement = Placement { copies: 1, countries: [country.parse().unwrap()].into() };
    platform.tenancy.set_placement(&operator, &permit, platform.home.project, placement).await.map(drop)
}

#[tokio::test]
async fn nothing_is_read_of_what_may_not_lie_here_and_what_is_there_stays_readable() {
    let mut platform = Platform::new().await;
    platform.move_to("FR");
    assert!(matches!(bind(&platform, "DE").await, Err(nuee_tenancy::Error::PlacementNotMet(_))));
    bind(&platform, "FR").await.unwrap();
    let (small, large) = (content(1_000, 1), content(700_000, 2));
    platform.put(&platform.home, "small", &small).await;
    platform.put(&platform.home, "large", &large).await;

    platform.move_to("DE");
    let home = &platform.home;
    for content in [&small, &large] {
        let is_read = Arc::new(AtomicBool::new(false));
        let (told, sent) = (Arc::clone(&is_read), body(content, 50_000));
        let stream = sent.stream.inspect(move |_| told.store(true, Ordering::Relaxed));
        let refused = platform.try_put(home, "new", Body { stream: Box::pin(stream), ..sent }).await;
        assert!(matches!(refused, Err(Error::PlacementNotMet(_))), "{refused:?}");
        assert!(!is_read.load(Ordering::Relaxed), "it is refused before it is read");
    }
    let source = platform.store.object(&platform.permit(home, Action::GetObject), home, &key("small"));
    let (owner, source) = (platform.owner(home), source.unwrap());
    let write = platform.permit(home, Action::PutObject);
    let copied =
        platform.store.copy_object(&owner, (&write, &source), (home, key("copy")), CopyOptions::default());
    assert!(matches!(copied.await, Err(Error::PlacementNotMet(_))));
    assert_eq!(platform.get(home, "large").await.unwrap(), large);
    platform.put(&platform.next_door, "large", &large).await;
    platform.delete(home, &["small"]).await;

    platform.move_to("FR");
    platform.put(&platform.home, "small", &small).await;
    platform.assert_sound().await;
}
