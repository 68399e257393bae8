//! What objects hold: slices of one pseudo-random buffer, at a place that the object's number decides.

use crate::load::Random;

/// Room for many different slices beyond the largest object.
const BUFFER_BYTES: usize = 24 << 20;

/// The largest object.
const LARGEST_BYTES: usize = 16 << 20;

/// Which bytes an object holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) number: u64,
    pub(crate) size: usize,
}

/// The bytes of all objects.
pub(crate) struct Bodies {
    buffer: Vec<u8>,
}

impl Bodies {
    /// Fills the buffer.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let words = (0..BUFFER_BYTES / 8).flat_map(|_| random.next().to_le_bytes());
        Self { buffer: words.collect() }
    }

    /// The bytes of one object; those of the largest when it would be larger.
    pub(crate) fn of(&self, body: Body) -> &[u8] {
        let size = body.size.min(LARGEST_BYTES);
        let place = Random::new(body.number).below((BUFFER_BYTES - size) as u64);
        let place = usize::try_from(place).unwrap_or(0);
        &self.buffer[place..place + size]
    }
}
