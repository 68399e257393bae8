//! Which sites may script a bucket's content: setting it.

use nuee_access::Action;
use nuee_store::{CorsRule, CorsRules, Setting, SettingName};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto};

use crate::handlers::asking::asking;
use crate::handlers::{
    Handlers,
    answer::{absent, from_store, invalid_argument},
};

fn rule(rule: dto::CORSRule) -> S3Result<CorsRule> {
    let seconds = rule.max_age_seconds.map(u32::try_from).transpose();
    Ok(CorsRule {
        id: rule.id,
        origins: rule.allowed_origins,
        methods: rule.allowed_methods,
        headers: rule.allowed_headers.unwrap_or_default(),
        exposed: rule.expose_headers.unwrap_or_default(),
        max_age_seconds: seconds.map_err(|_| invalid_argument("MaxAgeSeconds is not negative"))?,
    })
}

fn document(rule: &CorsRule) -> dto::CORSRule {
    let given = |texts: &[String]| Some(texts.to_vec()).filter(|texts| !texts.is_empty());
    dto::CORSRule {
        id: rule.id.clone(),
        allowed_origins: rule.origins.clone(),
        allowed_methods: rule.methods.clone(),
        allowed_headers: given(&rule.headers),
        expose_headers: given(&rule.exposed),
        max_age_seconds: rule.max_age_seconds.and_then(|seconds| i32::try_from(seconds).ok()),
    }
}

impl Handlers {
    pub(crate) async fn get_bucket_cors(
        &self,
        request: S3Request<dto::GetBucketCorsInput>,
    ) -> S3Result<S3Response<dto::GetBucketCorsOutput>> {
        let context = asking!(self, request);
        let (bucket, _permit) = self.bucket(&context, &request.input.bucket, Action::GetBucketCors)?;
        let rules = bucket.settings.cors.as_ref();
        let rules = rules.ok_or_else(|| absent("NoSuchCORSConfiguration", "CORS configuration"))?;
        let cors_rules = Some(rules.rules().iter().map(document).collect());
        Ok(S3Response::new(dto::GetBucketCorsOutput { cors_rules }))
    }

    pub(crate) async fn put_bucket_cors(
        &self,
        request: S3Request<dto::PutBucketCorsInput>,
    ) -> S3Result<S3Response<dto::PutBucketCorsOutput>> {
        let context = asking!(self, request);
        let action = Action::PutBucketCors;
        let (bucket, permit) = self.bucket(&context, &request.input.bucket, action)?;
        let rules = request.input.cors_configuration.cors_rules;
        if rules.is_empty() {
            let message = "a CORSConfiguration has a CORSRule at least";
            return Err(S3Error::with_message(S3ErrorCode::MalformedXML, message));
        }
        let rules = rules.into_iter().map(rule).collect::<S3Result<_>>()?;
        let setting = Setting::Cors(CorsRules::new(rules).map_err(from_store)?);
        let put = self.store.put_setting(&context, (&permit, action), &bucket, setting);
        put.await.map_err(from_store)?;
        Ok(S3Response::new(dto::PutBucketCorsOutput {}))
    }

    pub(crate) async fn delete_bucket_cors(
        &self,
        request: S3Request<dto::DeleteBucketCorsInput>,
    ) -> S3Result<S3Response<dto::DeleteBucketCorsOutput>> {
        let context = asking!(self, request);
        let action = Action::PutBucketCors;
        let (bucket, permit) = self.bucket(&context, &request.input.bucket, action)?;
        let deleted = self.store.delete_setting(&context, (&permit, action), &bucket, SettingName::Cors);
        deleted.await.map_err(from_store)?;
        let output = dto::DeleteBucketCorsOutput {};
        Ok(S3Response::with_status(output, http::StatusCode::NO_CONTENT))
    }
}
