//! Webhooks: what happens in buckets, told to others.
//!
//! Each webhook is a receiver that the operator knows, for the buckets of some projects. It is told the events that
//! buckets send to it, one a request, as the journal has them: those of a key in their order, each at least once,
//! signed after [Standard Webhooks](https://www.standardwebhooks.com/). Only an answer of 2xx ends an event. A receiver
//! that does not answer is tried again later, and meanwhile asked nothing else; one that refuses an event gets those of
//! other keys. What was tried for three days is dropped, and the log says so.
//!
//! How far a receiver was told is kept, so a restart goes on where the last one was: with what had no answer, and perhaps
//! some events more, for which receivers know them by the header `webhook-id`.

mod window;

use std::{collections::BTreeMap, fs, time::Duration};

use anyhow::{Context, Result, bail};
use futures_util::{StreamExt, stream::FuturesUnordered};
use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use nuee_access::{Action, Resource};
use nuee_base::{Environment, ProjectId};
use nuee_s3::{Destinations, MessageSigner, event_message};
use nuee_store::{Event, Store};
use nuee_web::{Counter, Gauge, Metrics};
use tokio::{
    select,
    task::{JoinSet, yield_now},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{Platform, Settings, http_client::HttpClient, settings::WebhookSettings};
use window::{LaneKey, Window};

/// How soon the journal is looked at again when all of it was told.
const POLL: Duration = Duration::from_millis(200);
/// Events that are on their way to a receiver at once, of different keys.
const AT_ONCE: usize = 8;
/// How soon a receiver is tried again, doubled each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// For how long an event is tried, from when it happened.
const TRIED_FOR: Duration = Duration::from_hours(72);
/// Leaves without an event after which it is kept that they were looked at.
const NOTED_AFTER: i64 = 10_000;

/// All webhooks of a server.
pub(crate) struct Webhooks(Vec<Webhook>);

/// A receiver.
struct Webhook {
    name: String,
    projects: Vec<ProjectId>,
    sender: Sender,
    store: Store,
    environment: Environment,
    counters: Counters,
}

/// What a request to a receiver needs.
struct Sender {
    url: Uri,
    signer: MessageSigner,
    client: HttpClient,
    environment: Environment,
    region: String,
    /// Begins the ids of messages.
    instance: String,
}

struct Counters {
    delivered: Counter,
    refused: Counter,
    unreachable: Counter,
    dropped: Counter,
    pending: Gauge,
}

/// What became of an event.
enum Outcome {
    Delivered,
    /// The receiver does not want this one.
    Refused(StatusCode),
    /// The receiver is not there, or not well.
    Unreachable(anyhow::Error),
}

impl Webhooks {
    /// Those of the settings.
    pub(crate) fn open(settings: &Settings, platform: &Platform, metrics: &Metrics) -> Result<Self> {
        let all = settings.webhooks.iter().map(|(name, webhook)| {
            open(name, webhook, (settings, platform, metrics)).with_context(|| format!("webhooks.{name}"))
        });
        Ok(Self(all.collect::<Result<_>>()?))
    }

    /// The destinations that buckets may name.
    pub(crate) fn destinations(&self) -> Destinations {
        let all = self.0.iter().map(|webhook| (webhook.name.clone(), webhook.projects.clone()));
        Destinations::new(all.collect::<BTreeMap<_, _>>())
    }

    /// Tells receivers what happens, until `stop`.
    pub(crate) async fn tell_until(self, stop: CancellationToken) {
        let mut telling = JoinSet::new();
        for webhook in self.0 {
            telling.spawn(webhook.tell_until(stop.clone()));
        }
        while telling.join_next().await.is_some() {}
    }
}

fn open(
    name: &str,
    webhook: &WebhookSettings,
    (settings, platform, metrics): (&Settings, &Platform, &Metrics),
) -> Result<Webhook> {
    let secret = &webhook.secret_file;
    let text = fs::read_to_string(secret).with_context(|| format!("cannot read {}", secret.display()))?;
    let signer = MessageSigner::new(&text).with_context(|| format!("the secret in {}", secret.display()))?;
    let projects = webhook.projects.iter().map(|place| project(platform, place)).collect::<Result<_>>()?;
    let counter = |outcome| {
        let help = "Attempts to tell a receiver of an event, by what became of them";
        let labels = [("webhook", name), ("outcome", outcome)];
        metrics.counter("nuee_webhook_deliveries_total", help, &labels)
    };
    let pending = "Events that a receiver was not told yet, as far as they were looked at";
    let sender = Sender {
        url: webhook.url.parse()?,
        signer,
        client: HttpClient::new(webhook.ca_bundle.as_deref())?,
        environment: platform.environment().clone(),
        region: settings.s3.region.clone(),
        instance: platform.instance().to_string(),
    };
    Ok(Webhook {
        name: name.to_owned(),
        projects,
        sender,
        store: platform.store().clone(),
        environment: platform.environment().clone(),
        counters: Counters {
            delivered: counter("delivered")?,
            refused: counter("refused")?,
            unreachable: counter("unreachable")?,
            dropped: counter("dropped")?,
            pending: metrics.gauge("nuee_webhook_pending_events", pending, &[("webhook", name)])?,
        },
    })
}

/// The project that `organisation/project` names.
fn project(platform: &Platform, place: &str) -> Result<ProjectId> {
    let (organisation, project) = place.split_once('/').context("a project is named organisation/project")?;
    let (context, decider, tenancy) = (platform.operator(), platform.decider(), platform.tenancy());
    let permit = decider.decide(&context, Action::ListOrganisations, Resource::Platform)?;
    let organisation = tenancy.organisation(&permit, &organisation.parse()?)?;
    let organisation =
        organisation.with_context(|| format!("there is no organisation of project {place}"))?;
    let permit = decider.decide(&context, Action::ListProjects, Resource::Organisation(organisation.id))?;
    let found = tenancy.project(&permit, &project.parse()?)?;
    Ok(found.with_context(|| format!("there is no project {place}"))?.id)
}

/// How long to wait after so many failures.
fn pause(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_PAUSE)
}

