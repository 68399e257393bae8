//! Object lock: what keeps a version from being removed ([S3's
//! description](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html)).
//!
//! A *retention* lasts until an instant. In the COMPLIANCE mode nobody can shorten or end it, whoever they are; in the
//! GOVERNANCE mode whoever may bypass it can. A *legal hold* lasts until somebody ends it. For example, a version that is
//! retained until 2030 in the COMPLIANCE mode can be retained until 2031, and deleted in 2031.
//!
//! Whether the instant has come is asked of the [lock clock](crate::lock_clock), which nobody can set forward.

use std::fmt;

use nuee_base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;

/// How strictly a version is retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetentionMode {
    /// Whoever may bypass it can shorten or end it.
    Governance,
    /// Nobody can.
    Compliance,
}

impl RetentionMode {
    /// S3's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }
}

/// Until when a version is retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// How strictly.
    pub mode: RetentionMode,
    until_micros: i64,
}

impl Retention {
    /// Retention in this mode until this instant.
    #[must_use]
    pub fn new(mode: RetentionMode, until: Timestamp) -> Self {
        Self { mode, until_micros: until.as_micros() }
    }

    /// The instant from which on the version may be removed.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        Timestamp::from_micros(self.until_micros)
    }
}

/// Whether a version is under legal hold.
///
/// The numbers by which rows know the first two are those of `false` and `true`, which stood there once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LegalHold {
    /// Nobody ever said anything of one.
    #[default]
    Never,
    /// It is.
    On,
    /// It is not, as somebody said.
    Off,
}

/// What keeps a version from being removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Its retention, over or not.
    pub retention: Option<Retention>,
    /// Its legal hold, which lasts until somebody ends it.
    pub legal_hold: LegalHold,
}

impl Lock {
    /// [`Error::Locked`] if the version may not be removed at `now`.
    pub(crate) fn allow_removal(&self, now: Timestamp, bypass: bool) -> Result<(), Error> {
        if self.legal_hold == LegalHold::On {
            return Err(Error::Locked("it is under legal hold".into()));
        }
        match self.retention.filter(|retention| retention.until() > now) {
            Some(Retention { mode: RetentionMode::Governance, .. }) if bypass => Ok(()),
            Some(retention) => {
                let (mode, until) = (retention.mode.as_str(), retention.until());
                Err(Error::Locked(format!("it is retained in the {mode} mode until {until}")))
            }
            None => Ok(()),
        }
    }

    /// The same with another retention, or none. [`Error::Locked`] if that would be a weaker one than is allowed.
    pub(crate) fn retained(
        self,
        retention: Option<Retention>,
        now: Timestamp,
        bypass: bool,
    ) -> Result<Self, Error> {
        if retention.is_some_and(|retention| retention.until() <= now) {
            return Err(Error::InvalidArgument("the retain until date must be in the future".into()));
        }
        let changed = Self { retention, ..self };
        let Some(current) = self.retention.filter(|current| current.until() > now) else {
            return Ok(changed);
        };
        let as_strong =
            retention.is_some_and(|new| new.mode == current.mode && new.until() >= current.until());
        if as_strong || bypass && current.mode == RetentionMode::Governance {
            return Ok(changed);
        }
        let (mode, until) = (current.mode.as_str(), current.until());
        Err(Error::Locked(format!(
            "it is retained in the {mode} mode until {until}, and can be so for longer only"
        )))
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.retention {
            Some(retention) => write!(f, "{} until {}", retention.mode.as_str(), retention.until())?,
            None => f.write_str("no retention")?,
        }
        f.write_str(match self.legal_hold {
            LegalHold::On => ", legal hold",
            LegalHold::Never | LegalHold::Off => ", no legal hold",
        })
    }
}

/// That a bucket's versions can be locked, and how new ones are by themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectLock {
    /// What is retained of new versions that say nothing of it.
    pub default: Option<DefaultRetention>,
}

/// How new versions are retained by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultRetention {
    /// How strictly.
    pub mode: RetentionMode,
    /// For how long, counted from the writing.
    pub period: RetentionPeriod,
}

/// A time of retention. A year has 365 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetentionPeriod {
    /// Days.
    Days(u32),
    /// Years.
    Years(u32),
}

impl DefaultRetention {
    /// The longest time, as at S3: 100 years.
    pub const MAX_DAYS: u32 = 36_500;

    fn days(self) -> u32 {
        match self.period {
            RetentionPeriod::Days(days) => days,
            RetentionPeriod::Years(years) => years.saturating_mul(365),
        }
    }

    /// That it lasts between a day and a hundred years.
    pub fn check(self) -> Result<(), Error> {
        if (1..=Self::MAX_DAYS).contains(&self.days()) {
            return Ok(());
        }
        Err(Error::InvalidArgument(format!(
            "the default retention is 1 to {} days, or 1 to 100 years",
            Self::MAX_DAYS
        )))
    }

    /// The retention of what is written at `now`.
    pub(crate) fn from(self, now: Timestamp) -> Retention {
        let day = std::time::Duration::from_hours(24);
        Retention::new(self.mode, now.saturating_add(day * self.days()))
    }
}

impl fmt::Display for ObjectLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.default {
            Some(default) => write!(f, "locks, {} for {} days", default.mode.as_str(), default.days()),
            None => f.write_str("locks"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RetentionMode::{Compliance, Governance};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn lock(mode: RetentionMode, until: i64) -> Lock {
        Lock { retention: Some(Retention::new(mode, at(until))), legal_hold: LegalHold::Never }
    }

    #[test]
    fn what_is_locked_stays() {
        let held = Lock { legal_hold: LegalHold::On, ..Lock::default() };
        for (lock, now, bypass, allowed) in [
            (Lock::default(), 5, false, true),
            (lock(Governance, 10), 9, false, false),
            (lock(Governance, 10), 9, true, true),
            (lock(Governance, 10), 10, false, true),
            (lock(Compliance, 10), 9, false, false),
            (lock(Compliance, 10), 9, true, false),
            (lock(Compliance, 10), 10, false, true),
            (held, 99, true, false),
            (Lock { legal_hold: LegalHold::On, ..lock(Governance, 10) }, 9, true, false),
        ] {
            assert_eq!(lock.allow_removal(at(now), bypass).is_ok(), allowed, "{lock} at {now}, {bypass}");
        }
    }

    #[test]
    fn retention_grows_only() {
        let none = Lock::default();
        for (from, to, bypass, allowed) in [
            (none, lock(Governance, 10), false, true),
            (none, lock(Compliance, 10), false, true),
            (none, lock(Compliance, 4), false, false),
            (lock(Governance, 10), lock(Governance, 11), false, true),
            (lock(Governance, 10), lock(Governance, 9), false, false),
            (lock(Governance, 10), lock(Governance, 9), true, true),
            (lock(Governance, 10), none, false, false),
            (lock(Governance, 10), none, true, true),
            (lock(Governance, 10), lock(Compliance, 11), false, false),
            (lock(Governance, 10), lock(Compliance, 11), true, true),
            (lock(Compliance, 10), lock(Compliance, 11), false, true),
            (lock(Compliance, 10), lock(Compliance, 9), true, false),
            (lock(Compliance, 10), lock(Governance, 99), true, false),
            (lock(Compliance, 10), none, true, false),
            (lock(Compliance, 5), none, false, true),
        ] {
            let changed = from.retained(to.retention, at(5), bypass);
            assert_eq!(changed.is_ok(), allowed, "{from} to {to}, {bypass}");
        }
    }
}
