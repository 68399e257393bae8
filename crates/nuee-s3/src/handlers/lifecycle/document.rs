//! Rules as documents have them.

use nuee_base::Timestamp;
use nuee_store::{Expiration, LifecycleFilter, LifecycleRule, NoncurrentExpiration, TagSet};
use s3s::{S3Error, S3ErrorCode, S3Result, dto};

use crate::handlers::{
    answer::{from_store, invalid, invalid_argument, not_implemented},
    lock::instant,
    object::timestamp,
};

fn malformed(message: &'static str) -> S3Error {
    S3Error::with_message(S3ErrorCode::MalformedXML, message)
}

/// A number of days, or of versions. None is left to be told of where rules are checked.
fn positive(number: i32, name: &str) -> S3Result<u32> {
    u32::try_from(number).map_err(|_| invalid_argument(format!("'{name}' must be a positive integer")))
}

fn bytes(number: Option<i64>, name: &str) -> S3Result<Option<u64>> {
    let number = number.map(u64::try_from).transpose();
    number.map_err(|_| invalid_argument(format!("'{name}' must not be negative")))
}

/// A rule that a document has.
pub(super) fn to_rule(asked: dto::LifecycleRule) -> S3Result<LifecycleRule> {
    if asked.transitions.is_some() || asked.noncurrent_version_transitions.is_some() {
        return Err(not_implemented("a transition, since there is one class of storage,"));
    }
    let enabled = match asked.status.as_str() {
        dto::ExpirationStatus::ENABLED => true,
        dto::ExpirationStatus::DISABLED => false,
        _ => return Err(malformed("the Status of a Rule is Enabled or Disabled")),
    };
    let filter = match (asked.filter, asked.prefix) {
        (Some(filter), None) => to_filter(filter)?,
        (None, Some(prefix)) => LifecycleFilter { prefix: Some(prefix), beside: true, ..Default::default() },
        _ => return Err(malformed("a Rule has a Filter, or else a Prefix")),
    };
    let abort = asked.abort_incomplete_multipart_upload;
    let abort_after_days = abort.map(|abort| {
        let days = abort.days_after_initiation;
        let missing = || malformed("an AbortIncompleteMultipartUpload has DaysAfterInitiation");
        positive(days.ok_or_else(missing)?, "DaysAfterInitiation")
    });
    Ok(LifecycleRule {
        id: asked.id.unwrap_or_default(),
        enabled,
        filter,
        expiration: asked.expiration.as_ref().map(to_expiration).transpose()?,
        noncurrent: asked.noncurrent_version_expiration.as_ref().map(to_noncurrent).transpose()?,
        abort_after_days: abort_after_days.transpose()?,
    })
}

fn to_filter(asked: dto::LifecycleRuleFilter) -> S3Result<LifecycleFilter> {
    let dto::LifecycleRuleFilter { and, object_size_greater_than, object_size_less_than, prefix, tag } =
        asked;
    let outside =
        filter((prefix, tag.into_iter().collect()), object_size_greater_than, object_size_less_than)?;
    let Some(and) = and else {
        if outside.predicates() > 1 {
            return Err(malformed("a Filter has one predicate: join several by And"));
        }
        return Ok(outside);
    };
    if outside.predicates() > 0 {
        return Err(malformed("beside And, a Filter has nothing"));
    }
    let joined = (and.prefix, and.tags.unwrap_or_default());
    let inside = filter(joined, and.object_size_greater_than, and.object_size_less_than)?;
    if inside.predicates() < 2 {
        return Err(malformed("And joins two predicates or more"));
    }
    Ok(inside)
}

fn filter(
    (prefix, tags): (Option<String>, Vec<dto::Tag>),
    larger: Option<i64>,
    smaller: Option<i64>,
) -> S3Result<LifecycleFilter> {
    let pairs = tags.into_iter().map(|tag| {
        let missing = || malformed("a Tag has a Key and a Value");
        Ok((tag.key.ok_or_else(missing)?, tag.value.ok_or_else(missing)?))
    });
    let pairs = pairs.collect::<S3Result<Vec<_>>>()?;
    let keys: std::collections::BTreeSet<_> = pairs.iter().map(|(key, _)| key).collect();
    if keys.len() < pairs.len() {
        return Err(invalid("Duplicate Tag Keys are not allowed."));
    }
    Ok(LifecycleFilter {
        prefix,
        tags: TagSet::new(pairs, TagSet::MAX_OF_OBJECT).map_err(from_store)?,
        larger_than: bytes(larger, "ObjectSizeGreaterThan")?,
        smaller_than: bytes(smaller, "ObjectSizeLessThan")?,
        beside: false,
    })
}

