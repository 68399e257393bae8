//! Object lock: the default of a bucket, the retention and the legal hold of a version.

use http::HeaderMap;
use nuee_access::{Action, Permit};
use nuee_base::Timestamp;
use nuee_store::{DefaultRetention, LegalHold, Lock, ObjectLock, Retention, RetentionMode, RetentionPeriod};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto};

use crate::handlers::asking::{Asking, asking};
use crate::handlers::{
    Handlers,
    answer::{absent, from_store, invalid, invalid_argument},
    object::timestamp,
};

fn malformed(message: &'static str) -> S3Error {
    S3Error::with_message(S3ErrorCode::MalformedXML, message)
}

fn mode(text: &str) -> Option<RetentionMode> {
    match text {
        dto::ObjectLockRetentionMode::GOVERNANCE => Some(RetentionMode::Governance),
        dto::ObjectLockRetentionMode::COMPLIANCE => Some(RetentionMode::Compliance),
        _ => None,
    }
}

/// An instant that a document tells.
pub(crate) fn instant(date: &dto::Timestamp) -> Timestamp {
    let date = time::OffsetDateTime::from(date.clone());
    Timestamp::from_micros(i64::try_from(date.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX))
}

/// What is to keep a new version from being removed, if its writer says anything of it.
pub(crate) fn of_new(headers: &HeaderMap) -> S3Result<Lock> {
    let text = |name: &'static str| {
        let value = headers.get(name).map(|value| value.to_str());
        value.transpose().map_err(|_| invalid_argument(format!("{name} is not text")))
    };
    let legal_hold = match text("x-amz-object-lock-legal-hold")? {
        None => LegalHold::Never,
        Some(dto::ObjectLockLegalHoldStatus::OFF) => LegalHold::Off,
        Some(dto::ObjectLockLegalHoldStatus::ON) => LegalHold::On,
        Some(_) => return Err(invalid_argument("x-amz-object-lock-legal-hold is ON or OFF")),
    };
    let retention = match (text("x-amz-object-lock-mode")?, text("x-amz-object-lock-retain-until-date")?) {
        (None, None) => None,
        (Some(asked), Some(until)) => {
            let mode = mode(asked).ok_or_else(|| invalid_argument("Unknown wormMode directive."))?;
            let until = dto::Timestamp::parse(dto::TimestampFormat::DateTime, until).map_err(|_| {
                invalid_argument("x-amz-object-lock-retain-until-date is a date such as 2030-01-31T00:00:00Z")
            })?;
            Some(Retention::new(mode, instant(&until)))
        }
        _ => {
            return Err(invalid_argument(
                "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
            ));
        }
    };
    Ok(Lock { retention, legal_hold })
}

/// What answers say of a legal hold: nothing if nobody ever did.
fn shown(hold: LegalHold) -> Option<dto::ObjectLockLegalHoldStatus> {
    use dto::ObjectLockLegalHoldStatus as Status;
    match hold {
        LegalHold::Never => None,
        LegalHold::On => Some(Status::from_static(Status::ON)),
        LegalHold::Off => Some(Status::from_static(Status::OFF)),
    }
}

/// What answers say of the lock of an object.
pub(crate) struct Shown {
    pub(crate) mode: Option<dto::ObjectLockMode>,
    pub(crate) until: Option<dto::Timestamp>,
    pub(crate) legal_hold: Option<dto::ObjectLockLegalHoldStatus>,
}

impl From<&Lock> for Shown {
    fn from(lock: &Lock) -> Self {
        Self {
            mode: lock.retention.map(|retention| dto::ObjectLockMode::from_static(retention.mode.as_str())),
            until: lock.retention.map(|retention| timestamp(retention.until())),
            legal_hold: shown(lock.legal_hold),
        }
    }
}

impl Handlers {
    /// Leave to write a new version with this lock, beside that to write one.
    pub(crate) fn permit_lock(
        &self,
        context: &Asking<'_>,
        target: (&str, &str),
        lock: &Lock,
    ) -> S3Result<()> {
        if lock.retention.is_some() {
            let _permitted = self.object(context, target, Action::PutObjectRetention)?;
        }
        if lock.legal_hold != LegalHold::Never {
            let _permitted = self.object(context, target, Action::PutObjectLegalHold)?;
        }
        Ok(())
    }

