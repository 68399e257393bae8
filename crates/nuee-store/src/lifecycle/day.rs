//! Counting days as S3 does: from an instant so many days on, and from there to the next midnight UTC.

use nuee_base::Timestamp;

const DAY_MICROS: i64 = 86_400_000_000;

/// When `days` have passed since `since`.
pub(super) fn after_days(since: Timestamp, days: u32) -> Timestamp {
    let passed = since.as_micros().saturating_add(i64::from(days).saturating_mul(DAY_MICROS));
    let beyond = passed.rem_euclid(DAY_MICROS);
    let missing = if beyond == 0 { 0 } else { DAY_MICROS - beyond };
    Timestamp::from_micros(passed.saturating_add(missing))
}

/// Whether it is midnight UTC.
pub(super) fn is_midnight(at: Timestamp) -> bool {
    at.as_micros().rem_euclid(DAY_MICROS) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn days_end_at_the_next_midnight() {
        // The example of S3's guide: written on 15 January 2014 at 10:30, three days, gone on the 19th.
        let written = at(1_389_781_800_000_000);
        assert_eq!(written.to_string(), "2014-01-15T10:30:00Z");
        assert_eq!(after_days(written, 3).to_string(), "2014-01-19T00:00:00Z");
        for (since, days, until) in [
            (0, 1, DAY_MICROS),
            (1, 1, 2 * DAY_MICROS),
            (DAY_MICROS - 1, 1, 2 * DAY_MICROS),
            (DAY_MICROS, 2, 3 * DAY_MICROS),
            (-1, 1, DAY_MICROS),
        ] {
            assert_eq!(after_days(at(since), days), at(until), "{since} and {days} days");
        }
    }

    #[test]
    fn what_lies_too_far_ahead_never_comes() {
        assert_eq!(after_days(at(i64::MAX - 1), u32::MAX), at(i64::MAX));
        assert!(after_days(at(0), u32::MAX) > at(0));
    }

    #[test]
    fn midnight_is_midnight() {
        for midnight in [0, DAY_MICROS, -DAY_MICROS] {
            assert!(is_midnight(at(midnight)) && !is_midnight(at(midnight + 1)), "{midnight}");
        }
    }
}
