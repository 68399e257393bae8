//! What the journal says of what is gone is forgotten, and all that is there still follows from the rest.

use nuee_access::{Action, Resource};
use nuee_base::{Context, Principal, Timestamp};
use nuee_journal::Journal;
use tokio::sync::watch;

use crate::platform::{Platform, content};

async fn findings(platform: &Platform) -> Vec<String> {
    let operator = Context::new(platform.environment.clone(), Principal::Operator);
    let permit = || platform.decider.decide(&operator, Action::Verify, Resource::Platform).unwrap();
    let rows = platform.tenancy.verify(&permit(), None).unwrap();
    let report = platform.store.verify(&permit(), false, |_| ()).await.unwrap();
    let found = report.findings.into_iter().map(|finding| (finding.what, finding.detail));
    rows.into_iter().chain(found).map(|(what, detail)| format!("{what}: {detail}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_forgotten_and_what_is_there_still_follows() {
    let platform = Platform::new().await;
    let home = &platform.home;
    for name in ["kept", "replaced", "replaced", "deleted"] {
        platform.put(home, name, &content(10, 1)).await;
    }
    platform.delete(home, &["deleted"]).await;
    platform.upload(home, "parts", &[content(150_000, 1), content(10, 1)]).await;
    platform.begin_upload(home, "open", &content(150_000, 1)).await;
    let journal = Journal::new(platform.metadata.clone(), platform.key_ring(), "nuee/test".into());
    let before = journal.sequence().await.unwrap().checkpoint;
    assert_eq!(findings(&platform).await, Vec::<String>::new());
    let (_running, mut stop) = watch::channel(false);
    let future = Timestamp::from_micros(i64::MAX / 2);
    let erased = platform.store.erase_journal(&journal, future, &mut stop).await.unwrap();
    // One of "replaced", both of "deleted", the beginning and the parts of the upload that was completed, and, as it is
    // older than the far future too, the leaf that tells of the erasing.
    assert_eq!(erased, 7);
    let again = platform.store.erase_journal(&journal, future, &mut stop).await.unwrap();
    assert_eq!(again, 0);
    assert_eq!(findings(&platform).await, Vec::<String>::new());
    platform.delete(home, &["kept"]).await;
    platform.put(home, "new", &content(10, 2)).await;
    assert_eq!(findings(&platform).await, Vec::<String>::new());
    let after = journal.sequence().await.unwrap().checkpoint;
    assert!(after.size > before.size);
    let found = platform
        .metadata
        .read_consistent(|snapshot| journal.verify(snapshot, Some(&before), |_| {}))
        .unwrap();
    assert_eq!(found, Vec::<String>::new());
}