    /// Leave to pass over the GOVERNANCE mode, if that is asked for.
    pub(crate) fn bypass(
        &self,
        context: &Asking<'_>,
        target: (&str, &str),
        asked: Option<bool>,
    ) -> S3Result<Option<Permit>> {
        match asked {
            Some(true) => Ok(Some(self.object(context, target, Action::BypassGovernanceRetention)?.2)),
            _ => Ok(None),
        }
    }

    pub(crate) async fn get_object_lock_configuration(
        &self,
        request: S3Request<dto::GetObjectLockConfigurationInput>,
    ) -> S3Result<S3Response<dto::GetObjectLockConfigurationOutput>> {
        let context = asking!(self, request);
        let action = Action::GetObjectLockConfiguration;
        let (bucket, _permit) = self.bucket(&context, &request.input.bucket, action)?;
        let none = || absent("ObjectLockConfigurationNotFoundError", "object lock configuration");
        let ObjectLock { default } = bucket.object_lock.ok_or_else(none)?;
        let rule = default.map(|default| {
            let (days, years) = match default.period {
                RetentionPeriod::Days(days) => (i32::try_from(days).ok(), None),
                RetentionPeriod::Years(years) => (None, i32::try_from(years).ok()),
            };
            let mode = Some(dto::ObjectLockRetentionMode::from_static(default.mode.as_str()));
            let default_retention = Some(dto::DefaultRetention { days, mode, years });
            dto::ObjectLockRule { default_retention }
        });
        let enabled = dto::ObjectLockEnabled::from_static(dto::ObjectLockEnabled::ENABLED);
        let configuration = dto::ObjectLockConfiguration { object_lock_enabled: Some(enabled), rule };
        Ok(S3Response::new(dto::GetObjectLockConfigurationOutput {
            object_lock_configuration: Some(configuration),
        }))
    }

    pub(crate) async fn put_object_lock_configuration(
        &self,
        request: S3Request<dto::PutObjectLockConfigurationInput>,
    ) -> S3Result<S3Response<dto::PutObjectLockConfigurationOutput>> {
        let context = asking!(self, request);
        let action = Action::PutObjectLockConfiguration;
        let (bucket, permit) = self.bucket(&context, &request.input.bucket, action)?;
        let asked = request.input.object_lock_configuration;
        let asked = asked.ok_or_else(|| malformed("an ObjectLockConfiguration is expected"))?;
        let enabled = asked.object_lock_enabled.as_ref().map(dto::ObjectLockEnabled::as_str);
        if enabled != Some(dto::ObjectLockEnabled::ENABLED) {
            return Err(malformed("the ObjectLockEnabled of an ObjectLockConfiguration is Enabled"));
        }
        let default = match asked.rule {
            None => None,
            Some(rule) => {
                let default =
                    rule.default_retention.ok_or_else(|| malformed("a Rule has a DefaultRetention"))?;
                Some(default_retention(&default)?)
            }
        };
        let changed = self.store.set_object_lock(&context, &permit, &bucket, default);
        changed.await.map_err(from_store)?;
        Ok(S3Response::new(dto::PutObjectLockConfigurationOutput { request_charged: None }))
    }

    pub(crate) async fn get_object_retention(
        &self,
        request: S3Request<dto::GetObjectRetentionInput>,
    ) -> S3Result<S3Response<dto::GetObjectRetentionOutput>> {
        let context = asking!(self, request);
        let input = &request.input;
        let named = (&*input.bucket, &*input.key, input.version_id.as_deref());
        let lock = self.lock(&context, named, Action::GetObjectRetention)?;
        let retention = lock.retention.ok_or_else(no_lock)?;
        let retention = dto::ObjectLockRetention {
            mode: Some(dto::ObjectLockRetentionMode::from_static(retention.mode.as_str())),
            retain_until_date: Some(timestamp(retention.until())),
        };
        Ok(S3Response::new(dto::GetObjectRetentionOutput { retention: Some(retention) }))
    }

