//! Counters, gauges and histograms, shown as Prometheus text.
//!
//! Counting costs a few atomic additions: whoever counts often holds the counter and looks nothing up. Labels are
//! names from the program's own text (surfaces, operations, listeners), so their number is bounded: never a bucket,
//! a key, a path or anything else that a client chooses.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::StatusCode;
use nuee_base::Zone;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, PullingGauge, Registry,
    TextEncoder, core::Collector,
};

use crate::Error;

/// A number that only grows. Cheap to clone; clones count together.
pub use prometheus::IntCounter as Counter;
/// A number that grows and shrinks. Cheap to clone; clones count together.
pub use prometheus::IntGauge as Gauge;

/// From a quarter of a millisecond, a small read from memory, to a minute, a large body over a slow line.
const DURATION_BUCKETS_SECONDS: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0,
];

/// Classes of statuses. A request for what is not offered is nobody's failure, and has one of its own.
const STATUS_CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "501"];

/// The metrics of one process. Cheap to clone; clones are the same metrics.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Families>);

#[derive(Debug)]
struct Families {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    cut: IntCounterVec,
    in_flight: IntGaugeVec,
    connections: IntGaugeVec,
    accepted: IntCounterVec,
    accept_errors: IntCounterVec,
    full: IntCounterVec,
    handshake_failures: IntCounterVec,
    timeouts: IntCounterVec,
    received_bytes: IntCounterVec,
    sent_bytes: IntCounterVec,
    operations: Mutex<HashMap<(&'static str, &'static str), OperationMetrics>>,
}

