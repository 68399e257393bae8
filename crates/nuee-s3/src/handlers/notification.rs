//! Which events of a bucket are told to whom: setting it.
//!
//! Destinations are webhooks that the operator offers to the bucket's project; S3 names what is told to others by a
//! topic, and so does this: `arn:aws:sns:::portal` is the webhook `portal`.

use nuee_access::Action;
use nuee_base::Environment;
use nuee_store::{Bucket, NotificationRule, Notifications, Setting, SettingName};
use s3s::{S3Request, S3Response, S3Result, dto};

use crate::Destinations;
use crate::handlers::asking::asking;
use crate::handlers::{
    Handlers,
    answer::{from_store, invalid_argument, not_implemented},
};

/// What the name of a destination follows.
const TOPIC: &str = "arn:aws:sns:";

/// The name of the webhook that an ARN stands for. Region and account say nothing here.
fn destination(arn: &str) -> Option<&str> {
    let mut rest = arn.strip_prefix(TOPIC)?.splitn(3, ':');
    let (_region, _account) = (rest.next()?, rest.next()?);
    rest.next().filter(|name| !name.is_empty() && !name.contains(':'))
}

fn topic(destination: &str) -> String {
    format!("{TOPIC}::{destination}")
}

fn id(environment: &Environment) -> String {
    let mut random = [0; 16];
    environment.fill_random(&mut random);
    hex::encode(random)
}

/// The beginning and the end of keys that a filter asks for.
fn ends(filter: Option<dto::NotificationConfigurationFilter>) -> S3Result<[Option<String>; 2]> {
    let rules = filter.and_then(|filter| filter.key).and_then(|key| key.filter_rules).unwrap_or_default();
    let mut ends = [None, None];
    for rule in rules {
        let name = rule.name.as_ref().map(|name| name.as_str().to_ascii_lowercase());
        let place = match name.as_deref() {
            Some("prefix") => 0,
            Some("suffix") => 1,
            _ => return Err(invalid_argument("the Name of a FilterRule is prefix or suffix")),
        };
        let value = rule.value.ok_or_else(|| invalid_argument("a FilterRule has a Value"))?;
        if ends[place].replace(value).is_some() {
            return Err(invalid_argument("a filter has one prefix and one suffix at most"));
        }
    }
    Ok(ends)
}

fn filter(rule: &NotificationRule) -> Option<dto::NotificationConfigurationFilter> {
    let ends = [(dto::FilterRuleName::PREFIX, &rule.prefix), (dto::FilterRuleName::SUFFIX, &rule.suffix)];
    let rules = ends.into_iter().filter_map(|(name, value)| {
        let name = Some(dto::FilterRuleName::from_static(name));
        value.as_ref().map(|value| dto::FilterRule { name, value: Some(value.clone()) })
    });
    let rules: Vec<_> = rules.collect();
    let key = dto::S3KeyFilter { filter_rules: Some(rules) };
    (rule.prefix.is_some() || rule.suffix.is_some())
        .then_some(dto::NotificationConfigurationFilter { key: Some(key) })
}

fn document(rule: &NotificationRule) -> dto::TopicConfiguration {
    dto::TopicConfiguration {
        events: rule.events.iter().cloned().map(dto::Event::from).collect(),
        filter: filter(rule),
        id: Some(rule.id.clone()),
        topic_arn: topic(&rule.destination),
    }
}

fn rule(
    (environment, destinations): (&Environment, &Destinations),
    bucket: &Bucket,
    topic: dto::TopicConfiguration,
) -> S3Result<NotificationRule> {
    let named = destination(&topic.topic_arn).filter(|name| destinations.allows(name, bucket.project));
    let Some(destination) = named.map(str::to_owned) else {
        let message = format!(
            "{:?} is no destination of this project: the operator offers them, as arn:aws:sns:::NAME",
            topic.topic_arn
        );
        return Err(invalid_argument(message));
    };
    let [prefix, suffix] = ends(topic.filter)?;
    let events = topic.events.iter().map(|event| event.as_ref().to_owned()).collect();
    let id = topic.id.filter(|id| !id.is_empty()).unwrap_or_else(|| id(environment));
    Ok(NotificationRule { id, destination, events, prefix, suffix })
}

impl Handlers {
    pub(crate) async fn get_bucket_notification_configuration(
        &self,
        request: S3Request<dto::GetBucketNotificationConfigurationInput>,
    ) -> S3Result<S3Response<dto::GetBucketNotificationConfigurationOutput>> {
        let context = asking!(self, request);
        let (bucket, _permit) =
            self.bucket(&context, &request.input.bucket, Action::GetBucketNotification)?;
        let rules = bucket.settings.notifications.as_ref();
        let topic_configurations = rules.map(|rules| rules.rules().iter().map(document).collect());
        let output =
            dto::GetBucketNotificationConfigurationOutput { topic_configurations, ..Default::default() };
        Ok(S3Response::new(output))
    }

    /// Sets it, or takes it back if nothing is to be told.
    pub(crate) async fn put_bucket_notification_configuration(
        &self,
        request: S3Request<dto::PutBucketNotificationConfigurationInput>,
    ) -> S3Result<S3Response<dto::PutBucketNotificationConfigurationOutput>> {
        let context = asking!(self, request);
        let action = Action::PutBucketNotification;
        let (bucket, permit) = self.bucket(&context, &request.input.bucket, action)?;
        let asked = request.input.notification_configuration;
        let is_other = asked.event_bridge_configuration.is_some()
            || asked.lambda_function_configurations.is_some_and(|given| !given.is_empty())
            || asked.queue_configurations.is_some_and(|given| !given.is_empty());
        if is_other {
            return Err(not_implemented("telling events to queues, functions or buses"));
        }
        let topics = asked.topic_configurations.unwrap_or_default();
        let rules =
            topics.into_iter().map(|topic| rule((&self.environment, &self.destinations), &bucket, topic));
        let rules = rules.collect::<S3Result<Vec<_>>>()?;
        if rules.is_empty() {
            let name = SettingName::Notifications;
            let deleted = self.store.delete_setting(&context, (&permit, action), &bucket, name);
            deleted.await.map_err(from_store)?;
        } else {
            let setting = Setting::Notifications(Notifications::new(rules).map_err(from_store)?);
            let put = self.store.put_setting(&context, (&permit, action), &bucket, setting);
            put.await.map_err(from_store)?;
        }
        Ok(S3Response::new(dto::PutBucketNotificationConfigurationOutput {}))
    }
}

#[cfg(test)]
mod tests {
    use super::destination;

    #[test]
    fn destinations_are_named_by_topics() {
        assert_eq!(destination("arn:aws:sns:::portal"), Some("portal"));
        assert_eq!(destination("arn:aws:sns:fr1:123456789012:portal"), Some("portal"));
        for wrong in
            ["portal", "arn:aws:sqs:::portal", "arn:aws:sns::portal", "arn:aws:sns:::", "arn:aws:sns:::a:b"]
        {
            assert_eq!(destination(wrong), None, "{wrong}");
        }
    }
}
