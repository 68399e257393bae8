//! What an object holds: a slice of one pseudo-random buffer, at a place that its number decides.
//!
//! Making a body costs nothing while the load runs, and two objects hold the same bytes only by a chance of one
//! in sixteen million. The generator is `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number
//! generators", 2014); it is not for secrets.

/// How many different slices there are.
const PLACES: usize = 16 << 20;

/// The bodies of all objects of one size and seed.
pub(crate) struct Content {
    buffer: Vec<u8>,
    size: usize,
    seed: u64,
}

impl Content {
    /// Fills the buffer.
    pub(crate) fn new(size: usize, seed: u64) -> Self {
        let length = size + PLACES;
        let mut random = Random::new(seed);
        let mut buffer = Vec::with_capacity(length + 8);
        while buffer.len() < length {
            buffer.extend_from_slice(&random.next().to_le_bytes());
        }
        buffer.truncate(length);
        Self { buffer, size, seed }
    }

    /// The body of one object.
    pub(crate) fn body(&self, number: u64) -> &[u8] {
        let mut random = Random::new(self.seed.rotate_left(32) ^ number);
        let place = usize::try_from(random.below(PLACES as u64)).unwrap_or(0);
        &self.buffer[place..place + self.size]
    }
}

/// A stream of numbers that its seed decides.
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// Streams of different seeds are unrelated.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Any number.
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, without, the limit; 0 when the limit is 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next().checked_rem(limit).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_follow_from_number_and_seed() {
        let (one, same, other) = (Content::new(64, 1), Content::new(64, 1), Content::new(64, 2));
        assert_eq!(one.body(7), same.body(7));
        assert_ne!(one.body(7), one.body(8));
        assert_ne!(one.body(7), other.body(7));
        assert_eq!(one.body(7).len(), 64);
    }
}
