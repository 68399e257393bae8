//! Listings, against a model that sorts everything in memory.

use std::collections::BTreeSet;

use nuee_access::Action;
use nuee_store::{ListQuery, Page};
use proptest::prelude::*;

use crate::platform::{Platform, content};

/// What a listing must be: keys, and common prefixes, as one sorted list.
fn expected(keys: &BTreeSet<String>, prefix: &str, delimiter: &str) -> Vec<String> {
    let mut entries = BTreeSet::new();
    for key in keys.iter().filter(|key| key.starts_with(prefix)) {
        let rest = &key[prefix.len()..];
        match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
            Some(at) => entries.insert(format!("{prefix}{}", &rest[..at + delimiter.len()])),
            None => entries.insert(key.clone()),
        };
    }
    entries.into_iter().collect()
}

fn names(page: &Page) -> Vec<String> {
    let mut names: Vec<_> = page.objects.iter().map(|object| object.key.clone()).collect();
    names.extend(page.prefixes.iter().cloned());
    names.sort();
    names
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn pages_of_any_size_put_together_are_the_whole_listing(
        keys in prop::collection::btree_set("[ab/é\u{1}\u{10FFFF}]{1,6}", 1..40),
        queries in prop::collection::vec(("[ab/]{0,2}", prop::sample::select(vec!["", "/", "a", "//"]), 1_usize..7), 12),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let platform = runtime.block_on(Platform::new());
        runtime.block_on(async {
            for key in &keys {
                platform.put(&platform.home, key, &content(1, 1)).await;
            }
        });
        let permit = platform.permit(&platform.home, Action::ListObjects);
        for (prefix, delimiter, limit) in queries {
            let mut query = ListQuery {
                prefix: prefix.clone(),
                delimiter: Some(delimiter.to_owned()),
                after: String::new(),
                limit,
            };
            let mut found = Vec::new();
            loop {
                let page = platform.store.list_objects(&permit, &platform.home, query.clone());
                let page = runtime.block_on(page).unwrap();
                prop_assert!(names(&page).len() <= limit);
                let entries = names(&page);
                found.extend(entries.clone());
                let Some(next) = page.next else { break };
                prop_assert_eq!(entries.last(), Some(&next));
                query.after = next;
            }
            prop_assert_eq!(found, expected(&keys, &prefix, delimiter), "{:?} {:?}", prefix, delimiter);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_nothing_has_nothing_and_no_next() {
    let platform = Platform::new().await;
    platform.put(&platform.home, "a", &content(1, 1)).await;
    let permit = platform.permit(&platform.home, Action::ListObjects);
    let page = platform.store.list_objects(&permit, &platform.home, ListQuery::default()).await.unwrap();
    assert_eq!(page, Page::default());
}
