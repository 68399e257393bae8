//! Numbers of organisations.

use std::{fmt, str::FromStr};

use crate::InvalidName;

/// The number by which France knows an organisation: nine digits, the last of which checks the others by the Luhn
/// algorithm ([INSEE](https://www.insee.fr/fr/metadonnees/definition/c2047)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Siren([u8; 9]);

impl fmt::Display for Siren {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|digit| write!(f, "{digit}"))
    }
}

impl FromStr for Siren {
    type Err = InvalidName;

    /// Spaces between the digits are passed over, as people write them.
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let refused = |expected| InvalidName::new("SIREN", text, expected);
        let digits = text.bytes().filter(|byte| *byte != b' ').map(|byte| byte.wrapping_sub(b'0'));
        let digits: Vec<u8> = digits.take(10).collect();
        let digits: [u8; 9] = digits.try_into().map_err(|_| refused("expected nine digits"))?;
        if digits.iter().any(|digit| *digit > 9) {
            return Err(refused("expected nine digits"));
        }
        let sum: u32 = (0_u32..).zip(digits.iter().rev()).map(|(place, digit)| luhn(*digit, place)).sum();
        if sum.is_multiple_of(10) {
            Ok(Self(digits))
        } else {
            Err(refused("its last digit does not fit the others"))
        }
    }
}

fn luhn(digit: u8, place: u32) -> u32 {
    let value = u32::from(digit) * (1 + place % 2);
    value / 10 + value % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_siren_is_read_as_it_is_written() {
        for good in ["120027016", "120 027 016", "130025265"] {
            assert_eq!(good.parse::<Siren>().unwrap().to_string(), good.replace(' ', ""), "{good}");
        }
        for bad in ["", "12002701", "1200270160", "120027017", "12002701a", "12002701é"] {
            assert!(bad.parse::<Siren>().is_err(), "{bad}");
        }
    }
}
