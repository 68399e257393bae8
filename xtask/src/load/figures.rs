//! The figures of one load.
//!
//! Rates are per second of wall clock, MB are millions of bytes, latencies are milliseconds as the client saw them.

use std::time::Duration;

use serde_json::{Value, json};

use super::worker::Tally;
use super::{Operation, Plan};
use crate::process::Usage;

/// What a load came to.
#[derive(Clone, Default)]
pub(crate) struct Figures {
    name: String,
    size: usize,
    clients: usize,
    pub(crate) operations: u64,
    pub(crate) errors: u64,
    pub(crate) first_errors: Vec<String>,
    pub(crate) seconds: f64,
    pub(crate) operations_per_second: f64,
    pub(crate) megabytes_per_second: f64,
    pub(crate) keys_per_second: Option<f64>,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    pub(crate) client_cpu_seconds: f64,
    /// The server's processor time during the load, and its memory at the end of it.
    pub(crate) server: Option<Usage>,
}

impl Figures {
    /// Adds up what the clients did.
    pub(super) fn of(plan: &Plan, tallies: Vec<Tally>, elapsed: Duration) -> Self {
        let seconds = elapsed.as_secs_f64();
        let mut all = Tally::default();
        for tally in tallies {
            all.latencies.extend(tally.latencies);
            all.bytes += tally.bytes;
            all.keys_listed += tally.keys_listed;
            all.errors += tally.errors;
            all.first_errors.extend(tally.first_errors);
        }
        all.latencies.sort_unstable();
        let operations = all.latencies.len() as u64;
        let listing = plan.operation == Operation::List;
        Self {
            name: format!("{:?}", plan.operation).to_lowercase(),
            size: plan.size,
            clients: plan.clients,
            operations,
            errors: all.errors,
            first_errors: all.first_errors.into_iter().take(3).collect(),
            seconds,
            operations_per_second: float(operations) / seconds,
            megabytes_per_second: float(all.bytes) / seconds / 1e6,
            keys_per_second: listing.then(|| float(all.keys_listed) / seconds),
            p50_ms: percentile(&all.latencies, 500),
            p90_ms: percentile(&all.latencies, 900),
            p99_ms: percentile(&all.latencies, 990),
            max_ms: percentile(&all.latencies, 1000),
            client_cpu_seconds: 0.0,
            server: None,
        }
    }

    /// Microseconds of the server's processors for each operation.
    pub(crate) fn server_cpu_us_per_operation(&self) -> Option<f64> {
        let server = self.server.filter(|_| self.operations > 0)?;
        Some(server.cpu_seconds * 1e6 / float(self.operations))
    }

    /// One line.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "op": self.name,
            "size": self.size,
            "clients": self.clients,
            "seconds": rounded(self.seconds),
            "operations": self.operations,
            "errors": self.errors,
            "first_errors": self.first_errors,
            "operations_per_second": rounded(self.operations_per_second),
            "megabytes_per_second": rounded(self.megabytes_per_second),
            "keys_per_second": self.keys_per_second.map(rounded),
            "p50_ms": rounded(self.p50_ms),
            "p90_ms": rounded(self.p90_ms),
            "p99_ms": rounded(self.p99_ms),
            "max_ms": rounded(self.max_ms),
            "client_cpu_seconds": rounded(self.client_cpu_seconds),
            "server_cpu_seconds": self.server.map(|server| rounded(server.cpu_seconds)),
            "server_cpu_us_per_operation": self.server_cpu_us_per_operation().map(rounded),
            "server_resident_mib": self.server.map(|server| server.resident_mib),
            "server_peak_resident_mib": self.server.map(|server| server.peak_resident_mib),
        })
    }
}

/// Counts here stay far below 2^52, where a float stops being exact.
#[expect(clippy::cast_precision_loss, reason = "counts of operations and bytes, below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// The latency, in milliseconds, that this many thousandths of the sorted operations did not exceed.
fn percentile(sorted_us: &[u32], thousandths: usize) -> f64 {
    let rank = (sorted_us.len() * thousandths).div_ceil(1000);
    let latency = sorted_us.get(rank.saturating_sub(1));
    latency.map_or(0.0, |&microseconds| f64::from(microseconds) / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let sorted: Vec<u32> = (1..=200).map(|step| step * 1000).collect();
        let of = |thousandths| percentile(&sorted, thousandths).to_string();
        assert_eq!([of(500), of(990), of(1000)], ["100", "198", "200"]);
        assert_eq!(percentile(&[], 500).to_string(), "0");
        assert_eq!(percentile(&[7000], 990).to_string(), "7");
    }
}