fn to_expiration(asked: &dto::LifecycleExpiration) -> S3Result<Expiration> {
    // That no marker is to go can be said beside the rest: it asks for nothing.
    match (asked.days, &asked.date, asked.expired_object_delete_marker) {
        (Some(days), None, None | Some(false)) => Ok(Expiration::Days(positive(days, "Days")?)),
        (None, Some(date), None | Some(false)) => Ok(Expiration::DateMicros(instant(date).as_micros())),
        (None, None, Some(removed)) => Ok(Expiration::Markers(removed)),
        _ => Err(malformed("an Expiration has Days, Date or ExpiredObjectDeleteMarker")),
    }
}

fn to_noncurrent(asked: &dto::NoncurrentVersionExpiration) -> S3Result<NoncurrentExpiration> {
    let missing = || malformed("a NoncurrentVersionExpiration has NoncurrentDays");
    let days = positive(asked.noncurrent_days.ok_or_else(missing)?, "NoncurrentDays")?;
    let keep = asked.newer_noncurrent_versions;
    let keep = keep.map(|number| positive(number, "NewerNoncurrentVersions")).transpose()?;
    Ok(NoncurrentExpiration { days, keep })
}

fn number(number: u32) -> Option<i32> {
    i32::try_from(number).ok()
}

/// A rule, for a document.
pub(super) fn of_rule(rule: &LifecycleRule) -> dto::LifecycleRule {
    let beside = rule.filter.beside;
    dto::LifecycleRule {
        abort_incomplete_multipart_upload: rule
            .abort_after_days
            .map(|days| dto::AbortIncompleteMultipartUpload { days_after_initiation: number(days) }),
        expiration: rule.expiration.map(of_expiration),
        filter: (!beside).then(|| of_filter(&rule.filter)),
        id: Some(rule.id.clone()),
        noncurrent_version_expiration: rule.noncurrent.map(|noncurrent| dto::NoncurrentVersionExpiration {
            newer_noncurrent_versions: noncurrent.keep.and_then(number),
            noncurrent_days: number(noncurrent.days),
        }),
        noncurrent_version_transitions: None,
        prefix: rule.filter.prefix.clone().filter(|_| beside),
        status: dto::ExpirationStatus::from_static(match rule.enabled {
            true => dto::ExpirationStatus::ENABLED,
            false => dto::ExpirationStatus::DISABLED,
        }),
        transitions: None,
    }
}

fn of_expiration(expiration: Expiration) -> dto::LifecycleExpiration {
    let none = dto::LifecycleExpiration::default();
    match expiration {
        Expiration::Days(days) => dto::LifecycleExpiration { days: number(days), ..none },
        Expiration::DateMicros(micros) => {
            dto::LifecycleExpiration { date: Some(timestamp(Timestamp::from_micros(micros))), ..none }
        }
        Expiration::Markers(removed) => {
            dto::LifecycleExpiration { expired_object_delete_marker: Some(removed), ..none }
        }
    }
}

fn of_filter(filter: &LifecycleFilter) -> dto::LifecycleRuleFilter {
    let tag =
        |(key, value): (&str, &str)| dto::Tag { key: Some(key.to_owned()), value: Some(value.to_owned()) };
    let tags: Vec<_> = filter.tags.iter().map(tag).collect();
    let size = |bytes: Option<u64>| bytes.and_then(|bytes| i64::try_from(bytes).ok());
    let (larger, smaller) = (size(filter.larger_than), size(filter.smaller_than));
    if filter.predicates() > 1 {
        let and = dto::LifecycleRuleAndOperator {
            object_size_greater_than: larger,
            object_size_less_than: smaller,
            prefix: filter.prefix.clone(),
            tags: Some(tags).filter(|tags| !tags.is_empty()),
        };
        return dto::LifecycleRuleFilter { and: Some(and), ..Default::default() };
    }
    dto::LifecycleRuleFilter {
        and: None,
        object_size_greater_than: larger,
        object_size_less_than: smaller,
        prefix: filter.prefix.clone(),
        tag: tags.into_iter().next(),
    }
}
