//! What the management API takes on a platform of many: `cargo run --release -p nuee-testkit --example api_cost`.
//!
//! Makes 1,000 projects and 100,000 members of one organisation, and 10,000 buckets with a policy each; then times lists,
//! decisions, and the making of a project with its bucket and key. Smaller numbers by `API_COST_DIVISOR`.

#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use std::{
    env,
    fmt::Write as _,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use nuee::Platform;
use nuee_access::{Action, FactList, Resource};
use nuee_base::{Assurance, Context, Grants, ObjectKey, Principal, Role, Scope, UserId};
use nuee_store::{BucketPolicy, NewBucket, Setting};
use nuee_tenancy::{Binding, Client, Joining, Offer, Shown};
use nuee_testkit::{Place, TestServer, Wire};
use tokio::task::JoinSet;

const TOGETHER: usize = 256;

fn main() -> Result<()> {
    let divisor: usize = env::var("API_COST_DIVISOR").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let runtime = tokio::runtime::Runtime::new()?;
    let server = runtime.block_on(TestServer::start())?;
    let organisation = server.project(Place::Schools).organisation;
    let place = Resource::Organisation(organisation);
    let owner = Principal::User {
        id: UserId::from_bytes([7; 16]),
        organisation,
        grants: Grants::new(vec![(Scope::Organisation, Role::Owner)]),
        assurance: Assurance::MultiFactor,
    };
    let context = Context::new(server.platform().environment().clone(), owner);
    let platform = server.platform();
    let first = runtime.block_on(join(platform.clone(), context.clone(), (place, Role::Owner), 0))?;
    let token = runtime.block_on(sign_in(platform, first))?;
    let began = Instant::now();
    runtime.block_on(fill(platform, &context, place, divisor))?;
    println!("made in {:.1} s", began.elapsed().as_secs_f64());

    let address = server.addresses().s3;
    for (name, path) in [
        ("projects, a page of 100", "/organisations/education/projects?limit=100"),
        ("members of the organisation, a page of 100", "/organisations/education/members?limit=100"),
        ("users, a page of 100", "/organisations/education/users?limit=100"),
        ("members of a project, a page of 100", "/organisations/education/projects/made-1/members?limit=100"),
    ] {
        let mut times = Vec::new();
        let mut wire = Wire::open(address)?;
        let mut after = String::new();
        for _ in 0..1_000 {
            let (time, next) = list(&mut wire, &token, &format!("{path}{after}"))?;
            times.push(time);
            after = next.map(|next| format!("&after={next}")).unwrap_or_default();
        }
        report(name, times);
    }
    let mut times = Vec::new();
    for number in 0..50 {
        times.push(create(address, &token, number)?);
    }
    report("a project, its bucket and its key", times);
    decide(&server, divisor)?;
    runtime.block_on(server.stop())?;
    Ok(())
}

fn report(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let index = (times.len() as f64 * part) as usize;
        times[index.min(times.len() - 1)]
    };
    println!("{name}: p50 {:?}, p99 {:?}, of {}", at(0.5), at(0.99), times.len());
}

async fn join(
    platform: Platform,
    context: Context,
    (place, role): (Resource, Role),
    number: usize,
) -> Result<UserId> {
    let permit = platform.decider().decide(&context, Action::CreateInvitation, place)?;
    let offer =
        Offer { email: format!("user-{number}@education.example").parse()?, role, role_expires_at: None };
    let (_, token) = platform.tenancy().invite(&context, &permit, offer).await?;
    let joining = Joining::Issuer { issuer: "made".to_owned(), subject: number.to_string() };
    let joined = platform
        .tenancy()
        .accept_invitation(
            &context,
            (nuee_tenancy::Realm::Organisations, &token),
            (format!("User {number}"), joining),
        )
        .await?;
    Ok(joined.id)
}

async fn sign_in(platform: &Platform, id: UserId) -> Result<String> {
    let binding = Binding { client: Client::CommandLine, zone: "local".to_owned() };
    let shown = Shown { assurance: Assurance::MultiFactor, by: "a measurement".to_owned() };
    let given = platform.tenancy().begin_sign_in(&platform.operator(), id, (binding, shown)).await?;
    Ok(given.token.expose().to_owned())
}

