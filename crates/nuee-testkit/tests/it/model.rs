//! Random operations, each answer compared with what a model of S3 in memory says that it must be.
//!
//! A run follows from its seed: requests to buckets without versions, with them, with suspended ones and with locks, on
//! few keys, so that they meet. In the middle of each run the server is started again, and at its end everything is
//! read, and verified. A difference is told with the seed, the step, and what was asked of the same key or bucket
//! before. `NUEE_MODEL_TEST_MINUTES` makes the runs go on, with other seeds, for so long; `NUEE_MODEL_TEST_SEED` is the
//! first seed.

mod conditions;
mod deletions;
mod listings;
mod objects;
mod run;
mod settings;
mod state;
mod uploads;

use std::{
    env,
    time::{Duration, Instant},
};

use run::Run;

/// Operations of a run.
const STEPS: usize = 1_500;
/// Runs at the same time, each with a seed of its own.
const AT_ONCE: u64 = 2;
/// Runs one after the other, unless a time is given.
const ROUNDS: u64 = 2;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap())
}

/// One run after the other, until the time is over; gives how many there were.
fn run_all(first: u64, until: Option<Instant>) -> Result<u64, String> {
    for round in 0.. {
        if until.map_or(round == ROUNDS, |until| Instant::now() >= until) {
            return Ok(round);
        }
        Run::start(first + round * AT_ONCE).go(STEPS)?;
    }
    Ok(0)
}

#[test]
fn random_operations_are_answered_as_the_model_says() {
    let minutes = number("NUEE_MODEL_TEST_MINUTES").map(Duration::from_mins);
    let first = number("NUEE_MODEL_TEST_SEED").unwrap_or(1);
    let until = minutes.map(|minutes| Instant::now() + minutes);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..AT_ONCE).map(|run| scope.spawn(move || run_all(first + run, until))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let mut rounds = Vec::new();
    for outcome in outcomes {
        rounds.push(outcome.unwrap_or_else(|difference| panic!("{difference}")));
    }
    let operations = rounds.iter().sum::<u64>() * STEPS as u64;
    let last = (0..AT_ONCE).zip(&rounds).map(|(run, rounds)| first + run + (rounds - 1) * AT_ONCE).max();
    println!("{operations} operations, seeds {first} to {}, 0 differences", last.unwrap());
}
