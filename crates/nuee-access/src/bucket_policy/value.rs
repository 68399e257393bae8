//! What texts say as numbers, instants, addresses and networks: those of policies strictly, those of requests as far as
//! they can be understood.

use std::net::{IpAddr, Ipv4Addr};

use base64::{Engine, prelude::BASE64_STANDARD};
use nuee_base::Timestamp;
use time::{Date, Month, OffsetDateTime, format_description::well_known::Rfc3339};

/// Numbers are whole ten-thousandths, so that comparisons are exact.
const DECIMALS: usize = 4;
const SCALE: i64 = 10_000;

/// The largest integer that a policy may compare with: a request's number beyond it still compares rightly.
const LARGEST_NUMBER: i64 = 900_000_000_000_000;

/// A number of a policy, in ten-thousandths; `None` if it is no decimal number of at most 15 digits before and four
/// after the point.
pub(super) fn policy_number(text: &str) -> Option<i64> {
    let (_, fraction) = text.split_once('.').unwrap_or((text, ""));
    let number = request_number(text)?;
    let bounded = number.checked_abs().is_some_and(|number| number <= LARGEST_NUMBER.saturating_mul(SCALE));
    (fraction.len() <= DECIMALS && bounded).then_some(number)
}

/// A number of a request, in ten-thousandths; what is too large is the largest there is, and further decimals are not
/// looked at. `None` if it is no decimal number.
pub(super) fn request_number(text: &str) -> Option<i64> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    if whole.is_empty() || fraction.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole = whole.parse::<i64>().unwrap_or(i64::MAX).saturating_mul(SCALE);
    let fraction: i64 = format!("{fraction:0<4}").get(..DECIMALS)?.parse().ok()?;
    let number = whole.saturating_add(fraction);
    Some(if negative { -number } else { number })
}

/// An instant: seconds since 1970, or a date of [ISO 8601](https://www.w3.org/TR/NOTE-datetime): a year, a month, a day,
/// or a day with a time and a zone.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    if let Some(instant) = calendar_date(text) {
        return Some(instant);
    }
    if let Ok(seconds) = text.parse::<i64>() {
        return seconds.checked_mul(1_000_000).map(Timestamp::from_micros);
    }
    let with_seconds = with_seconds(text);
    let date = OffsetDateTime::parse(&with_seconds, &Rfc3339).ok()?;
    micros(date)
}

/// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`: the first instant of it.
fn calendar_date(text: &str) -> Option<Timestamp> {
    let shape = matches!(text.len(), 4 | 7 | 10)
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !shape {
        return None;
    }
    let part =
        |range: std::ops::Range<usize>| text.get(range).map_or(Some(1), |part| part.parse::<u8>().ok());
    let year = text.get(..4)?.parse::<i32>().ok()?;
    let month = Month::try_from(part(5..7)?).ok()?;
    let date = Date::from_calendar_date(year, month, part(8..10)?).ok()?;
    micros(date.midnight().assume_utc())
}

/// `YYYY-MM-DDThh:mmZ` with the seconds that RFC 3339 wants.
fn with_seconds(text: &str) -> String {
    match text.split_at_checked(16) {
        Some((minutes, zone)) if zone.starts_with(['Z', '+', '-']) => format!("{minutes}:00{zone}"),
        _ => text.to_owned(),
    }
}

fn micros(date: OffsetDateTime) -> Option<Timestamp> {
    i64::try_from(date.unix_timestamp_nanos().div_euclid(1_000)).ok().map(Timestamp::from_micros)
}

/// A text without the difference of upper and lower case; letter by letter, so that what is put together and then folded
/// is what is folded and then put together.
pub(super) fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// What a value in base64 says, if it is a text: a request has texts only.
pub(super) fn binary_text(text: &str) -> Option<String> {
    BASE64_STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}

/// The address that a request comes from; one of IPv4 in the clothes of IPv6 is one of IPv4.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Addresses with a common beginning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

impl Network {
    /// `address/prefix`, or one address. The bits after the prefix do not matter.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let address: IpAddr = address.parse().ok()?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            None => width,
            Some(prefix) if prefix.bytes().all(|byte| byte.is_ascii_digit()) => prefix.parse().ok()?,
            Some(_) => return None,
        };
        (prefix_bits <= width).then(|| Self { address, prefix_bits }.canonical())
    }

    fn canonical(self) -> Self {
        match self.address {
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(address) if self.prefix_bits >= 96 => {
                    Self { address: IpAddr::V4(address), prefix_bits: self.prefix_bits - 96 }.canonical()
                }
                _ => {
                    let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix_bits)).unwrap_or(0);
                    Self { address: IpAddr::V6((u128::from(address) & mask).into()), ..self }
                }
            },
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix_bits)).unwrap_or(0);
                Self { address: IpAddr::V4(Ipv4Addr::from(u32::from(address) & mask)), ..self }
            }
        }
    }

    /// Whether it is so wide that it names nobody in particular: wider than /8, or /32 in IPv6.
    pub(super) fn is_wide(self) -> bool {
        self.prefix_bits < if self.address.is_ipv4() { 8 } else { 32 }
    }
}

/// An address as Cedar reads it: without the mixed notation of IPv6.
pub(super) fn cedar_address(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => address.segments().map(|segment| format!("{segment:x}")).join(":"),
    }
}

impl std::fmt::Display for Network {
    /// As Cedar reads it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", cedar_address(self.address), self.prefix_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_or_refused() {
        assert_eq!(policy_number("1.2"), Some(12_000));
        assert_eq!(policy_number("-0.0001"), Some(-1));
        for bad in ["", ".", "1.", ".5", "1e3", "0x1", "1.00001", "9999999999999999", "--1", "é"] {
            assert_eq!(policy_number(bad), None, "{bad}");
        }
        assert_eq!(request_number("99999999999999999999999"), Some(i64::MAX));
        assert_eq!(request_number("1.00009"), Some(10_000));
    }

    #[test]
    fn dates_are_read_in_each_documented_form() {
        let new_year = Some(Timestamp::from_micros(1_577_836_800_000_000));
        for text in [
            "2020",
            "2020-01",
            "2020-01-01",
            "2020-01-01T00:00Z",
            "2020-01-01T01:00:00.0+01:00",
            "1577836800",
        ] {
            assert_eq!(instant(text), new_year, "{text}");
        }
        for bad in
            ["", "2020-13", "2020-02-30", "tomorrow", "2020-01-01T00:00:00", "99999999999999999999", "é020"]
        {
            assert_eq!(instant(bad), None, "{bad}");
        }
    }

    #[test]
    fn networks_are_masked_and_ipv4_in_ipv6_is_ipv4() {
        assert_eq!(Network::parse("10.1.2.3/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(Network::parse("::ffff:10.1.2.3/104"), Network::parse("10.0.0.0/8"));
        assert_eq!(Network::parse("0.0.0.0/0").unwrap().to_string(), "0.0.0.0/0");
        assert_eq!(Network::parse("2001:db8::1/32").unwrap().to_string(), "2001:db8:0:0:0:0:0:0/32");
        for bad in ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0/8", "x"] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
        assert!(
            Network::parse("0.0.0.0/1").unwrap().is_wide()
                && !Network::parse("10.0.0.0/8").unwrap().is_wide()
        );
    }
}