    pub(crate) async fn put_object_retention(
        &self,
        request: S3Request<dto::PutObjectRetentionInput>,
    ) -> S3Result<S3Response<dto::PutObjectRetentionOutput>> {
        let context = asking!(self, request);
        let input = request.input;
        let named = (&*input.bucket, &*input.key, input.version_id.as_deref());
        let actions = (Action::PutObjectRetention, Action::PutObjectRetention);
        let (target, permit) = self.version(&context, named, actions)?;
        let bypass = self.bypass(&context, (named.0, named.1), input.bypass_governance_retention)?;
        let asked = input.retention.as_ref().map(|retention| (&retention.mode, &retention.retain_until_date));
        let retention = match asked {
            None | Some((None, None)) => None,
            Some((Some(asked), Some(until))) => {
                let mode = mode(asked.as_str());
                let mode = mode.ok_or_else(|| malformed("the Mode is GOVERNANCE or COMPLIANCE"))?;
                Some(Retention::new(mode, instant(until)))
            }
            _ => return Err(malformed("a Retention has a Mode and a RetainUntilDate, or neither")),
        };
        let changed = self.store.set_retention(&context, (&permit, bypass.as_ref()), &target, retention);
        changed.await.map_err(from_store)?;
        Ok(S3Response::new(dto::PutObjectRetentionOutput { request_charged: None }))
    }

    pub(crate) async fn get_object_legal_hold(
        &self,
        request: S3Request<dto::GetObjectLegalHoldInput>,
    ) -> S3Result<S3Response<dto::GetObjectLegalHoldOutput>> {
        let context = asking!(self, request);
        let input = &request.input;
        let named = (&*input.bucket, &*input.key, input.version_id.as_deref());
        let lock = self.lock(&context, named, Action::GetObjectLegalHold)?;
        let status = Some(shown(lock.legal_hold).ok_or_else(no_lock)?);
        let legal_hold = Some(dto::ObjectLockLegalHold { status });
        Ok(S3Response::new(dto::GetObjectLegalHoldOutput { legal_hold }))
    }

    pub(crate) async fn put_object_legal_hold(
        &self,
        request: S3Request<dto::PutObjectLegalHoldInput>,
    ) -> S3Result<S3Response<dto::PutObjectLegalHoldOutput>> {
        let context = asking!(self, request);
        let input = request.input;
        let actions = (Action::PutObjectLegalHold, Action::PutObjectLegalHold);
        let named = (&*input.bucket, &*input.key, input.version_id.as_deref());
        let (target, permit) = self.version(&context, named, actions)?;
        let status = input.legal_hold.and_then(|hold| hold.status);
        let held = match status.as_ref().map(dto::ObjectLockLegalHoldStatus::as_str) {
            Some(dto::ObjectLockLegalHoldStatus::ON) => LegalHold::On,
            Some(dto::ObjectLockLegalHoldStatus::OFF) => LegalHold::Off,
            _ => return Err(malformed("the Status of a LegalHold is ON or OFF")),
        };
        self.store.set_legal_hold(&context, &permit, &target, held).await.map_err(from_store)?;
        Ok(S3Response::new(dto::PutObjectLegalHoldOutput { request_charged: None }))
    }

    /// The lock of a version, in a bucket that has locks.
    fn lock(
        &self,
        context: &Asking<'_>,
        named: (&str, &str, Option<&str>),
        action: Action,
    ) -> S3Result<Lock> {
        let (target, permit) = self.version(context, named, (action, action))?;
        let info = self.store.object_info(&permit, &target).map_err(from_store)?;
        if target.bucket.object_lock.is_none() {
            return Err(invalid("Bucket is missing Object Lock Configuration"));
        }
        Ok(info.lock)
    }
}

fn no_lock() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::NoSuchObjectLockConfiguration,
        "The specified object does not have a ObjectLock configuration",
    )
}

fn default_retention(asked: &dto::DefaultRetention) -> S3Result<DefaultRetention> {
    let mode = asked.mode.as_ref().and_then(|asked| mode(asked.as_str()));
    let mode = mode.ok_or_else(|| malformed("the Mode is GOVERNANCE or COMPLIANCE"))?;
    let positive = |number: i32| {
        u32::try_from(number)
            .map_err(|_| invalid_argument("Default retention period must be a positive integer value."))
    };
    let period = match (asked.days, asked.years) {
        (Some(days), None) => RetentionPeriod::Days(positive(days)?),
        (None, Some(years)) => RetentionPeriod::Years(positive(years)?),
        _ => return Err(malformed("a DefaultRetention has Days or Years")),
    };
    Ok(DefaultRetention { mode, period })
}