impl Webhook {
    async fn tell_until(self, stop: CancellationToken) {
        let (mut window, mut failures) = (None, 0);
        while !stop.is_cancelled() {
            let told = select! {
                () = stop.cancelled() => return,
                told = self.tell(&mut window) => told,
            };
            let rest = match told {
                Ok(true) => Duration::ZERO,
                Ok(false) => POLL,
                Err(error) => {
                    failures += 1;
                    let rest = pause(failures);
                    tracing::warn!(webhook = self.name, "{error:#}; tried again in {} s", rest.as_secs());
                    rest
                }
            };
            if rest <= POLL {
                failures = 0;
            }
            select! {
                () = stop.cancelled() => return,
                () = sleep(rest) => {}
            }
        }
    }

    /// Reads on in the journal and tells what is due; says whether there was anything.
    async fn tell(&self, kept: &mut Option<Window>) -> Result<bool> {
        let window = match kept {
            Some(window) => window,
            None => kept.insert(Window::new(self.store.events_told(&self.name).await?)),
        };
        while window.has_room() {
            let page = self.store.events(&self.name, &self.projects, window.read_to())?;
            let is_all = page.is_all;
            window.add(page);
            if is_all {
                break;
            }
            // A long way may lie before the next event.
            yield_now().await;
        }
        let result = self.tell_due(window).await;
        self.counters.pending.set(i64::try_from(window.len()).unwrap_or(i64::MAX));
        if let Some(told) = window.worth_keeping(NOTED_AFTER) {
            self.store.set_events_told(&self.name, told).await?;
            window.was_kept(told);
        }
        result
    }

