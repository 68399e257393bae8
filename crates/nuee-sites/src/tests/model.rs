//! Random work against a map in memory.

use std::collections::HashMap;

use nuee_base::BlobId;
use proptest::prelude::*;

use super::{Bench, body, fresh_id, small_options, write_file};
use crate::Locator;

#[derive(Debug, Clone)]
enum Step {
    Put(Vec<usize>),
    PutLarge(usize),
    Delete(prop::sample::Index),
    Compact,
    Scan,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::collection::vec(0..8_193_usize, 1..12).prop_map(Step::Put),
        1 => (0..200_000_usize).prop_map(Step::PutLarge),
        16 => any::<prop::sample::Index>().prop_map(Step::Delete),
        2 => Just(Step::Compact),
        1 => Just(Step::Scan),
        1 => Just(Step::Reopen),
    ]
}

struct Model {
    bench: Bench,
    blobs: HashMap<BlobId, (Locator, Vec<u8>)>,
    order: Vec<BlobId>,
}

impl Model {
    fn apply(&mut self, step: Step, seed: usize) {
        match step {
            Step::Put(lengths) => {
                let bodies: Vec<_> =
                    lengths.iter().enumerate().map(|(n, length)| body(seed * 100 + n, *length)).collect();
                for (put, body) in self.bench.put_all(&bodies).into_iter().zip(bodies) {
                    let (id, locator) = put.unwrap();
                    self.keep(id, locator, body);
                }
            }
            Step::PutLarge(length) => {
                let (id, body) = (fresh_id(), body(seed, length));
                let locator = write_file(self.bench.site(), id, &body).unwrap();
                self.keep(id, locator, body);
            }
            Step::Delete(index) if !self.order.is_empty() => {
                let id = self.order.swap_remove(index.index(self.order.len()));
                let (locator, _) = self.blobs.remove(&id).unwrap();
                self.bench.site().delete(id, &locator).unwrap();
            }
            Step::Delete(_) => {}
            Step::Compact => self.compact(),
            Step::Scan => {
                self.bench.site().scan_segment().unwrap();
            }
            Step::Reopen => self.bench.reopen(),
        }
    }

    fn compact(&mut self) {
        let Some(number) = self.bench.site().compaction_candidate() else { return };
        for (id, old, new) in self.bench.site().relocate(number).unwrap() {
            let blob = self.blobs.get_mut(&id).expect("only what lives is moved");
            assert_eq!(std::mem::replace(&mut blob.0, new), old);
        }
        self.bench.site().drop_segment(number).unwrap();
    }

    fn keep(&mut self, id: BlobId, locator: Locator, body: Vec<u8>) {
        self.blobs.insert(id, (locator, body));
        self.order.push(id);
    }

    fn check(&self) {
        let (found, errors) = self.bench.walk();
        assert!(errors.is_empty(), "{errors:?}");
        let mut expected: Vec<_> = self.blobs.iter().map(|(id, (locator, _))| (*id, *locator)).collect();
        expected.sort_by_key(|(id, _)| *id);
        assert_eq!(found, expected);
        for (id, (locator, body)) in &self.blobs {
            assert!(&self.bench.read(*id, locator).unwrap() == body, "{id}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_site_holds_what_the_model_holds(steps in prop::collection::vec(step(), 1..60)) {
        let mut model = Model { bench: Bench::new(small_options()), blobs: HashMap::new(), order: Vec::new() };
        for (seed, step) in steps.into_iter().enumerate() {
            model.apply(step, seed);
        }
        model.check();
        model.bench.reopen();
        model.check();
    }
}
