//! Whether sessions have what their role has, narrowed by each of their policies as the second evaluator says; so never
//! more than whoever acts in that role without policies.

use nuee_base::{Context, Environment, Narrowing, Principal, SystemRandom, Timestamp};
use serde_json::json;

use super::{
    At, BUCKET, Tally,
    generator::{ACTIONS, Dice, Place, Seen, facts, place, statement, statement_alone},
};
use crate::{
    Action, BucketPolicy, BucketRules, Decider, FactList, PublicAccessBlock,
    bucket_policy::{
        About, Document, SessionPolicy,
        facts::Asked,
        reference::{self, Outcome},
    },
    question::Question,
};

const SESSIONS: usize = 400;
const REQUESTS: usize = 40;

/// Random policies that are not malformed.
fn policies(dice: &mut Dice, place: &Place, seen: &mut Seen) -> Vec<String> {
    let mut found = Vec::new();
    while found.len() < 2 {
        let statements: Vec<_> = (0..=dice.below(3)).map(|_| statement_alone(dice, place, seen)).collect();
        let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        match SessionPolicy::parse(&text) {
            Ok(_) => found.push(text),
            Err(error) => assert!(!error.to_string().contains("defect"), "{error}\n{text}"),
        }
    }
    found.truncate(1 + dice.below(2));
    found
}

/// The rules of a bucket, which may have a policy.
fn rules(dice: &mut Dice, place: &Place, seen: &mut Seen) -> BucketRules {
    let text = json!({ "Version": "2012-10-17", "Statement": [statement(dice, place, seen)] }).to_string();
    let policy = BucketPolicy::parse(&text, &BUCKET.parse().unwrap()).ok().filter(|_| dice.one_in(2));
    BucketRules { policy, public_access: PublicAccessBlock::default() }
}

fn narrowed(principal: &Principal, policies: &[String]) -> Principal {
    let mut session = principal.clone();
    if let Principal::Session { narrowing, .. } = &mut session {
        *narrowing = Narrowing::new(policies.to_vec());
    }
    session
}

fn allows(
    decider: &Decider,
    principal: &Principal,
    action: Action,
    (place, rules, facts): (&Place, &BucketRules, &FactList),
) -> bool {
    let environment =
        Environment::new(At(Timestamp::from_micros(1_577_836_800_000_000)), SystemRandom::default());
    let context = Context::new(environment, principal.clone());
    decider.decide_in_bucket(&context, action, place.resource, rules, facts).is_ok()
}

#[test]
fn a_session_has_what_its_role_and_each_of_its_policies_allow() {
    let (mut dice, place, decider) = (Dice(20_261_127), place(), Decider::shipped());
    let mut tally = Tally { allowed: 0, denied: 0, neither: 0, malformed: 0 };
    let roles: Vec<_> =
        place.principals.iter().filter(|principal| matches!(principal, Principal::Session { .. })).collect();
    for _ in 0..SESSIONS {
        let mut seen = Seen::new();
        let policies = policies(&mut dice, &place, &mut seen);
        let rules = rules(&mut dice, &place, &mut seen);
        for _ in 0..REQUESTS {
            let (action, role) = (*dice.pick(ACTIONS), *dice.pick(&roles));
            let facts = facts(&mut dice, action, &seen);
            let session = narrowed(role, &policies);
            let question = Question { principal: session.clone(), action, resource: place.resource };
            let now = Timestamp::from_micros(1_577_836_800_000_000);
            let asked = Asked { question: &question, bucket: BUCKET, now, facts: &facts };
            let left = policies.iter().all(|text| {
                let document = Document::parse(text, About::Everything).unwrap();
                reference::evaluate_alone(&document, &asked) == Outcome::Allowed
            });
            let by_role = allows(&decider, role, action, (&place, &rules, &facts));
            let found = allows(&decider, &session, action, (&place, &rules, &facts));
            assert_eq!(found, by_role && left, "{question:?}\n{facts:?}\n{rules:?}");
            tally.count(match (found, by_role) {
                (true, _) => Outcome::Allowed,
                (false, true) => Outcome::Denied,
                (false, false) => Outcome::Neither,
            });
        }
    }
    let Tally { allowed, denied, neither, .. } = tally;
    println!("{allowed} allowed, {denied} taken away, {neither} never there");
    for count in [allowed, denied, neither] {
        assert!(count * 20 > SESSIONS * REQUESTS, "an outcome is rare");
    }
}
