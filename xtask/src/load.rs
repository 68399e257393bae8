//! `cargo xtask load`: a small load client for S3 servers over plain HTTP.
//!
//! A client is one thread with one keep-alive connection and one request in flight. What an object holds follows
//! from its number and the seed, so every byte of every GET is compared with what was PUT and nothing is kept in
//! between. The result is one line of JSON. It measures; it does not test S3, and it retries nothing.

mod connection;
mod content;
mod figures;
mod signer;
mod worker;

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::process::Usage;
pub(crate) use connection::{Connection, Head};
use content::Content;
pub(crate) use content::Random;
pub(crate) use figures::Figures;
pub(crate) use signer::{Request, Signer, encode};
use worker::{Tally, Worker};

/// The server, the bucket and the key pair.
#[derive(clap::Args, Clone)]
pub(crate) struct Target {
    /// Where the server listens, such as `http://127.0.0.1:9000`
    #[arg(long)]
    pub(crate) endpoint: String,
    /// The bucket, path style
    #[arg(long, default_value = "load")]
    pub(crate) bucket: String,
    /// The access key
    #[arg(long, env = "AWS_ACCESS_KEY_ID")]
    pub(crate) access_key: String,
    /// The secret key; better given by the environment
    #[arg(long, env = "AWS_SECRET_ACCESS_KEY", hide_env_values = true)]
    pub(crate) secret_key: String,
    /// The region that signatures name
    #[arg(long, default_value = "fr1")]
    pub(crate) region: String,
}

impl Target {
    /// Host and port, as the Host header says them.
    pub(crate) fn host(&self) -> Result<&str> {
        let host = self.endpoint.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        host.filter(|host| host.contains(':'))
            .with_context(|| format!("endpoint {}: it must be http://host:port", self.endpoint))
    }
}

/// What each request does.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Debug)]
pub(crate) enum Operation {
    /// Write the objects one after another
    Put,
    /// Read objects at random and compare every byte
    Get,
    /// Ask for objects at random and compare the size
    Head,
    /// Walk the prefix page by page, again and again
    List,
    /// Delete the objects one after another
    Delete,
    /// Make the bucket and stop
    MakeBucket,
}

/// The load.
#[derive(clap::Args, Clone)]
pub(crate) struct Plan {
    /// What each request does
    #[arg(long = "op")]
    pub(crate) operation: Operation,
    /// Bytes of an object
    #[arg(long, default_value_t = 4096)]
    pub(crate) size: usize,
    /// Connections, one request in flight on each
    #[arg(long, default_value_t = 16)]
    pub(crate) clients: usize,
    /// Stop after this long …
    #[arg(long, default_value_t = 8.0)]
    pub(crate) seconds: f64,
    /// … or after this many operations
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true)]
    pub(crate) count: u64,
    /// Objects that exist below the prefix, numbered from 0
    #[arg(long, default_value_t = 0)]
    pub(crate) keys: u64,
    /// A key is the prefix and a number
    #[arg(long, default_value = "load/")]
    pub(crate) prefix: String,
    /// The number of the first object that PUT or DELETE touches
    #[arg(long, default_value_t = 0)]
    pub(crate) first: u64,
    /// Keys in a page of LIST
    #[arg(long, default_value_t = 1000)]
    pub(crate) page: u64,
    /// Seed of the content; GET must name the seed of the PUT
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Keys whose order has nothing to do with the order of writing
    #[arg(long)]
    pub(crate) scattered: bool,
    /// Hash and sign each body instead of `UNSIGNED-PAYLOAD`
    #[arg(long)]
    pub(crate) signed_payload: bool,
    /// The server's process, whose processor time and memory are reported
    #[arg(long)]
    pub(crate) pid: Option<u32>,
}

impl Plan {
    /// A plan with every option at its default.
    pub(crate) fn new(operation: Operation) -> Self {
        Self {
            operation,
            size: 4096,
            clients: 16,
            seconds: 8.0,
            count: u64::MAX,
            keys: 0,
            prefix: "load/".to_owned(),
            first: 0,
            page: 1000,
            seed: 1,
            scattered: false,
            signed_payload: false,
            pid: None,
        }
    }
}

/// Options of the command.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    plan: Plan,
}

/// Runs the load and prints its figures; errors in them fail the command.
pub(crate) fn command(options: &Options) -> Result<()> {
    if options.plan.operation == Operation::MakeBucket {
        return make_bucket(&options.target);
    }
    let figures = run(&options.target, &options.plan)?;
    println!("{}", figures.to_json());
    if figures.errors > 0 {
        bail!("{} requests failed", figures.errors);
    }
    Ok(())
}

