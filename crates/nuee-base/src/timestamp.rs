//! Instants: whole microseconds since 1970-01-01T00:00:00Z.

use std::{fmt, str::FromStr, time::Duration};

use time::{
    Date, OffsetDateTime,
    format_description::well_known::{Iso8601, Rfc3339},
};

/// An instant, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant this many microseconds after the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The instant `duration` later, or the last one that can be told.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The instant `duration` earlier, or the first one that can be told.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// As a calendar date in UTC; instants outside the years ±9999 give the epoch.
    #[must_use]
    pub fn to_date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339, in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_date_time().format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

/// Why a text is not an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an instant: expected a date, such as 2026-11-25, or RFC 3339, such as 2026-11-25T08:00:00Z"
)]
pub struct InvalidTimestamp(String);

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    /// Reads RFC 3339, or a date, which is its first instant in UTC.
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let instant = OffsetDateTime::parse(text, &Rfc3339).ok();
        // What comes after a date would be passed over.
        let is_date = text.len() == "2026-11-25".len();
        let date = || Some(Date::parse(text, &Iso8601::DATE).ok()?.midnight().assume_utc());
        let instant = instant
            .or_else(|| is_date.then(date).flatten())
            .map(|instant| instant.unix_timestamp_nanos() / 1_000);
        let micros = instant.and_then(|micros| i64::try_from(micros).ok());
        micros.map(Self).ok_or_else(|| InvalidTimestamp(text.chars().take(64).collect()))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_shown_in_rfc_3339() {
        assert_eq!(Timestamp::from_micros(1_436_918_400_000_000).to_string(), "2015-07-15T00:00:00Z");
    }

    #[test]
    fn an_instant_is_read_as_it_is_shown_and_a_date_is_its_beginning() {
        for micros in [0, 1_436_918_400_000_000, 1_436_918_400_000_001, -1] {
            let instant = Timestamp::from_micros(micros);
            assert_eq!(instant.to_string().parse(), Ok(instant));
        }
        assert_eq!("2015-07-15".parse(), Ok(Timestamp::from_micros(1_436_918_400_000_000)));
        assert_eq!("2015-07-15T02:00:00+02:00".parse(), Ok(Timestamp::from_micros(1_436_918_400_000_000)));
        for text in ["", "yesterday", "2015-13-01", "2015-07-15T00:00:00"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
