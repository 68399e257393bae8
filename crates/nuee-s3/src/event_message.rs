//! Messages about events, in [S3's form](https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html).
//!
//! Of an object that is gone when the message is made, `size` and `eTag` are missing.

use nuee_store::{Event, Happening};
use serde_json::{Map, Value, json};

/// The version of the form.
const VERSION: &str = "2.3";

/// The message about an event, of a server in this region.
#[must_use]
pub fn event_message(event: &Event, region: &str) -> Value {
    let at = event.at.to_string();
    let bucket = event.bucket.name.as_str();
    let Happening::Object { name, key, version, content, rule } = &event.what else {
        return json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Time": at, "Bucket": bucket });
    };
    let mut object = Map::new();
    let encoded: String = form_urlencoded::byte_serialize(key.as_str().as_bytes()).collect();
    object.insert("key".into(), encoded.into());
    if let Some((size, tag)) = content {
        object.insert("size".into(), (*size).into());
        object.insert("eTag".into(), tag.to_string().into());
    }
    if let Some(version) = version {
        object.insert("versionId".into(), version.clone().into());
    }
    object.insert("sequencer".into(), sequencer(event).into());
    let record = json!({
        "eventVersion": VERSION,
        "eventSource": "aws:s3",
        "awsRegion": region,
        "eventTime": at,
        "eventName": name.as_str(),
        "userIdentity": { "principalId": event.by },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": rule,
            "bucket": {
                "name": bucket,
                "ownerIdentity": { "principalId": event.bucket.project.to_string() },
                "arn": format!("arn:aws:s3:::{bucket}"),
            },
            "object": object,
        },
    });
    json!({ "Records": [record] })
}

/// Orders the events of a key: they compare as text, for all have the same length.
fn sequencer(event: &Event) -> String {
    format!("{:016X}", event.leaf)
}
