//! Networks: ranges of addresses, as CIDR writes them.

use std::{fmt, net::IpAddr, str::FromStr};

/// A range of addresses, such as `10.0.0.0/8`, or one address. An IPv4 address that stands in an IPv6 one
/// (`::ffff:10.0.0.1`) is taken for the IPv4 address, here and in what is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    first: IpAddr,
    prefix_bits: u8,
}

/// A text is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a network: {why}; write an address or a range such as 10.0.0.0/8 or 2001:db8::/32")]
pub struct InvalidNetwork {
    text: String,
    why: &'static str,
}

/// An address as a number, its most significant bit first, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    }
}

/// The number without all but its first bits.
fn masked(number: u128, prefix_bits: u8) -> u128 {
    // No shift is as wide as the number: that would be an overflow.
    number.checked_shr(128 - u32::from(prefix_bits)).map_or(0, |kept| kept << (128 - u32::from(prefix_bits)))
}

impl Network {
    /// Whether the address is in this network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let ((first, size), (number, other)) = (bits(self.first), bits(address.to_canonical()));
        size == other && masked(number, self.prefix_bits) == first
    }

    /// Whether it has every address of its kind.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        self.prefix_bits == 0
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix_bits)
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = |why| InvalidNetwork { text: text.chars().take(64).collect(), why };
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let first = address.parse::<IpAddr>().map_err(|_| invalid("it begins with no address"))?;
        if first != first.to_canonical() {
            return Err(invalid("write the IPv4 address itself"));
        }
        let (number, size) = bits(first);
        let prefix_bits = match length {
            None => size,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|bits| *bits <= size && digits.bytes().all(|byte| byte.is_ascii_digit()))
                .ok_or_else(|| invalid("the number after the slash is not one of its bits"))?,
        };
        if masked(number, prefix_bits) != number {
            return Err(invalid("the address has bits beyond the number after the slash"));
        }
        Ok(Self { first, prefix_bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_the_addresses_that_begin_like_it() {
        let cases = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.2", false),
            ("10.1.2.2/31", "10.1.2.3", true),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "10.0.0.1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("2001:db8::1", "2001:db8::1", true),
            ("::/128", "::1", false),
        ];
        for (network, address, expected) in cases {
            let parsed: Network = network.parse().unwrap();
            assert_eq!(parsed.contains(address.parse().unwrap()), expected, "{network} {address}");
            assert_eq!(parsed.to_string().parse(), Ok(parsed));
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "10.0.0/8",
            "example.org",
            "10.0.0.0/8/8",
            "2001:db8::/129",
            "2001:db8::1/32",
            "::ffff:10.0.0.0/104",
            " 10.0.0.1",
            "*",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        assert!("0.0.0.0/0".parse::<Network>().unwrap().is_everything());
        assert!(!"0.0.0.0/1".parse::<Network>().unwrap().is_everything());
    }
}