    /// Tells what is due, several keys at once; an error if the receiver is not there.
    async fn tell_due(&self, window: &mut Window) -> Result<bool> {
        let now = self.environment.uptime();
        let mut due = window.due(now).into_iter();
        let (mut running, mut lost, mut any) = (FuturesUnordered::new(), None, false);
        loop {
            while running.len() < AT_ONCE && lost.is_none() {
                let Some(lane) = due.next() else { break };
                running.push(self.tell_lane(lane));
            }
            let Some((key, taken, outcome)) = running.next().await else { break };
            any = true;
            window.take(&key, taken);
            match outcome {
                Outcome::Delivered => {}
                Outcome::Refused(status) => {
                    let rest = window.put_off(&key, now, pause).as_secs();
                    tracing::warn!(webhook = self.name, %status, "an event is refused; tried again in {rest} s");
                }
                Outcome::Unreachable(error) => lost = Some(error),
            }
            self.drop_old(window, &key);
        }
        match lost {
            Some(error) => Err(error),
            None => Ok(any),
        }
    }

    /// Tells the events of a key, one after the other, as far as they are taken; gives how many were.
    async fn tell_lane(&self, (key, events): (LaneKey, Vec<Event>)) -> (LaneKey, usize, Outcome) {
        let mut taken = 0;
        for event in events {
            let outcome = self.sender.send(&event).await;
            match &outcome {
                Outcome::Delivered => self.counters.delivered.inc(),
                Outcome::Refused(_) => self.counters.refused.inc(),
                Outcome::Unreachable(_) => self.counters.unreachable.inc(),
            }
            if !matches!(outcome, Outcome::Delivered) {
                return (key, taken, outcome);
            }
            taken += 1;
        }
        (key, taken, Outcome::Delivered)
    }

    fn drop_old(&self, window: &mut Window, key: &LaneKey) {
        let now = self.environment.now();
        while let Some(event) = window.first(key).filter(|event| event.at.saturating_add(TRIED_FOR) < now) {
            tracing::error!(
                webhook = self.name,
                leaf = event.leaf,
                "an event is dropped: no receiver took it"
            );
            self.counters.dropped.inc();
            window.take(key, 1);
        }
    }
}

impl Sender {
    async fn send(&self, event: &Event) -> Outcome {
        let request = match self.request(event) {
            Ok(request) => request,
            Err(error) => return Outcome::Unreachable(error),
        };
        match self.client.send(request).await.map(|response| response.status()) {
            Ok(status) if status.is_success() => Outcome::Delivered,
            Ok(status) if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Outcome::Unreachable(anyhow::anyhow!("the receiver answers {status}"))
            }
            Ok(status) => Outcome::Refused(status),
            Err(error) => Outcome::Unreachable(error),
        }
    }

    fn request(&self, event: &Event) -> Result<Request<Full<bytes::Bytes>>> {
        let body = event_message(event, &self.region).to_string();
        let id = format!("{}-{:016x}", self.instance, event.leaf);
        let seconds = self.environment.now().as_micros() / 1_000_000;
        let signature = self.signer.sign(&id, seconds, &body);
        let request = Request::post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("nuee/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature);
        Ok(request.body(Full::new(body.into()))?)
    }
}

/// Refuses settings that cannot work.
pub(crate) fn validate(name: &str, webhook: &WebhookSettings) -> Result<()> {
    let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || !name.bytes().all(valid) {
        bail!("the name {name:?}: use lower-case letters, digits and hyphens");
    }
    let url: Uri = webhook.url.parse().with_context(|| format!("url {:?}", webhook.url))?;
    if !matches!(url.scheme_str(), Some("http" | "https")) || url.host().is_none() {
        bail!("url is {:?}, and must be one of http or https", webhook.url);
    }
    if webhook.projects.is_empty() {
        bail!("projects names no project whose buckets may use it");
    }
    Ok(())
}
