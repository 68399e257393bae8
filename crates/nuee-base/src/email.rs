//! Addresses of people.

use std::{fmt, str::FromStr};

use crate::InvalidName;

/// The longest address that is taken, in bytes ([RFC 5321](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.3)).
const MAX_BYTES: usize = 254;

/// An e-mail address, as people sign in with it: in lower case, since people write theirs in whatever case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress(Box<str>);

impl EmailAddress {
    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmailAddress({:?})", self.0)
    }
}

impl FromStr for EmailAddress {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let local = |local: &str| {
            !local.is_empty()
                && local.len() <= 64
                && local
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte))
        };
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        match text.rsplit_once('@') {
            Some((name, domain))
                if text.len() <= MAX_BYTES && local(name) && domain.split('.').all(label) =>
            {
                Ok(Self(text.to_ascii_lowercase().into()))
            }
            _ => Err(InvalidName::new("e-mail address", text, "expected one such as ada@ministry.example")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_in_lower_case() {
        let address: EmailAddress = "Ada.Lovelace+nuee@Ministry.Example".parse().unwrap();
        assert_eq!(address.as_str(), "ada.lovelace+nuee@ministry.example");
        assert_eq!("ada@localhost".parse::<EmailAddress>().unwrap().to_string(), "ada@localhost");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.org", "a".repeat(65));
        for bad in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "a b@example.org",
            "ada@-a.org",
            "ada@a..org",
            "é@a.org",
            &long,
        ] {
            assert!(bad.parse::<EmailAddress>().is_err(), "{bad}");
        }
    }
}
