//! What was tampered with does not open: thousands of alterations, each enumerated or fixed by a seed, and each refused
//! with an error. Before each group, what was not altered is shown to open.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod blobs;
mod commitment;
mod places;
mod rows;
#[path = "../keys/support.rs"]
mod support;

use std::collections::BTreeMap;

/// How many tamperings of each kind were tried and refused.
#[derive(Default)]
struct Tally(BTreeMap<&'static str, usize>);

impl Tally {
    /// Counts a tampering that must be refused: bytes that come back, even the right ones, are a failure.
    fn refused<T, E>(&mut self, kind: &'static str, result: &Result<T, E>, which: impl FnOnce() -> String) {
        assert!(result.is_err(), "{kind} was not refused: {}", which());
        *self.0.entry(kind).or_default() += 1;
    }
}

#[test]
fn every_tampering_is_refused() {
    let mut tally = Tally::default();
    blobs::flip(&mut tally);
    blobs::cut_and_extend(&mut tally);
    blobs::rearrange(&mut tally);
    blobs::lie_about_the_size(&mut tally);
    places::exchange(&mut tally);
    places::exchange_fields(&mut tally);
    places::change_the_version(&mut tally);
    places::tamper_with_project_keys(&mut tally);
    places::tamper_with_records(&mut tally);
    rows::tamper(&mut tally);
    commitment::play(&mut tally);
    let total: usize = tally.0.values().sum();
    for (kind, count) in &tally.0 {
        println!("{count:>7}  {kind}");
    }
    println!("{total:>7}  tamperings, all refused");
    assert!(total >= 5_000, "{total} tamperings are too few");
}
