//! The context of a request: who acts, until when, and where time and randomness come from.
//!
//! It is the first argument of whatever acts for somebody. There is no global clock, no global random source and no
//! task-local state, so that a failure found with a seed is found again with that seed.

use std::{
    fmt,
    net::IpAddr,
    str::FromStr,
    sync::{Arc, LazyLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::rand::{SecureRandom, SystemRandom as Generator};

use crate::{InvalidZone, Principal, Timestamp, Zone};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;

    /// The time since some instant of the past, which goes on whatever the clock is set to.
    fn uptime(&self) -> Duration;
}

/// Gives random bytes; outside tests, bytes fit for keys.
pub trait Random: Send + Sync + 'static {
    /// Fills `bytes` with random ones.
    fn fill(&self, bytes: &mut [u8]);
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }

    fn uptime(&self) -> Duration {
        static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
        BEGINNING.elapsed()
    }
}

/// The operating system's generator of cryptographic randomness.
#[derive(Debug, Default)]
pub struct SystemRandom(Generator);

impl Random for SystemRandom {
    #[expect(clippy::expect_used, reason = "without randomness no key can be made: there is no way to go on")]
    fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes).expect("the system's random generator answers");
    }
}

/// Where time and randomness come from, for one process or one test. Cheap to clone.
#[derive(Clone)]
pub struct Environment {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Environment {
    /// An environment of these two.
    pub fn new(clock: impl Clock, random: impl Random) -> Self {
        Self { clock: Arc::new(clock), random: Arc::new(random) }
    }

    /// The machine's clock and generator.
    #[must_use]
    pub fn system() -> Self {
        Self::new(SystemClock, SystemRandom::default())
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The time since some instant of the past, which goes on whatever the clock is set to.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.clock.uptime()
    }

    /// Fills `bytes` with random ones.
    pub fn fill_random(&self, bytes: &mut [u8]) {
        self.random.fill(bytes);
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

/// Where a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The zone of the listener that it entered by.
    pub zone: Zone,
    /// Whoever sent it: the other end of the connection, or whom a trusted proxy names.
    pub address: IpAddr,
}

/// The text tells no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOrigin {
    /// It begins with no zone.
    #[error(transparent)]
    Zone(#[from] InvalidZone),
    /// After its zone it has no address.
    #[error("{0:?} is no address: write `ZONE` or `ZONE@ADDRESS`")]
    Address(String),
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    /// Reads `ZONE@ADDRESS`, or `ZONE` alone, with an address that is in no network.
    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let (zone, address) = text.split_once('@').unwrap_or((text, "0.0.0.0"));
        let zone = zone.parse()?;
        let address = address.parse().map_err(|_| InvalidOrigin::Address(address.to_owned()))?;
        Ok(Self { zone, address })
    }
}

/// Who acts, from where, until when, and with which clock and randomness.
#[derive(Debug, Clone)]
pub struct Context {
    environment: Environment,
    principal: Principal,
    deadline: Option<Timestamp>,
    origin: Option<Origin>,
}

impl Context {
    /// A context in which `principal` acts, with no deadline.
    #[must_use]
    pub fn new(environment: Environment, principal: Principal) -> Self {
        Self { environment, principal, deadline: None, origin: None }
    }

    /// The same, to be finished by `deadline`.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Timestamp) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The same, of a request that came in here. Work that came in nowhere is the machine's own.
    #[must_use]
    pub fn arriving(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Where the request came in, if it is one.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        self.origin
    }

    /// Who acts.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// When the work must be finished, if there is such an instant.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.deadline
    }

    /// Where time and randomness come from.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.environment.now()
    }
}
