//! Lifecycle rules of buckets, and what they say of an object.

mod document;

use nuee_access::Action;
use nuee_base::{ObjectKey, Timestamp};
use nuee_store::{
    Bucket, Described, Lifecycle, Object, ObjectInfo, Setting, SettingName, TagSet, TransitionMinimum,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto};

use crate::handlers::asking::asking;
use crate::handlers::{
    Handlers,
    answer::{absent, from_store, invalid_argument},
    object::timestamp,
};

/// The last instant that a date of HTTP can tell: the end of the year 9999.
const LAST_MICROS: i64 = 253_402_300_799_999_999;

fn minimum(asked: Option<&dto::TransitionDefaultMinimumObjectSize>) -> S3Result<TransitionMinimum> {
    use dto::TransitionDefaultMinimumObjectSize as Asked;
    match asked.map(Asked::as_str) {
        None | Some(Asked::ALL_STORAGE_CLASSES_128K) => Ok(TransitionMinimum::All128K),
        Some(Asked::VARIES_BY_STORAGE_CLASS) => Ok(TransitionMinimum::ByStorageClass),
        Some(other) => Err(invalid_argument(format!("{other:?} is no minimum size of transitions"))),
    }
}

fn minimum_name(minimum: TransitionMinimum) -> dto::TransitionDefaultMinimumObjectSize {
    use dto::TransitionDefaultMinimumObjectSize as Shown;
    Shown::from_static(match minimum {
        TransitionMinimum::All128K => Shown::ALL_STORAGE_CLASSES_128K,
        TransitionMinimum::ByStorageClass => Shown::VARIES_BY_STORAGE_CLASS,
    })
}

/// When an object expires, and by which rule, as `x-amz-expiration` has it.
fn header((at, rule): (Timestamp, &str)) -> Option<String> {
    let mut date = Vec::new();
    let tellable = at.as_micros() <= LAST_MICROS;
    tellable.then(|| timestamp(at).format(dto::TimestampFormat::HttpDate, &mut date).ok()).flatten()?;
    let date = String::from_utf8(date).ok()?;
    let rule: String = form_urlencoded::byte_serialize(rule.as_bytes()).collect();
    Some(format!("expiry-date=\"{date}\", rule-id=\"{rule}\""))
}

/// What is to be remembered of an object that is written, to tell when it expires: its tags.
pub(crate) fn of_new(bucket: &Bucket, described: &Described) -> Option<TagSet> {
    bucket.settings.lifecycle.as_ref().map(|_| described.tags.clone())
}

/// The header of an object that was written with these tags.
pub(crate) fn of_written(
    bucket: &Bucket,
    key: &str,
    (info, tags): (&ObjectInfo, Option<TagSet>),
) -> Option<String> {
    let rules = bucket.settings.lifecycle.as_ref()?;
    header(rules.expiry(key, info.size, (info.modified_at, &tags?))?)
}

impl Handlers {
    /// The header of an object that a copy or a completion made, whose tags are those of something else.
    pub(crate) fn of_made(&self, bucket: &Bucket, key: &ObjectKey, info: &ObjectInfo) -> Option<String> {
        bucket.settings.lifecycle.as_ref()?;
        let tags = self.store.tags_to_decide(bucket, key, info.version.as_deref());
        of_written(bucket, key.as_str(), (info, tags))
    }

    /// The header of an object that is read: of one that its key names, for others are no object to expire.
    pub(crate) fn expiration(
        &self,
        object: &Object,
        (key, version): (&str, Option<&str>),
    ) -> S3Result<Option<String>> {
        if version.is_some() {
            return Ok(None);
        }
        let expiry = self.store.expiry(object, key).map_err(from_store)?;
        Ok(expiry.and_then(|(at, rule)| header((at, &rule))))
    }

    pub(crate) async fn get_bucket_lifecycle_configuration(
        &self,
        request: S3Request<dto::GetBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<dto::GetBucketLifecycleConfigurationOutput>> {
        let context = asking!(self, request);
        let (bucket, _permit) = self.bucket(&context, &request.input.bucket, Action::GetLifecycle)?;
        let none = || absent("NoSuchLifecycleConfiguration", "lifecycle configuration");
        let lifecycle = bucket.settings.lifecycle.as_ref().ok_or_else(none)?;
        Ok(S3Response::new(dto::GetBucketLifecycleConfigurationOutput {
            rules: Some(lifecycle.rules().iter().map(document::of_rule).collect()),
            transition_default_minimum_object_size: Some(minimum_name(lifecycle.transition_minimum())),
        }))
    }

    pub(crate) async fn put_bucket_lifecycle_configuration(
        &self,
        request: S3Request<dto::PutBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<dto::PutBucketLifecycleConfigurationOutput>> {
        let context = asking!(self, request);
        let action = Action::PutLifecycle;
        let (bucket, permit) = self.bucket(&context, &request.input.bucket, action)?;
        let asked = request.input;
        let minimum = minimum(asked.transition_default_minimum_object_size.as_ref())?;
        let rules = asked.lifecycle_configuration.map(|asked| asked.rules).unwrap_or_default();
        if rules.is_empty() || rules.len() > Lifecycle::MAX_RULES {
            let message = "a LifecycleConfiguration has 1 to 1,000 rules";
            return Err(S3Error::with_message(S3ErrorCode::MalformedXML, message));
        }
        let rules = rules.into_iter().map(document::to_rule).collect::<S3Result<_>>()?;
        let lifecycle = Lifecycle::new(&self.environment, rules, minimum).map_err(from_store)?;
        let setting = Setting::Lifecycle(lifecycle);
        let put = self.store.put_setting(&context, (&permit, action), &bucket, setting);
        put.await.map_err(from_store)?;
        let shown = Some(minimum_name(minimum));
        Ok(S3Response::new(dto::PutBucketLifecycleConfigurationOutput {
            transition_default_minimum_object_size: shown,
        }))
    }

    pub(crate) async fn delete_bucket_lifecycle(
        &self,
        request: S3Request<dto::DeleteBucketLifecycleInput>,
    ) -> S3Result<S3Response<dto::DeleteBucketLifecycleOutput>> {
        let context = asking!(self, request);
        let action = Action::PutLifecycle;
        let (bucket, permit) = self.bucket(&context, &request.input.bucket, action)?;
        let deleted = self.store.delete_setting(&context, (&permit, action), &bucket, SettingName::Lifecycle);
        deleted.await.map_err(from_store)?;
        let output = dto::DeleteBucketLifecycleOutput {};
        Ok(S3Response::with_status(output, http::StatusCode::NO_CONTENT))
    }
}
