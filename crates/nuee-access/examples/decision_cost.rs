//! Prints what a decision costs: remembered, and evaluated.
//!
//! `cargo run --release -p nuee-access --example decision_cost`

#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use std::{hint::black_box, time::Instant};

use nuee_access::{Action, Decider, Resource};
use nuee_base::{
    BucketId, Context, Environment, OrganisationId, Principal, ProjectId, Role, ServiceAccountId,
};

const REMEMBERED: u32 = 2_000_000;
const EVALUATED: u32 = 20_000;

fn main() {
    let environment = Environment::system();
    let organisation = OrganisationId::generate(&environment);
    let project = ProjectId::generate(&environment);
    let id = ServiceAccountId::generate(&environment);
    let account = Principal::ServiceAccount { id, organisation, project, role: Role::Developer };
    let context = Context::new(environment.clone(), account);
    let decider = Decider::shipped();

    // Sixteen buckets, as a busy project may have.
    let buckets: Vec<Resource> = (0..16)
        .map(|_| Resource::Bucket { organisation, project, bucket: BucketId::generate(&environment) })
        .collect();
    let ask = |bucket: &Resource| black_box(decider.decide(&context, Action::GetObject, *bucket).is_ok());

    let start = Instant::now();
    buckets.iter().cycle().take(REMEMBERED as usize).for_each(|bucket| {
        ask(bucket);
    });
    println!("remembered: {:?} a decision", start.elapsed() / REMEMBERED);

    let start = Instant::now();
    buckets.iter().cycle().take(EVALUATED as usize).for_each(|bucket| {
        decider.invalidate();
        ask(bucket);
    });
    println!("evaluated:  {:?} a decision", start.elapsed() / EVALUATED);
}