async fn fill(platform: &Platform, context: &Context, place: Resource, divisor: usize) -> Result<()> {
    let mut projects = Vec::new();
    for number in 0..1_000 / divisor {
        let permit = platform.decider().decide(&platform.operator(), Action::CreateProject, place)?;
        let name = format!("made-{number}").parse()?;
        projects
            .push(platform.tenancy().create_project(&platform.operator(), &permit, name).await?.resource());
    }
    let mut joining = JoinSet::new();
    for number in 1..100_000 / divisor {
        // Half of them in one project, the others everywhere.
        let within = if number % 2 == 0 { projects[1] } else { projects[number % projects.len()] };
        let within = if number % 10 == 1 { place } else { within };
        joining.spawn(join(platform.clone(), context.clone(), (within, Role::Reader), number));
        if joining.len() >= TOGETHER {
            joining.join_next().await.context("somebody joins")???;
        }
    }
    while let Some(joined) = joining.join_next().await {
        joined??;
    }
    Ok(())
}

fn ask(
    wire: &mut Wire,
    token: &str,
    (method, path): (&str, &str),
    body: Option<&str>,
) -> Result<nuee_testkit::Answer> {
    let mut text = format!(
        "{method} /api/v1{path} HTTP/1.1\r\nhost: console.localhost\r\nauthorization: Bearer {token}\r\n"
    );
    let body = body.unwrap_or_default();
    write!(text, "content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
    wire.write(text.as_bytes())?;
    let answer = wire.read(false)?;
    ensure!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.text());
    Ok(answer)
}

fn list(wire: &mut Wire, token: &str, path: &str) -> Result<(Duration, Option<String>)> {
    let began = Instant::now();
    let answer = ask(wire, token, ("GET", path), None)?;
    let time = began.elapsed();
    let page: serde_json::Value = serde_json::from_slice(&answer.body)?;
    Ok((time, page["next"].as_str().map(str::to_owned)))
}

fn create(address: SocketAddr, token: &str, number: usize) -> Result<Duration> {
    let mut wire = Wire::open(address)?;
    let began = Instant::now();
    let projects = "/organisations/education/projects";
    ask(&mut wire, token, ("POST", projects), Some(&format!("{{\"name\": \"timed-{number}\"}}")))?;
    let project = format!("{projects}/timed-{number}");
    let bucket = format!("{{\"name\": \"timed-bucket-{number}\"}}");
    ask(&mut wire, token, ("POST", &format!("{project}/buckets")), Some(&bucket))?;
    let account = "{\"name\": \"pipeline\", \"role\": \"developer\"}";
    ask(&mut wire, token, ("POST", &format!("{project}/service-accounts")), Some(account))?;
    Ok(began.elapsed())
}

/// Decisions in buckets of which each has a policy of its own.
fn decide(server: &TestServer, divisor: usize) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let (platform, owner) = (server.platform(), server.owner(Place::Schools));
    let context = server.context(owner);
    let mut buckets = Vec::new();
    for number in 0..10_000 / divisor {
        let permit = server.permit(owner, Action::CreateBucket, owner.project)?;
        let name = format!("with-policy-{number}").parse()?;
        let made = platform.store().create_bucket(&context, &permit, name, NewBucket::default());
        let made = runtime.block_on(made)?;
        let policy = format!(
            r#"{{"Version": "2012-10-17", "Statement": [
                {{"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::{0}/kept/*"}},
                {{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::{0}/number-{number}/*",
                  "Condition": {{"Bool": {{"aws:SecureTransport": "false"}}}}}}]}}"#,
            made.name
        );
        let bucket = platform.store().find_bucket(&made.name)?;
        let facts = FactList::of_bucket().in_bucket(bucket.name.clone());
        let (place, rules) = (bucket.resource(), bucket.rules());
        let permit =
            platform.decider().decide_in_bucket(&context, Action::PutBucketPolicy, place, rules, &facts)?;
        let setting = Setting::Policy(BucketPolicy::new(policy));
        runtime.block_on(platform.store().put_setting(
            &context,
            (&permit, Action::PutBucketPolicy),
            &bucket,
            setting,
        ))?;
        buckets.push(made.name);
    }
    let key: ObjectKey = "number-1/report.pdf".parse()?;
    let mut times = Vec::new();
    for round in 0..3 {
        times.clear();
        for number in 0..buckets.len() {
            // In an order that nothing foresees.
            let name = &buckets[(number * 7_919 + round) % buckets.len()];
            let bucket = platform.store().find_bucket(name)?;
            let facts = FactList::of_object(key.clone()).in_bucket(name.clone());
            let began = Instant::now();
            let (place, rules) = (bucket.resource(), bucket.rules());
            let decided =
                platform.decider().decide_in_bucket(&context, Action::GetObject, place, rules, &facts);
            times.push(began.elapsed());
            ensure!(decided.is_ok(), "the owner reads");
        }
    }
    report("a decision, with a policy in each of the buckets", times);
    Ok(())
}
