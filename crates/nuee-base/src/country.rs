//! Countries.

use std::{fmt, str::FromStr};

use crate::InvalidName;

/// The codes that [ISO 3166-1](https://www.iso.org/iso-3166-country-codes.html) assigns officially.
const ASSIGNED: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO \
    FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE \
    JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO \
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW \
    PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM \
    TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// A country, by its alpha-2 code of ISO 3166-1, such as `FR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// How many there are.
    pub const COUNT: usize = 249;
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

impl FromStr for Country {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let refused = || InvalidName::new("country", text, "expected a code of ISO 3166-1 in upper case: FR");
        let code: [u8; 2] = text.as_bytes().try_into().map_err(|_| refused())?;
        if ASSIGNED.split(' ').any(|assigned| assigned.as_bytes() == code) {
            Ok(Self(code))
        } else {
            Err(refused())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_read_as_it_is_written() {
        for good in ["FR", "DE", "AD", "ZW", "GB", "RE"] {
            assert_eq!(good.parse::<Country>().unwrap().to_string(), good);
        }
        // Lower case, three letters, reserved without being assigned, for one's own use, no letters.
        for bad in ["", "F", "fr", "Fr", "FRA", "FR ", "UK", "EU", "XX", "ZZ", "250", "É"] {
            assert!(bad.parse::<Country>().is_err(), "{bad}");
        }
    }

    #[test]
    fn every_country_stands_there_once_and_in_order() {
        let codes: Vec<_> = ASSIGNED.split(' ').collect();
        assert_eq!(codes.len(), Country::COUNT);
        assert!(codes.is_sorted_by(|one, next| one < next), "{codes:?}");
        assert!(codes.iter().all(|code| code.len() == 2), "{codes:?}");
    }
}
