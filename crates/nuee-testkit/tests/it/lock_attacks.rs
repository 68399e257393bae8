//! Whatever is tried, a version that is locked stays as it is, until its retention has ended by the time that passed.
//!
//! Each attack is a line of a table in [`attacks`], tried on a version of its own: retained in the COMPLIANCE mode,
//! against the owner of the project who may bypass everything that can be bypassed; in the GOVERNANCE mode and under
//! legal hold, against a developer, who may not.

mod attacks;
mod bench;

use std::time::Duration;

use attacks::{
    Attack, DELETIONS, OF_BUCKET, OF_COMPLIANCE, OF_LEGAL_HOLD, OF_OTHERS, OF_RETENTION, OVERWRITES,
};
use bench::{Bench, CENTURY, Held, MINUTE};

/// Tries each attack on a new version, and tells what was not as it must be.
fn try_all(held: Held, tables: &[&[Attack]]) {
    let mut bench = Bench::start();
    let (mut tried, mut problems) = (0, Vec::new());
    for (what, answers, attack) in tables.iter().copied().flatten() {
        let mut attacker = bench.attacker(held);
        let before = attacker.seen();
        attack(&mut attacker);
        let after = attacker.seen();
        if after != before {
            problems.push(format!("{held:?}: {what}: the version is not as it was: {before:?}, {after:?}"));
        }
        if !attacker.was_answered(answers) {
            problems.push(format!("{held:?}: {what}: answered with {}", attacker.answers.join(", ")));
        }
        tried += 1;
    }
    println!("{held:?}: {tried} attacks");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn nothing_removes_or_weakens_what_is_retained_in_the_compliance_mode() {
    let tables = [DELETIONS, OF_RETENTION, OF_COMPLIANCE, OVERWRITES, OF_BUCKET, OF_OTHERS];
    assert!(tables.concat().len() >= 40);
    try_all(Held::Compliance, &tables);
}

#[test]
fn who_may_not_bypass_it_neither_removes_nor_weakens_what_is_retained_in_the_governance_mode() {
    try_all(Held::Governance, &[DELETIONS, OF_RETENTION, OVERWRITES, OF_BUCKET, OF_OTHERS]);
}

#[test]
fn who_may_not_end_it_removes_nothing_that_is_under_legal_hold() {
    try_all(Held::LegalHold, &[DELETIONS, OF_LEGAL_HOLD, OVERWRITES, OF_BUCKET, OF_OTHERS]);
}

#[test]
fn a_clock_that_is_set_forward_ends_no_retention() {
    let mut bench = Bench::start();
    let check = |bench: &mut Bench, moment: &str| {
        for held in [Held::Compliance, Held::Governance] {
            let mut attacker = bench.attacker(held);
            let before = attacker.seen();
            attacker.ask(attacker.delete());
            attacker.ask(attacker.retention(""));
            assert!(attacker.was_answered("403 AccessDenied, 403 AccessDenied"), "{moment}: it is not kept");
            assert_eq!(attacker.seen(), before, "{moment}");
        }
    };
    // The versions of before are attacked again at each moment.
    bench.keep();
    bench.clock.set_forward(CENTURY);
    check(&mut bench, "the clock a hundred years ahead");
    bench.restart();
    check(&mut bench, "started with the clock a hundred years ahead");
    bench.clock.set_forward(Duration::ZERO);
    for minutes in 1..=100 {
        bench.clock.set_forward(MINUTE * minutes * 600_000);
        if minutes % 25 == 0 {
            bench.restart();
        }
        check(&mut bench, "the clock set forward bit by bit");
    }
    bench.clock.set_forward(Duration::ZERO);
    bench.restart();
    check(&mut bench, "the clock set back");
}

#[test]
fn retention_ends_when_the_time_has_passed() {
    let mut bench = Bench::start();
    for held in [Held::Compliance, Held::Governance] {
        bench.attacker(held);
    }
    bench.keep();
    bench.clock.set_forward(CENTURY);
    bench.clock.pass(CENTURY);
    for held in [Held::Compliance, Held::Governance] {
        let mut attacker = bench.attacker(held);
        attacker.ask(attacker.delete());
        assert!(attacker.was_answered("204"), "{held:?}: {:?}", attacker.answers);
    }
}
