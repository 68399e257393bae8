//! Zones: the network that a request comes from.

use std::{fmt, str::FromStr};

/// The network a request comes from. It is a property of the listener that accepted the connection: nothing that the
/// request says can change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Zone {
    /// The machine itself, or all of the world where no zones are configured. What comes from here needs no exposure.
    Local,
    /// The State's private network.
    Rie,
    /// The public network.
    Internet,
}

impl Zone {
    /// The zone's name in settings, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Rie => "rie",
            Self::Internet => "internet",
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a zone; write `local`, `rie` or `internet`")]
pub struct InvalidZone(String);

impl FromStr for Zone {
    type Err = InvalidZone;

    fn from_str(text: &str) -> Result<Self, InvalidZone> {
        match text {
            "local" => Ok(Self::Local),
            "rie" => Ok(Self::Rie),
            "internet" => Ok(Self::Internet),
            other => Err(InvalidZone(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_read_as_it_is_written() {
        for zone in [Zone::Local, Zone::Rie, Zone::Internet] {
            assert_eq!(zone.to_string().parse(), Ok(zone));
        }
        assert!("RIE".parse::<Zone>().is_err());
    }
}
