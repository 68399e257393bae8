//! What buckets and objects can be configured with at S3, and have not here: read as S3 has it of a bucket that was
//! never configured. Clients ask for these before they do anything else, and take `NotImplemented` for a failure.
//!
//! Deliberately absent: setting any of it, which is not offered.

use nuee_access::Action;
use s3s::{S3Request, S3Response, S3Result, dto};

use crate::handlers::asking::asking;
use crate::handlers::{Handlers, answer::absent};

/// What is answered once it is known that the bucket exists and may be looked at.
macro_rules! never_configured {
    ($($operation:ident($input:ident, $action:ident) -> $output:ident: $answer:expr;)*) => {
        impl Handlers {
            $(
                pub(crate) async fn $operation(
                    &self,
                    request: S3Request<dto::$input>,
                ) -> S3Result<S3Response<dto::$output>> {
                    let context = asking!(self, request);
                    // Nothing is read from the bucket: whether it may be looked at is all that matters.
                    let (_bucket, _permit) = self.bucket(&context, &request.input.bucket, Action::$action)?;
                    let answer: S3Result<dto::$output> = $answer;
                    answer.map(S3Response::new)
                }
            )*
        }
    };
}

never_configured! {
    get_bucket_accelerate_configuration(GetBucketAccelerateConfigurationInput, GetAccelerate) -> GetBucketAccelerateConfigurationOutput:
        Ok(dto::GetBucketAccelerateConfigurationOutput::default());
    get_bucket_logging(GetBucketLoggingInput, GetBucketLogging) -> GetBucketLoggingOutput:
        Ok(dto::GetBucketLoggingOutput::default());
    get_bucket_notification_configuration(GetBucketNotificationConfigurationInput, GetBucketNotification) -> GetBucketNotificationConfigurationOutput:
        Ok(dto::GetBucketNotificationConfigurationOutput::default());
    get_bucket_replication(GetBucketReplicationInput, GetReplication) -> GetBucketReplicationOutput:
        Err(absent("ReplicationConfigurationNotFoundError", "replication configuration"));
    get_bucket_request_payment(GetBucketRequestPaymentInput, GetRequestPayment) -> GetBucketRequestPaymentOutput:
        Ok(dto::GetBucketRequestPaymentOutput { payer: Some(dto::Payer::from_static(dto::Payer::BUCKET_OWNER)) });
    get_bucket_website(GetBucketWebsiteInput, GetBucketWebsite) -> GetBucketWebsiteOutput:
        Err(absent("NoSuchWebsiteConfiguration", "website configuration"));
}
