//! Prints what a decision costs in a bucket with a policy, and what compiling a policy costs.
//!
//! `cargo run --release -p nuee-access --example bucket_policy_cost`

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a program that prints, on constant policies")]

use std::{
    fmt::Write,
    hint::black_box,
    time::{Duration, Instant},
};

use nuee_access::{
    Action, BucketPolicy, BucketRules, ConditionKey, Decider, FactList, PublicAccessBlock, Resource,
};
use nuee_base::{
    BucketId, Context, Environment, OrganisationId, Principal, ProjectId, Role, ServiceAccountId,
};

const DECISIONS: usize = 20_000;

fn main() {
    let environment = Environment::system();
    let (organisation, project) = (OrganisationId::generate(&environment), ProjectId::generate(&environment));
    let id = ServiceAccountId::generate(&environment);
    let account = Principal::ServiceAccount { id, organisation, project, role: Role::Auditor };
    let context = Context::new(environment.clone(), account);
    let bucket = Resource::Bucket { organisation, project, bucket: BucketId::generate(&environment) };
    let facts = FactList::of_object("team-25/report".parse().expect("a key"))
        .with(ConditionKey::SourceIp, "192.0.2.7")
        .with(ConditionKey::SecureTransport, "true");

    let distinct = statements(organisation, |number| format!("team-{number}/"));
    let overlapping = statements(organisation, |_| "team-".to_owned());
    let policies = [
        ("no policy", None, Action::GetObject),
        ("50 statements, none about the action", Some(distinct.as_str()), Action::PutObject),
        ("50 statements with distinct prefixes, 1 matches", Some(distinct.as_str()), Action::GetObject),
        ("50 statements, all match", Some(overlapping.as_str()), Action::GetObject),
    ];
    let decider = Decider::shipped();
    let name = "data".parse().expect("a name");
    for (title, text, action) in policies {
        let policy = text.map(|text| BucketPolicy::parse(text, &name).expect("a policy"));
        let rules = BucketRules { policy, public_access: PublicAccessBlock::default() };
        let p50 = median(|| {
            black_box(decider.decide_in_bucket(&context, action, bucket, &rules, &facts).is_ok());
        });
        println!("{title}: {p50:?} a decision");
    }
    let p50 = median_of(200, || {
        black_box(BucketPolicy::parse(&distinct, &name).is_ok());
    });
    println!("compiling 50 statements: {p50:?}");
}

/// Fifty statements, each with a condition on the address and on TLS.
fn statements(organisation: OrganisationId, prefix: impl Fn(usize) -> String) -> String {
    let mut statements = String::new();
    for number in 0..50 {
        let comma = if number == 0 { "" } else { "," };
        let prefix = prefix(number);
        write!(
            statements,
            r#"{comma}{{"Effect": "Allow", "Principal": {{"AWS": "{organisation}"}}, "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::data/{prefix}*", "Condition": {{
                "IpAddress": {{"aws:SourceIp": "192.0.2.0/24"}}, "Bool": {{"aws:SecureTransport": "true"}}}}}}"#
        )
        .expect("a string grows");
    }
    format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#)
}

fn median(ask: impl Fn()) -> Duration {
    median_of(DECISIONS, ask)
}

fn median_of(times: usize, ask: impl Fn()) -> Duration {
    let mut durations: Vec<Duration> = (0..times)
        .map(|_| {
            let start = Instant::now();
            ask();
            start.elapsed()
        })
        .collect();
    durations.sort_unstable();
    durations[times / 2]
}
