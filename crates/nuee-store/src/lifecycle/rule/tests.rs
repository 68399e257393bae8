//! What rules must be, and what they say of an object.

use super::*;

fn rule(id: &str) -> LifecycleRule {
    LifecycleRule {
        id: id.to_owned(),
        enabled: true,
        filter: LifecycleFilter::default(),
        expiration: Some(Expiration::Days(1)),
        noncurrent: None,
        abort_after_days: None,
    }
}

fn make(rules: Vec<LifecycleRule>) -> Result<Lifecycle, Error> {
    Lifecycle::new(&Environment::system(), rules, TransitionMinimum::default())
}

fn tagged(rule: LifecycleRule) -> LifecycleRule {
    let tags = TagSet::new(vec![("a".into(), "1".into())], TagSet::MAX_OF_OBJECT).unwrap();
    LifecycleRule { filter: LifecycleFilter { tags, ..rule.filter }, ..rule }
}

fn sized(rule: LifecycleRule) -> LifecycleRule {
    LifecycleRule { filter: LifecycleFilter { larger_than: Some(1), ..rule.filter }, ..rule }
}

#[test]
fn rules_without_a_name_get_one_of_their_own() {
    let made = make(vec![rule(""), rule("mine"), rule("")]).unwrap();
    let ids: BTreeSet<_> = made.rules().iter().map(|rule| rule.id.as_str()).collect();
    assert!(ids.len() == 3 && ids.contains("mine") && !ids.contains(""), "{ids:?}");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let noncurrent = |days, keep| LifecycleRule {
        expiration: None,
        noncurrent: Some(NoncurrentExpiration { days, keep }),
        ..rule("a")
    };
    let expiring = |expiration| LifecycleRule { expiration, ..rule("a") };
    let aborting = |days| LifecycleRule { abort_after_days: Some(days), ..expiring(None) };
    let argument = |rules| matches!(make(rules), Err(Error::InvalidArgument(_)));
    assert!(argument(vec![rule("a"), rule("a")]));
    assert!(argument(vec![rule(&"é".repeat(256))]) && make(vec![rule(&"é".repeat(255))]).is_ok());
    assert!(argument(vec![expiring(Some(Expiration::Days(0)))]));
    assert!(argument(vec![expiring(Some(Expiration::DateMicros(1)))]));
    assert!(argument(vec![noncurrent(0, None)]) && argument(vec![aborting(0)]));
    assert!(argument(vec![noncurrent(1, Some(0))]) && argument(vec![noncurrent(1, Some(101))]));
    assert!(make(vec![noncurrent(1, Some(100))]).is_ok());
    let request = |rule| matches!(make(vec![rule]), Err(Error::Invalid(_)));
    assert!(request(expiring(None)));
    assert!(request(tagged(aborting(1))) && request(sized(aborting(1))));
    let markers = || expiring(Some(Expiration::Markers(true)));
    assert!(request(tagged(markers())) && request(sized(markers())));
    assert!(make(vec![markers()]).is_ok() && make(vec![tagged(rule("a"))]).is_ok());
}

#[test]
fn an_object_expires_by_the_rule_that_comes_first_of_those_that_fit() {
    let day = |number: i64| Timestamp::from_micros(number * 86_400_000_000);
    let under = |prefix: &str, rule: LifecycleRule| LifecycleRule {
        filter: LifecycleFilter { prefix: Some(prefix.into()), ..rule.filter },
        ..rule
    };
    let days = |id: &str, days| LifecycleRule { expiration: Some(Expiration::Days(days)), ..rule(id) };
    let date = |id: &str, day: i64| LifecycleRule {
        expiration: Some(Expiration::DateMicros(day * 86_400_000_000)),
        ..rule(id)
    };
    let rules = make(vec![
        under("logs/", days("late", 9)),
        under("logs/", days("soon", 3)),
        LifecycleRule { enabled: false, ..days("off", 1) },
        tagged(days("tagged", 2)),
        sized(under("big/", days("sized", 4))),
        under("dated/", date("dated", 5)),
        LifecycleRule { expiration: Some(Expiration::Markers(true)), ..rule("markers") },
    ])
    .unwrap();
    assert!(rules.asks_for_tags());
    let tags = tagged(rule("")).filter.tags;
    let none = TagSet::default();
    for (key, size, tags, expected) in [
        ("logs/a", 0, &none, Some((day(13), "soon"))),
        ("logs/a", 0, &tags, Some((day(12), "tagged"))),
        ("a", 0, &none, None),
        ("big/a", 1, &none, None),
        ("big/a", 2, &none, Some((day(14), "sized"))),
        ("dated/a", 2, &none, Some((day(5), "dated"))),
    ] {
        assert_eq!(rules.expiry(key, size, (day(10), tags)), expected, "{key} {size}");
    }
}