/// Makes the target's bucket.
pub(crate) fn make_bucket(target: &Target) -> Result<()> {
    configure_bucket(target, "", b"").with_context(|| format!("making the bucket {}", target.bucket))
}

/// Sets `aws:kms` as the default encryption of the target's bucket, which makes its entity tags opaque.
pub(crate) fn seal_bucket_as_kms(target: &Target) -> Result<()> {
    let body = b"<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule>\
        <ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>\
        </ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";
    configure_bucket(target, "encryption=", body)
        .with_context(|| format!("setting aws:kms as the encryption of {}", target.bucket))
}

/// Has the target's bucket keep versions, and gives it a policy of this many statements: each is about a place that no
/// load touches, but for the last, which every request has to be held against.
pub(crate) fn govern_bucket(target: &Target, statements: usize) -> Result<()> {
    let versions = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    configure_bucket(target, "versioning=", versions)?;
    let bucket = &target.bucket;
    let statement = |resource: String, condition: serde_json::Value| {
        let resource = format!("arn:aws:s3:::{bucket}/{resource}");
        json!({ "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": resource, "Condition": condition })
    };
    let elsewhere = json!({ "NotIpAddress": { "aws:SourceIp": "192.0.2.0/24" } });
    let mut all: Vec<_> =
        (1..statements).map(|number| statement(format!("place-{number}/*"), elsewhere.clone())).collect();
    all.push(statement("*".to_owned(), json!({ "NumericGreaterThan": { "s3:signatureAge": "600000" } })));
    let policy = json!({ "Version": "2012-10-17", "Statement": all }).to_string();
    configure_bucket(target, "policy=", policy.as_bytes()).with_context(|| format!("governing {bucket}"))
}

fn configure_bucket(target: &Target, query: &str, body: &[u8]) -> Result<()> {
    let mut connection = Connection::open(target.host()?)?;
    let path = format!("/{}", target.bucket);
    let request =
        Request { method: "PUT", path: &path, query, body, signed_payload: true, copy_source: None };
    let mut head = Vec::new();
    Signer::new(target)?.write_head(&request, &mut head)?;
    connection.send(&mut head, body)?;
    let answer = connection.receive_head()?;
    let text = connection.receive_text(&answer)?;
    if !matches!(answer.status, 200 | 204) {
        bail!("the server answered {}: {text}", answer.status);
    }
    Ok(())
}

/// What all clients of one load share.
struct Shared<'a> {
    target: &'a Target,
    plan: &'a Plan,
    content: Content,
    /// How many operations were begun.
    begun: AtomicU64,
    /// Set when too much fails for the load to make sense.
    stop: AtomicBool,
    until: Instant,
}

/// Puts the load on the server until its time or its count is up.
pub(crate) fn run(target: &Target, plan: &Plan) -> Result<Figures> {
    if matches!(plan.operation, Operation::Get | Operation::Head) && plan.keys == 0 {
        bail!("--keys says how many objects exist; without it there is nothing to read");
    }
    let content = Content::new(plan.size, plan.seed);
    let connections =
        (0..plan.clients).map(|_| Connection::open(target.host()?)).collect::<Result<Vec<_>>>()?;
    let (server, client) = usage(plan)?;
    let started = Instant::now();
    let shared = Shared {
        target,
        plan,
        content,
        begun: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        until: started + Duration::from_secs_f64(plan.seconds),
    };
    let tallies = std::thread::scope(|scope| {
        let begin = |(number, connection)| {
            let worker = Worker::new(&shared, number, connection);
            scope.spawn(move || worker?.run())
        };
        let threads: Vec<_> = (0..).zip(connections).map(begin).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<Tally>>| {
            thread.join().unwrap_or_else(|_| bail!("a client's thread panicked"))
        };
        threads.into_iter().map(join).collect::<Result<Vec<_>>>()
    })?;
    let elapsed = started.elapsed();
    let (server_after, client_after) = usage(plan)?;
    let mut figures = Figures::of(plan, tallies, elapsed);
    figures.client_cpu_seconds = client_after.cpu_seconds - client.cpu_seconds;
    figures.server = server_after
        .zip(server)
        .map(|(after, before)| Usage { cpu_seconds: after.cpu_seconds - before.cpu_seconds, ..after });
    Ok(figures)
}

/// The server's usage, when its process is known, and ours.
fn usage(plan: &Plan) -> Result<(Option<Usage>, Usage)> {
    Ok((plan.pid.map(Usage::of).transpose()?, Usage::of(std::process::id())?))
}