impl Metrics {
    /// The metrics of HTTP, at zero.
    pub fn new() -> Result<Self, Error> {
        let registry = Registry::new();
        let counters = |name: &str, help: &str, labels: &[&str]| {
            registered(&registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let gauges = |name: &str, help: &str| {
            registered(&registry, IntGaugeVec::new(Opts::new(name, help), &["listener", "zone"])?)
        };
        let operation: &[&str] = &["surface", "operation"];
        let listener: &[&str] = &["listener", "zone"];
        let durations = HistogramOpts::new(
            "nuee_http_request_duration_seconds",
            "From the last header of a request until its response is handed to the connection",
        )
        .buckets(DURATION_BUCKETS_SECONDS.to_vec());
        Ok(Self(Arc::new(Families {
            requests: counters(
                "nuee_http_requests_total",
                "Requests answered",
                &["surface", "operation", "status"],
            )?,
            durations: registered(&registry, HistogramVec::new(durations, operation)?)?,
            cut: counters(
                "nuee_http_requests_cut_total",
                "Requests whose response was not made to its end",
                operation,
            )?,
            in_flight: gauges("nuee_http_requests_in_flight", "Requests being answered")?,
            connections: gauges("nuee_http_connections", "Connections open")?,
            accepted: counters("nuee_http_connections_accepted_total", "Connections accepted", listener)?,
            accept_errors: counters(
                "nuee_http_accept_errors_total",
                "Times that no connection could be accepted, most often for want of open files",
                listener,
            )?,
            full: counters(
                "nuee_http_connections_full_total",
                "Times that new connections had to wait because the limit was reached",
                listener,
            )?,
            handshake_failures: counters(
                "nuee_tls_handshake_failures_total",
                "Connections that ended without an agreement on TLS, other than by a time limit",
                listener,
            )?,
            timeouts: counters(
                "nuee_http_timeouts_total",
                "Connections given up because the client did not go on, by what it did not do",
                &["listener", "zone", "phase"],
            )?,
            received_bytes: counters(
                "nuee_http_received_bytes_total",
                "Bytes received from clients",
                listener,
            )?,
            sent_bytes: counters("nuee_http_sent_bytes_total", "Bytes sent to clients", listener)?,
            operations: Mutex::default(),
            registry,
        })))
    }

    /// The counters of one operation of one surface, such as `s3` and `PutObject`. To be kept, and put among the
    /// extensions of each response of that operation.
    pub fn operation(&self, surface: &'static str, operation: &'static str) -> OperationMetrics {
        let mut operations = self.0.operations.lock().unwrap_or_else(PoisonError::into_inner);
        operations.entry((surface, operation)).or_insert_with(|| self.0.operation(surface, operation)).clone()
    }

    /// Declares a counter of another layer. Several may share a name if their labels differ in value only.
    pub fn counter(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Result<Counter, Error> {
        registered(&self.0.registry, Counter::with_opts(options(name, help, labels))?)
    }

    /// Declares a gauge of another layer. Several may share a name if their labels differ in value only.
    pub fn gauge(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Result<Gauge, Error> {
        registered(&self.0.registry, Gauge::with_opts(options(name, help, labels))?)
    }

    /// Declares a gauge that is read when metrics are shown; `read` must be quick and must not wait.
    pub fn gauge_from(
        &self,
        name: &str,
        help: &str,
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) -> Result<(), Error> {
        registered(&self.0.registry, PullingGauge::new(name, help, Box::new(read))?).map(drop)
    }

    /// Everything counted so far, in Prometheus' text exposition format 0.0.4.
    pub fn render(&self) -> Result<String, Error> {
        Ok(TextEncoder::new().encode_to_string(&self.0.registry.gather())?)
    }

    pub(crate) fn listener(&self, name: &str, zone: Zone) -> ListenerMetrics {
        let labels = &[name, zone.as_str()];
        let timeouts = |phase| self.0.timeouts.with_label_values(&[name, zone.as_str(), phase]);
        ListenerMetrics {
            in_flight: self.0.in_flight.with_label_values(labels),
            connections: self.0.connections.with_label_values(labels),
            accepted: self.0.accepted.with_label_values(labels),
            accept_errors: self.0.accept_errors.with_label_values(labels),
            full: self.0.full.with_label_values(labels),
            handshake_failures: self.0.handshake_failures.with_label_values(labels),
            handshake_timeouts: timeouts("handshake"),
            header_timeouts: timeouts("header"),
            body_timeouts: timeouts("body"),
            write_timeouts: timeouts("write"),
            received_bytes: self.0.received_bytes.with_label_values(labels),
            sent_bytes: self.0.sent_bytes.with_label_values(labels),
        }
    }
}

impl Families {
    fn operation(&self, surface: &str, operation: &str) -> OperationMetrics {
        OperationMetrics(Arc::new(OperationCounters {
            statuses: STATUS_CLASSES
                .map(|class| self.requests.with_label_values(&[surface, operation, class])),
            duration: self.durations.with_label_values(&[surface, operation]),
            cut: self.cut.with_label_values(&[surface, operation]),
        }))
    }
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C, Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn options(name: &str, help: &str, labels: &[(&str, &str)]) -> Opts {
    let labels = labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
    Opts::new(name, help).const_labels(labels)
}

/// The counters of one operation; an extension of its responses. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OperationMetrics(Arc<OperationCounters>);

#[derive(Debug)]
struct OperationCounters {
    statuses: [Counter; STATUS_CLASSES.len()],
    duration: Histogram,
    cut: Counter,
}

impl OperationMetrics {
    /// Counts a response that was handed to the connection to its end.
    pub(crate) fn observe(&self, status: StatusCode, duration: Duration) {
        let class = match status {
            StatusCode::NOT_IMPLEMENTED => STATUS_CLASSES.len() - 1,
            status => usize::from(status.as_u16() / 100).saturating_sub(1),
        };
        if let Some(counter) = self.0.statuses.get(class) {
            counter.inc();
        }
        self.0.duration.observe(duration.as_secs_f64());
    }

    /// Counts a request whose response was not.
    pub(crate) fn observe_cut(&self) {
        self.0.cut.inc();
    }
}

/// The counters of one listener.
#[derive(Debug)]
pub(crate) struct ListenerMetrics {
    pub(crate) in_flight: Gauge,
    pub(crate) connections: Gauge,
    pub(crate) accepted: Counter,
    pub(crate) accept_errors: Counter,
    pub(crate) full: Counter,
    pub(crate) handshake_failures: Counter,
    pub(crate) handshake_timeouts: Counter,
    pub(crate) header_timeouts: Counter,
    pub(crate) body_timeouts: Counter,
    pub(crate) write_timeouts: Counter,
    pub(crate) received_bytes: Counter,
    pub(crate) sent_bytes: Counter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_of_one_name_and_several_labels_are_shown_as_one_family() {
        let metrics = Metrics::new().unwrap();
        metrics.counter("nuee_blobs_total", "Blobs", &[("site", "a")]).unwrap().inc_by(2);
        metrics.counter("nuee_blobs_total", "Blobs", &[("site", "b")]).unwrap().inc();
        metrics.gauge_from("nuee_queue_length", "Queue", || 7.0).unwrap();
        let text = metrics.render().unwrap();
        assert_eq!(text.matches("# TYPE nuee_blobs_total counter").count(), 1, "{text}");
        assert!(text.contains("nuee_blobs_total{site=\"a\"} 2\n"), "{text}");
        assert!(text.contains("nuee_blobs_total{site=\"b\"} 1\n"), "{text}");
        assert!(text.contains("nuee_queue_length 7\n"), "{text}");
    }

    #[test]
    fn an_operation_is_counted_by_status_class() {
        let metrics = Metrics::new().unwrap();
        metrics.operation("s3", "PutObject").observe(StatusCode::CREATED, Duration::from_millis(3));
        metrics.operation("s3", "PutObject").observe(StatusCode::NOT_FOUND, Duration::from_millis(3));
        let text = metrics.render().unwrap();
        for line in [
            "nuee_http_requests_total{operation=\"PutObject\",status=\"2xx\",surface=\"s3\"} 1\n",
            "nuee_http_requests_total{operation=\"PutObject\",status=\"4xx\",surface=\"s3\"} 1\n",
            "nuee_http_request_duration_seconds_bucket{operation=\"PutObject\",surface=\"s3\",le=\"0.0025\"} 0\n",
            "nuee_http_request_duration_seconds_bucket{operation=\"PutObject\",surface=\"s3\",le=\"0.005\"} 2\n",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_metric_declared_twice_is_refused() {
        let metrics = Metrics::new().unwrap();
        metrics.gauge("nuee_size_bytes", "Size", &[]).unwrap();
        assert!(matches!(metrics.gauge("nuee_size_bytes", "Size", &[]), Err(Error::Metric(_))));
    }
}
