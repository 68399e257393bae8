//! Input that is almost right.

use crate::random::Random;

/// The longest input, in bytes.
const LONGEST: usize = 64 << 10;

/// Numbers at the edges of what fits somewhere.
const NUMBERS: [&str; 9] =
    ["0", "-1", "1", "255", "65536", "4294967296", "9223372036854775807", "18446744073709551616", "1e400"];

/// `text` with one to four changes: bits, runs of bytes, numbers, words of `dictionary`, many of one in a row.
pub(super) fn mutate(random: &mut Random, text: &[u8], dictionary: &[&str]) -> Vec<u8> {
    let mut bytes = text.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = (at + 1 + random.below(24)).min(bytes.len());
        let insert = match random.below(8) {
            0 if at < bytes.len() => {
                bytes[at] ^= 1 << random.below(8);
                continue;
            }
            1 => {
                bytes.drain(at..end.max(at));
                continue;
            }
            2 => bytes.get(at..end).unwrap_or_default().to_vec(),
            3 => random.pick(&NUMBERS).as_bytes().to_vec(),
            4 if random.one_in(20) => random.pick(dictionary).repeat(1 + random.below(2_000)).into_bytes(),
            5 => (0..random.below(8)).map(|_| random.below(256) as u8).collect(),
            6 => {
                replace_number(random, &mut bytes, at);
                continue;
            }
            7 if random.one_in(10) => {
                bytes.truncate(at);
                continue;
            }
            _ => random.pick(dictionary).as_bytes().to_vec(),
        };
        let place = random.below(bytes.len() + 1);
        bytes.splice(place..place, insert);
    }
    bytes.truncate(LONGEST);
    bytes
}

/// Puts another number in the place of the first one after `at`.
fn replace_number(random: &mut Random, bytes: &mut Vec<u8>, at: usize) {
    let Some(start) = (at..bytes.len()).find(|place| bytes[*place].is_ascii_digit()) else { return };
    let end = (start..bytes.len()).find(|place| !bytes[*place].is_ascii_digit()).unwrap_or(bytes.len());
    bytes.splice(start..end, random.pick(&NUMBERS).bytes());
}
