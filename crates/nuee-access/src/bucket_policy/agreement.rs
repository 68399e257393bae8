//! Whether compiled policies and the second evaluator agree, on random policies and random requests.

mod generator;
mod narrowing;

use nuee_base::{BucketName, Context, Environment, Principal, SystemRandom, Timestamp};
use serde_json::{Value, json};

use super::{
    BucketPolicy,
    facts::Asked,
    reference::{self, Outcome},
};
use crate::{BucketRules, Decider, FactList, PublicAccessBlock, Reason, Resource, question::Question};
use generator::{ACTIONS, Dice, Place, Seen, facts, place, statement};

const POLICIES: usize = 2_000;
const REQUESTS: usize = 50;
const BUCKET: &str = "data";

struct Tally {
    allowed: usize,
    denied: usize,
    neither: usize,
    malformed: usize,
}

impl Tally {
    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Allowed => self.allowed += 1,
            Outcome::Denied => self.denied += 1,
            Outcome::Neither => self.neither += 1,
        }
    }
}

/// A policy and its text, and what requests may have for the keys that it looks at; `None` if it is malformed.
fn random_policy(dice: &mut Dice, place: &Place) -> Option<(BucketPolicy, String, Seen)> {
    let mut seen = Seen::new();
    let statements: Vec<Value> = (0..=dice.below(3)).map(|_| statement(dice, place, &mut seen)).collect();
    let version = if dice.one_in(5) { "2008-10-17" } else { "2012-10-17" };
    let text = json!({ "Version": version, "Statement": statements }).to_string();
    match BucketPolicy::parse(&text, &BUCKET.parse::<BucketName>().unwrap()) {
        Ok(policy) => Some((policy, text, seen)),
        Err(error) => {
            assert!(!error.to_string().contains("defect"), "{error}\n{text}");
            None
        }
    }
}

/// Asks both about one request, and answers what they agree on.
fn compare(
    decider: &Decider,
    rules: &BucketRules,
    question: &Question,
    facts: &FactList,
    text: &str,
) -> Outcome {
    let policy = rules.policy.as_ref().unwrap();
    // The date that policies compare with.
    let now = Timestamp::from_micros(1_577_836_800_000_000);
    let context =
        Context::new(Environment::new(At(now), SystemRandom::default()), question.principal.clone());
    let asked = Asked { question, bucket: policy.bucket().as_str(), now, facts };
    let restricted = rules.public_access.restrict_public_buckets && policy.is_public();
    let outcome = reference::evaluate(&policy.0.document, &asked, restricted);
    let by_role = decider.decide(&context, question.action, question.resource).is_ok();
    let expected = expected(question, outcome, restricted, by_role);
    let decision = decider.decide_in_bucket(&context, question.action, question.resource, rules, facts);
    let found = match &decision {
        Ok(_) => Outcome::Allowed,
        Err(denied) if denied.reason() == Reason::DeniedByBucketPolicy => Outcome::Denied,
        Err(_) => Outcome::Neither,
    };
    assert_eq!(found, expected, "{text}\n{question:?}\n{facts:?}\nrestricted: {restricted}\n{decision:?}");
    found
}

/// What the decision is to be, from what the statements say, the boundaries, and what the role permits.
fn expected(question: &Question, outcome: Outcome, restricted: bool, by_role: bool) -> Outcome {
    let outside = match (&question.principal, &question.resource) {
        (Principal::Operator | Principal::OperatorAccount { .. }, _) => true,
        (principal, Resource::Bucket { organisation, .. }) => {
            principal.organisation().is_some_and(|own| own != *organisation)
        }
        _ => false,
    };
    match outcome {
        _ if outside => Outcome::Neither,
        Outcome::Denied if restricted && question.principal == Principal::Anonymous => Outcome::Neither,
        Outcome::Denied => Outcome::Denied,
        Outcome::Allowed => Outcome::Allowed,
        Outcome::Neither if by_role => Outcome::Allowed,
        Outcome::Neither => Outcome::Neither,
    }
}

/// A clock that stands still.
struct At(Timestamp);

impl nuee_base::Clock for At {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn uptime(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

#[test]
fn compiled_policies_decide_as_the_second_evaluator() {
    let (mut dice, place, decider) = (Dice(20_261_126), place(), Decider::shipped());
    let mut tally = Tally { allowed: 0, denied: 0, neither: 0, malformed: 0 };
    let cases = |tally: &Tally| tally.allowed + tally.denied + tally.neither;
    while cases(&tally) < POLICIES * REQUESTS {
        let Some((policy, text, seen)) = random_policy(&mut dice, &place) else {
            tally.malformed += 1;
            continue;
        };
        let restrict_public_buckets = dice.one_in(3);
        let public_access = PublicAccessBlock { restrict_public_buckets, ..Default::default() };
        let rules = BucketRules { policy: Some(policy), public_access };
        for _ in 0..REQUESTS {
            let (action, principal) = (*dice.pick(ACTIONS), dice.pick(&place.principals).clone());
            let facts = facts(&mut dice, action, &seen);
            let question = Question { principal, action, resource: place.resource };
            tally.count(compare(&decider, &rules, &question, &facts, &text));
        }
    }
    let Tally { allowed, denied, neither, malformed } = tally;
    println!("{allowed} allowed, {denied} denied, {neither} neither; {malformed} policies were malformed");
    for count in [allowed, denied, neither] {
        assert!(count * 20 > cases(&tally), "an outcome is rare");
    }
}
